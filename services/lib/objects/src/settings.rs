//! The section `[media]`.

use secrecy::SecretString;
use serde::Deserialize;

/// What is kept where, and for how long it can be had.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaSettings {
    /// A folder, or `s3://bucket/prefix`; none: no media are kept.
    pub store: Option<String>,
    /// Region of the bucket.
    pub s3_region: String,
    /// Address of a store that speaks S3; none: Amazon's.
    pub s3_endpoint: Option<String>,
    /// Access key; none: the machine's own role.
    pub s3_access_key_id: Option<String>,
    /// Its secret.
    pub s3_secret: Option<SecretString>,
    /// The gateway's address as the outside reaches it.
    pub public_url: String,
    /// How long an address can be used, seconds.
    pub url_ttl_s: i64,
    /// Bytes of one object.
    pub bytes_max: u64,
    /// Media types that may lie there: `type/subtype`, or `type/*`.
    pub types: Vec<String>,
}

impl MediaSettings {
    /// Whether this media type may lie there; parameters do not count.
    pub fn admits(&self, mime: &str) -> bool {
        let essence = crate::essence(mime);
        self.types.iter().any(|allowed| match allowed.strip_suffix("/*") {
            Some(family) => essence.split_once('/').is_some_and(|(of, _)| of == family),
            None => *allowed == essence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Config {
        media: MediaSettings,
    }

    #[test]
    fn the_defaults_keep_nothing_and_admit_no_active_content() {
        let config: Config = settings::defaults().unwrap();
        let media = config.media;
        assert!(media.store.is_none() && media.bytes_max > 0 && media.url_ttl_s > 0);
        for (mime, expected) in [
            ("image/jpeg", true),
            ("image/jpeg; charset=binary", true),
            ("AUDIO/OGG; codecs=opus", true),
            ("application/pdf", true),
            ("text/html", false),
            ("image/svg+xml", false),
            ("application/javascript", false),
            ("application/octet-stream", false),
            ("image", false),
            ("", false),
        ] {
            assert_eq!(media.admits(mime), expected, "{mime}");
        }
    }
}
