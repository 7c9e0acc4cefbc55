//! The fault bench as a test: real services on a Kafka, a registry and a ClickHouse of its own are
//! killed, frozen and cut off under load, and nothing that was promised is broken. `make chaos` runs
//! the long form.

use stream::clock;
use tests::chaos::report::{Report, last_line, told};
use tests::chaos::{Plan, run};
use tests::config;

#[test]
fn nothing_promised_is_broken_while_everything_is_killed_frozen_and_cut_off() {
    let ran = config::test_stack().and_then(|stack| {
        let seed = config::test_seed().unwrap_or_else(|| clock::now().as_ms().unsigned_abs() % 1_000_000);
        let plan = Plan::slice(&stack.join("chaos"), seed);
        let report = Report::new(Box::new(std::io::stdout()));
        report.write("the slice of the fault bench; `make chaos SHORT=1` and `make chaos` are its longer forms");
        let outcome = tokio::runtime::Runtime::new()?.block_on(run(&plan, &report))?;
        report.write(&last_line(&outcome));
        Ok((seed, outcome))
    });
    match ran {
        Ok((_, outcome)) if outcome.findings.violations.is_empty() => {}
        Ok((seed, outcome)) => {
            let stories: Vec<String> = outcome.findings.violations.iter().take(10).map(told).collect();
            panic!("seed {seed} (WEFT_TEST_SEED)\n{}", stories.join("\n"));
        }
        Err(error) => panic!("{error:#}"),
    }
}
