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

/// What a program asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A message that begins with us.
    Message,
    /// A consent to be kept.
    Consent,
}

/// What is wrong with a body whatever the configuration says, in words for the caller; `None` if nothing is.
pub fn fault(asked: Asked, body: &Value) -> Option<String> {
    match asked {
        Asked::Message => AgentlessBody::read(body.clone()).err(),
        Asked::Consent => ConsentBody::read(body.clone()).err(),
    }
}

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

impl AgentlessBody {
    fn read(body: Value) -> Result<Self, String> {
        let asked: Self = serde_json::from_value(body).map_err(|error| error.to_string())?;
        if asked.to_address_messenger_type == Channel::Unknown {
            return Err("expected toAddressMessengerType whatsapp, facebook, instagram, twitter, open or web".into());
        }
        let has_words = asked.text_body.as_ref().map(|text| !text.trim().is_empty());
        if !matches!((has_words, &asked.messaging_template), (Some(true), None) | (None, Some(_))) {
            return Err("expected either textBody or messagingTemplate".into());
        }
        let is_someone = |target: &TargetBody| {
            matches!(target.kind, OwnerKind::Flow | OwnerKind::Queue | OwnerKind::Agent) && !target.id.is_empty()
        };
        if !asked.target.as_ref().is_none_or(is_someone) {
            return Err("expected target {kind: flow, queue or agent; id}".into());
        }
        instant("expiresAt", asked.expires_at.as_deref())?;
        Ok(asked)
    }
}

impl ConsentBody {
    fn read(body: Value) -> Result<Self, String> {
        let asked: Self = serde_json::from_value(body).map_err(|error| error.to_string())?;
        if asked.purpose.trim().is_empty() || asked.source.trim().is_empty() {
            return Err("expected a purpose, and a source: how the consent was gathered".into());
        }
        instant("occurred_at", asked.occurred_at.as_deref())?;
        Ok(asked)
    }
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
    let asked = AgentlessBody::read(object(&raw)?).map_err(invalid)?;
    let channel = asked.to_address_messenger_type;
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
        (_, Some(named)) => of_template(edge, client, named, asked.to_address_messenger_type)?,
        (text, None) => (Content::text(text.clone().unwrap_or_default()), None),
    };
    let target = asked.target.as_ref().map(target);
    let expires_at = instant("expiresAt", asked.expires_at.as_deref()).map_err(invalid)?;
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

fn target(body: &TargetBody) -> Target {
    Target { kind: body.kind, id: body.id.clone(), queue_id: body.queue_id.as_deref().map(Into::into) }
}

async fn take_consent(edge: &Edge, request: HttpRequest) -> Result<Value, Problem> {
    let Ok(_place) = edge.places.try_acquire() else {
        return Err(Problem::unavailable("too many requests under way"));
    };
    let now = clock::now().as_ms();
    let (parts, body) = request.into_parts();
    let client = Client::admit(edge, &parts.headers, "consents", now)?;
    let raw = body::read(body, edge.limits).await?;
    let asked = ConsentBody::read(object(&raw)?).map_err(invalid)?;
    let at = instant("occurred_at", asked.occurred_at.as_deref()).map_err(invalid)?.unwrap_or(now);
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

fn object(body: &[u8]) -> Result<Value, Problem> {
    json::object(body).map_err(|error| Problem::bad_request("unreadable_body", error.to_string()))
}

fn instant(field: &str, text: Option<&str>) -> Result<Option<i64>, String> {
    let parsed: Option<Result<jiff::Timestamp, _>> = text.map(str::parse);
    let wrong = |_| format!("expected an ISO 8601 time in {field}");
    parsed.transpose().map(|at| at.map(jiff::Timestamp::as_millisecond)).map_err(wrong)
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_body", detail)
}
