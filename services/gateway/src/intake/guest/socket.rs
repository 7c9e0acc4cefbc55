//! `/ws/guest`: one task for the socket, one that does what the guest asks, in the order in which it
//! was asked.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, RawQuery, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::ids::DeploymentId;
use stream::clock;
use tokio::sync::mpsc;

use super::deployment;
use super::frames::{self, Request, Speech};
use super::sign_in;
use crate::core::guests::heard::Said;
use crate::core::guests::identity::{self, Person};
use crate::core::guests::line::{Admitted, Line, LineRates, Wants};
use crate::core::guests::rates::Rate;
use crate::core::guests::session::Session;
use crate::core::guests::uploads::FileOffer;
use crate::core::guests::{Code, Refusal};
use crate::hub::Closing;
use crate::intake::Edge;
use crate::intake::problem::Problem;
use crate::intake::wire::{self, Came};
use crate::lobby::frames::{self as out, Body};
use crate::lobby::{Arrival, Chair, Lobby, NoChair, Outgoing};

/// Takes the socket if the deployment admits its origin and there is room.
pub async fn open(
    State(edge): State<Edge>,
    RawQuery(query): RawQuery,
    request: HttpRequest,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let id = deployment_of(query.as_deref().unwrap_or_default())?;
    let origin = origin_of(&parts.headers)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &edge).await;
    let upgrade = upgrade.map_err(|rejection| Problem::bad_request("not_a_websocket", rejection.body_text()))?;
    let (chair, outgoing) = edge.lobby.enter(&id, origin.as_deref()).map_err(no_chair)?;
    let bytes_max = edge.hub.settings().frame_bytes_max;
    let upgrade = upgrade.max_message_size(bytes_max).max_frame_size(bytes_max);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, chair, outgoing, edge)).into_response())
}

/// A secret in an address would stand in logs and histories.
fn deployment_of(query: &str) -> Result<DeploymentId, Problem> {
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    if pairs().any(|(name, _)| matches!(name, "token" | "jwt" | "code" | "access_token")) {
        return Err(Problem::bad_request("secret_in_address", "secrets belong into frames, never into the address"));
    }
    let id = pairs().find(|(name, value)| *name == "deployment" && !value.is_empty());
    let (_, id) = id.ok_or_else(|| Problem::bad_request("no_deployment", "expected ?deployment=ID"))?;
    Ok(DeploymentId::new(id))
}

/// The web origin; none for programs that are no browsers.
pub(super) fn origin_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all(header::ORIGIN).into_iter();
    let (first, second) = (all.next(), all.next());
    if second.is_some() {
        return Err(no_chair(NoChair::NotAdmitted));
    }
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned);
    first.map(text).transpose().map_err(|_| no_chair(NoChair::NotAdmitted))
}

fn no_chair(reason: NoChair) -> Problem {
    match reason {
        NoChair::NotAdmitted => {
            Problem::new(StatusCode::FORBIDDEN, "not_admitted", "no such deployment, or not for this origin")
        }
        NoChair::TooFast => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_connections", "too many new connections in a minute")
        }
        NoChair::Full => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", "this gateway has no room for another socket")
        }
    }
}

