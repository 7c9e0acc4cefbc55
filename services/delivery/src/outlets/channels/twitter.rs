//! X direct messages, API v2, `POST /2/dm_conversations/with/{participant}/messages`: text alone, by
//! OAuth 2.0 or 1.0a user context.

use schemas::ids::AttemptId;
use serde::Deserialize;
use serde_json::json;

use super::{Ask, Call, Desk, HttpAnswer, Source, base, oauth1};
use crate::core::effect::Send;
use crate::core::event::{Answer, Outcome, Route};
use crate::core::media::Copy;
use crate::core::rendering::Part;

pub(super) const API_URL: &str = "https://api.x.com";
/// Hosts of files that need no credentials.
pub(super) const MEDIA_HOSTS: &[&str] = &["pbs.twimg.com", "video.twimg.com"];
/// Hosts of the files of direct messages, which only their two sides may have.
const PRIVATE_HOSTS: &[&str] = &["ton.twitter.com", "ton.x.com"];

/// The request of a send.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    let Part::Text(text) = &send.part else { return Err("not_rendered") };
    let participant = &send.customer.id;
    if !participant.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("recipient_not_numeric");
    }
    let url = format!("{}/2/dm_conversations/with/{participant}/messages", base(&send.route, API_URL));
    let authorization = authorization(&send.route, ("POST", &url), send.attempt_id, desk)?;
    let headers = vec![("authorization", authorization)];
    Ok(Call { url, headers, body: json!({ "text": text }).to_string().into_bytes() })
}

/// The value of `Authorization` for a request (method, address without query) in the name of the account's user.
///
/// # Errors
/// What the account's configuration lacks.
pub fn authorization(
    route: &Route,
    (method, url): (&str, &str),
    attempt: AttemptId,
    desk: &Desk<'_>,
) -> Result<String, &'static str> {
    match &route.oauth1 {
        Some(credentials) => oauth1::header(credentials, (method, url), attempt, desk),
        None => Ok(desk.bearer(route)?.1),
    }
}

/// A file of a direct message is asked of the API, which gives it to our user; any other has an address of
/// its own (X API v2, `GET /2/dm_conversations/media/{dm}/{media}/{resource}`).
///
/// # Errors
/// What the account's configuration or the attachment lacks.
pub fn media(copy: &Copy, desk: &Desk<'_>) -> Result<Source, &'static str> {
    let url = copy.attachment.url.as_deref().ok_or("no_address")?;
    let Some([dm, media, resource]) = private_file(url) else {
        return Ok(Source::Foreign(Ask { url: url.to_owned(), authorization: None, is_api: false }));
    };
    let url = format!("{}/2/dm_conversations/media/{dm}/{media}/{resource}", base(&copy.route, API_URL));
    let try_no = copy.attempt_no.to_string();
    let attempt = AttemptId::derive(&["copy", &dm, &media, &resource, &try_no, &desk.now_s.to_string()]);
    let authorization = authorization(&copy.route, ("GET", &url), attempt, desk)?;
    Ok(Source::Api(Ask { url, authorization: Some(authorization), is_api: true }))
}

/// Message, media and resource of `https://ton.twitter.com/…/dm/{dm}/{media}/{resource}`.
fn private_file(url: &str) -> Option<[String; 3]> {
    let url = reqwest::Url::parse(url).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    let at = parts.iter().position(|part| *part == "dm")?;
    let is_plain = |part: &&str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    match &parts[at + 1..] {
        [dm, media, resource] if PRIVATE_HOSTS.contains(&url.host_str()?) => {
            let parts = [dm, media, resource];
            parts.into_iter().all(is_plain).then(|| parts.map(|part| (*part).to_owned()))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
struct Taken {
    data: TakenData,
}

#[derive(Deserialize)]
struct TakenData {
    dm_event_id: String,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default, rename = "type")]
    problem_type: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

/// What an answer says. The last call of a window says when the next may be made.
pub fn answer(answer: &HttpAnswer) -> Outcome {
    let used_up_ms = answer.rate.filter(|(left, _)| *left <= 0).map(|(_, reset_ms)| reset_ms);
    if (200..300).contains(&answer.status) {
        let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
        return match taken {
            Some(taken) => Outcome::Accepted {
                provider_message_id: Some(taken.data.dm_event_id),
                rest_ms: used_up_ms.unwrap_or_default(),
            },
            None => Outcome::Unknown { reason: "answer_without_id" },
        };
    }
    let problem = serde_json::from_slice::<Problem>(&answer.body).ok();
    let name = problem.as_ref().and_then(|problem| problem.problem_type.as_deref());
    Outcome::Answered(Answer {
        status: answer.status,
        name: name.and_then(|name| name.rsplit('/').next()).map(str::to_owned),
        detail: problem.and_then(|problem| problem.detail.or(problem.title)),
        retry_after_ms: answer.retry_after_ms.or(used_up_ms),
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{OAuth1, Route, SecretPlace};
    use crate::outlets::channels::support::{body, desk, send};
    use schemas::records::Channel;

    fn env(text: &str) -> SecretPlace {
        SecretPlace::Env(text.into())
    }

    #[test]
    fn a_text_is_posted_to_the_participant() {
        let route = Route { access_token: Some(env("AAA")), ..Route::default() };
        let call = request(&send(Channel::Twitter, route), &desk()).unwrap();
        assert_eq!(call.url, "https://api.x.com/2/dm_conversations/with/16505551234/messages");
        assert_eq!(call.headers, [("authorization", "Bearer AAA".to_owned())]);
        assert_eq!(body(&call), json!({"text": "Hello Ada"}));
    }

    #[test]
    fn oauth_1_signs_in_place_of_a_token() {
        let oauth1 = OAuth1 {
            consumer_key: env("key"),
            consumer_secret: env("secret"),
            token: env("token"),
            token_secret: env("token secret"),
        };
        let route = Route { oauth1: Some(Box::new(oauth1)), ..Route::default() };
        let call = request(&send(Channel::Twitter, route), &desk()).unwrap();
        assert!(call.headers[0].1.starts_with(r#"OAuth oauth_consumer_key="key", "#), "{:?}", call.headers);
    }

    #[test]
    fn nobody_but_a_number_is_a_path_segment() {
        let route = Route { access_token: Some(env("AAA")), ..Route::default() };
        let mut strange = send(Channel::Twitter, route);
        strange.customer.id = "1/../../2".into();
        assert_eq!(request(&strange, &desk()), Err("recipient_not_numeric"));
    }

    #[test]
    fn answers_are_read() {
        let answer =
            |status, rate, body: &str| answer(&HttpAnswer { status, rate, retry_after_ms: None, body: body.into() });
        let taken = r#"{"data":{"dm_conversation_id":"1-2","dm_event_id":"17"}}"#;
        let accepted = |rest_ms| Outcome::Accepted { provider_message_id: Some("17".into()), rest_ms };
        assert_eq!(answer(201, Some((3, 60_000)), taken), accepted(0));
        assert_eq!(answer(201, Some((0, 60_000)), taken), accepted(60_000));
        let problem =
            r#"{"title":"Forbidden","detail":"no","type":"https://api.twitter.com/2/problems/client-forbidden"}"#;
        let expected = Answer {
            status: 403,
            name: Some("client-forbidden".into()),
            detail: Some("no".into()),
            ..Answer::default()
        };
        assert_eq!(answer(403, None, problem), Outcome::Answered(expected));
        let limited = Answer { status: 429, retry_after_ms: Some(60_000), ..Answer::default() };
        assert_eq!(answer(429, Some((0, 60_000)), ""), Outcome::Answered(limited));
    }
}
