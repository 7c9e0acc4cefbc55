//! `weft migrate`: the numbered SQL of `deploy/clickhouse/`, which is compiled in.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::output::{Output, Rows};
use crate::reach::{Reach, quoted};
use crate::{Failure, Verdict};

/// Name and text of every migration, in order.
const MIGRATIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Bring ClickHouse's tables and views to this build's
///
/// Applies every migration of this build that is not recorded yet, in order, and records its
/// checksum. One that was applied with another text is refused, and nothing runs.
#[derive(Args)]
#[command(after_help = "Examples:\n  weft migrate --dry-run\n  weft migrate")]
pub(super) struct Migrate {
    /// Say what would run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Run changed migrations again; every statement of ours may be run twice
    #[arg(long)]
    again: bool,
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    checksum: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Applied,
    Pending,
    Changed,
}

impl Migrate {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let recorded = recorded(reach)?;
        let standing = |name: &str, text: &str| match recorded.get(name) {
            None => Standing::Pending,
            Some(known) if *known == checksum(text) => Standing::Applied,
            Some(_) => Standing::Changed,
        };
        let standings: Vec<_> = MIGRATIONS.iter().map(|(name, text)| (*name, *text, standing(name, text))).collect();
        let changed: Vec<_> =
            standings.iter().filter(|(_, _, s)| *s == Standing::Changed).map(|(n, _, _)| *n).collect();
        if !changed.is_empty() && !self.again {
            let names = changed.join(", ");
            return Err(Failure::Wrong(format!(
                "nothing ran: {names} changed since it was applied; what was applied is not edited, a new number is \
                 added (while developing: --again)"
            )));
        }
        let mut rows = Rows::new(["migration", "statements", "state"]);
        let mut list = Vec::new();
        for (name, text, standing) in standings {
            let count = statements(text).len();
            let state = match (standing, self.dry_run) {
                (Standing::Applied, _) => "applied before",
                (_, true) => "would be applied",
                (_, false) => {
                    apply(reach, name, text)?;
                    "applied"
                }
            };
            rows.push([name.to_owned(), count.to_string(), state.to_owned()]);
            list.push(json!({ "migration": name, "statements": count, "state": state }));
        }
        output.result(&Json::Array(list), &rows)?;
        Ok(Verdict::Good)
    }
}

/// Migrations this build has and the server has not.
pub(super) fn pending(reach: &Reach) -> Result<Vec<&'static str>, Failure> {
    let recorded = recorded(reach)?;
    let applied = |name: &str, text: &str| recorded.get(name).is_some_and(|known| *known == checksum(text));
    Ok(MIGRATIONS.iter().filter(|(name, text)| !applied(name, text)).map(|(name, _)| *name).collect())
}

/// Checksums of what was applied, by name; empty on a fresh server.
fn recorded(reach: &Reach) -> Result<BTreeMap<String, String>, Failure> {
    let clickhouse = reach.clickhouse();
    let there =
        clickhouse.ask("SELECT count() FROM system.tables WHERE database = 'weft_raw' AND name = 'migrations'")?;
    if there.trim_ascii() == b"0" {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Recorded> = clickhouse
        .rows("SELECT name, argMax(checksum, applied_at) AS checksum FROM weft_raw.migrations GROUP BY name")?;
    Ok(rows.into_iter().map(|row| (row.name, row.checksum)).collect())
}

fn apply(reach: &Reach, name: &str, text: &str) -> Result<(), Failure> {
    let clickhouse = reach.clickhouse();
    for statement in statements(text) {
        clickhouse.ask(&statement).map_err(|failure| match failure {
            Failure::Wrong(text) => Failure::Wrong(format!("{name}: {text}\n  in: {}", first_line(&statement))),
            other @ (Failure::Usage(_) | Failure::Away(_) | Failure::Unheard) => other,
        })?;
    }
    clickhouse.ask("CREATE DATABASE IF NOT EXISTS weft_raw")?;
    clickhouse.ask(
        "CREATE TABLE IF NOT EXISTS weft_raw.migrations (\
         name String COMMENT 'File in deploy/clickhouse.', \
         checksum String COMMENT 'SHA-256 of its text, hex.', \
         applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied, UTC.'\
         ) ENGINE = MergeTree ORDER BY (name, applied_at) COMMENT 'One row per application of a migration.'",
    )?;
    let values = format!("({}, {})", quoted(name), quoted(&checksum(text)));
    clickhouse.ask(&format!("INSERT INTO weft_raw.migrations (name, checksum) VALUES {values}")).map(drop)
}

fn first_line(statement: &str) -> &str {
    let mut lines = statement.lines().filter(|line| !line.starts_with("--"));
    lines.next().unwrap_or_default()
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The statements of a file: each ends with `;` at the end of a line that is no comment.
fn statements(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    for line in text.lines() {
        let statement = statements.last_mut().expect("there is one from the start");
        let end = line.trim_end().strip_suffix(';').filter(|_| !line.trim_start().starts_with("--"));
        statement.push_str(end.unwrap_or(line));
        statement.push('\n');
        if end.is_some() {
            statements.push(String::new());
        }
    }
    let says_something = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("--");
    statements.retain(|statement| statement.lines().any(says_something));
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_a_semicolon_at_the_end_of_a_line_that_is_no_comment() {
        let text = "-- one; two;\nCREATE TABLE a (\n  x Int8 COMMENT 'a; b'\n);\n\nSELECT 1;\n-- the end\n";
        assert_eq!(statements(text), ["-- one; two;\nCREATE TABLE a (\n  x Int8 COMMENT 'a; b'\n)\n", "\nSELECT 1\n"]);
    }

    #[test]
    fn migrations_are_numbered_each_number_once_and_hold_statements() {
        let numbers: std::collections::BTreeSet<_> = MIGRATIONS.iter().map(|(name, _)| &name[..4]).collect();
        assert_eq!(numbers.len(), MIGRATIONS.len());
        assert!(numbers.iter().all(|number| number.parse::<u16>().is_ok()));
        assert!(MIGRATIONS.iter().all(|(_, text)| !statements(text).is_empty()));
    }
}