async fn serve(mut socket: WebSocket, chair: Chair, mut outgoing: Outgoing, edge: Edge) {
    let settings = edge.hub.settings();
    let ping = Duration::from_secs(settings.ping_s);
    let (asks, asked) = mpsc::channel(settings.commands_queued_max);
    let (frames, close) = (chair.frames.clone(), chair.close.clone());
    let (configured, is_configured) = tokio::sync::watch::channel(false);
    let worker = Worker { lobby: edge.lobby.clone(), edge: edge.clone(), chair, line: Line::default(), configured };
    let worker = tokio::spawn(worker.run(asked));
    let wait = Duration::from_secs(edge.lobby.settings().configure_wait_s);
    let closing = async {
        tokio::select! {
            biased;
            closing = outgoing.closed.recv() => closing,
            () = edge.shutdown.wait() => Some(Closing::GoingAway),
            () = not_configured(is_configured, wait) => Some(Closing::Idle),
        }
    };
    let closing = wire::serve(&mut socket, &mut outgoing.frames, closing, ping, |came| {
        let refusal = match came {
            Came::Text(text) => match asks.try_send(text.to_owned()) {
                Ok(()) => return,
                Err(_) => Refusal::too_fast("requests under way", 1_000),
            },
            Came::Binary => Refusal::missing("expected text, got binary"),
        };
        if frames.try_send(out::refusal(&refusal, None)).is_err() {
            // it may be closing by itself
            let _ = close.try_send(Closing::Slow);
        }
    })
    .await;
    worker.abort();
    if let Some(closing) = closing {
        edge.hub.metrics().sockets_closed.with_label_values(&[closing.reason()]).inc();
        wire::close(&mut socket, closing).await;
    }
}

/// Resolves when no session came in time.
async fn not_configured(mut is_configured: tokio::sync::watch::Receiver<bool>, wait: Duration) {
    let configured = is_configured.wait_for(|configured| *configured);
    if matches!(tokio::time::timeout(wait, configured).await, Ok(Ok(_))) {
        std::future::pending::<()>().await;
    }
}

/// Does what one connection asks.
struct Worker {
    lobby: Lobby,
    edge: Edge,
    chair: Chair,
    line: Line,
    configured: tokio::sync::watch::Sender<bool>,
}

impl Worker {
    async fn run(mut self, mut asked: mpsc::Receiver<String>) {
        while let Some(text) = asked.recv().await {
            let (tracing_id, request) = frames::read(&text);
            let tracing_id = tracing_id.as_deref();
            let (name, outcome) = match request {
                Ok(request) => (request.name(), self.take(request, tracing_id).await),
                Err(refusal) => ("unreadable", self.admit(Wants::Session).and(Err(refusal))),
            };
            let outcome_name = if outcome.is_ok() { "done" } else { "refused" };
            self.edge.hub.metrics().guest_requests.with_label_values(&[name, outcome_name]).inc();
            if let Err(refusal) = outcome {
                self.send(out::refusal(&refusal, tracing_id));
            }
        }
    }

    async fn take(&mut self, request: Request, tracing_id: Option<&str>) -> Result<(), Refusal> {
        let session = match self.admit(request.wants())? {
            Admitted::Go(session) => session,
            Admitted::Drop => return Ok(()),
        };
        match (request, session) {
            (Request::ConfigureSession { token, start_new, after }, _) => {
                let after = after.map(|mark| (mark.conversation_id, mark.seq));
                self.configure(Arrival { token, start_new, after, person: None, tracing_id: None }, tracing_id).await
            }
            (Request::ConfigureAuthenticatedSession { data, token, start_new, after }, _) => {
                let person = Some(self.person(&data.code)?);
                let after = after.map(|mark| (mark.conversation_id, mark.seq));
                self.configure(Arrival { token, start_new, after, person, tracing_id: None }, tracing_id).await
            }
            (Request::Echo { text }, _) => {
                let text = frames::echo(&text)?;
                self.respond(&Body::Echo(out::Echo { text }), tracing_id);
                Ok(())
            }
            (Request::OnMessage { message }, Some(session)) => self.speak(&session, *message, tracing_id).await,
            (Request::GetHistory { before, page_size }, Some(session)) => {
                let before = before.map(|mark| (mark.conversation_id, mark.seq));
                let page = self.lobby.history(&self.chair, &session, before, page_size).await?;
                let messages = page.messages.iter().map(|shown| self.lobby.line(shown)).collect();
                let body = out::History { messages, has_more: page.has_more, is_complete: page.is_complete };
                self.respond(&Body::MessageHistory(body), tracing_id);
                Ok(())
            }
            (Request::OnAttachment { file_name, file_type, file_size }, Some(session)) => {
                let offer = FileOffer { name: file_name, mime: file_type, size_bytes: file_size };
                let presigned = self.lobby.upload(&self.chair, &session, &offer)?;
                self.respond(&Body::PresignedUrlResponse(presigned), tracing_id);
                Ok(())
            }
            (Request::GetAttachment { attachment_id }, Some(session)) => {
                let download_url = self.lobby.download(&session, &attachment_id)?;
                self.respond(&Body::AttachmentUrl(out::Download { attachment_id, download_url }), tracing_id);
                Ok(())
            }
            (Request::GetConfiguration {}, Some(_)) => {
                let configuration = deployment::configuration(&self.chair.door, self.lobby.settings());
                self.respond(&Body::Configuration(configuration), tracing_id);
                Ok(())
            }
            (Request::CloseSession { close_all_connections }, Some(session)) => {
                self.respond(&Body::Done(out::Empty {}), tracing_id);
                self.lobby.end(&session, close_all_connections).await
            }
            (_, None) => Err(Refusal::new(Code::SessionNotFound, "no session yet: configureSession comes first")),
        }
    }

