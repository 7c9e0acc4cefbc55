//! The other side of outbound messages: the simulated providers, seen through their customers' eyes.

use std::fmt;

use anyhow::Context;

use crate::company::{Account, Company, OPEN_PORT, WHATSAPP_PORT};
use crate::customers::{Customer, Reply};
use crate::providers::open::{self, OpenReceiver};
use crate::providers::whatsapp::{self, WhatsApp};
use crate::providers::{Fault, Seen, Statuses};
use crate::stack::Stack;

/// WhatsApp and the shop's server, listening. Receipts are the customers' own affair.
pub struct Outside {
    whatsapp: WhatsApp,
    shop: OpenReceiver,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outside({} requests)", self.whatsapp.seen().len() + self.shop.seen().len())
    }
}

impl Outside {
    /// The ports of WhatsApp and of the receiver of open-messaging webhooks on a demo stack.
    pub fn ports_of(stack: &Stack) -> (u16, u16) {
        (stack.port_base() + WHATSAPP_PORT, stack.port_base() + OPEN_PORT)
    }

    /// Providers on these ports that know the accounts of these companies.
    ///
    /// # Errors
    /// If a port is taken or a secret is missing.
    pub async fn start(stack: &Stack, companies: &[Company], ports: (u16, u16)) -> anyhow::Result<Self> {
        Self::listen(stack, companies, ports, None).await
    }

    /// The same, and WhatsApp itself tells ingest of each message that was sent and delivered, under
    /// the endpoint of the first company.
    ///
    /// # Errors
    /// If a port is taken, a secret is missing or there is no company.
    pub async fn confirming(stack: &Stack, companies: &[Company], ports: (u16, u16)) -> anyhow::Result<Self> {
        let first = companies.first().context("somebody's endpoint is told")?;
        let outside = Self::listen(stack, companies, ports, Some(first)).await?;
        let order = ["sent", "delivered"].map(str::to_owned).into();
        outside.whatsapp.tell(Statuses { order, ..Statuses::default() });
        Ok(outside)
    }

    async fn listen(
        stack: &Stack,
        companies: &[Company],
        ports: (u16, u16),
        told: Option<&Company>,
    ) -> anyhow::Result<Self> {
        let secret = stack.variable("DEMO_SHOP_WEBHOOK_SECRET")?;
        let numbers = companies
            .iter()
            .flat_map(|company| [Account::Parcels, Account::Billing].map(|account| company.provider_account(account)));
        let integration = |company: &Company| (company.provider_account(Account::Shop), vec![secret.to_owned()]);
        let whatsapp = whatsapp::Settings {
            access_token: stack.variable("DEMO_WHATSAPP_ACCESS_TOKEN")?.to_owned(),
            phone_number_ids: numbers.collect(),
            app_secret: told.map(|company| company.meta_secret.clone()).unwrap_or_default(),
            webhook_url: match told {
                Some(company) => Some(format!("{}/webhooks/meta/{}", stack.ingest()?, company.endpoint)),
                None => None,
            },
        };
        let integrations = companies.iter().map(integration).collect();
        let shop = open::Settings { integrations, ..open::Settings::default() };
        Ok(Self {
            whatsapp: WhatsApp::start(ports.0, whatsapp).await?,
            shop: OpenReceiver::start(ports.1, shop).await?,
        })
    }

    /// What reached a customer's side, in the order it came.
    pub fn replies_to(&self, customer: &Customer) -> Vec<Reply> {
        let account = customer.provider_account();
        let is_theirs = |seen: &Seen| {
            let to = seen.to.as_deref().unwrap_or_default();
            is_message(seen)
                && seen.taken
                && !seen.repeat
                && seen.account == account
                && to.trim_start_matches('+') == customer.id
        };
        self.seen(customer.account).into_iter().filter(is_theirs).map(reply).collect()
    }

    /// Every message to any provider so far; what a webhook hears beside them is left out.
    pub fn requests(&self) -> Vec<Seen> {
        self.whatsapp.seen().into_iter().chain(self.shop.seen()).filter(is_message).collect()
    }

    /// The next `times` requests to each provider meet this fault.
    pub fn script(&self, fault: Fault, times: usize) {
        self.whatsapp.script(fault, times);
        self.shop.script(fault, times);
    }

    /// What requests were refused for, in the order they came.
    pub fn refusals(&self) -> Vec<String> {
        let seen = self.whatsapp.seen().into_iter().chain(self.shop.seen());
        seen.filter_map(|seen| seen.problem).collect()
    }

    fn seen(&self, account: Account) -> Vec<Seen> {
        match account {
            Account::Parcels | Account::Billing => self.whatsapp.seen(),
            Account::Shop => self.shop.seen(),
        }
    }
}

fn is_message(seen: &Seen) -> bool {
    seen.body["type"] != "Event"
}

fn reply(seen: Seen) -> Reply {
    Reply { provider_id: seen.id.unwrap_or_default(), tracker: seen.tracker, text: seen.text.unwrap_or_default() }
}
