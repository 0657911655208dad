//! The service, or a command, ends at each failpoint, and nothing may be lost.
//!
//! `crates/reports/src/failpoint.rs` declares the failpoints. The binary aborts at the failpoint that a variable names, and
//! writes so to its log, which proves that the failpoint was reached. For each failpoint there is a scenario that reaches
//! it. Then a clean service on the same folder must end every task, the history must break no rule, and the folder of
//! results must contain what records name and nothing else.

mod backups;
mod points;
mod schedules;

use super::cycle::{Prepared, run_cycle};
use crate::bucket::proxy::Proxy;
use crate::bucket::{BucketFolder, Store};
use crate::copies::copy_installation;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase, RecordingClient, Reply};
use crate::inspection::{inspect, result_names, unnamed_files};
use crate::installation::{Installation, SETTINGS, TENANT};
use crate::postgres::Postgres;
use crate::progress::UnitOutcome;
use crate::receiver::Receiver;
use crate::rules;
use crate::waiting::{wait_ended, wait_until_quiet};
use points::{POSTGRES, SQLITE, Scenario};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// Failpoints that are passed an unknown number of times: the long form counts up until one is not reached.
const COUNTED: [&str; 2] = ["commit-due", "committed"];
/// No cycle commits more often.
const TIMES_MAX: u64 = 500;
/// Most cancels that may miss the moment.
const CANCELS_MAX: u32 = 500;
/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(300);
/// The count of processes that ended at a failpoint.
pub const CRASHES: &str = "crashes";

/// A failpoint, its scenario, and the passes at which the process ends.
#[derive(Debug, Clone)]
pub struct CrashPoint {
    failpoint: &'static str,
    scenario: Scenario,
    /// The numbers of the passes, in order.
    times: Vec<u64>,
    /// Whether they are tried until one is not reached.
    counted: bool,
}

