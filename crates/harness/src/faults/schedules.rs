//! Processes are killed while schedules fall due, notifications are sent, and the files of results expire.
//!
//! A unit has one process, or two on one PostgreSQL database. In each round the schedules are made due, a client starts a
//! report that a webhook is told of, a result is held or released, and `muster report expire` removes what nothing keeps.
//! Then a process is killed (SIGKILL), and often the command too: at a random moment, while it starts, or when the receiver
//! has accepted a webhook and has not answered. In the end a clean service ends everything, and what there is then is
//! compared with what happened (`rules.rs`).
//!
//! Nothing waits for a time. A schedule is made due by setting its next time in the database to now. When every process is
//! dead, what it held waits for its lease, up to 90 seconds; the harness moves the end of these leases to the kill.

mod observe;
mod rules;

use crate::api::Api;
use crate::command;
use crate::copies::copy_installation;
use crate::database;
use crate::failure::{Context, Failure, Result};
use crate::installation::{DIRECTORY_ID, DIRECTORY_NAME, Installation, SETTINGS};
use crate::postgres::Postgres;
use crate::progress::UnitOutcome;
use crate::random::Random;
use crate::receiver::Receiver;
use crate::server::Server;
use observe::Before;
use rules::{Hold, Observed, broken};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::mem::take;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The count of killed services.
pub const KILLS: &str = "services killed";
/// The count of killed commands.
pub const COMMANDS: &str = "commands killed";
/// The count of due times.
pub const DUE: &str = "due times";
/// The count of runs that were skipped.
const SKIPPED: &str = "skipped";
/// The count of notifications.
pub const NOTICES: &str = "notifications";
/// The count of webhooks that came again.
pub const AGAIN: &str = "came again";
/// The count of results that expired.
pub const EXPIRED: &str = "results expired";
/// The count of holds.
pub const HELD: &str = "holds";

/// A schedule that is due once in four years, unless it is made due.
const CRON: &str = "0 0 29 2 *";
/// A schedule of a unit.
struct Scheduled {
    name: &'static str,
    /// The report; `None` if only a refresh is made.
    report: Option<&'static str>,
    arguments: &'static [(&'static str, &'static str)],
    /// Whether a refresh is made.
    refreshes: bool,
}

/// The schedules. No two have equal reports, and clients start others, so that each run has a task of its own.
const SCHEDULES: [Scheduled; 5] = [
    Scheduled {
        name: "identities",
        report: Some("IDENTITIES"),
        arguments: &[("correlatedOnly", "false")],
        refreshes: false,
    },
    Scheduled {
        name: "fresh identities",
        report: Some("IDENTITIES"),
        arguments: &[("correlatedOnly", "true")],
        refreshes: true,
    },
    Scheduled {
        name: "details",
        report: Some("IDENTITIES_DETAILS"),
        arguments: &[("correlatedOnly", "false")],
        refreshes: false,
    },
    Scheduled {
        name: "accounts",
        report: Some("ACCOUNTS"),
        arguments: &[("application", DIRECTORY_ID), ("sourceName", DIRECTORY_NAME)],
        refreshes: false,
    },
    Scheduled { name: "refresh", report: None, arguments: &[], refreshes: true },
];
/// The reports that clients start.
const STARTED: [&str; 2] = ["ORPHAN_IDENTITIES", "UNCORRELATED_ACCOUNTS"];
/// Results of each definition that are always kept.
const NEWEST_KEPT: usize = 1;
/// The receiver refuses one of so many webhooks.
const REFUSED_ONE_OF: u64 = 7;
/// The longest time between the moment when the services are ready and the kill.
const LIFE_MAX_MS: u64 = 2_500;
/// The longest life of `muster report expire`.
const COMMAND_MAX_MS: u64 = 150;
/// How long it may take until a webhook has come.
const FIRST_WEBHOOK: Duration = Duration::from_secs(20);
/// How long it may take until everything has ended.
const PATIENCE: Duration = Duration::from_secs(180);
/// Leases of the service, in microseconds: of a notification, and of a run of a schedule.
const NOTICE_LEASE: i64 = 90_000_000;
const RUN_LEASE: i64 = 60_000_000;
/// An hour, in microseconds: a schedule that is due later has not been made due.
const HOUR: i64 = 3_600_000_000;

