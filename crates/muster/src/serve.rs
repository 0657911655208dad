//! `muster serve`: the API, the worker, and their orderly end.
//!
//! A stop goes in this order: no new connections and no new claims; answers on their way and running
//! reports may end within the grace; what still runs is given back unharmed; the store is closed. A
//! second signal ends the grace at once.

use crate::clock::SystemClock;
use crate::config::{AuditedDownloads, Settings};
use crate::connections::{self, Limits};
use crate::copies::Copies;
use crate::engine_wiring::EnginePorts;
use crate::failure::{Context, Failure, Result};
use crate::house::{House, Lock};
use crate::ids::SystemIds;
use crate::issuers;
use crate::open_files;
use crate::query_language::SearchLanguage;
use crate::snapshots::SnapshotTables;
use crate::tls;
use async_trait::async_trait;
use chrono::TimeDelta;
use muster_audit::{Properties, Relay, RelaySettings};
use muster_http::{AppState, FileOpener, RateLimit, Readiness, Wiring};
use muster_reports::error::Error;
use muster_reports::ids::{TaskId, TenantId, WorkerId};
use muster_reports::ports::{Credentials, Ids, SnapshotCatalogue, TaskStore};
use muster_reports::task::PublishedFile;
use muster_reports::{Catalogue, Reports, service};
use muster_store::{ResultFiles, Store};
use muster_worker::{DiscardFiles, Stop, Worker, WorkerSettings};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(settings: &Settings) -> Result {
    // Before anything else, so that an early signal is not the end of a half-made start.
    let mut signals = Signals::listen()?;
    let house = House::open_or_make(settings).await?;
    let lock = house.lock_service()?;
    house.clear_work()?;
    let catalogue = house.catalogue()?;
    let engine = house.engine(catalogue.clone())?;
    let service = Service::start(&house, lock, catalogue, engine).await?;
    signals.next().await;
    service.stop(&mut signals).await;
    house.store.close().await;
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
    /// Listens, sweeps what no result names, and starts the worker. `lock` is the one of serving.
    ///
    /// # Errors
    /// When the address cannot be had or the data directory not be read.
    pub async fn start(house: &House, lock: Lock, catalogue: Catalogue, engine: EnginePorts) -> Result<Self> {
        let settings = &house.settings;
        let listen = settings.server.listen;
        let transport = tls::transport(&settings.server, house.dir())?;
        let listener =
            connections::listen(listen).context(|| format!("cannot listen on {listen} (server.listen)"))?;
        let address = listener.local_addr().context(|| "the address is not known".into())?;
        let files = Arc::new(Files(house.files()?));
        sweep(house, &files).await?;

        let (stopping, worker_stop) = (CancellationToken::new(), Stop::default());
        let state = state(house, catalogue, files.clone(), engine.tables.clone(), stopping.clone())?;
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
            parts.spawn(worker(house, files, engine).run(worker_stop.clone()));
        }
        if let Some(relay) = relay(house)? {
            parts.spawn(relay.run(stopping.clone()));
        }
        tracing::info!(%address, data = %house.dir().display(), "listening");
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

/// Removes files of earlier processes that no record names.
async fn sweep(house: &House, files: &Files) -> Result {
    // In this order: what is published in between is named then.
    let survey = files.0.survey()?;
    // Without a shared database nothing writes: the lock of serving is held and no worker has started.
    let live = if house.shares_results() { house.store.live_attempts().await? } else { HashSet::new() };
    let named = house.store.published_names().await?.into_iter().collect();
    let is_live = move |task: &TaskId, epoch| live.contains(&(task.clone(), epoch));
    let removed = tokio::task::spawn_blocking(move || survey.sweep(&named, is_live))
        .await
        .map_err(|error| Failure::with("the sweep of result files failed", error))??;
    if !removed.is_empty() {
        tracing::info!(removed = removed.len(), "result files that no record names are removed");
    }
    Ok(())
}

fn worker(house: &House, files: Arc<Files>, engine: EnginePorts) -> Worker {
    let settings = &house.settings.worker;
    Worker {
        id: WorkerId::new(SystemIds.fresh()),
        tasks: house.store.clone(),
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
fn relay(house: &House) -> Result<Option<Relay>> {
    let Settings { audit, tenant, .. } = &house.settings;
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
    let relay = Relay::new(id, house.store.clone(), house.store.clone(), Arc::new(SystemClock), settings);
    relay.map(Some).map_err(wrong)
}

/// Audit events sent at a time.
const RELAY_BATCH_MAX: u32 = 500;
/// How long an event waits at most before the relay looks for it.
const RELAY_POLL: Duration = Duration::from_millis(500);
/// Longest pause of a relay whose events are not taken.
const RELAY_PAUSE_MOST: Duration = Duration::from_secs(30);

fn state(
    house: &House,
    catalogue: Catalogue,
    files: Arc<Files>,
    tables: Arc<dyn SnapshotTables>,
    stopping: CancellationToken,
) -> Result<AppState> {
    let Settings { tenant, auth, rate_limit, server, reports, worker, audit, .. } = &house.settings;
    let limits = service::Limits {
        task_deadline: TimeDelta::seconds(i64::try_from(worker.deadline_s).unwrap_or(i64::MAX)),
        stale_after: TimeDelta::days(i64::from(reports.stale_after_days)),
        audit_every_download: audit.downloads == AuditedDownloads::Always,
        audit_backlog_max: (!audit.kafka.0.is_empty()).then_some(audit.relay_backlog_max),
    };
    let window = TimeDelta::seconds(i64::try_from(rate_limit.window_s).unwrap_or(i64::MAX));
    let limit = |requests: u32| RateLimit { requests: requests as usize, window };
    let copies = Arc::new(Copies::default());
    let comparer = house.comparisons(catalogue.clone(), Arc::clone(&copies))?;
    let use_cases = Reports {
        catalogue,
        tasks: house.store.clone(),
        snapshots: house.store.clone(),
        audit: house.store.clone(),
        queries: Arc::new(SearchLanguage::default()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        limits,
    };
    Ok(AppState::new(Wiring {
        reports: Arc::new(use_cases),
        credentials: house.store.clone(),
        files,
        evidence: Arc::new(house.packages(tables.clone(), copies)?),
        comparer: Arc::new(comparer),
        readiness: Arc::new(Ready {
            store: house.store.clone(),
            tenant: house.tenant.clone(),
            tables,
            stopping,
        }),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        issuer: house.token_issuer()?,
        outside: issuers::outside(&auth.issuers, &house.tenant, house.dir())?,
        secret_key: house.secret_key()?,
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
    stopping: CancellationToken,
}

#[async_trait]
impl Readiness for Ready {
    async fn ready(&self) -> Result<(), Error> {
        if self.stopping.is_cancelled() {
            return Err(Error::unavailable("the service is stopping"));
        }
        // Any question shows whether the store answers.
        self.store.credential(&muster_reports::ids::ClientId::new("")).await?;
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
