//! The contract of a bot's turn, both dialects, at once and by callback (F4).

use std::time::Duration;

use routing::core::Routing;
use routing::core::effect::Effect;
use routing::core::event::{Configured, Event};
use schemas::config::{Entity, EntityKind};
use schemas::ids::{CommandId, ConversationId, CustomerKey, EventId, MessageId, StintId};
use schemas::records::{
    BotAnswer, BotNext, BotTurn, Channel, Content, ConversationCommandKind, CustomerLeft, DeliveryRequest,
    DeliveryRequestKind, OutsideCall, OwnerKind, RoutingCommand, RoutingCommandKind, RoutingEventKind,
    RoutingTurnResult, SegmentKind, Sender, SenderKind, Spoke, WorkArrived,
};
use serde_json::{Value, json};
use stream::Timestamp;
use stream::testing::TaskDriver;
use tests::providers::bot::{Act, Bot};

use super::bot::{SECRET, TOKEN, call_back, document, start};
use super::house::{ACCOUNT, House, TENANT};

const WEFT: &[&str] = &["turn_id", "bot", "session_id", "conversation_id", "message", "callback_path"];
const GENESYS: &[&str] = &["botId", "botVersion", "botSessionId", "messageId", "inputMessage", "languageCode"];

async fn house(dialect: &str) -> (House, Bot) {
    let mut house = House::open().await;
    let bot = start(if dialect == "weft" { WEFT } else { GENESYS }).await;
    let folder = house.folder.path().to_owned();
    let secret = House::secret_file(&folder, "bot", SECRET);
    let token = House::secret_file(&folder, "bot_token", TOKEN);
    house.configure("Endpoint", "hook", &json!({"platform": "bot", "secrets": [secret]}));
    house.configure("Bot", "clerk", &document(&bot, dialect, &secret, &token));
    (house, bot)
}

impl House {
    /// Routing asks for a turn of a bot.
    pub(crate) fn ask_bot(&mut self, n: i64, bot: &str, timeout_ms: i64) -> MessageId {
        let turn_id = MessageId::derive(&["turn", &n.to_string()]);
        let turn = BotTurn { message: Content::text("Where is my parcel?"), ..BotTurn::default() };
        let body = turn.to_json();
        let call = OutsideCall { turn_id: turn_id.to_string(), name: bot.into(), body, timeout_ms };
        let request = DeliveryRequest {
            event_id: EventId::derive(&["turn", &n.to_string()]),
            tenant: TENANT.into(),
            occurred_at: 1,
            recorded_at: 1,
            routing_domain: TENANT.into(),
            conversation_id: None,
            stint_id: None,
            account_id: Some(ACCOUNT.into()),
            customer_key: self.key(ACCOUNT, Channel::Open, "ada"),
            kind: DeliveryRequestKind::BotTurn(call),
        };
        self.request(&request);
        turn_id
    }
}

fn answer(text: &str) -> Value {
    json!({"messages": [{"text": text}], "next": "agent"})
}

/// How a turn ended, and what the bot said.
async fn ended(house: &mut House, id: MessageId) -> (&'static str, BotAnswer) {
    let is_over = |house: &House| house.turned.iter().any(|turned| turned.asked.turn_id == id);
    house.until("the turn's end", 0, is_over).await;
    let turned = house.turned.iter().find(|turned| turned.asked.turn_id == id).unwrap();
    (turned.outcome, BotAnswer::read(turned.body.as_bytes()).unwrap_or_default())
}

#[tokio::test]
async fn a_bot_answers_at_once_in_either_dialect() {
    let genesys = json!({"replymessages": [{"type": "Text", "text": "Hello"}], "botState": "Complete"});
    for (dialect, said, next) in
        [("weft", answer("Hello"), BotNext::Agent), ("genesys_bot_connector", genesys, BotNext::Done)]
    {
        let (mut house, bot) = house(dialect).await;
        bot.script(&[Act::Answer(200, said.to_string())]);
        let id = house.ask_bot(1, "clerk", 30_000);
        let (outcome, answer) = ended(&mut house, id).await;
        assert_eq!(bot.problems(), Vec::<String>::new(), "{dialect}");
        assert_eq!((outcome, answer.next), ("answered", next), "{dialect}");
        assert_eq!(answer.messages[0].text.as_deref(), Some("Hello"), "{dialect}");
    }
}

