//! Settings: what can be set, its defaults, and the checks that one value alone cannot fail.
//!
//! Why here: only the binary knows that there are files, variables and flags; every other crate takes
//! plain values. The layers themselves are in `layers`.
//!
//! Invariants:
//! - an unknown key is an error wherever it stands, and an error names its place: the file and the key,
//!   the variable, or the flag;
//! - no setting is shown with a secret in it, so the effective settings may be shown: keys are files, and
//!   the password in `store.url` is left out wherever it is written.

mod audit;
mod issuers;
mod layers;

pub use audit::{AuditedDownloads, KafkaProperties};
pub use issuers::{Callers, Issuer};
pub use layers::{Effective, Given};

use muster_reports::retention::RetentionPolicy;
use muster_store::PostgresUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A setting that cannot be used: where it stands and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ConfigError {
    /// The file, the variable or the flag.
    pub place: String,
    /// The key, what is wrong, and what was expected.
    pub reason: String,
}

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The network face.
    pub server: Server,
    /// Where data is kept.
    pub data: Data,
    /// The database.
    pub store: Store,
    /// Whose data it is.
    pub tenant: Tenant,
    /// Tokens.
    pub auth: Auth,
    /// How many requests a client may make.
    pub rate_limit: RateLimit,
    /// Report runs.
    pub worker: Worker,
    /// Refreshes.
    pub refresh: Refresh,
    /// How long snapshots are kept.
    pub snapshots: Snapshots,
    /// Reports.
    pub reports: Reports,
    /// The query engine.
    pub engine: Engine,
    /// CSV files.
    pub csv: Csv,
    /// PDF files.
    pub pdf: Pdf,
    /// Evidence packages.
    pub evidence: Evidence,
    /// The audit trail.
    pub audit: Audit,
    /// The log.
    pub log: Log,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A proxy in front ends TLS: without TLS of its own only then may `listen` be an address that others can reach.
    pub behind_proxy: bool,
    /// A PEM file with the certificate of this service and those between it and its root: connections then are TLS.
    pub tls_certificate: Option<PathBuf>,
    /// A PEM file with that certificate's key.
    pub tls_key: Option<PathBuf>,
    /// A request's head must have arrived within this time from its first byte.
    pub header_timeout_ms: u64,
    /// How long an idle connection is kept; answers say so (`Keep-Alive`).
    pub idle_timeout_ms: u64,
    /// A request's body must have arrived within this time; less than `request_timeout_ms`.
    pub body_timeout_ms: u64,
    /// A request must have been read and answered within this time; a download's body may take longer.
    pub request_timeout_ms: u64,
    /// Each 32 KiB of an answer must have been taken within this time.
    pub write_timeout_ms: u64,
    /// Connections at a time.
    pub connections_max: usize,
    /// How long a stop waits for requests and running reports.
    pub grace_ms: u64,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder that holds everything this service keeps.
    pub dir: PathBuf,
    /// The folder that all processes on one PostgreSQL database share; absent: `dir`.
    pub shared: Option<PathBuf>,
    /// How long files that nothing names any more stay in the trash.
    pub trash_days: u32,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// A PostgreSQL database; absent: an SQLite file in the data directory. Shown without its password.
    pub url: Option<PostgresUrl>,
    /// Connections to PostgreSQL at most, besides the one that listens.
    pub connections: u32,
}

/// `[tenant]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The tenant's id, as tokens carry it.
    pub id: String,
    /// The organisation's name, as tokens and tasks carry it.
    pub org: String,
    /// The pod's name, as tokens carry it.
    pub pod: String,
}

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// How long an access token holds unless its credential says otherwise. Some clients never fetch another one.
    pub token_lifetime_s: u64,
    /// Take client credentials from a query string, where they end in the logs of proxies.
    pub allow_credentials_in_query: bool,
    /// Issuers whose access tokens are accepted too, each a table `[[auth.issuers]]`.
    pub issuers: Vec<Issuer>,
}

/// `[rate_limit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests of one client, to one version of the API, in one window.
    pub requests: u32,
    /// Requests of all clients of the tenant together in one window.
    pub tenant_requests: u32,
    /// Token requests of one client in one window.
    pub token_requests: u32,
    /// Length of the window.
    pub window_s: u64,
}

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Reports that run at a time; 0 runs none in this process.
    pub count: usize,
    /// How long a running report is its worker's without a heartbeat.
    pub lease_ms: u64,
    /// Time between heartbeats; at most a third of the lease.
    pub heartbeat_ms: u64,
    /// How often an idle worker looks for work unasked.
    pub poll_ms: u64,
    /// A report that has not ended this long after its start fails.
    pub deadline_s: u64,
    /// Attempts at one report.
    pub attempts_max: u32,
    /// Delay before the second attempt; doubled for each one after it.
    pub retry_first_ms: u64,
    /// Longest delay before another attempt.
    pub retry_most_ms: u64,
}

/// `[refresh]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// Publish a snapshot although a source could not be read; its accounts stay as they were.
    pub publish_incomplete: bool,
}

