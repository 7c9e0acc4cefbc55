//! C5: what each channel can show, how long it takes, and what becomes of the rest.

use schemas::records::{Channel, Content, ContentKind};

/// Text and caption limits of one message, characters (WhatsApp: Cloud API messages reference).
const TEXT_MAX: usize = 4_096;
const CAPTION_MAX: usize = 1_024;
const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// D3's schedule.
const PROVIDER_SCHEDULE_MS: &[i64] =
    &[5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS];
/// D6's schedule, 27.6 h, that of the larger webhook senders.
const WEBHOOK_SCHEDULE_MS: &[i64] =
    &[5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS, 10 * HOUR_MS, 10 * HOUR_MS];

/// A channel's own waits before each attempt after the first.
pub fn schedule_ms(channel: Channel) -> &'static [i64] {
    if channel == Channel::Open { WEBHOOK_SCHEDULE_MS } else { PROVIDER_SCHEDULE_MS }
}

/// How long a later message waits for an earlier one where the account says nothing (D2): 120 s;
/// for a webhook its whole schedule, if that is longer.
pub fn order_hold_max_ms(channel: Channel, schedule_ms: &[i64]) -> i64 {
    const HOLD_MS: i64 = 120 * SECOND_MS;
    if channel == Channel::Open { schedule_ms.iter().sum::<i64>().max(HOLD_MS) } else { HOLD_MS }
}

/// How long the first receipt is waited for before the next message leaves, where the platform
/// does not keep the order of accepted messages.
pub fn settle_ms(channel: Channel) -> i64 {
    if channel == Channel::Whatsapp { 3 * SECOND_MS } else { 0 }
}

/// How long a proof is waited for before a message is sent again whose fate is unknown; none where
/// the receiver knows a repeat by its id.
pub fn ambiguous_wait_ms(channel: Channel) -> i64 {
    if channel == Channel::Open { 0 } else { 30 * SECOND_MS }
}

/// Why a channel cannot show this content, if it cannot.
pub fn refusal(channel: Channel, content: &Content) -> Option<&'static str> {
    if !matches!(channel, Channel::Whatsapp | Channel::Open) {
        return Some("unsupported_channel");
    }
    if !is_shown(content.content_kind) {
        return Some("unsupported_content");
    }
    let text = shown_text(content);
    let length = text.as_ref().map_or(0, |text| text.chars().count());
    let Some(attachment) = content.attachments.first() else {
        return match length {
            0 => Some("empty"),
            1..=TEXT_MAX => None,
            _ => Some("too_long"),
        };
    };
    let takes_text = !matches!(attachment.attachment_type.as_str(), "audio" | "sticker");
    if content.attachments.len() > 1 {
        Some("too_many_attachments")
    } else if !matches!(attachment.attachment_type.as_str(), "image" | "audio" | "video" | "file" | "sticker") {
        Some("unsupported_content")
    } else if !attachment.url.as_deref().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://")) {
        Some("media_without_link")
    } else if length > 0 && !takes_text {
        Some("caption_unsupported")
    } else if length > CAPTION_MAX {
        Some("too_long")
    } else {
        None
    }
}

fn is_shown(kind: ContentKind) -> bool {
    match kind {
        ContentKind::Text
        | ContentKind::Image
        | ContentKind::Audio
        | ContentKind::Video
        | ContentKind::File
        | ContentKind::Sticker
        | ContentKind::Link
        | ContentKind::QuickReply => true,
        ContentKind::Location
        | ContentKind::Contacts
        | ContentKind::StoryMention
        | ContentKind::StoryReply
        | ContentKind::ListReply
        | ContentKind::Order
        | ContentKind::Template
        | ContentKind::Card
        | ContentKind::Carousel
        | ContentKind::List
        | ContentKind::Unsupported
        | ContentKind::Unknown => false,
    }
}

/// The text with its choices numbered from 1 below it.
pub fn shown_text(content: &Content) -> Option<String> {
    let mut lines: Vec<String> = content.text.iter().filter(|text| !text.is_empty()).cloned().collect();
    lines.extend(content.choices.iter().zip(1..).map(|(choice, n)| format!("{n}. {}", choice.title)));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The choices as the customer sees them: answer "2" is the second.
pub fn offered(content: &Content) -> Vec<String> {
    content.choices.iter().map(|choice| choice.title.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::records::{Attachment, Choice};

    fn media(kind: &str, url: Option<&str>, text: &str) -> Content {
        let attachment = Attachment { attachment_type: kind.into(), url: url.map(Into::into), ..Attachment::default() };
        Content { attachments: vec![attachment], ..Content::text(text) }
    }

    #[test]
    fn what_a_channel_cannot_show_is_refused_with_a_reason() {
        let link = Some("https://files.example/a");
        for (content, reason) in [
            (Content::text("hello"), None),
            (Content::text(""), Some("empty")),
            (Content::text("é".repeat(4_096)), None),
            (Content::text("é".repeat(4_097)), Some("too_long")),
            (media("image", link, "look"), None),
            (media("image", link, &"x".repeat(1_025)), Some("too_long")),
            (media("audio", link, ""), None),
            (media("audio", link, "listen"), Some("caption_unsupported")),
            (media("image", None, ""), Some("media_without_link")),
            (media("image", Some("ftp://files.example/a"), ""), Some("media_without_link")),
            (media("hologram", link, ""), Some("unsupported_content")),
            (Content { content_kind: ContentKind::Carousel, ..Content::text("x") }, Some("unsupported_content")),
        ] {
            assert_eq!(refusal(Channel::Whatsapp, &content), reason, "{content:?}");
        }
        assert_eq!(refusal(Channel::Facebook, &Content::text("x")), Some("unsupported_channel"));
    }

    #[test]
    fn choices_are_numbered_below_the_text() {
        let choice = |title: &str| Choice { title: title.into(), ..Choice::default() };
        let content = Content { choices: vec![choice("Bill"), choice("Moving")], ..Content::text("What is it about?") };
        assert_eq!(shown_text(&content).unwrap(), "What is it about?\n1. Bill\n2. Moving");
        assert_eq!(offered(&content), ["Bill", "Moving"]);
    }
}
