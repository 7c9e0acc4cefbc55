//! Reading without a group: every partition of some topics, by whoever wants to know.

use crate::clock::Stamp;
use crate::kafka::admin::Admin;
use crate::kafka::consumer::{Isolation, Probe, Reader};
use crate::kafka::{Fault, Spot};
use crate::patience::Patience;
use crate::progress::{Progress, Tracked};
use crate::{InputRecord, KafkaSettings, Shutdown};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(100);
/// Brokers that cannot answer just now are asked again for this long.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// Where following starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowFrom {
    /// At the first record still there.
    Beginning,
    /// After the last record there is now.
    End,
}

/// What is followed.
#[derive(Clone, Debug)]
pub struct Follow {
    topics: Vec<String>,
    from: FollowFrom,
    isolation: Isolation,
}

impl Follow {
    /// All partitions of these topics, from their beginning, committed records only.
    pub fn new<T: Into<String>>(topics: impl IntoIterator<Item = T>) -> Self {
        let topics = topics.into_iter().map(Into::into).collect();
        Self { topics, from: FollowFrom::Beginning, isolation: Isolation::Committed }
    }

    /// Starts elsewhere.
    #[must_use]
    pub fn from(self, from: FollowFrom) -> Self {
        Self { from, ..self }
    }

    /// Shows aborted and open work too: for checkers.
    #[must_use]
    pub fn uncommitted(self) -> Self {
        Self { isolation: Isolation::Uncommitted, ..self }
    }

    /// Reads what there is now, calls `handle` for each record, and comes back. Blocks.
    pub fn to_end(
        self,
        settings: &KafkaSettings,
        client_id: &str,
        mut handle: impl FnMut(InputRecord<'_>),
    ) -> Result<(), Fault> {
        let mut following = Following::open(&self, settings, client_id)?;
        let limit = Duration::from_millis(settings.restore_wait_max_ms);
        let mut moved = Stamp::now();
        while !following.caught_up() {
            if following.step(&mut handle)? {
                moved = Stamp::now();
            }
            if moved.elapsed() > limit {
                return Err(Fault::Fatal("reading to the end makes no progress".to_owned()));
            }
        }
        Ok(())
    }
}

/// A thread that follows topics and hands each record to its handler.
#[derive(Debug)]
pub struct Follower {
    caught_up: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Fault>>,
}

impl Follower {
    /// Starts following; the records of one partition come in order. Ready, for `/readyz`, once
    /// it has read what was there at its start. A failure asks for shutdown.
    pub fn start(
        follow: Follow,
        setup: &FollowerSetup,
        mut handle: impl FnMut(InputRecord<'_>) + Send + 'static,
    ) -> Result<Self, Fault> {
        let mut following = Following::open(&follow, &setup.settings, &setup.client_id)?;
        let caught_up = Arc::new(AtomicBool::new(following.caught_up()));
        let tracked = setup.progress.track(format!("{} follower", setup.client_id));
        tracked.waits_for("the end of what it follows");
        let (seen, shutdown) = (Arc::clone(&caught_up), setup.shutdown.clone());
        let thread = std::thread::Builder::new().name("follower".to_owned());
        let thread = thread.spawn(move || {
            let ended = following.run(&mut handle, &seen, &tracked, &shutdown);
            if let Err(error) = &ended {
                tracing::error!(%error, "follower ended");
                shutdown.request();
            }
            ended
        });
        let thread = thread.map_err(|error| Fault::Fatal(error.to_string()))?;
        Ok(Self { caught_up, thread })
    }

    /// Whether everything that was there at the start has been handled.
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Waits for its end, after shutdown was asked for.
    pub fn join(self) -> Result<(), Fault> {
        self.thread.join().unwrap_or_else(|_| Err(Fault::Fatal("its handler panicked".to_owned())))
    }
}

/// What a follower needs of its process.
#[derive(Clone, Debug)]
pub struct FollowerSetup {
    /// Its name among Kafka's clients, and in `/readyz`.
    pub client_id: String,
    /// The section `[kafka]`.
    pub settings: KafkaSettings,
    /// What `/livez` and `/readyz` ask.
    pub progress: Progress,
    /// Asks for the end, and is asked for it when following fails.
    pub shutdown: Shutdown,
}

struct Following {
    reader: Reader,
    /// Partitions not read yet to where they ended at the start: position and that end.
    left: BTreeMap<Spot, (i64, i64)>,
}

impl Following {
    fn open(follow: &Follow, settings: &KafkaSettings, client_id: &str) -> Result<Self, Fault> {
        let there = Admin::new(settings)?.partitions()?;
        let mut spots: Vec<Spot> = Vec::new();
        for topic in &follow.topics {
            let Some(count) = there.get(topic) else {
                return Err(Fault::Fatal(format!("topic {topic} is missing; create it with `weft topics apply`")));
            };
            let name: Arc<str> = Arc::from(topic.as_str());
            spots.extend((0..*count).map(|partition| (Arc::clone(&name), partition)));
        }
        let probe = Probe::new(settings, client_id)?;
        let ends = asked(|| probe.ends(&spots))?;
        let starts = match follow.from {
            FollowFrom::Beginning => asked(|| probe.starts(&spots))?,
            FollowFrom::End => ends.clone(),
        };
        let topics: Vec<Arc<str>> = follow.topics.iter().map(|t| Arc::from(t.as_str())).collect();
        let reader = Reader::following(settings, client_id, &topics, follow.isolation)?;
        let positions: Vec<(Spot, i64)> = spots.into_iter().zip(starts).collect();
        reader.assign(&positions)?;
        let left = positions.into_iter().zip(ends).filter(|((_, start), end)| start < end);
        let left = left.map(|((spot, start), end)| (spot, (start, end))).collect();
        Ok(Self { reader, left })
    }

    fn caught_up(&self) -> bool {
        self.left.is_empty()
    }

    /// Hands on what is there; true if there was something.
    fn step(&mut self, handle: &mut impl FnMut(InputRecord<'_>)) -> Result<bool, Fault> {
        let mut wait = WAIT;
        let mut some = false;
        for _ in 0..1000 {
            let Some(record) = self.reader.poll(wait)? else { break };
            (some, wait) = (true, Duration::ZERO);
            handle(record.view());
            if let Some((position, _)) = self.left.get_mut(&(record.topic, record.partition)) {
                *position = record.offset + 1;
            }
        }
        let reader = &self.reader;
        self.left.retain(|spot, (position, end)| {
            *position = reader.position(spot).map_or(*position, |passed| passed.max(*position));
            *position < *end
        });
        Ok(some)
    }

    fn run(
        &mut self,
        handle: &mut impl FnMut(InputRecord<'_>),
        caught_up: &AtomicBool,
        tracked: &Tracked,
        shutdown: &Shutdown,
    ) -> Result<(), Fault> {
        let mut ready = false;
        while !shutdown.requested() {
            tracked.moved();
            if !ready && self.caught_up() {
                ready = true;
                caught_up.store(true, Ordering::Release);
                tracked.ready();
            }
            self.step(handle)?;
        }
        Ok(())
    }
}

/// Asks the brokers, again while they cannot answer.
fn asked<T>(question: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
    let patience = Patience::of(ASK_LIMIT);
    loop {
        match question() {
            Err(Fault::Retriable(error)) if patience.pause() => {
                tracing::debug!(error, "asking again");
            }
            answer => return answer,
        }
    }
}
