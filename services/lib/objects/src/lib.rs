#![doc = include_str!("../README.md")]

mod links;
mod reference;
mod settings;
mod store;

pub use links::{Download, LinkQuery, LinkRefused, Links, Upload};
pub use reference::{BadReference, ObjectRef, essence};
pub use settings::MediaSettings;
pub use store::{Bytes, Found, Objects, StoreError, WriteError, Writer};

use access::TokenSecrets;

/// The store, its addresses and their settings.
#[derive(Debug, Clone)]
pub struct Media {
    /// Where media lies.
    pub objects: Objects,
    /// Who may have it for a while.
    pub links: Links,
    /// What may lie there.
    pub settings: MediaSettings,
}

impl Media {
    /// Opens the store; `None` if none is configured.
    ///
    /// # Errors
    /// If the folder cannot be made or the bucket's settings cannot be used.
    pub fn open(settings: &MediaSettings, secrets: &TokenSecrets) -> Result<Option<Self>, StoreError> {
        let links = Links::new(settings, secrets);
        let objects = Objects::open(settings)?;
        Ok(objects.map(|objects| Self { objects, links, settings: settings.clone() }))
    }
}
