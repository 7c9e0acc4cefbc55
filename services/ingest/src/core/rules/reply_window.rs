//! Until when the platform lets us answer freely (C6): on Meta's channels for 24 hours after what
//! the customer wrote or pressed; on Messenger also after a reaction, an opt-in or coming by a link
//! (Meta, "Messenger Platform policy overview"). X and open messaging have no such limit.

use schemas::records::{Channel, InboundKind, Millis};

const DAY_MS: Millis = 86_400_000;

/// The end of the reply window that an event opens; `None` if it opens none.
pub fn ends_at(channel: Channel, kind: &InboundKind, occurred_at: Millis) -> Option<Millis> {
    let says = matches!(kind, InboundKind::Message(_) | InboundKind::Postback(_));
    let acts = matches!(kind, InboundKind::Reaction(_) | InboundKind::OptIn(_) | InboundKind::Referral(_));
    let opens = match channel {
        Channel::Whatsapp | Channel::Instagram => says,
        Channel::Facebook => says || acts,
        Channel::Twitter | Channel::Open | Channel::Web | Channel::Unknown => false,
    };
    opens.then(|| occurred_at.saturating_add(DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::records::{InboundReaction, InboundReceipt, InboundReferral};

    #[test]
    fn what_a_customer_says_on_metas_channels_opens_a_day() {
        let message = InboundKind::Message(Box::default());
        for (channel, kind, expected) in [
            (Channel::Whatsapp, message.clone(), Some(DAY_MS + 7)),
            (Channel::Facebook, message.clone(), Some(DAY_MS + 7)),
            (Channel::Instagram, message.clone(), Some(DAY_MS + 7)),
            (Channel::Twitter, message.clone(), None),
            (Channel::Facebook, InboundKind::Reaction(InboundReaction::default()), Some(DAY_MS + 7)),
            (Channel::Facebook, InboundKind::Referral(InboundReferral::default()), Some(DAY_MS + 7)),
            (Channel::Instagram, InboundKind::Reaction(InboundReaction::default()), None),
            (Channel::Facebook, InboundKind::Receipt(InboundReceipt::default()), None),
            (Channel::Open, message, None),
            (Channel::Whatsapp, InboundKind::Receipt(InboundReceipt::default()), None),
            (Channel::Whatsapp, InboundKind::Reaction(InboundReaction::default()), None),
            (Channel::Whatsapp, InboundKind::Echo(Box::default()), None),
        ] {
            assert_eq!(ends_at(channel, &kind, 7), expected, "{channel} {kind:?}");
        }
    }
}
