//! Every metric of routing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Registry;
use schemas::ids::{QueueId, TenantId};
use schemas::records::{RoutingEvent, RoutingEventKind, SegmentEnded, SegmentKind};
use stream::clock;
use telemetry::CappedLabel;

use crate::core::effect::Effect;
use crate::core::state::State;

const TENANTS_MAX: usize = 200;
const QUEUES_MAX: usize = 1_000;

telemetry::metrics! {
    /// The counters and gauges; counters count decisions, a batch decided twice included.
    pub struct Counters {
        /// Conversations waiting in a queue, offered ones included.
        queue_waiting: IntGaugeVec = "queue_waiting" ["tenant", "queue"],
        /// How long the longest of them has waited, in seconds.
        queue_oldest_wait: GaugeVec = "queue_oldest_wait_seconds" ["tenant", "queue"],
        /// Queue visits begun (offered) and ended (answered, abandoned, flowed_out).
        queue_outcomes: IntCounterVec = "queue_outcomes_total" ["tenant", "queue", "outcome"],
        /// Waits in a queue, whatever their end, in seconds.
        queue_wait: HistogramVec = "queue_wait_seconds" ["tenant", "queue"]
            buckets [1.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0],
        /// From a part's first unanswered customer message to its agent's first reply, in seconds.
        first_response: HistogramVec = "first_response_seconds" ["tenant", "queue"]
            buckets [1.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0],
        /// Offers to agents by how they ended.
        offers: IntCounterVec = "offers_total" ["tenant", "outcome"],
        /// Agents ever seen, by routing status.
        agents: IntGaugeVec = "agents" ["tenant", "state"],
        /// Commands refused, by reason.
        refused: IntCounterVec = "routing_refused_total" ["reason"],
        /// Commands that came before.
        duplicates: IntCounterVec = "duplicates_total" ["service"],
    }
}

/// A gauge's labels: `queue` and its id, or `agents` and a routing status.
type Series = (TenantId, &'static str, String);

/// The metrics and what they need to stay bounded and true.
#[derive(Clone, Debug)]
pub struct Metrics {
    counters: Counters,
    tenants: Arc<CappedLabel>,
    queues: Arc<CappedLabel>,
    shown: Arc<Mutex<BTreeMap<String, BTreeSet<Series>>>>,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = Counters::register(registry)?;
        counters.duplicates.with_label_values(&["routing"]);
        Ok(Self {
            counters,
            tenants: Arc::new(CappedLabel::new(TENANTS_MAX)),
            queues: Arc::new(CappedLabel::new(QUEUES_MAX)),
            shown: Arc::default(),
        })
    }

    /// Counts what the machine wants done.
    pub fn count(&self, effect: &Effect) {
        match effect {
            Effect::Event(event) => self.count_event(event),
            Effect::Repeated => self.counters.duplicates.with_label_values(&["routing"]).inc(),
            Effect::Command(_) | Effect::Ask(_) | Effect::View(_) | Effect::Gone(_) => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most kinds are not counted")]
    fn count_event(&self, event: &RoutingEvent) {
        let [tenant, queue] = self.labels(&event.tenant, event.queue_id.as_ref());
        let outcome = |name| self.counters.queue_outcomes.with_label_values(&[tenant, queue, name]).inc();
        match &event.kind {
            RoutingEventKind::Queued(_) => outcome("offered"),
            RoutingEventKind::QueueVisitEnded(visit) => {
                outcome(visit.outcome.as_str());
                let wait = self.counters.queue_wait.with_label_values(&[tenant, queue]);
                wait.observe(seconds(visit.wait_ms));
            }
            RoutingEventKind::SegmentEnded(segment) => self.count_alert(tenant, segment),
            RoutingEventKind::PartEnded(part) => {
                if let Some(first) = part.first_response_ms {
                    self.counters.first_response.with_label_values(&[tenant, queue]).observe(seconds(first));
                }
            }
            RoutingEventKind::Refused(refused) => {
                self.counters.refused.with_label_values(&[&refused.reason]).inc();
            }
            _ => {}
        }
    }

    fn count_alert(&self, tenant: &str, segment: &SegmentEnded) {
        if let (SegmentKind::Alert, Some(outcome)) = (segment.segment, &segment.outcome) {
            self.counters.offers.with_label_values(&[tenant, outcome]).inc();
        }
    }

    fn labels<'a>(&self, tenant: &'a TenantId, queue: Option<&'a QueueId>) -> [&'a str; 2] {
        [self.tenants.of(tenant.as_str()), self.queues.of(queue.map_or("", QueueId::as_str))]
    }

    /// Sets the gauges of one loop; what it no longer has falls to zero.
    pub fn observe(&self, slot: &str, states: &[&State]) {
        let now = clock::now();
        let mut shown = BTreeSet::new();
        for state in states {
            for (tenant, queue, waiting, oldest) in state.queues_now() {
                let [tenant_label, queue_label] = self.labels(&tenant, Some(&queue));
                let age_s = oldest.map_or(0.0, |at| seconds(now.as_ms() - at));
                self.counters.queue_waiting.with_label_values(&[tenant_label, queue_label]).set(waiting);
                self.counters.queue_oldest_wait.with_label_values(&[tenant_label, queue_label]).set(age_s);
                shown.insert((tenant.clone(), "queue", queue_label.to_owned()));
            }
            for ((tenant, status), count) in state.agents_now() {
                let labels = [self.tenants.of(tenant.as_str()), status.as_str()];
                self.counters.agents.with_label_values(&labels).set(count);
                shown.insert((tenant.clone(), "agents", status.as_str().to_owned()));
            }
        }
        let mut slots = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let former = slots.insert(slot.to_owned(), shown.clone()).unwrap_or_default();
        for (tenant, what, id) in former.difference(&shown) {
            let labels = [self.tenants.of(tenant.as_str()), id.as_str()];
            if *what == "queue" {
                self.counters.queue_waiting.with_label_values(&labels).set(0);
                self.counters.queue_oldest_wait.with_label_values(&labels).set(0.0);
            } else {
                self.counters.agents.with_label_values(&labels).set(0);
            }
        }
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
