//! Frames to guests, as JSON: `{type, class, code, body, tracingId}`, after the envelope that
//! messengers of this kind know. Field names are camel case, as there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemas::ids::ConversationId;
use schemas::records::{Attachment, Choice, ContentKind, Direction, Millis, SenderKind};
use serde::Serialize;

use crate::core::guests::shown::Shown;
use crate::core::guests::{Code, Refusal};

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body<'a> {
    /// A session is there.
    SessionResponse(Box<SessionResponse>),
    /// A message of the guest is durable.
    MessageAccepted(MessageAccepted),
    /// Somebody said something.
    StructuredMessage(Box<Line<'a>>),
    /// A page of what was said before.
    MessageHistory(History<'a>),
    /// Somebody is writing, or left.
    Event(Event<'a>),
    /// A message was received or read on a device of the guest.
    Receipt(Receipt),
    /// Where to put a file.
    PresignedUrlResponse(Presigned),
    /// Where to have a file.
    AttachmentUrl(Download),
    /// The configuration of the deployment.
    Configuration(serde_json::Value),
    /// The answer to an echo.
    Echo(Echo<'a>),
    /// Done; nothing more to say.
    Done(Empty),
    /// What was said until now is not shown any more, on any device.
    SessionClearedEvent(Empty),
    /// The session's time is over; the connection is closed.
    SessionExpiredEvent(Empty),
    /// Every session of the guest was ended; the connection is closed.
    LogoutEvent(Empty),
    /// The connection is closed.
    ConnectionClosedEvent(Closed),
    /// Too many in too short a time.
    TooManyRequestsErrorMessage(TooMany),
    /// Something cannot be done.
    Error(String),
}

/// What a frame is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "documented at the variant of Body of the same name")]
pub enum Class {
    SessionResponse,
    MessageAccepted,
    StructuredMessage,
    MessageHistory,
    Event,
    Receipt,
    PresignedUrlResponse,
    AttachmentUrl,
    Configuration,
    Echo,
    Done,
    SessionClearedEvent,
    SessionExpiredEvent,
    LogoutEvent,
    ConnectionClosedEvent,
    TooManyRequestsErrorMessage,
    Error,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 17] = [
        Self::SessionResponse,
        Self::MessageAccepted,
        Self::StructuredMessage,
        Self::MessageHistory,
        Self::Event,
        Self::Receipt,
        Self::PresignedUrlResponse,
        Self::AttachmentUrl,
        Self::Configuration,
        Self::Echo,
        Self::Done,
        Self::SessionClearedEvent,
        Self::SessionExpiredEvent,
        Self::LogoutEvent,
        Self::ConnectionClosedEvent,
        Self::TooManyRequestsErrorMessage,
        Self::Error,
    ];

    /// As written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionResponse => "SessionResponse",
            Self::MessageAccepted => "MessageAccepted",
            Self::StructuredMessage => "StructuredMessage",
            Self::MessageHistory => "MessageHistory",
            Self::Event => "Event",
            Self::Receipt => "Receipt",
            Self::PresignedUrlResponse => "PresignedUrlResponse",
            Self::AttachmentUrl => "AttachmentUrl",
            Self::Configuration => "Configuration",
            Self::Echo => "Echo",
            Self::Done => "Done",
            Self::SessionClearedEvent => "SessionClearedEvent",
            Self::SessionExpiredEvent => "SessionExpiredEvent",
            Self::LogoutEvent => "LogoutEvent",
            Self::ConnectionClosedEvent => "ConnectionClosedEvent",
            Self::TooManyRequestsErrorMessage => "TooManyRequestsErrorMessage",
            Self::Error => "string",
        }
    }
}

