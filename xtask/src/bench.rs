//! `cargo xtask bench`: a large organisation through the real binary, with times and peak memory.
//!
//! The organisation is written as source files by the binary's own generator, read and refreshed by
//! `muster refresh`, and reported on over HTTP. Memory is `VmHWM`: the most that a process ever held.

use crate::setup;
use muster_harness::api::{Api, Report};
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::{Installation as House, muster};
use muster_harness::server::{self, Server};
use muster_harness::workspace::Workspace;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `cargo xtask bench`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// People in the organisation; it has about five times as many accounts
    #[arg(long, default_value_t = 100_000)]
    pub identities: u64,
    /// Starts of a small report whose time to SUCCESS is measured
    #[arg(long, default_value_t = 200)]
    pub starts: usize,
    /// Do the searches in DuckDB too, over the same files
    #[arg(long)]
    pub duckdb: bool,
    /// Fail when a process held more than this many MiB
    #[arg(long, default_value_t = 2_048)]
    pub memory_mib: u64,
}

/// A report of the size measured takes at most this long.
const PATIENCE: Duration = Duration::from_secs(600);
/// The benchmark does not rest, and rests would be measured otherwise.
const SETTINGS: [(&str, &str); 3] = [
    ("MUSTER__RATE_LIMIT__REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TENANT_REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TOKEN_REQUESTS", "1000000"),
];

/// Runs it and prints what was measured. Whether memory stayed within the limit.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let data = workspace.fresh_folder("bench")?.join("data");
    println!("{} identities, on {} processors", options.identities, processors());

    // The demo makes the sources and a first snapshot, and runs each report once: a warm-up of the disk.
    let house = House::with_demo(&binary, &data, options.identities)?;
    let mut refresh_memory = 0;
    let sources = house.data.join("sources");
    for what in ["everything anew", "nothing changed", "an account left", "a person on leave"] {
        match what {
            "an account left" => drop_line(&sources.join("salesforce.csv"))?,
            "a person on leave" => send_on_leave(&sources.join("employees.csv"))?,
            _ => {}
        }
        let arguments: &[&str] = if what == "everything anew" { &["--full"] } else { &[] };
        let refreshed = refresh(&house, arguments)?;
        refresh_memory = refreshed.memory_kib.max(refresh_memory);
        let mebibytes = refreshed.memory_kib / 1_024;
        let what = format!("refresh, {what}");
        println!("{what:<34} {:>9.2} s, {mebibytes} MiB; {}", refreshed.time.as_secs_f64(), refreshed.said);
    }

    let server = house.serve(&SETTINGS)?;
    let api = server.connect(&house.user)?;
    println!("{:<34} {:>11} {:>10} {:>12} {:>8}", "report", "time", "rows", "rows/s", "MiB");
    for report in house.reports() {
        measure_report(&api, report.kind, &report)?;
    }
    for (what, report) in searches() {
        measure_report(&api, what, &report)?;
    }
    let stopped = cancel(&api, &server)?;
    println!(
        "{:<34} {:>8.0} ms until the processors rest",
        "cancel of the largest search",
        milliseconds(stopped)
    );
    let server_memory = server.peak_memory_kib()?;
    server.stop()?;
    if options.duckdb {
        let python = setup::python_with_duckdb(workspace)?;
        let script = workspace.root.join("tests/bench/search_duckdb.py");
        command::run(Command::new(python).arg(script).arg(&house.data))?;
    }

    let small = House::with_demo(&binary, &data.with_file_name("small"), SMALL)?;
    let server = small.serve(&SETTINGS)?;
    let (median, p99) = latency(&small, &server, options.starts)?;
    server.stop()?;
    println!(
        "start to SUCCESS, idle, {SMALL} people: median {:.1} ms, 99th percentile {:.1} ms ({} starts)",
        milliseconds(median),
        milliseconds(p99),
        options.starts
    );
    println!("peak memory: refresh {} MiB, server {} MiB", refresh_memory / 1_024, server_memory / 1_024);
    let within = refresh_memory.max(server_memory) <= options.memory_mib * 1_024;
    if !within {
        println!("more than the limit of {} MiB", options.memory_mib);
    }
    Ok(within)
}

/// A selective search, a nested one, a full export, and a spread of a part.
fn searches() -> Vec<(&'static str, Report)> {
    let search = |query: &str, columns: &str| Report {
        kind: "SEARCH_EXPORT",
        arguments: json!({"query": query, "indices": ["identities"], "columns": columns}),
    };
    vec![
        (
            "search: selective",
            search("displayName:a* AND attributes.location:Berlin", "id,displayName,email"),
        ),
        (
            "search: nested",
            search("@accounts(source.name:\"Active Directory\" AND disabled:true)", "id,displayName,email"),
        ),
        ("search: all, ten columns", everything()),
        ("search: a tenth, access.spread", search("id:[0 TO 1a}", "id,displayName,access.spread")),
    ]
}

/// Every identity with ten columns.
fn everything() -> Report {
    const COLUMNS: &str =
        "id,name,displayName,firstName,lastName,email,status,created,accountCount,attributes.location";
    Report {
        kind: "SEARCH_EXPORT",
        arguments: json!({"query": "*", "indices": ["identities"], "columns": COLUMNS}),
    }
}

