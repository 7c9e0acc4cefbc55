//! T2, T3, T7: a stint begins, of a new conversation or of one that rests; because the customer wrote, or
//! because an agent wrote first.

use super::joining::{Place, place};
use super::{closing, contact, session};
use crate::core::desk::Desk;
use crate::core::event::Owner;
use crate::core::pending::Beginning;
use crate::core::state::{Phase, Standing, Stint, Turn, conversation_id};
use schemas::ids::{AgentId, QueueId};
use schemas::records::{
    Cause, Content, ConversationEventKind, Customer, Initiator, Opened, Reopened, RoutingCommandKind, Target,
    WorkArrived,
};

/// An agent writes first: a stint that begins with them, of a new conversation or of one that rests.
pub(crate) fn by_agent(desk: &mut Desk<'_>, customer: Customer) {
    match place(desk) {
        Place::Grace | Place::Reopened => reopen(desk, customer, (Initiator::Agent, Cause::Outbound)),
        Place::New | Place::Stint => open(desk, customer, Initiator::Agent, None),
    }
}

/// Tells routing of a stint that an agent began: it is for them, and brings no words of the customer's.
pub(crate) fn tell_begun(desk: &mut Desk<'_>, target: Option<Target>) {
    let beginning = Beginning { target, ..Beginning::default() };
    tell_arrived(desk, None, beginning);
}

/// A new conversation and its first stint.
pub(crate) fn open(desk: &mut Desk<'_>, customer: Customer, initiator: Initiator, entry_point: Option<String>) {
    let opened = new_conversation(desk, customer.clone(), initiator, entry_point);
    begin_stint(desk, customer);
    let stint_id = desk.stint().map(|stint| stint.stint_id);
    desk.say(stint_id, ConversationEventKind::Opened(Box::new(opened)));
}

/// A new conversation in place of the former one, still without a stint.
pub(crate) fn new_conversation(
    desk: &mut Desk<'_>,
    customer: Customer,
    initiator: Initiator,
    entry_point: Option<String>,
) -> Opened {
    closing::close_if_resting(desk);
    let mut thread = desk.thread_or_new();
    let predecessor =
        (thread.conversations > 0).then(|| conversation_id(desk.context.customer_key, thread.conversations));
    thread.conversations += 1;
    (thread.stints, thread.seq, thread.owner_epoch) = (0, 0, 0);
    (thread.last_agent, thread.last_queue) = (0, 0);
    thread.opened_at = desk.now;
    desk.put_thread(thread);
    Opened { customer, predecessor, initiator, entry_point, is_new_customer: predecessor.is_none() }
}

/// A new stint of the conversation that rests.
pub(crate) fn reopen(desk: &mut Desk<'_>, customer: Customer, (initiator, cause): (Initiator, Cause)) {
    begin_stint(desk, customer);
    let stint_no = desk.thread().map_or(0, |thread| i64::from(thread.stints));
    let stint_id = desk.stint().map(|stint| stint.stint_id);
    let reopened = Reopened { stint_no, initiator, cause };
    desk.say(stint_id, ConversationEventKind::Reopened(reopened));
}

fn begin_stint(desk: &mut Desk<'_>, customer: Customer) {
    let mut thread = desk.thread_or_new();
    thread.stints += 1;
    thread.standing = Standing::Connected;
    let stint_id = thread.stint_id(desk.context.customer_key).expect("it has a stint now");
    desk.put_thread(thread);
    let session_ends_at = session::ends_at(desk.state, &thread);
    desk.put_stint(Stint {
        stint_id,
        phase: Phase::Live,
        started_at: desk.now,
        customer,
        owner: Owner::nobody(),
        turn: Turn::Nobody,
        is_answered: false,
        customer_seq: 0,
        session_ends_at,
    });
}

/// Tells routing of the stint, with what was said.
pub(crate) fn tell_arrived(desk: &mut Desk<'_>, content: Option<Content>, beginning: Beginning) {
    let (Some(thread), Some(stint)) = (desk.thread(), desk.stint()) else { return };
    let (stint_id, customer) = (stint.stint_id, stint.customer.clone());
    let returning = thread.stints > 1;
    let arrived = WorkArrived {
        seq: i64::from(thread.seq),
        owner_epoch: thread.owner_epoch,
        channel: desk.context.channel,
        account_id: desk.context.account_id.clone(),
        customer_name: contact::name_of(&customer),
        language: customer.locale,
        returning,
        is_new_customer: thread.conversations == 1 && !returning,
        stint_no: i64::from(thread.stints),
        last_agent: desk.state.id_of(thread.last_agent).map(AgentId::new),
        last_queue: desk.state.id_of(thread.last_queue).map(QueueId::new),
        target: beginning.target,
        attributes: desk.state.attributes.get(&desk.context.customer_key).cloned().unwrap_or_default(),
        entry_point: beginning.entry_point,
        content,
    };
    desk.tell(stint_id, RoutingCommandKind::WorkArrived(Box::new(arrived)));
}
