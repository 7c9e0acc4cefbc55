//! What follows from the tables: orders to look things up in and counts, kept row by row.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::{AgentId, CommandId, ConversationId, LanguageId, PartId, QueueId, TenantId};
use schemas::records::Millis;
use stream::{Derived, Index};

use super::rules::eligibility::{self, Standing};
use super::rules::order;
use super::state::{AgentKey, AgentRow, GatewayKey, PartRow, PartStage, QueueKey, Spec, Stage, State, WorkRow};

/// Conversations of one queue that ask for the same: whoever fits one fits all.
///
/// Skills are the queue's, so the language alone tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// Whose.
    pub tenant: TenantId,
    /// Which queue.
    pub queue: QueueId,
    /// The language asked for.
    pub language: Option<LanguageId>,
}

/// What a deadline is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// An offer runs out.
    Offer(ConversationId),
    /// The wait for the last agent is over.
    Held(ConversationId),
    /// Somebody who declined may be asked again.
    Declined(ConversationId),
    /// The customer's silence counts as abandoned.
    Patience(ConversationId),
    /// Nothing was heard of a bot's turn.
    Bot(ConversationId),
    /// After-call work ends.
    WrapUp(PartId),
    /// A message during after-call work is released.
    Reentry(PartId),
    /// The owner's absence is acted on.
    Away(PartId),
    /// A gateway was silent for too long.
    Gateway(GatewayKey),
    /// A gateway no longer names an agent.
    Missing(AgentKey, String),
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Conversations of a queue in the queue and not offered.
    Waiting(QueueKey),
    /// Conversations of a queue offered.
    Alerting(QueueKey),
    /// Connected parts of a queue.
    Interacting(QueueKey),
    /// Parked parts of a queue.
    Parked(QueueKey),
    /// Members on queue.
    OnQueue(QueueKey),
    /// Members on queue without any work.
    Idle(QueueKey),
    /// Members by how they stand to a lane: `ready`, or why they cannot take its work.
    Standing(Lane, &'static str),
}

/// Numbers that come and go with rows.
#[derive(Debug, Default)]
pub struct Counts {
    counts: BTreeMap<Count, i64>,
    undo: Vec<(Count, i64)>,
    /// So many changes are sealed.
    sealed: usize,
}

impl Counts {
    /// How many.
    pub fn get(&self, what: &Count) -> i64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Members excluded from a lane, by reason.
    pub fn excluded(&self, lane: &Lane) -> BTreeMap<String, i64> {
        let of = |reason: &'static str| (reason, self.get(&Count::Standing(lane.clone(), reason)));
        let counted = eligibility::REASONS.iter().copied().map(of);
        counted.filter(|(_, n)| *n > 0).map(|(reason, n)| (reason.to_owned(), n)).collect()
    }

    fn add(&mut self, what: Count, by: i64) {
        self.shift(&what, by);
        self.undo.push((what, by));
    }

    fn shift(&mut self, what: &Count, by: i64) {
        match self.counts.get_mut(what) {
            Some(count) if *count + by == 0 => drop(self.counts.remove(what)),
            Some(count) => *count += by,
            None => drop(self.counts.insert(what.clone(), by)),
        }
    }
}

impl Derived for Counts {
    fn seal(&mut self) {
        self.sealed = self.undo.len();
    }

    fn commit(&mut self) {
        self.undo.drain(..self.sealed);
        self.sealed = 0;
    }

    fn rollback(&mut self) {
        for (what, by) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.shift(&what, -by);
        }
        self.sealed = 0;
    }

    fn rows(&self) -> usize {
        self.counts.len()
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.undo.clear();
        self.sealed = 0;
    }
}

