//! Everything a journey needs: a company on a stack, the outside around it, and who watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use stream::{Timestamp, clock};

use crate::agents::{Agent, Offer};
use crate::company::{Account, Company};
use crate::customers::Customer;
use crate::narrator::{Actor, Narrator};
use crate::oracle::{self, Abandoned, Oracle, Part};
use crate::outside::Outside;
use crate::reports::{self, Reports, Row};
use crate::stack::Stack;
use crate::wait::wait_for;

/// From the last event of a journey to its report row.
const REPORT_MAX: Duration = Duration::from_secs(40);
/// From a customer's message to an offer.
const OFFER_MAX: Duration = Duration::from_secs(20);
/// From start to the first good answer of every service.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// A company at work.
#[derive(Debug)]
pub struct World {
    /// The stack it runs on.
    pub stack: Stack,
    /// Its names.
    pub company: Company,
    /// The providers that its replies go to.
    pub outside: Arc<Outside>,
    /// Who tells the story.
    pub narrator: Narrator,
    /// Who remembers what was seen from outside.
    pub oracle: Oracle,
    /// What weft says of it.
    pub reports: Reports,
    begun: Timestamp,
    agents: BTreeMap<&'static str, Arc<Agent>>,
    customers: AtomicU32,
    taken: Mutex<BTreeSet<(String, usize)>>,
    served: Mutex<Option<Served>>,
}

/// Who was served, for whoever tells what happened next.
#[derive(Debug, Clone)]
pub struct Served {
    /// Who wrote.
    pub customer: Arc<Customer>,
    /// Who answered.
    pub agent: String,
    /// The conversation's id.
    pub conversation_id: String,
}

impl World {
    /// A company whose configuration was applied; nobody sits at a desk yet.
    ///
    /// # Errors
    /// If the stack lacks an address or a secret.
    pub fn new(stack: Stack, company: Company, outside: Arc<Outside>, narrator: Narrator) -> anyhow::Result<Self> {
        let begun = clock::now();
        // WhatsApp tells whole seconds: what happens now happened up to a second ago.
        let reports = Reports::new(&stack, &company.tenant, begun.plus_ms(-1000))?;
        let mut agents = BTreeMap::new();
        for account in Account::ALL {
            for id in account.members() {
                agents.insert(*id, Agent::new(&stack, &company.tenant, id)?);
            }
        }
        Ok(Self {
            reports,
            stack,
            company,
            outside,
            narrator,
            oracle: Oracle::default(),
            begun,
            agents,
            customers: AtomicU32::new(0),
            taken: Mutex::default(),
            served: Mutex::default(),
        })
    }

    /// Waits until ingest knows the company, and sets the members of an account's queue at their
    /// desks, on queue.
    ///
    /// # Errors
    /// If somebody does not come up.
    pub async fn open(&self, account: Account) -> anyhow::Result<()> {
        self.handshake().await?;
        for id in account.members() {
            let agent = self.agent(id);
            agent.sit_down().await?;
            let what = format!("routing to know {id}");
            let on_queue = || async { agent.presence("on_queue").await.map_err(|error| format!("{error:#}")) };
            wait_for(&what, OPEN_MAX, on_queue).await?;
        }
        Ok(())
    }

    /// Meta's verification handshake: shows that ingest has the configuration.
    async fn handshake(&self) -> anyhow::Result<()> {
        let (endpoint, token) = (&self.company.endpoint, &self.company.verify_token);
        let ask = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        let url = format!("{}/webhooks/meta/{endpoint}?{ask}", self.stack.ingest()?);
        wait_for("Meta's verification handshake", OPEN_MAX, || async {
            let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
            let (status, text) = (answer.status(), answer.text().await.map_err(|error| error.to_string())?);
            if status.is_success() && text == "1158201444" { Ok(()) } else { Err(format!("{status} {text}")) }
        })
        .await
    }

    /// One of the company's agents.
    ///
    /// # Panics
    /// If the company has no such agent, which no journey asks for.
    pub fn agent(&self, id: &str) -> &Arc<Agent> {
        self.agents.get(id).expect("journeys name agents of the company alone")
    }

    /// Somebody who never wrote before, in this run or a former one.
    ///
    /// # Errors
    /// If the stack lacks an address or a secret.
    pub fn customer(&self, account: Account, name: &str) -> anyhow::Result<Arc<Customer>> {
        let no = self.customers.fetch_add(1, Ordering::Relaxed);
        let run = self.begun.as_ms() / 1000;
        let id = match account {
            Account::Parcels | Account::Billing | Account::Help => format!("49{:07}{no:04}", run % 10_000_000),
            Account::Shop | Account::Web => format!("visitor-{run}-{no}"),
            Account::Page | Account::Gallery | Account::Bird => format!("7{:07}{no:06}", run % 10_000_000),
        };
        Ok(Arc::new(Customer::new(&self.stack, &self.company, account, name, id)?))
    }

