//! F4: a bot is asked until it answers, cannot, or its time is over; one answer counts, whichever way
//! and however often it comes.

use crate::core::bots::{
    Bot, BotCall, BotCallEnded, BotKey, BotOutcome, CalledBack, TurnAsked, TurnFinished, TurnPhase, TurnRow,
};
use crate::core::effect::{Effect, Ignored};
use crate::core::event::AccountKey;
use crate::core::step::Step;
use schemas::ids::MessageId;
use schemas::records::Channel;

/// Waits before each call of the same turn after the first, milliseconds; the last one repeats.
const WAITS_MS: &[i64] = &[500, 2_000, 5_000];
/// How long a turn is remembered after its end: longer than anybody repeats an answer.
const KEEP_MS: i64 = 24 * 3_600_000;
/// The longest time that a turn can be given.
const TIMEOUT_MS_MAX: i64 = 3_600_000;

/// A bot was configured, changed or removed. Turns under way go on as they began.
pub(crate) fn configured(step: &mut Step<'_>, key: BotKey, bot: Option<Bot>) {
    step.state.set_bot(key, bot);
}

/// Routing asks for a turn; the same one twice is one.
pub(crate) fn asked(step: &mut Step<'_>, asked: TurnAsked) {
    let id = asked.turn_id;
    if step.state.turn(id).is_some() {
        return step.ignore(Ignored::Repeated);
    }
    let deadline = step.now.plus_ms(asked.timeout_ms.clamp(1, TIMEOUT_MS_MAX));
    step.state.set_turn(id, Some(TurnRow { asked, tries: 0, deadline, phase: TurnPhase::Waiting(step.now) }));
    call(step, id);
}

/// A call ended.
pub(crate) fn ended(step: &mut Step<'_>, ended: BotCallEnded) {
    let is_meant = |row: &&TurnRow| row.phase == TurnPhase::Out && row.tries == ended.try_no;
    let Some(mut row) = step.state.turn(ended.turn_id).filter(is_meant).cloned() else {
        return step.ignore(Ignored::Repeated);
    };
    match ended.outcome {
        BotOutcome::Answered(body) => finish(step, row, "answered", body),
        BotOutcome::Later => {
            row.phase = TurnPhase::Awaited;
            step.state.set_turn(ended.turn_id, Some(row));
        }
        BotOutcome::Refused { reason } => finish(step, row, "failed", why(reason)),
        BotOutcome::Failed { reason } => {
            let place = usize::try_from(row.tries - 1).unwrap_or(usize::MAX).min(WAITS_MS.len() - 1);
            let at = ended.at.plus_ms(WAITS_MS[place]);
            if at >= row.deadline {
                return finish(step, row, "failed", why(reason));
            }
            row.phase = TurnPhase::Waiting(at);
            step.state.set_turn(ended.turn_id, Some(row));
        }
    }
}

/// The bot answered by itself: before our call came back, after, twice, or too late.
pub(crate) fn called_back(step: &mut Step<'_>, called: CalledBack) {
    let is_open = |row: &&TurnRow| row.asked.tenant == called.tenant && !matches!(row.phase, TurnPhase::Over(_));
    let Some(row) = step.state.turn(called.turn_id).filter(is_open).cloned() else {
        return step.ignore(Ignored::Stale);
    };
    match called.body {
        Some(body) => finish(step, row, "answered", body),
        None => finish(step, row, "failed", why("unreadable_answer")),
    }
}

/// What is due: calls again, turns whose time is over, turns to be forgotten.
pub(crate) fn tick(step: &mut Step<'_>) {
    while let Some(id) = step.state.due_turn(step.now) {
        let Some(row) = step.state.turn(id).cloned() else { return };
        match row.phase {
            TurnPhase::Over(_) => step.state.set_turn(id, None),
            _ if row.deadline <= step.now => finish(step, row, "timed_out", why("timeout")),
            TurnPhase::Waiting(_) => call(step, id),
            TurnPhase::Out | TurnPhase::Awaited => return,
        }
    }
}

fn call(step: &mut Step<'_>, id: MessageId) {
    let Some(mut row) = step.state.turn(id).cloned() else { return };
    let Some(bot) = step.state.bot(&(row.asked.tenant.clone(), row.asked.bot.clone())).cloned() else {
        return finish(step, row, "failed", why("unknown_bot"));
    };
    row.tries += 1;
    row.phase = TurnPhase::Out;
    let left_ms = row.deadline.ms_since(step.now).max(1);
    step.effects.push(Effect::CallBot(Box::new(BotCall { asked: row.asked.clone(), try_no: row.tries, left_ms, bot })));
    step.state.set_turn(id, Some(row));
}

fn finish(step: &mut Step<'_>, mut row: TurnRow, outcome: &'static str, body: String) {
    let id = row.asked.turn_id;
    let account = row.asked.account_id.clone();
    let account = account.map(|account| AccountKey { tenant: row.asked.tenant.clone(), account });
    let channel = account.and_then(|key| step.state.account(&key).map(|account| account.channel));
    let (asked, tries, at) = (row.asked.clone(), row.tries, step.now);
    let channel = channel.unwrap_or(Channel::Unknown);
    step.effects.push(Effect::Turned(Box::new(TurnFinished { asked, channel, tries, at, outcome, body })));
    row.asked.body = String::new();
    row.phase = TurnPhase::Over(step.now.plus_ms(KEEP_MS));
    step.state.set_turn(id, Some(row));
}