    /// Whom the company's own sign-in names. Why not, is for the log alone.
    fn person(&self, code: &str) -> Result<Person, Refusal> {
        let at = &self.chair.door.at;
        let unavailable = || Refusal::new(Code::Unavailable, "nobody signs in at this deployment");
        let rules = at.spec.sign_in.as_ref().ok_or_else(unavailable)?;
        let claims = sign_in::claims(code, rules);
        claims.and_then(|claims| identity::person(claims, rules, &at.id, clock::now())).map_err(|reason| {
            tracing::info!(reason, tenant = %at.tenant, deployment = %at.id, "sign-in refused");
            Refusal::new(Code::NotSignedIn, "the sign-in is not accepted")
        })
    }

    async fn configure(&mut self, arrival: Arrival, tracing_id: Option<&str>) -> Result<(), Refusal> {
        let arrival = Arrival { tracing_id: tracing_id.map(str::to_owned), ..arrival };
        let session = self.lobby.configure(&self.chair, &arrival).await?;
        self.line.configured(session);
        self.configured.send_replace(true);
        Ok(())
    }

    async fn speak(
        &self,
        session: &Arc<Session>,
        message: frames::Message,
        tracing_id: Option<&str>,
    ) -> Result<(), Refusal> {
        match frames::speech(message, self.lobby.settings())? {
            Speech::Say(said) => {
                self.lobby.say(&self.chair, session, said).await?;
                self.respond(&Body::Done(out::Empty {}), tracing_id);
            }
            Speech::Message(client_id, mut content) => {
                self.lobby.look_up(session, &mut content).await?;
                let said = Said::Message { client_id: client_id.clone(), content };
                self.lobby.say(&self.chair, session, said).await?;
                let id = Lobby::message_id(session, &client_id).to_string();
                self.respond(&Body::MessageAccepted(out::MessageAccepted { client_id, id }), tracing_id);
            }
            Speech::Clear => {
                self.lobby.clear(&self.chair, session).await?;
                self.respond(&Body::Done(out::Empty {}), tracing_id);
            }
        }
        Ok(())
    }

    fn admit(&mut self, wants: Wants) -> Result<Admitted, Refusal> {
        let settings = self.lobby.settings();
        let rates = LineRates {
            requests: Rate::per_minute(settings.requests_per_min_max),
            echoes: Rate::per_minute(settings.echoes_per_min_max),
            typing: Rate { count: 1, per_ms: settings.typing_every_ms },
        };
        self.line.admit(wants, rates, clock::now())
    }

    fn respond(&self, body: &Body<'_>, tracing_id: Option<&str>) {
        self.edge.hub.metrics().guest_frames_out.with_label_values(&[body.class().as_str()]).inc();
        self.send(out::response(body, tracing_id));
    }

    fn send(&self, text: String) {
        if self.chair.frames.try_send(text).is_err() {
            // it may be closing by itself
            let _ = self.chair.close.try_send(Closing::Slow);
        }
    }
}
