//! One guarded request: the address that is connected to is the one that was checked.

use std::error::Error;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};
use stream::clock;

use super::Trouble;
use crate::outlets::address::{AddressRefused, Addresses};
use crate::outlets::performer::retry_after_ms;

/// Most of an answer that is not the file itself, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A client, and where it may go.
pub(super) struct Guard {
    pub(super) http: Client,
    pub(super) addresses: Addresses,
}

impl Guard {
    /// Asks for an address once, whatever it answers.
    pub(super) async fn ask(&self, url: &str, authorization: Option<&str>) -> Result<Response, Trouble> {
        let url = self.addresses.check(url).map_err(Trouble::Refused)?;
        // Sizes and hashes are of the file as it is.
        let mut request = self.http.get(url).header(ACCEPT_ENCODING, "identity");
        if let Some(authorization) = authorization {
            let value = HeaderValue::from_str(authorization);
            let mut value = value.map_err(|_| Trouble::Failed("secret_not_printable", None))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.send().await.map_err(|error| broken(&error))
    }
}

/// What a break means: a refused address stays refused.
pub(super) fn broken(error: &reqwest::Error) -> Trouble {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(one) = cause {
        if one.is::<AddressRefused>() {
            return Trouble::Refused("address_refused");
        }
        cause = one.source();
    }
    let reason = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "no_connection"
    } else {
        "connection_broken"
    };
    Trouble::Failed(reason, None)
}

/// What a status means. The address of a file that was just asked for (`is_fresh`) can be asked for
/// again; any other stays what it is.
pub(super) fn judge(response: &Response, is_fresh: bool) -> Result<(), Trouble> {
    let status = response.status().as_u16();
    match status {
        200 => Ok(()),
        401 | 403 | 404 | 410 if is_fresh => Err(Trouble::Failed("link_refused", None)),
        401 => Err(Trouble::Failed("credentials", None)),
        400 | 403 | 404 | 410 => Err(Trouble::Refused("gone")),
        408 | 425 | 429 => {
            let wish = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Err(Trouble::Failed("throttled", wish.and_then(|text| retry_after_ms(text, clock::now()))))
        }
        500.. => Err(Trouble::Failed("provider_error", None)),
        _ => Err(Trouble::Refused("unexpected_answer")),
    }
}

/// An answer that is not the file itself.
pub(super) async fn read_small(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Trouble::Failed("unexpected_answer", None));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
