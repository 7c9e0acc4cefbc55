//! How a run ended, as the exit code says it: 0 done, 1 found something wrong, 2 wrong use,
//! 3 cannot reach.

use std::process::ExitCode;

/// A run that got to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done; nothing to complain about.
    Good,
    /// Done, and what was printed says what is wrong.
    Wrong,
}

impl Verdict {
    /// Good if it is.
    pub(crate) fn good_if(good: bool) -> Self {
        if good { Self::Good } else { Self::Wrong }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::SUCCESS,
            Verdict::Wrong => Self::from(1),
        }
    }
}

/// A run that could not get to its end.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for is wrong in itself: a document, a schema, a migration.
    Wrong(String),
    /// The command was used wrongly, or lacks a setting.
    Usage(String),
    /// A server did not answer.
    Away(String),
    /// Whoever reads our output has gone.
    Unheard,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(text) | Self::Usage(text) | Self::Away(text) => f.write_str(text),
            Self::Unheard => f.write_str("nobody reads the output"),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Wrong(_) => Self::from(1),
            Failure::Usage(_) => Self::from(2),
            Failure::Away(_) => Self::from(3),
            Failure::Unheard => Self::SUCCESS,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::Unheard } else { Self::Wrong(error.to_string()) }
    }
}
