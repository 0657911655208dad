//! The metrics of the service: their names, types, labels and meanings, once for the code that records them, for the
//! page docs/metrics.md and for the tests of the alerts.
//!
//! Names follow the conventions of Prometheus: base units, `_total` for counters. No label has a person's data: labels are
//! the names of reports, sources, routes and folders.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows while the process lives.
    Counter,
    /// A number that is read when somebody asks for it.
    Gauge,
    /// Counts of durations, by upper bound.
    Histogram,
}

impl MetricKind {
    /// Its name in the text format of Prometheus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it is, with the unit.
    pub meaning: &'static str,
}

/// Declares metrics and the list of them.
macro_rules! metrics {
    ($($name:ident: $kind:ident $text:literal [$($label:literal),*] $meaning:literal;)+) => {
        $(
            #[doc = $meaning]
            pub const $name: Metric =
                Metric { name: $text, kind: MetricKind::$kind, labels: &[$($label),*], meaning: $meaning };
        )+

        /// All metrics, in the order of the page.
        pub const ALL: &[Metric] = &[$($name),+];
    };
}

metrics! {
    BUILD_INFO: Gauge "muster_build_info" ["version"] "1, with the version of the program.";
    TASKS: Gauge "muster_tasks" ["report", "state"] "Live tasks: waiting (`pending`) or running.";
    ATTEMPTS: Counter "muster_report_attempts_total" ["report", "end"]
        "Attempts to run a report that ended in this process: `done`, `failed`, `retry`, `released` at a stop, `cancelled`, `lease_lost`, or `deadline_passed`.";
    FURTHER_ATTEMPTS: Counter "muster_report_further_attempts_total" ["report"]
        "Attempts that are not the first of their task: after a failure that may pass, or after a process that died.";
    REPORT_SECONDS: Histogram "muster_report_seconds" ["report", "end"] "Seconds from the claim of a task to the end of the attempt.";
    ROWS: Counter "muster_report_rows_total" ["report", "end"]
        "Rows that attempts had written when they ended, by the same ends. Only those of `done` are in results.";
    REQUESTS: Counter "muster_http_requests_total" ["method", "route", "status"]
        "Requests that were answered or abandoned. `route` is the pattern of the path, or empty where there is none.";
    REQUEST_SECONDS: Histogram "muster_http_request_seconds" ["route"]
        "Seconds from the head of a request to the last byte of its answer.";
    CONNECTIONS: Gauge "muster_http_connections" [] "Open connections of clients.";
    REFUSED_BY_LIMIT: Counter "muster_http_rate_limited_total" [] "Requests that were refused because of a rate limit.";
    CANCELS: Counter "muster_report_cancels_total" [] "Requests that cancelled a report, waiting or running, or found it cancelled.";
    LIMITS: Counter "muster_limits_reached_total" ["limit"]
        "Times that a limit was reached: `connections` (the next client waits), `request_time` (answered with 503), `plan_memory` (a plan began again in a form that spills), or `audit_backlog` (a download that must be recorded was refused, because too many audit events wait to be passed on).";
    SNAPSHOT_TIMESTAMP: Gauge "muster_snapshot_timestamp_seconds" [] "When the newest snapshot was published, in seconds since 1970.";
    SNAPSHOT_ROWS: Gauge "muster_snapshot_rows" ["table"] "Rows of the tables of the newest snapshot.";
    SOURCE_TIMESTAMP: Gauge "muster_source_read_timestamp_seconds" ["source"] "When the last read of the source ended, in seconds since 1970.";
    SOURCE_ACCOUNTS: Gauge "muster_source_accounts" ["source"] "Live accounts of the source.";
    SOURCE_REFUSED: Gauge "muster_source_refused_records" ["source"] "Records that the last read refused.";
    SOURCE_STALE: Gauge "muster_source_stale_accounts" ["source"] "Live accounts that are as of an earlier read.";
    SOURCE_COMPLETE: Gauge "muster_source_complete" ["source"] "1 if the last read was complete, 0 otherwise.";
    RELAY_BACKLOG: Gauge "muster_audit_relay_backlog" [] "Audit events that have not been passed on to Kafka. Absent without `audit.kafka`.";
    RELAY_OLDEST: Gauge "muster_audit_relay_oldest_timestamp_seconds" []
        "When the oldest event that waits to be passed on to Kafka was recorded, in seconds since 1970; now if none waits. Absent without `audit.kafka`.";
    NOTIFICATIONS: Gauge "muster_notifications_waiting" [] "Notifications that are still to be delivered.";
    NOTIFICATIONS_OLDEST: Gauge "muster_notifications_oldest_timestamp_seconds" []
        "When the oldest notification that waits was made, in seconds since 1970; now if none waits.";
    BUCKET_REQUESTS: Counter "muster_bucket_requests_total" ["method", "status"]
        "Requests to buckets, repeated ones included. `status` is `none` where no answer came.";
    RESULTS_KEPT: Gauge "muster_results_not_removed" []
        "Results that have expired and whose files could not be removed, because their bucket keeps them.";
    DISK_FREE: Gauge "muster_disk_free_bytes" ["folder"] "Bytes that the disk of a folder has left: `data`, `shared` or `work`.";
    PLAN_MEMORY: Gauge "muster_plan_memory_bytes" [] "Memory that plans have reserved, in bytes.";
    PLAN_MEMORY_LIMIT: Gauge "muster_plan_memory_limit_bytes" [] "The most that plans may reserve, in bytes (`engine.memory_limit`).";
    TELEMETRY_SPANS: Counter "muster_telemetry_spans_total" ["end"]
        "Spans for the collector of traces: `sent`, `failed` if it did not take them, `dropped` if too many waited. 0 without a collector.";
    TELEMETRY_METRICS: Counter "muster_telemetry_metrics_total" ["end"]
        "Times that these metrics were sent to the collector: `sent`, or `failed` if it did not take them. 0 without a collector.";
    SCRAPE_FAILED: Gauge "muster_metrics_incomplete" [] "1 if the store or a disk did not answer, so that gauges are missing; 0 otherwise.";
    RESIDENT_MEMORY: Gauge "process_resident_memory_bytes" [] "Memory of the process, in bytes.";
    OPEN_FILES: Gauge "process_open_fds" [] "Open files and connections of the process.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_follow_the_conventions() {
        let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == MetricKind::Counter,
                "{}",
                metric.name
            );
            assert_eq!(
                metric.kind == MetricKind::Histogram,
                metric.name.ends_with("_seconds") && !metric.name.contains("timestamp"),
                "{}",
                metric.name
            );
            assert!(metric.meaning.ends_with('.'), "{}", metric.name);
        }
    }
}
