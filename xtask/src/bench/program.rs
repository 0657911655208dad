//! The binary itself: its size, how fast it starts, what it holds when it has nothing to do.

use super::benchmark::{Benchmark, PATIENCE, Row};
use super::entry::{Entry, OURS, Sample, Unit};
use super::process::{self, Running};
use crate::setup;
use muster_harness::api;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::muster;
use muster_harness::port::ReservedPort;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The rows.
pub const ROWS: [Row; 2] = [
    Row::new("binary-size", "size of the binary, stripped", size),
    Row::new("binary-start", "start of the binary", start),
];
/// How long a service may take to be ready.
const START: Duration = Duration::from_secs(60);
/// A service that has been ready for so long is at rest.
const AT_REST: Duration = Duration::from_secs(3);
/// Starts are short: they are repeated more often than other runs.
const STARTS: u32 = 10;

fn size(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let folder = benchmark.folder(row)?;
    let stripped = folder.join("muster");
    let strip = setup::debian_program("strip", "binutils")?;
    command::output(Command::new(strip).arg("-o").arg(&stripped).arg(&benchmark.binary))?;
    let bytes = std::fs::metadata(&stripped).context(|| stripped.display().to_string())?.len();
    std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    let mut entry = Entry::new(row.what, OURS, Unit::Mebibytes);
    entry.add(&Sample { figure: bytes as f64 / f64::from(1 << 20), ..Sample::default() });
    Ok(vec![entry])
}

fn start(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let folder = benchmark.folder(row)?;
    let installation = benchmark.small(&folder)?;
    let entry = |what: &str, unit| Entry::new(what, OURS, unit);
    let mut version = entry("muster --version", Unit::Milliseconds);
    let mut ready = entry("muster serve until it is ready, 200 people", Unit::Milliseconds);
    let mut held = entry("memory of muster serve at rest (`VmRSS`), 200 people", Unit::Mebibytes);
    for _ in 0..STARTS.max(benchmark.numbers.runs) {
        let begun = Instant::now();
        command::output(Command::new(&benchmark.binary).arg("--version"))?;
        version.add(&Sample { figure: milliseconds(begun), ..Sample::default() });

        let port = ReservedPort::new()?;
        let base = format!("http://127.0.0.1:{}", port.number());
        let mut serve = muster(&installation.binary, &installation.data);
        serve.envs(installation.settings.iter().cloned());
        serve.args(["serve", "--listen", &format!("127.0.0.1:{}", port.number())]);
        let begun = Instant::now();
        let mut running = Running::start(&mut serve)?;
        while !api::is_ready(&base) {
            running.check("muster serve")?;
            if begun.elapsed() > START {
                return Err(Failure::new(format!("the service is not ready after {START:?}")));
            }
            sleep(Duration::from_millis(1));
        }
        ready.add(&Sample { figure: milliseconds(begun), ..Sample::default() });
        if held.samples.len() < benchmark.numbers.runs as usize {
            sleep(AT_REST);
            let kib = process::held_kib(running.id())?;
            held.add(&Sample { figure: kib as f64 / 1_024.0, ..Sample::default() });
        }
        stop(running)?;
    }
    std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(vec![version, ready, held])
}

/// Asks a service to stop and waits until it has: the next one needs its data directory.
fn stop(mut running: Running) -> Result<()> {
    command::output(Command::new("kill").args(["-TERM", &running.id().to_string()]))?;
    let asked = Instant::now();
    while running.check("muster serve").is_ok() {
        if asked.elapsed() > PATIENCE {
            return Err(Failure::new("the service does not stop"));
        }
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}
