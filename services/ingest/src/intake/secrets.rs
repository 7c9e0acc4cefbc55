//! Secrets behind the references of the configuration, read again from time to time so that they
//! can be changed without a restart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemas::config::SecretRef;
use secrecy::SecretString;
use stream::clock::Stamp;

/// References kept at one time; more than endpoints can reasonably have.
const KEPT_MAX: usize = 10_000;

/// Reads and keeps secrets.
#[derive(Debug)]
pub struct SecretBook {
    refresh: Duration,
    kept: Mutex<BTreeMap<String, (Option<SecretString>, Stamp)>>,
}

impl SecretBook {
    /// An empty book whose secrets are read again when they are older than `refresh`.
    pub fn new(refresh: Duration) -> Self {
        Self { refresh, kept: Mutex::default() }
    }

    /// The secrets behind these references, without those that cannot be had; those are logged.
    pub fn all<'a>(&self, references: impl IntoIterator<Item = &'a SecretRef>) -> Vec<SecretString> {
        references.into_iter().filter_map(|reference| self.one(reference)).collect()
    }

    fn one(&self, reference: &SecretRef) -> Option<SecretString> {
        let name = match reference {
            SecretRef::Env(name) => format!("env:{name}"),
            SecretRef::File(path) => format!("file:{path}"),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((secret, since)) = kept.get(&name)
            && since.elapsed() < self.refresh
        {
            return secret.clone();
        }
        let read = match reference {
            SecretRef::Env(name) => settings::read_env_secret(name),
            SecretRef::File(path) => settings::read_secret_file(Path::new(path)),
        };
        let secret = read.inspect_err(|error| tracing::error!(%error, "a secret cannot be had")).ok();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(name, (secret.clone(), Stamp::now()));
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_changed_file_is_seen_once_the_kept_secret_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "one\n").unwrap();
        let reference = [SecretRef::File(path.display().to_string())];
        let texts = |book: &SecretBook| -> Vec<String> {
            book.all(&reference).iter().map(|secret| secret.expose_secret().to_owned()).collect()
        };
        let (patient, eager) = (SecretBook::new(Duration::from_secs(3600)), SecretBook::new(Duration::ZERO));
        assert_eq!((texts(&patient), texts(&eager)), (vec!["one".to_owned()], vec!["one".to_owned()]));
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!((texts(&patient), texts(&eager)), (vec!["one".to_owned()], vec!["two".to_owned()]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(texts(&eager), Vec::<String>::new());
    }
}
