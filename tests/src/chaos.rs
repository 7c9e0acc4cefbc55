#![doc = include_str!("chaos/README.md")]

pub mod checker;
pub mod collect;
pub mod controls;
pub mod desk;
pub mod dice;
pub mod evidence;
pub mod fleet;
pub mod flood;
pub mod ground;
pub mod history;
pub mod nemesis;
pub mod proxy;
pub mod report;
pub mod timeline;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use schemas::codec::{Codec, RegistrySettings};
use schemas::topics::{TOPICS, Topic};
use stream::clock::{self, Stamp};

use crate::company::{Company, Ports};
use crate::outside::Outside;
use checker::Findings;
use desk::Desk;
use dice::Dice;
use evidence::Evidence;
use fleet::Fleet;
use flood::{Flood, Volume};
use ground::Ground;
use history::History;
use nemesis::{Around, Goal, House, KINDS, Kind};
use report::Report;
use timeline::Timeline;

/// Between two looks at what has not come yet.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the stack, the logs and the findings lie; emptied first.
    pub directory: PathBuf,
    /// Decides what is done when; the same seed makes the same choices.
    pub seed: u64,
    /// 1, or 3 with three replicas.
    pub brokers: u8,
    /// What is to be survived.
    pub goal: Goal,
    /// Records a second that are written straight to the topics.
    pub per_second: f64,
    /// People whose records those are.
    pub flood_customers: usize,
    /// People on each account who write through ingest.
    pub desk_customers: usize,
    /// Between two messages of one of them, milliseconds.
    pub desk_pause_ms: (u64, u64),
    /// Until everything that was acknowledged has come through, once everything is well again.
    pub healed_max: Duration,
    /// Variables for all services.
    pub variables: Vec<(String, String)>,
}

impl Plan {
    /// What `make chaos SHORT=1` and the tests run: minutes.
    pub fn short(directory: &Path, seed: u64) -> Self {
        let goal = Goal {
            kills: 50,
            zombies: 5,
            messages: 100_000,
            pause_ms: (2_500, 6_500),
            kinds: KINDS.map(|(kind, ..)| kind).into(),
            limit: Duration::from_secs(420),
        };
        Self {
            directory: directory.to_owned(),
            seed,
            brokers: 1,
            goal,
            per_second: 400.0,
            flood_customers: 2_000,
            desk_customers: 8,
            desk_pause_ms: (300, 1_500),
            healed_max: Duration::from_secs(120),
            variables: Vec::new(),
        }
    }

    /// What `make chaos` runs: an hour and more.
    pub fn long(directory: &Path, seed: u64) -> Self {
        let short = Self::short(directory, seed);
        let limit = Duration::from_secs(4 * 3_600);
        let goal = Goal { kills: 500, zombies: 50, messages: 2_000_000, limit, ..short.goal };
        let healed_max = Duration::from_secs(600);
        Self { goal, per_second: 800.0, flood_customers: 20_000, healed_max, ..short }
    }

    /// One minute of it: what a machine that builds at the same time can do, and what finds planted
    /// bugs.
    pub fn slice(directory: &Path, seed: u64) -> Self {
        let short = Self::short(directory, seed);
        let limit = Duration::from_secs(90);
        let goal = Goal { kills: 8, zombies: 1, messages: 8_000, pause_ms: (1_500, 4_000), limit, ..short.goal };
        Self { goal, per_second: 300.0, flood_customers: 500, desk_customers: 5, ..short }
    }

