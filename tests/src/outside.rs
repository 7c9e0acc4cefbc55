//! The other side of outbound messages: the simulated providers, seen through their customers' eyes.

use crate::company::Account;
use crate::customers::{Customer, Reply};

/// WhatsApp and the shop's server.
#[derive(Debug)]
pub struct Outside {}

impl Outside {
    /// What reached a customer's side, in the order it came.
    pub fn replies_to(&self, customer: &Customer) -> Vec<Reply> {
        match customer.account {
            Account::Parcels | Account::Billing | Account::Shop => Vec::new(),
        }
    }
}