/// Settings of all processes: webhooks may go to this machine, nothing is given up, nothing waits long.
const MORE: [(&str, &str); 6] = [
    ("MUSTER__NOTIFICATIONS__INTERNAL_NETWORKS", "true"),
    ("MUSTER__NOTIFICATIONS__ATTEMPTS_MAX", "1000000"),
    ("MUSTER__NOTIFICATIONS__RETRY_S", "1"),
    ("MUSTER__SCHEDULES__ATTEMPTS_MAX", "1000000"),
    ("MUSTER__SCHEDULES__RETRY_S", "1"),
    ("MUSTER__SNAPSHOTS__KEEP_LAST", "100000"),
];

/// A line that says what was done.
pub fn summary(all: &UnitOutcome) -> String {
    let count = |what: &str| format!("{} {what}", all.count(what));
    [KILLS, COMMANDS, DUE, SKIPPED, NOTICES, AGAIN, EXPIRED, HELD].map(count).join(", ")
}

/// Runs a unit of so many rounds on a copy of the prepared installation; with `postgres`, two nodes.
pub fn run(
    prepared: &Installation,
    postgres: Option<&Postgres>,
    folder: &Path,
    lane: usize,
    rounds: u64,
    seed: u64,
) -> Result<UnitOutcome> {
    let mut first = copy_installation(prepared, folder, postgres, &format!("schedules_{lane}"))?;
    first.settings.extend(MORE.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut nodes = vec![first.clone()];
    if postgres.is_some() {
        let data = folder.join("node-2");
        if data.exists() {
            std::fs::remove_dir_all(&data).context(|| format!("{} cannot be removed", data.display()))?;
        }
        nodes.push(Installation { log: data.with_extension("serve.log"), data, ..first.clone() });
    }
    let receiver = Receiver::start()?;
    receiver.refuse_one_of(REFUSED_ONE_OF);
    for schedule in &SCHEDULES {
        add(&first, schedule, &receiver.url())?;
    }
    let before = Before::of(&first)?;
    let mut unit = Unit {
        servers: nodes.iter().map(|_| None).collect(),
        nodes,
        receiver,
        all_dead_at: None,
        ledger: Mutex::default(),
        outcome: UnitOutcome::default(),
    };
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(round));
        if let Err(failure) = unit.round(round, &mut random) {
            unit.outcome.faults.push(format!("round {round}: {failure}"));
        }
    }
    unit.end(&before)
}

/// Adds a schedule.
fn add(installation: &Installation, schedule: &Scheduled, webhook: &str) -> Result<()> {
    let mut add = installation.command();
    add.args(["schedule", "add", schedule.name, "--cron", CRON, "--notify", webhook]);
    if let Some(report) = schedule.report {
        add.args(["--client", &installation.user.id, "--report", report]);
    }
    for (name, value) in schedule.arguments {
        add.args(["--argument", &format!("{name}={value}")]);
    }
    if schedule.refreshes {
        add.arg("--refresh");
    }
    command::output(&mut add).map(drop)
}

/// Now, in microseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "due times are set in the database, by the clock of the processes"
)]
fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context(|| "the clock is wrong".into())?;
    i64::try_from(since.as_micros()).context(|| "the clock is wrong".into())
}

/// What was promised.
#[derive(Debug, Default)]
struct Ledger {
    due: Vec<(String, i64)>,
    started: BTreeSet<String>,
    lost_starts: usize,
    holds: Vec<Hold>,
    commands_killed: u64,
}

/// When a round kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While a process starts.
    Start,
    /// When a webhook was accepted and not answered.
    Accepted,
    /// At any other time.
    Random,
}

