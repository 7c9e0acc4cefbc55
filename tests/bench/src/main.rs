//! The program behind `make bench`.

use std::io::Write;
use std::process::ExitCode;

use bench::options::Options;
use bench::report::Report;
use bench::workloads;
use clap::Parser;

fn main() -> ExitCode {
    let options = Options::parse();
    let mut out = std::io::stdout();
    let Some(workload) = options.workload else {
        let _closed = out.write_all(workloads::listing().as_bytes());
        return ExitCode::SUCCESS;
    };
    match measured(&options, workload).and_then(|report| {
        out.write_all(report.table().as_bytes())?;
        report.save(&options.out)
    }) {
        Ok(file) => {
            let _closed = writeln!(out, "written to {}", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _closed = writeln!(std::io::stderr(), "weft-bench {workload}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measured(options: &Options, workload: workloads::Workload) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Runtime::new()?;
    workloads::run(workload, options, runtime.handle())
}
