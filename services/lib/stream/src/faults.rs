//! Fault points: places where a test makes the world fail. Compiled in only with the feature
//! `faults`; otherwise a point is nothing.

use crate::kafka::Fault;

#[cfg(feature = "faults")]
mod armed {
    use crate::kafka::Fault;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    static POINTS: Mutex<BTreeMap<(String, String), Vec<Fault>>> = Mutex::new(BTreeMap::new());

    /// Makes a slot fail once at a point; repeated calls make it fail again.
    pub fn arm(slot: &str, point: &str, fault: Fault) {
        let mut points = POINTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        points.entry((slot.to_owned(), point.to_owned())).or_default().push(fault);
    }

    pub(crate) fn hit(slot: &str, point: &str) -> Result<(), Fault> {
        let mut points = POINTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let armed = points.get_mut(&(slot.to_owned(), point.to_owned()));
        armed.and_then(Vec::pop).map_or(Ok(()), Err)
    }
}

#[cfg(feature = "faults")]
pub use armed::arm;

/// Fails if a test wants this slot to fail here.
pub(crate) fn hit(slot: &str, point: &str) -> Result<(), Fault> {
    #[cfg(feature = "faults")]
    return armed::hit(slot, point);
    #[cfg(not(feature = "faults"))]
    {
        let _ = (slot, point);
        Ok(())
    }
}