/// What the acts of a round need. They go on while processes are killed.
struct Actor<'a> {
    installation: &'a Installation,
    apis: Vec<Api>,
    webhook: String,
    ledger: &'a Mutex<Ledger>,
}

struct Unit {
    nodes: Vec<Installation>,
    /// The processes; `None` for a dead one.
    servers: Vec<Option<Server>>,
    receiver: Receiver,
    /// When the last process was killed, if leases of dead processes may be left.
    all_dead_at: Option<i64>,
    ledger: Mutex<Ledger>,
    outcome: UnitOutcome,
}

impl Unit {
    fn round(&mut self, round: u64, random: &mut Random) -> Result<()> {
        let moment = match round % 8 {
            2 | 5 => Moment::Accepted,
            7 => Moment::Start,
            _ => Moment::Random,
        };
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.spawn_missing()?;
        if moment == Moment::Start {
            thread::sleep(Duration::from_millis(random.below(150)));
            return self.kill(&all);
        }
        let apis = self.ready()?;
        let victims = match moment {
            Moment::Random if all.len() > 1 && random.below(3) > 0 => vec![random.index(all.len())],
            Moment::Random | Moment::Accepted | Moment::Start => all,
        };
        let life = Duration::from_millis(random.below(LIFE_MAX_MS));
        let acts = Random::new(random.number());
        self.receiver.withhold(moment == Moment::Accepted);
        let (installation, webhook, ledger) =
            (self.nodes[0].clone(), self.receiver.url(), take(&mut self.ledger));
        let actor = Actor { installation: &installation, apis, webhook, ledger: &ledger };
        let (came, killed, acted) = thread::scope(|scope| {
            let acting = scope.spawn(move || actor.act(round, acts));
            let came = match moment {
                Moment::Accepted => self.receiver.has_withheld(FIRST_WEBHOOK),
                Moment::Start | Moment::Random => {
                    thread::sleep(life);
                    true
                }
            };
            let killed = self.kill(&victims);
            (came, killed, acting.join().expect("an act fails without a panic"))
        });
        self.ledger = ledger;
        killed?;
        acted?;
        match came {
            true => Ok(()),
            false => Err(Failure::new(format!("no webhook came within {FIRST_WEBHOOK:?}"))),
        }
    }

    /// Starts the processes that are dead.
    fn spawn_missing(&mut self) -> Result<()> {
        for (node, server) in self.nodes.iter().zip(&mut self.servers) {
            if server.is_none() {
                *server = Some(node.spawn(&SETTINGS)?);
            }
        }
        Ok(())
    }

    /// Waits until all processes are ready, and lets the leases of dead ones run out. A client of each process.
    fn ready(&mut self) -> Result<Vec<Api>> {
        let user = &self.nodes[0].user;
        let apis = self.servers.iter_mut().flatten().map(|server| {
            server.wait_ready()?;
            server.connect(user)
        });
        let apis = apis.collect::<Result<Vec<_>>>()?;
        // Whatever a living process has taken since then has a later end.
        if let Some(dead_at) = self.all_dead_at.take() {
            let (notices, runs) = (dead_at + NOTICE_LEASE, dead_at + RUN_LEASE);
            let statements = [
                format!(
                    "UPDATE notifications SET wake = {dead_at}
                     WHERE state = 'waiting' AND wake > {dead_at} AND wake <= {notices} RETURNING id"
                ),
                format!(
                    "UPDATE schedule_runs SET wake = {dead_at} WHERE state IN ('waiting', 'started')
                     AND wake > {dead_at} AND wake <= {runs} RETURNING schedule"
                ),
            ];
            for statement in statements {
                database::rows(&self.nodes[0], &statement)?;
            }
        }
        Ok(apis)
    }

