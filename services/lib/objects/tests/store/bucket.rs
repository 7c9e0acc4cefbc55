//! As much of S3's REST API as the store speaks (Amazon S3 API Reference: PutObject, GetObject,
//! HeadObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload).
//! Every request must be signed for `s3` (Signature Version 4) with the one access key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    begun: u32,
    problems: Vec<String>,
}

type Shared = Arc<Mutex<Kept>>;

pub(crate) struct Bucket {
    kept: Shared,
    url: String,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        let kept = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/attic/{*key}", any(serve))
            .layer(DefaultBodyLimit::max(32 << 20))
            .with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { kept, url }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.kept.lock().unwrap().objects.keys().cloned().collect()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.kept.lock().unwrap().problems.clone()
    }

    pub(crate) fn open_uploads(&self) -> usize {
        self.kept.lock().unwrap().uploads.len()
    }
}

async fn serve(
    State(kept): State<Shared>,
    (method, headers): (Method, HeaderMap),
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    let mut kept = kept.lock().unwrap();
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/") && signed.contains("/eu-central-1/s3/aws4_request")) {
        kept.problems.push(format!("{method} {key}: signed {signed:?}"));
        return StatusCode::FORBIDDEN.into_response();
    }
    let upload = query.get("uploadId");
    match (method.as_str(), upload) {
        ("PUT", Some(id)) => {
            let number: u32 = query["partNumber"].parse().unwrap();
            let Some(parts) = kept.uploads.get_mut(id) else { return StatusCode::NOT_FOUND.into_response() };
            parts.insert(number, body);
            [("etag", format!("\"{number}\""))].into_response()
        }
        ("PUT", None) => {
            kept.objects.insert(key, body);
            [("etag", "\"whole\"")].into_response()
        }
        ("POST", None) if query.contains_key("uploads") => {
            kept.begun += 1;
            let id = format!("u{}", kept.begun);
            kept.uploads.insert(id.clone(), BTreeMap::new());
            let names = format!("<Bucket>attic</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>");
            format!("<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>").into_response()
        }
        ("POST", Some(id)) => {
            let Some(parts) = kept.uploads.remove(id) else { return StatusCode::NOT_FOUND.into_response() };
            kept.objects.insert(key, parts.into_values().collect::<Vec<_>>().concat().into());
            "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>".into_response()
        }
        ("DELETE", Some(id)) => {
            kept.uploads.remove(id);
            StatusCode::NO_CONTENT.into_response()
        }
        ("GET" | "HEAD", None) => match kept.objects.get(&key) {
            Some(bytes) => {
                let headers = [("etag", "\"whole\""), ("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT")];
                (headers, bytes.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => {
            kept.problems.push(format!("{method} {key} {query:?}"));
            StatusCode::METHOD_NOT_ALLOWED.into_response()
        }
    }
}
