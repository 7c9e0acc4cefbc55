//! What can be told without a provider: secrets, our own ports, the accounts that have no provider.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ingest::intake::signature::challenge_answer;
use schemas::config::{Platform, SecretRef};
use secrecy::{ExposeSecret, SecretString};
use settings::SecretError;

use super::asking::Asking;
use super::{Case, Line};

/// What is sent to and fro in a handshake.
const CHALLENGE: &str = "weft-doctor";

/// The secret behind a reference.
pub(super) fn read(secret: &SecretRef) -> Result<SecretString, SecretError> {
    match secret {
        SecretRef::Env(name) => settings::read_env_secret(name),
        SecretRef::File(path) => settings::read_secret_file(Path::new(path)),
    }
}

/// Whether every secret can be read here.
pub(super) fn secrets(case: &Case) -> Vec<Line> {
    let outbound = &case.spec.outbound;
    let mut all: Vec<&SecretRef> = outbound.access_token.iter().collect();
    all.extend(
        outbound.oauth1.iter().flat_map(|one| [&one.consumer_key, &one.consumer_secret, &one.token, &one.token_secret]),
    );
    all.extend(outbound.webhook_secrets.iter().chain(&outbound.legacy_secret));
    if let Some((_, endpoint)) = &case.endpoint {
        all.extend(endpoint.secrets.iter().chain(&endpoint.verify_token));
    }
    let unread: Vec<String> = all.iter().filter_map(|one| Some(read(one).err()?.to_string())).collect();
    let line = match (all.len(), unread.as_slice()) {
        (0, _) => return Vec::new(),
        (count, []) => Line::good("secrets", format!("{count} can be read here")),
        (_, unread) => {
            let todo = "set them for the services, and for whoever runs this";
            Line::wrong("secrets", unread.join("; "), todo)
        }
    };
    vec![line]
}

/// Whether ingest, here, answers the platform's handshake for the account's endpoint.
pub(super) fn handshake(case: &Case, asking: &Asking<'_>) -> Option<Line> {
    const CHECK: &str = "handshake";
    let (id, endpoint) = case.endpoint.as_ref()?;
    let verify_token = endpoint.verify_token.as_ref().and_then(|secret| read(secret).ok());
    let first_secret = endpoint.secrets.first().and_then(|secret| read(secret).ok());
    let (path, query, expected) = match endpoint.platform {
        Platform::Meta => {
            let token = verify_token?.expose_secret().to_owned();
            let query = vec![
                ("hub.mode", "subscribe".to_owned()),
                ("hub.verify_token", token),
                ("hub.challenge", CHALLENGE.to_owned()),
            ];
            (format!("/webhooks/meta/{id}"), query, CHALLENGE.to_owned())
        }
        Platform::X => {
            let answer = challenge_answer(CHALLENGE, &first_secret?)?;
            (format!("/webhooks/x/{id}"), vec![("crc_token", CHALLENGE.to_owned())], answer)
        }
        Platform::Bot => return None,
    };
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let base = asking.reach.config.ingest.url();
    let todo = format!("see that ingest runs with these secrets, and that https://<ingest>{path} leads to it");
    Some(match asking.ask_ours(&base, &path, &query, "") {
        Ok(answer) if answer.status == 200 && answer.text.contains(&expected) => {
            Line::good(CHECK, format!("ingest at {base} answers for {path}"))
        }
        Ok(answer) => Line::wrong(CHECK, format!("ingest at {base} answers {}", answer.complaint()), todo),
        Err(found) => Line::unknown(CHECK, format!("ingest at {base}: {found}"), todo),
    })
}

/// Open messaging: where messages go, and who brings them in.
pub(super) fn open(case: &Case, asking: &Asking<'_>) -> Vec<Line> {
    let outbound = &case.spec.outbound;
    let mut lines = Vec::new();
    lines.push(match &outbound.webhook_url {
        None => Line::wrong("address", "messages have nowhere to go", "set outbound.webhook_url"),
        Some(address) => match asking.get(address, &[], None) {
            Ok(answer) if answer.status < 500 => {
                Line::good("address", format!("{address} answers ({} to a GET)", answer.status))
            }
            Ok(answer) => Line::wrong("address", format!("{address} answers {}", answer.status), "see its own logs"),
            Err(found) => Line::wrong("address", found, "see that it runs, and that delivery may call it"),
        },
    });
    let is_key = |secret: &SecretString| {
        let text = secret.expose_secret();
        STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).is_ok_and(|key| !key.is_empty())
    };
    let keys: Vec<SecretString> = outbound.webhook_secrets.iter().filter_map(|one| read(one).ok()).collect();
    lines.push(match (outbound.webhook_secrets.len(), keys.iter().all(is_key)) {
        (0, _) => Line::wrong("signing", "messages cannot be signed", "give outbound.webhook_secrets"),
        (_, false) => Line::wrong("signing", "a secret is no whsec_ and Base64", "make one: openssl rand -base64 32"),
        (count, true) => Line::good("signing", format!("{count} live secrets")),
    });
    let may_bring = case.clients.iter().filter(|(_, client)| client.scopes.iter().any(|scope| scope == "inbound"));
    let clients: Vec<&str> = may_bring.map(|(id, _)| id.as_str()).collect();
    lines.push(if clients.is_empty() {
        Line::wrong("clients", "nobody may bring messages in", "apply an ApiClient with scope inbound, mint its token")
    } else {
        Line::good("clients", format!("{} may bring messages in", clients.join(", ")))
    });
    lines
}

/// Web: whether a deployment is published, and for whom.
pub(super) fn web(case: &Case, asking: &Asking<'_>) -> Vec<Line> {
    const CHECK: &str = "deployment";
    if case.deployments.is_empty() {
        let todo = "apply a Deployment with account: and allowed_origins:";
        return vec![Line::wrong(CHECK, "no Deployment leads to this account", todo)];
    }
    let base = asking.reach.config.gateway.url();
    let mut lines = Vec::new();
    for (id, deployment) in &case.deployments {
        if deployment.allowed_origins.is_empty() && !deployment.native_apps {
            lines.push(Line::wrong(CHECK, format!("{id}: nobody may connect"), "name allowed_origins"));
            continue;
        }
        let mut origins: Vec<&str> = deployment.allowed_origins.iter().map(String::as_str).collect();
        if deployment.native_apps {
            origins.push("");
        }
        for origin in origins {
            let shown = if origin.is_empty() { "native apps" } else { origin };
            let path = format!("/api/v1/deployments/{id}/config.json");
            lines.push(match asking.ask_ours(&base, &path, &[], origin) {
                Ok(answer) if answer.status == 200 => Line::good(CHECK, format!("{id} is published for {shown}")),
                Ok(answer) => {
                    let found = format!("{id} for {shown}: the gateway at {base} answers {}", answer.complaint());
                    Line::wrong(CHECK, found, "apply it, and see whether another tenant has one of the same name")
                }
                Err(found) => {
                    let todo = "see that the gateway runs here, or name it: WEFT_GATEWAY__LISTEN";
                    Line::unknown(CHECK, format!("{id} for {shown}: the gateway at {base}: {found}"), todo)
                }
            });
        }
    }
    lines
}
