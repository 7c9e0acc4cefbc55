//! What programs ask for on our own initiative: `POST …/messages/agentless` in the shape that
//! Genesys Cloud has it (model `SendAgentlessOutboundMessageRequest`), with what consent needs, and
//! `POST /api/v1/consents`. Answered once durable; whether it is sent is an event.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode};
use schemas::ids::{AccountId, EventId, MessageId};
use schemas::records::{Channel, Content, ConversationCommand, OwnerKind, SetConsent, Target};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stream::{Timestamp, clock};

use super::client::{Client, outcome};
use super::problem::Problem;
use super::{Edge, IDEMPOTENCY_KEY, body, text, trace};
use crate::core::outreach::{self, Asker, Message, Whom};
use crate::intake::json;

/// The label of these requests.
const API: &str = "api";
/// Longest id that a sender may give a request.
const KEY_BYTES_MAX: usize = 256;
/// How far an asker's clock may be ahead of ours, milliseconds.
const AHEAD_MS_MAX: i64 = 300_000;

/// `POST /api/v2/conversations/messages/agentless`: 202 with the id of the message.
pub(super) async fn agentless(
    State(edge): State<Edge>,
    request: HttpRequest,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let result = take_agentless(&edge, request).await;
    edge.acceptance.metrics.request(API, outcome(&result));
    result.map(|answer| (StatusCode::ACCEPTED, Json(answer)))
}

