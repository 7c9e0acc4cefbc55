//! `delivery.requests`: what delivery is asked beside messages.

use schemas::codec::Codec;
use schemas::records::{ConversationEvent, Customer, DeliveryRequest, DeliveryRequestKind, Resend};
use stream::{InputRecord, Reject};

use super::messages;
use crate::core::bots::TurnAsked;
use crate::core::event::{Again, Event};
use crate::core::media::CopyAsked;

pub(super) fn read(codec: &Codec, record: &InputRecord<'_>, request: DeliveryRequest) -> Result<Option<Event>, Reject> {
    super::expect_key(record, request.customer_key)?;
    match request.kind {
        DeliveryRequestKind::MediaCopy(copy) => {
            let key = (copy.message_id, copy.attachment_no);
            Ok(Some(Event::CopyAsked(CopyAsked { tenant: request.tenant, key })))
        }
        DeliveryRequestKind::Resend(resend) => resend_of(codec, record, resend),
        DeliveryRequestKind::BotTurn(turn) => {
            let turn_id = turn.turn_id.parse();
            let turn_id = turn_id.map_err(|_| Reject::new("unsupported_request", "turn_id: expected a UUID"))?;
            Ok(Some(Event::TurnAsked(Box::new(TurnAsked {
                turn_id,
                tenant: request.tenant,
                routing_domain: request.routing_domain,
                customer_key: request.customer_key,
                conversation_id: request.conversation_id,
                stint_id: request.stint_id,
                account_id: request.account_id,
                bot: turn.name,
                body: turn.body,
                timeout_ms: turn.timeout_ms,
            }))))
        }
        DeliveryRequestKind::DataAction(_) | DeliveryRequestKind::Unknown(_) => {
            let detail = format!("this build performs no {}", request.kind.name());
            Err(Reject::new("unsupported_request", detail))
        }
    }
}

fn resend_of(codec: &Codec, record: &InputRecord<'_>, resend: Resend) -> Result<Option<Event>, Reject> {
    let event: ConversationEvent =
        codec.decode(&resend.event).map_err(|error| Reject::new(error.reason(), error.to_string()))?;
    let again = match resend.mode.as_str() {
        "replay" => Again::Replay(resend.request_id),
        "redrive" => Again::Redrive(resend.attempts),
        other => return Err(Reject::new("unsupported_request", format!("expected replay or redrive, found {other}"))),
    };
    Ok(match messages::read(record, event)? {
        Some(Event::Asked(mut asked) | Event::Noticed(mut asked)) => {
            let named = || resend.customer_id.map(|id| Customer { id, ..Customer::default() });
            asked.added.customer = asked.added.customer.or_else(named);
            Some(Event::Resend(asked, again))
        }
        Some(_) | None => None,
    })
}
