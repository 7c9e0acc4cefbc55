//! Fault points: places where a test makes a loop fail. Armed by the setting `kafka.faults`, in
//! real service binaries too; without the feature `faults` a point is nothing and the setting is
//! refused.
//!
//! Form: `point[@slot][:nth]=action`, comma-separated. `slot` is a slot's number or whole id (for a
//! publisher its client id); `nth` is the how-manieth time that this process comes by, 1 if not
//! given. Each fires once in the life of a process.

use crate::kafka::Fault;

/// Which code a point lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A stateful loop while no transaction is open.
    Turn,
    /// A stateful loop while a transaction is open.
    Transaction,
    /// A stateful loop that takes a transaction back.
    Abort,
    /// A stateful loop between an assignment and its first record.
    Restore,
    /// The loop into a database.
    Sink,
    /// Writing without transactions.
    Publisher,
}

macro_rules! points {
    ($($part:ident { $($point:ident $name:literal $doc:literal)+ })+) => {
        /// A place where a loop can be made to fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point { $($(#[doc = $doc] $point,)+)+ }

        /// Every point, part by part, in the order in which a loop comes by.
        pub const POINTS: &[Point] = &[$($(Point::$point,)+)+];

        impl Point {
            /// The name by which it is armed.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$point => $name,)+)+ }
            }

            /// Where it lies.
            pub const fn part(self) -> Part {
                match self { $($(Self::$point => Part::$part,)+)+ }
            }
        }
    };
}

points! {
    Turn {
        AfterCollect "after_collect" "Records are read, none is worked."
        AfterApply "after_apply" "The batch is worked, in memory only."
        BeforeBegin "before_begin" "A transaction is about to begin."
        AfterCommit "after_commit" "The transaction is committed, the state in memory does not know it yet."
        AfterMerge "after_merge" "The state in memory is final; nobody outside was told."
        AfterWake "after_wake" "The requests of the transaction were handed to the performer."
        AfterRevoke "after_revoke" "Partitions were taken away."
    }
    Transaction {
        AfterBegin "after_begin" "A transaction is open, nothing is in it."
        AfterOutput "after_output" "One more output was handed to the client."
        AfterRow "after_row" "One more changed row was handed to the client."
        AfterDrain "after_drain" "Every record is acknowledged, the input offsets are not sent; `hang` is a hanging call."
        AfterOffsets "after_offsets" "The offsets are in the transaction, the commit is not asked for."
    }
    Abort {
        BeforeAbort "before_abort" "A transaction cannot be committed and is still open."
        AfterAbort "after_abort" "The transaction is aborted, the state in memory still has its work."
        AfterRollback "after_rollback" "The work is taken back and will come again."
    }
    Restore {
        BeforeCommittedOffsets "before_committed_offsets" "Partitions are given, nothing is known of them."
        AfterCommittedOffsets "after_committed_offsets" "The stable offsets are known, no row is read."
        AmidChangelog "amid_changelog" "One more changelog row is read."
        AfterChangelog "after_changelog" "Every row is read, the indexes are built."
        AfterTakeUp "after_take_up" "Reading the inputs has begun; no record is worked."
    }
    Sink {
        BeforePlan "before_plan" "Rows are made and dead letters durable; the range is written nowhere."
        AfterPlan "after_plan" "The range is written down, nothing is inserted."
        AfterInsert "after_insert" "Everything is inserted, the range's end is not committed."
        AfterInsertCommit "after_insert_commit" "The range's end is committed, the loop does not know it yet."
    }
    Publisher {
        BeforePublish "before_publish" "Nothing is handed to the client."
        AfterPublish "after_publish" "Every record is durable, who asked for it was not told."
    }
}

#[cfg(feature = "faults")]
pub(crate) use armed::Faults;
#[cfg(not(feature = "faults"))]
pub(crate) use unarmed::Faults;

#[cfg(feature = "faults")]
mod armed {
    use super::{Fault, POINTS, Part, Point};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// What a process was told to do at its points.
    #[derive(Debug, Default)]
    pub(crate) struct Faults(Vec<Armed>);

