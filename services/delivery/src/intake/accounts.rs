//! `delivery.accounts`: how an account is, as the partitions told each other.

use schemas::codec::Codec;
use schemas::records::AccountState;
use stream::{InputRecord, Reject, Timestamp};

use crate::core::event::{AccountKey, Event, Told};
use crate::core::rows::Breaker;

pub(super) fn read(codec: &Codec, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    if record.payload.is_none() {
        return Ok(None);
    }
    let state: AccountState = super::decode(codec, record)?;
    let key = AccountKey { tenant: state.tenant, account: state.account_id };
    let Some(breaker) = Breaker::from_name(&state.breaker) else { return Ok(None) };
    let until = state.until.map(Timestamp::from_ms);
    let reason = state.reason.unwrap_or_default();
    Ok(Some(Event::Told(key, Told { paused: state.paused, breaker, until, reason })))
}
