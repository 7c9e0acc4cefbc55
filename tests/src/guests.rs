//! A simulated web guest: a messenger written after `docs/write-your-own-messenger.md` alone. It checks
//! every message it is shown: the next number, or the first of another conversation, and nothing twice.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::stack::Stack;

/// From asking to the answer, on a loaded machine.
const ANSWER_MAX: Duration = Duration::from_secs(40);

/// One device of a guest.
#[derive(Debug)]
pub struct Guest {
    url: String,
    origin: String,
    /// The session's secret, once there is one.
    pub token: Option<String>,
    /// The last message shown: conversation and number.
    pub last: Option<(String, i64)>,
    /// Texts shown, in order, with who said them.
    pub shown: Vec<(String, String)>,
    /// Frames that are no messages and answer nothing.
    pub events: Vec<Value>,
    asked: u32,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

impl Guest {
    /// A browser on a page of this origin.
    ///
    /// # Errors
    /// If the stack has no gateway.
    pub fn new(stack: &Stack, deployment: &str, origin: &str) -> anyhow::Result<Self> {
        Ok(Self {
            url: format!("ws://{}/ws/guest?deployment={deployment}", stack.gateway()?),
            origin: origin.to_owned(),
            token: None,
            last: None,
            shown: Vec::new(),
            events: Vec::new(),
            asked: 0,
            socket: None,
        })
    }

    /// Another device of the same guest, which has shown nothing yet.
    pub fn another(&self) -> Self {
        Self {
            url: self.url.clone(),
            origin: self.origin.clone(),
            token: self.token.clone(),
            last: self.last.clone(),
            shown: Vec::new(),
            events: Vec::new(),
            asked: 0,
            socket: None,
        }
    }

    /// Connects, and goes on with the session if there is one; the body of the answer.
    ///
    /// # Errors
    /// If the gateway does not let them in.
    pub async fn comes(&mut self) -> anyhow::Result<Value> {
        self.connects().await?;
        let after = self.last.as_ref().map(|(conversation, seq)| json!({"conversationId": conversation, "seq": seq}));
        let frame = json!({"action": "configureSession", "token": self.token, "after": after});
        self.configures(frame).await
    }

    /// Connects with a sign-in of the company; the body of the answer.
    ///
    /// # Errors
    /// If the gateway does not let them in.
    pub async fn signs_in(&mut self, code: &str) -> anyhow::Result<Value> {
        if self.socket.is_none() {
            self.connects().await?;
        }
        let frame = json!({"action": "configureAuthenticatedSession", "token": self.token, "data": {"code": code}});
        self.configures(frame).await
    }

    async fn configures(&mut self, frame: Value) -> anyhow::Result<Value> {
        let answer = self.asks(frame).await?;
        ensure!(answer["class"] == "SessionResponse", "no session: {answer}");
        if let Some(token) = answer["body"]["token"].as_str() {
            self.token = Some(token.to_owned());
        }
        Ok(answer["body"].clone())
    }

    /// Opens a socket.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn connects(&mut self) -> anyhow::Result<()> {
        let mut request = self.url.as_str().into_client_request()?;
        request.headers_mut().insert("origin", self.origin.parse()?);
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        self.socket = Some(socket);
        Ok(())
    }

    /// The connection is gone, without a goodbye.
    pub fn vanishes(&mut self) {
        self.socket = None;
    }

    /// Writes; gives the message's id.
    ///
    /// # Errors
    /// If it is not accepted.
    pub async fn writes(&mut self, text: &str) -> anyhow::Result<String> {
        self.asked += 1;
        let id = format!("{}-{}", self.asked, text.len());
        let message = json!({"type": "Text", "id": id, "text": text});
        let answer = self.asks(json!({"action": "onMessage", "message": message})).await?;
        ensure!(answer["class"] == "MessageAccepted", "not accepted: {answer}");
        answer["body"]["id"].as_str().map(str::to_owned).context("a message accepted has an id")
    }

    /// Sends a request; its answer. Whatever comes before it is taken in.
    ///
    /// # Errors
    /// If no answer comes in time, or what comes before is out of order.
    pub async fn asks(&mut self, mut frame: Value) -> anyhow::Result<Value> {
        self.asked += 1;
        let tracing_id = self.asked.to_string();
        frame["tracingId"] = json!(tracing_id);
        let socket = self.socket.as_mut().context("the guest has no connection")?;
        socket.send(Message::text(frame.to_string())).await?;
        loop {
            let came = self.next().await.with_context(|| format!("after {frame}"))?;
            if came["tracingId"] == tracing_id.as_str() {
                return Ok(came);
            }
        }
    }

    /// Waits until this was shown; answers the body of its frame.
    ///
    /// # Errors
    /// If it does not come in time, or something comes out of order.
    pub async fn hears(&mut self, text: &str) -> anyhow::Result<Value> {
        loop {
            let frame = self.next().await.with_context(|| format!("waiting for {text:?}, shown: {:?}", self.shown))?;
            if frame["class"] == "StructuredMessage" && frame["body"]["text"] == text {
                return Ok(frame["body"].clone());
            }
        }
    }

    /// The next frame, taken in.
    ///
    /// # Errors
    /// If none comes in time, the connection ends, or a message is out of order.
    pub async fn next(&mut self) -> anyhow::Result<Value> {
        let socket = self.socket.as_mut().context("the guest has no connection")?;
        loop {
            let came = tokio::time::timeout(ANSWER_MAX, socket.next()).await.context("nothing came")?;
            match came.context("the connection is gone")?? {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text)?;
                    self.takes(&frame)?;
                    return Ok(frame);
                }
                Message::Close(why) => bail!("the gateway closed: {why:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn takes(&mut self, frame: &Value) -> anyhow::Result<()> {
        if frame["class"] != "StructuredMessage" {
            if frame["type"] == "message" {
                self.events.push(frame.clone());
            }
            return Ok(());
        }
        let body = &frame["body"];
        let conversation = body["conversationId"].as_str().context("a message has a conversation")?.to_owned();
        let seq = body["seq"].as_i64().context("a message has a number")?;
        if let Some((before, last)) = &self.last {
            let follows = if *before == conversation { seq == last + 1 } else { seq == 1 };
            ensure!(follows, "after {before} {last} came {conversation} {seq}: {body}");
        }
        self.last = Some((conversation, seq));
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        self.shown.push((word("from"), word("text")));
        Ok(())
    }
}
