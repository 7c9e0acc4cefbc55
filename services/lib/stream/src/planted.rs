//! Planted bugs: what a fault bench must find, else it proves little. Chosen by the setting
//! `kafka.planted`; without the feature `faults` none exists and the setting is refused.

use crate::KafkaSettings;

macro_rules! planted {
    ($($bug:ident $name:literal $doc:literal)+) => {
        /// A bug that can be switched on in a test build.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Planted { $(#[doc = $doc] $bug,)+ }

        /// Every planted bug.
        pub const PLANTED: &[Planted] = &[$(Planted::$bug,)+];

        impl Planted {
            /// The name by which it is switched on.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$bug => $name,)+ }
            }

            /// What is wrong then.
            pub const fn story(self) -> &'static str {
                match self { $(Self::$bug => $doc,)+ }
            }
        }
    };
}

planted! {
    OffsetsOutside "offsets_outside_transaction" "Input offsets are committed by the consumer, before the transaction is."
    OutputsApart "outputs_in_own_transaction" "Outputs are committed before the rows and offsets that belong to them."
    OverlayKept "overlay_kept_on_abort" "An abort takes the input back but not the state."
    SeekShort "seek_short_after_abort" "After an abort the first record does not come again."
    AbortIgnored "abort_taken_for_commit" "An aborted batch counts as done."
    LastRowDropped "last_row_dropped" "The last changed row of a batch is not written."
    DeadlineRowsDropped "deadline_rows_dropped" "Rows changed by deadlines alone are not written: they fire again after a restart."
    StampAtCommit "stamp_at_commit" "The group's metadata are taken when the offsets are sent, not before the batch; alone, only a zombie shows it."
    BatchAcrossRebalance "batch_across_rebalance" "A worked batch waits a rebalance out and is committed under the new generation."
    RestoreToStableEnd "restore_to_stable_end" "A restore reads to the last stable offset, short of a dead peer's open transaction."
    RestoreToSilence "restore_to_silence" "A restore ends when no row is here at once."
    TableNotRestored "table_not_restored" "The first table of the machine is not restored."
    ReadUncommitted "read_uncommitted" "Inputs are read uncommitted."
    InputsNotWaitedFor "inputs_not_waited_for" "A backlog's record waits for no other input."
    RequestsBeforeCommit "requests_before_commit" "Requests go out before their transaction is committed."
    LeaseNeverEnds "lease_never_ends" "A process acts on for partitions that it has lost."
    BatchWithoutPlan "batch_without_plan" "A sink's range is not written down before its insert."
    TokenFromTime "token_from_time" "A sink's token is not the same when the batch comes again."
}

impl KafkaSettings {
    /// Whether a test wants this bug.
    pub(crate) fn plants(&self, bug: Planted) -> bool {
        cfg!(feature = "faults") && self.planted.split(',').any(|name| name.trim() == bug.name())
    }

    /// The first name that is no planted bug of this build.
    pub(crate) fn unknown_planted(&self) -> Option<&str> {
        let mut names = self.planted.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.find(|name| !cfg!(feature = "faults") || PLANTED.iter().all(|bug| bug.name() != *name))
    }
}
