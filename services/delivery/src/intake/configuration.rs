//! `config.entities`: channel accounts and bots.

use schemas::codec::Codec;
use schemas::config::{BotDialect, ChannelAccount, Entity, EntityKind, OnAmbiguous, SecretRef};
use schemas::ids::{AccountId, TenantId};
use schemas::records::ConfigEntity;
use stream::{InputRecord, Reject};

use crate::core::bots::{Bot, Dialect};
use crate::core::event::{Account, AccountKey, Event, OAuth1, Route, SecretPlace, WhenUnknown};

const TIMEOUT_MS: i64 = 10_000;

pub(super) fn read(codec: &Codec, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    let Some((tenant, kind, id)) = subject(record)? else { return Ok(None) };
    let entity = match record.payload {
        Some(_) => {
            let entity: ConfigEntity = super::decode(codec, record)?;
            Some(Entity::from_json(kind, &entity.body).map_err(|error| bad(format!("{}: {error}", kind.as_str())))?)
        }
        None => None,
    };
    Ok(match (kind, entity) {
        (EntityKind::ChannelAccount, Some(Entity::ChannelAccount(spec))) => {
            let key = AccountKey { tenant, account: id.into() };
            let account = translate(&key.account, *spec)?;
            Some(Event::Configured(key, Some(Box::new(account))))
        }
        (EntityKind::ChannelAccount, None) => Some(Event::Configured(AccountKey { tenant, account: id.into() }, None)),
        (EntityKind::Bot, Some(Entity::Bot(spec))) => {
            Some(Event::BotConfigured((tenant, id.to_owned()), Some(Box::new(bot(id, *spec)))))
        }
        (EntityKind::Bot, None) => Some(Event::BotConfigured((tenant, id.to_owned()), None)),
        _ => None,
    })
}

fn bot(id: &str, spec: schemas::config::Bot) -> Bot {
    let dialect = match spec.dialect {
        BotDialect::Weft => Dialect::Weft,
        BotDialect::GenesysBotConnector => Dialect::Genesys {
            bot_id: spec.bot_id.unwrap_or_else(|| id.to_owned()),
            bot_version: spec.bot_version.unwrap_or_else(|| "1".to_owned()),
        },
    };
    Bot {
        url: spec.url,
        dialect,
        secrets: spec.secrets.into_iter().map(place).collect(),
        access_token: spec.access_token.map(place),
        endpoint: spec.endpoint,
    }
}

fn bad(detail: String) -> Reject {
    Reject::new("bad_configuration", detail)
}

/// What the key `tenant/Kind/id` names, of the kinds that delivery uses.
fn subject<'a>(record: &InputRecord<'a>) -> Result<Option<(TenantId, EntityKind, &'a str)>, Reject> {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
    let mut parts = key.splitn(3, '/');
    let (Some(tenant), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Reject::new("wrong_key", format!("expected tenant/Kind/id, found {key:?}")));
    };
    let kind = EntityKind::from_name(kind);
    let used = kind.filter(|kind| matches!(kind, EntityKind::ChannelAccount | EntityKind::Bot));
    Ok(used.map(|kind| (tenant.into(), kind, id)))
}

/// An account as delivery uses it.
///
/// # Errors
/// A value without a meaning.
pub fn translate(id: &AccountId, spec: ChannelAccount) -> Result<Account, Reject> {
    let outbound = spec.outbound;
    let waits =
        outbound.retry_schedule_s.iter().map(|seconds| milliseconds(*seconds)).collect::<Result<Vec<_>, _>>()?;
    let calls_per_ks = outbound.calls_per_s.map(per_thousand_seconds).transpose()?;
    let token_expires_at = outbound.token_expires_at.as_deref().map(instant).transpose()?;
    Ok(Account {
        channel: spec.channel,
        route: Route {
            name: spec.name,
            provider_account_id: spec.provider_account_id.unwrap_or_else(|| id.to_string()),
            api_url: outbound.api_url,
            access_token: outbound.access_token.map(place),
            oauth1: outbound.oauth1.map(|oauth1| Box::new(credentials(oauth1))),
            human_agent: outbound.human_agent,
            calls_per_ks,
            webhook_url: outbound.webhook_url,
            webhook_secrets: outbound.webhook_secrets.into_iter().map(place).collect(),
            legacy_secret: outbound.legacy_secret.map(place),
            media_hosts: spec.media_hosts,
            messages_only: outbound.webhook_messages_only,
            timeout_ms: outbound.timeout_ms.filter(|ms| *ms > 0).unwrap_or(TIMEOUT_MS),
        },
        schedule_ms: (!waits.is_empty()).then_some(waits),
        order_hold_max_ms: outbound.order_hold_max_s.map(|seconds| seconds.saturating_mul(1_000)),
        when_unknown: match outbound.on_ambiguous {
            OnAmbiguous::AtLeastOnce => WhenUnknown::SendAgain,
            OnAmbiguous::AtMostOnce => WhenUnknown::Hold,
        },
        app_id: outbound.app_id,
        token_expires_at,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn milliseconds(seconds: f64) -> Result<i64, Reject> {
    const SECONDS_MAX: f64 = 30.0 * 86_400.0;
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(bad(format!("retry_schedule_s: expected 0 to {SECONDS_MAX} seconds, found {seconds}")));
    }
    Ok((seconds * 1_000.0).round() as i64)
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn per_thousand_seconds(per_s: f64) -> Result<i64, Reject> {
    const PER_S_MAX: f64 = 100_000.0;
    if !(0.001..=PER_S_MAX).contains(&per_s) {
        return Err(bad(format!("calls_per_s: expected 0.001 to {PER_S_MAX}, found {per_s}")));
    }
    Ok((per_s * 1_000.0).round() as i64)
}

fn instant(text: &str) -> Result<i64, Reject> {
    let instant: jiff::Timestamp =
        text.parse().map_err(|_| bad(format!("token_expires_at: expected an RFC 3339 instant, found {text:?}")))?;
    Ok(instant.as_millisecond())
}

fn credentials(oauth1: schemas::config::OAuth1) -> OAuth1 {
    OAuth1 {
        consumer_key: place(oauth1.consumer_key),
        consumer_secret: place(oauth1.consumer_secret),
        token: place(oauth1.token),
        token_secret: place(oauth1.token_secret),
    }
}

fn place(secret: SecretRef) -> SecretPlace {
    match secret {
        SecretRef::Env(name) => SecretPlace::Env(name),
        SecretRef::File(path) => SecretPlace::File(path),
    }
}
