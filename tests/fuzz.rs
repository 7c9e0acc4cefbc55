//! Everything that reads what strangers wrote, given broken bytes: it says what it read or that it
//! could not, and never panics; a seal that was changed is never good. Bodies of webhooks and the
//! signatures of platforms have theirs in `services/ingest/tests/mutations.rs`.
//!
//! Mutation of good examples on stable Rust: libFuzzer wants a nightly compiler, and what it would find
//! beyond this lies in crates that have fuzz targets of their own (serde_json, url, base64).
//! `WEFT_FUZZ_ROUNDS` asks for more; the seed of a failure is in its message.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use access::{Claims, Subject, TokenSecrets};
use delivery::outlets::channels::{self, HttpAnswer};
use ingest::intake::signature::{StandardHeaders, is_standard};
use objects::{LinkQuery, Links, MediaSettings, ObjectRef};
use schemas::codec::Codec;
use schemas::ids::{CustomerKey, KeySecret, MessageId, OutwardId};
use schemas::records::{
    BotAnswer, Channel, ConversationCommand, ConversationEvent, DeliveryEvent, DeliveryRequest, InboundEvent, Record,
    RoutingCommand, RoutingEvent,
};
use schemas::topics::{self, TOPICS};
use secrecy::SecretString;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below.max(1) as u64).unwrap()
    }
}

/// Bytes that readers tend to treat in some way of their own.
const ODD: &[u8] = b"\0\x01\x7f\x80\xff{}[]\",:\\.%/+=&~- \n0v";

fn broken(good: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=dice.roll(4) {
        let (at, to) = (dice.roll(bytes.len()), dice.roll(bytes.len()));
        match dice.roll(7) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, ODD[dice.roll(ODD.len())]),
            3 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
            4 if at < bytes.len() => bytes[at] = ODD[dice.roll(ODD.len())],
            5 if at < to => drop(bytes.drain(at..to)),
            6 if at < to && bytes.len() < 1 << 16 => bytes.extend_from_within(at..to),
            _ => {}
        }
    }
    bytes
}

fn rounds() -> u64 {
    tests::config::fuzz_rounds().unwrap_or(3_000)
}

