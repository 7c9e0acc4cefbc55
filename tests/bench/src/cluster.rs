//! The client library as it is, without our runtime: for raw loops, generators and onlookers.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rdkafka::admin::AdminClient;
use rdkafka::admin::AdminOptions;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use schemas::topics::PlannedTopic;
use stream::clock::Stamp;
use stream::{KafkaSettings, TopicPlan};

const ASK: Duration = Duration::from_secs(10);
const SETTLED_MAX: Duration = Duration::from_secs(60);
/// A reader that sees nothing for this long has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A Kafka cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    bootstrap: String,
}

/// Lets a moment pass.
pub fn rest(pause: Duration) {
    let began = Stamp::now();
    while began.elapsed() < pause {
        std::thread::park_timeout(pause.saturating_sub(began.elapsed()));
    }
}

impl Cluster {
    /// By its brokers.
    pub fn new(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned() }
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// As the runtime's producers are set.
    fn writing(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "262144")
            .set("retry.backoff.ms", "5")
            .set("delivery.report.only.error", "true");
        config
    }

    /// An idempotent producer.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn producer(&self) -> anyhow::Result<BaseProducer> {
        Ok(self.writing().create()?)
    }

    /// A transactional producer, ready to begin.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn transactional(&self, id: &str) -> anyhow::Result<BaseProducer> {
        let mut config = self.writing();
        config.set("transactional.id", id).set("transaction.timeout.ms", "10000").set("message.timeout.ms", "9000");
        let producer: BaseProducer = config.create()?;
        producer.init_transactions(Duration::from_secs(30))?;
        Ok(producer)
    }

    /// A consumer as the runtime's are set; the group's name matters only to members.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn consumer(&self, group: &str, isolation: &str) -> anyhow::Result<BaseConsumer> {
        let mut config = self.base();
        config
            .set("group.id", group)
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "16384")
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", "10000");
        Ok(config.create()?)
    }

    fn admin(&self) -> anyhow::Result<AdminClient<DefaultClientContext>> {
        Ok(self.base().create()?)
    }

    /// Partition counts of the topics that are there.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn topics(&self) -> anyhow::Result<BTreeMap<String, i32>> {
        let metadata = self.admin()?.inner().fetch_metadata(None, ASK)?;
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Ok(metadata.topics().iter().map(|t| (t.name().to_owned(), count(t.partitions().len()))).collect())
    }

    /// Empty topics, whatever was there before.
    ///
    /// # Errors
    /// If the brokers do not follow.
    pub async fn renew(&self, plans: &[PlannedTopic]) -> anyhow::Result<()> {
        let there = self.topics()?;
        let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).filter(|n| there.contains_key(*n)).collect();
        if !names.is_empty() {
            let options = AdminOptions::new().operation_timeout(Some(ASK));
            for deleted in self.admin()?.delete_topics(&names, &options).await? {
                deleted.map_err(|(name, code)| anyhow::anyhow!("deleting {name}: {code}"))?;
            }
            let began = Stamp::now();
            while self.topics()?.keys().any(|there| names.contains(&there.as_str())) {
                ensure!(began.elapsed() < SETTLED_MAX, "topics are not deleted in time");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let settings = KafkaSettings { bootstrap: self.bootstrap.clone(), ..KafkaSettings::default() };
        let plans: Vec<TopicPlan> = plans
            .iter()
            .map(|plan| TopicPlan {
                name: plan.name.clone(),
                partitions: plan.partitions,
                replication: 1,
                config: plan.settings.clone(),
            })
            .collect();
        Ok(stream::Admin::new(&settings)?.create(&plans).await?)
    }

    /// The offset after the last record of each partition, open and aborted ones included.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn ends(&self, topic: &str) -> anyhow::Result<Vec<i64>> {
        let consumer = self.consumer("weft-bench.onlooker", "read_uncommitted")?;
        let count = self.topics()?.get(topic).copied().with_context(|| format!("there is no topic {topic}"))?;
        (0..count).map(|partition| Ok(consumer.fetch_watermarks(topic, partition, ASK)?.1)).collect()
    }

    /// Reads whole topics as committed work shows them, to where they end now.
    ///
    /// # Errors
    /// What `take` says, or when nothing comes any more.
    pub fn read(
        &self,
        topics: &[&str],
        mut take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let consumer = self.consumer("weft-bench.reader", "read_committed")?;
        let mut left = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for topic in topics {
            for (partition, end) in (0i32..).zip(self.ends(topic)?) {
                if end > 0 {
                    left.insert(((*topic).to_owned(), partition), end);
                    list.add_partition_offset(topic, partition, Offset::Beginning)?;
                }
            }
        }
        consumer.assign(&list)?;
        let mut moved = Stamp::now();
        while !left.is_empty() {
            match consumer.poll(Duration::from_millis(20)) {
                Some(message) => {
                    take(&message?)?;
                    moved = Stamp::now();
                    continue;
                }
                None if moved.elapsed() > SILENCE_MAX => bail!("reading {topics:?} makes no progress, left: {left:?}"),
                None => {}
            }
            let position = consumer.position()?;
            left.retain(|(topic, partition), end| {
                let at = position.find_partition(topic, *partition).map(|spot| spot.offset());
                !matches!(at, Some(Offset::Offset(at)) if at >= *end)
            });
        }
        Ok(())
    }

    /// An onlooker of a group's progress.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn progress(&self, group: &str, topic: &str, partitions: i32) -> anyhow::Result<Progress> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        Ok(Progress { consumer: self.consumer(group, "read_uncommitted")?, list })
    }
}

/// How far a group has come in a topic.
pub struct Progress {
    consumer: BaseConsumer,
    list: TopicPartitionList,
}

impl Progress {
    /// Offsets committed, summed over the partitions.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn committed(&self) -> anyhow::Result<u64> {
        let list = self.consumer.committed_offsets(self.list.clone(), ASK)?;
        let offsets = list.elements().into_iter().map(|spot| match spot.offset() {
            Offset::Offset(at) => u64::try_from(at).unwrap_or(0),
            Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => 0,
        });
        Ok(offsets.sum())
    }
}

/// Hands a record over, waiting while the queue is full.
///
/// # Errors
/// Everything but a full queue.
pub fn send(producer: &BaseProducer, record: BaseRecord<'_, [u8], [u8]>) -> anyhow::Result<()> {
    let mut record = record;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                flush_step(producer);
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Waits until everything handed over is acknowledged.
///
/// # Errors
/// If that takes longer than a minute.
pub fn drain(producer: &BaseProducer) -> anyhow::Result<()> {
    let began = Stamp::now();
    while !flush_step(producer) {
        ensure!(began.elapsed() < SETTLED_MAX, "records are not acknowledged in time");
    }
    Ok(())
}

/// One wait for acknowledgements, as the runtime does it.
#[expect(unsafe_code, reason = "the safe flush costs a flat 100 ms a transaction; the raw loop is to be the fastest")]
fn flush_step(producer: &BaseProducer) -> bool {
    producer.poll(Duration::ZERO);
    // SAFETY: the pointer is that of a live producer, which outlives the call; librdkafka's
    // functions may be called from any thread.
    let result = unsafe { rdkafka::bindings::rd_kafka_flush(producer.client().native_ptr(), 20) };
    result == rdkafka::bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}
