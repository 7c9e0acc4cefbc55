//! C7: consent given and taken back, by word, by platform, or gathered elsewhere. Threading only
//! says it, in its place among the messages; delivery keeps the book and asks it before each claim.

use crate::core::desk::Desk;
use crate::core::event::{Heard, Setting, SettingKey};
use schemas::records::{ContentKind, ConversationEventKind, SetConsent};

/// What a purpose is called that means each of them.
const ALL: &str = "all";
/// Twilio's default words ("Advanced Opt-Out"), and their spellings in two words.
const STOP: [&str; 10] =
    ["STOP", "STOPALL", "UNSUBSCRIBE", "OPTOUT", "OPT OUT", "OPT-OUT", "REVOKE", "END", "QUIT", "CANCEL"];
const START: [&str; 2] = ["START", "UNSTOP"];
/// A longer message is a sentence.
const WORD_BYTES_MAX: usize = 64;

/// Consent was given or taken back.
pub(crate) fn changed(desk: &mut Desk<'_>, consent: SetConsent) {
    let stint_id = desk.stint().map(|stint| stint.stint_id);
    desk.say(stint_id, ConversationEventKind::ConsentChanged(consent));
}

/// What the customer wrote may be one of the words. A button pressed is an answer to its question.
pub(crate) fn heard(desk: &Desk<'_>, heard: &Heard) -> Option<SetConsent> {
    let content = &heard.content;
    let text = content.text.as_deref().filter(|text| text.len() <= WORD_BYTES_MAX)?;
    if content.content_kind != ContentKind::Text || content.payload.is_some() {
        return None;
    }
    let granted = meaning(desk, &bare(text))?;
    let source = if granted { "start_word" } else { "stop_word" };
    let proof = Some(heard.provider_event_id.clone());
    Some(SetConsent { purpose: ALL.to_owned(), granted, source: source.to_owned(), proof })
}

/// Whether a word gives or takes consent; `None`: it is about something else.
fn meaning(desk: &Desk<'_>, word: &str) -> Option<bool> {
    let tenant = desk.state.settings.get(&SettingKey::Tenant(desk.context.tenant.clone()));
    let is_one = |own: fn(&Setting) -> &Option<Vec<String>>, usual: &[&str]| match tenant.map(own) {
        Some(Some(words)) => words.iter().any(|one| bare(one) == word),
        Some(None) | None => usual.contains(&word),
    };
    if is_one(|setting| &setting.stop_words, &STOP) {
        return Some(false);
    }
    is_one(|setting| &setting.start_words, &START).then_some(true)
}

/// Upper case, one space between words, nothing around them.
fn bare(text: &str) -> String {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric()).to_uppercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::effect::Effect;
    use crate::core::testing::*;
    use schemas::records::Content;

    fn says(text: &str) -> crate::core::event::Event {
        change_message(message(ADA, text), |heard| heard.content = Content::text(text))
    }

    fn consent(effects: &[Effect]) -> Option<(String, bool, String)> {
        kinds(effects).into_iter().find_map(|kind| {
            let ConversationEventKind::ConsentChanged(consent) = kind else { return None };
            Some((consent.purpose, consent.granted, consent.source))
        })
    }

    #[test]
    fn a_stop_word_alone_takes_every_consent_back_and_a_start_word_gives_it_again() {
        for (text, expected) in [
            ("STOP", Some(false)),
            (" stop. ", Some(false)),
            ("\u{201c}Unsubscribe\u{201d}!", Some(false)),
            ("opt  out", Some(false)),
            ("StopAll", Some(false)),
            ("start", Some(true)),
            ("Unstop", Some(true)),
            ("please stop", None),
            ("stop it", None),
            ("yes", None),
            ("?!", None),
        ] {
            let found = consent(&driver().apply(says(text), at(0)));
            let source = |granted: bool| if granted { "start_word" } else { "stop_word" };
            let expected = expected.map(|granted| ("all".to_owned(), granted, source(granted).to_owned()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn the_word_is_said_after_the_message_that_holds_it() {
        assert_eq!(said(&driver().apply(says("stop"), at(0))), ["opened 0", "message_added 1", "consent_changed 1"]);
    }

    #[test]
    fn a_word_alone_begins_no_stint_and_one_in_a_live_stint_stays_there() {
        let mut driver = driver();
        let effects = driver.apply(says("stop"), at(0));
        assert!(told(&effects).is_empty() && shown(&effects).is_none(), "nobody has to do anything");
        assert_eq!(stints_of(&effects), [None, None, None]);
        let effects = driver.apply(message(ADA, "m2"), at(1));
        assert_eq!(said(&effects), ["reopened 1", "message_added 2"]);
        let in_stint = change_message(message(ADA, "m3"), |heard| heard.content = Content::text("START"));
        let effects = driver.apply(in_stint, at(2));
        assert_eq!(said(&effects), ["message_added 3", "consent_changed 3"]);
        assert_eq!(told(&effects).len(), 1);
        driver.apply(disconnect(ADA, 1, 0, 3), at(3));
        let again = change_message(message(ADA, "m4"), |heard| heard.content = Content::text("STOP"));
        let effects = driver.apply(again, at(HOUR));
        assert_eq!(said(&effects), ["message_added 4", "consent_changed 4"]);
        assert!(told(&effects).is_empty(), "inside the window either");
    }

    #[test]
    fn a_button_that_says_stop_is_an_answer() {
        let pressed = change_message(says("stop"), |heard| heard.content.content_kind = ContentKind::QuickReply);
        assert_eq!(consent(&driver().apply(pressed, at(0))), None);
    }

    #[test]
    fn a_tenants_own_words_replace_the_usual_ones() {
        let mut driver = driver();
        let own = Setting { stop_words: Some(vec!["Stopp".into()]), ..Setting::default() };
        driver.apply(configured(SettingKey::Tenant("acme".into()), Some(own)), at(0));
        assert_eq!(consent(&driver.apply(says("cancel"), at(1))), None);
        assert_eq!(consent(&driver.apply(says("stopp"), at(2))).map(|found| found.1), Some(false));
        assert_eq!(consent(&driver.apply(says("start"), at(3))).map(|found| found.1), Some(true));
    }

    #[test]
    fn consent_gathered_elsewhere_is_said_of_customers_who_never_wrote() {
        let effects = driver().apply(consents(ADA, "c1", "marketing", true), at(0));
        assert_eq!(said(&effects), ["consent_changed 0"]);
        assert_eq!(consent(&effects), Some(("marketing".into(), true, "form".into())));
    }
}
