//! Two and three nodes on one PostgreSQL database, one of them killed while it works.
//!
//! Leases and heartbeats are the default ones, because the part measures how long it takes until another node has finished
//! what the dead node held. Such a task is known by its end: another node ends it under a higher epoch.

use crate::copies::copy_installation;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase, RecordingClient, Reply};
use crate::inspection::inspect;
use crate::installation::{Installation, TENANT, muster, over_postgres};
use crate::postgres::{self, Postgres};
use crate::progress::{self, PartOutcome, PartPlan, UnitOutcome};
use crate::rules;
use crate::server::Server;
use crate::waiting::{wait_ended, wait_until_quiet};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// People in the organisation: enough that a run can be killed in its middle.
const IDENTITIES: u64 = 3_000;
/// The longest time between the kill and the end of what was rescued.
const RESCUE_MAX: Duration = Duration::from_secs(45);
/// How often a round is tried until the killed node held something.
const TRIES: u32 = 10;
/// No rate limit, because clients here do not pause.
const SETTINGS: [(&str, &str); 3] = [
    ("MUSTER__RATE_LIMIT__REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TENANT_REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TOKEN_REQUESTS", "1000000"),
];

/// The count of killed nodes.
const KILLS: &str = "nodes killed";

/// A line that says what was done.
pub fn summary(all: &UnitOutcome) -> String {
    let (rescued, p99) = (all.times_ms.len(), p99(&all.times_ms).as_secs_f64());
    format!("{} nodes killed, {rescued} tasks rescued, p99 of rescue {p99:.1} s", all.count(KILLS))
}

/// The longest of the shortest 99 % of the times.
fn p99(times_ms: &[u64]) -> Duration {
    let mut sorted = times_ms.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    Duration::from_millis(sorted.get(index).copied().unwrap_or_default())
}

/// A fault if the rescues took too long, all of them together.
pub fn too_slow(all: &UnitOutcome) -> Option<String> {
    let p99 = p99(&all.times_ms);
    (p99 > RESCUE_MAX).then(|| format!("p99 of rescue is {p99:?}: at most {RESCUE_MAX:?}"))
}

/// Why the binary does not accept `store.url`; `None` if it does.
pub fn refusal(binary: &Path, folder: &Path) -> Result<Option<String>> {
    let mut ask = muster(binary, &folder.join("data"));
    ask.args(["config", "show"]).env("MUSTER__STORE__URL", "postgres://127.0.0.1:1/none");
    let answer = ask.output().context(|| format!("{} cannot be run", binary.display()))?;
    let said = String::from_utf8_lossy(&answer.stderr);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((!answer.status.success()).then(|| format!("the binary refuses `store.url`: {words}")))
}

/// Runs so many rounds, with two and three nodes in turn.
pub fn run(binary: &Path, folder: &Path, rounds: usize, plan: &PartPlan<'_>) -> Result<PartOutcome> {
    let server = Postgres::start("nodes")?;
    let shared = folder.join("shared");
    let settings = over_postgres(&server.fresh_database("prepared", None)?, &shared);
    let prepared = Installation::with_demo_and(binary, &folder.join("node-1"), IDENTITIES, settings)?;
    let nodes_of = |index: usize| 2 + index % 2;
    let names: Vec<_> =
        (0..rounds).map(|index| format!("{} nodes, round {}", nodes_of(index), index / 2 + 1)).collect();
    let begun: Vec<_> = (0..plan.lanes.max(1)).map(|_| OnceLock::new()).collect();
    progress::run_units(plan, &names, |index, lane| {
        let folder = folder.join(format!("lane-{lane}"));
        if begun[lane].get().is_none() {
            let installation =
                copy_installation(&prepared, &folder, Some(&server), &format!("nodes_{lane}"))?;
            // Each lane is one thread, so no other thread has set it.
            let _ = begun[lane].set(installation);
        }
        let first = begun[lane].get().ok_or_else(|| Failure::new("a lane has no installation"))?;
        let installations: Vec<Installation> = (1..=nodes_of(index))
            .map(|number| {
                let data = folder.join(format!("node-{number}"));
                Installation { log: data.with_extension("serve.log"), data, ..first.clone() }
            })
            .collect();
        one_round(&installations)
    })
}

