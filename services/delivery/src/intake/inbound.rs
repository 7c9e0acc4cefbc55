//! `channel.inbound`: receipts and echoes of our messages; whatever opens a reply window.

use schemas::ids::{KeySecret, MessageId, OutwardId};
use schemas::records::{BotAnswer, InboundBotTurnResult, InboundEcho, InboundEvent, InboundKind, InboundReceipt};
use stream::Reject;

use crate::core::bots::CalledBack;
use crate::core::event::{AccountKey, Echo, Event, Heard, Receipt};

pub(super) fn read(secret: &KeySecret, event: InboundEvent) -> Result<Option<Event>, Reject> {
    match &event.kind {
        InboundKind::Receipt(receipt) => receipt_of(secret, &event, receipt.clone()).map(Some),
        InboundKind::Echo(echo) => echo_of(secret, &event, echo),
        InboundKind::BotTurnResult(result) => Ok(called_back(&event, result)),
        InboundKind::Message(_) | InboundKind::Postback(_) => Ok(heard(&event, true)),
        InboundKind::Reaction(_)
        | InboundKind::Edit(_)
        | InboundKind::Delete(_)
        | InboundKind::Typing(_)
        | InboundKind::Presence(_)
        | InboundKind::OptIn(_)
        | InboundKind::OptOut(_)
        | InboundKind::Referral(_)
        | InboundKind::Handover(_)
        | InboundKind::AccountEvent(_)
        | InboundKind::Unsupported(_)
        | InboundKind::Unknown(_) => Ok(heard(&event, false)),
    }
}

/// A bot's own word; ingest has checked who signed it and that the turn is one of ours.
fn called_back(event: &InboundEvent, result: &InboundBotTurnResult) -> Option<Event> {
    let turn_id = result.turn_id.parse().ok()?;
    let answer = result.body.as_deref().and_then(|body| BotAnswer::read(body.as_bytes()).ok());
    let body = answer.map(|answer| answer.to_json());
    Some(Event::CalledBack(CalledBack { tenant: event.tenant.clone(), turn_id, body }))
}

fn heard(event: &InboundEvent, wrote: bool) -> Option<Event> {
    let (customer_key, window_ends_at) = (event.customer_key?, event.window_ends_at);
    (wrote || window_ends_at.is_some()).then_some(Event::Heard(Heard { customer_key, window_ends_at, wrote }))
}

fn account_of(event: &InboundEvent, what: &str) -> Result<AccountKey, Reject> {
    match event.account_id.clone() {
        Some(account) => Ok(AccountKey { tenant: event.tenant.clone(), account }),
        None => Err(Reject::new("no_account", format!("expected the account of {what}, found none"))),
    }
}

fn echo_of(secret: &KeySecret, event: &InboundEvent, echo: &InboundEcho) -> Result<Option<Event>, Reject> {
    let (Some(channel), Some(customer_key)) = (event.channel, event.customer_key) else { return Ok(None) };
    let provider = event.provider_event_id.clone();
    Ok(Some(Event::Echo(Box::new(Echo {
        account: account_of(event, "an echo")?,
        channel,
        customer_key,
        customer: event.customer.clone(),
        message_id: ours(secret, event, echo.callback_data.as_deref()),
        provider_message_id: (!provider.is_empty()).then_some(provider),
        app_id: echo.app_id.clone(),
        content: echo.content.clone(),
        at: event.occurred_at,
    }))))
}

fn receipt_of(secret: &KeySecret, event: &InboundEvent, told: InboundReceipt) -> Result<Event, Reject> {
    Ok(Event::Receipt(Receipt {
        account: account_of(event, "a receipt")?,
        customer_key: event.customer_key,
        message_id: ours(secret, event, told.callback_data.as_deref()),
        provider_message_id: told.provider_message_id,
        status: told.status,
        watermark: told.watermark_ms,
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
