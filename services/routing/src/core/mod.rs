//! Decides who handles what. Pure: events and task time in, changed rows and effects out.

mod check;
pub mod effect;
pub mod event;
pub mod index;
#[cfg(test)]
mod laws;
pub mod rows;
pub mod rules;
pub mod state;
#[cfg(test)]
pub mod testing;
pub mod turn;
mod views;

use schemas::ids::{AgentId, CommandId, ConversationId, CustomerKey, StintId, TenantId};
use schemas::records::{Millis, RoutingCommand, RoutingCommandKind};
use stream::{Machine, Timestamp};

use effect::Effect;
use event::Event;
use index::Deadline;
use rules::{abandoned, arrival, bot, configured, connection, disconnect, matching, offer, owner_away, presence};
use rules::{reentry, spoke, wrap_up};
use state::{State, WorkRow};
use turn::Turn;

/// A command asked twice within this counts once, milliseconds.
const COMMAND_MEMORY_MS: Millis = 86_400_000;
/// How many outlived commands one `apply` forgets.
const FORGET_MAX: usize = 8;

/// The rules. They have no settings of their own: configuration is state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Routing;

impl Machine for Routing {
    type State = State;
    type Event = Event;
    type Effect = Effect;

    fn apply(&self, state: &mut State, event: Event, now: Timestamp) -> Vec<Effect> {
        let cause = match &event {
            Event::Tick => format!("tick {} {:?}", now.as_ms(), state.index.deadlines.first()),
            Event::Command(command) => command.event_id.to_string(),
            Event::Configured(configured) => configured.event_id.to_string(),
        };
        let mut turn = Turn::new(state, now.as_ms(), cause);
        match event {
            Event::Tick => tick(&mut turn),
            Event::Command(command) => self::command(&mut turn, &command),
            Event::Configured(configured) => configured::apply(&mut turn, *configured),
        }
        matching::settle(&mut turn);
        views::show(&mut turn);
        turn.into_effects()
    }

    fn next_deadline(&self, state: &State) -> Option<Timestamp> {
        state.index.deadlines.first().map(|(at, _)| Timestamp::from_ms(*at))
    }
}

/// Who asked, and about what.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// The ask.
    pub command_id: CommandId,
    /// About which conversation.
    pub conversation: Option<ConversationId>,
    /// About which stint; null: the present one.
    pub stint: Option<StintId>,
    /// About which customer.
    pub customer_key: Option<CustomerKey>,
    /// Who asked, if an agent.
    pub agent: Option<&'a AgentId>,
    /// When it was written, by task time of its writer.
    pub recorded_at: Millis,
}

impl<'a> Asked<'a> {
    fn of(command: &'a RoutingCommand) -> Self {
        Self {
            tenant: &command.tenant,
            command_id: command.command_id,
            conversation: command.conversation_id,
            stint: command.stint_id,
            customer_key: command.customer_key,
            agent: asker(&command.kind),
            recorded_at: command.recorded_at,
        }
    }

    /// The live stint it is about.
    pub fn work(&self, turn: &Turn<'_>) -> Option<WorkRow> {
        let row = turn.state.work.get(&self.conversation?)?;
        let is_meant = row.facts.tenant == *self.tenant && self.stint.is_none_or(|stint| stint == row.facts.stint);
        is_meant.then(|| row.clone())
    }
}

fn command(turn: &mut Turn<'_>, command: &RoutingCommand) {
    let asked = Asked::of(command);
    welcome(turn, asked.tenant);
    if is_repeat(turn, command) {
        return turn.push(Effect::Repeated);
    }
    match &command.kind {
        RoutingCommandKind::WorkArrived(arrived) => arrival::take_in(turn, &asked, arrived),
        RoutingCommandKind::Spoke(spoke) => spoke::heard(turn, &asked, spoke),
        RoutingCommandKind::CustomerLeft(left) => abandoned::customer_left(turn, &asked, left),
        RoutingCommandKind::ConnectionsHeld(held) => connection::held(turn, &asked, held),
        RoutingCommandKind::ConnectionLost(change) => connection::lost(turn, &asked, change),
        RoutingCommandKind::ConnectionBack(change) => connection::back(turn, &asked, change),
        RoutingCommandKind::SetPresence(set) => presence::set(turn, &asked, set),
        RoutingCommandKind::Accept(ask) => offer::accept(turn, &asked, ask),
        RoutingCommandKind::Decline(ask) => offer::decline(turn, &asked, ask),
        RoutingCommandKind::Disconnect(ask) => disconnect::ask(turn, &asked, ask),
        RoutingCommandKind::WrapUp(ask) => wrap_up::ask(turn, &asked, ask),
        RoutingCommandKind::BotTurnFinished(result) => bot::finished(turn, &asked, result),
        RoutingCommandKind::Focus(_)
        | RoutingCommandKind::Unfocus(_)
        | RoutingCommandKind::Hold(_)
        | RoutingCommandKind::Resume(_)
        | RoutingCommandKind::Park(_)
        | RoutingCommandKind::Unpark(_)
        | RoutingCommandKind::Transfer(_)
        | RoutingCommandKind::Consult(_)
        | RoutingCommandKind::CompleteConsult(_)
        | RoutingCommandKind::CancelConsult(_)
        | RoutingCommandKind::TakeOver(_)
        | RoutingCommandKind::Reassign(_)
        | RoutingCommandKind::EndAny(_)
        | RoutingCommandKind::SetLoad(_)
        | RoutingCommandKind::SendFailed(_)
        | RoutingCommandKind::Erase(_)
        | RoutingCommandKind::DataActionFinished(_)
        | RoutingCommandKind::Unknown(_) => turn.refuse(&asked, "not_supported"),
    }
}

