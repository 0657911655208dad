//! `muster doctor`: looks at an installation, and says what is wrong and what to do.
//!
//! It changes nothing but what every command does that opens the data directory. One check that cannot be made does not keep
//! the others from being made.

mod finding;

use crate::cli::DoctorArgs;
use crate::clock::SystemClock;
use crate::commands::status::{ago, size};
use crate::config::{Effective, Settings};
use crate::data_dir::{DataDir, KEYS};
use crate::failure::Result;
use crate::ids::SystemIds;
use crate::issuers;
use crate::output::{Output, count, json, print};
use chrono::{DateTime, Utc};
use finding::{Finding, certificate, file_mode};
use muster_reports::error::error_chain;
use muster_reports::notification::DeliveryState;
use muster_reports::ports::{
    AuditTrail, Clock, Ids, NotificationStore, Readiness, Registry, RelayLog, SnapshotCatalogue,
};
use muster_reports::snapshot::SnapshotManifest;
use muster_runs::{BucketCheck, ServiceReadiness, free_bytes};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A disk with less room than this will be full soon.
const ROOM_WARNED: u64 = 1 << 30;
/// A certificate that ends in fewer days is to be renewed.
const DAYS_LEFT: i64 = 21;
/// How long a connection to this machine may take.
const CONNECT: Duration = Duration::from_millis(500);
/// Notifications that are looked at.
const NOTIFICATIONS_MAX: u32 = 1_000;

/// Makes all checks, and prints what was found.
///
/// # Errors When something is wrong; with `--strict` also when something is to be looked at.
pub async fn run(args: &DoctorArgs, effective: &Effective, output: Output) -> Result {
    let settings = &effective.settings;
    let now = SystemClock.now();
    let mut findings = vec![settings_found(effective)];
    findings.extend(folders(settings));
    findings.extend(tls(settings, now));
    findings.extend(issuers_found(settings).await);
    match DataDir::open_if_there(settings).await {
        Ok(Some(data)) => {
            findings.extend(installation(&data, now).await);
            data.store.close().await;
        }
        Ok(None) => findings.push(Finding::wrong(
            "database",
            format!("{} is not a data directory", settings.data.dir.display()),
            "`muster source add` or `muster serve --init` makes one; --data DIR names another",
        )),
        Err(failure) => {
            findings.push(Finding::wrong("database", error_chain(&failure), "see docs/reliability.md"))
        }
    }
    findings.push(service(settings.server.listen));
    match output {
        Output::Json => json(&findings)?,
        Output::Table => print(&finding::text(&findings))?,
    }
    finding::verdict(&findings, args.strict)
}

fn settings_found(effective: &Effective) -> Finding {
    let rows = effective.rows();
    let changed = rows.iter().filter(|row| row.origin != "default").count();
    Finding::fine(
        "settings",
        format!("{} of {} are not the defaults; `muster config show` shows them", changed, rows.len()),
    )
}

fn folders(settings: &Settings) -> Vec<Finding> {
    let data = &settings.data;
    let folders = [("data directory", Some(&data.dir)), ("shared folder", data.shared.as_ref())];
    let mut found = Vec::new();
    for (name, folder) in folders.into_iter().filter_map(|(name, folder)| Some((name, folder?))) {
        if !folder.exists() {
            continue;
        }
        found.push(file_mode(name, folder, 0o077, "700"));
        found.push(match free_bytes(folder) {
            Ok(bytes) if bytes < ROOM_WARNED => Finding::warning(
                "space",
                format!("{} has {} left", folder.display(), size(bytes)),
                "`muster report expire` and `muster snapshot expire` remove what the settings let go, or give it a larger disk",
            ),
            Ok(bytes) => Finding::fine("space", format!("{} has {} left", folder.display(), size(bytes))),
            Err(error) => Finding::wrong("space", error_chain(&error), "mount the disk, or correct data.dir"),
        });
        let keys = folder.join(KEYS);
        let files = std::fs::read_dir(&keys).into_iter().flatten().filter_map(|file| file.ok());
        let open: Vec<_> = files
            .map(|file| file_mode("keys", &file.path(), 0o077, "600"))
            .filter(|finding| !finding.is_fine())
            .collect();
        if open.is_empty() && keys.is_dir() {
            found.push(Finding::fine("keys", format!("only the owner reads {}", keys.display())));
        }
        found.extend(open);
    }
    found
}

