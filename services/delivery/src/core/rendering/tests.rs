use super::*;
use schemas::records::Content;

fn choice(title: &str) -> Choice {
    Choice { title: title.into(), ..Choice::default() }
}

fn link(title: &str) -> Choice {
    Choice { url: Some("https://shop.example/a".into()), ..choice(title) }
}

fn on_card(no: i64, choice: Choice) -> Choice {
    Choice { card: Some(no), ..choice }
}

fn asking(text: &str, choices: Vec<Choice>) -> Content {
    Content { choices, ..Content::text(text) }
}

fn media(kind: &str, url: Option<&str>, text: &str) -> Content {
    let attachment = Attachment { attachment_type: kind.into(), url: url.map(Into::into), ..Attachment::default() };
    Content { attachments: vec![attachment], ..Content::text(text) }
}

/// Each part in a word, texts as they are.
fn sketch(channel: Channel, content: &Content) -> Vec<String> {
    let word = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Media(media) => format!("[{} {:?}]", media.kind, media.caption),
        Part::QuickReplies { text, choices } => format!("{text} [{} quick replies]", choices.len()),
        Part::Buttons { text, choices } => format!("{text} [{} buttons]", choices.len()),
        Part::List { text, rows, .. } => format!("{text} [{} rows]", rows.len()),
        Part::Cards(cards) => format!("[{} cards]", cards.len()),
        Part::Location(_) => "[place]".into(),
        Part::Template(template) => format!("[template {}]", template.name),
        Part::Whole(_) => "[whole]".into(),
        Part::Notice(_) => "[notice]".into(),
        Part::Signal(_) => "[signal]".into(),
    };
    match render(channel, content) {
        Ok(rendering) => rendering.parts.iter().map(word).collect(),
        Err(reason) => vec![format!("refused {reason}")],
    }
}

#[test]
fn answers_are_shown_as_each_channel_can() {
    use self::Channel::{Facebook, Instagram, Open, Twitter, Whatsapp};
    let two = || vec![choice("Bill"), choice("Moving")];
    let four = || ["a", "b", "c", "d"].map(choice).to_vec();
    let long = || vec![choice("Something about my last bill"), choice("Moving")];
    let numbered = "What?\n1. Bill\n2. Moving";
    for (channel, choices, expected) in [
        (Whatsapp, two(), "What? [2 quick replies]"),
        (Whatsapp, four(), "What? [4 rows]"),
        (Whatsapp, long(), "What?\n1. Something about my last bill\n2. Moving"),
        (Whatsapp, vec![choice("x"), choice("x")], "What?\n1. x\n2. x"),
        (Whatsapp, vec![link("Shop")], "What? [1 buttons]"),
        (Whatsapp, vec![link("Shop"), choice("Bill")], "What?\nShop: https://shop.example/a\n1. Bill"),
        (Facebook, four(), "What? [4 quick replies]"),
        (Facebook, vec![choice("Bill"), link("Shop")], "What? [2 buttons]"),
        (Instagram, two(), "What? [2 quick replies]"),
        (Twitter, two(), numbered),
        (Open, two(), "[whole]"),
    ] {
        assert_eq!(sketch(channel, &asking("What?", choices)), [expected], "{channel}");
    }
}

#[test]
fn an_answer_2_is_the_second_that_was_offered() {
    let content = asking("What?", vec![choice("Bill"), link("Shop"), choice("Moving")]);
    let rendering = render(Channel::Twitter, &content).unwrap();
    assert_eq!(rendering.offered, ["Bill", "Moving"]);
    let shown = "What?\n1. Bill\nShop: https://shop.example/a\n2. Moving";
    assert_eq!(rendering.parts, [Part::Text(shown.into())]);
}

