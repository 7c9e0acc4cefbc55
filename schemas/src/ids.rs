//! Ids are types. Derived ids come from what caused them, never from chance: a replay makes the
//! same ids, so that repeats are seen.

use std::fmt;

use compact_str::CompactString;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// First 128 bits of SHA-256 over the parts joined by `\x1f`, in UUID form (version 8, RFC 9562).
fn derive(kind: &str, parts: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    for part in parts {
        hash.update([0x1f]);
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut first = [0u8; 16];
    first.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(first).into_uuid().as_u128()
}

macro_rules! derived_id {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u128);

        impl $name {
            /// The id that these causes always have.
            pub fn derive(parts: &[&str]) -> Self {
                Self(derive($kind, parts))
            }

            /// The id as a number.
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// An id from its number, for packed state.
            pub const fn from_u128(id: u128) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Uuid::from_u128(self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Ok(Self(Uuid::try_parse(text)?.as_u128()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = [0u8; uuid::fmt::Hyphenated::LENGTH];
                serializer.serialize_str(Uuid::from_u128(self.0).hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(HexVisitor).map(Self)
            }
        }
    )*};
}

derived_id! {
    /// One record; derived from the record that caused it and its ordinal there.
    EventId = "event";
    /// One message, in or out.
    MessageId = "message";
    /// The lasting thread of one customer.
    ConversationId = "conversation";
    /// One connected period of a conversation.
    StintId = "stint";
    /// One agent's share of a stint.
    PartId = "part";
    /// One asked-for change; the same command asked twice has the same id.
    CommandId = "command";
    /// One try to deliver.
    AttemptId = "attempt";
}

impl ConversationId {
    /// A customer's conversation by its number, counted from 1.
    pub fn of(customer: CustomerKey, number: u32) -> Self {
        Self::derive(&[&customer.to_string(), &number.to_string()])
    }
}

/// Reads a UUID with or without hyphens.
struct HexVisitor;

impl Visitor<'_> for HexVisitor {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 hex digits, hyphens allowed")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u128, E> {
        Uuid::try_parse(text).map(|id| id.as_u128()).map_err(E::custom)
    }
}

macro_rules! given_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            /// The id as it was given.
            pub fn new(id: impl AsRef<str>) -> Self {
                Self(CompactString::new(id))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether there is none.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self::new(id)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

given_id! {
    /// A company that uses weft; part of every row and (hashed in) every key.
    TenantId;
    /// One configured presence on a channel, as the tenant named it.
    AccountId;
    /// One webhook address.
    EndpointId;
    /// A web site or an app from which guests write.
    DeploymentId;
    /// Where conversations wait.
    QueueId;
    /// Who works.
    AgentId;
    /// A flow.
    FlowId;
    /// What an agent is good for.
    SkillId;
    /// What an agent speaks.
    LanguageId;
    /// A wrap-up code.
    WrapUpCodeId;
    /// Whom routing decides about together: the tenant, or `tenant/division`.
    RoutingDomain;
    /// A program that calls our API.
    ClientId;
}

/// Key of all customer-keyed topics: 128 bits of an HMAC, 32 hex digits; holds no personal data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CustomerKey([u64; 2]);

/// Two words rather than one: rows of state are packed to 8 bytes, not to 16.
const fn words(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

impl CustomerKey {
    /// First 128 bits of HMAC-SHA256(secret, tenant ␟ channel ␟ account ␟ platform's canonical
    /// customer id), ␟ being `\x1f`.
    pub fn derive(secret: &KeySecret, tenant: &TenantId, channel: &str, account: &AccountId, customer: &str) -> Self {
        let mut mac = secret.mac();
        for (n, part) in [tenant.as_str(), channel, account.as_str(), customer].iter().enumerate() {
            if n > 0 {
                mac.update(&[0x1f]);
            }
            mac.update(part.as_bytes());
        }
        let digest = mac.finalize().into_bytes();
        let mut first = [0u8; 16];
        first.copy_from_slice(&digest[..16]);
        Self(words(u128::from_be_bytes(first)))
    }

    /// The key as a number, for packed state.
    pub const fn as_u128(self) -> u128 {
        (self.0[0] as u128) << 64 | self.0[1] as u128
    }
}

impl fmt::Display for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0u8; uuid::fmt::Simple::LENGTH];
        f.write_str(Uuid::from_u128(self.as_u128()).simple().encode_lower(&mut buffer))
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for CustomerKey {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Ok(Self(words(Uuid::try_parse(text)?.as_u128())))
    }
}

