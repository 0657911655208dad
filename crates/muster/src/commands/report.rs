//! `muster report`: reports over HTTP, through the Rust SDK.

use crate::api::{Api, Start, Target};
use crate::cli::{ReportCommand, Service};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::{self, DataDir};
use crate::failure::{Failure, Result};
use crate::output::{Column, Output, count, json, number, print, table, text};
use crate::serve::Signals;
use muster_client::wire::{ListedResult, ReportResults, ResultStatus, TaskResultDetailsMessagesInner};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::definition::EXTRA_FORMATS;
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, ResultRetention, TaskStore};
use muster_reports::retention::Pin;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

pub mod arguments;
mod compare;

/// Does what `command` says.
pub async fn run(command: &ReportCommand, settings: &Settings, output: Output) -> Result {
    match command {
        ReportCommand::Run { kind, arguments, as_of, formats, wait, notify, service } => {
            let api = connect(service)?;
            let mut arguments = arguments::typed(&api.definitions().await?, kind, arguments)?;
            if !formats.is_empty() {
                let names = formats.iter().map(|format| Value::from(format.as_str())).collect();
                arguments.insert(EXTRA_FORMATS.into(), Value::Array(names));
            }
            let told = notify.entries();
            let start =
                Start { kind, arguments: Value::Object(arguments), as_of: as_of.as_deref(), notify: &told };
            run_report(&api, start, *wait, output).await
        }
        ReportCommand::Result { id, service } => show(&connect(service)?.result(id).await?, id, output),
        ReportCommand::List { service } => list(&connect(service)?.last_results().await?, output),
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
        ReportCommand::ListKinds => list_kinds(settings, output),
    }
}

fn connect(service: &Service) -> Result<Api> {
    Api::new(&service.base_url, &service.client_id, &service.client_secret, service.ca_file.as_deref())
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

async fn run_report(api: &Api, start: Start<'_>, wait: bool, output: Output) -> Result {
    // From now on a signal ends the wait and not the process, so that the command can still say which report continues.
    let mut signals = Signals::listen()?;
    let task = tokio::select! {
        task = api.start(start) => task?,
        () = signals.next() => return Err(Failure::new("interrupted before the start was answered: it may have been taken")),
    };
    let Some(id) = task.id.clone() else {
        return Err(Failure::new("the start was answered without an id"));
    };
    if !wait {
        return match output {
            Output::Json => json(&task),
            Output::Table => print(&id),
        };
    }
    // Not on standard output, which has only the result.
    let _ = writeln!(std::io::stderr(), "report {id} is started");
    let ended = tokio::select! {
        ended = api.wait(&id) => ended,
        () = signals.next() => Err(Failure::new("the wait was interrupted")),
    };
    let result = ended.map_err(|failure| {
        let ways = format!(
            "`muster report result {id}` shows what becomes of it, `muster report cancel {id}` ends it"
        );
        Failure::with(format!("the report runs on ({ways})"), failure)
    })?;
    show(&result, &id, output)?;
    match &result.status {
        Some(ResultStatus::Success | ResultStatus::Warning) => Ok(()),
        Some(status) => {
            let reason = result.messages.iter().rev().find(|message| message.error);
            let reason = reason.and_then(|message| message.localized_text.as_deref());
            let reason = reason.map_or_else(String::new, |text| format!(": {text}"));
            Err(Failure::new(format!("report {id} did not succeed: {status}{reason}")))
        }
        None => Err(Failure::new(format!("report {id} has no result"))),
    }
}

fn show(result: &ReportResults, id: &str, output: Output) -> Result {
    if result.id.is_none() {
        return Err(Failure::new(format!("there is no report {id:?}, or none that this client may see")));
    }
    if output == Output::Json {
        return json(result);
    }
    let mut shown = table(&RESULT, std::iter::once(cells(result)));
    for message in &result.messages {
        shown.push_str(&format!("\n{}", line(message)));
    }
    print(&shown)
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
        None => Target::ItsName { force },
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
    formats: Vec<&'static str>,
}

#[derive(Serialize)]
struct ListedArgument {
    name: String,
    required: bool,
    expected: String,
    meaning: String,
}

/// The reports that this version and this data directory's settings have.
fn list_kinds(settings: &Settings, output: Output) -> Result {
    let catalogue = data_dir::catalogue(settings)?;
    let listed: Vec<_> = catalogue
        .iter()
        .map(|definition| Listed {
            id: definition.id.to_string(),
            version: definition.version,
            name: definition.name.clone(),
            description: definition.description.clone(),
            arguments: definition
                .arguments
                .iter()
                .map(|argument| ListedArgument {
                    name: argument.name.clone(),
                    required: argument.required,
                    expected: argument.kind.expectation(),
                    meaning: argument.meaning.clone(),
                })
                .collect(),
            formats: definition.formats.iter().map(|format| format.as_str()).collect(),
        })
        .collect();
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