/// `POST /api/v1/consents`: 202.
pub(super) async fn consents(
    State(edge): State<Edge>,
    request: HttpRequest,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let result = take_consent(&edge, request).await;
    edge.acceptance.metrics.request(API, outcome(&result));
    result.map(|answer| (StatusCode::ACCEPTED, Json(answer)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgentlessBody {
    from_address: String,
    to_address: String,
    to_address_messenger_type: Channel,
    #[serde(default)]
    text_body: Option<String>,
    #[serde(default)]
    messaging_template: Option<TemplateBody>,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default, alias = "expires_at")]
    expires_at: Option<String>,
    #[serde(default)]
    target: Option<TargetBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateBody {
    response_id: String,
    #[serde(default)]
    parameters: Vec<ParameterBody>,
}

#[derive(Deserialize)]
struct ParameterBody {
    #[serde(default)]
    id: Option<String>,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetBody {
    kind: OwnerKind,
    id: String,
    #[serde(default, alias = "queue_id")]
    queue_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentBody {
    account: String,
    #[serde(default)]
    channel: Option<Channel>,
    customer: String,
    purpose: String,
    granted: bool,
    source: String,
    #[serde(default)]
    proof: Option<String>,
    #[serde(default)]
    occurred_at: Option<String>,
}

async fn take_agentless(edge: &Edge, request: HttpRequest) -> Result<Value, Problem> {
    let Ok(_place) = edge.places.try_acquire() else {
        return Err(Problem::unavailable("too many requests under way"));
    };
    let at = clock::now().as_ms();
    let (parts, body) = request.into_parts();
    let client = Client::admit(edge, &parts.headers, "agentless", at)?;
    let key = idempotency_key(&parts.headers)?
        .ok_or_else(|| Problem::bad_request("idempotency_key_missing", "messages need the header Idempotency-Key"))?;
    let raw = body::read(body, edge.limits).await?;
    let asked: AgentlessBody = typed(&raw)?;
    let channel = asked.to_address_messenger_type;
    if channel == Channel::Unknown {
        return Err(invalid("expected toAddressMessengerType whatsapp, facebook, instagram, twitter, open or web"));
    }
    let whom = whom(edge, &client, (&asked.from_address, Some(channel)), &asked.to_address)?;
    let message = message(edge, &client, &asked)?;
    let said = message.content.text.clone();
    let asker = Asker { tenant: client.tenant, client: client.id, key, at };
    let command = outreach::agentless(&asker, whom, message);
    let id = MessageId::derive(&[&command.command_id.to_string()]);
    keep(edge, command, &parts.headers).await?;
    Ok(json!({
        "id": id,
        "fromAddress": asked.from_address,
        "toAddress": asked.to_address,
        "messengerType": channel,
        "textBody": said,
        "timestamp": Timestamp::from_ms(at).to_string(),
    }))
}

fn message(edge: &Edge, client: &Client, asked: &AgentlessBody) -> Result<Message, Problem> {
    let (content, usual) = match (&asked.text_body, &asked.messaging_template) {
        (Some(text), None) if !text.trim().is_empty() => (Content::text(text.clone()), None),
        (None, Some(named)) => of_template(edge, client, named, asked.to_address_messenger_type)?,
        (Some(_), _) | (None, None) => return Err(invalid("expected either textBody or messagingTemplate")),
    };
    let target = asked.target.as_ref().map(target).transpose()?;
    let expires_at = asked.expires_at.as_deref().map(|text| instant("expiresAt", text)).transpose()?;
    Ok(Message { content, purpose: asked.purpose.clone().or(usual), target, expires_at })
}

fn of_template(
    edge: &Edge,
    client: &Client,
    named: &TemplateBody,
    channel: Channel,
) -> Result<(Content, Option<String>), Problem> {
    let directory = edge.acceptance.knowledge.now();
    let template = directory.template(&client.tenant, &named.response_id).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "unknown_template", "expected the id of a Template in responseId")
    })?;
    let number = |(place, parameter): (usize, &ParameterBody)| {
        let own = parameter.id.as_deref().and_then(|id| id.parse().ok());
        (own.unwrap_or(place), parameter.value.clone())
    };
    let values: BTreeMap<usize, String> = (1..).zip(&named.parameters).map(number).collect();
    let content = ::outreach::filled(template, channel, &values)
        .map_err(|no| invalid(format!("expected a parameter for {{{{{no}}}}} of the template")))?;
    Ok((content, template.purpose.clone()))
}

fn target(body: &TargetBody) -> Result<Target, Problem> {
    if !matches!(body.kind, OwnerKind::Flow | OwnerKind::Queue | OwnerKind::Agent) || body.id.is_empty() {
        return Err(invalid("expected target {kind: flow, queue or agent; id}"));
    }
    Ok(Target { kind: body.kind, id: body.id.clone(), queue_id: body.queue_id.as_deref().map(Into::into) })
}

async fn take_consent(edge: &Edge, request: HttpRequest) -> Result<Value, Problem> {
    let Ok(_place) = edge.places.try_acquire() else {
        return Err(Problem::unavailable("too many requests under way"));
    };
    let now = clock::now().as_ms();
    let (parts, body) = request.into_parts();
    let client = Client::admit(edge, &parts.headers, "consents", now)?;
    let raw = body::read(body, edge.limits).await?;
    let asked: ConsentBody = typed(&raw)?;
    if asked.purpose.trim().is_empty() || asked.source.trim().is_empty() {
        return Err(invalid("expected a purpose, and a source: how the consent was gathered"));
    }
    let at = asked.occurred_at.as_deref().map(|text| instant("occurred_at", text)).transpose()?.unwrap_or(now);
    if at > now + AHEAD_MS_MAX {
        return Err(invalid("expected occurred_at in the past"));
    }
    let whom = whom(edge, &client, (&asked.account, asked.channel), &asked.customer)?;
    // Without a key the same words at the same time are the same consent.
    let made = || EventId::derive(&[&asked.purpose, &asked.granted.to_string(), &at.to_string()]).to_string();
    let key = idempotency_key(&parts.headers)?.unwrap_or_else(made);
    let asker = Asker { tenant: client.tenant, client: client.id, key, at: now };
    let consent =
        SetConsent { purpose: asked.purpose, granted: asked.granted, source: asked.source, proof: asked.proof };
    let command = outreach::consent(&asker, whom, at, consent);
    let (id, customer_key) = (command.command_id, command.customer_key);
    keep(edge, command, &parts.headers).await?;
    Ok(json!({ "command_id": id, "customer_key": customer_key }))
}

/// The person on an account that the caller may speak for.
fn whom(
    edge: &Edge,
    client: &Client,
    (account, channel): (&str, Option<Channel>),
    person: &str,
) -> Result<Whom, Problem> {
    let directory = edge.acceptance.knowledge.now();
    let found: Option<(AccountId, Channel)> = directory.account_called(&client.tenant, channel, account);
    let found = found.ok_or_else(|| {
        let detail = "expected the id of an account, ours or the platform's";
        Problem::new(StatusCode::NOT_FOUND, "unknown_account", detail)
    })?;
    client.check(&found.0)?;
    let whom = outreach::whom(&directory, &edge.acceptance.secret, &client.tenant, found, person.trim());
    if whom.customer.id.is_empty() {
        return Err(invalid("expected the id of a customer on that channel"));
    }
    Ok(whom)
}

async fn keep(edge: &Edge, command: ConversationCommand, headers: &HeaderMap) -> Result<(), Problem> {
    edge.acceptance.command(&command, trace(headers)).await.map_err(|error| {
        tracing::warn!(%error, "a command is not durable");
        Problem::not_durable(&error)
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let key = text(headers, IDEMPOTENCY_KEY).filter(|key| !key.is_empty());
    if key.is_some_and(|key| key.len() > KEY_BYTES_MAX) {
        return Err(Problem::bad_request("bad_idempotency_key", "expected at most 256 bytes in Idempotency-Key"));
    }
    Ok(key.map(str::to_owned))
}

fn typed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let value = json::object(body).map_err(|error| Problem::bad_request("unreadable_body", error.to_string()))?;
    serde_json::from_value(value).map_err(|error| invalid(error.to_string()))
}

fn instant(field: &str, text: &str) -> Result<i64, Problem> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed.map(jiff::Timestamp::as_millisecond).map_err(|_| invalid(format!("expected an ISO 8601 time in {field}")))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_body", detail)
}
