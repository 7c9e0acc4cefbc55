//! The body of a send, field by field.

use serde_json::Value;

use super::Flavour;
use crate::providers::shape::{Problem, Shape};

/// What a good body says.
pub(super) struct Message {
    pub(super) to: String,
    pub(super) is_of_person: bool,
    pub(super) metadata: Option<String>,
    pub(super) text: Option<String>,
}

pub(super) fn check(body: &Value, flavour: Flavour) -> Result<Message, Problem> {
    let mut shape = Shape::of(body, "")?;
    let mut recipient = shape.inner("recipient")?;
    let to = recipient.needed("id")?.to_owned();
    if !to.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("recipient.id: expected a scoped id of digits".into());
    }
    recipient.end()?;
    let is_tagged = shape.one_of("messaging_type", &["RESPONSE", "UPDATE", "MESSAGE_TAG"])? == "MESSAGE_TAG";
    if is_tagged {
        shape.one_of("tag", &["HUMAN_AGENT"])?;
    }
    let (text, metadata) = message(shape.inner("message")?, flavour)?;
    shape.end()?;
    Ok(Message { to, is_of_person: is_tagged, metadata, text })
}

fn message(mut shape: Shape<'_>, flavour: Flavour) -> Result<(Option<String>, Option<String>), Problem> {
    let text = match flavour {
        Flavour::Messenger => shape.limited("text", 2_000)?,
        Flavour::Instagram => shape.text("text")?,
    };
    if flavour == Flavour::Instagram && text.is_some_and(|text| text.len() > 1_000) {
        return Err("message.text: expected at most 1000 bytes".into());
    }
    let metadata = match flavour {
        Flavour::Messenger => shape.limited("metadata", 1_000)?,
        Flavour::Instagram => None,
    };
    if flavour == Flavour::Messenger && shape.get("reply_to").is_some() {
        let mut reply_to = shape.inner("reply_to")?;
        reply_to.needed("mid")?;
        reply_to.end()?;
    }
    let is_attached = shape.get("attachment").is_some();
    if is_attached == text.is_some() {
        return Err("message: expected either text or attachment".into());
    }
    let shown = if is_attached { attachment(shape.inner("attachment")?)? } else { text.map(str::to_owned) };
    if let Some(replies) = shape.get("quick_replies") {
        for (no, reply) in items(replies, "quick_replies", 13)?.iter().enumerate() {
            quick_reply(Shape::of(reply, &format!("message.quick_replies[{no}]"))?)?;
        }
    }
    shape.end()?;
    Ok((shown, metadata.map(str::to_owned)))
}

fn items<'a>(value: &'a Value, name: &str, max: usize) -> Result<&'a [Value], Problem> {
    let items = value.as_array().ok_or_else(|| format!("{name}: expected an array"))?;
    if items.is_empty() || items.len() > max {
        return Err(format!("{name}: expected 1 to {max} items, found {}", items.len()));
    }
    Ok(items)
}

fn quick_reply(mut shape: Shape<'_>) -> Result<(), Problem> {
    shape.one_of("content_type", &["text"])?;
    shape.limited("title", 20)?.ok_or("quick reply: title is required")?;
    shape.limited("payload", 1_000)?.ok_or("quick reply: payload is required")?;
    shape.end()
}

/// The text that a template shows, if it is one.
fn attachment(mut shape: Shape<'_>) -> Result<Option<String>, Problem> {
    let kind = shape.one_of("type", &["image", "audio", "video", "file", "template"])?;
    let mut payload = shape.inner("payload")?;
    let text = if kind == "template" { template(&mut payload)? } else { media(&mut payload)? };
    payload.end()?;
    shape.end()?;
    Ok(text)
}

fn media(payload: &mut Shape<'_>) -> Result<Option<String>, Problem> {
    public(payload.needed("url")?)?;
    payload.flag("is_reusable")?;
    Ok(None)
}

/// An address that the platform can fetch.
fn public(url: &str) -> Result<(), Problem> {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', ':', '?']).next()).unwrap_or_default();
    let is_private = host.is_empty() || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok();
    if is_private { Err(format!("url: expected a public https address, found {url}")) } else { Ok(()) }
}

fn template(payload: &mut Shape<'_>) -> Result<Option<String>, Problem> {
    if payload.one_of("template_type", &["button", "generic"])? == "generic" {
        let elements = payload.get("elements").ok_or("elements: is required")?;
        for (no, item) in items(elements, "elements", 10)?.iter().enumerate() {
            element(Shape::of(item, &format!("elements[{no}]"))?)?;
        }
        return Ok(None);
    }
    let text = payload.limited("text", 640)?.ok_or("text: is required")?.to_owned();
    buttons(payload.get("buttons").ok_or("buttons: is required")?)?;
    Ok(Some(text))
}

fn element(mut shape: Shape<'_>) -> Result<(), Problem> {
    shape.limited("title", 80)?.ok_or("element: title is required")?;
    let subtitle = shape.limited("subtitle", 80)?.is_some();
    let image = shape.text("image_url")?;
    image.map(public).transpose()?;
    let has_buttons = match shape.get("buttons") {
        Some(found) => buttons(found).map(|()| true)?,
        None => false,
    };
    if !subtitle && image.is_none() && !has_buttons {
        return Err("element: expected something beside the title".into());
    }
    shape.end()
}

fn buttons(value: &Value) -> Result<(), Problem> {
    for (no, button) in items(value, "buttons", 3)?.iter().enumerate() {
        let mut shape = Shape::of(button, &format!("buttons[{no}]"))?;
        shape.limited("title", 20)?.ok_or("button: title is required")?;
        if shape.one_of("type", &["postback", "web_url"])? == "web_url" {
            public(shape.needed("url")?)?;
        } else {
            shape.limited("payload", 1_000)?.ok_or("button: payload is required")?;
        }
        shape.end()?;
    }
    Ok(())
}

/// A sender action, which must stand alone; to whom.
pub(super) fn action(body: &Value) -> Result<String, Problem> {
    let mut shape = Shape::of(body, "")?;
    let mut recipient = shape.inner("recipient")?;
    let to = recipient.needed("id")?.to_owned();
    recipient.end()?;
    let action = shape.one_of("sender_action", &["typing_on", "typing_off", "mark_seen", "react", "unreact"])?;
    if action.ends_with("react") {
        let mut payload = shape.inner("payload")?;
        payload.needed("message_id")?;
        if action == "react" {
            payload.needed("reaction")?;
        }
        payload.end()?;
    }
    shape.end()?;
    Ok(to)
}
