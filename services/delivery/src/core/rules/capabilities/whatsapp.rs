//! WhatsApp Cloud API: messages reference, interactive messages, media, throughput.

use super::{Capabilities, Choices, List, MIB, Media, PROVIDER_SCHEDULE_MS, SECOND_MS, Window, characters};

const CAPTION: Option<super::Limit> = Some(characters(1_024));

pub(super) const TABLE: Capabilities = Capabilities {
    text: Some(characters(4_096)),
    quick_replies: Some(Choices {
        max: 3,
        text: characters(1_024),
        title: characters(20),
        payload: characters(256),
        links_max: 0,
        mixed: false,
    }),
    buttons: Some(Choices {
        max: 1,
        text: characters(1_024),
        title: characters(20),
        payload: characters(256),
        links_max: 1,
        mixed: false,
    }),
    list: Some(List {
        rows_max: 10,
        sections_max: 10,
        text: characters(1_024),
        button: characters(20),
        section: characters(24),
        title: characters(24),
        description: characters(72),
        payload: characters(200),
    }),
    cards: None,
    media: &[
        Media { attachment: "image", kind: "image", size_max: 5 * MIB, caption: CAPTION },
        Media { attachment: "video", kind: "video", size_max: 16 * MIB, caption: CAPTION },
        Media { attachment: "audio", kind: "audio", size_max: 16 * MIB, caption: None },
        Media { attachment: "file", kind: "document", size_max: 100 * MIB, caption: CAPTION },
        Media { attachment: "sticker", kind: "sticker", size_max: MIB / 2, caption: None },
    ],
    location: true,
    templates: true,
    quotes: true,
    signals: &["typing", "read", "reaction"],
    receipts: &["sent", "delivered", "read", "failed"],
    window: Window::ThenTemplates,
    replies_max: None,
    calls_per_s: 70.0,
    calls_at_once: 10,
    settle_ms: 3 * SECOND_MS,
    proof_ms: 30 * SECOND_MS,
    schedule_ms: PROVIDER_SCHEDULE_MS,
    holds_whole_schedule: false,
};
