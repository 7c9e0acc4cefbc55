//! Messenger and Instagram: error codes and subcodes of the Send API (Messenger Platform error codes);
//! where there is no code, the HTTP status.

use super::Verdict;
use crate::core::event::Answer;

const SECOND_MS: i64 = 1_000;

/// Code, subcode (none: any other), and what they mean. The first row that fits decides.
const CODES: &[(i64, Option<i64>, Verdict)] = &[
    (1, Some(1_357_046), Verdict::Probably("answered_late")),
    (1, None, Verdict::Retry("provider_error")),
    (2, None, Verdict::Retry("provider_error")),
    (3, None, Verdict::Credentials),
    (4, None, Verdict::Throttled(30 * SECOND_MS)),
    (10, Some(2_018_278), Verdict::Permanent("window_closed")),
    (10, Some(2_534_022), Verdict::Permanent("window_closed")),
    (10, Some(2_018_108), Verdict::Permanent("undeliverable")),
    (10, None, Verdict::Credentials),
    (17, None, Verdict::Throttled(30 * SECOND_MS)),
    (32, None, Verdict::Throttled(30 * SECOND_MS)),
    (100, Some(2_018_001), Verdict::Permanent("no_such_customer")),
    (100, Some(2_534_014), Verdict::Permanent("no_such_customer")),
    (100, Some(2_534_029), Verdict::Permanent("undeliverable")),
    (100, Some(2_018_008), Verdict::Retry("media_unreachable")),
    (100, Some(2_018_047), Verdict::Permanent("media_unreachable")),
    (100, Some(2_018_074), Verdict::Permanent("media_unreachable")),
    (100, Some(2_018_294), Verdict::Permanent("media_unreachable")),
    (100, None, Verdict::Permanent("invalid")),
    (190, None, Verdict::Credentials),
    (200, Some(1_545_041), Verdict::Permanent("undeliverable")),
    (200, None, Verdict::Credentials),
    (368, None, Verdict::Credentials),
    (551, None, Verdict::Permanent("undeliverable")),
    (613, None, Verdict::Throttled(30 * SECOND_MS)),
    (1_200, None, Verdict::Retry("provider_error")),
    (10_303, None, Verdict::Permanent("template")),
    (2_018_300, None, Verdict::Retry("thread_controlled_elsewhere")),
    (2_018_321, None, Verdict::Retry("thread_controlled_elsewhere")),
];

pub(super) fn verdict(answer: &Answer) -> Verdict {
    let by_code = answer.code.and_then(|code| find(code, answer.subcode)).unwrap_or_else(|| by_status(answer));
    match (by_code, answer.retry_after_ms) {
        (Verdict::Throttled(_), Some(wait_ms)) => Verdict::Throttled(wait_ms),
        (verdict, _) => verdict,
    }
}

fn find(code: i64, subcode: Option<i64>) -> Option<Verdict> {
    let fits = |row: &&(i64, Option<i64>, Verdict)| row.0 == code && (row.1.is_none() || row.1 == subcode);
    CODES.iter().find(fits).map(|(_, _, verdict)| *verdict)
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
    fn subcodes_decide_before_codes_and_codes_before_statuses() {
        for (status, code, subcode, expected) in [
            (500, Some(1), Some(1_357_046), Verdict::Probably("answered_late")),
            (500, Some(1), None, Verdict::Retry("provider_error")),
            (400, Some(10), Some(2_534_022), Verdict::Permanent("window_closed")),
            (400, Some(10), Some(2_018_108), Verdict::Permanent("undeliverable")),
            (403, Some(10), Some(1_893_063), Verdict::Credentials),
            (400, Some(100), Some(2_018_001), Verdict::Permanent("no_such_customer")),
            (400, Some(100), None, Verdict::Permanent("invalid")),
            (400, Some(190), Some(463), Verdict::Credentials),
            (403, Some(200), Some(1_545_041), Verdict::Permanent("undeliverable")),
            (400, Some(613), Some(2_534_040), Verdict::Throttled(30_000)),
            (400, Some(99_999), None, Verdict::Permanent("rejected")),
            (504, None, None, Verdict::Unclear("gateway")),
            (500, None, None, Verdict::Retry("provider_error")),
        ] {
            let answer = Answer { status, code, subcode, ..Answer::default() };
            assert_eq!(verdict(&answer), expected, "{status} {code:?} {subcode:?}");
        }
    }

    #[test]
    fn each_code_has_one_row_for_all_its_other_subcodes_and_that_is_the_last() {
        for (code, subcode, _) in CODES {
            let rows = CODES.iter().filter(|row| row.0 == *code && row.1 == *subcode).count();
            assert_eq!(rows, 1, "{code} {subcode:?}");
            assert_eq!(CODES.iter().rfind(|row| row.0 == *code).unwrap().1, None, "{code}");
        }
    }
}
