//! Messenger Platform: Send API, templates, quick replies, messaging policy. The limit of a text is
//! what its libraries quote; Meta's own page for it was not seen.

use super::{Capabilities, Cards, Choices, MIB, Media, PROVIDER_SCHEDULE_MS, SECOND_MS, Window, characters};

/// HUMAN_AGENT lasts seven days, the first of which is the window.
pub(super) const PEOPLE: Window = Window::ThenPeople(6 * 86_400 * SECOND_MS);

pub(super) const QUICK_REPLIES: Choices = Choices {
    max: 13,
    text: characters(2_000),
    title: characters(20),
    payload: characters(1_000),
    links_max: 0,
    mixed: false,
};

pub(super) const BUTTONS: Choices = Choices {
    max: 3,
    text: characters(640),
    title: characters(20),
    payload: characters(1_000),
    links_max: 3,
    mixed: true,
};

pub(super) const CARDS: Cards = Cards {
    max: 10,
    title: characters(80),
    description: characters(80),
    buttons_max: 3,
    button: characters(20),
    payload: characters(1_000),
};

pub(super) const TABLE: Capabilities = Capabilities {
    text: Some(characters(2_000)),
    quick_replies: Some(QUICK_REPLIES),
    buttons: Some(BUTTONS),
    list: None,
    cards: Some(CARDS),
    media: &[
        Media { attachment: "image", kind: "image", size_max: 8 * MIB, caption: None },
        Media { attachment: "sticker", kind: "image", size_max: 8 * MIB, caption: None },
        Media { attachment: "video", kind: "video", size_max: 25 * MIB, caption: None },
        Media { attachment: "audio", kind: "audio", size_max: 25 * MIB, caption: None },
        Media { attachment: "file", kind: "file", size_max: 25 * MIB, caption: None },
    ],
    location: false,
    templates: false,
    quotes: true,
    signals: &["typing", "read", "reaction"],
    receipts: &["delivered", "read"],
    window: PEOPLE,
    replies_max: None,
    calls_per_s: 250.0,
    calls_at_once: 50,
    settle_ms: 0,
    proof_ms: 30 * SECOND_MS,
    schedule_ms: PROVIDER_SCHEDULE_MS,
    holds_whole_schedule: false,
};
