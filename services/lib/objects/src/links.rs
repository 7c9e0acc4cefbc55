//! Signed addresses: for one method, one object, and some time.

use access::TokenSecrets;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::{MediaSettings, ObjectRef};

/// Everything but the unreserved characters (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest name that a download is given, characters.
const NAME_CHARS_MAX: usize = 150;

/// Makes and checks addresses.
#[derive(Debug, Clone)]
pub struct Links {
    base: String,
    ttl_s: i64,
    secrets: TokenSecrets,
}

/// What stands behind the `?` of an address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkQuery {
    /// Until when, seconds since 1970.
    pub expires: i64,
    /// The seal.
    pub seal: String,
    /// Downloads: what to call the file.
    #[serde(default)]
    pub name: Option<String>,
    /// Uploads: the most bytes it takes.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A good download address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// What.
    pub object: ObjectRef,
    /// What to call the file.
    pub file_name: Option<String>,
}

/// A good upload address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What.
    pub object: ObjectRef,
    /// The most bytes it takes.
    pub bytes_max: u64,
}

/// Why an address is not good. Callers answer all alike; the difference is for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefused {
    /// Names no object, or lacks what its method needs.
    #[error("not an address of ours")]
    Malformed,
    /// Sealed by nobody we know, for another method, or changed.
    #[error("seal does not fit")]
    Seal,
    /// Its time is over.
    #[error("expired")]
    Expired,
}

impl Links {
    /// Addresses under the settings' `public_url`.
    pub fn new(settings: &MediaSettings, secrets: &TokenSecrets) -> Self {
        let base = settings.public_url.trim_end_matches('/').to_owned();
        Self { base, ttl_s: settings.url_ttl_s, secrets: secrets.clone() }
    }

    /// Where this object can be had from `now_s` on; `file_name` is what a browser will call it.
    pub fn download(&self, object: &ObjectRef, file_name: Option<&str>, now_s: i64) -> String {
        let name: Option<String> = file_name.map(|name| name.chars().take(NAME_CHARS_MAX).collect());
        let expires = now_s.saturating_add(self.ttl_s);
        let seal = self.secrets.seal(&download(object, expires, name.as_deref()));
        let mut url = format!("{}/media/{object}?expires={expires}&seal={seal}", self.base);
        if let Some(name) = name {
            url.push_str("&name=");
            url.extend(utf8_percent_encode(&name, RESERVED));
        }
        url
    }

    /// Where this object can be put, once, from `now_s` on.
    pub fn upload(&self, object: &ObjectRef, bytes_max: u64, now_s: i64) -> String {
        let expires = now_s.saturating_add(self.ttl_s);
        let seal = self.secrets.seal(&upload(object, expires, bytes_max));
        format!("{}/media/{object}?expires={expires}&bytes={bytes_max}&seal={seal}", self.base)
    }

    /// What a `GET` of `/media/{object}` may have.
    ///
    /// # Errors
    /// Why not.
    pub fn check_download(&self, object: &str, query: LinkQuery, now_s: i64) -> Result<Download, LinkRefused> {
        let object = ObjectRef::parse(object).map_err(|_| LinkRefused::Malformed)?;
        if query.bytes.is_some() {
            return Err(LinkRefused::Malformed);
        }
        self.check(&download(&object, query.expires, query.name.as_deref()), &query, now_s)?;
        Ok(Download { object, file_name: query.name })
    }

    /// What a `PUT` to `/media/{object}` may bring.
    ///
    /// # Errors
    /// Why not.
    pub fn check_upload(&self, object: &str, query: &LinkQuery, now_s: i64) -> Result<Upload, LinkRefused> {
        let object = ObjectRef::parse(object).map_err(|_| LinkRefused::Malformed)?;
        let bytes_max = query.bytes.filter(|_| query.name.is_none()).ok_or(LinkRefused::Malformed)?;
        self.check(&upload(&object, query.expires, bytes_max), query, now_s)?;
        Ok(Upload { object, bytes_max })
    }

    fn check(&self, text: &str, query: &LinkQuery, now_s: i64) -> Result<(), LinkRefused> {
        if !self.secrets.is_sealed(text, &query.seal) {
            return Err(LinkRefused::Seal);
        }
        if query.expires <= now_s { Err(LinkRefused::Expired) } else { Ok(()) }
    }
}

