//! The tables as a page that people read.

use schemas::records::Channel;

use super::{Capabilities, Limit, SECOND_MS, Unit, Window, of};

type Cell = fn(&Capabilities) -> String;

const ROWS: &[(&str, Cell)] = &[
    ("text", |c| c.text.map_or("any".into(), limit)),
    ("answers", |c| c.quick_replies.map_or(numbered(c), |q| format!("{} × {}", q.max, limit(q.title)))),
    ("list", |c| {
        c.list.map_or(numbered(c), |l| format!("{} rows × {}, text {}", l.rows_max, limit(l.title), limit(l.text)))
    }),
    ("buttons and links", |c| {
        c.buttons.map_or(numbered(c), |b| format!("{} × {}, text {}", b.max, limit(b.title), limit(b.text)))
    }),
    ("cards", |c| {
        c.cards.map_or(numbered(c), |k| format!("{} × {} buttons, title {}", k.max, k.buttons_max, limit(k.title)))
    }),
    ("image", |c| media(c, "image")),
    ("video", |c| media(c, "video")),
    ("audio", |c| media(c, "audio")),
    ("file", |c| media(c, "file")),
    ("sticker", |c| media(c, "sticker")),
    ("caption", |c| match c.media.iter().find_map(|media| media.caption) {
        Some(caption) => limit(caption),
        None if c.text.is_none() => "any".into(),
        None => "a text of its own".into(),
    }),
    ("place", |c| if c.location { "yes".into() } else { "a link to a map".into() }),
    ("template", |c| yes(c.templates)),
    ("quote", |c| yes(c.quotes)),
    ("signals out", |c| if c.signals.is_empty() { "none".into() } else { c.signals.join(", ") }),
    ("receipts", |c| c.receipts.join(", ")),
    ("window", |c| match c.window {
        Window::None => "none".into(),
        Window::ThenTemplates => "24 h, then templates".into(),
        Window::ThenPeople(ms) => format!("24 h, then people for {} days", ms / (86_400 * SECOND_MS)),
    }),
    ("messages for each of the customer's", |c| c.replies_max.map_or("any".into(), |max| max.to_string())),
    ("calls of an account", |c| {
        if c.calls_per_s < 1.0 {
            format!("{:.0} in 15 min, {} at once", c.calls_per_s * 900.0, c.calls_at_once)
        } else {
            format!("{}/s, {} at once", c.calls_per_s, c.calls_at_once)
        }
    }),
];

/// A table in Markdown: a row for each ability, a column for each channel.
pub fn table(channels: &[Channel]) -> String {
    let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
    let mut lines = vec![format!("| | {} |", names.join(" | ")), format!("|---|{}", "---|".repeat(names.len()))];
    for (name, cell) in ROWS {
        let cells: Vec<String> = channels.iter().filter_map(|channel| of(*channel)).map(cell).collect();
        lines.push(format!("| {name} | {} |", cells.join(" | ")));
    }
    lines.join("\n") + "\n"
}

fn limit(limit: Limit) -> String {
    let unit = match limit.unit {
        Unit::Characters => "",
        Unit::Bytes => " bytes",
        Unit::Utf16 => " UTF-16 units",
    };
    format!("{}{unit}", limit.max)
}

fn numbered(table: &Capabilities) -> String {
    if table.text.is_none() { "any".into() } else { "numbered text".into() }
}

fn media(table: &Capabilities, kind: &str) -> String {
    match table.media.iter().find(|media| media.attachment == kind) {
        Some(media) if media.size_max >= 1 << 20 => format!("{} MiB", media.size_max >> 20),
        Some(media) => format!("{} KiB", media.size_max >> 10),
        None if table.text.is_none() => "any".into(),
        None => "a link".into(),
    }
}

fn yes(can: bool) -> String {
    if can { "yes" } else { "no" }.into()
}
