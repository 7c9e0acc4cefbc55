//! Objects in a folder and in a bucket: what was finished is there, whole; what was given up or too
//! big is not.
#![expect(clippy::unwrap_used, reason = "tests report by panicking")]

mod bucket;

use futures::TryStreamExt;
use objects::{Bytes, MediaSettings, ObjectRef, Objects, WriteError};

fn settings(store: &str) -> MediaSettings {
    MediaSettings {
        store: Some(store.into()),
        s3_region: "eu-central-1".into(),
        s3_endpoint: None,
        s3_access_key_id: Some("AKIA".into()),
        s3_secret: Some("hush".to_owned().into()),
        public_url: String::new(),
        url_ttl_s: 1,
        bytes_max: 1,
        types: Vec::new(),
    }
}

fn object(name: &str) -> ObjectRef {
    ObjectRef::new("acme", "k", name, "image/png").unwrap()
}

async fn write(objects: &Objects, name: &str, chunks: &[Bytes]) -> u64 {
    let mut writer = objects.writer(&object(name), 64 << 20);
    for chunk in chunks {
        writer.write(chunk.clone()).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn read(objects: &Objects, name: &str) -> Option<Vec<u8>> {
    let found = objects.read(&object(name)).await.unwrap()?;
    let bytes: Vec<u8> = found.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!(bytes.len() as u64, found.size_bytes);
    assert_eq!(objects.size_of(&object(name)).await.unwrap(), Some(found.size_bytes));
    Some(bytes)
}

/// What every store must do.
async fn keeps_what_was_finished_alone(objects: &Objects) {
    assert_eq!(objects.size_of(&object("small")).await.unwrap(), None);
    assert_eq!(read(objects, "small").await, None);
    assert_eq!(write(objects, "small", &[Bytes::from_static(b"a "), Bytes::from_static(b"picture")]).await, 9);
    assert_eq!(read(objects, "small").await.unwrap(), b"a picture");
    assert_eq!(write(objects, "small", &[Bytes::from_static(b"another")]).await, 7);
    assert_eq!(read(objects, "small").await.unwrap(), b"another");

    let chunk = Bytes::from((0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect::<Vec<u8>>());
    let chunks = vec![chunk; 20];
    assert_eq!(write(objects, "big", &chunks).await, 20 << 20);
    assert_eq!(read(objects, "big").await.unwrap(), chunks.concat());

    let mut writer = objects.writer(&object("left"), 64 << 20);
    for chunk in &chunks {
        writer.write(chunk.clone()).await.unwrap();
    }
    writer.give_up().await.unwrap();
    assert_eq!(read(objects, "left").await, None);

    let mut writer = objects.writer(&object("too big"), 10);
    writer.write(Bytes::from_static(b"12345")).await.unwrap();
    let refused = writer.write(Bytes::from_static(b"678901")).await;
    assert!(matches!(refused, Err(WriteError::TooBig(10))), "{refused:?}");
    writer.give_up().await.unwrap();
    assert_eq!(read(objects, "too big").await, None);
}

#[tokio::test]
async fn a_folder_keeps_what_was_finished_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("not/there/yet");
    let objects = Objects::open(&settings(store.to_str().unwrap())).unwrap().unwrap();
    keeps_what_was_finished_alone(&objects).await;
    let mut left = files(&store);
    left.sort();
    let whole = ["big", "small"].map(|name| store.join(object(name).as_str()));
    assert_eq!(left, whole, "nothing else was left behind");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_bucket_keeps_what_was_finished_alone() {
    let bucket = bucket::Bucket::start().await;
    let settings = MediaSettings { s3_endpoint: Some(bucket.url()), ..settings("s3://attic/media") };
    let objects = Objects::open(&settings).unwrap().unwrap();
    keeps_what_was_finished_alone(&objects).await;
    assert_eq!(bucket.keys(), ["media/acme/k/big/image/png", "media/acme/k/small/image/png"]);
    assert_eq!(bucket.problems(), Vec::<String>::new());
    assert_eq!(bucket.open_uploads(), 0, "what was given up is cleaned up");
}

#[tokio::test]
async fn a_store_that_cannot_be_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = Objects::open(&settings(file.join("below").to_str().unwrap())).unwrap_err();
    assert!(error.to_string().contains("media.store"), "{error}");
    assert!(Objects::open(&MediaSettings { store: None, ..settings("") }).unwrap().is_none());
}
