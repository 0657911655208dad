//! `muster report`: reports over HTTP, through the Rust SDK.

use crate::api::{Api, Start, Target};
use crate::cli::{ListedState, ReportCommand, RunArgs, Service};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::{self, DataDir};
use crate::environments;
use crate::failure::{Failure, Result};
use crate::output::{Column, Output, count, json, number, print, say, table, text};
use crate::serve::Signals;
use muster_client::wire::{
    ListedResult, ReportDescription, ReportResults, ResultStatus, TaskResultDetailsMessagesInner,
};
use muster_reports::ReportDefinition;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::definition::EXTRA_FORMATS;
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, ResultRetention, TaskStore};
use muster_reports::retention::Pin;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

pub mod arguments;
mod compare;
mod waiting;

/// Does what `command` says.
pub async fn run(command: &ReportCommand, settings: &Settings, output: Output) -> Result {
    match command {
        ReportCommand::Run(args) => run_report(args, output).await,
        ReportCommand::Watch { id, wait, service } => {
            let mut signals = Signals::listen()?;
            waiting::follow(&connect(service)?, id, &[], wait, &mut signals, output).await
        }
        ReportCommand::Result { id, service } => show(&connect(service)?.result(id).await?, id, output),
        ReportCommand::List { states, kind, limit, service } => {
            let all = connect(service)?.last_results().await?;
            let wanted = all.into_iter().filter(|listed| {
                let result = &listed.result;
                let named = result.report_type.as_ref().map(|kind| kind.as_str());
                (states.is_empty() || states.contains(&state(result)))
                    && kind.as_deref().is_none_or(|kind| {
                        named == Some(kind) || result.task_def_name.as_deref() == Some(kind)
                    })
            });
            list(&wanted.take(limit.unwrap_or(usize::MAX)).collect::<Vec<_>>(), output)
        }
        ReportCommand::Get { id, format, to, force, service } => {
            let fetched = connect(service)?.fetch(id, format, target(to.as_deref(), *force)).await?;
            show_place(fetched.as_deref())
        }
        ReportCommand::Evidence { id, to, force, service } => {
            let fetched = connect(service)?.fetch_evidence(id, target(to.as_deref(), *force)).await?;
            show_place(fetched.as_deref())
        }
        ReportCommand::Hold { id, reason } => {
            let data = DataDir::open(settings).await?;
            let by = data.event(AuditOperation::ResultHeld, id, String::new()).caller.launcher().to_owned();
            let pin = Pin { by, reason: reason.clone(), at: SystemClock.now() };
            hold(&data, id, Some(&pin)).await?;
            print(&format!("the files of report {id} are held by {}: {reason}", pin.by))
        }
        ReportCommand::Release { id } => {
            hold(&DataDir::open(settings).await?, id, None).await?;
            print(&format!("the files of report {id} are no longer held"))
        }
        ReportCommand::Expire { keep_days, keep_last } => {
            expire(&DataDir::open(settings).await?, *keep_days, *keep_last, output).await
        }
        ReportCommand::Compare(args) => compare::run(args, output).await,
        ReportCommand::Cancel { id, service } => {
            connect(service)?.cancel(id).await?;
            print(&format!("report {id} is cancelled"))
        }
        ReportCommand::ListKinds { service } if service.is_named() => {
            let reports = connect(service)?.definitions().await?;
            list_kinds(reports.into_iter().map(Listed::from).collect(), output)
        }
        ReportCommand::ListKinds { .. } => {
            let catalogue = data_dir::catalogue(settings)?;
            list_kinds(catalogue.iter().map(|definition| Listed::from(&*definition)).collect(), output)
        }
    }
}

fn connect(service: &Service) -> Result<Api> {
    Api::of(environments::reached(service)?)
}

fn unknown(id: &str) -> Failure {
    Failure::not_found(format!(
        "there is no report {id:?}, or none that this client may see; `muster report list` lists the last ones"
    ))
}

