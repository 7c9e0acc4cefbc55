//! `weft report`: the views analysts query, with their parameters filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::output::{Output, Rows, nearest};
use crate::reach::{Reach, quoted};
use crate::{Failure, Verdict};

/// Run reports
#[derive(Subcommand)]
pub(super) enum Report {
    Run(Box<Run>),
    /// List the reports there are
    List,
}

/// Run one report
///
/// NAME is a view of ClickHouse's database `weft` without `report_`; `weft report list` shows
/// them. Times are ISO 8601, local to --tz unless they carry an offset; from ≤ t < to.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft report run queue_performance --tenant acme --interval 1h --tz Europe/Berlin\n  weft report run interaction_details --from 2026-11-01 --to 2026-12-01 --format csv\n  weft report run timeline --conversation 6a1c…"
)]
pub(super) struct Run {
    name: String,
    /// Default: the beginning of today
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Default: the end of today
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// IANA zone of intervals, local times and of --from and --to
    #[arg(long, default_value = "UTC")]
    tz: String,
    /// `*`: all that the caller may see
    #[arg(long, default_value = "*")]
    tenant: String,
    /// 15m, 30m, 1h, day, week, month or all
    #[arg(long, default_value = "day", value_parser = ["15m", "30m", "1h", "day", "week", "month", "all"])]
    interval: String,
    /// completion: a value counts where it completed; accrual: time is split where it happened
    #[arg(long, default_value = "completion", value_parser = ["completion", "accrual"])]
    basis: String,
    /// Which time a row is chosen by; active: overlapping, with open rows
    #[arg(long, default_value = "completed", value_parser = ["completed", "started", "active"])]
    time_field: String,
    /// For reports about one conversation
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// Only this queue
    #[arg(long, value_name = "ID")]
    queue: Option<String>,
    /// Only this agent
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Only this channel kind
    #[arg(long, value_name = "KIND")]
    message_type: Option<String>,
    /// How to print; parquet is best sent to a file
    #[arg(long, value_enum)]
    format: Option<Shape>,
    /// Columns in which no row has anything, too
    #[arg(long)]
    all_columns: bool,
    /// Write there instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Table,
    Csv,
    Json,
    Parquet,
}

#[derive(Deserialize)]
struct View {
    name: String,
    create_table_query: String,
}

impl Report {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        match self {
            Self::Run(run) => run.run(reach, output),
            Self::List => {
                let mut rows = Rows::new(["report", "parameters"]);
                let views = views(reach)?;
                for (name, parameters) in &views {
                    rows.push([name.clone(), parameters.iter().cloned().collect::<Vec<_>>().join(", ")]);
                }
                output.result(&serde_json::json!(views), &rows)?;
                Ok(Verdict::Good)
            }
        }
    }
}

/// The unversioned reports and the names of their parameters.
fn views(reach: &Reach) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let views: Vec<View> = reach.clickhouse().rows(
        "SELECT name, create_table_query FROM system.tables \
         WHERE database = 'weft' AND startsWith(name, 'report_') AND NOT match(name, '_v[0-9]+$')",
    )?;
    let named = views.into_iter().map(|view| {
        let name = view.name.trim_start_matches("report_").to_owned();
        (name, parameters(&view.create_table_query))
    });
    Ok(named.filter(|(_, parameters)| !parameters.is_empty()).collect())
}

/// Names in `{name:Type}`.
fn parameters(query: &str) -> BTreeSet<String> {
    let opened = query.split('{').skip(1);
    let names = opened.filter_map(|rest| rest.split_once(':')).map(|(name, _)| name.trim());
    names.filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')).map(str::to_owned).collect()
}

