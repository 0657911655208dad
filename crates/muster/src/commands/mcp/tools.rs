//! The tools: what a program may ask for, and what it is answered.

use super::first_rows::{self, Wanted};
use super::progress::Told;
use super::verification;
use crate::api::{Api, Start, WAIT_MOST, pauses};
use crate::cli::VerifyArgs;
use crate::clock::SystemClock;
use crate::commands::search;
use crate::failure::{Failure, Result};
use muster_client::wire::{ReportDescription, ReportResults, ResultStatus};
use muster_reports::nearest::hint;
use muster_reports::ports::Clock;
use rmcp::model::{Tool, ToolAnnotations};
use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a call may take that waits for no report.
const CALL_MOST: Duration = Duration::from_secs(60);
/// How long a package may take to be fetched and checked.
const VERIFY_MOST: Duration = Duration::from_secs(600);
/// Seconds that a report is waited for unless the call says otherwise: less than what programs commonly wait for an answer.
const WAIT: u64 = 45;
/// Most seconds that a report is waited for.
const WAIT_LONGEST: u64 = 600;
/// Messages of a result that are shown.
const MESSAGES_MOST: usize = 20;
/// Rows that are shown unless the call says otherwise.
const ROWS: u32 = 20;
/// Most rows that are shown.
const ROWS_MOST: u32 = 200;

/// The arguments of `list_reports`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListReports {
    /// The id of one report: its arguments and columns are answered in full. Without it, all reports are listed briefly.
    report: Option<String>,
}

/// The arguments of `list_results`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListResults {
    /// Only results of the report with this id.
    report: Option<String>,
    /// At most so many, from 1 to 100; 20 if it is absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// The arguments of `run_report`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunReport {
    /// The id of the report, as list_reports has it.
    report: String,
    /// Its arguments by name, as list_reports describes them.
    #[serde(default)]
    arguments: Map<String, Value>,
    /// A past snapshot to report on: its id, a date (the end of that day in UTC) or a time. The newest if it is absent.
    as_of: Option<String>,
    /// How long to wait for its end, in seconds, from 0 to 600; 45 if it is absent. The report runs on afterwards.
    #[schemars(range(min = 0, max = 600))]
    wait_seconds: Option<u64>,
}

/// The arguments of `report_result`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReportResult {
    /// The id of the run, as run_report or list_results has it.
    id: String,
    /// How long to wait for its end, in seconds, from 0 to 600; 0 if it is absent.
    #[schemars(range(min = 0, max = 600))]
    wait_seconds: Option<u64>,
}

/// The arguments of `first_rows`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RowsOfResult {
    /// The id of a run that has ended.
    id: String,
    /// At most so many rows, from 1 to 200; 20 if it is absent.
    #[schemars(range(min = 1, max = 200))]
    rows: Option<u32>,
    /// The columns to show, in this order; all if it is empty or absent.
    #[serde(default)]
    columns: Vec<String>,
}

/// The arguments of `explain_query`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    /// A query of the search language, such as `name:a* AND attributes.city:London`.
    query: String,
    /// Indices in which the documents are counted that it finds: identities, accounts and others. None if it is absent.
    #[serde(default)]
    count_in: Vec<String>,
}

/// The arguments of `verify`: `id`, or `file` with `key` or `cover`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Verify {
    /// The id of a run that has ended: its evidence package is fetched and checked.
    id: Option<String>,
    /// The path of an evidence package, or of a report's file, on this machine.
    file: Option<PathBuf>,
    /// For an evidence package: the path of the service's public key.
    key: Option<PathBuf>,
    /// For a report's file: the path of the report's cover.json.
    cover: Option<PathBuf>,
}

