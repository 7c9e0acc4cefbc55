//! The rules of the house that a machine can check: who may use whom, sizes, words, licences. Each
//! check is a function from the tree's files to sentences about what is wrong, and has a test on a
//! made-up violation beside it.

#[cfg(test)]
#[path = "tidy/licences.rs"]
mod licences;
#[cfg(test)]
#[path = "tidy/rooms.rs"]
mod rooms;
#[cfg(test)]
#[path = "tidy/tables.rs"]
mod tables;
#[cfg(test)]
#[path = "tidy/texts.rs"]
mod texts;
#[cfg(test)]
#[path = "tidy/tree.rs"]
mod tree;
#[cfg(test)]
#[path = "tidy/uses.rs"]
mod uses;

#[cfg(test)]
use tree::Tree;

#[cfg(test)]
fn holds(what: &str, check: fn(&Tree) -> Vec<String>) {
    let wrong = check(&Tree::of_this_repository());
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

#[test]
fn crates_use_only_whom_they_may() {
    holds("house rule: services meet on topics, or not at all", uses::manifests);
}

#[test]
fn what_may_be_used_in_one_place_is_used_there_alone() {
    holds("house rule: one place each for Kafka, the clock and the environment", uses::single_places);
}

#[test]
fn cores_are_pure() {
    holds("house rule: core knows ids, records, state and time, and nothing of the outside", rooms::pure_cores);
}

#[test]
fn intake_and_outlets_do_not_know_each_other() {
    holds("house rule: intake and outlets may use core, never each other", rooms::separate_rooms);
}

#[test]
fn services_have_a_page_and_a_short_hallway() {
    holds("house rule: a page for each service, main.rs at most 60 lines", rooms::furniture);
}

#[test]
fn files_stay_small() {
    holds("house rule: files at most 500 lines, rules at most 200 without their tests", texts::sizes);
}

#[test]
fn nothing_is_left_for_later_or_silenced() {
    holds("house rule: no plans in the tree, no lint or test silenced without a reason", texts::words);
}

#[test]
fn nothing_names_a_place_on_one_machine() {
    holds("no file may name a path of somebody's machine", texts::machine_paths);
}

#[test]
fn every_crate_has_the_lints_and_a_name_that_says_what_it_is() {
    holds("house rule: one set of lints, crates are nouns", uses::crates);
}

#[test]
fn every_dependency_may_be_used_and_the_big_ones_are_there_once() {
    let wrong = licences::Rules::read().check(&licences::metadata());
    assert!(wrong.is_empty(), "dependencies:\n  {}", wrong.join("\n  "));
}
