//! A bit of a file flips while no process looks. A success may only give what was written, `muster check` must find each
//! flip, and a refresh must restore the table or say how to do it.

use super::{PATIENCE, once, said};
use crate::api::{self, Api, Report};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase};
use crate::inspection::inspect;
use crate::installation::{Installation, muster};
use crate::random::Random;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bits that are flipped in each file of a table, one after another.
const PLACES: usize = 2;

/// Prints the digest of each table in an archive. The cover is left out, because it has times of its own.
const DIGESTS: &str = "
import hashlib, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
for name in sorted(archive.namelist()):
    if name.endswith('.csv'):
        print(name, hashlib.sha256(archive.read(name)).hexdigest())
";

/// Runs reports over flipped bits of the newest snapshot's tables: each fails, or gives the same bytes as before.
pub fn of_tables(installation: &Installation, seed: u64) -> Result<()> {
    let mut random = Random::new(seed);
    let before = results(installation)?;
    if let Some((kind, _)) = before.iter().find(|(_, rows)| rows.is_none()) {
        return Err(Failure::new(format!("{kind} fails over sound files")));
    }
    let mut failed = 0;
    for (table, path) in newest(installation)?.files {
        let whole = read(&path)?;
        for _ in 0..PLACES {
            let place = flip(&path, &whole, &mut random)?;
            for (kind, rows) in results(installation)? {
                match rows {
                    None => failed += 1,
                    Some(rows) if before[kind].as_ref() == Some(&rows) => {}
                    Some(_) => {
                        let what = format!("{kind} has other rows, with success: {place} of table {table}");
                        return Err(Failure::new(what));
                    }
                }
            }
            found(installation, &format!("table {table:?}"), &place)?;
            write(&path, &whole)?;
        }
    }
    if failed == 0 {
        return Err(Failure::new("no report failed: what was flipped was not read"));
    }
    sound(installation)
}

/// Refreshes over a flipped bit of each table of the newest snapshot: the refresh makes the table again if the sources can
/// give it, and otherwise names a way out, which works.
pub fn before_refreshes(installation: &Installation, seed: u64) -> Result<()> {
    let mut random = Random::new(seed);
    let (mut again, mut told) = (0, 0);
    let tables: BTreeSet<_> = newest(installation)?.files.into_iter().map(|(table, _)| table).collect();
    for table in tables {
        let files = newest(installation)?.files;
        let path = files.into_iter().find_map(|(name, path)| (name == table).then_some(path));
        let path = path.ok_or_else(|| Failure::new(format!("table {table} has no file any more")))?;
        let place = flip(&path, &read(&path)?, &mut random)?;
        let (status, text) = said(installation, &[], &["refresh"])?;
        match status {
            Some(0) if text.contains("the table was written again") => again += 1,
            Some(1) if text.contains("`muster refresh --rebuild`") => {
                told += 1;
                let (status, text) = said(installation, &[], &["refresh", "--rebuild"])?;
                if status != Some(0) {
                    return Err(Failure::new(format!(
                        "refresh --rebuild ended with {status:?} and said {text}: {place} of table {table}"
                    )));
                }
            }
            _ => {
                return Err(Failure::new(format!(
                    "refresh ended with {status:?} and said {text}: {place} of table {table}"
                )));
            }
        }
        let (_, text) = said(installation, &[], &["check"])?;
        if text.contains(&newest(installation)?.id) {
            return Err(Failure::new(format!(
                "the snapshot made again over table {table} is damaged: {text}"
            )));
        }
        if let Some((kind, _)) = results(installation)?.into_iter().find(|(_, rows)| rows.is_none()) {
            return Err(Failure::new(format!("{kind} fails after a refresh over {place} of table {table}")));
        }
    }
    match (again, told) {
        (0, _) | (_, 0) => Err(Failure::new(format!("{again} refreshes continued, {told} said what to do"))),
        _ => Ok(()),
    }
}

/// Flips bits of result files under a service that has served them: none is served to its end, and no evidence is made of
/// them.
pub fn of_results(installation: &Installation, seed: u64) -> Result<()> {
    let mut random = Random::new(seed);
    let after = inspect(&History::default(), installation, Phase::Running, 0)?;
    let server = installation.serve(&once())?;
    let api = server.connect(&installation.user)?;
    for report in reports(installation) {
        let id = api.start(&report)?;
        if rows(&api, &id, report.kind, &installation.data)?.is_none() {
            return Err(Failure::new(format!("{} fails over sound files", report.kind)));
        }
    }
    let history = History::default();
    inspect(&history, installation, Phase::Running, after)?;
    let looked = history.recorded().inspections;
    let mut flipped = Vec::new();
    for row in looked.iter().flat_map(|inspection| &inspection.rows) {
        for file in &row.files {
            let path = installation.results().join(&file.name);
            flip(&path, &read(&path)?, &mut random)?;
            let format = file.name.rsplit('.').next().unwrap_or_default();
            // The CSV file of a search is an archive.
            let format = if format == "zip" { "csv" } else { format };
            // An answer that breaks off is as promised.
            if api.file(&row.task, format).is_ok_and(|answer| answer.status == 200) {
                return Err(Failure::new(format!("{} was served to its end", file.name)));
            }
            flipped.push(file.name.clone());
        }
        if api.evidence(&row.task).is_ok_and(|answer| answer.status == 200) {
            return Err(Failure::new(format!("evidence was made of the flipped files of {}", row.task)));
        }
    }
    server.stop()?;
    if flipped.len() < reports(installation).len() {
        return Err(Failure::new(format!("only {} result files were found", flipped.len())));
    }
    flipped.iter().try_for_each(|name| found(installation, name, "a flipped bit"))
}

