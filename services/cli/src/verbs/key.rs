//! `weft key`: whose partition is this.

use clap::Args;
use schemas::ids::{AccountId, CustomerKey, TenantId};
use schemas::records::Channel;
use serde_json::json;

use crate::output::{Output, nearest};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Print the customer key of a platform's customer id
///
/// The key is what records about this customer are keyed by; it holds no personal data.
#[derive(Args)]
#[command(after_help = "Example:\n  weft key acme whatsapp main 16505551234")]
pub(super) struct Key {
    tenant: String,
    /// Channel kind: whatsapp, facebook, instagram, twitter, open or web
    channel: String,
    /// Channel account, as the tenant named it
    account: String,
    /// The platform's canonical id of the customer
    customer: String,
}

impl Key {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let known = || Channel::ALL.iter().filter(|one| **one != Channel::Unknown).map(|one| one.as_str());
        if !known().any(|one| one == self.channel) {
            let near =
                nearest(&self.channel, known()).map(|near| format!(", did you mean {near}?")).unwrap_or_default();
            return Err(Failure::Usage(format!("unknown channel {}{near}", self.channel)));
        }
        let secret = reach.config.need_key_secret()?;
        let (tenant, account) = (TenantId::new(&self.tenant), AccountId::new(&self.account));
        let key = CustomerKey::derive(&secret, &tenant, &self.channel, &account, &self.customer);
        if output.is_json() {
            output.line(json!({ "customer_key": key, "key_fingerprint": secret.fingerprint() }))?;
        } else {
            output.line(key)?;
        }
        Ok(Verdict::Good)
    }
}
