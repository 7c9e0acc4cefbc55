//! Open messaging: whoever receives the webhook shows what we say, so nothing is cut or replaced.

use super::{Capabilities, HOUR_MS, MINUTE_MS, SECOND_MS, Window};

/// D6's schedule, 27.6 h, that of the larger webhook senders.
const WEBHOOK_SCHEDULE_MS: &[i64] =
    &[5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS, 10 * HOUR_MS, 10 * HOUR_MS];

pub(super) const TABLE: Capabilities = Capabilities {
    text: None,
    quick_replies: None,
    buttons: None,
    list: None,
    cards: None,
    media: &[],
    location: true,
    templates: true,
    quotes: true,
    signals: &["typing", "read", "reaction"],
    receipts: &["sent", "delivered", "read", "failed"],
    window: Window::None,
    replies_max: None,
    calls_per_s: 1_000.0,
    calls_at_once: 1_000,
    settle_ms: 0,
    proof_ms: 0,
    schedule_ms: WEBHOOK_SCHEDULE_MS,
    holds_whole_schedule: true,
};
