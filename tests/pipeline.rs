//! Whole journeys through all six services on real Kafka, registry and ClickHouse, and reports that
//! equal an oracle which saw the outside alone.
//!
//! `make test` starts the stack and says where it is (`WEFT_TEST_STACK`). Each test has a company of
//! its own, so that they can run side by side; the one that kills services runs alone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it finds something wrong")]

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use stream::clock;
use tests::company::{Account, Company, Ports};
use tests::config;
use tests::journeys::Journey;
use tests::load::Load;
use tests::narrator::Narrator;
use tests::outside::Outside;
use tests::services::{Services, free_ports};
use tests::stack::{SERVICES, Stack};
use tests::wait::wait_for;
use tests::world::World;
use tokio::runtime::Runtime;
use tokio::sync::RwLock;

/// One company for each test.
const COMPANIES: [&str; 22] = [
    "answered",
    "returns",
    "after-window",
    "leaves",
    "open",
    "reached",
    "begun",
    "no-answer",
    "owner-gone",
    "twice",
    "declined",
    "messenger",
    "instagram",
    "x",
    "elsewhere",
    "guest",
    "picture",
    "bot",
    "operated",
    "bad-input",
    "day",
    "kills",
];
/// Talks during the kills, and the pause between two messages of one.
const TALKS: usize = 10;
const PAUSE: Duration = Duration::from_millis(150);
/// Messages both ways around each kill.
const MESSAGES_AROUND_A_KILL: usize = 60;
const PROGRESS_MAX: Duration = Duration::from_secs(60);

/// What all tests share.
struct Shared {
    runtime: Runtime,
    services: Services,
    outside: Arc<Outside>,
    /// Makes tenants that no former run on this stack used.
    run: i64,
    /// Held by every journey; whoever kills services waits for all and lets nobody in.
    calm: RwLock<()>,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let run = clock::now().as_ms() / 1000;
        let started = runtime.block_on(start(run));
        let (services, outside) = started.map_err(|error| format!("{error:#}"))?;
        Ok(Shared { runtime, services, outside, run, calm: RwLock::new(()) })
    });
    match shared {
        Ok(shared) => shared,
        Err(error) => panic!("{error}"),
    }
}

fn company(stack: &Stack, run: i64, name: &str) -> anyhow::Result<Company> {
    let no = COMPANIES.iter().position(|one| *one == name).context("a test names one of the companies")?;
    Company::another(stack, &format!("{name}-{run}"), u32::try_from(run % 1_000_000)? * 100 + u32::try_from(no)?)
}

async fn start(run: i64) -> anyhow::Result<(Services, Arc<Outside>)> {
    let directory = config::test_stack()?;
    let stack = Stack::of_directory(&directory)?;
    for command in [&["topics", "apply"][..], &["schemas", "register"], &["migrate"]] {
        stack.weft(command).await?;
    }
    let ports = Ports::of(free_ports(Ports::COUNT)?.try_into().map_err(|_| anyhow::anyhow!("too few ports"))?);
    let companies: anyhow::Result<Vec<Company>> = COMPANIES.iter().map(|name| company(&stack, run, name)).collect();
    let companies = companies?;
    let outside = Arc::new(Outside::start(&stack, &companies, ports).await?);
    let configuration = tempfile::tempdir()?;
    for company in &companies {
        company.write(configuration.path(), ports)?;
    }
    let path = configuration.path().to_str().context("a temporary directory has a plain name")?;
    stack.weft(&["apply", "-f", path]).await?;
    let logs: &Path = &directory.join("logs");
    std::fs::create_dir_all(logs)?;
    Ok((Services::start(stack, logs).await?, outside))
}

fn world(shared: &Shared, name: &str) -> anyhow::Result<World> {
    let stack = shared.services.stack().clone();
    let company = company(&stack, shared.run, name)?;
    World::new(stack, company, Arc::clone(&shared.outside), Narrator::silent())
}