#[test]
fn attachments_go_by_link_or_as_a_line() {
    let at = Some("https://files.example/a");
    let big = |mut content: Content| {
        content.attachments[0].size_bytes = Some(6 << 20);
        content
    };
    for (channel, content, expected) in [
        (Channel::Whatsapp, media("image", at, "look"), vec!["[image Some(\"look\")]"]),
        (Channel::Whatsapp, media("audio", at, "listen"), vec!["listen", "[audio None]"]),
        (Channel::Whatsapp, big(media("image", at, "look")), vec!["look", "https://files.example/a"]),
        (Channel::Whatsapp, media("hologram", at, ""), vec!["https://files.example/a"]),
        (Channel::Facebook, media("image", at, "look"), vec!["look", "[image None]"]),
        (Channel::Facebook, media("sticker", at, ""), vec!["[image None]"]),
        (Channel::Twitter, media("image", at, "look"), vec!["look", "https://files.example/a"]),
        (Channel::Facebook, media("image", Some("http://files.example/a"), ""), vec!["http://files.example/a"]),
        (Channel::Whatsapp, media("image", None, ""), vec!["refused media_without_link"]),
        (Channel::Whatsapp, media("image", Some("ftp://files.example/a"), ""), vec!["refused media_without_link"]),
        (Channel::Whatsapp, media("image", Some("javascript:alert(1)"), ""), vec!["refused media_without_link"]),
        (Channel::Whatsapp, Content::text(" "), vec!["refused empty"]),
        (Channel::Web, Content::text("x"), vec!["refused unsupported_channel"]),
    ] {
        assert_eq!(sketch(channel, &content), expected, "{channel} {content:?}");
    }
}

#[test]
fn answers_stand_below_the_last_message() {
    let mut content = media("image", Some("https://files.example/a"), "Which?");
    content.choices = vec![choice("This"), choice("That")];
    assert_eq!(sketch(Channel::Facebook, &content), ["[image None]", "Which? [2 quick replies]"]);
    let mut long = asking(&"word ".repeat(300), vec![choice("This"), choice("That")]);
    long.content_kind = ContentKind::QuickReply;
    let parts = sketch(Channel::Instagram, &long);
    assert_eq!((parts.len(), parts[1].ends_with("[2 quick replies]")), (2, true));
}

fn carousel() -> Content {
    let card = |title: &str| Attachment {
        attachment_type: "card".into(),
        title: Some(title.into()),
        caption: Some("A good one".into()),
        url: Some("https://files.example/a".into()),
        ..Attachment::default()
    };
    Content {
        content_kind: ContentKind::Carousel,
        attachments: vec![card("Red"), card("Blue")],
        choices: vec![on_card(1, choice("Buy")), on_card(1, link("More")), on_card(2, choice("Buy"))],
        ..Content::text("Our shoes")
    }
}

#[test]
fn cards_are_shown_or_told() {
    assert_eq!(sketch(Channel::Facebook, &carousel()), ["Our shoes", "[2 cards]"]);
    let red = "Red\nA good one\n1. Buy\nMore: https://shop.example/a";
    assert_eq!(
        sketch(Channel::Whatsapp, &carousel()),
        ["Our shoes", "[image None]", red, "[image None]", "Blue\nA good one\n2. Buy"]
    );
    assert_eq!(
        sketch(Channel::Twitter, &carousel()),
        ["Our shoes", "https://files.example/a", red, "https://files.example/a", "Blue\nA good one\n2. Buy"]
    );
    let mut long = carousel();
    long.attachments[1].title = Some("x".repeat(81));
    assert_eq!(sketch(Channel::Instagram, &long).len(), 5, "one card too long for its place makes texts of all");
}

#[test]
fn a_place_is_shown_or_told() {
    let place = Attachment {
        attachment_type: "location".into(),
        title: Some("Our shop".into()),
        latitude: Some(47.5),
        longitude: Some(8.25),
        ..Attachment::default()
    };
    let content = Content { content_kind: ContentKind::Location, attachments: vec![place], ..Content::default() };
    assert_eq!(sketch(Channel::Whatsapp, &content), ["[place]"]);
    let told = "Our shop\nhttps://www.openstreetmap.org/?mlat=47.5&mlon=8.25";
    assert_eq!(sketch(Channel::Facebook, &content), [told]);
}

#[test]
fn templates_are_for_channels_that_have_them() {
    let mut content = Content { content_kind: ContentKind::Template, ..Content::default() };
    assert_eq!(sketch(Channel::Whatsapp, &content), ["refused template_without_name"]);
    content.provider_fields.insert("template.name".into(), "parcel_here".into());
    content.provider_fields.insert("template.body.1".into(), "Ada".into());
    assert_eq!(sketch(Channel::Whatsapp, &content), ["[template parcel_here]"]);
    assert_eq!(sketch(Channel::Facebook, &content), ["refused template_unsupported"]);
}

#[test]
fn what_has_nothing_to_show_is_refused() {
    let order = Content { content_kind: ContentKind::Order, ..Content::default() };
    assert_eq!(sketch(Channel::Facebook, &order), ["refused unsupported_content"]);
    assert_eq!(sketch(Channel::Whatsapp, &Content::text("x".repeat(4_096 * 31))), ["refused too_long"]);
}
