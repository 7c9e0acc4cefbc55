//! A folder or an S3 bucket.

use std::path::Path as Folder;
use std::sync::Arc;

pub use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;

use crate::{MediaSettings, ObjectRef};

/// Objects above this are written piece by piece.
const PIECE_BYTES: usize = 8 << 20;
/// Pieces on their way at one time.
const PIECES_MAX: usize = 2;

/// What is wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its settings cannot be used.
    #[error("media.store: {0}")]
    Settings(String),
    /// It does not do what it is asked.
    #[error("the store of media does not answer as it should: {0}")]
    Away(#[from] object_store::Error),
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is bigger than it may be.
    #[error("more than {0} bytes")]
    TooBig(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where media lies.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// An object that is there.
pub struct Found {
    /// How big it is.
    pub size_bytes: u64,
    /// Its bytes.
    pub bytes: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Objects {
    /// Opens what the settings name; `None` if they name nothing.
    ///
    /// # Errors
    /// If the folder cannot be made or the bucket's settings cannot be used.
    pub fn open(settings: &MediaSettings) -> Result<Option<Self>, StoreError> {
        let Some(place) = &settings.store else { return Ok(None) };
        match place.strip_prefix("s3://") {
            Some(bucket) => Self::bucket(bucket, settings).map(Some),
            None => Self::folder(Folder::new(place)).map(Some),
        }
    }

    fn folder(folder: &Folder) -> Result<Self, StoreError> {
        let wrong = |error: &dyn std::fmt::Display| StoreError::Settings(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| wrong(&error))?;
        Ok(Self { store: Arc::new(store.with_automatic_cleanup(true)), prefix: Path::default() })
    }

    fn bucket(place: &str, settings: &MediaSettings) -> Result<Self, StoreError> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_region(&settings.s3_region);
        if let Some(endpoint) = &settings.s3_endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let (Some(id), Some(secret)) = (&settings.s3_access_key_id, &settings.s3_secret) {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
        }
        let wrong = |error: &dyn std::fmt::Display| StoreError::Settings(format!("s3://{place}: {error}"));
        let store = builder.build().map_err(|error| wrong(&error))?;
        Ok(Self { store: Arc::new(store), prefix: Path::parse(prefix).map_err(|error| wrong(&error))? })
    }

    fn path(&self, object: &ObjectRef) -> Path {
        self.prefix.parts().chain(Path::from(object.as_str()).parts()).collect()
    }

    /// Begins an object of at most so many bytes; one of the same name is replaced once it is
    /// finished.
    pub fn writer(&self, object: &ObjectRef, bytes_max: u64) -> Writer {
        let inner = BufWriter::with_capacity(Arc::clone(&self.store), self.path(object), PIECE_BYTES)
            .with_max_concurrency(PIECES_MAX);
        Writer { inner, bytes_max, written: 0 }
    }

    /// How big an object is; `None` if there is none.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn size_of(&self, object: &ObjectRef) -> Result<Option<u64>, StoreError> {
        match self.store.head(&self.path(object)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An object's bytes; `None` if there is none.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn read(&self, object: &ObjectRef) -> Result<Option<Found>, StoreError> {
        match self.store.get(&self.path(object)).await {
            Ok(found) => {
                let size_bytes = found.meta.size;
                let bytes = found.into_stream().map(|chunk| chunk.map_err(StoreError::from)).boxed();
                Ok(Some(Found { size_bytes, bytes }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// An object on its way. It is there once it is finished, and must be given up otherwise.
pub struct Writer {
    inner: BufWriter,
    bytes_max: u64,
    written: u64,
}

impl Writer {
    /// Adds bytes.
    ///
    /// # Errors
    /// If there are too many, or the store fails; the caller gives the object up.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.bytes_max {
            return Err(WriteError::TooBig(self.bytes_max));
        }
        Ok(self.inner.put(bytes).await.map_err(StoreError::from)?)
    }

    /// Makes the object be there; its size.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn finish(mut self) -> Result<u64, StoreError> {
        let finished = self.inner.shutdown().await;
        finished.map_err(|error| object_store::Error::Generic { store: "media", source: error.into() })?;
        Ok(self.written)
    }

    /// Leaves nothing behind.
    ///
    /// # Errors
    /// If the store fails; what is left is then its own to clean up.
    pub async fn give_up(mut self) -> Result<(), StoreError> {
        Ok(self.inner.abort().await?)
    }
}
