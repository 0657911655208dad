//! `muster upgrade`: whether this program can go on with a data directory, and what has to be done to its database.

use crate::cli::UpgradeArgs;
use crate::config::Settings;
use crate::data_dir::{DataDir, place_if_there};
use crate::failure::{Failure, Result};
use crate::output::{Output, json, print};
use muster_store::{Place, TablesState};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upgrade {
    program: &'static str,
    database: &'static str,
    /// The version of the tables as they were found.
    found: i64,
    /// The version that this program has.
    known: i64,
    steps: Vec<Step>,
    applied: bool,
}

#[derive(Serialize)]
struct Step {
    number: i64,
    name: String,
}

/// Does what `muster upgrade` says.
pub async fn run(args: &UpgradeArgs, settings: &Settings, output: Output) -> Result {
    let place = place_if_there(settings)?;
    let database = match &place {
        Place::Sqlite(_) => "SQLite",
        Place::Postgres(_) => "PostgreSQL",
    };
    let TablesState { version, known, steps } = TablesState::of(&place).await?;
    let steps: Vec<Step> = steps.into_iter().map(|(number, name)| Step { number, name }).collect();
    let waiting = steps.len();
    if !args.check {
        DataDir::open(settings).await?.store.close().await;
    }
    let upgrade = Upgrade {
        program: env!("CARGO_PKG_VERSION"),
        database,
        found: version,
        known,
        steps,
        applied: !args.check && waiting > 0,
    };
    match output {
        Output::Json => json(&upgrade)?,
        Output::Table => print(&text(&upgrade))?,
    }
    if args.check && waiting > 0 {
        return Err(Failure::warning(format!(
            "steps to be applied: {waiting}; take a backup (`muster backup take`), then `muster upgrade` or the start of the \
             service applies them"
        )));
    }
    Ok(())
}

fn text(upgrade: &Upgrade) -> String {
    let Upgrade { program, database, found, known, steps, applied } = upgrade;
    let state = match (steps.is_empty(), applied) {
        (true, _) => "there is nothing to do",
        (false, true) => "applied:",
        (false, false) => "to be applied:",
    };
    let head = format!("{database}: tables of version {found}; muster {program} has {known}; {state}");
    let steps = steps.iter().map(|step| format!("  {:>4}  {}", step.number, step.name));
    std::iter::once(head).chain(steps).collect::<Vec<_>>().join("\n")
}