fn tls(settings: &Settings, now: DateTime<Utc>) -> Option<Finding> {
    let path = settings.data.dir.join(settings.server.tls_certificate.as_ref()?);
    Some(match std::fs::read(&path) {
        Ok(pem) => certificate(&path, &pem, now, DAYS_LEFT),
        Err(error) => Finding::wrong(
            "certificate",
            format!("{} cannot be read: {error}", path.display()),
            "correct server.tls_certificate, or let the service's user read the file",
        ),
    })
}

async fn issuers_found(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    for issuer in &settings.auth.issuers {
        let keys = match issuers::keys(issuer, &settings.data.dir) {
            Ok(keys) => keys.fetch().await.map_err(|error| error.to_string()),
            Err(failure) => Err(error_chain(&failure)),
        };
        found.push(match keys {
            Ok(bytes) => match serde_json::from_slice::<serde_json::Value>(&bytes) {
                Ok(set) if set["keys"].as_array().is_some_and(|keys| !keys.is_empty()) => Finding::fine(
                    "issuers",
                    format!("{:?} has {} keys", issuer.name, set["keys"].as_array().map_or(0, Vec::len)),
                ),
                Ok(_) | Err(_) => Finding::wrong(
                    "issuers",
                    format!("{:?} gives no set of keys (JWKS)", issuer.name),
                    "correct its jwks_url or jwks_file",
                ),
            },
            Err(why) => Finding::wrong(
                "issuers",
                format!("the keys of {:?} cannot be had: {why}", issuer.name),
                "its tokens are refused until they can: correct its jwks_url, or let this machine reach it",
            ),
        });
    }
    found
}

async fn installation(data: &DataDir, now: DateTime<Utc>) -> Vec<Finding> {
    let database = if data.settings.store.url.is_some() { "PostgreSQL" } else { "SQLite" };
    let mut found = vec![Finding::fine("database", format!("{database} answers"))];
    found.push(ready(data).await);
    found.extend(bucket(data).await);
    match data.store.newest(&data.tenant).await {
        Ok(newest) => {
            let days = data.settings.reports.stale_after_days;
            found.push(snapshot(newest.as_deref(), now, days));
            found.extend(newest.as_deref().and_then(|newest| clock(newest, now)));
            found.extend(newest.as_deref().map(sources));
        }
        Err(error) => found.push(Finding::wrong("snapshot", error_chain(&error), "see docs/snapshots.md")),
    }
    if let Ok(registered) = data.store.sources(&data.tenant).await
        && registered.is_empty()
    {
        found.push(Finding::warning(
            "sources",
            "none is registered".into(),
            "`muster source init FILE.csv` writes a definition, `muster source add` registers it",
        ));
    }
    found.extend(passing_on(data).await);
    if let Ok(told) = data.store.notifications(&data.tenant, None, NOTIFICATIONS_MAX).await {
        let failed = told.iter().filter(|kept| kept.state == DeliveryState::Failed).count();
        found.push(match failed {
            0 => Finding::fine("notifications", "none was given up".into()),
            failed => Finding::warning(
                "notifications",
                format!("{failed} were given up"),
                "`muster notification list --failed` says why, `muster notification retry` sends one again",
            ),
        });
    }
    found
}

/// What the service itself asks before it takes requests.
async fn ready(data: &DataDir) -> Finding {
    let engine = match data.engine() {
        Ok(engine) => engine,
        Err(failure) => return Finding::wrong("tables", error_chain(&failure), "see docs/reliability.md"),
    };
    let readiness = ServiceReadiness {
        audit: data.store.clone(),
        snapshots: data.store.clone(),
        engine,
        tenant: data.tenant.clone(),
        folders: vec![data.dir().to_owned(), data.shared_dir().to_owned()],
        // The bucket has a check of its own.
        results: None,
        stopping: CancellationToken::new(),
    };
    match readiness.ready().await {
        Ok(()) => Finding::fine(
            "readiness",
            "disks take files, the audit trail can go on, the tables are whole".into(),
        ),
        Err(error) => Finding::wrong(
            "readiness",
            error_chain(&error),
            "`muster audit verify` checks the trail, `muster check` all files; docs/reliability.md says what to do",
        ),
    }
}

