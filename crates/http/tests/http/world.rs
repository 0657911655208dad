//! A whole service over the fakes of the test kit, and plain ways to ask it.

mod fakes;
mod reviewed;

pub use fakes::*;
use reviewed::Reviewed;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use chrono::TimeDelta;
use http_body_util::BodyExt;
use muster_http::{
    AppState, ExternalIssuers, RouteEntry, SecretKey, Settings, SignIns, TokenIssuer, Wiring, hmac_secret,
    router,
};
use muster_reports::aggregation::{Aggregated, Aggregation, Bucket, BucketKey, TypeAhead};
use muster_reports::definition_fault::DefinitionFault;
use muster_reports::history::{ListedIdentity, PeopleQuery, SnapshotState, Span};
use muster_reports::ids::{ClientId, SourceId, TenantId, WorkerId, hex};
use muster_reports::inspection::{
    Candidate, CorrelationExplanation, CountedDifference, DiskRoom, KeyAge, Near, RefusedRecord, RuleOutcome,
    ServiceFacts, SetLimit, Verdict,
};
use muster_reports::kept_definition::KeptDefinition;
use muster_reports::made::{Compared, Comparer, ComparisonCounts, ComparisonForm, EvidenceMaker, MadeFile};
use muster_reports::message::Message;
use muster_reports::notify::NotifyPolicy;
use muster_reports::ports::{
    Clock, Credential, CustomReports, DefinitionStore, DocumentSearcher, FileOpener, IdentityHistory,
    InstallationFacts, Readiness, SnapshotInspector, TaskStore,
};
use muster_reports::schedule::time_zone;
use muster_reports::search::{DocumentPage, DocumentSearch, FoundDocument, FoundPage, IndexFields};
use muster_reports::service::{
    Administration, Definitions, Download, Limits, Notifications, Reviews, SavedSearches, Schedules,
    SodPolicies,
};
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::task::{AttemptEnd, PublishedFile, Task, TaskResult};
use muster_reports::trace::NoTraces;
use muster_reports::{Caller, Catalogue, DataScope, Error, FileFormat, ReportDefinition, Reports};
use muster_testkit::{AnyQuery, CountingIds, MemoryStore, TestClock, build};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io};
use tempfile::TempDir;
use tower::ServiceExt;

/// Method and path of a route, with `id` for every id and csv for every format.
pub fn line_of(route: &RouteEntry, id: &str) -> String {
    format!("{} {}", route.method, path_of(route, id))
}

/// As [`line_of`], the path alone.
pub fn path_of(route: &RouteEntry, id: &str) -> String {
    let ids = ["{taskResultId}", "{id}", "{other}", "{reportResultId}", "{fileName}"];
    let path = route.path.replace("{format}", "csv").replace("{index}", "identities");
    let path = path.replace("{date}", "2026-03-01").replace("{accessType}", "role");
    ids.iter().fold(path, |path, name| path.replace(name, id))
}

/// A header, name and value.
pub type Header<'a> = (&'a str, &'a str);

/// The secret of every credential here.
pub const SECRET: &str = "s3cr3t-of-a-test";

/// The body that starts the ACCOUNTS report.
pub const ACCOUNTS: &str = r#"{"reportType":"ACCOUNTS","arguments":{"application":"2c9180897e7742b2017e781782f705b9","sourceName":"Active Directory"}}"#;

const KEY: [u8; 32] = [3; 32];

pub struct World {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub mood: Arc<Mood>,
    pub maker: Arc<Maker>,
    pub dir: TempDir,
    pub issuer: TokenIssuer,
    pub sign_ins: SignIns,
    pub router: Router,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first cause of a refusal.
    pub fn cause(&self) -> String {
        self.json()["causes"][0]["text"].as_str().unwrap_or_default().to_owned()
    }
}

