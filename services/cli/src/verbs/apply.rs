//! `weft apply`: documents onto the configuration topic.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use schemas::codec::Codec;
use schemas::config::{Entity, EntityKind};
use schemas::ids::{EventId, TenantId};
use schemas::records::ConfigEntity;
use schemas::topics::{self, Topic};
use serde_json::{Value as Json, json};
use stream::Output as Written;

use crate::documents::{Document, Known, Role, check_references, load, refused, role_of};
use crate::journal::{Applied, applied};
use crate::output::{Output, Rows};
use crate::reach::{Reach, registry};
use crate::{Failure, Verdict};

/// Put configuration documents in force
///
/// Reads YAML documents `{kind, tenant, id, spec}`, several to a file behind `---`. All are
/// checked, with each other and with what is in force, before anything is written; only what
/// changed is written, and every service follows at once without a restart.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft apply -f deploy/demo\n  weft apply -f queues.yaml -f agents.yaml --dry-run\n\nA document:\n  kind: Queue\n  tenant: acme\n  id: help\n  spec:\n    name: Help\n    members: [ana, ben]"
)]
pub(super) struct Apply {
    /// File, or directory that is read with all below it; may be repeated
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    file: Vec<PathBuf>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Who applies, for the history
    #[arg(long, default_value = "weft apply", value_name = "NAME")]
    by: String,
}

/// Topics whose schemas this needs.
pub(super) const CONFIG: &[Topic] = &[topics::CONFIG_ENTITIES, topics::CONFIG_HISTORY];

/// What would become of one document.
pub(super) struct Change {
    pub(super) document: Document,
    /// What is in force now.
    pub(super) before: Option<Applied>,
}

impl Change {
    pub(super) fn word(&self) -> &'static str {
        match &self.before {
            None => "created",
            Some(_) if self.is_real() => "changed",
            Some(_) => "unchanged",
        }
    }

    pub(super) fn is_real(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.spec() != self.document.spec)
    }
}

impl Apply {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let documents = load(&self.file)?;
        let codec = reach.codec(CONFIG)?;
        let changes = planned(reach, &codec, documents)?;
        let versions = versions(reach, &codec, &changes)?;
        if !self.dry_run {
            let records = self.records(&codec, &changes, &versions)?;
            let published = reach.wait(reach.publisher()?.publish(records));
            published.map_err(|error| Failure::Away(format!("not known to be written: {error}")))?;
        }
        show(output, &changes, &versions)?;
        let real = changes.iter().filter(|change| change.is_real()).count();
        let done = if self.dry_run { "would be written (dry run)" } else { "written" };
        output.say(format_args!("{real} of {} documents {done}", changes.len()))?;
        Ok(Verdict::Good)
    }

    fn records(
        &self,
        codec: &Codec,
        changes: &[Change],
        versions: &BTreeMap<String, i64>,
    ) -> Result<Vec<Written>, Failure> {
        let now = stream::clock::now().as_ms();
        let mut records = Vec::new();
        for change in changes.iter().filter(|change| change.is_real()) {
            let document = &change.document;
            let key = document.key();
            let version = versions[&key];
            let entity = ConfigEntity {
                event_id: EventId::derive(&[&key, &version.to_string()]),
                tenant: TenantId::new(&document.tenant),
                occurred_at: now,
                recorded_at: now,
                kind: document.kind.as_str().into(),
                id: document.id.clone(),
                version,
                body: document.spec.to_string(),
                applied_by: self.by.clone(),
            };
            for topic in [topics::CONFIG_HISTORY.name, topics::CONFIG_ENTITIES.name] {
                let bytes = codec.encode(topic, &entity).map_err(|error| registry(&error))?;
                records.push(Written::new(topic, key.clone(), bytes));
            }
        }
        Ok(records)
    }
}

/// Every document beside what is in force, in the order in which kinds refer to each other.
pub(super) fn planned(reach: &Reach, codec: &Codec, mut documents: Vec<Document>) -> Result<Vec<Change>, Failure> {
    let mut in_force = applied(reach, codec)?;
    let known: Known =
        in_force.iter().map(|(key, one)| (key.clone(), one.entity().as_ref().map_or(Role::Other, role_of))).collect();
    let problems = check_references(&documents, &known);
    if !problems.is_empty() {
        return Err(refused(&problems));
    }
    let order = |kind: EntityKind| EntityKind::ALL.iter().position(|one| *one == kind);
    documents.sort_by_key(|document| (order(document.kind), document.key()));
    let fingerprint = reach.config.key_secret().map(|secret| secret.fingerprint());
    let mut changes = Vec::new();
    for mut document in documents {
        let before = in_force.remove(&document.key());
        sealed(&mut document, before.as_ref(), fingerprint.as_deref())?;
        changes.push(Change { document, before });
    }
    Ok(changes)
}

/// Puts the key secret's fingerprint into a tenant; one that has another is not touched.
fn sealed(document: &mut Document, before: Option<&Applied>, ours: Option<&str>) -> Result<(), Failure> {
    let Entity::Tenant(tenant) = &document.entity else { return Ok(()) };
    let spec = before.map(Applied::spec).unwrap_or_default();
    let there = spec["key_fingerprint"].as_str().or(tenant.key_fingerprint.as_deref());
    let fingerprint = match (there, ours) {
        (Some(there), Some(ours)) if there != ours => {
            return Err(Failure::Wrong(format!(
                "tenant {}: its customers' keys were made with the key secret {there}, this one is {ours}; \
                 with another secret every customer would be a stranger",
                document.tenant
            )));
        }
        (Some(there), _) => there,
        (None, Some(ours)) => ours,
        (None, None) => {
            let text =
                "a new Tenant is sealed with the key secret's fingerprint: set WEFT_KEY_SECRET as the services have it";
            return Err(Failure::Usage(text.into()));
        }
    };
    document.spec["key_fingerprint"] = Json::String(fingerprint.to_owned());
    Ok(())
}

/// The version each changed document gets: one more than any it ever had.
fn versions(reach: &Reach, codec: &Codec, changes: &[Change]) -> Result<BTreeMap<String, i64>, Failure> {
    let mut highest: BTreeMap<String, i64> = changes
        .iter()
        .map(|change| (change.document.key(), change.before.as_ref().map_or(0, |before| before.entity.version)))
        .collect();
    if changes.iter().any(|change| change.before.is_none()) {
        reach.read(&[topics::CONFIG_HISTORY.name], |record| {
            let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
            if let (Some(version), Some(payload)) = (highest.get_mut(&key), record.payload)
                && let Ok(entity) = codec.decode::<ConfigEntity>(payload)
            {
                *version = entity.version.max(*version);
            }
        })?;
    }
    let real = changes.iter().filter(|change| change.is_real());
    for change in real {
        if let Some(version) = highest.get_mut(&change.document.key()) {
            *version += 1;
        }
    }
    Ok(highest)
}

fn show(output: &mut Output, changes: &[Change], versions: &BTreeMap<String, i64>) -> Result<(), Failure> {
    let mut rows = Rows::new(["tenant", "kind", "id", "version", "change"]);
    let mut list = Vec::new();
    for change in changes {
        let document = &change.document;
        let version = versions[&document.key()];
        let kind = document.kind.as_str();
        rows.push([&document.tenant, kind, &document.id, version.to_string().as_str(), change.word()]);
        list.push(json!({
            "tenant": document.tenant, "kind": kind, "id": document.id, "version": version, "change": change.word(),
        }));
    }
    output.result(&Json::Array(list), &rows)
}
