//! `muster status`: how an installation is: its snapshot, sources, tasks, disks, and what waits to be passed on.

use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::{Output, count, json, number, print, table, text};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_reports::notification::DeliveryState;
use muster_reports::ports::{
    AuditTrail, Clock, NotificationStore, Registry, ScheduleStore, SnapshotCatalogue,
};
use muster_reports::snapshot::SnapshotManifest;
use muster_runs::free_bytes;
use serde::Serialize;
use std::path::PathBuf;

/// Notifications that are looked at.
const NOTIFICATIONS_MAX: u32 = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: &'static str,
    data: PathBuf,
    database: &'static str,
    snapshot: Option<Snapshot>,
    sources: Vec<Source>,
    tasks: Vec<Tasks>,
    schedules: usize,
    schedules_paused: usize,
    notifications_waiting: usize,
    notifications_failed: usize,
    /// Events that wait to be passed on to Kafka; null where they are not.
    audit_backlog: Option<u64>,
    disks: Vec<Disk>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    id: String,
    created: DateTime<Utc>,
    age_s: i64,
    identities: u64,
    accounts: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    /// When the newest snapshot's read of it ended; null if there was none.
    read: Option<DateTime<Utc>>,
    age_s: Option<i64>,
    accounts: Option<u64>,
    refused: Option<u64>,
    complete: Option<bool>,
}

#[derive(Serialize)]
struct Tasks {
    report: String,
    state: String,
    count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Disk {
    folder: &'static str,
    path: PathBuf,
    free_bytes: u64,
}

/// Looks at everything, and prints it.
pub async fn run(settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let status = status(&data, SystemClock.now()).await?;
    data.store.close().await;
    match output {
        Output::Json => json(&status),
        Output::Table => print(&shown(&status)),
    }
}

async fn status(data: &DataDir, now: DateTime<Utc>) -> Result<Status> {
    let newest = data.store.newest(&data.tenant).await?;
    let registered = data.store.sources(&data.tenant).await?;
    let sources = registered.into_iter().map(|source| {
        let run = newest.as_ref().and_then(|snapshot| snapshot.source(source.id.as_str()));
        Source {
            name: source.name,
            read: run.map(|run| run.ended),
            age_s: run.map(|run| seconds(now - run.ended)),
            accounts: run.map(|run| run.loaded),
            refused: run.map(|run| run.rejected),
            complete: run.map(|run| run.complete),
        }
    });
    let sources = sources.collect();
    let tasks = data.store.live_tasks().await?.into_iter();
    let tasks = tasks.map(|(report, state, count)| Tasks { report, state, count }).collect();
    let schedules = data.store.schedules(&data.tenant).await?;
    let notifications = data.store.notifications(&data.tenant, None, NOTIFICATIONS_MAX).await?;
    let in_state = |state| notifications.iter().filter(|kept| kept.state == state).count();
    let audit_backlog = match data.settings.audit.kafka.0.is_empty() {
        true => None,
        false => Some(data.store.backlog(&data.tenant).await?),
    };
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        data: data.dir().to_owned(),
        database: if data.settings.store.url.is_some() { "PostgreSQL" } else { "SQLite" },
        snapshot: newest.as_deref().map(|newest| snapshot(newest, now)),
        sources,
        tasks,
        schedules: schedules.len(),
        schedules_paused: schedules.iter().filter(|schedule| schedule.paused).count(),
        notifications_waiting: in_state(DeliveryState::Waiting),
        notifications_failed: in_state(DeliveryState::Failed),
        audit_backlog,
        disks: disks(data)?,
    })
}

fn snapshot(newest: &SnapshotManifest, now: DateTime<Utc>) -> Snapshot {
    let rows = |table: &str| newest.rows.get(table).copied().unwrap_or(0);
    Snapshot {
        id: newest.id.to_string(),
        created: newest.created,
        age_s: seconds(now - newest.created),
        identities: rows("identities"),
        accounts: rows("accounts"),
    }
}

fn disks(data: &DataDir) -> Result<Vec<Disk>> {
    let mut folders = vec![("data", data.dir().to_owned()), ("work", data.work_dir()?)];
    if data.shared_dir() != data.dir() {
        folders.push(("shared", data.shared_dir().to_owned()));
    }
    let disk =
        |(folder, path): (&'static str, PathBuf)| Ok(Disk { folder, free_bytes: free_bytes(&path)?, path });
    folders.into_iter().map(disk).collect()
}

fn seconds(age: TimeDelta) -> i64 {
    age.num_seconds().max(0)
}

/// `3 days`, of the largest unit that is at least two.
pub fn ago(seconds: i64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let unit = units.into_iter().find(|(length, _)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds} seconds"), |(length, name)| format!("{} {name}", seconds / length))
}

/// `1.5 GiB`, of the largest unit that is at least one.
pub fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(bits, _)| bytes >> bits > 0);
    match unit {
        Some((bits, name)) => {
            let tenths = (u128::from(bytes) * 10) >> bits;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

fn when(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn shown(status: &Status) -> String {
    let mut lines =
        vec![format!("muster {}, {} in {}", status.version, status.database, status.data.display())];
    lines.push(match &status.snapshot {
        None => "snapshot: none; `muster refresh` makes one".to_owned(),
        Some(snapshot) => format!(
            "snapshot: {} of {}, {} ago: {} identities, {} accounts",
            snapshot.id,
            when(snapshot.created),
            ago(snapshot.age_s),
            count(snapshot.identities),
            count(snapshot.accounts)
        ),
    });
    let tasks: Vec<_> = status
        .tasks
        .iter()
        .map(|tasks| format!("{} {} {}", count(tasks.count), tasks.report, tasks.state))
        .collect();
    lines.push(format!(
        "tasks: {}",
        if tasks.is_empty() { "none waits or runs".into() } else { tasks.join(", ") }
    ));
    lines.push(format!(
        "schedules: {}, of which {} are paused; notifications: {} wait, {} were given up",
        status.schedules, status.schedules_paused, status.notifications_waiting, status.notifications_failed
    ));
    if let Some(backlog) = status.audit_backlog {
        lines.push(format!("audit events that wait for Kafka: {}", count(backlog)));
    }
    for disk in &status.disks {
        lines.push(format!("free for {}: {} ({})", disk.folder, size(disk.free_bytes), disk.path.display()));
    }
    if status.sources.is_empty() {
        lines.push(
            "sources: none; `muster source init` writes a definition, `muster source add` registers it"
                .into(),
        );
        return lines.join("\n");
    }
    let columns = [text("source"), text("read"), number("accounts"), number("refused"), text("complete")];
    let rows = status.sources.iter().map(|source| {
        vec![
            source.name.clone(),
            source.age_s.map_or_else(|| "never".into(), |age| format!("{} ago", ago(age))),
            source.accounts.map_or_else(String::new, count),
            source.refused.map_or_else(String::new, count),
            source.complete.map_or("", |complete| if complete { "yes" } else { "no" }).into(),
        ]
    });
    format!("{}\n\n{}", lines.join("\n"), table(&columns, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_told_in_a_unit_that_fits() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(ago(seconds), text);
        }
        for (bytes, text) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_024, "1.0 KiB"),
            (1_610_612_736, "1.5 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