impl Run {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let views = views(reach)?;
        let Some(wanted) = views.get(&self.name) else {
            let near = nearest(&self.name, views.keys().map(String::as_str));
            let near = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
            let known: Vec<_> = views.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none there yet: run `weft migrate`".into() } else { known.join(", ") };
            return Err(Failure::Usage(format!("unknown report {}{near} Reports: {known}", self.name)));
        };
        let statement = self.statement(wanted)?;
        let shape = self.format.unwrap_or(if output.is_json() { Shape::Json } else { Shape::Table });
        let format = match shape {
            Shape::Table => "JSONCompact",
            Shape::Csv => "CSVWithNames",
            Shape::Json => "JSON",
            Shape::Parquet => "Parquet",
        };
        let settings = "SETTINGS output_format_json_quote_64bit_integers = 0";
        let answer = reach.clickhouse().ask(&format!("{statement}\n{settings}\nFORMAT {format}"))?;
        let bytes = match shape {
            Shape::Table => self.table(&answer)?.into_bytes(),
            Shape::Json => data(&answer)?.into_bytes(),
            Shape::Csv | Shape::Parquet => answer,
        };
        match &self.out {
            Some(file) => std::fs::write(file, bytes)?,
            None => output.raw(&bytes)?,
        }
        Ok(Verdict::Good)
    }

    fn statement(&self, wanted: &BTreeSet<String>) -> Result<String, Failure> {
        let zone = TimeZone::get(&self.tz).map_err(|_| Failure::Usage(format!("--tz: no IANA zone {:?}", self.tz)))?;
        let today = stream::clock::now();
        let today = Timestamp::from_millisecond(today.as_ms()).unwrap_or_default().to_zoned(zone.clone()).date();
        let tomorrow = today.saturating_add(1.day());
        let mut given = Vec::new();
        for name in wanted {
            let value = match name.as_str() {
                "tenant" => self.tenant.clone(),
                "from_time" => utc("--from", self.from.as_deref(), today, &zone)?,
                "to_time" => utc("--to", self.to.as_deref(), tomorrow, &zone)?,
                "tz" => self.tz.clone(),
                "interval" => self.interval.clone(),
                "basis" => self.basis.clone(),
                "time_field" => self.time_field.clone(),
                "conversation" => self.conversation.clone().ok_or_else(|| needs("--conversation"))?,
                other => return Err(Failure::Wrong(format!("the view wants {other}, which this build does not know"))),
            };
            given.push(format!("{name} = {}", quoted(&value)));
        }
        let filters = [("queue_id", &self.queue), ("agent_id", &self.agent), ("message_type", &self.message_type)];
        let filters: Vec<_> = filters
            .iter()
            .filter_map(|(column, value)| Some(format!("{column} = {}", quoted(value.as_ref()?))))
            .collect();
        let filter = if filters.is_empty() { String::new() } else { format!("\nWHERE {}", filters.join(" AND ")) };
        Ok(format!("SELECT * FROM weft.report_{}({}){filter}", self.name, given.join(", ")))
    }

    fn table(&self, answer: &[u8]) -> Result<String, Failure> {
        let answer: Json = parsed(answer)?;
        let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
        let names: Vec<_> =
            list("meta").iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect();
        let data: Vec<Vec<String>> =
            list("data").iter().map(|row| row.as_array().into_iter().flatten().map(cell).collect()).collect();
        let says = |column: usize| data.iter().any(|row| !matches!(row[column].as_str(), "" | "0" | "[]"));
        let shown: Vec<_> =
            (0..names.len()).filter(|column| self.all_columns || data.is_empty() || says(*column)).collect();
        let mut rows = Rows::new(shown.iter().map(|column| names[*column].clone()));
        for row in &data {
            rows.push(shown.iter().map(|column| row[*column].clone()));
        }
        let hidden = names.len() - shown.len();
        let note = match (data.is_empty(), hidden) {
            (true, _) => "no rows between these times\n".to_owned(),
            (false, 0) => String::new(),
            (false, n) => format!("{n} columns say nothing in any row; --all-columns shows them\n"),
        };
        let table = if rows.is_empty() { String::new() } else { format!("{}\n", rows.render()) };
        Ok(table + &note)
    }
}

fn needs(option: &str) -> Failure {
    Failure::Usage(format!("this report needs {option}"))
}

fn parsed(answer: &[u8]) -> Result<Json, Failure> {
    serde_json::from_slice(answer).map_err(|error| Failure::Wrong(format!("ClickHouse's answer: {error}")))
}

fn data(answer: &[u8]) -> Result<String, Failure> {
    Ok(format!("{:#}\n", parsed(answer)?["data"]))
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_f64() => {
            let shown = format!("{:.3}", number.as_f64().unwrap_or_default());
            shown.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Json::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Json::Bool(_) | Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

/// A time as ClickHouse reads it: UTC, milliseconds.
fn utc(option: &str, text: Option<&str>, default: Date, zone: &TimeZone) -> Result<String, Failure> {
    let civil = |local: DateTime| zone.to_ambiguous_zoned(local).compatible().map(|zoned| zoned.timestamp());
    let moment = match text {
        None => civil(default.to_datetime(jiff::civil::Time::midnight())),
        Some(text) => text.parse::<Timestamp>().or_else(|_| {
            let local = text.parse::<DateTime>().or_else(|_| Ok::<_, jiff::Error>(text.parse::<Date>()?.into()))?;
            civil(local)
        }),
    };
    let moment = moment.map_err(|_| {
        let found = text.unwrap_or_default();
        Failure::Usage(format!(
            "{option}: expected e.g. 2026-11-22, 2026-11-22T09:30 or 2026-11-22T09:30+01:00, found {found}"
        ))
    })?;
    Ok(moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_to_the_zone_unless_they_carry_an_offset() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let day = Date::constant(2026, 3, 29);
        for (text, expected) in [
            (None, "2026-03-28 23:00:00.000"),
            (Some("2026-07-01"), "2026-06-30 22:00:00.000"),
            (Some("2026-07-01T09:30"), "2026-07-01 07:30:00.000"),
            (Some("2026-07-01T09:30:00.250Z"), "2026-07-01 09:30:00.250"),
            (Some("2026-07-01T09:30-05:00"), "2026-07-01 14:30:00.000"),
        ] {
            assert_eq!(utc("--from", text, day, &zone).unwrap(), expected, "{text:?}");
        }
        assert!(matches!(utc("--from", Some("yesterday"), day, &zone), Err(Failure::Usage(_))));
    }

    #[test]
    fn a_views_parameters_are_found_in_its_text() {
        let query =
            "SELECT * FROM v(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}) COMMENT 'a {b'";
        assert_eq!(parameters(query), BTreeSet::from(["tenant".to_owned(), "from_time".to_owned()]));
    }
}
