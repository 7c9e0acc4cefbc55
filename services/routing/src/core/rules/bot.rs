//! F4: a bot greets the customers of an account that names one. It owns the stint as a flow does, gets
//! one turn after the other, and hands over to the account's queue when it is done, asked to, at a
//! loss, late, or unavailable.
//!
//! What the customer says while a turn is out waits for the next one. A bot that answers too late answers
//! nobody: its turn is over, and its epoch with it.

use schemas::ids::{ConversationId, EventId, MessageId};
use schemas::records::{
    BotAnswer, BotNext, BotTurn, Cause, Connect, Content, ConversationCommandKind, DeliveryRequest,
    DeliveryRequestKind, FlowMark, OutsideCall, OwnerKind, RoutingEventKind, RoutingTurnResult, SegmentKind,
    SendMessage, Sender, SenderKind, SetAttributes, Spoke, WorkArrived,
};

use super::{disconnect, facts, requeue};
use crate::core::Asked;
use crate::core::effect::Effect;
use crate::core::state::{BotStage, BotTurnOut, Facts, Stage, State, WorkRow};
use crate::core::turn::{Dims, Turn};

/// How much later than the bot's own time its result may come to us.
const GRACE_MS: i64 = 30_000;

/// The bot that shall greet this stint: none if somebody else is meant, or if an agent knows the customer
/// (F3).
pub fn greeter(state: &State, facts: &Facts, arrived: &WorkArrived) -> Option<String> {
    let is_for_another = arrived.target.is_some() || (arrived.returning && arrived.last_agent.is_some());
    let bot = state.account_bot(&facts.tenant, &facts.account).filter(|_| !is_for_another)?;
    state.bot(&facts.tenant, bot).map(|_| bot.to_owned())
}

/// The bot takes the stint.
pub fn begin(turn: &mut Turn<'_>, mut row: WorkRow, bot: String, content: Option<Content>) {
    row.epoch += 1;
    row.since = turn.now;
    let connect = Connect {
        stint_id: row.facts.stint,
        owner_kind: OwnerKind::Flow,
        owner_id: bot.clone(),
        queue_id: None,
        part_id: None,
        owner_epoch: row.epoch,
        cause: Cause::CustomerMessage,
    };
    turn.tell(&row.facts, ConversationCommandKind::Connect(connect));
    let stage = BotStage { bot, since: turn.now, turns: 0, out: None, said: content };
    ask(turn, row, stage);
}

/// The customer says something to the bot.
pub fn heard(turn: &mut Turn<'_>, mut row: WorkRow, mut stage: BotStage, spoke: &Spoke) {
    row.unanswered_at = Some(spoke.at);
    stage.said = joined(stage.said.take(), spoke.content.clone());
    if stage.out.is_some() {
        return put(turn, row, stage);
    }
    ask(turn, row, stage);
}

/// Two messages that wait for one turn.
fn joined(before: Option<Content>, now: Option<Content>) -> Option<Content> {
    let (Some(before), Some(mut now)) = (before.clone(), now.clone()) else { return now.or(before) };
    let texts: Vec<String> = [before.text, now.text.take()].into_iter().flatten().collect();
    now.text = (!texts.is_empty()).then(|| texts.join("\n"));
    now.attachments = before.attachments.into_iter().chain(now.attachments).collect();
    now.payload = now.payload.or(before.payload);
    Some(now)
}

fn ask(turn: &mut Turn<'_>, row: WorkRow, mut stage: BotStage) {
    let Some(spec) = turn.state.bot(&row.facts.tenant, &stage.bot).cloned() else {
        return hand_over(turn, row, &stage, "unknown_bot");
    };
    if stage.turns >= spec.turns_max {
        return hand_over(turn, row, &stage, "too_many_turns");
    }
    stage.turns += 1;
    let (facts, now) = (&row.facts, turn.now);
    let turn_id = MessageId::derive(&[&facts.stint.to_string(), "bot turn", &stage.turns.to_string()]);
    let said = BotTurn {
        session_id: facts.stint,
        conversation_id: facts.conversation,
        turn_no: stage.turns,
        channel: facts.channel,
        account_id: facts.account.clone(),
        message: stage.said.take().unwrap_or_default(),
        customer_name: facts.customer_name.clone(),
        language: facts.language.clone(),
        returning: facts.is_reopen,
    };
    let call = OutsideCall {
        turn_id: turn_id.to_string(),
        name: stage.bot.clone(),
        body: said.to_json(),
        timeout_ms: spec.timeout_ms,
    };
    let request = DeliveryRequest {
        event_id: EventId::derive(&[&turn_id.to_string(), "asked"]),
        tenant: facts.tenant.clone(),
        occurred_at: now,
        recorded_at: now,
        routing_domain: facts.tenant.as_str().into(),
        conversation_id: Some(facts.conversation),
        stint_id: Some(facts.stint),
        account_id: Some(facts.account.clone()),
        customer_key: facts.customer_key,
        kind: DeliveryRequestKind::BotTurn(call),
    };
    turn.push(Effect::Ask(Box::new(request)));
    stage.out = Some(BotTurnOut { turn_id, until: now.saturating_add(spec.timeout_ms).saturating_add(GRACE_MS) });
    put(turn, row, stage);
}

