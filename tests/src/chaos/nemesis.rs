//! Who does things to the house: one fault after the other, chosen by dice, some of them at the same
//! time, until the goal is reached; then everything is healed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stream::clock::Stamp;
use stream::faults::{POINTS, Part};
use tokio::task::JoinSet;

use super::dice::Dice;
use super::fleet::{DOUBLE, Fleet, Member, SINGLE};
use super::ground::Ground;
use super::history::History;
use super::proxy::{APIS, Harm, Proxy};
use super::timeline::Timeline;
use crate::outside::Outside;
use crate::providers::Fault;
use crate::wait::wait_for;

/// Faults that take long and are under way at one time.
const AT_ONCE_MAX: usize = 3;
/// A fault point that nobody came by after this long is left armed.
const POINT_MAX: Duration = Duration::from_secs(12);
/// A kind of request that nobody makes for this long is left alone.
const REQUEST_MAX: Duration = Duration::from_secs(6);
/// Transactions that one process aborts, each at another point or moment.
const ABORTS: usize = 12;
const STATEFUL: [&str; 3] = ["threading", "routing", "delivery"];
const RESTARTED_MAX: Duration = Duration::from_secs(60);

/// What is done; numbers as in the fault matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `kill -9` of one process.
    Kill,
    /// The same twice within five seconds: during the restore.
    KillTwice,
    /// `kill -9` of all instances of a service.
    KillService,
    /// `kill -9` of everything at once.
    KillAll,
    /// A process is started with a fault point armed, and comes by.
    Point,
    /// A process aborts some of its transactions.
    Abort,
    /// SIGSTOP past the session's end, then SIGCONT.
    Zombie,
    /// SIGTERM and a new start.
    Restart,
    /// An instance joins and leaves, again and again.
    Storm,
    /// A broker is killed and started again.
    Broker,
    /// A broker is asked to end: its leaders move away in order, and back when it is there again.
    Leaders,
    /// A broker is stopped for seconds.
    BrokerStopped,
    /// A request of a kind is delayed, lost, held back or loses its answer.
    Request,
    /// ClickHouse is killed, most often in the middle of an insert, and started again.
    ClickHouse,
    /// ClickHouse answers after the client gave up.
    ClickHouseStopped,
    /// The schema registry is away.
    Registry,
    /// Providers hang, cut connections and fail.
    Provider,
}

/// Everything that can be done, with its number, how often of a hundred, and a sentence.
pub const KINDS: [(Kind, &str, u64, &str); 17] = [
    (Kind::Kill, "F01", 24, "kill -9 of one process"),
    (Kind::KillTwice, "F01", 8, "kill -9 twice, the second during the restore"),
    (Kind::KillService, "F01", 6, "kill -9 of all instances of a service"),
    (Kind::KillAll, "F01", 2, "kill -9 of all services at once"),
    (Kind::Point, "F01", 24, "death, abort or hang at a named point of a loop, one point after the other"),
    (Kind::Abort, "F01", 8, "kill -9, and some transactions of the next process are aborted"),
    (Kind::Zombie, "F02", 12, "SIGSTOP past the session's end, then SIGCONT"),
    (Kind::Restart, "F03", 5, "SIGTERM and a new start"),
    (Kind::Storm, "F07", 3, "an instance leaves and joins again and again"),
    (Kind::Broker, "F04", 3, "kill -9 of a broker, and its restart"),
    (Kind::Leaders, "F04", 2, "a broker is asked to end; leaders and coordinators move away and back"),
    (Kind::BrokerStopped, "F05", 2, "a broker is frozen for some seconds"),
    (
        Kind::Request,
        "F06",
        10,
        "one request of a kind is delayed, lost, held back until its sender went on, or loses its answer",
    ),
    (Kind::ClickHouse, "F08", 3, "kill -9 of ClickHouse, and its restart"),
    (Kind::ClickHouseStopped, "F08", 3, "ClickHouse answers after the client gave up"),
    (Kind::Registry, "F12", 3, "the schema registry is away"),
    (Kind::Provider, "F14", 6, "providers hang, cut the connection, fail"),
];

