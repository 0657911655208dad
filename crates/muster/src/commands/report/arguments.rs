//! `--argument NAME=VALUE`: texts of a command line as the values that a report's definition expects.
//!
//! The definition decides what a text means, never the text itself: `query=5` and `query="John Doe"` are texts,
//! including the quotes.

use crate::failure::{Failure, Result};
use muster_client::wire::{ArgumentDescription, ReportDescription};
use muster_reports::FileFormat;
use muster_reports::definition::{EXTRA_FORMATS, SELECTED_FORMATS};
use muster_reports::nearest::hint;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// The arguments of the report `kind`.
///
/// # Errors When the report or an argument does not exist, an argument is given twice, or a value has another type than
/// expected.
pub fn typed(reports: &[ReportDescription], kind: &str, given: &[String]) -> Result<Map<String, Value>> {
    let report = reports.iter().find(|report| report.id == kind).ok_or_else(|| {
        let near = hint(kind, reports.iter().map(|report| report.id.as_str()));
        Failure::not_found(format!(
            "there is no report {kind:?}{near}; `muster report list-kinds` lists them"
        ))
    })?;
    let mut arguments = Map::new();
    for text in given {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Failure::usage(format!("--argument is {text:?}: expected NAME=VALUE")))?;
        let argument = report.arguments.iter().find(|argument| argument.name == name).ok_or_else(|| {
            let names: Vec<_> = report.arguments.iter().map(|argument| argument.name.as_str()).collect();
            let near = hint(name, names.iter().copied());
            Failure::usage(format!(
                "{kind} has no argument {name:?}{near}; expected some of {}",
                names.join(", ")
            ))
        })?;
        let value = value_of(argument, value)
            .ok_or_else(|| Failure::usage(format!("--argument {text}: expected {}", argument.expected)))?;
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("--argument {name} is given twice: expected it once")));
        }
    }
    Ok(arguments)
}

/// Adds the source that the report `kind` is about to its arguments. The service takes a name where it expects an id.
///
/// # Errors When the report is not about one source, or the arguments name one already.
pub fn about(
    reports: &[ReportDescription],
    kind: &str,
    source: &str,
    arguments: &mut Map<String, Value>,
) -> Result {
    let report = reports.iter().find(|report| report.id == kind);
    let of_source = |argument: &&ArgumentDescription| {
        matches!(argument.kind.as_str(), "source_id" | "authoritative_source_id" | "source_name")
    };
    let names = report.iter().flat_map(|report| report.arguments.iter().filter(of_source));
    let names: Vec<_> = names.map(|argument| argument.name.as_str()).collect();
    if names.is_empty() {
        return Err(Failure::usage(format!(
            "--source: {kind} is not about one source: expected no --source"
        )));
    }
    for name in names {
        if arguments.insert(name.to_owned(), source.into()).is_some() {
            return Err(Failure::usage(format!(
                "--source and --argument {name} name the source: expected one of them"
            )));
        }
    }
    Ok(())
}

