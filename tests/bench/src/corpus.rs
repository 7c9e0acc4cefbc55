//! Generated customers and what they write: tenants by Zipf's law (exponent 1.1), texts with
//! log-normal lengths around 60 bytes, customers in random order. The same seed gives the same data.

use schemas::ids::{CustomerKey, EventId, KeySecret, TenantId};
use schemas::records::{Channel, Content, Customer, InboundEvent, InboundKind, InboundMessage};

const TENANTS: usize = 50;
const ZIPF_EXPONENT: f64 = 1.1;
const TEXT_BYTES_MEDIAN: f64 = 60.0;
const TEXT_SIGMA: f64 = 0.8;
const TEXT_BYTES_MAX: f64 = 2000.0;
/// A midnight.
const START_MS: i64 = 20_718 * 86_400_000;
const WORDS: [&str; 32] = [
    "hello", "order", "parcel", "where", "is", "my", "the", "please", "number", "late", "invoice", "refund", "thanks",
    "still", "waiting", "for", "delivery", "today", "address", "changed", "can", "you", "help", "me", "with",
    "account", "password", "again", "tomorrow", "shop", "size", "wrong",
];

/// Chance from a seed: splitmix64.
pub fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Between 0 and 1.
fn share(chance: u64) -> f64 {
    (chance >> 11) as f64 / (1u64 << 53) as f64
}

/// What is generated.
pub struct Corpus {
    seed: u64,
    first: u64,
    customers: Vec<(CustomerKey, u8)>,
}

impl Corpus {
    /// So many customers.
    pub fn new(seed: u64, customers: u64) -> Self {
        Self::from(seed, 0, customers)
    }

    /// So many customers, the first `first` ones left out: nobody else than in a corpus of those.
    pub fn from(seed: u64, first: u64, customers: u64) -> Self {
        let weights: Vec<f64> = (1..=TENANTS).map(|rank| (rank as f64).powf(-ZIPF_EXPONENT)).collect();
        let total: f64 = weights.iter().sum();
        let secret = KeySecret::new("weft-bench");
        let customers = (first..first + customers).map(|number| {
            let mut left = share(mixed(seed ^ mixed(number))) * total;
            let rank = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            let tenant = u8::try_from(rank.unwrap_or(0)).unwrap_or(0);
            let key = CustomerKey::derive(&secret, &tenant_id(tenant), "whatsapp", &"main".into(), &phone(number));
            (key, tenant)
        });
        Self { seed, first, customers: customers.collect() }
    }

    /// How many customers there are.
    pub fn customers(&self) -> u64 {
        self.customers.len() as u64
    }

    /// Who wrote the message of this number.
    pub fn customer_of(&self, message: u64) -> u64 {
        mixed(self.seed.wrapping_mul(31) ^ mixed(message ^ 0xC0FF_EE00)) % self.customers()
    }

    /// A customer's key.
    pub fn key(&self, customer: u64) -> CustomerKey {
        self.customers[usize::try_from(customer).unwrap_or(0)].0
    }

    /// A customer's tenant.
    pub fn tenant(&self, customer: u64) -> TenantId {
        tenant_id(self.customers[usize::try_from(customer).unwrap_or(0)].1)
    }

    /// The message of this number.
    pub fn message(&self, number: u64) -> InboundEvent {
        let customer = self.customer_of(number);
        let key = self.key(customer);
        let at = START_MS + i64::try_from(number).unwrap_or(0);
        let provider_event_id = provider_id(number);
        InboundEvent {
            event_id: EventId::derive(&["bench", &provider_event_id]),
            tenant: self.tenant(customer),
            occurred_at: at,
            recorded_at: at + 20,
            channel: Some(Channel::Whatsapp),
            account_id: Some("main".into()),
            customer_key: Some(key),
            customer: Some(Customer {
                id: phone(self.first + customer),
                id_type: "phone".to_owned(),
                display_name: Some(format!("Customer {customer}")),
                ..Customer::default()
            }),
            provider_event_id,
            received_at: at + 10,
            window_ends_at: Some(at + 86_400_000),
            kind: InboundKind::Message(Box::new(InboundMessage { content: Content::text(self.text(number)) })),
        }
    }

    fn text(&self, number: u64) -> String {
        let chance = mixed(self.seed ^ number.rotate_left(17));
        let (first, second) = (share(chance).max(f64::MIN_POSITIVE), share(mixed(chance)));
        let normal = (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos();
        let length = (TEXT_BYTES_MEDIAN * (TEXT_SIGMA * normal).exp()).clamp(2.0, TEXT_BYTES_MAX);
        let mut text = String::new();
        let mut chance = chance;
        while (text.len() as f64) < length {
            chance = mixed(chance);
            text.push_str(WORDS[usize::try_from(chance % 32).unwrap_or(0)]);
            text.push(' ');
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// As WhatsApp's message ids look.
pub fn provider_id(number: u64) -> String {
    format!("wamid.HBgLMTU1NTUxMjM0NTY{:020}", number)
}

/// The number in [`provider_id`].
pub fn number_of(provider_id: &str) -> Option<u64> {
    provider_id.get(provider_id.len().checked_sub(20)?..)?.parse().ok()
}

fn tenant_id(rank: u8) -> TenantId {
    TenantId::new(format!("tenant-{rank:02}"))
}

fn phone(customer: u64) -> String {
    format!("1555{customer:08}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_messages_and_another_gives_others() {
        let [one, same, other] = [1, 1, 2].map(|seed| Corpus::new(seed, 100));
        assert_eq!(one.message(7), same.message(7));
        assert_ne!(one.message(7), other.message(7));
    }

    #[test]
    fn the_largest_tenant_is_zipfs_and_texts_are_around_sixty_bytes() {
        let corpus = Corpus::new(1, 2000);
        let largest = (0..2000).filter(|customer| corpus.tenant(*customer).as_str() == "tenant-00").count();
        assert!((400..800).contains(&largest), "{largest} of 2000");
        let mut lengths: Vec<usize> = (0..999).map(|n| corpus.text(n).len()).collect();
        lengths.sort_unstable();
        assert!((50..75).contains(&lengths[499]), "{}", lengths[499]);
    }

    #[test]
    fn a_provider_id_says_its_number() {
        assert_eq!(number_of(&provider_id(12_345)), Some(12_345));
    }
}
