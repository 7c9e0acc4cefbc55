//! Endpoints and channel accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretRef, WindowClock};
use crate::records::Channel;

/// A webhook address; the path's `{endpoint}` is its id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Platform family: `meta`, `x` or `bot`.
    pub platform: Platform,
    /// Live app secrets; any may have signed.
    pub secrets: Vec<SecretRef>,
    /// What the verification handshake must present (Meta's `hub.verify_token`).
    #[serde(default)]
    pub verify_token: Option<SecretRef>,
}

/// Whose webhooks an endpoint receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// WhatsApp, Messenger, Instagram.
    #[default]
    Meta,
    /// X.
    X,
    /// Bots that answer later.
    Bot,
}

/// One configured presence on a channel; its document's id is the account id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelAccount {
    /// The channel.
    pub channel: Channel,
    /// What people call it.
    pub name: String,
    /// The platform's id of the account: WhatsApp phone number id, page id …; for `open` the
    /// integration id (default: the account id).
    #[serde(default)]
    pub provider_account_id: Option<String>,
    /// Further ids that the platform calls the same account by; Instagram has two for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provider_account_aliases: Vec<String>,
    /// The endpoint its webhooks come in by; null for `open` and `web`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The queue that all its conversations go to.
    pub queue: String,
    /// The bot that greets its customers, before the queue; null: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// Minutes of window for this account, in place of the tenant's.
    #[serde(default)]
    pub window_minutes: Option<i64>,
    /// What this account's window counts from, in place of the tenant's.
    #[serde(default)]
    pub window_clock: Option<WindowClock>,
    /// `web`: minutes that a guest's session lasts after the last message of either side, 15 to 788400 (18 months);
    /// null: 4320 (72 h). No window lasts longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_minutes: Option<i64>,
    /// Hosts that its media may be fetched from, beside those of its channel; `*.shop.example` is every host
    /// below. Open messaging has no hosts of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_hosts: Vec<String>,
    /// How replies leave.
    #[serde(default)]
    pub outbound: Outbound,
}

/// How an account's replies leave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Base address of the provider's API; null: the provider's own (`https://graph.facebook.com/v25.0`).
    pub api_url: Option<String>,
    /// The provider's access token: of a page, number or Instagram account; for X the OAuth 2.0 user token.
    pub access_token: Option<SecretRef>,
    /// X by OAuth 1.0a: the four credentials, in place of `access_token`.
    pub oauth1: Option<OAuth1>,
    /// When the access token ends; RFC 3339; shown by `weft_delivery_token_expires_timestamp_seconds`.
    pub token_expires_at: Option<String>,
    /// The provider's id of our app: an echo of another app, or of none, is somebody's own answer.
    pub app_id: Option<String>,
    /// Messenger, Instagram: the provider has granted HUMAN_AGENT, so that people may answer for seven days.
    pub human_agent: bool,
    /// Calls a second that this account may make; null: the channel's own limit.
    pub calls_per_s: Option<f64>,
    /// Open messaging: where outbound messages are posted.
    pub webhook_url: Option<String>,
    /// Open messaging: live signing secrets (Standard Webhooks, `whsec_…`); all of them sign.
    pub webhook_secrets: Vec<SecretRef>,
    /// Open messaging: no lifecycle events and signals, which are posted between the messages otherwise.
    pub webhook_messages_only: bool,
    /// Open messaging: what signs Genesys Cloud's own header `X-Hub-Signature-256` as well; null: no such header.
    pub legacy_secret: Option<SecretRef>,
    /// Waits before each attempt after the first, seconds; empty: the channel's own schedule.
    pub retry_schedule_s: Vec<f64>,
    /// What to do when nobody knows whether a send arrived.
    pub on_ambiguous: OnAmbiguous,
    /// Longest time a later message waits for an earlier one, seconds; null: 120 (open: its schedule).
    pub order_hold_max_s: Option<i64>,
    /// Time-out of one call, milliseconds; null: 10 000.
    pub timeout_ms: Option<i64>,
}

/// OAuth 1.0a user context (RFC 5849).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth1 {
    /// The app's key.
    pub consumer_key: SecretRef,
    /// The app's secret.
    pub consumer_secret: SecretRef,
    /// The user's token.
    pub token: SecretRef,
    /// The user's token secret.
    pub token_secret: SecretRef,
}

impl ChannelAccount {
    /// What `session_minutes` means where nothing is said: 72 h (T6).
    pub const SESSION_MINUTES: i64 = 72 * 60;
    /// The shortest session that may be configured.
    pub const SESSION_MINUTES_MIN: i64 = 15;
    /// The longest.
    pub const SESSION_MINUTES_MAX: i64 = 788_400;
}

/// D1: what an unknown outcome leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguous {
    /// Send again: may arrive twice.
    #[default]
    AtLeastOnce,
    /// Hold for a receipt, an echo or a person: may not arrive.
    AtMostOnce,
}
