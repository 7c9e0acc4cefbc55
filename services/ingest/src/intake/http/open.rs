//! Open messaging in: our API, so that a wrong body is told to its sender. Shapes and routes as
//! Genesys Cloud has them (`…/inbound/open/{message|event|receipt|structured/response}`).

use axum::Json;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, post};
use schemas::ids::{AccountId, EndpointId, MessageId, TenantId};
use schemas::records::{Channel, InboundEvent};
use serde_json::{Value, json};
use stream::clock;

use super::client::{Client, outcome};
use super::problem::Problem;
use super::{Edge, IDEMPOTENCY_KEY, body, kept, text, trace};
use crate::acceptance::Request;
use crate::core::{Arrival, Heard, HeardAccount};
use crate::intake::channels::open::{self, Form};
use crate::intake::json;

/// What a client must be allowed to do.
const SCOPE: &str = "inbound";
const CHANNEL: &str = "open";

/// The route of one form of body.
pub(super) fn route(form: Form) -> MethodRouter<Edge> {
    post(move |State(edge): State<Edge>, Path(integration): Path<String>, request: HttpRequest| async move {
        let result = take(&edge, form, &integration, request).await;
        edge.acceptance.metrics.request(CHANNEL, outcome(&result));
        result.map(Json)
    })
}

async fn take(edge: &Edge, form: Form, integration: &str, request: HttpRequest) -> Result<Value, Problem> {
    let Ok(_place) = edge.places.try_acquire() else {
        return Err(Problem::unavailable("too many requests under way"));
    };
    let received_at = clock::now().as_ms();
    let (parts, body) = request.into_parts();
    let tenant = caller(edge, &parts.headers, integration, received_at)?;
    let body = body::read(body, edge.limits).await?;
    let value = json::object(&body).map_err(|error| Problem::bad_request("unreadable_body", error.to_string()))?;
    if let Some(fault) = open::fault(form, &value) {
        return Err(Problem::bad_request("invalid_body", fault));
    }
    let key = text(&parts.headers, IDEMPOTENCY_KEY);
    let heard = heard(form, &value, integration, key)?;
    let request = Request {
        arrival: Arrival { tenant, endpoint: None, received_at },
        source: EndpointId::new(integration),
        method: "POST".into(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: kept(&parts.headers),
        body,
        trace: trace(&parts.headers),
    };
    let batch = edge.acceptance.prepare(request, heard, Vec::new());
    if !batch.refusals.is_empty() {
        return Err(Problem::bad_request("invalid_body", "expected the id of a message that was sent by us"));
    }
    let answer = batch.events.first().map(|event| normalized(form, &value, integration, event));
    edge.acceptance.publish(batch).await.map_err(|error| {
        tracing::warn!(%error, "a request is not durable");
        Problem::not_durable(&error)
    })?;
    Ok(answer.unwrap_or(Value::Null))
}

/// The tenant of a caller who may speak for this integration.
fn caller(edge: &Edge, headers: &HeaderMap, integration: &str, now: i64) -> Result<TenantId, Problem> {
    let client = Client::admit(edge, headers, SCOPE, now)?;
    let directory = edge.acceptance.knowledge.now();
    let account = directory.account(&client.tenant, None, Channel::Open, integration).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "unknown_integration", "expected the id of an open-messaging account")
    })?;
    client.check(account)?;
    Ok(client.tenant)
}

/// The events of a body. Without an id of its own a message has the caller's idempotency key;
/// without that either, its content and time.
fn heard(form: Form, body: &Value, integration: &str, key: Option<&str>) -> Result<Vec<Heard>, Problem> {
    let readings = open::read_as(form, body);
    let mut all = Vec::with_capacity(readings.len());
    for (n, reading) in readings.into_iter().enumerate() {
        let is_receipt = form == Form::Receipt;
        let needs_key = reading.id.is_none() && !is_receipt;
        if needs_key && key.is_none() && reading.at.ms().is_none() {
            let detail = "expected channel.messageId, channel.time or the header Idempotency-Key";
            return Err(Problem::bad_request("invalid_body", detail));
        }
        for mut heard in reading.heard {
            heard.account = HeardAccount::Provider(integration.to_owned());
            if let (true, Some(key)) = (needs_key, key) {
                heard.provider_event_id = format!("key:{key}:{n}");
            }
            all.push(heard);
        }
    }
    Ok(all)
}

/// The answer: the normalized message with the id it has here, or the event or receipt.
fn normalized(form: Form, body: &Value, integration: &str, event: &InboundEvent) -> Value {
    let (word, id) = match form {
        Form::Message => ("Text", message_id(event)),
        Form::StructuredResponse => ("Structured", message_id(event)),
        Form::Receipt => ("Receipt", json::text(body, "id").unwrap_or_default()),
        Form::Event => ("Event", event.event_id.to_string()),
    };
    let channel = body.get("channel").unwrap_or(&Value::Null);
    let mut answer = json!({
        "id": id,
        "channel": {
            "id": integration,
            "platform": "Open",
            "type": "Private",
            "to": { "id": integration },
            "from": channel.get("from"),
            "time": stream::Timestamp::from_ms(event.occurred_at).to_string(),
            "messageId": channel.get("messageId"),
        },
        "type": word,
        "direction": "Inbound",
    });
    for field in ["text", "content", "events", "status", "reasons", "isFinalReceipt", "buttonResponse", "metadata"] {
        if let Some(value) = body.get(field) {
            answer[field] = value.clone();
        }
    }
    answer
}

/// As threading derives it (contract: derived ids).
fn message_id(event: &InboundEvent) -> String {
    let account = event.account_id.as_ref().map_or("", AccountId::as_str);
    MessageId::derive(&[event.tenant.as_str(), CHANNEL, account, &event.provider_event_id]).to_string()
}