/// What a run wants to have survived.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Processes killed.
    pub kills: usize,
    /// Processes that woke up after their session had ended.
    pub zombies: usize,
    /// Messages acknowledged.
    pub messages: usize,
    /// Between two faults, milliseconds.
    pub pause_ms: (u64, u64),
    /// What may be done.
    pub kinds: Vec<Kind>,
    /// Longer than this no run lasts, whatever is still to do.
    pub limit: Duration,
}

/// Everything that runs.
#[derive(Debug)]
pub struct Around {
    /// What the house stands on.
    pub ground: Ground,
    /// The services.
    pub fleet: Fleet,
    /// The providers.
    pub outside: Outside,
    /// Between the services and each broker.
    pub proxies: Vec<Proxy>,
}

/// The house under test.
#[derive(Debug)]
pub struct House {
    /// What it stands on.
    pub ground: Ground,
    /// The services.
    pub fleet: Fleet,
    /// The providers.
    pub outside: Outside,
    proxies: Vec<Proxy>,
    /// What was done to it.
    pub timeline: Arc<Timeline>,
    /// Processes killed so far.
    pub kills: AtomicUsize,
    /// Processes woken after their session's end so far.
    pub zombies: AtomicUsize,
    points: Mutex<BTreeMap<&'static str, usize>>,
    next_point: AtomicUsize,
}

impl House {
    /// A house to which nothing was done yet.
    pub fn new(around: Around, timeline: Arc<Timeline>) -> Self {
        let Around { ground, fleet, outside, proxies } = around;
        let (kills, zombies, next_point) = Default::default();
        Self { ground, fleet, outside, proxies, timeline, kills, zombies, points: Mutex::default(), next_point }
    }

    /// How often each fault point was come by; 0 for those armed in vain or not yet.
    pub fn points(&self) -> BTreeMap<&'static str, usize> {
        let mut all: BTreeMap<&'static str, usize> = POINTS.iter().map(|point| (point.name(), 0)).collect();
        all.extend(self.points.lock().unwrap_or_else(PoisonError::into_inner).iter());
        all
    }
}

/// Does faults until the goal is reached, then heals; an error is a fault that could not be done or
/// healed.
///
/// # Errors
/// If something of the house does not come up again.
pub async fn haunt(house: &Arc<House>, goal: &Goal, history: &History, mut dice: Dice) -> anyhow::Result<()> {
    let begun = Stamp::now();
    let mut under_way = JoinSet::new();
    let reached = || {
        let kills = house.kills.load(Ordering::Relaxed) >= goal.kills;
        let zombies = house.zombies.load(Ordering::Relaxed) >= goal.zombies;
        kills && zombies && history.acknowledged() >= goal.messages
    };
    while !reached() && begun.elapsed() < goal.limit {
        tokio::time::sleep(Duration::from_millis(dice.between(goal.pause_ms.0, goal.pause_ms.1))).await;
        let kind = next(house, goal, &mut dice);
        let dice = Dice::new(dice.between(0, u64::MAX - 1));
        let house = Arc::clone(house);
        under_way.spawn(async move { perform(&house, kind, dice).await });
        while under_way.len() > AT_ONCE_MAX {
            if let Some(done) = under_way.join_next().await {
                done??;
            }
        }
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    house.fleet.ready().await
}

/// What comes next: chance decides, unless zombies are behind the kills.
fn next(house: &House, goal: &Goal, dice: &mut Dice) -> Kind {
    let (kills, zombies) = (house.kills.load(Ordering::Relaxed), house.zombies.load(Ordering::Relaxed));
    let is_behind = zombies * goal.kills.max(1) < goal.zombies * kills.min(goal.kills);
    if is_behind && goal.kinds.contains(&Kind::Zombie) && dice.chance(50) {
        return Kind::Zombie;
    }
    let possible = KINDS.iter().filter(|(kind, ..)| goal.kinds.contains(kind));
    let weights: u64 = possible.clone().map(|(_, _, weight, _)| weight).sum();
    let mut thrown = dice.between(1, weights.max(1));
    for (kind, _, weight, _) in possible {
        if thrown <= *weight {
            return *kind;
        }
        thrown -= weight;
    }
    Kind::Kill
}

fn number(kind: Kind) -> &'static str {
    KINDS.iter().find(|(known, ..)| *known == kind).map_or("", |(_, number, ..)| number)
}

