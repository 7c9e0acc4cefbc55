//! From JSON to what a guest asks: frames of `/ws/guest`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemas::ids::{ConversationId, MessageId};
use schemas::records::{Attachment, Content, ContentKind, PresenceKind, ReceiptStatus};
use serde::Deserialize;
use serde_json::Value;

use crate::config::GuestSettings;
use crate::core::guests::heard::Said;
use crate::core::guests::line::Wants;
use crate::core::guests::{Code, Refusal};

const CLIENT_ID_CHARS_MAX: usize = 100;
const TRACING_ID_CHARS_MAX: usize = 100;
const PAYLOAD_BYTES_MAX: usize = 1_000;
const ECHO_BYTES_MAX: usize = 1_000;
const ATTACHMENTS_MAX: usize = 10;
/// Custom attributes stand among a message's own fields under this.
const ATTRIBUTE_PREFIX: &str = "custom.";

/// What a guest asks. Fields that are not known are passed over.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// Begins a session, or goes on with one.
    ConfigureSession {
        /// The secret of the session to go on with.
        #[serde(default)]
        token: Option<String>,
        /// To leave that one and begin another.
        #[serde(default)]
        start_new: bool,
        /// The last message that was seen: what came after it follows the answer.
        #[serde(default)]
        after: Option<Mark>,
    },
    /// The same for who has signed in with the company itself.
    ConfigureAuthenticatedSession {
        /// The proof.
        data: SignInData,
        /// The secret of the session to go on with; one of a guest who has not signed in is stepped up.
        #[serde(default)]
        token: Option<String>,
        /// To leave that one and begin another.
        #[serde(default)]
        start_new: bool,
        /// The last message that was seen.
        #[serde(default)]
        after: Option<Mark>,
    },
    /// Says something.
    OnMessage {
        /// What.
        message: Box<Message>,
    },
    /// Asks for what was said before.
    GetHistory {
        /// What comes before this message; none: the latest.
        #[serde(default)]
        before: Option<Mark>,
        /// How many messages, 1 to 100; 25 if nothing is said.
        #[serde(default)]
        page_size: Option<usize>,
    },
    /// Asks where to put a file; where the deployment takes any.
    OnAttachment {
        /// Its name, with an extension.
        file_name: String,
        /// Its media type.
        file_type: String,
        /// Its size, bytes.
        file_size: i64,
    },
    /// Asks for another address of a file, when the last one's time is over.
    GetAttachment {
        /// Its id.
        attachment_id: String,
    },
    /// Asks for the configuration of the deployment.
    GetConfiguration {},
    /// Asks whether anybody is there.
    Echo {
        /// Comes back as it is.
        #[serde(default)]
        text: String,
    },
    /// Ends the session; its secret is worth nothing afterwards.
    CloseSession {
        /// To end every session of the guest.
        #[serde(default)]
        close_all_connections: bool,
    },
}

/// A message by its place.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The conversation.
    #[schemars(with = "String")]
    pub conversation_id: ConversationId,
    /// The message's place in it.
    pub seq: i64,
}

/// What shows who somebody is.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct SignInData {
    /// A JSON Web Token of the company's own sign-in.
    pub code: String,
}

/// What a guest says.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Message {
    /// A text.
    Text {
        /// The guest's own id of it: the same id said twice is one message, for eight days.
        id: String,
        /// The text; may be empty beside attachments.
        #[serde(default)]
        text: String,
        /// Files that were uploaded.
        #[serde(default)]
        attachments: Vec<Attached>,
        /// The message that it answers.
        #[serde(default)]
        reply_to: Option<String>,
        /// What the page knows, for whoever answers.
        #[serde(default)]
        custom_attributes: BTreeMap<String, String>,
    },
    /// One of the answers that were offered.
    Structured {
        /// The guest's own id of it.
        id: String,
        /// What stands on the answer.
        text: String,
        /// What comes back with it.
        #[serde(default)]
        payload: Option<String>,
        /// The message that offered it.
        #[serde(default)]
        reply_to: Option<String>,
        /// What the page knows, for whoever answers.
        #[serde(default)]
        custom_attributes: BTreeMap<String, String>,
    },
    /// Something that is no message.
    Event {
        /// What.
        event: EventKind,
    },
    /// How far a message of ours came.
    Receipt {
        /// Which.
        #[schemars(with = "String")]
        message_id: MessageId,
        /// How far.
        status: ReceiptKind,
    },
}

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// Its id, as `onAttachment` told it.
    pub id: String,
    /// What it is called.
    #[serde(default)]
    pub file_name: Option<String>,
}

