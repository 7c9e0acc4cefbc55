//! Configuration documents `{kind, tenant, id, spec}` in YAML: read whole or refused whole, every
//! problem with file, line, column and what was expected.

mod checks;
mod references;
mod tree;

use std::path::{Path, PathBuf};

use schemas::config::{self, Entity, EntityKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_saphyr::{Error, Location, Spanned};

use crate::Failure;
use crate::output::nearest;
pub(crate) use references::{Known, Role, check_references, referring, role_of};
use tree::Tree;

const ID_BYTES_MAX: usize = 200;

/// One document that can be read.
#[derive(Debug)]
pub(crate) struct Document {
    place: Place,
    pub(crate) kind: EntityKind,
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) entity: Entity,
    /// The spec as services read it, defaults filled in.
    pub(crate) spec: Json,
    tree: Tree,
}

impl Document {
    /// The key on `config.entities`.
    pub(crate) fn key(&self) -> String {
        key(&self.tenant, self.kind.as_str(), &self.id)
    }

    fn problem(&self, path: &[&str], text: impl Into<String>) -> Problem {
        let location = self.tree.locate(path).unwrap_or(self.place.location);
        Problem::new(&self.place.file, location, text)
    }
}

/// The key of an entity on `config.entities`.
pub(crate) fn key(tenant: &str, kind: &str, id: &str) -> String {
    format!("{tenant}/{kind}/{id}")
}

#[derive(Debug, Clone)]
struct Place {
    file: PathBuf,
    location: Location,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    file: PathBuf,
    line: u64,
    column: u64,
    text: String,
}

impl Problem {
    fn new(file: &Path, location: Location, text: impl Into<String>) -> Self {
        Self { file: file.into(), line: location.line(), column: location.column(), text: text.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.text)
    }
}

/// All problems as one failure.
pub(crate) fn refused(problems: &[Problem]) -> Failure {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let count = match problems.len() {
        1 => "one problem".to_owned(),
        n => format!("{n} problems"),
    };
    Failure::Wrong(format!("refused whole, {count}:\n{}", lines.join("\n")))
}

/// Reads every document of these files and directories.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for file in files(paths)? {
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
        read(&file, &text, &mut documents, &mut problems);
    }
    if problems.is_empty() {
        problems = repeated(&documents);
    }
    if problems.is_empty() { Ok(documents) } else { Err(refused(&problems)) }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

/// The YAML files under these paths, in order of name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        let mut inside: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        inside.retain(|path| path.is_dir() || path.extension().is_some_and(|of| of == "yaml" || of == "yml"));
        inside.sort();
        found.extend(files(&inside)?);
    }
    Ok(found)
}

fn read(file: &Path, text: &str, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    for part in parts(text) {
        match document(file, &part) {
            Ok(document) => {
                problems.extend(checks::problems(&document));
                documents.push(document);
            }
            Err(problem) => problems.push(problem),
        }
    }
}

/// The documents of a stream, each behind as many empty lines as stand before it, so that
/// locations are those of the file.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") {
            parts.push("\n".repeat(number));
        }
        let part = parts.last_mut().expect("there is one from the start");
        part.push_str(if line == "---" { "" } else { line });
        part.push('\n');
    }
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    parts.retain(|part| !part.lines().all(blank));
    parts
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kind: Spanned<String>,
    tenant: Spanned<String>,
    id: Spanned<String>,
    spec: Tree,
}

/// The same document with its spec read as a kind's; the rest was looked at before.
#[derive(Deserialize)]
struct Typed<T> {
    spec: T,
}

fn document(file: &Path, text: &str) -> Result<Document, Problem> {
    let wrong = |error: &Error| located(file, error);
    let header: Header = serde_saphyr::from_str(text).map_err(|error| wrong(&error))?;
    let here = |at: &Spanned<String>, text: String| Problem::new(file, at.referenced, text);
    let Some(kind) = EntityKind::from_name(&header.kind.value) else {
        let known: Vec<_> = EntityKind::ALL.iter().map(|kind| kind.as_str()).collect();
        return Err(here(&header.kind, unknown("kind", &header.kind.value, &known)));
    };
    for at in [&header.tenant, &header.id] {
        checks::id(&at.value).map_err(|text| here(at, text))?;
    }
    if kind == EntityKind::Tenant && header.id.value != header.tenant.value {
        return Err(here(&header.id, format!("expected {:?}: a Tenant's id is its tenant", header.tenant.value)));
    }
    if let Some((location, name)) = checks::secret_value(&header.spec) {
        let text = format!(
            "{name}: expected where the secret stands, {{env: NAME}} or {{file: PATH}}, never the secret itself"
        );
        return Err(Problem::new(file, location, text));
    }
    let spec = typed(kind, text).map_err(|error| wrong(&error))?;
    let entity = Entity::from_json(kind, &spec.to_string())
        .map_err(|error| here(&header.kind, format!("this build cannot read what it wrote: {error}")))?;
    Ok(Document {
        place: Place { file: file.into(), location: header.kind.referenced },
        kind,
        tenant: header.tenant.value,
        id: header.id.value,
        entity,
        spec,
        tree: header.spec,
    })
}

fn typed(kind: EntityKind, text: &str) -> Result<Json, Error> {
    fn spec<T: DeserializeOwned + Serialize>(text: &str) -> Result<Json, Error> {
        let typed: Typed<T> = serde_saphyr::from_str(text)?;
        Ok(serde_json::to_value(typed.spec).expect("specs are plain data with text keys"))
    }
    match kind {
        EntityKind::Tenant => spec::<config::Tenant>(text),
        EntityKind::Endpoint => spec::<config::Endpoint>(text),
        EntityKind::ChannelAccount => spec::<config::ChannelAccount>(text),
        EntityKind::Deployment => spec::<config::Deployment>(text),
        EntityKind::Queue => spec::<config::Queue>(text),
        EntityKind::Agent => spec::<config::Agent>(text),
        EntityKind::Template => spec::<config::Template>(text),
        EntityKind::EntryPoint => spec::<config::EntryPoint>(text),
        EntityKind::Bot => spec::<config::Bot>(text),
        EntityKind::ApiClient => spec::<config::ApiClient>(text),
        EntityKind::Skill | EntityKind::Language | EntityKind::WrapUpCode => spec::<config::Named>(text),
    }
}

fn located(file: &Path, error: &Error) -> Problem {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    Problem::new(file, location, said(error))
}

/// What the reader says, with the nearest known name where a name is unknown.
fn said(error: &Error) -> String {
    let error = error.without_snippet();
    if let Error::SerdeUnknownField { field, expected, .. } = error {
        return unknown("field", field, expected);
    }
    if let Error::SerdeUnknownVariant { variant, expected, .. } = error {
        return unknown("value", variant, expected);
    }
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    text.lines().next().unwrap_or_default().to_owned()
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let known_names = known.join(", ");
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{name}`, did you mean `{near}`? expected one of {known_names}"),
        None => format!("unknown {what} `{name}`, expected one of {known_names}"),
    }
}

/// Documents of one key, which would overwrite each other.
fn repeated(documents: &[Document]) -> Vec<Problem> {
    let mut seen = std::collections::BTreeMap::new();
    let mut problems = Vec::new();
    for document in documents {
        if let Some(first) = seen.insert(document.key(), &document.place) {
            let text =
                format!("{} stands already in {}:{}", document.key(), first.file.display(), first.location.line());
            problems.push(Problem::new(&document.place.file, document.place.location, text));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
