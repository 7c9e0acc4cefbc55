//! Writing first: whom somebody means by an id, and what a template says. Used where programs do so (ingest, the
//! `weft` command) and where agents do (gateway). Pure.

use std::collections::BTreeMap;

use schemas::config::Template;
use schemas::records::{Channel, Content, ContentKind, Customer};

/// Somebody whom people call so on a channel, as the channel writes its ids; by this id the key is made, unless it
/// is another spelling of a known one.
pub fn called(channel: Channel, id: &str) -> Customer {
    let (id, id_type) = match channel {
        Channel::Whatsapp if is_user_id(id) => (id.to_owned(), "user_id"),
        Channel::Whatsapp => (id.chars().filter(char::is_ascii_digit).collect(), "phone"),
        Channel::Facebook | Channel::Instagram | Channel::Twitter => (id.to_owned(), "user_id"),
        Channel::Open | Channel::Web | Channel::Unknown => (id.to_owned(), "opaque"),
    };
    Customer { id, id_type: id_type.to_owned(), ..Customer::default() }
}

/// The same person under the id that their key is made from; the one they were called by becomes another spelling.
pub fn known_as(called: Customer, canonical: &str) -> Customer {
    if canonical == called.id {
        return called;
    }
    let id_type = if is_user_id(canonical) { "user_id" } else { "phone" }.to_owned();
    Customer { id: canonical.to_owned(), id_type, aliases: vec![called.id.clone()], ..called }
}

/// Whether an id is a WhatsApp business-scoped user id (`CC.` and more) and no number.
pub fn is_user_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    bytes.len() > 3 && bytes[..2].iter().all(u8::is_ascii_uppercase) && bytes[2] == b'.'
}

/// A template with its holes filled, for a channel.
///
/// # Errors
/// The first hole for which there is nothing.
pub fn filled(template: &Template, channel: Channel, values: &BTreeMap<usize, String>) -> Result<Content, usize> {
    let mut text = template.text.clone();
    let holes = (1..).take_while(|no| template.text.contains(&hole(*no))).count();
    for no in 1..=holes {
        text = text.replace(&hole(no), values.get(&no).ok_or(no)?);
    }
    let content = Content::text(text);
    let Some(approved) = template.approved.as_ref().filter(|_| channel == Channel::Whatsapp) else {
        return Ok(content);
    };
    let named = [("template.name", &approved.name), ("template.language", &approved.language)];
    let named = named.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
    let body = (1..=holes).filter_map(|no| Some((format!("template.body.{no}"), values.get(&no)?.clone())));
    Ok(Content { content_kind: ContentKind::Template, provider_fields: named.chain(body).collect(), ..content })
}

fn hole(no: usize) -> String {
    format!("{{{{{no}}}}}")
}

#[cfg(test)]
mod tests {
    use schemas::config::ApprovedTemplate;

    use super::*;

    #[test]
    fn a_template_is_approved_on_whatsapp_and_a_text_elsewhere() {
        let approved = Some(ApprovedTemplate { name: "parcel".into(), language: "en".into() });
        let text = "Hello {{1}}, it comes {{2}}. Bye {{1}}!".to_owned();
        let template = Template { text, approved, ..Template::default() };
        let values = [(1, "Ada".to_owned()), (2, "today".to_owned())].into();
        let there = filled(&template, Channel::Whatsapp, &values).unwrap();
        assert_eq!(there.content_kind, ContentKind::Template);
        assert_eq!(there.provider_fields["template.name"], "parcel");
        assert_eq!(there.provider_fields["template.body.2"], "today");
        let here = filled(&template, Channel::Open, &values).unwrap();
        assert_eq!(
            (here.content_kind, here.text.as_deref()),
            (ContentKind::Text, Some("Hello Ada, it comes today. Bye Ada!"))
        );
        assert_eq!(filled(&template, Channel::Open, &[(1, "Ada".to_owned())].into()), Err(2));
    }

    #[test]
    fn an_id_is_written_as_its_channel_writes_it() {
        for (channel, id, expected) in [
            (Channel::Whatsapp, "+1 (650) 555-1234", ("16505551234", "phone")),
            (Channel::Whatsapp, "US.13491208655302741918", ("US.13491208655302741918", "user_id")),
            (Channel::Twitter, "2244994945", ("2244994945", "user_id")),
            (Channel::Open, "Ada Lovelace", ("Ada Lovelace", "opaque")),
        ] {
            let customer = called(channel, id);
            assert_eq!((customer.id.as_str(), customer.id_type.as_str()), expected);
        }
        let known = known_as(called(Channel::Whatsapp, "US.1"), "4179");
        assert_eq!(
            (known.id.as_str(), known.id_type.as_str(), known.aliases.as_slice()),
            ("4179", "phone", ["US.1".to_owned()].as_slice())
        );
    }
}
