//! The company of the demo: its names, its secrets, and its configuration on any ports and for any
//! tenant.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::stack::{BASE_DEFAULT, Stack};

/// Ports of the simulated providers on the default base, in the order of [`Ports`].
const PORTS: [u16; 6] = [84, 85, 86, 87, 88, 89];

/// Where the simulated providers listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// WhatsApp.
    pub whatsapp: u16,
    /// The receiver of open-messaging webhooks.
    pub open: u16,
    /// Messenger.
    pub messenger: u16,
    /// Instagram.
    pub instagram: u16,
    /// X.
    pub twitter: u16,
    /// The bot.
    pub bot: u16,
}

impl Ports {
    /// How many they are.
    pub const COUNT: usize = PORTS.len();

    /// In the order of the fields.
    pub const fn of([whatsapp, open, messenger, instagram, twitter, bot]: [u16; Self::COUNT]) -> Self {
        Self { whatsapp, open, messenger, instagram, twitter, bot }
    }

    /// Those of a demo stack.
    pub fn from_base(base: u16) -> Self {
        Self::of(PORTS.map(|port| base + port))
    }

    const fn all(self) -> [u16; Self::COUNT] {
        [self.whatsapp, self.open, self.messenger, self.instagram, self.twitter, self.bot]
    }
}

/// The tenant that `deploy/demo/` describes.
pub const TENANT: &str = "demo";
const ENDPOINT: &str = "demo-meta";
/// What the numbers' ids begin with in `deploy/demo/`; three digits tell a company's own apart.
const NUMBERS: &str = "106540000";
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/demo");
const FILES: [&str; 3] = ["company.yaml", "queues.yaml", "channels.yaml"];

/// A presence of the company on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// WhatsApp with a window of 72 hours; queue `parcels`.
    Parcels,
    /// WhatsApp without a window; queue `billing`.
    Billing,
    /// Open messaging; queue `shop`.
    Shop,
    /// A Messenger page; queue `page`.
    Page,
    /// An Instagram account; queue `gallery`.
    Gallery,
    /// An X account; queue `bird`.
    Bird,
    /// WhatsApp with a bot that greets; queue `help`.
    Help,
    /// The company's page, written to by guests; queue `web`.
    Web,
}

impl Account {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Parcels, Self::Billing, Self::Shop, Self::Page, Self::Gallery, Self::Bird, Self::Help, Self::Web];

    /// The account's id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Parcels => "whatsapp-parcels",
            Self::Billing => "whatsapp-billing",
            Self::Shop => "shop-chat",
            Self::Page => "messenger-page",
            Self::Gallery => "instagram-gallery",
            Self::Bird => "x-account",
            Self::Help => "whatsapp-help",
            Self::Web => "web-page",
        }
    }

    /// Its channel.
    pub const fn channel(self) -> &'static str {
        match self {
            Self::Parcels | Self::Billing | Self::Help => "whatsapp",
            Self::Shop => "open",
            Self::Page => "facebook",
            Self::Gallery => "instagram",
            Self::Bird => "twitter",
            Self::Web => "web",
        }
    }

    /// The queue its conversations go to.
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Parcels => "parcels",
            Self::Billing => "billing",
            Self::Shop => "shop",
            Self::Page => "page",
            Self::Gallery => "gallery",
            Self::Bird => "bird",
            Self::Help => "help",
            Self::Web => "web",
        }
    }

    /// The agents of that queue.
    pub const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Parcels => &["ana", "ben"],
            Self::Billing => &["cleo", "dan"],
            Self::Shop => &["eve"],
            Self::Page | Self::Gallery | Self::Bird => &["fay"],
            Self::Help => &["gil"],
            Self::Web => &["hana"],
        }
    }

    /// Where a customer of it writes, in a sentence.
    pub const fn where_they_write(self) -> &'static str {
        match self {
            Self::Parcels | Self::Billing | Self::Help => "on WhatsApp",
            Self::Shop => "in the shop's chat",
            Self::Page => "on Messenger",
            Self::Gallery => "on Instagram",
            Self::Bird => "on X",
            Self::Web => "on the web page",
        }
    }

    /// Who shows our replies to its customers.
    pub const fn provider(self) -> &'static str {
        match self {
            Self::Parcels | Self::Billing | Self::Help => "WhatsApp",
            Self::Shop => "shop",
            Self::Page => "Messenger",
            Self::Gallery => "Instagram",
            Self::Bird => "X",
            Self::Web => "web page",
        }
    }
}

/// One tenant with the demo's people, queues and accounts.
#[derive(Debug, Clone)]
pub struct Company {
    /// The tenant's id.
    pub tenant: String,
    /// The id of its Meta endpoint.
    pub endpoint: String,
    /// The id of its X endpoint.
    pub x_endpoint: String,
    /// What X signs its webhooks with.
    pub x_secret: String,
    /// What Meta signs its webhooks with.
    pub meta_secret: String,
    /// What the verification handshake must present.
    pub verify_token: String,
    numbers: String,
    integration: String,
}

impl Company {
    /// The demo's company as it is committed.
    ///
    /// # Errors
    /// If the stack does not hold its secrets.
    pub fn demo(stack: &Stack) -> anyhow::Result<Self> {
        Self::of(stack, TENANT, ENDPOINT.into(), NUMBERS.into())
    }

