//! Business configuration as it travels on `config.entities`: the `spec` of each kind.
//!
//! Specs refuse unknown fields, so that a typing error is found by `weft apply` and not by a
//! customer. Durations carry their unit in the name.

mod bots;
mod channels;
mod outreach;
mod routing;
mod web;

pub use bots::*;
pub use channels::*;
pub use outreach::*;
pub use routing::*;
pub use web::*;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

use crate::records::Channel;

/// What can be configured with `weft apply`.
#[derive(Debug, Clone, PartialEq)]
pub enum Entity {
    /// A company.
    Tenant(Tenant),
    /// A webhook address.
    Endpoint(Endpoint),
    /// A program that talks to customers.
    Bot(Box<Bot>),
    /// A presence on a channel.
    ChannelAccount(Box<ChannelAccount>),
    /// A web site or an app from which guests write.
    Deployment(Box<Deployment>),
    /// Where conversations wait.
    Queue(Box<Queue>),
    /// A skill.
    Skill(Named),
    /// A language.
    Language(Named),
    /// Who works.
    Agent(Agent),
    /// A wrap-up code.
    WrapUpCode(Named),
    /// A message prepared for sending on our own initiative.
    Template(Template),
    /// A way customers come in by.
    EntryPoint(EntryPoint),
    /// A program that calls our API.
    ApiClient(ApiClient),
}

/// The kinds of [`Entity`], as written in `kind:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented at the variant of Entity of the same name")]
pub enum EntityKind {
    Tenant,
    Endpoint,
    Bot,
    ChannelAccount,
    Deployment,
    Queue,
    Skill,
    Language,
    Agent,
    WrapUpCode,
    Template,
    EntryPoint,
    ApiClient,
}

impl EntityKind {
    /// Every kind, in the order in which kinds refer to each other.
    pub const ALL: &'static [Self] = &[
        Self::Tenant,
        Self::Skill,
        Self::Language,
        Self::WrapUpCode,
        Self::Agent,
        Self::Queue,
        Self::Endpoint,
        Self::Bot,
        Self::ChannelAccount,
        Self::Deployment,
        Self::Template,
        Self::EntryPoint,
        Self::ApiClient,
    ];

    /// The kind as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Endpoint => "Endpoint",
            Self::Bot => "Bot",
            Self::ChannelAccount => "ChannelAccount",
            Self::Deployment => "Deployment",
            Self::Queue => "Queue",
            Self::Skill => "Skill",
            Self::Language => "Language",
            Self::Agent => "Agent",
            Self::WrapUpCode => "WrapUpCode",
            Self::Template => "Template",
            Self::EntryPoint => "EntryPoint",
            Self::ApiClient => "ApiClient",
        }
    }

    /// The kind of that name, if this build knows it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

impl EntityKind {
    /// The JSON Schema (draft 2020-12) of a whole document `{kind, tenant, id, spec}` of this kind, for
    /// editors. References between documents and limits of values are `weft apply`'s to check.
    pub fn document_schema(self) -> Json {
        let mut spec = self.spec_schema().to_value();
        let definitions = spec.as_object_mut().and_then(|spec| spec.remove("$defs"));
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("$schema");
        }
        let mut document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.as_str(),
            "type": "object",
            "additionalProperties": false,
            "required": ["kind", "tenant", "id", "spec"],
            "properties": {
                "kind": { "const": self.as_str() },
                "tenant": { "type": "string", "minLength": 1, "description": "The company it belongs to." },
                "id": { "type": "string", "minLength": 1, "description": "Its id among those of its kind and tenant." },
                "spec": spec,
            },
        });
        if let Some(definitions) = definitions {
            document["$defs"] = definitions;
        }
        document
    }

    fn spec_schema(self) -> Schema {
        match self {
            Self::Tenant => schema_for!(Tenant),
            Self::Endpoint => schema_for!(Endpoint),
            Self::Bot => schema_for!(Bot),
            Self::ChannelAccount => schema_for!(ChannelAccount),
            Self::Deployment => schema_for!(Deployment),
            Self::Queue => schema_for!(Queue),
            Self::Skill | Self::Language | Self::WrapUpCode => schema_for!(Named),
            Self::Agent => schema_for!(Agent),
            Self::Template => schema_for!(Template),
            Self::EntryPoint => schema_for!(EntryPoint),
            Self::ApiClient => schema_for!(ApiClient),
        }
    }
}

impl Entity {
    /// Reads a `spec` (JSON) of a kind; the error says what was expected.
    pub fn from_json(kind: EntityKind, spec: &str) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            EntityKind::Tenant => Self::Tenant(serde_json::from_str(spec)?),
            EntityKind::Endpoint => Self::Endpoint(serde_json::from_str(spec)?),
            EntityKind::Bot => Self::Bot(serde_json::from_str(spec)?),
            EntityKind::ChannelAccount => Self::ChannelAccount(serde_json::from_str(spec)?),
            EntityKind::Deployment => Self::Deployment(serde_json::from_str(spec)?),
            EntityKind::Queue => Self::Queue(serde_json::from_str(spec)?),
            EntityKind::Skill => Self::Skill(serde_json::from_str(spec)?),
            EntityKind::Language => Self::Language(serde_json::from_str(spec)?),
            EntityKind::Agent => Self::Agent(serde_json::from_str(spec)?),
            EntityKind::WrapUpCode => Self::WrapUpCode(serde_json::from_str(spec)?),
            EntityKind::Template => Self::Template(serde_json::from_str(spec)?),
            EntityKind::EntryPoint => Self::EntryPoint(serde_json::from_str(spec)?),
            EntityKind::ApiClient => Self::ApiClient(serde_json::from_str(spec)?),
        })
    }
}

/// A thing of which only the name matters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// What people call it.
    pub name: String,
}

/// From when a conversation's window counts (T4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowClock {
    /// From the moment the conversation was disconnected.
    #[default]
    FromDisconnect,
    /// From the last message received.
    FromLastMessage,
}

/// How long a conversation can be re-opened (T3).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Minutes; null: the default of 4320 (72 h). 0: every message after the end opens anew.
    pub minutes: Option<i64>,
    /// What is counted from; null: from disconnect.
    pub clock: Option<WindowClock>,
    /// Minutes per channel, in place of `minutes`.
    pub per_channel: BTreeMap<Channel, i64>,
}

/// A company that uses weft.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// What people call it.
    pub name: String,
    /// IANA zone of its reports and schedules.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The threading window.
    #[serde(default)]
    pub window: Window,
    /// By which words customers take consent back and give it again.
    #[serde(default)]
    pub consent: ConsentWords,
    /// First eight hex digits that the key secret's fingerprint must have; set by `weft apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub key_fingerprint: Option<String>,
}

fn utc() -> String {
    "UTC".into()
}

/// Where a secret stands; never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable of the service that needs it.
    Env(String),
    /// A file on the machine of the service that needs it.
    File(String),
}

/// A program that calls our API with a bearer token minted for its id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiClient {
    /// What people call it.
    pub name: String,
    /// What it may do: `inbound`, `agentless`, `consents`, `reports`.
    pub scopes: Vec<String>,
    /// Channel accounts it may speak for; empty: all of its tenant.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// SHA-256 of each token that lets it in, in hex (`weft token mint -o json`); empty: every token minted for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_hashes: Vec<String>,
    /// Requests a second that it may make of one process; null: `ingest.client_requests_per_s_max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_s_max: Option<u32>,
}
