//! X API v2: problem details by HTTP status; what is the app's or the token's fault is told by the
//! problem's name.

use super::Verdict;
use crate::core::event::Answer;

/// The limits of the send endpoint run for 15 minutes.
const THROTTLED_MS: i64 = 15 * 60_000;
/// Problems that concern the whole account.
const ACCOUNT: [&str; 4] =
    ["client-forbidden", "oauth1-permissions", "oauth2-permissions", "unsupported-authentication"];

pub(super) fn verdict(answer: &Answer) -> Verdict {
    let is_of_account = answer.name.as_deref().is_some_and(|name| ACCOUNT.contains(&name));
    match answer.status {
        _ if is_of_account => Verdict::Credentials,
        401 => Verdict::Credentials,
        403 => Verdict::Permanent("undeliverable"),
        429 => Verdict::Throttled(answer.retry_after_ms.unwrap_or(THROTTLED_MS)),
        408 | 502 | 504 => Verdict::Unclear("gateway"),
        300..=399 => Verdict::Permanent("redirected"),
        404 => Verdict::Permanent("no_such_customer"),
        400..=499 => Verdict::Permanent("rejected"),
        _ => Verdict::Unclear("provider_error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_decide_and_names_before_them() {
        for (status, name, retry_after_ms, expected) in [
            (400, None, None, Verdict::Permanent("rejected")),
            (401, None, None, Verdict::Credentials),
            (403, None, None, Verdict::Permanent("undeliverable")),
            (403, Some("client-forbidden"), None, Verdict::Credentials),
            (429, None, Some(7_000), Verdict::Throttled(7_000)),
            (429, None, None, Verdict::Throttled(900_000)),
            (503, None, None, Verdict::Unclear("provider_error")),
        ] {
            let answer = Answer { status, name: name.map(Into::into), retry_after_ms, ..Answer::default() };
            assert_eq!(verdict(&answer), expected, "{status} {name:?}");
        }
    }
}
