//! Effects in words, for the tables of tests.

use schemas::records::DeliveryEventKind;

use crate::core::effect::Effect;

/// Effects in one word each, with the reason where there is one.
pub(crate) fn kinds(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(kind).collect()
}

fn kind(effect: &Effect) -> String {
    match effect {
        Effect::Event(event) => match &event.kind {
            DeliveryEventKind::Failed(failed) => format!("failed {}", failed.reason),
            DeliveryEventKind::Refused(refused) => format!("refused {}", refused.reason),
            DeliveryEventKind::Exhausted(exhausted) => format!("exhausted {}", exhausted.reason),
            DeliveryEventKind::Retrying(retrying) => format!("retrying {}", retrying.reason),
            DeliveryEventKind::Ambiguous(ambiguous) => format!("ambiguous {}", ambiguous.reason),
            DeliveryEventKind::MediaFailed(failed) => format!("media_failed {}", failed.reason),
            DeliveryEventKind::Claimed(_)
            | DeliveryEventKind::PartSent(_)
            | DeliveryEventKind::Sent(_)
            | DeliveryEventKind::Delivered(_)
            | DeliveryEventKind::Read(_)
            | DeliveryEventKind::BotTurnFinished(_)
            | DeliveryEventKind::DataActionFinished(_)
            | DeliveryEventKind::MediaStored(_)
            | DeliveryEventKind::Unknown(_) => event.kind.name().to_owned(),
        },
        Effect::Quiet(event) => format!("quiet {}", event.kind.name()),
        Effect::Account(state) if state.paused => format!("account {} paused", state.breaker),
        Effect::Account(state) => format!("account {}", state.breaker),
        Effect::Send(_) => "send".into(),
        Effect::Copy(copy) => format!("copy {}", copy.key.1),
        Effect::Signal(_) => "signal".into(),
        Effect::CallBot(call) => format!("call bot {}", call.try_no),
        Effect::Turned(turned) => format!("turned {}", turned.outcome),
        Effect::DeadLetter(_) => "dead letter".into(),
        Effect::Foreign(..) => "foreign".into(),
        Effect::OptedOut(told) => format!("opted_out {}", told.purpose),
        Effect::Ignored(_) => "ignored".into(),
    }
}
