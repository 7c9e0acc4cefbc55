//! `--print-config`.

use std::fmt::Write;

use crate::known::is_secret;
use crate::layers::Layers;

/// Every key, its value and where it came from, one a line.
pub(crate) fn all(layers: &Layers) -> String {
    let rows: Vec<(String, String)> = layers
        .values
        .iter()
        .map(|(path, (value, source))| {
            let shown = if is_secret(path) { hidden(value) } else { without_login(&value.to_string()) };
            (format!("{} = {shown}", path.join(".")), source.to_string())
        })
        .collect();
    let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (left, source)| {
        writeln!(text, "{left:width$}  # {source}").expect("a String takes everything");
        text
    })
}

fn hidden(value: &toml::Value) -> String {
    if value.as_str() == Some("") { "\"\"".to_owned() } else { "\"********\"".to_owned() }
}

/// `http://user:password@host` without what stands before the `@`.
fn without_login(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://********@{host}"),
        _ => text.to_owned(),
    }
}
