//! From JSON to an [`Ask`]: bodies of requests and frames of sockets.

use schemas::ids::{AccountId, ConversationId, MessageId, QueueId, WrapUpCodeId};
use schemas::records::{Attachment, Content, ContentKind, Presence};
use serde::Deserialize;

use crate::config::GatewaySettings;
use crate::core::{Ask, Start, Words};

const URL_CHARS_MAX: usize = 2048;
const NOTES_CHARS_MAX: usize = 10_000;
const TAGS_MAX: usize = 50;
const TAG_CHARS_MAX: usize = 100;
const KEY_CHARS_MAX: usize = 200;
const EMOJI_BYTES_MAX: usize = 64;

/// A frame of an agent. `id` is the agent's own id of the command, and comes back with its result.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the agents' protocol, listed in README.md")]
pub enum Frame {
    Presence {
        presence: Presence,
        secondary: Option<String>,
        id: Option<String>,
    },
    Accept {
        conversation_id: ConversationId,
        id: Option<String>,
    },
    Decline {
        conversation_id: ConversationId,
        id: Option<String>,
    },
    Disconnect {
        conversation_id: ConversationId,
        id: Option<String>,
    },
    Message {
        conversation_id: ConversationId,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        attachments: Vec<Attached>,
        id: String,
    },
    Start {
        account: AccountId,
        customer: String,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        template: Option<TemplateBody>,
        queue: Option<QueueId>,
        purpose: Option<String>,
        id: String,
    },
    WrapUp {
        conversation_id: ConversationId,
        code: Option<WrapUpCodeId>,
        notes: Option<String>,
        #[serde(default)]
        tags: Vec<String>,
        id: Option<String>,
    },
    Typing {
        conversation_id: ConversationId,
        id: Option<String>,
    },
    Read {
        conversation_id: ConversationId,
        id: Option<String>,
    },
    React {
        conversation_id: ConversationId,
        message_id: MessageId,
        emoji: Option<String>,
        id: Option<String>,
    },
    Transcript {
        conversation_id: ConversationId,
        id: Option<String>,
    },
    Ping {},
}

/// Media by link.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attached {
    /// `image`, `audio`, `video` or `file`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where the customer's platform fetches it.
    pub url: String,
    /// Name of a file.
    #[serde(default)]
    pub file_name: Option<String>,
}

/// Body of `POST agents/me/presence`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceBody {
    /// What the agent says.
    pub presence: Presence,
    /// Their own word for it.
    #[serde(default)]
    pub secondary: Option<String>,
}

/// Body of `POST conversations/{id}/messages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageBody {
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
    /// Media.
    #[serde(default)]
    pub attachments: Vec<Attached>,
}

/// Body of `POST conversations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartBody {
    /// By which account.
    pub account: AccountId,
    /// Whom, as the channel writes ids.
    pub customer: String,
    /// What to say.
    #[serde(default)]
    pub text: Option<String>,
    /// Or a template.
    #[serde(default)]
    pub template: Option<TemplateBody>,
    /// On behalf of which queue.
    #[serde(default)]
    pub queue: Option<QueueId>,
    /// What it is sent for; the template's own, else `messages`.
    #[serde(default)]
    pub purpose: Option<String>,
}

/// A template and what fills its holes, `{{1}}` first.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateBody {
    /// The id of a `Template`.
    pub id: String,
    /// Its parameters.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// Body of `POST conversations/{id}/wrap-up`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrapUpBody {
    /// The code.
    #[serde(default)]
    pub code: Option<WrapUpCodeId>,
    /// Free text.
    #[serde(default)]
    pub notes: Option<String>,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Something readable that cannot be asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    /// One of a closed set.
    pub reason: &'static str,
    /// What was expected and what came.
    pub detail: String,
}

fn invalid(reason: &'static str, detail: impl Into<String>) -> Invalid {
    Invalid { reason, detail: detail.into() }
}