    /// A company of its own with the same configuration; `no` is unique among those of a stack.
    ///
    /// # Errors
    /// If the stack does not hold its secrets.
    pub fn another(stack: &Stack, tenant: &str, no: u32) -> anyhow::Result<Self> {
        Self::of(stack, tenant, format!("{tenant}-meta"), format!("2{no:08}"))
    }

    fn of(stack: &Stack, tenant: &str, endpoint: String, numbers: String) -> anyhow::Result<Self> {
        Ok(Self {
            tenant: tenant.to_owned(),
            x_endpoint: endpoint.replace("meta", "x"),
            x_secret: stack.variable("DEMO_X_CONSUMER_SECRET")?.to_owned(),
            endpoint,
            meta_secret: stack.variable("DEMO_META_APP_SECRET")?.to_owned(),
            verify_token: stack.variable("DEMO_META_VERIFY_TOKEN")?.to_owned(),
            numbers,
            integration: if tenant == TENANT { "shop-chat".into() } else { format!("shop-chat-{tenant}") },
        })
    }

    /// The platform's id of an account: a phone number id, an integration id; our own page has none but ours.
    pub fn provider_account(&self, account: Account) -> String {
        match account {
            Account::Parcels => format!("{}000001", self.numbers),
            Account::Billing => format!("{}000002", self.numbers),
            Account::Shop => self.integration.clone(),
            Account::Page => format!("{}000003", self.numbers),
            Account::Gallery => format!("{}000004", self.numbers),
            Account::Bird => format!("{}000005", self.numbers),
            Account::Help => format!("{}000006", self.numbers),
            Account::Web => Account::Web.id().to_owned(),
        }
    }

    /// Writes this company's configuration, with the providers on the given ports, into a
    /// directory; gives the directory.
    ///
    /// # Errors
    /// If the committed files cannot be read or the copies not written.
    pub fn write(&self, directory: &Path, ports: Ports) -> anyhow::Result<PathBuf> {
        let directory = directory.join(&self.tenant);
        std::fs::create_dir_all(&directory)?;
        for file in FILES {
            let committed = Path::new(COMMITTED).join(file);
            let text =
                std::fs::read_to_string(&committed).with_context(|| format!("cannot read {}", committed.display()))?;
            std::fs::write(directory.join(file), self.rendered(&text, ports))?;
        }
        Ok(directory)
    }

    fn rendered(&self, text: &str, ports: Ports) -> String {
        let moved = PORTS.map(|port| format!("127.0.0.1:{}", BASE_DEFAULT + port)).into_iter().zip(ports.all());
        let moved: Vec<(String, String)> = moved.map(|(from, to)| (from, format!("127.0.0.1:{to}"))).collect();
        let x_endpoint = ENDPOINT.replace("meta", "x");
        let is_tenant = |line: &str| line.trim() == format!("id: {TENANT}");
        text.lines()
            .map(|line| {
                let moved = moved.iter().find(|(from, _)| line.contains(from));
                let line = moved.map_or_else(|| line.to_owned(), |(from, to)| line.replace(from, to));
                let line = line.replace(&format!("tenant: {TENANT}"), &format!("tenant: {}", self.tenant));
                let line = if is_tenant(&line) { line.replace(TENANT, &self.tenant) } else { line };
                let line = line.replace(ENDPOINT, &self.endpoint).replace(&x_endpoint, &self.x_endpoint);
                let line = line.replace(NUMBERS, &self.numbers);
                let provider_id = "provider_account_id: shop-chat";
                let line = line.replace(provider_id, &format!("provider_account_id: {}", self.integration));
                line.replace("/webhooks/shop-chat", &format!("/webhooks/{}", self.integration)) + "\n"
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(tenant: &str, endpoint: &str, numbers: &str, integration: &str) -> Company {
        let (secret, token) = (String::new(), String::new());
        Company {
            tenant: tenant.into(),
            endpoint: endpoint.into(),
            x_endpoint: endpoint.replace("meta", "x"),
            x_secret: String::new(),
            meta_secret: secret,
            verify_token: token,
            numbers: numbers.into(),
            integration: integration.into(),
        }
    }

    #[test]
    fn the_demo_on_the_default_ports_is_what_is_committed() {
        let demo = company(TENANT, ENDPOINT, NUMBERS, "shop-chat");
        for file in FILES {
            let text = std::fs::read_to_string(Path::new(COMMITTED).join(file)).unwrap();
            assert_eq!(demo.rendered(&text, Ports::from_base(BASE_DEFAULT)), text, "{file}");
        }
    }

    #[test]
    fn another_company_shares_nothing_that_tells_it_apart() {
        let other = company("other", "other-meta", "200000001", "shop-chat-other");
        for file in FILES {
            let text = std::fs::read_to_string(Path::new(COMMITTED).join(file)).unwrap();
            let rendered = other.rendered(&text, Ports::of([1, 2, 3, 4, 5, 6]));
            for word in ["tenant: demo", "id: demo", ENDPOINT, "demo-x", NUMBERS, ":1908"] {
                assert!(!rendered.contains(word), "{file} still says {word}");
            }
        }
    }
}