/// Every index.
#[derive(Debug, Default)]
pub struct Indexes {
    /// When to wake up, and why.
    pub deadlines: Index<(Millis, Deadline)>,
    /// Waiting conversations in queue order.
    pub line: Index<(QueueKey, order::Rank, ConversationId)>,
    /// Waiting conversations anybody may take, in queue order within their lane.
    pub lanes: Index<(Lane, order::Rank, ConversationId)>,
    /// Waiting conversations kept for an agent.
    pub held: Index<(AgentKey, order::Rank, ConversationId)>,
    /// Conversations in a queue by entry.
    pub entered: Index<(QueueKey, Millis, ConversationId)>,
    /// Open offers by agent.
    pub offers: Index<(AgentKey, ConversationId)>,
    /// Agents who can take a lane's work now, longest idle first.
    pub ready: Index<(Lane, Millis, AgentId)>,
    /// Queues by member.
    pub memberships: Index<(AgentKey, QueueId)>,
    /// Agents by gateway.
    pub links: Index<(GatewayKey, AgentId)>,
    /// Parts by agent.
    pub agent_parts: Index<(AgentKey, PartId)>,
    /// Parts by conversation.
    pub work_parts: Index<(ConversationId, PartId)>,
    /// Decided commands by age.
    pub decided: Index<(Millis, CommandId)>,
    /// Numbers.
    pub counts: Counts,
}

impl Indexes {
    /// All of them, for the runtime.
    pub fn all(&mut self) -> Vec<&mut dyn Derived> {
        vec![
            &mut self.deadlines,
            &mut self.line,
            &mut self.lanes,
            &mut self.held,
            &mut self.entered,
            &mut self.offers,
            &mut self.ready,
            &mut self.memberships,
            &mut self.links,
            &mut self.agent_parts,
            &mut self.work_parts,
            &mut self.decided,
            &mut self.counts,
        ]
    }

    /// Adds (`by` 1) or takes away (`by` -1) what follows from a stint.
    pub fn work(&mut self, row: &WorkRow, by: i64) {
        let id = row.facts.conversation;
        let tenant = &row.facts.tenant;
        let queue = (tenant.clone(), row.queue.clone());
        match &row.stage {
            Stage::Waiting => {
                let rank = order::rank(row);
                self.counts.add(Count::Waiting(queue.clone()), by);
                set(&mut self.line, (queue.clone(), rank, id), by);
                set(&mut self.entered, (queue, row.visit.started_at, id), by);
                self.waiting(row, rank, by);
            }
            Stage::Alerting(offer) => {
                self.counts.add(Count::Alerting(queue.clone()), by);
                set(&mut self.entered, (queue, row.visit.started_at, id), by);
                set(&mut self.offers, ((tenant.clone(), offer.agent.clone()), id), by);
                set(&mut self.deadlines, (offer.expires_at, Deadline::Offer(id)), by);
            }
            Stage::Bot(stage) => {
                if let Some(out) = &stage.out {
                    set(&mut self.deadlines, (out.until, Deadline::Bot(id)), by);
                }
            }
            Stage::With { .. } => {}
        }
    }

    fn waiting(&mut self, row: &WorkRow, rank: order::Rank, by: i64) {
        let id = row.facts.conversation;
        match (row.visit.held_until, &row.last_agent) {
            (Some(until), Some(agent)) => {
                set(&mut self.held, ((row.facts.tenant.clone(), agent.clone()), rank, id), by);
                set(&mut self.deadlines, (until, Deadline::Held(id)), by);
            }
            _ => set(&mut self.lanes, (lane_of(row), rank, id), by),
        }
        if let Some(at) = row.visit.patience_at {
            set(&mut self.deadlines, (at, Deadline::Patience(id)), by);
        }
        if let Some(at) = row.visit.declined.values().min() {
            set(&mut self.deadlines, (*at, Deadline::Declined(id)), by);
        }
    }

    /// As [`Indexes::work`], for a part.
    pub fn part(&mut self, id: PartId, row: &PartRow, by: i64) {
        let tenant = &row.facts.tenant;
        set(&mut self.agent_parts, ((tenant.clone(), row.agent.clone()), id), by);
        set(&mut self.work_parts, (row.facts.conversation, id), by);
        let queue = (tenant.clone(), row.queue.clone());
        match row.stage {
            PartStage::Talking => self.counts.add(Count::Interacting(queue), by),
            PartStage::Parked => self.counts.add(Count::Parked(queue), by),
            PartStage::WrapUp { deadline_at } => {
                if let Some(at) = deadline_at {
                    set(&mut self.deadlines, (at, Deadline::WrapUp(id)), by);
                }
            }
        }
        if let Some(at) = row.away_at {
            set(&mut self.deadlines, (at, Deadline::Away(id)), by);
        }
        if let Some(at) = row.reentry_at {
            set(&mut self.deadlines, (at, Deadline::Reentry(id)), by);
        }
    }

