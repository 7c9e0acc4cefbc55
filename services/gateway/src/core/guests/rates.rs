//! How often something may be done: so many at once, and then at a constant rate (GCRA: one number
//! says when the allowance is whole again).

use stream::Timestamp;

/// So many in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how many milliseconds.
    pub per_ms: i64,
}

impl Rate {
    /// So many a second.
    pub const fn per_second(count: u32) -> Self {
        Self { count, per_ms: 1_000 }
    }

    /// So many a minute.
    pub const fn per_minute(count: u32) -> Self {
        Self { count, per_ms: 60_000 }
    }
}

/// How much of a rate is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    whole_at_us: i64,
}

impl Meter {
    /// Takes one.
    ///
    /// # Errors
    /// In how many milliseconds there is one again.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), i64> {
        let (now_us, per_us) = (now.as_ms().saturating_mul(1_000), rate.per_ms.saturating_mul(1_000));
        let cost = per_us / i64::from(rate.count.max(1));
        let whole_at_us = self.whole_at_us.max(now_us).saturating_add(cost);
        let over = whole_at_us - now_us - per_us;
        if over > 0 {
            return Err(over.div_euclid(1_000) + 1);
        }
        self.whole_at_us = whole_at_us;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_may_come_at_once_and_then_as_many_as_the_rate() {
        let at = Timestamp::from_ms;
        let mut meter = Meter::default();
        let taken =
            |meter: &mut Meter, now| (0..50).filter(|_| meter.take(Rate::per_second(5), at(now)).is_ok()).count();
        assert_eq!(taken(&mut meter, 10_000), 5);
        assert_eq!(meter.take(Rate::per_second(5), at(10_000)), Err(201));
        assert_eq!(meter.take(Rate::per_second(5), at(10_201)), Ok(()));
        assert_eq!(taken(&mut meter, 10_300), 0);
        assert_eq!(taken(&mut meter, 11_300), 5, "and never more than one second's worth");
    }
}
