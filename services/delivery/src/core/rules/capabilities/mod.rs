//! C5: what each channel can show and what it takes, one table per channel. `docs/channels.md` shows
//! them side by side.

mod facebook;
mod instagram;
mod limit;
mod open;
mod page;
mod twitter;
mod waits;
mod whatsapp;

use schemas::records::Channel;

use limit::characters;
pub use limit::{Limit, Unit};
pub use page::table;
pub use waits::{order_hold_max_ms, proof_ms, schedule_ms, settle_ms};

pub(crate) const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const MIB: i64 = 1 << 20;

/// D3's schedule.
const PROVIDER_SCHEDULE_MS: &[i64] =
    &[5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS];

/// Answers or buttons below one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// How many.
    pub max: usize,
    /// The text above them.
    pub text: Limit,
    /// Each one's title.
    pub title: Limit,
    /// What comes back.
    pub payload: Limit,
    /// How many of them may be links.
    pub links_max: usize,
    /// Whether answers may stand beside links.
    pub mixed: bool,
}

/// A list that is opened by a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// Rows of all sections.
    pub rows_max: usize,
    /// Sections.
    pub sections_max: usize,
    /// The text above it.
    pub text: Limit,
    /// The label of its button.
    pub button: Limit,
    /// A section's heading.
    pub section: Limit,
    /// A row's title.
    pub title: Limit,
    /// A row's second line.
    pub description: Limit,
    /// What comes back.
    pub payload: Limit,
}

/// Cards side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cards {
    /// In one message.
    pub max: usize,
    /// A card's title.
    pub title: Limit,
    /// Its second line.
    pub description: Limit,
    /// Buttons of a card.
    pub buttons_max: usize,
    /// A button's title.
    pub button: Limit,
    /// What comes back.
    pub payload: Limit,
}

/// Media of one kind, sent by link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The attachment's type with us.
    pub attachment: &'static str,
    /// What the channel calls it.
    pub kind: &'static str,
    /// Bytes.
    pub size_max: i64,
    /// The text that may stand below it.
    pub caption: Option<Limit>,
}

/// Until when a customer may be answered freely, and what is allowed after (C6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// For ever.
    None,
    /// 24 h after the customer's last action; then approved templates alone.
    ThenTemplates,
    /// 24 h after the customer's last action; then people alone, until so many milliseconds after its end.
    ThenPeople(i64),
}

/// What one channel can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capabilities {
    /// One text; null: the channel takes the normalized message as it is.
    pub text: Option<Limit>,
    /// Answers below a text.
    pub quick_replies: Option<Choices>,
    /// Buttons below a text.
    pub buttons: Option<Choices>,
    /// A list.
    pub list: Option<List>,
    /// Cards.
    pub cards: Option<Cards>,
    /// Media by link; what is not here goes as a link in a text.
    pub media: &'static [Media],
    /// A place on a map.
    pub location: bool,
    /// Approved templates.
    pub templates: bool,
    /// A quoted message.
    pub quotes: bool,
    /// Typing, read marks, reactions.
    pub signals: &'static [&'static str],
    /// Receipts that come back.
    pub receipts: &'static [&'static str],
    /// The reply window.
    pub window: Window,
    /// Messages to a customer for each one of theirs.
    pub replies_max: Option<i64>,
    /// Calls a second of one account; with those at once within what the platform allows in any
    /// of its windows.
    pub calls_per_s: f64,
    /// Calls that may be made at once.
    pub calls_at_once: u32,
    /// How long the first receipt is waited for before the next message leaves, where the platform
    /// does not keep the order of accepted messages.
    pub settle_ms: i64,
    /// How long a proof is waited for before a message is sent again whose fate is unknown; none
    /// where the receiver knows a repeat by its id.
    pub proof_ms: i64,
    /// Waits before each attempt after the first.
    pub schedule_ms: &'static [i64],
    /// Whether a later message waits as long as the schedule lasts (D2).
    pub holds_whole_schedule: bool,
}

/// The table of a channel; `None`: delivery does not serve it.
pub const fn of(channel: Channel) -> Option<&'static Capabilities> {
    match channel {
        Channel::Whatsapp => Some(&whatsapp::TABLE),
        Channel::Facebook => Some(&facebook::TABLE),
        Channel::Instagram => Some(&instagram::TABLE),
        Channel::Twitter => Some(&twitter::TABLE),
        Channel::Open => Some(&open::TABLE),
        Channel::Web | Channel::Unknown => None,
    }
}
