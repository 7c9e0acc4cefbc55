//! What a guest is shown, and what one missed who comes back: nothing left out, nothing twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use schemas::ids::{ConversationId, CustomerKey, MessageId};
use schemas::records::{Content, ConversationEvent, Direction, MessageAdded, Millis, SenderKind};

/// Conversations of one guest that are looked through for one of an id.
const CONVERSATIONS_MAX: u32 = 10_000;

/// A message's place among all of a guest: conversation by number, then sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The guest's conversation, counted from 1.
    pub number: u32,
    /// The message in it, counted from 1; 0: before the first.
    pub seq: i64,
}

impl Place {
    /// The place of a message that a guest names; `None` if the conversation is not one of theirs.
    pub fn of(customer: CustomerKey, conversation: ConversationId, seq: i64) -> Option<Self> {
        (1..=CONVERSATIONS_MAX)
            .find(|number| ConversationId::of(customer, *number) == conversation)
            .map(|number| Self { number, seq: seq.max(0) })
    }

    /// Whether nothing can stand between this and `next`: the next message, or the first of the next
    /// conversation.
    fn leads_to(self, next: Self) -> bool {
        let same = next.number == self.number && next.seq == self.seq + 1;
        same || next.number == self.number + 1 && next.seq == 1
    }
}

/// One message as a guest sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Where it stands.
    pub place: Place,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message; none where only its words are kept.
    pub message_id: Option<MessageId>,
    /// The guest's own id of it.
    pub client_id: Option<String>,
    /// From or to the guest.
    pub direction: Direction,
    /// Who said it.
    pub from: SenderKind,
    /// What.
    pub content: Content,
    /// When.
    pub at: Millis,
    /// It was refused, so that it is not shown; its place is known nevertheless.
    pub is_withheld: bool,
}

impl Shown {
    /// What a guest sees of an event.
    pub fn of(event: &ConversationEvent, added: &MessageAdded, number: u32) -> Self {
        let own = format!("{}:", event.customer_key);
        let client_id = added.provider_event_id.as_deref().and_then(|id| id.strip_prefix(&own));
        Self {
            place: Place { number, seq: event.seq },
            conversation: event.conversation_id,
            message_id: Some(added.message_id),
            client_id: client_id.map(str::to_owned),
            direction: added.direction,
            from: added.sender.kind,
            content: added.content.clone(),
            at: event.occurred_at,
            is_withheld: false,
        }
    }
}

/// What a guest missed.
#[derive(Debug, Clone, PartialEq)]
pub struct Missed {
    /// The messages, oldest first.
    pub messages: Vec<Arc<Shown>>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// What is known of a guest's conversations here.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The latest messages, oldest first.
    pub messages: VecDeque<Arc<Shown>>,
    /// The last message of the conversation that is connected now.
    pub live: Option<Place>,
    /// Messages from before are not shown any more.
    pub cleared_at: Option<Millis>,
}

impl Memory {
    /// Whether the latest place is known without asking anybody.
    pub fn knows_the_end(&self) -> bool {
        self.live.is_some() || !self.messages.is_empty()
    }

    /// The number of the latest conversation, as far as it is known here.
    pub fn number(&self) -> Option<u32> {
        let last = self.messages.back().map(|shown| shown.place.number);
        last.max(self.live.map(|place| place.number))
    }

    /// Everything after `after`, from here and from `older`, which was read elsewhere.
    pub fn missed(&self, after: Place, older: Vec<Shown>) -> Missed {
        let mut all: BTreeMap<Place, Arc<Shown>> = BTreeMap::new();
        let older = older.into_iter().map(Arc::new);
        for shown in older.chain(self.messages.iter().cloned()).filter(|shown| shown.place > after) {
            all.insert(shown.place, shown);
        }
        let mut last = after;
        let mut is_complete = true;
        for place in all.keys() {
            is_complete &= last.leads_to(*place);
            last = *place;
        }
        is_complete &= self.live.is_none_or(|live| live <= last);
        Missed { messages: all.into_values().filter(|shown| self.shows(shown)).collect(), is_complete }
    }

    /// The latest messages of one conversation before `before`, from here and from elsewhere, at
    /// most `max`, oldest first.
    pub fn page(&self, before: Place, older: Vec<Shown>, max: usize) -> Vec<Arc<Shown>> {
        let is_before = |place: Place| place.number == before.number && place < before;
        let known = self.messages.iter().filter(|shown| is_before(shown.place)).cloned();
        let older = older.into_iter().filter(|shown| is_before(shown.place)).map(Arc::new);
        let mut all: BTreeMap<Place, Arc<Shown>> = BTreeMap::new();
        for shown in older.chain(known).filter(|shown| self.shows(shown)) {
            all.insert(shown.place, shown);
        }
        let first = all.len().saturating_sub(max);
        all.into_values().skip(first).collect()
    }

