//! What people and programs read: tables and sentences, or JSON with `-o json`.

use std::io::{IsTerminal, StdoutLock, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value as Json;

use crate::Failure;

/// Columns of a terminal that does not say its width.
const WIDTH: u16 = 160;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Where a verb prints.
pub(crate) struct Output {
    format: Format,
    out: StdoutLock<'static>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, out: std::io::stdout().lock() }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A sentence for people; nothing for programs.
    pub(crate) fn say(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        if self.is_json() {
            return Ok(());
        }
        Ok(writeln!(self.out, "{text}")?)
    }

    /// A line for everybody.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// The result: rows for people, the value for programs.
    pub(crate) fn result(&mut self, json: &Json, rows: &Rows) -> Result<(), Failure> {
        if self.is_json() {
            return self.line(format_args!("{json:#}"));
        }
        self.line(rows.render())
    }

    /// One JSON value a line, for streams.
    pub(crate) fn json_line(&mut self, json: &Json) -> Result<(), Failure> {
        self.line(json)?;
        Ok(self.out.flush()?)
    }
}

/// A table for people.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn new<T: Into<String>>(headers: impl IntoIterator<Item = T>) -> Self {
        Self { headers: headers.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn push<T: Into<String>>(&mut self, row: impl IntoIterator<Item = T>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table; turned by a quarter when it has few rows that are too wide.
    pub(crate) fn render(&self) -> String {
        if self.is_empty() {
            return "nothing".into();
        }
        let longest = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = self.headers.iter().enumerate().map(|(n, header)| header.chars().count().max(longest(n)) + 2);
        let too_wide = widths.sum::<usize>() > usize::from(width());
        if too_wide && self.rows.len() <= 6 { self.turned().drawn() } else { self.drawn() }
    }

    fn turned(&self) -> Self {
        let headers = (0..=self.rows.len()).map(|n| if n == 0 { String::new() } else { format!("row {n}") });
        let mut turned = Self::new(headers);
        for (column, header) in self.headers.iter().enumerate() {
            turned.push(std::iter::once(header.clone()).chain(self.rows.iter().map(|row| row[column].clone())));
        }
        turned
    }

    fn drawn(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width()).set_header(&self.headers);
        for row in &self.rows {
            table.add_row(row);
        }
        table.to_string()
    }
}

fn width() -> u16 {
    if std::io::stdout().is_terminal() { Table::new().width().unwrap_or(WIDTH) } else { WIDTH }
}

/// Milliseconds as people say them: `0 ms`, `1.4 s`, `3 min 20 s`, `2 h 05 min`.
pub(crate) fn duration(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// The nearest of some names, if one is near enough to be a slip of the finger.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|one| (strsim::jaro_winkler(&name.to_lowercase(), &one.to_lowercase()), one));
    scored.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in
            [(0, "0 ms"), (999, "999 ms"), (1_449, "1.4 s"), (200_000, "3 min 20 s"), (7_500_000, "2 h 05 min")]
        {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("membrs", ["name", "members"]), Some("members"));
        assert_eq!(nearest("queue", ["Queue", "Agent"]), Some("Queue"));
        assert_eq!(nearest("zebra", ["name", "members"]), None);
    }

    #[test]
    fn few_wide_rows_stand_on_end() {
        let mut rows = Rows::new((0..40).map(|n| format!("column_{n}")));
        rows.push((0..40).map(|n| n.to_string()));
        assert!(rows.render().lines().count() > 40);
    }
}
