//! Genesys Bot Connector, version 1 (Genesys Cloud Developer Center, "Bot Connector"; the shapes as
//! published implementations have them): a turn and its answer.

use std::collections::BTreeMap;

use schemas::records::{Attachment, BOT_MESSAGES_MAX, BotAnswer, BotNext, Choice, Content, ContentKind};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long the bot may keep the session, minutes: the window's default of 72 hours.
const SESSION_MIN: i64 = 4_320;

/// A turn as the connector posts it.
pub(super) fn turn(turn: &Value, outward_id: &str, (bot_id, bot_version): (&str, &str)) -> Value {
    let message = &turn["message"];
    let text = message["text"].as_str().unwrap_or_default();
    let input = match message["payload"].as_str() {
        Some(payload) => json!({"type": "Structured", "text": text, "content": [
            {"contentType": "ButtonResponse", "buttonResponse": {"type": "QuickReply", "text": text, "payload": payload}}]}),
        None => json!({"type": "Text", "text": text}),
    };
    json!({
        "botId": bot_id,
        "botVersion": bot_version,
        "botSessionId": turn["session_id"],
        "messageId": outward_id,
        "inputMessage": input,
        "languageCode": turn["language"].as_str().unwrap_or("en-us").to_lowercase().replace('_', "-"),
        "botSessionTimeout": SESSION_MIN,
        "genesysConversationId": turn["conversation_id"],
        "parameters": {},
    })
}

/// Both spellings of `replymessages` are met.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default, alias = "replymessages")]
    reply_messages: Vec<Reply>,
    bot_state: BotState,
    #[serde(default)]
    intent: Option<String>,
    #[serde(default)]
    slot_values: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    parameters: Option<BTreeMap<String, Value>>,
}

#[derive(Clone, Copy, Deserialize)]
enum BotState {
    MoreData,
    Complete,
    Failed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    content: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    quick_reply: Option<QuickReply>,
    #[serde(default)]
    attachment: Option<File>,
}

#[derive(Deserialize)]
struct QuickReply {
    text: String,
    #[serde(default)]
    payload: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    media_type: String,
    url: String,
    #[serde(default)]
    text: Option<String>,
}

/// What the connector's answer says; `None` if it is none.
pub(super) fn answer(body: &[u8]) -> Option<BotAnswer> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    if answer.reply_messages.len() > BOT_MESSAGES_MAX {
        return None;
    }
    let next = match answer.bot_state {
        BotState::MoreData => BotNext::More,
        BotState::Complete => BotNext::Done,
        BotState::Failed => BotNext::Failed,
    };
    Some(BotAnswer {
        messages: answer.reply_messages.into_iter().map(content).collect(),
        next,
        intent: answer.intent,
        slots: texts(answer.slot_values),
        attributes: texts(answer.parameters),
    })
}

fn content(reply: Reply) -> Content {
    let (mut choices, mut attachments) = (Vec::new(), Vec::new());
    for part in reply.content {
        choices.extend(part.quick_reply.map(|one| Choice {
            title: one.text,
            payload: one.payload,
            ..Choice::default()
        }));
        attachments.extend(part.attachment.map(|file| Attachment {
            attachment_type: file.media_type.to_lowercase(),
            url: Some(file.url),
            caption: file.text,
            ..Attachment::default()
        }));
    }
    let first: Option<ContentKind> =
        attachments.first().and_then(|file: &Attachment| file.attachment_type.parse().ok());
    let content_kind = first.unwrap_or(ContentKind::Text);
    Content { content_kind, text: reply.text, choices, attachments, ..Content::default() }
}

fn texts(values: Option<BTreeMap<String, Value>>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    values.unwrap_or_default().into_iter().map(|(name, value)| (name, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_what_the_connector_posts() {
        let said = json!({"session_id": "s", "conversation_id": "c", "language": "de_DE",
            "message": {"text": "Hi", "payload": null}});
        let expected = json!({"botId": "b", "botVersion": "2", "botSessionId": "s", "messageId": "k.m.mac",
            "inputMessage": {"type": "Text", "text": "Hi"}, "languageCode": "de-de", "botSessionTimeout": 4320,
            "genesysConversationId": "c", "parameters": {}});
        assert_eq!(turn(&said, "k.m.mac", ("b", "2")), expected);
        let pressed = json!({"message": {"text": "Red", "payload": "RED"}});
        let input = &turn(&pressed, "k", ("b", "1"))["inputMessage"];
        assert_eq!(
            (&input["type"], &input["content"][0]["buttonResponse"]["payload"]),
            (&json!("Structured"), &json!("RED"))
        );
    }

    #[test]
    fn an_answer_is_read_in_both_spellings() {
        for key in ["replymessages", "replyMessages"] {
            let body = json!({key: [{"type": "Text", "text": "Hello"}, {"type": "Structured", "text": "Which?",
                "content": [{"contentType": "QuickReply", "quickReply": {"text": "Red", "payload": "RED"}}]}],
                "botState": "MoreData", "intent": "order", "confidence": 0.5,
                "slotValues": {"size": "XL", "count": 2}, "parameters": {}, "errorInfo": null});
            let answer = answer(body.to_string().as_bytes()).unwrap();
            assert_eq!((answer.next, answer.intent.as_deref()), (BotNext::More, Some("order")));
            assert_eq!(answer.messages[1].choices[0].payload.as_deref(), Some("RED"));
            assert_eq!((answer.slots["size"].as_str(), answer.slots["count"].as_str()), ("XL", "2"));
        }
        for (state, next) in [("Complete", BotNext::Done), ("Failed", BotNext::Failed)] {
            let body = json!({"botState": state}).to_string();
            assert_eq!(answer(body.as_bytes()).unwrap().next, next);
        }
        for wrong in ["", "{}", r#"{"botState":"Dancing"}"#, r#"{"botState":"MoreData","replymessages":7}"#] {
            assert_eq!(answer(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
