//! Packages over the fakes of the test kit, and a time-stamping authority that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use muster_engine::EngineSettings;
use muster_engine::refresh::{LossLimits, RefreshRequest, SourceInput};
use muster_render::evidence::verify_bag;
use muster_reports::caller::Caller;
use muster_reports::error::Category;
use muster_reports::ids::{SnapshotId, WorkerId};
use muster_reports::ports::TaskStore;
use muster_reports::retention::RetentionPolicy;
use muster_reports::task::{AttemptEnd, NewTask, TaskResult};
use muster_reports::{FileFormat, ReportKind};
use muster_sources::SourceDefinition;
use muster_testkit::build::{SOURCE, audit_event, manifest, new_task, tenant, user};
use muster_testkit::{CountingIds, MemoryStore, TestClock, acts};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CSV: &[u8] = b"id\r\n1\r\n2\r\n";
/// From `printf 'id\r\n1\r\n2\r\n' | sha256sum`.
const SHA: &str = "7d6665daf354ca9bd7f41cd93b86694168642d03230041b95203096f2faf6294";

fn engine(dir: &Path) -> Arc<Engine> {
    let settings = EngineSettings {
        tables_dir: dir.join("engine/tables"),
        work_dir: dir.join("engine/work"),
        memory_limit_bytes: 256 << 20,
        threads: 2,
    };
    Arc::new(Engine::open(settings).unwrap())
}

/// A snapshot of two sources: one with a rule, of whose records two were refused, and one that cannot be read, whose
/// definition says where a secret is.
async fn refreshed(dir: &Path, engine: &Arc<Engine>, parts: &PackageParts) -> SnapshotManifest {
    let people = dir.join("people.csv");
    std::fs::write(&people, "id,emp\n1,E1\n2,E2,x\n,E3\n").unwrap();
    let hr = "kind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n\
              [[correlation]]\nidentity_attribute = \"uid\"\naccount_attribute = \"emp\"\n";
    let directory = "kind = \"ldap\"\n[ldap]\nurl = \"ldaps://127.0.0.1:1\"\nbind_dn = \"cn=reader\"\n\
                     password_file = \"/there/is/no/password\"\nbase_dns = [\"dc=x\"]\n\
                     [ldap.account]\nnative_identity = \"entryUUID\"\n";
    let input = |(name, text): (&str, &str)| SourceInput {
        definition: SourceDefinition::from_toml(&format!("name = \"{name}\"\n{text}"), &people).unwrap(),
        base_dir: dir.to_owned(),
    };
    let request = RefreshRequest {
        sources: [("HR", hr), ("Directory", directory)].map(input).to_vec(),
        links: Vec::new(),
        previous: None,
        tenant: tenant(),
        audit: parts.audit.clone(),
        environment: Arc::new(|_| None),
        snapshot: SnapshotId::new("snapshot-1"),
        attempt: "attempt-1".into(),
        clock: parts.clock.clone(),
        as_of: None,
        publish_incomplete: true,
        full: false,
        accept_missing: BTreeSet::new(),
        limits: LossLimits::default(),
        ignore_limits: false,
        progress: Arc::default(),
    };
    engine.refresh(request).await.unwrap().manifest.unwrap()
}

struct Finished {
    packages: Packages,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    task: Task,
    dir: TempDir,
}

/// A finished task of a caller with this data scope, over a snapshot that has expired.
async fn finished(scope: DataScope, authority: Option<Authority>) -> Finished {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    store.put_snapshot(&tenant(), &manifest("snapshot-1", clock.now()));
    let parts = parts(&dir, engine(dir.path()), &store, &clock, authority);
    let finished = finish(dir, store, clock, parts, scope).await;
    finished.store.put_snapshot(&tenant(), &manifest("snapshot-2", finished.clock.now()));
    let policy = RetentionPolicy { keep_last: 1, keep_days: 0 };
    let expired = acts::expire(&*finished.store, &tenant(), policy, finished.clock.now()).await.unwrap();
    assert_eq!(expired, [SnapshotId::new("snapshot-1")]);
    finished
}

fn parts(
    dir: &TempDir,
    engine: Arc<Engine>,
    store: &Arc<MemoryStore>,
    clock: &Arc<TestClock>,
    authority: Option<Authority>,
) -> PackageParts {
    let work_dir = dir.path().join("work");
    std::fs::create_dir(&work_dir).unwrap();
    PackageParts {
        files: ResultFiles::open(dir.path().join("results")).unwrap(),
        snapshots: store.clone(),
        engine,
        audit: store.clone(),
        authority,
        clock: clock.clone(),
        ids: Arc::new(CountingIds::default()),
        work_dir,
        copies: Arc::default(),
    }
}

