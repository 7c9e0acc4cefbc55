//! Interactive messages, places and templates (Cloud API, messages reference).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::providers::shape::{Problem, Shape};

pub(super) const KINDS: &[&str] = &["interactive", "location", "template"];

pub(super) fn interactive(mut shape: Shape<'_>) -> Result<Option<String>, Problem> {
    let kind = shape.one_of("type", &["button", "list", "cta_url"])?;
    let mut body = shape.inner("body")?;
    let text = body.limited("text", 1_024)?.ok_or("interactive.body.text: is required")?.to_owned();
    body.end()?;
    let action = shape.inner("action")?;
    match kind {
        "button" => buttons(action)?,
        "list" => list(action)?,
        _ => link(action)?,
    }
    shape.end()?;
    Ok(Some(text))
}

fn items<'a>(shape: &mut Shape<'a>, name: &'static str, max: usize) -> Result<&'a [Value], Problem> {
    let found = shape.get(name).and_then(Value::as_array).ok_or_else(|| format!("{name}: expected an array"))?;
    if found.is_empty() || found.len() > max {
        return Err(format!("{name}: expected 1 to {max} items, found {}", found.len()));
    }
    Ok(found)
}

fn buttons(mut action: Shape<'_>) -> Result<(), Problem> {
    let (mut titles, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let buttons = items(&mut action, "buttons", 3)?;
    for button in buttons {
        let mut shape = Shape::of(button, "button")?;
        shape.one_of("type", &["reply"])?;
        let mut reply = shape.inner("reply")?;
        ids.insert(reply.limited("id", 256)?.ok_or("button: id is required")?);
        titles.insert(reply.limited("title", 20)?.ok_or("button: title is required")?);
        reply.end()?;
        shape.end()?;
    }
    if titles.len() < buttons.len() || ids.len() < buttons.len() {
        return Err("buttons: expected unique titles and ids".into());
    }
    action.end()
}

fn list(mut action: Shape<'_>) -> Result<(), Problem> {
    action.limited("button", 20)?.ok_or("action.button: is required")?;
    let sections = items(&mut action, "sections", 10)?;
    let (mut rows_found, mut ids) = (0, BTreeSet::new());
    for section in sections {
        let mut shape = Shape::of(section, "section")?;
        let title = shape.limited("title", 24)?;
        if sections.len() > 1 && title.is_none() {
            return Err("section.title: is required where there are several".into());
        }
        for row in items(&mut shape, "rows", 10)? {
            rows_found += 1;
            let mut row = Shape::of(row, "row")?;
            ids.insert(row.limited("id", 200)?.ok_or("row: id is required")?);
            row.limited("title", 24)?.ok_or("row: title is required")?;
            row.limited("description", 72)?;
            row.end()?;
        }
        shape.end()?;
    }
    if rows_found > 10 || ids.len() < rows_found {
        return Err(format!("sections: expected at most 10 rows with ids of their own, found {rows_found}"));
    }
    action.end()
}

fn link(mut action: Shape<'_>) -> Result<(), Problem> {
    action.one_of("name", &["cta_url"])?;
    let mut parameters = action.inner("parameters")?;
    parameters.limited("display_text", 20)?.ok_or("display_text: is required")?;
    parameters.link("url")?.ok_or("url: is required")?;
    parameters.end()?;
    action.end()
}

pub(super) fn location(mut shape: Shape<'_>) -> Result<Option<String>, Problem> {
    for (name, max) in [("latitude", 90.0), ("longitude", 180.0)] {
        let degrees = shape.get(name).and_then(Value::as_f64);
        if degrees.is_none_or(|degrees| degrees.abs() > max) {
            return Err(format!("location.{name}: expected degrees up to {max}"));
        }
    }
    let name = shape.text("name")?.map(str::to_owned);
    shape.text("address")?;
    shape.end()?;
    Ok(name)
}

pub(super) fn template(mut shape: Shape<'_>) -> Result<Option<String>, Problem> {
    let name = shape.needed("name")?.to_owned();
    let mut language = shape.inner("language")?;
    language.needed("code")?;
    language.end()?;
    let components = shape.get("components").and_then(Value::as_array).ok_or("components: expected an array")?;
    for component in components {
        let mut part = Shape::of(component, "component")?;
        if part.one_of("type", &["header", "body", "button"])? == "button" {
            part.one_of("sub_type", &["quick_reply", "url"])?;
            part.needed("index")?;
        }
        items(&mut part, "parameters", 100)?;
        part.end()?;
    }
    shape.end()?;
    Ok(Some(name))
}
