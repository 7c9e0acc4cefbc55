//! Documents that are refused: where the finger points and what it says.

use std::path::Path;

use schemas::config::SecretRef;

use super::{Document, Known, Problem, Role, check_references, read, repeated};

const TENANT: &str = "kind: Tenant\ntenant: acme\nid: acme\nspec: {name: Acme}\n";

fn all(text: &str) -> (Vec<Document>, Vec<Problem>) {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    read(Path::new("demo.yaml"), text, &mut documents, &mut problems);
    if problems.is_empty() {
        problems = repeated(&documents);
    }
    if problems.is_empty() {
        problems = check_references(&documents, &applied());
    }
    (documents, problems)
}

/// What is in force already.
fn applied() -> Known {
    let secrets = vec![SecretRef::Env("META".to_owned())];
    Known::from([
        ("acme/Tenant/acme".to_owned(), Role::Other),
        ("acme/Queue/help".to_owned(), Role::Other),
        ("acme/Deployment/shop".to_owned(), Role::Deployment("chat".to_owned())),
        ("acme/Endpoint/meta".to_owned(), Role::Endpoint(secrets)),
    ])
}

fn one(kind: &str, spec: &str) -> String {
    format!("kind: {kind}\ntenant: acme\nid: x\nspec:\n{spec}\n")
}

#[test]
fn a_wrong_document_is_refused_with_line_column_and_what_was_expected() {
    let table = [
        (one("Queu", "  name: Q"), "1:7: unknown kind `Queu`, did you mean `Queue`? expected one of Tenant, Skill"),
        (one("Queue", "  name: Q\n  membrs: []"), "6:3: unknown field `membrs`, did you mean `members`?"),
        (one("Queue", "  name: Q"), "missing field `members`"),
        (one("Queue", "  name: Q\n  members: ana"), "6:12: "),
        (one("Queue", "  name: Q\n  members: []\n  patience_s: soon"), "7:15: invalid "),
        (one("Queue", "  name: Q\n  members: []\n  patience_s: -1"), "7:15: expected 0 or more, found -1"),
        (one("Queue", "  name: Q\n  members: []\n  method: best"), "7:11: unknown value `best`"),
        (one("Queue", "  name: Q\n  members: []\n  service_level: {ratio: 80}"), "7:26: expected a share from 0 to 1"),
        (one("Queue", "  name: Q\n  members: [ana]"), "6:13: no Agent `ana` in these documents or applied before"),
        (one("Agent", "  name: Ana\n  skills: {billing: 6}"), "6:21: expected a proficiency from 0 to 5, found 6"),
        (one("Agent", "  name: Ana\n  skills: {billing: 3}"), "6:21: no Skill `billing`"),
        (one("Endpoint", "  platform: meta\n  secrets: [hunter2]"), "6:13: secrets: expected where the secret stands"),
        (one("Endpoint", "  platform: meta\n  secrets: []"), "6:12: expected at least one app secret"),
        (one("ChannelAccount", "  channel: whatsap\n  name: A\n  queue: q"), "5:12: unknown channel"),
        (
            one("ChannelAccount", "  channel: whatsapp\n  name: A\n  queue: q"),
            "5:12: a whatsapp account needs endpoint",
        ),
        (one("ChannelAccount", "  channel: open\n  name: A\n  queue: q"), "7:10: no Queue `q`"),
        (
            one("ChannelAccount", "  channel: web\n  name: A\n  queue: q\n  session_minutes: 5"),
            "8:20: expected 15 to 788400 minutes",
        ),
        (one("Deployment", "  name: A\n  account: web\n  allowed_origins: ['*']"), "7:20: expected an origin such as"),
        (one("Deployment", "  name: A\n  account: web"), "5:9: nobody could connect"),
        (one("Deployment", "  name: A\n  account: web\n  native_apps: true"), "6:12: no ChannelAccount `web`"),
        (
            format!(
                "{}---\n{}---\n{}",
                one("Deployment", "  name: A\n  account: x\n  native_apps: true"),
                one("ChannelAccount", "  channel: open\n  name: A\n  queue: x"),
                one("Queue", "  name: Q\n  members: []"),
            ),
            "6:12: expected an account of channel web, `x` is one of open",
        ),
        (
            "kind: ChannelAccount\ntenant: acme\nid: chat\nspec: {channel: open, name: A, queue: help}\n".into(),
            "4:17: expected channel web: guests of Deployment `shop` write to this account",
        ),
        (
            one("Endpoint", "  platform: x\n  secrets: [{env: NEW}, {env: META}]"),
            "6:12: expected secrets of its own, found one of Endpoint `meta`",
        ),
        ("kind: Skill\ntenant: other\nid: x\nspec: {name: X}\n".into(), "no Tenant `other`"),
        ("kind: Skill\ntenant: acme\nid: a/b\nspec: {name: X}\n".into(), "3:5: expected an id of letters"),
        ("kind: Tenant\ntenant: acme\nid: other\nspec: {name: X}\n".into(), "3:5: expected \"acme\""),
        (
            "kind: Tenant\ntenant: acme\nid: acme\nspec: {name: X, timezone: Mars}\n".into(),
            "4:27: expected an IANA zone",
        ),
        ("kind: Skill\ntenant: acme\nspec: {name: X}\n".into(), "missing field `id`"),
        (
            "kind: Skill\ntenant: acme\nid: x\nspecs: {name: X}\n".into(),
            "4:1: unknown field `specs`, did you mean `spec`?",
        ),
        ("kind: Skill\n  tenant: acme\n".into(), "2:"),
        (format!("{TENANT}---\n{TENANT}"), "6:7: acme/Tenant/acme stands already in demo.yaml:1"),
    ];
    for (text, expected) in table {
        let (_, problems) = all(&text);
        let said = problems.first().map(ToString::to_string).unwrap_or_default();
        assert!(said.starts_with("demo.yaml:") && said.contains(expected), "{text}\nexpected {expected}\nsaid {said}");
        assert!(!said.contains("hunter2"), "a secret was shown: {said}");
    }
}

#[test]
fn a_stream_of_good_documents_is_read_with_its_defaults() {
    let text = format!(
        "# the demo\n---\n{TENANT}---\n# who works\nkind: Agent\ntenant: acme\nid: ana\nspec: {{name: Ana}}\n--- \n{}",
        "kind: Queue\ntenant: acme\nid: help\nspec:\n  name: Help\n  members: [ana]\n"
    );
    let (documents, problems) = all(&text);
    assert_eq!(problems, []);
    assert_eq!(
        documents.iter().map(Document::key).collect::<Vec<_>>(),
        ["acme/Tenant/acme", "acme/Agent/ana", "acme/Queue/help"]
    );
    assert_eq!(documents[1].spec["capacity"]["message"], 4);
    assert_eq!(documents[2].spec["alerting_timeout_s"], 30);
}

#[test]
fn the_place_in_a_later_document_is_that_of_the_file() {
    let text = format!("{TENANT}---\n{}", one("Queue", "  name: Q\n  members: []\n  wrap_up: {codes: [done]}"));
    let (_, problems) = all(&text);
    assert_eq!(problems[0].to_string(), "demo.yaml:12:21: no WrapUpCode `done` in these documents or applied before");
}

#[test]
fn every_problem_of_every_document_is_told_at_once() {
    let text = [one("Queue", "  nam: Q"), one("Skill", "  nam: S"), TENANT.to_owned()].join("---\n");
    assert_eq!(all(&text).1.len(), 2);
}
