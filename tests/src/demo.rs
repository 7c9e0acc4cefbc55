//! `weft-demo`: plays every journey on a running stack, shows what the reports say of them, and
//! where to look.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use stream::clock;

use crate::company::{Account, Company, Ports};
use crate::journeys::Journey;
use crate::load;
use crate::narrator::{Actor, Narrator};
use crate::outside::Outside;
use crate::stack::{SERVICES, Stack};
use crate::tables::REPORTS;
use crate::talk::Talk;
use crate::world::World;

const BURST_CUSTOMERS: usize = 8;
const BURST_MESSAGES: usize = 200;
const BURST_PER_SECOND: f64 = 40.0;
/// Between two customers of the trickle that goes on until Ctrl-C.
const TRICKLE: Duration = Duration::from_secs(3);
const TIME_ZONE: &str = "Europe/Berlin";
const LOCAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.local/demo");

/// Plays the demo; `once` ends it after the reports, otherwise it goes on until Ctrl-C. Answers
/// whether everything went as it should.
///
/// # Errors
/// If there is no stack to play on.
pub async fn run(once: bool) -> anyhow::Result<bool> {
    let stack = Stack::of_environment()?;
    let company = Company::demo(&stack)?;
    let outside =
        Arc::new(Outside::start(&stack, std::slice::from_ref(&company), Ports::from_base(stack.port_base())).await?);
    let world = World::new(stack, company, outside, Narrator::aloud())?;
    prepare(&world).await?;
    let mut failed = journeys(&world).await;
    failed.extend(measure(&world).await);
    failed.extend(show_reports(&world).await);
    failed.extend(show_trace(&world).await);
    failed.extend(check(&world).await);
    show_addresses(&world)?;
    verdict(&world, &failed);
    if !once {
        go_on(&world).await?;
    }
    Ok(failed.is_empty())
}

/// The configuration with the providers' ports of this stack, and everybody at their desks.
async fn prepare(world: &World) -> anyhow::Result<()> {
    world.narrator.chapter(
        "Parcels & Co opens",
        "A small company with eight queues: parcels, billing and help on WhatsApp, the shop's own chat over open \
         messaging, a Messenger page, an Instagram account, one on X, and the company's page. Its customers, its \
         agents, its bot and the platforms between them are simulated; everything else is real.",
    );
    let directory = world.company.write(Path::new(LOCAL), Ports::from_base(world.stack.port_base()))?;
    let directory = directory.to_str().context("the clone lies under a name that is not UTF-8")?;
    world.stack.weft(&["apply", "-f", directory]).await?;
    for account in Account::ALL {
        world.open(account).await?;
        world.narrator.tell(Actor::Agent, &account.members().join(", "), &format!("on queue {}", account.queue()));
    }
    Ok(())
}

async fn journeys(world: &World) -> Vec<String> {
    let mut failed = Vec::new();
    for (no, journey) in Journey::ALL.into_iter().enumerate() {
        world.narrator.chapter(&format!("{}. {}", no + 1, journey.title()), journey.story());
        match journey.play(world).await {
            Ok(()) => world.narrator.good("reached its report row"),
            Err(error) => {
                world.narrator.bad(&format!("{error:#}"));
                failed.push(journey.title().to_owned());
            }
        }
    }
    failed
}

async fn measure(world: &World) -> Vec<String> {
    let title = "From a webhook to an agent's desktop";
    world.narrator.chapter(
        title,
        &format!("{BURST_CUSTOMERS} customers in talks write {BURST_MESSAGES} messages, {BURST_PER_SECOND} a second."),
    );
    world.narrator.hush();
    let measured = load::burst(world, BURST_CUSTOMERS, BURST_MESSAGES, BURST_PER_SECOND).await;
    world.narrator.speak_up();
    match measured {
        Ok(took) => {
            world.narrator.good(&format!(
                "{} messages: half within {:.0} ms, 99 of 100 within {:.0} ms, the slowest {:.0} ms",
                took.messages, took.p50_ms, took.p99_ms, took.max_ms
            ));
            Vec::new()
        }
        Err(error) => {
            world.narrator.bad(&format!("{error:#}"));
            vec![title.to_owned()]
        }
    }
}

