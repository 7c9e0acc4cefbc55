//! D3: what a provider's refusal means, one table per channel.

mod meta;
mod open;
mod twitter;
mod whatsapp;

use schemas::records::Channel;

use crate::core::event::Answer;

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It will never work; the reason.
    Permanent(&'static str),
    /// It may work later; the provider has a fault of its own.
    Retry(&'static str),
    /// It may work for this message after so many milliseconds; others are not concerned.
    Wait(i64, &'static str),
    /// Too much for this account: nothing for so many milliseconds.
    Throttled(i64),
    /// Nothing of this account will work until somebody mends it.
    Credentials,
    /// It may have worked.
    Unclear(&'static str),
    /// The provider says that it worked although it answers an error.
    Probably(&'static str),
}

/// What this refusal means on this channel.
pub fn verdict(channel: Channel, answer: &Answer) -> Verdict {
    match channel {
        Channel::Whatsapp => whatsapp::verdict(answer),
        Channel::Open => open::verdict(answer),
        Channel::Facebook | Channel::Instagram => meta::verdict(answer),
        Channel::Twitter => twitter::verdict(answer),
        Channel::Web | Channel::Unknown => Verdict::Permanent("unsupported_channel"),
    }
}

/// The reason of a failure that a receipt tells, by the provider's code.
pub fn receipt_reason(channel: Channel, code: Option<&str>) -> &'static str {
    let code = code.and_then(|code| code.parse().ok());
    match channel {
        Channel::Whatsapp => code.and_then(whatsapp::reason).unwrap_or("rejected"),
        Channel::Open | Channel::Facebook | Channel::Instagram | Channel::Twitter | Channel::Web | Channel::Unknown => {
            "rejected"
        }
    }
}
