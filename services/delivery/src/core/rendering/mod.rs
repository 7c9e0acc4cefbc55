//! C5: one normalized message becomes the messages that its channel can show, in order, and nothing
//! of it is lost.
//!
//! The written rule of what falls back to text: attachments that the channel does not take go as
//! their title and link; a card as its picture, then title, description and buttons; links as
//! `title: address`; answers as `1. title`, numbered from 1 through the whole message in the order
//! of its choices, links not counted. The text comes first, attachments after it; where answers
//! stand below the text, it comes last, because what follows would hide them.

mod cards;
mod choices;
mod media;
mod numbered;
mod template;
pub mod text;

use schemas::records::{Attachment, Channel, Choice, Content, ContentKind, Signal};

use crate::core::event::Asked;
use crate::core::notice::Notice;
use crate::core::rules::capabilities::{self, Capabilities, Limit};

pub use cards::{is_of_card, read as cards};
pub use template::Template;

/// What the address of a file of our own begins with until it is signed (RFC 2606: `invalid` leads
/// nowhere); its name follows.
pub const STORED: &str = "https://stored.invalid/";
/// Messages of a channel that one message may become.
pub const PARTS_MAX: usize = 30;

/// One message of a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A text.
    Text(String),
    /// One attachment by link.
    Media(Media),
    /// A text with answers that vanish when one is given.
    QuickReplies {
        /// The text.
        text: String,
        /// The answers.
        choices: Vec<Choice>,
    },
    /// A text with buttons that stay.
    Buttons {
        /// The text.
        text: String,
        /// Answers and links.
        choices: Vec<Choice>,
    },
    /// A text with a list that is opened by a button.
    List {
        /// The text.
        text: String,
        /// The label of the button.
        button: String,
        /// The rows, those of a section side by side.
        rows: Vec<Choice>,
    },
    /// Cards side by side.
    Cards(Vec<Card>),
    /// A place.
    Location(Attachment),
    /// An approved template.
    Template(Template),
    /// The normalized message as it is.
    Whole(Box<Content>),
    /// A change of the conversation.
    Notice(Box<Notice>),
    /// Typing, a read mark, a reaction.
    Signal(Box<Signal>),
}

/// An attachment as the channel calls it.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// The channel's word for its kind.
    pub kind: &'static str,
    /// Where it lies.
    pub link: String,
    /// The text below it.
    pub caption: Option<String>,
    /// The name of a file.
    pub file_name: Option<String>,
}

/// One card.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Card {
    /// Its title.
    pub title: String,
    /// The line below.
    pub description: Option<String>,
    /// The link to its picture.
    pub image: Option<String>,
    /// Answers and links.
    pub buttons: Vec<Choice>,
}

/// What leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendering {
    /// In this order.
    pub parts: Vec<Part>,
    /// Titles of the answers as they are numbered: an answer "2" is the second.
    pub offered: Vec<String>,
}

/// The messages that one asked for becomes; a notice is one of its own.
///
/// # Errors
/// Why it cannot be sent at all, from a closed set.
pub fn of(asked: &Asked) -> Result<Rendering, &'static str> {
    match &asked.notice {
        Some(notice) => Ok(Rendering { parts: vec![Part::Notice(Box::new(notice.clone()))], offered: Vec::new() }),
        None => render(asked.channel, &asked.added.content),
    }
}

/// The messages that a channel shows of this one.
///
/// # Errors
/// Why it cannot be sent at all, from a closed set.
pub fn render(channel: Channel, content: &Content) -> Result<Rendering, &'static str> {
    let table = capabilities::of(channel).ok_or("unsupported_channel")?;
    if content.attachments.iter().any(|attachment| !media::is_reachable(attachment)) {
        return Err("media_without_link");
    }
    let parts = match table.text {
        None => whole(content),
        Some(limit) => Painter { table, limit, content }.paint()?,
    };
    if parts.is_empty() {
        return Err(if is_shown(content.content_kind) { "empty" } else { "unsupported_content" });
    }
    if parts.len() > PARTS_MAX {
        return Err("too_long");
    }
    Ok(Rendering { parts, offered: offered(content) })
}

/// Titles of the answers that a message offers; links answer nothing.
pub fn offered(content: &Content) -> Vec<String> {
    numbered::answers(&content.choices).map(|(_, choice)| choice.title.clone()).collect()
}

fn whole(content: &Content) -> Vec<Part> {
    let is_empty = content.text.as_deref().is_none_or(|text| text.trim().is_empty())
        && content.attachments.is_empty()
        && content.choices.is_empty()
        && content.content_kind != ContentKind::Template;
    if is_empty {
        return Vec::new();
    }
    if cards::are_cards(content) || content.attachments.len() < 2 {
        return vec![Part::Whole(Box::new(content.clone()))];
    }
    one_by_one(content)
}

/// One attachment a message, as Genesys Cloud's open messaging has it: the text with the first, the
/// answers with the last.
fn one_by_one(content: &Content) -> Vec<Part> {
    let last = content.attachments.len() - 1;
    let message = |(no, attachment): (usize, &Attachment)| Content {
        attachments: vec![attachment.clone()],
        text: content.text.clone().filter(|_| no == 0),
        choices: if no == last { content.choices.clone() } else { Vec::new() },
        ..content.clone()
    };
    content.attachments.iter().enumerate().map(message).map(|content| Part::Whole(Box::new(content))).collect()
}

/// Whether a message of this kind can be sent at all when it has nothing that every channel shows.
fn is_shown(kind: ContentKind) -> bool {
    match kind {
        ContentKind::StoryMention
        | ContentKind::StoryReply
        | ContentKind::Order
        | ContentKind::Contacts
        | ContentKind::Unsupported
        | ContentKind::Unknown => false,
        ContentKind::Text
        | ContentKind::Image
        | ContentKind::Audio
        | ContentKind::Video
        | ContentKind::File
        | ContentKind::Sticker
        | ContentKind::Location
        | ContentKind::QuickReply
        | ContentKind::ListReply
        | ContentKind::Template
        | ContentKind::Link
        | ContentKind::Card
        | ContentKind::Carousel
        | ContentKind::List => true,
    }
}

/// One message being shown on one channel.
#[derive(Clone, Copy)]
struct Painter<'a> {
    table: &'static Capabilities,
    /// Of a plain text.
    limit: Limit,
    content: &'a Content,
}

impl Painter<'_> {
    fn paint(self) -> Result<Vec<Part>, &'static str> {
        if self.content.content_kind == ContentKind::Template {
            let template = Template::read(self.content).ok_or("template_without_name")?;
            let shown = self.table.templates.then(|| vec![Part::Template(template)]);
            return shown.ok_or("template_unsupported");
        }
        let own: Vec<Choice> =
            self.content.choices.iter().filter(|choice| !is_of_card(self.content, choice)).cloned().collect();
        let attachments = if cards::are_cards(self.content) { self.cards() } else { self.attachments() };
        if own.is_empty()
            && let [Part::Media(only)] = attachments.as_slice()
            && let Some(captioned) = self.captioned(only)
        {
            return Ok(vec![captioned]);
        }
        let text = self.text_and(&own);
        let is_last = !own.is_empty();
        let mut parts = Vec::new();
        if !is_last {
            parts.extend(text.iter().cloned());
        }
        parts.extend(attachments);
        if is_last {
            parts.extend(text);
        }
        Ok(parts)
    }

    /// A plain text in as many parts as it needs.
    fn plain(self, text: &str) -> Vec<Part> {
        text::split(text, self.limit).into_iter().map(Part::Text).collect()
    }
}

#[cfg(test)]
mod tests;
