//! 64 clients at the same moment: equal starts get one task, and either a cancel or the finish wins, not both.
//!
//! Starts race on a service without workers, so no task can end in between and all ids must be equal. Cancels race on a
//! service with workers, at a moment between the start and somewhat after the usual end.

use crate::failure::{Failure, Result};
use crate::history::{History, Phase, RecordingClient, Reply};
use crate::inspection::inspect;
use crate::installation::{Installation, OTHER_TENANT, SETTINGS, TENANT};
use crate::progress::UnitOutcome;
use crate::random::Random;
use crate::rules;
use crate::server::Server;
use crate::waiting::{left_over_files, wait_ended, wait_until_quiet};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Clients in a race.
const CLIENTS: usize = 64;
/// How many of them cancel.
const CANCELLERS: usize = 8;
/// Races whose history is checked together.
const STRETCH: u64 = 50;

/// The count of races.
pub const RACES: &str = "races";
/// The count of races that a cancel won.
pub const CANCELLED: &str = "won by a cancel";
/// The count of races that the finish won.
pub const FINISHED: &str = "won by the finish";

/// Runs races of equal starts.
pub fn starts(installation: &Installation, races: u64, seed: u64) -> Result<UnitOutcome> {
    let mut settings = SETTINGS.to_vec();
    settings.push(("MUSTER__WORKER__COUNT", "0"));
    let server = installation.serve(&settings)?;
    let reports = installation.reports();
    let mut random = Random::new(seed);
    stretches(installation, &server, races, |client, _| {
        let index = random.index(reports.len());
        let barrier = Barrier::new(CLIENTS);
        let ids = thread::scope(|scope| {
            let racers: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    let (client, report, barrier) = (client.clone(), &reports[index], &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        client.start(report)
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer only calls")).collect::<Vec<_>>()
        });
        let Reply::Accepted(id) = &ids[0] else {
            return Err(Failure::new(format!("a start was answered with {:?}", ids[0])));
        };
        if let Some(other) = ids.iter().find(|other| **other != ids[0]) {
            return Err(Failure::new(format!("equal starts got {:?} and {other:?}", ids[0])));
        }
        let cancelled = client.cancel(id);
        if cancelled == Reply::Cancelled {
            return Ok(None);
        }
        Err(Failure::new(format!("cancelling {id} gave {cancelled:?}")))
    })
}

/// Runs races of cancels against the end of a run.
pub fn cancels(installation: &Installation, races: u64, seed: u64) -> Result<UnitOutcome> {
    let server = installation.serve(&SETTINGS)?;
    let reports = installation.reports();
    let mut random = Random::new(seed);
    // The moment at which both are equally likely to win: it moves later when a cancel has won, and sooner when the finish
    // has.
    let mut usual = Duration::from_millis(100);
    stretches(installation, &server, races, |client, stranger| {
        let index = random.index(reports.len());
        let begun = Instant::now();
        let Reply::Accepted(id) = client.start(&reports[index]) else {
            return Err(Failure::new("a start was not accepted"));
        };
        // Around the moment at which the last runs ended.
        let micros = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX);
        let delay = usual / 2 + Duration::from_micros(random.below(micros.max(1)));
        let barrier = Barrier::new(CLIENTS);
        let won = thread::scope(|scope| {
            let racers: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (client, id, barrier) = (client.clone(), &id, &barrier);
                    let stranger = stranger.cloned();
                    scope.spawn(move || {
                        barrier.wait();
                        thread::sleep(delay.saturating_sub(begun.elapsed()));
                        match (number, stranger) {
                            (0..CANCELLERS, _) => client.cancel(id) == Reply::Cancelled,
                            (CANCELLERS, Some(stranger)) => stranger.cancel(id) == Reply::Cancelled,
                            (number, _) if number % 2 == 0 => {
                                client.download(id, number % 4 == 0);
                                false
                            }
                            _ => {
                                client.poll(id);
                                false
                            }
                        }
                    })
                })
                .collect();
            // Waits for all of them, whichever won.
            let won: Vec<_> =
                racers.into_iter().map(|racer| racer.join().expect("a racer only calls")).collect();
            won.contains(&true)
        });
        let end = wait_ended(client, &id)?;
        client.download(&id, true);
        match (won, end.as_str()) {
            (true, "TERMINATED") => {
                usual = usual * 5 / 4;
                Ok(Some(true))
            }
            (false, "SUCCESS" | "WARNING") => {
                usual = usual * 4 / 5;
                Ok(Some(false))
            }
            _ => Err(Failure::new(format!("{id} is {end}, and a cancel was confirmed: {won}"))),
        }
    })
}

/// Runs races in stretches and checks the history of each.
fn stretches(
    installation: &Installation,
    server: &Server,
    races: u64,
    mut race: impl FnMut(&RecordingClient<'_>, Option<&RecordingClient<'_>>) -> Result<Option<bool>>,
) -> Result<UnitOutcome> {
    let api = server.connect(&installation.user)?;
    let foreign = server.connect(&installation.stranger).ok();
    let mut outcome = UnitOutcome::default();
    let mut after = inspect(&History::default(), installation, Phase::Running, 0)?;
    let mut done = 0;
    while done < races {
        let history = History::default();
        let client = RecordingClient::new(&history, api.clone(), TENANT);
        let stranger = foreign.clone().map(|api| RecordingClient::new(&history, api, OTHER_TENANT));
        for _ in 0..STRETCH.min(races - done) {
            done += 1;
            outcome.add(RACES, 1);
            match race(&client, stranger.as_ref()) {
                Ok(None) => {}
                Ok(Some(true)) => outcome.add(CANCELLED, 1),
                Ok(Some(false)) => outcome.add(FINISHED, 1),
                Err(failure) => outcome.faults.push(format!("race {done}: {failure}")),
            }
        }
        after = wait_until_quiet(&history, installation, after)?;
        let recorded = history.recorded();
        outcome.faults.extend(rules::broken(&recorded));
        outcome.faults.extend(left_over_files(installation, &recorded, after)?);
    }
    Ok(outcome)
}
