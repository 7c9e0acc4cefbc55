//! C7: what we send of our own accord needs an opt-in for its purpose. STOP ends every one, and
//! nothing at all is sent until the customer writes something that can be answered. The book is
//! kept here, and every change of it looks at all that waits: what is claimed after a STOP was
//! committed has been asked against it in the same transaction.

use schemas::ids::CustomerKey;
use schemas::records::Channel;

use crate::core::event::{Asked, Consented, Refusal};
use crate::core::rows::{Consent, Message, Phase, Word};
use crate::core::rules::order;
use crate::core::step::Step;

/// The purpose that means each of them.
const ALL: &str = "all";
/// What a message is sent for that says nothing.
const USUAL: &str = "messages";
/// What the customer wants no more when the provider says that they opted out, which Meta says of
/// marketing alone.
const MARKETING: &str = "marketing";

/// Consent was given or taken back. A word that is older than the one in force changes nothing.
pub(crate) fn changed(step: &mut Step<'_>, customer: CustomerKey, told: Consented) {
    let mut consent = step.state.consent(customer).cloned().unwrap_or_default();
    let former = consent.words.get(&told.purpose);
    if former.is_some_and(|word| word.at > told.at) {
        return;
    }
    let is_all = told.purpose == ALL;
    let is_latest = consent.words.get(ALL).is_none_or(|word| word.at <= told.at);
    if is_latest && (told.granted || is_all) {
        consent.is_silent = is_all && !told.granted;
    }
    consent.words.insert(told.purpose, Word { granted: told.granted, at: told.at });
    step.state.set_consent(customer, consent);
    order::turn(step, customer);
}

/// The customer wrote: that may be answered, whatever they said before.
pub(crate) fn wrote(step: &mut Step<'_>, customer: CustomerKey) {
    if let Some(consent) = step.state.consent(customer).filter(|consent| consent.is_silent).cloned() {
        step.state.set_consent(customer, Consent { is_silent: false, ..consent });
    }
}

/// Why a message must not leave. What was handed over already is not called back.
pub(crate) fn refusal(step: &Step<'_>, message: &Message) -> Option<Refusal> {
    if matches!(message.phase, Phase::Waiting(_)) { refusal_of(step, &message.asked) } else { None }
}

/// Why something that is asked for must not leave.
pub(crate) fn refusal_of(step: &Step<'_>, asked: &Asked) -> Option<Refusal> {
    if asked.notice.is_some() {
        return None;
    }
    let consent = step.state.consent(asked.customer_key);
    if consent.is_some_and(|consent| consent.is_silent) {
        return Some(Refusal::OptedOut);
    }
    if !asked.is_of_our_own() {
        return None;
    }
    let purpose = asked.added.purpose.as_deref().unwrap_or(USUAL);
    match consent.and_then(|consent| last_word(consent, purpose)) {
        Some(Word { granted: true, .. }) => None,
        Some(Word { granted: false, .. }) => Some(Refusal::OptedOut),
        None => Some(Refusal::NoOptIn),
    }
}

/// The latest word on a purpose or on all of them; of two at one time the one that forbids.
fn last_word(consent: &Consent, purpose: &str) -> Option<Word> {
    let words = [consent.words.get(purpose), consent.words.get(ALL)].into_iter().flatten();
    words.max_by_key(|word| (word.at, !word.granted)).copied()
}

