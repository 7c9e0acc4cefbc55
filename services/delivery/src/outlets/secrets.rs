//! Secrets by reference, read when they are needed and kept for a moment.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use stream::clock::Stamp;

use crate::core::event::SecretPlace;

/// How long a secret read is used without looking again: a rotated one is in use after this.
const KEEP: Duration = Duration::from_secs(10);

/// Reads secrets.
#[derive(Default)]
pub struct Secrets {
    read: Mutex<HashMap<String, (Stamp, SecretString)>>,
}

impl Secrets {
    /// The secret that stands there; `None` if it cannot be had, which is logged.
    pub fn get(&self, place: &SecretPlace) -> Option<SecretString> {
        let name = match place {
            SecretPlace::Env(name) => format!("env {name}"),
            SecretPlace::File(path) => format!("file {path}"),
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, secret)) = read.get(&name).filter(|(at, _)| at.elapsed() < KEEP) {
            return Some(secret.clone());
        }
        let secret = match place {
            SecretPlace::Env(name) => settings::read_env_secret(name),
            SecretPlace::File(path) => settings::read_secret_file(Path::new(path)),
        };
        match secret {
            Ok(secret) => {
                read.insert(name, (Stamp::now(), secret.clone()));
                Some(secret)
            }
            Err(error) => {
                tracing::warn!(%error, "a secret cannot be read");
                None
            }
        }
    }
}
