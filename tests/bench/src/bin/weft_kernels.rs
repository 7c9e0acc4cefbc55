//! The instruction gates: each kernel runs a fixed number of times under callgrind, and must not
//! need more instructions than the baseline says.

use std::io::Write;
use std::process::ExitCode;

use bench::gates;

const USAGE: &str = "usage: weft-kernels [check | update | run KERNEL]\n\n\
    check   count the instructions of every kernel and compare them with tests/bench/kernels.toml\n\
    update  write what was counted there\n\
    run     run one kernel, as callgrind is told to\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => gates::check(),
        ["update"] => gates::update(),
        ["run", kernel] => gates::run(kernel).map(|()| (String::new(), true)),
        _ => Ok((USAGE.to_owned(), false)),
    };
    let (text, code) = match done {
        Ok((text, true)) => (text, ExitCode::SUCCESS),
        Ok((text, false)) => (text, ExitCode::FAILURE),
        Err(error) => (format!("weft-kernels: {error:#}\n"), ExitCode::from(2)),
    };
    // Without a terminal the exit code speaks alone.
    let _closed = std::io::stdout().write_all(text.as_bytes());
    code
}