fn download(object: &ObjectRef, expires: i64, name: Option<&str>) -> String {
    format!("media get\n{object}\n{expires}\n{}", name.unwrap_or_default())
}

fn upload(object: &ObjectRef, expires: i64, bytes_max: u64) -> String {
    format!("media put\n{object}\n{expires}\n{bytes_max}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of these tests";

    fn settings() -> MediaSettings {
        MediaSettings {
            store: None,
            s3_region: String::new(),
            s3_endpoint: None,
            s3_access_key_id: None,
            s3_secret: None,
            public_url: "https://chat.example/".into(),
            url_ttl_s: 60,
            bytes_max: 1,
            types: Vec::new(),
        }
    }

    fn links(secret: &str) -> Links {
        Links::new(&settings(), &TokenSecrets::parse(secret).unwrap())
    }

    fn object() -> ObjectRef {
        ObjectRef::new("acme", "k", "m-0", "image/png").unwrap()
    }

    /// The object and query of an address.
    fn taken_apart(url: &str) -> (String, LinkQuery) {
        let (path, query) = url.split_once('?').unwrap();
        let path = path.strip_prefix("https://chat.example/media/").unwrap().to_owned();
        let find = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            pair.map(|value| percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
        };
        let query = LinkQuery {
            expires: find("expires").unwrap().parse().unwrap(),
            seal: find("seal").unwrap(),
            name: find("name"),
            bytes: find("bytes").map(|bytes| bytes.parse().unwrap()),
        };
        (path, query)
    }

    #[test]
    fn a_download_can_be_had_for_its_time() {
        let links = links(SECRET);
        let (path, query) = taken_apart(&links.download(&object(), Some("Größe & mehr.png"), 100));
        let expected = Download { object: object(), file_name: Some("Größe & mehr.png".into()) };
        assert_eq!(links.check_download(&path, query.clone(), 159), Ok(expected));
        assert_eq!(links.check_download(&path, query, 160), Err(LinkRefused::Expired));
    }

    #[test]
    fn nothing_of_an_address_can_be_changed() {
        let links = links(SECRET);
        let (path, query) = taken_apart(&links.download(&object(), Some("a.png"), 100));
        let later = LinkQuery { expires: 1_000, ..query.clone() };
        let renamed = LinkQuery { name: Some("b.exe".into()), ..query.clone() };
        let nameless = LinkQuery { name: None, ..query.clone() };
        for changed in [later, renamed, nameless] {
            assert_eq!(links.check_download(&path, changed, 101), Err(LinkRefused::Seal));
        }
        let other = path.replace("m-0", "m-1");
        assert_eq!(links.check_download(&other, query.clone(), 101), Err(LinkRefused::Seal));
        assert_eq!(self::links("another secret of tests").check_download(&path, query, 101), Err(LinkRefused::Seal));
    }

    #[test]
    fn a_download_is_no_upload_and_the_other_way_round() {
        let links = links(SECRET);
        let (path, put) = taken_apart(&links.upload(&object(), 10, 100));
        assert_eq!(links.check_upload(&path, &put, 101), Ok(Upload { object: object(), bytes_max: 10 }));
        let more = LinkQuery { bytes: Some(11), ..put.clone() };
        assert_eq!(links.check_upload(&path, &more, 101), Err(LinkRefused::Seal));
        let as_get = LinkQuery { bytes: None, ..put };
        assert_eq!(links.check_download(&path, as_get, 101), Err(LinkRefused::Seal));
        let (path, get) = taken_apart(&links.download(&object(), None, 100));
        let as_put = LinkQuery { bytes: Some(10), ..get };
        assert_eq!(links.check_upload(&path, &as_put, 101), Err(LinkRefused::Seal));
    }

    #[test]
    fn secrets_rotate() {
        let old = links(SECRET).download(&object(), None, 100);
        let (path, query) = taken_apart(&old);
        let both = links(&format!("a newer secret of tests,{SECRET}"));
        assert!(both.check_download(&path, query, 101).is_ok());
    }
}