async fn perform(house: &House, kind: Kind, mut dice: Dice) -> anyhow::Result<()> {
    let members = house.fleet.members();
    match kind {
        Kind::Kill => kill(house, &choose(members, &mut dice)).await,
        Kind::KillTwice => {
            let member = choose(members, &mut dice);
            kill_unwatched(house, &member).await?;
            tokio::time::sleep(Duration::from_millis(dice.between(300, 4_000))).await;
            kill(house, &member).await
        }
        Kind::KillService => {
            let service = dice.pick(&DOUBLE).copied().unwrap_or("threading");
            all(house, &house.fleet.of(service)).await
        }
        Kind::KillAll => all(house, members).await,
        Kind::Point => point(house, &mut dice).await,
        Kind::Abort => aborts(house, &mut dice).await,
        Kind::Zombie => zombie(house, &mut dice).await,
        Kind::Restart => restart(house, &choose(members, &mut dice)).await,
        Kind::Storm => storm(house, &mut dice).await,
        Kind::Broker => piece(house, kind, &broker(house, &mut dice), dice.between(0, 3_000)).await,
        Kind::Leaders => leaders(house, &broker(house, &mut dice)).await,
        Kind::BrokerStopped => frozen(house, kind, &broker(house, &mut dice), dice.between(1_000, 9_000)).await,
        Kind::Request => request(house, &mut dice).await,
        Kind::ClickHouse => piece(house, kind, "clickhouse", dice.between(0, 4_000)).await,
        Kind::ClickHouseStopped => frozen(house, kind, "clickhouse", dice.between(2_000, 12_000)).await,
        Kind::Registry => piece(house, kind, "registry", dice.between(1_000, 8_000)).await,
        Kind::Provider => provider(house, &mut dice),
    }
}

fn choose(members: &[Arc<Member>], dice: &mut Dice) -> Arc<Member> {
    Arc::clone(dice.pick(members).expect("a fleet has members"))
}

fn broker(house: &House, dice: &mut Dice) -> String {
    dice.pick(&house.ground.brokers()).cloned().unwrap_or_default()
}

