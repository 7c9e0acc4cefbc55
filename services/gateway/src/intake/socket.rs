//! `/ws/agent`: one task for the socket, one for its commands, so that a command that waits never
//! holds up what the agent is told.

use std::time::Duration;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use stream::clock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Edge;
use super::ask::{self, Frame, Invalid, MessageBody, PresenceBody, StartBody, WrapUpBody};
use super::bearer::Bearer;
use super::problem::Problem;
use super::wire::{self, Came};
use crate::core::{Ask, Who};
use crate::hub::frames::Frame as Out;
use crate::hub::{Closing, Hub, NoPlace, Place};

/// Answers awaited at one time by one socket.
const AWAITED_MAX: usize = 64;

/// Takes the socket if the token is good and there is room.
pub async fn open(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let bearer = Bearer::from_request_parts(&mut parts, &edge).await?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &edge).await;
    let mut upgrade = upgrade.map_err(|rejection| Problem::bad_request("not_a_websocket", rejection.body_text()))?;
    if let Some(chosen) = bearer.subprotocol.as_deref().and_then(|chosen| HeaderValue::from_str(chosen).ok()) {
        upgrade.set_selected_protocol(chosen);
    }
    let place = edge.hub.enter(&bearer.who).map_err(no_place)?;
    let bytes_max = edge.hub.settings().frame_bytes_max;
    let upgrade = upgrade.max_message_size(bytes_max).max_frame_size(bytes_max);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, place, edge, bearer)).into_response())
}

fn no_place(reason: NoPlace) -> Problem {
    match reason {
        NoPlace::Agent => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sockets", "this agent has too many sockets open")
        }
        NoPlace::Process => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", "this gateway has no room for another socket")
        }
    }
}

async fn serve(mut socket: WebSocket, mut place: Place, edge: Edge, bearer: Bearer) {
    let settings = edge.hub.settings();
    let ping = Duration::from_secs(settings.ping_s);
    let (asks, queued) = mpsc::channel(settings.commands_queued_max);
    let worker = Worker { hub: edge.hub.clone(), who: bearer.who.clone(), answers: place.answers.clone() };
    let worker = tokio::spawn(worker.run(queued));
    let expires = bearer.expires_at_ms.map(|at| at.saturating_sub(clock::now().as_ms()).max(0).unsigned_abs());
    let (closed, answers) = (&mut place.closed, place.answers.clone());
    let closing = async {
        tokio::select! {
            biased;
            closing = closed => closing.ok(),
            () = edge.shutdown.wait() => Some(Closing::GoingAway),
            () = sleep_ms(expires) => Some(Closing::Expired),
        }
    };
    let closing = wire::serve(&mut socket, &mut place.queue, closing, ping, |came| match came {
        Came::Text(text) => take(&edge.hub, &answers, &asks, text),
        Came::Binary => refuse(&edge.hub, &answers, "bad_frame", "expected text, got binary"),
    })
    .await;
    worker.abort();
    drop(place);
    if let Some(closing) = closing {
        edge.hub.metrics().sockets_closed.with_label_values(&[closing.reason()]).inc();
        wire::close(&mut socket, closing).await;
    }
}

async fn sleep_ms(ms: Option<u64>) {
    match ms {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}

fn take(hub: &Hub, answers: &mpsc::Sender<String>, asks: &mpsc::Sender<Queued>, text: &str) {
    let frame = match serde_json::from_str::<Frame>(text) {
        Ok(frame) => frame,
        Err(error) => return refuse(hub, answers, "bad_frame", &error.to_string()),
    };
    let queued = match queued(frame, hub) {
        Ok(Some(queued)) => queued,
        Ok(None) => return answer(hub, answers, &Out::Pong {}),
        Err((id, invalid)) => {
            refuse(hub, answers, invalid.reason, &invalid.detail);
            return answer(hub, answers, &Out::Result { id: id.as_deref(), ok: false, reason: Some(invalid.reason) });
        }
    };
    if let Err(mpsc::error::TrySendError::Full(queued)) = asks.try_send(queued) {
        let id = queued.id();
        answer(hub, answers, &Out::Result { id, ok: false, reason: Some("too_many_commands") });
    }
}

fn refuse(hub: &Hub, answers: &mpsc::Sender<String>, reason: &str, detail: &str) {
    answer(hub, answers, &Out::Error { reason, detail });
}

/// A full queue means a slow socket, which the hub closes at the next news.
fn answer(hub: &Hub, answers: &mpsc::Sender<String>, frame: &Out<'_>) {
    if answers.try_send(hub.text(frame)).is_err() {
        tracing::debug!("an answer had no room");
    }
}

enum Queued {
    Ask(Option<String>, Ask),
    Transcript(Option<String>, schemas::ids::ConversationId),
}

impl Queued {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Ask(id, _) | Self::Transcript(id, _) => id.as_deref(),
        }
    }
}

