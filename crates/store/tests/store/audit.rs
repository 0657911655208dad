//! Every change of an audit trail that the service did not make is found, over both databases.
//!
//! The tampering is done as somebody with all rights in the database would do it: triggers and constraints off.

use crate::postgres;
use muster_reports::audit::{AuditEvent, AuditHead, AuditOperation, AuditRecord, Finding};
use muster_reports::error::Category;
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::ports::{AuditTrail, Credentials, SnapshotCatalogue, TaskStore};
use muster_store::{Place, SealKey, Settings, Store};
use muster_testkit::build;
use muster_testkit::postgres::PostgresServer;
use std::path::PathBuf;
use std::sync::Arc;

/// What is done to a trail of ten events, and what is to be found.
fn cases() -> Vec<(&'static str, Vec<Finding>)> {
    let changed = |sequence| Finding::Changed { sequence };
    let detached = |sequence| Finding::Detached { sequence };
    let mut cases = vec![
        ("SELECT 1", vec![]),
        // One event removed: in the middle, at the beginning, at the end.
        ("DELETE FROM audit_events WHERE sequence = 5", vec![Finding::Gap { after: 4, before: 6 }, detached(6)]),
        ("DELETE FROM audit_events WHERE sequence = 1", vec![Finding::Gap { after: 0, before: 2 }, detached(2)]),
        ("DELETE FROM audit_events WHERE sequence > 8", vec![Finding::HeadDiffers { kept: 10, found: 8 }]),
        ("DELETE FROM audit_events", vec![Finding::HeadDiffers { kept: 10, found: 0 }]),
        // The end removed, and the head moved back to where it was then.
        (
            "DELETE FROM audit_events WHERE sequence > 8;
             UPDATE audit_heads SET sequence = 8, hash = (SELECT hash FROM audit_events WHERE sequence = 8)",
            vec![Finding::SealWrong],
        ),
        ("DELETE FROM audit_heads", vec![Finding::HeadDiffers { kept: 0, found: 10 }]),
        ("UPDATE audit_heads SET seal = NULL", vec![Finding::SealWrong]),
        // Two events exchanged: their numbers, and only the order in which they were recorded.
        (
            "UPDATE audit_events SET sequence = 99 WHERE sequence = 3;
             UPDATE audit_events SET sequence = 3 WHERE sequence = 4;
             UPDATE audit_events SET sequence = 4 WHERE sequence = 99",
            vec![
                changed(3),
                detached(3),
                changed(4),
                Finding::OutOfOrder { sequence: 4 },
                detached(4),
                detached(5),
            ],
        ),
        (
            "UPDATE audit_events SET seq = seq + 1000 WHERE sequence = 3",
            vec![Finding::OutOfOrder { sequence: 4 }],
        ),
        // Taken out of the chain, and put into it.
        (
            "UPDATE audit_events SET sequence = NULL WHERE sequence = 5",
            vec![
                Finding::Gap { after: 4, before: 6 },
                detached(6),
                Finding::Unchained { count: 1 },
            ],
        ),
        (
            "INSERT INTO audit_events (id, at, operation, tenant, caller, task, report, details, sequence, previous, hash)
             SELECT 'forged', at, operation, tenant, caller, task, report, details, 11, hash, hash
             FROM audit_events WHERE sequence = 10",
            vec![changed(11), Finding::HeadDiffers { kept: 10, found: 11 }],
        ),
    ];
    // Each column of one event.
    for (change, findings) in [
        ("id = 'another'", vec![changed(5)]),
        ("at = at + 1", vec![changed(5)]),
        ("operation = 'start'", vec![changed(5)]),
        ("caller = '{}'", vec![changed(5)]),
        ("task = 'another'", vec![changed(5)]),
        ("report = 'another'", vec![changed(5)]),
        ("details = 'another'", vec![changed(5)]),
        ("details = details || ' '", vec![changed(5)]),
        ("previous = 'ab'", vec![changed(5), detached(5)]),
        ("previous = NULL", vec![changed(5), detached(5)]),
        ("hash = 'ab'", vec![changed(5), detached(6)]),
        ("tenant = 'globex'", vec![Finding::Gap { after: 4, before: 6 }, detached(6)]),
        (
            "sequence = 15",
            vec![
                Finding::Gap { after: 4, before: 6 },
                detached(6),
                changed(15),
                Finding::OutOfOrder { sequence: 15 },
                detached(15),
                Finding::HeadDiffers { kept: 10, found: 15 },
            ],
        ),
    ] {
        let statement = format!("UPDATE audit_events SET {change} WHERE sequence = 5");
        cases.push((Box::leak(statement.into_boxed_str()), findings));
    }
    cases
}

