//! WhatsApp Cloud API, `POST /{phone number id}/messages`; our id travels as callback data.

use schemas::records::{Attachment, Choice, Signal};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Ask, Call, Desk, FileFound, HttpAnswer, Source, base};
use crate::core::effect::Send;
use crate::core::event::{Answer, Outcome};
use crate::core::media::Copy;
use crate::core::rendering::{Media, Part, Template};

pub(super) const API_URL: &str = "https://graph.facebook.com/v25.0";
/// Hosts of files (Cloud API, media).
pub(super) const MEDIA_HOSTS: &[&str] = &[LOOKASIDE, "*.whatsapp.net", "*.fbcdn.net"];
/// The host that gives files to whoever shows the account's token.
const LOOKASIDE: &str = "lookaside.fbsbx.com";

/// The request of a send.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    Ok(Call {
        url: format!("{}/{}/messages", base(&send.route, API_URL), send.route.provider_account_id),
        headers: vec![desk.bearer(&send.route)?],
        body: match read_mark(&send.part) {
            Some(mark) => mark.to_string().into_bytes(),
            None => body(send, desk.outward_id)?.to_string().into_bytes(),
        },
    })
}

fn body(send: &Send, outward_id: &str) -> Result<Value, &'static str> {
    let mut body = Map::new();
    body.insert("messaging_product".into(), "whatsapp".into());
    body.insert("recipient_type".into(), "individual".into());
    let (field, id) = recipient(&send.customer.id);
    body.insert(field.into(), id.into());
    let (kind, part) = part(&send.part)?;
    body.insert("type".into(), kind.into());
    body.insert(kind.into(), part);
    if let Some(quoted) = &send.quotes {
        body.insert("context".into(), json!({ "message_id": quoted }));
    }
    body.insert("biz_opaque_callback_data".into(), outward_id.into());
    Ok(Value::Object(body))
}

/// A phone number goes into `to`, a business-scoped user id (`CC.…`) into `recipient`.
fn recipient(id: &str) -> (&'static str, &str) {
    let digits = id.strip_prefix('+').unwrap_or(id);
    let is_phone = digits.bytes().all(|byte| byte.is_ascii_digit());
    (if is_phone { "to" } else { "recipient" }, id)
}

