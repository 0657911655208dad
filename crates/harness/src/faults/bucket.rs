//! Results in a bucket, while the store and the way to it are in trouble, and while the service is killed.
//!
//! Clients start, poll, cancel and fetch reports all the time. A proxy breaks one of a few requests to the store. Then the
//! trouble ends, and every task that was accepted must end with its file, whole in the bucket, with the digest of its record;
//! or it was cancelled. Nothing else may be left there: no file that no record names, and no upload that has not ended.

use super::outage::{ends_well, work};
use crate::api::Api;
use crate::bucket::proxy::{Proxy, Trouble};
use crate::bucket::{BucketFolder, Store};
use crate::copies::copy_installation;
use crate::failure::{Failure, Result};
use crate::history::{History, Phase, RecordingClient};
use crate::inspection::{inspect, unnamed_files};
use crate::installation::{Installation, SETTINGS, TENANT};
use crate::progress::UnitOutcome;
use crate::random::Random;
use crate::rules;
use crate::waiting::wait_until_quiet;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// One of so many requests to the store is in trouble.
const ONE_OF: u64 = 6;
/// Clients at the same time.
const CLIENTS: u64 = 3;
/// How long clients work in one unit with trouble.
const TROUBLED: Duration = Duration::from_secs(3);
/// The longest time between the start of the service and its kill, in milliseconds.
const LIFE_MAX_MS: u64 = 1_500;
/// Kills of one unit.
const KILLS_OF_UNIT: u64 = 4;

/// What happens in one unit.
const UNITS: [(&str, Trouble, bool); 9] = [
    ("SIGKILL", Trouble::None, true),
    ("503 with Retry-After", Trouble::SlowDown, false),
    ("no answer", Trouble::Silence, false),
    ("cut in the middle of an upload", Trouble::CutRequest, false),
    ("an answer that is lost", Trouble::LostAnswer, false),
    ("cut in the middle of a download", Trouble::CutAnswer, false),
    ("slow reads", Trouble::SlowAnswer, false),
    ("SIGKILL and cut uploads", Trouble::CutRequest, true),
    ("SIGKILL and lost answers", Trouble::LostAnswer, true),
];

/// The counts.
const HIT: &str = "requests in trouble";
const KILLS: &str = "kills";
const TASKS: &str = "tasks accepted";
const OBJECTS: &str = "objects compared";

/// A line that says what was done.
pub fn summary(all: &UnitOutcome) -> String {
    format!(
        "{} requests in trouble, {} kills; {} tasks accepted, {} objects compared",
        all.count(HIT),
        all.count(KILLS),
        all.count(TASKS),
        all.count(OBJECTS)
    )
}

/// Names of the units: `rounds` of each kind.
pub fn names(rounds: u64) -> Vec<String> {
    let of_round = |round| UNITS.map(move |(name, _, _)| format!("{name}, round {round}"));
    (1..=rounds).flat_map(of_round).collect()
}

/// Runs the unit with this index in the list of names, on a copy of an installation whose results are in a folder.
pub fn run(
    installation: &Installation,
    store: &Store,
    folder: &Path,
    index: usize,
    seed: u64,
) -> Result<UnitOutcome> {
    let (_, trouble, is_killed) = UNITS[index % UNITS.len()];
    let seed = seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
    let proxy = Proxy::start(store.port(), ONE_OF, seed)?;
    let mut copy = copy_installation(installation, folder, None, "")?;
    store.keeps(&mut copy, &format!("unit-{index}"), &proxy);
    let after = inspect(&History::default(), &copy, Phase::Dead, 0)?;
    let (history, mut random, mut outcome) = (History::default(), Random::new(seed), UnitOutcome::default());

    let mut tasks = BTreeSet::new();
    proxy.set(trouble);
    if is_killed {
        for _ in 0..KILLS_OF_UNIT {
            tasks.extend(killed(&copy, &history, &mut random)?);
            inspect(&history, &copy, Phase::Dead, after)?;
            outcome.add(KILLS, 1);
        }
    } else {
        let server = copy.serve(&SETTINGS)?;
        let api = server.connect(&copy.user)?;
        tasks.extend(with_clients(&api, &copy, &history, &mut random, || {
            thread::sleep(TROUBLED);
            Ok(())
        })?);
        proxy.set(Trouble::None);
        server.stop().unwrap_or_else(|failure| outcome.faults.push(failure.to_string()));
    }
    proxy.set(Trouble::None);
    let server = copy.serve(&SETTINGS)?;
    let client = RecordingClient::new(&history, server.connect(&copy.user)?, TENANT);
    for task in &tasks {
        ends_well(&client, task).unwrap_or_else(|failure| outcome.faults.push(failure.to_string()));
    }
    wait_until_quiet(&history, &copy, after)?;
    server.stop()?;
    // The start of another process sweeps what attempts have left that were killed.
    copy.serve(&SETTINGS)?.stop()?;
    let recorded = history.recorded();
    outcome.faults.extend(rules::broken(&recorded));
    outcome.faults.extend(unnamed_files(&copy, &recorded, after)?);
    let bucket = BucketFolder::of(&copy).ok_or_else(|| Failure::new("the results are in no bucket"))?;
    outcome
        .faults
        .extend(bucket.uploads()?.into_iter().map(|key| format!("the upload of {key} has not ended")));
    let settled = recorded.inspections.last().into_iter().flat_map(|inspection| &inspection.rows);
    let compared = settled.flat_map(|row| &row.files).filter(|file| file.found.is_some()).count();
    outcome.add(OBJECTS, compared as u64);
    outcome.add(TASKS, tasks.len() as u64);
    outcome.add(HIT, proxy.hit());
    if trouble != Trouble::None && !is_killed && proxy.hit() == 0 {
        outcome.faults.push("no request was in trouble".into());
    }
    Ok(outcome)
}

/// Clients work on a service until it is killed; the tasks that were accepted.
fn killed(copy: &Installation, history: &History, random: &mut Random) -> Result<Vec<String>> {
    let server = copy.serve(&SETTINGS)?;
    let life = Duration::from_millis(random.below(LIFE_MAX_MS));
    let api = server.connect(&copy.user)?;
    with_clients(&api, copy, history, random, || {
        thread::sleep(life);
        server.kill()
    })
}

/// Clients work on a service while something is done; the tasks that were accepted.
fn with_clients(
    api: &Api,
    copy: &Installation,
    history: &History,
    random: &mut Random,
    done: impl FnOnce() -> Result<()>,
) -> Result<Vec<String>> {
    let client = RecordingClient::new(history, api.clone(), TENANT);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut at_work = Vec::new();
        for _ in 0..CLIENTS {
            let (random, client, over) = (Random::new(random.number()), &client, &over);
            at_work.push(scope.spawn(move || work(client, copy, random, over)));
        }
        let done = done();
        // Also if something failed: otherwise the clients would never stop.
        over.store(true, Ordering::SeqCst);
        let mut tasks = Vec::new();
        for client in at_work {
            tasks.extend(client.join().expect("a client only calls").0);
        }
        done.map(|()| tasks)
    })
}
