//! `weft diff`: what `apply` would change, field by field.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value as Json, json};

use super::apply::{CONFIG, planned};
use crate::documents::load;
use crate::output::{Output, Rows};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Show what `weft apply` would change, field by field
///
/// Exit code 1 when there is a difference.
#[derive(Args)]
#[command(after_help = "Example:\n  weft diff -f deploy/demo")]
pub(super) struct Diff {
    /// File, or directory that is read with all below it; may be repeated
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    file: Vec<PathBuf>,
}

impl Diff {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let documents = load(&self.file)?;
        let changes = planned(reach, &reach.codec(CONFIG)?, documents)?;
        let mut rows = Rows::new(["document", "field", "in force", "in the file"]);
        let mut list = Vec::new();
        for change in changes.iter().filter(|change| change.is_real()) {
            let key = change.document.key();
            let before = change.before.as_ref().map_or(Json::Null, |before| before.spec());
            for (field, old, new) in differences(&before, &change.document.spec) {
                rows.push([key.clone(), field.clone(), shown(&old), shown(&new)]);
                list.push(json!({ "document": key, "field": field, "in_force": old, "in_file": new }));
            }
        }
        let same = list.is_empty();
        output.result(&Json::Array(list), &rows)?;
        Ok(Verdict::good_if(same))
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    }
}

/// The leaves in which two values differ: path, old, new; null where one side has nothing.
fn differences(old: &Json, new: &Json) -> Vec<(String, Json, Json)> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    leaves(old, "", &mut before);
    leaves(new, "", &mut after);
    let value = |leaves: &[(String, Json)], path: &str| {
        leaves.iter().find(|(one, _)| one == path).map_or(Json::Null, |(_, value)| value.clone())
    };
    let gone = before.iter().filter(|(path, _)| after.iter().all(|(one, _)| one != path)).map(|(path, _)| path);
    let paths: Vec<_> = after.iter().map(|(path, _)| path).chain(gone).collect();
    let both = paths.into_iter().map(|path| (path.clone(), value(&before, path), value(&after, path)));
    both.filter(|(_, old, new)| old != new).collect()
}

fn leaves(value: &Json, path: &str, into: &mut Vec<(String, Json)>) {
    let Some(fields) = value.as_object().filter(|fields| !fields.is_empty()) else {
        return into.push((path.to_owned(), value.clone()));
    };
    for (name, value) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        leaves(value, &path, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_leaves_that_differ_are_told() {
        let old = json!({"name": "A", "wrap_up": {"policy": "timed", "codes": []}, "gone": 1});
        let new = json!({"name": "A", "wrap_up": {"policy": "optional", "codes": ["done"]}});
        let told = differences(&old, &new);
        assert_eq!(
            told,
            [
                ("wrap_up.policy".into(), json!("timed"), json!("optional")),
                ("wrap_up.codes".into(), json!([]), json!(["done"])),
                ("gone".into(), json!(1), Json::Null),
            ]
        );
        assert_eq!(differences(&old, &old), []);
    }
}