/// What a guest does without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum EventKind {
    /// Is writing; at most once in five seconds, more is passed over.
    Typing,
    /// Is there.
    Join,
    /// Leaves the conversation.
    Disconnect,
    /// Leaves it and clears it from every device; where the deployment allows it.
    Clear,
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ReceiptKind {
    /// It is on the device.
    Delivered,
    /// It was seen.
    Read,
}

/// What is to be said for a guest.
#[derive(Debug, Clone, PartialEq)]
pub enum Speech {
    /// This, and that is all.
    Say(Said),
    /// A message: its id is told back.
    Message(String, Box<Content>),
    /// To clear.
    Clear,
}

impl Request {
    /// What kind of thing it is.
    pub fn wants(&self) -> Wants {
        match self {
            Self::ConfigureSession { .. } | Self::ConfigureAuthenticatedSession { .. } => Wants::Session,
            Self::Echo { .. } => Wants::Echo,
            Self::OnMessage { message } => match **message {
                Message::Event { event: EventKind::Typing } => Wants::Typing,
                Message::Event { .. } | Message::Text { .. } | Message::Structured { .. } | Message::Receipt { .. } => {
                    Wants::Other
                }
            },
            Self::GetHistory { .. }
            | Self::OnAttachment { .. }
            | Self::GetAttachment { .. }
            | Self::GetConfiguration {}
            | Self::CloseSession { .. } => Wants::Other,
        }
    }

    /// Its name, for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConfigureSession { .. } => "configureSession",
            Self::ConfigureAuthenticatedSession { .. } => "configureAuthenticatedSession",
            Self::OnMessage { .. } => "onMessage",
            Self::GetHistory { .. } => "getHistory",
            Self::OnAttachment { .. } => "onAttachment",
            Self::GetAttachment { .. } => "getAttachment",
            Self::GetConfiguration {} => "getConfiguration",
            Self::Echo { .. } => "echo",
            Self::CloseSession { .. } => "closeSession",
        }
    }
}

/// Reads a frame: its own id, as far as it has one, and what is asked.
pub fn read(text: &str) -> (Option<String>, Result<Request, Refusal>) {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return (None, Err(Refusal::missing(format!("expected a JSON object: {error}")))),
    };
    let tracing_id = value.get("tracingId").and_then(Value::as_str);
    let tracing_id = tracing_id.filter(|id| id.chars().count() <= TRACING_ID_CHARS_MAX).map(str::to_owned);
    let request = Request::deserialize(value).map_err(|error| Refusal::missing(error.to_string()));
    (tracing_id, request)
}

/// What is to be said, within the limits.
///
/// # Errors
/// It is too long, or says nothing.
pub fn speech(message: Message, limits: &GuestSettings) -> Result<Speech, Refusal> {
    match message {
        Message::Text { id, text, attachments, reply_to, custom_attributes } => {
            if attachments.len() > ATTACHMENTS_MAX {
                return Err(Refusal::missing(format!("attachments: at most {ATTACHMENTS_MAX}")));
            }
            let text = if text.is_empty() && !attachments.is_empty() { None } else { Some(within(text, limits)?) };
            let attachments = attachments.into_iter().map(named).collect();
            let content =
                Content { content_kind: ContentKind::Text, text, attachments, reply_to, ..Content::default() };
            said(id, content, custom_attributes, limits)
        }
        Message::Structured { id, text, payload, reply_to, custom_attributes } => {
            if payload.as_ref().is_some_and(|payload| payload.len() > PAYLOAD_BYTES_MAX) {
                return Err(Refusal::new(Code::TooLong, format!("payload: at most {PAYLOAD_BYTES_MAX} bytes")));
            }
            let text = Some(within(text, limits)?);
            let content =
                Content { content_kind: ContentKind::QuickReply, text, payload, reply_to, ..Content::default() };
            said(id, content, custom_attributes, limits)
        }
        Message::Event { event } => Ok(match event {
            EventKind::Typing => Speech::Say(Said::Typing),
            EventKind::Join => Speech::Say(Said::Presence(PresenceKind::Join)),
            EventKind::Disconnect => Speech::Say(Said::Presence(PresenceKind::Disconnect)),
            EventKind::Clear => Speech::Clear,
        }),
        Message::Receipt { message_id, status } => {
            let status = match status {
                ReceiptKind::Delivered => ReceiptStatus::Delivered,
                ReceiptKind::Read => ReceiptStatus::Read,
            };
            Ok(Speech::Say(Said::Receipt { message: message_id, status }))
        }
    }
}

