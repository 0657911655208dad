//! The service, or a command, ends at a named step between two durable effects, and nothing may come of it.
//!
//! The steps stand in `crates/reports/src/failpoint.rs`; the binary aborts at the one that a variable names, and says
//! so in its log, which is how a step is shown to have been hit. Each step has a way here by which it is reached.
//! Afterwards a clean service on the same folder must bring everything to its end, the history must break no rule,
//! and the folder of results holds what records name and nothing else.

use super::ground;
use super::history::{Client, History, Reply, When};
use super::injection::{Prepared, drive};
use super::postgres::Postgres;
use super::record::Counted;
use super::rules;
use super::settling::{look_settled, wait_ended};
use crate::failure::{Context, Failure, Result};
use crate::kill::SETTINGS;
use crate::server::{House, TENANT, muster};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// How a step is reached. The numbers are the times that the step is taken before the process ends; in the long form
/// those steps that are taken an unknown number of times are counted up until one is not reached any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A service that runs, is fetched from, and cancels.
    Serve(&'static [u64]),
    /// The same, with a heartbeat every few milliseconds.
    Heartbeat,
    /// A service that finds a result file which no record names.
    Stray,
    /// Cancels around the moment when a run has named its files.
    CancelLate,
    /// A task whose only attempt was lost.
    Exhausted,
    /// A service that takes up what a dead one held.
    Rescue,
    /// A service on an empty folder.
    Fresh,
    /// `muster refresh`, which writes the tables that something changed in.
    Refresh(&'static [u64]),
    /// `muster refresh --full`, which writes all of them.
    Full(&'static [u64]),
    /// `muster snapshot expire`, of two that nothing needs.
    Expire(&'static [u64]),
    /// `muster keys rotate`.
    Rotate(&'static [u64]),
}

/// Every step and its ways, over SQLite.
const SQLITE: [(&str, Way); 33] = [
    ("result-begun", Way::Serve(&[1])),
    ("result-written", Way::Serve(&[1, 2])),
    ("result-synced", Way::Serve(&[1, 2])),
    ("result-renamed", Way::Serve(&[1, 2])),
    ("result-named", Way::Serve(&[1, 2])),
    ("result-discarded", Way::CancelLate),
    ("file-swept", Way::Stray),
    ("work-cleared", Way::Serve(&[1])),
    ("key-drafted", Way::Fresh),
    ("key-named", Way::Fresh),
    ("key-drafted", Way::Rotate(&[1, 2])),
    ("key-named", Way::Rotate(&[1, 2])),
    ("commit-due", Way::Serve(&[1, 4])),
    ("committed", Way::Serve(&[1, 4])),
    ("task-inserted", Way::Serve(&[1])),
    ("task-accepted", Way::Serve(&[1])),
    ("task-claimed", Way::Serve(&[1])),
    ("claim-kept", Way::Serve(&[1])),
    ("lease-renewed", Way::Heartbeat),
    ("task-terminated", Way::Serve(&[1])),
    ("cancel-kept", Way::Serve(&[1])),
    ("result-recorded", Way::Serve(&[1])),
    ("failure-recorded", Way::Exhausted),
    ("end-kept", Way::Serve(&[1])),
    ("event-inserted", Way::Serve(&[1])),
    ("head-moved", Way::Serve(&[1])),
    ("event-kept", Way::Serve(&[1])),
    ("table-written", Way::Refresh(&[1])),
    ("table-written", Way::Full(&[1, 13])),
    ("tables-written", Way::Refresh(&[1])),
    ("snapshot-inserted", Way::Refresh(&[1])),
    ("snapshot-kept", Way::Refresh(&[1])),
    ("snapshots-expired", Way::Expire(&[1])),
];

/// The same over PostgreSQL: everything that is committed there, and what is in the shared folder.
const POSTGRES: [(&str, Way); 28] = [
    ("result-named", Way::Serve(&[1])),
    ("file-swept", Way::Stray),
    ("commit-due", Way::Serve(&[1, 2, 4])),
    ("committed", Way::Serve(&[1, 2, 4])),
    ("task-inserted", Way::Serve(&[1])),
    ("task-accepted", Way::Serve(&[1])),
    ("task-claimed", Way::Serve(&[1])),
    ("claim-kept", Way::Serve(&[1])),
    ("lease-renewed", Way::Heartbeat),
    ("task-terminated", Way::Serve(&[1])),
    ("cancel-kept", Way::Serve(&[1])),
    ("result-recorded", Way::Serve(&[1])),
    ("failure-recorded", Way::Exhausted),
    ("end-kept", Way::Serve(&[1])),
    ("event-inserted", Way::Serve(&[1])),
    ("head-moved", Way::Serve(&[1])),
    ("event-kept", Way::Serve(&[1])),
    ("tables-written", Way::Refresh(&[1])),
    ("snapshot-inserted", Way::Refresh(&[1])),
    ("snapshot-kept", Way::Refresh(&[1])),
    ("commit-due", Way::Expire(&[1])),
    ("snapshots-expired", Way::Expire(&[1])),
    ("task-claimed", Way::Rescue),
    ("claim-kept", Way::Rescue),
    ("result-begun", Way::Rescue),
    ("result-recorded", Way::Rescue),
    ("committed", Way::Rescue),
    ("end-kept", Way::Rescue),
];

/// Steps that are taken an unknown number of times: the long form counts up until one is not reached.
const COUNTED: [&str; 2] = ["commit-due", "committed"];
/// No cycle commits more often.
const TIMES_MAX: u64 = 500;
/// Cancels that may miss the moment.
const CANCELS_MAX: u32 = 500;
/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(300);
/// The word under which processes that ended at a step are counted.
pub const CRASHES: &str = "crashes";

/// A step, and how and how often it is reached.
#[derive(Debug, Clone)]
pub struct Point {
    step: &'static str,
    way: Way,
    /// The times, in order.
    times: Vec<u64>,
    /// Until one is not reached.
    counted: bool,
}

impl Point {
    /// All of them. `all`: also each further time that a commit is made.
    pub fn every(over_postgres: bool, all: bool) -> Vec<Self> {
        let points: &[(&'static str, Way)] = if over_postgres { &POSTGRES } else { &SQLITE };
        let point = |(step, way): &(&'static str, Way)| {
            let times = match *way {
                Way::Serve(times)
                | Way::Refresh(times)
                | Way::Full(times)
                | Way::Expire(times)
                | Way::Rotate(times) => times,
                Way::Heartbeat | Way::Stray | Way::CancelLate | Way::Exhausted | Way::Rescue | Way::Fresh => {
                    &[1]
                }
            };
            let counted = all && COUNTED.contains(step) && matches!(way, Way::Serve(_));
            Self {
                step,
                way: *way,
                times: if counted { (1..=TIMES_MAX).collect() } else { times.into() },
                counted,
            }
        };
        points.iter().map(point).collect()
    }

    /// What it is called.
    pub fn name(&self) -> String {
        let way = format!("{:?}", self.way).to_lowercase();
        format!("{} ({})", self.step, way.split('(').next().unwrap_or_default())
    }
}

/// How many steps there are.
pub fn steps(over_postgres: bool) -> usize {
    let points: &[(&str, Way)] = if over_postgres { &POSTGRES } else { &SQLITE };
    points.iter().map(|(step, _)| step).collect::<BTreeSet<_>>().len()
}

/// Crashes at a step, on copies of what was prepared.
pub fn run(
    prepared: &Prepared,
    postgres: Option<&Postgres>,
    folder: &Path,
    lane: usize,
    point: &Point,
) -> Counted {
    let mut outcome = Counted::default();
    for time in &point.times {
        let at = format!("{}:{time}", point.step);
        let case = Case { prepared, postgres, folder, lane, at };
        match case.run(point.way) {
            Ok(true) => outcome.add(CRASHES, 1),
            // The cycle makes so many and no more.
            Ok(false) if point.counted && *time > 1 => break,
            Ok(false) => outcome.faults.push(format!("{}: the step was not reached", case.at)),
            Err(failure) => outcome.faults.push(format!("{}: {failure}", case.at)),
        }
    }
    outcome
}

struct Case<'a> {
    prepared: &'a Prepared,
    postgres: Option<&'a Postgres>,
    folder: &'a Path,
    lane: usize,
    /// The step and the time, as the variable takes it.
    at: String,
}

impl Case<'_> {
    /// One crash on a copy, and what came of it. Whether the step was reached.
    fn run(&self, way: Way) -> Result<bool> {
        let name = format!("crashed_{}", self.lane);
        let house = ground::copied(&self.prepared.house, self.folder, self.postgres, &name)?;
        if way == Way::Fresh {
            return self.on_nothing(&house);
        }
        let history = History::after(self.prepared.kept.clone());
        let mut tasks = vec![self.prepared.task.clone()];
        match way {
            Way::Serve(_) => self.serve(&house, &history, &mut tasks, &[])?,
            Way::Heartbeat => {
                self.serve(&house, &history, &mut tasks, &[("MUSTER__WORKER__HEARTBEAT_MS", "3")])?;
            }
            Way::Stray => {
                let stray = ground::results(&house).join("0123456789abcdef0123456789abcdef.1.report.csv");
                std::fs::write(&stray, "a\r\n")
                    .context(|| format!("{} cannot be written", stray.display()))?;
                self.serve(&house, &history, &mut tasks, &[])?;
            }
            Way::CancelLate => self.cancel_late(&house, &history, &mut tasks)?,
            Way::Exhausted => {
                let once = ("MUSTER__WORKER__ATTEMPTS_MAX", "1");
                let lost = Case { at: "result-begun:1".into(), ..*self };
                lost.serve(&house, &history, &mut tasks, &[once])?;
                self.serve(&house, &history, &mut tasks, &[once])?;
            }
            Way::Rescue => {
                // Nothing but the one task, so that the second process takes up what the first held.
                let lost = Case { at: "result-begun:1".into(), ..*self };
                lost.alone(&house)?;
                ground::look(&history, &house, When::Dead, self.prepared.after)?;
                forget_log(&house)?;
                self.alone(&house)?;
            }
            Way::Refresh(_) => command(&house, REFRESH, Some(&self.at)).map(drop)?,
            Way::Full(_) => command(&house, FULL, Some(&self.at)).map(drop)?,
            Way::Expire(_) => {
                for _ in 0..2 {
                    self.must(&house, REFRESH)?;
                }
                command(&house, EXPIRE, Some(&self.at)).map(drop)?;
            }
            Way::Rotate(_) => command(&house, ROTATE, Some(&self.at)).map(drop)?,
            Way::Fresh => {}
        }
        ground::look(&history, &house, When::Dead, self.prepared.after)?;
        let reached = self.was_reached(&house.log)?;
        match way {
            Way::Refresh(_) | Way::Full(_) => self.must(&house, REFRESH)?,
            Way::Expire(_) => self.must(&house, EXPIRE)?,
            Way::Rotate(_) => self.must(&house, ROTATE)?,
            Way::Serve(_)
            | Way::Heartbeat
            | Way::Stray
            | Way::CancelLate
            | Way::Exhausted
            | Way::Rescue
            | Way::Fresh => {}
        }
        settle(&house, &history, &tasks, self.prepared.after)?;
        Ok(reached)
    }

    /// A command that must succeed.
    fn must(&self, house: &House, arguments: &[&str]) -> Result<()> {
        match command(house, arguments, None)? {
            true => Ok(()),
            false => Err(Failure::new(format!("muster {} failed", arguments.join(" ")))),
        }
    }

    /// A service that nobody asks anything, until it ends.
    fn alone(&self, house: &House) -> Result<()> {
        let mut settings = SETTINGS.to_vec();
        settings.push(("MUSTER_CRASH_AT", &self.at));
        match house.spawn(&settings)?.ends_within(PATIENCE) {
            true => Ok(()),
            false => Err(Failure::new(format!("{}: the service did not end", self.at))),
        }
    }

    fn serve(
        &self,
        house: &House,
        history: &History,
        tasks: &mut Vec<String>,
        more: &[(&str, &str)],
    ) -> Result<()> {
        let mut settings = SETTINGS.to_vec();
        settings.push(("MUSTER_CRASH_AT", &self.at));
        settings.extend_from_slice(more);
        drive(house, history, house.spawn(&settings)?, tasks).map(drop)
    }

    /// Cancels runs, each time a little later or earlier, until one had named its files.
    fn cancel_late(&self, house: &House, history: &History, tasks: &mut Vec<String>) -> Result<()> {
        let mut settings = SETTINGS.to_vec();
        settings.push(("MUSTER_CRASH_AT", &self.at));
        let mut server = house.spawn(&settings)?;
        server.wait_ready()?;
        let client = Client::new(history, server.connect(&house.user)?, TENANT);
        wait_ended(&client, &tasks[0])?;
        let mut wait_ms = 100_u64;
        for _ in 0..CANCELS_MAX {
            let Reply::Accepted(task) = client.start(&house.reports()[1]) else { break };
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

    /// A start on an empty folder, and the one after it.
    fn on_nothing(&self, house: &House) -> Result<bool> {
        if house.data.exists() {
            std::fs::remove_dir_all(&house.data).context(|| "the folder cannot be emptied".into())?;
        }
        let mut server = house.spawn(&[("MUSTER_CRASH_AT", &self.at)])?;
        if !server.ends_within(PATIENCE) {
            return Ok(false);
        }
        let reached = self.was_reached(&house.log)?;
        house.serve(&[])?.stop()?;
        Ok(reached)
    }

    fn was_reached(&self, log: &Path) -> Result<bool> {
        let text = std::fs::read_to_string(log).context(|| format!("{} cannot be read", log.display()))?;
        Ok(text.lines().any(|line| line == format!("crashed at {}", self.at)))
    }
}

const REFRESH: &[&str] = &["refresh"];
const FULL: &[&str] = &["refresh", "--full"];
const ROTATE: &[&str] = &["keys", "rotate"];
const EXPIRE: &[&str] = &["snapshot", "expire"];

/// A command on a house, which may end at a step. Whether it succeeded.
fn command(house: &House, arguments: &[&str], at: Option<&str>) -> Result<bool> {
    let log = std::fs::File::options().create(true).append(true).open(&house.log);
    let log = log.context(|| format!("{} cannot be opened", house.log.display()))?;
    let mut command = muster(&house.binary, &house.data);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.envs(house.settings.iter().cloned());
    // A refresh, too, lets snapshots expire.
    command.envs((arguments == EXPIRE).then_some(("MUSTER__SNAPSHOTS__KEEP_LAST", "1")));
    command.envs(at.map(|at| ("MUSTER_CRASH_AT", at)));
    Ok(command.status().context(|| format!("muster {} cannot be run", arguments.join(" ")))?.success())
}

/// What was said before counts no more.
fn forget_log(house: &House) -> Result<()> {
    std::fs::remove_file(&house.log).context(|| format!("{} cannot be removed", house.log.display()))
}

/// A clean service brings everything to its end.
fn settle(house: &House, history: &History, tasks: &[String], after: u64) -> Result<()> {
    let server = house.serve(&SETTINGS)?;
    let client = Client::new(history, server.connect(&house.user)?, TENANT);
    for task in tasks {
        wait_ended(&client, task)?;
        client.download(task, true);
    }
    // Whatever happened before, a report runs.
    let Reply::Accepted(task) = client.start(&house.reports()[4]) else {
        return Err(Failure::new("a start afterwards was refused"));
    };
    let status = wait_ended(&client, &task)?;
    if !matches!(status.as_str(), "SUCCESS" | "WARNING")
        || !matches!(client.download(&task, true), Reply::File(_))
    {
        return Err(Failure::new(format!("a report afterwards is {status}")));
    }
    look_settled(history, house, after)?;
    server.stop()?;
    // Another start sweeps what the last attempts left.
    house.serve(&SETTINGS)?.stop()?;
    let kept = history.kept();
    match rules::broken(&kept)
        .into_iter()
        .chain(ground::unnamed(&ground::results(house), &kept, after)?)
        .next()
    {
        Some(fault) => Err(Failure::new(fault)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> std::path::PathBuf {
        std::path::PathBuf::from("..")
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).expect("the source is there")
    }

    /// Variant and name of each step, as the code has them.
    fn in_the_code() -> Vec<(String, String)> {
        let source = text(&repository().join("crates/reports/src/failpoint.rs"));
        let listed = source.split("\nfailpoints! {").nth(1).and_then(|rest| rest.split("\n}").next());
        let lines = listed.expect("the list is there").lines().map(str::trim);
        let pairs = lines.filter_map(|line| line.strip_suffix("\",")?.split_once(" = \""));
        pairs.map(|(step, name)| (step.to_owned(), name.to_owned())).collect()
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !path.ends_with("reports/src/failpoint.rs")
            {
                found.push_str(&text(&path));
            }
        }
    }

    #[test]
    fn every_step_of_the_code_is_crashed_at_and_no_other() {
        let code: BTreeSet<String> = in_the_code().into_iter().map(|(_, name)| name).collect();
        let here: BTreeSet<String> = SQLITE.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(code, here);
    }

    /// What lies on a node's own disk, or is done to files in the same way over either database.
    const OF_FILES: [&str; 8] = [
        "key-drafted",
        "key-named",
        "result-discarded",
        "result-renamed",
        "result-synced",
        "result-written",
        "table-written",
        "work-cleared",
    ];

    #[test]
    fn every_step_that_postgres_sees_is_crashed_at_over_it_too() {
        let code: BTreeSet<String> = in_the_code().into_iter().map(|(_, name)| name).collect();
        let here: BTreeSet<String> =
            POSTGRES.iter().map(|(name, _)| *name).chain(OF_FILES).map(str::to_owned).collect();
        assert_eq!(code, here);
    }

    #[test]
    fn no_point_is_named_twice() {
        for over_postgres in [false, true] {
            let points = Point::every(over_postgres, true);
            let names: BTreeSet<_> = points.iter().map(Point::name).collect();
            assert_eq!(names.len(), points.len());
        }
    }

    #[test]
    fn every_step_is_taken_somewhere() {
        let mut crates = String::new();
        sources(&repository().join("crates"), &mut crates);
        for (step, name) in in_the_code() {
            assert!(crates.contains(&format!("Failpoint::{step})")), "{name} is taken nowhere");
        }
    }
}
