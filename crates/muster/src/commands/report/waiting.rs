//! Waiting for a report: progress for people, the time-out, Ctrl-C, and what is done when the report has ended.

use super::{show_place, shown};
use crate::api::{Api, Target, WAIT_MOST, pauses};
use crate::cli::WaitArgs;
use crate::failure::{ExitStatus, Failure, Result};
use crate::output::{Output, json, print, say};
use crate::progress_bar::Bar;
use crate::prompt;
use crate::serve::Signals;
use muster_client::wire::{ReportResults, ResultStatus};
use muster_reports::FileFormat;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a command prints of a report that has ended.
#[derive(Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    result: &'a ReportResults,
    /// The files that were fetched, if any were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<String>>,
}

/// Waits until the report has ended, fetches what is wanted, prints the result, and tells how it ended. `extra` are formats
/// in addition to those that the result names.
pub async fn follow(
    api: &Api,
    id: &str,
    extra: &[FileFormat],
    wait: &WaitArgs,
    signals: &mut Signals,
    output: Output,
) -> Result {
    let result = ended(api, id, wait.timeout, signals).await?;
    if result.id.is_none() {
        return Err(super::unknown(id));
    }
    let verdict = verdict(&result, id, wait.strict);
    let has_files = matches!(result.status, Some(ResultStatus::Success | ResultStatus::Warning));
    let Some(to) = wait.to.as_deref().filter(|_| has_files) else {
        match output {
            Output::Json => json(&Ended { result: &result, files: None })?,
            Output::Table => print(&shown(&result))?,
        }
        return verdict;
    };
    if to.as_os_str() == "-" {
        // Standard output has the file and nothing else.
        let first = formats(&result, extra).into_iter().next().unwrap_or_else(|| "csv".into());
        api.fetch(id, &first, Target::StandardOutput).await?;
        say(&shown(&result));
        return verdict;
    }
    let files = fetched(api, &result, extra, (to, wait.force)).await?;
    match output {
        Output::Json => {
            let files = files.iter().map(|file| file.display().to_string()).collect();
            json(&Ended { result: &result, files: Some(files) })?;
        }
        Output::Table => {
            print(&shown(&result))?;
            for file in &files {
                show_place(Some(file))?;
            }
        }
    }
    verdict
}

/// Why a wait ended before the report.
enum Gone {
    Interrupted,
    TimedOut(u64),
}

