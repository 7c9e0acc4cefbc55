//! A gateway over a log written by hand, and what goes in and out of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use access::{Claims, Subject, TokenSecrets};
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use gateway::config::{ClickHouseSettings, Config};
use gateway::core::{AgentRef, Seen};
use gateway::hub::Hub;
use gateway::intake::guest::deployment::Signer;
use gateway::intake::{Edge, router};
use gateway::lobby::Lobby;
use gateway::metrics::Metrics;
use gateway::outlets::commands::{Commands, Log};
use gateway::outlets::guests::GuestLog;
use gateway::outlets::transcripts::Transcripts;
use objects::Media;
use schemas::codec::Codec;
use schemas::ids::{CommandId, ConversationId, CustomerKey, EventId, KeySecret, MessageId};
use schemas::records::{
    Attachment, Channel, Content, ConversationCommand, ConversationEvent, ConversationEventKind, DeliveryEvent,
    DeliveryEventKind, Direction, MediaStored, MessageAdded, RoutingCommand, RoutingCommandKind, RoutingEvent,
    RoutingEventKind, Sent, WorkState, WorkView,
};
use schemas::topics::TOPICS;
use serde_json::Value;
use stream::{Output, PublishError, Shutdown};
use telemetry::HttpMetrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) const SECRET: &str = "a secret of this test";
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Takes what is published, or refuses it.
struct ListedLog(mpsc::UnboundedSender<Output>, bool);

impl Log for ListedLog {
    fn publish(&self, outputs: Vec<Output>) -> BoxFuture<'_, Result<(), PublishError>> {
        if self.1 {
            return Box::pin(async { Err(PublishError::Full) });
        }
        for output in outputs {
            let is_traced = output.headers.iter().any(|(name, _)| name == "traceparent");
            assert!(!output.key.is_empty() && (is_traced || output.topic == "guest.views"));
            self.0.send(output).unwrap();
        }
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct House {
    pub(crate) hub: Hub,
    pub(crate) lobby: Lobby,
    pub(crate) codec: Arc<Codec>,
    pub(crate) address: SocketAddr,
    pub(crate) published: mpsc::UnboundedReceiver<Output>,
    pub(crate) shutdown: Shutdown,
    pub(crate) media: Option<Arc<Media>>,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}, false).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config), is_log_away: bool) -> Self {
        let mut config: Config = settings::defaults().unwrap();
        config.clickhouse = ClickHouseSettings { url: "http://127.0.0.1:1".into(), username: None, password: None };
        change(&mut config);
        let (sender, published) = mpsc::unbounded_channel();
        let codec = Arc::new(Codec::offline(TOPICS));
        let registry = Admin::registry();
        let metrics = Metrics::register(&registry).unwrap();
        let log = Arc::new(ListedLog(sender, is_log_away));
        let commands = Commands::new(Arc::clone(&codec), log.clone(), metrics.clone(), "g0");
        let guest_log = GuestLog::new(Arc::clone(&codec), log, metrics.clone());
        let transcripts = Transcripts::new(&config.clickhouse, Duration::from_secs(1));
        let secrets = Arc::new(TokenSecrets::parse(SECRET).unwrap());
        let media = Media::open(&config.media, &secrets).unwrap().map(Arc::new);
        let lobby = Lobby::start(
            (config.guests, config.gateway.clone()),
            KeySecret::new(SECRET),
            (guest_log, commands.clone()),
            (transcripts.clone(), media.clone()),
            metrics.clone(),
        );
        let hub = Hub::start(config.gateway, KeySecret::new("test"), commands, transcripts, metrics);
        for agent in ["ada", "ben"] {
            hub.see(Seen::Known { agent: who(agent), supervisor: Some(false) });
        }
        let shutdown = Shutdown::new();
        let signer = Arc::new(Signer::new(&secrets));
        let edge = Edge {
            hub: hub.clone(),
            lobby: lobby.clone(),
            signer,
            secrets,
            media: media.clone(),
            shutdown: shutdown.clone(),
        };
        let http = HttpMetrics::register(&registry, "gateway").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(edge, &http)).await });
        Self { hub, lobby, codec, address, published, shutdown, media }
    }

    pub(crate) async fn next(&mut self) -> Output {
        let next = tokio::time::timeout(DEADLINE, self.published.recv()).await;
        next.expect("nothing was published").unwrap()
    }

    /// The next command that is not the clock's word about connections held, which comes between any two.
    async fn spoken(&mut self) -> Output {
        loop {
            let output = self.next().await;
            if output.topic != "routing.commands" {
                return output;
            }
            let command: RoutingCommand = self.codec.decode(output.payload.as_deref().unwrap()).unwrap();
            if !matches!(command.kind, RoutingCommandKind::ConnectionsHeld(_)) {
                return output;
            }
        }
    }

    pub(crate) async fn routing(&mut self) -> RoutingCommand {
        let output = self.spoken().await;
        assert_eq!((output.topic.as_ref(), output.key.as_slice()), ("routing.commands", b"acme".as_slice()));
        self.codec.decode(&output.payload.unwrap()).unwrap()
    }

    pub(crate) async fn content(&mut self) -> ConversationCommand {
        let output = self.spoken().await;
        assert_eq!(output.topic, "conversation.commands");
        let command: ConversationCommand = self.codec.decode(&output.payload.unwrap()).unwrap();
        assert_eq!(output.key, command.customer_key.to_string().into_bytes());
        command
    }

    pub(crate) async fn socket(&mut self, agent: &str) -> Ws {
        let mut ws = self.try_socket(&token(agent)).await.unwrap();
        assert_eq!(heard(&mut ws).await["type"], "hello");
        ws
    }

    pub(crate) async fn try_socket(&self, token: &str) -> Result<Ws, Error> {
        let mut request = format!("ws://{}/ws/agent", self.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        tokio_tungstenite::connect_async(request).await.map(|(ws, _)| ws)
    }
}

