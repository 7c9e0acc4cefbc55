//! T7: an agent writes first. Whom they mean and what a template says is decided here, from the
//! configuration and the spellings that threading told; consent and windows are delivery's.

use std::collections::BTreeMap;

use schemas::config::Template;
use schemas::ids::{AccountId, CustomerKey, KeySecret, QueueId, TenantId};
use schemas::records::{Channel, Content, Customer};

/// What an agent wants to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// By which account.
    pub account: AccountId,
    /// Whom: as the channel writes ids.
    pub customer: String,
    /// What to say.
    pub words: Words,
    /// On behalf of which queue; none: the account's.
    pub queue: Option<QueueId>,
    /// What it is sent for; consent is asked for this.
    pub purpose: Option<String>,
}

/// What is said first.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    /// The agent's own.
    Own(Box<Content>),
    /// A template's.
    Template {
        /// Its id.
        id: String,
        /// What fills its holes, `{{1}}` first.
        values: Vec<String>,
    },
}

/// A start that can be asked of threading.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resolved {
    pub(super) account: AccountId,
    pub(super) channel: Channel,
    pub(super) customer: Customer,
    pub(super) customer_key: CustomerKey,
    pub(super) content: Content,
    pub(super) purpose: Option<String>,
    pub(super) queue: QueueId,
}

/// Accounts, templates and spellings of all tenants.
#[derive(Debug)]
pub struct Outreach {
    secret: KeySecret,
    accounts: BTreeMap<(TenantId, AccountId), (Channel, QueueId)>,
    templates: BTreeMap<(TenantId, String), Template>,
    spellings: BTreeMap<CustomerKey, String>,
}

impl Outreach {
    /// Knows nothing yet; keys are made with this secret.
    pub fn new(secret: KeySecret) -> Self {
        Self { secret, accounts: BTreeMap::new(), templates: BTreeMap::new(), spellings: BTreeMap::new() }
    }

    pub(super) fn account(&mut self, tenant: TenantId, account: AccountId, spec: Option<(Channel, QueueId)>) {
        match spec {
            Some(spec) => drop(self.accounts.insert((tenant, account), spec)),
            None => drop(self.accounts.remove(&(tenant, account))),
        }
    }

    pub(super) fn template(&mut self, tenant: TenantId, id: String, template: Option<Template>) {
        match template {
            Some(template) => drop(self.templates.insert((tenant, id), template)),
            None => drop(self.templates.remove(&(tenant, id))),
        }
    }

    pub(super) fn spelling(&mut self, spelling: CustomerKey, canonical: Option<String>) {
        match canonical {
            Some(canonical) => drop(self.spellings.insert(spelling, canonical)),
            None => drop(self.spellings.remove(&spelling)),
        }
    }

    /// # Errors
    /// Why it cannot be asked, from a closed set.
    pub(super) fn resolve(&self, tenant: &TenantId, start: Start) -> Result<Resolved, &'static str> {
        let account = start.account;
        let spec = self.accounts.get(&(tenant.clone(), account.clone())).cloned();
        let (channel, usual_queue) = spec.ok_or("unknown_account")?;
        let called = ::outreach::called(channel, &start.customer);
        if called.id.is_empty() {
            return Err("unknown_customer");
        }
        let key = |id: &str| CustomerKey::derive(&self.secret, tenant, channel.as_str(), &account, id);
        let canonical = self.spellings.get(&key(&called.id)).cloned();
        let customer = canonical.map_or_else(|| called.clone(), |id| ::outreach::known_as(called.clone(), &id));
        let (content, usual) = match start.words {
            Words::Own(content) => (*content, None),
            Words::Template { id, values } => {
                let template = self.templates.get(&(tenant.clone(), id)).ok_or("unknown_template")?;
                let values = (1..).zip(values).collect();
                let content =
                    ::outreach::filled(template, channel, &values).map_err(|_| "template_parameter_missing")?;
                (content, template.purpose.clone())
            }
        };
        let customer_key = key(&customer.id);
        let (purpose, queue) = (start.purpose.or(usual), start.queue.unwrap_or(usual_queue));
        Ok(Resolved { account, channel, customer, customer_key, content, purpose, queue })
    }
}

#[cfg(test)]
mod tests {
    use schemas::config::ApprovedTemplate;
    use schemas::records::ContentKind;

    use super::*;

    fn outreach() -> Outreach {
        let mut outreach = Outreach::new(KeySecret::new("test"));
        outreach.account("acme".into(), "main".into(), Some((Channel::Whatsapp, "help".into())));
        let template = Template {
            text: "Hello {{1}}".into(),
            purpose: Some("parcels".into()),
            approved: Some(ApprovedTemplate { name: "hello".into(), language: "en".into() }),
            ..Template::default()
        };
        outreach.template("acme".into(), "hello".into(), Some(template));
        outreach
    }

    fn start(customer: &str, words: Words) -> Start {
        Start { account: "main".into(), customer: customer.into(), words, queue: None, purpose: None }
    }

    fn own() -> Words {
        Words::Own(Box::new(Content::text("Hello")))
    }

    #[test]
    fn a_customer_is_found_however_the_id_is_written() {
        let mut outreach = outreach();
        let resolve = |outreach: &Outreach, id: &str| outreach.resolve(&"acme".into(), start(id, own())).unwrap();
        let plain = resolve(&outreach, "41791112233");
        assert_eq!(plain.queue, "help".into(), "the account's, if none is named");
        assert_eq!(resolve(&outreach, "+41 79 111 22 33").customer_key, plain.customer_key);
        let user = resolve(&outreach, "CH.123456");
        assert_ne!(user.customer_key, plain.customer_key);
        outreach.spelling(user.customer_key, Some("41791112233".into()));
        let known = resolve(&outreach, "CH.123456");
        assert_eq!((known.customer_key, known.customer.id.as_str()), (plain.customer_key, "41791112233"));
        assert_eq!(known.customer.aliases, ["CH.123456"]);
    }

    #[test]
    fn a_template_brings_its_words_and_its_purpose() {
        let words = |values: &[&str]| Words::Template {
            id: "hello".into(),
            values: values.iter().map(|v| (*v).into()).collect(),
        };
        let resolved = outreach().resolve(&"acme".into(), start("4179", words(&["Ada"]))).unwrap();
        assert_eq!(resolved.content.content_kind, ContentKind::Template);
        assert_eq!(
            (resolved.content.text.as_deref(), resolved.purpose.as_deref()),
            (Some("Hello Ada"), Some("parcels"))
        );
        for (wish, reason) in [
            (start("4179", words(&[])), "template_parameter_missing"),
            (start("4179", Words::Template { id: "gone".into(), values: Vec::new() }), "unknown_template"),
            (start("nobody", own()), "unknown_customer"),
            (Start { account: "gone".into(), ..start("4179", own()) }, "unknown_account"),
        ] {
            assert_eq!(outreach().resolve(&"acme".into(), wish).unwrap_err(), reason);
        }
        assert_eq!(outreach().resolve(&"other".into(), start("4179", own())).unwrap_err(), "unknown_account");
    }
}
