//! What the environment tells; read here and nowhere else in this crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;

/// Every variable that a stack sets for the programs that run on it.
pub fn variables() -> BTreeMap<String, String> {
    std::env::vars()
        .filter(|(name, _)| name.starts_with("WEFT_") || name.starts_with("DEMO_") || name == "PROMETHEUS_URL")
        .collect()
}

/// The directory of the stack that tests run on.
///
/// # Errors
/// If `WEFT_TEST_STACK` is not set, with the way out.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn test_stack() -> anyhow::Result<PathBuf> {
    std::env::var("WEFT_TEST_STACK")
        .map(PathBuf::from)
        .context("WEFT_TEST_STACK is not set: this test needs Kafka, registry and ClickHouse; run `make test`")
}

/// The seed of the one simulated world to run (`WEFT_TEST_SEED`); none: the usual ones.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn test_seed() -> Option<u64> {
    std::env::var("WEFT_TEST_SEED").ok()?.parse().ok()
}

/// How many broken forms of each example are tried (`WEFT_FUZZ_ROUNDS`); none: as many as a test has time for.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn fuzz_rounds() -> Option<u64> {
    std::env::var("WEFT_FUZZ_ROUNDS").ok()?.parse().ok()
}

/// How long Kafka stays away (`WEFT_TEST_OUTAGE_S`), seconds; none: half a minute.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn outage_s() -> Option<u64> {
    std::env::var("WEFT_TEST_OUTAGE_S").ok()?.parse().ok()
}

/// The directory of this workspace's programs: `WEFT_RUN_BIN_DIR`, or where the running one lies, or
/// one above for a test.
///
/// # Errors
/// If the system does not say where the running program is.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn programs() -> anyhow::Result<PathBuf> {
    if let Ok(directory) = std::env::var("WEFT_RUN_BIN_DIR") {
        return Ok(directory.into());
    }
    let here = std::env::current_exe().context("where does this program lie?")?;
    let directory = here.parent().context("a program lies in a directory")?;
    let is_deps = directory.file_name().is_some_and(|name| name == "deps");
    let above = directory.parent().filter(|_| is_deps);
    Ok(above.unwrap_or(directory).to_owned())
}
