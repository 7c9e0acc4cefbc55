//! Who the customer is (C11): the key is made from the canonical id. A spelling that threading
//! has told as an alias leads to that; otherwise the first id heard is canonical, numbers before
//! user ids, because a number is what customers of old are known by.

use outreach::is_user_id;
use schemas::ids::{AccountId, CustomerKey, KeySecret, OutwardId, TenantId};
use schemas::records::{Channel, Customer, InboundKind};

use crate::core::{Directory, Party};

/// Where a customer is known.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The company.
    pub tenant: &'a TenantId,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: Option<&'a AccountId>,
}

impl At<'_> {
    /// The key of somebody whom the platform calls so.
    pub(crate) fn key(&self, id: &str, secret: &KeySecret) -> CustomerKey {
        let none = AccountId::default();
        CustomerKey::derive(secret, self.tenant, self.channel.as_str(), self.account.unwrap_or(&none), id)
    }
}

/// The person of a party, under their canonical id.
pub fn canonical(party: Party, at: At<'_>, directory: &Directory, secret: &KeySecret) -> Customer {
    let by_alias = party.ids.iter().find_map(|id| directory.canonical_id(at.key(&id.id, secret)));
    let first = party.ids.first().map(|id| id.id.as_str()).unwrap_or_default();
    let id = by_alias.unwrap_or(first).to_owned();
    let heard_type = party.ids.iter().find(|heard| heard.id == id).map(|heard| heard.id_type);
    let id_type = heard_type.unwrap_or(if is_user_id(&id) { "user_id" } else { "phone" }).to_owned();
    let aliases = party.ids.into_iter().map(|heard| heard.id).filter(|alias| *alias != id).collect();
    Customer {
        id,
        id_type,
        aliases,
        display_name: party.display_name,
        first_name: party.first_name,
        last_name: party.last_name,
        image_url: party.image_url,
        locale: None,
    }
}

/// The customer's key: for a receipt or an echo that brings back our own id, the one in it; else
/// the one of the canonical id.
pub fn key(kind: &InboundKind, customer: Option<&Customer>, at: At<'_>, secret: &KeySecret) -> Option<CustomerKey> {
    let brought_back = if let InboundKind::Receipt(receipt) = kind {
        receipt.callback_data.as_deref()
    } else if let InboundKind::Echo(echo) = kind {
        echo.callback_data.as_deref()
    } else {
        None
    };
    let ours = brought_back.and_then(|text| OutwardId::parse(text, secret)).map(|ours| ours.customer_key);
    ours.or_else(|| customer.map(|customer| at.key(&customer.id, secret)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::PartyId;
    use crate::core::tests::{alias, secret};
    use schemas::ids::MessageId;
    use schemas::records::{InboundReceipt, InboundTyping};

    fn at<'a>(tenant: &'a TenantId, account: &'a AccountId) -> At<'a> {
        At { tenant, channel: Channel::Whatsapp, account: Some(account) }
    }

    fn party(ids: &[&str]) -> Party {
        let typed =
            |id: &&str| PartyId { id: (*id).to_owned(), id_type: if is_user_id(id) { "user_id" } else { "phone" } };
        Party { ids: ids.iter().map(typed).collect(), ..Party::default() }
    }

    #[test]
    fn every_spelling_of_a_person_leads_to_the_canonical_one() {
        let (tenant, account) = (TenantId::new("acme"), AccountId::new("main"));
        let mut knowing = Directory::default();
        knowing.learn(alias("acme", "main", "US.7", "4179"));
        knowing.learn(alias("acme", "main", "4170", "US.8"));
        knowing.learn(alias("acme", "other", "4171", "4172"));
        for (heard, id, id_type, aliases) in [
            (vec!["4179"], "4179", "phone", vec![]),
            (vec!["4179", "US.7"], "4179", "phone", vec!["US.7"]),
            (vec!["US.7"], "4179", "phone", vec!["US.7"]),
            (vec!["4170"], "US.8", "user_id", vec!["4170"]),
            (vec!["4170", "US.8"], "US.8", "user_id", vec!["4170"]),
            (vec!["US.9"], "US.9", "user_id", vec![]),
            (vec!["4171"], "4171", "phone", vec![]),
        ] {
            let customer = canonical(party(&heard), at(&tenant, &account), &knowing, &secret());
            assert_eq!((customer.id.as_str(), customer.id_type.as_str()), (id, id_type), "{heard:?}");
            assert_eq!(customer.aliases, aliases, "{heard:?}");
        }
        knowing.forget(&at(&tenant, &account).key("US.7", &secret()).to_string());
        assert_eq!(canonical(party(&["US.7"]), at(&tenant, &account), &knowing, &secret()).id, "US.7");
    }

    #[test]
    fn a_receipt_with_our_own_id_goes_to_whom_the_message_went_whatever_it_says_itself() {
        let (tenant, account) = (TenantId::new("acme"), AccountId::new("main"));
        let at = at(&tenant, &account);
        let ours = OutwardId { customer_key: at.key("4179", &secret()), id: MessageId::derive(&["m"]) };
        let receipt = |callback: &str| {
            InboundKind::Receipt(InboundReceipt { callback_data: Some(callback.to_owned()), ..Default::default() })
        };
        let ada = canonical(party(&["4180"]), at, &Directory::default(), &secret());
        let typing = InboundKind::Typing(InboundTyping::default());
        let text = ours.to_text(&secret());
        for (kind, customer, expected) in [
            (receipt(&text), Some(&ada), Some("4179")),
            (receipt(&text), None, Some("4179")),
            (receipt("somebody else's"), Some(&ada), Some("4180")),
            (receipt(&text.replace('a', "b")), None, None),
            (typing.clone(), Some(&ada), Some("4180")),
            (typing, None, None),
        ] {
            let expected = expected.map(|id| at.key(id, &secret()));
            assert_eq!(key(&kind, customer, at, &secret()), expected, "{kind:?}");
        }
    }
}