/// Only a registry is needed here, not a port.
struct Admin;

impl Admin {
    fn registry() -> telemetry::__prometheus::Registry {
        telemetry::Admin::new("gateway").unwrap().registry
    }
}

pub(crate) fn who(agent: &str) -> AgentRef {
    AgentRef { tenant: "acme".into(), agent: agent.into() }
}

pub(crate) fn claims(agent: &str) -> Claims {
    Claims {
        tenant: "acme".into(),
        subject: Subject::Agent(agent.into()),
        scopes: vec![],
        supervisor: false,
        expires_at_ms: None,
        id: "t".into(),
    }
}

pub(crate) fn mint(claims: &Claims) -> String {
    TokenSecrets::parse(SECRET).unwrap().mint(claims)
}

pub(crate) fn token(agent: &str) -> String {
    mint(&claims(agent))
}

pub(crate) fn bearer(agent: &str) -> String {
    format!("authorization: Bearer {}\r\n", token(agent))
}

pub(crate) async fn heard(ws: &mut Ws) -> Value {
    loop {
        let frame = tokio::time::timeout(DEADLINE, ws.next()).await.expect("nothing came").unwrap().unwrap();
        if let Message::Text(text) = frame {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

pub(crate) async fn closed(ws: &mut Ws) -> Option<u16> {
    loop {
        match tokio::time::timeout(DEADLINE, ws.next()).await.expect("not closed") {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

pub(crate) async fn say(ws: &mut Ws, frame: Value) {
    ws.send(Message::text(frame.to_string())).await.unwrap();
}

pub(crate) fn conversation() -> ConversationId {
    ConversationId::derive(&["c"])
}

pub(crate) fn work(state: WorkState, agent: &str, epoch: i64) -> Seen {
    let view = WorkView {
        conversation_id: conversation(),
        customer_key: CustomerKey::default(),
        channel: Channel::Whatsapp,
        account_id: "main".into(),
        customer_name: Some("Grace".into()),
        state,
        agent_id: Some(agent.into()),
        owner_epoch: epoch,
        deadline_at: Some(99),
        ..WorkView::default()
    };
    Seen::Work { tenant: "acme".into(), view: Box::new(view) }
}

pub(crate) fn routed(agent: &str, kind: RoutingEventKind) -> Seen {
    Seen::Routed(Box::new(RoutingEvent {
        event_id: EventId::default(),
        tenant: "acme".into(),
        occurred_at: 0,
        recorded_at: 0,
        conversation_id: Some(conversation()),
        stint_id: None,
        part_id: None,
        queue_id: None,
        agent_id: Some(agent.into()),
        channel: None,
        account_id: None,
        customer_key: None,
        config_version: 0,
        kind,
    }))
}

pub(crate) fn added(seq: i64, command_id: Option<CommandId>) -> Seen {
    said(seq, MessageAdded { content: Content::text("hello"), command_id, ..MessageAdded::default() })
}

pub(crate) fn added_with(seq: i64, attachment: Attachment) -> Seen {
    let content = Content { attachments: vec![attachment], ..Content::default() };
    said(seq, MessageAdded { content, ..MessageAdded::default() })
}

/// A copy of the first attachment of message 1 exists.
pub(crate) fn stored(stored_ref: &str) -> Seen {
    Seen::Delivered(Box::new(DeliveryEvent {
        event_id: EventId::default(),
        tenant: "acme".into(),
        occurred_at: 6,
        recorded_at: 6,
        message_id: MessageId::derive(&["1"]),
        conversation_id: Some(conversation()),
        customer_key: CustomerKey::default(),
        attempt_no: 1,
        channel: Channel::Whatsapp,
        account_id: "main".into(),
        part_no: None,
        parts: None,
        kind: DeliveryEventKind::MediaStored(MediaStored { stored_ref: stored_ref.into(), ..MediaStored::default() }),
    }))
}

/// Delivery says that a message to a web guest is sent.
pub(crate) fn sent(customer_key: CustomerKey, message_id: MessageId) -> Seen {
    let Seen::Delivered(stored) = stored("none") else { unreachable!("it was made so") };
    let kind = DeliveryEventKind::Sent(Sent { provider_message_id: None, offered_choices: Vec::new() });
    let (channel, account_id) = (Channel::Web, "shop-web".into());
    Seen::Delivered(Box::new(DeliveryEvent { message_id, customer_key, channel, account_id, kind, ..*stored }))
}

fn said(seq: i64, added: MessageAdded) -> Seen {
    let message_id = MessageId::derive(&[&seq.to_string()]);
    let added = MessageAdded { message_id, direction: Direction::Outbound, ..added };
    Seen::Said(Box::new(ConversationEvent {
        event_id: EventId::default(),
        tenant: "acme".into(),
        occurred_at: 5,
        recorded_at: 5,
        conversation_id: conversation(),
        stint_id: None,
        seq,
        channel: Channel::Whatsapp,
        account_id: "main".into(),
        customer_key: CustomerKey::default(),
        kind: ConversationEventKind::MessageAdded(Box::new(added)),
    }))
}

/// A request as a person would write it: status, head, body.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String, Value) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
}
