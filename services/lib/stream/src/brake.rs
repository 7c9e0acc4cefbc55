//! Stops a partition instead of draining it into its dead letters.

/// Refused records in a row after which a partition stops.
const IN_ROW_MAX: u32 = 50;
/// Records over which the share of refused ones is looked at: more than 1 % stops the partition.
const WINDOW: u32 = 5_000;

/// Counts what one partition refuses. Released by a restart alone: by then somebody has looked.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    in_row: u32,
    seen: u32,
    refused: u32,
    stopped: bool,
}

impl Brake {
    /// Whether too many records were refused.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn count(&mut self, refused: bool) {
        if self.seen == WINDOW {
            (self.seen, self.refused) = (0, 0);
        }
        self.seen += 1;
        self.refused += u32::from(refused);
        self.in_row = if refused { self.in_row + 1 } else { 0 };
        self.stopped |= self.in_row >= IN_ROW_MAX || self.refused > WINDOW / 100;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_after(is_refused: impl Fn(u32) -> bool) -> Option<u32> {
        let mut brake = Brake::default();
        (1..=20_000).find(|n| {
            brake.count(is_refused(*n));
            brake.stopped()
        })
    }

    #[test]
    fn fifty_in_a_row_stop_a_partition_and_fewer_with_a_good_one_between_do_not() {
        assert_eq!(stops_after(|_| true), Some(50));
        assert_eq!(stops_after(|n| (1_000..1_049).contains(&n)), None);
    }

    #[test]
    fn more_than_one_in_a_hundred_stop_a_partition_and_one_in_a_hundred_does_not() {
        assert_eq!(stops_after(|n| n % 100 == 0), None);
        assert_eq!(stops_after(|n| n % 98 == 0), Some(98 * 51));
        assert_eq!(stops_after(|n| n % 4 == 0), Some(4 * 51));
    }
}