    fn shows(&self, shown: &Shown) -> bool {
        !shown.is_withheld && self.cleared_at.is_none_or(|cleared_at| shown.at > cleared_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: u32, seq: i64) -> Shown {
        Shown {
            place: Place { number, seq },
            conversation: ConversationId::of(CustomerKey::default(), number),
            message_id: None,
            client_id: None,
            direction: Direction::Outbound,
            from: SenderKind::Agent,
            content: Content::text(format!("{number}.{seq}")),
            at: i64::from(number) * 100 + seq,
            is_withheld: false,
        }
    }

    fn memory(places: &[(u32, i64)], live: Option<(u32, i64)>) -> Memory {
        Memory {
            messages: places.iter().map(|(number, seq)| Arc::new(shown(*number, *seq))).collect(),
            live: live.map(|(number, seq)| Place { number, seq }),
            cleared_at: None,
        }
    }

    fn told(missed: &Missed) -> (String, bool) {
        let texts: Vec<String> = missed.messages.iter().filter_map(|shown| shown.content.text.clone()).collect();
        (texts.join(" "), missed.is_complete)
    }

    #[test]
    fn what_was_missed_is_told_once_each_and_a_gap_is_seen() {
        let after = Place { number: 1, seq: 2 };
        for (here, live, older, expected, complete) in [
            (vec![(1, 1), (1, 2), (1, 3), (1, 4)], Some((1, 4)), vec![], "1.3 1.4", true),
            (vec![(1, 2)], Some((1, 2)), vec![], "", true),
            (vec![], Some((1, 2)), vec![], "", true),
            (vec![(1, 3), (2, 1), (2, 2)], None, vec![], "1.3 2.1 2.2", true),
            (vec![(1, 4)], Some((1, 4)), vec![], "1.4", false),
            (vec![(1, 4)], Some((1, 4)), vec![(1, 2), (1, 3), (1, 4)], "1.3 1.4", true),
            (vec![], Some((1, 4)), vec![(1, 3)], "1.3", false),
            (vec![(1, 3)], Some((1, 2)), vec![], "1.3", true),
            (vec![(2, 2)], None, vec![(1, 3)], "1.3 2.2", false),
            (vec![(3, 1)], None, vec![], "3.1", false),
        ] {
            let older = older.into_iter().map(|(number, seq)| shown(number, seq)).collect();
            let missed = memory(&here, live).missed(after, older);
            assert_eq!(told(&missed), (expected.to_owned(), complete), "{here:?} {live:?}");
        }
    }

    #[test]
    fn what_was_cleared_is_not_shown_and_is_no_gap() {
        let memory = Memory { cleared_at: Some(103), ..memory(&[(1, 3), (1, 4)], None) };
        assert_eq!(told(&memory.missed(Place { number: 1, seq: 2 }, vec![])), ("1.4".to_owned(), true));
        assert_eq!(memory.page(Place { number: 1, seq: 9 }, vec![shown(1, 2)], 10).len(), 1);
    }

    #[test]
    fn what_was_refused_is_not_shown_and_is_no_gap() {
        let mut memory = memory(&[(1, 3), (1, 5)], None);
        memory.messages.insert(1, Arc::new(Shown { is_withheld: true, ..shown(1, 4) }));
        assert_eq!(told(&memory.missed(Place { number: 1, seq: 2 }, vec![])), ("1.3 1.5".to_owned(), true));
    }

    #[test]
    fn a_page_ends_before_its_mark_and_holds_the_latest() {
        let memory = memory(&[(1, 3), (1, 4), (2, 1)], None);
        let page = memory.page(Place { number: 1, seq: 4 }, vec![shown(1, 1), shown(1, 2), shown(1, 3)], 2);
        assert_eq!(page.iter().map(|shown| shown.place.seq).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn only_a_guest_s_own_conversations_have_a_place() {
        let customer = CustomerKey::default();
        let place = Place::of(customer, ConversationId::of(customer, 3), 7);
        assert_eq!(place, Some(Place { number: 3, seq: 7 }));
        assert_eq!(Place::of(customer, ConversationId::derive(&["other"]), 7), None);
    }
}
