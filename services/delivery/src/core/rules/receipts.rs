//! D4: receipts only move a message forward; one that comes before the send's answer tells what the
//! answer will be.

use schemas::ids::MessageId;
use schemas::records::{DeliveryEventKind, Failed, ReceiptStatus};
use stream::Timestamp;

use crate::core::effect::Ignored;
use crate::core::event::Receipt;
use crate::core::rows::{Message, Past, Progress, Sent, SentPart, part_id};
use crate::core::rules::{early, failures, order, outcome, watermark};
use crate::core::step::{About, Step};

/// How far a message is after a receipt; `None` if that is nothing new.
pub fn forward(progress: Progress, status: ReceiptStatus) -> Option<Progress> {
    match (progress, status) {
        (Progress::Failed | Progress::Sent, ReceiptStatus::Delivered) => Some(Progress::Delivered),
        (Progress::Failed | Progress::Sent | Progress::Delivered, ReceiptStatus::Read | ReceiptStatus::Played) => {
            Some(Progress::Read)
        }
        (Progress::Sent, ReceiptStatus::Failed) => Some(Progress::Failed),
        (Progress::Delivered | Progress::Read, ReceiptStatus::Failed | ReceiptStatus::Delivered)
        | (Progress::Read, ReceiptStatus::Read | ReceiptStatus::Played)
        | (Progress::Failed, ReceiptStatus::Failed)
        | (_, ReceiptStatus::Sent | ReceiptStatus::Deleted | ReceiptStatus::Unknown) => None,
    }
}

/// Takes one receipt.
pub(crate) fn receipt(step: &mut Step<'_>, receipt: Receipt) {
    let key = receipt.provider_message_id.clone().map(|id| (receipt.account.clone(), id));
    let named = receipt.message_id.and_then(|part| step.state.find_part(part));
    let found = named.or_else(|| key.as_ref().and_then(|key| step.state.find_provider(key)));
    let Some((id, part_no)) = found else {
        return match (key, receipt.watermark, receipt.customer_key) {
            (Some(key), _, _) if receipt.message_id.is_none() => early::keep(step, key, receipt),
            (None, Some(_), Some(customer)) => watermark::until(step, customer, &receipt),
            _ => step.ignore(Ignored::Foreign),
        };
    };
    about(step, id, part_no, &receipt);
    watermark::before(step, id, &receipt);
}

/// A receipt about this part of this message.
pub(crate) fn about(step: &mut Step<'_>, id: MessageId, part_no: i64, receipt: &Receipt) {
    let open = step.state.message(id).cloned().filter(|message| message.asked.account() == receipt.account);
    let is_settled = step.state.sent(id).is_some_and(|sent| sent.account == receipt.account);
    match open {
        Some(message) if part_no == message.part_no() => prove(step, &message, receipt),
        Some(message) if part_no < message.part_no() => note(step, message, part_no, receipt),
        Some(_) => step.ignore(Ignored::Stale),
        None if is_settled => advance(step, id, part_no, receipt),
        None => step.ignore(Ignored::Foreign),
    }
}

/// A receipt about a part whose answer we do not have tells what the answer was.
fn prove(step: &mut Step<'_>, message: &Message, receipt: &Receipt) {
    let (id, part_no) = (message.asked.added.message_id, message.part_no());
    if message.tries == 0 || matches!(receipt.status, ReceiptStatus::Deleted | ReceiptStatus::Unknown) {
        return step.ignore(Ignored::Stale);
    }
    if receipt.status == ReceiptStatus::Failed {
        let failed = failure(message.asked.channel, receipt);
        step.fail(message, receipt.at, failed);
    } else {
        outcome::accepted(step, message, receipt.provider_message_id.clone(), Timestamp::from_ms(receipt.at));
        if receipt.status != ReceiptStatus::Sent {
            about(step, id, part_no, receipt);
        }
    }
    end_settling(step, part_id(id, part_no), message.asked.customer_key);
}

/// A receipt about a part of a message of which others are still to be sent.
fn note(step: &mut Step<'_>, mut message: Message, part_no: i64, receipt: &Receipt) {
    let (id, customer) = (message.asked.added.message_id, message.asked.customer_key);
    if let Some(part) = place(part_no).and_then(|place| message.sent.get_mut(place)) {
        part.progress = forward(part.progress, receipt.status).unwrap_or(part.progress);
        if part.provider_message_id.is_none() {
            part.provider_message_id.clone_from(&receipt.provider_message_id);
        }
        step.state.set_message(id, message);
    }
    end_settling(step, part_id(id, part_no), customer);
}

fn place(part_no: i64) -> Option<usize> {
    usize::try_from(part_no - 1).ok()
}

