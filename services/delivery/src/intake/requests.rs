//! `delivery.requests`: what delivery is asked beside messages.

use schemas::records::{DeliveryRequest, DeliveryRequestKind};
use stream::{InputRecord, Reject};

use crate::core::event::Event;
use crate::core::media::CopyAsked;

pub(super) fn read(record: &InputRecord<'_>, request: DeliveryRequest) -> Result<Option<Event>, Reject> {
    super::expect_key(record, request.customer_key)?;
    match request.kind {
        DeliveryRequestKind::MediaCopy(copy) => {
            let key = (copy.message_id, copy.attachment_no);
            Ok(Some(Event::CopyAsked(CopyAsked { tenant: request.tenant, key })))
        }
        DeliveryRequestKind::BotTurn(_)
        | DeliveryRequestKind::DataAction(_)
        | DeliveryRequestKind::Resend(_)
        | DeliveryRequestKind::Unknown(_) => {
            let detail = format!("this build performs no {}", request.kind.name());
            Err(Reject::new("unsupported_request", detail))
        }
    }
}