async fn kill_unwatched(house: &House, member: &Member) -> anyhow::Result<()> {
    house.timeline.note(&format!("F01 kill -9 {} (the first of two)", member.name));
    if member.signal("-9").await? {
        house.kills.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn kill(house: &House, member: &Member) -> anyhow::Result<()> {
    let starts = member.starts();
    let no = house.timeline.begin(&format!("F01 kill -9 {}", member.name), &member.name);
    if member.signal("-9").await? {
        house.kills.fetch_add(1, Ordering::Relaxed);
        started_again(member, starts).await?;
    }
    member.ready().await?;
    house.timeline.end(no);
    Ok(())
}

async fn started_again(member: &Member, starts: u32) -> anyhow::Result<()> {
    wait_for(&format!("{} to be started again", member.name), RESTARTED_MAX, || async {
        if member.starts() > starts { Ok(()) } else { Err("it is not".into()) }
    })
    .await
}

async fn all(house: &House, members: &[Arc<Member>]) -> anyhow::Result<()> {
    let kills = members.iter().map(|member| kill(house, member));
    futures::future::try_join_all(kills).await.map(drop)
}

/// Starts a process anew with the next fault point armed, and waits for what comes of it.
async fn point(house: &House, dice: &mut Dice) -> anyhow::Result<()> {
    let skipped = dice.between(0, 2) as usize;
    let no = house.next_point.fetch_add(1, Ordering::Relaxed);
    let Some(point) = POINTS.get((no * 7 + skipped) % POINTS.len()) else { return Ok(()) };
    let (services, nth_max, actions): (&[&str], u64, &[&str]) = match point.part() {
        Part::Turn => (&STATEFUL, 60, &["exit", "error"]),
        Part::Transaction => (&STATEFUL, 60, &["exit", "exit", "abort", "abort", "error"]),
        Part::Abort => (&STATEFUL, 1, &["exit", "error"]),
        Part::Restore => (&STATEFUL, 1, &["exit", "error"]),
        Part::Sink => (&["analytics"], 6, &["exit", "exit", "error"]),
        Part::Publisher => (&SINGLE, 40, &["exit", "error"]),
    };
    let (service, action) =
        (dice.pick(services).copied().unwrap_or("threading"), dice.pick(actions).copied().unwrap_or("exit"));
    let nth = dice.between(1, nth_max);
    let first = if point.part() == Part::Abort {
        format!("after_offsets:{}=abort,", dice.between(1, 30))
    } else {
        String::new()
    };
    let member = choose(&house.fleet.of(service), dice);
    let armed = format!("{first}{}:{nth}={action}", point.name());
    let entry = house.timeline.begin(&format!("F01 {} comes by the fault point {armed}", member.name), &member.name);
    member.once(&[("WEFT_KAFKA__FAULTS", armed)]);
    let starts = member.starts();
    if member.signal("-9").await? {
        house.kills.fetch_add(1, Ordering::Relaxed);
    }
    started_again(&member, starts).await?;
    let waited = Stamp::now();
    let fires = action != "abort";
    while fires && member.starts() < starts + 2 && waited.elapsed() < POINT_MAX {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if member.starts() >= starts + 2 || !fires {
        if action == "exit" {
            house.kills.fetch_add(1, Ordering::Relaxed);
        }
        *house.points.lock().unwrap_or_else(PoisonError::into_inner).entry(point.name()).or_default() += 1;
    }
    member.ready().await?;
    house.timeline.end(entry);
    Ok(())
}

/// Starts a process anew that will abort some of its transactions.
async fn aborts(house: &House, dice: &mut Dice) -> anyhow::Result<()> {
    let service = dice.pick(&STATEFUL).copied().unwrap_or("threading");
    let member = choose(&house.fleet.of(service), dice);
    let points: Vec<_> = POINTS.iter().filter(|point| point.part() == Part::Transaction).collect();
    let armed: Vec<String> =
        (0..ABORTS).map(|no| format!("{}:{}=abort", points[no % points.len()].name(), dice.between(1, 25))).collect();
    let no = house.timeline.begin(&format!("F01 {} will abort transactions", member.name), &member.name);
    house.timeline.note(&format!("armed in {}: {}", member.name, armed.join(",")));
    member.once(&[("WEFT_KAFKA__FAULTS", armed.join(","))]);
    let starts = member.starts();
    if member.signal("-9").await? {
        house.kills.fetch_add(1, Ordering::Relaxed);
    }
    started_again(&member, starts).await?;
    member.ready().await?;
    house.timeline.end(no);
    Ok(())
}

async fn zombie(house: &House, dice: &mut Dice) -> anyhow::Result<()> {
    let service = dice.pick(&DOUBLE).copied().unwrap_or("threading");
    let member = choose(&house.fleet.of(service), dice);
    // Past the session of 6 s, now and then past the transaction's time-out of 10 s.
    let asleep_ms = if dice.chance(30) { dice.between(11_000, 13_000) } else { dice.between(7_000, 9_000) };
    let no = house.timeline.begin(&format!("F02 {} sleeps for {asleep_ms} ms", member.name), &member.name);
    if member.signal("-STOP").await? {
        tokio::time::sleep(Duration::from_millis(asleep_ms)).await;
        if member.signal("-CONT").await? {
            house.zombies.fetch_add(1, Ordering::Relaxed);
        }
    }
    member.ready().await?;
    house.timeline.end(no);
    Ok(())
}

async fn restart(house: &House, member: &Arc<Member>) -> anyhow::Result<()> {
    let starts = member.starts();
    let no = house.timeline.begin(&format!("F03 {} is asked to end and started again", member.name), &member.name);
    if member.signal("-TERM").await? {
        started_again(member, starts).await?;
    }
    member.ready().await?;
    house.timeline.end(no);
    Ok(())
}

async fn storm(house: &House, dice: &mut Dice) -> anyhow::Result<()> {
    let service = dice.pick(&DOUBLE).copied().unwrap_or("threading");
    let members = house.fleet.of(service);
    let no = house.timeline.begin(&format!("F07 the instances of {service} leave and join again and again"), service);
    for _ in 0..dice.between(3, 6) {
        let member = choose(&members, dice);
        member.signal("-TERM").await?;
        tokio::time::sleep(Duration::from_millis(dice.between(500, 2_500))).await;
    }
    for member in &members {
        member.ready().await?;
    }
    house.timeline.end(no);
    Ok(())
}

/// Kills a piece of the ground and starts it again after a while.
async fn piece(house: &House, kind: Kind, piece: &str, away_ms: u64) -> anyhow::Result<()> {
    let what = format!("{} kill -9 {piece}, started again after {away_ms} ms", number(kind));
    let no = house.timeline.begin(&what, piece);
    // Two faults may choose the same piece: whoever comes second finds it gone.
    if house.ground.signal(piece, "-9").await.is_ok() {
        house.kills.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(away_ms)).await;
        house.ground.again(piece).await?;
    }
    house.timeline.end(no);
    Ok(())
}

/// Asks a broker to end, starts it again, and gives it its leaders back.
async fn leaders(house: &House, broker: &str) -> anyhow::Result<()> {
    let what = format!("{} {broker} is asked to end: leaders move", number(Kind::Leaders));
    let no = house.timeline.begin(&what, broker);
    if house.ground.signal(broker, "-TERM").await.is_ok() {
        wait_for(&format!("{broker} to end"), RESTARTED_MAX, || async {
            house.ground.signal(broker, "-0").await.map_or(Ok(()), |()| Err("it runs".into()))
        })
        .await?;
        house.ground.again(broker).await?;
        house.ground.elect().await?;
    }
    house.timeline.end(no);
    Ok(())
}

async fn frozen(house: &House, kind: Kind, piece: &str, asleep_ms: u64) -> anyhow::Result<()> {
    let no = house.timeline.begin(&format!("{} {piece} is frozen for {asleep_ms} ms", number(kind)), piece);
    if house.ground.signal(piece, "-STOP").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(asleep_ms)).await;
        // Killed by another fault meanwhile, it is up again by now.
        let _gone = house.ground.signal(piece, "-CONT").await;
    }
    house.timeline.end(no);
    Ok(())
}

