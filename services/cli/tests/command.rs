//! The binary as a shell sees it: output, errors, exit codes; no server is needed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use access::{Subject, TokenSecrets};
use schemas::ids::{CustomerKey, KeySecret};

const TOKEN_SECRET: &str = "a token secret for tests";
const NOWHERE: &str = "http://127.0.0.1:1";

fn weft(arguments: &[&str], directory: &Path, stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weft"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("WEFT_TOKEN_SECRET", TOKEN_SECRET)
        .env("WEFT_KEY_SECRET", "secret")
        .env("WEFT_SCHEMA_REGISTRY__URL", NOWHERE)
        .env("WEFT_CLICKHOUSE__URL", NOWHERE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[test]
fn a_minted_token_is_all_there_is_on_standard_output_and_the_services_believe_it() {
    let here = tempfile::tempdir().unwrap();
    let minted = weft(&["token", "mint", "--tenant", "acme", "--agent", "ana", "--supervisor"], here.path(), b"");
    assert!(minted.status.success(), "{minted:?}");
    let claims = TokenSecrets::parse(TOKEN_SECRET).unwrap().verify(&text(&minted.stdout), 0).unwrap();
    assert_eq!((claims.tenant.as_str(), &claims.subject), ("acme", &Subject::Agent("ana".into())));
    assert!(claims.supervisor && claims.expires_at_ms.is_some());
}

#[test]
fn a_printed_key_is_the_one_that_records_have() {
    let here = tempfile::tempdir().unwrap();
    let printed = weft(&["key", "acme", "open", "shop", "ada"], here.path(), b"");
    let key = CustomerKey::derive(&KeySecret::new("secret"), &"acme".into(), "open", &"shop".into(), "ada");
    assert_eq!(text(&printed.stdout), key.to_string());
}

#[test]
fn the_exit_code_says_what_went_wrong() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("wrong.yaml"), "kind: Skill\ntenant: acme\nid: x\nspec: {nam: X}\n").unwrap();
    for (arguments, code, said) in [
        (vec!["apply", "-f", "wrong.yaml"], 1, "wrong.yaml:4:8: unknown field `nam`, did you mean `name`?"),
        (vec!["apply", "-f", "missing.yaml"], 2, "missing.yaml: No such file"),
        (vec!["apply"], 2, "--file"),
        (vec!["token", "mint", "--tenant", "acme"], 2, "--agent"),
        (vec!["key", "acme", "whatsap", "a", "b"], 2, "did you mean whatsapp?"),
        (vec!["tail", "conversation.event"], 2, "did you mean conversation.events?"),
        (vec!["schemas", "list"], 3, NOWHERE),
        (vec!["migrate", "--dry-run"], 3, NOWHERE),
    ] {
        let ended = weft(&arguments, here.path(), b"");
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {ended:?}");
        assert!(text(&ended.stderr).contains(said), "{arguments:?}: {ended:?}");
        assert_eq!(text(&ended.stdout), "", "{arguments:?}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_told_and_the_others_are_printed_still() {
    let here = tempfile::tempdir().unwrap();
    let good = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
        "messaging_product":"whatsapp","metadata":{"phone_number_id":"77"},"messages":[{"from":"4179","id":"wamid.1",
        "timestamp":"1763800000","type":"text","text":{"body":"Hello"}}]}}]}]}"#;
    std::fs::write(here.path().join("good.json"), good).unwrap();
    std::fs::write(here.path().join("bad.json"), "{\"object\":").unwrap();
    let parsed = weft(&["channel", "parse", "whatsapp", "bad.json", "good.json"], here.path(), b"");
    assert_eq!(parsed.status.code(), Some(1));
    assert!(text(&parsed.stderr).starts_with("bad.json: "), "{parsed:?}");
    let event: serde_json::Value = serde_json::from_slice(&parsed.stdout).unwrap();
    for (field, value) in
        [("file", "good.json"), ("class", "message"), ("id", "wamid.1"), ("text", "Hello"), ("account", "77")]
    {
        assert_eq!(event[field], value, "{event}");
    }
    let piped = weft(&["channel", "parse", "whatsapp"], here.path(), good.as_bytes());
    assert!(piped.status.success() && text(&piped.stdout).contains("\"file\":\"-\""), "{piped:?}");
    let foreign = weft(&["channel", "parse", "whatsapp"], here.path(), b"{\"object\":\"page\",\"entry\":[]}");
    assert!(foreign.status.success() && foreign.stdout.is_empty(), "{foreign:?}");
}
