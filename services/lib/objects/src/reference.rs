//! Names of objects.

use std::fmt;

/// Longest part of a reference as it was given, bytes.
const PART_BYTES_MAX: usize = 200;

/// What cannot be a reference, and which part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected tenant/owner/name/type/subtype, found something else in {0}")]
pub struct BadReference(&'static str);

/// `tenant/owner/name/type/subtype`; each part of letters, digits, `-`, `_`, `.`, `+` and `~`, never
/// beginning with a dot. Other bytes of tenant and owner are written `~` and two hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    text: String,
}

impl ObjectRef {
    /// The name of something of a tenant's customer.
    ///
    /// # Errors
    /// If a part is empty or too long, or `mime` is no media type.
    pub fn new(tenant: &str, owner: &str, name: &str, mime: &str) -> Result<Self, BadReference> {
        for (part, what) in [(tenant, "tenant"), (owner, "owner"), (name, "name")] {
            if part.is_empty() || part.len() > PART_BYTES_MAX {
                return Err(BadReference(what));
            }
        }
        let text = format!("{}/{}/{}/{}", escaped(tenant), escaped(owner), escaped(name), essence(mime));
        Self::parse(&text)
    }

    /// Reads one that stood in a record or an address.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        let parts: Vec<&str> = text.split('/').collect();
        let [tenant, owner, name, family, subtype] = parts.as_slice() else { return Err(BadReference("its parts")) };
        let parts =
            [(tenant, "tenant"), (owner, "owner"), (name, "name"), (family, "media type"), (subtype, "media type")];
        for (part, what) in parts {
            let is_sound = !part.is_empty() && part.len() <= 3 * PART_BYTES_MAX && !part.starts_with('.');
            if !is_sound || !part.bytes().all(is_plain) {
                return Err(BadReference(what));
            }
        }
        Ok(Self { text: text.to_owned() })
    }

    /// Whether it is of this tenant's customer.
    pub fn is_of(&self, tenant: &str, owner: &str) -> bool {
        let mut parts = self.text.split('/');
        parts.next() == Some(escaped(tenant).as_str()) && parts.next() == Some(escaped(owner).as_str())
    }

    /// Its media type, `type/subtype`.
    pub fn mime(&self) -> &str {
        let from = self.text.match_indices('/').nth(2).map_or(0, |(at, _)| at + 1);
        &self.text[from..]
    }

    /// As it is written in records.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The media type alone, in lower case, without parameters (RFC 9110, 8.3.1).
pub fn essence(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'~')
}

/// One to one: what is written as itself is never the beginning of what is escaped.
fn escaped(part: &str) -> String {
    let is_kept = |at: usize, byte: u8| is_plain(byte) && byte != b'~' && byte != b'+' && (at > 0 || byte != b'.');
    let written = part
        .bytes()
        .enumerate()
        .map(|(at, byte)| if is_kept(at, byte) { char::from(byte).to_string() } else { format!("~{byte:02x}") });
    written.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_says_whose_it_is_and_of_what_type() {
        let object = ObjectRef::new("acme", "0f3c", "5e1b-0", "Image/JPEG; q=1").unwrap();
        assert_eq!(object.as_str(), "acme/0f3c/5e1b-0/image/jpeg");
        assert_eq!(object.mime(), "image/jpeg");
        assert!(object.is_of("acme", "0f3c") && !object.is_of("acme", "0f3") && !object.is_of("acm", "0f3c"));
        assert_eq!(ObjectRef::parse(object.as_str()), Ok(object));
    }

    #[test]
    fn no_name_leads_out_of_its_tenants_folder() {
        for (tenant, text) in [("../evil", "~2e./evil"), ("a/b", "a~2fb"), (".", "~2e"), ("~2e", "~7e2e")] {
            let object = ObjectRef::new(tenant, "k", "n", "image/png").unwrap();
            let expected = text.replace("./evil", ".~2fevil");
            assert_eq!(object.as_str(), format!("{expected}/k/n/image/png"), "{tenant}");
            assert!(object.is_of(tenant, "k"), "{tenant}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "acme/k/n/image",
            "acme/k/n/image/png/x",
            "acme//n/image/png",
            "acme/../n/image/png",
            "../k/n/image/png",
            "acme/k/n/image/p ng",
            "acme/k/n/image/png\n",
            "acme/k/%2e/image/png",
            "acme/k/n\\x/image/png",
        ] {
            assert!(ObjectRef::parse(text).is_err(), "{text}");
        }
        assert!(ObjectRef::new("acme", "k", "n", "no type").is_err());
        assert!(ObjectRef::new("acme", "k", "n", "image/png/x").is_err());
        assert!(ObjectRef::new("acme", "k", "", "image/png").is_err());
        assert!(ObjectRef::new("acme", &"k".repeat(300), "n", "image/png").is_err());
    }
}
