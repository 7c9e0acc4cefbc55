//! `channel.inbound`: receipts and echoes of our messages; whatever opens a reply window.

use schemas::ids::{KeySecret, MessageId, OutwardId};
use schemas::records::{InboundEvent, InboundKind, InboundReceipt, ReceiptStatus};
use stream::Reject;

use crate::core::event::{AccountKey, Event, Heard, Receipt};

pub(super) fn read(secret: &KeySecret, event: InboundEvent) -> Result<Option<Event>, Reject> {
    match &event.kind {
        InboundKind::Receipt(receipt) => receipt_of(secret, &event, receipt.clone()).map(Some),
        InboundKind::Echo(echo) => {
            let ours = ours(secret, &event, echo.callback_data.as_deref());
            let provider_message_id = Some(event.provider_event_id.clone()).filter(|id| !id.is_empty());
            let told = InboundReceipt { status: ReceiptStatus::Sent, provider_message_id, ..InboundReceipt::default() };
            ours.map(|_| {
                receipt_of(secret, &event, InboundReceipt { callback_data: echo.callback_data.clone(), ..told })
            })
            .transpose()
        }
        InboundKind::Message(_)
        | InboundKind::Postback(_)
        | InboundKind::Reaction(_)
        | InboundKind::Edit(_)
        | InboundKind::Delete(_)
        | InboundKind::Typing(_)
        | InboundKind::Presence(_)
        | InboundKind::OptIn(_)
        | InboundKind::OptOut(_)
        | InboundKind::Referral(_)
        | InboundKind::Handover(_)
        | InboundKind::AccountEvent(_)
        | InboundKind::BotTurnResult(_)
        | InboundKind::Unsupported(_)
        | InboundKind::Unknown(_) => Ok(event
            .customer_key
            .zip(event.window_ends_at)
            .map(|(customer_key, window_ends_at)| Event::Heard(Heard { customer_key, window_ends_at }))),
    }
}

fn receipt_of(secret: &KeySecret, event: &InboundEvent, told: InboundReceipt) -> Result<Event, Reject> {
    let Some(account) = event.account_id.clone() else {
        return Err(Reject::new("no_account", "expected the account of a receipt, found none"));
    };
    Ok(Event::Receipt(Receipt {
        account: AccountKey { tenant: event.tenant.clone(), account },
        message_id: ours(secret, event, told.callback_data.as_deref()),
        provider_message_id: told.provider_message_id,
        status: told.status,
        at: event.occurred_at,
        provider_code: told.provider_code,
        detail: told.detail,
    }))
}

/// Our id in what came back, if we gave it for this customer.
fn ours(secret: &KeySecret, event: &InboundEvent, callback_data: Option<&str>) -> Option<MessageId> {
    let outward = OutwardId::parse(callback_data?, secret)?;
    (Some(outward.customer_key) == event.customer_key).then_some(outward.id)
}
