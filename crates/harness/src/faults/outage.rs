//! PostgreSQL, under two nodes, restarts, crashes, cuts its connections, is absent, or does not answer, while clients
//! continue.
//!
//! The nodes run all the time. Until the database is back, each request gets an answer, a clean 5xx where nothing else is
//! possible. Then both nodes must accept and finish reports without a restart. Nothing that was accepted may be lost or
//! fail, because nothing is wrong with the reports.

use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase, RecordingClient, Reply};
use crate::inspection::{inspect, unnamed_files};
use crate::installation::{Installation, SETTINGS, TENANT, over_postgres};
use crate::postgres::{self, Postgres, Shutdown};
use crate::progress::UnitOutcome;
use crate::random::Random;
use crate::rules;
use crate::server::Server;
use crate::waiting::{start_until_accepted, wait_ended, wait_until_quiet};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Nodes on the database.
const NODES: u64 = 2;
/// Clients of each node.
const CLIENTS: u64 = 3;
/// A client waits at most this long between two calls, in milliseconds.
const REST_MAX_MS: u64 = 40;
/// How long clients work before the fault, and after it.
const AROUND: Duration = Duration::from_millis(1_500);
/// Longest time until an answer: `server.request_timeout_ms`, and some more for a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// How often all connections are cut in one unit.
const CUTS: u64 = 8;
/// The longest time between two cuts, in milliseconds.
const BETWEEN_CUTS_MAX_MS: u64 = 400;

/// What happens to PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// It stops normally and is started at once.
    Restarted,
    /// Its processes end at once, and it recovers from its log when it is started.
    Crashed,
    /// It ends all connections, several times.
    Cut,
    /// It is stopped for a while.
    Gone,
    /// Its processes are halted for a while: what was sent to them is neither answered nor refused.
    Silent,
}

/// All outages, with the names of their units.
const OUTAGES: [(Outage, &str); 5] = [
    (Outage::Restarted, "restarted"),
    (Outage::Crashed, "crashed"),
    (Outage::Cut, "connections cut"),
    (Outage::Gone, "gone"),
    (Outage::Silent, "silent"),
];

/// The counts.
const FAULTS: &str = "outages";
const STARTS: &str = "starts answered";
const TASKS: &str = "tasks accepted";
const REFUSED: &str = "clean refusals";

/// A line that says what was done.
pub fn summary(all: &UnitOutcome) -> String {
    let longest = all.times_ms.iter().max().copied().unwrap_or_default();
    format!(
        "{} outages; {} starts answered, {} tasks accepted, {} clean refusals; starts were accepted again after at most {:.1} s",
        all.count(FAULTS),
        all.count(STARTS),
        all.count(TASKS),
        all.count(REFUSED),
        Duration::from_millis(longest).as_secs_f64(),
    )
}

/// Names of the units: `rounds` of each outage.
pub fn names(rounds: u64) -> Vec<String> {
    let of_round = |round| OUTAGES.map(move |(_, name)| format!("{name}, round {round}"));
    (1..=rounds).flat_map(of_round).collect()
}