/// A presence that agents may take.
pub fn presence(body: PresenceBody) -> Result<Ask, Invalid> {
    if body.presence == Presence::Unknown {
        let known: Vec<&str> = Presence::ALL.iter().map(|one| one.as_str()).filter(|one| *one != "unknown").collect();
        return Err(invalid("unknown_presence", format!("expected one of {}", known.join(", "))));
    }
    let secondary = body.secondary.filter(|word| !word.is_empty());
    if secondary.as_ref().is_some_and(|word| word.chars().count() > TAG_CHARS_MAX) {
        return Err(invalid("too_long", format!("secondary: expected at most {TAG_CHARS_MAX} characters")));
    }
    Ok(Ask::Presence { presence: body.presence, secondary })
}

/// A message within the limits.
pub fn message(conversation: ConversationId, body: MessageBody, limits: &GatewaySettings) -> Result<Ask, Invalid> {
    let text = body.text.filter(|text| !text.trim().is_empty());
    let chars = text.as_ref().map_or(0, |text| text.chars().count());
    if chars > limits.text_chars_max {
        let detail = format!("text: expected at most {} characters, got {chars}", limits.text_chars_max);
        return Err(invalid("text_too_long", detail));
    }
    if body.attachments.len() > limits.attachments_max {
        let detail = format!("attachments: expected at most {}", limits.attachments_max);
        return Err(invalid("too_many_attachments", detail));
    }
    let attachments: Result<Vec<Attachment>, Invalid> = body.attachments.into_iter().map(attachment).collect();
    let attachments = attachments?;
    let first = attachments.first().map(|one| one.attachment_type.as_str());
    let content_kind = match (first, &text) {
        (Some(kind), _) => kind.parse().unwrap_or(ContentKind::File),
        (None, Some(_)) => ContentKind::Text,
        (None, None) => return Err(invalid("empty_message", "expected a text or an attachment")),
    };
    let content = Content { content_kind, text, attachments, ..Content::default() };
    Ok(Ask::Message { conversation, content: Box::new(content) })
}

fn attachment(attached: Attached) -> Result<Attachment, Invalid> {
    if !["image", "audio", "video", "file"].contains(&attached.kind.as_str()) {
        return Err(invalid("unknown_attachment_type", "expected image, audio, video or file"));
    }
    let is_web = attached.url.starts_with("https://") || attached.url.starts_with("http://");
    if !is_web || attached.url.len() > URL_CHARS_MAX {
        let detail = format!("attachment url: expected http(s) and at most {URL_CHARS_MAX} characters");
        return Err(invalid("bad_attachment_url", detail));
    }
    Ok(Attachment {
        attachment_type: attached.kind,
        url: Some(attached.url),
        file_name: attached.file_name,
        ..Attachment::default()
    })
}

/// A first message within the limits: either words or a template.
pub fn start(body: StartBody, limits: &GatewaySettings) -> Result<Ask, Invalid> {
    let words = match (body.text, body.template) {
        (text, None) => {
            let Ask::Message { content, .. } =
                message(ConversationId::default(), MessageBody { text, attachments: Vec::new() }, limits)?
            else {
                unreachable!("a message is asked")
            };
            Words::Own(content)
        }
        (None, Some(TemplateBody { id, parameters })) => Words::Template { id, values: parameters },
        (Some(_), Some(_)) => return Err(invalid("bad_message", "expected either text or template")),
    };
    let StartBody { account, customer, queue, purpose, .. } = body;
    Ok(Ask::Start(Box::new(Start { account, customer, words, queue, purpose })))
}

/// A wrap-up within the limits.
pub fn wrap_up(conversation: ConversationId, body: WrapUpBody) -> Result<Ask, Invalid> {
    let notes_chars = body.notes.as_ref().map_or(0, |notes| notes.chars().count());
    if notes_chars > NOTES_CHARS_MAX {
        return Err(invalid("too_long", format!("notes: expected at most {NOTES_CHARS_MAX} characters")));
    }
    if body.tags.len() > TAGS_MAX || body.tags.iter().any(|tag| tag.chars().count() > TAG_CHARS_MAX) {
        let detail = format!("tags: expected at most {TAGS_MAX} of at most {TAG_CHARS_MAX} characters");
        return Err(invalid("too_long", detail));
    }
    let code = body.code.filter(|code| !code.is_empty());
    Ok(Ask::WrapUp { conversation, code, notes: body.notes, tags: body.tags })
}

