//! What the platform tells of a person: each message brings some of it, none brings all.

use crate::core::desk::Desk;
use schemas::records::Customer;

/// Takes what a message tells anew of its sender; what it leaves out stays.
pub(crate) fn refresh(desk: &mut Desk<'_>, heard: &Customer) {
    let Some(stint) = desk.stint_mut() else { return };
    let known = &mut stint.customer;
    known.id.clone_from(&heard.id);
    known.id_type.clone_from(&heard.id_type);
    for alias in &heard.aliases {
        if !known.aliases.contains(alias) {
            known.aliases.push(alias.clone());
        }
    }
    for (known, heard) in [
        (&mut known.display_name, &heard.display_name),
        (&mut known.first_name, &heard.first_name),
        (&mut known.last_name, &heard.last_name),
        (&mut known.image_url, &heard.image_url),
        (&mut known.locale, &heard.locale),
    ] {
        if heard.is_some() {
            known.clone_from(heard);
        }
    }
}

/// What to call a person.
pub(crate) fn name_of(customer: &Customer) -> Option<String> {
    let parts: Vec<_> = [&customer.first_name, &customer.last_name].into_iter().flatten().cloned().collect();
    customer.display_name.clone().or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::name_of;
    use crate::core::testing::*;
    use schemas::records::Customer;

    #[test]
    fn a_name_once_heard_stays_until_another_is_heard() {
        let named = |id, name: Option<&str>| {
            change_message(message(ADA, id), |heard| {
                heard.customer.display_name = name.map(str::to_owned);
            })
        };
        let mut driver = driver();
        for (id, name, known) in [("m1", Some("Ada"), "Ada"), ("m2", None, "Ada"), ("m3", Some("Ada King"), "Ada King")]
        {
            let view = shown(&driver.apply(named(id, name), at(0))).unwrap();
            assert_eq!(view.customer.display_name.as_deref(), Some(known));
        }
    }

    #[test]
    fn a_person_is_called_by_the_display_name_or_the_names_given() {
        let person = |display: Option<&str>, first: Option<&str>, last: Option<&str>| Customer {
            display_name: display.map(str::to_owned),
            first_name: first.map(str::to_owned),
            last_name: last.map(str::to_owned),
            ..Customer::default()
        };
        for (customer, name) in [
            (person(Some("ada"), Some("Ada"), None), Some("ada")),
            (person(None, Some("Ada"), Some("King")), Some("Ada King")),
            (person(None, None, Some("King")), Some("King")),
            (person(None, None, None), None),
        ] {
            assert_eq!(name_of(&customer).as_deref(), name);
        }
    }
}
