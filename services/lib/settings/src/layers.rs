//! Defaults, then the file, then the environment: each value with the place it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use crate::known::{Known, Path, is_secret};
use crate::read::{Strictness, read};
use crate::{SettingsError, read_secret_file};

/// Variables of the tooling around the services.
const NOT_OURS: [&str; 3] = ["WEFT_PORT_BASE", "WEFT_TEST_", "WEFT_RUN_"];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    SecretFile { variable: String, path: PathBuf },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::SecretFile { variable, path } => write!(f, "{variable} ({})", path.display()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) known: Known,
    pub(crate) values: BTreeMap<Path, (toml::Value, Source)>,
    pub(crate) file: Option<PathBuf>,
}

impl Layers {
    pub(crate) fn new(defaults: &str) -> Result<Self, SettingsError> {
        let table: toml::Table =
            toml::from_str(defaults).map_err(|error| SettingsError::one(format!("weft.default.toml: {error}")))?;
        let known = Known::of(&table);
        let values =
            known.leaves.iter().map(|(path, value)| (path.clone(), (value.clone(), Source::Default))).collect();
        Ok(Self { known, values, file: None })
    }

    /// Lays a file over what is there; returns what is wrong with it.
    pub(crate) fn add_file(&mut self, path: &std::path::Path, text: &str) -> Vec<String> {
        self.file = Some(path.to_owned());
        let (values, spans) = match (toml::from_str::<toml::Table>(text), DeTable::parse(text)) {
            (Ok(values), Ok(spans)) => (values, spans),
            (Err(error), _) | (_, Err(error)) => {
                let line = error.span().map_or(1, |span| line_at(text, span.start));
                return vec![format!("{}:{line}: {}", path.display(), error.message())];
            }
        };
        let mut lines = BTreeMap::new();
        find_lines(text, spans.get_ref(), &mut Vec::new(), &mut lines);
        let mut file = File { path: path.to_owned(), lines, problems: Vec::new() };
        self.add_table(&mut file, &mut Vec::new(), &values);
        file.problems
    }

    fn add_table(&mut self, file: &mut File, at: &mut Path, table: &toml::Table) {
        for (key, value) in table {
            at.push(key.clone());
            let source = file.source(at);
            let place = source.to_string();
            if let Some(expected) = self.known.leaves.get(at) {
                match fit(value, expected) {
                    Ok(value) => {
                        self.values.insert(at.clone(), (value, source));
                    }
                    Err(detail) => file.problems.push(format!("{place}: {}: {detail}", at.join("."))),
                }
            } else if self.known.free.contains(at) && value.is_table() {
                self.add_free(file, at, value);
            } else if self.known.is_table(at) {
                match value.as_table() {
                    Some(inner) => self.add_table(file, at, inner),
                    None => file.problems.push(format!(
                        "{place}: {}: expected a section, found {}",
                        at.join("."),
                        value.type_str()
                    )),
                }
            } else {
                file.problems.push(format!("{place}: {}", self.unknown(at)));
            }
            at.pop();
        }
    }

    /// `fetch.min.bytes = 1` is read by TOML as tables in tables; a free table has one key for it.
    fn add_free(&mut self, file: &mut File, table: &[String], value: &toml::Value) {
        let mut open = vec![(table.to_vec(), value)];
        while let Some((at, value)) = open.pop() {
            match value {
                toml::Value::Table(inner) => {
                    open.extend(inner.iter().map(|(key, value)| ([at.clone(), vec![key.clone()]].concat(), value)));
                }
                toml::Value::Array(_) => file.problems.push(format!(
                    "{}: {}: expected a single value, found array",
                    file.source(&at),
                    at.join(".")
                )),
                toml::Value::String(_)
                | toml::Value::Integer(_)
                | toml::Value::Float(_)
                | toml::Value::Boolean(_)
                | toml::Value::Datetime(_) => {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let key = at[table.len()..].join(".");
                    let source = file.source(&at);
                    let path = [table, &[key]].concat();
                    self.values.insert(path, (toml::Value::String(text), source));
                }
            }
        }
    }