impl Body<'_> {
    /// What it is called.
    pub const fn class(&self) -> Class {
        match self {
            Self::SessionResponse(_) => Class::SessionResponse,
            Self::MessageAccepted(_) => Class::MessageAccepted,
            Self::StructuredMessage(_) => Class::StructuredMessage,
            Self::MessageHistory(_) => Class::MessageHistory,
            Self::Event(_) => Class::Event,
            Self::Receipt(_) => Class::Receipt,
            Self::PresignedUrlResponse(_) => Class::PresignedUrlResponse,
            Self::AttachmentUrl(_) => Class::AttachmentUrl,
            Self::Configuration(_) => Class::Configuration,
            Self::Echo(_) => Class::Echo,
            Self::Done(_) => Class::Done,
            Self::SessionClearedEvent(_) => Class::SessionClearedEvent,
            Self::SessionExpiredEvent(_) => Class::SessionExpiredEvent,
            Self::LogoutEvent(_) => Class::LogoutEvent,
            Self::ConnectionClosedEvent(_) => Class::ConnectionClosedEvent,
            Self::TooManyRequestsErrorMessage(_) => Class::TooManyRequestsErrorMessage,
            Self::Error(_) => Class::Error,
        }
    }
}

/// Nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Empty {}

/// A session is there; messages missed since `after` follow, each as a `StructuredMessage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionResponse {
    /// Always true.
    pub connected: bool,
    /// Whether nothing of a former session is shown.
    pub new_session: bool,
    /// The session's secret, if it is a new one: to be kept, and shown to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Whether a former session was ended by this.
    pub cleared_existing_session: bool,
    /// Whether the guest has signed in.
    pub signed_in: bool,
    /// How long the session lasts after the last message of either side.
    pub duration_seconds: i64,
    /// When it ends if nobody says anything more, seconds since 1970.
    pub expiration_date: i64,
    /// Messages that follow because they were missed.
    pub missed: usize,
    /// Whether these are all that were missed; if not, `getHistory` has the rest, now or soon.
    pub missed_is_complete: bool,
    /// Messages from until then are not to be shown any more, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Millis>,
    /// Bytes of one text.
    pub max_message_bytes: usize,
    /// Bytes of all custom attributes of a message.
    pub max_custom_data_bytes: usize,
    /// A ping comes so often; three of them unanswered close the connection.
    pub heartbeat_seconds: u64,
}

/// A message of the guest is durable and will be shown on every device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAccepted {
    /// The guest's own id of it.
    pub client_id: String,
    /// Ours.
    pub id: String,
}

/// One message, in or out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    /// The conversation.
    #[schemars(with = "String")]
    pub conversation_id: ConversationId,
    /// Its place in the conversation, from 1, without gaps.
    pub seq: i64,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The guest's own id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
    /// `inbound`: from the guest; `outbound`: to the guest.
    pub direction: Direction,
    /// Who said it.
    pub from: SenderKind,
    /// When, milliseconds since 1970.
    pub time: Millis,
    /// What kind of content.
    pub content_kind: ContentKind,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// Media.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Media<'a>>,
    /// Answers and links below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Button<'a>>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<&'a str>,
}

/// Media of a message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Media<'a> {
    /// `image`, `audio`, `video`, `file`, or a card of a carousel.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Where it lies; of what is kept here, for a while: `getAttachment` gives another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its id, if it is kept here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<&'a str>,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime: Option<&'a str>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<&'a str>,
    /// Its size, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// A card's heading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// The words below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<&'a str>,
}

/// An answer that may be given, or a link.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Button<'a> {
    /// What stands on it.
    pub title: &'a str,
    /// What to send back, as `payload` of a `Structured` message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<&'a str>,
    /// A second line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// Where it leads; none: it is an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    /// The number, from 1, of the attachment on whose card it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<i64>,
    /// The heading that it stands under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<&'a str>,
}

/// A page of what was said, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct History<'a> {
    /// The messages.
    pub messages: Vec<Line<'a>>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// Whether nothing is missing between them; if not, the same asked later may bring more.
    pub is_complete: bool,
}

/// Something that is no message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    /// `Typing` or `Disconnect`.
    pub event_type: &'static str,
    /// Who is writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SenderKind>,
    /// For how long to show it, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// What was ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub conversation_id: Option<ConversationId>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
}

