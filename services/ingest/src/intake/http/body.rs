//! The bytes of a request, as many and as slowly as allowed.

use axum::body::Body;
use axum::http::StatusCode;
use futures::StreamExt;

use super::Limits;
use super::problem::Problem;

/// The whole body, or 413 if it is too large, 408 if it comes too slowly.
pub(super) async fn read(body: Body, limits: Limits) -> Result<Vec<u8>, Problem> {
    match tokio::time::timeout(limits.body_timeout, collect(body, limits.body_bytes_max)).await {
        Ok(read) => read,
        Err(_) => {
            let detail = format!("expected the whole body within {} ms", limits.body_timeout.as_millis());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail))
        }
    }
}

async fn collect(body: Body, max: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Problem::bad_request("broken_off", "the body broke off"))?;
        if bytes.len() + part.len() > max {
            let detail = format!("expected a body of at most {max} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
