//! Choices as lines of text: answers numbered from 1, links with their address.

use schemas::records::Choice;

/// Whether it comes back as an answer.
pub(super) fn is_answer(choice: &Choice) -> bool {
    choice.url.is_none()
}

/// The answers among these choices, with their numbers.
pub(super) fn answers(choices: &[Choice]) -> impl Iterator<Item = (usize, &Choice)> {
    (1..).zip(choices.iter().filter(|choice| is_answer(choice)))
}

/// One line for each of `shown`, which are some of `all`, under the headings of their sections.
pub(super) fn lines<'a>(all: &[Choice], shown: impl IntoIterator<Item = &'a Choice>) -> String {
    let mut lines: Vec<String> = Vec::new();
    let (mut section, mut taken) = (None, vec![false; all.len()]);
    for choice in shown {
        if choice.section != section {
            lines.extend(choice.section.clone());
            section.clone_from(&choice.section);
        }
        lines.push(line(all, choice, &mut taken));
    }
    lines.join("\n")
}

fn line(all: &[Choice], choice: &Choice, taken: &mut [bool]) -> String {
    let description = choice.description.as_deref().map(|text| format!(" – {text}")).unwrap_or_default();
    if let Some(url) = &choice.url {
        return format!("{}{description}: {url}", choice.title);
    }
    let place = all.iter().zip(taken.iter()).position(|(one, taken)| one == choice && !*taken).unwrap_or_default();
    if let Some(taken) = taken.get_mut(place) {
        *taken = true;
    }
    let number = all[..place].iter().filter(|one| is_answer(one)).count() + 1;
    format!("{number}. {}{description}", choice.title)
}
