//! Simulated customers: people with a phone or a browser, whose platform posts signed webhooks. Each
//! can have its webhooks sent twice, out of order, forged or cut off.

mod direct;
mod messaging;
mod open;
mod whatsapp;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use schemas::ids::CustomerKey;
use stream::clock;

use crate::company::{Account, Company};
use crate::stack::Stack;
use crate::wait::wait_for;

/// A platform sends a webhook again until it is acknowledged, for this long.
const ACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// A request as the platform would post it.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Path and query on ingest's public port.
    pub path: String,
    /// Headers, signature or token included.
    pub headers: Vec<(&'static str, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}

/// A message that the house acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The platform's id of the message.
    pub provider_id: String,
    /// What was written.
    pub text: String,
    /// When the 200 came, milliseconds since 1970.
    pub at_ms: i64,
}

/// Somebody who writes to the company.
#[derive(Debug)]
pub struct Customer {
    /// What their profile says.
    pub name: String,
    /// The platform's id of the person: a phone number, or the shop's own id.
    pub id: String,
    /// Where they write to.
    pub account: Account,
    /// Their key on the topics.
    pub key: CustomerKey,
    company: Company,
    ingest: String,
    client_token: String,
    http: reqwest::Client,
    wrote: AtomicU32,
    clock_ms: AtomicI64,
}

impl Customer {
    /// A person of this id who never wrote before.
    ///
    /// # Errors
    /// If the stack lacks an address or a secret.
    pub fn new(stack: &Stack, company: &Company, account: Account, name: &str, id: String) -> anyhow::Result<Self> {
        let (tenant, account_id) = (company.tenant.as_str().into(), account.id().into());
        Ok(Self {
            name: name.to_owned(),
            key: CustomerKey::derive(&stack.key_secret()?, &tenant, account.channel(), &account_id, &id),
            id,
            account,
            company: company.clone(),
            ingest: stack.ingest()?,
            client_token: stack.client_token(&company.tenant, "shop-backend")?,
            http: reqwest::Client::builder().timeout(REQUEST_MAX).build()?,
            wrote: AtomicU32::new(0),
            clock_ms: AtomicI64::new(0),
        })
    }

    /// The platform's id of the account they write to.
    pub fn provider_account(&self) -> String {
        self.company.provider_account(self.account)
    }

    /// The webhook of a new message, not posted yet, and the message's id at the platform.
    ///
    /// # Errors
    /// If the account's secret is missing.
    pub fn message(&self, text: &str) -> anyhow::Result<(String, Webhook)> {
        let no = self.wrote.fetch_add(1, Ordering::Relaxed);
        let at_ms = self.next_ms();
        match self.account {
            Account::Parcels | Account::Billing | Account::Help => whatsapp::message(self, no, at_ms, text),
            Account::Shop => Ok(open::message(self, no, at_ms, text)),
            Account::Page | Account::Gallery => messaging::message(self, no, at_ms, text),
            Account::Bird => direct::message(self, no, at_ms, text),
            Account::Web => bail!("guests write over a connection of their own"),
        }
    }

    /// The webhook of a picture with a caption, by the platform's id of the file and its SHA-256.
    ///
    /// # Errors
    /// If the account's secret is missing, or the account is none of WhatsApp's.
    pub fn picture(&self, file: (&str, &str), caption: &str) -> anyhow::Result<Webhook> {
        if self.account.channel() != "whatsapp" {
            bail!("pictures come by WhatsApp here");
        }
        let no = self.wrote.fetch_add(1, Ordering::Relaxed);
        whatsapp::picture(self, no, self.next_ms(), (file, caption))
    }

    /// The webhook that says how far a reply came: `sent`, `delivered`, `read`; where the platform
    /// has echoes, `echo`.
    ///
    /// # Errors
    /// If the account's secret is missing.
    pub fn receipt(&self, reply: &Reply, status: &str) -> anyhow::Result<Webhook> {
        let at_ms = self.next_ms();
        match self.account {
            Account::Parcels | Account::Billing | Account::Help => whatsapp::status(self, reply, status, at_ms),
            Account::Shop => Ok(open::receipt(self, reply, status, at_ms)),
            Account::Page | Account::Gallery => messaging::receipt(self, reply, status, at_ms),
            Account::Bird => direct::receipt(self, reply, status, at_ms),
            Account::Web => bail!("guests tell what they read over a connection of their own"),
        }
    }

    /// The webhook that says the person left; open messaging only.
    ///
    /// # Errors
    /// On a channel that cannot say so.
    pub fn left(&self) -> anyhow::Result<Webhook> {
        match self.account {
            Account::Shop => Ok(open::left(self, self.next_ms())),
            Account::Parcels
            | Account::Billing
            | Account::Page
            | Account::Gallery
            | Account::Bird
            | Account::Help
            | Account::Web => {
                bail!("{} never says that somebody left", self.account.provider())
            }
        }
    }

    /// A webhook of the account's platform around any body, well signed.
    ///
    /// # Errors
    /// If the account's secret is missing.
    pub fn signed(&self, body: Vec<u8>) -> anyhow::Result<Webhook> {
        whatsapp::signed(&self.company, body)
    }

    /// Writes, and has the platform post it until it is acknowledged.
    ///
    /// # Errors
    /// If it never is.
    pub async fn writes(&self, text: &str) -> anyhow::Result<Written> {
        let (provider_id, webhook) = self.message(text)?;
        self.deliver(&webhook).await?;
        Ok(Written { provider_id, text: text.to_owned(), at_ms: clock::now().as_ms() })
    }

    /// Posts a webhook again and again, as a platform does, until it is acknowledged.
    ///
    /// # Errors
    /// If it never is, or is refused for good (4xx).
    pub async fn deliver(&self, webhook: &Webhook) -> anyhow::Result<()> {
        let what = format!("a 2xx for {}'s webhook", self.name);
        let status = wait_for(&what, ACKNOWLEDGED_MAX, || async {
            match self.post(webhook).await {
                Ok(status) if status < 500 && status != 429 => Ok(status),
                Ok(status) => Err(status.to_string()),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await?;
        if !(200..300).contains(&status) {
            bail!("expected a 2xx for {}'s webhook, got {status}", self.name);
        }
        Ok(())
    }

    /// Posts a webhook once; the answer's status.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, webhook: &Webhook) -> anyhow::Result<u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in &webhook.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        let url = format!("{}{}", self.ingest, webhook.path);
        let answer = self.http.post(url).headers(headers).body(webhook.body.clone()).send().await;
        Ok(answer.context("no answer from ingest")?.status().as_u16())
    }

    /// The platform's clock, which never shows one person the same moment twice.
    fn next_ms(&self) -> i64 {
        let now = clock::now().as_ms();
        let last = self.clock_ms.fetch_max(now, Ordering::Relaxed);
        if last < now { now } else { self.clock_ms.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

/// A message of ours as it reached the person's side.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The provider's id of it.
    pub provider_id: String,
    /// What came with it to find it again: WhatsApp's callback data, or the webhook's message id.
    pub tracker: Option<String>,
    /// What it says.
    pub text: String,
}
