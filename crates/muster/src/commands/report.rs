//! `muster report`: reports over HTTP, through the Rust SDK.

use crate::api::{Api, Target};
use crate::cli::{ReportCommand, Service};
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::house;
use crate::output::{Output, count, json, number, print, table, text};
use muster_client::wire::{ReportResults, ResultStatus};
use muster_reports::definition::EXTRA_FORMATS;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::Path;

mod compare;

/// Does what `command` says.
pub async fn run(command: &ReportCommand, settings: &Settings, output: Output) -> Result {
    match command {
        ReportCommand::Run { kind, arguments, as_of, formats, wait, service } => {
            let mut arguments = arguments.iter().map(|text| argument(text)).collect::<Result<Map<_, _>>>()?;
            if !formats.is_empty() {
                let names = formats.iter().map(|format| Value::from(format.as_str())).collect();
                arguments.insert(EXTRA_FORMATS.into(), Value::Array(names));
            }
            start(&connect(service)?, kind, Value::Object(arguments), as_of.as_deref(), *wait, output).await
        }
        ReportCommand::Result { id, service } => show(&connect(service)?.result(id).await?, id, output),
        ReportCommand::Get { id, format, to, service } => {
            get(&connect(service)?, id, format, to.as_deref()).await
        }
        ReportCommand::Evidence { id, to, service } => {
            let fetched = connect(service)?.fetch_evidence(id, target(to.as_deref())).await?;
            show_place(fetched.as_deref())
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
    Api::new(&service.base_url, &service.client_id, &service.client_secret)
}

/// `name=value`; a value that reads as JSON is that, any other is a text.
fn argument(text: &str) -> Result<(String, Value)> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::usage(format!("--argument is {text:?}: expected NAME=VALUE")))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
    Ok((name.into(), value))
}

async fn start(
    api: &Api,
    kind: &str,
    arguments: Value,
    as_of: Option<&str>,
    wait: bool,
    output: Output,
) -> Result {
    let task = api.start(kind, arguments, as_of).await?;
    let Some(id) = task.id.clone() else {
        return Err(Failure::new("the start was answered without an id"));
    };
    if !wait {
        return match output {
            Output::Json => json(&task),
            Output::Table => print(&id),
        };
    }
    let result = api.wait(&id).await?;
    show(&result, &id, output)?;
    match result.status {
        Some(ResultStatus::Success | ResultStatus::Warning) => Ok(()),
        Some(status) => Err(Failure::new(format!("report {id} did not succeed: {status}"))),
        None => Err(Failure::new(format!("report {id} has no result"))),
    }
}

fn show(result: &ReportResults, id: &str, output: Output) -> Result {
    if result.id.is_none() {
        return Err(Failure::new(format!("there is no report {id:?}")));
    }
    if output == Output::Json {
        return json(result);
    }
    let formats = result.available_formats.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    let columns = [text("id"), text("report"), text("status"), number("rows"), number("ms"), text("formats")];
    let row = vec![
        result.id.clone().unwrap_or_default(),
        result.task_def_name.clone().unwrap_or_default(),
        result.status.as_ref().map_or_else(|| "running".into(), ToString::to_string),
        result.rows.map_or_else(String::new, |rows| count(rows.unsigned_abs())),
        result.duration.map_or_else(String::new, |duration| count(duration.unsigned_abs())),
        formats.join(", "),
    ];
    print(&table(&columns, std::iter::once(row)))
}

async fn get(api: &Api, id: &str, format: &str, to: Option<&Path>) -> Result {
    let fetched = api.fetch(id, format, target(to)).await?;
    show_place(fetched.as_deref())
}

/// `-` is standard output.
fn target(to: Option<&Path>) -> Target<'_> {
    match to {
        Some(path) if path.as_os_str() == "-" => Target::StandardOutput,
        Some(path) => Target::File(path),
        None => Target::ItsName,
    }
}

/// Prints where a file was written, unless that is standard output.
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
    let catalogue = house::catalogue(settings)?;
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    #[test]
    fn argument_values_are_json_or_text() {
        for (text, value) in [
            ("a=true", json!(true)),
            ("a=[\"CSV\"]", json!(["CSV"])),
            ("a=2c91", json!("2c91")),
            ("a=x=y", json!("x=y")),
            ("a=", json!("")),
            ("a=Active Directory", json!("Active Directory")),
        ] {
            assert_eq!(argument(text).unwrap(), ("a".to_owned(), value), "{text}");
        }
        assert!(argument("a").is_err());
        assert!(argument("=1").is_err());
    }
}
