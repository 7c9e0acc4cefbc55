//! Follows configuration and aliases, and opens the gate once it is known who may send: from Kafka, or
//! while Kafka cannot be asked from a copy of what it said last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemas::codec::Codec;
use schemas::topics::{
    CHANNEL_INBOUND, CHANNEL_RAW, CONFIG_ENTITIES, CONVERSATION_COMMANDS, CUSTOMER_ALIASES, Topic, dead_letter_topic,
};
use stream::{Fault, Follow, Follower, FollowerSetup, InputRecord, Output, Shutdown, Timestamp};

use crate::intake::http::gate::Gate;
use crate::intake::knowledge::Knowledge;
use crate::metrics::{Metrics, SERVICE};
use crate::outlets::spool::LastKnown;
use crate::run::Ending;

/// Kafka has this long to begin to speak before the copy is taken.
const RECALL_AFTER: Duration = Duration::from_secs(3);
/// Between two tries to ask Kafka.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Turns records into knowledge; clones share it.
#[derive(Clone)]
pub(crate) struct Pupil {
    pub(crate) knowledge: Knowledge,
    pub(crate) codec: Arc<Codec>,
    pub(crate) fingerprint: String,
    pub(crate) metrics: Metrics,
    pub(crate) ending: Ending,
    pub(crate) gate: Gate,
    pub(crate) shelf: Arc<Mutex<Shelf>>,
}

/// The copy, and whether Kafka has said something already: nothing older may follow it.
pub(crate) struct Shelf {
    copy: Option<LastKnown>,
    has_heard: bool,
}

impl Pupil {
    /// With this copy, if there is a place for one.
    pub(crate) fn shelf(copy: Option<LastKnown>) -> Arc<Mutex<Shelf>> {
        Arc::new(Mutex::new(Shelf { copy, has_heard: false }))
    }

    /// Learns until the end is asked for; a failure ends the process.
    pub(crate) async fn study(self, setup: FollowerSetup) {
        let pupil = self.clone();
        let recalling = tokio::spawn(async move {
            tokio::time::sleep(RECALL_AFTER).await;
            tokio::task::spawn_blocking(move || pupil.recall()).await
        });
        let ended = self.follow(setup).await;
        recalling.abort();
        if let Err(error) = ended {
            self.ending.end(format!("{error:#}"));
        }
    }

    async fn follow(&self, setup: FollowerSetup) -> anyhow::Result<()> {
        let shutdown = setup.shutdown.clone();
        let Some(follower) = self.follower(&setup).await? else {
            return Ok(());
        };
        caught_up(&follower, &shutdown).await;
        if follower.caught_up() {
            let completed = self.shelf_now().copy.as_mut().map_or(Ok(()), LastKnown::complete);
            self.drop_copy_unless(completed);
            self.gate.open();
        }
        shutdown.wait().await;
        tokio::task::spawn_blocking(move || follower.join()).await??;
        Ok(())
    }

    /// A follower as soon as Kafka can be asked; none if the end is asked for before.
    async fn follower(&self, setup: &FollowerSetup) -> anyhow::Result<Option<Follower>> {
        while !setup.shutdown.requested() {
            let (pupil, setup) = (self.clone(), setup.clone());
            match tokio::task::spawn_blocking(move || pupil.start(&setup)).await? {
                Err(Fault::Retriable(error)) => tracing::warn!(error, "Kafka is asked again who may send"),
                started => return Ok(Some(started?)),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(None)
    }

    fn start(self, setup: &FollowerSetup) -> Result<Follower, Fault> {
        let there = stream::Admin::new(&setup.settings)?.partitions()?;
        let written = [CHANNEL_RAW, CHANNEL_INBOUND, CONVERSATION_COMMANDS].iter().map(|topic| topic.name.to_owned());
        for topic in written.chain([dead_letter_topic(CHANNEL_RAW.name)]) {
            if !there.contains_key(&topic) {
                return Err(Fault::Fatal(format!("topic {topic} is missing; create it with `weft topics apply`")));
            }
        }
        let topics: [Topic; 2] = [CONFIG_ENTITIES, CUSTOMER_ALIASES];
        let follow = Follow::new(topics.map(|topic| topic.name));
        Follower::start(follow, setup, move |record| self.learn(&record))
    }

    fn learn(&self, record: &InputRecord<'_>) {
        self.metrics.records_in.with_label_values(&[SERVICE, record.topic]).inc();
        let kept = {
            let mut shelf = self.shelf_now();
            shelf.has_heard = true;
            shelf.copy.as_mut().map_or(Ok(()), |copy| copy.add(copied(record)))
        };
        self.drop_copy_unless(kept);
        self.understand(record);
    }

    fn understand(&self, record: &InputRecord<'_>) {
        match self.knowledge.learn(&self.codec, record) {
            Ok(()) => {}
            Err(error) if error.is_worlds() => self.ending.end(format!("cannot go on without a record: {error}")),
            Err(error) => {
                self.metrics.unreadable.with_label_values(&[record.topic, error.reason()]).inc();
                tracing::error!(%error, at = record.coordinates(), "record cannot be read");
            }
        }
        if let Some(tenant) = self.knowledge.now().tenant_of_other_secret(&self.fingerprint) {
            self.ending.end(format!("key_secret: the customer keys of tenant {tenant} were made with another secret"));
        }
    }

    /// Goes by the copy, unless Kafka has begun to speak.
    fn recall(&self) {
        let shelf = self.shelf_now();
        let Some(copy) = shelf.copy.as_ref().filter(|_| !shelf.has_heard && !self.gate.is_open()) else {
            return;
        };
        let records = copy.read();
        if records.is_empty() {
            tracing::warn!("Kafka is away and nothing is known of before: everybody is asked to come again");
            return;
        }
        for record in &records {
            self.understand(&InputRecord {
                topic: &record.topic,
                partition: record.partition.unwrap_or_default(),
                offset: -1,
                timestamp: Timestamp::from_ms(0),
                key: Some(&record.key),
                payload: record.payload.as_deref(),
                headers: &[],
            });
        }
        tracing::warn!(records = records.len(), "Kafka is away: who may send is taken from the disk");
        self.gate.open();
    }

    /// Without a copy everything goes on; only a start while Kafka is away needs it.
    fn drop_copy_unless(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            tracing::error!(%error, "what is known cannot be written to disk any more");
            self.shelf_now().copy = None;
        }
    }

    fn shelf_now(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copied(record: &InputRecord<'_>) -> Output {
    Output {
        topic: record.topic.to_owned().into(),
        key: record.key.unwrap_or_default().to_vec(),
        payload: record.payload.map(<[u8]>::to_vec),
        partition: Some(record.partition),
        headers: Vec::new(),
    }
}

async fn caught_up(follower: &Follower, shutdown: &Shutdown) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !follower.caught_up() && !shutdown.requested() {
        look.tick().await;
    }
}