/// Cancels a large search in its middle; how long the process goes on working after the answer.
fn cancel(api: &Api, server: &Server) -> Result<Duration> {
    let mut report = everything();
    // Spread lists make it long.
    report.arguments["columns"] = json!("id,accounts.spread,access.spread");
    let before = server.busy_ticks()?;
    let id = api.start(&report)?;
    // Some tenths of a second of work, so that the plan is in full swing.
    while server.busy_ticks()? < before + CANCEL_AFTER_TICKS {
        if api.outcome(&id)?.is_some() {
            return Err(Failure::new("the search ended before it could be cancelled: take more identities"));
        }
        sleep(Duration::from_millis(2));
    }
    let status = api.cancel(&id)?;
    if status != 204 {
        return Err(Failure::new(format!("cancel answered {status}")));
    }
    let cancelled = Instant::now();
    let mut rests = (Instant::now(), server.busy_ticks()?);
    while rests.0.elapsed() < RESTING {
        sleep(Duration::from_millis(2));
        let ticks = server.busy_ticks()?;
        if ticks != rests.1 {
            rests = (Instant::now(), ticks);
        }
        if cancelled.elapsed() > PATIENCE {
            return Err(Failure::new("the process does not come to rest after a cancel"));
        }
    }
    Ok(rests.0.duration_since(cancelled))
}

/// Processor time after which a search is cancelled, in ticks of a hundredth of a second.
const CANCEL_AFTER_TICKS: u64 = 30;
/// Without a tick of processor time for so long a process rests.
const RESTING: Duration = Duration::from_millis(500);

/// People of the organisation whose reports are small.
const SMALL: u64 = 200;

/// What a refresh took.
struct Refreshed {
    time: Duration,
    memory_kib: u64,
    /// What it printed of what it read and wrote.
    said: String,
}

/// Refreshes in a process of its own.
fn refresh(house: &House, arguments: &[&str]) -> Result<Refreshed> {
    let begun = Instant::now();
    let mut child = muster(&house.binary, &house.data)
        .args(["refresh", "--verbose"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context(|| "muster refresh cannot be run".into())?;
    let mut memory_kib = 0;
    loop {
        // The high-water mark only grows, so the last look before the end is at most one pause old.
        memory_kib = server::peak_memory_kib(child.id()).unwrap_or(memory_kib).max(memory_kib);
        match child.try_wait().context(|| "muster refresh cannot be waited for".into())? {
            Some(status) if status.success() => break,
            Some(status) => return Err(Failure::new(format!("muster refresh: {status}"))),
            None => sleep(Duration::from_millis(5)),
        }
    }
    let time = begun.elapsed();
    let mut printed = String::new();
    if let Some(mut output) = child.stdout.take() {
        output
            .read_to_string(&mut printed)
            .context(|| "what muster refresh printed cannot be read".into())?;
    }
    let said = printed.lines().find(|line| line.starts_with("read: ")).unwrap_or_default().to_owned();
    Ok(Refreshed { time, memory_kib, said })
}

/// One account fewer: not the last lines, which are there to be refused.
fn drop_line(file: &Path) -> Result<()> {
    edit(file, |bytes| {
        let ends: Vec<_> =
            bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').take(20).collect();
        let (end, begin) = (ends.get(10)?.0, ends.get(11)?.0);
        Some([&bytes[..begin], &bytes[end..]].concat())
    })
}

/// The last person who is there goes on leave.
fn send_on_leave(file: &Path) -> Result<()> {
    edit(file, |bytes| {
        let at = bytes.windows(6).rposition(|word| word == b"Active")?;
        Some([&bytes[..at], b"On leave", &bytes[at + 6..]].concat())
    })
}

fn edit(file: &Path, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Result<()> {
    let name = file.display();
    let before = std::fs::read(file).context(|| format!("{name} cannot be read"))?;
    let after = change(&before).ok_or_else(|| Failure::new(format!("{name} has nothing to change")))?;
    std::fs::write(file, after).context(|| format!("{name} cannot be written"))
}

/// Starts, waits, fetches; prints a line.
fn measure_report(api: &Api, what: &str, report: &Report) -> Result<()> {
    let begun = Instant::now();
    let id = api.start(report)?;
    let rows = wait(api, &id)?;
    let time = begun.elapsed();
    let file = api.csv(&id)?;
    let per_second = rows as f64 / time.as_secs_f64();
    let mebibytes = file.body.len() as f64 / f64::from(1 << 20);
    println!("{:<34} {:>9.2} s {rows:>10} {per_second:>12.0} {mebibytes:>8.1}", what, time.as_secs_f64());
    Ok(())
}

/// Rows of the task once it succeeded.
fn wait(api: &Api, id: &str) -> Result<u64> {
    let begun = Instant::now();
    loop {
        match api.outcome(id)? {
            Some(outcome) if outcome.has_file() => return Ok(outcome.rows),
            Some(outcome) => return Err(Failure::new(format!("task {id} ended as {}", outcome.status))),
            None if begun.elapsed() > PATIENCE => {
                return Err(Failure::new(format!("task {id} has not ended within {PATIENCE:?}")));
            }
            None => sleep(Duration::from_micros(500)),
        }
    }
}

/// Median and 99th percentile of the time from sending a start to seeing its success.
fn latency(house: &House, server: &Server, starts: usize) -> Result<(Duration, Duration)> {
    let api = server.connect(&house.user)?;
    let reports = house.reports();
    let small =
        reports.iter().find(|report| report.kind == "ORPHAN_IDENTITIES").expect("it is one of the six");
    let mut times = Vec::with_capacity(starts);
    for _ in 0..starts.max(1) {
        let begun = Instant::now();
        let id = api.start(small)?;
        wait(&api, &id)?;
        times.push(begun.elapsed());
    }
    times.sort();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).saturating_sub(1)];
    Ok((at(50), at(99)))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
