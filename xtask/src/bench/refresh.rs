//! Refreshes. The peer is a script in DuckDB that reads the same files and writes the same tables; it always makes all of
//! them.

use super::benchmark::{Benchmark, PATIENCE, Row};
use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn};
use super::process;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::muster;
use serde_json::Value;
use std::cell::RefCell;
use std::path::Path;

/// The rows.
pub const ROWS: [Row; 5] = [
    Row::new("refresh-first", "the first refresh of an empty data directory", first),
    Row::new("refresh-full", "a refresh that makes everything again (`--full`)", again),
    Row::new("refresh-line", "a refresh after one line of the HR file changed", again),
    Row::new("refresh-account", "a refresh after one account left one source", again),
    Row::new("refresh-unchanged", "a refresh after nothing changed", again),
];

fn first(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let folder = benchmark.folder(row)?;
    let counted = RefCell::new(None);
    let ours = || -> Result<Sample> {
        let made = folder.join("data");
        remove(&made)?;
        add_sources(benchmark, &data.sources, &made)?;
        let mut refresh = muster(&benchmark.binary, &made);
        refresh.envs(data.installation.settings.iter().cloned()).arg("refresh");
        let sample = refreshed(&mut refresh, &folder)?;
        if counted.borrow().is_none() {
            *counted.borrow_mut() = Some(benchmark.count(&made)?["rows"].clone());
        }
        Ok(sample)
    };
    let peer = || peer(benchmark, &data.sources, &folder, counted.borrow().as_ref());
    let entries = compared(benchmark, row, ours, peer, true);
    remove(&folder)?;
    Ok(entries)
}

fn again(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let folder = benchmark.folder(row)?;
    let counted = RefCell::new(None);
    let ours = || -> Result<Sample> {
        let mut refresh = muster(&benchmark.binary, &data.installation.data);
        refresh.envs(data.installation.settings.iter().cloned()).arg("refresh");
        match row.name {
            "refresh-full" => {
                refresh.arg("--full");
            }
            "refresh-line" => send_on_leave(&data.file_to_change("employees.csv")?)?,
            "refresh-account" => drop_line(&data.file_to_change("salesforce.csv")?)?,
            _ => {}
        }
        let sample = refreshed(&mut refresh, &folder)?;
        // What has gone stays in our tables, and the peer never knew it.
        *counted.borrow_mut() = Some(benchmark.count(&data.installation.data)?["live"].clone());
        Ok(sample)
    };
    let peer = || peer(benchmark, &data.sources, &folder, counted.borrow().as_ref());
    let entries = compared(benchmark, row, ours, peer, row.name == "refresh-full");
    data.put_back()?;
    remove(&folder)?;
    Ok(entries)
}

fn compared<'a>(
    benchmark: &Benchmark<'_>,
    row: &Row,
    ours: impl FnMut() -> Result<Sample> + 'a,
    peer: impl FnMut() -> Result<Sample> + 'a,
    peer_does_the_same: bool,
) -> Vec<Entry> {
    let entry = |who: &str| Entry::new(row.what, who, Unit::Seconds);
    let peer = Contender::new(entry("DuckDB"), peer);
    // Where little changed, a peer that makes everything takes as long as in the rows where everything is made.
    let peer = if peer_does_the_same { peer } else { peer.once_only() };
    let contenders = vec![Contender::new(entry(OURS), ours), peer];
    let mut entries = in_turn(benchmark.numbers.runs, contenders);
    if let Some(peer) = entries.get_mut(1).filter(|peer| peer.failed.is_none()) {
        peer.remark("everything again, with equal rows in each table");
    }
    entries
}

/// Our refresh in a process of its own.
fn refreshed(refresh: &mut std::process::Command, folder: &Path) -> Result<Sample> {
    let took = process::run(refresh, folder, PATIENCE)?.or_fail("muster refresh")?;
    Ok(Sample {
        figure: took.seconds,
        processor: Some(took.processor),
        peak_kib: Some(took.peak_kib),
        ..Sample::default()
    })
}

/// The peer's refresh; a failure if its tables have other numbers of rows than ours.
fn peer(benchmark: &Benchmark<'_>, sources: &Path, folder: &Path, ours: Option<&Value>) -> Result<Sample> {
    let made = folder.join("peer");
    remove(&made)?;
    let mut script = benchmark.script("refresh_duckdb.py")?;
    let (said, sample) = benchmark.peer(script.arg("make").arg(sources).arg(&made), folder)?;
    let ours = ours.ok_or_else(|| Failure::new("our own refresh gave no rows to compare with"))?;
    let theirs = said["rows"].as_object().ok_or_else(|| Failure::new("the peer told no rows"))?;
    let differing: Vec<_> = theirs
        .iter()
        .filter(|(table, rows)| ours[table.as_str()] != **rows)
        .map(|(table, rows)| format!("{table}: {} of ours, {rows} of the peer", ours[table.as_str()]))
        .collect();
    if differing.is_empty() {
        Ok(sample)
    } else {
        Err(Failure::new(format!("other numbers of rows: {}", differing.join("; "))))
    }
}

/// Registers the definitions of a folder in a new data directory.
fn add_sources(benchmark: &Benchmark<'_>, sources: &Path, data: &Path) -> Result<()> {
    let entries = std::fs::read_dir(sources).context(|| sources.display().to_string())?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.context(|| sources.display().to_string())?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    for file in files {
        command::output(muster(&benchmark.binary, data).args(["source", "add"]).arg(file))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    std::fs::remove_dir_all(folder).context(|| format!("{} cannot be removed", folder.display()))
}

/// One account fewer: not one of the last lines, which are there to be refused.
fn drop_line(file: &Path) -> Result<()> {
    edit(file, |bytes| {
        let ends: Vec<_> =
            bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').take(20).collect();
        let (end, begin) = (ends.get(10)?.0, ends.get(11)?.0);
        Some([&bytes[..begin], &bytes[end..]].concat())
    })
}

/// The last person who is there goes on leave.
pub fn send_on_leave(file: &Path) -> Result<()> {
    edit(file, |bytes| {
        let at = bytes.windows(8).rposition(|word| word == b",Active,")?;
        Some([&bytes[..at], b",On leave,", &bytes[at + 8..]].concat())
    })
}

fn edit(file: &Path, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Result<()> {
    let name = file.display();
    let before = std::fs::read(file).context(|| format!("{name} cannot be read"))?;
    let after = change(&before).ok_or_else(|| Failure::new(format!("{name} has nothing to change")))?;
    std::fs::write(file, after).context(|| format!("{name} cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_changed_or_dropped() {
        let file = std::env::temp_dir().join(format!("muster-bench-edit-{}.csv", std::process::id()));
        let lines: String = (0..30).map(|number| format!("{number},Active,x\n")).collect();
        std::fs::write(&file, &lines).expect("it can be written");
        send_on_leave(&file).expect("somebody is there");
        let changed = std::fs::read_to_string(&file).expect("it is there");
        assert_eq!(changed, lines.replace("29,Active", "29,On leave"));
        drop_line(&file).expect("there are lines");
        let dropped = std::fs::read_to_string(&file).expect("it is there");
        std::fs::remove_file(&file).expect("it is there");
        assert_eq!(dropped, changed.replace("19,Active,x\n", ""));
    }
}
