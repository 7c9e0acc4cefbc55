//! X: whose token it is, and whether the webhook is registered, valid and subscribed (X API v2:
//! `GET /2/users/me`, `/2/webhooks`, `/2/activity/subscriptions`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::core::rules::window::Right;
use delivery::outlets::channels::{Desk, api_base, twitter};
use schemas::ids::AttemptId;
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use stream::clock;

use super::asking::Asking;
use super::{Case, Line, end_of_token, missing, own};

/// What of a conversation we are to be told.
const EVENTS: &[&str] = &["dm.received", "dm.sent", "dm.read"];

pub(super) fn lines(case: &Case, asking: &Asking<'_>) -> Vec<Line> {
    let base = api_base(case.spec.channel, &case.account.route).unwrap_or_default();
    let mut lines = vec![user(case, asking, base)];
    lines.extend(case.account.token_expires_at.map(|ends_at_ms| end_of_token(case, ends_at_ms)));
    lines.extend(webhook(case, asking, base));
    lines.extend(own::handshake(case, asking));
    lines
}

fn user(case: &Case, asking: &Asking<'_>, base: &str) -> Line {
    const CHECK: &str = "token";
    let now = clock::now().as_ms();
    let secret = |place: &_| asking.secrets.get(place);
    let desk = Desk { outward_id: "", right: Right::Free, now_s: now.div_euclid(1_000), secret: &secret };
    let url = format!("{base}/2/users/me");
    let nonce = AttemptId::derive(&["doctor", &case.id, &now.to_string()]);
    let authorization = match twitter::authorization(&case.account.route, ("GET", &url), nonce, &desk) {
        Ok(authorization) => authorization,
        Err(reason) => return Line::wrong(CHECK, reason, "give outbound.access_token or outbound.oauth1"),
    };
    let answer = match asking.get(&url, &[], Some(&authorization)) {
        Ok(answer) => answer,
        Err(found) => return Line::unknown(CHECK, found, "see whether X can be reached from here"),
    };
    let user = &answer.json["data"];
    match (answer.status, user["id"].as_str()) {
        (200, Some(id)) if id == case.provider_id() => {
            Line::good(CHECK, format!("valid, of @{}", user["username"].as_str().unwrap_or(id)))
        }
        (200, Some(id)) => {
            let found = format!("it is of user {id}, the account says {}", case.provider_id());
            Line::wrong(CHECK, found, "set provider_account_id to the id of the user whose token it is")
        }
        (401 | 403, _) => {
            let todo = "let the user authorize the app anew: read, write and direct messages";
            Line::wrong(CHECK, answer.complaint(), todo)
        }
        _ => Line::unknown(CHECK, answer.complaint(), "see what X says of it"),
    }
}

/// Only the app itself is told of its webhooks.
fn webhook(case: &Case, asking: &Asking<'_>, base: &str) -> Vec<Line> {
    const CHECK: &str = "webhook";
    let Some((endpoint, _)) = &case.endpoint else {
        let todo = "apply an Endpoint and name it";
        return vec![Line::wrong(CHECK, "the account names no endpoint that exists", todo)];
    };
    let path = format!("/webhooks/x/{endpoint}");
    let bearer = match app_bearer(case, asking, base) {
        Ok(bearer) => bearer,
        Err(line) => return vec![line],
    };
    let list = |address: &str| -> Result<Vec<Json>, Line> {
        let answer = asking.get(&format!("{base}{address}"), &[], Some(&bearer));
        match answer {
            Ok(answer) if answer.status == 200 => Ok(answer.json["data"].as_array().cloned().unwrap_or_default()),
            Ok(answer) => Err(Line::unknown(CHECK, answer.complaint(), "see what X says of it")),
            Err(found) => Err(Line::unknown(CHECK, found, "see whether X can be reached from here")),
        }
    };
    let webhooks = match list("/2/webhooks") {
        Ok(webhooks) => webhooks,
        Err(line) => return vec![line],
    };
    let is_ours = |one: &&Json| one["url"].as_str().is_some_and(|url| url.ends_with(&path));
    let Some(ours) = webhooks.iter().find(is_ours) else {
        let todo = format!("POST {base}/2/webhooks with url https://<ingest>{path}");
        return vec![Line::wrong(CHECK, format!("none of the app's {} leads to {path}", webhooks.len()), todo)];
    };
    let id = ours["id"].as_str().unwrap_or_default();
    let registered = if ours["valid"] == true {
        Line::good(CHECK, format!("{} is registered and valid", ours["url"].as_str().unwrap_or_default()))
    } else {
        let todo = format!("see the line `handshake`, then PUT {base}/2/webhooks/{id}");
        Line::wrong(CHECK, "X holds it for invalid: it gets nothing", todo)
    };
    let subscribed = list("/2/activity/subscriptions").map_or_else(|line| line, |all| subscribed(case, id, &all));
    vec![registered, subscribed]
}

fn subscribed(case: &Case, webhook: &str, all: &[Json]) -> Line {
    const CHECK: &str = "subscribed";
    let user = case.provider_id();
    let is_ours = |one: &&Json| one["webhook_id"] == webhook && one["filter"]["user_id"] == user;
    let events: Vec<&str> = all.iter().filter(is_ours).filter_map(|one| one["event_type"].as_str()).collect();
    let lacking = missing(EVENTS, &events);
    if lacking.is_empty() {
        return Line::good(CHECK, format!("the webhook is sent {}", EVENTS.join(", ")));
    }
    let todo = format!("POST /2/activity/subscriptions for user {user} and webhook {webhook}, one for each");
    Line::wrong(CHECK, format!("the webhook is not sent {}", lacking.join(", ")), todo)
}

/// OAuth 2.0 for the app alone (RFC 6749, 4.4), from the app's key and secret.
fn app_bearer(case: &Case, asking: &Asking<'_>, base: &str) -> Result<String, Line> {
    const CHECK: &str = "webhook";
    let Some(oauth1) = &case.account.route.oauth1 else {
        let todo = "look in the developer portal, or give outbound.oauth1, whose app key can ask";
        return Err(Line::unknown(
            CHECK,
            "X tells an app alone of its webhooks, and only the user's token is here",
            todo,
        ));
    };
    let read = |place| asking.secrets.get(place);
    let (Some(key), Some(secret)) = (read(&oauth1.consumer_key), read(&oauth1.consumer_secret)) else {
        return Err(Line::unknown(CHECK, "the app's key cannot be read here", "see the line `secrets`"));
    };
    let basic = STANDARD.encode(format!("{}:{}", key.expose_secret(), secret.expose_secret()));
    let asked =
        asking.post(&format!("{base}/oauth2/token"), "grant_type=client_credentials", &format!("Basic {basic}"));
    let answer = asked.map_err(|found| Line::unknown(CHECK, found, "see whether X can be reached from here"))?;
    match answer.json["access_token"].as_str() {
        Some(token) if answer.status == 200 => Ok(format!("Bearer {token}")),
        Some(_) | None => {
            let todo = "compare outbound.oauth1.consumer_key and consumer_secret with the developer portal";
            Err(Line::wrong(CHECK, answer.complaint(), todo))
        }
    }
}
