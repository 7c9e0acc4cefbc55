//! `/media/…`: objects under signed addresses. The address is the permission; whoever made it has
//! looked who may see the object.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use objects::{LinkQuery, LinkRefused, Media, Upload, WriteError, Writer, essence};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use stream::clock;

use super::Edge;
use super::problem::Problem;

/// How long somebody may take to send a whole object.
const UPLOAD_MAX: Duration = Duration::from_secs(300);
/// Nothing of an object is run, guessed at, or told to other sites; any page may fetch it, for it needs
/// no cookie.
const GUARDS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "private, no-store"),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
];

type Asked = Result<Query<LinkQuery>, axum::extract::rejection::QueryRejection>;

/// `GET /media/{object}`.
pub async fn download(State(edge): State<Edge>, Path(object): Path<String>, query: Asked) -> Result<Response, Problem> {
    let (media, query) = known(&edge, query)?;
    let download = media.links.check_download(&object, query, now_s()).map_err(refused)?;
    let found = media.objects.read(&download.object).await.map_err(away)?.ok_or_else(gone)?;
    let mut disposition = "attachment".to_owned();
    if let Some(name) = &download.file_name {
        disposition.push_str("; filename*=UTF-8''");
        disposition.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
    }
    let mut response = Body::from_stream(found.bytes).into_response();
    let headers = response.headers_mut();
    guard(headers);
    headers.insert(header::CONTENT_LENGTH, found.size_bytes.into());
    for (name, value) in [(header::CONTENT_TYPE, download.object.mime()), (header::CONTENT_DISPOSITION, &disposition)] {
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| gone())?);
    }
    Ok(response)
}

/// `PUT /media/{object}`: once, with the media type that the address names.
pub async fn upload(
    State(edge): State<Edge>,
    Path(object): Path<String>,
    query: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (media, query) = known(&edge, query)?;
    let upload = media.links.check_upload(&object, &query, now_s()).map_err(refused)?;
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if essence(header(header::CONTENT_TYPE)) != upload.object.mime() {
        let detail = format!("expected content type {}", upload.object.mime());
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_type", detail));
    }
    if header(header::CONTENT_LENGTH).parse::<u64>().is_ok_and(|length| length > upload.bytes_max) {
        return Err(too_big(upload.bytes_max));
    }
    if media.objects.size_of(&upload.object).await.map_err(away)?.is_some() {
        return Err(Problem::new(StatusCode::CONFLICT, "already_there", "this address was used before"));
    }
    let taken = tokio::time::timeout(UPLOAD_MAX, take(&media, &upload, body)).await;
    taken.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the object did not come in time"))??;
    let mut response = StatusCode::CREATED.into_response();
    guard(response.headers_mut());
    Ok(response)
}

/// `OPTIONS /media/{object}`: pages of any site may ask; the address alone decides.
pub async fn options() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    guard(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, PUT"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

async fn take(media: &Media, upload: &Upload, body: Body) -> Result<(), Problem> {
    let mut writer = media.objects.writer(&upload.object, upload.bytes_max);
    if let Err(problem) = fill(&mut writer, upload, body).await {
        if let Err(error) = writer.give_up().await {
            tracing::warn!(%error, "an upload left something behind");
        }
        return Err(problem);
    }
    writer.finish().await.map_err(away).map(drop)
}

async fn fill(writer: &mut Writer, upload: &Upload, body: Body) -> Result<(), Problem> {
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Problem::bad_request("broken_off", error.to_string()))?;
        writer.write(chunk).await.map_err(|error| match error {
            WriteError::TooBig(_) => too_big(upload.bytes_max),
            WriteError::Store(error) => away(error),
        })?;
    }
    Ok(())
}

fn known(edge: &Edge, query: Asked) -> Result<(Arc<Media>, LinkQuery), Problem> {
    let media =
        edge.media.clone().ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no_media", "no media are kept here"))?;
    let Query(query) = query.map_err(|_| refused(LinkRefused::Malformed))?;
    Ok((media, query))
}

fn guard(headers: &mut HeaderMap) {
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn now_s() -> i64 {
    clock::now().as_ms().div_euclid(1_000)
}

/// All refusals look alike.
fn refused(why: LinkRefused) -> Problem {
    tracing::info!(%why, "media address refused");
    Problem::new(StatusCode::FORBIDDEN, "address_refused", "this address cannot be used, or no longer")
}

fn too_big(bytes_max: u64) -> Problem {
    let detail = format!("expected at most {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_big", detail)
}

fn gone() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_object", "nothing lies here")
}

fn away(error: objects::StoreError) -> Problem {
    tracing::error!(%error, "media cannot be reached");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_away", "the store of media cannot be reached")
}