impl CrashPoint {
    /// All crash points. With `all`, also each further pass of a commit.
    pub fn every(over_postgres: bool, all: bool) -> Vec<Self> {
        let points: &[(&'static str, Scenario)] = if over_postgres { &POSTGRES } else { &SQLITE };
        let point = |(failpoint, scenario): &(&'static str, Scenario)| {
            let times = match *scenario {
                Scenario::Serve(times)
                | Scenario::Refresh(times)
                | Scenario::Full(times)
                | Scenario::Expire(times)
                | Scenario::ExpireResults(times)
                | Scenario::ScheduledRun(times)
                | Scenario::FallDue(times)
                | Scenario::Notified(times)
                | Scenario::Rotate(times)
                | Scenario::Backup(times)
                | Scenario::Restore(times)
                | Scenario::Bucket(times) => times,
                Scenario::Heartbeat
                | Scenario::Stray
                | Scenario::CancelLate
                | Scenario::Exhausted
                | Scenario::Rescue
                | Scenario::Fresh => &[1],
            };
            let counted = all && COUNTED.contains(failpoint) && matches!(scenario, Scenario::Serve(_));
            Self {
                failpoint,
                scenario: *scenario,
                times: if counted { (1..=TIMES_MAX).collect() } else { times.into() },
                counted,
            }
        };
        points.iter().map(point).collect()
    }

    /// The name of its unit.
    pub fn name(&self) -> String {
        let scenario = format!("{:?}", self.scenario).to_lowercase();
        format!("{} ({})", self.failpoint, scenario.split('(').next().unwrap_or_default())
    }
}

/// How many failpoints there are.
pub fn count(over_postgres: bool) -> usize {
    let points: &[(&str, Scenario)] = if over_postgres { &POSTGRES } else { &SQLITE };
    points.iter().map(|(failpoint, _)| failpoint).collect::<BTreeSet<_>>().len()
}

/// Crashes at a failpoint, on copies of the prepared installation.
pub fn run(
    prepared: &Prepared,
    postgres: Option<&Postgres>,
    store: Option<&Store>,
    folder: &Path,
    lane: usize,
    point: &CrashPoint,
) -> UnitOutcome {
    let mut outcome = UnitOutcome::default();
    for time in &point.times {
        let at = format!("{}:{time}", point.failpoint);
        let case = CrashRun { prepared, postgres, store, folder, lane, at };
        match case.run(point.scenario) {
            Ok(true) => outcome.add(CRASHES, 1),
            // The cycle makes no more commits.
            Ok(false) if point.counted && *time > 1 => break,
            Ok(false) => outcome.faults.push(format!("{}: the failpoint was not reached", case.at)),
            Err(failure) => outcome.faults.push(format!("{}: {failure}", case.at)),
        }
    }
    outcome
}

struct CrashRun<'a> {
    prepared: &'a Prepared,
    postgres: Option<&'a Postgres>,
    /// An object store, where one could be had.
    store: Option<&'a Store>,
    folder: &'a Path,
    lane: usize,
    /// The failpoint and the pass, as the variable takes them.
    at: String,
}

impl CrashRun<'_> {
    /// Crashes once on a copy, and checks what is left. Whether the failpoint was reached.
    fn run(&self, scenario: Scenario) -> Result<bool> {
        let name = format!("crashed_{}", self.lane);
        let mut installation =
            copy_installation(&self.prepared.installation, self.folder, self.postgres, &name)?;
        if scenario == Scenario::Fresh {
            return self.on_nothing(&installation);
        }
        let history = History::after(self.prepared.recorded.clone());
        let mut tasks = vec![self.prepared.task.clone()];
        let mut held = None;
        let mut receiver = None;
        // Until the end, where results are in a bucket.
        let mut proxy = None;
        match scenario {
            Scenario::Serve(_) => self.serve(&installation, &history, &mut tasks, &[])?,
            Scenario::Heartbeat => {
                self.serve(&installation, &history, &mut tasks, &[("MUSTER__WORKER__HEARTBEAT_MS", "3")])?;
            }
            Scenario::Stray => {
                let stray = installation.results().join("0123456789abcdef0123456789abcdef.1.report.csv");
                std::fs::write(&stray, "a\r\n")
                    .context(|| format!("{} cannot be written", stray.display()))?;
                self.serve(&installation, &history, &mut tasks, &[])?;
            }
            Scenario::CancelLate => self.cancel_late(&installation, &history, &mut tasks)?,
            Scenario::Exhausted => {
                let once = ("MUSTER__WORKER__ATTEMPTS_MAX", "1");
                let lost = CrashRun { at: "result-begun:1".into(), ..*self };
                lost.serve(&installation, &history, &mut tasks, &[once])?;
                self.serve(&installation, &history, &mut tasks, &[once])?;
            }
            Scenario::Rescue => {
                // There is only the one task, so the second process claims what the first held.
                let lost = CrashRun { at: "result-begun:1".into(), ..*self };
                lost.alone(&installation)?;
                inspect(&history, &installation, Phase::Dead, self.prepared.after)?;
                forget_log(&installation)?;
                self.alone(&installation)?;
            }
            Scenario::Refresh(_) => command(&installation, REFRESH, Some(&self.at)).map(drop)?,
            Scenario::Full(_) => command(&installation, FULL, Some(&self.at)).map(drop)?,
            Scenario::Expire(_) => {
                for _ in 0..2 {
                    self.must(&installation, REFRESH)?;
                }
                command(&installation, EXPIRE, Some(&self.at)).map(drop)?;
            }
            Scenario::ExpireResults(_) => {
                let of_task = result_names(&installation)?.into_iter().next();
                let task = of_task.as_deref().and_then(|name| name.split('.').next()).unwrap_or_default();
                self.must(&installation, &["report", "hold", task, "--reason", "a test"])?;
                held = Some(task.to_owned());
                command(&installation, EXPIRE_RESULTS, Some(&self.at)).map(drop)?;
            }
            Scenario::ScheduledRun(_) => {
                self.schedule(&installation, "0 0 1 1 *", &[])?;
                self.must(&installation, &["schedule", "run", SCHEDULE])?;
                self.alone(&installation)?;
            }
            Scenario::Notified(_) => {
                let told = receiver.insert(Receiver::start()?);
                let allowed = ("MUSTER__NOTIFICATIONS__INTERNAL_NETWORKS".into(), "true".into());
                installation.settings.push(allowed);
                self.schedule(&installation, "0 0 1 1 *", &["--notify", &told.url()])?;
                self.must(&installation, &["schedule", "run", SCHEDULE])?;
                self.alone(&installation)?;
            }
            Scenario::FallDue(_) => {
                self.schedule(&installation, "* * * * *", &[])?;
                self.alone(&installation)?;
                self.must(&installation, &["schedule", "pause", SCHEDULE])?;
            }
            Scenario::Rotate(_) => command(&installation, ROTATE, Some(&self.at)).map(drop)?,
            Scenario::Bucket(_) => {
                let proxy = proxy.insert(Proxy::start(self.store()?.port(), 1, 0)?);
                self.store()?.keeps(&mut installation, &self.at.replace(':', "-"), proxy);
                self.serve(&installation, &history, &mut tasks, &[])?;
            }
            Scenario::Backup(_) => self.backup(&installation)?,
            Scenario::Restore(_) => self.restore(&installation)?,
            Scenario::Fresh => {}
        }
        inspect(&history, &installation, Phase::Dead, self.prepared.after)?;
        let reached = self.was_reached(&installation.log)?;
        match scenario {
            Scenario::Refresh(_) | Scenario::Full(_) => self.must(&installation, REFRESH)?,
            Scenario::Expire(_) => self.must(&installation, EXPIRE)?,
            Scenario::ExpireResults(_) => {
                self.must(&installation, EXPIRE_RESULTS)?;
                // What is held is there, and nothing else.
                self.must(&installation, &["check"])?;
                let names = result_names(&installation)?;
                let held = held.as_deref().unwrap_or_default();
                if let Some(other) = names.iter().find(|name| !name.starts_with(held)) {
                    return Err(Failure::new(format!("the expired file {other} is still there")));
                }
                if names.is_empty() {
                    return Err(Failure::new("the files that are held are gone"));
                }
            }
            Scenario::Rotate(_) => self.must(&installation, ROTATE)?,
            Scenario::ScheduledRun(_) | Scenario::FallDue(_) => {
                self.follow_runs(&installation, &history, &tasks)?;
            }
            Scenario::Notified(_) => {
                let runs = self.follow_runs(&installation, &history, &tasks)?;
                if let Some(receiver) = &receiver {
                    self.follow_notifications(&installation, runs, receiver)?;
                }
            }
            Scenario::Serve(_)
            | Scenario::Heartbeat
            | Scenario::Stray
            | Scenario::CancelLate
            | Scenario::Exhausted
            | Scenario::Rescue
            | Scenario::Backup(_)
            | Scenario::Restore(_)
            | Scenario::Bucket(_)
            | Scenario::Fresh => {}
        }
        settle(&installation, &history, &tasks, self.prepared.after)?;
        Ok(reached)
    }