    /// Kills processes, and notes it after everything that they had sent.
    fn kill(&mut self, victims: &[usize]) -> Result<()> {
        let mut killed = 0;
        for victim in victims {
            if let Some(server) = self.servers[*victim].take() {
                server.kill()?;
                killed += 1;
            }
        }
        self.receiver.withhold(false);
        self.receiver.killed(killed)?;
        self.outcome.add(KILLS, killed);
        if self.servers.iter().all(Option::is_none) {
            self.all_dead_at = Some(now()?);
        }
        Ok(())
    }

    /// Lets clean processes end everything, and compares what there is with what happened.
    fn end(mut self, before: &Before) -> Result<UnitOutcome> {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.kill(&all)?;
        self.spawn_missing()?;
        self.ready()?;
        let first = &self.nodes[0];
        if let Err(failure) = wait_until_ended(first) {
            self.outcome.faults.push(failure.to_string());
        }
        command::output(&mut expire(first))?;
        for server in self.servers.drain(..).flatten() {
            server.stop()?;
        }
        // A start sweeps what killed processes left.
        first.serve(&SETTINGS)?.stop()?;
        let ledger = self.ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = self.outcome;
        let deliveries = self.receiver.deliveries();
        let accepted: Vec<&str> = deliveries
            .iter()
            .filter(|delivery| delivery.accepted)
            .map(|delivery| delivery.id.as_str())
            .collect();
        let again = accepted.len() - accepted.iter().collect::<BTreeSet<_>>().len();
        let seen = Observed {
            holds: ledger.holds,
            due: ledger.due,
            started: ledger.started,
            lost_starts: ledger.lost_starts,
            newest_kept: NEWEST_KEPT,
            refreshing: SCHEDULES
                .iter()
                .filter(|schedule| schedule.refreshes)
                .map(|schedule| schedule.name.to_owned())
                .collect(),
            forged: observe::forged(first, &self.receiver.url(), &deliveries)?,
            ..observe::observe(first, before)?
        };
        let seen = Observed { deliveries, ..seen };
        let count = |of: usize| of as u64;
        outcome.add(COMMANDS, ledger.commands_killed);
        outcome.add(DUE, count(seen.due.len()));
        outcome.add(SKIPPED, count(seen.runs.iter().filter(|run| run.state == "skipped").count()));
        outcome.add(NOTICES, count(seen.notices.len()));
        outcome.add(AGAIN, count(again));
        outcome.add(EXPIRED, count(seen.tasks.iter().filter(|task| task.expired.is_some()).count()));
        outcome.add(HELD, count(seen.holds.len()));
        outcome.faults.extend(broken(&seen));
        // What was never broken was not tested.
        for what in [DUE, AGAIN, EXPIRED, HELD] {
            if outcome.count(what) == 0 {
                outcome.faults.push(format!("there were no {what}: nothing was tested"));
            }
        }
        Ok(outcome)
    }
}

/// `muster report expire`, which removes what nothing keeps.
fn expire(installation: &Installation) -> Command {
    let mut expire = installation.command();
    expire.args(["report", "expire", "--keep-days", "0", "--keep-last", &NEWEST_KEPT.to_string()]);
    expire
}

/// Waits until no schedule is due, and no run, task or notification is open.
fn wait_until_ended(installation: &Installation) -> Result<()> {
    let begun = Instant::now();
    let soon = now()? + HOUR;
    let counts = format!(
        "SELECT (SELECT count(*) FROM schedules WHERE due < {soon}) AS due,
             (SELECT count(*) FROM schedule_runs WHERE state IN ('waiting', 'started')) AS runs,
             (SELECT count(*) FROM tasks WHERE state IN ('pending', 'running')) AS tasks,
             (SELECT count(*) FROM notifications WHERE state = 'waiting') AS notifications"
    );
    loop {
        let open = database::rows(installation, &counts)?;
        let is_open =
            |row: &Value| row.as_object().into_iter().flatten().any(|(_, count)| count != &Value::from(0));
        if !open.iter().any(is_open) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!("after {PATIENCE:?}, this has not ended: {open:?}")));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

