//! What was written in public: no direct message, told because the account is mentioned or wrote
//! it.

use schemas::records::InboundKind;
use serde_json::Value;

use super::Envelope;
use crate::intake::json::{self, Moment};
use crate::intake::reading::{Class, Reading, made_id, notice};

/// A post, in either form.
pub(super) fn read(envelope: &Envelope<'_>, post: &Value, name: &str) -> Reading {
    if name.ends_with(".delete") || !post.is_object() {
        return envelope.other(name, post);
    }
    let mut reading = envelope.begin(Class::PublicPost, post);
    reading.kind = Some(name.to_owned());
    reading.id = json::first_text(post, &["id_str", "id"]);
    let author = json::inner(post, "user").unwrap_or(&Value::Null);
    reading.sender = json::text(post, "author_id").or_else(|| json::first_text(author, &["id_str", "id"]));
    let long = json::inner(post, "extended_tweet").and_then(|long| json::text(long, "full_text"));
    reading.text = long.or_else(|| json::first_text(post, &["full_text", "text"])).map(super::message::unescaped);
    let id = reading.id.clone().unwrap_or_else(|| made_id(&[name, &post.to_string()]));
    let event = envelope.heard(None, reading.at, id, InboundKind::AccountEvent(notice(name, post)));
    reading.heard.push(event);
    reading
}

/// The form of v1.1, such as `Mon Apr 06 22:51:21 +0000 2020`.
pub(super) fn moment_in_words(of: &Value, key: &str) -> Option<Moment> {
    let text = of.get(key)?.as_str()?;
    let at = jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text).ok()?.to_timestamp().ok()?;
    Some(Moment { ms: at.as_millisecond(), note: Some("date in words") })
}
