//! Attacks: what one client, an author of reports, a disk, or a forger of packages can do within the default limits. It must
//! not harm others, and no wrong result may be given as a success.

mod bits;
mod crowds;
mod packages;
mod readers;
mod sql;

use crate::failure::{Context, Result};
use crate::installation::{Installation, SETTINGS, muster_under};
use crate::progress::UnitOutcome;
use std::time::Duration;

/// An attack on a copy of an installation; the number is the seed of what is left to chance.
type Attack = fn(&Installation, u64) -> Result<()>;

/// The attacks, with their names.
pub const ATTACKS: [(&str, Attack); 9] = [
    ("many starts", |installation, _| crowds::many_starts(installation)),
    ("queries that take long to check", |installation, _| crowds::long_checks(installation)),
    ("idle connections", |installation, _| crowds::idle_connections(installation)),
    ("flipped bits of tables", bits::of_tables),
    ("refreshes over flipped bits", bits::before_refreshes),
    ("flipped bits of results", bits::of_results),
    ("SQL without an end", |installation, _| sql::without_an_end(installation)),
    ("slow readers of evidence", |installation, _| readers::slow(installation)),
    ("made-up packages", |installation, _| packages::made_up(installation)),
];

/// The count of attacks that did no harm.
pub const HARMLESS: &str = "attacks without harm";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the attack with this index in [`ATTACKS`].
pub fn run(installation: &Installation, index: usize, seed: u64) -> UnitOutcome {
    let (_, attack) = ATTACKS[index];
    let mut counted = UnitOutcome::default();
    match attack(installation, seed) {
        Ok(()) => counted.add(HARMLESS, 1),
        Err(failure) => counted.faults.push(failure.to_string()),
    }
    counted
}

/// Settings of a service that does not repeat a failed run, and whose runs do not lose their leases on a busy machine.
fn once() -> Vec<(&'static str, &'static str)> {
    let own = [("MUSTER__WORKER__ATTEMPTS_MAX", "1"), ("MUSTER__WORKER__LEASE_MS", "120000")];
    [&SETTINGS[..], &own].concat()
}

/// The status of a command, and what it prints to both streams. `under` is a program, with arguments, whose process becomes
/// the command.
fn said(installation: &Installation, under: &[&str], arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let under: Vec<_> = under.iter().map(|word| (*word).to_owned()).collect();
    let output = muster_under(&under, &installation.binary, &installation.data).args(arguments).output();
    let output = output.context(|| format!("muster {} cannot be run", arguments.join(" ")))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}
