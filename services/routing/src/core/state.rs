//! What one partition remembers: tables that the changelog carries, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use schemas::config;
use schemas::ids::{AccountId, CommandId, ConversationId, LanguageId, PartId, QueueId, TenantId};
use schemas::records::{Millis, RoutingStatus};
use stream::{Derived, Scope, Stored, Table};

use super::index::{Count, Indexes};
pub use super::rows::*;
use super::rules::presence;

/// Everything routing knows. Rows change through [`super::turn::Turn`] alone, which keeps the
/// indexes in step.
#[derive(Debug)]
pub struct State {
    /// Configuration in force.
    pub settings: Table<SettingKey, SettingRow>,
    /// Tenants seen.
    pub tenants: Table<TenantId, TenantRow>,
    /// Agents who ever showed up.
    pub agents: Table<AgentKey, AgentRow>,
    /// Heartbeats of gateways.
    pub connections: Table<GatewayKey, GatewayRow>,
    /// The stint of each conversation that is waiting, being handled or wrapped up.
    pub work: Table<ConversationId, WorkRow>,
    /// Agents' parts, after-call work included.
    pub parts: Table<PartId, PartRow>,
    /// Recent waits of each queue.
    pub queues: Table<QueueKey, QueueRow>,
    /// Commands already decided.
    pub commands: Table<CommandId, Millis>,
    /// What follows from the tables.
    pub index: Indexes,
}

impl Default for State {
    fn default() -> Self {
        Self {
            settings: Table::new("settings"),
            tenants: Table::new("tenants"),
            agents: Table::new("agents"),
            connections: Table::new("connections"),
            work: Table::new("work"),
            parts: Table::new("parts"),
            queues: Table::new("queues"),
            commands: Table::new("commands"),
            index: Indexes::default(),
        }
    }
}

impl State {
    /// A queue's settings, if it is configured.
    pub fn queue(&self, tenant: &TenantId, queue: &QueueId) -> Option<&config::Queue> {
        match &self.settings.get(&SettingKey::Queue(tenant.clone(), queue.clone()))?.spec {
            Spec::Queue(queue) => Some(queue),
            Spec::Agent(_) | Spec::Account { .. } | Spec::Bot(_) | Spec::Exists | Spec::Removed => None,
        }
    }

    /// An agent's settings, if configured.
    pub fn agent(&self, key: &AgentKey) -> Option<&config::Agent> {
        match &self.settings.get(&SettingKey::Agent(key.0.clone(), key.1.clone()))?.spec {
            Spec::Agent(agent) => Some(agent),
            Spec::Queue(_) | Spec::Account { .. } | Spec::Bot(_) | Spec::Exists | Spec::Removed => None,
        }
    }

    /// The queue of a channel account.
    pub fn account_queue(&self, tenant: &TenantId, account: &AccountId) -> Option<&QueueId> {
        match &self.settings.get(&SettingKey::Account(tenant.clone(), account.clone()))?.spec {
            Spec::Account { queue, .. } => Some(queue),
            Spec::Queue(_) | Spec::Agent(_) | Spec::Bot(_) | Spec::Exists | Spec::Removed => None,
        }
    }

    /// The bot that greets a channel account's customers.
    pub fn account_bot(&self, tenant: &TenantId, account: &AccountId) -> Option<&str> {
        match &self.settings.get(&SettingKey::Account(tenant.clone(), account.clone()))?.spec {
            Spec::Account { bot, .. } => bot.as_deref(),
            Spec::Queue(_) | Spec::Agent(_) | Spec::Bot(_) | Spec::Exists | Spec::Removed => None,
        }
    }

    /// A bot's settings, if it is configured.
    pub fn bot(&self, tenant: &TenantId, bot: &str) -> Option<&BotSpec> {
        match &self.settings.get(&SettingKey::Bot(tenant.clone(), bot.to_owned()))?.spec {
            Spec::Bot(spec) => Some(spec),
            Spec::Queue(_) | Spec::Agent(_) | Spec::Account { .. } | Spec::Exists | Spec::Removed => None,
        }
    }