/// All tools.
pub fn all() -> Vec<Tool> {
    let reads = || ToolAnnotations::new().read_only(true).open_world(false);
    vec![
        Tool::new(
            "list_reports",
            "Lists the reports that can be run, or describes one of them with its arguments and columns.",
            Map::new(),
        )
        .with_input_schema::<ListReports>()
        .with_annotations(reads()),
        Tool::new(
            "list_results",
            "Lists the runs of reports that were started last (of the last 100): id, report, state, rows, and the most \
             important message.",
            Map::new(),
        )
        .with_input_schema::<ListResults>()
        .with_annotations(reads()),
        Tool::new(
            "run_report",
            "Starts a run of a report in the service and waits for its end. It changes no identity data, but the run takes \
             time of the service, is kept with its files, and is recorded under the configured client. If an equal run is \
             under way, that one is answered. A run that has not ended in time runs on: ask report_result.",
            Map::new(),
        )
        .with_input_schema::<RunReport>()
        .with_annotations(
            ToolAnnotations::new().read_only(false).destructive(false).idempotent(false).open_world(false),
        ),
        Tool::new(
            "report_result",
            "Says how a run of a report stands or how it ended: state, rows, formats, and messages that a reader must know.",
            Map::new(),
        )
        .with_input_schema::<ReportResult>()
        .with_annotations(reads()),
        Tool::new(
            "first_rows",
            "Shows the first rows of a run that has ended. The service records it as a download. Long cells are cut; the \
             whole file is for people: `muster report get ID`.",
            Map::new(),
        )
        .with_input_schema::<RowsOfResult>()
        .with_annotations(reads()),
        Tool::new(
            "explain_query",
            "Explains what a query of the search language means, without running it: its tree, its fields, those that do \
             not exist, and where a mistake is. It can also count what the query finds.",
            Map::new(),
        )
        .with_input_schema::<ExplainQuery>()
        .with_annotations(reads()),
        Tool::new(
            "verify",
            "Checks that the files of a run are those that the service signed, complete and unchanged, and that its counts \
             add up. Give the id of a run, or files of this machine.",
            Map::new(),
        )
        .with_input_schema::<Verify>()
        .with_annotations(reads()),
    ]
}

/// Answers a call.
///
/// # Errors What a program and its user are to read: what is wrong, and what was expected.
pub async fn call(api: &Api, name: &str, arguments: Value, told: &Told) -> Result<Value> {
    match name {
        "list_reports" => within(CALL_MOST, list_reports(api, &of(name, arguments)?)).await,
        "list_results" => within(CALL_MOST, list_results(api, &of(name, arguments)?)).await,
        "run_report" => {
            let wanted: RunReport = of(name, arguments)?;
            let wait = waited(wanted.wait_seconds, WAIT)?;
            let id = within(CALL_MOST, start(api, &wanted)).await?;
            let ended = ended(api, &id, wait, told).await;
            // The run goes on whatever becomes of the wait: without its id, nobody would find it again.
            ended.map_err(|failure| failure.within(format!("run {id} was started, ask report_result for it")))
        }
        "report_result" => {
            let wanted: ReportResult = of(name, arguments)?;
            let wait = waited(wanted.wait_seconds, 0)?;
            ended(api, &wanted.id, wait, told).await
        }
        "first_rows" => within(CALL_MOST, first_rows(api, &of(name, arguments)?)).await,
        "explain_query" => within(CALL_MOST, explain_query(api, &of(name, arguments)?)).await,
        "verify" => within(VERIFY_MOST, verify(api, of(name, arguments)?)).await,
        _ => {
            let names: Vec<_> = all().iter().map(|tool| tool.name.to_string()).collect();
            let near = hint(name, names.iter().map(String::as_str));
            Err(Failure::usage(format!(
                "there is no tool {name:?}{near}; expected one of {}",
                names.join(", ")
            )))
        }
    }
}

/// The arguments of a tool.
fn of<T: DeserializeOwned>(name: &str, arguments: Value) -> Result<T> {
    serde_json::from_value(arguments).map_err(|error| Failure::usage(format!("arguments of {name}: {error}")))
}

/// Ends what takes too long.
async fn within<T>(most: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(most, answer).await.unwrap_or_else(|_| {
        Err(Failure::new(format!("the service did not answer within {} s: try again later", most.as_secs())))
    })
}

/// A number of a call, or what is taken without one.
fn number(name: &str, given: Option<u32>, default: u32, most: u32) -> Result<usize> {
    match given.unwrap_or(default) {
        number if (1..=most).contains(&number) => Ok(number as usize),
        number => Err(Failure::usage(format!("{name} is {number}: expected a number from 1 to {most}"))),
    }
}

fn waited(given: Option<u64>, default: u64) -> Result<Duration> {
    match given.unwrap_or(default) {
        seconds @ 0..=WAIT_LONGEST => Ok(Duration::from_secs(seconds)),
        seconds => Err(Failure::usage(format!(
            "wait_seconds is {seconds}: expected a number from 0 to {WAIT_LONGEST}"
        ))),
    }
}