async fn finish(
    dir: TempDir,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    parts: PackageParts,
    scope: DataScope,
) -> Finished {
    let requester = Caller { data_scope: scope, ..user() };
    store.start(NewTask { requester, ..new_task(1, clock.now()) }).await.unwrap();
    let minute = Duration::from_secs(60);
    let claim = store.claim(&WorkerId::new("w"), clock.now(), minute).await.unwrap().unwrap();
    let mut pending = parts.files.create(&claim.task.id, claim.lease.epoch, "report.csv").unwrap();
    pending.write_all(CSV).unwrap();
    let published = PublishedFile {
        format: FileFormat::Csv,
        stored_name: pending.publish().unwrap(),
        media_type: "application/csv".into(),
        extension: "csv".into(),
        bytes: CSV.len() as u64,
        rows: 2,
        sha256: SHA.into(),
    };
    let result = TaskResult { rows: 2, files: vec![published], cover: cover(&claim.task.id).to_string() };
    let end = AttemptEnd::Done { result, messages: Vec::new() };
    assert!(store.end_attempt(&claim.lease, end, clock.now()).await.unwrap());
    let task = store.task(&tenant(), &claim.task.id).await.unwrap().unwrap();
    let packages = Packages::new(parts, SigningKey::from_secret(&[7; 32]));
    Finished { packages, store, clock, task, dir }
}

fn cover(task: &TaskId) -> serde_json::Value {
    let time = "2026-03-02T09:00:00Z";
    let mut cover = json!({
        "coverVersion": 1,
        "taskId": task,
        "report": {
            "id": ReportKind::Accounts.as_str(), "name": "Account Report", "version": 1, "digest": "0",
            "builtIn": true,
        },
        "tenant": "acme",
        "requester": {
            "name": "ada", "identityId": null, "credential": "user", "clientId": "c", "dataScope": "everything",
        },
        "submitted": time,
        "started": time,
        "completed": time,
        "productVersion": "0",
    });
    let rest = json!({
        "arguments": {},
        "effectiveQuery": "SELECT id FROM accounts",
        "snapshot": { "id": "snapshot-1", "created": time, "ageSeconds": 0, "sources": [] },
        "reconciliation": {
            "population": 2, "excluded": [], "expected": 2, "reported": 2, "subtotals": [],
        },
        "countedBy": [{ "what": "population", "query": "SELECT count(*) FROM accounts" }],
        "columns": [],
        "messages": [],
        "files": [{ "name": "Accounts of HR.csv", "format": "CSV", "bytes": CSV.len(), "rows": 2, "sha256": SHA }],
        "howToVerify": "",
    });
    cover.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    cover
}

fn client() -> ClientId {
    ClientId::new("c")
}

/// The package's bytes, which must verify.
async fn packed(finished: &Finished) -> Vec<u8> {
    let package = finished.packages.package(&client(), &finished.task).await.unwrap();
    let (mut file, mut bytes) = (&*package.file, Vec::new());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(package.bytes, bytes.len() as u64);
    let key = SigningKey::from_secret(&[7; 32]).public();
    let verification = verify_bag(std::io::Cursor::new(&bytes), &key);
    assert!(verification.holds(), "{verification}");
    bytes
}

async fn said_of(finished: &Finished) -> String {
    let key = SigningKey::from_secret(&[7; 32]).public();
    verify_bag(std::io::Cursor::new(packed(finished).await), &key).to_string()
}

