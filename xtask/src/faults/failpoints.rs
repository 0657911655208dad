//! The service, or a command, ends at a named step between two durable effects, and nothing may come of it.
//!
//! The steps stand in `crates/reports/src/step.rs`; the binary aborts at the one that a variable names, and says
//! so in its log, which is how a step is shown to have been hit. Each step has a way here by which it is reached.
//! Afterwards a clean service on the same folder must bring everything to its end, the history must break no rule,
//! and the folder of results holds what records name and nothing else.

use super::database;
use super::history::{Client, History, Kept, Reply, When};
use super::injection::{Prepared, copy, drive, prepare};
use super::rules;
use super::settling::wait_ended;
use crate::failure::{Context, Failure, Result};
use crate::kill::SETTINGS;
use crate::server::{House, TENANT, muster};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// How a step is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A service that runs, is fetched from, and cancels; the numbers are the times that the step is taken
    /// before the process ends, of which the long form goes on until the step is not reached any more.
    Serve(&'static [u64]),
    /// The same, with a heartbeat every few milliseconds.
    Heartbeat,
    /// A service that finds a result file which no record names.
    Stray,
    /// Cancels around the moment when a run has named its files.
    CancelLate,
    /// A task whose only attempt was lost.
    Exhausted,
    /// A service on an empty folder.
    Fresh,
    /// `muster refresh`, with numbers as for a service.
    Refresh(&'static [u64]),
}

/// Every step and its way.
const STEPS: [(&str, Way); 29] = [
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
    ("table-written", Way::Refresh(&[1, 13])),
    ("tables-written", Way::Refresh(&[1])),
    ("snapshot-inserted", Way::Refresh(&[1])),
    ("snapshot-kept", Way::Refresh(&[1])),
];

/// Steps that are taken an unknown number of times: the long form counts up until one is not reached.
const COUNTED: [&str; 2] = ["commit-due", "committed"];
/// Cancels that may miss the moment.
const CANCELS_MAX: u32 = 500;
/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came out.
#[derive(Debug, Default)]
pub struct Counts {
    /// Steps there are.
    pub steps: usize,
    /// Times that a process ended at one.
    pub crashes: u64,
    /// What was wrong.
    pub faults: Vec<String>,
}

/// Crashes at every step. `all`: also at each further time that a commit is made.
pub fn run(house: House, folder: &Path, all: bool) -> Result<Counts> {
    let prepared = prepare(house)?;
    let mut counts = Counts { steps: STEPS.len(), ..Counts::default() };
    for (step, way) in STEPS {
        let times = match way {
            Way::Serve(times) | Way::Refresh(times) => times,
            Way::Heartbeat | Way::Stray | Way::CancelLate | Way::Exhausted | Way::Fresh => &[1],
        };
        let counted = all && COUNTED.contains(&step);
        let mut time = 0;
        loop {
            time = if counted { time + 1 } else { times.iter().copied().find(|at| *at > time).unwrap_or(0) };
            if time == 0 {
                break;
            }
            let case = Case { prepared: &prepared, folder, at: format!("{step}:{time}") };
            match case.run(way) {
                Ok(true) => counts.crashes += 1,
                // The cycle makes so many and no more.
                Ok(false) if counted && time > 1 => break,
                Ok(false) => counts.faults.push(format!("{}: the step was not reached", case.at)),
                Err(failure) => counts.faults.push(format!("{}: {failure}", case.at)),
            }
        }
        println!("failpoints: {step}: {} crashes so far, {} faults", counts.crashes, counts.faults.len());
    }
    Ok(counts)
}

struct Case<'a> {
    prepared: &'a Prepared,
    folder: &'a Path,
    /// The step and the time, as the variable takes it.
    at: String,
}