fn one_round(installations: &[Installation]) -> Result<UnitOutcome> {
    let history = History::default();
    let mut outcome = UnitOutcome::default();
    let after = inspect(&History::default(), &installations[0], Phase::Running, 0)?;
    let survivors: Vec<Server> =
        installations[1..].iter().map(|installation| installation.serve(&SETTINGS)).collect::<Result<_>>()?;
    let clients = survivors
        .iter()
        .map(|server| Ok(RecordingClient::new(&history, server.connect(&installations[0].user)?, TENANT)))
        .collect::<Result<Vec<_>>>()?;
    let mut rescued = false;
    for _ in 0..TRIES {
        rescued = kill_one(installations, &clients, &mut outcome)?;
        if rescued {
            break;
        }
    }
    wait_until_quiet(&history, &installations[0], after)?;
    outcome.faults.extend(rules::broken(&history.recorded()));
    survivors.into_iter().try_for_each(Server::stop)?;
    if rescued { Ok(outcome) } else { Err(Failure::new("the killed node never held a task")) }
}

/// Starts every report, kills the first node while it works, and waits for every task. Whether the dead node had held a
/// task.
fn kill_one(
    installations: &[Installation],
    clients: &[RecordingClient<'_>],
    outcome: &mut UnitOutcome,
) -> Result<bool> {
    let (url, _) = installations[0].postgres().ok_or_else(|| Failure::new("the nodes share no database"))?;
    let ask = |query: &str| postgres::ask(url, query);
    let mut victim = installations[0].spawn(&SETTINGS)?;
    victim.wait_ready()?;
    let mut tasks = Vec::new();
    for (index, report) in installations[0].reports().iter().enumerate() {
        // The same report at two nodes: one task.
        let at = [index, index + 1].map(|node| clients[node % clients.len()].start(report));
        let [Reply::Accepted(one), Reply::Accepted(_)] = &at else {
            return Err(Failure::new(format!("starts were answered with {at:?}")));
        };
        tasks.push(one.clone());
    }
    let begun = Instant::now();
    while ask("SELECT count(*) FROM tasks WHERE state = 'running'")? == "0" {
        if begun.elapsed() > Duration::from_secs(10) {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    victim.kill()?;
    outcome.add(KILLS, 1);
    let held = "SELECT coalesce(json_object_agg(id, epoch), '{}') FROM tasks WHERE state = 'running'";
    let killed = ask("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")?;
    let killed: i64 = killed.parse().context(|| "the database's time cannot be read".into())?;
    let held: BTreeMap<String, u64> =
        serde_json::from_str(&ask(held)?).context(|| "running tasks cannot be read".into())?;
    for (index, task) in tasks.iter().enumerate() {
        let client = &clients[index % clients.len()];
        let status = wait_ended(client, task)?;
        let served = client.download(task, true);
        if !(matches!(status.as_str(), "SUCCESS" | "WARNING") && matches!(served, Reply::File(_))) {
            return Err(Failure::new(format!("{task} is {status}, and its file {served:?}")));
        }
    }
    let mut rescued = false;
    for (task, epoch) in held {
        // An id is 32 hex digits that came from the database.
        let end = ask(&format!("SELECT json_build_array(epoch, completed) FROM tasks WHERE id = '{task}'"))?;
        let (last, completed): (u64, i64) =
            serde_json::from_str(&end).context(|| format!("the end of {task} cannot be read"))?;
        if last > epoch {
            rescued = true;
            outcome.times_ms.push(u64::try_from((completed - killed) / 1_000).unwrap_or_default());
        }
    }
    Ok(rescued)
}
