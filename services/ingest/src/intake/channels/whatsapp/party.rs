//! Who the person is: the ids of an event, and the contact card beside it.

use serde_json::Value;

use super::Change;
use crate::core::{Party, PartyId};
use crate::intake::json;
use outreach::is_user_id;

/// An id with its type; senders put user ids where numbers belong, and numbers with a plus.
fn party_id(id: &str) -> PartyId {
    if is_user_id(id) {
        return PartyId { id: id.into(), id_type: "user_id" };
    }
    PartyId { id: id.strip_prefix('+').unwrap_or(id).into(), id_type: "phone" }
}

/// A person of these ids, numbers before user ids; `None` without any.
pub(super) fn of_ids<'a>(ids: impl IntoIterator<Item = Option<&'a String>>) -> Option<Party> {
    let mut party = Party::default();
    for id in ids.into_iter().flatten().map(|id| party_id(id)) {
        if !party.ids.contains(&id) {
            party.ids.push(id);
        }
    }
    party.ids.sort_by_key(|id| id.id_type != "phone");
    (!party.ids.is_empty()).then_some(party)
}

/// A person of these ids with the name on their contact card.
pub(super) fn named<const N: usize>(change: &Change<'_>, ids: [Option<&String>; N]) -> Option<Party> {
    let mut party = of_ids(ids)?;
    let cards = json::items(change.value, "contacts");
    let is_theirs = |card: &&Value| ids.iter().copied().flatten().any(|id| is_card_of(card, id));
    party.display_name = cards.into_iter().find(is_theirs).and_then(name_on);
    Some(party)
}

/// The sender of a message: what the message says itself, and what its contact card adds.
pub(super) struct Sender {
    /// As the platform writes it: `from`, else the user id, else the card's.
    pub(super) id: Option<String>,
    /// The user id that the message names beside `from`.
    pub(super) user_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) party: Option<Party>,
}

impl Sender {
    pub(super) fn of(change: &Change<'_>, message: &Value) -> Self {
        let from = json::text(message, "from");
        let user_id = json::text(message, "from_user_id");
        let card = card_of(change, from.as_deref(), user_id.as_deref());
        let name = card.and_then(name_on);
        let card_wa_id = card.and_then(|card| json::text(card, "wa_id"));
        let card_user_id = card.and_then(|card| json::text(card, "user_id"));
        let mut party = of_ids([from.as_ref(), user_id.as_ref(), card_wa_id.as_ref(), card_user_id.as_ref()]);
        if let Some(party) = &mut party {
            party.display_name.clone_from(&name);
        }
        let beside = from.is_some().then(|| user_id.clone()).flatten();
        Self { id: from.or(user_id).or(card_wa_id).or(card_user_id), user_id: beside, name, party }
    }
}

fn is_card_of(card: &Value, id: &str) -> bool {
    ["wa_id", "user_id"].iter().any(|key| json::text(card, key).as_deref() == Some(id))
}

fn name_on(card: &Value) -> Option<String> {
    json::inner(card, "profile").and_then(|profile| json::first_text(profile, &["name", "username"]))
}

/// The card of a sender: the one with an id of theirs; else the only one there is, provided that
/// all messages of the change are by one sender.
fn card_of<'a>(change: &Change<'a>, from: Option<&str>, user_id: Option<&str>) -> Option<&'a Value> {
    let cards = json::items(change.value, "contacts");
    let has_their_id = |card: &&&Value| [from, user_id].into_iter().flatten().any(|id| is_card_of(card, id));
    if let Some(card) = cards.iter().find(has_their_id) {
        return Some(card);
    }
    let &[card] = cards.as_slice() else {
        return None;
    };
    let messages = json::items(change.value, "messages");
    let same = |message: &&Value| {
        json::text(message, "from").as_deref() == from && json::text(message, "from_user_id").as_deref() == user_id
    };
    messages.iter().all(same).then_some(card)
}
