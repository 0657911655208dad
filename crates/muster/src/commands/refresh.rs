//! `muster refresh`: reads every source, correlates, publishes.

pub mod shown;

use crate::cli::RefreshArgs;
use crate::clock::SystemClock;
use crate::commands::snapshot::compare::{described, differences};
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{ExitStatus, Failure, Result};
use crate::output::{Output, json, print};
use crate::progress_bar::Bar;
use muster_reports::nearest;
use muster_reports::ports::{Clock, RefreshLog, RegisteredSource, Registry};
use muster_runs::{RefreshOptions, RefreshPlan, RefreshReport};
use std::time::Duration;

/// How often a terminal shows how far a refresh is.
const LOOK: Duration = Duration::from_secs(1);

/// Does what `args` say.
pub async fn run(args: &RefreshArgs, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    if !args.accept_missing.is_empty() {
        let sources = data.store.sources(&data.tenant).await?;
        for named in &args.accept_missing {
            nearest::source(named, &sources, RegisteredSource::id_and_name).map_err(Failure::not_found)?;
        }
    }
    let options = RefreshOptions {
        full: args.full,
        rebuild: args.rebuild,
        accept_missing: args.accept_missing.clone(),
        accept_losses: args.accept_losses,
        as_of: args.as_of,
        snapshot: None,
    };
    if args.plan {
        return plan(args, &options, &data, output).await;
    }
    let refreshes = data.refreshes(data.engine()?)?;
    let report = watched(&data, Box::pin(refreshes.refresh(&options))).await?;
    shown::print_report(&report, args.rejected, output, args.verbose)?;
    data.store.close().await;
    verdict(&report)
}

/// How the command ends: a refresh that would lose too much has a status of its own.
fn verdict(report: &RefreshReport) -> Result {
    report.verdict().map_err(|error| match report.loses_too_much() {
        true => Failure::of(ExitStatus::LosesTooMuch, error.message),
        false => error.into(),
    })
}

/// Waits for a refresh, and shows on a terminal how many of its parts are done: its sources, and the steps after them.
async fn watched<T>(data: &DataDir, refresh: impl Future<Output = T>) -> T {
    let bar = Bar::of_parts("refresh");
    if !bar.is_shown() {
        return refresh.await;
    }
    let begun = SystemClock.now();
    let mut refresh = std::pin::pin!(refresh);
    loop {
        tokio::select! {
            ended = &mut refresh => return ended,
            () = tokio::time::sleep(LOOK) => {
                let now = SystemClock.now();
                // It is shown if it can be: the refresh itself says what goes wrong.
                let listed = data.store.refreshes(&data.tenant, begun, now).await.unwrap_or_default();
                if let Some(running) = listed.iter().find(|refresh| refresh.ended.is_none()) {
                    bar.show(Some(running.progress.rows), running.progress.rows_expected);
                }
            }
        }
    }
}

/// Prints what a refresh would do. A first refresh has nothing to compare with.
async fn plan(args: &RefreshArgs, options: &RefreshOptions, data: &DataDir, output: Output) -> Result {
    let engine = data.engine()?;
    let RefreshPlan { mut report, last } = data.refreshes(engine.clone())?.plan(options).await?;
    let verdict = verdict(&report);
    // What is printed must not say that it was published.
    let planned = report.outcome.manifest.take();
    let compared = match (&last, &planned) {
        (Some(last), Some(planned)) => {
            Some((&last.id, differences(&engine, last, planned, args.to.as_deref()).await?))
        }
        (None, _) | (_, None) => None,
    };
    match output {
        Output::Json => {
            let file = args.to.as_ref().filter(|_| compared.is_some());
            json(&serde_json::json!({
                "refresh": report.summary(args.rejected),
                "against": compared.as_ref().map(|(id, _)| id),
                "differences": compared.as_ref().map(|(_, counted)| counted),
                "file": file.map(|path| path.display().to_string()),
            }))?;
        }
        Output::Table => {
            shown::print_report(&report, args.rejected, output, args.verbose)?;
            match &compared {
                Some((id, counted)) => print(&format!("\nagainst snapshot {id}:\n{}", described(counted)))?,
                None => print("\nno snapshot to compare with")?,
            }
        }
    }
    data.store.close().await;
    verdict
}
