//! Licences and second copies of what we build on, by the rules of `deny.toml`, without cargo-deny:
//! that cannot be had everywhere, and building it takes longer than all of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What `deny.toml` says.
pub(crate) struct Rules {
    allowed: BTreeSet<String>,
    /// Crates that may be there in several versions.
    skipped: BTreeSet<String>,
}

impl Rules {
    pub(crate) fn read() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml");
        let deny: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
        let texts = |value: &toml::Value| value.as_str().unwrap().to_owned();
        let allowed = deny["licenses"]["allow"].as_array().unwrap().iter().map(texts).collect();
        let skipped = deny["bans"]["skip"].as_array().unwrap().iter().map(|one| texts(&one["name"])).collect();
        Self { allowed, skipped }
    }

    /// Packages that may not be used, that are there twice, and rules that nothing needs any more.
    pub(crate) fn check(&self, metadata: &Value) -> Vec<String> {
        let packages = metadata["packages"].as_array().unwrap();
        let mut wrong = Vec::new();
        let mut versions: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for package in packages.iter().filter(|package| !package["source"].is_null()) {
            versions.entry(package["name"].as_str().unwrap()).or_default().push(&package["version"]);
            let licence = package["license"].as_str().unwrap_or_default();
            if !self.allows(licence) {
                wrong.push(format!("{} {}: licence {licence:?}", package["name"], package["version"]));
            }
        }
        for (name, versions) in &versions {
            if versions.len() > 1 && !self.skipped.contains(*name) {
                wrong.push(format!("{name}: expected one version, found {versions:?}"));
            }
        }
        let is_twice = |name: &String| versions.get(name.as_str()).is_some_and(|versions| versions.len() > 1);
        let idle = self.skipped.iter().filter(|name| !is_twice(name));
        wrong.extend(idle.map(|name| format!("{name}: there once, deny.toml need not skip it")));
        wrong
    }

    /// Whether an SPDX expression can be met with allowed licences. `/` is an old spelling of `OR`.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = words.as_slice();
        self.either(&mut rest) && rest.is_empty()
    }

    fn either(&self, rest: &mut &[&str]) -> bool {
        let mut allowed = self.all(rest);
        while let ["OR", more @ ..] = rest {
            *rest = more;
            allowed |= self.all(rest);
        }
        allowed
    }

    fn all(&self, rest: &mut &[&str]) -> bool {
        let mut allowed = self.one(rest);
        while let ["AND", more @ ..] = rest {
            *rest = more;
            allowed &= self.one(rest);
        }
        allowed
    }

    fn one(&self, rest: &mut &[&str]) -> bool {
        match *rest {
            ["(", more @ ..] => {
                *rest = more;
                let allowed = self.either(rest);
                let closed = rest.first() == Some(&")");
                *rest = rest.get(1..).unwrap_or_default();
                allowed && closed
            }
            [licence, "WITH", exception, more @ ..] => {
                *rest = more;
                self.allowed.contains(&format!("{licence} WITH {exception}"))
            }
            [licence, more @ ..] => {
                *rest = more;
                self.allowed.contains(*licence)
            }
            [] => false,
        }
    }
}

/// What cargo says of every package that this platform's build needs.
pub(crate) fn metadata() -> Value {
    let system = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-gnu" };
    let platform = format!("{}-{system}", std::env::consts::ARCH);
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &platform];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let rules = Rules::read();
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
        assert_eq!(rules.allows(expression), expected, "{expression}");
    }
}

#[test]
fn a_foreign_licence_a_second_copy_and_an_idle_exception_are_found() {
    let rules = Rules { allowed: ["MIT".to_owned()].into(), skipped: ["rand".to_owned()].into() };
    let package = |name: &str, version: &str, license: &str| serde_json::json!({"name": name, "version": version, "license": license, "source": "r"});
    let mut packages =
        vec![package("axum", "1.0.0", "MIT"), package("rand", "1.0.0", "MIT"), package("rand", "2.0.0", "MIT")];
    assert!(rules.check(&serde_json::json!({ "packages": packages })).is_empty());
    packages.pop();
    packages.push(package("axum", "2.0.0", "MIT"));
    packages.push(package("left-pad", "1.0.0", "WTFPL"));
    assert_eq!(rules.check(&serde_json::json!({ "packages": packages })).len(), 3);
}
