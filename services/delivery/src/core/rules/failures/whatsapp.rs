//! WhatsApp Cloud: error codes of the HTTP answer and of failed statuses (Cloud API error codes);
//! where there is no code, the HTTP status.

use super::Verdict;
use crate::core::event::Answer;

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// First and last code of a row, and what they mean.
const CODES: &[(i64, i64, Verdict)] = &[
    (0, 0, Verdict::Credentials),
    (1, 2, Verdict::Retry("provider_error")),
    (3, 3, Verdict::Credentials),
    (4, 4, Verdict::Throttled(30 * SECOND_MS)),
    (10, 10, Verdict::Credentials),
    (33, 33, Verdict::Credentials),
    (100, 100, Verdict::Permanent("invalid")),
    (190, 190, Verdict::Credentials),
    (200, 299, Verdict::Credentials),
    (368, 368, Verdict::Credentials),
    (80_007, 80_007, Verdict::Throttled(30 * SECOND_MS)),
    (130_403, 130_403, Verdict::Permanent("undeliverable")),
    (130_429, 130_429, Verdict::Throttled(30 * SECOND_MS)),
    (130_472, 130_472, Verdict::Permanent("undeliverable")),
    (131_000, 131_000, Verdict::Retry("provider_error")),
    (131_005, 131_005, Verdict::Credentials),
    (131_008, 131_009, Verdict::Permanent("invalid")),
    (131_016, 131_016, Verdict::Retry("provider_error")),
    (131_021, 131_021, Verdict::Permanent("undeliverable")),
    (131_026, 131_026, Verdict::Permanent("undeliverable")),
    (131_031, 131_031, Verdict::Credentials),
    (131_037, 131_037, Verdict::Credentials),
    (131_042, 131_042, Verdict::Credentials),
    (131_045, 131_045, Verdict::Credentials),
    (131_047, 131_047, Verdict::Permanent("window_closed")),
    (131_048, 131_048, Verdict::Throttled(HOUR_MS)),
    (131_049, 131_049, Verdict::Permanent("frequency_capped")),
    (131_050, 131_050, Verdict::Permanent("opted_out")),
    (131_051, 131_051, Verdict::Permanent("unsupported_content")),
    (131_052, 131_053, Verdict::Permanent("media_unreachable")),
    (131_056, 131_056, Verdict::Wait(6 * SECOND_MS, "pair_throttled")),
    (131_057, 131_057, Verdict::Retry("provider_error")),
    (131_063, 131_063, Verdict::Credentials),
    (131_064, 131_064, Verdict::Permanent("frequency_capped")),
    (132_000, 132_001, Verdict::Permanent("template")),
    (132_005, 132_005, Verdict::Permanent("template")),
    (132_007, 132_007, Verdict::Permanent("template")),
    (132_012, 132_012, Verdict::Permanent("template")),
    (132_015, 132_016, Verdict::Permanent("template")),
    (132_068, 132_069, Verdict::Permanent("template")),
    (133_016, 133_016, Verdict::Retry("provider_error")),
];

pub(super) fn verdict(answer: &Answer) -> Verdict {
    let by_code = answer.code.and_then(find).unwrap_or_else(|| by_status(answer));
    match (by_code, answer.retry_after_ms) {
        (Verdict::Throttled(_), Some(wait_ms)) => Verdict::Throttled(wait_ms),
        (verdict, _) => verdict,
    }
}

/// The reason that a failed status has in our words.
pub(super) fn reason(code: i64) -> Option<&'static str> {
    match find(code)? {
        Verdict::Permanent(reason)
        | Verdict::Retry(reason)
        | Verdict::Wait(_, reason)
        | Verdict::Unclear(reason)
        | Verdict::Probably(reason) => Some(reason),
        Verdict::Throttled(_) => Some("throttled"),
        Verdict::Credentials => Some("credentials"),
    }
}

fn find(code: i64) -> Option<Verdict> {
    CODES.iter().find(|(first, last, _)| (*first..=*last).contains(&code)).map(|(_, _, verdict)| *verdict)
}

/// A gateway's word without the API's own code may hide a message that was taken.
fn by_status(answer: &Answer) -> Verdict {
    match answer.status {
        401 | 403 => Verdict::Credentials,
        408 | 502 | 504 if answer.code.is_none() => Verdict::Unclear("gateway"),
        429 => Verdict::Throttled(30 * SECOND_MS),
        300..=399 => Verdict::Permanent("redirected"),
        400..=499 => Verdict::Permanent("rejected"),
        _ => Verdict::Retry("provider_error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_statuses() {
        for (status, code, expected) in [
            (400, Some(131_026), Verdict::Permanent("undeliverable")),
            (400, Some(131_047), Verdict::Permanent("window_closed")),
            (400, Some(100), Verdict::Permanent("invalid")),
            (401, Some(190), Verdict::Credentials),
            (403, Some(250), Verdict::Credentials),
            (400, Some(130_429), Verdict::Throttled(30_000)),
            (400, Some(131_056), Verdict::Wait(6_000, "pair_throttled")),
            (500, Some(131_000), Verdict::Retry("provider_error")),
            (400, Some(999_999), Verdict::Permanent("rejected")),
            (504, None, Verdict::Unclear("gateway")),
            (504, Some(2), Verdict::Retry("provider_error")),
            (500, None, Verdict::Retry("provider_error")),
            (429, None, Verdict::Throttled(30_000)),
        ] {
            let answer = Answer { status, code, ..Answer::default() };
            assert_eq!(verdict(&answer), expected, "{status} {code:?}");
        }
        let wished = Answer { status: 429, retry_after_ms: Some(5_000), ..Answer::default() };
        assert_eq!(verdict(&wished), Verdict::Throttled(5_000));
    }

    #[test]
    fn the_table_is_in_order_without_overlaps() {
        assert!(CODES.iter().all(|(first, last, _)| first <= last));
        assert!(CODES.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
