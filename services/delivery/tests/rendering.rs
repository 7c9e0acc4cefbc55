//! For any message on any channel: every part is within what the channel takes, and nothing that
//! was said is lost. The limits stand here once more, so that a slip in the tables is seen.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use delivery::render_report;
use schemas::records::{Attachment, Channel, Choice, Content, ContentKind};
use serde_json::Value;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn often(&mut self) -> bool {
        self.roll(3) > 0
    }

    fn words(&mut self, max: usize) -> String {
        const WORDS: [&str; 12] = [
            "hello",
            "a",
            "Grüße.",
            "👨‍👩‍👧",
            "e\u{301}tude",
            "नमस्ते!",
            "line\n",
            "para\n\n",
            "\u{1f1e8}\u{1f1ed}",
            "？",
            "0123456789012345678901234567890123456789",
            "ok.",
        ];
        let n = self.roll(max) + 1;
        (0..n).map(|_| WORDS[self.roll(WORDS.len())]).collect::<Vec<_>>().join(" ")
    }

    fn title(&mut self, no: usize) -> String {
        if self.roll(4) == 0 { format!("{} {no}", self.words(8)) } else { format!("title {no}") }
    }

    fn choice(&mut self, no: usize, cards: usize) -> Choice {
        Choice {
            title: self.title(no),
            payload: (self.roll(2) == 0).then(|| format!("payload {no}")),
            description: (self.roll(6) == 0).then(|| format!("description {no}")),
            url: (self.roll(5) == 0).then(|| format!("https://links.example/{no}")),
            card: (cards > 0 && self.often()).then(|| i64::try_from(self.roll(cards) + 1).unwrap()),
            section: (self.roll(8) == 0).then(|| format!("section {}", no / 2)),
        }
    }

    fn attachment(&mut self, no: usize) -> Attachment {
        const KINDS: [&str; 7] = ["image", "audio", "video", "file", "sticker", "hologram", "location"];
        let kind = KINDS[self.roll(KINDS.len())];
        let is_place = kind == "location";
        Attachment {
            attachment_type: kind.into(),
            url: (!is_place).then(|| format!("https://files.example/{no}")),
            caption: (self.roll(3) == 0).then(|| format!("caption {no}")),
            title: (self.roll(3) == 0).then(|| self.title(no)),
            size_bytes: (self.roll(4) == 0).then_some(200 << 20),
            latitude: is_place.then_some(47.5),
            longitude: is_place.then_some(8.25),
            ..Attachment::default()
        }
    }

    fn content(&mut self) -> Content {
        let is_cards = self.roll(4) == 0;
        let attachments: Vec<Attachment> = match self.roll(3) {
            0 if !is_cards => Vec::new(),
            _ => (0..=self.roll(if is_cards { 12 } else { 3 })).map(|no| self.attachment(no)).collect(),
        };
        let cards = if is_cards { attachments.len() } else { 0 };
        let long = if self.roll(4) == 0 { 900 } else { 20 };
        let is_list = self.roll(4) == 0;
        Content {
            content_kind: match (is_cards, is_list) {
                (true, _) => ContentKind::Carousel,
                (false, true) => ContentKind::List,
                (false, false) => ContentKind::Text,
            },
            text: self.often().then(|| self.words(long)),
            choices: (0..self.roll(14)).map(|no| self.choice(no, cards)).collect(),
            attachments,
            ..Content::default()
        }
    }
}

