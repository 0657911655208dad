//! Cancels: how long the processors go on working after the answer.

use super::benchmark::{Benchmark, Row};
use super::entry::{Entry, OURS, Sample, Unit, percentile};
use super::reports::report_of;
use muster_harness::api::{Api, Report};
use muster_harness::failure::{Failure, Result};
use muster_harness::server::Server;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The rows.
pub const ROWS: [Row; 2] = [
    Row::new("cancel-report", "from a cancel of IDENTITIES_DETAILS until the processors rest", measure),
    Row::new("cancel-search", "from a cancel of the costliest search until the processors rest", measure),
];
/// Processor time after which a run is cancelled, in ticks of a hundredth of a second: the plan is in full swing.
const CANCEL_AFTER_TICKS: u64 = 30;
/// Without a tick of processor time for so long a process rests.
const RESTING: Duration = Duration::from_millis(500);
/// How long it may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(600);

fn measure(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let installation = &benchmark.data()?.installation;
    let report =
        report_of(installation, if row.name == "cancel-report" { "details" } else { "search-costliest" })?;
    let server = installation.serve(&[])?;
    let api = server.connect(&installation.user)?;
    let mut entry = Entry::new(row.what, OURS, Unit::Milliseconds);
    for _ in 0..benchmark.numbers.cancels {
        let rested = cancel(&api, &server, &report)?;
        let peak_kib = Some(server.peak_memory_kib()?);
        entry.add(&Sample { figure: rested.as_secs_f64() * 1_000.0, peak_kib, ..Sample::default() });
    }
    let late = percentile(&entry.samples, 99).unwrap_or_default();
    entry.remark(&format!("99th percentile {late:.0} ms, {} cancels", benchmark.numbers.cancels));
    server.stop()?;
    Ok(vec![entry])
}

/// Cancels a run in its middle; how long the process works after the answer, in steps of a tick.
fn cancel(api: &Api, server: &Server, report: &Report) -> Result<Duration> {
    let before = server.busy_ticks()?;
    let id = api.start(report)?;
    while server.busy_ticks()? < before + CANCEL_AFTER_TICKS {
        if api.outcome(&id)?.is_some() {
            return Err(Failure::new("the run ended before it could be cancelled: take more identities"));
        }
        sleep(Duration::from_millis(2));
    }
    let status = api.cancel(&id)?;
    if status != 204 {
        return Err(Failure::new(format!("the cancel was answered with {status}")));
    }
    let cancelled = Instant::now();
    let mut rests = (cancelled, server.busy_ticks()?);
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