impl Case<'_> {
    /// One crash on a copy, and what came of it. Whether the step was reached.
    fn run(&self, way: Way) -> Result<bool> {
        let data = self.folder.join("cycle");
        let log = self.folder.join("serve.log");
        if log.exists() {
            std::fs::remove_file(&log).context(|| format!("{} cannot be removed", log.display()))?;
        }
        let house = House { data, log, ..self.prepared.house.clone() };
        if way == Way::Fresh {
            return self.on_nothing(&house);
        }
        copy(&self.prepared.house.data, &house.data)?;
        let history = History::after(self.prepared.kept.clone());
        let mut tasks = vec![self.prepared.task.clone()];
        match way {
            Way::Serve(_) => self.serve(&house, &history, &mut tasks, &[])?,
            Way::Heartbeat => {
                self.serve(&house, &history, &mut tasks, &[("MUSTER__WORKER__HEARTBEAT_MS", "3")])?;
            }
            Way::Stray => {
                let stray = house.data.join("results").join("0123456789abcdef0123456789abcdef.1.report.csv");
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
            Way::Refresh(_) => refresh(&house, Some(&self.at)).map(drop)?,
            Way::Fresh => {}
        }
        database::look(&history, &house.data, When::Dead, self.prepared.after)?;
        let reached = self.was_reached(&house.log)?;
        if let Way::Refresh(_) = way
            && !refresh(&house, None)?
        {
            return Err(Failure::new("the next refresh failed"));
        }
        settle(&house, &history, &tasks, self.prepared.after)?;
        Ok(reached)
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

/// `muster refresh`, which may end at a step. Whether it succeeded.
fn refresh(house: &House, at: Option<&str>) -> Result<bool> {
    let log = std::fs::File::options().create(true).append(true).open(&house.log);
    let log = log.context(|| format!("{} cannot be opened", house.log.display()))?;
    let mut command = muster(&house.binary, &house.data);
    command.arg("refresh").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.envs(at.map(|at| ("MUSTER_CRASH_AT", at)));
    Ok(command.status().context(|| "muster refresh cannot be run".into())?.success())
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
    database::look(history, &house.data, When::Settled, after)?;
    server.stop()?;
    // Another start sweeps what the last attempts left.
    house.serve(&SETTINGS)?.stop()?;
    let kept = history.kept();
    match rules::broken(&kept).into_iter().chain(unnamed(&house.data.join("results"), &kept, after)?).next() {
        Some(fault) => Err(Failure::new(fault)),
        None => Ok(()),
    }
}

/// Files of the folder of results that no record names.
fn unnamed(results: &Path, kept: &Kept, after: u64) -> Result<Vec<String>> {
    if after > 0 && kept.looks.is_empty() {
        return Ok(Vec::new());
    }
    let last = kept.looks.last().into_iter().flat_map(|look| &look.rows);
    let named: BTreeSet<&str> = last.flat_map(|row| &row.files).map(|file| file.name.as_str()).collect();
    // Tasks of the demo lie before the history.
    let earlier =
        |name: &str| !kept.looks.iter().flat_map(|look| &look.rows).any(|row| name.starts_with(&row.task));
    let unreadable = || format!("{} cannot be listed", results.display());
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(results).context(unreadable)? {
        let name = entry.context(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".tmp") || (!named.contains(name.as_str()) && !earlier(&name)) {
            faults.push(format!("file {name} is left, and no record names it"));
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).expect("the source is there")
    }

    /// Variant and name of each step, as the code has them.
    fn in_the_code() -> Vec<(String, String)> {
        let source = text(&repository().join("crates/reports/src/step.rs"));
        let listed = source.split("\nsteps! {").nth(1).and_then(|rest| rest.split("\n}").next());
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
                && !path.ends_with("reports/src/step.rs")
            {
                found.push_str(&text(&path));
            }
        }
    }

    #[test]
    fn every_step_of_the_code_is_crashed_at_and_no_other() {
        let code: BTreeSet<String> = in_the_code().into_iter().map(|(_, name)| name).collect();
        let here: BTreeSet<String> = STEPS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(code, here);
    }

    #[test]
    fn every_step_is_taken_somewhere() {
        let mut crates = String::new();
        sources(&repository().join("crates"), &mut crates);
        for (step, name) in in_the_code() {
            assert!(crates.contains(&format!("Step::{step})")), "{name} is taken nowhere");
        }
    }
}
