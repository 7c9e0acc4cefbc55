//! REST under `/api/v1`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use objects::ObjectRef;
use schemas::ids::{ConversationId, QueueId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use stream::clock;

use super::Edge;
use super::ask::{self, Invalid, MessageBody, PresenceBody, StartBody, WrapUpBody};
use super::bearer::Bearer;
use super::problem::Problem;
use crate::core::{Ask, Outcome};
use crate::hub::{Reply, agent_state};

type Body = Result<Bytes, BytesRejection>;

/// `GET agents/me/presence`.
pub async fn presence(State(edge): State<Edge>, bearer: Bearer) -> Json<Value> {
    Json(agent_state(&edge.hub.hello(&bearer.who.agent)))
}

/// `POST agents/me/presence`.
pub async fn set_presence(
    State(edge): State<Edge>,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let ask = ask::presence(read::<PresenceBody>(body)?)?;
    answer(&edge, &bearer, &headers, ask).await
}

/// `GET agents/me/work`; `?scope=all` for supervisors.
pub async fn work(State(edge): State<Edge>, bearer: Bearer, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    match query.as_deref() {
        None | Some("" | "scope=own") => Ok(Json(json!({ "work": edge.hub.hello(&bearer.who.agent).work }))),
        Some("scope=all") if bearer.who.supervisor => {
            Ok(Json(json!({ "work": edge.hub.work_of_all(&bearer.who.agent.tenant) })))
        }
        Some("scope=all") => {
            Err(Problem::new(StatusCode::FORBIDDEN, "supervisors_only", "scope=all is for supervisors"))
        }
        Some(_) => Err(Problem::bad_request("bad_query", "expected scope=own or scope=all")),
    }
}

/// `GET conversations/{id}`.
pub async fn conversation(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    edge.hub.conversation(&bearer.who, conversation_id(&id)?).map(Json).ok_or_else(unknown_conversation)
}

/// `GET conversations/{id}/messages`.
pub async fn messages(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = conversation_id(&id)?;
    let transcript = edge.hub.transcript(&bearer.who, id).await.ok_or_else(unknown_conversation)?;
    let mut answer = json!({ "conversation_id": id });
    if let (Some(answer), Value::Object(transcript)) = (answer.as_object_mut(), transcript) {
        answer.extend(transcript);
    }
    Ok(Json(answer))
}

/// `GET conversations/{id}/media/{object}`: an address under which a file of this conversation's customer
/// can be had for a while.
pub async fn media(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path((id, object)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let id = conversation_id(&id)?;
    let customer = edge.hub.customer_of(&bearer.who, id).ok_or_else(unknown_conversation)?;
    let (tenant, owner) = (bearer.who.agent.tenant.as_str(), customer.to_string());
    let object = ObjectRef::parse(&object).ok().filter(|object| object.is_of(tenant, &owner));
    let found = object.zip(edge.media.as_ref());
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "unknown_object", "there is no such file for you");
    let (object, media) = found.ok_or_else(unknown)?;
    let now_s = clock::now().as_ms().div_euclid(1_000);
    let url = media.links.download(&object, None, now_s);
    Ok(Json(json!({ "url": url, "expires_at": (now_s + media.settings.url_ttl_s) * 1_000 })))
}

/// `POST conversations/{id}/messages`; needs `Idempotency-Key`.
pub async fn send(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if idempotency_key(&headers)?.is_none() {
        return Err(Problem::bad_request("idempotency_key_missing", "messages need the header Idempotency-Key"));
    }
    let ask = ask::message(conversation_id(&id)?, read::<MessageBody>(body)?, edge.hub.settings())?;
    answer(&edge, &bearer, &headers, ask).await
}

/// `POST conversations`: the agent writes first; needs `Idempotency-Key`.
pub async fn start(
    State(edge): State<Edge>,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if idempotency_key(&headers)?.is_none() {
        return Err(Problem::bad_request("idempotency_key_missing", "messages need the header Idempotency-Key"));
    }
    let ask = ask::start(read::<StartBody>(body)?, edge.hub.settings())?;
    answer(&edge, &bearer, &headers, ask).await
}

/// `POST conversations/{id}/accept`.
pub async fn accept(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&edge, &bearer, &headers, Ask::Accept(conversation_id(&id)?)).await
}

/// `POST conversations/{id}/decline`.
pub async fn decline(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&edge, &bearer, &headers, Ask::Decline(conversation_id(&id)?)).await
}

/// `POST conversations/{id}/disconnect`.
pub async fn disconnect(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&edge, &bearer, &headers, Ask::Disconnect(conversation_id(&id)?)).await
}

/// `POST conversations/{id}/wrap-up`.
pub async fn wrap_up(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let ask = ask::wrap_up(conversation_id(&id)?, read::<WrapUpBody>(body)?)?;
    answer(&edge, &bearer, &headers, ask).await
}

/// `GET queues/{id}/activity`.
pub async fn queue_activity(
    State(edge): State<Edge>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let queue = edge.hub.queue_of(&bearer.who.agent.tenant, &QueueId::new(&id));
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "unknown_queue", "there is no such queue");
    queue.map(|queue| Json(json!(queue))).ok_or_else(unknown)
}

/// Any other path.
pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_route", "there is nothing here")
}

/// Any other method.
pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has other methods")
}

/// Done is 200; durable but not decided 202; refused 409; not known to be durable 503.
async fn answer(edge: &Edge, bearer: &Bearer, headers: &HeaderMap, ask: Ask) -> Result<Response, Problem> {
    let key = idempotency_key(headers)?;
    let submitted = edge.hub.submit(&bearer.who, key, ask).await;
    let (command, reply) = edge.hub.reply(submitted).await;
    match reply {
        Reply::Decided(Outcome::Done) => Ok(Json(json!({ "ok": true, "command_id": command })).into_response()),
        Reply::NoAnswerYet => {
            let body = json!({ "ok": false, "reason": "no_answer_yet", "command_id": command });
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        Reply::Decided(Outcome::Refused(reason)) => {
            Err(Problem::new(StatusCode::CONFLICT, reason, format!("command {command} was refused")))
        }
        Reply::NotDurable => {
            let detail = "the command may not have been kept; ask again with the same Idempotency-Key";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_durable", detail))
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(header) = headers.get("idempotency-key") else { return Ok(None) };
    let text = header.to_str().map_err(|_| Problem::bad_request("bad_key", "Idempotency-Key: expected ASCII"))?;
    Ok(Some(ask::key(text)?))
}

fn conversation_id(text: &str) -> Result<ConversationId, Problem> {
    text.parse().map_err(|_| Problem::bad_request("bad_conversation_id", "conversation id: expected a UUID"))
}

fn unknown_conversation() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_conversation", "there is no such conversation for you")
}

/// An empty body is an empty object.
fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let body = body.map_err(|rejection| Problem::new(rejection.status(), "unreadable_body", rejection.body_text()))?;
    let bytes = if body.is_empty() { b"{}".as_slice() } else { &body };
    serde_json::from_slice(bytes).map_err(|error| Problem::bad_request("bad_body", error.to_string()))
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid.reason, invalid.detail)
    }
}