pub(crate) fn sealed() -> Settings {
    Settings { seal_key: Some(SealKey::new([7; 32])), ..postgres::settings() }
}

fn elsewhere() -> TenantId {
    TenantId::new("initech")
}

/// Ten events of one tenant, among those of another.
pub(crate) async fn ten_events(store: &Store) {
    for number in 1..=10 {
        let event = build::audit_event(&format!("event-{number}"), build::start_of_time());
        store.record(&event).await.unwrap();
        let mut other = build::audit_event(&format!("other-{number}"), build::start_of_time());
        other.caller.tenant = elsewhere();
        store.record(&other).await.unwrap();
    }
}

async fn check(what: &str, place: &Place, findings: &[Finding]) {
    let store = Store::open(place, sealed()).await.unwrap();
    let seen = store.verify_audit(&build::tenant(), Vec::new()).await.unwrap();
    assert_eq!(seen.findings.told, findings, "{what}");
    assert_eq!(seen.is_sound(), findings.is_empty());
    store.close().await;
}

#[tokio::test]
async fn sqlite_tampering_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("template.db");
    let store = Store::open(&Place::Sqlite(template.clone()), sealed()).await.unwrap();
    ten_events(&store).await;
    store.close().await;
    for (number, (tampering, findings)) in cases().into_iter().enumerate() {
        let path = dir.path().join(format!("{number}.db"));
        std::fs::copy(&template, &path).unwrap();
        let mut statements = String::from(
            "DROP TRIGGER audit_events_never_change; DROP TRIGGER audit_events_are_never_deleted;
             DROP INDEX audit_events_chain;",
        );
        statements.push_str(&for_the_tenant(tampering));
        sqlite(&path, statements).await;
        check(tampering, &Place::Sqlite(path), &findings).await;
    }
}

#[tokio::test]
async fn postgres_tampering_is_found() {
    let Some(server) = PostgresServer::shared() else { return };
    for (tampering, findings) in cases() {
        let url = server.fresh_url();
        let schema = PostgresServer::schema_of(&url).to_owned();
        let place = Place::Postgres(url.parse().unwrap());
        let store = Store::open(&place, sealed()).await.unwrap();
        ten_events(&store).await;
        store.close().await;
        server.sql(&format!(
            "SET search_path = {schema}; DROP TRIGGER audit_events_never_change ON audit_events;
             DROP INDEX audit_events_chain; ALTER TABLE audit_events ALTER seq SET GENERATED BY DEFAULT;
             ALTER TABLE audit_events ALTER seq DROP IDENTITY;
             CREATE SEQUENCE numbers START 1000; ALTER TABLE audit_events ALTER seq SET DEFAULT nextval('numbers');
             {}",
            for_the_tenant(tampering)
        ));
        check(tampering, &place, &findings).await;
    }
}

/// The statements, about the one tenant only.
fn for_the_tenant(statements: &str) -> String {
    let each = statements.split(';').map(|statement| {
        let statement = statement.replace(
            "(SELECT hash FROM audit_events WHERE",
            "(SELECT hash FROM audit_events WHERE tenant = 'acme' AND",
        );
        match statement.trim() {
            "SELECT 1" => "SELECT 1".to_owned(),
            inner if inner.contains("WHERE sequence") => {
                let at = inner.rfind("WHERE sequence").unwrap();
                format!("{}WHERE tenant = 'acme' AND {}", &inner[..at], &inner[at + 6..])
            }
            inner => format!("{inner} WHERE tenant = 'acme'"),
        }
    });
    each.collect::<Vec<_>>().join(";")
}

