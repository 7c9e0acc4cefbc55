//! A simulated agent: a person's desktop at `/ws/agent`, which remembers everything it was shown.

mod seen;

pub use seen::{Answer, Heard, Offer, Seen};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use stream::clock::{self, Stamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::stack::Stack;
use crate::wait::wait_for;

/// A command is asked again, with the same id, until this has passed.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// The gateway answers within 5 s; without an answer for this long the command is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(6);
/// The gateway's word for a command that is durable and not decided yet.
const NO_ANSWER_YET: &str = "no_answer_yet";
/// A lost connection is taken up again after this.
const RECONNECT: Duration = Duration::from_millis(150);

/// One agent and their desktop.
#[derive(Debug)]
pub struct Agent {
    /// The agent's id.
    pub id: String,
    url: String,
    token: String,
    /// Makes command ids that no former run used.
    run: i64,
    asked: AtomicU64,
    seen: Mutex<Seen>,
    line: Mutex<Option<mpsc::UnboundedSender<Message>>>,
    desk: Mutex<Option<JoinHandle<()>>>,
}

impl Agent {
    /// An agent of a tenant who has not sat down yet.
    ///
    /// # Errors
    /// If the stack has no token secret or gateway.
    pub fn new(stack: &Stack, tenant: &str, id: &str) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            id: id.to_owned(),
            url: format!("ws://{}/ws/agent", stack.gateway()?),
            token: stack.agent_token(tenant, id)?,
            run: clock::now().as_ms(),
            asked: AtomicU64::new(0),
            seen: Mutex::default(),
            line: Mutex::new(None),
            desk: Mutex::new(None),
        }))
    }

    /// Connects, and again whenever the connection is lost, until [`Self::die`].
    ///
    /// # Errors
    /// If the gateway does not greet within the time of an answer.
    pub async fn sit_down(self: &Arc<Self>) -> anyhow::Result<()> {
        let greeted = self.seen().hellos;
        let this = Arc::clone(self);
        let desk = tokio::spawn(async move { this.keep_connected().await });
        if let Some(former) = lock(&self.desk).replace(desk) {
            former.abort();
        }
        let what = format!("the gateway's hello to {}", self.id);
        wait_for(&what, ANSWER_MAX, || async {
            let seen = self.seen();
            if seen.hellos > greeted { Ok(()) } else { Err(seen.trouble.clone()) }
        })
        .await
    }

    /// Loses the connection as a crashed desktop does: no goodbye, the socket is gone.
    pub fn die(&self) {
        if let Some(desk) = lock(&self.desk).take() {
            desk.abort();
        }
        lock(&self.line).take();
    }

    /// What the desktop shows and has shown.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Sets the presence, e.g. `on_queue`.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn presence(&self, presence: &str) -> anyhow::Result<Answer> {
        self.done(json!({"type": "presence", "presence": presence, "secondary": null})).await
    }

    /// Accepts an offer.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn accept(&self, conversation_id: &str) -> anyhow::Result<Answer> {
        self.done(json!({"type": "accept", "conversation_id": conversation_id})).await
    }

    /// Declines an offer.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn decline(&self, conversation_id: &str) -> anyhow::Result<Answer> {
        self.done(json!({"type": "decline", "conversation_id": conversation_id})).await
    }

    /// Writes to the customer.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn reply(&self, conversation_id: &str, text: &str) -> anyhow::Result<Answer> {
        let frame = json!({"type": "message", "conversation_id": conversation_id, "text": text, "attachments": []});
        self.done(frame).await
    }

    /// Sends a picture that lies at an address, with a caption.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn shows_picture(&self, conversation_id: &str, caption: &str, url: &str) -> anyhow::Result<Answer> {
        let picture = json!({"type": "image", "url": url});
        let frame =
            json!({"type": "message", "conversation_id": conversation_id, "text": caption, "attachments": [picture]});
        self.done(frame).await
    }

    /// Opens a conversation, as a desktop does on accepting: the texts of all that was said in it so
    /// far, oldest first.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn opens(&self, conversation_id: &str) -> anyhow::Result<Vec<String>> {
        let id = format!("{}-{}", self.run, self.asked.fetch_add(1, Ordering::Relaxed));
        let frame = json!({"type": "transcript", "conversation_id": conversation_id, "id": id});
        let mut asked = false;
        wait_for(&format!("a transcript for {}", self.id), ANSWER_MAX, || {
            asked = asked || self.send(&frame);
            let texts = self.seen().transcripts.get(&id).cloned();
            async move { texts.ok_or_else(|| format!("asked: {asked}")) }
        })
        .await
    }

    /// The signed address of a copy of an attachment.
    ///
    /// # Errors
    /// If the gateway does not give one.
    pub async fn address_of(&self, conversation_id: &str, stored_ref: &str) -> anyhow::Result<String> {
        let gateway = self.url.replacen("ws://", "http://", 1).replace("/ws/agent", "");
        let url = format!("{gateway}/api/v1/conversations/{conversation_id}/media/{stored_ref}");
        let answer = reqwest::Client::new().get(url).bearer_auth(&self.token).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        answer["url"].as_str().map(str::to_owned).with_context(|| format!("expected a url, got {answer}"))
    }

    /// Writes to the customer whatever happens to the gateway meanwhile: asked again until the message
    /// is durable.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn insists(&self, conversation_id: &str, text: &str) -> anyhow::Result<()> {
        let frame = json!({"type": "message", "conversation_id": conversation_id, "text": text, "attachments": []});
        let answer = self.ask(frame).await?;
        ensure!(answer.ok || answer.reason == NO_ANSWER_YET, "{}'s message was refused: {}", self.id, answer.reason);
        Ok(())
    }

    /// Ends the talk.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn disconnect(&self, conversation_id: &str) -> anyhow::Result<Answer> {
        self.done(json!({"type": "disconnect", "conversation_id": conversation_id})).await
    }

    /// Ends after-call work with a code.
    ///
    /// # Errors
    /// If it is refused or nobody answers.
    pub async fn wrap_up(&self, conversation_id: &str, code: &str) -> anyhow::Result<Answer> {
        let frame =
            json!({"type": "wrap_up", "conversation_id": conversation_id, "code": code, "notes": null, "tags": []});
        self.done(frame).await
    }

    async fn done(&self, frame: Value) -> anyhow::Result<Answer> {
        let what = frame["type"].clone();
        let answer = self.ask(frame).await?;
        if !answer.ok {
            bail!("{}'s {what} was refused: {}", self.id, answer.reason);
        }
        Ok(answer)
    }

    /// Asks the gateway for something, again with the same id when the connection was lost or no
    /// answer came; the answer may be a refusal. `no_answer_yet` to a command asked twice is final:
    /// it is durable, and whoever decided it did so the first time.
    ///
    /// # Errors
    /// If nobody answers in time.
    pub async fn ask(&self, mut frame: Value) -> anyhow::Result<Answer> {
        let id = format!("{}-{}", self.run, self.asked.fetch_add(1, Ordering::Relaxed));
        frame["id"] = json!(id);
        let (begun, mut asked, mut asked_at) = (Stamp::now(), 0, None::<Stamp>);
        let what = format!("the answer to {}'s {}", self.id, frame["type"]);
        wait_for(&what, ANSWER_MAX, || {
            let answer = self.seen().results.get(&id).cloned();
            let is_open = answer.as_ref().is_none_or(|answer| answer.reason == NO_ANSWER_YET && asked < 2);
            if is_open && (answer.is_some() || asked_at.is_none_or(|at| at.elapsed() > ASK_AGAIN)) {
                self.seen().results.remove(&id);
                if self.send(&frame) {
                    (asked, asked_at) = (asked + 1, Some(Stamp::now()));
                }
            }
            async move {
                match answer {
                    Some(answer) if !is_open => Ok(answer),
                    Some(_) | None => Err(format!("asked {asked} times in {} ms", begun.elapsed_ms())),
                }
            }
        })
        .await
    }

    fn send(&self, frame: &Value) -> bool {
        let line = lock(&self.line);
        line.as_ref().is_some_and(|line| line.send(Message::text(frame.to_string())).is_ok())
    }

    async fn keep_connected(&self) {
        loop {
            if let Err(trouble) = self.one_connection().await {
                self.seen().trouble = trouble.to_string();
            }
            lock(&self.line).take();
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn one_connection(&self) -> anyhow::Result<()> {
        let mut request = self.url.as_str().into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse()?);
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        let (mut out, mut back) = socket.split();
        let (line, mut asks) = mpsc::unbounded_channel();
        *lock(&self.line) = Some(line);
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => out.send(ask).await?,
                    None => return Ok(()),
                },
                frame = back.next() => match frame {
                    Some(Ok(Message::Text(text))) => self.shown(&text)?,
                    Some(Ok(Message::Close(why))) => bail!("the gateway closed: {why:?}"),
                    Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => bail!("the connection is gone"),
                },
            }
        }
    }

    fn shown(&self, text: &str) -> anyhow::Result<()> {
        let frame: Value = serde_json::from_str(text)?;
        self.seen().take(&frame);
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.die();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