impl Actor<'_> {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of everything.
    fn act(&self, round: u64, mut random: Random) -> Result<()> {
        self.fall_due(&mut random)?;
        self.start(&mut random);
        let mut expiring = self.spawn_expire()?;
        if round % 2 == 1 {
            self.hold(&mut random)?;
        }
        if random.below(4) > 0 {
            thread::sleep(Duration::from_millis(random.below(COMMAND_MAX_MS)));
            if matches!(expiring.try_wait(), Ok(None)) {
                expiring.kill().context(|| "a command cannot be killed".into())?;
                self.ledger().commands_killed += 1;
            }
            expiring.wait().map(drop).context(|| "a command cannot be waited for".into())?;
        } else {
            let status = expiring.wait().context(|| "a command cannot be waited for".into())?;
            if !status.success() {
                return Err(Failure::new(format!("muster report expire ended with {status}")));
            }
        }
        if random.below(2) == 0 { self.fall_due(&mut random) } else { Ok(()) }
    }

    /// Makes some schedules due, but none that is due already.
    fn fall_due(&self, random: &mut Random) -> Result<()> {
        let chosen: Vec<String> = SCHEDULES
            .iter()
            .filter(|_| random.below(3) > 0)
            .map(|schedule| format!("'{}'", schedule.name))
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let now = now()?;
        let made_due = database::rows(
            self.installation,
            &format!(
                "UPDATE schedules SET due = {now} WHERE due > {} AND name IN ({}) RETURNING name",
                now + HOUR,
                chosen.join(", ")
            ),
        )?;
        let names = made_due.iter().filter_map(|row| Some((row["name"].as_str()?.to_owned(), now)));
        self.ledger().due.extend(names);
        Ok(())
    }

    /// Starts a report whose end a webhook is told.
    fn start(&self, random: &mut Random) {
        let api = &self.apis[random.index(self.apis.len())];
        let report = STARTED[random.index(STARTED.len())];
        match api.start_notified(report, &self.webhook) {
            Ok(task) => drop(self.ledger().started.insert(task)),
            Err(_) => self.ledger().lost_starts += 1,
        }
    }

    fn spawn_expire(&self) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.installation.log);
        let log = log.context(|| "the log cannot be opened".into())?;
        let mut expire = expire(self.installation);
        expire.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        expire.spawn().context(|| "muster report expire cannot be run".into())
    }

    /// Holds a result that has files, and sometimes releases one.
    fn hold(&self, random: &mut Random) -> Result<()> {
        let found = database::rows(
            self.installation,
            "SELECT t.id AS id FROM tasks t LEFT JOIN result_lives l ON l.tenant = t.tenant AND l.task = t.id
             WHERE t.result_rows IS NOT NULL AND l.hold IS NULL AND l.expired IS NULL",
        )?;
        let mut found: Vec<&str> = found.iter().filter_map(|row| row["id"].as_str()).collect();
        found.sort_unstable();
        if !found.is_empty() {
            let task = found[random.index(found.len())].to_owned();
            // It is refused if the result expires at the same time.
            if self.succeeds(&["report", "hold", &task, "--reason", "a test"])? {
                let from = now()?;
                self.ledger().holds.push(Hold { task, from, until: None });
            }
        }
        if random.below(3) > 0 {
            return Ok(());
        }
        let now = now()?;
        let released = self.ledger().holds.iter_mut().find(|hold| hold.until.is_none()).map(|hold| {
            hold.until = Some(now);
            hold.task.clone()
        });
        if let Some(task) = released {
            self.succeeds(&["report", "release", &task])?;
        }
        Ok(())
    }

    /// Whether a command succeeds.
    fn succeeds(&self, arguments: &[&str]) -> Result<bool> {
        let mut command = self.installation.command();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().context(|| format!("muster {} cannot be run", arguments.join(" ")))?;
        Ok(status.success())
    }
}
