//! Metrics for Prometheus and for a collector: counters that the service records while it works, and gauges that are read
//! when somebody asks.

use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use chrono::{DateTime, Utc};
use metrics::{Recorder, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use muster_engine::Engine;
use muster_http::MetricsText;
use muster_reports::Catalogue;
use muster_reports::error::error_chain;
use muster_reports::metric::{self, Metric, MetricKind};
use muster_reports::ports::{AuditTrail, Clock, SnapshotCatalogue};
use muster_reports::snapshot::SnapshotManifest;
use muster_runs::free_bytes;
use muster_telemetry::{Both, Meters};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Upper bounds of durations, in seconds: a request takes milliseconds, a report up to hours.
const BOUNDS_S: [f64; 16] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3_600.0];
/// How often durations are put into their buckets. Until then each takes memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of this process, and what its gauges are read from.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    gauges: Arc<Gauges>,
    /// What sends them to a collector, if there is one.
    meters: Option<Meters>,
}

struct Gauges {
    store: Arc<muster_store::Store>,
    tenant: muster_reports::ids::TenantId,
    engine: Arc<Engine>,
    folders: Vec<(&'static str, PathBuf)>,
    has_relay: bool,
    /// Reports whose live tasks are shown: those of the catalogue, and others that had one.
    reports: Mutex<BTreeSet<String>>,
}

impl Metrics {
    /// Begins to record. Without this, recording does nothing.
    ///
    /// # Errors
    /// When this process records already.
    pub fn begin(
        data: &DataDir,
        engine: Arc<Engine>,
        catalogue: &Catalogue,
        meters: Option<Meters>,
    ) -> Result<Self> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BOUNDS_S)
            .context(|| "the bounds of durations cannot be used".into())?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        match &meters {
            Some(meters) => install(Both::new(recorder, meters.instruments(&BOUNDS_S)))?,
            None => install(recorder)?,
        }
        metric::ALL.iter().for_each(describe);
        let reports: BTreeSet<String> =
            catalogue.iter().map(|definition| definition.id.as_str().to_owned()).collect();
        begin_at_zero(&reports);
        gauge!(metric::BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let mut folders = vec![("data", data.dir().to_owned()), ("work", data.work_dir()?)];
        if data.shared_dir() != data.dir() {
            folders.push(("shared", data.shared_dir().to_owned()));
        }
        let gauges = Gauges {
            store: Arc::clone(&data.store),
            tenant: data.tenant.clone(),
            engine,
            folders,
            has_relay: !data.settings.audit.kafka.0.is_empty(),
            reports: Mutex::new(reports),
        };
        Ok(Self { handle, gauges: Arc::new(gauges), meters })
    }

    /// Makes the text of all metrics.
    pub fn text(&self) -> Arc<MetricsText> {
        let (handle, gauges) = (self.handle.clone(), Arc::clone(&self.gauges));
        Arc::new(move || {
            let (handle, gauges) = (handle.clone(), Arc::clone(&gauges));
            Box::pin(async move {
                gauges.set().await;
                handle.render()
            })
        })
    }

    /// Sends all metrics to the collector, if there is one, at each `interval` and once more when `stopping` is cancelled.
    pub async fn send(self, interval: Duration, stopping: CancellationToken) {
        let Some(meters) = self.meters else { return };
        loop {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = stopping.cancelled() => break,
            }
            self.gauges.set().await;
            let (sending, (sent, is_sent)) = (meters.clone(), oneshot::channel());
            // Not a thread of the runtime, which would wait for a slow collector at its end.
            let sender = std::thread::Builder::new().name("muster-metrics".into()).spawn(move || {
                sending.send();
                let _ = sent.send(());
            });
            if let Err(error) = sender {
                tracing::warn!(%error, "metrics cannot be sent now");
            }
            tokio::select! {
                _ = is_sent => {}
                () = stopping.cancelled() => break,
            }
        }
        // The end of the process sends what is set now.
        self.gauges.set().await;
    }

    /// Keeps the memory of recorded durations small until `stopping`.
    pub async fn keep_small(self, stopping: CancellationToken) {
        while !stopping.is_cancelled() {
            self.handle.run_upkeep();
            tokio::select! {
                () = tokio::time::sleep(UPKEEP) => {}
                () = stopping.cancelled() => {}
            }
        }
    }
}