/// Runs the unit with this index in the list of names. The database is absent, or silent, for `away`.
pub fn run(
    binary: &Path,
    folder: &Path,
    identities: u64,
    index: usize,
    seed: u64,
    away: Duration,
) -> Result<UnitOutcome> {
    let (outage, _) = OUTAGES[index % OUTAGES.len()];
    if folder.exists() {
        // An earlier unit may have left files.
        std::fs::remove_dir_all(folder).context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
    let lane = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut postgres = Postgres::start(&lane)?;
    let settings = over_postgres(&postgres.url, &folder.join("shared"));
    let first = Installation::with_demo_and(binary, &folder.join("node-1"), identities, settings)?;
    let after = inspect(&History::default(), &first, Phase::Dead, 0)?;
    let history = History::default();
    let servers = (1..=NODES)
        .map(|number| {
            let data = folder.join(format!("node-{number}"));
            Installation { log: data.with_extension("serve.log"), data, ..first.clone() }.serve(&SETTINGS)
        })
        .collect::<Result<Vec<Server>>>()?;
    let clients = servers
        .iter()
        .map(|server| Ok(RecordingClient::new(&history, server.connect(&first.user)?, TENANT)))
        .collect::<Result<Vec<_>>>()?;
    let mut outcome = UnitOutcome::default();
    let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(index as u64));
    let over = AtomicBool::new(false);
    let tasks = thread::scope(|scope| {
        let mut at_work = Vec::new();
        for client in &clients {
            for _ in 0..CLIENTS {
                let (random, installation, over) = (Random::new(random.number()), &first, &over);
                at_work.push(scope.spawn(move || work(client, installation, random, over)));
            }
        }
        thread::sleep(AROUND);
        let again = break_it(outage, &mut postgres, away, &mut random).and_then(|()| {
            let back = Instant::now();
            clients.iter().map(|client| accepted_again(client, &first, back)).collect::<Result<Vec<_>>>()
        });
        thread::sleep(AROUND);
        // Also if something failed: otherwise the clients would never stop.
        over.store(true, Ordering::SeqCst);
        let mut tasks = BTreeSet::new();
        for client in at_work {
            let (accepted, longest) = client.join().expect("a client only calls");
            tasks.extend(accepted);
            if longest > ANSWER_MAX {
                outcome.faults.push(format!("an answer took {longest:?}: at most {ANSWER_MAX:?}"));
            }
        }
        for (task, after) in again? {
            tasks.insert(task);
            outcome.times_ms.push(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        }
        Ok::<_, Failure>(tasks)
    })?;
    outcome.add(FAULTS, if outage == Outage::Cut { CUTS } else { 1 });
    for (client, task) in clients.iter().cycle().zip(&tasks) {
        ends_well(client, task).unwrap_or_else(|failure| outcome.faults.push(failure.to_string()));
    }
    wait_until_quiet(&history, &first, after)?;
    for server in servers {
        server.stop().unwrap_or_else(|failure| outcome.faults.push(failure.to_string()));
    }
    let recorded = history.recorded();
    let count = |is: fn(&Reply) -> bool| recorded.calls.iter().filter(|call| is(&call.reply)).count() as u64;
    let refused = count(|reply| matches!(reply, Reply::Failed(_)));
    outcome.add(STARTS, count(|reply| matches!(reply, Reply::Accepted(_))));
    outcome.add(TASKS, tasks.len() as u64);
    outcome.add(REFUSED, refused);
    let broken = count(|reply| *reply == Reply::Lost);
    if broken > 0 {
        outcome.faults.push(format!("{broken} connections of clients broke"));
    }
    if outage == Outage::Gone && refused == 0 {
        outcome.faults.push("nothing was refused: the database was not gone".into());
    }
    outcome.faults.extend(rules::broken(&recorded));
    // An attempt that could not be recorded may have left files. They are swept from time to time, and at each start.
    first.serve(&SETTINGS)?.stop()?;
    outcome.faults.extend(unnamed_files(&first, &recorded, after)?);
    Ok(outcome)
}

/// Starts, polls, cancels and fetches reports until the unit is over; the tasks that were accepted, and the longest time
/// until an answer.
pub(super) fn work(
    client: &RecordingClient<'_>,
    installation: &Installation,
    mut random: Random,
    over: &AtomicBool,
) -> (Vec<String>, Duration) {
    let reports = installation.reports();
    let (mut tasks, mut longest) = (Vec::new(), Duration::ZERO);
    let mut timed = |call: &mut dyn FnMut() -> Reply| {
        let begun = Instant::now();
        let reply = call();
        longest = longest.max(begun.elapsed());
        reply
    };
    while !over.load(Ordering::SeqCst) {
        let report = &reports[random.index(reports.len())];
        if let Reply::Accepted(task) = timed(&mut || client.start(report)) {
            tasks.push(task);
        }
        if !tasks.is_empty() {
            let task = &tasks[random.index(tasks.len())];
            let (next, audited) = (random.below(5), random.below(2) == 0);
            timed(&mut || match next {
                0 => client.cancel(task),
                1 | 2 => client.poll(task),
                _ => client.download(task, audited),
            });
        }
        thread::sleep(Duration::from_millis(random.below(REST_MAX_MS)));
    }
    (tasks, longest)
}

fn break_it(outage: Outage, postgres: &mut Postgres, away: Duration, random: &mut Random) -> Result<()> {
    match outage {
        Outage::Restarted => {
            postgres.stop(Shutdown::Fast)?;
            postgres.start_again()
        }
        Outage::Crashed => {
            postgres.stop(Shutdown::Immediate)?;
            postgres.start_again()
        }
        Outage::Cut => {
            for _ in 0..CUTS {
                let ended = postgres::ask(&postgres.url, CUT)?;
                if ended == "0" {
                    return Err(Failure::new("nobody was connected to the database"));
                }
                thread::sleep(Duration::from_millis(random.below(BETWEEN_CUTS_MAX_MS)));
            }
            Ok(())
        }
        Outage::Gone => {
            postgres.stop(Shutdown::Fast)?;
            thread::sleep(away);
            postgres.start_again()
        }
        Outage::Silent => {
            let halted = postgres.halt()?;
            thread::sleep(away);
            drop(halted);
            Ok(())
        }
    }
}

/// Ends all other connections to the database, and counts them.
const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// Waits until a node accepts a task; the task, and how long after `back` that was.
fn accepted_again(
    client: &RecordingClient<'_>,
    installation: &Installation,
    back: Instant,
) -> Result<(String, Duration)> {
    let task = start_until_accepted(client, &installation.reports()[0])?;
    Ok((task.ok_or_else(|| Failure::new("a node does not answer any more"))?, back.elapsed()))
}

/// Waits for a task, which must end with a file unless it was cancelled.
pub(super) fn ends_well(client: &RecordingClient<'_>, task: &str) -> Result<()> {
    let status = wait_ended(client, task)?;
    let served = client.download(task, true);
    match (status.as_str(), &served) {
        ("SUCCESS" | "WARNING", Reply::File(_)) | ("TERMINATED", Reply::NoFile) => Ok(()),
        _ => Err(Failure::new(format!("{task} is {status}, its file {served:?}"))),
    }
}
