//! Bots and their turns.

use schemas::ids::MessageId;
use stream::Timestamp;

use super::{Deliveries, ExtendOne};
use crate::core::bots::{Bot, BotKey, TurnPhase, TurnRow};

/// When something is due about a turn. A call that is out may be lost with its process: its time is
/// over all the same.
fn due(id: MessageId, row: &TurnRow) -> (Timestamp, MessageId) {
    match row.phase {
        TurnPhase::Waiting(at) => (at.min(row.deadline), id),
        TurnPhase::Out | TurnPhase::Awaited => (row.deadline, id),
        TurnPhase::Over(at) => (at, id),
    }
}

impl Deliveries {
    /// A bot.
    pub fn bot(&self, key: &BotKey) -> Option<&Bot> {
        self.bots.get(key)
    }

    /// Sets or removes a bot.
    pub fn set_bot(&mut self, key: BotKey, bot: Option<Bot>) {
        match bot {
            Some(bot) => drop(self.bots.put(key, bot)),
            None => drop(self.bots.remove(&key)),
        }
    }

    /// A turn.
    pub fn turn(&self, id: MessageId) -> Option<&TurnRow> {
        self.turns.get(&id)
    }

    /// All turns.
    pub fn all_turns(&self) -> impl Iterator<Item = (&MessageId, &TurnRow)> {
        self.turns.iter()
    }

    /// Sets, changes or forgets a turn.
    pub fn set_turn(&mut self, id: MessageId, row: Option<TurnRow>) {
        if let Some(old) = self.turns.remove(&id) {
            self.turns_due.remove(&due(id, &old));
        }
        if let Some(row) = row {
            self.turns_due.insert(due(id, &row));
            self.turns.put(id, row);
        }
    }

    /// A turn about which something is due.
    pub fn due_turn(&self, now: Timestamp) -> Option<MessageId> {
        self.turns_due.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    pub(super) fn rebuild_turns(&mut self) {
        for (id, row) in &self.turns {
            self.turns_due.extend_one(Some(due(*id, row)));
        }
    }

    pub(super) fn check_turns(&self) -> Result<(), String> {
        let (rows, indexed) = (self.turns.len(), self.turns_due.len());
        if rows == indexed { Ok(()) } else { Err(format!("{rows} turns have {indexed} deadlines")) }
    }
}
