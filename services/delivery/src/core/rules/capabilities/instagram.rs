//! Instagram messaging: as Messenger, with texts counted in bytes.

use super::facebook::{BUTTONS, CARDS, PEOPLE, QUICK_REPLIES};
use super::{Capabilities, Choices, Limit, MIB, Media, PROVIDER_SCHEDULE_MS, SECOND_MS, Unit};

const TEXT: Limit = Limit { max: 1_000, unit: Unit::Bytes };

pub(super) const TABLE: Capabilities = Capabilities {
    text: Some(TEXT),
    quick_replies: Some(Choices { text: TEXT, ..QUICK_REPLIES }),
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
    quotes: false,
    signals: &["typing", "read", "reaction"],
    receipts: &["read"],
    window: PEOPLE,
    replies_max: None,
    calls_per_s: 80.0,
    calls_at_once: 20,
    settle_ms: 0,
    proof_ms: 30 * SECOND_MS,
    schedule_ms: PROVIDER_SCHEDULE_MS,
    holds_whole_schedule: false,
};
