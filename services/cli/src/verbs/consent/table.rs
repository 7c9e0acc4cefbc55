//! Files of consents: CSV (RFC 4180) with a header, or one JSON object a line.

use schemas::records::Channel;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// One consent as it stands in a file.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) account: String,
    pub(super) channel: Option<Channel>,
    pub(super) customer: String,
    pub(super) purpose: String,
    pub(super) granted: bool,
    pub(super) source: Option<String>,
    pub(super) proof: Option<String>,
    pub(super) occurred_at: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    account: String,
    #[serde(default)]
    channel: Option<String>,
    customer: String,
    purpose: String,
    granted: Json,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    proof: Option<String>,
    #[serde(default)]
    occurred_at: Option<String>,
}

/// Every line with its number, from 1; the header and empty lines are passed over.
pub(super) fn read(text: &str) -> Vec<(usize, Result<Line, String>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let object = |line| serde_json::from_str(line).map_err(|error: serde_json::Error| error.to_string());
        return lines.map(|(no, line)| (no, object(line).and_then(of_fields))).collect();
    }
    let mut rows = rows(text).into_iter();
    let Some((_, header)) = rows.next() else { return Vec::new() };
    let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
    rows.map(|(no, cells)| (no, of_cells(&names, cells))).collect()
}

fn of_cells(names: &[String], cells: Vec<String>) -> Result<Line, String> {
    if cells.len() > names.len() {
        return Err(format!("expected {} cells, found {}", names.len(), cells.len()));
    }
    let filled = names.iter().zip(cells).filter(|(_, cell)| !cell.trim().is_empty());
    let object: Map<String, Json> = filled.map(|(name, cell)| (name.clone(), cell.trim().into())).collect();
    serde_json::from_value(Json::Object(object)).map_err(|error| error.to_string()).and_then(of_fields)
}

fn of_fields(fields: Fields) -> Result<Line, String> {
    let word = match &fields.granted {
        Json::Bool(granted) => granted.to_string(),
        Json::String(word) => word.to_lowercase(),
        other @ (Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_)) => other.to_string(),
    };
    let granted = match word.as_str() {
        "true" | "yes" | "1" | "in" | "opt_in" => true,
        "false" | "no" | "0" | "out" | "opt_out" => false,
        _ => return Err(format!("granted: expected yes or no, found {word:?}")),
    };
    let channel = fields.channel.map(|name| name.parse().map_err(|()| format!("unknown channel {name:?}")));
    let instant = |text: String| {
        let parsed: Result<jiff::Timestamp, _> = text.parse();
        parsed
            .map(jiff::Timestamp::as_millisecond)
            .map_err(|_| format!("occurred_at: expected ISO 8601, found {text:?}"))
    };
    Ok(Line {
        account: fields.account,
        channel: channel.transpose()?,
        customer: fields.customer,
        purpose: fields.purpose,
        granted,
        source: fields.source,
        proof: fields.proof,
        occurred_at: fields.occurred_at.map(instant).transpose()?,
    })
}

/// The rows of a CSV with the line each begins at; a cell in quotes may hold commas, line ends and
/// doubled quotes.
fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
    let (mut rows, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut line, mut begun) = (false, 1, 1);
    let mut letters = text.chars().chain(['\n']).peekable();
    while let Some(letter) = letters.next() {
        match (letter, quoted) {
            ('"', true) if letters.peek() == Some(&'"') => cell.extend(letters.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => cells.push(std::mem::take(&mut cell)),
            ('\n', false) => {
                cells.push(std::mem::take(&mut cell));
                let row = std::mem::take(&mut cells);
                if row.iter().any(|cell| !cell.trim().is_empty()) {
                    rows.push((begun, row));
                }
                begun = line + 1;
            }
            ('\r', false) => {}
            (letter, _) => cell.push(letter),
        }
        line += usize::from(letter == '\n');
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_a_file_say_the_same() {
        let csv = "Account,customer,purpose,granted,proof,occurred_at\r\n\
                   main,16505551234,marketing,yes,\"form 7, \"\"web\"\"\",2026-01-01T00:00:00Z\r\n\r\n\
                   shop,ada,all,opt_out,,\n";
        let jsonl = concat!(
            r#"{"account":"main","customer":"16505551234","purpose":"marketing","granted":true,"#,
            r#""proof":"form 7, \"web\"","occurred_at":"2026-01-01T00:00:00Z"}"#,
            "\n",
            r#"{"account":"shop","customer":"ada","purpose":"all","granted":"no"}"#,
        );
        let lines = |text| read(text).into_iter().map(|(_, line)| line.unwrap()).collect::<Vec<_>>();
        assert_eq!(lines(csv), lines(jsonl));
        let [first, second] = &lines(csv)[..] else { panic!("two lines") };
        assert_eq!((first.granted, first.occurred_at), (true, Some(1_767_225_600_000)));
        assert_eq!((second.granted, second.proof.as_deref()), (false, None));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let text = "account,customer,purpose,granted,channel\n\
                    main,1,x,maybe,\n\
                    main,1,x,yes,sms\n\
                    main,1,,yes,\n\
                    main,1,x,yes,,more\n\
                    main,1,x,yes,open\n";
        let found: Vec<(usize, bool)> = read(text).iter().map(|(no, line)| (*no, line.is_ok())).collect();
        assert_eq!(found, [(2, false), (3, false), (4, false), (5, false), (6, true)]);
        assert!(read("account,customer,purpose,granted,colour\nmain,1,x,yes,red\n")[0].1.is_err());
    }
}