/// Fires everything due, in order; each rule removes its own deadline.
fn tick(turn: &mut Turn<'_>) {
    while let Some((_, deadline)) = turn.state.index.deadlines.first().filter(|(at, _)| *at <= turn.now).cloned() {
        match deadline {
            Deadline::Offer(id) => offer::expire(turn, id),
            Deadline::Held(id) => matching::release_held(turn, id),
            Deadline::Declined(id) => offer::rest_is_over(turn, id),
            Deadline::Patience(id) => abandoned::patience_ran_out(turn, id),
            Deadline::Bot(id) => bot::lost(turn, id),
            Deadline::WrapUp(id) => wrap_up::run_out(turn, id),
            Deadline::Reentry(id) => reentry::release(turn, id),
            Deadline::Away(id) => owner_away::act(turn, id),
            Deadline::Gateway(key) => connection::gateway_silent(turn, &key),
            Deadline::Missing(key, gateway) => connection::unlink(turn, &key, &gateway),
        }
    }
}

/// The first command of a tenant makes this partition speak for its queues.
fn welcome(turn: &mut Turn<'_>, tenant: &TenantId) {
    let row = turn.state.tenants.get(tenant).cloned().unwrap_or_default();
    if !row.active {
        turn.queues.extend(turn.state.queues_of(tenant).into_iter().map(|queue| (tenant.clone(), queue)));
        turn.state.tenants.put(tenant.clone(), state::TenantRow { active: true, ..row });
    }
}

/// Whether a command was decided before. Messages are told apart by their sequence number, and
/// heartbeats say the same twice without harm.
fn is_repeat(turn: &mut Turn<'_>, command: &RoutingCommand) -> bool {
    if matches!(command.kind, RoutingCommandKind::Spoke(_) | RoutingCommandKind::ConnectionsHeld(_)) {
        return false;
    }
    for _ in 0..FORGET_MAX {
        match turn.state.index.decided.first().filter(|(at, _)| at + COMMAND_MEMORY_MS <= turn.now).copied() {
            Some((at, id)) => {
                turn.state.index.command(id, at, -1);
                turn.state.commands.remove(&id);
            }
            None => break,
        }
    }
    if turn.state.commands.contains(&command.command_id) {
        return true;
    }
    turn.state.commands.put(command.command_id, turn.now);
    turn.state.index.command(command.command_id, turn.now, 1);
    false
}

fn asker(kind: &RoutingCommandKind) -> Option<&AgentId> {
    match kind {
        RoutingCommandKind::SetPresence(ask) => Some(&ask.agent_id),
        RoutingCommandKind::Accept(ask)
        | RoutingCommandKind::Decline(ask)
        | RoutingCommandKind::Focus(ask)
        | RoutingCommandKind::Unfocus(ask)
        | RoutingCommandKind::Hold(ask)
        | RoutingCommandKind::Resume(ask)
        | RoutingCommandKind::Unpark(ask)
        | RoutingCommandKind::CompleteConsult(ask)
        | RoutingCommandKind::CancelConsult(ask)
        | RoutingCommandKind::Disconnect(ask)
        | RoutingCommandKind::TakeOver(ask)
        | RoutingCommandKind::EndAny(ask) => Some(&ask.agent_id),
        RoutingCommandKind::Park(ask) => Some(&ask.agent_id),
        RoutingCommandKind::Transfer(ask) | RoutingCommandKind::Consult(ask) | RoutingCommandKind::Reassign(ask) => {
            Some(&ask.agent_id)
        }
        RoutingCommandKind::WrapUp(ask) => Some(&ask.agent_id),
        RoutingCommandKind::SetLoad(ask) => Some(&ask.agent_id),
        RoutingCommandKind::ConnectionLost(change) | RoutingCommandKind::ConnectionBack(change) => {
            Some(&change.agent_id)
        }
        RoutingCommandKind::WorkArrived(_)
        | RoutingCommandKind::Spoke(_)
        | RoutingCommandKind::CustomerLeft(_)
        | RoutingCommandKind::SendFailed(_)
        | RoutingCommandKind::ConnectionsHeld(_)
        | RoutingCommandKind::Erase(_)
        | RoutingCommandKind::BotTurnFinished(_)
        | RoutingCommandKind::DataActionFinished(_)
        | RoutingCommandKind::Unknown(_) => None,
    }
}