/// A reaction: one emoji, which may be several characters.
pub fn react(conversation: ConversationId, message: MessageId, emoji: Option<String>) -> Result<Ask, Invalid> {
    let emoji = emoji.filter(|emoji| !emoji.is_empty());
    if emoji.as_ref().is_some_and(|emoji| emoji.len() > EMOJI_BYTES_MAX) {
        return Err(invalid("too_long", format!("emoji: expected at most {EMOJI_BYTES_MAX} bytes")));
    }
    Ok(Ask::React { conversation, message, emoji })
}

/// An asker's own id of a command.
pub fn key(key: &str) -> Result<&str, Invalid> {
    let chars = key.chars().count();
    if chars == 0 || chars > KEY_CHARS_MAX {
        return Err(invalid("bad_key", format!("id: expected 1 to {KEY_CHARS_MAX} characters, got {chars}")));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> GatewaySettings {
        let config: crate::config::Config = settings::defaults().unwrap();
        GatewaySettings { text_chars_max: 5, attachments_max: 1, ..config.gateway }
    }

    fn refused(json: &str) -> &'static str {
        let body: MessageBody = serde_json::from_str(json).unwrap();
        message(ConversationId::derive(&["c"]), body, &limits()).unwrap_err().reason
    }

    #[test]
    fn a_message_outside_the_limits_is_refused_by_reason() {
        for (json, reason) in [
            (r#"{}"#, "empty_message"),
            (r#"{"text":"  "}"#, "empty_message"),
            (r#"{"text":"äöüßéx"}"#, "text_too_long"),
            (r#"{"attachments":[{"type":"exe","url":"https://x"}]}"#, "unknown_attachment_type"),
            (r#"{"attachments":[{"type":"image","url":"file:///etc"}]}"#, "bad_attachment_url"),
            (
                r#"{"attachments":[{"type":"image","url":"https://x"},{"type":"image","url":"https://x"}]}"#,
                "too_many_attachments",
            ),
        ] {
            assert_eq!(refused(json), reason, "{json}");
        }
    }

    #[test]
    fn a_message_is_of_the_kind_of_its_first_attachment() {
        let id = ConversationId::derive(&["c"]);
        let kind = |json: &str| {
            let asked = message(id, serde_json::from_str(json).unwrap(), &limits()).unwrap();
            let Ask::Message { content, .. } = asked else { panic!("{asked:?}") };
            content.content_kind
        };
        assert_eq!(kind(r#"{"text":"äöüßé"}"#), ContentKind::Text);
        assert_eq!(kind(r#"{"text":"a","attachments":[{"type":"image","url":"https://x"}]}"#), ContentKind::Image);
    }

    #[test]
    fn frames_are_read_and_unknown_ones_are_not() {
        let id = ConversationId::derive(&["c"]);
        let frame = format!(r#"{{"type":"wrap_up","conversation_id":"{id}","code":"done"}}"#);
        let expected =
            Frame::WrapUp { conversation_id: id, code: Some("done".into()), notes: None, tags: vec![], id: None };
        assert_eq!(serde_json::from_str::<Frame>(&frame).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Frame>(r#"{"type":"ping"}"#).unwrap(), Frame::Ping {});
        for text in [
            "",
            "[]",
            r#"{"type":"nothing"}"#,
            r#"{"type":"accept"}"#,
            r#"{"type":"accept","conversation_id":"x"}"#,
            r#"{"type":"ping","more":1}"#,
        ] {
            assert!(serde_json::from_str::<Frame>(text).is_err(), "{text}");
        }
        let unknown = serde_json::from_str(r#"{"presence":"asleep"}"#).unwrap();
        assert_eq!(presence(unknown).unwrap_err().reason, "unknown_presence");
    }
}
