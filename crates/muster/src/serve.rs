//! `muster serve`: the API, the worker, and their orderly end.
//!
//! A stop has these steps: no new connections and no new claims; answers that are being sent and running reports may
//! end within the grace; reports that still run are given back; the store is closed. A second signal ends the grace at
//! once.

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::{AuditedDownloads, KAFKA_PASSWORD, Settings};
use crate::data_dir::{DataDir, Opening, SecretFile};
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::installation_facts::Facts;
use crate::issuers::{self, ConsoleIssuers};
use crate::metrics::Metrics;
use crate::systemd;
use chrono::TimeDelta;
use muster_audit::{Properties, Relay, RelaySettings};
use muster_console::{ConsoleSettings, OneTimeSignIn, with_console};
use muster_engine::Engine;
use muster_engine::search::SearchLanguage;
use muster_http::connections::{self, Limits, Transport, open_files};
use muster_http::{AppState, RateLimit, Wiring, tls};
use muster_reports::error::error_chain;
use muster_reports::ids::WorkerId;
use muster_reports::ports::{Clock, Ids, ReportRunner};
use muster_reports::schedule::time_zone;
use muster_reports::scheduled::RunAttempts;
use muster_reports::{Catalogue, Category, Reports, service};
use muster_runs::{
    AskedResults, Copies, CustomDefinitions, Inspections, Lock, ResultExpiry, ResultFiles, ServiceReadiness,
    Sweep, Swept,
};
use muster_telemetry::{Meters, Places, Telemetry};
use muster_worker::{Scheduler, SchedulerSettings, Stop, Worker, WorkerSettings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: &ServeArgs, settings: &Settings, telemetry: Option<&Telemetry>) -> Result {
    // Before anything else, so that an early signal does not end the process in the middle of its start.
    let mut signals = Signals::listen()?;
    let data =
        DataDir::open_as(settings, Opening { make: args.init, adopt: args.adopt, ..Opening::default() })
            .await?;
    if let Some((backup, file)) = data.restored_from() {
        let end = data.store.audit_end(&data.tenant).await?;
        tracing::warn!(
            backup,
            last_event = end.sequence,
            file = %file.display(),
            "this data directory was restored from a backup: what was recorded after it is lost; which head did you note \
             last? `muster audit verify --noted NUMBER:HASH` compares it; remove the file afterwards"
        );
    }
    let lock = data.lock_service()?;
    data.clear_work()?;
    let catalogue = data.catalogue().await?;
    let engine = data.engine()?;
    let runner = Arc::new(data.report_runs(engine.clone(), catalogue.clone())?);
    let face = Face::listen(settings)?.sending(telemetry);
    let swept = if args.sweep { Swept::All } else { Swept::Few };
    let service = Service::start(&data, lock, catalogue, engine, runner, face, swept).await?;
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
    /// Handles the signals from now on.
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

/// The address at which a service will answer. It is taken before anything that takes long, so that a port in use is
/// reported at once.
pub struct Face {
    listener: TcpListener,
    transport: Transport,
    address: SocketAddr,
    /// Where metrics are asked for, if the settings have such an address.
    metrics: Option<TcpListener>,
    /// What sends metrics to a collector, if there is one.
    meters: Option<Meters>,
    /// A sign-in to the console that works once.
    sign_in: Option<OneTimeSignIn>,
}

impl Face {
    /// Takes the address of the settings.
    ///
    /// # Errors When the address or the certificate cannot be used.
    pub fn listen(settings: &Settings) -> Result<Self> {
        let server = &settings.server;
        let dir = &settings.data.dir;
        let transport = match (&server.tls_certificate, &server.tls_key) {
            (Some(certificate), Some(key)) => {
                let key = SecretFile::find("server.tls_key", key, dir)?;
                tls::transport(&dir.join(certificate), &key.path)?
            }
            (Some(_), None) | (None, Some(_)) | (None, None) => Transport::Plain,
        };
        let listener = connections::listen(server.listen)
            .context(|| format!("cannot listen on {} (server.listen)", server.listen))?;
        let address = listener.local_addr().context(|| "the address is not known".into())?;
        let metrics = settings
            .metrics
            .listen
            .map(|at| connections::listen(at).context(|| format!("cannot listen on {at} (metrics.listen)")));
        let metrics = metrics.transpose()?;
        if let Some(at) = metrics.as_ref().and_then(|listener| listener.local_addr().ok()) {
            tracing::info!(address = %at, "metrics are answered here");
        }
        Ok(Self { listener, transport, address, metrics, meters: None, sign_in: None })
    }

    /// With a sign-in to the console that works once.
    #[must_use]
    pub fn offering(self, sign_in: OneTimeSignIn) -> Self {
        Self { sign_in: Some(sign_in), ..self }
    }

    /// With metrics that are sent to a collector.
    #[must_use]
    fn sending(self, telemetry: Option<&Telemetry>) -> Self {
        Self { meters: telemetry.map(Telemetry::meters), ..self }
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
    /// Sweeps files that no result names, begins to answer, and starts the worker. `lock` is the one of serving.
    ///
    /// # Errors
    /// When the data directory cannot be read.
    pub async fn start(
        data: &DataDir,
        lock: Lock,
        catalogue: Catalogue,
        engine: Arc<Engine>,
        runner: Arc<dyn ReportRunner>,
        face: Face,
        swept: Swept,
    ) -> Result<Self> {
        let settings = &data.settings;
        let Face { listener, transport, address, metrics, meters, sign_in } = face;
        let recorded = match metrics.is_some() || meters.is_some() {
            true => Some(Metrics::begin(data, engine.clone(), &catalogue, meters)?),
            false => None,
        };
        let files = Arc::new(data.files()?);
        let in_bucket = settings.results.location.is_some();
        match data.sweep()?.run(swept).await {
            // What waits in the store of tasks is served all the same, and a report waits for its bucket.
            Err(error) if in_bucket && error.category == Category::Unavailable => {
                tracing::error!(error = error_chain(&error), "the bucket of results is not swept");
            }
            swept => swept?,
        }

        let (stopping, worker_stop) = (CancellationToken::new(), Stop::default());
        let kept = data.kept_definitions(catalogue.clone());
        let reports = Arc::new(reports(data, catalogue, engine.clone()));
        let reminding = Arc::new(reviews(data, reports.clone(), engine.clone())?);
        let state = state(data, reports.clone(), files.clone(), engine.clone(), stopping.clone())?;
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
        let issuers = Arc::new(ConsoleIssuers(state.sign_ins()));
        let api = muster_http::router(state);
        let router = match settings.console.enabled {
            true => with_console(api, console(settings, issuers, sign_in, stopping.clone())),
            false => api,
        };
        parts.spawn(connections::serve(listener, transport, router, limits.clone(), stopping.clone()));
        if let Some(recorded) = recorded {
            if let Some(listener) = metrics {
                let router = muster_http::metrics_router(recorded.text());
                parts.spawn(connections::serve(listener, Transport::Plain, router, limits, stopping.clone()));
            }
            let interval = Duration::from_secs(settings.telemetry.interval_s);
            parts.spawn(recorded.clone().send(interval, stopping.clone()));
            parts.spawn(recorded.keep_small(stopping.clone()));
        }
        if settings.worker.count > 0 {
            parts.spawn(worker(data, files, runner).run(worker_stop.clone()));
        }
        if settings.schedules.run {
            let scheduler = scheduler(data, reports, engine)?;
            parts.spawn(Arc::new(scheduler).run(stopping.clone()));
        }
        if settings.notifications.run {
            parts.spawn(Arc::new(data.deliverer()?).run(stopping.clone()));
        }
        parts.spawn(kept.follow(stopping.clone()));
        parts.spawn(remind_reviewers(reminding, stopping.clone()));
        parts.spawn(expire_results(data.result_expiry()?, data.sweep()?, stopping.clone()));
        if let Some(relay) = relay(data)? {
            parts.spawn(relay.run(stopping.clone()));
        }
        parts.spawn(systemd::watchdog(stopping.clone()));
        systemd::ready();
        tracing::info!(%address, data = %data.dir().display(), "listening");
        Ok(Self { address, stopping, worker_stop, grace, parts, _lock: lock })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops in order; a further signal ends the grace.
    pub async fn stop(mut self, signals: &mut Signals) {
        systemd::stopping();
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
                // Long enough to record what was given back. A run that still hangs is cut off, and its lease runs out.
                if tokio::time::timeout(RELEASE_WAIT, ended).await.is_err() {
                    tracing::warn!("some parts did not stop in time");
                }
            }
        }
        tracing::info!("stopped");
    }
}

/// No session of the console is longer.
const YEAR_S: i64 = 365 * 24 * 3_600;

/// What the console is made with.
fn console(
    settings: &Settings,
    issuers: Arc<ConsoleIssuers>,
    one_time: Option<OneTimeSignIn>,
    stopping: CancellationToken,
) -> ConsoleSettings {
    let span = |seconds: u64| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(YEAR_S).min(YEAR_S));
    ConsoleSettings {
        now: Arc::new(|| SystemClock.now()),
        fresh: Arc::new(|| SystemIds.fresh()),
        idle: span(settings.console.idle_s),
        longest: span(settings.console.longest_s),
        // A page asks the API several times.
        page_timeout: Duration::from_millis(settings.server.request_timeout_ms.saturating_mul(2)),
        stopping,
        issuers,
        one_time,
    }
}