    fn store(&self) -> Result<&Store> {
        self.store.ok_or_else(|| Failure::new("there is no object store"))
    }

    /// A command that must succeed.
    fn must(&self, installation: &Installation, arguments: &[&str]) -> Result<()> {
        match command(installation, arguments, None)? {
            true => Ok(()),
            false => Err(Failure::new(format!("muster {} failed", arguments.join(" ")))),
        }
    }

    /// Runs a service without any request until it ends.
    fn alone(&self, installation: &Installation) -> Result<()> {
        let mut settings = SETTINGS.to_vec();
        settings.push(("MUSTER_CRASH_AT", &self.at));
        match installation.spawn(&settings)?.ends_within(PATIENCE) {
            true => Ok(()),
            false => Err(Failure::new(format!("{}: the service did not end", self.at))),
        }
    }

    fn serve(
        &self,
        installation: &Installation,
        history: &History,
        tasks: &mut Vec<String>,
        more: &[(&str, &str)],
    ) -> Result<()> {
        let mut settings = SETTINGS.to_vec();
        settings.push(("MUSTER_CRASH_AT", &self.at));
        settings.extend_from_slice(more);
        run_cycle(installation, history, installation.spawn(&settings)?, tasks).map(drop)
    }

    /// Cancels runs, each time a little later or earlier, until one has named its files.
    fn cancel_late(
        &self,
        installation: &Installation,
        history: &History,
        tasks: &mut Vec<String>,
    ) -> Result<()> {
        let mut settings = SETTINGS.to_vec();
        settings.push(("MUSTER_CRASH_AT", &self.at));
        let mut server = installation.spawn(&settings)?;
        server.wait_ready()?;
        let client = RecordingClient::new(history, server.connect(&installation.user)?, TENANT);
        wait_ended(&client, &tasks[0])?;
        let mut wait_ms = 100_u64;
        for _ in 0..CANCELS_MAX {
            let Reply::Accepted(task) = client.start(&installation.reports()[1]) else { break };
            tasks.push(task.clone());
            thread::sleep(Duration::from_millis(wait_ms));
            let reply = client.cancel(&task);
            if matches!(reply, Reply::Cancelled) {
                wait_ms += 1;
            } else if matches!(reply, Reply::TooLate) {
                wait_ms = wait_ms.saturating_sub(3);
            } else {
                break;
            }
        }
        if server.ends_within(Duration::from_millis(300)) { Ok(()) } else { server.kill() }
    }