/// Whether the bucket of results can be used.
async fn bucket(data: &DataDir) -> Option<Finding> {
    data.settings.results.location.as_ref()?;
    let files = match data.files() {
        Ok(files) => files,
        Err(failure) => {
            return Some(Finding::wrong("bucket", error_chain(&failure), "correct results.location_file"));
        }
    };
    Some(match files.check_bucket(&SystemIds.fresh()).await {
        Ok(Some(BucketCheck { place, refuses_to_replace: true })) => {
            let did = "takes files, gives them back, refuses to replace them, and removes them";
            Finding::fine("bucket", format!("{place} {did}"))
        }
        Ok(Some(BucketCheck { place, refuses_to_replace: false })) => Finding::warning(
            "bucket",
            format!(
                "{place} takes files, gives them back and removes them, and does not refuse to replace one"
            ),
            "nothing else may write to this folder; docs/object-store.md says what a store should do",
        ),
        Ok(None) => return None,
        Err(error) => Finding::wrong(
            "bucket",
            error_chain(&error),
            "docs/object-store.md says which rights and properties the service needs",
        ),
    })
}

fn snapshot(newest: Option<&SnapshotManifest>, now: DateTime<Utc>, stale_after_days: u32) -> Finding {
    let Some(newest) = newest else {
        return Finding::warning("snapshot", "there is none".into(), "`muster refresh` makes the first one");
    };
    let age = (now - newest.created).num_seconds().max(0);
    let text = format!("the newest is {} old", ago(age));
    match age > i64::from(stale_after_days) * 86_400 {
        true => Finding::warning(
            "snapshot",
            text,
            "`muster refresh`; `muster schedule add NAME --refresh --cron '0 2 * * *'` does it every night",
        ),
        false => Finding::fine("snapshot", text),
    }
}

fn sources(newest: &SnapshotManifest) -> Finding {
    let incomplete: Vec<_> =
        newest.sources.iter().filter(|run| !run.complete).map(|run| run.name.as_str()).collect();
    match incomplete.is_empty() {
        true => Finding::fine("sources", format!("all {} were read to their ends", newest.sources.len())),
        false => Finding::warning(
            "sources",
            format!("not read to their ends: {}", incomplete.join(", ")),
            "`muster source show` says how each was read, `muster source check` what a refresh would refuse",
        ),
    }
}

/// A clock before the newest snapshot is wrong, or was.
fn clock(newest: &SnapshotManifest, now: DateTime<Utc>) -> Option<Finding> {
    let ahead = (newest.created - now).num_seconds();
    (ahead > 0).then(|| {
        Finding::wrong(
            "clock",
            format!("this machine's clock is {} before the newest snapshot", ago(ahead)),
            "set the clock, for example by NTP; leases, tokens and schedules rely on it",
        )
    })
}

async fn passing_on(data: &DataDir) -> Vec<Finding> {
    if data.settings.audit.kafka.0.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let most = data.settings.audit.relay_backlog_max;
    match data.store.backlog(&data.tenant).await {
        Ok(backlog) if backlog > most / 2 => found.push(Finding::warning(
            "Kafka",
            format!(
                "{} audit events wait; with {} recorded downloads are refused",
                count(backlog),
                count(most)
            ),
            "look at the broker and the service's log",
        )),
        Ok(backlog) => found.push(Finding::fine("Kafka", format!("{} audit events wait", count(backlog)))),
        Err(error) => found.push(Finding::wrong("Kafka", error_chain(&error), "see docs/audit.md")),
    }
    if let Ok(parked) = data.store.parked(&data.tenant).await
        && !parked.is_empty()
    {
        found.push(Finding::warning(
            "Kafka",
            format!("{} audit events can never be passed on", parked.len()),
            "`muster audit parked` lists them with the reasons",
        ));
    }
    found
}

/// Whether something answers at the address of the settings.
fn service(listen: SocketAddr) -> Finding {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    match TcpStream::connect_timeout(&address, CONNECT) {
        Ok(_) => Finding::fine("service", format!("something answers at {listen}")),
        Err(_) => Finding::fine("service", format!("nothing answers at {listen}; `muster serve` starts it")),
    }
}
