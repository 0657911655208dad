//! Two and three nodes on one PostgreSQL database, one of them killed while it works.
//!
//! Leases and heartbeats are as by default, because the time until another node has finished what the dead one
//! held is what is measured. What the dead one held shows by its end: another node ends it under a higher epoch.

use super::database;
use super::history::{Client, History, Reply, When};
use super::postgres::Postgres;
use super::rules;
use super::settling::wait_ended;
use crate::failure::{Context, Failure, Result};
use crate::server::{House, Server, TENANT, muster};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// People in the organisation: enough that a run can be killed in its middle.
const IDENTITIES: u64 = 3_000;
/// From the kill to the end of what was rescued, at most.
const RESCUE_MAX: Duration = Duration::from_secs(45);
/// Times that a round is tried until the killed node held something.
const TRIES: u32 = 10;
/// No rate limit, because clients here do not rest.
const SETTINGS: [(&str, &str); 3] = [
    ("MUSTER__RATE_LIMIT__REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TENANT_REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TOKEN_REQUESTS", "1000000"),
];

/// What came out.
#[derive(Debug, Default)]
pub struct Counts {
    /// Nodes that were killed.
    pub kills: u64,
    /// Times from a kill to the end of a task that the dead node had held.
    pub rescues: Vec<Duration>,
    /// What was wrong.
    pub faults: Vec<String>,
}

impl Counts {
    /// The time that 99 of 100 rescues took at most.
    fn p99(&self) -> Duration {
        let mut sorted = self.rescues.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rescued, p99) = (self.rescues.len(), self.p99().as_secs_f64());
        write!(formatter, "{} nodes killed, {rescued} tasks rescued, p99 of rescue {p99:.1} s", self.kills)
    }
}

/// Why the binary takes no `store.url`; `None` if it does.
pub fn refusal(binary: &Path, folder: &Path) -> Result<Option<String>> {
    let mut ask = muster(binary, &folder.join("data"));
    ask.args(["config", "show"]).env("MUSTER__STORE__URL", "postgres://127.0.0.1:1/none");
    let answer = ask.output().context(|| format!("{} cannot be run", binary.display()))?;
    let said = String::from_utf8_lossy(&answer.stderr);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((!answer.status.success()).then(|| format!("the binary refuses `store.url`: {words}")))
}

/// So many rounds with two nodes, and as many with three.
pub fn run(binary: &Path, folder: &Path, rounds: u64) -> Result<Counts> {
    let postgres = Postgres::start()?;
    let shared = folder.join("shared");
    let settings = vec![
        ("MUSTER__STORE__URL".to_owned(), postgres.url.clone()),
        ("MUSTER__DATA__SHARED".to_owned(), shared.display().to_string()),
    ];
    let first = House::with_demo_and(binary, &folder.join("node-1"), IDENTITIES, settings)?;
    let mut counts = Counts::default();
    for nodes in [2, 3] {
        let houses: Vec<House> = (1..=nodes)
            .map(|number| {
                let data = folder.join(format!("node-{number}"));
                House { log: data.with_extension("serve.log"), data, ..first.clone() }
            })
            .collect();
        for round in 1..=rounds {
            if let Err(failure) = one_round(&postgres, &shared, &houses, &mut counts) {
                counts.faults.push(format!("{nodes} nodes, round {round}: {failure}"));
            }
        }
    }
    if counts.p99() > RESCUE_MAX {
        counts.faults.push(format!("p99 of rescue is {:?}: at most {RESCUE_MAX:?}", counts.p99()));
    }
    Ok(counts)
}

fn one_round(postgres: &Postgres, shared: &Path, houses: &[House], counts: &mut Counts) -> Result<()> {
    let history = History::default();
    let after = database::look_postgres(&History::default(), &postgres.url, shared, When::Running, 0)?;
    let survivors: Vec<Server> =
        houses[1..].iter().map(|house| house.serve(&SETTINGS)).collect::<Result<_>>()?;
    let clients = survivors
        .iter()
        .map(|server| Ok(Client::new(&history, server.connect(&houses[0].user)?, TENANT)))
        .collect::<Result<Vec<_>>>()?;
    let mut rescued = false;
    for _ in 0..TRIES {
        rescued = kill_one(postgres, houses, &clients, counts)?;
        if rescued {
            break;
        }
    }
    database::look_postgres(&history, &postgres.url, shared, When::Settled, after)?;
    counts.faults.extend(rules::broken(&history.kept()));
    survivors.into_iter().try_for_each(Server::stop)?;
    if rescued { Ok(()) } else { Err(Failure::new("the killed node never held a task")) }
}

/// Starts everything at every node, kills the first node in the middle, waits for everything, and tells
/// whether the dead node had held something.
fn kill_one(
    postgres: &Postgres,
    houses: &[House],
    clients: &[Client<'_>],
    counts: &mut Counts,
) -> Result<bool> {
    let mut victim = houses[0].spawn(&SETTINGS)?;
    victim.wait_ready()?;
    let mut tasks = Vec::new();
    for (index, report) in houses[0].reports().iter().enumerate() {
        // The same report at two nodes: one task.
        let at = [index, index + 1].map(|node| clients[node % clients.len()].start(report));
        let [Reply::Accepted(one), Reply::Accepted(_)] = &at else {
            return Err(Failure::new(format!("starts were answered with {at:?}")));
        };
        tasks.push(one.clone());
    }
    let begun = Instant::now();
    while postgres.ask("SELECT count(*) FROM tasks WHERE state = 'running'")? == "0" {
        if begun.elapsed() > Duration::from_secs(10) {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    victim.kill()?;
    counts.kills += 1;
    let held = "SELECT coalesce(json_object_agg(id, epoch), '{}') FROM tasks WHERE state = 'running'";
    let killed = postgres.ask("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")?;
    let killed: i64 = killed.parse().context(|| "the database's time cannot be read".into())?;
    let held: BTreeMap<String, u64> =
        serde_json::from_str(&postgres.ask(held)?).context(|| "running tasks cannot be read".into())?;
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
        let end = postgres
            .ask(&format!("SELECT json_build_array(epoch, completed) FROM tasks WHERE id = '{task}'"))?;
        let (last, completed): (u64, i64) =
            serde_json::from_str(&end).context(|| format!("the end of {task} cannot be read"))?;
        if last > epoch {
            rescued = true;
            let micros = u64::try_from(completed - killed).unwrap_or_default();
            counts.rescues.push(Duration::from_micros(micros));
        }
    }
    Ok(rescued)
}