pub(crate) async fn sqlite(path: &PathBuf, statements: String) {
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// An older whole state is consistent in itself: only what was noted elsewhere shows it.
#[tokio::test]
async fn a_state_that_was_put_back_is_found_by_a_noted_head() {
    let dir = tempfile::tempdir().unwrap();
    let (path, older) = (dir.path().join("muster.db"), dir.path().join("older.db"));
    let place = Place::Sqlite(path.clone());
    let store = Store::open(&place, sealed()).await.unwrap();
    ten_events(&store).await;
    store.close().await;
    std::fs::copy(&path, &older).unwrap();
    let tenant = build::tenant();
    let store = Store::open(&place, sealed()).await.unwrap();
    let first = store.verify_audit(&tenant, Vec::new()).await.unwrap();
    assert_eq!((first.events, first.head.sequence, first.is_sound()), (10, 10, true));
    assert_eq!(store.audit_end(&tenant).await.unwrap(), first.head);
    assert_eq!(store.audit_end(&TenantId::new("nobody")).await.unwrap(), AuditHead::empty());
    store.record(&build::audit_event("event-11", build::start_of_time())).await.unwrap();
    let second = store.verify_audit(&tenant, vec![AuditHead::empty(), first.head.clone()]).await.unwrap();
    assert!(second.is_sound(), "what was noted earlier is still there: {:?}", second.findings.told);
    store.close().await;
    std::fs::copy(&older, &path).unwrap();
    let store = Store::open(&place, sealed()).await.unwrap();
    assert!(store.verify_audit(&tenant, vec![first.head.clone()]).await.unwrap().is_sound());
    let seen = store.verify_audit(&tenant, vec![first.head, second.head]).await.unwrap();
    assert_eq!(seen.findings.told, [Finding::NotedHeadMissing { sequence: 11 }]);
}

/// The seal needs the key: another one, or none, is told.
#[tokio::test]
async fn a_head_is_sealed_with_the_services_key() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(dir.path().join("muster.db"));
    let store = Store::open(&place, sealed()).await.unwrap();
    ten_events(&store).await;
    store.close().await;
    let other = Settings { seal_key: Some(SealKey::new([8; 32])), ..sealed() };
    let store = Store::open(&place, other).await.unwrap();
    let seen = store.verify_audit(&build::tenant(), Vec::new()).await.unwrap();
    assert_eq!(seen.findings.told, [Finding::SealWrong]);
    assert!(!format!("{store:?}").contains("8, 8"), "the key is not shown");
    let unsealed = store.verify_audit(&TenantId::new("nobody"), Vec::new()).await.unwrap();
    assert!(unsealed.is_sound() && unsealed.events == 0, "an empty trail needs no seal");
}

/// Nodes that record for one tenant at once make one chain, while somebody walks along it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_make_one_chain() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        nodes.push(Arc::new(postgres::open(&url, sealed()).await.unwrap()));
    }
    let recording: Vec<_> = (0..8_u32)
        .map(|part| {
            let node = nodes[(part % 2) as usize].clone();
            tokio::spawn(async move {
                for number in 0..25 {
                    let id = format!("event-{part}-{number}");
                    node.record(&build::audit_event(&id, build::start_of_time())).await.unwrap();
                }
            })
        })
        .collect();
    let tenant = build::tenant();
    let mut after = 0;
    while after < 200 {
        let page = nodes[0].events(&tenant, after, 50).await.unwrap();
        let numbers: Vec<_> = page.iter().map(|event| event.sequence).collect();
        assert_eq!(
            numbers,
            (after + 1..=after + page.len() as u64).collect::<Vec<_>>(),
            "no number is missing"
        );
        after += page.len() as u64;
        let seen = nodes[1].verify_audit(&tenant, Vec::new()).await.unwrap();
        assert!(seen.is_sound(), "{:?}", seen.findings.told);
    }
    for part in recording {
        part.await.unwrap();
    }
}