fn put(turn: &mut Turn<'_>, mut row: WorkRow, stage: BotStage) {
    let id = row.facts.conversation;
    row.stage = Stage::Bot(Box::new(stage));
    turn.put_work(id, Some(row));
}

/// The bot answered, or could not.
pub fn finished(turn: &mut Turn<'_>, asked: &Asked<'_>, result: &RoutingTurnResult) {
    let Some(row) = asked.work(turn) else { return turn.refuse(asked, "unknown_conversation") };
    let Stage::Bot(stage) = row.stage.clone() else { return turn.refuse(asked, "turn_over") };
    let is_meant = stage.out.as_ref().is_some_and(|out| out.turn_id.to_string() == result.turn_id);
    let Some(stage) = is_meant.then_some(BotStage { out: None, ..*stage }) else {
        return turn.refuse(asked, "turn_over");
    };
    let answer = result.body.as_deref().and_then(|body| BotAnswer::read(body.as_bytes()).ok());
    let answer = answer.filter(|_| result.outcome == "answered");
    let outcome = if answer.is_none() && result.outcome == "answered" { "failed" } else { result.outcome.as_str() };
    mark(turn, &row, &stage, outcome);
    match answer {
        Some(answer) => say(turn, row, stage, answer),
        None => hand_over(turn, row, &stage, outcome),
    }
}

/// Nothing was heard of a turn for longer than it can take.
pub fn lost(turn: &mut Turn<'_>, id: ConversationId) {
    let Some(row) = turn.state.work.get(&id).cloned() else { return };
    let Stage::Bot(stage) = row.stage.clone() else { return };
    mark(turn, &row, &stage, "timed_out");
    hand_over(turn, row, &stage, "timed_out");
}

fn say(turn: &mut Turn<'_>, row: WorkRow, stage: BotStage, answer: BotAnswer) {
    let sender = Sender { kind: SenderKind::Bot, id: Some(stage.bot.clone()) };
    for content in answer.messages {
        let (sender, owner_epoch) = (sender.clone(), Some(row.epoch));
        let send = SendMessage { sender, owner_epoch, content, ..SendMessage::default() };
        turn.tell(&row.facts, ConversationCommandKind::Send(Box::new(send)));
    }
    if !answer.attributes.is_empty() {
        let set = SetAttributes { attributes: answer.attributes };
        turn.tell(&row.facts, ConversationCommandKind::SetAttributes(set));
    }
    match answer.next {
        BotNext::More | BotNext::End if stage.said.is_some() => ask(turn, row, stage),
        BotNext::More => put(turn, row, stage),
        BotNext::Done => hand_over(turn, row, &stage, "done"),
        BotNext::Agent => hand_over(turn, row, &stage, "agent_requested"),
        BotNext::Failed => hand_over(turn, row, &stage, "failed"),
        BotNext::End => leave(turn, row, &stage, Cause::FlowEnd),
    }
}

/// To the account's queue, with the next epoch.
fn hand_over(turn: &mut Turn<'_>, mut row: WorkRow, stage: &BotStage, outcome: &str) {
    end_segment(turn, &row, stage, outcome);
    row.messages_waiting = 1;
    requeue::enter(turn, row, Cause::FlowEnd);
}

/// The stint ends with the bot: never an abandon (A3).
pub fn leave(turn: &mut Turn<'_>, row: WorkRow, stage: &BotStage, cause: Cause) {
    end_segment(turn, &row, stage, cause.as_str());
    disconnect::unowned(turn, &row, Dims::default(), cause);
}

fn end_segment(turn: &mut Turn<'_>, row: &WorkRow, stage: &BotStage, outcome: &str) {
    let span = facts::Span::since(stage.since).outcome(outcome);
    facts::segment(turn, &row.facts, Dims::default(), SegmentKind::Bot, span);
}

