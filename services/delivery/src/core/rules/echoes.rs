//! C3: what our account said comes back. Our own settles what is uncertain; what somebody answered
//! elsewhere is told to threading.

use schemas::ids::MessageId;
use schemas::records::ReceiptStatus;

use crate::core::effect::Effect;
use crate::core::event::{Echo, Receipt};
use crate::core::rendering::{self, Part};
use crate::core::rows::{Message, part_id};
use crate::core::rules::receipts;
use crate::core::step::Step;

/// Takes one echo.
pub(crate) fn echo(step: &mut Step<'_>, echo: Echo) {
    let key = echo.provider_message_id.clone().map(|id| (echo.account.clone(), id));
    let known = key.and_then(|key| step.state.find_provider(&key)).map(|(id, no)| part_id(id, no));
    let ours = echo.message_id.or(known).or_else(|| awaited(step, &echo));
    let app = step.state.account(&echo.account).and_then(|account| account.app_id.clone());
    let is_of_our_app = app.is_some() && app == echo.app_id;
    if ours.is_none() && !is_of_our_app {
        return step.effects.push(Effect::Foreign(Box::new(echo), step.now.as_ms()));
    }
    let receipt = Receipt {
        account: echo.account,
        customer_key: Some(echo.customer_key),
        message_id: ours,
        provider_message_id: echo.provider_message_id,
        status: ReceiptStatus::Sent,
        watermark: None,
        at: echo.at,
        provider_code: None,
        detail: None,
    };
    receipts::receipt(step, receipt);
}

/// The part whose answer is outstanding, if the echo can be of it: on a platform that gives nothing
/// of ours back, the words tell.
fn awaited(step: &Step<'_>, echo: &Echo) -> Option<MessageId> {
    let head = step.state.lane(echo.customer_key)?.head?;
    let message = step.state.message(head)?;
    let is_of_account = message.asked.account() == echo.account;
    (is_of_account && message.tries > 0 && says_the_same(message, echo)).then(|| part_id(head, message.part_no()))
}

fn says_the_same(message: &Message, echo: &Echo) -> bool {
    let rendering = rendering::of(&message.asked).ok();
    let part = rendering.and_then(|rendering| rendering.parts.into_iter().nth(message.sent.len()));
    let said = echo.content.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    match part {
        Some(
            Part::Text(text) | Part::QuickReplies { text, .. } | Part::Buttons { text, .. } | Part::List { text, .. },
        ) => said == Some(text.trim()),
        Some(Part::Media(media)) => said == media.caption.as_deref().map(str::trim),
        Some(
            Part::Cards(_) | Part::Location(_) | Part::Template(_) | Part::Whole(_) | Part::Notice(_) | Part::Signal(_),
        ) => said.is_none(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds, message_id};
    use schemas::records::{Channel, Content};

    fn said(text: &str) -> Echo {
        Echo {
            account: account_key(),
            channel: Channel::Instagram,
            customer_key: asked(1, "ada").customer_key,
            provider_message_id: Some("mid.1".into()),
            content: Content::text(text),
            at: 7,
            ..Echo::default()
        }
    }

    fn hears(bench: &mut Bench, echo: Echo) -> Vec<String> {
        kinds(&bench.apply(Event::Echo(Box::new(echo))))
    }

    const UNKNOWN: Outcome = Outcome::Unknown { reason: "timeout" };

    #[test]
    fn an_echo_with_our_id_settles_an_ambiguous_send() {
        let mut bench = Bench::with(account(Channel::Facebook));
        bench.ask(asked(1, "ada"));
        bench.called(1, UNKNOWN);
        assert_eq!(hears(&mut bench, Echo { message_id: Some(message_id(1)), ..said("else") }), ["sent"]);
        assert!(bench.advance(60_000).is_empty(), "it is not sent again");
    }

    #[test]
    fn an_echo_without_it_settles_by_its_words() {
        let mut bench = Bench::with(account(Channel::Instagram));
        bench.ask(asked(1, "ada"));
        bench.called(1, UNKNOWN);
        assert_eq!(hears(&mut bench, said("message 1")), ["sent"]);
        assert_eq!(hears(&mut bench, said("message 1")), ["ignored"], "told twice");
    }

    #[test]
    fn an_echo_before_the_answer_is_the_answer() {
        let mut bench = Bench::with(account(Channel::Instagram));
        bench.ask(asked(1, "ada"));
        assert_eq!(hears(&mut bench, said("message 1")), ["sent"]);
        let accepted = Outcome::Accepted { provider_message_id: Some("mid.1".into()), rest_ms: 0 };
        assert_eq!(kinds(&bench.called(1, accepted)), ["ignored"]);
    }

    #[test]
    fn an_echo_after_the_answer_is_nothing_new() {
        let mut bench = Bench::with(account(Channel::Instagram));
        bench.ask(asked(1, "ada"));
        bench.called(1, Outcome::Accepted { provider_message_id: Some("mid.1".into()), rest_ms: 0 });
        assert_eq!(hears(&mut bench, said("message 1")), ["ignored"]);
    }

    #[test]
    fn what_somebody_answered_elsewhere_is_told_to_threading() {
        let mut bench = Bench::with(account(Channel::Instagram));
        assert_eq!(hears(&mut bench, said("from the phone")), ["foreign"]);
        bench.ask(asked(1, "ada"));
        assert_eq!(hears(&mut bench, said("from the phone")), ["foreign"], "other words than those under way");
        let mut own = account(Channel::Instagram);
        own.app_id = Some("42".into());
        bench.configure(own);
        assert!(hears(&mut bench, Echo { app_id: Some("42".into()), ..said("ours of long ago") }).is_empty());
        assert_eq!(hears(&mut bench, Echo { app_id: Some("43".into()), ..said("another app") }), ["foreign"]);
    }
}