#[tokio::test]
async fn a_package_verifies_and_leaves_no_file() {
    let finished = finished(DataScope::Everything, None).await;
    for id in ["first", "second"] {
        let event = audit_event(id, finished.task.created);
        finished.store.record(&event).await.unwrap();
    }
    let said = said_of(&finished).await;
    for expected in [
        "Accounts of HR.csv: it is the file of the cover: 10 bytes, 2 rows counted",
        // The two, and the task's end.
        "data/audit-events.ndjson: the chain of 3 events holds",
        "unchecked  there is no time stamp: the service names no authority",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    let left: Vec<_> = std::fs::read_dir(finished.dir.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(finished.packages.places.available_permits(), AT_A_TIME);
}

/// A file of a package's `data/`.
fn file_of(package: &[u8], name: &str) -> Option<String> {
    // Members are compressed, so they are found with the program that everybody has.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("package.zip"), package).unwrap();
    let path = format!("*/data/{name}");
    let unzip = std::process::Command::new("unzip")
        .args(["-p", "package.zip", &path])
        .current_dir(dir.path())
        .output();
    let Ok(output) = unzip else {
        println!("SKIPPED: no unzip");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_package_has_what_its_result_rests_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let engine = engine(dir.path());
    let parts = parts(&dir, engine.clone(), &store, &clock, None);
    let manifest = refreshed(dir.path(), &engine, &parts).await;
    store.put_snapshot(&tenant(), &manifest);
    let finished = finish(dir, store, clock, parts, DataScope::Everything).await;
    let package = packed(&finished).await;
    let Some(definitions) = file_of(&package, "source-definitions.json") else { return };
    assert!(definitions.contains("\"password_file\": \"[removed]\""), "{definitions}");
    assert!(!definitions.contains("/there"), "{definitions}");
    let rules = file_of(&package, "correlation-rules.json").unwrap();
    assert!(rules.contains("\"account_attribute\": \"emp\""), "{rules}");
    let refused = file_of(&package, "refused-records.ndjson").unwrap();
    let refused: Vec<serde_json::Value> =
        refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The record with a field too many, and the one without a native identity.
    let lines: Vec<_> = refused.iter().map(|record| (&record["source_name"], &record["line"])).collect();
    assert_eq!(lines, [(&json!("HR"), &json!(3)), (&json!("HR"), &json!(4))]);
    let counted = file_of(&package, "second-count.json").unwrap();
    assert!(counted.contains("SELECT count(*) FROM accounts"), "{counted}");
}

/// Many who ask for one package at once hold one copy of it; the next one has the events since.
#[tokio::test]
async fn a_package_that_is_being_sent_is_shared() {
    let finished = finished(DataScope::Everything, None).await;
    let ask = async || finished.packages.package(&client(), &finished.task).await.unwrap();
    let (first, second) = tokio::join!(ask(), ask());
    let third = ask().await;
    assert!(Arc::ptr_eq(&first.file, &second.file) && Arc::ptr_eq(&first.file, &third.file));
    // More than one client may hold of its own: they are one.
    let mut held = vec![first, second, third];
    for _ in 0..40 {
        held.push(ask().await);
    }
    finished.store.record(&audit_event("first", finished.task.created)).await.unwrap();
    let shared = held[0].sha256.clone();
    assert_eq!(ask().await.sha256, shared);
    finished.clock.advance(SHARED_FOR);
    let later = ask().await;
    assert_ne!(later.sha256, shared);
    drop((held, later));
    // Nothing is kept for those who come after.
    finished.packages.shared(&TaskId::new("other"));
    assert_eq!(finished.packages.shared.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_not_the_published_one_is_not_packed() {
    let finished = finished(DataScope::Everything, None).await;
    let stored = &finished.task.result.as_ref().unwrap().files[0].stored_name;
    std::fs::write(finished.dir.path().join("results").join(stored), b"id\r\n1\r\n3\r\n").unwrap();
    let error = finished.packages.package(&client(), &finished.task).await.unwrap_err();
    assert_eq!(error.category, Category::Internal);
    assert_eq!(finished.packages.places.available_permits(), AT_A_TIME);
}

/// The trail behind the task's first event does not hold.
#[tokio::test]
async fn no_package_is_made_of_a_trail_that_does_not_hold() {
    let finished = finished(DataScope::Everything, None).await;
    finished.store.refuse_audit(true);
    assert!(finished.packages.package(&client(), &finished.task).await.is_err());
    finished.store.refuse_audit(false);
    assert!(finished.packages.package(&client(), &finished.task).await.is_ok());
    assert_eq!(finished.packages.places.available_permits(), AT_A_TIME);
}

#[test]
fn a_data_scope_hides_other_sources() {
    let time = muster_testkit::build::start_of_time();
    let whole = manifest("snapshot-1", time);
    assert_eq!(visible(&whole, &DataScope::Everything), whole);
    let seen = visible(&whole, &DataScope::of_sources([SOURCE]).unwrap());
    let names: Vec<_> = seen.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["Active Directory"]);
    assert!(seen.rows.is_empty());
}

/// An authority that answers one request with this.
async fn authority(answer: &str, required: bool) -> Authority {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    // Ends with the test's runtime.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        // The request's body is 69 bytes or less, behind an empty line.
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        // Until the other side has read it and closes.
        let _ = stream.read_to_end(&mut request).await;
    });
    Authority::at(&address, Duration::from_secs(20), required).unwrap()
}

#[tokio::test]
async fn without_a_time_stamp_there_is_a_package_only_where_that_is_allowed() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>",
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ] {
        let strict = finished(DataScope::Everything, Some(authority(answer, true).await)).await;
        let error = strict.packages.package(&client(), &strict.task).await.unwrap_err();
        assert_eq!(
            (error.category, error.message.as_str()),
            (Category::Unavailable, "the time-stamping authority gave no time stamp")
        );
        let lenient = finished(DataScope::Everything, Some(authority(answer, false).await)).await;
        assert!(said_of(&lenient).await.contains("there is no time stamp: the service asks an authority"));
    }
}

#[test]
fn addresses_that_are_none_or_hold_a_secret_are_refused() {
    let at = |address: &str| Authority::at(address, Duration::from_secs(20), true);
    for good in ["http://stamps.example.org/tsr", "https://stamps.example.org"] {
        assert!(at(good).is_ok(), "{good}");
    }
    for bad in ["", "stamps", "ftp://stamps.example.org", "https://ada:s3cret@stamps.example.org"] {
        assert_eq!(at(bad).err().map(|error| error.category), Some(Category::Invalid), "{bad}");
    }
}
