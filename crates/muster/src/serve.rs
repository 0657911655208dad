//! `muster serve`: the API, the worker, and their orderly end.
//!
//! A stop goes in this order: no new connections and no new claims; answers on their way and running
//! reports may end within the grace; what still runs is given back unharmed; the store is closed. A
//! second signal ends the grace at once.

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::{AuditedDownloads, Settings};
use crate::copies::Copies;
use crate::data_dir::{DataDir, Lock, Opening};
use crate::engine_wiring::EnginePorts;
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::issuers;
use crate::snapshots::SnapshotTables;
use crate::trash;
use async_trait::async_trait;
use chrono::TimeDelta;
use muster_audit::{Properties, Relay, RelaySettings};
use muster_engine::search::SearchLanguage;
use muster_http::connections::{self, Limits, Transport, open_files};
use muster_http::{AppState, FileOpener, RateLimit, Readiness, Wiring, tls};
use muster_reports::audit::AuditOperation;
use muster_reports::error::{Error, error_chain};
use muster_reports::ids::{TaskId, TenantId, WorkerId};
use muster_reports::ports::{AuditTrail, Clock, Ids, SnapshotCatalogue, TaskStore};
use muster_reports::task::PublishedFile;
use muster_reports::{Catalogue, Reports, service};
use muster_store::{ResultFiles, Store};
use muster_worker::{DiscardFiles, Stop, Worker, WorkerSettings};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: &ServeArgs, settings: &Settings) -> Result {
    // Before anything else, so that an early signal is not the end of a half-made start.
    let mut signals = Signals::listen()?;
    let data = DataDir::open_as(settings, Opening { make: args.init, adopt: args.adopt }).await?;
    let lock = data.lock_service()?;
    data.clear_work()?;
    let catalogue = data.catalogue()?;
    let engine = data.engine(catalogue.clone())?;
    let face = Face::listen(settings)?;
    let swept = if args.sweep { Swept::All } else { Swept::Few };
    let service = Service::start(&data, lock, catalogue, engine, face, swept).await?;
    signals.next().await;
    service.stop(&mut signals).await;
    data.store.close().await;
    Ok(())
}

/// The signals that end the service.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them over from now on.
    pub fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context(|| "signals cannot be listened to".into());
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM"),
            _ = self.interrupt.recv() => tracing::info!("SIGINT"),
        }
    }
}

/// Where a service will answer. It is taken before anything that takes long, so that a port which is in use is told at
/// once.
pub struct Face {
    listener: TcpListener,
    transport: Transport,
    address: SocketAddr,
}

impl Face {
    /// Takes the address of the settings.
    ///
    /// # Errors
    /// When it cannot be had, or the certificate not be used.
    pub fn listen(settings: &Settings) -> Result<Self> {
        let server = &settings.server;
        let dir = &settings.data.dir;
        let transport = match (&server.tls_certificate, &server.tls_key) {
            (Some(certificate), Some(key)) => tls::transport(&dir.join(certificate), &dir.join(key))?,
            (Some(_), None) | (None, Some(_)) | (None, None) => Transport::Plain,
        };
        let listener = connections::listen(server.listen)
            .context(|| format!("cannot listen on {} (server.listen)", server.listen))?;
        let address = listener.local_addr().context(|| "the address is not known".into())?;
        Ok(Self { listener, transport, address })
    }
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    stopping: CancellationToken,
    worker_stop: Stop,
    grace: Duration,
    parts: JoinSet<()>,
    _lock: Lock,
}

