//! The half of a loop that works: intake, rules and outlets of every task, in memory only.

use crate::batch::Batch;
use crate::clock::{self, Stamp};
use crate::feed::Feed;
use crate::journal::Journal;
use crate::kafka::Fault;
use crate::lane::{Budget, Failure, Lane, Moment, Poison};
use crate::metrics::Phase;
use crate::run::Shared;
use crate::station::Station;

/// What a turn's work led to.
pub(crate) type Worked<R> = Result<Batch<R>, Failure>;

/// One turn's work on all tasks of a loop.
pub(crate) struct Worker<'a, S: Station, P> {
    pub(crate) lanes: &'a mut [Lane<S>],
    pub(crate) shared: &'a Shared<S, P>,
    pub(crate) journal: &'a Journal,
    pub(crate) poison: Option<&'a Poison>,
    /// Records that may be taken in all.
    pub(crate) limit: usize,
    /// Counts the turns: another lane comes first in each.
    pub(crate) turn: usize,
}

impl<S: Station, P> Worker<'_, S, P> {
    /// Works with the crash journal open: a death in between is remembered.
    pub(crate) fn work(&mut self) -> Result<Worked<S::Request>, Fault> {
        let began = Stamp::now();
        if self.shared.settings.state_dir.is_some() && !self.journal.is_careful() {
            let feeds = self.lanes.iter().flat_map(|lane| &lane.feeds);
            self.journal.batch(&feeds.filter_map(Feed::span).collect::<Vec<_>>())?;
        }
        let worked = self.lanes();
        self.journal.worked()?;
        self.shared.metrics.spent(Phase::Process, began.elapsed().as_secs_f64());
        Ok(worked)
    }

    fn lanes(&mut self) -> Worked<S::Request> {
        let moment = Moment { clock: clock::now(), slack_ms: self.shared.settings.merge_slack_ms };
        let journal = self.journal.is_careful().then_some(self.journal);
        let mut batch = Batch::new();
        let lanes = self.lanes.len();
        let turned = |i: usize| (self.turn + i) % lanes;
        let held: Vec<usize> = (0..lanes).map(|i| self.lanes[turned(i)].buffered()).collect();
        for (i, records) in shares(self.limit, &held).into_iter().enumerate() {
            let budget = Budget { records, poison: self.poison, journal };
            let lane = &mut self.lanes[turned(i)];
            lane.work(&self.shared.station, moment, &budget, &mut batch)?;
        }
        Ok(batch)
    }
}

/// How many records each lane may take of `limit` together, by how many it holds: evenly, and what
/// one lane does not need goes to the others. A lane that holds none may look at its deadlines.
fn shares(limit: usize, held: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; held.len()];
    let mut left = limit;
    loop {
        let hungry = shares.iter().zip(held).filter(|(share, held)| share < held).count();
        if hungry == 0 || left == 0 {
            break;
        }
        let fair = left.div_ceil(hungry);
        for (share, held) in shares.iter_mut().zip(held) {
            let more = fair.min(held - *share).min(left);
            *share += more;
            left -= more;
        }
    }
    if limit > 0 {
        shares.iter_mut().zip(held).filter(|(_, held)| **held == 0).for_each(|(share, _)| *share = 1);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_lane_does_not_need_goes_to_the_others() {
        assert_eq!(shares(5000, &[20_000, 20_000]), [2500, 2500]);
        assert_eq!(shares(5000, &[20_000, 0, 100, 0]), [4900, 1, 100, 1]);
        assert_eq!(shares(5000, &[10, 20]), [10, 20]);
    }

    #[test]
    fn one_record_at_a_time_is_one_record_in_all() {
        assert_eq!(shares(1, &[0, 7, 7]), [1, 1, 0]);
        assert_eq!(shares(0, &[0, 7]), [0, 0]);
    }
}
