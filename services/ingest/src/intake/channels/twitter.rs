//! X webhooks: the Activity API (`data` with an `event_type` and a `payload`) and the older
//! Account Activity API (`for_user_id` and one array per kind of event); reference: X developer
//! documentation, "X Activity API" and "Account Activity data objects".
//!
//! Read leniently: what is missing is missing, what is unknown is kept under its own name, and no
//! item spoils its neighbours. Ids are texts throughout: they exceed 2^53.

mod message;
mod posts;
mod signals;

use schemas::records::{Channel, InboundKind};
use serde_json::{Value, json};

use crate::core::{Heard, HeardAccount, Party, PartyId};
use crate::intake::json::{self, Unreadable};
use crate::intake::reading::{At, Class, Reading, made_id, notice};

/// Event types of the Activity API that are known and hold no message; the part before the first
/// dot.
const ACCOUNT_FAMILIES: &[&str] =
    &["block", "bookmark", "follow", "like", "mute", "news", "profile", "repost", "spaces", "subscription"];
/// Keys of the Account Activity API that are known and hold no message.
const ACCOUNT_ARRAYS: &[&str] = &[
    "block_events",
    "favorite_events",
    "follow_events",
    "mute_events",
    "tweet_delete_events",
    "unblock_events",
    "unfollow_events",
    "unmute_events",
];

/// Every event of a body, in its order.
///
/// # Errors
/// [`Unreadable`] if the body is no JSON object.
pub fn read(body: &[u8]) -> Result<Vec<Reading>, Unreadable> {
    Ok(read_value(&json::object(body)?))
}

/// [`read`] of a body that is JSON already.
pub fn read_value(body: &Value) -> Vec<Reading> {
    let data = json::items(body, "data");
    if !data.is_empty() {
        return data.into_iter().flat_map(read_activity).collect();
    }
    if json::inner(body, "replay_job_status").is_some() {
        return vec![Reading { kind: Some("replay_job_status".into()), ..Reading::of(Class::NotAMessage, None) }];
    }
    let envelope = Envelope {
        account: json::text(body, "for_user_id"),
        event_type: None,
        event_uuid: None,
        users: body.get("users").unwrap_or(&Value::Null),
    };
    read_arrays(&envelope, body).unwrap_or_else(|| vec![Reading::of(Class::Unknown, envelope.account.clone())])
}

/// One delivery of the Activity API.
fn read_activity(data: &Value) -> Vec<Reading> {
    let payload = data.get("payload").unwrap_or(&Value::Null);
    let included = json::inner(data, "includes").and_then(|includes| includes.get("users"));
    let envelope = Envelope {
        account: json::inner(data, "filter").and_then(|filter| json::text(filter, "user_id")),
        event_type: json::text(data, "event_type"),
        event_uuid: json::text(data, "event_uuid"),
        users: payload.get("users").or(included).unwrap_or(&Value::Null),
    };
    if let Some(readings) = read_arrays(&envelope, payload) {
        return readings;
    }
    let event_type = envelope.event_type.as_deref().unwrap_or_default();
    let reading = match event_type.split('.').next().unwrap_or_default() {
        "dm" => match event_type {
            "dm.read" => signals::read_mark(&envelope, payload),
            "dm.indicate_typing" => signals::typing(&envelope, payload),
            _ => message::read_flat(&envelope, payload),
        },
        "chat" => message::read_encrypted(&envelope, payload),
        "post" => posts::read(&envelope, payload, event_type),
        "oauth" | "user_event" => signals::revoked(&envelope, payload, event_type),
        _ => envelope.other(event_type, payload),
    };
    vec![reading]
}