    /// Whether a language is configured.
    pub fn knows_language(&self, tenant: &TenantId, language: &LanguageId) -> bool {
        let row = self.settings.get(&SettingKey::Language(tenant.clone(), language.clone()));
        row.is_some_and(|row| row.spec != Spec::Removed)
    }

    /// Configured languages.
    pub fn languages<'a>(&'a self, tenant: &'a TenantId) -> impl Iterator<Item = &'a LanguageId> {
        let from = SettingKey::Language(tenant.clone(), LanguageId::default());
        let rows = self.settings.range(from..).map_while(|(key, row)| match key {
            SettingKey::Language(of, language) => Some((of, language, row)),
            SettingKey::Queue(..)
            | SettingKey::Agent(..)
            | SettingKey::Account(..)
            | SettingKey::Bot(..)
            | SettingKey::WrapUpCode(..)
            | SettingKey::Other(..) => None,
        });
        let own = rows.take_while(move |(of, _, _)| *of == tenant);
        own.filter(|(_, _, row)| row.spec != Spec::Removed).map(|(_, language, _)| language)
    }

    /// Configured queues.
    pub fn queues_of(&self, tenant: &TenantId) -> BTreeSet<QueueId> {
        let from = SettingKey::Queue(tenant.clone(), QueueId::default());
        let rows = self.settings.range(from..).map_while(|(key, row)| match key {
            SettingKey::Queue(of, queue) if of == tenant => Some((queue, row)),
            SettingKey::Queue(..)
            | SettingKey::Language(..)
            | SettingKey::Agent(..)
            | SettingKey::Account(..)
            | SettingKey::Bot(..)
            | SettingKey::WrapUpCode(..)
            | SettingKey::Other(..) => None,
        });
        rows.filter(|(_, row)| row.spec != Spec::Removed).map(|(queue, _)| queue.clone()).collect()
    }

    /// Each queue with how many wait, offered ones included, and since when the first does.
    pub fn queues_now(&self) -> impl Iterator<Item = (TenantId, QueueId, i64, Option<Millis>)> {
        let active = self.tenants.iter().filter(|(_, row)| row.active).map(|(tenant, _)| tenant);
        let queues = active.flat_map(|tenant| {
            let stranded = std::iter::once(QueueId::default());
            self.queues_of(tenant).into_iter().chain(stranded).map(|queue| (tenant.clone(), queue))
        });
        let now = queues.map(|key| {
            let count = |what: Count| self.index.counts.get(&what);
            let waiting = count(Count::Waiting(key.clone())) + count(Count::Alerting(key.clone()));
            let from = (key.clone(), Millis::MIN, ConversationId::default());
            let oldest = self.index.entered.range(from..).next().filter(|(of, _, _)| *of == key);
            let oldest = oldest.map(|(_, at, _)| *at);
            (key.0, key.1, waiting, oldest)
        });
        now.filter(|(_, queue, waiting, _)| !queue.is_empty() || *waiting > 0)
    }

    /// How many agents have each routing status.
    pub fn agents_now(&self) -> BTreeMap<(TenantId, RoutingStatus), i64> {
        let mut counts = BTreeMap::new();
        for ((tenant, _), row) in &self.agents {
            *counts.entry((tenant.clone(), presence::routing_status(row))).or_insert(0) += 1;
        }
        counts
    }

    /// What events of this tenant carry as `config_version`.
    pub fn config_version(&self, tenant: &TenantId) -> i64 {
        self.tenants.get(tenant).map_or(0, |row| row.config_version)
    }
}

impl stream::State for State {
    fn tables(&mut self) -> Vec<&mut dyn Stored> {
        vec![
            &mut self.settings,
            &mut self.tenants,
            &mut self.agents,
            &mut self.connections,
            &mut self.work,
            &mut self.parts,
            &mut self.queues,
            &mut self.commands,
        ]
    }

    fn indexes(&mut self) -> Vec<&mut dyn Derived> {
        self.index.all()
    }

    fn rebuild(&mut self) {
        super::index::rebuild(self);
    }

    fn check(&self, scope: Scope) -> Result<(), String> {
        super::check::check(self, scope)
    }
}
