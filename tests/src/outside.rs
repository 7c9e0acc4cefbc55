//! The other side of outbound messages: the simulated providers, seen through their customers' eyes.

use std::fmt;

use anyhow::Context;

use crate::company::{Account, Company, Ports};
use crate::customers::{Customer, Reply};
use crate::providers::bot::{self, Bot};
use crate::providers::graph::{self, Flavour, Graph};
use crate::providers::open::{self, OpenReceiver};
use crate::providers::twitter::{self, Twitter};
use crate::providers::whatsapp::{self, WhatsApp};
use crate::providers::{Fault, Seen, Statuses};
use crate::stack::Stack;

/// One account of each provider.
const PROVIDERS: [Account; 5] = [Account::Parcels, Account::Shop, Account::Page, Account::Gallery, Account::Bird];

/// Every platform and the shop's server, listening. Receipts are the customers' own affair.
pub struct Outside {
    whatsapp: WhatsApp,
    shop: OpenReceiver,
    messenger: Graph,
    instagram: Graph,
    twitter: Twitter,
    bot: Bot,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outside({} requests)", Account::ALL.map(|account| self.seen(account).len()).iter().sum::<usize>())
    }
}

impl Outside {
    /// Providers on these ports that know the accounts of these companies.
    ///
    /// # Errors
    /// If a port is taken or a secret is missing.
    pub async fn start(stack: &Stack, companies: &[Company], ports: Ports) -> anyhow::Result<Self> {
        Self::listen(stack, companies, ports, None).await
    }

    /// The same, and WhatsApp itself tells ingest of each message that was sent and delivered, under
    /// the endpoint of the first company.
    ///
    /// # Errors
    /// If a port is taken, a secret is missing or there is no company.
    pub async fn confirming(stack: &Stack, companies: &[Company], ports: Ports) -> anyhow::Result<Self> {
        let first = companies.first().context("somebody's endpoint is told")?;
        let outside = Self::listen(stack, companies, ports, Some(first)).await?;
        let order = ["sent", "delivered"].map(str::to_owned).into();
        outside.whatsapp.tell(Statuses { order, ..Statuses::default() });
        Ok(outside)
    }

    async fn listen(
        stack: &Stack,
        companies: &[Company],
        ports: Ports,
        told: Option<&Company>,
    ) -> anyhow::Result<Self> {
        let secret = stack.variable("DEMO_SHOP_WEBHOOK_SECRET")?;
        let numbers = companies.iter().flat_map(|company| {
            [Account::Parcels, Account::Billing, Account::Help].map(|account| company.provider_account(account))
        });
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
        let graph = |flavour, token: &str, account: Account| {
            anyhow::Ok(graph::Settings {
                flavour,
                access_token: stack.variable(token)?.to_owned(),
                accounts: companies.iter().map(|company| company.provider_account(account)).collect(),
                ..graph::Settings::default()
            })
        };
        let messenger = graph(Flavour::Messenger, "DEMO_MESSENGER_ACCESS_TOKEN", Account::Page)?;
        let instagram = graph(Flavour::Instagram, "DEMO_INSTAGRAM_ACCESS_TOKEN", Account::Gallery)?;
        // All companies' tokens are one and the same, so X cannot tell whose account it is; nobody asks.
        let tokens = [(stack.variable("DEMO_X_ACCESS_TOKEN")?.to_owned(), Account::Bird.id().to_owned())].into();
        let twitter = twitter::Settings { tokens, ..twitter::Settings::default() };
        let bot = bot::Settings {
            secrets: vec![stack.variable("DEMO_BOT_SECRET")?.to_owned()],
            access_token: stack.variable("DEMO_BOT_ACCESS_TOKEN")?.to_owned(),
            fields: bot::FIELDS,
            answers: bot::greets,
        };
        Ok(Self {
            whatsapp: WhatsApp::start(ports.whatsapp, whatsapp).await?,
            shop: OpenReceiver::start(ports.open, shop).await?,
            messenger: Graph::start(ports.messenger, messenger).await?,
            instagram: Graph::start(ports.instagram, instagram).await?,
            twitter: Twitter::start(ports.twitter, twitter).await?,
            bot: Bot::start(ports.bot, bot).await?,
        })
    }

    /// What reached a customer's side, in the order it came.
    pub fn replies_to(&self, customer: &Customer) -> Vec<Reply> {
        let account = match customer.account {
            Account::Bird => Account::Bird.id().to_owned(),
            Account::Parcels
            | Account::Billing
            | Account::Shop
            | Account::Page
            | Account::Gallery
            | Account::Help
            | Account::Web => customer.provider_account(),
        };
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
        PROVIDERS.into_iter().flat_map(|account| self.seen(account)).filter(is_message).collect()
    }

    /// The next `times` requests to WhatsApp and to the shop each meet this fault.
    pub fn script(&self, fault: Fault, times: usize) {
        self.whatsapp.script(fault, times);
        self.shop.script(fault, times);
    }

    /// What requests were refused for, in the order they came.
    pub fn refusals(&self) -> Vec<String> {
        let refused = PROVIDERS.into_iter().flat_map(|account| self.seen(account)).filter_map(|seen| seen.problem);
        refused.chain(self.bot.problems()).collect()
    }

    /// Somebody sends a file by WhatsApp: its id, as a webhook names it, and its SHA-256.
    pub fn keep(&self, mime: &str, bytes: &[u8]) -> (String, String) {
        self.whatsapp.keep(mime, bytes)
    }

    fn seen(&self, account: Account) -> Vec<Seen> {
        match account {
            Account::Parcels | Account::Billing | Account::Help => self.whatsapp.seen(),
            Account::Shop => self.shop.seen(),
            Account::Page => self.messenger.seen(),
            Account::Gallery => self.instagram.seen(),
            Account::Bird => self.twitter.seen(),
            Account::Web => Vec::new(),
        }
    }
}

fn is_message(seen: &Seen) -> bool {
    seen.body["type"] != "Event"
}

fn reply(seen: Seen) -> Reply {
    Reply { provider_id: seen.id.unwrap_or_default(), tracker: seen.tracker, text: seen.text.unwrap_or_default() }
}