/// `[snapshots]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshots {
    /// So many of the newest snapshots are kept, at least one.
    pub keep_last: u32,
    /// Snapshots younger than this many days are kept besides.
    pub keep_days: u32,
}

impl Snapshots {
    /// The policy, as the store takes it.
    pub fn policy(&self) -> RetentionPolicy {
        RetentionPolicy { keep_last: self.keep_last, keep_days: self.keep_days }
    }
}

/// `[reports]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// A folder with definitions of further reports (`*.toml`); a relative path starts from the data directory.
    pub definitions: Option<PathBuf>,
    /// A source whose last reading is older than this makes a report warn.
    pub stale_after_days: u32,
}

/// `[engine]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Memory that plans may hold together; past it they write to disk. A text such as `2GiB`, or bytes; 0 takes
    /// a quarter of the machine's, and at least 1 GiB.
    pub memory_limit: ByteSize,
    /// Threads that compute; 0 takes one for each processor.
    pub threads: usize,
}

/// `[csv]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// What the first line holds.
    pub header: CsvHeader,
    /// Whether a cell that a spreadsheet would take for a formula gets a quote before it.
    pub formula_guard: bool,
}

/// What the first line of a CSV file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvHeader {
    /// Technical names, `displayName`.
    Name,
    /// Labels, `Display Name`.
    Label,
}

/// `[pdf]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pdf {
    /// The size of a page.
    pub paper: PdfPaper,
    /// The most pages that a table may have; a longer one is left out with a warning.
    pub pages_max: u32,
    /// Folders with fonts beside those in the program; the system's own where it is absent.
    pub fonts: Option<Vec<PathBuf>>,
}

/// The size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PdfPaper {
    /// 297 by 210 mm.
    A4,
    /// 11 by 8.5 inches.
    Letter,
}

/// `[evidence]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Address of a time-stamping authority (RFC 3161); absent: packages have no time stamp.
    pub time_stamp_url: Option<String>,
    /// How long the authority may take; less than `server.request_timeout_ms`.
    pub time_stamp_timeout_ms: u64,
    /// Make no package when the authority gives no time stamp.
    pub time_stamp_required: bool,
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Which downloads are recorded before their first byte.
    pub downloads: AuditedDownloads,
    /// Properties of librdkafka, a table `[audit.kafka]`; empty: the trail is passed on to nobody.
    pub kafka: KafkaProperties,
    /// The topic that events go to.
    pub kafka_topic: String,
    /// How long Kafka may take to acknowledge an event before it is sent again.
    pub kafka_delivery_ms: u64,
    /// A download that is to be recorded is refused while more events than this wait to be passed on.
    pub relay_backlog_max: u64,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is logged, as `tracing` filters read it; targets of this service begin with `muster`.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            behind_proxy: false,
            tls_certificate: None,
            tls_key: None,
            header_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            body_timeout_ms: 20_000,
            request_timeout_ms: 30_000,
            write_timeout_ms: 150_000,
            connections_max: 1_024,
            grace_ms: 20_000,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("muster-data"), shared: None, trash_days: 7 }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { url: None, connections: 16 }
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self { id: "default".into(), org: "muster".into(), pod: "local".into() }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self { token_lifetime_s: 43_200, allow_credentials_in_query: false, issuers: Vec::new() }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests: 100, tenant_requests: 10_000, token_requests: 1_000, window_s: 10 }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            count: 2,
            lease_ms: 30_000,
            heartbeat_ms: 5_000,
            poll_ms: 1_000,
            deadline_s: 6 * 3_600,
            attempts_max: 3,
            retry_first_ms: 1_000,
            retry_most_ms: 60_000,
        }
    }
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { keep_last: 30, keep_days: 0 }
    }
}

impl Default for Reports {
    fn default() -> Self {
        Self { definitions: None, stale_after_days: 7 }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { memory_limit: ByteSize(0), threads: 0 }
    }
}

impl Default for Csv {
    fn default() -> Self {
        Self { header: CsvHeader::Name, formula_guard: true }
    }
}

impl Default for Pdf {
    fn default() -> Self {
        Self { paper: PdfPaper::A4, pages_max: 2_000, fonts: None }
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self { time_stamp_url: None, time_stamp_timeout_ms: 10_000, time_stamp_required: true }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            downloads: AuditedDownloads::Asked,
            kafka: KafkaProperties::default(),
            kafka_topic: "cloud-audit-report".into(),
            kafka_delivery_ms: 30_000,
            relay_backlog_max: 100_000,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        // Libraries say much at `info` that is about their own insides.
        Self { filter: "warn,muster=info".into(), format: LogFormat::Text }
    }
}

