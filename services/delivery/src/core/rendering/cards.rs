//! Cards: each attachment is one, its title and caption are the card's lines, its address the
//! picture, and the choices that name it are its buttons.

use schemas::records::{Attachment, Choice, Content, ContentKind};

use super::choices::{fits_text, payload};
use super::{Card, Painter, Part, numbered};
use crate::core::rules::capabilities::Cards;

/// Whether the attachments are cards.
pub(super) fn are_cards(content: &Content) -> bool {
    matches!(content.content_kind, ContentKind::Card | ContentKind::Carousel)
}

/// Whether a choice stands on one of the message's cards.
pub fn is_of_card(content: &Content, choice: &Choice) -> bool {
    let card = choice.card.and_then(|no| usize::try_from(no).ok());
    are_cards(content) && card.is_some_and(|no| (1..=content.attachments.len()).contains(&no))
}

/// The cards of a message.
pub fn read(content: &Content) -> Vec<Card> {
    let buttons = |no: i64| content.choices.iter().filter(move |choice| choice.card == Some(no)).cloned().collect();
    let card = |(no, attachment): (i64, &Attachment)| Card {
        title: attachment.title.clone().unwrap_or_default(),
        description: attachment.caption.clone(),
        image: attachment.url.clone(),
        buttons: buttons(no),
    };
    (1..).zip(&content.attachments).map(card).collect()
}

impl Painter<'_> {
    /// As many rows of cards as they need; one card that does not fit makes texts of all.
    pub(super) fn cards(self) -> Vec<Part> {
        let cards = read(self.content);
        match self.table.cards {
            Some(limits) if cards.iter().all(|card| fits(&limits, card)) => {
                cards.chunks(limits.max).map(|row| Part::Cards(row.to_vec())).collect()
            }
            _ => cards.iter().flat_map(|card| self.in_words(card)).collect(),
        }
    }

    fn in_words(self, card: &Card) -> Vec<Part> {
        let picture = card.image.iter().flat_map(|url| {
            let image = Attachment { attachment_type: "image".into(), url: Some(url.clone()), ..Attachment::default() };
            self.media(&image).unwrap_or_else(|| self.plain(url))
        });
        let lines = numbered::lines(&self.content.choices, &card.buttons);
        let words = [Some(card.title.clone()), card.description.clone(), Some(lines)];
        let words: Vec<String> = words.into_iter().flatten().filter(|line| !line.trim().is_empty()).collect();
        picture.chain(self.plain(&words.join("\n"))).collect()
    }
}

/// A card needs something beside its title.
fn fits(limits: &Cards, card: &Card) -> bool {
    let fits_button = |button: &Choice| {
        button.description.is_none()
            && fits_text(limits.button, &button.title)
            && (!numbered::is_answer(button) || fits_text(limits.payload, payload(button)))
    };
    fits_text(limits.title, &card.title)
        && card.description.as_deref().is_none_or(|text| fits_text(limits.description, text))
        && card.image.as_deref().is_none_or(|url| url.starts_with("https://"))
        && card.buttons.len() <= limits.buttons_max
        && card.buttons.iter().all(fits_button)
        && (card.description.is_some() || card.image.is_some() || !card.buttons.is_empty())
}
