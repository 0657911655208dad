//! Schedules whose runs are interrupted: a clean service ends the runs, and tells whom they name.

use super::{CrashRun, PATIENCE, SCHEDULE};
use crate::command::output;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase};
use crate::inspection::inspect;
use crate::installation::{Installation, SETTINGS};
use crate::receiver::Receiver;
use serde_json::Value;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

impl CrashRun<'_> {
    /// Adds a schedule of a report over a fresh refresh.
    pub(super) fn schedule(&self, installation: &Installation, cron: &str, more: &[&str]) -> Result<()> {
        let client = installation.user.id.as_str();
        let report = ["--report", "IDENTITIES", "--refresh", "--client", client, "--cron", cron];
        self.must(installation, &[&["schedule", "add", SCHEDULE], &report[..], more].concat())
    }

    /// Lets a clean service end the schedule's runs. Each must have succeeded with a task of its own, and there may be no
    /// other task that no client has started. How many runs there are.
    pub(super) fn follow_runs(
        &self,
        installation: &Installation,
        history: &History,
        tasks: &[String],
    ) -> Result<usize> {
        let server = installation.serve(&SETTINGS)?;
        let begun = Instant::now();
        let runs = loop {
            let shown = shown(installation, &["schedule", "show", SCHEDULE])?;
            let runs = shown["runs"].as_array().cloned().unwrap_or_default();
            let is_live = |run: &Value| matches!(run["state"].as_str(), Some("waiting" | "started"));
            if !runs.is_empty() && !runs.iter().any(is_live) {
                break runs;
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(format!("the schedule's runs do not end: {shown}")));
            }
            thread::sleep(Duration::from_millis(500));
        };
        server.stop()?;
        inspect(history, installation, Phase::Dead, self.prepared.after)?;
        let made: BTreeSet<&str> = runs.iter().filter_map(|run| run["taskResultId"].as_str()).collect();
        if runs.iter().any(|run| !matches!(run["state"].as_str(), Some("succeeded" | "warned"))) {
            return Err(Failure::new(format!("a run of the schedule did not succeed: {runs:?}")));
        }
        let recorded = history.recorded();
        let last = recorded.inspections.last().into_iter().flat_map(|inspection| &inspection.rows);
        let others: BTreeSet<&str> = last
            .map(|row| row.task.as_str())
            .filter(|task| !tasks.iter().any(|known| known == task))
            .collect();
        if made.len() != runs.len() || made != others {
            return Err(Failure::new(format!(
                "{} runs of the schedule made {made:?}, and there are {others:?}",
                runs.len()
            )));
        }
        Ok(runs.len())
    }

    /// Lets a clean service deliver every notification. Each run must have one, the receiver must have got each, and nothing
    /// under another id: none is lost, and one that came twice came under one id.
    pub(super) fn follow_notifications(
        &self,
        installation: &Installation,
        runs: usize,
        receiver: &Receiver,
    ) -> Result<()> {
        let server = installation.serve(&SETTINGS)?;
        let begun = Instant::now();
        let kept = loop {
            let listed = shown(installation, &["notification", "list"])?;
            let listed = listed.as_array().cloned().unwrap_or_default();
            if listed.len() >= runs && listed.iter().all(|kept| kept["state"] == "sent") {
                break listed;
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(format!("{runs} runs: notifications are not sent: {listed:?}")));
            }
            thread::sleep(Duration::from_millis(500));
        };
        server.stop()?;
        let kept: BTreeSet<String> =
            kept.iter().filter_map(|kept| kept["id"].as_str()).map(str::to_owned).collect();
        let got: BTreeSet<String> = receiver.ids().into_iter().collect();
        match kept.len() == runs && kept == got {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "{runs} runs have the notifications {kept:?}, and {got:?} were received"
            ))),
        }
    }
}

/// What a command prints as JSON.
fn shown(installation: &Installation, arguments: &[&str]) -> Result<Value> {
    let mut command = installation.command();
    command.args(arguments).args(["--output", "json"]);
    serde_json::from_str(&output(&mut command)?)
        .context(|| format!("muster {} prints no JSON", arguments.join(" ")))
}
