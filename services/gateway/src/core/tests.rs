use schemas::ids::{AccountId, CommandId, ConversationId, CustomerKey, EventId, KeySecret, MessageId, StintId};
use schemas::records::{
    AgentStateChanged, Channel, Connected, Content, ConversationCommandKind, ConversationEvent, ConversationEventKind,
    DeliveryEvent, DeliveryEventKind, Direction, Ended, Failed, MessageAdded, MessageRefused, Receipt, Refused,
    RoutingCommandKind, Sender, SenderKind, Signal, WrapUpStarted, WrappedUp,
};
use stream::Timestamp;

use super::*;

const LIMITS: Limits = Limits { messages_max: 3, ended_max: 2, outcomes_max: 2 };

fn ada() -> AgentRef {
    AgentRef { tenant: "acme".into(), agent: "ada".into() }
}

fn conversation(name: &str) -> ConversationId {
    ConversationId::derive(&[name])
}

fn customer(name: &str) -> CustomerKey {
    format!("{:032x}", u128::from(name.bytes().map(u64::from).sum::<u64>())).parse().unwrap()
}

fn view(name: &str, state: WorkState, agent: Option<&str>, epoch: i64) -> WorkView {
    WorkView {
        conversation_id: conversation(name),
        stint_id: StintId::derive(&[name]),
        customer_key: customer(name),
        channel: Channel::Open,
        account_id: AccountId::new("shop"),
        state,
        agent_id: agent.map(AgentId::new),
        owner_epoch: epoch,
        deadline_at: (state == WorkState::Alerting).then_some(30_000),
        ..WorkView::default()
    }
}

fn work(view: WorkView) -> Seen {
    Seen::Work { tenant: "acme".into(), view: Box::new(view) }
}

