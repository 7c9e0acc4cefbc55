//! Sizes and words.

use crate::tree::Tree;

const SOURCES: [&str; 5] = ["rs", "py", "sql", "sh", "ts"];
const LINES_MAX: usize = 500;
const RULE_LINES_MAX: usize = 200;

/// Files that are too long. A rule's table of tests does not count.
pub(crate) fn sizes(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in tree.files.iter().filter(|file| file.has_ending(&SOURCES)) {
        let all = file.text.lines().count();
        let rule = file.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        if all > LINES_MAX {
            wrong.push(format!("{}: {all} lines, at most {LINES_MAX}", file.path));
        } else if file.path.contains("/core/rules/") && rule > RULE_LINES_MAX {
            wrong.push(format!("{}: {rule} lines without tests, at most {RULE_LINES_MAX}", file.path));
        }
    }
    wrong
}

/// Words that put something off or silence something. Spelled in pieces, so as not to find itself.
pub(crate) fn words(tree: &Tree) -> Vec<String> {
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let silent = [concat!("#[al", "low"), concat!("#![al", "low"), concat!("#[ig", "nore")];
    let mut wrong = Vec::new();
    for file in tree.files.iter().filter(|file| file.has_ending(&SOURCES) || file.path.ends_with("Makefile")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let found = later.iter().find(|word| is_word(line, word));
            let found = found.or_else(|| silent.iter().find(|word| line.contains(**word)));
            wrong.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    wrong
}

/// Paths of the machines on which this was written.
pub(crate) fn machine_paths(tree: &Tree) -> Vec<String> {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut wrong = Vec::new();
    for file in &tree.files {
        for (number, line) in (1..).zip(file.text.lines()) {
            let found = places.iter().find(|place| starts_path(line, place));
            wrong.extend(found.map(|place| format!("{}:{number}: {place}", file.path)));
        }
    }
    wrong
}

fn is_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(|near| near.is_alphanumeric() || near == '_')
    })
}

/// `acme/queue/x` is a key, and only what begins with the place is a path.
fn starts_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !(before.is_alphanumeric() || "}_-.*~<>$/)".contains(before)))
    })
}

#[test]
fn long_files_are_found_and_a_rule_s_tests_do_not_count() {
    let line = "x\n";
    let (short, long) = (line.repeat(200), line.repeat(201));
    let tested = format!("{short}#[cfg(test)]\n{long}");
    let tree = Tree::of(&[
        ("a/core/rules/a.rs", &short),
        ("a/core/rules/b.rs", &long),
        ("a/core/rules/c.rs", &tested),
        ("a/core/d.rs", &long),
        ("e.sql", &line.repeat(501)),
        ("f.md", &line.repeat(501)),
    ]);
    let wrong = sizes(&tree);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("a/core/rules/b.rs: 201") && wrong[1].starts_with("e.sql: 501"), "{wrong:?}");
}

#[test]
fn words_are_found_where_they_are_words() {
    let later = format!("// {}: more\nmktemp x.{}\n", concat!("TO", "DO"), "XX".repeat(3));
    let silent = format!("{}(dead_code)]\n", concat!("#[al", "low"));
    let wrong = words(&Tree::of(&[("a.rs", &silent), ("b.sh", &later), ("c.md", &later)]));
    assert_eq!(wrong, [format!("a.rs:1: {}", concat!("#[al", "low")), format!("b.sh:1: {}", concat!("TO", "DO"))]);
}

#[test]
fn paths_of_a_machine_are_found_and_keys_are_not() {
    let place = concat!("/wo", "rk/");
    let text = format!("acme{place}c1\n{{tenant}}{place}{{id}}\n`{place}x`\n{place}y\nin {place}");
    let wrong = machine_paths(&Tree::of(&[("a.md", &text)]));
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].starts_with("a.md:3"), "{wrong:?}");
}
