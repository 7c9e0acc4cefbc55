//! What programs ask for on our own initiative: agentless messages (T7) and consents gathered
//! elsewhere (C7), as commands to threading.

use schemas::ids::{AccountId, ClientId, CommandId, CustomerKey, EventId, KeySecret, TenantId};
use schemas::records::{
    Channel, Content, ConversationCommand, ConversationCommandKind, Customer, Millis, SendMessage, Sender, SenderKind,
    SetConsent, Target,
};

use super::Directory;
use super::rules::customer::At;

/// Who asks, and when.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Whose program it is.
    pub tenant: TenantId,
    /// The program.
    pub client: ClientId,
    /// The asker's own id of the request.
    pub key: String,
    /// When it reached us.
    pub at: Millis,
}

/// Whom it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Whom {
    /// The account they are known by.
    pub account: AccountId,
    /// Its channel.
    pub channel: Channel,
    /// They, under their canonical id.
    pub customer: Customer,
    /// Their key.
    pub key: CustomerKey,
}

/// A message that begins with us.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// What it says.
    pub content: Content,
    /// What it is sent for.
    pub purpose: Option<String>,
    /// Who the answer is for.
    pub target: Option<Target>,
    /// When it is no longer worth sending.
    pub expires_at: Option<Millis>,
}

/// The person that an asker calls so on this account.
pub fn whom(
    directory: &Directory,
    secret: &KeySecret,
    tenant: &TenantId,
    (account, channel): (AccountId, Channel),
    id: &str,
) -> Whom {
    let at = At { tenant, channel, account: Some(&account) };
    let called = ::outreach::called(channel, id);
    let canonical = directory.canonical_id(at.key(&called.id, secret)).map(str::to_owned);
    let customer = canonical.map_or_else(|| called.clone(), |id| ::outreach::known_as(called.clone(), &id));
    let key = at.key(&customer.id, secret);
    Whom { account, channel, customer, key }
}

/// A message asked for by a program. The same key for the same person makes the same ids.
pub fn agentless(asker: &Asker, whom: Whom, message: Message) -> ConversationCommand {
    let send = SendMessage {
        sender: Sender { kind: SenderKind::Api, id: Some(asker.client.to_string()) },
        owner_epoch: None,
        content: message.content,
        purpose: message.purpose,
        expires_at: message.expires_at,
        already_sent: false,
        target: message.target,
    };
    command(asker, "agentless", whom, asker.at, ConversationCommandKind::Send(Box::new(send)))
}

/// Consent gathered elsewhere, given or taken back then.
pub fn consent(asker: &Asker, whom: Whom, at: Millis, consent: SetConsent) -> ConversationCommand {
    command(asker, "consent", whom, at, ConversationCommandKind::SetConsent(consent))
}

fn command(asker: &Asker, what: &str, whom: Whom, at: Millis, kind: ConversationCommandKind) -> ConversationCommand {
    let key = whom.key.to_string();
    let causes = [what, asker.tenant.as_str(), asker.client.as_str(), &key, &asker.key];
    ConversationCommand {
        event_id: EventId::derive(&causes),
        tenant: asker.tenant.clone(),
        occurred_at: at,
        recorded_at: asker.at,
        command_id: CommandId::derive(&causes),
        channel: whom.channel,
        account_id: whom.account,
        customer_key: whom.key,
        customer: Some(whom.customer),
        conversation_id: None,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tests::{alias, directory, secret};

    fn called(id: &str) -> Whom {
        whom(&directory(), &secret(), &"acme".into(), ("main".into(), Channel::Whatsapp), id)
    }

    #[test]
    fn a_number_is_the_same_person_however_it_is_written() {
        for id in ["16505551234", "+16505551234", "+1 (650) 555-1234"] {
            let whom = called(id);
            assert_eq!((whom.customer.id.as_str(), whom.customer.id_type.as_str()), ("16505551234", "phone"), "{id}");
            assert_eq!(whom.key, called("16505551234").key);
        }
        assert_eq!(called("US.13491208655302741918").customer.id_type, "user_id");
    }

    #[test]
    fn another_spelling_leads_to_the_canonical_id() {
        let mut directory = directory();
        directory.learn(alias("acme", "main", "US.1", "4179"));
        let whom = whom(&directory, &secret(), &"acme".into(), ("main".into(), Channel::Whatsapp), "US.1");
        assert_eq!((whom.customer.id.as_str(), whom.key), ("4179", called("4179").key));
    }

    #[test]
    fn the_same_key_makes_the_same_command_for_one_person_and_another_for_another() {
        let asker = |key: &str, at| Asker { tenant: "acme".into(), client: "shop".into(), key: key.into(), at };
        let id = |asker: &Asker, to: &str| agentless(asker, called(to), Message::default()).command_id;
        assert_eq!(id(&asker("k", 1), "41"), id(&asker("k", 2), "41"));
        assert_ne!(id(&asker("k", 1), "41"), id(&asker("k", 1), "42"));
        assert_ne!(id(&asker("k", 1), "41"), id(&asker("j", 1), "41"));
    }
}
