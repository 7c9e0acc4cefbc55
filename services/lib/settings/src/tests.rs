use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::layers::Layers;
use crate::read::Strictness;
use crate::{DEFAULTS, SettingsError, print};

const SMALL: &str = r#"
key_secret = ""
[log]
level = "info"
format = "json"
[kafka]
bootstrap = "127.0.0.1:19092"
sasl_password = ""
slots = 1
ratio = 0.5
[kafka.client]
[gateway]
listen = "127.0.0.1:1"
"#;

#[derive(Debug, Deserialize)]
struct Wanted {
    kafka: Kafka,
    log: Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kafka {
    bootstrap: String,
    sasl_password: Option<SecretString>,
    slots: u32,
    ratio: f64,
    client: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Log {
    format: Format,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secretive {
    key_secret: SecretString,
}

fn layered(file: &str, variables: &[(&str, &str)]) -> Result<Layers, SettingsError> {
    let mut layers = Layers::new(SMALL)?;
    let mut problems = layers.add_file(Path::new("my.toml"), file);
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    problems.extend(layers.add_environment(variables.collect()));
    if problems.is_empty() { Ok(layers) } else { Err(SettingsError(problems)) }
}

fn wanted(file: &str, variables: &[(&str, &str)]) -> Result<Wanted, SettingsError> {
    layered(file, variables)?.read(Strictness::Service)
}

#[test]
fn the_file_wins_over_the_default_and_the_environment_over_the_file() {
    let settings = wanted("", &[]).unwrap();
    assert_eq!(settings.kafka.slots, 1);
    assert_eq!(settings.log.format, Format::Json);
    assert!(settings.kafka.sasl_password.is_none(), "an empty text is nothing");
    let file = "[kafka]\nslots = 2\nbootstrap = 'a:1'\nratio = 1\n[log]\nformat = 'text'";
    let settings = wanted(file, &[("WEFT_KAFKA__SLOTS", "3")]).unwrap();
    assert_eq!((settings.kafka.slots, settings.kafka.bootstrap.as_str()), (3, "a:1"));
    assert!((settings.kafka.ratio - 1.0).abs() < f64::EPSILON);
    assert_eq!(settings.log.format, Format::Text);
}

#[test]
fn a_free_table_takes_any_key_in_any_spelling() {
    let file = "[kafka.client]\n\"client.rack\" = 'b'\nfetch.min.bytes = 1\n";
    let variables = [("WEFT_KAFKA__CLIENT__SOCKET_TIMEOUT_MS", "5"), ("WEFT_PORT_BASE", "1"), ("WEFT_TEST_X", "")];
    let client = wanted(file, &variables).unwrap().kafka.client;
    let client: Vec<(&str, &str)> = client.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(client, [("client.rack", "b"), ("fetch.min.bytes", "1"), ("socket.timeout.ms", "5")]);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    type Variables = &'static [(&'static str, &'static str)];
    let table: [(&str, Variables, &str); 12] = [
        ("[kafka]\nslot = 2", &[], "my.toml:2: unknown key kafka.slot; did you mean kafka.slots?"),
        ("[kafk]\nslots = 2", &[], "my.toml:1: unknown key kafk; did you mean kafka?"),
        ("\n\n[kafka.inner]\nx = 2", &[], "my.toml:3: unknown key kafka.inner"),
        ("[kafka]\nslots = '2'", &[], "my.toml:2: kafka.slots: expected integer, found string"),
        ("kafka = 1", &[], "my.toml:1: kafka: expected a section, found integer"),
        ("[kafka.client]\nx = [1]", &[], "my.toml:2: kafka.client.x: expected a single value, found array"),
        ("[kafka]\nslots = -2", &[], "my.toml:2: kafka.slots: invalid value: integer `-2`, expected u32"),
        ("[log]\nformat = 'xml'", &[], "my.toml:2: log.format: unknown variant `xml`, expected `json` or `text`"),
        ("[kafka]\nslots = ", &[], "my.toml:2: "),
        ("", &[("WEFT_KAFKA__SLOTS", "many")], "WEFT_KAFKA__SLOTS: kafka.slots: expected integer, found \"many\""),
        ("", &[("WEFT_KAFKA__SLOT", "1")], "WEFT_KAFKA__SLOT: unknown key kafka.slot; did you mean kafka.slots?"),
        ("", &[("WEFT_KEY_SECRET_FILE", "/none")], "WEFT_KEY_SECRET_FILE: secret file /none: "),
    ];
    for (file, variables, expected) in table {
        let error = wanted(file, variables).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{file:?} {variables:?}\n  wanted {expected}\n  got    {error}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let error = wanted("[kafka]\na = 1\nslots = ''", &[("WEFT_NOTHING", "1")]).unwrap_err();
    assert_eq!(error.0.len(), 3, "{error}");
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_printed() {
    let path = std::env::temp_dir().join(format!("weft-settings-{}", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(b"hush\n").unwrap();
    let layers = layered("", &[("WEFT_KEY_SECRET_FILE", path.to_str().unwrap())]).unwrap();
    std::fs::remove_file(&path).unwrap();
    let settings: Secretive = layers.read(Strictness::Service).unwrap();
    assert_eq!(settings.key_secret.expose_secret(), "hush");
    let shown = print::all(&layers);
    assert!(shown.contains("key_secret = \"********\"") && !shown.contains("hush"), "{shown}");
    assert!(shown.contains("# WEFT_KEY_SECRET_FILE ("), "{shown}");
}

#[test]
fn a_service_without_its_secret_does_not_start_and_a_tool_does() {
    let layers = layered("", &[]).unwrap();
    let error = layers.read::<Secretive>(Strictness::Service).unwrap_err().to_string();
    assert_eq!(error, "must be set: key_secret in the file, WEFT_KEY_SECRET or WEFT_KEY_SECRET_FILE");
    layers.read::<Secretive>(Strictness::Tool).unwrap();
}

#[test]
fn the_printed_configuration_names_sources_and_hides_logins() {
    let layers = layered("[gateway]\nlisten = 'http://a:b@host'", &[("WEFT_KAFKA__SLOTS", "4")]).unwrap();
    let shown = print::all(&layers);
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("gateway.listen").ends_with("# my.toml:2") && !shown.contains("a:b@"), "{shown}");
    assert!(line("kafka.slots = 4").ends_with("# WEFT_KAFKA__SLOTS"), "{shown}");
    assert!(line("log.level").ends_with("# default"), "{shown}");
}

#[test]
fn every_key_of_the_defaults_has_a_line_of_comment() {
    Layers::new(DEFAULTS).unwrap();
    let mut before = "";
    let mut bare = Vec::new();
    for (number, line) in DEFAULTS.lines().enumerate() {
        let is_key = !line.starts_with(['#', '[']) && line.contains('=');
        if is_key && !before.starts_with('#') {
            bare.push(format!("line {}: {line}", number + 1));
        }
        before = line;
    }
    assert!(bare.is_empty(), "keys without a comment above them:\n{}", bare.join("\n"));
}