    #[derive(Debug)]
    struct Armed {
        point: Point,
        slot: Option<String>,
        nth: u64,
        action: Action,
        passed: AtomicU64,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        /// Death at once, without unwinding or closing anything.
        Exit,
        /// The open transaction is aborted; the loop's end where none is open.
        Abort,
        /// The thread never goes on.
        Hang,
        /// The loop's end, in order.
        Error,
    }

    impl Faults {
        pub(crate) fn parse(text: &str) -> Result<Self, String> {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(Armed::parse).collect::<Result<_, _>>().map(Self)
        }

        /// Does what is armed for this slot at this point.
        pub(crate) fn hit(&self, slot: &str, point: Point) -> Result<(), Fault> {
            for armed in self.0.iter().filter(|armed| armed.point == point && armed.means(slot)) {
                if armed.passed.fetch_add(1, Ordering::Relaxed) + 1 == armed.nth {
                    armed.act()?;
                }
            }
            Ok(())
        }
    }

    impl Armed {
        fn parse(text: &str) -> Result<Self, String> {
            let wanted = || format!("expected point[@slot][:nth]=exit|abort|hang|error, got {text}");
            let (place, action) = text.split_once('=').ok_or_else(wanted)?;
            let action = match action {
                "exit" => Action::Exit,
                "abort" => Action::Abort,
                "hang" => Action::Hang,
                "error" => Action::Error,
                _ => return Err(wanted()),
            };
            let (place, nth) = match place.rsplit_once(':') {
                Some((place, nth)) => (place, nth.parse().map_err(|_| wanted())?),
                None => (place, 1),
            };
            let (name, slot) = match place.split_once('@') {
                Some((name, slot)) => (name, Some(slot.to_owned())),
                None => (place, None),
            };
            let point = POINTS.iter().find(|point| point.name() == name);
            let point = *point.ok_or_else(|| format!("there is no fault point named {name}"))?;
            Ok(Self { point, slot, nth, action, passed: AtomicU64::new(0) })
        }

        fn means(&self, id: &str) -> bool {
            let Some(slot) = &self.slot else { return true };
            id == slot || id.rsplit_once('.').is_some_and(|(_, number)| number == slot)
        }

        fn act(&self) -> Result<(), Fault> {
            let name = self.point.name();
            tracing::warn!(point = name, action = ?self.action, "fault point");
            let text = format!("fault point {name}");
            match (self.action, self.point.part()) {
                (Action::Exit, _) => std::process::abort(),
                (Action::Hang, _) => loop {
                    std::thread::park_timeout(Duration::from_secs(1));
                },
                (Action::Abort, Part::Transaction) => Err(Fault::Abort(text)),
                (Action::Abort | Action::Error, _) => Err(Fault::Fatal(text)),
            }
        }
    }

    #[test]
    fn what_is_armed_fires_once_at_its_slot_and_turn() {
        let faults = Faults::parse("after_drain@1:2=abort, after_begin=error").unwrap();
        assert_eq!(faults.hit("weft.t.0", Point::AfterDrain), Ok(()));
        assert_eq!(faults.hit("weft.t.1", Point::AfterDrain), Ok(()));
        let fault = Fault::Abort("fault point after_drain".to_owned());
        assert_eq!(faults.hit("weft.t.1", Point::AfterDrain), Err(fault));
        assert_eq!(faults.hit("weft.t.1", Point::AfterDrain), Ok(()));
        assert!(faults.hit("weft.t.0", Point::AfterBegin).is_err());
        for wrong in ["after_drain", "nowhere=exit", "after_drain=stop", "after_drain:x=exit"] {
            assert!(Faults::parse(wrong).is_err(), "{wrong}");
        }
    }
}

#[cfg(not(feature = "faults"))]
mod unarmed {
    use super::{Fault, Point};

    /// Nothing, in a build without fault points.
    #[derive(Debug, Default)]
    pub(crate) struct Faults;

    impl Faults {
        pub(crate) fn parse(text: &str) -> Result<Self, String> {
            if text.is_empty() { Ok(Self) } else { Err("this build has no fault points".to_owned()) }
        }

        pub(crate) fn hit(&self, _: &str, _: Point) -> Result<(), Fault> {
            Ok(())
        }
    }
}
