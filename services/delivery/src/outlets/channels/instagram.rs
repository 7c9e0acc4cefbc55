//! Instagram messaging, `POST /{Instagram account id}/messages`, by Instagram login; an account linked
//! to a page sets `api_url` to `https://graph.facebook.com/v25.0`. Nothing of ours travels with the
//! message: its echo is known by its id or its words.

use super::{Call, Desk, base, meta};
use crate::core::effect::Send;

pub(super) const API_URL: &str = "https://graph.instagram.com/v25.0";

/// The request of a send.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    Ok(Call {
        url: format!("{}/{}/messages", base(&send.route, API_URL), send.route.provider_account_id),
        headers: vec![desk.bearer(&send.route)?],
        body: meta::body(send, desk)?.to_string().into_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Route, SecretPlace};
    use crate::outlets::channels::support::{body, desk, send};
    use schemas::records::Channel;
    use serde_json::json;

    #[test]
    fn a_text_is_posted_to_the_account_without_metadata() {
        let access_token = Some(SecretPlace::Env("IGQ".into()));
        let route = Route { provider_account_id: "1784".into(), access_token, ..Route::default() };
        let call = request(&send(Channel::Instagram, route), &desk()).unwrap();
        assert_eq!(call.url, "https://graph.instagram.com/v25.0/1784/messages");
        let expected = json!({"recipient": {"id": "16505551234"}, "messaging_type": "RESPONSE",
            "message": {"text": "Hello Ada"}});
        assert_eq!(body(&call), expected);
    }
}
