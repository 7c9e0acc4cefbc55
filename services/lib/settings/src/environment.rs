//! The environment, which no other crate may read.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// A secret that a reference points to but that cannot be had. Says where, never what.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set")]
    NotSet(String),
    /// The file cannot be read.
    #[error("secret file {path}: {error}")]
    Unreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is empty.
    #[error("secret file {0} is empty")]
    Empty(PathBuf),
}

/// The secret behind a reference `{env: NAME}`.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn read_env_secret(name: &str) -> Result<SecretString, SecretError> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .map(SecretString::from)
        .ok_or_else(|| SecretError::NotSet(name.to_owned()))
}

/// The secret behind a reference `{file: PATH}`: the file's text without the line's end.
pub fn read_secret_file(path: &Path) -> Result<SecretString, SecretError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| SecretError::Unreadable { path: path.to_owned(), error })?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(SecretError::Empty(path.to_owned()));
    }
    Ok(SecretString::from(text.to_owned()))
}

/// The variables that are ours, sorted. One that is not UTF-8 comes with its text mended.
pub(crate) fn variables() -> Vec<(String, String)> {
    let mut ours: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("WEFT_"))
        .collect();
    ours.sort();
    ours
}
