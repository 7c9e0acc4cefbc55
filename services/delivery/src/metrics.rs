//! Every metric of delivery.

use std::collections::BTreeMap;

use prometheus::Registry;
use prometheus::core::Collector;
use schemas::records::{DeliveryEvent, DeliveryEventKind};

use crate::core::effect::{Effect, Ignored};
use crate::core::event::{Account, AccountKey};

telemetry::metrics! {
    /// What delivery counts; decisions, a batch decided twice included.
    pub struct Metrics {
        /// Attempts by their end: sent, ambiguous, retrying, failed, refused, exhausted.
        attempts: IntCounterVec = "delivery_attempts_total" ["channel", "outcome"],
        /// Attempts of which nobody knows whether they arrived.
        ambiguous: IntCounterVec = "delivery_ambiguous_total" ["channel"],
        /// Messages that were not sent because they must not be.
        refused: IntCounterVec = "outbound_refused_total" ["channel", "reason"],
        /// Receipts that moved a message forward.
        receipts: IntCounterVec = "delivery_receipts_total" ["channel", "status"],
        /// Inputs that came before, or say nothing new.
        duplicates: IntCounterVec = "duplicates_total" ["service"],
        /// Receipts about no message of ours, or one of too long ago.
        foreign: IntCounter = "delivery_foreign_receipts_total" [],
        /// Accounts paused or with an open circuit, each time this changes, by what it becomes.
        accounts: IntCounterVec = "delivery_account_changes_total" ["breaker"],
        /// When an account's access token ends, seconds since 1970; accounts whose configuration says it.
        token_expires: IntGaugeVec = "delivery_token_expires_timestamp_seconds" ["tenant", "account"],
        /// Typing, read marks and reactions that were to be shown.
        signals: IntCounterVec = "delivery_signals_total" ["channel"],
        /// Lifecycle events and replays on webhooks, by what became of them.
        quiet: IntCounterVec = "delivery_quiet_total" ["outcome"],
        /// Opt-outs that a provider knew of and we did not.
        provider_opt_outs: IntCounter = "delivery_provider_opt_outs_total" [],
        /// What somebody said elsewhere in our account's name.
        foreign_echoes: IntCounterVec = "delivery_foreign_echoes_total" ["channel"],
        /// Bot turns by their end: answered, failed, timed_out.
        bot_turns: IntCounterVec = "delivery_bot_turns_total" ["tenant", "bot", "outcome"],
        /// Attachments copied or given up, by outcome: stored, or the reason.
        media: IntCounterVec = "delivery_media_total" ["channel", "outcome"],
        /// Bytes of attachments copied.
        media_bytes: IntCounterVec = "delivery_media_bytes_total" ["channel"],
        /// Time of one try to copy an attachment.
        media_seconds: HistogramVec = "delivery_media_seconds" ["channel"]
            buckets [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
        /// Time that a call waited for its account's own rate.
        paced_seconds: HistogramVec = "delivery_paced_seconds" ["channel"]
            buckets [0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 900.0],
        /// Time of one call to a provider or webhook.
        call_seconds: HistogramVec = "delivery_call_seconds" ["channel"]
            buckets [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0],
    }
}

impl Metrics {
    /// Makes and registers them, those without labels of the world at zero.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn start(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::register(registry)?;
        metrics.duplicates.with_label_values(&["delivery"]);
        Ok(metrics)
    }

    /// Counts what the machine wants done.
    pub fn count(&self, effect: &Effect) {
        match effect {
            Effect::Event(event) => self.count_event(event),
            Effect::Quiet(event) => self.quiet.with_label_values(&[event.kind.name()]).inc(),
            Effect::Account(state) => self.accounts.with_label_values(&[&state.breaker]).inc(),
            Effect::Ignored(Ignored::Foreign) => self.foreign.inc(),
            Effect::Ignored(Ignored::Repeated | Ignored::Stale) => {
                self.duplicates.with_label_values(&["delivery"]).inc();
            }
            Effect::Foreign(echo, _) => self.foreign_echoes.with_label_values(&[echo.channel.as_str()]).inc(),
            Effect::OptedOut(_) => self.provider_opt_outs.inc(),
            Effect::Signal(send) => self.signals.with_label_values(&[send.channel.as_str()]).inc(),
            Effect::Turned(turned) => {
                let bot = turned.asked.bot.as_str();
                self.bot_turns.with_label_values(&[turned.asked.tenant.as_str(), bot, turned.outcome]).inc();
            }
            Effect::Send(_) | Effect::Copy(_) | Effect::CallBot(_) | Effect::DeadLetter(_) => {}
        }
    }

    /// Shows when the access tokens of all accounts end; of an account that is gone nothing is shown.
    pub fn expire<'a>(&self, accounts: impl Iterator<Item = (&'a AccountKey, &'a Account)>) {
        let ends = accounts.filter_map(|(key, account)| {
            Some(([key.tenant.as_str(), key.account.as_str()], account.token_expires_at?.div_euclid(1_000)))
        });
        let ends: BTreeMap<[&str; 2], i64> = ends.collect();
        for family in self.token_expires.collect() {
            for shown in family.get_metric() {
                let label =
                    |name: &str| shown.get_label().iter().find(|one| one.name() == name).map_or("", |one| one.value());
                let labels = [label("tenant"), label("account")];
                if !ends.contains_key(&labels) {
                    // Whoever removed it first did the same.
                    let _ = self.token_expires.remove_label_values(&labels);
                }
            }
        }
        for (labels, at) in &ends {
            self.token_expires.with_label_values(labels).set(*at);
        }
    }

    fn count_event(&self, event: &DeliveryEvent) {
        let (channel, kind) = (event.channel.as_str(), event.kind.name());
        match &event.kind {
            DeliveryEventKind::PartSent(_)
            | DeliveryEventKind::Sent(_)
            | DeliveryEventKind::Retrying(_)
            | DeliveryEventKind::Failed(_)
            | DeliveryEventKind::Exhausted(_) => self.attempts.with_label_values(&[channel, kind]).inc(),
            DeliveryEventKind::Ambiguous(_) => {
                self.attempts.with_label_values(&[channel, kind]).inc();
                self.ambiguous.with_label_values(&[channel]).inc();
            }
            DeliveryEventKind::Refused(refused) => {
                self.attempts.with_label_values(&[channel, kind]).inc();
                self.refused.with_label_values(&[channel, &refused.reason]).inc();
            }
            DeliveryEventKind::Delivered(_) | DeliveryEventKind::Read(_) => {
                self.receipts.with_label_values(&[channel, kind]).inc();
            }
            DeliveryEventKind::MediaStored(stored) => {
                self.media.with_label_values(&[channel, "stored"]).inc();
                self.media_bytes.with_label_values(&[channel]).inc_by(stored.size_bytes.try_into().unwrap_or_default());
            }
            DeliveryEventKind::MediaFailed(failed) => self.media.with_label_values(&[channel, &failed.reason]).inc(),
            DeliveryEventKind::Claimed(_)
            | DeliveryEventKind::BotTurnFinished(_)
            | DeliveryEventKind::DataActionFinished(_)
            | DeliveryEventKind::Unknown(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rules::support::account;
    use schemas::records::Channel;

    #[test]
    fn the_end_of_a_token_is_shown_as_long_as_the_account_is_there_and_says_so() {
        let metrics = Metrics::start(&Registry::new()).unwrap();
        let key = |id: &str| AccountKey { tenant: "acme".into(), account: id.into() };
        let ends = |at: Option<i64>| Account { token_expires_at: at, ..account(Channel::Instagram) };
        let shown = || metrics.token_expires.collect().iter().flat_map(|family| family.get_metric().to_vec()).count();
        let (one, other, none) = (ends(Some(5_000)), ends(Some(7_000)), ends(None));
        metrics.expire([(&key("a"), &one), (&key("b"), &other), (&key("c"), &none)].into_iter());
        assert_eq!(shown(), 2);
        assert_eq!(metrics.token_expires.with_label_values(&["acme", "b"]).get(), 7);
        metrics.expire([(&key("a"), &other)].into_iter());
        assert_eq!(shown(), 1);
        assert_eq!(metrics.token_expires.with_label_values(&["acme", "a"]).get(), 7);
    }
}
