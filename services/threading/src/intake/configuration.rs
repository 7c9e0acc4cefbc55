//! `config.entities`: what tenants, accounts and queues say about windows, tenants about consent,
//! and entry points.

use schemas::codec::Codec;
use schemas::config::{Entity, EntityKind, WindowClock};
use schemas::ids::{AccountId, TenantId};
use schemas::records::ConfigEntity;
use stream::{InputRecord, Reject};

use crate::core::event::{Clock, Configured, EntryRule, Event, Setting, SettingKey};

pub(super) fn read(codec: &Codec, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    let Some((kind, key)) = address(record)? else { return Ok(None) };
    if record.payload.is_none() {
        return Ok(Some(Event::Configured(Box::new(Configured { key, setting: None }))));
    }
    let entity: ConfigEntity = super::decode(codec, record)?;
    let entity = Entity::from_json(kind, &entity.body)
        .map_err(|error| Reject::new("bad_configuration", format!("{}: {error}", kind.as_str())))?;
    Ok(setting(entity).map(|setting| Event::Configured(Box::new(Configured { key, setting: Some(setting) }))))
}

/// The entity that the key `tenant/Kind/id` names, if its kind matters here.
fn address(record: &InputRecord<'_>) -> Result<Option<(EntityKind, SettingKey)>, Reject> {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
    let mut parts = key.splitn(3, '/');
    let (Some(tenant), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Reject::new("wrong_key", format!("expected tenant/Kind/id, found {key:?}")));
    };
    let tenant = TenantId::new(tenant);
    Ok(EntityKind::from_name(kind).and_then(|kind| match kind {
        EntityKind::Tenant => Some((kind, SettingKey::Tenant(tenant))),
        EntityKind::ChannelAccount => Some((kind, SettingKey::Account(tenant, id.into()))),
        EntityKind::Queue => Some((kind, SettingKey::Queue(tenant, id.into()))),
        EntityKind::EntryPoint => Some((kind, SettingKey::EntryPoint(tenant, id.to_owned()))),
        EntityKind::Endpoint
        | EntityKind::Deployment
        | EntityKind::Skill
        | EntityKind::Language
        | EntityKind::Agent
        | EntityKind::WrapUpCode
        | EntityKind::Template
        | EntityKind::Bot
        | EntityKind::ApiClient => None,
    }))
}

fn setting(entity: Entity) -> Option<Setting> {
    match entity {
        Entity::Tenant(tenant) => Some(Setting {
            window_minutes: tenant.window.minutes,
            window_clock: tenant.window.clock.map(clock),
            per_channel: tenant.window.per_channel,
            stop_words: tenant.consent.stop,
            start_words: tenant.consent.start,
            ..Setting::default()
        }),
        Entity::ChannelAccount(account) => Some(Setting {
            window_minutes: account.window_minutes,
            window_clock: account.window_clock.map(clock),
            session_minutes: account.session_minutes,
            ..Setting::default()
        }),
        Entity::Queue(queue) => Some(Setting {
            window_minutes: queue.window_minutes,
            closing_grace_min: queue.closing_grace_min,
            ..Setting::default()
        }),
        Entity::EntryPoint(entry) => Some(Setting {
            entry_point: Some(EntryRule {
                account: AccountId::new(entry.account),
                reference: entry.reference,
                text: entry.text,
            }),
            ..Setting::default()
        }),
        Entity::Endpoint(_)
        | Entity::Deployment(_)
        | Entity::Skill(_)
        | Entity::Language(_)
        | Entity::Agent(_)
        | Entity::WrapUpCode(_)
        | Entity::Template(_)
        | Entity::Bot(_)
        | Entity::ApiClient(_) => None,
    }
}

fn clock(clock: WindowClock) -> Clock {
    match clock {
        WindowClock::FromDisconnect => Clock::FromDisconnect,
        WindowClock::FromLastMessage => Clock::FromLastMessage,
    }
}
