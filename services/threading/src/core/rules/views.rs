//! `conversation.views`: a live stint has a view, shown anew at each change; an ended one has
//! none. This is what people's screens start from.

use crate::core::desk::Desk;
use crate::core::effect::Effect;
use schemas::records::ConversationView;
use stream::Timestamp;

/// Whether the customer's stint has a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes,
    No,
}

pub(crate) fn is_shown(desk: &Desk<'_>) -> Shown {
    if desk.live_stint().is_some() { Shown::Yes } else { Shown::No }
}

/// Shows what the event made of the stint.
pub(crate) fn show(desk: &mut Desk<'_>, before: Shown) {
    match (before, is_shown(desk)) {
        (Shown::Yes, Shown::No) => desk.effects.push(Effect::Hidden(desk.context.customer_key)),
        (Shown::No, Shown::No) => {}
        (Shown::Yes | Shown::No, Shown::Yes) => {
            if changed(desk)
                && let Some(view) = view(desk)
            {
                desk.effects.push(Effect::Shown(Box::new(view)));
            }
        }
    }
}

fn changed(desk: &Desk<'_>) -> bool {
    let state = &desk.state;
    let mut touched = state.customers.touched().chain(state.stints.touched()).chain(state.attributes.touched());
    touched.any(|customer| *customer == desk.context.customer_key)
}

fn view(desk: &mut Desk<'_>) -> Option<ConversationView> {
    let conversation_id = desk.conversation_id()?;
    let event_id = desk.view_id();
    let (thread, stint) = (desk.thread()?, desk.live_stint()?);
    let at = &desk.context;
    Some(ConversationView {
        event_id,
        tenant: at.tenant.clone(),
        occurred_at: at.occurred_at,
        recorded_at: desk.now.as_ms(),
        conversation_id,
        stint_id: stint.stint_id,
        channel: at.channel,
        account_id: at.account_id.clone(),
        customer_key: at.customer_key,
        customer: stint.customer.clone(),
        owner_kind: stint.owner.kind,
        owner_id: stint.owner.id.clone(),
        owner_epoch: thread.owner_epoch,
        queue_id: stint.owner.queue_id.clone(),
        part_id: stint.owner.part_id,
        window_ends_at: (thread.reply_until > Timestamp::ZERO).then(|| thread.reply_until.as_ms()),
        last_seq: i64::from(thread.seq),
        attributes: desk.state.attributes.get(&at.customer_key).cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use crate::core::effect::Effect;
    use crate::core::testing::*;
    use schemas::records::OwnerKind;

    #[test]
    fn a_live_stint_is_shown_at_each_change_and_hidden_at_its_end() {
        let mut driver = driver();
        let view = shown(&driver.apply(message(ADA, "m1"), at(0))).unwrap();
        assert_eq!((view.last_seq, view.owner_kind), (1, OwnerKind::None));
        let view = shown(&driver.apply(connect(ADA, 1, 1, agent("alan")), at(1))).unwrap();
        assert_eq!((view.owner_id.as_str(), view.owner_epoch), ("alan", 1));
        let view = shown(&driver.apply(send(ADA, "c1", "alan", 1), at(2))).unwrap();
        assert_eq!(view.last_seq, 2);
        assert!(shown(&driver.apply(typing(ADA), at(3))).is_none());
        let effects = driver.apply(disconnect(ADA, 1, 1, 2), at(4));
        assert_eq!(effects.last(), Some(&Effect::Hidden(key(ADA))));
    }
}