    /// Starts on an empty folder, twice.
    fn on_nothing(&self, installation: &Installation) -> Result<bool> {
        if installation.data.exists() {
            std::fs::remove_dir_all(&installation.data).context(|| "the folder cannot be emptied".into())?;
        }
        let mut server = installation.spawn(&[("MUSTER_CRASH_AT", &self.at)])?;
        if !server.ends_within(PATIENCE) {
            return Ok(false);
        }
        let reached = self.was_reached(&installation.log)?;
        installation.serve(&[])?.stop()?;
        Ok(reached)
    }

    fn was_reached(&self, log: &Path) -> Result<bool> {
        let text = std::fs::read_to_string(log).context(|| format!("{} cannot be read", log.display()))?;
        Ok(text.lines().any(|line| line == format!("crashed at {}", self.at)))
    }
}

/// The name of the schedule.
const SCHEDULE: &str = "crash";
const REFRESH: &[&str] = &["refresh"];
const FULL: &[&str] = &["refresh", "--full"];
const ROTATE: &[&str] = &["keys", "rotate"];
const EXPIRE: &[&str] = &["snapshot", "expire"];
const EXPIRE_RESULTS: &[&str] = &["report", "expire", "--keep-days", "0", "--keep-last", "0"];

/// Runs a command on an installation, which may end at a failpoint. Whether it succeeded.
fn command(installation: &Installation, arguments: &[&str], at: Option<&str>) -> Result<bool> {
    let log = std::fs::File::options().create(true).append(true).open(&installation.log);
    let log = log.context(|| format!("{} cannot be opened", installation.log.display()))?;
    let mut command = installation.command();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A refresh lets snapshots expire too, so only the command itself gets the setting.
    command.envs((arguments == EXPIRE).then_some(("MUSTER__SNAPSHOTS__KEEP_LAST", "1")));
    command.envs(at.map(|at| ("MUSTER_CRASH_AT", at)));
    Ok(command.status().context(|| format!("muster {} cannot be run", arguments.join(" ")))?.success())
}

