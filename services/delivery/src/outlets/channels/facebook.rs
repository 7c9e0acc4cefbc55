//! Messenger, Send API, `POST /{page id}/messages`: our id travels in `metadata`, which the echo
//! gives back. The token goes in a header, not in the address, where logs would keep it.

use serde_json::Value;

use super::{Call, Desk, base, meta};
use crate::core::effect::Send;

pub(super) const API_URL: &str = "https://graph.facebook.com/v25.0";

/// The request of a send.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    let mut body = meta::body(send, desk)?;
    if let Some(message) = body.get_mut("message").and_then(Value::as_object_mut) {
        message.insert("metadata".into(), desk.outward_id.into());
        if let Some(quoted) = &send.quotes {
            message.insert("reply_to".into(), serde_json::json!({ "mid": quoted }));
        }
    }
    Ok(Call {
        url: format!("{}/{}/messages", base(&send.route, API_URL), send.route.provider_account_id),
        headers: vec![desk.bearer(&send.route)?],
        body: body.to_string().into_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Answer, Outcome, Route, SecretPlace};
    use crate::core::rules::window::Right;
    use crate::outlets::channels::support::{body, choice, desk, media, saying, send};
    use crate::outlets::channels::{HttpAnswer, meta};
    use schemas::records::{Attachment, Channel, Content, ContentKind};
    use serde_json::json;

    fn text() -> Send {
        let access_token = Some(SecretPlace::Env("EAAB".into()));
        let route = Route { provider_account_id: "1717".into(), access_token, ..Route::default() };
        send(Channel::Facebook, route)
    }

    fn message(content: &Content) -> Value {
        body(&request(&saying(&text(), content), &desk()).unwrap())["message"].clone()
    }

    #[test]
    fn a_text_is_posted_to_the_page_with_our_id() {
        let quoting = Send { quotes: Some("m_9".into()), ..text() };
        let call = request(&quoting, &desk()).unwrap();
        assert_eq!(call.url, "https://graph.facebook.com/v25.0/1717/messages");
        assert_eq!(call.headers, [("authorization", "Bearer EAAB".to_owned())]);
        let expected = json!({"recipient": {"id": "16505551234"}, "messaging_type": "RESPONSE",
            "message": {"text": "Hello Ada", "metadata": "k.m.mac", "reply_to": {"mid": "m_9"}}});
        assert_eq!(body(&call), expected);
    }

    #[test]
    fn a_person_who_answers_late_is_tagged() {
        let body = body(&request(&text(), &super::Desk { right: Right::Person, ..desk() }).unwrap());
        assert_eq!((&body["messaging_type"], &body["tag"]), (&json!("MESSAGE_TAG"), &json!("HUMAN_AGENT")));
    }

    #[test]
    fn answers_buttons_cards_and_media_have_their_shapes() {
        let asking = |choices| Content { choices, ..Content::text("Which?") };
        let quick = message(&asking(vec![choice("Red", Some("RED"), None), choice("Blue", None, None)]));
        let replies = json!([{"content_type": "text", "title": "Red", "payload": "RED"},
            {"content_type": "text", "title": "Blue", "payload": "Blue"}]);
        assert_eq!((&quick["text"], &quick["quick_replies"]), (&json!("Which?"), &replies));
        let shop = || choice("Shop", None, Some("https://shop.example"));
        let buttons = message(&asking(vec![shop(), choice("Red", Some("RED"), None)]));
        let payload = json!({"template_type": "button", "text": "Which?", "buttons": [
            {"type": "web_url", "url": "https://shop.example", "title": "Shop"},
            {"type": "postback", "title": "Red", "payload": "RED"}]});
        assert_eq!(buttons["attachment"], json!({"type": "template", "payload": payload}));
        let card = Attachment { attachment_type: "card".into(), title: Some("Shoe".into()), ..Attachment::default() };
        let cards = message(&Content {
            content_kind: ContentKind::Card,
            attachments: vec![Attachment { caption: Some("Good".into()), ..card }],
            choices: vec![schemas::records::Choice { card: Some(1), ..shop() }],
            ..Content::default()
        });
        let element = json!({"title": "Shoe", "subtitle": "Good",
            "buttons": [{"type": "web_url", "url": "https://shop.example", "title": "Shop"}]});
        assert_eq!(cards["attachment"]["payload"], json!({"template_type": "generic", "elements": [element]}));
        let file = message(&media("file", ""));
        assert_eq!(file["attachment"], json!({"type": "file", "payload": {"url": "https://files.example/a.pdf"}}));
    }

    #[test]
    fn answers_are_read() {
        let answer =
            |status, body: &str| meta::answer(&HttpAnswer { status, body: body.into(), ..HttpAnswer::default() });
        let taken = Outcome::Accepted { provider_message_id: Some("m_1".into()), rest_ms: 0 };
        assert_eq!(answer(200, r#"{"recipient_id":"1","message_id":"m_1"}"#), taken);
        assert_eq!(answer(200, "{}"), Outcome::Unknown { reason: "answer_without_id" });
        let refused = r#"{"error":{"message":"(#10) outside the window","type":"OAuthException","code":10,
            "error_subcode":2018278,"fbtrace_id":"A"}}"#;
        let expected = Answer {
            status: 400,
            code: Some(10),
            subcode: Some(2_018_278),
            detail: Some("(#10) outside the window".into()),
            ..Answer::default()
        };
        assert_eq!(answer(400, refused), Outcome::Answered(expected));
    }
}
