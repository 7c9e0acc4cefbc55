//! The demo: `make demo`. Needs a running stack in its environment, and ends with 0 only if every
//! journey reached its report row.

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str =
    "usage: weft-demo [--once]\n\nPlays the journeys on the stack that the environment describes; see `make demo`.\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let once = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--once"] => true,
        _ => return said(USAGE, 2),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return said(&format!("weft-demo: {error}\n"), 3),
    };
    match runtime.block_on(tests::demo::run(once)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => said(&format!("weft-demo: {error:#}\n"), 3),
    }
}

fn said(text: &str, code: u8) -> ExitCode {
    // Without a terminal the exit code speaks alone.
    let _closed = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
