//! One event of a body in neutral words: what `weft channel parse` prints, and what the rules get.

use schemas::ids::EventId;
use schemas::records::InboundNotice;
use serde_json::{Map, Value, json};
use stream::Timestamp;

use super::json::Moment;
use crate::core::Heard;

/// What an event is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The customer wrote or sent something.
    Message,
    /// Our account said something, by whatever hand.
    Echo,
    /// Our account changed what it had said.
    EchoEdit,
    /// How far something we sent came.
    Status,
    /// An emoji put on a message, or taken away.
    Reaction,
    /// The customer changed a message.
    Edit,
    /// A message was taken back.
    Delete,
    /// Somebody is writing.
    Typing,
    /// Something about the thread itself.
    Control,
    /// The customer changed what they want to receive.
    Preference,
    /// The customer has another id now.
    IdentityChange,
    /// A remark of the platform inside the thread.
    System,
    /// The customer pressed something that was not an answer in the thread.
    Postback,
    /// The customer came by a link, an advertisement or a code.
    Referral,
    /// Somebody wrote in public.
    PublicPost,
    /// The platform reports an error that belongs to no message.
    AccountError,
    /// Something else that the platform told this account.
    NotAMessage,
    /// A shape that nobody knows.
    Unknown,
}

impl Class {
    /// The class as printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Echo => "echo",
            Self::EchoEdit => "echo-edit",
            Self::Status => "status",
            Self::Reaction => "reaction",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Typing => "typing",
            Self::Control => "control",
            Self::Preference => "preference",
            Self::IdentityChange => "identity-change",
            Self::System => "system",
            Self::Postback => "postback",
            Self::Referral => "referral",
            Self::PublicPost => "public-post",
            Self::AccountError => "account-error",
            Self::NotAMessage => "not-a-message",
            Self::Unknown => "unknown",
        }
    }
}

/// One event of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is.
    pub class: Class,
    /// The platform's id of our account.
    pub account: Option<String>,
    /// Who did it, by the platform's id.
    pub sender: Option<String>,
    /// To whom, by the platform's id.
    pub recipient: Option<String>,
    /// The sender's name.
    pub sender_name: Option<String>,
    /// The platform's id of the event.
    pub id: Option<String>,
    /// The messages that a receipt is about.
    pub mids: Vec<String>,
    /// What kind of that class, in the platform's word.
    pub kind: Option<String>,
    /// What was written or chosen.
    pub text: Option<String>,
    /// Files, places and cards.
    pub attachments: Vec<Map<String, Value>>,
    /// What the pressed button carries.
    pub payload: Option<String>,
    /// The message that this one answers.
    pub reply_to: Option<String>,
    /// When it happened.
    pub at: At,
    /// Further fields under the channel's own names.
    pub notes: Map<String, Value>,
    /// The same for the rules, one for each thing that happened; none for what this build does not
    /// understand.
    pub heard: Vec<Heard>,
}

/// When an event happened, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// By the event itself.
    Event(Moment),
    /// By the envelope around it.
    Envelope(Moment),
    /// It should have been told, and was not.
    Absent,
    /// Such events have no time.
    Timeless,
}

impl At {
    /// Milliseconds since the epoch.
    pub fn ms(self) -> Option<i64> {
        match self {
            Self::Event(moment) | Self::Envelope(moment) => Some(moment.ms),
            Self::Absent | Self::Timeless => None,
        }
    }
}

impl Reading {
    /// A reading of which only the class and the account are known.
    pub fn of(class: Class, account: Option<String>) -> Self {
        Self {
            class,
            account,
            sender: None,
            recipient: None,
            sender_name: None,
            id: None,
            mids: Vec::new(),
            kind: None,
            text: None,
            attachments: Vec::new(),
            payload: None,
            reply_to: None,
            at: At::Timeless,
            notes: Map::new(),
            heard: Vec::new(),
        }
    }

    /// Adds a field under the channel's own name, if there is a value.
    pub(super) fn note(&mut self, key: &str, value: Option<impl Into<Value>>) {
        self.notes.extend(value.map(|value| (key.to_owned(), value.into())));
    }

    /// The event as one JSON object; absent fields are left out.
    pub fn report(&self) -> Value {
        let mut report = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                report.insert(key.to_owned(), value);
            }
        };
        let text = |value: &Option<String>| value.clone().map(Value::String);
        put("class", Some(json!(self.class.as_str())));
        put("account", text(&self.account));
        put("sender", text(&self.sender));
        put("recipient", text(&self.recipient));
        put("sender_name", text(&self.sender_name));
        put("id", text(&self.id));
        put("mids", (!self.mids.is_empty()).then(|| json!(self.mids)));
        put("kind", text(&self.kind));
        put("text", text(&self.text));
        put("attachments", (!self.attachments.is_empty()).then(|| json!(self.attachments)));
        put("payload", text(&self.payload));
        put("reply_to", text(&self.reply_to));
        for (key, value) in &self.notes {
            put(key, Some(value.clone()));
        }
        put("timestamp_ms", self.at.ms().map(|ms| json!(ms)));
        put("timestamp", self.at.ms().map(|ms| json!(Timestamp::from_ms(ms).to_string())));
        put("timestamp_note", self.timestamp_note().map(|note| json!(note)));
        Value::Object(report)
    }

    fn timestamp_note(&self) -> Option<&'static str> {
        match self.at {
            At::Event(moment) => moment.note,
            At::Envelope(moment) if self.class == Class::NotAMessage => moment.note,
            At::Envelope(_) => Some("event has none; entry.time used"),
            At::Absent => Some("absent"),
            At::Timeless => None,
        }
    }
}

/// The platform's own JSON is kept in a record up to this length, bytes.
const NOTICE_BYTES_MAX: usize = 64 << 10;

/// An id for what has none: the same content always has the same.
pub(super) fn made_id(parts: &[&str]) -> String {
    format!("made:{}", EventId::derive(parts))
}

/// Something in the platform's own words.
pub(super) fn notice(name: &str, body: &Value) -> InboundNotice {
    InboundNotice { name: name.into(), body: Some(shortened(body.to_string())) }
}

/// The text up to the length that is kept.
pub(super) fn shortened(mut text: String) -> String {
    if text.len() > NOTICE_BYTES_MAX {
        let end = (0..=NOTICE_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