impl Serialize for CustomerKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [0u8; uuid::fmt::Simple::LENGTH];
        serializer.serialize_str(Uuid::from_u128(self.as_u128()).simple().encode_lower(&mut buffer))
    }
}

impl<'de> Deserialize<'de> for CustomerKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HexVisitor).map(|number| Self(words(number)))
    }
}

/// `WEFT_KEY_SECRET`: makes customer keys; never rotates.
#[derive(Clone)]
pub struct KeySecret(Vec<u8>);

impl KeySecret {
    /// The secret's bytes as configured.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Self(secret.into())
    }

    /// What may be shown of it: eight hex digits that tell two secrets apart.
    pub fn fingerprint(&self) -> String {
        let mut mac = self.mac();
        mac.update(b"weft key secret fingerprint");
        let digest = mac.finalize().into_bytes();
        hex(&digest[..4])
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySecret({})", self.fingerprint())
    }
}

/// An id as it leaves the house: `customer_key.id.mac`, so that what comes back finds its
/// partition and cannot be forged (16 bytes of HMAC-SHA256, in hex).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutwardId {
    /// Whose it is.
    pub customer_key: CustomerKey,
    /// The message or turn.
    pub id: MessageId,
}

impl OutwardId {
    /// The text that goes out.
    pub fn to_text(self, secret: &KeySecret) -> String {
        let unsigned = format!("{}.{}", self.customer_key, Uuid::from_u128(self.id.as_u128()).simple());
        let mac = hex(&self.mac(secret));
        format!("{unsigned}.{mac}")
    }

    /// Reads what came back; `None` if it is not ours.
    pub fn parse(text: &str, secret: &KeySecret) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let (key, id, mac) = (parts.next()?, parts.next()?, parts.next()?);
        let outward = Self { customer_key: key.parse().ok()?, id: id.parse().ok()? };
        let given = Uuid::try_parse(mac).ok()?.into_bytes();
        outward.verifier(secret).verify_truncated_left(&given).ok()?;
        Some(outward)
    }

    fn mac(self, secret: &KeySecret) -> [u8; 16] {
        let digest = self.verifier(secret).finalize().into_bytes();
        let mut first = [0u8; 16];
        first.copy_from_slice(&digest[..16]);
        first
    }

    fn verifier(self, secret: &KeySecret) -> Hmac<Sha256> {
        let mut mac = secret.mac();
        mac.update(b"outward id");
        mac.update(&self.customer_key.as_u128().to_be_bytes());
        mac.update(&self.id.as_u128().to_be_bytes());
        mac
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_causes_make_the_same_id_and_other_causes_another() {
        assert_eq!(MessageId::derive(&["acme", "m1"]), MessageId::derive(&["acme", "m1"]));
        assert_ne!(MessageId::derive(&["acme", "m1"]), MessageId::derive(&["acme", "m2"]));
        assert_ne!(MessageId::derive(&["ab", "c"]), MessageId::derive(&["a", "bc"]));
        assert_ne!(MessageId::derive(&["x"]).as_u128(), EventId::derive(&["x"]).as_u128());
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = StintId::derive(&["a"]);
        assert_eq!(id.to_string().parse::<StintId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<StintId>(&json).unwrap(), id);
    }

    #[test]
    fn a_customer_key_is_the_hmac_of_its_four_parts() {
        let key =
            CustomerKey::derive(&KeySecret::new("secret"), &"acme".into(), "whatsapp", &"main".into(), "16505551234");
        // printf 'acme\x1fwhatsapp\x1fmain\x1f16505551234' | openssl dgst -sha256 -hmac secret
        assert_eq!(key.to_string().len(), 32);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(b"acme\x1fwhatsapp\x1fmain\x1f16505551234");
        let hex: String = mac.finalize().into_bytes()[..16].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(key.to_string(), hex);
    }

    #[test]
    fn an_outward_id_comes_back_and_a_changed_one_does_not() {
        let secret = KeySecret::new("secret");
        let outward = OutwardId {
            customer_key: CustomerKey::derive(&secret, &"acme".into(), "open", &"shop".into(), "ada"),
            id: MessageId::derive(&["m"]),
        };
        let text = outward.to_text(&secret);
        assert_eq!(OutwardId::parse(&text, &secret), Some(outward));
        assert_eq!(OutwardId::parse(&text, &KeySecret::new("other")), None);
        let forged = text.replacen(&outward.id.to_string().replace('-', ""), &"0".repeat(32), 1);
        assert_eq!(OutwardId::parse(&forged, &secret), None);
    }
}