fn mark(turn: &mut Turn<'_>, row: &WorkRow, stage: &BotStage, outcome: &str) {
    let (flow_id, step) = (stage.bot.as_str().into(), Some(stage.turns.to_string()));
    let mark = FlowMark { flow_id, version: 0, step, outcome: Some(outcome.to_owned()) };
    turn.say(&row.facts, Dims::default(), RoutingEventKind::BotTurn(mark));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testing::{Bench, secs};

    fn bench() -> Bench {
        let mut bench = Bench::simple();
        bench
            .configure_bot("clerk", r#"{"timeout_ms": 10000, "turns_max": 3}"#)
            .account_with_bot("main", "sales", "clerk");
        bench
    }

    fn answers(bench: &mut Bench, name: &str, answer: &BotAnswer) {
        bench.turn_finished(name, "answered", Some(answer.to_json()));
    }

    fn saying(text: &str, next: BotNext) -> BotAnswer {
        BotAnswer { messages: vec![Content::text(text)], next, ..BotAnswer::default() }
    }

    #[test]
    fn a_bot_greets_answers_and_hands_over_to_the_queue() {
        let mut bench = bench();
        bench.arrive("c1");
        let told = bench.connect_told().unwrap();
        assert_eq!((told.owner_kind, told.owner_id.as_str(), told.owner_epoch), (OwnerKind::Flow, "clerk", 1));
        assert_eq!((bench.turns_asked(), bench.waiting("sales")), (1, 0));
        answers(&mut bench, "c1", &saying("Which parcel?", BotNext::More));
        assert_eq!(bench.bot_said(), [(1, "Which parcel?".to_owned())]);
        bench.spoke("c1", 3, secs(5));
        assert_eq!(bench.turns_asked(), 2);
        answers(&mut bench, "c1", &saying("One moment", BotNext::Agent));
        assert_eq!(bench.waiting("sales"), 1);
        assert_eq!(bench.segment("bot").unwrap().outcome.as_deref(), Some("agent_requested"));
        assert_eq!(bench.connect_told().unwrap().owner_epoch, 2);
    }

    #[test]
    fn a_bot_that_fails_is_late_or_says_nonsense_hands_over() {
        for (outcome, body, expected) in [
            ("failed", None, "failed"),
            ("timed_out", None, "timed_out"),
            ("answered", Some("nonsense".to_owned()), "failed"),
            ("answered", Some(saying("?", BotNext::Failed).to_json()), "failed"),
            ("answered", Some(saying("bye", BotNext::Done).to_json()), "done"),
        ] {
            let mut bench = bench();
            bench.arrive("c1").turn_finished("c1", outcome, body);
            assert_eq!(bench.waiting("sales"), 1, "{outcome}");
            assert_eq!(bench.segment("bot").unwrap().outcome.as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_answer_counts_once_and_not_after_the_hand_over() {
        let mut bench = bench();
        bench.arrive("c1");
        bench.turn_finished("c1", "timed_out", None).clear();
        answers(&mut bench, "c1", &saying("too late", BotNext::More));
        assert!(bench.bot_said().is_empty());
        assert_eq!(bench.waiting("sales"), 1);
    }

    #[test]
    fn what_is_said_while_a_turn_is_out_waits_for_the_next() {
        let mut bench = bench();
        bench.arrive("c1").spoke("c1", 2, secs(1)).spoke("c1", 3, secs(2));
        assert_eq!(bench.turns_asked(), 1);
        answers(&mut bench, "c1", &saying("Hm", BotNext::More));
        assert_eq!(bench.turns_asked(), 2);
    }

    #[test]
    fn a_bot_gets_no_more_turns_than_it_may_have() {
        let mut bench = bench();
        bench.arrive("c1");
        for n in 0..2 {
            answers(&mut bench, "c1", &saying("Again?", BotNext::More));
            bench.spoke("c1", 10 + n, secs(n));
        }
        answers(&mut bench, "c1", &saying("Again?", BotNext::More));
        bench.spoke("c1", 20, secs(9));
        assert_eq!((bench.turns_asked(), bench.waiting("sales")), (3, 1));
    }

    #[test]
    fn a_turn_that_nobody_answers_for_is_given_up() {
        let mut bench = bench();
        bench.arrive_at("c1", secs(0)).advance(secs(39));
        assert_eq!(bench.waiting("sales"), 0);
        bench.advance(secs(40));
        assert_eq!(bench.waiting("sales"), 1);
    }

    #[test]
    fn leaving_a_bot_or_being_done_with_it_is_no_abandon() {
        let mut bench = bench();
        bench.arrive("c1").leave("c1", secs(3));
        assert!(bench.visit_ended().is_none() && bench.is_gone("c1"));
        let mut settled = self::bench();
        settled.arrive("c1");
        answers(&mut settled, "c1", &saying("Done!", BotNext::End));
        assert!(settled.is_gone("c1"));
        assert_eq!(settled.disconnect_told().unwrap().cause, Cause::FlowEnd);
    }

    #[test]
    fn a_customer_whom_an_agent_knows_is_not_greeted_by_the_bot() {
        let mut bench = bench();
        bench.on_queue("ada").returns("c1", "ada", secs(1));
        assert_eq!((bench.turns_asked(), bench.offered_to("c1").as_deref()), (0, Some("ada")));
    }
}