/// The fixed reports, and a search of every type of document.
fn reports(installation: &Installation) -> Vec<Report> {
    let search = Report { kind: "SEARCH_EXPORT", arguments: json!({"query": "*"}) };
    installation.reports().into_iter().chain([search]).collect()
}

/// The rows of each report, from a process that has read nothing before; `None` where a report fails.
fn results(installation: &Installation) -> Result<BTreeMap<&'static str, Option<Vec<u8>>>> {
    let server = installation.serve(&once())?;
    let api = server.connect(&installation.user)?;
    let mut started = Vec::new();
    for report in reports(installation) {
        started.push((report.kind, api.run(&report)?));
    }
    let mut results = BTreeMap::new();
    for (kind, answer) in started {
        let rows = match (answer.status, api::json(&answer)) {
            (200, Some(body)) => {
                rows(&api, body["id"].as_str().unwrap_or_default(), kind, &installation.data)?
            }
            (500.., Some(_)) => None,
            (status, _) => {
                return Err(Failure::new(format!("the start of {kind} is answered with {status}")));
            }
        };
        results.insert(kind, rows);
    }
    server.stop()?;
    Ok(results)
}

/// The rows of a task that has ended; for a search, the digest of each table.
fn rows(api: &Api, id: &str, kind: &str, data: &Path) -> Result<Option<Vec<u8>>> {
    if !api.ended(id, PATIENCE)?.has_file() {
        return Ok(None);
    }
    let answer = api.csv(id)?;
    if answer.status != 200 {
        return Err(Failure::new(format!("the file of {kind} is answered with {}", answer.status)));
    }
    if kind != "SEARCH_EXPORT" {
        return Ok(Some(answer.body));
    }
    let archive = data.with_extension("zip");
    write(&archive, &answer.body)?;
    Ok(Some(command::output(Command::new("python3").args(["-c", DIGESTS]).arg(archive))?.into_bytes()))
}

/// The newest snapshot: its id, and the files of its tables.
struct Newest {
    id: String,
    files: Vec<(String, PathBuf)>,
}

fn newest(installation: &Installation) -> Result<Newest> {
    let show = ["snapshot", "show", "newest", "--output", "json"];
    let text = command::output(muster(&installation.binary, &installation.data).args(show))?;
    let shown: Value = serde_json::from_str(&text).context(|| format!("the snapshot is shown as {text}"))?;
    let tables = shown["snapshot"]["files"].as_object().into_iter().flatten();
    let files = tables.flat_map(|(table, files)| {
        let folder = installation.data.join("tables").join(table);
        let names = files.as_object().into_iter().flatten();
        names.map(move |(name, _)| (table.clone(), folder.join(name)))
    });
    let files: Vec<_> = files.collect();
    match shown["snapshot"]["id"].as_str() {
        Some(id) if !files.is_empty() => Ok(Newest { id: id.to_owned(), files }),
        _ => Err(Failure::new(format!("the snapshot is shown as {text}"))),
    }
}

/// Writes a file with one bit flipped; which bit it is.
fn flip(path: &Path, whole: &[u8], random: &mut Random) -> Result<String> {
    let (mut bytes, at, bit) = (whole.to_vec(), random.index(whole.len()), random.below(8));
    bytes[at] ^= 1 << bit;
    write(path, &bytes)?;
    Ok(format!("bit {bit} of byte {at}"))
}

/// `muster check` must find what was flipped, and name it.
fn found(installation: &Installation, what: &str, place: &str) -> Result<()> {
    match said(installation, &[], &["check"])? {
        (Some(1), text) if text.contains(what) => Ok(()),
        (status, text) => {
            Err(Failure::new(format!("check ended with {status:?} and said {text}: {place} of {what}")))
        }
    }
}

/// `muster check` must find nothing.
fn sound(installation: &Installation) -> Result<()> {
    match said(installation, &[], &["check"])? {
        (Some(0), _) => Ok(()),
        (status, text) => Err(Failure::new(format!("check ended with {status:?} and said {text}"))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).context(|| format!("{} cannot be read", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).context(|| format!("{} cannot be written", path.display()))
}
