//! What was registered: subjects with their versions, schemas by id, compatibility levels; one JSON file.
//!
//! An id is derived from the schema's content, so a lost file gives the same ids again when the schemas are registered
//! anew, and records already on topics stay readable.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::compatibility::Level;

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{path}: {cause}", path = path.display())]
    Io {
        /// The file or directory concerned.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not one of ours.
    #[error("{path}: expected a registry store: {cause}", path = path.display())]
    Content {
        /// The file concerned.
        path: PathBuf,
        /// What the parser said, with line and column.
        cause: serde_json::Error,
    },
}

/// Everything registered, mirrored in a file that is replaced whole at every change.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    content: Content,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// Level of subjects that have none of their own; Confluent's default is BACKWARD.
    level: Level,
    levels: BTreeMap<String, Level>,
    /// Ids of a subject's versions; version n is at n-1.
    subjects: BTreeMap<String, Vec<u32>>,
    schemas: BTreeMap<u32, String>,
}

/// A schema's text with sorted keys and no spaces: equal texts are equal schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canonical(String);

impl Canonical {
    /// Sorts the keys of every object; the order of arrays carries meaning and stays.
    pub(crate) fn of(schema: &Value) -> Self {
        Self(sorted(schema).to_string())
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let ordered: BTreeMap<_, _> = fields.iter().collect();
            Value::Object(ordered.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

impl Store {
    /// Reads the file, or begins empty when there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let content = match fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|cause| StoreError::Content { path: path.to_owned(), cause })?
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(cause) => {
                return Err(StoreError::Io { path: path.to_owned(), cause });
            }
        };
        Ok(Self { path: path.to_owned(), content })
    }

    /// Names of all subjects, sorted.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.content.subjects.keys().map(String::as_str)
    }

    /// Ids of a subject's versions, oldest first; `None` for an unknown subject.
    pub(crate) fn versions(&self, subject: &str) -> Option<&[u32]> {
        self.content.subjects.get(subject).map(Vec::as_slice)
    }

    /// Every place an id is used: subject and version number.
    pub(crate) fn uses(&self, id: u32) -> impl Iterator<Item = (&str, usize)> {
        self.content.subjects.iter().flat_map(move |(subject, ids)| {
            ids.iter()
                .enumerate()
                .filter(move |(_, used)| **used == id)
                .map(move |(index, _)| (subject.as_str(), index + 1))
        })
    }

    pub(crate) fn schema(&self, id: u32) -> Option<&str> {
        self.content.schemas.get(&id).map(String::as_str)
    }

    pub(crate) fn global_level(&self) -> Level {
        self.content.level
    }

    pub(crate) fn subject_level(&self, subject: &str) -> Option<Level> {
        self.content.levels.get(subject).copied()
    }

    pub(crate) fn set_level(&mut self, subject: Option<&str>, level: Level) -> Result<(), StoreError> {
        let mut next = self.content.clone();
        match subject {
            Some(subject) => {
                next.levels.insert(subject.to_owned(), level);
            }
            None => next.level = level,
        }
        self.replace(next)
    }

    /// Adds a version unless the subject already has this schema; answers the schema's id.
    pub(crate) fn register(&mut self, subject: &str, schema: &Canonical) -> Result<u32, StoreError> {
        let id = self.id_for(schema);
        if self.versions(subject).is_some_and(|ids| ids.contains(&id)) {
            return Ok(id);
        }
        let mut next = self.content.clone();
        next.schemas.insert(id, schema.0.clone());
        next.subjects.entry(subject.to_owned()).or_default().push(id);
        self.replace(next)?;
        Ok(id)
    }

    /// The id a schema has or will get: 31 bits of its SHA-256, the next free number should another schema sit there.
    pub(crate) fn id_for(&self, schema: &Canonical) -> u32 {
        let digest = Sha256::digest(schema.0.as_bytes());
        let head = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let mut id = (head >> 1).max(1);
        while self.schema(id).is_some_and(|taken| taken != schema.0) {
            id = (id % (u32::MAX >> 1)) + 1;
        }
        id
    }

    /// A change exists once it is in the file: the file first, memory after.
    fn replace(&mut self, next: Content) -> Result<(), StoreError> {
        let io = |cause| StoreError::Io { path: self.path.clone(), cause };
        let bytes =
            serde_json::to_vec_pretty(&next).map_err(|cause| StoreError::Content { path: self.path.clone(), cause })?;
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory).map_err(io)?;
        }
        let draft = self.path.with_extension("draft");
        let mut file = File::create(&draft).map_err(io)?;
        file.write_all(&bytes).map_err(io)?;
        file.sync_all().map_err(io)?;
        fs::rename(&draft, &self.path).map_err(io)?;
        self.content = next;
        Ok(())
    }
}
