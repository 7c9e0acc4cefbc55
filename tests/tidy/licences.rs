//! Licences of what we build on, and crates that must be there once. `deny.toml` says the same to
//! cargo-deny, for those who have it.

use std::process::Command;

use serde_json::Value;

const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];
const ONCE: [&str; 4] = ["apache-avro", "axum", "rdkafka", "reqwest"];

/// What cargo says of every package that this platform's build needs.
pub(crate) fn metadata() -> Value {
    let system = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-gnu" };
    let platform = format!("{}-{system}", std::env::consts::ARCH);
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &platform];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Packages that may not be used, or that are there twice.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let mut wrong = Vec::new();
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence) {
            wrong.push(format!("{} {}: licence {licence:?}", package["name"], package["version"]));
        }
    }
    for name in ONCE {
        let versions: Vec<&Value> =
            packages.iter().filter(|package| package["name"] == name).map(|package| &package["version"]).collect();
        if versions.len() != 1 {
            wrong.push(format!("{name}: expected one version, found {versions:?}"));
        }
    }
    wrong
}

/// Whether an SPDX expression can be met with allowed licences. `/` is an old spelling of `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest) && rest.is_empty()
}

fn either(rest: &mut &[&str]) -> bool {
    let mut allowed = all(rest);
    while let ["OR", more @ ..] = rest {
        *rest = more;
        allowed |= all(rest);
    }
    allowed
}

fn all(rest: &mut &[&str]) -> bool {
    let mut allowed = one(rest);
    while let ["AND", more @ ..] = rest {
        *rest = more;
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &[&str]) -> bool {
    match *rest {
        ["(", more @ ..] => {
            *rest = more;
            let allowed = either(rest);
            let closed = rest.first() == Some(&")");
            *rest = rest.get(1..).unwrap_or_default();
            allowed && closed
        }
        [licence, "WITH", exception, more @ ..] => {
            *rest = more;
            ALLOWED.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, more @ ..] => {
            *rest = more;
            ALLOWED.contains(licence)
        }
        [] => false,
    }
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("MIT/Apache-2.0", true),
        ("Unlicense OR MIT", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("(MIT AND GPL-3.0) OR ISC", true),
        ("ISC AND (GPL-2.0 OR AGPL-3.0)", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-2.0 WITH Classpath-exception-2.0", false),
        ("(MIT", false),
    ] {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}

#[test]
fn a_foreign_licence_and_a_second_copy_are_found() {
    let package = |name: &str, version: &str, license: &str| serde_json::json!({"name": name, "version": version, "license": license, "source": "r"});
    let once = ONCE.map(|name| package(name, "1.0.0", "MIT"));
    let mut packages = once.to_vec();
    assert!(check(&serde_json::json!({ "packages": packages })).is_empty());
    packages.push(package("axum", "2.0.0", "MIT"));
    packages.push(package("left-pad", "1.0.0", "WTFPL"));
    assert_eq!(check(&serde_json::json!({ "packages": packages })).len(), 2);
}