/// How long a stop waits after the grace until running reports have been given back.
const RELEASE_WAIT: Duration = Duration::from_secs(5);

fn worker(data: &DataDir, files: Arc<ResultFiles>, runner: Arc<dyn ReportRunner>) -> Worker {
    let settings = &data.settings.worker;
    Worker {
        id: WorkerId::new(SystemIds.fresh()),
        tasks: data.store.clone(),
        runner,
        files,
        clock: Arc::new(SystemClock),
        traces: Arc::new(Places),
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

/// How often results that are due expire.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);
/// How often it is looked for reviewers who are to be told that their time ends.
const REMIND_INTERVAL: Duration = Duration::from_secs(60);

/// Lets results expire again and again, and finishes at the start what a process that was killed has begun. Uploads to a bucket
/// that nobody goes on with are given up.
async fn expire_results(expiry: ResultExpiry, sweep: Sweep, stopping: CancellationToken) {
    while !stopping.is_cancelled() {
        match sweep.give_up_uploads().await {
            Ok(0) => {}
            Ok(uploads) => tracing::info!(uploads, "uploads that had not ended are given up"),
            Err(error) => tracing::error!(error = error_chain(&error), "uploads cannot be given up"),
        }
        match expiry.run().await {
            Ok(expired) if expired.files > 0 => {
                tracing::info!(results = expired.results, files = expired.files, "files of results expired");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error = error_chain(&error), "results cannot expire"),
        }
        tokio::select! {
            () = tokio::time::sleep(EXPIRY_INTERVAL) => {}
            () = stopping.cancelled() => {}
        }
    }
}

/// The use cases of access reviews.
fn reviews(data: &DataDir, reports: Arc<Reports>, engine: Arc<Engine>) -> Result<service::Reviews> {
    let runs = Arc::new(data.review_runs(engine)?);
    Ok(service::Reviews { reports, store: data.store.clone(), populations: runs.clone(), sheets: runs })
}

/// Tells reviewers of access reviews what they have not decided, before the end.
async fn remind_reviewers(reviews: Arc<service::Reviews>, stopping: CancellationToken) {
    while !stopping.is_cancelled() {
        match reviews.remind().await {
            Ok(0) => {}
            Ok(told) => tracing::info!(told, "reviewers are told of what they have not decided"),
            Err(error) => tracing::error!(error = error_chain(&error), "reviewers cannot be told"),
        }
        tokio::select! {
            () = tokio::time::sleep(REMIND_INTERVAL) => {}
            () = stopping.cancelled() => {}
        }
    }
}

/// The relay of the audit trail, if the settings have one.
fn relay(data: &DataDir) -> Result<Option<Relay>> {
    let Settings { audit, tenant, .. } = &data.settings;
    if audit.kafka.0.is_empty() {
        return Ok(None);
    }
    let wrong = |error: muster_audit::PropertyError| Failure::usage(format!("audit.kafka: {error}"));
    let mut properties = audit.kafka.0.clone();
    if let Some(named) = &audit.kafka_password_file {
        const KEY: &str = "audit.kafka_password_file";
        let password = SecretFile::find(KEY, named, data.dir())?.text(KEY)?;
        properties.insert(KAFKA_PASSWORD.to_owned(), password);
    }
    let settings = RelaySettings {
        properties: Properties::new(properties).map_err(wrong)?,
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

/// Most audit events that are sent at a time.
const RELAY_BATCH_MAX: u32 = 500;
/// How often the relay looks for new events.
const RELAY_POLL: Duration = Duration::from_millis(500);
/// Longest pause of the relay while its events are not accepted.
const RELAY_PAUSE_MOST: Duration = Duration::from_secs(30);

/// How often the scheduler looks for schedules that are due, and at the reports that it has started.
const SCHEDULER_POLL: Duration = Duration::from_secs(2);
/// How long a process that was killed keeps a run of a schedule from others.
const SCHEDULER_LEASE: Duration = Duration::from_secs(60);

/// What makes the runs of schedules.
fn scheduler(data: &DataDir, reports: Arc<Reports>, engine: Arc<Engine>) -> Result<Scheduler> {
    let settings = &data.settings.schedules;
    Ok(Scheduler {
        schedules: data.store.clone(),
        reports,
        credentials: data.store.clone(),
        saved_searches: data.store.clone(),
        refresher: Arc::new(data.scheduled_refreshes(engine)?),
        clock: Arc::new(SystemClock),
        traces: Arc::new(Places),
        settings: SchedulerSettings {
            poll: SCHEDULER_POLL,
            lease: SCHEDULER_LEASE,
            attempts: RunAttempts {
                most: settings.attempts_max,
                pause: TimeDelta::seconds(i64::try_from(settings.retry_s).unwrap_or(i64::MAX)),
            },
        },
    })
}

/// The use cases of reports.
fn reports(data: &DataDir, catalogue: Catalogue, engine: Arc<Engine>) -> Reports {
    let Settings { reports, worker, audit, .. } = &data.settings;
    let limits = service::Limits {
        task_deadline: TimeDelta::seconds(i64::try_from(worker.deadline_s).unwrap_or(i64::MAX)),
        stale_after: TimeDelta::days(i64::from(reports.stale_after_days)),
        audit_every_download: audit.downloads == AuditedDownloads::Always,
        audit_backlog_max: (!audit.kafka.0.is_empty()).then_some(audit.relay_backlog_max),
        results: data.settings.results.policy(),
        notify: data.notify_policy(),
    };
    Reports {
        catalogue,
        tasks: data.store.clone(),
        retention: data.store.clone(),
        refreshes: data.store.clone(),
        snapshots: data.store.clone(),
        reviews: data.store.clone(),
        policies: data.store.clone(),
        audit: data.store.clone(),
        queries: Arc::new(SearchLanguage::default()),
        documents: Arc::new(data.searches(Arc::clone(&engine))),
        history: Arc::new(data.histories(engine)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        limits,
    }
}

fn state(
    data: &DataDir,
    reports: Arc<Reports>,
    files: Arc<ResultFiles>,
    engine: Arc<Engine>,
    stopping: CancellationToken,
) -> Result<AppState> {
    let Settings { tenant, auth, rate_limit, server, downloads, .. } = &data.settings;
    let window = TimeDelta::seconds(i64::try_from(rate_limit.window_s).unwrap_or(i64::MAX));
    let limit = |requests: u32| RateLimit { requests: requests as usize, window };
    let copies = Arc::new(Copies::default());
    let comparer = data.comparisons(reports.catalogue.clone(), Arc::clone(&copies))?;
    let schedules = Arc::new(service::Schedules {
        reports: reports.clone(),
        store: data.store.clone(),
        credentials: data.store.clone(),
        zone: time_zone(&data.settings.schedules.time_zone)?,
    });
    let saved_searches = service::SavedSearches {
        reports: reports.clone(),
        store: data.store.clone(),
        schedules: schedules.clone(),
    };
    let reviews = reviews(data, reports.clone(), engine.clone())?;
    let definitions = service::Definitions {
        reports: reports.clone(),
        store: data.store.clone(),
        custom: Arc::new(CustomDefinitions {
            engine: engine.clone(),
            kept: data.kept_definitions(reports.catalogue.clone()),
        }),
    };
    let notifications = service::Notifications { reports: reports.clone(), store: data.store.clone() };
    let administration = service::Administration {
        reports: reports.clone(),
        inspector: Arc::new(Inspections::new(engine.clone())),
        credentials: data.store.clone(),
        installation: Arc::new(Facts::of(data)?),
    };
    Ok(AppState::new(Wiring {
        sod_policies: Arc::new(service::SodPolicies {
            reports: reports.clone(),
            schedules: schedules.clone(),
        }),
        reports,
        reviews: Arc::new(reviews),
        definitions: Arc::new(definitions),
        notifications: Arc::new(notifications),
        administration: Arc::new(administration),
        schedules,
        saved_searches: Arc::new(saved_searches),
        credentials: data.store.clone(),
        files: files.clone(),
        evidence: Arc::new(data.packages(engine.clone(), copies)?),
        comparer: Arc::new(comparer),
        readiness: Arc::new(ServiceReadiness {
            audit: data.store.clone(),
            snapshots: data.store.clone(),
            engine,
            tenant: data.tenant.clone(),
            folders: vec![data.dir().to_owned(), data.results_dir(), data.tables_dir(), data.work_dir()?],
            results: Some(AskedResults::of(files)),
            stopping,
        }),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        traces: Arc::new(Places),
        issuer: data.token_issuer()?,
        external_issuers: issuers::external(&data.settings, &data.tenant, data.dir())?,
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
            presign: downloads.presign.then(|| Duration::from_secs(downloads.presign_s)),
            ..muster_http::Settings::default()
        },
    }))
}
