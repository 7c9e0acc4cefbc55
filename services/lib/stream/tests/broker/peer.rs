//! Another writer, whose transactions a test opens, leaves open and ends as it likes.

use crate::cluster::Cluster;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde::Serialize;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Peer(BaseProducer);

impl Peer {
    /// Connected, with a transaction open.
    pub(crate) fn begin(cluster: &Cluster) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &cluster.settings.bootstrap)
            .set("transactional.id", format!("peer.{}", cluster.service))
            .set("transaction.timeout.ms", "120000");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(LIMIT).unwrap();
        producer.begin_transaction().unwrap();
        Self(producer)
    }

    /// Writes one record into partition 0 of a topic and waits for its acknowledgement.
    pub(crate) fn write(&self, topic: &str, key: &[u8], payload: &[u8]) {
        self.0.send(BaseRecord::to(topic).partition(0).key(key).payload(payload)).map_err(|(error, _)| error).unwrap();
        self.0.flush(LIMIT).unwrap();
    }

    pub(crate) fn commit(&self) {
        self.0.commit_transaction(LIMIT).unwrap();
    }

    pub(crate) fn abort(&self) {
        self.0.abort_transaction(LIMIT).unwrap();
    }
}

/// A key or value as tables write it.
pub(crate) fn encoded(row: &impl Serialize) -> Vec<u8> {
    [vec![1], rmp_serde::to_vec_named(row).unwrap()].concat()
}
