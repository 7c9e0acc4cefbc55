//! D4: a receipt that names a provider's id we were not told yet is kept and joined when the answer
//! tells it.

use schemas::ids::MessageId;

use crate::core::effect::Ignored;
use crate::core::event::Receipt;
use crate::core::rows::{Early, ProviderKey};
use crate::core::rules::receipts;
use crate::core::step::Step;

/// How long a receipt waits for the answer that tells whose it is.
const KEEP_MS: i64 = 600_000;
/// Receipts kept for one unknown provider id.
const RECEIPTS_MAX: usize = 8;

/// Keeps a receipt until somebody is told this provider's id.
pub(crate) fn keep(step: &mut Step<'_>, key: ProviderKey, receipt: Receipt) {
    let early = step.state.early(&key).cloned();
    let mut early = early.unwrap_or_else(|| Early { receipts: Vec::new(), forget_at: step.now.plus_ms(KEEP_MS) });
    let is_repeat = early.receipts.iter().any(|kept| kept.status == receipt.status);
    if is_repeat || early.receipts.len() >= RECEIPTS_MAX {
        return step.ignore(Ignored::Stale);
    }
    early.receipts.push(receipt);
    step.state.set_early(key, early);
}

/// Applies the receipts that came before the provider's id of this part was known.
pub(crate) fn join(step: &mut Step<'_>, id: MessageId, part_no: i64) {
    let open = step.state.message(id).map(|message| (message.asked.account(), &message.sent));
    let Some((account, parts)) =
        open.or_else(|| step.state.sent(id).map(|sent| (sent.account.clone(), &sent.past.parts)))
    else {
        return;
    };
    let part = usize::try_from(part_no - 1).ok().and_then(|place| parts.get(place));
    let key = part.and_then(|part| part.provider_message_id.clone()).map(|provider| (account, provider));
    let Some(mut early) = key.and_then(|key| step.state.take_early(&key)) else { return };
    early.receipts.sort_by_key(|receipt| (receipt.at, receipt.status));
    for receipt in early.receipts {
        receipts::about(step, id, part_no, &receipt);
    }
}

#[cfg(test)]
mod tests {
    use crate::core::event::{Event, Outcome, Receipt};
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds};
    use schemas::records::{Channel, ReceiptStatus};

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
    fn a_receipt_before_the_answer_is_kept_and_joined_by_the_providers_id() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        assert!(bench.apply(by_provider("wamid.1", ReceiptStatus::Read)).is_empty());
        assert!(bench.apply(by_provider("wamid.1", ReceiptStatus::Delivered)).is_empty());
        assert_eq!(kinds(&bench.apply(by_provider("wamid.1", ReceiptStatus::Read))), ["ignored"]);
        assert_eq!(
            kinds(&bench.called(1, Outcome::Accepted { provider_message_id: Some("wamid.1".into()), rest_ms: 0 })),
            ["sent", "delivered", "read"]
        );
    }

    #[test]
    fn a_receipt_that_nobody_claims_is_forgotten() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.apply(by_provider("wamid.9", ReceiptStatus::Read));
        bench.advance(600_000);
        assert!(bench.is_empty());
    }
}