/// Moves a part of a settled message forward, if the receipt does, and the message with the last of
/// its parts. A part that failed without being taken may have arrived after all.
pub(crate) fn advance(step: &mut Step<'_>, id: MessageId, part_no: i64, receipt: &Receipt) {
    let Some(mut sent) = step.state.sent(id).cloned() else { return };
    let (customer, old, past) = (sent.customer_key, sent.past.progress, &mut sent.past);
    let Some(place) = place(part_no).filter(|place| *place <= past.parts.len() && part_no <= past.of) else {
        return step.ignore(Ignored::Stale);
    };
    if place == past.parts.len() {
        past.parts.push(SentPart { provider_message_id: None, progress: Progress::Failed });
    }
    let part = &mut past.parts[place];
    let next = forward(part.progress, receipt.status);
    if part.provider_message_id.is_none() {
        part.provider_message_id.clone_from(&receipt.provider_message_id);
    }
    part.progress = next.unwrap_or(part.progress);
    past.progress = past.least();
    step.state.set_sent(id, sent.clone());
    if sent.past.progress != old {
        step.say(About::sent(id, &sent), receipt.at, event(&sent, receipt));
    } else if next.is_none() {
        step.ignore(Ignored::Stale);
    }
    end_settling(step, part_id(id, part_no), customer);
}

/// What receipts said of a message's parts while others were still to be sent.
pub(crate) fn say_if_failed(step: &mut Step<'_>, message: &Message, past: &Past, at: Timestamp) {
    if past.progress == Progress::Failed {
        let failed = Failed { reason: "part_failed".into(), provider_code: None, detail: None };
        step.say(About::whole(message), at.as_ms(), DeliveryEventKind::Failed(failed));
    }
}

fn event(sent: &Sent, receipt: &Receipt) -> DeliveryEventKind {
    let provider_message_id = sent.past.parts.last().and_then(|part| part.provider_message_id.clone());
    let seen = schemas::records::Receipt { provider_message_id: provider_message_id.clone(), at: receipt.at };
    match sent.past.progress {
        Progress::Failed => DeliveryEventKind::Failed(failure(sent.channel, receipt)),
        Progress::Delivered => DeliveryEventKind::Delivered(seen),
        Progress::Read => DeliveryEventKind::Read(seen),
        Progress::Sent => {
            DeliveryEventKind::Sent(schemas::records::Sent { provider_message_id, offered_choices: Vec::new() })
        }
    }
}

fn failure(channel: schemas::records::Channel, receipt: &Receipt) -> Failed {
    Failed {
        reason: failures::receipt_reason(channel, receipt.provider_code.as_deref()).into(),
        provider_code: receipt.provider_code.clone(),
        detail: receipt.detail.clone(),
    }
}

/// The next message or part need not wait for this one any longer.
fn end_settling(step: &mut Step<'_>, part: MessageId, customer: schemas::ids::CustomerKey) {
    if let Some(mut lane) = step.state.lane(customer).cloned() {
        lane.settling = lane.settling.filter(|(settling, _)| *settling != part);
        step.state.set_lane(customer, Some(lane));
        order::turn(step, customer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds, message_id};
    use schemas::records::Channel;

    fn accepted(provider: &str) -> Outcome {
        Outcome::Accepted { provider_message_id: Some(provider.into()), rest_ms: 0 }
    }

    fn by_provider(provider: &str, status: ReceiptStatus) -> Event {
        Event::Receipt(Receipt {
            account: account_key(),
            customer_key: None,
            message_id: None,
            provider_message_id: Some(provider.into()),
            status,
            watermark: None,
            at: 7,
            provider_code: None,
            detail: None,
        })
    }

    #[test]
    fn receipts_move_forward_only() {
        use Progress as P;
        use ReceiptStatus as S;
        for (progress, status, next) in [
            (P::Sent, S::Sent, None),
            (P::Sent, S::Delivered, Some(P::Delivered)),
            (P::Sent, S::Read, Some(P::Read)),
            (P::Sent, S::Failed, Some(P::Failed)),
            (P::Delivered, S::Sent, None),
            (P::Delivered, S::Delivered, None),
            (P::Delivered, S::Failed, None),
            (P::Delivered, S::Played, Some(P::Read)),
            (P::Read, S::Delivered, None),
            (P::Failed, S::Failed, None),
            (P::Failed, S::Sent, None),
            (P::Failed, S::Delivered, Some(P::Delivered)),
            (P::Failed, S::Read, Some(P::Read)),
        ] {
            assert_eq!(forward(progress, status), next, "{progress:?} then {status}");
        }
    }

    #[test]
    fn a_receipt_before_the_answer_settles_the_message_by_our_own_id() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Delivered)), ["sent", "delivered"]);
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Sent)), ["ignored"]);
        assert!(kinds(&bench.called(1, accepted("wamid.1"))).is_empty(), "the answer only names it");
        assert_eq!(kinds(&bench.apply(by_provider("wamid.1", ReceiptStatus::Read))), ["read"]);
    }

    #[test]
    fn a_failure_by_receipt_says_why_and_a_later_proof_overrules_it() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        bench.called(1, accepted("wamid.1"));
        let mut failed = bench.receipt_of(1, ReceiptStatus::Failed);
        failed.provider_code = Some("131047".into());
        assert_eq!(kinds(&bench.apply(Event::Receipt(failed))), ["failed window_closed"]);
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Delivered)), ["delivered"]);
        assert_eq!(bench.driver_state().sent(message_id(1)).unwrap().past.progress, Progress::Delivered);
    }
}
