//! C8: attachments that others keep are copied, a few at a time, until it is clear that they cannot
//! be had. What was given up can be asked for again as long as platforms keep it.

use schemas::records::{Attachment, DeliveryEventKind, MediaFailed, MediaStored};

use crate::core::effect::{Effect, Ignored};
use crate::core::media::{Copy, CopyAsked, CopyEnded, CopyKey, CopyOutcome, CopyPhase, Received, Wanted};
use crate::core::rules::schedule;
use crate::core::step::{About, Step};

/// Waits before each try after the first (D3).
const SCHEDULE_MS: &[i64] = &[5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000];
/// How long another try can be asked for: WhatsApp keeps media for 7 days, the longest of all (Cloud API,
/// media).
const KEEP_MS: i64 = 7 * 86_400_000;
/// What is a file of the sender's: not places, contacts, previews of pages, or others' stories and
/// reels, which may be shown and not kept.
const FILES: &[&str] =
    &["image", "audio", "voice", "video", "file", "document", "sticker", "photo", "animated_gif", "gif"];

/// A message with attachments came in.
pub(crate) fn received(step: &mut Step<'_>, received: Received) {
    if step.policy.copies_max == 0 {
        return;
    }
    for (attachment, no) in received.attachments.iter().zip(0..) {
        let key = (received.message_id, no);
        if !is_elsewhere(attachment) || step.state.wanted(key).is_some() {
            continue;
        }
        let wanted = Wanted {
            account: received.account.clone(),
            channel: received.channel,
            customer_key: received.customer_key,
            conversation_id: received.conversation_id,
            attachment: attachment.clone(),
            round: 0,
            tries: 0,
            phase: CopyPhase::Ready(step.now),
        };
        step.state.set_wanted(key, Some(wanted));
    }
    admit(step);
}

fn is_elsewhere(attachment: &Attachment) -> bool {
    let is_file = FILES.contains(&attachment.attachment_type.as_str());
    is_file && attachment.stored_ref.is_none() && (attachment.url.is_some() || attachment.media_id.is_some())
}

/// Somebody wants another try of what was given up.
pub(crate) fn asked(step: &mut Step<'_>, asked: &CopyAsked) {
    let given_up =
        |wanted: &&Wanted| matches!(wanted.phase, CopyPhase::GivenUp(_)) && wanted.account.tenant == asked.tenant;
    match step.state.wanted(asked.key).filter(given_up).cloned() {
        Some(wanted) => {
            let (round, phase) = (wanted.round + 1, CopyPhase::Ready(step.now));
            step.state.set_wanted(asked.key, Some(Wanted { round, tries: 0, phase, ..wanted }));
            admit(step);
        }
        None => step.ignore(Ignored::Repeated),
    }
}

/// A try ended.
pub(crate) fn ended(step: &mut Step<'_>, ended: CopyEnded) {
    let is_meant = |wanted: &&Wanted| wanted.phase == CopyPhase::Out && wanted.tries == ended.attempt_no;
    let Some(wanted) = step.state.wanted(ended.key).filter(is_meant).cloned() else {
        return step.ignore(Ignored::Repeated);
    };
    let again =
        |step: &mut Step<'_>, reason, least_ms| match schedule::next_wait_ms(SCHEDULE_MS, wanted.tries, least_ms) {
            Some(wait) => {
                let phase = CopyPhase::Waiting(ended.at.plus_ms(wait));
                step.state.set_wanted(ended.key, Some(Wanted { phase, ..wanted.clone() }));
            }
            None => give_up(step, ended.key, wanted.clone(), reason),
        };
    match ended.outcome {
        CopyOutcome::Stored(stored) => {
            step.state.set_wanted(ended.key, None);
            let stored = MediaStored {
                attachment_no: ended.key.1,
                stored_ref: stored.reference,
                size_bytes: stored.size_bytes,
                mime: Some(stored.mime),
                sha256: Some(stored.sha256),
            };
            say(step, ended.key, &wanted, DeliveryEventKind::MediaStored(stored));
        }
        CopyOutcome::Refused { reason } => give_up(step, ended.key, wanted, reason),
        CopyOutcome::Failed { reason, retry_after_ms } => again(step, reason, retry_after_ms.unwrap_or_default()),
        CopyOutcome::Lost => again(step, "restarted", 0),
    }
    admit(step);
}