async fn list_reports(api: &Api, wanted: &ListReports) -> Result<Value> {
    let reports = api.definitions().await?;
    let Some(id) = &wanted.report else {
        let brief = reports.iter().map(|report| {
            json!({
                "id": report.id,
                "name": report.name,
                "description": report.description,
                "argumentsRequired":
                    report.arguments.iter().filter(|of| of.required).map(|of| &of.name).collect::<Vec<_>>(),
            })
        });
        return Ok(json!({ "reports": brief.collect::<Vec<_>>() }));
    };
    let report = reports.iter().find(|report| report.id == *id);
    report.map(described).ok_or_else(|| {
        let near = hint(id, reports.iter().map(|report| report.id.as_str()));
        Failure::not_found(format!(
            "there is no report {id:?}{near}; list_reports without arguments lists them"
        ))
    })
}

/// A report in full.
fn described(report: &ReportDescription) -> Value {
    json!({
        "id": report.id,
        "name": report.name,
        "description": report.description,
        "row": report.row,
        "formats": report.formats,
        "arguments": report.arguments,
        "columns": report.columns,
        "attributeColumns": report.attribute_columns,
    })
}

async fn list_results(api: &Api, wanted: &ListResults) -> Result<Value> {
    let limit = number("limit", wanted.limit, 20, 100)?;
    let results = api.last_results().await?;
    let of_report = |result: &ReportResults| {
        wanted.report.as_deref().is_none_or(|id| {
            result.report_type.as_ref().map(|kind| kind.as_str()) == Some(id)
                || result.task_def_name.as_deref() == Some(id)
        })
    };
    let listed = results.iter().filter(|listed| of_report(&listed.result)).take(limit);
    Ok(json!({ "results": listed.map(|listed| brief(&listed.result, 1)).collect::<Vec<_>>() }))
}

/// Starts a report, and answers the id of its run.
async fn start(api: &Api, wanted: &RunReport) -> Result<String> {
    let start = Start {
        kind: &wanted.report,
        arguments: Value::Object(wanted.arguments.clone()),
        as_of: wanted.as_of.as_deref(),
        notify: &[],
    };
    let task = api.start(start).await?;
    task.id.ok_or_else(|| Failure::new("the start was answered without an id"))
}

/// How a run ended, or how it stands when the time is up.
async fn ended(api: &Api, id: &str, wait: Duration, told: &Told) -> Result<Value> {
    let until = Instant::now() + wait;
    let mut pauses = pauses();
    loop {
        let result = within(CALL_MOST, api.result(id)).await?;
        if result.id.is_none() {
            return Err(unknown(id));
        }
        if result.status.is_some() || Instant::now() >= until {
            return Ok(brief(&result, MESSAGES_MOST));
        }
        if told.is_wanted()
            && let Ok(progress) = api.progress(id).await
        {
            told.tell(&progress).await;
        }
        let pause = pauses.next().unwrap_or(WAIT_MOST);
        sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
    }
}

fn unknown(id: &str) -> Failure {
    Failure::not_found(format!(
        "there is no run {id:?}, or none that this client may see; list_results lists the last ones"
    ))
}

/// A result with so many of its messages, the weightiest first.
fn brief(result: &ReportResults, messages_most: usize) -> Value {
    let mut messages: Vec<_> = result.messages.iter().collect();
    messages.sort_by_key(|message| (!message.error, !message.warning));
    let left = messages.len().saturating_sub(messages_most);
    let shown = messages.into_iter().take(messages_most).map(|message| {
        let kind = match (message.error, message.warning) {
            (true, _) => "error",
            (false, true) => "warning",
            (false, false) => "note",
        };
        json!({ "kind": kind, "text": message.localized_text })
    });
    let mut brief = json!({
        "id": result.id,
        "report": result.report_type.as_ref().map(|kind| kind.as_str()),
        "name": result.task_def_name,
        "created": result.created,
        "state": result.status.as_ref().map_or("RUNNING", ResultStatus::as_str),
        "rows": result.rows,
        "milliseconds": result.duration,
        "formats": result.available_formats,
        "messages": shown.collect::<Vec<_>>(),
    });
    if left > 0 {
        brief["messagesLeftOut"] = left.into();
    }
    brief
}

