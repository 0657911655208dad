//! `cargo xtask bench`: how fast the service is, and how fast other programs are that do the same on the same machine.
//!
//! A row of the table is one function in a file of `bench/`: it measures and gives entries. A row that fails says why; the
//! others are measured nevertheless. What is measured is kept below the target folder, so that one row can be measured again
//! and the page still has the others.

mod benchmark;
mod data;
mod entry;
mod files;
mod growth;
mod load;
mod page;
mod process;
mod program;
mod refresh;
mod reports;
mod serving;
mod stopping;

use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::Workspace;
use std::path::PathBuf;

/// `cargo xtask bench`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// People in the organisation; it has about five times as many accounts and ten times as many access items
    #[arg(long, value_name = "NUMBER", default_value_t = IDENTITIES, value_parser = clap::value_parser!(u64).range(200..))]
    pub identities: u64,
    /// Measure only this row; may be repeated
    #[arg(long, value_name = "ROW")]
    pub only: Vec<String>,
    /// Runs of each program
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Starts of a small report
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub starts: u32,
    /// Cancels of the largest report, and of the costliest search
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub cancels: u32,
    /// Rows of the PDF file; ReportLab takes minutes and Typst gigabytes for 100,000
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub pdf_rows: u32,
    /// Measure the growth from 100,000 to 10,000,000 people too, which takes hours
    #[arg(long)]
    pub growth: bool,
    /// List the rows and measure nothing
    #[arg(long)]
    pub list: bool,
}

/// People in the organisation of docs/performance.md.
const IDENTITIES: u64 = 1_000_000;
/// The page; that of another organisation is written below the target folder.
const DOCUMENT: &str = "docs/performance.md";

/// Every row, in the order of the page.
fn rows() -> Vec<&'static benchmark::Row> {
    let groups: [&[benchmark::Row]; 8] = [
        &refresh::ROWS,
        &reports::ROWS,
        &files::ROWS,
        &serving::ROWS,
        &stopping::ROWS,
        &load::ROWS,
        &program::ROWS,
        &growth::ROWS,
    ];
    groups.into_iter().flatten().collect()
}

/// Measures the rows that are asked for and writes the page. Whether every row gave what it should.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let all = rows();
    if options.list {
        all.iter().for_each(|row| println!("{:<18} {}", row.name, row.what));
        return Ok(true);
    }
    if let Some(unknown) = options.only.iter().find(|name| all.iter().all(|row| row.name != **name)) {
        return Err(Failure::new(format!("there is no row {unknown}: --list shows them")));
    }
    let is_wanted = |row: &benchmark::Row| match options.only.as_slice() {
        [] => !row.is_extra || options.growth,
        only => only.iter().any(|name| name == row.name),
    };
    let numbers = benchmark::Numbers {
        identities: options.identities,
        runs: options.runs,
        starts: options.starts,
        cancels: options.cancels,
        pdf_rows: options.pdf_rows,
    };
    let benchmark =
        benchmark::Benchmark::new(workspace, workspace.binary(options.binary.as_deref())?, numbers);
    let mut kept =
        page::Kept::read(workspace.cache()?.join(format!("bench-{}-results.json", options.identities)))?;
    let mut succeeded = true;
    for row in all.iter().copied().filter(|row| is_wanted(row)) {
        println!("{}: {}", row.name, row.what);
        let entries = match (row.measure)(&benchmark, row) {
            Ok(entries) if entries.is_empty() => vec![entry::Entry::failed("nothing was measured")],
            Ok(entries) => entries,
            Err(failure) => vec![entry::Entry::failed(failure.to_string())],
        };
        entries.iter().for_each(print);
        succeeded &= row.name == load::LIMITS_ROW || entries.iter().all(|entry| entry.failed.is_none());
        kept.put(row.name, &entries)?;
        write(workspace, &benchmark, &mut kept, &all)?;
    }
    Ok(succeeded)
}

/// Writes the page with all that is kept.
fn write(
    workspace: &Workspace,
    benchmark: &benchmark::Benchmark<'_>,
    kept: &mut page::Kept,
    all: &[&benchmark::Row],
) -> Result<()> {
    let identities = benchmark.numbers.identities;
    let (file, flags) = if identities == IDENTITIES {
        (workspace.root.join(DOCUMENT), String::new())
    } else {
        let file = workspace.cache()?.join(format!("bench-{identities}-performance.md"));
        (file, format!(" --identities {identities}"))
    };
    if let Some(data) = benchmark.data_if_made() {
        kept.put_organisation(&format!(
            "Organisation: {} people, {} accounts, {} access items.",
            page::grouped(data.facts["live"]["identities"].as_u64().unwrap_or(0)),
            page::grouped(data.facts["live"]["accounts"].as_u64().unwrap_or(0)),
            page::grouped(data.facts["access_items"].as_u64().unwrap_or(0)),
        ))?;
    }
    let text = page::text(kept, all, &flags)?;
    std::fs::write(&file, text).context(|| format!("{} cannot be written", file.display()))
}

fn print(entry: &entry::Entry) {
    let figure = match (&entry.failed, entry.median()) {
        (Some(why), _) => format!("failed: {why}"),
        (None, Some(median)) => page::figure(median, entry.unit),
        (None, None) => "no figure".to_owned(),
    };
    let peak = entry.peak_kib.map_or_else(String::new, |kib| format!(", {} MiB", kib.div_ceil(1_024)));
    println!("  {:<28} {:<60} {figure}{peak} {}", entry.who, entry.what, entry.note);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_name_of_its_own_and_is_on_the_page() {
        let names: BTreeSet<_> = rows().iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows().len());
        let page = std::fs::read_to_string("../docs/performance.md").expect("the page is there");
        for name in names {
            assert!(page.contains(&format!("`cargo xtask bench --only {name}`")), "{name}");
        }
    }
}