/// What the customer wants no more when the provider says so.
pub(crate) fn purpose_of(channel: Channel) -> &'static str {
    if channel == Channel::Whatsapp { MARKETING } else { USUAL }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Answer, Event, Outcome};
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::SenderKind;

    fn of_our_own(n: i64, purpose: Option<&str>) -> Asked {
        let mut asked = asked(n, "ada");
        asked.added.sender.kind = SenderKind::Api;
        asked.added.purpose = purpose.map(str::to_owned);
        asked
    }

    fn say(bench: &mut Bench, purpose: &str, granted: bool, at: i64) -> Vec<String> {
        let told = Consented { purpose: purpose.into(), granted, at };
        kinds(&bench.apply(Event::Consented(asked(1, "ada").customer_key, told)))
    }

    fn wrote(bench: &mut Bench) {
        bench.apply(Event::Wrote(asked(1, "ada").customer_key));
    }

    #[test]
    fn what_we_send_of_our_own_accord_needs_the_latest_word_to_be_yes() {
        for (words, purpose, expected) in [
            (vec![], None, "refused no_opt_in"),
            (vec![("messages", true, 1)], None, "claimed"),
            (vec![("messages", true, 1)], Some("marketing"), "refused no_opt_in"),
            (vec![("marketing", true, 1)], Some("marketing"), "claimed"),
            (vec![("marketing", true, 1), ("marketing", false, 2)], Some("marketing"), "refused opted_out"),
            (vec![("marketing", false, 2), ("marketing", true, 1)], Some("marketing"), "refused opted_out"),
            (vec![("marketing", true, 1), ("all", false, 2)], Some("marketing"), "refused opted_out"),
            (vec![("all", false, 1), ("marketing", true, 2)], Some("marketing"), "claimed"),
            (vec![("all", false, 1), ("marketing", true, 2)], None, "refused opted_out"),
            (vec![("all", false, 1), ("all", true, 2)], None, "claimed"),
            (vec![("marketing", false, 1)], None, "refused no_opt_in"),
            (vec![("all", false, 5), ("marketing", true, 4)], Some("marketing"), "refused opted_out"),
        ] {
            let mut bench = Bench::with(account(Channel::Open));
            for (purpose, granted, at) in &words {
                say(&mut bench, purpose, *granted, *at);
            }
            let found = kinds(&bench.ask(of_our_own(1, purpose)));
            assert_eq!(found.first().map(String::as_str), Some(expected), "{words:?} {purpose:?}");
        }
    }

    #[test]
    fn after_a_stop_nothing_is_sent_until_the_customer_writes_and_then_only_answers() {
        let mut bench = Bench::with(account(Channel::Open));
        say(&mut bench, "messages", true, 1);
        say(&mut bench, "all", false, 2);
        assert_eq!(kinds(&bench.ask(asked(1, "ada"))), ["refused opted_out"]);
        wrote(&mut bench);
        assert_eq!(kinds(&bench.ask(asked(2, "ada"))), ["claimed", "send"]);
        bench.called(2, Outcome::Accepted { provider_message_id: None, rest_ms: 0 });
        assert_eq!(kinds(&bench.ask(of_our_own(3, None))), ["refused opted_out"]);
    }

    #[test]
    fn guests_of_the_web_are_asked_like_everybody() {
        let web = |asked: Asked| Asked { channel: Channel::Web, ..asked };
        let mut bench = Bench::with(account(Channel::Web));
        assert_eq!(kinds(&bench.ask(web(of_our_own(1, None)))), ["refused no_opt_in"]);
        assert_eq!(kinds(&bench.ask(web(asked(2, "ada")))), ["sent"]);
        say(&mut bench, "messages", true, 1);
        assert_eq!(kinds(&bench.ask(web(of_our_own(3, None)))), ["sent"]);
        say(&mut bench, "all", false, 2);
        assert_eq!(kinds(&bench.ask(web(asked(4, "ada")))), ["refused opted_out"]);
        wrote(&mut bench);
        assert_eq!(kinds(&bench.ask(web(asked(5, "ada")))), ["sent"]);
        assert_eq!(kinds(&bench.ask(web(asked(4, "ada")))), ["ignored"], "what was refused stays so");
    }

    #[test]
    fn consent_older_than_a_stop_does_not_end_the_silence_and_a_later_one_does() {
        for (at, expected) in [(1, "refused opted_out"), (3, "claimed")] {
            let mut bench = Bench::with(account(Channel::Open));
            say(&mut bench, "all", false, 2);
            say(&mut bench, "marketing", true, at);
            assert_eq!(kinds(&bench.ask(asked(1, "ada")))[0], expected);
        }
    }

    #[test]
    fn a_stop_refuses_all_that_waits_and_calls_back_nothing_that_is_out() {
        let mut bench = Bench::with(account(Channel::Open));
        for n in 1..=4 {
            bench.ask(asked(n, "ada"));
        }
        assert_eq!(say(&mut bench, "all", false, 1), Vec::<String>::new());
        let effects = bench.called(1, Outcome::Accepted { provider_message_id: None, rest_ms: 0 });
        assert_eq!(kinds(&effects), ["sent", "refused opted_out", "refused opted_out", "refused opted_out"]);
        assert!(bench.is_empty());
    }

    #[test]
    fn a_message_that_is_tried_again_is_asked_again() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        bench.called(1, Outcome::NotSent { reason: "no_connection" });
        assert_eq!(say(&mut bench, "all", false, 1), ["refused opted_out"]);
    }

    #[test]
    fn the_providers_word_that_somebody_opted_out_is_told_on() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        let answer = Answer { status: 400, code: Some(131_050), ..Answer::default() };
        assert_eq!(kinds(&bench.called(1, Outcome::Answered(answer))), ["failed opted_out", "opted_out marketing"]);
    }
}