/// What is due: tries whose wait is over, and what nobody asked for any more.
pub(crate) fn tick(step: &mut Step<'_>) {
    while let Some(key) = step.state.due_copy(step.now) {
        let wanted = step.state.wanted(key).cloned();
        let next = wanted.filter(|wanted| matches!(wanted.phase, CopyPhase::Waiting(_)));
        let phase = CopyPhase::Ready(step.now);
        step.state.set_wanted(key, next.map(|wanted| Wanted { phase, ..wanted }));
    }
    admit(step);
}

/// Lets copies go, longest waiting first, as many as may be out.
fn admit(step: &mut Step<'_>) {
    while step.state.copies_out() < step.policy.copies_max {
        let Some(key) = step.state.first_copy() else { return };
        let Some(mut wanted) = step.state.wanted(key).cloned() else { return };
        let Some(route) = step.state.account(&wanted.account).map(|account| account.route.clone()) else {
            give_up(step, key, wanted, "unknown_account");
            continue;
        };
        wanted.tries += 1;
        wanted.phase = CopyPhase::Out;
        step.effects.push(Effect::Copy(Box::new(Copy {
            key,
            attempt_no: wanted.tries,
            channel: wanted.channel,
            account: wanted.account.clone(),
            customer_key: wanted.customer_key,
            attachment: wanted.attachment.clone(),
            route,
        })));
        step.state.set_wanted(key, Some(wanted));
    }
}

fn give_up(step: &mut Step<'_>, key: CopyKey, wanted: Wanted, reason: &str) {
    let failed = MediaFailed { attachment_no: key.1, reason: reason.to_owned() };
    say(step, key, &wanted, DeliveryEventKind::MediaFailed(failed));
    let phase = CopyPhase::GivenUp(step.now.plus_ms(KEEP_MS));
    step.state.set_wanted(key, Some(Wanted { phase, ..wanted }));
}

fn say(step: &mut Step<'_>, key: CopyKey, wanted: &Wanted, kind: DeliveryEventKind) {
    step.say(About::copy(key, wanted), step.now.as_ms(), kind);
}

#[cfg(test)]
mod tests {
    use schemas::records::Channel;

    use super::*;
    use crate::core::event::Event;
    use crate::core::media::Stored;
    use crate::core::rules::support::{Bench, account, account_key, kinds, message_id};

    fn file(kind: &str) -> Attachment {
        let url = Some("https://cdn.example/a".to_owned());
        Attachment { attachment_type: kind.into(), url, ..Attachment::default() }
    }

    fn bench() -> Bench {
        let mut bench = Bench::with(account(Channel::Facebook));
        bench.policy.copies_max = 2;
        bench
    }

    fn receive(bench: &mut Bench, n: i64, attachments: Vec<Attachment>) -> Vec<Effect> {
        bench.apply(Event::Received(Box::new(Received {
            account: account_key(),
            channel: Channel::Facebook,
            customer_key: Default::default(),
            conversation_id: Default::default(),
            message_id: message_id(n),
            wrote: true,
            attachments,
        })))
    }

    fn end(bench: &mut Bench, n: i64, no: i64, outcome: CopyOutcome) -> Vec<Effect> {
        let key = (message_id(n), no);
        let attempt_no = bench.driver_state().wanted(key).map_or(1, |wanted| wanted.tries);
        let at = bench.now;
        bench.apply(Event::Copied(CopyEnded { key, attempt_no, at, outcome }))
    }

    fn stored() -> CopyOutcome {
        CopyOutcome::Stored(Stored {
            reference: "acme/k/m-0/image/png".into(),
            size_bytes: 3,
            mime: "image/png".into(),
            sha256: "00".into(),
        })
    }

