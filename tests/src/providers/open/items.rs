//! Content items of a structured message (Genesys Cloud, "Open Messaging" and its content types).

use serde_json::Value;

use crate::providers::shape::{Problem, Shape};

const MEDIA: &[&str] = &["Image", "Video", "Audio", "File", "Link"];

pub(super) fn check(content: &[Value]) -> Result<(), Problem> {
    if content.is_empty() {
        return Err("content: expected at least one item".into());
    }
    let attachments = content.iter().filter(|item| item["contentType"] == "Attachment").count();
    if attachments > 1 {
        return Err(format!("content: expected at most one attachment, found {attachments}"));
    }
    for (no, item) in content.iter().enumerate() {
        one(Shape::of(item, &format!("content[{no}]"))?)?;
    }
    Ok(())
}

fn one(mut item: Shape<'_>) -> Result<(), Problem> {
    const KINDS: &[&str] = &["Attachment", "QuickReply", "Card", "Carousel", "ListPicker", "Location", "Notification"];
    match item.one_of("contentType", KINDS)? {
        "Attachment" => attachment(item.inner("attachment")?)?,
        "QuickReply" => quick_reply(item.inner("quickReply")?)?,
        "Card" => card(item.inner("card")?)?,
        "Carousel" => carousel(item.inner("carousel")?)?,
        "ListPicker" => list(item.inner("listPicker")?)?,
        "Location" => location(item.inner("location")?)?,
        _ => drop(item.inner("notification")?),
    }
    item.end()
}

fn attachment(mut shape: Shape<'_>) -> Result<(), Problem> {
    shape.one_of("mediaType", MEDIA)?;
    shape.link("url")?.ok_or("attachment.url: is required")?;
    for field in ["mime", "filename", "text", "sha256", "id"] {
        shape.text(field)?;
    }
    shape.end()
}

fn quick_reply(mut shape: Shape<'_>) -> Result<(), Problem> {
    shape.needed("text")?;
    shape.needed("payload")?;
    shape.one_of("action", &["Message"])?;
    shape.end()
}

fn card(mut shape: Shape<'_>) -> Result<(), Problem> {
    shape.needed("title")?;
    shape.text("description")?;
    shape.link("image")?;
    let actions = shape.get("actions").and_then(Value::as_array).ok_or("card.actions: expected an array")?;
    for action in actions {
        let mut action = Shape::of(action, "action")?;
        action.needed("text")?;
        if action.one_of("type", &["Link", "Postback"])? == "Link" {
            action.link("url")?.ok_or("action.url: is required")?;
        } else {
            action.needed("payload")?;
        }
        action.end()?;
    }
    shape.end()
}

fn carousel(mut shape: Shape<'_>) -> Result<(), Problem> {
    let cards = shape.get("cards").and_then(Value::as_array).ok_or("carousel.cards: expected an array")?;
    for (no, found) in cards.iter().enumerate() {
        card(Shape::of(found, &format!("carousel.cards[{no}]"))?)?;
    }
    shape.end()
}

fn list(mut shape: Shape<'_>) -> Result<(), Problem> {
    let sections = shape.get("sections").and_then(Value::as_array).ok_or("sections: expected an array")?;
    for section in sections {
        let mut section = Shape::of(section, "section")?;
        section.get("title").and_then(Value::as_str).ok_or("section.title: expected a text")?;
        let items = section.get("items").and_then(Value::as_array).ok_or("section.items: expected an array")?;
        for item in items {
            let mut item = Shape::of(item, "item")?;
            item.needed("id")?;
            item.needed("title")?;
            item.text("subtitle")?;
            item.end()?;
        }
        section.end()?;
    }
    shape.end()
}

fn location(mut shape: Shape<'_>) -> Result<(), Problem> {
    for name in ["latitude", "longitude"] {
        if shape.get(name).and_then(Value::as_f64).is_none() {
            return Err(format!("location.{name}: expected degrees"));
        }
    }
    for name in ["text", "address", "url"] {
        shape.text(name)?;
    }
    shape.end()
}
