//! C11: one person, several platform ids. The key is made from the canonical one; the others are
//! told to ingest, so that both spellings reach the same conversation.

use crate::core::desk::Desk;
use schemas::records::Customer;

/// Tells of spellings that this stint has not heard yet.
pub(crate) fn learn(desk: &mut Desk<'_>, heard: &Customer) {
    let known = desk.stint().map(|stint| stint.customer.aliases.clone()).unwrap_or_default();
    for alias in &heard.aliases {
        if *alias != heard.id && !known.contains(alias) {
            desk.name_alias(&heard.id, alias);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::core::effect::Effect;
    use crate::core::testing::*;

    #[test]
    fn an_alias_is_told_once_a_stint() {
        let mut driver = driver();
        let mut told = Vec::new();
        for (n, id) in ["m1", "m2", "m3"].into_iter().enumerate() {
            let event = change_message(message(ADA, id), |heard| {
                heard.customer.aliases = vec!["ada".into(), if n < 2 { "US.1" } else { "US.2" }.into()];
            });
            for effect in driver.apply(event, at(0)) {
                if let Effect::Named(name) = effect {
                    told.push((name.canonical_id, name.alias));
                }
            }
        }
        assert_eq!(told, [("ada".to_owned(), "US.1".to_owned()), ("ada".to_owned(), "US.2".to_owned())]);
    }
}