/// The formats that a run writes beyond those of its report: those that are named, those of the arguments, and the one that the
/// ending of `to` names, into which the result is to be written.
///
/// # Errors When the report is never written in one of them: a run would be of no use.
pub fn further_formats(
    reports: &[ReportDescription],
    kind: &str,
    named: &[FileFormat],
    arguments: &Map<String, Value>,
    to: Option<&Path>,
) -> Result<Vec<FileFormat>> {
    let texts = |name: &str| -> Option<Vec<String>> {
        let list = arguments.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let Some(report) = reports.iter().find(|report| report.id == kind) else { return Ok(named.to_vec()) };
    let takes_more = report.arguments.iter().any(|argument| argument.name == EXTRA_FORMATS);
    let is_search = report.arguments.iter().any(|argument| argument.kind == "query");
    let written = texts(SELECTED_FORMATS).unwrap_or_else(|| report.formats.clone());
    let archive = if is_search && report.formats == ["CSV"] { ", in a zip archive" } else { "" };
    if let Some(format) = named.first().filter(|_| !takes_more) {
        return Err(Failure::usage(format!(
            "--format {}: {kind} is written as {}{archive}: expected no --format",
            format.extension(),
            report.formats.join(", ")
        )));
    }
    let mut further: Vec<FileFormat> = named.to_vec();
    for name in texts(EXTRA_FORMATS).unwrap_or_default() {
        let format = name.parse::<FileFormat>();
        further
            .push(format.map_err(|reason| Failure::usage(format!("--argument {EXTRA_FORMATS}: {reason}")))?);
    }
    // A folder gets all of them.
    if let Some(to) = to.filter(|to| !to.is_dir())
        && let Some(format) = format_of_ending(to)
    {
        let is_own = written.iter().any(|name| name.eq_ignore_ascii_case(format.as_str()));
        if takes_more && FileFormat::EXTRA.contains(&format) {
            further.push(format);
        } else if !is_own {
            return Err(Failure::usage(format!(
                "--to is {}: {kind} is written as {}{archive}: expected another file",
                to.display(),
                written.join(", ")
            )));
        }
    }
    let mut seen = BTreeSet::new();
    further.retain(|format| seen.insert(format.as_str()));
    Ok(further)
}

/// The format that the ending of a file names, if it names one.
fn format_of_ending(file: &Path) -> Option<FileFormat> {
    let ending = file.extension()?.to_str()?;
    // The CSV files of a search are in an archive.
    if ending.eq_ignore_ascii_case("zip") { Some(FileFormat::Csv) } else { ending.parse().ok() }
}

/// `None` if the text cannot be a value of the argument's type.
fn value_of(argument: &ArgumentDescription, text: &str) -> Option<Value> {
    let list = || serde_json::from_str::<Value>(text).ok().filter(Value::is_array);
    match argument.kind.as_str() {
        "boolean" if text.eq_ignore_ascii_case("true") => Some(true.into()),
        "boolean" if text.eq_ignore_ascii_case("false") => Some(false.into()),
        "boolean" => None,
        "integer" => text.trim().parse::<i64>().ok().map(Value::from),
        "texts" | "names" if text.trim_start().starts_with('[') => list(),
        "texts" => {
            Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect())
        }
        _ => Some(text.into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn reports() -> Vec<ReportDescription> {
        let argument = |name: &str, kind: &str, expected: &str| {
            json!({
                "name": name, "type": kind, "expected": expected, "required": false, "default": null,
                "allowed": null, "meaning": "",
            })
        };
        let arguments = [
            argument("query", "query", "a search query, as a text"),
            argument("correlatedOnly", "boolean", "true or false"),
            argument("columns", "names", "names with commas between them, as a text"),
            argument("sort", "texts", "a list of texts"),
            argument("application", "source_id", "the id of a source, as a text"),
            argument("days", "integer", "a whole number from 1 to 3650"),
        ];
        let report = json!({
            "id": "SEARCH_EXPORT", "version": 1, "name": "", "description": "", "builtIn": true, "row": "",
            "digest": "", "formats": [], "arguments": arguments, "columns": [], "attributeColumns": null,
        });
        vec![serde_json::from_value(report).unwrap()]
    }

    fn one(text: &str) -> Result<Map<String, Value>> {
        typed(&reports(), "SEARCH_EXPORT", &[text.to_owned()])
    }

    #[test]
    fn values_are_what_the_definition_says() {
        for (text, name, value) in [
            ("query=\"John Doe\"", "query", json!("\"John Doe\"")),
            ("query=5", "query", json!("5")),
            ("query=true", "query", json!("true")),
            ("query=a:b=c", "query", json!("a:b=c")),
            ("query=", "query", json!("")),
            ("correlatedOnly=True", "correlatedOnly", json!(true)),
            ("application=12345678901234567890", "application", json!("12345678901234567890")),
            ("days=90", "days", json!(90)),
            ("columns=id,name", "columns", json!("id,name")),
            ("columns=[\"id\"]", "columns", json!(["id"])),
            ("sort=name, -id", "sort", json!(["name", "-id"])),
            ("sort=[\"a,b\"]", "sort", json!(["a,b"])),
        ] {
            assert_eq!(Value::Object(one(text).unwrap()), json!({ name: value }), "{text}");
        }
    }

    #[test]
    fn what_a_report_is_never_written_in_is_refused_before_it_runs() {
        let mut reports = reports();
        reports[0].formats = vec!["CSV".into()];
        let texts = |name: &str| {
            json!({
                "name": name, "type": "texts", "expected": "", "required": false, "default": null,
                "allowed": null, "meaning": "",
            })
        };
        let people = json!({
            "id": "IDENTITIES", "version": 1, "name": "", "description": "", "builtIn": true, "row": "",
            "digest": "", "formats": ["CSV", "PDF"], "arguments": [texts("selectedFormats"), texts("extraFormats")],
            "columns": [], "attributeColumns": null,
        });
        reports.push(serde_json::from_value(people).unwrap());
        let folder = std::env::temp_dir();
        let of = |kind: &str, named: &[FileFormat], arguments: Value, to: &str| {
            let (Value::Object(arguments), to) = (arguments, folder.join(to)) else { unreachable!() };
            let further = further_formats(
                &reports,
                kind,
                named,
                &arguments,
                Some(to.as_path()).filter(|to| *to != folder),
            );
            further.map(|further| further.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(" "))
        };
        for (named, arguments, to, further) in [
            (&[][..], json!({}), "", ""),
            (&[], json!({}), "a.csv", ""),
            (&[], json!({}), "a.PDF", ""),
            (&[], json!({}), "a.txt", ""),
            // Who wants this file wants it written.
            (&[], json!({}), "a.xlsx", "XLSX"),
            (&[FileFormat::Xlsx], json!({}), "a.xlsx", "XLSX"),
            (&[FileFormat::Parquet], json!({"extraFormats": ["ndjson"]}), "a.xlsx", "PARQUET NDJSON XLSX"),
            (&[], json!({"selectedFormats": ["PDF"]}), "a.pdf", ""),
        ] {
            assert_eq!(of("IDENTITIES", named, arguments, to).unwrap(), further, "{named:?} {to}");
        }
        assert_eq!(of("SEARCH_EXPORT", &[], json!({}), "a.zip").unwrap(), "");
        let shown = |name: &str| folder.join(name).display().to_string();
        let zip = "SEARCH_EXPORT is written as CSV, in a zip archive: expected";
        for (kind, named, arguments, to, reason) in [
            ("SEARCH_EXPORT", &[FileFormat::Xlsx][..], json!({}), "", format!("--format xlsx: {zip} no --format")),
            ("SEARCH_EXPORT", &[], json!({}), "a.pdf", format!("--to is {}: {zip} another file", shown("a.pdf"))),
            ("SEARCH_EXPORT", &[], json!({}), "a.xlsx", format!("--to is {}: {zip} another file", shown("a.xlsx"))),
            (
                "IDENTITIES",
                &[],
                json!({"selectedFormats": ["CSV"]}),
                "a.pdf",
                format!("--to is {}: IDENTITIES is written as CSV: expected another file", shown("a.pdf")),
            ),
            (
                "IDENTITIES",
                &[],
                json!({"extraFormats": ["XLSX", "odt"]}),
                "",
                "--argument extraFormats: fileFormat is \"odt\": expected one of csv, pdf, xlsx, ndjson, parquet".into(),
            ),
        ] {
            let refused = of(kind, named, arguments, to).unwrap_err();
            assert_eq!((refused.status().code(), refused.to_string()), (2, reason));
        }
    }

    #[test]
    fn a_source_is_given_to_the_arguments_that_ask_for_one() {
        let mut arguments = Map::new();
        about(&reports(), "SEARCH_EXPORT", "HR", &mut arguments).unwrap();
        assert_eq!(Value::Object(arguments.clone()), json!({"application": "HR"}));
        let twice = about(&reports(), "SEARCH_EXPORT", "HR", &mut arguments).unwrap_err().to_string();
        assert_eq!(twice, "--source and --argument application name the source: expected one of them");
        let none = about(&reports(), "IDENTITIES", "HR", &mut Map::new()).unwrap_err().to_string();
        assert_eq!(none, "--source: IDENTITIES is not about one source: expected no --source");
    }

    #[test]
    fn what_cannot_be_is_told_with_what_was_expected() {
        for (text, expected) in [
            ("query", "--argument is \"query\": expected NAME=VALUE"),
            ("=1", "--argument is \"=1\": expected NAME=VALUE"),
            ("correlatedOnly=yes", "--argument correlatedOnly=yes: expected true or false"),
            ("days=x", "--argument days=x: expected a whole number from 1 to 3650"),
            ("sort=[a", "--argument sort=[a: expected a list of texts"),
            (
                "correlatedonly=true",
                "SEARCH_EXPORT has no argument \"correlatedonly\": the nearest name is \"correlatedOnly\"; expected some \
                 of query, correlatedOnly, columns, sort, application, days",
            ),
        ] {
            assert_eq!(one(text).unwrap_err().to_string(), expected);
        }
        let twice = ["query=a".to_owned(), "query=b".to_owned()];
        let error = typed(&reports(), "SEARCH_EXPORT", &twice).unwrap_err().to_string();
        assert_eq!(error, "--argument query is given twice: expected it once");
        let error = typed(&reports(), "SEARCH_EXPRT", &[]).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no report \"SEARCH_EXPRT\": the nearest name is \"SEARCH_EXPORT\"")
        );
    }
}
