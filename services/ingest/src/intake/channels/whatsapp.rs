//! WhatsApp Cloud API webhooks: every entry, change, message, echo, status and error of a body
//! (reference: Meta, "WhatsApp Business Platform webhooks"; shapes as of v25.0).
//!
//! Read leniently: what is missing is missing, what is unknown is kept under its own name, and no
//! item spoils its neighbours.

mod account;
mod content;
mod message;
mod party;
mod status;

use schemas::records::{Channel, InboundKind};
use serde_json::Value;

use crate::core::{Heard, HeardAccount, Party};
use crate::intake::json::{self, Moment, Unreadable};
use crate::intake::reading::{At, Class, Reading};

/// The `object` of WhatsApp's bodies.
const OBJECT: &str = "whatsapp_business_account";

/// Fields of which every item is read.
const READ_FIELDS: &[&str] =
    &["messages", "smb_message_echoes", "message_echoes", "user_preferences", "user_id_update"];

/// Every event of a body, in its order; none if the body is for another product.
///
/// # Errors
/// [`Unreadable`] if the body is no JSON object.
pub fn read(body: &[u8]) -> Result<Vec<Reading>, Unreadable> {
    Ok(read_value(&json::object(body)?))
}

/// [`read`] of a body that is JSON already.
pub fn read_value(body: &Value) -> Vec<Reading> {
    if body.get("object").is_some_and(|object| object != OBJECT) {
        return Vec::new();
    }
    json::items(body, "entry").into_iter().flat_map(read_entry).collect()
}

fn read_entry(entry: &Value) -> Vec<Reading> {
    if entry.get("changes").is_none() {
        return vec![Reading::of(Class::Unknown, json::text(entry, "id"))];
    }
    let changes = json::items(entry, "changes");
    changes.into_iter().flat_map(|item| Change::of(entry, item).read()).collect()
}

/// One item of `changes`, and what all its items share.
struct Change<'a> {
    field: Option<String>,
    value: &'a Value,
    /// `entry.id`: the WhatsApp business account, owner of several numbers.
    group: Option<String>,
    /// `metadata.phone_number_id`.
    number: Option<String>,
    entry_time: Option<Moment>,
}

impl<'a> Change<'a> {
    fn of(entry: &'a Value, item: &'a Value) -> Self {
        let value = item.get("value").unwrap_or(&Value::Null);
        Self {
            field: json::text(item, "field"),
            value,
            group: json::text(entry, "id"),
            number: json::inner(value, "metadata").and_then(|metadata| json::text(metadata, "phone_number_id")),
            entry_time: json::moment(entry, "time"),
        }
    }

    fn read(&self) -> Vec<Reading> {
        let field = self.field.as_deref().unwrap_or("messages");
        if !READ_FIELDS.contains(&field) {
            return vec![account::other_field(self, field)];
        }
        let mut all = Vec::new();
        let mut each = |key: &str, read: fn(&Self, &Value) -> Reading| {
            all.extend(json::items(self.value, key).into_iter().map(|item| {
                if item.is_object() { read(self, item) } else { Reading::of(Class::Unknown, self.account()) }
            }));
        };
        each("messages", message::read);
        each("message_echoes", message::read_echo);
        each("statuses", status::read);
        each("user_preferences", account::preference);
        each("user_id_update", account::user_id_update);
        all.extend(account::errors(self));
        all
    }

    /// What the platform calls our account: the number, else the business account.
    fn account(&self) -> Option<String> {
        self.number.clone().or_else(|| self.group.clone())
    }

    fn heard(&self, party: Option<Party>, at: At, id: String, kind: InboundKind) -> Heard {
        let account = match (&self.number, &self.group) {
            (Some(number), _) => HeardAccount::Provider(number.clone()),
            (None, Some(group)) => HeardAccount::Group(group.clone()),
            (None, None) => HeardAccount::Unnamed,
        };
        Heard { channel: Channel::Whatsapp, account, party, occurred_at: at.ms(), provider_event_id: id, kind }
    }

    fn at(&self, item: &Value) -> At {
        json::moment(item, "timestamp")
            .map(At::Event)
            .or_else(|| self.entry_time.map(At::Envelope))
            .unwrap_or(At::Absent)
    }
}