/// Arms the proxies and waits until somebody came by.
async fn request(house: &House, dice: &mut Dice) -> anyhow::Result<()> {
    let api = dice.pick(&APIS).copied().unwrap_or(APIS[0]);
    let while_ms = Duration::from_millis(dice.between(500, 8_000));
    let harms = [Harm::Delay(while_ms), Harm::Lose, Harm::LoseAnswer, Harm::Hold(while_ms), Harm::Hold(while_ms)];
    let (harm, times) = (dice.pick(&harms).copied().unwrap_or(Harm::Lose), dice.between(1, 4));
    let what = format!("F06 {} requests meet {harm:?}", api.name);
    let no = house.timeline.begin(&what, "kafka");
    for proxy in &house.proxies {
        (0..times).for_each(|_| proxy.arm(api, harm));
    }
    let begun = Stamp::now();
    while begun.elapsed() < REQUEST_MAX && house.proxies.iter().any(|proxy| proxy.armed() > 0) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    house.proxies.iter().for_each(Proxy::disarm);
    tokio::time::sleep(while_ms).await;
    house.timeline.end(no);
    Ok(())
}

fn provider(house: &House, dice: &mut Dice) -> anyhow::Result<()> {
    let faults = [Fault::TakeAndClose, Fault::TakeAndHang, Fault::Close, Fault::Status(500), Fault::Throttle(1)];
    let fault = dice.pick(&faults).copied().unwrap_or(Fault::Close);
    let no = house.timeline.begin(&format!("F14 providers answer the next requests with {fault:?}"), "providers");
    house.outside.script(fault, dice.between(1, 3) as usize);
    house.timeline.end(no);
    Ok(())
}
