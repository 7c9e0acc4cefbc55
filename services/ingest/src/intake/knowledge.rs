//! Configuration and aliases as they come by their topics → the directory.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use schemas::codec::{Codec, CodecError};
use schemas::config::{Entity, EntityKind};
use schemas::ids::TenantId;
use schemas::records::{ConfigEntity, CustomerAlias};
use schemas::topics::{CONFIG_ENTITIES, CUSTOMER_ALIASES};
use stream::InputRecord;

use crate::core::Directory;

/// The directory, shared between who follows the topics and who answers requests.
#[derive(Debug, Clone, Default)]
pub struct Knowledge(Arc<RwLock<Directory>>);

/// Why a record taught nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unlearned {
    /// The bytes.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The key is not `tenant/kind/id`.
    #[error("expected a key tenant/kind/id, found {0}")]
    Key(String),
    /// The specification does not fit its kind; a newer `weft apply` may have written it.
    #[error("{kind} {id}: {error}")]
    Specification {
        /// The kind of the document.
        kind: &'static str,
        /// Its id.
        id: String,
        /// What was expected and what came.
        error: serde_json::Error,
    },
}

impl Unlearned {
    /// Whether the same record may be readable later.
    pub fn is_worlds(&self) -> bool {
        match self {
            Self::Codec(error) => error.is_registry_away(),
            Self::Key(_) | Self::Specification { .. } => false,
        }
    }

    /// One word of a closed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Codec(error) => error.reason(),
            Self::Key(_) => "wrong_key",
            Self::Specification { .. } => "bad_configuration",
        }
    }
}

impl Knowledge {
    /// What is known now; not to be held across an await.
    pub fn now(&self) -> RwLockReadGuard<'_, Directory> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from a record of `config.entities` or `customer.aliases`.
    ///
    /// # Errors
    /// [`Unlearned`]; what was known before stays.
    pub fn learn(&self, codec: &Codec, record: &InputRecord<'_>) -> Result<(), Unlearned> {
        if record.topic == CUSTOMER_ALIASES.name {
            self.learn_alias(codec, record)
        } else {
            debug_assert_eq!(record.topic, CONFIG_ENTITIES.name);
            self.learn_entity(codec, record)
        }
    }

    fn learn_alias(&self, codec: &Codec, record: &InputRecord<'_>) -> Result<(), Unlearned> {
        let Some(payload) = record.payload else {
            let key = text_of(record.key);
            self.change(|directory| directory.forget(key.rsplit('/').next().unwrap_or_default()));
            return Ok(());
        };
        let alias: CustomerAlias = codec.decode(payload)?;
        self.change(|directory| directory.learn(alias));
        Ok(())
    }

    fn learn_entity(&self, codec: &Codec, record: &InputRecord<'_>) -> Result<(), Unlearned> {
        let key = text_of(record.key);
        let mut parts = key.splitn(3, '/');
        let (Some(tenant), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Unlearned::Key(key));
        };
        let Some(kind) = EntityKind::from_name(kind) else {
            return Ok(());
        };
        let entity = match record.payload {
            None => None,
            Some(payload) => {
                let entity: ConfigEntity = codec.decode(payload)?;
                let fault = |error| Unlearned::Specification { kind: kind.as_str(), id: id.to_owned(), error };
                Some(Entity::from_json(kind, &entity.body).map_err(fault)?)
            }
        };
        self.change(|directory| directory.apply(&TenantId::new(tenant), kind, id, entity));
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Directory)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn text_of(key: Option<&[u8]>) -> String {
    String::from_utf8_lossy(key.unwrap_or_default()).into_owned()
}