    /// Waits for the next offer of a customer's conversation, whoever gets it.
    ///
    /// # Errors
    /// If nobody does.
    pub async fn offer_of(&self, customer: &Customer) -> anyhow::Result<(Arc<Agent>, Offer)> {
        let what = format!("an offer of {}'s conversation", customer.name);
        let (agent, offer) =
            wait_for(&what, OFFER_MAX, || async { self.new_offer(customer).ok_or_else(|| self.desks()) }).await?;
        self.narrator.tell(Actor::House, "weft", &format!("offers {} to {}", customer.name, agent.id));
        Ok((agent, offer))
    }

    /// An offer of a customer's conversation that nobody has asked about yet.
    pub fn new_offer(&self, customer: &Customer) -> Option<(Arc<Agent>, Offer)> {
        let key = customer.key.to_string();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.agents.values().find_map(|agent| {
            let seen = agent.seen();
            let mut of_customer = seen.offers.iter().enumerate().filter(|(_, offer)| offer.customer_key == key);
            let (_, offer) = of_customer.find(|(no, _)| taken.insert((agent.id.clone(), *no)))?;
            Some((Arc::clone(agent), offer.clone()))
        })
    }

    fn desks(&self) -> String {
        let line = |agent: &Arc<Agent>| {
            let seen = agent.seen();
            format!("{} {} {}, {} offers", agent.id, seen.presence, seen.routing_status, seen.offers.len())
        };
        self.agents.values().map(line).collect::<Vec<_>>().join("; ")
    }

    /// Follows a finished part to its row in Interaction Details, which must say what was seen.
    ///
    /// # Errors
    /// If the row does not come or says something else.
    pub async fn reported(&self, part: &Part) -> anyhow::Result<Row> {
        let what = format!("{}'s part in Interaction Details", part.agent);
        let rows = || self.reports.interactions_of(&part.customer_key);
        let found = wait_for(&what, REPORT_MAX, || async {
            let rows = rows().await.map_err(|error| format!("{error:#}"))?;
            let of_agent = rows.iter().filter(|row| reports::text(row, "agent_id") == part.agent);
            let judged: Vec<_> = of_agent.map(|row| (row.clone(), oracle::faults_of_part(part, row))).collect();
            match judged.iter().find(|(_, faults)| faults.is_empty()) {
                Some((row, _)) => Ok(row.clone()),
                None => Err(judged.last().map_or("no row".into(), |(_, faults)| faults.join("; "))),
            }
        })
        .await?;
        let number = |column| reports::number(&found, column).unwrap_or_default();
        self.narrator.tell(
            Actor::Report,
            "report",
            &format!(
                "answered by {}, waited {:.1} s, talked {:.1} s, {} in, {} out, code {}",
                part.agent,
                number("wait_s"),
                number("talk_s"),
                part.messages_in,
                part.messages_out,
                part.code
            ),
        );
        Ok(found)
    }

    /// Follows an abandoned visit to its row in Interaction Details.
    ///
    /// # Errors
    /// If the row does not come or says something else.
    pub async fn reported_abandoned(&self, abandoned: &Abandoned) -> anyhow::Result<()> {
        wait_for("the abandoned visit in Interaction Details", REPORT_MAX, || async {
            let rows = self.reports.interactions_of(&abandoned.customer_key).await;
            let rows = rows.map_err(|error| format!("{error:#}"))?;
            let row = rows.first().ok_or("no row")?;
            let faults = oracle::faults_of_abandoned(abandoned, row);
            if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
        })
        .await?;
        self.narrator.tell(Actor::Report, "report", &format!("abandoned after {:.1} s", abandoned.wait_s));
        Ok(())
    }

    /// The sums of all reports against what was seen outside.
    ///
    /// # Errors
    /// Naming every number that is off once the reports had their time.
    pub async fn totals(&self) -> anyhow::Result<()> {
        let faults = |error: anyhow::Error| format!("{error:#}");
        wait_for("reports that say what was seen outside", REPORT_MAX, || async {
            let mut found = self.oracle.faults_of_queues(&self.reports.queues().await.map_err(faults)?);
            found.extend(self.oracle.faults_of_agents(&self.reports.agents().await.map_err(faults)?));
            let details = self.reports.view("interaction_details", ", time_field = 'completed'");
            let rows = self.reports.ask(&format!("SELECT part_id FROM {details}")).await.map_err(faults)?;
            if rows.len() != self.oracle.rows_of_details() {
                found.push(format!("{} rows of details, expected {}", rows.len(), self.oracle.rows_of_details()));
            }
            if found.is_empty() { Ok(()) } else { Err(format!("\n  {}", found.join("\n  "))) }
        })
        .await
    }

    /// A counter of one service's metrics, summed over the series whose labels hold every given
    /// text.
    ///
    /// # Errors
    /// If the service does not answer.
    pub async fn counter(&self, service: &str, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
        let url = format!("{}/metrics", self.stack.admin(service)?);
        let answer = reqwest::get(&url).await.with_context(|| format!("{service} has no metrics"))?;
        if !answer.status().is_success() {
            bail!("{url} answers {}", answer.status());
        }
        let text = answer.text().await?;
        let series =
            text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
        Ok(series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
    }

    /// Remembers who was served last.
    pub fn remember(&self, served: Served) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(served);
    }

    /// Who was served last, if anybody was.
    pub fn last_served(&self) -> Option<Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