async fn ended(api: &Api, id: &str, timeout: Option<u64>, signals: &mut Signals) -> Result<ReportResults> {
    let gone = {
        let time = async {
            match timeout {
                Some(seconds) => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    seconds
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = until_ended(api, id) => return result.map_err(|failure| runs_on(id, failure)),
            () = signals.next() => Gone::Interrupted,
            seconds = time => Gone::TimedOut(seconds),
        }
    };
    match gone {
        Gone::TimedOut(seconds) => {
            let failure = Failure::of(ExitStatus::TimedOut, format!("it had not ended after {seconds} s"));
            Err(runs_on(id, failure))
        }
        Gone::Interrupted => Err(interrupted(api, id, signals).await),
    }
}

/// Asks a person whether the report is cancelled. Where there is none, it runs on.
async fn interrupted(api: &Api, id: &str, signals: &mut Signals) -> Failure {
    if !prompt::says_yes("Cancel the report?", signals).await {
        return runs_on(id, Failure::new("the wait was interrupted"));
    }
    match api.cancel(id).await {
        Ok(()) => Failure::of(ExitStatus::Cancelled, format!("report {id} is cancelled")),
        Err(failure) => runs_on(id, failure),
    }
}

async fn until_ended(api: &Api, id: &str) -> Result<ReportResults> {
    let bar = Bar::of_rows(&format!("report {id}"));
    let mut pauses = pauses();
    loop {
        let result = api.result(id).await?;
        if result.status.is_some() || result.id.is_none() {
            return Ok(result);
        }
        if bar.is_shown()
            && let Ok(progress) = api.progress(id).await
        {
            bar.show(progress.rows, progress.rows_expected);
        }
        tokio::time::sleep(pauses.next().unwrap_or(WAIT_MOST)).await;
    }
}

fn runs_on(id: &str, failure: Failure) -> Failure {
    failure.within(format!(
        "the report runs on (`muster report result {id}` shows what becomes of it, `muster report cancel {id}` ends it)"
    ))
}

/// How a command ends after a report that ended like this.
fn verdict(result: &ReportResults, id: &str, strict: bool) -> Result {
    let last = |error: bool| {
        let told =
            result.messages.iter().rev().find(|message| if error { message.error } else { message.warning });
        told.and_then(|message| message.localized_text.as_deref())
            .map_or_else(String::new, |text| format!(": {text}"))
    };
    match &result.status {
        Some(ResultStatus::Success) => Ok(()),
        Some(ResultStatus::Warning) if strict => {
            Err(Failure::warning(format!("report {id} ended with a warning{}", last(false))))
        }
        Some(ResultStatus::Warning) => Ok(()),
        Some(ResultStatus::Terminated) => {
            Err(Failure::of(ExitStatus::Cancelled, format!("report {id} was cancelled")))
        }
        Some(status @ (ResultStatus::Failure | ResultStatus::Other(_))) => {
            Err(Failure::new(format!("report {id} did not succeed: {status}{}", last(true))))
        }
        None => Err(Failure::new(format!("report {id} has no result"))),
    }
}

/// The formats of a result, as the routes name them.
fn formats(result: &ReportResults, extra: &[FileFormat]) -> Vec<String> {
    let named = result.available_formats.iter().flatten().map(|format| format.as_str().to_ascii_lowercase());
    let mut formats: Vec<String> = Vec::new();
    for format in named.chain(extra.iter().map(|format| format.extension().to_owned())) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    formats
}

/// The format that a file's ending names; without one that is known, the only one, else CSV.
fn format_of(file: &Path, formats: &[String]) -> Result<String> {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match (ending.as_deref(), formats) {
        // A search export's CSV files are in an archive.
        (Some("csv" | "zip"), _) => Ok("csv".into()),
        (Some(ending), _) if formats.iter().any(|format| format == ending) => Ok(ending.to_owned()),
        (Some(ending @ ("pdf" | "xlsx" | "ndjson" | "parquet")), _) => Err(Failure::usage(format!(
            "--to is {}: the report has no {ending} file, but {}",
            file.display(),
            formats.join(", ")
        ))),
        (_, [only]) => Ok(only.clone()),
        (_, _) => Ok("csv".into()),
    }
}

async fn fetched(
    api: &Api,
    result: &ReportResults,
    extra: &[FileFormat],
    (to, force): (&Path, bool),
) -> Result<Vec<PathBuf>> {
    let id = result.id.as_deref().unwrap_or_default();
    let formats = formats(result, extra);
    if !to.is_dir() {
        if to.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(Failure::usage(format!("--to is {}: expected a folder that is there", to.display())));
        }
        let format = format_of(to, &formats)?;
        return Ok(api.fetch(id, &format, Target::File(to)).await?.into_iter().collect());
    }
    let mut files = Vec::new();
    for format in &formats {
        files.extend(api.fetch(id, format, Target::ItsName { folder: to, force }).await?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn result(status: &str) -> ReportResults {
        serde_json::from_value(json!({
            "id": "x", "status": status, "availableFormats": ["CSV", "PDF"],
            "messages": [
                {"type": "WARN", "warning": true, "error": false, "key": "w", "localizedText": "a source is old"},
                {"type": "ERROR", "warning": false, "error": true, "key": "e", "localizedText": "the disk is full"},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn the_status_says_how_the_report_ended() {
        for (status, strict, code, text) in [
            ("SUCCESS", true, 0, ""),
            ("WARNING", false, 0, ""),
            ("WARNING", true, 3, "report x ended with a warning: a source is old"),
            ("FAILURE", false, 1, "report x did not succeed: FAILURE: the disk is full"),
            ("TERMINATED", false, 6, "report x was cancelled"),
        ] {
            let ended = verdict(&result(status), "x", strict);
            let found = ended.as_ref().map_or_else(|failure| failure.status().code(), |()| 0);
            assert_eq!(found, code, "{status}");
            assert_eq!(ended.err().map_or_else(String::new, |failure| failure.to_string()), text);
        }
    }

    #[test]
    fn the_ending_of_a_file_names_its_format() {
        let all = formats(&result("SUCCESS"), &[FileFormat::Xlsx]);
        assert_eq!(all, ["csv", "pdf", "xlsx"]);
        for (file, format) in [
            ("a.csv", "csv"),
            ("a.PDF", "pdf"),
            ("a.xlsx", "xlsx"),
            ("a.zip", "csv"),
            ("a", "csv"),
            ("a.txt", "csv"),
        ] {
            assert_eq!(format_of(Path::new(file), &all).unwrap(), format, "{file}");
        }
        assert_eq!(format_of(Path::new("a"), &["pdf".to_owned()]).unwrap(), "pdf");
        let missing = format_of(Path::new("a.parquet"), &all).unwrap_err();
        assert_eq!(missing.status(), ExitStatus::Usage);
        assert!(missing.to_string().contains("has no parquet file, but csv, pdf, xlsx"), "{missing}");
    }
}