/// Counters appear with their first increment, and what grows from nothing to one has no rate. So those whose labels are
/// known begin at 0.
fn begin_at_zero(reports: &BTreeSet<String>) {
    for report in reports {
        for end in ["done", "failed", "retry"] {
            counter!(metric::ATTEMPTS.name, "report" => report.clone(), "end" => end).absolute(0);
        }
        counter!(metric::FURTHER_ATTEMPTS.name, "report" => report.clone()).absolute(0);
        counter!(metric::ROWS.name, "report" => report.clone(), "end" => "done").absolute(0);
    }
    for end in ["sent", "failed", "dropped"] {
        counter!(metric::TELEMETRY_SPANS.name, "end" => end).absolute(0);
    }
    for end in ["sent", "failed"] {
        counter!(metric::TELEMETRY_METRICS.name, "end" => end).absolute(0);
    }
    counter!(metric::REFUSED_BY_LIMIT.name).absolute(0);
    counter!(metric::CANCELS.name).absolute(0);
    for limit in ["connections", "request_time", "plan_memory", "audit_backlog"] {
        counter!(metric::LIMITS.name, "limit" => limit).absolute(0);
    }
    gauge!(metric::CONNECTIONS.name).set(0.0);
}

fn install(recorder: impl Recorder + Sync + 'static) -> Result {
    metrics::set_global_recorder(recorder)
        .map_err(|_| Failure::new("metrics cannot be recorded: this process records already"))
}

fn describe(metric: &Metric) {
    match metric.kind {
        MetricKind::Counter => describe_counter!(metric.name, metric.meaning),
        MetricKind::Gauge => describe_gauge!(metric.name, metric.meaning),
        MetricKind::Histogram => describe_histogram!(metric.name, metric.meaning),
    }
}

impl Gauges {
    /// Sets all gauges to what they are now.
    async fn set(&self) {
        let complete = self.read().await;
        if let Err(failure) = &complete {
            tracing::warn!(error = error_chain(failure), "some metrics cannot be read");
        }
        gauge!(metric::SCRAPE_FAILED.name).set(f64::from(u8::from(complete.is_err())));
    }

    /// Reads all gauges; the first failure does not keep the others from being read.
    async fn read(&self) -> Result<()> {
        let (used, limit) = self.engine.plan_memory();
        gauge!(metric::PLAN_MEMORY.name).set(used as f64);
        gauge!(metric::PLAN_MEMORY_LIMIT.name).set(limit as f64);
        read_process();
        let read = [
            self.read_disks().await,
            self.read_tasks().await,
            self.read_trail().await,
            self.read_notifications().await,
            self.read_snapshot().await,
        ];
        read.into_iter().collect()
    }

    async fn read_disks(&self) -> Result<()> {
        let folders = self.folders.clone();
        // A network file system may be slow.
        let free = tokio::task::spawn_blocking(move || {
            folders
                .into_iter()
                .map(|(name, folder)| Ok((name, free_bytes(&folder)?)))
                .collect::<Result<Vec<_>>>()
        });
        for (name, bytes) in free.await.context(|| "the disks cannot be looked at".into())?? {
            gauge!(metric::DISK_FREE.name, "folder" => name).set(bytes as f64);
        }
        Ok(())
    }

    async fn read_tasks(&self) -> Result<()> {
        let counted = self.store.live_tasks().await?;
        let counts = live_counts(&mut self.reports.lock().unwrap_or_else(PoisonError::into_inner), counted);
        for ((report, state), count) in counts {
            gauge!(metric::TASKS.name, "report" => report, "state" => state).set(count as f64);
        }
        Ok(())
    }

    async fn read_trail(&self) -> Result<()> {
        if self.has_relay {
            gauge!(metric::RELAY_BACKLOG.name).set(self.store.backlog(&self.tenant).await? as f64);
            let oldest = self.store.oldest_to_relay(&self.tenant).await?;
            gauge!(metric::RELAY_OLDEST.name).set(seconds(oldest.unwrap_or_else(|| SystemClock.now())));
        }
        Ok(())
    }

