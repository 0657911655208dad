//! `muster refresh`: reads every source, correlates, publishes.

use crate::cli::RefreshArgs;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::engine_wiring::EnginePorts;
use crate::failure::{Failure, Result};
use crate::output::{Output, count};
use crate::refresh::{RefreshReport, RefreshRequest};
use crate::snapshots::{self, Extent};
use muster_reports::audit::AuditOperation;
use muster_reports::error::error_chain;
use muster_reports::ports::{AuditTrail, Clock, Registry};

/// Does what `args` say.
pub async fn run(args: &RefreshArgs, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let engine = data.engine(data.catalogue()?)?;
    let report = refresh(&data, &engine, args).await?;
    report.print(output, args.verbose)?;
    data.store.close().await;
    report.verdict()
}

/// Refreshes what changed of everything that is registered, or all of it, under the lock of refreshing.
///
/// # Errors
/// When no source is registered, another process refreshes, or the refresh itself failed. A source that
/// could not be read is in the report.
pub async fn refresh(data: &DataDir, engine: &EnginePorts, args: &RefreshArgs) -> Result<RefreshReport> {
    let _lock = data.lock_refresh()?;
    let record = async |operation, details: &str| {
        data.store.record(&data.event(operation, "refresh", details.into())).await
    };
    let mut details = if args.full { "everything" } else { "what changed" }.to_owned();
    if !args.accept_missing.is_empty() {
        details.push_str(&format!("; accepting what was lost of {}", args.accept_missing.join(", ")));
    }
    if let Some(moment) = args.as_of {
        details.push_str(&format!("; as of {}", moment.to_rfc3339()));
    }
    record(AuditOperation::RefreshStarted, &details).await?;
    let report = refresh_recorded(data, engine, args).await;
    let failed = match &report {
        Ok(report) => report.verdict().err().map(|failure| error_chain(&failure)),
        Err(failure) => Some(error_chain(failure)),
    };
    if let Some(mut why) = failed {
        why.truncate(why.floor_char_boundary(REASON_MAX));
        // Where that fails too, what failed first is told.
        if let Err(error) = record(AuditOperation::RefreshFailed, &why).await {
            tracing::error!(error = error_chain(&error), "the end of the refresh cannot be recorded");
        }
    }
    report
}

/// Bytes of the reason of a failed refresh that the audit trail keeps.
const REASON_MAX: usize = 2_000;

async fn refresh_recorded(data: &DataDir, engine: &EnginePorts, args: &RefreshArgs) -> Result<RefreshReport> {
    let sources = data.store.sources(&data.tenant).await?;
    if sources.is_empty() {
        return Err(Failure::new("no source is registered: `muster source add FILE.toml` registers one"));
    }
    let request = RefreshRequest {
        tenant: data.tenant.clone(),
        links: data.store.links(&data.tenant).await?,
        sources,
        publish_incomplete: data.settings.refresh.publish_incomplete,
        full: args.full,
        rebuild: args.rebuild,
        rejected_max: args.rejected,
        accept_missing: args.accept_missing.clone(),
        as_of: args.as_of,
        published: data.event(AuditOperation::SnapshotPublished, "", String::new()),
    };
    let mut report = engine.refresher.refresh(request).await?;
    if report.snapshot.is_some() {
        report.notes.extend(expire(data, engine).await);
    }
    Ok(report)
}

/// Lets snapshots expire by policy; a failure is told and takes nothing from the refresh.
async fn expire(data: &DataDir, engine: &EnginePorts) -> Option<String> {
    let now = SystemClock.now();
    match snapshots::expire(data, engine.tables.as_ref(), now, Extent::ByPolicy).await {
        Ok(expiry) if expiry.expired.is_empty() && expiry.files == 0 => None,
        Ok(expiry) => Some(format!(
            "snapshots that expired: {}; {} files of {} bytes moved to the trash",
            count(expiry.expired.len() as u64),
            count(expiry.files),
            count(expiry.bytes)
        )),
        Err(failure) => Some(format!("snapshots could not be expired: {}", error_chain(&failure))),
    }
}