    /// Lays variables over what is there; returns what is wrong with them.
    pub(crate) fn add_environment(&mut self, variables: Vec<(String, String)>) -> Vec<String> {
        let mut problems = Vec::new();
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix("WEFT_") else { continue };
            if NOT_OURS.iter().any(|prefix| variable.starts_with(prefix)) {
                continue;
            }
            if let Err(problem) = self.add_variable(&variable, name, &text) {
                problems.push(format!("{variable}: {problem}"));
            }
        }
        problems
    }

    fn add_variable(&mut self, variable: &str, name: &str, text: &str) -> Result<(), String> {
        if let Some(path) = self.known.by_variable(name) {
            let value = match self.known.leaves.get(&path) {
                Some(expected) => parse(text, expected).map_err(|detail| format!("{}: {detail}", path.join(".")))?,
                None => toml::Value::String(text.to_owned()),
            };
            self.values.insert(path, (value, Source::Variable(variable.to_owned())));
            return Ok(());
        }
        let of_file = name.strip_suffix("_FILE").and_then(|name| self.known.by_variable(name));
        if let Some(path) = of_file.filter(|path| is_secret(path)) {
            if let Some((_, Source::Variable(other))) = self.values.get(&path) {
                return Err(format!("{} is given by {other} already", path.join(".")));
            }
            let file = PathBuf::from(text);
            let secret = read_secret_file(&file).map_err(|error| error.to_string())?;
            let source = Source::SecretFile { variable: variable.to_owned(), path: file };
            self.values.insert(path, (toml::Value::String(secret.expose_secret().to_owned()), source));
            return Ok(());
        }
        let path: Path = name.split("__").map(str::to_lowercase).collect();
        Err(self.unknown(&path))
    }

    fn unknown(&self, path: &[String]) -> String {
        let nearest = self.known.nearest(path);
        let hint = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        format!("unknown key {}{hint}", path.join("."))
    }

    /// The settings as `T`; sections that `T` does not name are left out.
    pub(crate) fn read<T: DeserializeOwned>(&self, strictness: Strictness) -> Result<T, SettingsError> {
        let mut root = toml::Table::new();
        for table in &self.known.free {
            table_at(&mut root, table);
        }
        for (path, (value, _)) in &self.values {
            if let Some((key, sections)) = path.split_last() {
                table_at(&mut root, sections).insert(key.clone(), value.clone());
            }
        }
        read(root, strictness).map_err(|error| {
            let place = self.values.get(&error.path).map_or(String::new(), |(_, source)| format!("{source}: "));
            let key = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path.join(".")) };
            SettingsError::one(format!("{place}{key}{}", error.detail))
        })
    }
}

struct File {
    path: PathBuf,
    lines: BTreeMap<Path, usize>,
    problems: Vec<String>,
}

impl File {
    fn source(&self, path: &[String]) -> Source {
        Source::File { path: self.path.clone(), line: self.lines.get(path).copied().unwrap_or(1) }
    }
}

fn table_at<'a>(root: &'a mut toml::Table, path: &[String]) -> &'a mut toml::Table {
    path.iter().fold(root, |table, key| {
        let entry = table.entry(key.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        entry.as_table_mut().expect("a known path never leads through a value")
    })
}

fn find_lines(text: &str, table: &DeTable<'_>, at: &mut Path, lines: &mut BTreeMap<Path, usize>) {
    for (key, value) in table {
        at.push(key.get_ref().to_string());
        lines.insert(at.clone(), line_at(text, key.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            find_lines(text, inner, at, lines);
        }
        at.pop();
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The value if it has the type of the default.
fn fit(value: &toml::Value, expected: &toml::Value) -> Result<toml::Value, String> {
    match (value, expected) {
        (toml::Value::Integer(number), toml::Value::Float(_)) => Ok(toml::Value::Float(*number as f64)),
        (value, expected) if value.same_type(expected) => Ok(value.clone()),
        (value, expected) => Err(format!("expected {}, found {}", expected.type_str(), value.type_str())),
    }
}

/// A variable's text as a value of the default's type; lists are separated by commas.
fn parse(text: &str, expected: &toml::Value) -> Result<toml::Value, String> {
    let wrong = || format!("expected {}, found {text:?}", expected.type_str());
    match expected {
        toml::Value::String(_) => Ok(toml::Value::String(text.to_owned())),
        toml::Value::Integer(_) => text.trim().parse().map(toml::Value::Integer).map_err(|_| wrong()),
        toml::Value::Float(_) => text.trim().parse().map(toml::Value::Float).map_err(|_| wrong()),
        toml::Value::Boolean(_) => text.trim().parse().map(toml::Value::Boolean).map_err(|_| wrong()),
        toml::Value::Datetime(_) => text.trim().parse().map(toml::Value::Datetime).map_err(|_| wrong()),
        toml::Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect()))
        }
        toml::Value::Table(_) => Err(wrong()),
    }
}
