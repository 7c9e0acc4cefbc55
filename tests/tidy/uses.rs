//! Who may use whom, by manifests and by `use`.

use crate::tree::{File, Tree};

/// Of our crates, which may stand in whose manifest; `cli`, `tests` and `deploy/` may use any.
fn may_use(directory: &str) -> Option<&'static [&'static str]> {
    match directory {
        "schemas" | "services/lib/telemetry" | "services/lib/settings" | "services/lib/access" => Some(&[]),
        "services/lib/stream" => Some(&["telemetry"]),
        "services/lib/objects" => Some(&["access", "settings"]),
        "services/lib/network" => Some(&["stream", "telemetry"]),
        "services/lib/outreach" => Some(&["schemas"]),
        "services/cli" | "tests" | "tests/bench" => None,
        other if other.starts_with("deploy/") => None,
        _ => Some(&["schemas", "stream", "telemetry", "settings", "access", "objects", "network", "outreach"]),
    }
}

const NAMELESS: [&str; 6] = ["common", "utils", "shared", "core", "types", "domain"];

/// Crates that a manifest names and must not.
pub(crate) fn manifests(tree: &Tree) -> Vec<String> {
    let parsed: Vec<(&str, toml::Table)> = tree.manifests().map(parse).collect();
    let ours: Vec<&str> = parsed.iter().filter_map(|(_, manifest)| name(manifest)).collect();
    let mut wrong = Vec::new();
    for (directory, manifest) in &parsed {
        for used in dependencies(manifest) {
            let is_allowed = may_use(directory).is_none_or(|allowed| allowed.contains(&used));
            let is_own = name(manifest) == Some(used);
            if ours.contains(&used) && !is_allowed && !is_own {
                wrong.push(format!("{directory} uses {used}"));
            }
            // the raw loops of the benchmarks show what the client library does without our runtime
            if used == "rdkafka" && !["services/lib/stream", "tests/bench"].contains(directory) {
                wrong.push(format!("{directory} uses rdkafka, which lib/stream and the raw loops alone may"));
            }
        }
    }
    wrong
}

/// Crates without the workspace's lints, or with a name that says nothing.
pub(crate) fn crates(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (directory, manifest) in tree.manifests().map(parse) {
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            wrong.push(format!("{directory} lacks [lints] workspace = true"));
        }
        wrong
            .extend(name(&manifest).filter(|name| NAMELESS.contains(name)).map(|name| format!("a crate named {name}")));
    }
    wrong
}

/// Kafka, the clock and the environment, used where they must not be.
pub(crate) fn single_places(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in tree.rust().filter(|file| !file.path.starts_with("tests/tidy")) {
        let is_kafka = file.path.starts_with("services/lib/stream/src/kafka")
            || file.path.starts_with("services/lib/stream/tests/")
            || file.path.starts_with("tests/bench/");
        let is_clock = file.path == "services/lib/stream/src/clock.rs";
        let reads_environment = file.path.starts_with("services/lib/settings/src/")
            || file.path.ends_with("/config.rs")
            || file.path.ends_with("/build.rs")
            || (file.path.starts_with("services/") && file.path.contains("/tests/"));
        for (number, line) in file.code() {
            let place = format!("{}:{number}", file.path);
            if !is_kafka && line.contains(concat!("rdkafka", "::")) {
                wrong.push(format!("{place}: rdkafka outside lib/stream/src/kafka"));
            }
            if !is_clock && ["SystemTime::now", "Instant::now"].iter().any(|clock| line.contains(clock)) {
                wrong.push(format!("{place}: reads the clock outside lib/stream/src/clock.rs"));
            }
            if !reads_environment && ["env::var(", "env::var_os(", "env::vars"].iter().any(|read| line.contains(read)) {
                wrong.push(format!("{place}: reads the environment outside settings, config.rs and tests"));
            }
        }
    }
    wrong
}

fn parse(file: &File) -> (&str, toml::Table) {
    let directory = file.path.strip_suffix("/Cargo.toml").unwrap_or_default();
    (directory, toml::from_str(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path)))
}

fn name(manifest: &toml::Table) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

fn dependencies(manifest: &toml::Table) -> Vec<&str> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = sections.iter().filter_map(|section| manifest.get(*section)?.as_table());
    tables.flat_map(|table| table.keys().map(String::as_str)).collect()
}

#[test]
fn a_service_that_uses_another_is_found() {
    let manifest =
        |name: &str, uses: &str| format!("[package]\nname = \"{name}\"\n[dependencies]\n{uses}.workspace = true\n");
    let tree = Tree::of(&[
        ("services/routing/Cargo.toml", &manifest("routing", "threading")),
        ("services/threading/Cargo.toml", &manifest("threading", "schemas")),
        ("services/lib/stream/Cargo.toml", &manifest("stream", "schemas")),
        ("services/cli/Cargo.toml", &manifest("cli", "routing")),
        ("services/delivery/Cargo.toml", &manifest("delivery", "rdkafka")),
        ("schemas/Cargo.toml", &manifest("schemas", "serde")),
    ]);
    let mut wrong = manifests(&tree);
    wrong.sort();
    let kafka = "services/delivery uses rdkafka, which lib/stream and the raw loops alone may";
    assert_eq!(wrong, [kafka, "services/lib/stream uses schemas", "services/routing uses threading"]);
}

#[test]
fn a_crate_without_lints_or_with_an_empty_name_is_found() {
    let tree = Tree::of(&[("services/utils/Cargo.toml", "[package]\nname = \"utils\"\n")]);
    assert_eq!(crates(&tree).len(), 2);
}

#[test]
fn each_of_the_single_places_is_guarded() {
    let reads = "let a = std::env::var(\"A\");\nlet b = Instant::now();\nuse rdkafka::Message;\n// Instant::now\n";
    let wrong = single_places(&Tree::of(&[
        ("services/routing/src/core/mod.rs", reads),
        ("services/routing/src/config.rs", "std::env::var(\"A\")"),
        ("services/lib/stream/src/clock.rs", "Instant::now()"),
        ("services/lib/stream/src/kafka/consumer.rs", "use rdkafka::Message;"),
    ]));
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}
