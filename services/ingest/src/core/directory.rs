//! What ingest knows of the business: endpoints, accounts, clients, and other spellings of
//! customers' ids.

use std::collections::{BTreeMap, BTreeSet};

use schemas::config::{ApiClient, ChannelAccount, Endpoint, Entity, EntityKind, Platform, Template};
use schemas::ids::{AccountId, ClientId, CustomerKey, EndpointId, TenantId};
use schemas::records::{Channel, CustomerAlias};

/// The configuration in force, and the aliases told by threading.
#[derive(Debug, Default)]
pub struct Directory {
    endpoints: BTreeMap<EndpointId, BTreeMap<TenantId, Endpoint>>,
    accounts: BTreeMap<(TenantId, AccountId), ChannelAccount>,
    by_provider_id: BTreeMap<(TenantId, Channel, String), BTreeSet<AccountId>>,
    clients: BTreeMap<(TenantId, ClientId), ApiClient>,
    templates: BTreeMap<(TenantId, String), Template>,
    fingerprints: BTreeMap<TenantId, String>,
    aliases: BTreeMap<CustomerKey, String>,
}

/// An endpoint of one tenant; two tenants may have given the same name, and the signature tells
/// whose request it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedEndpoint {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its secrets.
    pub endpoint: Endpoint,
}

impl Directory {
    /// Takes in an entity of this tenant and id; `None` removes it.
    pub fn apply(&mut self, tenant: &TenantId, kind: EntityKind, id: &str, entity: Option<Entity>) {
        match kind {
            EntityKind::Endpoint => {
                let endpoint = if let Some(Entity::Endpoint(endpoint)) = entity { Some(endpoint) } else { None };
                self.set_endpoint(tenant, EndpointId::new(id), endpoint);
            }
            EntityKind::ChannelAccount => {
                let account = if let Some(Entity::ChannelAccount(account)) = entity { Some(*account) } else { None };
                self.set_account(tenant, AccountId::new(id), account);
            }
            EntityKind::ApiClient => {
                let key = (tenant.clone(), ClientId::new(id));
                match entity {
                    Some(Entity::ApiClient(client)) => drop(self.clients.insert(key, client)),
                    Some(_) | None => drop(self.clients.remove(&key)),
                }
            }
            EntityKind::Template => {
                let key = (tenant.clone(), id.to_owned());
                match entity {
                    Some(Entity::Template(template)) => drop(self.templates.insert(key, template)),
                    Some(_) | None => drop(self.templates.remove(&key)),
                }
            }
            EntityKind::Tenant => {
                self.fingerprints.remove(tenant);
                if let Some(Entity::Tenant(spec)) = entity {
                    self.fingerprints.extend(spec.key_fingerprint.map(|print| (tenant.clone(), print)));
                }
            }
            EntityKind::Deployment
            | EntityKind::Queue
            | EntityKind::Bot
            | EntityKind::Skill
            | EntityKind::Language
            | EntityKind::Agent
            | EntityKind::WrapUpCode
            | EntityKind::EntryPoint => {}
        }
    }

    /// Takes in another spelling of a customer's id.
    pub fn learn(&mut self, alias: CustomerAlias) {
        if let Ok(hash) = alias.alias_hash.parse() {
            self.aliases.insert(hash, alias.canonical_id);
        }
    }

    /// Forgets a spelling, by its hash.
    pub fn forget(&mut self, alias_hash: &str) {
        if let Ok(hash) = alias_hash.parse::<CustomerKey>() {
            self.aliases.remove(&hash);
        }
    }

    fn set_endpoint(&mut self, tenant: &TenantId, id: EndpointId, endpoint: Option<Endpoint>) {
        let of_name = self.endpoints.entry(id).or_default();
        match endpoint {
            Some(endpoint) => drop(of_name.insert(tenant.clone(), endpoint)),
            None => drop(of_name.remove(tenant)),
        }
    }

