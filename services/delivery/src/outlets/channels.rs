//! One file per channel: how a claimed send becomes one HTTP request, and what its answer says. No
//! policy: what a refusal means is a rule.

pub mod facebook;
pub mod instagram;
mod meta;
mod oauth1;
pub mod open;
pub mod twitter;
pub mod whatsapp;

use schemas::records::Channel;
use secrecy::{ExposeSecret, SecretString};

use crate::core::effect::Send;
use crate::core::event::{Outcome, Route, SecretPlace};
use crate::core::media::Copy;
use crate::core::rules::window::Right;

/// One HTTP POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where.
    pub url: String,
    /// Headers beside the content type; values may be secret.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// What a channel needs beside the send.
pub struct Desk<'a> {
    /// Our id of the part as it leaves the house.
    pub outward_id: &'a str,
    /// By what right it leaves.
    pub right: Right,
    /// Wall clock, seconds.
    pub now_s: i64,
    /// Reads a secret.
    pub secret: &'a dyn Fn(&SecretPlace) -> Option<SecretString>,
}

impl Desk<'_> {
    /// The header of a bearer token.
    fn bearer(&self, route: &Route) -> Result<(&'static str, String), &'static str> {
        let token = route.access_token.as_ref().ok_or("no_access_token")?;
        let token = (self.secret)(token).ok_or("access_token_unreadable")?;
        Ok(("authorization", format!("Bearer {}", token.expose_secret())))
    }
}

/// One HTTP answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// `Retry-After`, in milliseconds from now.
    pub retry_after_ms: Option<i64>,
    /// Calls left in the present window, and in how many milliseconds the next begins
    /// (`x-rate-limit-remaining`, `x-rate-limit-reset`).
    pub rate: Option<(i64, i64)>,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

/// The base address of the provider's API for an account; `None` where there is no provider.
pub fn api_base(channel: Channel, route: &Route) -> Option<&str> {
    let own = match channel {
        Channel::Whatsapp => whatsapp::API_URL,
        Channel::Facebook => facebook::API_URL,
        Channel::Instagram => instagram::API_URL,
        Channel::Twitter => twitter::API_URL,
        Channel::Open | Channel::Web | Channel::Unknown => return None,
    };
    Some(base(route, own))
}

/// The base address, without a slash at its end.
fn base<'a>(route: &'a Route, own: &'a str) -> &'a str {
    route.api_url.as_deref().unwrap_or(own).trim_end_matches('/')
}

/// The request of a send.
///
/// # Errors
/// What is missing or wrong in the account's configuration, from a closed set.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    match send.channel {
        Channel::Whatsapp => whatsapp::request(send, desk),
        Channel::Facebook => facebook::request(send, desk),
        Channel::Instagram => instagram::request(send, desk),
        Channel::Twitter => twitter::request(send, desk),
        Channel::Open => open::request(send, desk),
        Channel::Web | Channel::Unknown => Err("unsupported_channel"),
    }
}

/// What an answer says.
pub fn answer(channel: Channel, answer: &HttpAnswer) -> Outcome {
    match channel {
        Channel::Whatsapp => whatsapp::answer(answer),
        Channel::Facebook | Channel::Instagram => meta::answer(answer),
        Channel::Twitter => twitter::answer(answer),
        Channel::Open | Channel::Web | Channel::Unknown => open::answer(answer),
    }
}

/// One address of a file, or of what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub url: String,
    /// The value of `Authorization`; secret.
    pub authorization: Option<String>,
    /// The provider's own address, as the operator configured it; any other was written by a stranger.
    pub is_api: bool,
}

/// How a file is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The provider is asked where it lies, each time anew.
    LookUp(Ask),
    /// The provider has it.
    Api(Ask),
    /// Somebody has it.
    Foreign(Ask),
}

/// Where a file lies, and what the provider said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFound {
    /// Where.
    pub ask: Ask,
    /// The address was made just now: a refusal says nothing of the file.
    pub is_fresh: bool,
    /// Its media type.
    pub mime: Option<String>,
    /// Its SHA-256.
    pub sha256: Option<String>,
}

