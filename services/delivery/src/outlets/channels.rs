//! One file per channel: how a claimed send becomes one HTTP request, and what its answer says. No
//! policy: what a refusal means is a rule.

pub mod open;
pub mod whatsapp;

use schemas::records::Channel;
use secrecy::SecretString;

use crate::core::effect::Send;
use crate::core::event::{Outcome, SecretPlace};

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
    /// Our id of the message as it leaves the house.
    pub outward_id: &'a str,
    /// Wall clock, seconds.
    pub now_s: i64,
    /// Reads a secret.
    pub secret: &'a dyn Fn(&SecretPlace) -> Option<SecretString>,
}

/// One HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// `Retry-After`, in milliseconds from now.
    pub retry_after_ms: Option<i64>,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

/// The request of a send.
///
/// # Errors
/// What is missing or wrong in the account's configuration, from a closed set.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    match send.channel {
        Channel::Whatsapp => whatsapp::request(send, desk),
        Channel::Open => open::request(send, desk),
        Channel::Facebook | Channel::Instagram | Channel::Twitter | Channel::Web | Channel::Unknown => {
            Err("unsupported_channel")
        }
    }
}

/// What an answer says.
pub fn answer(channel: Channel, answer: &HttpAnswer) -> Outcome {
    if channel == Channel::Whatsapp { whatsapp::answer(answer) } else { open::answer(answer) }
}

#[cfg(test)]
pub(crate) mod support {
    use schemas::ids::{AttemptId, CustomerKey, MessageId};
    use schemas::records::{Attachment, Content, Customer, SenderKind};

    use super::*;
    use crate::core::event::{AccountKey, Route};

    /// A text to Ada.
    pub(crate) fn send(channel: Channel, route: Route) -> Send {
        Send {
            message_id: MessageId::derive(&["m"]),
            attempt_id: AttemptId::default(),
            attempt_no: 1,
            channel,
            account: AccountKey { tenant: "acme".into(), account: "main".into() },
            customer_key: CustomerKey::default(),
            customer: Customer { id: "16505551234".into(), id_type: "phone".into(), ..Customer::default() },
            sender: SenderKind::Agent,
            content: Content::text("Hello Ada"),
            occurred_at: 1_767_323_045_678,
            window_ends_at: None,
            expires_at: None,
            route,
        }
    }

    pub(crate) fn with_media(send: &Send, kind: &str) -> Send {
        let attachment = Attachment {
            attachment_type: kind.into(),
            url: Some("https://files.example/a.pdf".into()),
            mime: Some("application/pdf".into()),
            file_name: Some("a.pdf".into()),
            ..Attachment::default()
        };
        Send { content: Content { attachments: vec![attachment], ..send.content.clone() }, ..send.clone() }
    }

    pub(crate) fn body(call: &Call) -> serde_json::Value {
        serde_json::from_slice(&call.body).unwrap()
    }
}