fn said(
    id: String,
    mut content: Content,
    attributes: BTreeMap<String, String>,
    limits: &GuestSettings,
) -> Result<Speech, Refusal> {
    let chars = id.chars().count();
    if chars == 0 || chars > CLIENT_ID_CHARS_MAX {
        return Err(Refusal::missing(format!("id: expected 1 to {CLIENT_ID_CHARS_MAX} characters, got {chars}")));
    }
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > limits.attributes_bytes_max {
        let detail = format!("customAttributes: larger than {} bytes", limits.attributes_bytes_max);
        return Err(Refusal::new(Code::AttributesTooLarge, detail));
    }
    let named = attributes.into_iter().map(|(name, value)| (format!("{ATTRIBUTE_PREFIX}{name}"), value));
    content.provider_fields.extend(named);
    Ok(Speech::Message(id, Box::new(content)))
}

fn named(attached: Attached) -> Attachment {
    Attachment { stored_ref: Some(attached.id), file_name: attached.file_name, ..Attachment::default() }
}

fn within(text: String, limits: &GuestSettings) -> Result<String, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::missing("text: expected something"));
    }
    if text.len() > limits.text_bytes_max {
        let detail = format!("text: at most {} bytes, got {}", limits.text_bytes_max, text.len());
        return Err(Refusal::new(Code::TooLong, detail));
    }
    Ok(text)
}

/// A text that is sent back.
///
/// # Errors
/// It is too long.
pub fn echo(text: &str) -> Result<&str, Refusal> {
    if text.len() > ECHO_BYTES_MAX {
        return Err(Refusal::new(Code::TooLong, format!("text: at most {ECHO_BYTES_MAX} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> GuestSettings {
        let config: crate::config::Config = settings::defaults().unwrap();
        GuestSettings { text_bytes_max: 6, attributes_bytes_max: 4, ..config.guests }
    }

    fn code(json: &str) -> Code {
        let (_, request) = read(json);
        let refusal = match request {
            Err(refusal) => refusal,
            Ok(Request::OnMessage { message }) => speech(*message, &limits()).unwrap_err(),
            Ok(other) => panic!("{other:?}"),
        };
        refusal.code
    }

    #[test]
    fn what_is_outside_the_limits_is_refused_by_its_code() {
        for (json, expected) in [
            ("{", Code::Missing),
            ("[]", Code::Missing),
            (r#"{"action":"dance"}"#, Code::Missing),
            (r#"{"action":"onMessage"}"#, Code::Missing),
            (r#"{"action":"onMessage","message":{"type":"Text","text":"hi"}}"#, Code::Missing),
            (r#"{"action":"onMessage","message":{"type":"Text","id":"","text":"hi"}}"#, Code::Missing),
            (r#"{"action":"onMessage","message":{"type":"Text","id":"1","text":" "}}"#, Code::Missing),
            (r#"{"action":"onMessage","message":{"type":"Text","id":"1","text":"äöüx"}}"#, Code::TooLong),
            (
                r#"{"action":"onMessage","message":{"type":"Text","id":"1","text":"a","customAttributes":{"ab":"cde"}}}"#,
                Code::AttributesTooLarge,
            ),
            (r#"{"action":"configureSession","after":{"conversationId":"x","seq":1}}"#, Code::Missing),
            (r#"{"action":"onMessage","message":{"type":"Receipt","messageId":"x","status":"Read"}}"#, Code::Missing),
        ] {
            assert_eq!(code(json), expected, "{json}");
        }
    }

    #[test]
    fn a_frame_s_own_id_comes_back_even_when_it_cannot_be_read() {
        let (id, request) = read(r#"{"action":"dance","tracingId":"t1"}"#);
        assert_eq!((id.as_deref(), request.is_err()), (Some("t1"), true));
        let long = format!(r#"{{"action":"echo","tracingId":"{}"}}"#, "x".repeat(101));
        assert_eq!(read(&long).0, None);
    }

    #[test]
    fn an_answer_carries_its_payload_and_attributes_stand_apart() {
        let json = r#"{"action":"onMessage","message":{"type":"Structured","id":"1","text":"Yes","payload":"y",
            "customAttributes":{"a":"b"},"somethingNewer":1}}"#;
        let Ok(Request::OnMessage { message }) = read(json).1 else { panic!("not read") };
        let Ok(Speech::Message(_, content)) = speech(*message, &limits()) else { panic!("not said") };
        assert_eq!((content.content_kind, content.payload.as_deref()), (ContentKind::QuickReply, Some("y")));
        assert_eq!(content.provider_fields["custom.a"], "b");
    }
}
