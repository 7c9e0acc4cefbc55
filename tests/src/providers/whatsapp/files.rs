//! Files that people sent: asked for by id, had from an address that lives five minutes, both with the
//! account's token (Cloud API, media; `reference/channels.md` §4.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{ApiError, Cloud, Details, Memory, apps, bad_token, locked};

/// A file, and the one address at which it can be had now.
#[derive(Default)]
pub(super) struct File {
    mime: String,
    bytes: Vec<u8>,
    links: u64,
    live: Option<u64>,
}

impl Memory {
    pub(super) fn keep(&mut self, mime: &str, bytes: &[u8]) -> (String, String) {
        let id = format!("{}", 1_000_000_000_000 + self.files.len());
        let file = File { mime: mime.to_owned(), bytes: bytes.to_owned(), ..File::default() };
        self.files.insert(id.clone(), file);
        (id, STANDARD.encode(Sha256::digest(bytes)))
    }

    pub(super) fn age_links(&mut self) {
        self.files.values_mut().for_each(|file| file.live = None);
    }
}

pub(super) fn routes(cloud: Arc<Cloud>) -> Router {
    Router::new()
        .route("/v25.0/{media}", get(look_up))
        .route("/whatsapp_business/attachments/{media}/{link}", get(download))
        .with_state(cloud)
}

fn is_ours(cloud: &Cloud, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    shown == Some(&format!("Bearer {}", cloud.settings.access_token))
}

fn refused(error: ApiError) -> Response {
    let verdict = error.verdict(Details::default());
    let status = StatusCode::from_u16(verdict.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, axum::Json(verdict.answer)).into_response()
}

async fn look_up(
    State(cloud): State<Arc<Cloud>>,
    Path(media): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if cloud.settings.phone_number_ids.contains(&media) {
        return apps::account(State(cloud), Path(media), headers).await.into_response();
    }
    if !is_ours(&cloud, &headers) {
        return refused(bad_token());
    }
    let number = query.get("phone_number_id");
    let is_number = number.is_none_or(|number| cloud.settings.phone_number_ids.contains(number));
    let mut memory = locked(&cloud.memory);
    let address = memory.address.clone();
    let Some(file) = memory.files.get_mut(&media).filter(|_| is_number) else {
        let problem = format!("Unsupported get request. Object with ID '{media}' does not exist");
        return refused(ApiError { status: 400, code: 100, problem });
    };
    file.links += 1;
    file.live = Some(file.links);
    let url = format!("{address}/whatsapp_business/attachments/{media}/{}", file.links);
    let sha256: String = Sha256::digest(&file.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let answer = json!({"url": url, "mime_type": file.mime, "sha256": sha256, "file_size": file.bytes.len(),
        "id": media, "messaging_product": "whatsapp"});
    axum::Json(answer).into_response()
}

async fn download(
    State(cloud): State<Arc<Cloud>>,
    Path((media, link)): Path<(String, u64)>,
    headers: HeaderMap,
) -> Response {
    if !is_ours(&cloud, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let memory = locked(&cloud.memory);
    match memory.files.get(&media).filter(|file| file.live == Some(link)) {
        Some(file) => ([(header::CONTENT_TYPE, file.mime.clone())], file.bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
