//! A text with what may be chosen below it.

use std::collections::BTreeSet;

use schemas::records::{Choice, ContentKind};

use super::{Painter, Part, numbered, text};
use crate::core::rules::capabilities::{Choices, Limit};

/// The label of a list's button where the message names none (`provider_fields.list_button`).
const LIST_BUTTON: &str = "Options";

impl Painter<'_> {
    /// The message's text with these choices, natively if the channel can show all of them whole.
    pub(super) fn text_and(self, choices: &[Choice]) -> Vec<Part> {
        let text = self.content.text.as_deref().unwrap_or_default();
        let is_said = !text.trim().is_empty();
        if choices.is_empty() || !is_said {
            return self.numbered(text, choices);
        }
        let mut ways = vec![self.buttons(text, choices), self.quick_replies(text, choices), self.list(text, choices)];
        if self.content.content_kind == ContentKind::List {
            ways.rotate_right(1);
        }
        ways.into_iter().flatten().next().unwrap_or_else(|| self.numbered(text, choices))
    }

    fn numbered(self, text: &str, choices: &[Choice]) -> Vec<Part> {
        let lines = numbered::lines(&self.content.choices, choices);
        let shown = [text, &lines].into_iter().filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n");
        self.plain(&shown)
    }

    fn quick_replies(self, text: &str, choices: &[Choice]) -> Option<Vec<Part>> {
        let limits = self.table.quick_replies?;
        let fits = choices.iter().all(numbered::is_answer) && fits(&limits, choices);
        let is_whole = choices.iter().all(|choice| choice.description.is_none() && choice.section.is_none());
        (fits && is_whole)
            .then(|| self.ending(text, limits.text, |text| Part::QuickReplies { text, choices: choices.to_vec() }))
    }

    /// Buttons are for links; answers alone are quick replies, which do not stay behind.
    fn buttons(self, text: &str, choices: &[Choice]) -> Option<Vec<Part>> {
        let limits = self.table.buttons?;
        let links = choices.iter().filter(|choice| !numbered::is_answer(choice)).count();
        let is_mixed = links < choices.len();
        let fits = (1..=limits.links_max).contains(&links) && (limits.mixed || !is_mixed) && fits(&limits, choices);
        let is_whole = choices.iter().all(|choice| choice.description.is_none() && choice.section.is_none());
        (fits && is_whole)
            .then(|| self.ending(text, limits.text, |text| Part::Buttons { text, choices: choices.to_vec() }))
    }

    fn list(self, text: &str, choices: &[Choice]) -> Option<Vec<Part>> {
        let limits = self.table.list?;
        let button = self.content.provider_fields.get("list_button").map_or(LIST_BUTTON, String::as_str);
        let sections: BTreeSet<&str> = choices.iter().filter_map(|choice| choice.section.as_deref()).collect();
        let runs = choices.chunk_by(|one, next| one.section == next.section).count();
        let is_together =
            sections.is_empty() || (runs == sections.len() && choices.iter().all(|c| c.section.is_some()));
        let fits_row = |choice: &Choice| {
            numbered::is_answer(choice)
                && fits_text(limits.title, &choice.title)
                && choice.description.as_deref().is_none_or(|text| fits_text(limits.description, text))
                && fits_text(limits.payload, payload(choice))
        };
        let fits = choices.len() <= limits.rows_max
            && sections.len() <= limits.sections_max
            && sections.iter().all(|section| fits_text(limits.section, section))
            && limits.button.fits(button)
            && choices.iter().all(fits_row)
            && are_told_apart(choices);
        (fits && is_together).then(|| {
            self.ending(text, limits.text, |text| Part::List {
                text,
                button: button.to_owned(),
                rows: choices.to_vec(),
            })
        })
    }

    /// Texts, the last of which carries something.
    fn ending(self, text: &str, last: Limit, make: impl Fn(String) -> Part) -> Vec<Part> {
        let mut texts = text::split_last(text, self.limit, last);
        let end = texts.pop().map(make);
        texts.into_iter().map(Part::Text).chain(end).collect()
    }
}

/// What comes back when it is chosen.
pub(super) fn payload(choice: &Choice) -> &str {
    choice.payload.as_deref().unwrap_or(&choice.title)
}

fn fits(limits: &Choices, choices: &[Choice]) -> bool {
    let fits_one = |choice: &Choice| {
        fits_text(limits.title, &choice.title)
            && (!numbered::is_answer(choice) || fits_text(limits.payload, payload(choice)))
    };
    choices.len() <= limits.max && choices.iter().all(fits_one) && are_told_apart(choices)
}

pub(super) fn fits_text(limit: Limit, text: &str) -> bool {
    !text.trim().is_empty() && limit.fits(text)
}

/// Two answers of the same title or payload could not be told apart, and WhatsApp refuses them.
fn are_told_apart(choices: &[Choice]) -> bool {
    let titles: BTreeSet<&str> = choices.iter().map(|choice| choice.title.as_str()).collect();
    let payloads: BTreeSet<&str> = choices.iter().filter(|c| numbered::is_answer(c)).map(payload).collect();
    titles.len() == choices.len() && payloads.len() == choices.iter().filter(|c| numbered::is_answer(c)).count()
}
