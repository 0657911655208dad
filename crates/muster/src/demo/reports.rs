//! One report of each kind over HTTP, and the table of what came of it.

use super::seconds;
use crate::api::{Api, Start, Target};
use crate::commands::client::Created;
use crate::failure::{Context, Failure, Result};
use crate::output::{self, count, number, text};
use muster_client::wire::ResultStatus;
use muster_sources::SourceDefinition;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The source whose accounts are reported.
const DIRECTORY: &str = "Active Directory";

/// What is searched for: people with a directory account that is disabled.
const SEARCH: &str = "@accounts(source.name:\"Active Directory\" AND disabled:true)";

/// A report that ran.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ran {
    kind: &'static str,
    id: String,
    status: String,
    succeeded: bool,
    rows: Option<i64>,
    /// From the start until the file was here.
    milliseconds: u64,
    file: Option<PathBuf>,
}

/// Runs every kind that this version has, one after another, and fetches the files into `folder`.
pub async fn run_all(
    base_url: &str,
    user: &Created,
    sources: &[SourceDefinition],
    folder: &Path,
) -> Result<Vec<Ran>> {
    std::fs::create_dir_all(folder).context(|| format!("folder {} cannot be made", folder.display()))?;
    let api = Api::new(base_url, &user.id, &user.secret, None)?;
    let mut ran = Vec::new();
    for (kind, arguments) in kinds(sources)? {
        ran.push(run(&api, kind, arguments, folder).await?);
    }
    Ok(ran)
}

fn kinds(sources: &[SourceDefinition]) -> Result<[(&'static str, Value); 7]> {
    let missing = |what: &str| Failure::new(format!("the sample organisation has no {what}"));
    let directory = sources.iter().find(|s| s.name == DIRECTORY).ok_or_else(|| missing(DIRECTORY))?;
    let authoritative =
        sources.iter().find(|s| s.is_authoritative()).ok_or_else(|| missing("authoritative source"))?;
    Ok([
        ("ACCOUNTS", json!({"application": directory.id, "sourceName": directory.name})),
        ("IDENTITIES", json!({"correlatedOnly": false})),
        ("IDENTITIES_DETAILS", json!({"correlatedOnly": false})),
        ("IDENTITY_PROFILE_IDENTITY_ERROR", json!({"authoritativeSource": authoritative.id})),
        ("ORPHAN_IDENTITIES", json!({"selectedFormats": ["CSV"]})),
        ("UNCORRELATED_ACCOUNTS", json!({"selectedFormats": ["CSV"]})),
        (
            "SEARCH_EXPORT",
            json!({"query": SEARCH, "columns": "displayName,email,accounts.spread", "sort": ["displayName"]}),
        ),
    ])
}

async fn run(api: &Api, kind: &'static str, arguments: Value, folder: &Path) -> Result<Ran> {
    let began = Instant::now();
    let task = api.start(Start { kind, arguments, as_of: None, notify: &[] }).await?;
    let id =
        task.id.ok_or_else(|| Failure::new(format!("the start of {kind} was answered without an id")))?;
    let result = api.wait(&id).await?;
    let succeeded = matches!(result.status, Some(ResultStatus::Success | ResultStatus::Warning));
    let file = if succeeded {
        let extension = if kind == "SEARCH_EXPORT" { "zip" } else { "csv" };
        let path = folder.join(format!("{kind}.{extension}"));
        api.fetch(&id, "csv", Target::File(&path)).await?;
        Some(path)
    } else {
        None
    };
    Ok(Ran {
        kind,
        id,
        status: result.status.map_or_else(|| "none".into(), |status| status.to_string()),
        succeeded,
        rows: result.rows,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        file,
    })
}

/// The table; files are shown relative to the data directory, which is named below it.
pub fn table(ran: &[Ran], dir: &Path) -> String {
    let columns = [text("kind"), text("id"), text("status"), number("rows"), number("time"), text("file")];
    let rows = ran.iter().map(|report| {
        let file = report.file.as_ref().map(|file| file.strip_prefix(dir).unwrap_or(file));
        vec![
            report.kind.into(),
            report.id.clone(),
            report.status.clone(),
            report.rows.map_or_else(String::new, |rows| count(rows.unsigned_abs())),
            seconds(std::time::Duration::from_millis(report.milliseconds)),
            file.map_or_else(String::new, |file| file.display().to_string()),
        ]
    });
    format!("\n{}\n\nFiles in {}", output::table(&columns, rows), dir.display())
}

/// Whether every report succeeded.
pub fn verdict(ran: &[Ran]) -> Result {
    let failed: Vec<_> = ran.iter().filter(|report| !report.succeeded).map(|report| report.kind).collect();
    match failed[..] {
        [] => Ok(()),
        _ => Err(Failure::new(format!("these reports did not succeed: {}", failed.join(", ")))),
    }
}
