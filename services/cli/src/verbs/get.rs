//! `weft get`: what is in force.

use clap::Args;
use schemas::config::EntityKind;
use serde_json::{Value as Json, json};
use stream::Timestamp;

use super::apply::CONFIG;
use crate::journal::{Applied, applied};
use crate::output::{Output, Rows, nearest};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Show the configuration in force
///
/// Without an id a list; with one the document, as YAML that can be applied again.
#[derive(Args)]
#[command(after_help = "Examples:\n  weft get queue\n  weft get Queue help --tenant acme\n  weft get agent -o json")]
pub(super) struct Get {
    /// Kind of document, e.g. Queue
    kind: String,
    /// Id of one document
    id: Option<String>,
    /// Only of this tenant
    #[arg(long)]
    tenant: Option<String>,
}

impl Get {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let kind = kind_named(&self.kind)?;
        let mut entities: Vec<_> = applied(reach, &reach.codec(CONFIG)?)?.into_values().collect();
        entities.retain(|one| one.entity.kind == kind.as_str());
        entities.retain(|one| self.tenant.as_ref().is_none_or(|tenant| one.entity.tenant.as_str() == tenant));
        entities.retain(|one| self.id.as_ref().is_none_or(|id| one.entity.id == *id));
        if let Some(id) = &self.id {
            if entities.is_empty() {
                return Err(Failure::Wrong(format!("no {} `{id}` is in force", kind.as_str())));
            }
            if !output.is_json() {
                entities.iter().try_for_each(|one| output.raw(yaml(one)?.as_bytes()))?;
                return Ok(Verdict::Good);
            }
        }
        let mut rows = Rows::new(["tenant", "id", "name", "version", "applied", "by"]);
        for one in &entities {
            let entity = &one.entity;
            let name = one.spec()["name"].as_str().unwrap_or_default().to_owned();
            let at = Timestamp::from_ms(entity.occurred_at).to_string();
            let (tenant, version) = (entity.tenant.to_string(), entity.version.to_string());
            rows.push([tenant, entity.id.clone(), name, version, at, entity.applied_by.clone()]);
        }
        output.result(&Json::Array(entities.iter().map(document).collect()), &rows)?;
        Ok(Verdict::Good)
    }
}

/// The kind of that name, in any case, one or many.
pub(super) fn kind_named(asked: &str) -> Result<EntityKind, Failure> {
    let names = || EntityKind::ALL.iter().map(|kind| kind.as_str());
    let same = |kind: &&EntityKind| {
        let name = kind.as_str();
        name.eq_ignore_ascii_case(asked) || format!("{name}s").eq_ignore_ascii_case(asked)
    };
    if let Some(kind) = EntityKind::ALL.iter().find(same) {
        return Ok(*kind);
    }
    let near = nearest(asked, names()).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    let known: Vec<_> = names().collect();
    Err(Failure::Usage(format!("unknown kind {asked}, {near}expected one of {}", known.join(", "))))
}

fn document(one: &Applied) -> Json {
    let entity = &one.entity;
    json!({
        "kind": entity.kind, "tenant": entity.tenant, "id": entity.id, "version": entity.version,
        "applied_at_ms": entity.occurred_at, "applied_by": entity.applied_by, "spec": one.spec(),
    })
}

fn yaml(one: &Applied) -> Result<String, Failure> {
    let entity = &one.entity;
    let mut spec = one.spec();
    if let Json::Object(fields) = &mut spec {
        fields.remove("key_fingerprint");
    }
    let document = json!({ "kind": entity.kind, "tenant": entity.tenant, "id": entity.id, "spec": spec });
    let text = serde_saphyr::to_string(&document).map_err(|error| Failure::Wrong(error.to_string()))?;
    Ok(format!("---\n# version {}, applied {}\n{text}", entity.version, Timestamp::from_ms(entity.occurred_at)))
}
