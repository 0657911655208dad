//! Settings: what can be set, with types, defaults and meanings. `cargo xtask docs` writes docs/settings.md from them.
//!
//! Why here: only the binary knows that there are files, variables and flags; every other crate takes
//! plain values. The layers are in `layers`, the checks that one value alone cannot fail in `checks`.
//!
//! Invariants:
//! - an unknown key is an error in every layer, and an error names its place: the file and the key,
//!   the variable, or the flag;
//! - no setting is shown with a secret in it, so the effective settings may be shown: keys are files, and
//!   the password in `store.url` is left out wherever it is written.

mod audit;
mod byte_size;
mod checks;
mod declared;
mod guards;
mod issuers;
mod layers;
mod ratio;

pub use audit::{AuditedDownloads, KAFKA_PASSWORD, KafkaProperties};
pub use byte_size::ByteSize;
pub use guards::Guards;
pub use issuers::{Callers, Issuer, SignInToken};
pub use layers::{Effective, Given};
pub use ratio::Ratio;

use declared::{keys, settings};
use muster_reports::result_life::ResultPolicy;
use muster_reports::retention::RetentionPolicy;
use muster_store::PostgresUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A setting that cannot be used: its place and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ConfigError {
    /// The file, the variable or the flag.
    pub place: String,
    /// The key, what is wrong, and what was expected.
    pub reason: String,
}