/// Plays journeys in a company of their own and compares its reports with the oracle; tells the
/// story when something is wrong.
fn plays(name: &str, journeys: &[Journey]) {
    let shared = shared();
    let world = world(shared, name).unwrap();
    let played = shared.runtime.block_on(async {
        let _calm = shared.calm.read().await;
        let mut accounts: Vec<Account> = journeys.iter().map(|journey| journey.account()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts {
            world.open(account).await?;
        }
        for journey in journeys {
            journey.play(&world).await.context(journey.title())?;
        }
        world.totals().await
    });
    if let Err(error) = played {
        panic!("{}\n\n{error:#}", world.narrator.story());
    }
}

#[test]
fn a_new_customer_is_answered_and_both_receipts_come_back() {
    plays("answered", &[Journey::Answered]);
}

#[test]
fn whoever_comes_back_inside_the_window_gets_the_same_conversation_and_agent() {
    plays("returns", &[Journey::Returns]);
}

#[test]
fn whoever_comes_back_after_the_window_gets_a_new_conversation_that_knows_the_former() {
    plays("after-window", &[Journey::AfterWindow]);
}

#[test]
fn whoever_leaves_while_waiting_is_an_abandoned_visit() {
    plays("leaves", &[Journey::LeavesWaiting]);
}

#[test]
fn an_open_messaging_customer_is_answered_by_a_signed_webhook() {
    plays("open", &[Journey::OpenAnswered]);
}

#[test]
fn the_company_writes_first_only_with_consent_and_a_stop_silences_its_agents_too() {
    plays("reached", &[Journey::Reached]);
}

#[test]
fn an_offer_that_is_not_answered_goes_to_the_next_agent() {
    plays("no-answer", &[Journey::NoAnswer]);
}

#[test]
fn a_conversation_whose_agent_is_gone_goes_to_another_when_the_customer_writes() {
    plays("owner-gone", &[Journey::OwnerGone]);
}

#[test]
fn webhooks_that_come_twice_and_out_of_order_count_once() {
    plays("twice", &[Journey::Twice]);
}

#[test]
fn what_is_forged_broken_or_unknown_reaches_nobody_and_spoils_nothing() {
    plays("bad-input", &[Journey::BadInput]);
}

#[test]
fn an_offer_that_is_declined_goes_to_the_next_agent() {
    plays("declined", &[Journey::Declined]);
}

#[test]
fn a_messenger_customer_is_answered_and_our_echo_is_nobody_elses() {
    plays("messenger", &[Journey::Messenger]);
}

#[test]
fn an_instagram_customer_gets_a_long_answer_in_parts() {
    plays("instagram", &[Journey::Instagram]);
}

#[test]
fn a_customer_on_x_is_answered() {
    plays("x", &[Journey::Twitter]);
}

#[test]
fn what_somebody_answers_elsewhere_becomes_a_message_of_the_conversation() {
    plays("elsewhere", &[Journey::Elsewhere]);
}

#[test]
fn a_guest_of_the_web_page_is_answered_and_misses_nothing() {
    plays("guest", &[Journey::Guest]);
}

#[test]
fn a_picture_is_copied_and_looked_at_and_another_is_sent_back() {
    plays("picture", &[Journey::Picture]);
}

#[test]
fn a_bot_greets_asks_and_hands_over() {
    plays("bot", &[Journey::Bot]);
}

#[test]
fn an_agent_writes_first_and_the_answer_comes_to_them() {
    plays("begun", &[Journey::Begun]);
}

#[test]
fn an_imported_opt_in_lets_a_message_out_and_a_replayed_webhook_is_known_to_its_receiver() {
    plays("operated", &[Journey::Operated]);
}

#[test]
fn the_reports_of_a_whole_day_equal_what_the_outside_saw() {
    plays("day", &Journey::ALL);
}

#[test]
fn nothing_is_lost_or_doubled_when_each_service_is_killed_under_load() {
    let shared = shared();
    let world = world(shared, "kills").unwrap();
    let outcome = shared.runtime.block_on(async {
        let _alone = shared.calm.write().await;
        world.open(Account::Billing).await?;
        let load = Load::default();
        let (ran, killed) = tokio::join!(load.run(&world, TALKS, PAUSE), async {
            let killed = kill_each(&shared.services, &load).await;
            load.enough();
            killed
        });
        killed?;
        ran?;
        world.totals().await?;
        let tenant = &world.company.tenant;
        world.stack.weft(&["verify", "conservation", "--tenant", tenant, "--wait", "30"]).await
    });
    if let Err(error) = outcome {
        panic!("{}\n\n{error:#}", world.narrator.story());
    }
}

async fn kill_each(services: &Services, load: &Load) -> anyhow::Result<()> {
    for service in SERVICES {
        exchanged(load, MESSAGES_AROUND_A_KILL).await?;
        services.kill(service).await?;
    }
    exchanged(load, MESSAGES_AROUND_A_KILL).await
}

/// Waits until this many more messages went both ways.
async fn exchanged(load: &Load, more: usize) -> anyhow::Result<()> {
    let goal = load.exchanged() + more;
    wait_for("messages to go on", PROGRESS_MAX, || async {
        let exchanged = load.exchanged();
        if exchanged >= goal { Ok(()) } else { Err(format!("{exchanged} of {goal}")) }
    })
    .await
}
