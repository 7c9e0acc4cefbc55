//! Places for connections: so many in all, and so many of one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The places taken.
#[derive(Debug)]
pub(crate) struct Seats {
    connections_max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_address: BTreeMap<IpAddr, usize>,
}

/// A place taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    /// Whose; none for a proxy, which stands for many.
    address: Option<IpAddr>,
}

impl Seats {
    pub(crate) fn new(connections_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { connections_max, per_address_max, taken: Mutex::default() })
    }

    /// A place, or why there is none.
    pub(crate) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Seat, &'static str> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.connections_max {
            return Err("connections_max");
        }
        if let Some(address) = address {
            let own = taken.of_address.entry(address).or_default();
            if *own >= self.per_address_max {
                return Err("connections_per_address_max");
            }
            *own += 1;
        }
        taken.all += 1;
        Ok(Seat { seats: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(own) = taken.of_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                taken.of_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let seats = Seats::new(3, 2);
        let [ada, bob] = [1, 2].map(|last| Some(IpAddr::from([93, 0, 0, last])));
        let first = seats.take(ada).unwrap();
        let second = seats.take(ada).unwrap();
        assert_eq!(seats.take(ada).unwrap_err(), "connections_per_address_max");
        let third = seats.take(None).unwrap();
        assert_eq!(seats.take(bob).unwrap_err(), "connections_max");
        drop(first);
        let fourth = seats.take(bob).unwrap();
        drop((second, third, fourth));
        assert!(seats.taken.lock().unwrap().of_address.is_empty());
        assert_eq!(seats.taken.lock().unwrap().all, 0);
    }
}
