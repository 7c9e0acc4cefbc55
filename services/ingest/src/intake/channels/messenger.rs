//! What Messenger and Instagram share: every entry, and in it `messaging[]`, `standby[]` and
//! `changes[]`, each item read by the one event key it has.
//!
//! Read leniently: what is missing is missing, what is unknown is kept under its own name, and no
//! item spoils its neighbours. Items of `standby` are events of a thread that another app holds.

mod content;
mod message;
mod signals;

use schemas::records::{Channel, InboundKind};
use serde_json::{Value, json};

use crate::core::{Heard, HeardAccount, Party, PartyId};
use crate::intake::json::{self, Moment};
use crate::intake::reading::{At, Class, Reading, made_id, notice};

/// In what the two differ.
pub(super) struct Dialect {
    /// The `object` of its bodies.
    pub(super) object: &'static str,
    /// The channel.
    pub(super) channel: Channel,
    /// Fields of `changes` that are known and hold no message of a customer.
    pub(super) account_fields: &'static [&'static str],
}

/// Fields whose change holds one item as `messaging` has; the app dashboard's test button sends
/// them so.
const MESSAGING_FIELDS: &[&str] = &[
    "message_deliveries",
    "message_echoes",
    "message_edit",
    "message_edits",
    "message_reactions",
    "message_reads",
    "messages",
    "messaging_account_linking",
    "messaging_feedback",
    "messaging_handover",
    "messaging_handovers",
    "messaging_optins",
    "messaging_policy_enforcement",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_referrals",
    "messaging_seen",
    "response_feedback",
    "send_cart",
    "standby",
];

impl Dialect {
    /// Every event of a body, in its order; none if the body is for another product.
    pub(super) fn read(&self, body: &Value) -> Vec<Reading> {
        if body.get("object").is_some_and(|object| object != self.object) {
            return Vec::new();
        }
        json::items(body, "entry").into_iter().flat_map(|entry| self.read_entry(entry)).collect()
    }

    fn read_entry(&self, entry: &Value) -> Vec<Reading> {
        let account = json::text(entry, "id");
        let entry_time = json::moment(entry, "time");
        let item = |value, lane| Item { dialect: self, value, account: account.clone(), entry_time, lane };
        let mut all = Vec::new();
        let mut is_known = false;
        for (key, lane) in [("messaging", Lane::Own), ("standby", Lane::Standby)] {
            is_known |= entry.get(key).is_some();
            all.extend(json::items(entry, key).into_iter().flat_map(|value| item(value, lane).read()));
        }
        is_known |= entry.get("changes").is_some();
        for change in json::items(entry, "changes") {
            let value = change.get("value").unwrap_or(&Value::Null);
            let field = json::text(change, "field");
            let is_messaging = field.as_deref().is_none_or(|field| MESSAGING_FIELDS.contains(&field));
            if is_messaging && value.is_object() {
                all.extend(item(value, Lane::Changes).read());
            } else {
                all.push(item(value, Lane::Changes).other_field(field));
            }
        }
        if !is_known {
            all.push(Reading::of(Class::Unknown, account));
        }
        all
    }
}

/// By which array of the entry an item came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// `messaging`: we hold the thread.
    Own,
    /// `standby`: another app holds it.
    Standby,
    /// `changes`.
    Changes,
}

/// One item, and what it has from its entry.
struct Item<'a> {
    dialect: &'a Dialect,
    value: &'a Value,
    account: Option<String>,
    entry_time: Option<Moment>,
    lane: Lane,
}

impl Item<'_> {
    fn read(&self) -> Vec<Reading> {
        if !self.value.is_object() {
            return vec![Reading::of(Class::Unknown, self.account.clone())];
        }
        let part = |key| json::inner(self.value, key);
        let reading = if let Some(body) = part("message") {
            message::read(self, body)
        } else if let Some(body) = part("message_edit") {
            message::read_edit(self, body)
        } else if let Some(body) = part("postback") {
            message::read_postback(self, body)
        } else if let Some(body) = part("reaction") {
            signals::reaction(self, body)
        } else if let Some(body) = part("delivery") {
            signals::receipt(self, body, "delivered")
        } else if let Some(body) = part("read") {
            signals::receipt(self, body, "read")
        } else if let Some(body) = part("referral") {
            signals::referral(self, body)
        } else if let Some(body) = part("optin") {
            signals::opt_in(self, body)
        } else {
            signals::control(self)
        };
        vec![reading]
    }

    /// A change of a field that holds no item of a thread.
    fn other_field(&self, field: Option<String>) -> Reading {
        let mut reading = Reading::of(Class::NotAMessage, self.account.clone());
        reading.at = self.entry_time.map_or(At::Timeless, At::Envelope);
        if let Some(name) = field.as_deref().filter(|name| self.dialect.account_fields.contains(name)) {
            let time = self.entry_time.map_or(0, |time| time.ms).to_string();
            let id = made_id(&[name, self.account.as_deref().unwrap_or(""), &time, &self.value.to_string()]);
            let event = self.heard(None, reading.at, id, InboundKind::AccountEvent(notice(name, self.value)));
            reading.heard.push(event);
        }
        reading.kind = field;
        reading
    }

    /// A reading with what all events of a thread share.
    fn begin(&self, class: Class) -> Reading {
        let mut reading = Reading::of(class, self.account.clone());
        reading.sender = self.id_of("sender");
        reading.recipient = self.id_of("recipient");
        reading.at = json::moment(self.value, "timestamp")
            .map(At::Event)
            .or_else(|| self.entry_time.map(At::Envelope))
            .unwrap_or(At::Absent);
        reading.note("sender_user_ref", json::inner(self.value, "sender").and_then(|who| json::text(who, "user_ref")));
        match self.lane {
            Lane::Own => {}
            Lane::Standby => reading.note("standby", Some(true)),
            Lane::Changes => reading.note("via", Some("changes")),
        }
        reading
    }

    fn id_of(&self, side: &str) -> Option<String> {
        json::inner(self.value, side).and_then(|who| json::text(who, "id"))
    }

    /// Whether our own account did it.
    fn is_ours(&self) -> bool {
        self.account.is_some() && self.id_of("sender") == self.account
    }

    /// The person of the thread: the side that is not ours.
    fn customer(&self) -> Option<Party> {
        let is_echo = json::inner(self.value, "message").is_some_and(|message| json::is_true(message, "is_echo"));
        let id = self.id_of(if is_echo || self.is_ours() { "recipient" } else { "sender" })?;
        Some(Party { ids: vec![PartyId { id, id_type: "user_id" }], ..Party::default() })
    }

    fn heard(&self, party: Option<Party>, at: At, id: String, kind: InboundKind) -> Heard {
        let account = self.account.clone().map_or(HeardAccount::Unnamed, HeardAccount::Provider);
        Heard { channel: self.dialect.channel, account, party, occurred_at: at.ms(), provider_event_id: id, kind }
    }

    /// An id for an event that has none, from who, when and the given parts.
    fn made_id(&self, what: &str, parts: &[&str]) -> String {
        let who = |side| self.value.get(side).cloned().unwrap_or_else(|| json!({})).to_string();
        let at = self.value.get("timestamp").map(Value::to_string).unwrap_or_default();
        let (sender, recipient) = (who("sender"), who("recipient"));
        let mut all = vec![what, &sender, &recipient, &at];
        all.extend(parts);
        made_id(&all)
    }
}
