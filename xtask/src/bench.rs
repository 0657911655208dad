//! `cargo xtask bench`: how fast the service is, and how fast other programs are that do the same on the same machine.
//!
//! A row of the table is one function in a file of `bench/`: it measures and gives entries. A row that fails says why; the
//! others are measured nevertheless. What is measured is kept next to the page, so that one row can be measured again and
//! the page still has the others, with the date, the commit and the number of people of each.

mod benchmark;
mod data;
mod entry;
mod files;
mod growth;
mod load;
mod page;
mod paging;
mod process;
mod program;
mod refresh;
mod reports;
mod serving;
mod stopping;

use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::Workspace;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// `cargo xtask bench`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary; the programs to compare with are in the folder `examples` next to it, where cargo leaves them
    /// [default: all are built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// People in the organisation; it has about five times as many accounts and ten times as many access items
    #[arg(long, value_name = "NUMBER", default_value_t = IDENTITIES, value_parser = clap::value_parser!(u64).range(200..))]
    pub identities: u64,
    /// Measure only this row; may be repeated
    #[arg(long, value_name = "ROW")]
    pub only: Vec<String>,
    /// Leave out rows that the page has already of this commit and this number of people
    #[arg(long)]
    pub resume: bool,
    /// Begin no row after so many minutes; --resume measures the others later
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: Option<u64>,
    /// The page that is written; what was measured is kept next to it, in a file that ends in .json, and stays on the page
    #[arg(long, value_name = "FILE", default_value = DOCUMENT)]
    pub page: PathBuf,
    /// Runs of each program
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Starts of a small report
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub starts: u32,
    /// Cancels of the largest report, and of the costliest search
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub cancels: u32,
    /// Rows of the PDF file that other programs write too; ReportLab takes minutes and Typst gigabytes for 100,000
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
/// The page, in the repository.
const DOCUMENT: &str = "docs/performance.md";

/// Every row, in the order of the page.
fn rows() -> Vec<&'static benchmark::Row> {
    let groups: [&[benchmark::Row]; 9] = [
        &refresh::ROWS,
        &reports::ROWS,
        &files::ROWS,
        &serving::ROWS,
        &paging::ROWS,
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
    let numbers = benchmark::Numbers {
        identities: options.identities,
        runs: options.runs,
        starts: options.starts,
        cancels: options.cancels,
        pdf_rows: options.pdf_rows,
    };
    let page = workspace.root.join(&options.page);
    let mut kept = page::Kept::read(page.with_extension("json"))?;
    let commit = commit(workspace)?;
    let is_wanted = |row: &benchmark::Row| {
        let is_asked_for = match options.only.as_slice() {
            [] => !row.is_extra || options.growth,
            only => only.iter().any(|name| name == row.name),
        };
        is_asked_for && !(options.resume && kept.has(row.name, options.identities, &commit))
    };
    let wanted: Vec<_> = all.iter().copied().filter(|row| is_wanted(row)).collect();
    let benchmark = benchmark::Benchmark::new(workspace, options.binary.as_deref(), numbers)?;
    let begun = Instant::now();
    let end = options.minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let mut succeeded = true;
    let mut late = Vec::new();
    for row in wanted {
        if end.is_some_and(|end| begun.elapsed() > end) {
            late.push(row.name);
            continue;
        }
        let (entries, seconds) = measured(&benchmark, row);
        succeeded &= row.name == load::LIMITS_ROW || entries.iter().all(|entry| entry.failed.is_none());
        if let Some(data) = benchmark.data_if_made() {
            kept.put_organisation(options.identities, &data.facts)?;
        }
        kept.put(
            row.name,
            &page::Measured { identities: options.identities, commit: &commit, seconds, entries },
        )?;
        let text = page::text(&kept, &all, IDENTITIES)?;
        std::fs::write(&page, text).context(|| format!("{} cannot be written", page.display()))?;
    }
    println!("{:.0} minutes; the page is {}", begun.elapsed().as_secs_f64() / 60.0, page.display());
    if !late.is_empty() {
        println!("out of time for {}: measure them with --resume", late.join(", "));
    }
    Ok(succeeded && late.is_empty())
}

/// Measures a row and prints what came out: its entries, and how many seconds it took.
fn measured(benchmark: &benchmark::Benchmark<'_>, row: &benchmark::Row) -> (Vec<entry::Entry>, u64) {
    println!("{}: {}", row.name, row.what);
    let begun = Instant::now();
    let entries = match (row.measure)(benchmark, row) {
        Ok(entries) if entries.is_empty() => vec![entry::Entry::failed("nothing was measured")],
        Ok(entries) => entries,
        Err(failure) => vec![entry::Entry::failed(failure.to_string())],
    };
    let seconds = begun.elapsed().as_secs();
    entries.iter().for_each(print);
    println!("  the row took {seconds} s");
    (entries, seconds)
}

/// The commit that is measured, with a `+` if files differ from it.
fn commit(workspace: &Workspace) -> Result<String> {
    let git = |arguments: &[&str]| {
        command::output(Command::new("git").current_dir(&workspace.root).args(arguments))
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let is_clean = git(&["status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"])?.is_empty();
    Ok(format!("{}{}", commit.trim(), if is_clean { "" } else { "+" }))
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
            assert!(page.contains(&format!(" --only {name}` |")), "{name}");
        }
    }
}