/// How the file of an attachment is had.
///
/// # Errors
/// What the account's configuration or the attachment lacks, from a closed set.
pub fn media(copy: &Copy, desk: &Desk<'_>) -> Result<Source, &'static str> {
    match copy.channel {
        Channel::Whatsapp => whatsapp::media(copy, desk),
        Channel::Twitter => twitter::media(copy, desk),
        Channel::Facebook | Channel::Instagram | Channel::Open | Channel::Web | Channel::Unknown => {
            let url = copy.attachment.url.clone().ok_or("no_address")?;
            Ok(Source::Foreign(Ask { url, authorization: None, is_api: false }))
        }
    }
}

/// What the answer to a look-up says.
pub fn media_found(channel: Channel, asked: &Ask, body: &[u8]) -> Option<FileFound> {
    match channel {
        Channel::Whatsapp => whatsapp::media_found(asked, body),
        Channel::Facebook | Channel::Instagram | Channel::Twitter | Channel::Open | Channel::Web | Channel::Unknown => {
            None
        }
    }
}

/// Hosts that a channel's files lie on; `*.host` is every host below.
pub fn media_hosts(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Whatsapp => whatsapp::MEDIA_HOSTS,
        Channel::Facebook | Channel::Instagram => meta::MEDIA_HOSTS,
        Channel::Twitter => twitter::MEDIA_HOSTS,
        Channel::Open | Channel::Web | Channel::Unknown => &[],
    }
}

#[cfg(test)]
pub(crate) mod support {
    use schemas::ids::{AttemptId, CustomerKey, MessageId};
    use schemas::records::{Attachment, Choice, Content, Customer, SenderKind};

    use super::*;
    use crate::core::event::{AccountKey, Route};
    use crate::core::rendering::{self, Part};

    /// A text to Ada.
    pub(crate) fn send(channel: Channel, route: Route) -> Send {
        Send {
            message_id: MessageId::derive(&["m"]),
            known_as: MessageId::derive(&["m"]),
            attempt_id: AttemptId::default(),
            attempt_no: 1,
            channel,
            account: AccountKey { tenant: "acme".into(), account: "main".into() },
            customer_key: CustomerKey::default(),
            customer: Customer { id: "16505551234".into(), id_type: "phone".into(), ..Customer::default() },
            sender: SenderKind::Agent,
            part: Part::Text("Hello Ada".into()),
            part_no: 1,
            quotes: None,
            occurred_at: 1_767_323_045_678,
            window_ends_at: None,
            expires_at: None,
            route,
        }
    }

    /// The first message that the content becomes on the send's channel.
    pub(crate) fn saying(send: &Send, content: &Content) -> Send {
        let part = rendering::render(send.channel, content).unwrap().parts.remove(0);
        Send { part, ..send.clone() }
    }

    pub(crate) fn media(kind: &str, text: &str) -> Content {
        let attachment = Attachment {
            attachment_type: kind.into(),
            url: Some("https://files.example/a.pdf".into()),
            mime: Some("application/pdf".into()),
            file_name: Some("a.pdf".into()),
            ..Attachment::default()
        };
        Content { attachments: vec![attachment], ..Content::text(text) }
    }

    pub(crate) fn choice(title: &str, payload: Option<&str>, url: Option<&str>) -> Choice {
        let (payload, url) = (payload.map(Into::into), url.map(Into::into));
        Choice { title: title.into(), payload, url, ..Choice::default() }
    }

    /// Secrets are what their place says.
    pub(crate) fn desk() -> Desk<'static> {
        const SECRET: &dyn Fn(&SecretPlace) -> Option<SecretString> = &|place| match place {
            SecretPlace::Env(text) => Some(SecretString::from(text.clone())),
            SecretPlace::File(_) => None,
        };
        Desk { outward_id: "k.m.mac", right: Right::Free, now_s: 1_614_265_330, secret: SECRET }
    }

    pub(crate) fn body(call: &Call) -> serde_json::Value {
        serde_json::from_slice(&call.body).unwrap()
    }
}