/// Gives every broken form of the examples to a reader.
fn each(what: &str, examples: &[Vec<u8>], read: impl Fn(&[u8], &[u8])) {
    assert!(!examples.is_empty(), "{what}: nothing to break");
    for (n, example) in examples.iter().enumerate() {
        for round in 0..rounds() {
            let seed = (round << 16) ^ n as u64;
            let bytes = broken(example, &mut Dice(seed));
            let outcome = catch_unwind(AssertUnwindSafe(|| read(example, &bytes)));
            assert!(outcome.is_ok(), "{what}: example {n}, seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

fn texts(examples: &[&str]) -> Vec<Vec<u8>> {
    examples.iter().map(|example| example.as_bytes().to_vec()).collect()
}

#[test]
fn broken_records_are_refused_by_every_reader() {
    fn of<R: Record + Default + PartialEq + std::fmt::Debug>(codec: &Codec, topic: &str, record: &R) {
        let good = codec.encode(topic, record).unwrap();
        each(topic, &[good], |_, bytes| drop(codec.decode::<R>(bytes)));
    }
    let codec = Codec::offline(TOPICS);
    of(
        &codec,
        topics::CONFIG_ENTITIES.name,
        &schemas::records::ConfigEntity { body: "{}".into(), ..Default::default() },
    );
    let framed = |topic: &str| {
        // Whatever stands behind a good frame: the reader of each record must refuse or read it.
        let mut bytes = codec.encode(topics::CONFIG_ENTITIES.name, &schemas::records::ConfigEntity::default()).unwrap();
        let id = TOPICS.iter().position(|known| known.name == topic).unwrap();
        bytes[4] = u8::try_from(id + 1).unwrap();
        bytes.extend([2, 2, 4, 6, 8, 0, 0, 1, 1, 200, 3, 3, 3, 3]);
        bytes
    };
    each("inbound", &[framed("channel.inbound")], |_, bytes| drop(codec.decode::<InboundEvent>(bytes)));
    each("commands", &[framed("conversation.commands")], |_, bytes| drop(codec.decode::<ConversationCommand>(bytes)));
    each("events", &[framed("conversation.events")], |_, bytes| drop(codec.decode::<ConversationEvent>(bytes)));
    each("routing commands", &[framed("routing.commands")], |_, bytes| drop(codec.decode::<RoutingCommand>(bytes)));
    each("routing events", &[framed("routing.events")], |_, bytes| drop(codec.decode::<RoutingEvent>(bytes)));
    each("requests", &[framed("delivery.requests")], |_, bytes| drop(codec.decode::<DeliveryRequest>(bytes)));
    each("delivery events", &[framed("delivery.events")], |_, bytes| drop(codec.decode::<DeliveryEvent>(bytes)));
}

#[test]
fn broken_answers_of_bots_and_providers_are_read_or_refused() {
    let answers = texts(&[
        r#"{"messages":[{"text":"Hi","choices":[{"title":"Red","payload":"RED"}]}],"next":"agent","slots":{"a":"b"}}"#,
        r#"{"next":"more","attributes":{"colour":"red"},"intent":"order"}"#,
    ]);
    each("bot answers", &answers, |_, bytes| drop(BotAnswer::read(bytes)));
    let answers = texts(&[
        r#"{"messaging_product":"whatsapp","messages":[{"id":"wamid.1","message_status":"accepted"}]}"#,
        r#"{"error":{"message":"no","code":131026,"error_subcode":33,"error_data":{"details":"unable"}}}"#,
        r#"{"data":{"dm_conversation_id":"1-2","dm_event_id":"3"}}"#,
        r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"no"}"#,
        r#"{"recipient_id":"1","message_id":"m_1"}"#,
    ]);
    for channel in [Channel::Whatsapp, Channel::Facebook, Channel::Instagram, Channel::Twitter, Channel::Open] {
        each(channel.as_str(), &answers, |_, bytes| {
            for status in [200, 400, 429, 500] {
                drop(channels::answer(channel, &HttpAnswer { status, body: bytes.to_vec(), ..HttpAnswer::default() }));
            }
        });
    }
}

#[test]
fn a_changed_token_is_never_good() {
    let secrets = TokenSecrets::parse("a token secret of tests").unwrap();
    let claims = Claims {
        tenant: "acme".into(),
        subject: Subject::Agent("ana".into()),
        scopes: vec!["inbound".into()],
        supervisor: false,
        expires_at_ms: None,
        id: "t".into(),
    };
    each("tokens", &texts(&[&secrets.mint(&claims)]), |good, bytes| {
        let given = String::from_utf8_lossy(bytes);
        assert_eq!(secrets.verify(&given, 0).is_ok(), good == given.as_bytes(), "{given}");
    });
}

#[test]
fn a_changed_outward_id_is_never_ours() {
    let secret = KeySecret::new("a key secret of tests");
    let outward = OutwardId { customer_key: CustomerKey::default(), id: MessageId::derive(&["m"]) };
    each("outward ids", &texts(&[&outward.to_text(&secret)]), |_, bytes| {
        let given = String::from_utf8_lossy(bytes);
        assert!(OutwardId::parse(&given, &secret).is_none_or(|read| read == outward), "{given}");
    });
}

#[test]
fn a_changed_media_address_leads_nowhere_else() {
    let settings = MediaSettings {
        store: None,
        s3_region: String::new(),
        s3_endpoint: None,
        s3_access_key_id: None,
        s3_secret: None,
        public_url: String::new(),
        url_ttl_s: 60,
        bytes_max: 1,
        types: Vec::new(),
    };
    let links = Links::new(&settings, &TokenSecrets::parse("a token secret of tests").unwrap());
    let object = ObjectRef::new("acme", "k", "m-0", "image/png").unwrap();
    let url = links.download(&object, None, 100);
    let (path, query) = url.strip_prefix("/media/").unwrap().split_once("?expires=160&seal=").unwrap();
    let asked = |path: &str, seal: &str| {
        let query = LinkQuery { expires: 160, seal: seal.to_owned(), name: None, bytes: None };
        links.check_download(path, query, 101)
    };
    assert!(asked(path, query).is_ok());
    each("paths", &texts(&[path]), |good, bytes| {
        let given = String::from_utf8_lossy(bytes);
        assert_eq!(asked(&given, query).is_ok(), good == given.as_bytes(), "{given}");
        drop(ObjectRef::parse(&given));
    });
    each("seals", &texts(&[query]), |good, bytes| {
        let given = String::from_utf8_lossy(bytes);
        assert_eq!(asked(path, &given).is_ok(), good == given.as_bytes(), "{given}");
    });
}

#[test]
fn a_changed_standard_webhook_is_never_good() {
    let secrets = [SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
    let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#.to_vec());
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let is_good = |id: &str, at: &str, signature: &str, body: &[u8]| {
        is_standard(StandardHeaders::of(Some(id), Some(at), Some(signature)), body, &secrets, 1_614_265_330)
    };
    assert!(is_good(id, at, signature, &body));
    each("signed bodies", std::slice::from_ref(&body), |good, bytes| {
        assert_eq!(is_good(id, at, signature, bytes), good == bytes);
    });
    each("signed times", &texts(&[at]), |good, bytes| {
        let given = String::from_utf8_lossy(bytes);
        assert_eq!(is_good(id, &given, signature, &body), good == given.as_bytes(), "{given}");
    });
    each("signatures", &texts(&[signature]), |_, bytes| {
        let given = String::from_utf8_lossy(bytes);
        // One good signature among others is good.
        let holds_it = given.split(' ').take(5).any(|one| one == signature);
        assert_eq!(is_good(id, at, &given, &body), holds_it, "{given}");
    });
}