settings! {
    /// The network face.
    server: Server {
        /// Address and port to listen on; port 0 takes a free one.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// A proxy in front terminates TLS. Unless the service has a certificate of its own, only this lets
        /// `server.listen` be an address that others can reach.
        behind_proxy: bool = false,
        /// A PEM file with the service's certificate and those between it and its root. Connections are then
        /// TLS, 1.2 or 1.3. Read at the start: restart after a renewal. A relative path starts from the data
        /// directory.
        tls_certificate: Option<PathBuf> = None,
        /// A PEM file with that certificate's key, or `credential:NAME`, a credential of systemd.
        tls_key: Option<PathBuf> = None,
        /// A request's head must arrive within this time from its first byte; for the first request of a
        /// connection, from the connection's start.
        header_timeout_ms: u64 = 10_000,
        /// How long a connection without a request is kept. Answers say so: `Keep-Alive: timeout=75`.
        idle_timeout_ms: u64 = 75_000,
        /// A request's body must arrive within this time, or the answer is 408; less than
        /// `server.request_timeout_ms`.
        body_timeout_ms: u64 = 20_000,
        /// A request must be read and answered within this time; the body of a download may take longer.
        request_timeout_ms: u64 = 30_000,
        /// The client must take each 32 KiB of an answer within this time, or the connection is closed. With
        /// the default, a download of 1 KB/s or more is never cut, however long it takes.
        write_timeout_ms: u64 = 150_000,
        /// Connections at a time. There are fewer if the system lets the process open too few files: each
        /// connection needs two, and 512 are kept for reports; below 680 files, connections get a quarter.
        connections_max: usize = 1_024,
        /// How long a stop waits for requests and running reports.
        grace_ms: u64 = 20_000,
    }

    /// Metrics for Prometheus.
    metrics: Metrics {
        /// Address and port at which `GET /metrics` answers; if absent, nothing is recorded. Nobody is asked for a
        /// token there: let only the monitoring reach it. docs/metrics.md has the metrics.
        listen: Option<SocketAddr> = None,
    }

    /// Traces and metrics for a collector that takes OTLP over HTTP. docs/telemetry.md explains them.
    telemetry: Telemetry {
        /// The collector's address, such as `https://collector.example.com:4318`; if absent, and the variable
        /// `OTEL_EXPORTER_OTLP_ENDPOINT` is too, nothing is sent.
        endpoint: Option<String> = None,
        /// A file with headers of each request, one `Name: value` a line, such as a token of the collector. Read at the
        /// start; only its owner may be able to read it. A relative path starts from the data directory;
        /// `credential:NAME` is a credential of systemd.
        headers_file: Option<PathBuf> = None,
        /// A PEM file with the certificates to trust, in place of the system's. A relative path starts from the data
        /// directory.
        ca_file: Option<PathBuf> = None,
        /// The name of the service at the collector; if absent, that of the variable `OTEL_SERVICE_NAME`, or `muster`.
        service_name: Option<String> = None,
        /// The part of the traces that begin here to send, from 0 to 1; if absent, all of them, or what the variable
        /// `OTEL_TRACES_SAMPLER` says. A request that brings a trace decides itself.
        sampled: Option<Ratio> = None,
        /// How long the collector may take for a request.
        timeout_ms: u64 = 10_000,
        /// How often metrics are sent.
        interval_s: u64 = 60,
    }

    /// Pages for people, at `/`.
    console: Console {
        /// Whether the service has a console. Without it, the paths `/` and `/ui/` are answered as unknown ones.
        enabled: bool = true,
        /// A session ends this long after its last page.
        idle_s: u64 = 1_800,
        /// A session ends this long after its sign-in, or earlier with its access token.
        longest_s: u64 = 28_800,
        /// The address at which browsers reach the service, such as `https://muster.example.com`. Issuers lead people back
        /// to it.
        public_url: Option<String> = None,
    }

    /// Where data is kept.
    data: Data {
        /// The folder that holds everything the service keeps. Also `--data DIR`.
        dir: PathBuf = PathBuf::from("muster-data"),
        /// The folder that all processes on one PostgreSQL database share: keys, identity tables, result
        /// files. Each process keeps a `data.dir` of its own. Only with `store.url`; if absent, it is
        /// `data.dir`.
        shared: Option<PathBuf> = None,
        /// How long files that nothing names any more stay in `results/trash` and `tables/trash`; 0 removes
        /// them at once.
        trash_days: u32 = 7,
    }

    /// The database.
    store: Store {
        /// A PostgreSQL database, `postgres://user:password@host:port/database?sslmode=verify-full`; if
        /// absent, an SQLite file in the data directory.
        url: Option<PostgresUrl> = None,
        /// A file with the password of `store.url`, in place of one in the URL. A relative path starts from the data
        /// directory; `credential:NAME` is a credential of systemd.
        password_file: Option<PathBuf> = None,
        /// Connections to PostgreSQL at most, in addition to the one that listens.
        connections: u32 = 16,
    }

    /// Keys that are not in the folder `keys` of the data directory.
    keys: Keys {
        /// The file of the key under which client secrets are kept, in place of `keys/secrets.key`: 64 hex digits. It is
        /// never made, and must be there. A relative path starts from the data directory; `credential:NAME` is a
        /// credential of systemd (`LoadCredential=`). docs/install.md has an example.
        secrets: Option<PathBuf> = None,
        /// In the same way, the key that seals the audit trail, in place of `keys/audit.key`.
        audit: Option<PathBuf> = None,
        /// In the same way, the key that signs evidence packages, in place of `keys/evidence.key`; or the `pkcs11:` URI of a
        /// key in a token.
        evidence: Option<PathBuf> = None,
    }

    /// Whose data it is.
    tenant: Tenant {
        /// The tenant's id in tokens.
        id: String = "default".into(),
        /// The organisation's name in tokens and tasks.
        org: String = "muster".into(),
        /// The pod's name in tokens.
        pod: String = "local".into(),
    }

    /// Tokens.
    auth: Auth {
        /// How long an access token is valid unless its credential says otherwise (`muster client create
        /// --token-lifetime`). Some clients fetch one token and never another.
        token_lifetime_s: u64 = 43_200,
        /// Accept client credentials in a query string, although they end in the logs of proxies.
        allow_credentials_in_query: bool = false,
        /// External issuers whose access tokens are accepted, each a table `[[auth.issuers]]`; see below.
        issuers: Vec<Issuer> = Vec::new(),
    }

    /// How many requests a client may make.
    rate_limit: RateLimit {
        /// Requests of one client, to one version of the API, in one window.
        requests: u32 = 100,
        /// Requests of all clients of the tenant together in one window.
        tenant_requests: u32 = 10_000,
        /// Token requests of one client in one window.
        token_requests: u32 = 1_000,
        /// Length of the window.
        window_s: u64 = 10,
    }

    /// Report runs.
    worker: Worker {
        /// Reports that run at a time, and one more whose last run was short; 0 runs none in this process.
        count: usize = 2,
        /// How long a worker may run a report without a heartbeat. After a crash, the report is taken up
        /// again when this time has passed.
        lease_ms: u64 = 30_000,
        /// Time between heartbeats; at most a third of the lease.
        heartbeat_ms: u64 = 5_000,
        /// How often an idle worker looks for work without being told of any.
        poll_ms: u64 = 1_000,
        /// A report that has not ended this long after its start fails.
        deadline_s: u64 = 6 * 3_600,
        /// Attempts at one report.
        attempts_max: u32 = 3,
        /// Delay before the second attempt; doubled before each later one.
        retry_first_ms: u64 = 1_000,
        /// Longest delay before another attempt.
        retry_most_ms: u64 = 60_000,
    }

    /// Refreshes.
    refresh: Refresh {
        /// Publish a snapshot even if a source could not be read; its accounts stay as they were, and reports
        /// warn.
        publish_incomplete: bool = false,
        /// How much a refresh may lose, as a table `[refresh.guards]`; see below.
        guards: Guards = Guards::default(),
    }

    /// How long snapshots are kept.
    snapshots: Snapshots {
        /// This many of the newest snapshots are kept, at least one. docs/snapshots.md says which others are
        /// kept.
        keep_last: u32 = 30,
        /// Snapshots younger than this many days are kept too.
        keep_days: u32 = 0,
    }

    /// How long the files of results are kept. Their records are kept for ever.
    results: Results {
        /// Files of results that ended this many days ago are removed; if absent, files are kept for ever.
        /// docs/files.md says which others are kept.
        keep_days: Option<u32> = None,
        /// This many of the newest results of each report with the same arguments are kept, whatever their age.
        keep_last: u32 = 1,
        /// The bucket that new files of results go to: `s3://BUCKET/FOLDER`, `az://CONTAINER/FOLDER` or
        /// `gs://BUCKET/FOLDER`, each installation its own. If absent, they are in the folder `results`.
        /// docs/object-store.md explains it.
        location: Option<String> = None,
        /// A file that says how the bucket is reached, one `NAME=value` a line, with the variables that the service's own
        /// programs read, such as `AWS_ACCESS_KEY_ID`. They count more than variables of the environment. Read at the
        /// start; only its owner may be able to read it. A relative path starts from the data directory;
        /// `credential:NAME` is a credential of systemd.
        location_file: Option<PathBuf> = None,
        /// A file that is larger than this is sent to the bucket in parts of this size, at least 5 MiB for most stores. Each
        /// report that is sent holds three parts in memory.
        part_size: ByteSize = ByteSize(16 << 20),
    }

    /// Downloads.
    downloads: Downloads {
        /// Whether a download from a bucket is answered with a redirect to an address of the bucket, which works for
        /// `downloads.presign_s` seconds for whoever has it. Rights are checked and events recorded before. Downloads that
        /// ask for a name of their own are sent by the service.
        presign: bool = false,
        /// How long such an address works, 1 to 3600.
        presign_s: u64 = 60,
    }

    /// Reports.
    reports: Reports {
        /// A folder with definitions of custom reports (`*.toml`); a relative path starts from the data
        /// directory.
        definitions: Option<PathBuf> = None,
        /// A source whose last reading is older than this makes a report warn.
        stale_after_days: u32 = 7,
    }

    /// Schedules.
    schedules: Schedules {
        /// Whether this process makes the runs of schedules that are due. Of several processes on one database,
        /// each run is made by one.
        run: bool = true,
        /// The time zone of schedules that name none: a name of the IANA time zone database.
        time_zone: String = "UTC".into(),
        /// Attempts before a run has failed.
        attempts_max: u32 = 3,
        /// Delay before the second attempt; doubled before each later one.
        retry_s: u64 = 60,
    }

    /// Notifications of runs that have ended. docs/notifications.md explains them.
    notifications: Notifications {
        /// Whether this process delivers notifications. Of several processes on one database, each notification is
        /// delivered by one.
        run: bool = true,
        /// The service's address in the links of notifications, such as `https://muster.example.com`; if absent,
        /// notifications have no links.
        public_url: Option<String> = None,
        /// Whether webhooks may be at addresses of internal networks, and have plain HTTP. Whoever may start a report
        /// chooses the address.
        internal_networks: bool = false,
        /// Attempts before a notification is given up.
        attempts_max: u32 = 20,
        /// Delay before the second attempt; doubled before each later one, up to an hour.
        retry_s: u64 = 10,
    }

    /// E-mail.
    mail: Mail {
        /// The name of the mail server (SMTP); if absent, no mail is sent.
        server: Option<String> = None,
        /// Its port; if absent, the usual one: 465 for `tls`, 587 for `starttls`, 25 for `none`.
        port: Option<u16> = None,
        /// How the connection is protected: `tls` from the first byte, `starttls`, which must then succeed, or
        /// `none`.
        tls: MailTls = MailTls::Tls,
        /// The user that the server knows; if absent, none is named.
        user: Option<String> = None,
        /// A file with that user's password. Read at the start. A relative path starts from the data directory;
        /// `credential:NAME` is a credential of systemd.
        password_file: Option<PathBuf> = None,
        /// The sender, `muster@example.com` or `Muster <muster@example.com>`; needed with `mail.server`.
        from: Option<String> = None,
        /// A PEM file with the certificates to trust, in place of the system's. A relative path starts from the data
        /// directory.
        ca_file: Option<PathBuf> = None,
        /// The domains of recipients; if empty, mail may go to any.
        domains: Vec<String> = Vec::new(),
        /// Largest file that is attached where a notification asks for it, as a text such as `1MiB`; 0 attaches none.
        attachment_max: ByteSize = ByteSize(0),
    }

    /// The query engine.
    engine: Engine {
        /// Memory that plans may use together; beyond it they write to disk. A text such as `512MiB`, or
        /// bytes; 0 takes a quarter of the machine's, and at least 1 GiB.
        memory_limit: ByteSize = ByteSize(0),
        /// Threads that compute; 0 takes one for each processor.
        threads: usize = 0,
    }

    /// CSV files.
    csv: Csv {
        /// What the first line of a CSV file holds: `name` (technical names) or `label` (labels).
        header: CsvHeader = CsvHeader::Name,
        /// Whether a CSV cell that a spreadsheet would take for a formula gets an apostrophe before it; a
        /// request may say otherwise with `formulaGuard`. docs/files.md says how to remove it.
        formula_guard: bool = true,
        /// Whether CSV files begin with a byte order mark, by which some spreadsheets know UTF-8; a request may say
        /// otherwise with `csvBom`.
        bom: bool = false,
    }

    /// PDF files.
    pdf: Pdf {
        /// The size of a PDF's pages: `a4` or `letter`.
        paper: PdfPaper = PdfPaper::A4,
        /// The most pages that a PDF's table may have; a longer one is left out, and a message says so.
        pages_max: u32 = 2_000,
        /// A list of folders with fonts for scripts that the program's own fonts lack; the system's font
        /// folders if absent.
        fonts: Option<Vec<PathBuf>> = None,
    }

    /// Evidence packages.
    evidence: Evidence {
        /// Address of a time-stamping authority (RFC 3161) that stamps evidence packages, `http` or `https`;
        /// if absent, packages have no time stamp.
        time_stamp_url: Option<String> = None,
        /// How long the authority may take; less than `server.request_timeout_ms`.
        time_stamp_timeout_ms: u64 = 10_000,
        /// Whether a package is refused with 503 when the authority gives no time stamp. With `false` it is
        /// made without one, and the log says so.
        time_stamp_required: bool = true,
    }

    /// The audit trail.
    audit: Audit {
        /// Which downloads are recorded before their first byte: `asked` (those with `auditable=true`) or
        /// `always`.
        downloads: AuditedDownloads = AuditedDownloads::Asked,
        /// Properties of librdkafka, as a table `[audit.kafka]`; if absent, the audit trail is not passed on.
        /// See docs/audit.md.
        kafka: KafkaProperties = KafkaProperties::default(),
        /// A file with the password that Kafka asks for (the property `sasl.password`). A relative path starts from the data
        /// directory; `credential:NAME` is a credential of systemd.
        kafka_password_file: Option<PathBuf> = None,
        /// The topic that audit events go to.
        kafka_topic: String = "cloud-audit-report".into(),
        /// How long Kafka may take to acknowledge an event before it is sent again.
        kafka_delivery_ms: u64 = 30_000,
        /// While this many events wait to be passed on, downloads that must be recorded are refused with 503.
        relay_backlog_max: u64 = 100_000,
    }

    /// The log.
    log: Log {
        /// What is logged, in the syntax of the `tracing` crates. The default logs warnings of libraries, and
        /// what the service does, each request with its duration and bytes. `muster=debug,warn` logs more of
        /// the service, `info` also what libraries do. Commands that end by themselves log only warnings unless
        /// this is set: `muster_engine=debug` shows how long each step of a refresh takes.
        filter: String = "warn,muster=info".into(),
        /// The form of log lines: `text` or `json`.
        format: LogFormat = LogFormat::Text,
    }
}

impl Snapshots {
    /// The policy, as the store takes it.
    pub fn policy(&self) -> RetentionPolicy {
        RetentionPolicy { keep_last: self.keep_last, keep_days: self.keep_days }
    }
}

impl Results {
    /// The policy, as the store takes it.
    pub fn policy(&self) -> ResultPolicy {
        ResultPolicy { keep_days: self.keep_days, keep_last: self.keep_last }
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// TLS from the first byte.
    Tls,
    /// It must change to TLS.
    Starttls,
    /// Not at all.
    None,
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

/// The size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PdfPaper {
    /// 297 by 210 mm.
    A4,
    /// 11 by 8.5 inches.
    Letter,
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

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;
