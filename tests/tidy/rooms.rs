//! The rooms of a service.

use crate::tree::{SERVICES, Tree};

/// What `use` may begin with in a core, beside paths of the core itself.
const PURE: [&str; 10] =
    ["std", "core", "self", "super", "schemas", "stream", "serde", "uuid", "clickhouse", "unicode_segmentation"];
const PURE_OF_SCHEMAS: [&str; 4] = ["ids", "records", "config", "topics"];
const PURE_OF_STREAM: [&str; 11] =
    ["Change", "Derived", "Index", "Machine", "Row", "RowError", "Scope", "State", "Stored", "Table", "Tick"];
/// Of `std`, what touches the outside.
const IMPURE: [&str; 14] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::io",
    "std::time::SystemTime",
    "std::time::Instant",
    "stream::clock",
    "tokio::",
    "reqwest::",
    "prometheus::",
    "tracing::",
    "rand::",
];
const MAIN_LINES_MAX: usize = 60;

/// Uses of the outside in `core/`. Tests of a core may drive it with `stream::testing`.
pub(crate) fn pure_cores(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in SERVICES.iter().filter(|service| **service != "cli") {
        let files = tree.rust().filter_map(|file| Some((file, file.in_sources_of(service)?)));
        for (file, _) in files.filter(|(_, path)| path.starts_with("core/") || *path == "core.rs") {
            let is_test = tree.is_test_module(file) || file.path.ends_with("/testing.rs");
            for (number, line) in file.code().take_while(|(_, line)| !line.starts_with("#[cfg(test)]")) {
                let found = impurity(line.trim(), is_test, service);
                wrong.extend(found.map(|found| format!("{}:{number}: {found}", file.path)));
            }
        }
    }
    wrong
}

fn impurity(line: &str, is_test: bool, service: &str) -> Option<String> {
    if let Some(found) = IMPURE.iter().find(|path| line.contains(**path) && begins(line, path)) {
        return Some((*found).to_owned());
    }
    let used = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
    let used = used.iter().find_map(|start| line.strip_prefix(start))?;
    let mut parts = used.trim_end_matches(';').split("::");
    let (root, next) = (parts.next()?, parts.next().unwrap_or_default());
    let is_pure = match root {
        "schemas" => names(next).all(|name| PURE_OF_SCHEMAS.contains(&name)),
        "stream" => names(next)
            .all(|name| PURE_OF_STREAM.contains(&name) || name == "Timestamp" || (is_test && name == "testing")),
        "crate" => next == "core" || is_test,
        // analytics' core makes rows, and a row's derive is clickhouse's
        "clickhouse" => service == "analytics" && next == "Row",
        other => PURE.contains(&other) || other.starts_with(char::is_lowercase) && is_module(other),
    };
    (!is_pure).then(|| format!("use {used}"))
}

/// A module of the core itself, named without `self::`; other crates are written with their paths.
fn is_module(root: &str) -> bool {
    const OUTSIDE: [&str; 22] = [
        "access",
        "anyhow",
        "axum",
        "base64",
        "bytes",
        "clap",
        "clickhouse",
        "figment",
        "futures",
        "hmac",
        "jiff",
        "prometheus",
        "rand",
        "rdkafka",
        "reqwest",
        "settings",
        "telemetry",
        "tokio",
        "toml",
        "tower_http",
        "tracing",
        "secrecy",
    ];
    !OUTSIDE.contains(&root)
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(['{', '}', ',']).map(str::trim).filter(|name| !name.is_empty())
}

fn begins(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !(before.is_alphanumeric() || before == '_' || before == ':'))
    })
}

/// Intake that uses outlets, or the other way round.
pub(crate) fn separate_rooms(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in SERVICES {
        for file in tree.rust() {
            let Some(path) = file.in_sources_of(service) else { continue };
            let other = match path.split(['/', '.']).next() {
                Some("intake") => "crate::outlets",
                Some("outlets") => "crate::intake",
                _ => continue,
            };
            let uses = file.code().filter(|(_, line)| line.contains(other));
            wrong.extend(uses.map(|(number, _)| format!("{}:{number}: {other}", file.path)));
        }
    }
    wrong
}

/// Services without a page, or with a long `main.rs`.
pub(crate) fn furniture(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in SERVICES {
        let page = format!("services/{service}/README.md");
        if !tree.has(&page) {
            wrong.push(format!("{page} is missing"));
        }
    }
    for file in tree.rust().filter(|file| file.path.ends_with("/src/main.rs")) {
        let lines = file.text.lines().count();
        if file.path.starts_with("services/") && lines > MAIN_LINES_MAX {
            wrong.push(format!("{}: {lines} lines, at most {MAIN_LINES_MAX}", file.path));
        }
    }
    wrong
}

#[test]
fn what_a_core_must_not_use_is_found() {
    let core = "use std::collections::BTreeMap;\nuse schemas::records::{Message, Sender};\nuse stream::{Machine, Timestamp};\n\
        use super::rules;\nuse crate::core::state::State;\nuse serde::Serialize;\nuse turn::Turn;\n";
    assert_eq!(pure_cores(&Tree::of(&[("services/routing/src/core/mod.rs", core)])), Vec::<String>::new());
    for line in [
        "use tokio::sync::mpsc;",
        "use stream::clock;",
        "use stream::{Publisher, Timestamp};",
        "use schemas::codec::Codec;",
        "use crate::metrics::Metrics;",
        "use std::time::Instant;",
        "    tracing::info!(\"hello\");",
        "let now = stream::clock::now();",
        "use clickhouse::Row;",
        "use axum::Router;",
    ] {
        let tree = Tree::of(&[("services/routing/src/core/rules/offer.rs", line)]);
        assert_eq!(pure_cores(&tree).len(), 1, "{line}");
    }
}

#[test]
fn a_door_between_intake_and_outlets_is_found() {
    let wrong = separate_rooms(&Tree::of(&[
        ("services/ingest/src/intake/meta.rs", "use crate::outlets::Spool;"),
        ("services/ingest/src/outlets.rs", "use crate::core::Event;\nuse crate::intake::Parsed;"),
        ("services/ingest/src/station.rs", "use crate::intake::A;\nuse crate::outlets::B;"),
    ]));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn a_missing_page_and_a_long_hallway_are_found() {
    let pages: Vec<String> = SERVICES[1..].iter().map(|service| format!("services/{service}/README.md")).collect();
    let long = "x\n".repeat(61);
    let mut files: Vec<(&str, &str)> = pages.iter().map(|page| (page.as_str(), "")).collect();
    files.push(("services/cli/src/main.rs", &long));
    let wrong = furniture(&Tree::of(&files));
    assert_eq!(wrong, ["services/ingest/README.md is missing", "services/cli/src/main.rs: 61 lines, at most 60"]);
}
