//! `muster refresh`: reads every source, correlates, publishes.

use crate::cli::RefreshArgs;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::engine_wiring::EnginePorts;
use crate::failure::{Failure, Result};
use crate::house::House;
use crate::output::{Output, count};
use crate::refresh::{RefreshReport, RefreshRequest};
use crate::snapshots;
use muster_reports::error::error_chain;
use muster_reports::ports::{Clock, Registry};

/// Does what `args` say.
pub async fn run(args: &RefreshArgs, settings: &Settings, output: Output) -> Result {
    let house = House::open(settings).await?;
    let engine = house.engine(house.catalogue()?)?;
    let report = refresh(&house, &engine, args.full, args.rebuild, args.rejected).await?;
    report.print(output)?;
    house.store.close().await;
    report.verdict()
}

/// Refreshes what changed of everything that is registered, with `full` all of it, with `rebuild` also what
/// is damaged and cannot be made again as it was, under the lock of refreshing.
///
/// # Errors
/// When no source is registered, another process refreshes, or the refresh itself failed. A source that
/// could not be read is in the report.
pub async fn refresh(
    house: &House,
    engine: &EnginePorts,
    full: bool,
    rebuild: bool,
    rejected_max: usize,
) -> Result<RefreshReport> {
    let _lock = house.lock_refresh()?;
    let sources = house.store.sources(&house.tenant).await?;
    if sources.is_empty() {
        return Err(Failure::new("no source is registered: `muster source add FILE.toml` registers one"));
    }
    let request = RefreshRequest {
        tenant: house.tenant.clone(),
        links: house.store.links(&house.tenant).await?,
        sources,
        publish_incomplete: house.settings.refresh.publish_incomplete,
        full,
        rebuild,
        rejected_max,
    };
    let mut report = engine.refresher.refresh(request).await?;
    if report.snapshot.is_some() {
        report.notes.extend(expire(house, engine).await);
    }
    Ok(report)
}

/// Lets snapshots expire by policy; a failure is told and takes nothing from the refresh.
async fn expire(house: &House, engine: &EnginePorts) -> Option<String> {
    let now = SystemClock.now();
    match snapshots::expire(house, engine.tables.as_ref(), now, false).await {
        Ok(expiry) if expiry.expired.is_empty() && expiry.files == 0 => None,
        Ok(expiry) => Some(format!(
            "snapshots that expired: {}; {} files of {} bytes removed",
            count(expiry.expired.len() as u64),
            count(expiry.files),
            count(expiry.bytes)
        )),
        Err(failure) => Some(format!("snapshots could not be expired: {}", error_chain(&failure))),
    }
}
