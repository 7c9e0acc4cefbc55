//! The three reports as tables that fit a terminal: what a supervisor looks at first. Everything
//! else stands in the views.

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

/// A report and the columns of it that are shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// The report's name, as `weft report run` takes it.
    pub report: &'static str,
    columns: &'static [&'static str],
}

/// The three reports.
pub const REPORTS: [Shown; 3] = [
    Shown {
        report: "interaction_details",
        columns: &[
            "started_local",
            "row_kind",
            "message_type",
            "queue_name",
            "agent_name",
            "stint_no",
            "wait_s",
            "talk_s",
            "acw_s",
            "messages_in",
            "messages_out",
            "first_response_s",
            "wrap_up_code",
            "end_cause",
        ],
    },
    Shown {
        report: "agent_performance",
        columns: &[
            "agent_name",
            "queue_id",
            "message_type",
            "alerted",
            "answered",
            "handled",
            "not_answered",
            "talk_avg_s",
            "acw_s",
            "aht_s",
            "first_response_avg_s",
            "response_avg_s",
            "messages_out",
        ],
    },
    Shown {
        report: "queue_performance",
        columns: &[
            "queue_name",
            "message_type",
            "offered",
            "answered",
            "abandoned",
            "service_level_ratio",
            "wait_avg_s",
            "wait_max_s",
            "asa_s",
            "aht_s",
            "first_response_avg_s",
            "messages_in",
            "messages_out",
        ],
    },
];

impl Shown {
    /// The table of a report's rows, given as JSON.
    ///
    /// # Errors
    /// If that is no list of rows.
    pub fn table(&self, rows: &str) -> anyhow::Result<String> {
        let rows: Vec<Value> =
            serde_json::from_str(rows).with_context(|| format!("expected rows of {}", self.report))?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(self.columns.iter().map(|column| column.replace('_', "\n")));
        for row in &rows {
            table.add_row(self.columns.iter().map(|column| shown(column, &row[*column])));
        }
        let is_number = |column: &str| rows.iter().any(|row| row[column].is_number());
        for (column, name) in table.column_iter_mut().zip(self.columns) {
            column.set_padding((0, 2));
            if is_number(name) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Ok(table.to_string())
    }
}

/// A duration or a share, as opposed to a count.
fn is_measured(column: &str) -> bool {
    column.ends_with("_s") || column.ends_with("_ratio")
}

fn shown(column: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) if number.is_i64() && !is_measured(column) => number.to_string(),
        Value::Number(number) => format!("{:.2}", number.as_f64().unwrap_or_default()),
        // A moment within a day: its time, to the second.
        Value::String(text) if column.ends_with("_local") => text.get(11..19).unwrap_or(text).to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_its_numbers_rounded_and_its_times_short() {
        let rows = r#"[{"started_local": "2026-11-22 20:15:35.964", "agent_name": "Ana Alves", "wait_s": 0.109,
            "messages_in": 2, "first_response_s": null}]"#;
        let table = REPORTS[0].table(rows).unwrap();
        for expected in ["20:15:35", "Ana Alves", "0.11", " 2 "] {
            assert!(table.contains(expected), "{expected:?} is missing in\n{table}");
        }
        assert!(!table.contains(".964"));
    }

    #[test]
    fn what_is_no_list_of_rows_is_said_so() {
        assert!(REPORTS[1].table("{}").unwrap_err().to_string().contains("agent_performance"));
    }
}