/// `None`: a ping.
fn queued(frame: Frame, hub: &Hub) -> Result<Option<Queued>, (Option<String>, Invalid)> {
    let (id, ask) = match frame {
        Frame::Ping {} => return Ok(None),
        Frame::Transcript { conversation_id, id } => return Ok(Some(Queued::Transcript(id, conversation_id))),
        Frame::Presence { presence, secondary, id } => (id, ask::presence(PresenceBody { presence, secondary })),
        Frame::Accept { conversation_id, id } => (id, Ok(Ask::Accept(conversation_id))),
        Frame::Decline { conversation_id, id } => (id, Ok(Ask::Decline(conversation_id))),
        Frame::Disconnect { conversation_id, id } => (id, Ok(Ask::Disconnect(conversation_id))),
        Frame::Typing { conversation_id, id } => (id, Ok(Ask::Typing(conversation_id))),
        Frame::Read { conversation_id, id } => (id, Ok(Ask::Read(conversation_id))),
        Frame::React { conversation_id, message_id, emoji, id } => (id, ask::react(conversation_id, message_id, emoji)),
        Frame::Message { conversation_id, text, attachments, id } => {
            let body = MessageBody { text, attachments };
            (Some(id), ask::message(conversation_id, body, hub.settings()))
        }
        Frame::Start { account, customer, text, template, queue, purpose, id } => {
            let body = StartBody { account, customer, text, template, queue, purpose };
            (Some(id), ask::start(body, hub.settings()))
        }
        Frame::WrapUp { conversation_id, code, notes, tags, id } => {
            (id, ask::wrap_up(conversation_id, WrapUpBody { code, notes, tags }))
        }
    };
    match (ask, id.as_deref().map(ask::key).transpose()) {
        (Ok(ask), Ok(_)) => Ok(Some(Queued::Ask(id, ask))),
        (Err(invalid), _) | (Ok(_), Err(invalid)) => Err((id, invalid)),
    }
}

/// Publishes a socket's commands in the order in which they came.
struct Worker {
    hub: Hub,
    who: Who,
    answers: mpsc::Sender<String>,
}

impl Worker {
    async fn run(self, mut queued: mpsc::Receiver<Queued>) {
        let mut awaited = JoinSet::new();
        while let Some(next) = queued.recv().await {
            while awaited.len() >= AWAITED_MAX {
                awaited.join_next().await;
            }
            while awaited.try_join_next().is_some() {}
            let (hub, answers) = (self.hub.clone(), self.answers.clone());
            match next {
                Queued::Ask(id, ask) => {
                    let submitted = hub.submit(&self.who, id.as_deref(), ask).await;
                    awaited.spawn(async move {
                        let (_, reply) = hub.reply(submitted).await;
                        let reason = reply.reason();
                        answer(&hub, &answers, &Out::Result { id: id.as_deref(), ok: reason.is_none(), reason });
                    });
                }
                Queued::Transcript(id, conversation_id) => {
                    let who = self.who.clone();
                    awaited.spawn(async move {
                        let id = id.as_deref();
                        let Some(transcript) = hub.transcript(&who, conversation_id).await else {
                            let reason = Some("unknown_conversation");
                            return answer(&hub, &answers, &Out::Result { id, ok: false, reason });
                        };
                        answer(&hub, &answers, &Out::Transcript { id, conversation_id, transcript: &transcript });
                        answer(&hub, &answers, &Out::Result { id, ok: true, reason: None });
                    });
                }
            }
        }
    }
}
