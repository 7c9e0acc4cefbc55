//! Open messaging webhooks: HTTP statuses as Standard Webhooks reads them.

use super::Verdict;
use crate::core::event::Answer;

/// How long a throttled endpoint is left alone if it does not say.
const THROTTLED_MS: i64 = 30_000;

pub(super) fn verdict(answer: &Answer) -> Verdict {
    match answer.status {
        401 | 403 => Verdict::Credentials,
        410 => Verdict::Permanent("gone"),
        429 => Verdict::Throttled(answer.retry_after_ms.unwrap_or(THROTTLED_MS)),
        404 | 408 | 425 => Verdict::Retry("unreachable"),
        300..=399 => Verdict::Permanent("redirected"),
        400..=499 => Verdict::Permanent("rejected"),
        503 if answer.retry_after_ms.is_some() => Verdict::Throttled(answer.retry_after_ms.unwrap_or(THROTTLED_MS)),
        _ => Verdict::Retry("provider_error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_decide() {
        for (status, retry_after_ms, expected) in [
            (400, None, Verdict::Permanent("rejected")),
            (401, None, Verdict::Credentials),
            (404, None, Verdict::Retry("unreachable")),
            (410, None, Verdict::Permanent("gone")),
            (429, Some(9_000), Verdict::Throttled(9_000)),
            (429, None, Verdict::Throttled(30_000)),
            (301, None, Verdict::Permanent("redirected")),
            (500, None, Verdict::Retry("provider_error")),
            (503, Some(1_000), Verdict::Throttled(1_000)),
        ] {
            let answer = Answer { status, retry_after_ms, ..Answer::default() };
            assert_eq!(verdict(&answer), expected, "{status}");
        }
    }
}