/// Removes the log, so that only what is written from now on counts.
fn forget_log(installation: &Installation) -> Result<()> {
    std::fs::remove_file(&installation.log)
        .context(|| format!("{} cannot be removed", installation.log.display()))
}

/// Lets a clean service end everything, and checks the history and the files.
fn settle(installation: &Installation, history: &History, tasks: &[String], after: u64) -> Result<()> {
    let server = installation.serve(&SETTINGS)?;
    let client = RecordingClient::new(history, server.connect(&installation.user)?, TENANT);
    for task in tasks {
        wait_ended(&client, task)?;
        client.download(task, true);
    }
    // A report must run, whatever happened before.
    let Reply::Accepted(task) = client.start(&installation.reports()[4]) else {
        return Err(Failure::new("a start afterwards was refused"));
    };
    let status = wait_ended(&client, &task)?;
    if !matches!(status.as_str(), "SUCCESS" | "WARNING")
        || !matches!(client.download(&task, true), Reply::File(_))
    {
        return Err(Failure::new(format!("a report afterwards is {status}")));
    }
    wait_until_quiet(history, installation, after)?;
    server.stop()?;
    // The next start sweeps what the last attempts left.
    installation.serve(&SETTINGS)?.stop()?;
    let recorded = history.recorded();
    let mut faults = rules::broken(&recorded);
    faults.extend(unnamed_files(installation, &recorded, after)?);
    if let Some(bucket) = BucketFolder::of(installation) {
        faults.extend(bucket.uploads()?.into_iter().map(|key| format!("the upload of {key} has not ended")));
    }
    match faults.into_iter().next() {
        Some(fault) => Err(Failure::new(fault)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_reports::failpoint::Failpoint;

    /// Names of all failpoints of the service.
    fn declared() -> BTreeSet<&'static str> {
        Failpoint::ALL.iter().map(|failpoint| failpoint.name()).collect()
    }

    #[test]
    fn every_failpoint_is_crashed_at() {
        let here: BTreeSet<&str> = SQLITE.iter().map(|(name, _)| *name).collect();
        assert_eq!(declared(), here);
    }

    /// They touch only a node's own disk, or do the same to files over either database. What is different of backups over
    /// PostgreSQL is in the tests of the commands.
    const OF_FILES: [&str; 21] = [
        "backup-database-copied",
        "backup-file-drafted",
        "backup-file-kept",
        "backup-files-kept",
        "backup-listed",
        "key-drafted",
        "key-named",
        "restore-begun",
        "restore-database-copied",
        "restore-database-named",
        "restore-file-copied",
        "restore-recorded",
        "result-discarded",
        "result-renamed",
        "result-synced",
        "result-upload-begun",
        "result-upload-due",
        "result-uploaded",
        "result-written",
        "table-written",
        "work-cleared",
    ];

    #[test]
    fn every_failpoint_that_postgres_sees_is_crashed_at_over_it_too() {
        let here: BTreeSet<&str> = POSTGRES.iter().map(|(name, _)| *name).chain(OF_FILES).collect();
        assert_eq!(declared(), here);
    }

    #[test]
    fn no_crash_point_is_named_twice() {
        for over_postgres in [false, true] {
            let points = CrashPoint::every(over_postgres, true);
            let names: BTreeSet<_> = points.iter().map(CrashPoint::name).collect();
            assert_eq!(names.len(), points.len());
        }
    }

    /// All Rust code below a folder, except the declaration of the failpoints.
    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !path.ends_with("reports/src/failpoint.rs")
            {
                found.push_str(&std::fs::read_to_string(&path).expect("the source is a text"));
            }
        }
    }

    #[test]
    fn every_failpoint_is_reached_somewhere() {
        let mut crates = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut crates);
        for failpoint in Failpoint::ALL {
            let call = format!("reached(Failpoint::{failpoint:?})");
            assert!(crates.contains(&call), "no code reaches {failpoint}");
        }
    }
}