    #[test]
    fn files_are_copied_and_what_is_none_or_ours_already_is_not() {
        let ours = Attachment { stored_ref: Some("acme/k/m/image/png".into()), ..file("image") };
        let bare = Attachment { attachment_type: "image".into(), ..Attachment::default() };
        let by_id = Attachment { media_id: Some("7".into()), ..bare.clone() };
        for (attachment, expected) in [
            (file("image"), true),
            (file("animated_gif"), true),
            (by_id, true),
            (file("location"), false),
            (file("fallback"), false),
            (file("story_mention"), false),
            (ours, false),
            (bare, false),
        ] {
            let effects = receive(&mut bench(), 1, vec![attachment.clone()]);
            assert_eq!(kinds(&effects), if expected { vec!["copy 0"] } else { vec![] }, "{attachment:?}");
        }
        let mut nowhere = Bench::with(account(Channel::Facebook));
        assert!(receive(&mut nowhere, 1, vec![file("image")]).is_empty(), "nothing is kept without a store");
    }

    #[test]
    fn only_so_many_are_out_at_one_time() {
        let mut bench = bench();
        let effects = receive(&mut bench, 1, vec![file("image"), file("video"), file("audio")]);
        assert_eq!(kinds(&effects), ["copy 0", "copy 1"]);
        assert_eq!(kinds(&end(&mut bench, 1, 1, stored())), ["media_stored", "copy 2"]);
        assert_eq!(kinds(&end(&mut bench, 1, 1, stored())), ["ignored"]);
    }

    #[test]
    fn a_failure_is_tried_again_by_schedule_and_given_up_after_it() {
        let failed = || CopyOutcome::Failed { reason: "no_connection", retry_after_ms: None };
        let mut bench = bench();
        receive(&mut bench, 1, vec![file("image")]);
        for wait_ms in SCHEDULE_MS {
            assert!(end(&mut bench, 1, 0, failed()).is_empty());
            assert!(bench.advance(wait_ms - 1).is_empty());
            assert_eq!(kinds(&bench.advance(1)), ["copy 0"], "after {wait_ms} ms");
        }
        assert_eq!(kinds(&end(&mut bench, 1, 0, failed())), ["media_failed no_connection"]);
    }

    #[test]
    fn a_try_lost_with_its_process_is_made_again() {
        let mut bench = bench();
        receive(&mut bench, 1, vec![file("image")]);
        assert!(end(&mut bench, 1, 0, CopyOutcome::Lost).is_empty());
        assert_eq!(kinds(&bench.advance(5_000)), ["copy 0"]);
    }

    #[test]
    fn what_was_given_up_can_be_asked_for_again_for_a_week() {
        let refused = || CopyOutcome::Refused { reason: "too_big" };
        let ask = |bench: &mut Bench, tenant: &str| {
            let key = (message_id(1), 0);
            kinds(&bench.apply(Event::CopyAsked(CopyAsked { tenant: tenant.into(), key })))
        };
        let mut bench = bench();
        receive(&mut bench, 1, vec![file("image")]);
        assert_eq!(ask(&mut bench, "acme"), ["ignored"], "it is being fetched");
        assert_eq!(kinds(&end(&mut bench, 1, 0, refused())), ["media_failed too_big"]);
        assert_eq!(ask(&mut bench, "other"), ["ignored"]);
        assert_eq!(ask(&mut bench, "acme"), ["copy 0"]);
        assert_eq!(kinds(&end(&mut bench, 1, 0, refused())), ["media_failed too_big"]);
        bench.advance(KEEP_MS);
        assert_eq!(ask(&mut bench, "acme"), ["ignored"]);
        assert!(bench.driver_state().next_deadline().is_none());
    }

    #[test]
    fn media_of_an_account_that_is_gone_are_given_up() {
        let mut bench = bench();
        bench.apply(Event::Configured(account_key(), None));
        assert_eq!(kinds(&receive(&mut bench, 1, vec![file("image")])), ["media_failed unknown_account"]);
    }
}