    /// Without some faults.
    #[must_use]
    pub fn only(mut self, kinds: &[Kind]) -> Self {
        self.goal.kinds.retain(|kind| kinds.contains(kind));
        self
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Processes killed.
    pub kills: usize,
    /// Processes woken after their session had ended.
    pub zombies: usize,
    /// Fault points that were come by.
    pub points: BTreeMap<&'static str, usize>,
    /// Messages and sends whose way was checked.
    pub messages: usize,
    /// What was found.
    pub findings: Findings,
    /// Whether kills, zombies and messages are as many as the goal says.
    pub is_complete: bool,
    /// From the start of the load to the verdict.
    pub took: Duration,
}

/// Runs a plan on a stack of its own and judges it.
///
/// # Errors
/// If the bench itself cannot go on: a piece does not come up, a service never gets ready again.
pub async fn run(plan: &Plan, report: &Report) -> anyhow::Result<Outcome> {
    report.say(&format!(
        "seed {}, {} broker{}, {}",
        plan.seed,
        plan.brokers,
        if plan.brokers == 1 { "" } else { "s" },
        plan.directory.display()
    ));
    std::fs::create_dir_all(&plan.directory)?;
    let ground = Ground::up(&plan.directory, plan.brokers).await?;
    let mut house = None;
    let outcome = tokio::select! {
        outcome = on_ground(plan, ground, report, &mut house) => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and_then(|()| anyhow::bail!("interrupted")),
    };
    if let Some(house) = house {
        // After a verdict nothing runs any more; after a failure everything still does.
        let stopped = house.fleet.stop().await;
        house.ground.down().await?;
        if outcome.is_ok() {
            stopped?;
        }
    }
    outcome
}

async fn on_ground(
    plan: &Plan,
    ground: Ground,
    report: &Report,
    kept: &mut Option<Arc<House>>,
) -> anyhow::Result<Outcome> {
    let timeline = Arc::new(Timeline::new(&plan.directory.join("timeline.txt"))?);
    let (proxies, bootstrap) = ground.proxies().await?;
    let mut variables = plan.variables.clone();
    variables.push(("WEFT_KAFKA__BOOTSTRAP".into(), bootstrap));
    let fleet = Fleet::new(ground.stack()?, &plan.directory.join("logs"), Arc::clone(&timeline), &variables)?;
    let stack = fleet.stack().clone();
    for command in [&["topics", "apply"][..], &["schemas", "register"], &["migrate"]] {
        stack.weft(command).await?;
    }
    let run = clock::now().as_ms() / 1_000 % 1_000_000;
    let companies = [
        Company::another(&stack, &format!("desk-{run}"), u32::try_from(run)? * 10)?,
        Company::another(&stack, &format!("flood-{run}"), u32::try_from(run)? * 10 + 1)?,
    ];
    let ports = Ports::of(fleet.spare[..].try_into().context("too few free ports")?);
    let outside = Outside::confirming(&stack, &companies, ports).await?;
    let configuration = tempfile::tempdir()?;
    for company in &companies {
        company.write(configuration.path(), ports)?;
    }
    stack.weft(&["apply", "-f", configuration.path().to_str().context("a plain path")?]).await?;
    let house = Arc::new(House::new(Around { ground, fleet, outside, proxies }, timeline));
    *kept = Some(Arc::clone(&house));
    house.fleet.start().await?;
    let url = stack.variable("WEFT_SCHEMA_REGISTRY__URL")?.to_owned();
    let topics: Vec<Topic> = TOPICS.to_vec();
    let codec = || async {
        Codec::connect(&RegistrySettings { url: url.clone(), ..RegistrySettings::default() }, &topics).await
    };
    let history = Arc::new(History::default());
    let volume = Volume {
        messages: plan.goal.messages,
        per_second: plan.per_second,
        customers: plan.flood_customers,
        seed: plan.seed ^ run as u64,
    };
    let past_proxies = house.ground.stack()?;
    let flood = Flood::new(&past_proxies, &companies[1], codec().await?, Arc::clone(&history), volume)?;
    let desk = Desk::new(&stack, &companies[0], plan.desk_customers, Arc::clone(&history), plan.seed ^ run as u64)?;
    let begun = Stamp::now();
    report.say("the house is up; the load begins");
    let load = Load { flood, desk, pause_ms: plan.desk_pause_ms };
    let ran = under_load(plan, &house, load, &history, report).await;
    let healed = Stamp::now();
    let findings = match ran {
        Ok(()) => settle(plan, &house, &history, codec().await?, report).await?,
        Err(error) => {
            report.say(&format!("the bench stopped: {error:#}"));
            return Err(error);
        }
    };
    report.say(&format!("judged {:.0} s after everything was well again", healed.elapsed().as_secs_f64()));
    let mut outcome = outcome(plan, &house, &history, findings);
    if let Err(error) = house.fleet.stop().await {
        let what = format!("asked to end, not everybody did so in order: {error}");
        outcome.findings.violations.push(checker::Violation {
            invariant: "alive",
            what,
            story: Vec::new(),
            verdict: checker::Verdict::Wrong,
        });
    }
    outcome.took = begun.elapsed();
    report.verdict(plan, &house, &outcome)?;
    Ok(outcome)
}

fn outcome(plan: &Plan, house: &House, history: &History, findings: Findings) -> Outcome {
    let (kills, zombies) = (house.kills.load(Ordering::Relaxed), house.zombies.load(Ordering::Relaxed));
    let messages = history.acknowledged();
    let goal = &plan.goal;
    let wants_zombies = goal.kinds.contains(&Kind::Zombie);
    let is_complete = kills >= goal.kills && (zombies >= goal.zombies || !wants_zombies) && messages >= goal.messages;
    let points = house.points();
    Outcome { kills, zombies, points, messages, findings, is_complete, took: Duration::ZERO }
}

/// Everybody who writes.
struct Load {
    flood: Flood,
    desk: Desk,
    pause_ms: (u64, u64),
}

/// Load and faults until the goal is reached and everything is well again.
async fn under_load(
    plan: &Plan,
    house: &Arc<House>,
    load: Load,
    history: &History,
    report: &Report,
) -> anyhow::Result<()> {
    let is_over = AtomicBool::new(false);
    let haunted = async {
        let haunted = nemesis::haunt(house, &plan.goal, history, Dice::of(plan.seed, "nemesis")).await;
        is_over.store(true, Ordering::Relaxed);
        haunted
    };
    let work = async { tokio::join!(load.flood.run(&is_over), load.desk.run(&is_over, load.pause_ms), haunted) };
    tokio::select! {
        (flooded, (), haunted) = work => haunted.and(flooded),
        () = report.progress(house, history) => Ok(()),
    }
}

/// Looks until nothing is missing any more, or something is wrong, or the time is over.
///
/// One look is not of one moment: groups, changelogs and topics are read one after the other, and
/// meanwhile the services go on. So where state and events are compared, what is amiss counts once
/// a second look finds the very same.
async fn settle(
    plan: &Plan,
    house: &Arc<House>,
    history: &History,
    codec: Codec,
    report: &Report,
) -> anyhow::Result<Findings> {
    let begun = Stamp::now();
    let codec = Arc::new(codec);
    let mut before = BTreeSet::new();
    loop {
        let evidence = gather(plan, house, history, Arc::clone(&codec)).await?;
        ensure!(!evidence.records.is_empty(), "the checker found no record at all");
        let mut findings = checker::judge(&evidence);
        before = findings.confirm(&before);
        if !findings.may_heal() {
            findings.forget_missing();
            return Ok(findings);
        }
        if findings.violations.is_empty() || begun.elapsed() > plan.healed_max {
            return Ok(findings);
        }
        report.say(&format!("{} things have not come yet", findings.violations.len()));
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What the outside sees now. Rows and requests are read before the records they come from, groups
/// after the records they are compared with.
async fn gather(plan: &Plan, house: &Arc<House>, history: &History, codec: Arc<Codec>) -> anyhow::Result<Evidence> {
    let stack = house.fleet.stack();
    let rows = collect::rows(stack.variable("WEFT_CLICKHOUSE__URL")?).await?;
    let requests = house.outside.requests();
    let settings = flood::settings(&house.ground.stack()?)?;
    let evidence = tokio::task::spawn_blocking(move || collect::topics(&settings, &codec)).await??;
    Ok(Evidence {
        customers: history.customers(),
        commands: history.commands(),
        requests,
        rows,
        faults: house.timeline.entries(),
        last_words: last_words(&plan.directory.join("logs"))?,
        ..evidence
    })
}

/// Lines of the services' logs in which a process says that it broke a promise.
fn last_words(logs: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(logs)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for file in files {
        let is_service = file.file_stem().is_some_and(|stem| stem.to_string_lossy().contains('-'));
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        let telling = |line: &&str| line.contains("broken invariant") || line.contains("panicked");
        for line in text.lines().filter(telling).filter(|_| is_service).take(3) {
            found.push(format!("{}: {}", file.display(), line.chars().take(600).collect::<String>()));
        }
    }
    Ok(found)
}
