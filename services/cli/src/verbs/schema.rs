//! `weft schemas`: this build's schemas and the registry.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use schemas::codec::{CodecError, RegistryClient};
use schemas::config::EntityKind;
use schemas::topics::plan;
use serde_json::{Value as Json, json};

use super::get::kind_named;
use crate::output::{Output, Rows};
use crate::reach::{Reach, registry};
use crate::{Failure, Verdict};

/// The level of every subject: old and new readers and writers understand each other.
const COMPATIBILITY: &str = "FULL_TRANSITIVE";

/// Compare this build's schemas with the registry, and register them
///
/// Running services register nothing: a deployment runs `weft schemas register` first.
#[derive(Subcommand)]
pub(super) enum Schemas {
    /// Say which schemas are registered and which would be accepted; exit code 1 if one would not
    Check,
    Register(Register),
    /// List subjects and schema ids
    List,
    Config(ConfigSchemas),
}

/// The JSON Schemas of configuration documents, for editors that check while one types
///
/// Needs no registry. `deploy/config-schema/` holds what this prints.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft schemas config Queue\n  weft schemas config --dir deploy/config-schema\n\nIn a document, for an editor's YAML language server:\n  # yaml-language-server: $schema=../config-schema/Queue.json"
)]
pub(super) struct ConfigSchemas {
    /// Only of this kind
    kind: Option<String>,
    /// Write one file for each kind here instead of printing
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
}

impl ConfigSchemas {
    fn run(&self, output: &mut Output) -> Result<Verdict, Failure> {
        let kinds = match &self.kind {
            Some(name) => vec![kind_named(name)?],
            None => EntityKind::ALL.to_vec(),
        };
        for kind in kinds {
            let text = format!("{:#}\n", kind.document_schema());
            match &self.dir {
                None => output.raw(text.as_bytes())?,
                Some(dir) => {
                    let file = dir.join(format!("{}.json", kind.as_str()));
                    let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&file, text));
                    written.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
                    output.say(file.display())?;
                }
            }
        }
        Ok(Verdict::Good)
    }
}

/// Register what is missing, compatibility FULL_TRANSITIVE
///
/// Either every schema is acceptable, or none is registered.
#[derive(Args)]
pub(super) struct Register {
    /// Say what would be registered, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Where one subject's schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Registered(u32),
    New,
    Incompatible,
}

impl Standing {
    fn word(self) -> String {
        match self {
            Self::Registered(id) => format!("registered as {id}"),
            Self::New => "not registered yet".into(),
            Self::Incompatible => "refused: not compatible with what is registered".into(),
        }
    }
}

/// Name, schema, standing.
pub(super) type Subject = (String, &'static str, Standing);

/// Every subject of this build with its standing.
pub(super) fn standings(reach: &Reach) -> Result<Vec<Subject>, Failure> {
    let client = reach.registry()?;
    let subjects = plan(1, 1).into_iter().filter_map(|topic| Some((format!("{}-value", topic.name), topic.schema?)));
    subjects
        .map(|(subject, schema)| {
            let standing = reach.wait(standing(&client, &subject, schema)).map_err(|error| registry(&error))?;
            Ok((subject, schema, standing))
        })
        .collect()
}

async fn standing(client: &RegistryClient, subject: &str, schema: &str) -> Result<Standing, CodecError> {
    match client.lookup(subject, schema).await {
        Ok(id) => Ok(Standing::Registered(id)),
        Err(CodecError::NotRegistered(_)) => {
            let fits = client.is_compatible(subject, schema).await?;
            Ok(if fits { Standing::New } else { Standing::Incompatible })
        }
        Err(other) => Err(other),
    }
}

impl Schemas {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let is_refused = |all: &[Subject]| all.iter().any(|(_, _, standing)| *standing == Standing::Incompatible);
        let is_there = |(_, _, standing): &Subject| matches!(standing, Standing::Registered(_));
        let (standings, is_good) = match self {
            Self::Config(config) => return config.run(output),
            Self::Check => {
                let all = standings(reach)?;
                let is_good = all.iter().all(is_there);
                (all, is_good)
            }
            Self::List => (standings(reach)?.into_iter().filter(is_there).collect(), true),
            Self::Register(register) => {
                let mut all = standings(reach)?;
                if !register.dry_run && !is_refused(&all) {
                    put(reach, &mut all)?;
                }
                let is_good = !is_refused(&all);
                (all, is_good)
            }
        };
        let mut rows = Rows::new(["subject", "schema"]);
        let mut list = Vec::new();
        for (subject, _, standing) in &standings {
            rows.push([subject.clone(), standing.word()]);
            let id = if let Standing::Registered(id) = standing { Some(id) } else { None };
            list.push(json!({ "subject": subject, "id": id, "standing": standing.word() }));
        }
        output.result(&Json::Array(list), &rows)?;
        if is_refused(&standings) {
            output.say("nothing is registered while one is refused")?;
        }
        Ok(Verdict::good_if(is_good))
    }
}

fn put(reach: &Reach, standings: &mut [Subject]) -> Result<(), Failure> {
    let client = reach.registry()?;
    for (subject, schema, standing) in standings.iter_mut().filter(|(_, _, standing)| *standing == Standing::New) {
        let id = reach.wait(async {
            client.set_compatibility(subject, COMPATIBILITY).await?;
            client.register(subject, schema).await
        });
        *standing = Standing::Registered(id.map_err(|error| registry(&error))?);
    }
    Ok(())
}
