//! D4: a receipt that names a provider's id we were not told yet is kept and joined when the answer
//! tells it.

use schemas::ids::MessageId;

use crate::core::effect::Ignored;
use crate::core::event::Receipt;
use crate::core::rows::{Early, ProviderKey, Sent};
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

/// Applies the receipts that came before the provider's id of this message was known.
pub(crate) fn join(step: &mut Step<'_>, id: MessageId) {
    let key = step.state.sent(id).and_then(Sent::provider_key);
    let Some(mut early) = key.and_then(|key| step.state.take_early(&key)) else { return };
    early.receipts.sort_by_key(|receipt| (receipt.at, receipt.status));
    for receipt in early.receipts {
        if let Some(sent) = step.state.sent(id).cloned() {
            receipts::advance(step, id, sent, &receipt);
        }
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
            message_id: None,
            provider_message_id: Some(provider.into()),
            status,
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
            kinds(&bench.called(1, Outcome::Accepted { provider_message_id: Some("wamid.1".into()) })),
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