fn why(reason: &str) -> String {
    format!(r#"{{"error":"{reason}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::rules::support::{Bench, account, kinds, message_id};

    fn bench() -> Bench {
        let mut bench = Bench::with(account(Channel::Open));
        let bot = Bot { url: "https://bot.example".into(), ..Bot::default() };
        bench.apply(Event::BotConfigured(("acme".into(), "clerk".into()), Some(Box::new(bot))));
        bench
    }

    fn turn(bot: &str) -> TurnAsked {
        TurnAsked {
            turn_id: message_id(1),
            tenant: "acme".into(),
            routing_domain: "acme".into(),
            customer_key: Default::default(),
            conversation_id: None,
            stint_id: None,
            account_id: Some("main".into()),
            bot: bot.into(),
            body: "{}".into(),
            timeout_ms: 10_000,
        }
    }

    fn ask(bench: &mut Bench) -> Vec<String> {
        kinds(&bench.apply(Event::TurnAsked(Box::new(turn("clerk")))))
    }

    fn end(bench: &mut Bench, outcome: BotOutcome) -> Vec<String> {
        let try_no = bench.driver_state().turn(message_id(1)).map_or(1, |row| row.tries);
        let at = bench.now;
        kinds(&bench.apply(Event::BotCalled(BotCallEnded { turn_id: message_id(1), try_no, at, outcome })))
    }

    fn call_back(bench: &mut Bench, tenant: &str, body: Option<&str>) -> Vec<String> {
        let (tenant, body) = (tenant.into(), body.map(str::to_owned));
        kinds(&bench.apply(Event::CalledBack(CalledBack { tenant, turn_id: message_id(1), body })))
    }

    fn answered() -> BotOutcome {
        BotOutcome::Answered("{}".into())
    }

    #[test]
    fn an_answer_at_once_ends_the_turn_and_the_same_turn_asked_again_is_none() {
        let mut bench = bench();
        assert_eq!(ask(&mut bench), ["call bot 1"]);
        assert_eq!(ask(&mut bench), ["ignored"]);
        assert_eq!(end(&mut bench, answered()), ["turned answered"]);
        assert_eq!(end(&mut bench, answered()), ["ignored"]);
        assert_eq!(ask(&mut bench), ["ignored"]);
    }

    #[test]
    fn an_answer_by_callback_counts_once_before_or_after_the_call_came_back() {
        let mut bench = bench();
        ask(&mut bench);
        assert!(end(&mut bench, BotOutcome::Later).is_empty());
        assert_eq!(call_back(&mut bench, "other", Some("{}")), ["ignored"], "another tenant's endpoint");
        assert_eq!(call_back(&mut bench, "acme", Some("{}")), ["turned answered"]);
        assert_eq!(call_back(&mut bench, "acme", Some("{}")), ["ignored"], "twice");
        let mut early = self::bench();
        ask(&mut early);
        assert_eq!(call_back(&mut early, "acme", Some("{}")), ["turned answered"]);
        assert_eq!(end(&mut early, BotOutcome::Later), ["ignored"]);
        let mut wrong = self::bench();
        ask(&mut wrong);
        assert_eq!(call_back(&mut wrong, "acme", None), ["turned failed"]);
    }

    #[test]
    fn a_turn_whose_time_is_over_is_told_and_a_late_answer_is_nothing() {
        for outcome in [None, Some(BotOutcome::Later)] {
            let mut bench = bench();
            ask(&mut bench);
            outcome.into_iter().for_each(|outcome| assert!(end(&mut bench, outcome).is_empty()));
            assert!(bench.advance(9_999).is_empty());
            assert_eq!(kinds(&bench.advance(1)), ["turned timed_out"]);
            assert_eq!(call_back(&mut bench, "acme", Some("{}")), ["ignored"]);
            assert_eq!(end(&mut bench, answered()), ["ignored"]);
        }
    }

    #[test]
    fn a_bot_that_is_away_is_asked_again_within_the_turns_time() {
        let failed = || BotOutcome::Failed { reason: "no_connection" };
        let mut bench = bench();
        ask(&mut bench);
        for (wait_ms, expected) in [(500, "call bot 2"), (2_000, "call bot 3"), (5_000, "call bot 4")] {
            assert!(end(&mut bench, failed()).is_empty());
            assert_eq!(kinds(&bench.advance(wait_ms)), [expected]);
        }
        assert_eq!(end(&mut bench, failed()), ["turned failed"], "the next call would be too late");
    }

    #[test]
    fn a_refusal_and_an_unknown_bot_end_the_turn() {
        let mut bench = bench();
        ask(&mut bench);
        assert_eq!(end(&mut bench, BotOutcome::Refused { reason: "unreadable_answer" }), ["turned failed"]);
        let unknown = self::bench().apply(Event::TurnAsked(Box::new(turn("nobody"))));
        assert_eq!(kinds(&unknown), ["turned failed"]);
    }

    #[test]
    fn a_turn_is_forgotten_in_the_end() {
        let mut bench = bench();
        ask(&mut bench);
        end(&mut bench, answered());
        bench.advance(KEEP_MS);
        assert!(bench.driver_state().next_deadline().is_none());
    }
}
