//! Long texts in parts: never inside a grapheme, at the end of a paragraph, line, sentence or word
//! where there is one.

use unicode_segmentation::UnicodeSegmentation;

use crate::core::rules::capabilities::Limit;

/// The parts of a text, each within the limit. Together they are the text, but for white space at
/// the joints.
pub fn split(text: &str, limit: Limit) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.trim().is_empty() {
        if limit.fits(rest) {
            parts.push(rest.to_owned());
            break;
        }
        let room = &rest[..room(rest, limit)];
        let cut = boundary(room, &rest[room.len()..]).unwrap_or(room.len());
        let part = rest[..cut].trim_end();
        if !part.is_empty() {
            parts.push(part.to_owned());
        }
        rest = rest[cut..].trim_start();
    }
    parts
}

/// As [`split`], with the last part within a limit of its own.
pub fn split_last(text: &str, limit: Limit, last: Limit) -> Vec<String> {
    let mut parts = split(text, limit);
    if let Some(end) = parts.pop() {
        parts.extend(split(&end, last));
    }
    parts
}

/// Bytes of whole graphemes that fit; a grapheme that alone is too long is cut between characters.
fn room(text: &str, limit: Limit) -> usize {
    let graphemes = fitting(text.graphemes(true), limit);
    if graphemes > 0 {
        return graphemes;
    }
    let characters = fitting(text.split_inclusive(|_| true), limit);
    characters.max(text.chars().next().map_or(0, char::len_utf8))
}

fn fitting<'a>(pieces: impl Iterator<Item = &'a str>, limit: Limit) -> usize {
    let (mut bytes, mut length) = (0, 0);
    for piece in pieces {
        length += limit.length(piece);
        if length > limit.max {
            break;
        }
        bytes += piece.len();
    }
    bytes
}

/// Where to cut: the last end of a paragraph, line or sentence in the second half, else of a word.
fn boundary(room: &str, rest: &str) -> Option<usize> {
    let ends = |ends: &[&str]| {
        let found = ends.iter().filter_map(|end| room.rfind(end).map(|at| at + end.len())).max();
        found.filter(|at| *at >= room.len() / 2)
    };
    let word = || {
        if rest.starts_with(char::is_whitespace) {
            return Some(room.len());
        }
        let space = room.char_indices().rev().find(|(_, c)| c.is_whitespace());
        space.map(|(at, c)| at + c.len_utf8()).filter(|at| !room[..*at].trim().is_empty())
    };
    ends(&["\n\n"])
        .or_else(|| ends(&["\n"]))
        .or_else(|| ends(&[". ", "! ", "? ", "。", "！", "？", "؟ ", "। "]))
        .or_else(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rules::capabilities::Unit;

    const fn limit(max: usize, unit: Unit) -> Limit {
        Limit { max, unit }
    }

    #[test]
    fn texts_are_cut_where_a_reader_would() {
        for (text, max, parts) in [
            ("short", 10, vec!["short"]),
            ("one two three", 8, vec!["one two", "three"]),
            ("one two three", 7, vec!["one two", "three"]),
            ("Yes. No more of it", 10, vec!["Yes.", "No more of", "it"]),
            ("A b c d. E f g h", 10, vec!["A b c d.", "E f g h"]),
            ("line one\nline two and", 15, vec!["line one", "line two and"]),
            ("abcdefghij", 4, vec!["abcd", "efgh", "ij"]),
            ("  ", 4, vec![]),
            ("a\n\n\n\nb", 3, vec!["a", "b"]),
        ] {
            assert_eq!(split(text, limit(max, Unit::Characters)), parts, "{text:?} at {max}");
        }
    }

    #[test]
    fn a_grapheme_stays_whole_in_every_unit() {
        let family = "👨‍👩‍👧";
        let text = family.repeat(3);
        for (max, unit) in [(9, Unit::Characters), (20, Unit::Bytes), (12, Unit::Utf16)] {
            assert!(split(&text, limit(max, unit)).iter().all(|part| part == family), "{unit:?}");
        }
        assert_eq!(split("e\u{301}e\u{301}", limit(3, Unit::Characters)), ["e\u{301}", "e\u{301}"]);
    }

    #[test]
    fn one_grapheme_longer_than_the_limit_is_cut_between_characters() {
        let text = format!("a{}", "\u{301}".repeat(9));
        let parts = split(&text, limit(4, Unit::Characters));
        assert_eq!(parts.concat(), text);
        assert!(parts.iter().all(|part| part.chars().count() <= 4));
    }

    #[test]
    fn the_last_part_can_be_shorter() {
        let parts = split_last("one two three four", limit(14, Unit::Characters), limit(5, Unit::Characters));
        assert_eq!(parts, ["one two three", "four"]);
        let parts = split_last("one two three", limit(14, Unit::Characters), limit(8, Unit::Characters));
        assert_eq!(parts, ["one two", "three"]);
    }
}