fn routed(name: &str, agent: &str, kind: RoutingEventKind) -> Seen {
    Seen::Routed(Box::new(RoutingEvent {
        event_id: EventId::derive(&["e"]),
        tenant: "acme".into(),
        occurred_at: 0,
        recorded_at: 0,
        conversation_id: Some(conversation(name)),
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

fn said(name: &str, seq: i64, kind: ConversationEventKind) -> Seen {
    Seen::Said(Box::new(ConversationEvent {
        event_id: EventId::derive(&["e"]),
        tenant: "acme".into(),
        occurred_at: 7,
        recorded_at: 8,
        conversation_id: conversation(name),
        stint_id: None,
        seq,
        channel: Channel::Open,
        account_id: "shop".into(),
        customer_key: customer(name),
        kind,
    }))
}

fn added(name: &str, seq: i64, command: Option<CommandId>) -> Seen {
    let added = MessageAdded {
        message_id: message(name, seq),
        direction: if command.is_some() { Direction::Outbound } else { Direction::Inbound },
        content: Content::text("hello"),
        command_id: command,
        ..MessageAdded::default()
    };
    said(name, seq, ConversationEventKind::MessageAdded(Box::new(added)))
}

fn message(name: &str, seq: i64) -> MessageId {
    MessageId::derive(&[name, &seq.to_string()])
}

fn delivered(name: &str, seq: i64, kind: DeliveryEventKind) -> Seen {
    Seen::Delivered(Box::new(DeliveryEvent {
        event_id: EventId::derive(&["e"]),
        tenant: "acme".into(),
        occurred_at: 0,
        recorded_at: 0,
        message_id: message(name, seq),
        conversation_id: None,
        customer_key: customer(name),
        attempt_no: 1,
        channel: Channel::Open,
        account_id: "shop".into(),
        part_no: None,
        parts: None,
        kind,
    }))
}

fn command(id: &str) -> CommandId {
    CommandId::derive(&[id])
}

fn ask(desk: &mut Desk, id: &str, ask: Ask) -> Asked {
    desk.ask(&ada(), command(id), ask, Timestamp::from_ms(5))
}

fn text(name: &str) -> Ask {
    Ask::Message { conversation: conversation(name), content: Box::new(Content::text("hi")) }
}

fn desk_with(view: WorkView) -> Desk {
    let mut desk = Desk::new(LIMITS, KeySecret::new("test"));
    desk.apply(work(view));
    desk
}

fn kinds(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::Tell { to, news } => {
            let news = match news {
                News::Offer(_) => "offer",
                News::Work(_) => "work",
                News::WorkGone(_) => "work_gone",
                News::Message(..) => "message",
                News::Delivery { state, .. } => state.as_str(),
                News::Presence { .. } => "presence",
                News::Media { .. } => "media",
                News::Typing { .. } => "typing",
            };
            format!("{} {news}", to.agent)
        }
        Effect::Settled { outcome: Outcome::Done, .. } => "done".to_owned(),
        Effect::Settled { outcome: Outcome::Refused(reason), .. } => reason.clone(),
    };
    effects.iter().map(name).collect()
}

#[test]
fn an_agent_is_told_of_an_offer_once_and_of_its_end() {
    let mut desk = Desk::new(LIMITS, KeySecret::new("test"));
    assert!(desk.apply(work(view("c", WorkState::Waiting, None, 1))).is_empty());
    let alerting = view("c", WorkState::Alerting, Some("ada"), 1);
    assert_eq!(kinds(&desk.apply(work(alerting.clone()))), ["ada offer"]);
    assert!(desk.apply(work(alerting.clone())).is_empty(), "the same view again");
    let moved = WorkView { last_seq: 2, ..alerting };
    assert_eq!(kinds(&desk.apply(work(moved))), ["ada work"], "the customer wrote on");
    let next = view("c", WorkState::Alerting, Some("ben"), 1);
    assert_eq!(kinds(&desk.apply(work(next))), ["ada work_gone", "ben offer"]);
    let gone = Seen::WorkGone { tenant: "acme".into(), conversation: conversation("c") };
    assert_eq!(kinds(&desk.apply(gone.clone())), ["ben work_gone"]);
    assert!(desk.apply(gone).is_empty());
    assert!(desk.work_of(&ada()).is_empty() && desk.work_of_all(&"acme".into()).is_empty());
}

#[test]
fn an_agent_sees_only_their_own_work_and_a_supervisor_that_of_the_tenant() {
    let mut desk = desk_with(view("c", WorkState::Interacting, Some("ada"), 2));
    desk.apply(work(view("d", WorkState::Interacting, Some("ben"), 2)));
    let who = |tenant: &str, agent: &str, supervisor| {
        let agent = AgentRef { tenant: tenant.into(), agent: agent.into() };
        Who { agent, supervisor }
    };
    let sees =
        |who: Who, name: &str| desk.conversation_of(&who, conversation(name)).is_some_and(|(work, _)| work.is_some());
    assert!(sees(who("acme", "ada", false), "c"));
    assert!(!sees(who("acme", "ada", false), "d"));
    assert!(sees(who("acme", "sue", true), "d"));
    assert!(!sees(who("evil", "ada", true), "c"));
    assert_eq!(desk.work_of(&ada()).len(), 1);
    assert_eq!(desk.work_of_all(&"acme".into()).len(), 2);
    assert!(desk.work_of_all(&"evil".into()).is_empty());
}

#[test]
fn a_reply_right_after_the_accept_carries_the_new_epoch() {
    let mut desk = desk_with(view("c", WorkState::Alerting, Some("ada"), 1));
    assert!(matches!(ask(&mut desk, "1", Ask::Accept(conversation("c"))), Asked::Publish(_)));
    let connected = Connected { owner_epoch: 2, ..Connected::default() };
    assert_eq!(kinds(&desk.apply(routed("c", "ada", RoutingEventKind::Connected(connected)))), ["done"]);
    let Asked::Publish(sent) = ask(&mut desk, "2", text("c")) else { panic!("not published") };
    let Command::Conversation(sent) = *sent else { panic!("not about content") };
    let ConversationCommandKind::Send(send) = sent.kind else { panic!("not a send") };
    assert_eq!(send.owner_epoch, Some(2));
    assert_eq!(send.sender, Sender { kind: SenderKind::Agent, id: Some("ada".into()) });
    assert!(desk.apply(work(view("c", WorkState::Alerting, Some("ada"), 1))).is_empty(), "a late view changes nothing");
    assert_eq!(desk.work_of(&ada())[0].owner_epoch, 2);
}

#[test]
fn who_does_not_own_a_conversation_never_speaks_under_its_epoch() {
    for (state, agent, reason) in [
        (WorkState::Waiting, None, "not_owner"),
        (WorkState::Alerting, Some("ada"), "not_owner"),
        (WorkState::WrapUp, Some("ada"), "not_owner"),
        (WorkState::Interacting, Some("ben"), "not_owner"),
    ] {
        let mut desk = desk_with(view("c", state, agent, 2));
        for say in [text("c"), Ask::Typing(conversation("c"))] {
            let Asked::Decided(Outcome::Refused(refused)) = ask(&mut desk, "1", say) else { panic!("{state:?}") };
            assert_eq!(refused, reason);
        }
    }
    let Asked::Decided(outcome) = ask(&mut Desk::new(LIMITS, KeySecret::new("test")), "1", text("c")) else {
        panic!("published")
    };
    assert_eq!(outcome, Outcome::Refused("unknown_conversation".into()));
}

#[test]
fn each_command_is_settled_by_its_own_event() {
    let id = conversation("c");
    let wrap_up = Ask::WrapUp { conversation: id, code: None, notes: None, tags: vec![] };
    let on_queue = Ask::Presence { presence: Presence::OnQueue, secondary: None };
    let changed = AgentStateChanged { presence: Presence::OnQueue, ..AgentStateChanged::default() };
    let table = [
        (Ask::Accept(id), RoutingEventKind::Connected(Connected::default())),
        (Ask::Decline(id), RoutingEventKind::Declined(Default::default())),
        (Ask::Decline(id), RoutingEventKind::Ended(Ended::default())),
        (Ask::Disconnect(id), RoutingEventKind::WrapUpStarted(WrapUpStarted::default())),
        (Ask::Disconnect(id), RoutingEventKind::PartEnded(Default::default())),
        (wrap_up, RoutingEventKind::WrappedUp(WrappedUp::default())),
        (on_queue, RoutingEventKind::AgentStateChanged(changed)),
    ];
    for (asked, event) in table {
        let name = asked.name();
        let mut desk = desk_with(view("c", WorkState::Alerting, Some("ada"), 1));
        assert!(matches!(ask(&mut desk, "1", asked.clone()), Asked::Publish(_)), "{name}");
        assert!(desk.apply(routed("c", "ben", event.clone())).is_empty(), "{name}: somebody else's");
        if name != "presence" {
            assert!(desk.apply(routed("d", "ada", event.clone())).is_empty(), "{name}: elsewhere");
        }
        assert_eq!(kinds(&desk.apply(routed("c", "ada", event.clone()))), ["done"], "{name}");
        assert!(desk.apply(routed("c", "ada", event)).is_empty(), "{name}: once");
        assert!(matches!(ask(&mut desk, "1", asked), Asked::Decided(Outcome::Done)), "{name}: asked twice");
    }
}

#[test]
fn a_refusal_names_the_command_and_its_reason() {
    let mut desk = desk_with(view("c", WorkState::Interacting, Some("ada"), 2));
    ask(&mut desk, "1", Ask::Accept(conversation("c")));
    let refused = Refused { command_id: command("1"), reason: "not_offered".into() };
    let effects = desk.apply(routed("c", "ada", RoutingEventKind::Refused(refused)));
    assert_eq!(kinds(&effects), ["not_offered"]);
    ask(&mut desk, "2", text("c"));
    let refused = MessageRefused { command_id: command("2"), reason: "not_owner".into(), ..MessageRefused::default() };
    assert_eq!(kinds(&desk.apply(said("c", 3, ConversationEventKind::MessageRefused(refused)))), ["not_owner"]);
    ask(&mut desk, "3", text("c"));
    assert_eq!(kinds(&desk.apply(added("c", 4, Some(command("3"))))), ["ada message", "done"]);
}

#[test]
fn what_routing_says_nothing_of_is_answered_once_it_is_durable() {
    let mut desk = Desk::new(LIMITS, KeySecret::new("test"));
    let presence = |presence| Ask::Presence { presence, secondary: None };
    assert!(matches!(ask(&mut desk, "1", presence(Presence::Offline)), Asked::PublishOnly(_)));
    assert!(matches!(ask(&mut desk, "2", presence(Presence::OnQueue)), Asked::Publish(_)));
    let state = |routing_status| Seen::Agent {
        tenant: "acme".into(),
        view: AgentView { agent_id: "ada".into(), presence: Presence::OnQueue, routing_status, ..AgentView::default() },
    };
    assert_eq!(kinds(&desk.apply(state(RoutingStatus::Idle))), ["ada presence"]);
    assert!(matches!(ask(&mut desk, "3", presence(Presence::OnQueue)), Asked::PublishOnly(_)));
    assert_eq!(kinds(&desk.apply(state(RoutingStatus::NotResponding))), ["ada presence"]);
    assert!(matches!(ask(&mut desk, "4", presence(Presence::OnQueue)), Asked::Publish(_)));
    desk.apply(work(view("c", WorkState::Interacting, Some("ada"), 2)));
    let wrap_up = Ask::WrapUp { conversation: conversation("c"), code: None, notes: None, tags: vec![] };
    assert!(matches!(ask(&mut desk, "5", wrap_up.clone()), Asked::PublishOnly(_)));
    desk.apply(routed("c", "ada", RoutingEventKind::WrapUpStarted(WrapUpStarted::default())));
    assert!(matches!(ask(&mut desk, "6", wrap_up), Asked::Publish(_)), "judged by what was told last");
}

#[test]
fn commands_about_ownership_say_which_epoch_the_agent_saw() {
    let mut desk = desk_with(view("c", WorkState::Alerting, Some("ada"), 4));
    let Asked::Publish(asked) = ask(&mut desk, "1", Ask::Accept(conversation("c"))) else { panic!("not published") };
    let Command::Routing(asked) = *asked else { panic!("not about ownership") };
    assert_eq!((asked.command_id, asked.conversation_id), (command("1"), Some(conversation("c"))));
    let RoutingCommandKind::Accept(accept) = asked.kind else { panic!("not an accept") };
    assert_eq!((accept.agent_id.as_str(), accept.owner_epoch), ("ada", Some(4)));
}

#[test]
fn messages_reach_the_owner_once_and_the_oldest_make_room() {
    let mut desk = desk_with(view("c", WorkState::Interacting, Some("ada"), 2));
    for seq in 1..=4 {
        assert_eq!(kinds(&desk.apply(added("c", seq, None))), ["ada message"]);
    }
    assert!(desk.apply(added("c", 4, None)).is_empty());
    let who = Who { agent: ada(), supervisor: false };
    let (_, talk) = desk.conversation_of(&who, conversation("c")).unwrap();
    let seqs: Vec<i64> = talk.unwrap().messages.iter().map(|said| said.seq).collect();
    assert_eq!(seqs, [2, 3, 4]);
}

#[test]
fn a_message_s_state_moves_forward_only() {
    let mut desk = desk_with(view("c", WorkState::Interacting, Some("ada"), 2));
    ask(&mut desk, "1", text("c"));
    desk.apply(added("c", 1, Some(command("1"))));
    let receipt = Receipt::default;
    let failed = || DeliveryEventKind::Failed(Failed { reason: "blocked".into(), ..Failed::default() });
    for (kind, told) in [
        (DeliveryEventKind::Delivered(receipt()), vec!["ada delivered"]),
        (DeliveryEventKind::Sent(Default::default()), vec![]),
        (failed(), vec![]),
        (DeliveryEventKind::Read(receipt()), vec!["ada read"]),
        (DeliveryEventKind::Claimed(Default::default()), vec![]),
    ] {
        assert_eq!(kinds(&desk.apply(delivered("c", 1, kind))), told);
    }
    desk.apply(added("c", 2, None));
    desk.apply(delivered("c", 2, DeliveryEventKind::Sent(Default::default())));
    assert_eq!(kinds(&desk.apply(delivered("c", 2, failed()))), ["ada failed"]);
}

#[test]
fn agents_see_the_customer_type_and_not_themselves() {
    let mut desk = desk_with(view("c", WorkState::Interacting, Some("ada"), 2));
    let typing = |kind| {
        let signal = Signal { signal: "typing".into(), sender: Sender { kind, id: None }, ..Signal::default() };
        said("c", 0, ConversationEventKind::Signalled(Box::new(signal)))
    };
    assert_eq!(kinds(&desk.apply(typing(SenderKind::Customer))), ["ada typing"]);
    assert!(desk.apply(typing(SenderKind::Agent)).is_empty());
}

#[test]
fn conversations_without_a_live_stint_are_kept_up_to_a_limit() {
    let mut desk = Desk::new(LIMITS, KeySecret::new("test"));
    for name in ["a", "b", "c"] {
        desk.apply(added(name, 1, None));
    }
    assert_eq!(desk.talks.len(), 2);
    assert_eq!(desk.by_customer.len(), 2);
    assert!(!desk.talks.contains_key(&("acme".into(), conversation("a"))));
    let live = ConversationView {
        tenant: "acme".into(),
        conversation_id: conversation("d"),
        customer_key: customer("d"),
        ..ConversationView::default()
    };
    desk.apply(Seen::Conversation(Box::new(live)));
    assert_eq!(desk.talks.len(), 3, "live ones are beside the limit");
    desk.apply(Seen::ConversationGone(customer("d")));
    assert_eq!(desk.talks.len(), 2);
}

#[test]
fn outcomes_are_forgotten_oldest_first() {
    let mut desk = desk_with(view("c", WorkState::Interacting, Some("ada"), 2));
    for (seq, id) in (1..).zip(["1", "2", "3"]) {
        ask(&mut desk, id, text("c"));
        desk.apply(added("c", seq, Some(command(id))));
    }
    assert!(matches!(ask(&mut desk, "1", text("c")), Asked::Publish(_)));
    assert!(matches!(ask(&mut desk, "3", text("c")), Asked::Decided(Outcome::Done)));
}