impl Service {
    /// Sweeps what no result names, answers, and starts the worker. `lock` is the one of serving.
    ///
    /// # Errors
    /// When the data directory cannot be read.
    pub async fn start(
        data: &DataDir,
        lock: Lock,
        catalogue: Catalogue,
        engine: EnginePorts,
        face: Face,
        swept: Swept,
    ) -> Result<Self> {
        let settings = &data.settings;
        let Face { listener, transport, address } = face;
        let files = Arc::new(Files(data.files()?));
        sweep(data, &files, swept).await?;

        let (stopping, worker_stop) = (CancellationToken::new(), Stop::default());
        let state = state(data, catalogue, files.clone(), engine.tables.clone(), stopping.clone())?;
        let limits = Limits {
            header_timeout: Duration::from_millis(settings.server.header_timeout_ms),
            idle_timeout: Duration::from_millis(settings.server.idle_timeout_ms),
            write_timeout: Duration::from_millis(settings.server.write_timeout_ms),
            connections_max: open_files::connections_max(
                settings.server.connections_max,
                open_files::raise(),
            ),
            grace: Duration::from_millis(settings.server.grace_ms),
        };
        let mut parts = JoinSet::new();
        let grace = limits.grace;
        let router = muster_http::router(state);
        parts.spawn(connections::serve(listener, transport, router, limits, stopping.clone()));
        if settings.worker.count > 0 {
            parts.spawn(worker(data, files, engine).run(worker_stop.clone()));
        }
        if let Some(relay) = relay(data)? {
            parts.spawn(relay.run(stopping.clone()));
        }
        tracing::info!(%address, data = %data.dir().display(), "listening");
        Ok(Self { address, stopping, worker_stop, grace, parts, _lock: lock })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops in order; a further signal ends the grace.
    pub async fn stop(mut self, signals: &mut Signals) {
        tracing::info!(grace_ms = self.grace.as_millis(), "stopping");
        self.stopping.cancel();
        self.worker_stop.drain.cancel();
        let end_of_grace = async {
            tokio::select! {
                () = tokio::time::sleep(self.grace) => {}
                () = signals.next() => {}
            }
        };
        let ended = async { while self.parts.join_next().await.is_some() {} };
        tokio::pin!(ended);
        tokio::select! {
            () = &mut ended => {}
            () = end_of_grace => {
                self.worker_stop.release.cancel();
                // Long enough to write down what was given back; whoever still hangs is cut off, and
                // its lease runs out.
                if tokio::time::timeout(RELEASE_WAIT, ended).await.is_err() {
                    tracing::warn!("some parts did not stop in time");
                }
            }
        }
        tracing::info!("stopped");
    }
}

/// Wait for what has been told to let go.
const RELEASE_WAIT: Duration = Duration::from_secs(5);

/// How many result files that no record names go to the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// As many as processes leave that were killed.
    Few,
    /// All of them.
    All,
}

impl Swept {
    /// Files that are never too many.
    const FEW: usize = 16;

    /// Whether so many of all result files may go.
    fn permits(self, unnamed: usize, of: usize) -> bool {
        self == Self::All || unnamed <= Self::FEW || unnamed * 10 <= of
    }
}

/// Takes files of earlier processes away that no record names. What was never finished goes; what a record of another
/// database could name goes to the trash, and the audit trail says so before. Too many of those are left, with an alarm.
async fn sweep(data: &DataDir, files: &Files, swept: Swept) -> Result {
    // In this order: what is published in between is named then.
    let survey = files.0.survey()?;
    // Without a shared database nothing writes: the lock of serving is held and no worker has started.
    let live = if data.shares_results() { data.store.live_attempts().await? } else { HashSet::new() };
    let named = data.store.published_names().await?.into_iter().collect();
    let is_live = move |task: &TaskId, epoch| live.contains(&(task.clone(), epoch));
    let left_over = survey.left_over(&named, is_live);
    let (count, of) = (left_over.published.len(), left_over.of);
    if !swept.permits(count, of) {
        tracing::error!(
            count,
            of,
            "result files are named by no record of this database, and they are more than a process leaves that is \
             killed: nothing was moved; if this is the right database, `muster serve --sweep` moves them to the trash"
        );
        return Ok(());
    }
    let now = SystemClock.now();
    let trash = trash::place(&data.results_dir(), now);
    if count > 0 {
        let names: Vec<_> = left_over.published.iter().take(NAMED_MAX).map(String::as_str).collect();
        let details = format!("{count} files moved to {}: {}", trash.display(), names.join(" "));
        let event = data.event(AuditOperation::FilesRemoved, "results", details);
        if let Err(error) = data.store.record(&event).await {
            tracing::error!(
                error = error_chain(&error),
                "the sweep of result files cannot be recorded, and is not done"
            );
            return Ok(());
        }
        tracing::warn!(count, trash = %trash.display(), "result files that no record names go to the trash");
    }
    let (results, days) = (data.results_dir(), data.settings.data.trash_days);
    tokio::task::spawn_blocking(move || {
        left_over.discard(&trash)?;
        trash::empty(&results, now, days)
    })
    .await
    .map_err(|error| Failure::with("the sweep of result files failed", error))?
}