impl World {
    /// A service with one snapshot and the credentials of [`build::user`] and [`build::application`].
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_wiring(change, ExternalIssuers::default()).await
    }

    pub async fn with_wiring(change: impl FnOnce(&mut Settings), external_issuers: ExternalIssuers) -> Self {
        Self::make(change, external_issuers, Limits::default()).await
    }

    pub async fn with_limits(limits: Limits) -> Self {
        Self::make(|_| {}, ExternalIssuers::default(), limits).await
    }

    async fn make(
        change: impl FnOnce(&mut Settings),
        external_issuers: ExternalIssuers,
        limits: Limits,
    ) -> Self {
        // There is a mail server in every world.
        let notify = NotifyPolicy { email: true, ..limits.notify.clone() };
        let limits = Limits { notify, ..limits };
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
        let (mood, maker) = (Arc::new(Mood::default()), Arc::new(Maker::default()));
        let dir = TempDir::new().unwrap();
        let mut settings = Settings { org: "acme-org".into(), pod: "pod-1".into(), ..Settings::default() };
        change(&mut settings);
        let mut catalogue = Catalogue::built_in();
        catalogue.add(ReportDefinition::from_toml(CUSTOM, "custom.toml").unwrap()).unwrap();
        let reports = Reports {
            catalogue,
            tasks: store.clone(),
            retention: store.clone(),
            refreshes: store.clone(),
            snapshots: store.clone(),
            reviews: store.clone(),
            policies: store.clone(),
            audit: store.clone(),
            queries: Arc::new(AnyQuery),
            documents: maker.clone(),
            history: maker.clone(),
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            limits,
        };
        let issuer = TokenIssuer::new(&[9; 32]).unwrap();
        let reports = Arc::new(reports);
        let schedules = Arc::new(Schedules {
            reports: reports.clone(),
            store: store.clone(),
            credentials: store.clone(),
            zone: time_zone("Europe/Berlin").unwrap(),
        });
        let saved_searches =
            SavedSearches { reports: reports.clone(), store: store.clone(), schedules: schedules.clone() };
        let definitions = Definitions {
            reports: reports.clone(),
            store: store.clone(),
            custom: Arc::new(AnyDefinition { store: store.clone(), catalogue: reports.catalogue.clone() }),
        };
        let reviewed = Arc::new(Reviewed::default());
        let reviews = Reviews {
            reports: reports.clone(),
            store: store.clone(),
            populations: reviewed.clone(),
            sheets: reviewed,
        };
        let notifications = Notifications { reports: reports.clone(), store: store.clone() };
        let state = AppState::new(Wiring {
            reports: reports.clone(),
            schedules: schedules.clone(),
            saved_searches: Arc::new(saved_searches),
            reviews: Arc::new(reviews),
            sod_policies: Arc::new(SodPolicies { reports: reports.clone(), schedules }),
            definitions: Arc::new(definitions),
            notifications: Arc::new(notifications),
            administration: Arc::new(Administration {
                reports: reports.clone(),
                inspector: maker.clone(),
                credentials: store.clone(),
                installation: maker.clone(),
            }),
            credentials: store.clone(),
            files: Arc::new(Folder(dir.path().to_owned())),
            evidence: maker.clone(),
            comparer: maker.clone(),
            readiness: mood.clone(),
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            traces: Arc::new(NoTraces),
            issuer: issuer.clone(),
            external_issuers,
            secret_key: SecretKey::new(KEY),
            settings,
        });
        let manifest = build::manifest("snapshot-1", clock.now());
        store.put_snapshot(&build::tenant(), &manifest);
        let sign_ins = state.sign_ins();
        let world = Self { store, clock, mood, maker, dir, issuer, sign_ins, router: router(state) };
        world.credential(build::user(), true).await;
        world.credential(build::application(), true).await;
        world
    }

    /// Keeps a credential whose secret is [`SECRET`].
    pub async fn credential(&self, caller: Caller, enabled: bool) {
        self.credential_holding(caller, enabled, None).await;
    }

    /// As [`World::credential`], with tokens that hold for so many seconds.
    pub async fn credential_holding(&self, caller: Caller, enabled: bool, token_lifetime_s: Option<u32>) {
        let credential = Credential {
            caller,
            secret_hmac: hmac_secret(&SecretKey::new(KEY), SECRET),
            enabled,
            token_lifetime_s,
            created: self.clock.now(),
            description: "for a test".into(),
        };
        self.store.put_credential(&credential);
    }

    /// `Bearer` and a token that holds for an hour.
    pub fn bearer(&self, caller: &Caller) -> String {
        let token = self.issuer.issue(caller, "jti", self.clock.now(), TimeDelta::hours(1)).unwrap();
        format!("Bearer {token}")
    }

    /// Asks; `line` is method and address, `GET /health/live`.
    pub async fn ask(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let response = self.response(line, headers, body).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request that a test has made itself.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks, and leaves the body unread.
    pub async fn response(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
        let (method, address) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(address);
        request = request.header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()
    }

    /// Asks as [`build::user`], who may do everything.
    pub async fn ask_as_user(&self, line: &str, body: &str) -> Answer {
        let bearer = self.bearer(&build::user());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.ask(line, &headers, body.to_owned()).await
    }

    /// Starts ACCOUNTS and returns the id.
    pub async fn start(&self) -> String {
        let answer = self.ask_as_user("POST /v2024/reports/run", ACCOUNTS).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Does what a worker does: claims the next task and ends it with a CSV file of these bytes.
    pub async fn finish(&self, content: &[u8], messages: Vec<Message>) {
        self.finish_as(content, messages, "csv").await;
    }

    /// As [`World::finish`], with this extension of the file.
    pub async fn finish_as(&self, content: &[u8], messages: Vec<Message>, extension: &str) {
        let worker = WorkerId::new("w");
        let now = self.clock.now();
        let claim = self.store.claim(&worker, now, Duration::from_secs(60)).await.unwrap().unwrap();
        let stored_name = format!("{}.csv", claim.task.id);
        fs::write(self.dir.path().join(&stored_name), content).unwrap();
        let file = PublishedFile {
            format: FileFormat::Csv,
            stored_name,
            media_type: "application/csv".into(),
            extension: extension.into(),
            bytes: content.len() as u64,
            rows: 37,
            sha256: hex(Sha256::digest(content)),
        };
        let cover = format!(r#"{{"taskId":"{}"}}"#, claim.task.id);
        let result = TaskResult { rows: 37, files: vec![file], cover };
        let ended = self.clock.advance(TimeDelta::milliseconds(342));
        let end = AttemptEnd::Done { result, messages };
        assert!(self.store.end_attempt(&claim.lease, end, ended).await.unwrap());
    }

    /// Ends the next task without a file.
    pub async fn fail(&self) {
        let now = self.clock.now();
        let claim =
            self.store.claim(&WorkerId::new("w"), now, Duration::from_secs(60)).await.unwrap().unwrap();
        let end = AttemptEnd::Failed { message: Message::error("broken", "it broke") };
        assert!(self.store.end_attempt(&claim.lease, end, now).await.unwrap());
    }

    /// A finished report with this content.
    pub async fn finished(&self, content: &[u8]) -> String {
        let id = self.start().await;
        self.finish(content, Vec::new()).await;
        id
    }

    pub fn stored(&self, id: &str) -> std::path::PathBuf {
        self.dir.path().join(format!("{id}.csv"))
    }
}

/// [`build::user`] under another client id.
pub fn user_as(client: &str) -> Caller {
    Caller { client: ClientId::new(client), ..build::user() }
}

/// A custom report.
const CUSTOM: &str = r#"
id = "leavers"
version = 1
name = "Leavers"
description = "Identities that left."
row = "an identity"
formats = ["CSV"]
order_by = ["id"]
query = "SELECT id FROM identities"
population = "SELECT count(*) FROM identities"

[[arguments]]
name = "since"
type = "text"
required = true
meaning = "Since when."

[[columns]]
name = "id"
label = "Id"
meaning = "Id."
"#;
