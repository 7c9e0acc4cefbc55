//! What the command line says.

use std::path::PathBuf;

use clap::Parser;

use crate::workloads::Workload;

/// Measures weft beside the raw loop of the same shape, in the same run.
///
/// Runs on the stack that the environment describes: `make bench WORKLOAD=threading` starts one of
/// its own. Every throughput is a ratio to what the client library does with the same records on the
/// same broker; CPU is read from /proc for each process; answers are compared before times are.
#[derive(Debug, Clone, Parser)]
#[command(name = "weft-bench", version, verbatim_doc_comment)]
pub struct Options {
    /// What to measure; none: the list
    #[arg(value_enum)]
    pub workload: Option<Workload>,
    /// A quick look: a tenth of the records, three repetitions
    #[arg(long)]
    pub short: bool,
    /// Records of one repetition, or rows of a state [default: by workload]
    #[arg(long)]
    pub records: Option<u64>,
    /// Repetitions; medians and ranges are over them
    #[arg(long)]
    pub repetitions: Option<usize>,
    /// Partitions of each topic
    #[arg(long, default_value_t = 4)]
    pub partitions: i32,
    /// Messages a conversation has on average
    #[arg(long, default_value_t = 8)]
    pub messages: u64,
    /// Ids remembered of each resting conversation
    #[arg(long, default_value_t = 4)]
    pub remembered: u64,
    /// Records a second of the open-loop workloads
    #[arg(long, default_value_t = 2000.0)]
    pub rate: f64,
    /// Chooses the generated data
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the broker's process is described, for its CPU time
    #[arg(long, default_value = ".local/bench")]
    pub stack: PathBuf,
    /// Directory of the results
    #[arg(long, default_value = "target/bench")]
    pub out: PathBuf,
}

impl Options {
    /// Records of one repetition, `usual` if nothing was said; a tenth of it for a quick look.
    pub fn records(&self, usual: u64) -> u64 {
        self.records.unwrap_or(if self.short { usual / 10 } else { usual })
    }

    /// How often to measure.
    pub fn repetitions(&self) -> usize {
        self.repetitions.unwrap_or(if self.short { 3 } else { 5 }).max(1)
    }
}