/// Every text in a value.
fn texts(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push_str(text);
            into.push(' ');
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        Value::Number(number) => into.push_str(&number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn nothing_is_lost(content: &Content, shown: &[Value], what: &str) {
    let mut all = String::new();
    shown.iter().for_each(|part| texts(&part["body"], &mut all));
    let all = squeezed(&all);
    let mut said: Vec<&str> = content.text.iter().map(String::as_str).collect();
    for attachment in &content.attachments {
        said.extend(
            [&attachment.url, &attachment.caption, &attachment.title].into_iter().flatten().map(String::as_str),
        );
    }
    for choice in &content.choices {
        said.push(&choice.title);
        said.extend([&choice.url, &choice.description].into_iter().flatten().map(String::as_str));
    }
    // A text in parts is interrupted by what stands around it; its words are not.
    for word in said.iter().flat_map(|text| text.split_whitespace()) {
        assert!(all.contains(word), "{what}: {word:?} is lost in {all}");
    }
}

fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_whatsapp(body: &Value) {
    assert!(chars(&body["text"]["body"]) <= 4_096);
    for kind in ["image", "video", "document"] {
        assert!(chars(&body[kind]["caption"]) <= 1_024);
    }
    let interactive = &body["interactive"];
    assert!(chars(&interactive["body"]["text"]) <= 1_024);
    let buttons = array(&interactive["action"]["buttons"]);
    assert!(buttons.len() <= 3 && buttons.iter().all(|button| chars(&button["reply"]["title"]) <= 20));
    let sections = array(&interactive["action"]["sections"]);
    let rows: usize = sections.iter().map(|section| array(&section["rows"]).len()).sum();
    assert!(rows <= 10 && sections.len() <= 10);
    for row in sections.iter().flat_map(|section| array(&section["rows"])) {
        assert!((1..=24).contains(&chars(&row["title"])) && chars(&row["description"]) <= 72);
    }
    let untitled = sections.iter().filter(|section| section["title"].is_null()).count();
    assert!(sections.len() < 2 || untitled == 0, "each of several sections needs a title");
}

fn check_meta(body: &Value, text_max: impl Fn(&str) -> bool) {
    let message = &body["message"];
    assert!(message["text"].as_str().is_none_or(text_max));
    let replies = array(&message["quick_replies"]);
    assert!(replies.len() <= 13 && replies.iter().all(|reply| chars(&reply["title"]) <= 20));
    assert!(replies.is_empty() || chars(&message["text"]) > 0);
    let payload = &message["attachment"]["payload"];
    let is_button = payload["template_type"] == "button";
    assert!(!is_button || ((1..=640).contains(&chars(&payload["text"])) && array(&payload["buttons"]).len() <= 3));
    let elements = array(&payload["elements"]);
    assert!(elements.len() <= 10);
    for element in elements {
        assert!((1..=80).contains(&chars(&element["title"])) && chars(&element["subtitle"]) <= 80);
        assert!(array(&element["buttons"]).len() <= 3);
        assert!(element.as_object().unwrap().len() > 1, "a card needs more than a title");
    }
}

fn check(channel: Channel, body: &Value) {
    match channel {
        Channel::Whatsapp => check_whatsapp(body),
        Channel::Facebook => check_meta(body, |text| text.chars().count() <= 2_000),
        Channel::Instagram => check_meta(body, |text| text.len() <= 1_000),
        Channel::Twitter => assert!((1..=10_000).contains(&chars(&body["text"]))),
        Channel::Open | Channel::Web | Channel::Unknown => {}
    }
}

#[test]
fn every_part_is_within_the_limits_and_nothing_is_lost() {
    let channels = [Channel::Whatsapp, Channel::Facebook, Channel::Instagram, Channel::Twitter, Channel::Open];
    let (mut dice, mut parts) = (Dice(7), 0);
    for no in 0..3_000 {
        let content = dice.content();
        let bytes = serde_json::to_vec(&content).unwrap();
        for channel in channels {
            let what = format!("message {no} on {channel}");
            match render_report(channel, &bytes) {
                Ok(shown) => {
                    parts += shown.len();
                    shown.iter().for_each(|part| check(channel, &part["body"]));
                    nothing_is_lost(&content, &shown, &what);
                }
                Err(reason) => assert!(["empty", "too_long"].contains(&reason.as_str()), "{what}: {reason}"),
            }
        }
    }
    assert!(parts > 20_000, "{parts} parts are too few to mean anything");
}
