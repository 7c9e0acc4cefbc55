//! How long things wait on each channel.

use schemas::records::Channel;

use super::{PROVIDER_SCHEDULE_MS, SECOND_MS, of};

/// A channel's own waits before each attempt after the first.
pub fn schedule_ms(channel: Channel) -> &'static [i64] {
    of(channel).map_or(PROVIDER_SCHEDULE_MS, |table| table.schedule_ms)
}

/// How long a later message waits for an earlier one where the account says nothing (D2): 120 s;
/// for a webhook its whole schedule, if that is longer.
pub fn order_hold_max_ms(channel: Channel, schedule_ms: &[i64]) -> i64 {
    const HOLD_MS: i64 = 120 * SECOND_MS;
    let is_whole = of(channel).is_some_and(|table| table.holds_whole_schedule);
    if is_whole { schedule_ms.iter().sum::<i64>().max(HOLD_MS) } else { HOLD_MS }
}

/// See [`Capabilities::settle_ms`].
pub fn settle_ms(channel: Channel) -> i64 {
    of(channel).map_or(0, |table| table.settle_ms)
}

/// See [`Capabilities::proof_ms`].
pub fn proof_ms(channel: Channel) -> i64 {
    of(channel).map_or(30 * SECOND_MS, |table| table.proof_ms)
}