/// The arrays of the older form, which the payloads of direct messages still have; `None` if there
/// is none of them.
fn read_arrays(envelope: &Envelope<'_>, body: &Value) -> Option<Vec<Reading>> {
    type Read = fn(&Envelope<'_>, &Value) -> Reading;
    let known: [(&str, Read); 3] = [
        ("direct_message_events", message::read),
        ("direct_message_indicate_typing_events", signals::typing),
        ("direct_message_mark_read_events", signals::read_mark),
    ];
    let mut all = Vec::new();
    let mut is_known = false;
    for (key, read) in known {
        is_known |= body.get(key).is_some();
        all.extend(json::items(body, key).into_iter().map(|item| envelope.item(item, read)));
    }
    let posts = json::items(body, "tweet_create_events");
    is_known |= body.get("tweet_create_events").is_some();
    all.extend(posts.into_iter().map(|post| posts::read(envelope, post, "tweet_create_events")));
    for key in ACCOUNT_ARRAYS {
        is_known |= body.get(*key).is_some();
        all.extend(json::items(body, key).into_iter().map(|item| envelope.other(key, item)));
    }
    if let Some(event) = json::inner(body, "user_event") {
        is_known = true;
        all.push(signals::revoked(envelope, event, "user_event"));
    }
    is_known.then_some(all)
}

/// What all events of a delivery share.
struct Envelope<'a> {
    /// `for_user_id`, `filter.user_id`: the subscribed account.
    account: Option<String>,
    event_type: Option<String>,
    event_uuid: Option<String>,
    /// By id, or a list; each plain or inside `data`.
    users: &'a Value,
}

impl Envelope<'_> {
    fn item(&self, item: &Value, read: fn(&Self, &Value) -> Reading) -> Reading {
        if item.is_object() { read(self, item) } else { self.begin(Class::Unknown, item) }
    }

    /// A reading with what all events share.
    fn begin(&self, class: Class, item: &Value) -> Reading {
        let mut reading = Reading::of(class, self.account.clone());
        reading.at = at(item);
        reading.note("event_uuid", self.event_uuid.clone());
        reading
    }

    /// Something else that the account is told.
    fn other(&self, name: &str, item: &Value) -> Reading {
        let family = name.split('.').next().unwrap_or_default();
        let is_known = ACCOUNT_FAMILIES.contains(&family) || ACCOUNT_ARRAYS.contains(&name);
        let class = if name.is_empty() { Class::Unknown } else { Class::NotAMessage };
        let mut reading = self.begin(class, item);
        reading.kind = (!name.is_empty()).then(|| name.to_owned());
        if reading.at == At::Absent {
            reading.at = At::Timeless;
        }
        if is_known {
            let id = self.event_uuid.clone().unwrap_or_else(|| made_id(&[name, &item.to_string()]));
            let kind = InboundKind::AccountEvent(notice(name, item));
            let event = self.heard(None, reading.at, id, kind);
            reading.heard.push(event);
        }
        reading
    }

    fn user(&self, id: &str) -> Option<&Value> {
        let plain = |user| json::inner(user, "data").unwrap_or(user);
        match self.users {
            Value::Object(by_id) => by_id.get(id).map(plain),
            Value::Array(all) => all.iter().map(plain).find(|user| json::text(user, "id").as_deref() == Some(id)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    /// The person with this id, with what the delivery tells of them.
    fn party(&self, id: Option<&String>) -> Option<Party> {
        let id = id?;
        let user = self.user(id).unwrap_or(&Value::Null);
        Some(Party {
            ids: vec![PartyId { id: id.clone(), id_type: "user_id" }],
            display_name: json::first_text(user, &["name", "screen_name", "username"]),
            image_url: json::first_text(user, &["profile_image_url_https", "profile_image_url"]),
            ..Party::default()
        })
    }

    fn is_ours(&self, id: Option<&String>) -> bool {
        id.is_some() && id == self.account.as_ref()
    }

    fn heard(&self, party: Option<Party>, at: At, id: String, kind: InboundKind) -> Heard {
        let account = self.account.clone().map_or(HeardAccount::Unnamed, HeardAccount::Provider);
        Heard { channel: Channel::Twitter, account, party, occurred_at: at.ms(), provider_event_id: id, kind }
    }
}

/// When an event happened, by the first of its times that can be read.
fn at(item: &Value) -> At {
    let keys = ["created_timestamp", "created_at_msec", "timestamp_ms", "created_at", "date_time"];
    let told = keys.iter().find_map(|key| json::moment(item, key).or_else(|| posts::moment_in_words(item, key)));
    told.map_or(At::Absent, At::Event)
}

/// Puts the names of the sender beside their id.
fn name_sender(reading: &mut Reading, envelope: &Envelope<'_>) {
    let user = reading.sender.as_deref().and_then(|id| envelope.user(id)).unwrap_or(&Value::Null);
    reading.sender_name = json::text(user, "name");
    reading.note("sender_handle", json::first_text(user, &["screen_name", "username"]).map(|handle| json!(handle)));
}