/// The three reports since the demo began, through the operator's command, and against what was
/// seen outside.
async fn show_reports(world: &World) -> Vec<String> {
    let (mut failed, judged) = (Vec::new(), world.totals().await);
    for shown in REPORTS {
        let (from, to) = (world.reports.from().to_string(), clock::now().plus_ms(60_000).to_string());
        let mut command = vec!["report", "run", shown.report, "--from", &from, "--to", &to];
        command.extend(["--tenant", &world.company.tenant, "--tz", TIME_ZONE, "--interval", "all"]);
        world.narrator.chapter(&format!("weft {}", command.join(" ")), "");
        command.extend(["--format", "json"]);
        let rows = world.stack.weft(&command).await;
        match rows.and_then(|rows| shown.table(&rows)) {
            Ok(table) => world.narrator.show(&table),
            Err(error) => failed.extend(judge(world, shown.report, Err(error))),
        }
    }
    failed.extend(judge(world, "the reports say what was seen outside", judged));
    failed
}

async fn show_trace(world: &World) -> Vec<String> {
    let Some(served) = world.last_served() else { return Vec::new() };
    let command = ["trace", &served.conversation_id, "--text"];
    world.narrator.chapter(&format!("weft {}", command.join(" ")), "One conversation across every topic.");
    match world.stack.weft(&command).await {
        Ok(story) => {
            world.narrator.show(&story);
            Vec::new()
        }
        Err(error) => {
            world.narrator.bad(&format!("{error:#}"));
            vec!["weft trace".into()]
        }
    }
}

async fn check(world: &World) -> Vec<String> {
    let command = ["verify", "conservation", "--tenant", &world.company.tenant, "--wait", "30"];
    world.narrator.chapter(&format!("weft {}", command.join(" ")), "Nothing lost, nothing doubled.");
    let checked = world.stack.weft(&command).await.map(|table| world.narrator.show(&table));
    judge(world, "the conservation check", checked)
}

fn judge(world: &World, what: &str, judged: anyhow::Result<()>) -> Vec<String> {
    match judged {
        Ok(()) => {
            world.narrator.good(what);
            Vec::new()
        }
        Err(error) => {
            world.narrator.bad(&format!("{what}: {error:#}"));
            vec![what.to_owned()]
        }
    }
}

fn show_addresses(world: &World) -> anyhow::Result<()> {
    let stack = &world.stack;
    world.narrator.chapter("Where to look", "");
    let mut lines = vec![
        ("ingest".to_owned(), format!("{}/webhooks/meta/{}", stack.ingest()?, world.company.endpoint)),
        ("gateway".to_owned(), format!("http://{}/api/v1, ws://{0}/ws/agent", stack.gateway()?)),
    ];
    for service in SERVICES {
        lines.push((format!("{service} metrics"), format!("{}/metrics", stack.admin(service)?)));
    }
    if let Ok(prometheus) = stack.variable("PROMETHEUS_URL") {
        lines.push(("Prometheus".into(), format!("{prometheus}/graph?g0.expr=weft_queue_outcomes_total")));
    }
    lines.push(("ClickHouse".into(), stack.variable("WEFT_CLICKHOUSE__URL")?.to_owned()));
    for (what, address) in lines {
        world.narrator.show(&format!("{what:<18} {address}"));
    }
    let clickhouse = stack.variable("WEFT_CLICKHOUSE__URL")?;
    let query = "SELECT agent_name, queue_name, wait_s, talk_s, wrap_up_code FROM weft.interaction_details FORMAT PrettyCompact";
    world.narrator.show(&format!("{:<18} curl {clickhouse} --data \"{query}\"", "a query"));
    world.narrator.show(&format!("{:<18} set -a; . .local/env; set +a", "the weft command"));
    Ok(())
}

fn verdict(world: &World, failed: &[String]) {
    world.narrator.chapter("", "");
    if failed.is_empty() {
        world.narrator.good("every journey reached its report row, and everything adds up");
    } else {
        world.narrator.bad(&format!("{} did not come out right: {}", failed.len(), failed.join("; ")));
    }
}

/// A customer every few seconds, so that the metrics move, until Ctrl-C.
async fn go_on(world: &World) -> anyhow::Result<()> {
    world.narrator.show("");
    world.narrator.show("A customer comes every few seconds from now on; Ctrl-C ends the demo and its stack.");
    world.narrator.hush();
    let trickle = async {
        loop {
            // A bad moment of one customer does not end the trickle; the metrics show it.
            let _met = one_more(world).await;
            tokio::time::sleep(TRICKLE).await;
        }
    };
    tokio::select! {
        () = trickle => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn one_more(world: &World) -> anyhow::Result<()> {
    let customer = world.customer(Account::Billing, "Mia")?;
    let mut talk = Talk::begin(world, &customer, "Could you send me the invoice again?").await?;
    talk.reply("It is in your inbox.").await?;
    talk.finish("resolved").await.map(drop)
}