/// The state of a report, as `--state` names it.
fn state(result: &ReportResults) -> ListedState {
    match &result.status {
        None => ListedState::Running,
        Some(ResultStatus::Success) => ListedState::Success,
        Some(ResultStatus::Warning) => ListedState::Warning,
        Some(ResultStatus::Failure | ResultStatus::Other(_)) => ListedState::Failure,
        Some(ResultStatus::Terminated) => ListedState::Terminated,
    }
}

/// Holds the files of a result, or with `None` releases them.
async fn hold(data: &DataDir, id: &str, pin: Option<&Pin>) -> Result {
    let details = match pin {
        Some(pin) => format!("held by {}: {}", pin.by, pin.reason),
        None => "no longer held".into(),
    };
    let task = data.store.task(&data.tenant, &TaskId::new(id)).await?;
    let name = task.map(|task| task.name).unwrap_or_default();
    let event = data.event(AuditOperation::ResultHeld, &name, details);
    Ok(data.store.hold(&AuditEvent { task: TaskId::new(id), ..event }, pin).await?)
}

async fn expire(data: &DataDir, keep_days: Option<u32>, keep_last: Option<u32>, output: Output) -> Result {
    let mut expiry = data.result_expiry()?;
    expiry.policy.keep_days = keep_days.or(expiry.policy.keep_days);
    expiry.policy.keep_last = keep_last.unwrap_or(expiry.policy.keep_last);
    let expired = expiry.run().await?;
    if output == Output::Json {
        return json(&expired);
    }
    print(&format!(
        "results that expired: {}; {} files of {} bytes were removed",
        count(expired.results),
        count(expired.files),
        count(expired.bytes)
    ))
}

async fn run_report(args: &RunArgs, output: Output) -> Result {
    if !args.wait && !args.ended.is_empty() {
        return Err(Failure::usage(
            "--to, --force, --strict and --timeout are about a report that has ended: expected --wait with them",
        ));
    }
    let api = connect(&args.service)?;
    let definitions = api.definitions().await?;
    let mut arguments = arguments::typed(&definitions, &args.kind, &args.arguments)?;
    if let Some(source) = &args.source {
        arguments::about(&definitions, &args.kind, source, &mut arguments)?;
    }
    let to = args.ended.to.as_deref();
    let further = arguments::further_formats(&definitions, &args.kind, &args.formats, &arguments, to)?;
    if !further.is_empty() {
        let names = further.iter().map(|format| Value::from(format.as_str())).collect();
        arguments.insert(EXTRA_FORMATS.into(), Value::Array(names));
    }
    let told = args.notify.entries();
    let start = Start {
        kind: &args.kind,
        arguments: Value::Object(arguments),
        as_of: args.as_of.as_deref(),
        notify: &told,
    };
    // From now on a signal ends the wait and not the process, so that the command can still say which report continues.
    let mut signals = Signals::listen()?;
    let task = tokio::select! {
        task = api.start(start) => task?,
        () = signals.next() => return Err(Failure::new("interrupted before the start was answered: it may have been taken")),
    };
    let Some(id) = task.id.clone() else {
        return Err(Failure::new("the start was answered without an id"));
    };
    if !args.wait {
        return match output {
            Output::Json => json(&task),
            Output::Table => print(&id),
        };
    }
    // Not on standard output, which has only the result.
    say(&format!("report {id} is started"));
    waiting::follow(&api, &id, &further, &args.ended, &mut signals, output).await
}

fn show(result: &ReportResults, id: &str, output: Output) -> Result {
    if result.id.is_none() {
        return Err(unknown(id));
    }
    match output {
        Output::Json => json(result),
        Output::Table => print(&shown(result)),
    }
}

/// A result and its messages, for people.
fn shown(result: &ReportResults) -> String {
    let mut shown = table(&RESULT, std::iter::once(cells(result)));
    for message in &result.messages {
        shown.push_str(&format!("\n{}", line(message)));
    }
    shown
}

/// The results of several reports, each with its most important message.
fn list(results: &[ListedResult], output: Output) -> Result {
    let columns = [&[text("created")], &RESULT[..], &[text("kept"), text("message")]].concat();
    output.list(results, &columns, |listed| {
        let result = &listed.result;
        let weightiest = result.messages.iter().rev().max_by_key(|message| (message.error, message.warning));
        let mut row = vec![result.created.clone().unwrap_or_default()];
        row.extend(cells(result));
        row.push(kept(listed));
        row.push(weightiest.map_or_else(String::new, line));
        row
    })
}

