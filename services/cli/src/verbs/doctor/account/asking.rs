//! Asks providers as delivery would be allowed to, and our own services as they listen here.

use std::sync::Arc;
use std::time::Duration;

use delivery::outlets::address::Addresses;
use delivery::outlets::secrets::Secrets;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value as Json;

use crate::Failure;
use crate::reach::Reach;

const TIMEOUT: Duration = Duration::from_secs(10);
/// What of an answer is read, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Who asks.
pub(super) struct Asking<'a> {
    pub(super) reach: &'a Reach,
    pub(super) secrets: Secrets,
    addresses: Addresses,
    outside: Client,
    inside: Client,
}

/// An answer; its body is null if it is no JSON.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) json: Json,
}

impl Answer {
    /// What the provider says is wrong, in its own words.
    pub(super) fn complaint(&self) -> String {
        let error = &self.json["error"];
        let words = [&error["message"], &self.json["detail"], &self.json["title"]];
        let said = words.into_iter().find_map(Json::as_str).unwrap_or_default();
        format!("{} {said}", self.status).trim().to_owned()
    }
}

impl<'a> Asking<'a> {
    pub(super) fn new(reach: &'a Reach) -> Result<Self, Failure> {
        let addresses = Addresses::of_providers(&reach.config.delivery);
        let client = |builder: reqwest::ClientBuilder| {
            builder
                .redirect(Policy::none())
                .timeout(TIMEOUT)
                .no_proxy()
                .build()
                .map_err(|error| Failure::Usage(format!("TLS cannot be set up: {error}")))
        };
        let outside = client(Client::builder().dns_resolver(Arc::new(addresses.clone())))?;
        Ok(Self { reach, secrets: Secrets::default(), addresses, outside, inside: client(Client::builder())? })
    }

    /// `GET` of an address that delivery may call. The error says what is in the way.
    pub(super) fn get(
        &self,
        address: &str,
        query: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<Answer, String> {
        let mut url = self.checked(address)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(signed(self.outside.get(url), authorization)?)
    }

    /// `POST` of a form.
    pub(super) fn post(&self, address: &str, form: &'static str, authorization: &str) -> Result<Answer, String> {
        let url = self.checked(address)?;
        let request = self.outside.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        self.send(signed(request, Some(authorization))?)
    }

    /// `GET` of one of our own public ports.
    pub(super) fn ask_ours(
        &self,
        base: &str,
        path: &str,
        query: &[(&str, &str)],
        origin: &str,
    ) -> Result<Answer, String> {
        let mut url = Url::parse(&format!("{base}{path}")).map_err(|error| error.to_string())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.inside.get(url);
        self.send(if origin.is_empty() { request } else { request.header("origin", origin) })
    }

    fn checked(&self, address: &str) -> Result<Url, String> {
        let refused = |reason| format!("delivery may not call {address}: {reason} ([delivery] internal_hosts, ports)");
        self.addresses.check(address).map_err(refused)
    }

    fn send(&self, request: RequestBuilder) -> Result<Answer, String> {
        self.reach.wait(async {
            // An address may hold a token, and has no place in what is printed.
            let told = |error: reqwest::Error| causes(&error.without_url());
            let mut response = request.send().await.map_err(told)?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(told)? {
                body.extend_from_slice(&chunk);
                if body.len() > ANSWER_BYTES_MAX {
                    break;
                }
            }
            let json = serde_json::from_slice(&body).unwrap_or_default();
            Ok(Answer { status, text: String::from_utf8_lossy(&body).into_owned(), json })
        })
    }
}

fn signed(request: RequestBuilder, authorization: Option<&str>) -> Result<RequestBuilder, String> {
    let Some(authorization) = authorization else { return Ok(request) };
    let value = HeaderValue::from_str(authorization).map_err(|_| "the secret holds what no header may".to_owned())?;
    Ok(request.header(AUTHORIZATION, value))
}

/// An error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}
