//! Every metric of threading.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Registry;
use schemas::ids::TenantId;
use schemas::records::{Channel, ConversationEventKind};
use telemetry::CappedLabel;

use crate::core::effect::{Effect, Ignored};

const TENANTS_MAX: usize = 200;

telemetry::metrics! {
    /// The counters and gauges; counters count decisions, a batch decided twice included.
    pub struct Counters {
        /// Conversations connected or inside their window.
        conversations_open: IntGaugeVec = "conversations_open" ["tenant", "channel"],
        /// Inputs that came before.
        duplicates: IntCounterVec = "duplicates_total" ["service"],
        /// Inputs of which nothing came, by reason.
        ignored: IntCounterVec = "threading_ignored_total" ["reason"],
        /// What became of conversations, by kind of event.
        events: IntCounterVec = "conversation_events_total" ["channel", "kind"],
        /// Messages of ours that were refused, by reason.
        refused: IntCounterVec = "messages_refused_total" ["channel", "reason"],
    }
}

type Open = BTreeMap<(TenantId, Channel), i64>;

/// The metrics and what they need to add up over loops.
#[derive(Clone, Debug)]
pub struct Metrics {
    counters: Counters,
    tenants: Arc<CappedLabel>,
    open: Arc<Mutex<BTreeMap<String, Open>>>,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = Counters::register(registry)?;
        counters.duplicates.with_label_values(&["threading"]);
        Ok(Self { counters, tenants: Arc::new(CappedLabel::new(TENANTS_MAX)), open: Arc::default() })
    }

    /// Counts what the machine wants done.
    pub fn count(&self, effect: &Effect) {
        match effect {
            Effect::Said(event) => {
                let channel = event.channel.as_str();
                self.counters.events.with_label_values(&[channel, event.kind.name()]).inc();
                if let ConversationEventKind::MessageRefused(refused) = &event.kind {
                    self.counters.refused.with_label_values(&[channel, &refused.reason]).inc();
                }
            }
            Effect::Ignored(Ignored::Repeat) => self.counters.duplicates.with_label_values(&["threading"]).inc(),
            Effect::Ignored(why) => self.counters.ignored.with_label_values(&[why.as_str()]).inc(),
            Effect::Shown(_) | Effect::Hidden(_) | Effect::Told(_) | Effect::Named(_) => {}
        }
    }

    /// Sets the open conversations of one loop.
    pub fn open_conversations(&self, slot: &str, open: impl Iterator<Item = Open>) {
        let mut slots = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = slots.entry(slot.to_owned()).or_default();
        ours.values_mut().for_each(|count| *count = 0);
        for ((tenant, channel), count) in open.flatten() {
            let tenant = TenantId::new(self.tenants.of(tenant.as_str()));
            *ours.entry((tenant, channel)).or_insert(0) += count;
        }
        let mut sums = Open::new();
        for (labels, count) in slots.values().flatten() {
            *sums.entry(labels.clone()).or_insert(0) += count;
        }
        for ((tenant, channel), count) in sums {
            self.counters.conversations_open.with_label_values(&[tenant.as_str(), channel.as_str()]).set(count);
        }
    }
}
