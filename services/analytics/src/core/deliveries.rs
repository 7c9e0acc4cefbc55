//! Delivery events and configuration → rows.

use schemas::records::{ConfigEntity, DeliveryEvent, DeliveryEventKind as Kind};

use super::rows::{DeliveryRow, EntityRow, Facts, Source, row, text, uuid};

/// The rows of one delivery event.
pub fn facts(source: &Source, event: &DeliveryEvent) -> Facts {
    let mut reason = String::new();
    let mut provider_code = String::new();
    let mut provider_message_id = String::new();
    match &event.kind {
        Kind::Claimed(_) => {}
        Kind::Sent(sent) => provider_message_id = text(sent.provider_message_id.as_ref()),
        Kind::Delivered(receipt) | Kind::Read(receipt) => {
            provider_message_id = text(receipt.provider_message_id.as_ref());
        }
        Kind::Ambiguous(ambiguous) => reason.clone_from(&ambiguous.reason),
        Kind::Retrying(retrying) => reason.clone_from(&retrying.reason),
        Kind::Failed(failed) => {
            reason.clone_from(&failed.reason);
            provider_code = text(failed.provider_code.as_ref());
        }
        Kind::Refused(refused) => reason.clone_from(&refused.reason),
        Kind::Exhausted(exhausted) => reason.clone_from(&exhausted.reason),
        Kind::PartSent(_)
        | Kind::BotTurnFinished(_)
        | Kind::DataActionFinished(_)
        | Kind::MediaStored(_)
        | Kind::MediaFailed(_)
        | Kind::Unknown(_) => return Facts::default(),
    }
    let row = row! { DeliveryRow from source, 0;
        tenant: event.tenant.to_string(),
        message_id: uuid(event.message_id.as_u128()),
        conversation_id: event.conversation_id.map(|id| uuid(id.as_u128())),
        occurred_at: event.occurred_at,
        state: event.kind.name().into(),
        attempt_no: event.attempt_no,
        reason: reason,
        provider_code: provider_code,
        provider_message_id: provider_message_id,
        channel: event.channel.to_string(),
        account_id: event.account_id.to_string(),
        customer_key: event.customer_key.to_string(),
    };
    Facts { deliveries: vec![row], ..Facts::default() }
}

/// The row of one applied configuration document.
pub fn entity(source: &Source, entity: &ConfigEntity) -> Facts {
    let name = serde_json::from_str::<serde_json::Value>(&entity.body)
        .ok()
        .and_then(|spec| Some(spec.get("name")?.as_str()?.to_owned()))
        .unwrap_or_default();
    let row = row! { EntityRow from source, 0;
        tenant: entity.tenant.to_string(),
        kind: entity.kind.clone(),
        id: entity.id.clone(),
        version: entity.version,
        name: name,
        spec: entity.body.clone(),
    };
    Facts { entities: vec![row], ..Facts::default() }
}