/// File names in the event of a sweep.
const NAMED_MAX: usize = 200;

fn worker(data: &DataDir, files: Arc<Files>, engine: EnginePorts) -> Worker {
    let settings = &data.settings.worker;
    Worker {
        id: WorkerId::new(SystemIds.fresh()),
        tasks: data.store.clone(),
        runner: engine.runner,
        files,
        clock: Arc::new(SystemClock),
        settings: WorkerSettings {
            count: settings.count,
            lease: Duration::from_millis(settings.lease_ms),
            heartbeat: Duration::from_millis(settings.heartbeat_ms),
            poll: Duration::from_millis(settings.poll_ms),
            retry_first: Duration::from_millis(settings.retry_first_ms),
            retry_most: Duration::from_millis(settings.retry_most_ms),
        },
    }
}

/// What passes the audit trail on, where that is set.
fn relay(data: &DataDir) -> Result<Option<Relay>> {
    let Settings { audit, tenant, .. } = &data.settings;
    if audit.kafka.0.is_empty() {
        return Ok(None);
    }
    let wrong = |error: muster_audit::PropertyError| Failure::usage(format!("audit.kafka: {error}"));
    let settings = RelaySettings {
        properties: Properties::new(audit.kafka.0.clone()).map_err(wrong)?,
        topic: audit.kafka_topic.clone(),
        org: tenant.org.clone(),
        pod: tenant.pod.clone(),
        batch_max: RELAY_BATCH_MAX,
        poll: RELAY_POLL,
        pause_most: RELAY_PAUSE_MOST,
        delivery: Duration::from_millis(audit.kafka_delivery_ms),
    };
    let id = WorkerId::new(SystemIds.fresh());
    let relay = Relay::new(id, data.store.clone(), data.store.clone(), Arc::new(SystemClock), settings);
    relay.map(Some).map_err(wrong)
}

/// Audit events sent at a time.
const RELAY_BATCH_MAX: u32 = 500;
/// How long an event waits at most before the relay looks for it.
const RELAY_POLL: Duration = Duration::from_millis(500);
/// Longest pause of a relay whose events are not taken.
const RELAY_PAUSE_MOST: Duration = Duration::from_secs(30);