#[tokio::test]
async fn a_bot_that_is_away_is_asked_again_with_the_same_turn() {
    let (mut house, bot) = house("weft").await;
    bot.script(&[Act::Answer(503, "busy".into()), Act::Answer(200, answer("Here").to_string())]);
    let id = house.ask_bot(1, "clerk", 60_000);
    assert_eq!(ended(&mut house, id).await.0, "answered");
    let turns = bot.turns();
    assert_eq!((turns.len(), &turns[0].0, &turns[0].1["turn_id"]), (2, &turns[1].0, &turns[1].1["turn_id"]));
}

#[tokio::test]
async fn what_nobody_can_use_is_a_failure() {
    for act in [
        Act::Answer(200, "<html>".into()),
        Act::Answer(200, r#"{"next": "dance"}"#.into()),
        Act::Answer(200, "x".repeat(100_000)),
        Act::Answer(401, String::new()),
        Act::Answer(404, String::new()),
    ] {
        let (mut house, bot) = house("weft").await;
        bot.script(&[act]);
        let id = house.ask_bot(1, "clerk", 60_000);
        assert_eq!(ended(&mut house, id).await.0, "failed");
    }
}

#[tokio::test]
async fn a_bot_that_is_too_slow_has_no_say() {
    for act in
        [Act::Hang, Act::Slow(Duration::from_secs(3), answer("late").to_string()), Act::Answer(202, String::new())]
    {
        let (mut house, bot) = house("weft").await;
        bot.script(&[act, Act::Hang, Act::Hang]);
        let id = house.ask_bot(1, "clerk", 1_000);
        let (outcome, answer) = ended(&mut house, id).await;
        assert!(matches!(outcome, "timed_out" | "failed") && answer.messages.is_empty(), "{outcome}");
    }
}

#[tokio::test]
async fn a_bot_may_answer_later_once_and_signed() {
    let (mut house, bot) = house("weft").await;
    bot.script(&[Act::Answer(202, String::new())]);
    let id = house.ask_bot(1, "clerk", 60_000);
    house.until("the turn at the bot", 0, |_| !bot.turns().is_empty()).await;
    let path = bot.turns()[0].1["callback_path"].as_str().unwrap().to_owned();
    let ingest = house.ingest_url.clone();
    assert_eq!(call_back(&ingest, &path, &answer("forged"), false).await, 401);
    assert_eq!(call_back(&ingest, &path.replace("/hook/", "/other/"), &answer("forged"), true).await, 401);
    let mut foreign = path.clone();
    foreign.replace_range(path.len() - 1.., if path.ends_with('0') { "1" } else { "0" });
    assert_eq!(call_back(&ingest, &foreign, &answer("forged"), true).await, 401, "a turn that is none of ours");
    assert_eq!(call_back(&ingest, &path, &answer("At last"), true).await, 200);
    let (outcome, said) = ended(&mut house, id).await;
    assert_eq!((outcome, said.messages[0].text.as_deref()), ("answered", Some("At last")));
    assert_eq!(call_back(&ingest, &path, &answer("Again"), true).await, 200, "the bot need not know");
    let heard = house.inbound.len();
    house.until("the second answer", 0, |house| house.inbound.len() > heard).await;
    assert_eq!(house.turned.len(), 1);
}

#[tokio::test]
async fn a_bot_that_is_not_configured_fails_at_once() {
    let mut house = House::open().await;
    let id = house.ask_bot(1, "nobody", 60_000);
    assert_eq!(ended(&mut house, id).await.0, "failed");
}

/// Routing's machine with a queue, an account of it, and the bot that greets there.
struct Desk {
    driver: TaskDriver<Routing>,
    now: i64,
    asked: u32,
}

impl Desk {
    fn open() -> Self {
        let mut desk = Self { driver: TaskDriver::new(Routing), now: 1_000, asked: 0 };
        let account = json!({"channel": "open", "name": "Main", "queue": "sales", "bot": "clerk"});
        let bot = json!({"name": "Clerk", "url": "https://unused.example", "secrets": [], "timeout_ms": 20_000, "turns_max": 2});
        for (kind, id, spec) in [
            (EntityKind::Queue, "sales", json!({"name": "Sales", "members": []})),
            (EntityKind::Bot, "clerk", bot),
            (EntityKind::ChannelAccount, ACCOUNT, account),
        ] {
            let configured = Configured {
                event_id: EventId::derive(&[id]),
                tenant: TENANT.into(),
                kind: kind.as_str().into(),
                id: id.into(),
                version: Some(1),
                entity: Some(Entity::from_json(kind, &spec.to_string()).unwrap()),
            };
            desk.driver.apply(Event::Configured(Box::new(configured)), Timestamp::from_ms(desk.now));
        }
        desk
    }

    fn tell(&mut self, kind: RoutingCommandKind) -> Vec<Effect> {
        self.asked += 1;
        self.now += 1;
        let id = self.asked.to_string();
        let command = RoutingCommand {
            event_id: EventId::derive(&[&id]),
            tenant: TENANT.into(),
            occurred_at: self.now,
            recorded_at: self.now,
            command_id: CommandId::derive(&[&id]),
            conversation_id: Some(ConversationId::derive(&["c"])),
            stint_id: Some(StintId::derive(&["s"])),
            customer_key: Some(CustomerKey::default()),
            kind,
        };
        self.driver.apply(Event::Command(Box::new(command)), Timestamp::from_ms(self.now))
    }

    fn arrive(&mut self, text: &str) -> Vec<Effect> {
        let arrived = WorkArrived {
            seq: 1,
            stint_no: 1,
            channel: Channel::Open,
            account_id: ACCOUNT.into(),
            content: Some(Content::text(text)),
            ..WorkArrived::default()
        };
        self.tell(RoutingCommandKind::WorkArrived(Box::new(arrived)))
    }

    fn speak(&mut self, seq: i64, text: &str) -> Vec<Effect> {
        let sender = Sender { kind: SenderKind::Customer, id: None };
        let spoke = Spoke { seq, sender, at: self.now, content: Some(Content::text(text)) };
        self.tell(RoutingCommandKind::Spoke(Box::new(spoke)))
    }

    /// Has delivery ask the bot, and tells routing what came of it.
    async fn turn(&mut self, house: &mut House, effects: &[Effect]) -> Vec<Effect> {
        let request =
            effects.iter().find_map(|effect| if let Effect::Ask(request) = effect { Some(request) } else { None });
        let before = house.turned.len();
        house.request(request.expect("a turn is asked for"));
        house.until("the turn's end", 0, |house| house.turned.len() > before).await;
        let turned = house.turned.last().unwrap();
        let (turn_id, outcome) = (turned.asked.turn_id.to_string(), turned.outcome.to_owned());
        let body = Some(turned.body.clone());
        self.tell(RoutingCommandKind::BotTurnFinished(RoutingTurnResult { turn_id, outcome, body }))
    }
}

/// What threading is told: who owns the stint under which epoch, and what the bot says under its own.
fn told(effects: &[Effect]) -> Vec<String> {
    let commands =
        effects.iter().filter_map(|effect| if let Effect::Command(command) = effect { Some(command) } else { None });
    let word = |kind: &ConversationCommandKind| match kind {
        ConversationCommandKind::Connect(connect) if connect.owner_kind == OwnerKind::Flow => {
            format!("bot {}", connect.owner_epoch)
        }
        ConversationCommandKind::Connect(connect) => format!("{} {}", connect.owner_kind.as_str(), connect.owner_epoch),
        ConversationCommandKind::Send(send) => {
            format!("says {} {}", send.owner_epoch.unwrap(), send.content.text.clone().unwrap_or_default())
        }
        other => other.name().to_owned(),
    };
    commands.map(|command| word(&command.kind)).collect()
}

/// How the bot's share of the stint ended.
fn share(effects: &[Effect]) -> Option<String> {
    effects.iter().find_map(|effect| match effect {
        Effect::Event(event) => match &event.kind {
            RoutingEventKind::SegmentEnded(segment) if segment.segment == SegmentKind::Bot => segment.outcome.clone(),
            _ => None,
        },
        _ => None,
    })
}

#[tokio::test]
async fn a_bot_talks_with_the_customer_and_hands_over_to_the_queue() {
    let (mut house, bot) = house("weft").await;
    let mut desk = Desk::open();
    let more = json!({"messages": [{"text": "Which one?"}], "next": "more"});
    bot.script(&[Act::Answer(200, more.to_string()), Act::Answer(200, answer("A moment").to_string())]);
    let arrived = desk.arrive("Where is my parcel?");
    assert_eq!(told(&arrived), ["bot 1"]);
    let first = desk.turn(&mut house, &arrived).await;
    assert_eq!(told(&first), ["says 1 Which one?"]);
    let spoke = desk.speak(3, "The red one");
    let second = desk.turn(&mut house, &spoke).await;
    assert_eq!(told(&second), ["says 1 A moment", "queue 2"]);
    assert_eq!(share(&second).as_deref(), Some("agent_requested"));
    let turns = bot.turns();
    assert_eq!(turns[1].1["message"]["text"], "The red one");
    assert_eq!((&turns[0].1["session_id"], &turns[1].1["turn_no"]), (&turns[1].1["session_id"], &json!(2)));
}

#[tokio::test]
async fn a_bot_that_cannot_help_costs_the_customer_nothing() {
    for (act, outcome) in [(Act::Answer(200, "<html>".into()), "failed"), (Act::Answer(404, String::new()), "failed")] {
        let (mut house, bot) = house("weft").await;
        bot.script(&[act]);
        let mut desk = Desk::open();
        let arrived = desk.arrive("Hello?");
        let ended = desk.turn(&mut house, &arrived).await;
        assert_eq!((told(&ended), share(&ended)), (vec!["queue 2".to_owned()], Some(outcome.to_owned())));
        let late = RoutingTurnResult { turn_id: "of nobody".into(), outcome: "answered".into(), body: None };
        assert!(told(&desk.tell(RoutingCommandKind::BotTurnFinished(late))).is_empty(), "its time is over");
    }
}

#[tokio::test]
async fn a_bot_has_so_many_turns_and_one_at_a_time_and_a_silent_one_is_given_up() {
    let (mut house, bot) = house("weft").await;
    bot.script(&[Act::Answer(200, "{}".into()), Act::Answer(200, "{}".into())]);
    let mut desk = Desk::open();
    let arrived = desk.arrive("One");
    assert!(desk.speak(2, "Two").iter().all(|effect| !matches!(effect, Effect::Ask(_))), "one turn is out");
    let second = desk.turn(&mut house, &arrived).await;
    let third = desk.turn(&mut house, &second).await;
    assert!(told(&third).is_empty());
    let fourth = desk.speak(3, "Three");
    assert_eq!((told(&fourth), share(&fourth).as_deref()), (vec!["queue 2".to_owned()], Some("too_many_turns")));
    let mut silent = Desk::open();
    silent.arrive("Hello?");
    let ended = silent.driver.advance_to(Timestamp::from_ms(silent.now + 60_000));
    assert_eq!((told(&ended), share(&ended).as_deref()), (vec!["queue 2".to_owned()], Some("timed_out")));
    let mut left = Desk::open();
    left.arrive("Hello?");
    let ended = left.tell(RoutingCommandKind::CustomerLeft(CustomerLeft::default()));
    assert_eq!(told(&ended), ["disconnect"]);
}
