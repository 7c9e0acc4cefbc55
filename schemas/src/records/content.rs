//! What a message holds, the same for every channel, in and out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::symbols;

symbols! {
    /// The six channel kinds.
    Channel {
        Whatsapp = "whatsapp", Facebook = "facebook", Instagram = "instagram",
        Twitter = "twitter", Open = "open", Web = "web",
    }
    ContentKind {
        Text = "text", Image = "image", Audio = "audio", Video = "video", File = "file",
        Sticker = "sticker", Location = "location", Contacts = "contacts",
        StoryMention = "story_mention", StoryReply = "story_reply", QuickReply = "quick_reply",
        ListReply = "list_reply", Order = "order", Template = "template", Link = "link",
        Card = "card", Carousel = "carousel", List = "list", Unsupported = "unsupported",
    }
    Direction { Inbound = "inbound", Outbound = "outbound", }
    /// Who said it.
    SenderKind {
        Customer = "customer", Agent = "agent", Bot = "bot", System = "system", Api = "api",
        External = "external",
    }
    /// Who holds a conversation.
    OwnerKind { Flow = "flow", Queue = "queue", Agent = "agent", None = "none", }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    pub content_kind: ContentKind,
    pub text: Option<String>,
    pub attachments: Vec<Attachment>,
    pub choices: Vec<Choice>,
    pub payload: Option<String>,
    pub reply_to: Option<String>,
    pub referral: Option<Referral>,
    pub provider_fields: BTreeMap<String, String>,
}

impl Content {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content_kind: ContentKind::Text, text: Some(text.into()), ..Self::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// `type` on the wire.
    #[serde(rename = "type")]
    pub attachment_type: String,
    pub url: Option<String>,
    pub media_id: Option<String>,
    pub mime: Option<String>,
    pub sha256: Option<String>,
    pub file_name: Option<String>,
    pub size_bytes: Option<i64>,
    pub caption: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub title: Option<String>,
    pub stored_ref: Option<String>,
}

/// One choice offered to the customer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    pub title: String,
    pub payload: Option<String>,
    pub description: Option<String>,
    /// Where it leads; null: it comes back as an answer.
    pub url: Option<String>,
    /// The number, from 1, of the attachment on whose card it stands.
    pub card: Option<i64>,
    /// Heading of a list under which it stands.
    pub section: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Referral {
    pub source_type: Option<String>,
    pub source_id: Option<String>,
    pub source_url: Option<String>,
    pub headline: Option<String>,
    pub body: Option<String>,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sender {
    /// `kind` on the wire.
    pub kind: SenderKind,
    pub id: Option<String>,
}

/// The person on the other side, as the platform tells it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Customer {
    pub id: String,
    pub id_type: String,
    pub aliases: Vec<String>,
    pub display_name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub image_url: Option<String>,
    pub locale: Option<String>,
}

/// Where a send or a reply to it shall go.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Target {
    pub kind: OwnerKind,
    pub id: String,
    pub queue_id: Option<crate::ids::QueueId>,
}
