//! Which account an event is about: the tenant's one that the platform calls so, reached through
//! the endpoint the request came to. What a business account is told about itself belongs to none
//! of its numbers.

use schemas::ids::{AccountId, CustomerKey, KeySecret};
use schemas::records::Channel;

use super::customer::At;
use crate::core::{Arrival, Directory, HeardAccount, Refusal};

/// The account; `None` for what is about a group of accounts.
///
/// # Errors
/// [`Refusal::UnknownAccount`].
pub fn find(
    directory: &Directory,
    arrival: &Arrival,
    channel: Channel,
    heard: &HeardAccount,
) -> Result<Option<AccountId>, Refusal> {
    match heard {
        HeardAccount::Provider(id) => directory
            .account(&arrival.tenant, arrival.endpoint.as_ref(), channel, id)
            .map(|account| Some(account.clone()))
            .ok_or_else(|| Refusal::UnknownAccount(id.clone())),
        HeardAccount::Group(_) => Ok(None),
        HeardAccount::Unnamed => Err(Refusal::UnknownAccount(String::new())),
    }
}

/// The key of what is about the account and nobody else: always the same partition.
pub fn key(at: At<'_>, heard: &HeardAccount, secret: &KeySecret) -> CustomerKey {
    let group = match heard {
        HeardAccount::Group(id) => AccountId::new(id),
        HeardAccount::Provider(_) | HeardAccount::Unnamed => AccountId::default(),
    };
    CustomerKey::derive(secret, at.tenant, at.channel.as_str(), at.account.unwrap_or(&group), "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tests::{arrival, directory};

    #[test]
    fn an_account_is_found_by_what_the_platform_calls_it_and_through_its_own_endpoint_alone() {
        let provider = |id: &str| HeardAccount::Provider(id.to_owned());
        let unknown = |id: &str| Err(Refusal::UnknownAccount(id.to_owned()));
        let main = || Ok(Some(AccountId::new("main")));
        for (channel, tenant, endpoint, heard, expected) in [
            (Channel::Whatsapp, "acme", Some("hook"), provider("106"), main()),
            (Channel::Whatsapp, "acme", Some("other"), provider("106"), unknown("106")),
            (Channel::Whatsapp, "acme", Some("hook"), provider("107"), unknown("107")),
            (Channel::Whatsapp, "evil", Some("hook"), provider("106"), unknown("106")),
            (Channel::Facebook, "acme", Some("hook"), provider("106"), unknown("106")),
            (Channel::Open, "acme", None, provider("shop"), Ok(Some(AccountId::new("shop")))),
            (Channel::Whatsapp, "acme", Some("hook"), HeardAccount::Group("900".into()), Ok(None)),
            (Channel::Whatsapp, "acme", Some("hook"), HeardAccount::Unnamed, unknown("")),
        ] {
            let found = find(&directory(), &arrival(tenant, endpoint), channel, &heard);
            assert_eq!(found, expected, "{channel} {tenant} {endpoint:?} {heard:?}");
        }
    }
}