    fn set_account(&mut self, tenant: &TenantId, id: AccountId, account: Option<ChannelAccount>) {
        let key = (tenant.clone(), id.clone());
        if let Some(before) = self.accounts.remove(&key) {
            for provider_id in provider_ids(&before, &id) {
                let at = (tenant.clone(), before.channel, provider_id);
                self.by_provider_id.entry(at).or_default().remove(&id);
            }
        }
        if let Some(account) = account {
            for provider_id in provider_ids(&account, &id) {
                let at = (tenant.clone(), account.channel, provider_id);
                self.by_provider_id.entry(at).or_default().insert(id.clone());
            }
            self.accounts.insert(key, account);
        }
    }

    /// Every tenant's endpoint of this name and platform.
    pub fn endpoints(&self, id: &str, platform: Platform) -> Vec<SignedEndpoint> {
        let of_name = self.endpoints.get(id).into_iter().flatten();
        let of_platform = of_name.filter(|(_, endpoint)| endpoint.platform == platform);
        of_platform
            .map(|(tenant, endpoint)| SignedEndpoint { tenant: tenant.clone(), endpoint: endpoint.clone() })
            .collect()
    }

    /// The tenant's account that the platform calls so. An account of an endpoint is found only
    /// through that one; one without, through any.
    pub fn account(
        &self,
        tenant: &TenantId,
        endpoint: Option<&EndpointId>,
        channel: Channel,
        provider_id: &str,
    ) -> Option<&AccountId> {
        let found = self.by_provider_id.get(&(tenant.clone(), channel, provider_id.to_owned()))?;
        found.iter().find(|id| {
            let account = self.accounts.get(&(tenant.clone(), (*id).clone()));
            let own = account.and_then(|account| account.endpoint.as_deref());
            own.is_none_or(|own| endpoint.is_some_and(|endpoint| endpoint.as_str() == own))
        })
    }

    /// A program that may call us.
    pub fn client(&self, tenant: &TenantId, id: &ClientId) -> Option<&ApiClient> {
        self.clients.get(&(tenant.clone(), id.clone()))
    }

    /// The tenant's account that somebody calls so, by our id or the platform's.
    pub fn account_called(
        &self,
        tenant: &TenantId,
        channel: Option<Channel>,
        name: &str,
    ) -> Option<(AccountId, Channel)> {
        let fits = |account: &&ChannelAccount| channel.is_none_or(|channel| channel == account.channel);
        let ours = AccountId::new(name);
        if let Some(account) = self.accounts.get(&(tenant.clone(), ours.clone())).filter(fits) {
            return Some((ours, account.channel));
        }
        let first = (tenant.clone(), AccountId::default());
        let mut of_tenant = self.accounts.range(first..).take_while(|((of, _), _)| of == tenant);
        let found = of_tenant
            .find(|((_, id), account)| fits(account) && provider_ids(account, id).iter().any(|one| one == name));
        found.map(|((_, id), account)| (id.clone(), account.channel))
    }

    /// A message prepared for sending on our own initiative.
    pub fn template(&self, tenant: &TenantId, id: &str) -> Option<&Template> {
        self.templates.get(&(tenant.clone(), id.to_owned()))
    }

    /// The canonical id behind another spelling, by the spelling's hash.
    pub fn canonical_id(&self, alias_hash: CustomerKey) -> Option<&str> {
        self.aliases.get(&alias_hash).map(String::as_str)
    }

    /// A tenant whose customer keys were made with another secret than the one of this
    /// fingerprint.
    pub fn tenant_of_other_secret(&self, fingerprint: &str) -> Option<&TenantId> {
        self.fingerprints.iter().find(|(_, theirs)| *theirs != fingerprint).map(|(tenant, _)| tenant)
    }
}

/// Every id that the platform may call the account by.
fn provider_ids(account: &ChannelAccount, id: &AccountId) -> Vec<String> {
    let first = account.provider_account_id.clone().unwrap_or_else(|| id.as_str().to_owned());
    std::iter::once(first).chain(account.provider_account_aliases.iter().cloned()).collect()
}
