//! `weft schemas`: this build's schemas and the registry.

use clap::{Args, Subcommand};
use schemas::codec::{CodecError, RegistryClient};
use schemas::topics::plan;
use serde_json::{Value as Json, json};

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

/// Every subject of this build with its standing.
pub(super) fn standings(reach: &Reach) -> Result<Vec<(String, &'static str, Standing)>, Failure> {
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
        let mut standings = standings(reach)?;
        let refused = standings.iter().any(|(_, _, standing)| *standing == Standing::Incompatible);
        let is_good = match self {
            Self::Check => standings.iter().all(|(_, _, standing)| matches!(standing, Standing::Registered(_))),
            Self::List => {
                standings.retain(|(_, _, standing)| matches!(standing, Standing::Registered(_)));
                true
            }
            Self::Register(register) => {
                if !register.dry_run && !refused {
                    put(reach, &mut standings)?;
                }
                !refused
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
        if refused {
            output.say("nothing is registered while one is refused")?;
        }
        Ok(Verdict::good_if(is_good))
    }
}

fn put(reach: &Reach, standings: &mut [(String, &'static str, Standing)]) -> Result<(), Failure> {
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