/// How far a message of ours came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The message.
    pub message_id: String,
    /// `Delivered` or `Read`.
    pub status: &'static str,
}

/// Where to put a file, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Presigned {
    /// The file's id: messages name it once it lies there.
    pub attachment_id: String,
    /// Where.
    pub url: String,
    /// How: `PUT`.
    pub method: &'static str,
    /// Headers that must go with it.
    pub headers: BTreeMap<String, String>,
}

/// Where to have a file, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Download {
    /// The file's id.
    pub attachment_id: String,
    /// Where.
    pub download_url: String,
}

/// The same text back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Echo<'a> {
    /// The text.
    pub text: &'a str,
}

/// Why a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Closed {
    /// `session_limit`: too many connections of one guest; `session_ended`: by the guest.
    pub reason: &'static str,
}

/// When to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TooMany {
    /// In so many seconds.
    pub retry_after: i64,
    /// 4029.
    pub error_code: u16,
    /// For people.
    pub error_message: String,
}

impl<'a> Line<'a> {
    /// As it is shown; `link` says where an attachment is found.
    pub fn of(shown: &'a Shown, link: impl Fn(&Attachment) -> Option<String>) -> Self {
        let content = &shown.content;
        Self {
            conversation_id: shown.conversation,
            seq: shown.place.seq,
            id: shown.message_id.map(|id| id.to_string()),
            client_id: shown.client_id.as_deref(),
            direction: shown.direction,
            from: shown.from,
            time: shown.at,
            content_kind: content.content_kind,
            text: content.text.as_deref(),
            attachments: content.attachments.iter().map(|attachment| Media::of(attachment, link(attachment))).collect(),
            choices: content.choices.iter().map(Button::of).collect(),
            reply_to: content.reply_to.as_deref(),
        }
    }
}

impl<'a> Media<'a> {
    fn of(attachment: &'a Attachment, url: Option<String>) -> Self {
        Self {
            kind: &attachment.attachment_type,
            url,
            attachment_id: attachment.stored_ref.as_deref(),
            mime: attachment.mime.as_deref(),
            file_name: attachment.file_name.as_deref(),
            size_bytes: attachment.size_bytes,
            title: attachment.title.as_deref(),
            caption: attachment.caption.as_deref(),
        }
    }
}

impl<'a> Button<'a> {
    fn of(choice: &'a Choice) -> Self {
        Self {
            title: &choice.title,
            payload: choice.payload.as_deref(),
            description: choice.description.as_deref(),
            url: choice.url.as_deref(),
            card: choice.card,
            section: choice.section.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    r#type: &'a str,
    class: &'a str,
    code: u16,
    body: &'a Body<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing_id: Option<&'a str>,
}

fn text(kind: &str, code: u16, body: &Body<'_>, tracing_id: Option<&str>) -> String {
    let envelope = Envelope { r#type: kind, class: body.class().as_str(), code, body, tracing_id };
    serde_json::to_string(&envelope).expect("frames are texts, numbers and maps with text keys")
}

/// Something that the guest did not ask for.
pub fn message(body: &Body<'_>) -> String {
    text("message", 200, body, None)
}

/// The answer to a request.
pub fn response(body: &Body<'_>, tracing_id: Option<&str>) -> String {
    text("response", 200, body, tracing_id)
}

/// Why a request was not done.
pub fn refusal(refusal: &Refusal, tracing_id: Option<&str>) -> String {
    match (refusal.code, refusal.retry_after_ms) {
        (Code::TooFast, wait) => {
            let wait = wait.unwrap_or(1_000);
            let retry_after = wait.div_euclid(1_000) + i64::from(wait.rem_euclid(1_000) > 0);
            let (error_code, error_message) = (Code::TooFast.number(), refusal.detail.clone());
            let body = Body::TooManyRequestsErrorMessage(TooMany { retry_after, error_code, error_message });
            text("response", 429, &body, tracing_id)
        }
        (code, _) => text("response", code.number(), &Body::Error(refusal.detail.clone()), tracing_id),
    }
}