/// What somebody does who may write to the database and has no key: events are changed and hashed again.
pub(crate) async fn forge(path: &PathBuf, head_too: bool) {
    use sqlx::{Connection, Row};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::query("SELECT * FROM audit_events WHERE tenant = 'acme' ORDER BY sequence")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let mut statements = String::from("DROP TRIGGER audit_events_never_change;");
    let mut head = AuditHead::empty();
    for row in rows {
        let mut record = AuditRecord {
            sequence: head.sequence + 1,
            previous: head.hash,
            hash: String::new(),
            id: row.get("id"),
            at_micros: row.get("at"),
            operation: row.get("operation"),
            tenant: row.get("tenant"),
            caller: row.get("caller"),
            task: row.get("task"),
            report: row.get("report"),
            details: row.get("details"),
        };
        if record.sequence == 5 {
            record.details = "forged".into();
        }
        head = AuditHead { sequence: record.sequence, hash: record.content_hash() };
        statements.push_str(&format!(
            "UPDATE audit_events SET details = '{}', previous = '{}', hash = '{}'
             WHERE tenant = 'acme' AND sequence = {};",
            record.details, record.previous, head.hash, head.sequence
        ));
    }
    if head_too {
        statements.push_str(&format!("UPDATE audit_heads SET hash = '{}' WHERE tenant = 'acme';", head.hash));
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn is_refused<T: std::fmt::Debug>(outcome: muster_reports::Result<T>, why: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.category, Category::Broken);
    assert!(error.message.contains("the audit trail is broken"), "{}", error.message);
    assert!(error.message.contains(why), "{}", error.message);
}

/// The seal of the next event would cover the forgery.
#[tokio::test]
async fn a_forged_trail_is_never_extended() {
    let dir = tempfile::tempdir().unwrap();
    for (head_too, why) in
        [(true, "its head is not sealed"), (false, "its last event is not the one of its head")]
    {
        let path = dir.path().join(format!("{head_too}.db"));
        let place = Place::Sqlite(path.clone());
        let store = Store::open(&place, sealed()).await.unwrap();
        ten_events(&store).await;
        store.can_go_on(&build::tenant()).await.unwrap();
        store.holds_from(&build::tenant(), 3).await.unwrap();
        store.close().await;
        forge(&path, head_too).await;
        let store = Store::open(&place, sealed()).await.unwrap();
        is_refused(store.can_go_on(&build::tenant()).await, why);
        is_refused(store.record(&build::audit_event("event-11", build::start_of_time())).await, why);
        assert!(store.holds_from(&build::tenant(), 3).await.is_err(), "no evidence is made of it");
        // What must be recorded is not done, what need not be is.
        let mut new = build::new_task(1, build::start_of_time());
        new.event = Some(build::audit_event("event-11", build::start_of_time()));
        is_refused(store.start(new).await, why);
        assert!(store.task(&build::tenant(), &build::task_id(1)).await.unwrap().is_none());
        let mut other = build::audit_event("other-11", build::start_of_time());
        other.caller.tenant = elsewhere();
        store.record(&other).await.unwrap();
        let seen = store.verify_audit(&build::tenant(), Vec::new()).await.unwrap();
        assert_eq!(store.audit_end(&build::tenant()).await.unwrap(), seen.head, "whatever the trail is");
        let expected =
            if head_too { Finding::SealWrong } else { Finding::HeadDiffers { kept: 10, found: 10 } };
        assert_eq!((seen.events, seen.findings.told), (10, vec![expected]), "what was forged is still found");
        store.close().await;
    }
}

/// Events of the trail's middle that were changed are not found by a look at its end, and not made evidence of.
#[tokio::test]
async fn a_changed_event_behind_the_end_is_found_where_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let place = Place::Sqlite(path.clone());
    let store = Store::open(&place, sealed()).await.unwrap();
    ten_events(&store).await;
    store.close().await;
    let statements = "DROP TRIGGER audit_events_never_change;
        UPDATE audit_events SET details = 'forged' WHERE tenant = 'acme' AND sequence = 5";
    sqlite(&path, statements.into()).await;
    let store = Store::open(&place, sealed()).await.unwrap();
    is_refused(store.holds_from(&build::tenant(), 5).await, "event 5 was changed");
    is_refused(store.holds_from(&build::tenant(), 2).await, "event 5 was changed");
    store.holds_from(&build::tenant(), 6).await.unwrap();
    store.holds_from(&elsewhere(), 1).await.unwrap();
}

