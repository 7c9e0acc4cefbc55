//! Until when the platform lets us answer freely (C6): on WhatsApp for 24 hours after what the
//! customer wrote or pressed; open messaging has no such limit.

use schemas::records::{Channel, InboundKind, Millis};

const DAY_MS: Millis = 86_400_000;

/// The end of the reply window that an event opens; `None` if it opens none.
pub fn ends_at(channel: Channel, kind: &InboundKind, occurred_at: Millis) -> Option<Millis> {
    let has_window = match channel {
        Channel::Whatsapp | Channel::Facebook | Channel::Instagram => true,
        Channel::Twitter | Channel::Open | Channel::Web | Channel::Unknown => false,
    };
    let opens = matches!(kind, InboundKind::Message(_) | InboundKind::Postback(_));
    (has_window && opens).then(|| occurred_at.saturating_add(DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::records::{InboundReaction, InboundReceipt};

    #[test]
    fn what_a_customer_says_on_whatsapp_opens_a_day_and_nothing_else_does() {
        let message = InboundKind::Message(Box::default());
        for (channel, kind, expected) in [
            (Channel::Whatsapp, message.clone(), Some(DAY_MS + 7)),
            (Channel::Open, message, None),
            (Channel::Whatsapp, InboundKind::Receipt(InboundReceipt::default()), None),
            (Channel::Whatsapp, InboundKind::Reaction(InboundReaction::default()), None),
            (Channel::Whatsapp, InboundKind::Echo(Box::default()), None),
        ] {
            assert_eq!(ends_at(channel, &kind, 7), expected, "{channel} {kind:?}");
        }
    }
}