async fn first_rows(api: &Api, wanted: &RowsOfResult) -> Result<Value> {
    let rows = number("rows", wanted.rows, ROWS, ROWS_MOST)?;
    let result = api.result(&wanted.id).await?;
    if result.id.is_none() {
        return Err(unknown(&wanted.id));
    }
    match &result.status {
        Some(ResultStatus::Success | ResultStatus::Warning) => {}
        Some(status) => {
            return Err(Failure::new(format!("run {} ended as {status}: it has no rows", wanted.id)));
        }
        None => {
            return Err(Failure::new(format!(
                "run {} has not ended: report_result with wait_seconds waits for it",
                wanted.id
            )));
        }
    }
    let file = api.open_csv(&wanted.id).await?;
    let wanted_of_file = Wanted { rows, columns: &wanted.columns };
    let files = first_rows::fetch(file, &wanted_of_file, |error| api.one_line(error)).await?;
    Ok(json!({ "id": wanted.id, "rowsReported": result.rows, "files": files }))
}

async fn explain_query(api: &Api, wanted: &ExplainQuery) -> Result<Value> {
    if let Err(error) = muster_querystring::parse(&wanted.query) {
        let pointed = search::pointed(&wanted.query, error.column);
        return Ok(
            json!({ "valid": false, "mistake": error.to_string(), "column": error.column, "place": pointed }),
        );
    }
    let explained = muster_engine::search::explain(&wanted.query, SystemClock.now())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let mut answer = search::as_json(&explained);
    answer["valid"] = true.into();
    if !wanted.count_in.is_empty() {
        let mut counts = Map::new();
        for index in &wanted.count_in {
            counts.insert(index.clone(), api.count(index, &wanted.query).await?.into());
        }
        answer["counts"] = Value::Object(counts);
    }
    Ok(answer)
}

async fn verify(api: &Api, wanted: Verify) -> Result<Value> {
    match wanted {
        Verify { id: Some(id), file: None, key: None, cover: None } => {
            verification::of_report(api, &id).await
        }
        Verify { id: None, file: Some(file), key, cover } if key.is_some() != cover.is_some() => {
            verification::of_files(VerifyArgs { file, key, cover }).await
        }
        Verify { .. } => Err(Failure::usage(
            "arguments of verify: expected id alone, or file with either key (an evidence package) or cover (a report's file)",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_tool_says_what_it_takes() {
        for tool in all() {
            let schema = Value::Object(tool.input_schema.as_ref().clone());
            assert_eq!(schema["type"], "object", "{}", tool.name);
            assert_eq!(schema["additionalProperties"], false, "{}", tool.name);
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{} {name}", tool.name);
            }
            // Only a run leaves something behind, and it says so.
            let annotations = tool.annotations.unwrap();
            assert_eq!(annotations.read_only_hint, Some(tool.name != "run_report"), "{}", tool.name);
            assert_ne!(annotations.destructive_hint, Some(true));
        }
    }

    #[test]
    fn numbers_are_in_their_bounds() {
        assert_eq!(number("rows", None, 20, 200).unwrap(), 20);
        assert_eq!(number("rows", Some(200), 20, 200).unwrap(), 200);
        for wrong in [0, 201] {
            let refused = number("rows", Some(wrong), 20, 200).unwrap_err().to_string();
            assert_eq!(refused, format!("rows is {wrong}: expected a number from 1 to 200"));
        }
        assert!(waited(Some(601), 0).is_err());
    }

    #[test]
    fn the_weightiest_messages_are_shown() {
        let message = |error: bool, warning: bool, text: &str| json!({"type": "INFO", "error": error, "warning": warning, "key": "k", "localizedText": text});
        let result: ReportResults = serde_json::from_value(json!({
            "id": "x", "status": "WARNING",
            "messages": [message(false, false, "a note"), message(false, true, "old"), message(true, false, "full")],
        }))
        .unwrap();
        let shown = brief(&result, 2);
        let kinds = |at: usize| shown["messages"][at]["text"].clone();
        assert_eq!((kinds(0), kinds(1)), ("full".into(), "old".into()));
        assert_eq!((&shown["messagesLeftOut"], &shown["state"]), (&1.into(), &"WARNING".into()));
    }
}