    /// As [`Indexes::work`], for an agent; `standings` are what the settings make of the row.
    pub fn agent(&mut self, key: &AgentKey, row: &AgentRow, standings: Vec<(Lane, Standing)>, by: i64) {
        for (gateway, missing_since) in &row.gateways {
            set(&mut self.links, ((key.0.clone(), gateway.clone()), key.1.clone()), by);
            if let Some(since) = missing_since {
                let at = since + super::rules::connection::SILENCE_MAX_MS;
                set(&mut self.deadlines, (at, Deadline::Missing(key.clone(), gateway.clone())), by);
            }
        }
        let mut queues = BTreeSet::new();
        for (lane, standing) in standings {
            queues.insert(lane.queue.clone());
            match standing {
                Standing::Ready => {
                    self.counts.add(Count::Standing(lane.clone(), "ready"), by);
                    set(&mut self.ready, (lane, row.idle_since, key.1.clone()), by);
                }
                Standing::Excluded(reason) => self.counts.add(Count::Standing(lane, reason), by),
            }
        }
        if eligibility::is_on_queue(row) {
            for queue in queues {
                let queue = (key.0.clone(), queue);
                if row.load.total() == 0 && !row.not_responding {
                    self.counts.add(Count::Idle(queue.clone()), by);
                }
                self.counts.add(Count::OnQueue(queue), by);
            }
        }
    }

    /// As [`Indexes::work`], for a gateway.
    pub fn gateway(&mut self, key: &GatewayKey, held_at: Millis, by: i64) {
        let at = held_at + super::rules::connection::SILENCE_MAX_MS;
        set(&mut self.deadlines, (at, Deadline::Gateway(key.clone())), by);
    }

    /// As [`Indexes::work`], for a queue's members.
    pub fn members(&mut self, key: &QueueKey, spec: &Spec, by: i64) {
        let Spec::Queue(queue) = spec else { return };
        for member in queue.members.iter().collect::<BTreeSet<_>>() {
            let agent = (key.0.clone(), AgentId::new(member));
            set(&mut self.memberships, (agent, key.1.clone()), by);
        }
    }

    /// As [`Indexes::work`], for a decided command.
    pub fn command(&mut self, id: CommandId, at: Millis, by: i64) {
        set(&mut self.decided, (at, id), by);
    }
}

/// The lane a waiting conversation stands in.
pub fn lane_of(row: &WorkRow) -> Lane {
    Lane { tenant: row.facts.tenant.clone(), queue: row.queue.clone(), language: row.visit.language.clone() }
}

/// Builds every index from the tables.
pub fn rebuild(state: &mut State) {
    let State { settings, agents, connections, work, parts, commands, index, .. } = state;
    for (key, row) in &*settings {
        if let super::state::SettingKey::Queue(tenant, queue) = key {
            index.members(&(tenant.clone(), queue.clone()), &row.spec, 1);
        }
    }
    work.iter().for_each(|(_, row)| index.work(row, 1));
    parts.iter().for_each(|(id, row)| index.part(*id, row, 1));
    connections.iter().for_each(|(key, row)| index.gateway(key, row.held_at, 1));
    commands.iter().for_each(|(id, at)| index.command(*id, *at, 1));
    let rows: Vec<(AgentKey, AgentRow)> = agents.iter().map(|(key, row)| (key.clone(), row.clone())).collect();
    for (key, row) in rows {
        let standings = eligibility::standings(state, &key, &row);
        state.index.agent(&key, &row, standings, 1);
    }
}

fn set<T: Ord + Clone>(index: &mut Index<T>, entry: T, by: i64) {
    if by > 0 {
        index.insert(entry);
    } else {
        index.remove(&entry);
    }
}
