//! The process: arguments, the verb, an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(verdict) => verdict.into(),
        Err(failure @ cli::Failure::Unheard) => failure.into(),
        Err(failure) => {
            let told = writeln!(std::io::stderr(), "weft: {failure}");
            if told.is_ok() { failure.into() } else { ExitCode::FAILURE }
        }
    }
}
