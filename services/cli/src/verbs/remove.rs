//! `weft remove`: one configuration document out of force.

use clap::Args;
use schemas::codec::Codec;
use schemas::ids::EventId;
use schemas::records::ConfigEntity;
use schemas::topics;
use serde_json::json;
use stream::Output as Written;

use super::apply::CONFIG;
use super::get::kind_named;
use crate::documents::{key, referring};
use crate::journal::applied;
use crate::output::{Output, Rows};
use crate::reach::{Reach, registry};
use crate::{Failure, Verdict};

/// Take one configuration document out of force
///
/// Refused while another document refers to it. The history keeps every version; `weft apply` brings
/// it back. A Tenant stays: its customers' keys are sealed with it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft remove Skill french --tenant acme --dry-run\n  weft remove Agent ana --tenant acme"
)]
pub(super) struct Remove {
    /// Kind of document, e.g. Queue
    kind: String,
    /// Id of the document
    id: String,
    /// Its tenant
    #[arg(long)]
    tenant: String,
    /// Say what would be removed, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Who removes, for the history
    #[arg(long, default_value = "weft remove", value_name = "NAME")]
    by: String,
}

impl Remove {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let kind = kind_named(&self.kind)?;
        let (name, key) = (kind.as_str(), key(&self.tenant, kind.as_str(), &self.id));
        if kind == schemas::config::EntityKind::Tenant {
            return Err(Failure::Usage("a Tenant stays: its customers' keys are sealed with it".into()));
        }
        let codec = reach.codec(CONFIG)?;
        let in_force = applied(reach, &codec)?;
        let Some(there) = in_force.get(&key) else {
            return Err(Failure::Wrong(format!("no {name} `{}` of tenant {} is in force", self.id, self.tenant)));
        };
        let referring = referring(&in_force, &self.tenant, kind, &self.id);
        if !referring.is_empty() {
            let who = referring.join(", ");
            return Err(Failure::Wrong(format!(
                "{name} `{}` stays: {who} refer to it; apply them without it first",
                self.id
            )));
        }
        let version = there.entity.version + 1;
        if !self.dry_run {
            let records = self.records(&codec, &there.entity, &key, version)?;
            let published = reach.wait(reach.publisher()?.publish(records));
            published.map_err(|error| Failure::Away(format!("not known to be written: {error}")))?;
        }
        let mut rows = Rows::new(["tenant", "kind", "id", "version", "change"]);
        rows.push([self.tenant.as_str(), name, &self.id, &version.to_string(), "removed"]);
        let done =
            json!({ "tenant": self.tenant, "kind": name, "id": self.id, "version": version, "change": "removed" });
        output.result(&done, &rows)?;
        output.say(if self.dry_run { "would be removed (dry run)" } else { "removed" })?;
        Ok(Verdict::Good)
    }

    /// The end as a version of its own for the history, a tombstone for the services.
    fn records(&self, codec: &Codec, there: &ConfigEntity, key: &str, version: i64) -> Result<Vec<Written>, Failure> {
        let now = stream::clock::now().as_ms();
        let end = ConfigEntity {
            event_id: EventId::derive(&[key, &version.to_string()]),
            occurred_at: now,
            recorded_at: now,
            version,
            body: "null".into(),
            applied_by: self.by.clone(),
            ..there.clone()
        };
        let history = codec.encode(topics::CONFIG_HISTORY.name, &end).map_err(|error| registry(&error))?;
        Ok(vec![
            Written::new(topics::CONFIG_HISTORY.name, key.to_owned(), history),
            Written::tombstone(topics::CONFIG_ENTITIES.name, key.to_owned()),
        ])
    }
}
