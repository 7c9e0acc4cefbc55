//! `weft topics`: what must exist on the brokers.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use schemas::topics::{PlannedTopic, plan};
use serde_json::{Value as Json, json};
use stream::TopicPlan;

use crate::output::{Output, Rows};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Compare Kafka's topics with what weft needs, and create what is missing
#[derive(Subcommand)]
pub(super) enum Topics {
    /// Show every topic and what `apply` would do; writes nothing
    Plan(Counts),
    Apply(Apply),
}

/// Create missing topics and set their settings
///
/// Partition counts are for life, because a customer's records must stay in one partition: a
/// topic with another count is refused, and nothing is written.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft topics apply\n  weft topics apply --customer-partitions 12 --domain-partitions 12 --replication 3"
)]
pub(super) struct Apply {
    #[command(flatten)]
    counts: Counts,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
pub(super) struct Counts {
    /// Partitions of every topic keyed by customer; 12 or more where it shall grow
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    customer_partitions: i32,
    /// Partitions of every topic keyed by routing domain
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    domain_partitions: i32,
    /// Replicas of each partition; -1: the brokers' own default
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    replication: i32,
}

/// What is between one topic and its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gap {
    None,
    Missing,
    /// Setting, value there, value planned.
    Settings(Vec<(String, String, String)>),
    /// How many partitions are there.
    Partitions(i32),
}

impl Gap {
    fn word(&self, planned: &PlannedTopic) -> String {
        match self {
            Self::None => "as planned".into(),
            Self::Missing => "to be created".into(),
            Self::Settings(drift) => {
                let each = drift.iter().map(|(name, there, planned)| format!("{name}: {there} → {planned}"));
                each.collect::<Vec<_>>().join(", ")
            }
            Self::Partitions(there) => format!("has {there} partitions, planned {}: refused", planned.partitions),
        }
    }
}

/// Every planned topic and its gap.
pub(super) fn gaps(reach: &Reach, planned: Vec<PlannedTopic>) -> Result<Vec<(PlannedTopic, Gap)>, Failure> {
    let admin = reach.admin()?;
    let there = admin.partitions().map_err(|fault| reach.kafka_away(&fault))?;
    let names: Vec<_> =
        planned.iter().map(|topic| topic.name.clone()).filter(|name| there.contains_key(name)).collect();
    let settings = match names.is_empty() {
        true => BTreeMap::new(),
        false => reach.wait(admin.configs(&names)).map_err(|fault| reach.kafka_away(&fault))?,
    };
    let gap = |topic: &PlannedTopic| match there.get(&topic.name) {
        None => Gap::Missing,
        Some(count) if *count != topic.partitions => Gap::Partitions(*count),
        Some(_) => drift(topic, &settings[&topic.name]),
    };
    Ok(planned.into_iter().map(|topic| (topic.clone(), gap(&topic))).collect())
}

fn drift(planned: &PlannedTopic, there: &BTreeMap<String, String>) -> Gap {
    let value = |name: &String| there.get(name).cloned().unwrap_or_default();
    let different = planned.settings.iter().filter(|(name, wanted)| value(name) != **wanted);
    let drift: Vec<_> = different.map(|(name, wanted)| (name.clone(), value(name), wanted.clone())).collect();
    if drift.is_empty() { Gap::None } else { Gap::Settings(drift) }
}

impl Topics {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let (counts, dry_run) = match self {
            Self::Plan(counts) => (counts, true),
            Self::Apply(apply) => (&apply.counts, apply.dry_run),
        };
        let gaps = gaps(reach, plan(counts.customer_partitions, counts.domain_partitions))?;
        let refused = gaps.iter().any(|(_, gap)| matches!(gap, Gap::Partitions(_)));
        if !dry_run && !refused {
            counts.write(reach, &gaps)?;
        }
        show(output, &gaps)?;
        let open = gaps.iter().filter(|(_, gap)| *gap != Gap::None).count();
        if refused {
            let hint = "partition counts are for life; give the counts the topics have, or other topics";
            output.say(format_args!("nothing was written: {hint}"))?;
        } else {
            let word = if dry_run { "would be written" } else { "written" };
            output.say(format_args!("{open} of {} topics {word}", gaps.len()))?;
        }
        Ok(Verdict::good_if(!refused))
    }
}

impl Counts {
    fn write(&self, reach: &Reach, gaps: &[(PlannedTopic, Gap)]) -> Result<(), Failure> {
        let admin = reach.admin()?;
        let topic_plan = |topic: &PlannedTopic| TopicPlan {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication: self.replication,
            config: topic.settings.clone(),
        };
        let missing = gaps.iter().filter(|(_, gap)| *gap == Gap::Missing).map(|(topic, _)| topic_plan(topic));
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            reach.wait(admin.create(&missing)).map_err(|fault| reach.kafka_away(&fault))?;
        }
        for (topic, _) in gaps.iter().filter(|(_, gap)| matches!(gap, Gap::Settings(_))) {
            reach.wait(admin.alter(&topic_plan(topic))).map_err(|fault| reach.kafka_away(&fault))?;
        }
        Ok(())
    }
}

fn show(output: &mut Output, gaps: &[(PlannedTopic, Gap)]) -> Result<(), Failure> {
    let mut rows = Rows::new(["topic", "partitions", "cleanup", "change"]);
    let mut list = Vec::new();
    for (topic, gap) in gaps {
        let cleanup = topic.settings.get("cleanup.policy").cloned().unwrap_or_default();
        rows.push([topic.name.clone(), topic.partitions.to_string(), cleanup, gap.word(topic)]);
        list.push(json!({
            "topic": topic.name, "partitions": topic.partitions, "settings": topic.settings, "change": gap.word(topic),
        }));
    }
    output.result(&Json::Array(list), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_planned_settings_are_compared() {
        let planned = plan(4, 4).swap_remove(0);
        let mut there = planned.settings.clone();
        there.insert("segment.bytes".into(), "1".into());
        assert_eq!(drift(&planned, &there), Gap::None);
        there.insert("retention.ms".into(), "1".into());
        let wanted = planned.settings["retention.ms"].clone();
        assert_eq!(drift(&planned, &there), Gap::Settings(vec![("retention.ms".into(), "1".into(), wanted)]));
    }
}
