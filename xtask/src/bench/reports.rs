//! Reports and searches. The peers run equal queries over the same Parquet files and write CSV, and so do we: a report has
//! no PDF here. The peers do not sync, count a second time or hash; a second figure has a sync of their file.

use super::benchmark::{Benchmark, Row, fetch, first_line, sample_report};
use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn};
use muster_harness::api::{Api, Report};
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::{DIRECTORY_ID, Installation};
use muster_harness::server::Server;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The rows; the script of the peers knows them by the same names.
pub const ROWS: [Row; 8] = [
    Row::new("accounts", "ACCOUNTS of the directory, all columns", measure),
    Row::new("identities", "IDENTITIES, all columns", measure),
    Row::new("details", "IDENTITIES_DETAILS in total order", measure),
    Row::new("uncorrelated", "UNCORRELATED_ACCOUNTS", measure),
    Row::new("search-selective", "search: `displayName:a* AND attributes.location:Berlin`", measure),
    Row::new(
        "search-nested",
        "search: `@accounts(source.name:\"Active Directory\" AND disabled:true)`",
        measure,
    ),
    Row::new("search-everything", "search: everything, ten columns", measure),
    Row::new("search-spread", "search: a tenth, `access.spread`", measure),
];
/// The other engines, as the script calls them and as they are called.
const PEERS: [(&str, &str); 4] =
    [("duckdb", "DuckDB"), ("polars", "Polars"), ("chdb", "chDB"), ("datafusion", "DataFusion")];
/// Columns of ACCOUNTS, and of IDENTITIES, before those of attributes.
const FIXED: [(&str, usize); 2] = [("accounts", 16), ("identities", 15)];

/// The report of a row.
pub fn report_of(installation: &Installation, name: &str) -> Result<Report> {
    let kind = match name {
        "accounts" => "ACCOUNTS",
        "identities" => "IDENTITIES",
        "details" => "IDENTITIES_DETAILS",
        "uncorrelated" => "UNCORRELATED_ACCOUNTS",
        _ => return search_of(name),
    };
    let found = installation.reports().into_iter().find(|report| report.kind == kind);
    found.ok_or_else(|| Failure::new(format!("the sample organisation has no report {kind}")))
}

fn search_of(name: &str) -> Result<Report> {
    let (query, columns) = match name {
        "search-selective" => ("displayName:a* AND attributes.location:Berlin", "id,displayName,email"),
        "search-nested" => {
            ("@accounts(source.name:\"Active Directory\" AND disabled:true)", "id,displayName,email")
        }
        "search-everything" => (
            "*",
            "id,name,displayName,firstName,lastName,email,status,created,accountCount,attributes.location",
        ),
        "search-spread" => ("id:[0 TO 1a}", "id,displayName,access.spread"),
        // Everything that there is of everybody: the longest search that one can ask for in few words.
        "search-costliest" => ("*", "id,accounts.spread,access.spread"),
        other => return Err(Failure::new(format!("there is no search {other}"))),
    };
    Ok(Report {
        kind: "SEARCH_EXPORT",
        arguments: json!({"query": query, "indices": ["identities"], "columns": columns}),
    })
}

fn measure(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let folder = benchmark.folder(row)?;
    let server = data.installation.serve(&[])?;
    let api = server.connect(&data.installation.user)?;
    let report = as_csv(report_of(&data.installation, row.name)?);
    // The service hashes the files of a table when it first opens them, and keeps the counts of a snapshot: not what is
    // measured here, so a remark has the time of the first report.
    let file = folder.join(if row.name.starts_with("search") { "ours.zip" } else { "ours.csv" });
    let first = keep_file(&server, &api, &report, &file)?.figure;
    let attributes = attributes_of(row, &file)?;
    let tables = folder.join("tables");
    benchmark.ask(
        benchmark.script("report_peers.py")?.arg("link").arg(&data.installation.data).arg(&tables),
        &folder,
    )?;

    let entry = |who: &str| Entry::new(row.what, who, Unit::Seconds);
    let ours = Contender::new(entry(OURS), || Ok(sample_report(&server, &api, &report)?.1));
    let mut contenders = vec![ours];
    for (peer, name) in PEERS {
        let (folder, tables, attributes) = (&folder, &tables, &attributes);
        let once = move || -> Result<Sample> {
            let mut script = benchmark.script("report_peers.py")?;
            script.args([peer, row.name]).arg(tables).arg(written_by(folder, peer));
            Ok(benchmark.peer(script.arg(DIRECTORY_ID).args(attributes), folder)?.1)
        };
        contenders.push(Contender::new(entry(name), once));
    }
    let mut entries = in_turn(benchmark.numbers.runs, contenders);
    server.stop()?;
    if let Some(ours) = entries.first_mut() {
        ours.remark(&format!("the first report of the service: {first:.2} s"));
    }
    compare(benchmark, &folder, &file, &mut entries)?;
    std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(entries)
}

/// The report in the format of the peers alone. A search is written as CSV anyway.
fn as_csv(mut report: Report) -> Report {
    if report.kind != "SEARCH_EXPORT" {
        report.arguments["selectedFormats"] = json!(["CSV"]);
    }
    report
}

fn written_by(folder: &Path, peer: &str) -> PathBuf {
    folder.join(format!("{peer}.csv"))
}

/// Runs a report once and fetches its file.
fn keep_file(server: &Server, api: &Api, report: &Report, file: &Path) -> Result<Sample> {
    let (id, sample) = sample_report(server, api, report)?;
    fetch(server, api, &id, file)?;
    Ok(sample)
}

/// The attributes that the file has columns for.
fn attributes_of(row: &Row, file: &Path) -> Result<Vec<String>> {
    let Some((_, fixed)) = FIXED.iter().find(|(name, _)| *name == row.name) else { return Ok(Vec::new()) };
    let header = first_line(file)?;
    let names = header.trim_end().split(',').skip(*fixed);
    // So a column is called that would have the name of another.
    Ok(names.map(|name| name.strip_prefix("attributes.").unwrap_or(name).to_owned()).collect())
}

/// Holds the rows of the peers against ours. A peer that wrote other rows has failed.
fn compare(benchmark: &Benchmark<'_>, folder: &Path, file: &Path, entries: &mut [Entry]) -> Result<()> {
    let digest = |file: &Path| -> Result<Value> {
        Ok(benchmark.ask(benchmark.script("report_peers.py")?.arg("digest").arg(file), folder)?.0)
    };
    let ours = digest(file)?;
    let mut all_equal = true;
    for (peer, name) in PEERS {
        // With sync and without.
        let theirs = entries.iter_mut().filter(|entry| entry.who.starts_with(name) && entry.failed.is_none());
        let theirs: Vec<_> = theirs.collect();
        if theirs.is_empty() {
            continue;
        }
        let wrote = digest(&written_by(folder, peer))?;
        for entry in theirs {
            entry.rows = wrote["rows"].as_u64();
            if wrote != ours {
                all_equal = false;
                entry.failed = Some(format!("other rows: {ours} of ours, {wrote} of the peer"));
            }
        }
    }
    if let Some(entry) = entries.first_mut().filter(|_| all_equal) {
        entry.remark(&format!(
            "all wrote equal cells, digest {}",
            ours["digest"].as_str().unwrap_or_default()
        ));
    }
    Ok(())
}