/// How long the files of a result are kept, in a few words; nothing of a report without files.
fn kept(listed: &ListedResult) -> String {
    match (&listed.expired, &listed.hold, &listed.expires) {
        (Some(at), _, _) => format!("expired at {at}"),
        (None, Some(hold), _) => format!("held: {}", hold.reason),
        (None, None, Some(at)) => format!("until {at}"),
        (None, None, None) => String::new(),
    }
}

const RESULT: [Column; 6] =
    [text("id"), text("report"), text("status"), number("rows"), number("ms"), text("formats")];

fn cells(result: &ReportResults) -> Vec<String> {
    let formats = result.available_formats.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    vec![
        result.id.clone().unwrap_or_default(),
        result.task_def_name.clone().unwrap_or_default(),
        result.status.as_ref().map_or_else(|| "running".into(), ToString::to_string),
        result.rows.map_or_else(String::new, |rows| count(rows.unsigned_abs())),
        result.duration.map_or_else(String::new, |duration| count(duration.unsigned_abs())),
        formats.join(", "),
    ]
}

/// A message as a line.
fn line(message: &TaskResultDetailsMessagesInner) -> String {
    let kind = match (message.error, message.warning) {
        (true, _) => "error",
        (false, true) => "warning",
        (false, false) => "note",
    };
    format!("{kind}: {}", message.localized_text.as_deref().unwrap_or_default())
}

/// `-` is standard output.
fn target(to: Option<&Path>, force: bool) -> Target<'_> {
    match to {
        Some(path) if path.as_os_str() == "-" => Target::StandardOutput,
        Some(path) => Target::File(path),
        None => Target::ItsName { folder: Path::new(""), force },
    }
}

/// Prints the path of a file, unless it was written to standard output.
fn show_place(file: Option<&Path>) -> Result {
    file.map_or(Ok(()), |file| print(&file.display().to_string()))
}

#[derive(Serialize)]
struct Listed {
    id: String,
    version: u32,
    name: String,
    description: String,
    arguments: Vec<ListedArgument>,
    formats: Vec<String>,
}

#[derive(Serialize)]
struct ListedArgument {
    name: String,
    required: bool,
    expected: String,
    meaning: String,
}

impl From<&ReportDefinition> for Listed {
    fn from(definition: &ReportDefinition) -> Self {
        let arguments = definition.arguments.iter().map(|argument| ListedArgument {
            name: argument.name.clone(),
            required: argument.required,
            expected: argument.kind.expectation(),
            meaning: argument.meaning.clone(),
        });
        Self {
            id: definition.id.to_string(),
            version: definition.version,
            name: definition.name.clone(),
            description: definition.description.clone(),
            arguments: arguments.collect(),
            formats: definition.formats.iter().map(|format| format.as_str().to_owned()).collect(),
        }
    }
}

impl From<ReportDescription> for Listed {
    fn from(report: ReportDescription) -> Self {
        let arguments = report.arguments.into_iter().map(|argument| ListedArgument {
            name: argument.name,
            required: argument.required,
            expected: argument.expected,
            meaning: argument.meaning,
        });
        Self {
            id: report.id,
            version: report.version,
            name: report.name,
            description: report.description,
            arguments: arguments.collect(),
            formats: report.formats,
        }
    }
}

fn list_kinds(listed: Vec<Listed>, output: Output) -> Result {
    let columns = [text("kind"), text("name"), text("arguments (* required)"), text("formats")];
    output.list(&listed, &columns, |report| {
        let arguments = report.arguments.iter().map(|argument| {
            let star = if argument.required { "*" } else { "" };
            format!("{}{star}", argument.name)
        });
        vec![
            report.id.clone(),
            report.name.clone(),
            arguments.collect::<Vec<_>>().join(", "),
            report.formats.join(", "),
        ]
    })
}
