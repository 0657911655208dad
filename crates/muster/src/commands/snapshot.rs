//! `muster snapshot`: published snapshots, from the list of them to their end.

pub mod compare;

use crate::cli::SnapshotCommand;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::{Output, count, json, number, print, table, text};
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditOperation;
use muster_reports::ports::{AuditTrail, Clock, SnapshotCatalogue};
use muster_reports::retention::{CataloguedSnapshot, Pin};
use muster_runs::ExpiryExtent;
use serde::Serialize;
use serde_json::json;

/// Most snapshots of a list.
const LISTED_MAX: u32 = 1_000;

#[derive(Serialize)]
struct Listed {
    id: String,
    created: String,
    sources: usize,
    identities: u64,
    accounts: u64,
    complete: bool,
    pin: Option<Pin>,
    expired: Option<String>,
}

/// Does what `command` says.
pub async fn run(command: &SnapshotCommand, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    match command {
        SnapshotCommand::List => list(&data, output).await,
        SnapshotCommand::Show { snapshot } => show(&data.snapshot(snapshot).await?, output),
        SnapshotCommand::Pin { snapshot, reason, by } => {
            let found = data.snapshot(snapshot).await?;
            let pin = Pin { by: by.clone(), reason: reason.clone(), at: SystemClock.now() };
            record(&data, &found, format!("snapshot pinned by {}: {}", pin.by, pin.reason)).await?;
            data.store.pin(&data.tenant, &found.manifest.id, Some(&pin)).await?;
            print(&format!("snapshot {} is pinned by {}: {}", found.manifest.id, pin.by, pin.reason))
        }
        SnapshotCommand::Unpin { snapshot } => {
            let found = data.snapshot(snapshot).await?;
            record(&data, &found, "snapshot no longer pinned".into()).await?;
            data.store.pin(&data.tenant, &found.manifest.id, None).await?;
            print(&format!("snapshot {} is no longer pinned", found.manifest.id))
        }
        SnapshotCommand::Expire { dry_run, all } => {
            let extent = match (dry_run, all) {
                (true, _) => ExpiryExtent::DryRun,
                (false, true) => ExpiryExtent::All,
                (false, false) => ExpiryExtent::ByPolicy,
            };
            expire(&data, extent, output).await
        }
        SnapshotCommand::Compare { old, new, to } => {
            compare::run(&data, old, new, to.as_deref(), output).await
        }
    }
}

/// Called before the action. An action without an event is worse than an event without an action.
async fn record(data: &DataDir, snapshot: &CataloguedSnapshot, details: String) -> Result {
    let about = snapshot.manifest.id.to_string();
    Ok(data.store.record(&data.event(AuditOperation::ConfigurationChanged, &about, details)).await?)
}

fn when(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn listed(snapshot: &CataloguedSnapshot) -> Listed {
    let manifest = &snapshot.manifest;
    let rows = |table: &str| manifest.rows.get(table).copied().unwrap_or(0);
    Listed {
        id: manifest.id.to_string(),
        created: when(manifest.created),
        sources: manifest.sources.len(),
        identities: rows("identities"),
        accounts: rows("accounts"),
        complete: manifest.sources.iter().all(|source| source.complete),
        pin: snapshot.pin.clone(),
        expired: snapshot.expired.map(when),
    }
}

async fn list(data: &DataDir, output: Output) -> Result {
    let snapshots = data.store.catalogued(&data.tenant, None, LISTED_MAX).await?;
    let listed: Vec<_> = snapshots.iter().map(listed).collect();
    let columns = [
        text("id"),
        text("created"),
        number("sources"),
        number("identities"),
        number("accounts"),
        text("complete"),
        text("kept"),
    ];
    output.list(&listed, &columns, |snapshot| {
        vec![
            snapshot.id.clone(),
            snapshot.created.clone(),
            count(snapshot.sources as u64),
            count(snapshot.identities),
            count(snapshot.accounts),
            if snapshot.complete { "yes" } else { "no" }.into(),
            match (&snapshot.expired, &snapshot.pin) {
                (Some(_), _) => "expired".into(),
                (None, Some(pin)) => format!("pinned: {}", pin.reason),
                (None, None) => "by policy".into(),
            },
        ]
    })
}

fn show(snapshot: &CataloguedSnapshot, output: Output) -> Result {
    let manifest = &snapshot.manifest;
    if output == Output::Json {
        return json(&json!({
            "snapshot": &**manifest, "pin": snapshot.pin, "expired": snapshot.expired.map(when),
        }));
    }
    let mut lines = vec![format!("snapshot {} of {}", manifest.id, when(manifest.created))];
    if let Some(at) = snapshot.expired {
        lines.push(format!("expired at {}: its data is not kept any more", when(at)));
    }
    if let Some(pin) = &snapshot.pin {
        lines.push(format!("pinned by {} at {}: {}", pin.by, when(pin.at), pin.reason));
    }
    let columns = [text("source"), text("kind"), text("read at"), number("accounts"), text("complete")];
    let sources = manifest.sources.iter().map(|source| {
        let complete = if source.complete { "yes" } else { "no" };
        vec![
            source.name.clone(),
            source.kind.clone(),
            when(source.ended),
            count(source.loaded),
            complete.into(),
        ]
    });
    lines.push(format!("\n{}\n", table(&columns, sources)));
    let columns = [text("table"), number("version"), number("rows")];
    let tables = manifest.versions.iter().map(|(name, version)| {
        let rows = manifest.rows.get(name).copied().unwrap_or(0);
        vec![name.clone(), version.to_string(), count(rows)]
    });
    lines.push(table(&columns, tables));
    print(&lines.join("\n"))
}

async fn expire(data: &DataDir, extent: ExpiryExtent, output: Output) -> Result {
    let snapshots = data.snapshots(data.engine()?)?;
    let expiry = snapshots.expire(&snapshots.lock()?, extent).await?;
    let dry_run = extent == ExpiryExtent::DryRun;
    if output == Output::Json {
        return json(&expiry);
    }
    let mut lines: Vec<_> = expiry.expired.iter().map(ToString::to_string).collect();
    lines.push(format!(
        "snapshots that {}: {}; {} files of {} bytes {}",
        if dry_run { "would expire" } else { "expired" },
        count(expiry.expired.len() as u64),
        count(expiry.files),
        count(expiry.bytes),
        if dry_run { "would go to the trash" } else { "moved to the trash" },
    ));
    print(&lines.join("\n"))
}
