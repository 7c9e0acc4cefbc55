//! C12: by which way a customer comes in. What the platform gives back of a link, an advertisement
//! or a code names a configured entry point, or itself; on platforms that give nothing back, the
//! prefilled text does. It becomes the attribute `entry_point` of the conversation.

use super::changes;
use super::joining::Place;
use crate::core::desk::Desk;
use crate::core::event::{EntryRule, SettingKey};
use crate::core::pending::Beginning;
use crate::core::state::Standing;
use schemas::records::{Content, ConversationEventKind, Referral, SetAttributes};

/// The attribute that says it.
const ATTRIBUTE: &str = "entry_point";
/// How long a link pressed waits for the first message, milliseconds.
const KEEP_MS: i64 = 24 * 3_600_000;

/// What a stint that begins with this message begins with.
pub(crate) fn beginning(desk: &mut Desk<'_>, place: Place, content: &Content) -> Beginning {
    match place {
        Place::Stint | Place::Grace => Beginning::default(),
        Place::Reopened | Place::New => {
            let pending = desk.state.pending.take(desk.context.customer_key).unwrap_or_default();
            let target = pending.target.filter(|_| place == Place::Reopened);
            let entry_point = of_message(desk, content).or(pending.entry_point);
            Beginning { target, entry_point, ..pending }
        }
    }
}

/// The entry point that a message shows.
fn of_message(desk: &Desk<'_>, content: &Content) -> Option<String> {
    let referred = content.referral.as_ref().and_then(|referral| of_referral(desk, referral));
    referred.or_else(|| content.text.as_deref().and_then(|text| by_text(desk, text)))
}

/// The customer came by a link, without a word so far.
pub(crate) fn referred(desk: &mut Desk<'_>, referral: &Referral) {
    let Some(entry_point) = of_referral(desk, referral) else { return };
    if desk.thread().is_some_and(|thread| thread.standing == Standing::Connected) {
        return note(desk, Some(entry_point));
    }
    let (customer, until) = (desk.context.customer_key, desk.now.plus_ms(KEEP_MS));
    desk.state.pending.note(customer, until, |beginning| beginning.entry_point = Some(entry_point));
}

/// Writes it into the attributes, if there is one.
pub(crate) fn note(desk: &mut Desk<'_>, entry_point: Option<String>) {
    let Some(entry_point) = entry_point else { return };
    let customer = desk.context.customer_key;
    let mut attributes = desk.state.attributes.get(&customer).cloned().unwrap_or_default();
    attributes.insert(ATTRIBUTE.to_owned(), entry_point.clone());
    desk.state.attributes.put(customer, attributes);
    let set = SetAttributes { attributes: [(ATTRIBUTE.to_owned(), entry_point)].into() };
    changes::pass_on(desk, ConversationEventKind::AttributesChanged(set));
}

fn of_referral(desk: &Desk<'_>, referral: &Referral) -> Option<String> {
    let told = referral.reference.as_deref().or(referral.source_id.as_deref())?;
    let ours = of_account(desk).find(|(_, rule)| rule.reference.as_deref() == Some(told)).map(|(id, _)| id.to_owned());
    Some(ours.unwrap_or_else(|| told.to_owned()))
}

/// The one with the longest beginning.
fn by_text(desk: &Desk<'_>, text: &str) -> Option<String> {
    let text = text.trim_start();
    let begins = |rule: &EntryRule| rule.text.as_deref().filter(|own| text.starts_with(own)).map(str::len);
    let found = of_account(desk).filter_map(|(id, rule)| Some((begins(rule)?, id)));
    found.max().map(|(_, id)| id.to_owned())
}

/// The entry points of the account.
fn of_account<'a>(desk: &'a Desk<'_>) -> impl Iterator<Item = (&'a str, &'a EntryRule)> {
    let (tenant, account) = (&desk.context.tenant, &desk.context.account_id);
    let first = SettingKey::EntryPoint(tenant.clone(), String::new());
    let of_tenant = desk.state.settings.range(first..).map_while(move |(key, setting)| match key {
        SettingKey::EntryPoint(of, id) if of == tenant => Some((id.as_str(), setting.entry_point.as_ref()?)),
        SettingKey::EntryPoint(..) | SettingKey::Tenant(_) | SettingKey::Account(..) | SettingKey::Queue(..) => None,
    });
    of_tenant.filter(move |(_, rule)| rule.account == *account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::effect::Effect;
    use crate::core::event::Setting;
    use crate::core::testing::*;
    use schemas::records::RoutingCommandKind;

    fn with_entry_points() -> Driver {
        let mut driver = driver();
        for (id, account, reference, text) in [
            ("poster", "main", Some("poster-7"), Some("Hello from the poster")),
            ("van", "main", None, Some("Hello")),
            ("other", "elsewhere", Some("ad-1"), Some("Hello from the poster, twice")),
        ] {
            let rule = EntryRule {
                account: account.into(),
                reference: reference.map(str::to_owned),
                text: text.map(str::to_owned),
            };
            let setting = Setting { entry_point: Some(rule), ..Setting::default() };
            driver.apply(configured(SettingKey::EntryPoint("acme".into(), id.into()), Some(setting)), at(0));
        }
        driver
    }

    fn arrived(effects: &[Effect]) -> (Option<String>, Option<String>) {
        let told = told(effects);
        let [RoutingCommandKind::WorkArrived(work)] = told.as_slice() else { panic!("{told:?}") };
        (work.entry_point.clone(), work.attributes.get("entry_point").cloned())
    }

    #[test]
    fn a_reference_or_the_prefilled_text_names_the_entry_point() {
        for (reference, text, expected) in [
            (Some("poster-7"), "hi", Some("poster")),
            (Some("ad-1"), "Hello", Some("ad-1")),
            (None, "Hello from the poster: open?", Some("poster")),
            (None, " Hello there", Some("van")),
            (None, "hello", None),
        ] {
            let event = change_message(message(ADA, "m1"), |heard| {
                heard.content = Content::text(text);
                heard.content.referral =
                    reference.map(|reference| Referral { reference: Some(reference.into()), ..Referral::default() });
            });
            let (of_work, attribute) = arrived(&with_entry_points().apply(event, at(1)));
            assert_eq!(of_work.as_deref(), expected, "{reference:?} {text}");
            assert_eq!(attribute.as_deref(), expected, "{reference:?} {text}");
        }
    }

    #[test]
    fn a_link_pressed_before_the_first_word_is_not_forgotten_for_a_day() {
        for (later, expected) in [(DAY - 1, Some("poster")), (DAY, None)] {
            let mut driver = with_entry_points();
            assert!(driver.apply(referral(ADA, "r1", "poster-7"), at(1)).is_empty());
            driver.advance_to(at(1 + later));
            let (of_work, attribute) = arrived(&driver.apply(message(ADA, "m1"), at(1 + later)));
            assert_eq!((of_work.as_deref(), attribute.as_deref()), (expected, expected));
        }
    }

    #[test]
    fn a_link_pressed_in_a_live_stint_changes_its_attribute_at_once() {
        let mut driver = with_entry_points();
        driver.apply(message(ADA, "m1"), at(0));
        let effects = driver.apply(referral(ADA, "r1", "poster-7"), at(1));
        assert_eq!(said(&effects), ["attributes_changed 1"]);
        assert_eq!(shown(&effects).unwrap().attributes["entry_point"], "poster");
    }
}