    async fn read_notifications(&self) -> Result<()> {
        let (waiting, oldest) = self.store.waiting_notifications().await?;
        gauge!(metric::NOTIFICATIONS.name).set(waiting as f64);
        gauge!(metric::NOTIFICATIONS_OLDEST.name).set(seconds(oldest.unwrap_or_else(|| SystemClock.now())));
        Ok(())
    }

    async fn read_snapshot(&self) -> Result<()> {
        if let Some(newest) = self.store.newest(&self.tenant).await? {
            set_snapshot(&newest);
        }
        Ok(())
    }
}

/// The number of live tasks of each report and state. A report without a live task has no row in what was counted: what was
/// shown of it before becomes 0.
fn live_counts(
    reports: &mut BTreeSet<String>,
    counted: Vec<(String, String, u64)>,
) -> BTreeMap<(String, String), u64> {
    reports.extend(counted.iter().map(|(report, ..)| report.clone()));
    let states =
        |report: &String| ["pending", "running"].map(|state| ((report.clone(), state.to_owned()), 0));
    let mut counts: BTreeMap<_, _> = reports.iter().flat_map(states).collect();
    counts.extend(counted.into_iter().map(|(report, state, count)| ((report, state), count)));
    counts
}

/// Seconds since 1970.
fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1_000.0
}

fn set_snapshot(newest: &SnapshotManifest) {
    gauge!(metric::SNAPSHOT_TIMESTAMP.name).set(seconds(newest.created));
    for (table, rows) in &newest.rows {
        gauge!(metric::SNAPSHOT_ROWS.name, "table" => table.clone()).set(*rows as f64);
    }
    for source in &newest.sources {
        let set =
            |metric: Metric, value: f64| gauge!(metric.name, "source" => source.name.clone()).set(value);
        set(metric::SOURCE_TIMESTAMP, seconds(source.ended));
        set(metric::SOURCE_ACCOUNTS, source.loaded as f64);
        set(metric::SOURCE_REFUSED, source.rejected as f64);
        set(metric::SOURCE_STALE, source.stale as f64);
        set(metric::SOURCE_COMPLETE, f64::from(u8::from(source.complete)));
    }
}

/// Figures that the system has of this process. Where it has none, they are absent.
fn read_process() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    if let Some(kib) = kib {
        gauge!(metric::RESIDENT_MEMORY.name).set(kib * 1_024.0);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge!(metric::OPEN_FILES.name).set(files.count() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const PROSE: &str = include_str!("metrics.txt");

    #[test]
    fn a_report_without_a_live_task_has_none() {
        let mut reports = BTreeSet::from(["ACCOUNTS".to_owned(), "custom".to_owned()]);
        let row = |report: &str, state: &str, count| (report.to_owned(), state.to_owned(), count);
        let shown = |counts: BTreeMap<(String, String), u64>| {
            let line = |((report, state), count)| format!("{report} {state} {count}");
            counts.into_iter().map(line).collect::<Vec<_>>().join(", ")
        };
        let begun =
            live_counts(&mut reports, vec![row("custom", "running", 2), row("removed", "pending", 1)]);
        assert_eq!(
            shown(begun),
            "ACCOUNTS pending 0, ACCOUNTS running 0, custom pending 0, custom running 2, removed pending 1, removed running 0"
        );
        let ended = live_counts(&mut reports, Vec::new());
        assert_eq!((ended.len(), ended.values().sum::<u64>()), (6, 0), "also of one that is in no catalogue");
    }

    #[test]
    fn the_page_of_metrics_is_the_list() {
        let mut rows = String::new();
        for metric in metric::ALL {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind, meaning) = (metric.name, metric.kind.name(), metric.meaning);
            writeln!(rows, "| `{name}` | {kind} | {} | {meaning} |", labels.join(", "))
                .expect("a text takes all");
        }
        let page = PROSE.replace("{metrics}\n", &rows);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        if std::env::var_os("UPDATE_PAGES").is_some() {
            std::fs::write(path, &page).expect("the page can be written");
        }
        let written = std::fs::read_to_string(path).expect("the page is there");
        assert!(written == page, "docs/metrics.md is stale: run `cargo xtask docs`");
    }
}
