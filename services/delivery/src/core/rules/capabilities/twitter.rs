//! X direct messages, API v2: texts; media need an upload, so they go as links. 15 calls in 15
//! minutes for one user, 8 of them at once and 7 after one another, so that no window sees more; the five replies are this product's rule (C6).

use super::{Capabilities, PROVIDER_SCHEDULE_MS, SECOND_MS, Window, characters};

pub(super) const TABLE: Capabilities = Capabilities {
    text: Some(characters(10_000)),
    quick_replies: None,
    buttons: None,
    list: None,
    cards: None,
    media: &[],
    location: false,
    templates: false,
    quotes: false,
    signals: &[],
    receipts: &["read"],
    window: Window::None,
    replies_max: Some(5),
    calls_per_s: 7.0 / 900.0,
    calls_at_once: 8,
    settle_ms: 0,
    proof_ms: 30 * SECOND_MS,
    schedule_ms: PROVIDER_SCHEDULE_MS,
    holds_whole_schedule: false,
};