fn part(part: &Part) -> Result<(&'static str, Value), &'static str> {
    Ok(match part {
        Part::Text(text) => ("text", json!({ "body": text, "preview_url": false })),
        Part::Media(one) => (one.kind, by_link(one)),
        Part::QuickReplies { text, choices } => ("interactive", buttons(text, choices)),
        Part::Buttons { text, choices } => ("interactive", link(text, choices.first().ok_or("not_rendered")?)),
        Part::List { text, button, rows } => ("interactive", list(text, button, rows)),
        Part::Location(place) => ("location", location(place)),
        Part::Template(template) => ("template", filled(template)),
        Part::Signal(told) => ("reaction", reaction(told)),
        Part::Cards(_) | Part::Whole(_) | Part::Notice(_) => return Err("not_rendered"),
    })
}

/// A read mark; typing is one with an indicator, which ends by itself after 25 s (Cloud API, "Typing
/// indicators").
fn read_mark(part: &Part) -> Option<Value> {
    let told = if let Part::Signal(told) = part { told } else { return None };
    let mut body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": told.provider_message_id});
    match told.signal.as_str() {
        "reaction" => return None,
        "typing" => body["typing_indicator"] = json!({"type": "text"}),
        _ => {}
    }
    Some(body)
}

/// An empty emoji takes it back.
fn reaction(told: &Signal) -> Value {
    json!({"message_id": told.provider_message_id, "emoji": told.emoji.as_deref().unwrap_or_default()})
}

fn by_link(media: &Media) -> Value {
    let mut part = Map::new();
    part.insert("link".into(), media.link.clone().into());
    if let Some(caption) = &media.caption {
        part.insert("caption".into(), caption.clone().into());
    }
    if let Some(name) = media.file_name.as_ref().filter(|_| media.kind == "document") {
        part.insert("filename".into(), name.clone().into());
    }
    Value::Object(part)
}

fn payload(choice: &Choice) -> &str {
    choice.payload.as_deref().unwrap_or(&choice.title)
}

fn buttons(text: &str, choices: &[Choice]) -> Value {
    let button = |choice: &Choice| json!({"type": "reply", "reply": {"id": payload(choice), "title": choice.title}});
    let buttons: Vec<Value> = choices.iter().map(button).collect();
    json!({"type": "button", "body": {"text": text}, "action": {"buttons": buttons}})
}

fn link(text: &str, choice: &Choice) -> Value {
    let parameters = json!({"display_text": choice.title, "url": choice.url});
    json!({"type": "cta_url", "body": {"text": text}, "action": {"name": "cta_url", "parameters": parameters}})
}

fn list(text: &str, button: &str, rows: &[Choice]) -> Value {
    let section = |rows: &[Choice]| {
        let mut section = Map::new();
        if let Some(title) = rows.first().and_then(|row| row.section.clone()) {
            section.insert("title".into(), title.into());
        }
        section.insert("rows".into(), rows.iter().map(row).collect());
        Value::Object(section)
    };
    let sections: Vec<Value> = rows.chunk_by(|one, next| one.section == next.section).map(section).collect();
    json!({"type": "list", "body": {"text": text}, "action": {"button": button, "sections": sections}})
}

fn row(choice: &Choice) -> Value {
    let mut row = Map::new();
    row.insert("id".into(), payload(choice).into());
    row.insert("title".into(), choice.title.clone().into());
    if let Some(description) = &choice.description {
        row.insert("description".into(), description.clone().into());
    }
    Value::Object(row)
}

fn location(place: &Attachment) -> Value {
    let mut part = Map::new();
    part.insert("latitude".into(), place.latitude.into());
    part.insert("longitude".into(), place.longitude.into());
    for (name, value) in [("name", &place.title), ("address", &place.caption)] {
        if let Some(value) = value {
            part.insert(name.into(), value.clone().into());
        }
    }
    Value::Object(part)
}

fn filled(template: &Template) -> Value {
    let texts = |texts: &[String]| texts.iter().map(|text| json!({"type": "text", "text": text})).collect::<Vec<_>>();
    let mut header = texts(&template.header);
    header.extend(template.media.as_ref().map(|attachment| {
        let kind = match attachment.attachment_type.as_str() {
            "image" => "image",
            "video" => "video",
            _ => "document",
        };
        json!({"type": kind, kind: {"link": attachment.url}})
    }));
    let mut components = Vec::new();
    for (kind, parameters) in [("header", header), ("body", texts(&template.body))] {
        if !parameters.is_empty() {
            components.push(json!({"type": kind, "parameters": parameters}));
        }
    }
    components.extend(template.buttons.iter().map(|(index, payload)| {
        let parameter = json!({"type": "payload", "payload": payload});
        json!({"type": "button", "sub_type": "quick_reply", "index": index.to_string(), "parameters": [parameter]})
    }));
    json!({"name": template.name, "language": {"code": template.language}, "components": components})
}

/// A file is asked for by its id, and had with the same token from an address that lives five minutes.
///
/// # Errors
/// What the account's configuration or the attachment lacks.
pub fn media(copy: &Copy, desk: &Desk<'_>) -> Result<Source, &'static str> {
    let id = copy.attachment.media_id.as_deref().ok_or("no_address")?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !is_id {
        return Err("no_address");
    }
    let number = &copy.route.provider_account_id;
    let url = format!("{}/{id}?phone_number_id={number}", base(&copy.route, API_URL));
    let (_, authorization) = desk.bearer(&copy.route)?;
    Ok(Source::LookUp(Ask { url, authorization: Some(authorization), is_api: true }))
}

#[derive(Deserialize)]
struct MediaFile {
    url: String,
    #[serde(default)]
    mime_type: Option<String>,
    #[serde(default)]
    sha256: Option<String>,
}

/// What the answer says of a file. The token is shown to Meta's host for files, and to the host that was
/// asked, as the operator configured it; to no other.
pub fn media_found(asked: &Ask, body: &[u8]) -> Option<FileFound> {
    let file: MediaFile = serde_json::from_slice(body).ok()?;
    let place = |url: &str| reqwest::Url::parse(url).ok();
    let (at, api) = (place(&file.url)?, place(&asked.url)?);
    let is_lookaside = at.host_str() == Some(LOOKASIDE) && at.scheme() == "https";
    let authorization = asked.authorization.clone().filter(|_| is_lookaside || at.origin() == api.origin());
    let ask = Ask { url: file.url, authorization, is_api: false };
    Some(FileFound { ask, is_fresh: true, mime: file.mime_type, sha256: file.sha256 })
}

#[derive(Deserialize)]
struct Taken {
    messages: Vec<TakenMessage>,
}

#[derive(Deserialize)]
struct TakenMessage {
    id: String,
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    #[serde(default, deserialize_with = "super::meta::code")]
    code: Option<i64>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error_data: Option<ErrorData>,
}

#[derive(Deserialize)]
struct ErrorData {
    #[serde(default)]
    details: Option<String>,
}

/// What an answer says. A success without the message's id is not the API's own word.
pub fn answer(answer: &HttpAnswer) -> Outcome {
    if (200..300).contains(&answer.status) {
        let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
        return match taken.and_then(|taken| taken.messages.into_iter().next()) {
            Some(message) => Outcome::Accepted { provider_message_id: Some(message.id), rest_ms: 0 },
            None => Outcome::Unknown { reason: "answer_without_id" },
        };
    }
    let error = serde_json::from_slice::<Refused>(&answer.body).ok().map(|refused| refused.error);
    Outcome::Answered(Answer {
        status: answer.status,
        code: error.as_ref().and_then(|error| error.code),
        detail: error.and_then(|error| error.error_data.and_then(|data| data.details).or(error.message)),
        retry_after_ms: answer.retry_after_ms,
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Route, SecretPlace};
    use crate::outlets::channels::support::{body, choice, desk, media, saying, send};
    use schemas::records::{Channel, Content, ContentKind};

    fn route() -> Route {
        let access_token = Some(SecretPlace::Env("EAAB".into()));
        Route { provider_account_id: "106540352242922".into(), access_token, ..Route::default() }
    }

    fn call(send: &Send) -> Call {
        request(send, &desk()).unwrap()
    }

    fn says(content: &Content) -> Value {
        body(&call(&saying(&send(Channel::Whatsapp, route()), content)))
    }

    #[test]
    fn a_text_is_posted_to_the_number_with_our_id() {
        let call = call(&send(Channel::Whatsapp, route()));
        assert_eq!(call.url, "https://graph.facebook.com/v25.0/106540352242922/messages");
        assert_eq!(call.headers, [("authorization", "Bearer EAAB".to_owned())]);
        assert_eq!(
            body(&call),
            json!({"messaging_product":"whatsapp","recipient_type":"individual","to":"16505551234","type":"text",
                   "text":{"body":"Hello Ada","preview_url":false},"biz_opaque_callback_data":"k.m.mac"})
        );
    }

    #[test]
    fn media_goes_by_link_with_what_its_kind_can_carry() {
        let link = "https://files.example/a.pdf";
        let document = says(&media("file", "Hello Ada"));
        assert_eq!(document["document"], json!({"link": link, "caption": "Hello Ada", "filename": "a.pdf"}));
        assert_eq!(says(&media("image", "Hello Ada"))["image"], json!({"link": link, "caption": "Hello Ada"}));
        assert_eq!(says(&media("audio", ""))["audio"], json!({"link": link}));
    }

    #[test]
    fn answers_are_buttons_and_many_are_a_list() {
        let asking = |choices| Content { choices, ..Content::text("Which?") };
        let two = says(&asking(vec![choice("Red", Some("RED"), None), choice("Blue", None, None)]));
        let buttons = json!([{"type": "reply", "reply": {"id": "RED", "title": "Red"}},
            {"type": "reply", "reply": {"id": "Blue", "title": "Blue"}}]);
        let expected = json!({"type": "button", "body": {"text": "Which?"}, "action": {"buttons": buttons}});
        assert_eq!((&two["type"], &two["interactive"]), (&json!("interactive"), &expected));
        let in_section = |title: &str, section: &str| {
            let description = Some("more".into());
            Choice { section: Some(section.into()), description, ..choice(title, None, None) }
        };
        let list = says(&asking(vec![in_section("a", "one"), in_section("b", "one"), in_section("c", "two")]));
        let row = |title: &str| json!({"id": title, "title": title, "description": "more"});
        let sections = json!([{"title": "one", "rows": [row("a"), row("b")]}, {"title": "two", "rows": [row("c")]}]);
        let action = json!({"button": "Options", "sections": sections});
        assert_eq!(list["interactive"], json!({"type": "list", "body": {"text": "Which?"}, "action": action}));
        let link = says(&asking(vec![choice("Shop", None, Some("https://shop.example"))]));
        let parameters = json!({"display_text": "Shop", "url": "https://shop.example"});
        assert_eq!(link["interactive"]["action"], json!({"name": "cta_url", "parameters": parameters}));
    }

    #[test]
    fn a_template_is_filled() {
        let fields = [
            ("template.name", "parcel_here"),
            ("template.language", "de"),
            ("template.body.1", "Ada"),
            ("template.body.2", "Monday"),
            ("template.button.0", "LATER"),
        ];
        let template = says(&Content {
            content_kind: ContentKind::Template,
            provider_fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..media("image", "")
        });
        let expected = json!({"name": "parcel_here", "language": {"code": "de"}, "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://files.example/a.pdf"}}]},
            {"type": "body", "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "Monday"}]},
            {"type": "button", "sub_type": "quick_reply", "index": "0",
             "parameters": [{"type": "payload", "payload": "LATER"}]}]});
        assert_eq!((&template["type"], &template["template"]), (&json!("template"), &expected));
    }

    #[test]
    fn a_user_without_a_number_is_the_recipient() {
        let mut hidden = send(Channel::Whatsapp, route());
        hidden.customer.id = "US.13491208655302741918".into();
        let body = body(&call(&hidden));
        assert_eq!((&body["recipient"], &body["to"]), (&json!("US.13491208655302741918"), &Value::Null));
    }

    #[test]
    fn answers_are_read() {
        let answer = |status, body: &str| answer(&HttpAnswer { status, body: body.into(), ..HttpAnswer::default() });
        let taken = r#"{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],
            "messages":[{"id":"wamid.1","message_status":"accepted"}]}"#;
        assert_eq!(answer(200, taken), Outcome::Accepted { provider_message_id: Some("wamid.1".into()), rest_ms: 0 });
        assert_eq!(answer(200, "<html>"), Outcome::Unknown { reason: "answer_without_id" });
        let refused = r#"{"error":{"message":"(#131026) undeliverable","type":"OAuthException","code":131026,
            "error_data":{"messaging_product":"whatsapp","details":"unable to deliver"},"fbtrace_id":"A"}}"#;
        let detail = Some("unable to deliver".into());
        let expected = Answer { status: 400, code: Some(131_026), detail, ..Answer::default() };
        assert_eq!(answer(400, refused), Outcome::Answered(expected));
        let as_text = Answer { status: 400, code: Some(131_000), ..Answer::default() };
        assert_eq!(answer(400, r#"{"error":{"code":"131000"}}"#), Outcome::Answered(as_text));
        assert_eq!(answer(502, "bad gateway"), Outcome::Answered(Answer { status: 502, ..Answer::default() }));
    }

    #[test]
    fn an_account_without_a_readable_token_is_not_configured() {
        let none = |_: &SecretPlace| None;
        let desk = Desk { secret: &none, ..desk() };
        assert_eq!(request(&send(Channel::Whatsapp, Route::default()), &desk), Err("no_access_token"));
        assert_eq!(request(&send(Channel::Whatsapp, route()), &desk), Err("access_token_unreadable"));
    }
}