fn state(
    data: &DataDir,
    catalogue: Catalogue,
    files: Arc<Files>,
    tables: Arc<dyn SnapshotTables>,
    stopping: CancellationToken,
) -> Result<AppState> {
    let Settings { tenant, auth, rate_limit, server, reports, worker, audit, .. } = &data.settings;
    let limits = service::Limits {
        task_deadline: TimeDelta::seconds(i64::try_from(worker.deadline_s).unwrap_or(i64::MAX)),
        stale_after: TimeDelta::days(i64::from(reports.stale_after_days)),
        audit_every_download: audit.downloads == AuditedDownloads::Always,
        audit_backlog_max: (!audit.kafka.0.is_empty()).then_some(audit.relay_backlog_max),
    };
    let window = TimeDelta::seconds(i64::try_from(rate_limit.window_s).unwrap_or(i64::MAX));
    let limit = |requests: u32| RateLimit { requests: requests as usize, window };
    let copies = Arc::new(Copies::default());
    let comparer = data.comparisons(catalogue.clone(), Arc::clone(&copies))?;
    let use_cases = Reports {
        catalogue,
        tasks: data.store.clone(),
        snapshots: data.store.clone(),
        audit: data.store.clone(),
        queries: Arc::new(SearchLanguage::default()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        limits,
    };
    Ok(AppState::new(Wiring {
        reports: Arc::new(use_cases),
        credentials: data.store.clone(),
        files,
        evidence: Arc::new(data.packages(tables.clone(), copies)?),
        comparer: Arc::new(comparer),
        readiness: Arc::new(Ready {
            store: data.store.clone(),
            tenant: data.tenant.clone(),
            tables,
            folders: vec![data.dir().to_owned(), data.results_dir(), data.tables_dir(), data.work_dir()?],
            stopping,
        }),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        issuer: data.token_issuer()?,
        outside: issuers::outside(&auth.issuers, &data.tenant, data.dir())?,
        secret_key: data.secret_key()?,
        settings: muster_http::Settings {
            org: tenant.org.clone(),
            pod: tenant.pod.clone(),
            token_lifetime: TimeDelta::seconds(i64::try_from(auth.token_lifetime_s).unwrap_or(i64::MAX)),
            allow_credentials_in_query: auth.allow_credentials_in_query,
            rate_limit: limit(rate_limit.requests),
            tenant_rate_limit: limit(rate_limit.tenant_requests),
            token_rate_limit: limit(rate_limit.token_requests),
            request_timeout: Duration::from_millis(server.request_timeout_ms),
            body_timeout: Duration::from_millis(server.body_timeout_ms),
            ..muster_http::Settings::default()
        },
    }))
}

/// The result files, as the API and the worker know them.
struct Files(ResultFiles);

impl FileOpener for Files {
    fn open(&self, stored_name: &str) -> std::io::Result<std::fs::File> {
        self.0.open_published(stored_name).map_err(std::io::Error::other)
    }
}

#[async_trait]
impl DiscardFiles for Files {
    async fn discard(&self, files: &[PublishedFile]) -> Result<(), Error> {
        for file in files {
            self.0.remove(&file.stored_name)?;
        }
        Ok(())
    }
}

struct Ready {
    store: Arc<Store>,
    tenant: TenantId,
    tables: Arc<dyn SnapshotTables>,
    /// What has to have room; each may be a file system of its own.
    folders: Vec<PathBuf>,
    stopping: CancellationToken,
}

/// Bytes that a disk must have left: with fewer, no report can be written.
const ROOM_MIN: u64 = 1 << 20;

/// Whether a folder's disk takes another file.
fn has_room(folder: &Path) -> Result<(), Error> {
    let disk = rustix::fs::statvfs(folder).map_err(|error| {
        Error::internal(format!("the disk of {} cannot be looked at", folder.display()), error)
    })?;
    let full = |what| Err(Error::unavailable(format!("the disk of {} {what}", folder.display())));
    if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return full("may not be written to");
    }
    if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM_MIN {
        return full("is full");
    }
    // A file system without a fixed number of files has none.
    if disk.f_files > 0 && disk.f_favail == 0 {
        return full("has no room for another file");
    }
    Ok(())
}

#[async_trait]
impl Readiness for Ready {
    async fn ready(&self) -> Result<(), Error> {
        if self.stopping.is_cancelled() {
            return Err(Error::unavailable("the service is stopping"));
        }
        let folders = self.folders.clone();
        // A file system on a network may take its time.
        tokio::task::spawn_blocking(move || folders.iter().try_for_each(|folder| has_room(folder)))
            .await
            .map_err(|error| Error::internal("the disks cannot be looked at", error))??;
        // It also shows whether the store answers.
        if let Err(error) = self.store.audit_can_go_on(&self.tenant).await {
            tracing::error!(error = error_chain(&error), "not ready");
            return Err(error);
        }
        // Reports of a snapshot that is not whole fail.
        if let Some(newest) = self.store.newest(&self.tenant).await?
            && let Some(damage) = self.tables.apparent_damage(&newest).await?
        {
            return Err(Error::unavailable(format!(
                "table {:?} of the newest snapshot is damaged: {}",
                damage.table, damage.fault
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_swept_unasked_and_a_tenth_of_many() {
        for (unnamed, of, permitted) in [(16, 16, true), (17, 17, false), (17, 170, true), (18, 179, false)] {
            assert_eq!(Swept::Few.permits(unnamed, of), permitted, "{unnamed} of {of}");
            assert!(Swept::All.permits(unnamed, of));
        }
    }

    #[test]
    fn a_disk_with_room_is_ready_and_one_that_is_not_there_is_told() {
        assert!(has_room(&std::env::temp_dir()).is_ok());
        let error = has_room(Path::new("/there/is/no/such/folder")).err().map(|error| error.message);
        assert_eq!(error.as_deref(), Some("the disk of /there/is/no/such/folder cannot be looked at"));
    }
}
