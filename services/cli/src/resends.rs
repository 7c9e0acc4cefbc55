//! What operators ask delivery to send once more.

use schemas::codec::Codec;
use schemas::ids::EventId;
use schemas::records::{ConversationEvent, DeliveryRequest, DeliveryRequestKind, Millis, Resend};
use schemas::topics::DELIVERY_REQUESTS;
use stream::Output as Written;

use crate::Failure;
use crate::reach::registry;

/// The request to send an event of `conversation.events` once more.
pub(crate) fn request(
    codec: &Codec,
    event: &ConversationEvent,
    resend: Resend,
    at: Millis,
) -> Result<Written, Failure> {
    let key = event.customer_key.to_string();
    let request = DeliveryRequest {
        event_id: EventId::derive(&["resend", &resend.request_id, &event.event_id.to_string()]),
        tenant: event.tenant.clone(),
        occurred_at: at,
        recorded_at: at,
        routing_domain: event.tenant.as_str().into(),
        conversation_id: Some(event.conversation_id),
        stint_id: event.stint_id,
        account_id: Some(event.account_id.clone()),
        customer_key: event.customer_key,
        kind: DeliveryRequestKind::Resend(resend),
    };
    let bytes = codec.encode(DELIVERY_REQUESTS.name, &request).map_err(|error| registry(&error))?;
    Ok(Written::new(DELIVERY_REQUESTS.name, key, bytes))
}
