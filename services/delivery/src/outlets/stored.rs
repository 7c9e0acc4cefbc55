//! Files of our own on their way out: rendered under a name, sent under an address that is signed in the
//! moment before the call, so that it lives as long as it can however late the attempt is.

use objects::{Links, ObjectRef};

use crate::core::effect::Send;
use crate::core::rendering::STORED;

/// The body with an address in place of each name of a file that the customer may see. Other names stay
/// as they are and lead nowhere.
pub(super) fn signed(body: Vec<u8>, links: &Links, send: &Send, now_s: i64) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&body) else { return body };
    if !text.contains(STORED) {
        return body;
    }
    let mut pieces = text.split(STORED);
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '+' | '~');
        let end = piece.find(|c| !is_name(c)).unwrap_or(piece.len());
        let owner = send.customer_key.to_string();
        let object = ObjectRef::parse(&piece[..end]).ok();
        match object.filter(|object| object.is_of(send.account.tenant.as_str(), &owner)) {
            Some(object) => whole.push_str(&links.download(&object, None, now_s)),
            None => whole.extend([STORED, &piece[..end]]),
        }
        whole.push_str(&piece[end..]);
    }
    whole.into_bytes()
}

#[cfg(test)]
mod tests {
    use access::TokenSecrets;
    use objects::MediaSettings;
    use schemas::records::Channel;

    use super::*;
    use crate::core::event::Route;
    use crate::outlets::channels::support::send;

    #[test]
    fn names_of_the_customers_files_become_addresses_and_others_do_not() {
        let settings = MediaSettings {
            store: None,
            s3_region: String::new(),
            s3_endpoint: None,
            s3_access_key_id: None,
            s3_secret: None,
            public_url: "https://chat.example".into(),
            url_ttl_s: 60,
            bytes_max: 1,
            types: Vec::new(),
        };
        let links = Links::new(&settings, &TokenSecrets::parse("a secret of these tests").unwrap());
        let send = send(Channel::Open, Route::default());
        let key = send.customer_key.to_string();
        let (own, other) = (format!("acme/{key}/a/image/png"), format!("acme/{}/a/image/png", "f".repeat(32)));
        let foreign = format!("evil/{key}/a/image/png");
        let body = format!(r#"{{"a":"{STORED}{own}","b":"see {STORED}{other} {STORED}{foreign}","c":"{STORED}"}}"#);
        let signed = String::from_utf8(signed(body.into_bytes(), &links, &send, 0)).unwrap();
        let start = format!(r#"{{"a":"https://chat.example/media/{own}?expires=60&seal="#);
        assert!(signed.starts_with(&start), "{signed}");
        let rest = format!(r#"","b":"see {STORED}{other} {STORED}{foreign}","c":"{STORED}"}}"#);
        assert!(signed.ends_with(&rest), "{signed}");
        assert_eq!(super::signed(b"no name \xff".to_vec(), &links, &send, 0), b"no name \xff");
    }
}
