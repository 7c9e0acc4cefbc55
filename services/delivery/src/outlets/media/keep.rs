//! From an answer to the store: type, size and hash are judged while the bytes go by; nothing is
//! decoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use objects::{Media, ObjectRef, WriteError, Writer, essence};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};
use stream::clock::Stamp;

use super::{Trouble, guard, in_time};
use crate::core::media::Stored;

/// How the pages begin that servers send in place of a file, in lower case.
const PAGES: &[&[u8]] = &[b"<!doctype", b"<html", b"<head", b"<script", b"<?xml", b"<svg", b"{\"error\""];
/// A server's words for a type that it does not know.
const UNTYPED: &[&str] = &["", "application/octet-stream", "binary/octet-stream"];

/// The file's type: the server's word, or where that says nothing, what the platform told before.
pub(super) fn mime(response: &Response, told: Option<&str>) -> Result<String, Trouble> {
    let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let served = essence(header);
    if !UNTYPED.contains(&served.as_str()) {
        return Ok(served);
    }
    told.map(essence).filter(|told| !told.is_empty()).ok_or(Trouble::Refused("type_not_allowed"))
}

/// Keeps an answer's body under a name, if it is whole, in time, and what it should be.
pub(super) async fn keep(
    media: &Media,
    response: Response,
    object: &ObjectRef,
    (sha256, deadline): (Option<&str>, Stamp),
) -> Result<Stored, Trouble> {
    let bytes_max = media.settings.bytes_max;
    if response.content_length().is_some_and(|length| length > bytes_max) {
        return Err(Trouble::Refused("too_big"));
    }
    let mut writer = media.objects.writer(object, bytes_max);
    let hash = match in_time(deadline, fill(&mut writer, response)).await.and_then(|hash| compared(hash, sha256)) {
        Ok(hash) => hash,
        Err(trouble) => {
            if let Err(error) = writer.give_up().await {
                tracing::warn!(%error, "a copy left something behind");
            }
            return Err(trouble);
        }
    };
    let size = writer.finish().await.map_err(|error| away(&error))?;
    Ok(Stored {
        reference: object.to_string(),
        size_bytes: i64::try_from(size).unwrap_or(i64::MAX),
        mime: object.mime().to_owned(),
        sha256: hex(&hash),
    })
}

async fn fill(writer: &mut Writer, mut response: Response) -> Result<[u8; 32], Trouble> {
    let (mut hash, mut head) = (Sha256::new(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| guard::broken(&error))? {
        if head.len() < 64 {
            head.extend(chunk.iter().take(64));
            if is_page(&head) {
                return Err(Trouble::Refused("type_not_allowed"));
            }
        }
        hash.update(&chunk);
        writer.write(chunk).await.map_err(|error| match error {
            WriteError::TooBig(_) => Trouble::Refused("too_big"),
            WriteError::Store(error) => away(&error),
        })?;
    }
    if head.is_empty() {
        return Err(Trouble::Failed("empty", None));
    }
    Ok(hash.finalize().into())
}

fn is_page(head: &[u8]) -> bool {
    let begins = head.trim_ascii_start();
    PAGES.iter().any(|page| begins.get(..page.len()).is_some_and(|start| start.eq_ignore_ascii_case(page)))
}

/// The hash, if it is the one told: Meta writes it in hex or in Base64 (Cloud API, media and webhooks).
fn compared(hash: [u8; 32], told: Option<&str>) -> Result<[u8; 32], Trouble> {
    let told = told.map(str::trim).unwrap_or_default();
    let expected = match told.len() {
        64 => Some(told.to_ascii_lowercase() == hex(&hash)),
        44 => Some(told == STANDARD.encode(hash)),
        _ => None,
    };
    if expected == Some(false) { Err(Trouble::Failed("hash_differs", None)) } else { Ok(hash) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn away(error: &objects::StoreError) -> Trouble {
    tracing::error!(%error, "media cannot be kept");
    Trouble::Failed("store_away", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_place_of_a_file_is_known_by_its_beginning() {
        for (head, expected) in [
            (b"\n <!DOCTYPE html><html>".as_slice(), true),
            (b"<HTML>", true),
            (b"<svg xmlns", true),
            (b"{\"error\":{\"message\"", true),
            (b"\x89PNG\r\n", false),
            (b"%PDF-1.7", false),
            (b"<ht", false),
            (b"", false),
        ] {
            assert_eq!(is_page(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn a_told_hash_must_fit_in_either_spelling() {
        let hash: [u8; 32] = Sha256::digest(b"picture").into();
        let (hex, base64) = (hex(&hash), STANDARD.encode(hash));
        for (told, fits) in [
            (None, true),
            (Some(hex.as_str()), true),
            (Some(base64.as_str()), true),
            (Some("not a hash"), true),
            (Some(&"0".repeat(64)), false),
            (Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), false),
        ] {
            assert_eq!(compared(hash, told).is_ok(), fits, "{told:?}");
        }
    }
}