impl Settings {
    /// What no single value shows to be wrong: the key and the reason.
    fn fault(&self) -> Option<(&'static str, String)> {
        let Server { listen, behind_proxy, tls_certificate, tls_key, .. } = &self.server;
        let reachable = !listen.ip().is_loopback() && !behind_proxy && tls_certificate.is_none();
        let slow_heart = self.worker.heartbeat_ms.saturating_mul(3) > self.worker.lease_ms;
        let positive = [
            ("server.header_timeout_ms", self.server.header_timeout_ms),
            ("server.body_timeout_ms", self.server.body_timeout_ms),
            ("server.idle_timeout_ms", self.server.idle_timeout_ms),
            ("server.request_timeout_ms", self.server.request_timeout_ms),
            ("server.write_timeout_ms", self.server.write_timeout_ms),
            ("server.connections_max", self.server.connections_max as u64),
            ("auth.token_lifetime_s", self.auth.token_lifetime_s),
            ("rate_limit.requests", u64::from(self.rate_limit.requests)),
            ("rate_limit.tenant_requests", u64::from(self.rate_limit.tenant_requests)),
            ("rate_limit.token_requests", u64::from(self.rate_limit.token_requests)),
            ("rate_limit.window_s", self.rate_limit.window_s),
            ("pdf.pages_max", u64::from(self.pdf.pages_max)),
            ("evidence.time_stamp_timeout_ms", self.evidence.time_stamp_timeout_ms),
            ("snapshots.keep_last", u64::from(self.snapshots.keep_last)),
            ("store.connections", u64::from(self.store.connections)),
            ("worker.heartbeat_ms", self.worker.heartbeat_ms),
            ("worker.poll_ms", self.worker.poll_ms),
            ("worker.deadline_s", self.worker.deadline_s),
            ("worker.attempts_max", u64::from(self.worker.attempts_max)),
            ("worker.retry_first_ms", self.worker.retry_first_ms),
            ("worker.retry_most_ms", self.worker.retry_most_ms),
        ];
        if reachable {
            return Some((
                "server.listen",
                format!(
                    "{listen} can be reached by others and this service speaks plain HTTP: expected a loopback \
                     address, server.tls_certificate and server.tls_key, or server.behind_proxy = true behind a \
                     proxy that ends TLS"
                ),
            ));
        }
        match (tls_certificate, tls_key) {
            (Some(_), None) => {
                return Some(("server.tls_key", "absent: expected the key of the certificate".into()));
            }
            (None, Some(_)) => {
                return Some((
                    "server.tls_certificate",
                    "absent: expected the certificate of the key".into(),
                ));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Some((key, "0: expected at least 1".into()));
        }
        if self.server.body_timeout_ms >= self.server.request_timeout_ms {
            let Server { body_timeout_ms, request_timeout_ms, .. } = self.server;
            return Some((
                "server.body_timeout_ms",
                format!(
                    "{body_timeout_ms}: expected less than server.request_timeout_ms, which is {request_timeout_ms}"
                ),
            ));
        }
        if slow_heart {
            let Worker { heartbeat_ms, lease_ms, .. } = self.worker;
            return Some((
                "worker.heartbeat_ms",
                format!("{heartbeat_ms}: expected at most a third of worker.lease_ms, which is {lease_ms}"),
            ));
        }
        if let Some(fault) = self.auth.issuers.iter().find_map(|issuer| issuer.fault(&self.tenant.id)) {
            return Some(("auth.issuers", fault));
        }
        if let Some(fault) = self.audit.fault() {
            return Some(fault);
        }
        if self.data.shared.is_some() && self.store.url.is_none() {
            let reason =
                "set without store.url: expected it only where processes share a PostgreSQL database";
            return Some(("data.shared", reason.into()));
        }
        // Longer ones could not be added to a time.
        for (key, seconds) in [
            ("worker.deadline_s", self.worker.deadline_s),
            ("auth.token_lifetime_s", self.auth.token_lifetime_s),
        ] {
            if seconds > 366 * 86_400 {
                return Some((key, "longer than a year: expected at most 31622400".into()));
            }
        }
        for (key, text) in [
            ("tenant.id", &self.tenant.id),
            ("tenant.org", &self.tenant.org),
            ("tenant.pod", &self.tenant.pod),
        ] {
            if text.trim().is_empty() {
                return Some((key, "blank: expected a name".into()));
            }
        }
        if (1..64 << 20).contains(&self.engine.memory_limit.0) {
            return Some((
                "engine.memory_limit",
                format!("{}: expected at least 64MiB, or 0", self.engine.memory_limit),
            ));
        }
        None
    }
}

/// A number of bytes, written as `512MiB`, `2GiB` or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |(_, shift): &&(&str, u32)| self.0 >= 1 << shift && self.0.trailing_zeros() >= *shift;
        let (unit, shift) = UNITS.iter().find(fits).unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?}: expected bytes, as in 512MiB or 2GiB");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text[digits.len()..];
        let number: u64 = digits.trim().parse().map_err(|_| refuse())?;
        let shift = match unit {
            "" => 0,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?.1,
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(refuse)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Number(u64),
            Text(String),
        }
        match Shape::deserialize(deserializer)? {
            Shape::Number(bytes) => Ok(Self(bytes)),
            Shape::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests;