/// A task, a snapshot and a credential, each with the event of its beginning.
pub(crate) async fn beginnings(store: &Store, number: u64) {
    let at = build::start_of_time();
    let event = |operation, about: &str, task: &str| AuditEvent {
        id: format!("{about}{task}"),
        operation,
        report: about.into(),
        task: TaskId::new(task),
        ..build::audit_event("", at)
    };
    let mut new = build::new_task(number, at);
    new.event = Some(event(AuditOperation::Start, "", build::task_id(number).as_str()));
    store.start(new).await.unwrap();
    let snapshot = format!("snapshot-{number}");
    let published = event(AuditOperation::SnapshotPublished, &snapshot, "");
    store.publish(&published, &build::manifest(&snapshot, at)).await.unwrap();
    let client = format!("client-{number}");
    let created = event(AuditOperation::CredentialCreated, &client, "");
    store.create(&build::credential(&client, at), &created).await.unwrap();
}

pub(crate) fn unrecorded(number: u64) -> Vec<Finding> {
    let first = |what, first: String| Finding::Unrecorded { what, count: 3 - number, first };
    vec![
        first("tasks", build::task_id(number).to_string()),
        first("snapshots", format!("snapshot-{number}")),
        first("credentials", format!("client-{number}")),
    ]
}

const WIPED: &str = "DELETE FROM audit_events; DELETE FROM audit_heads";
/// Back to the state after the third event, with the head and the seal of then.
const CUT: &str = "DELETE FROM audit_events WHERE sequence > 3; DELETE FROM audit_heads;
    INSERT INTO audit_heads SELECT * FROM earlier";

async fn check_cuts(open: impl AsyncFn() -> Store, sql: impl AsyncFn(&str)) {
    let store = open().await;
    beginnings(&store, 1).await;
    sql("CREATE TABLE earlier AS SELECT * FROM audit_heads").await;
    beginnings(&store, 2).await;
    let tenant = build::tenant();
    assert_eq!(store.verify_audit(&tenant, Vec::new()).await.unwrap().findings.told, []);
    sql(CUT).await;
    assert_eq!(store.verify_audit(&tenant, Vec::new()).await.unwrap().findings.told, unrecorded(2));
    sql(WIPED).await;
    assert_eq!(store.verify_audit(&tenant, Vec::new()).await.unwrap().findings.told, unrecorded(1));
    // What is recorded afterwards hides nothing.
    store.record(&build::audit_event("later", build::start_of_time())).await.unwrap();
    assert_eq!(store.verify_audit(&tenant, Vec::new()).await.unwrap().findings.told, unrecorded(1));
    store.close().await;
}

#[tokio::test]
async fn sqlite_a_trail_that_was_wiped_or_cut_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let place = Place::Sqlite(path.clone());
    let open = async || Store::open(&place, sealed()).await.unwrap();
    open().await.close().await;
    let triggers = "DROP TRIGGER audit_events_never_change; DROP TRIGGER audit_events_are_never_deleted";
    sqlite(&path, triggers.into()).await;
    check_cuts(open, async |statements| sqlite(&path, statements.into()).await).await;
}

#[tokio::test]
async fn postgres_a_trail_that_was_wiped_or_cut_is_found() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let schema = PostgresServer::schema_of(&url).to_owned();
    let place = Place::Postgres(url.parse().unwrap());
    let open = async || Store::open(&place, sealed()).await.unwrap();
    open().await.close().await;
    let sql = async |statements: &str| {
        server.sql(&format!("SET search_path = {schema}; {statements}"));
    };
    sql("DROP TRIGGER audit_events_never_change ON audit_events").await;
    check_cuts(open, sql).await;
}
