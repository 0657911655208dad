//! A broken trail goes on because a person says so, over both databases; the break is told for ever.

use crate::audit::{beginnings, forge, sealed, sqlite, ten_events, unrecorded};
use muster_reports::audit::{AuditEvent, AuditOperation, Finding, ResealDetails, Verification};
use muster_reports::error::Category;
use muster_reports::ports::AuditTrail;
use muster_store::{Place, SealKey, Settings, Store};
use muster_testkit::build;
use muster_testkit::postgres::PostgresServer;

fn reseal(id: &str, reason: &str) -> AuditEvent {
    AuditEvent {
        operation: AuditOperation::Resealed,
        details: reason.into(),
        ..build::audit_event(id, build::start_of_time())
    }
}

async fn seen(store: &Store) -> Verification {
    store.verify_audit(&build::tenant(), Vec::new()).await.unwrap()
}

fn refused<T: std::fmt::Debug>(outcome: muster_reports::Result<T>, category: Category, words: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.category, category, "{error}");
    assert!(error.message.contains(words), "{error}");
}

/// Ten events, of which the fifth is changed and the last two are removed.
async fn check_break(open: impl AsyncFn() -> Store, sql: impl AsyncFn(&str)) {
    let tenant = build::tenant();
    let store = open().await;
    ten_events(&store).await;
    let nothing = store.reseal_audit(&reseal("r0", "why")).await;
    refused(nothing, Category::Invalid, "nothing is wrong with the audit trail");
    sql("DELETE FROM audit_events WHERE tenant = 'acme' AND sequence > 8").await;
    sql("UPDATE audit_events SET details = 'forged' WHERE tenant = 'acme' AND sequence = 5").await;
    let event = |id: &str| build::audit_event(id, build::start_of_time());
    refused(store.record(&event("e11")).await, Category::Broken, "the audit trail is broken");
    refused(store.reseal_audit(&reseal("r1", " ")).await, Category::Invalid, "the reason is blank");

    // Behind every number that there ever was.
    assert_eq!(store.reseal_audit(&reseal("r1", "case 4711")).await.unwrap(), 11);
    let faults = [Finding::Changed { sequence: 5 }, Finding::HeadDiffers { kept: 10, found: 8 }];
    let verification = seen(&store).await;
    assert_eq!((verification.is_sound(), verification.head.sequence), (true, 11));
    let resealed = verification.resealed.unwrap();
    assert_eq!((resealed.record.sequence, resealed.events), (11, 1));
    // Now the cut shows as a gap before the reseal.
    assert_eq!(resealed.before.told, [faults[0].clone(), Finding::Gap { after: 8, before: 11 }]);
    let details: ResealDetails = serde_json::from_str(&resealed.record.details).unwrap();
    assert_eq!((details.reason.as_str(), details.more_faults), ("case 4711", 0));
    assert_eq!(details.faults, faults.map(|fault| fault.to_string()));
    assert_eq!(resealed.record.caller, serde_json::to_string(&reseal("", "").caller).unwrap());

    // It goes on, and holds; of what lies before no evidence is made.
    store.can_go_on(&tenant).await.unwrap();
    store.record(&event("e12")).await.unwrap();
    assert_eq!(seen(&store).await.resealed.unwrap().events, 2);
    store.holds_from(&tenant, 12).await.unwrap();
    for before in [3, 7] {
        let held = store.holds_from(&tenant, before).await;
        refused(held, Category::NotFound, "the trail was resealed at event 11");
    }
    let nothing = store.reseal_audit(&reseal("r2", "why")).await;
    refused(nothing, Category::Invalid, "nothing is wrong with the audit trail");

    // What lies before cannot be put right either: that needs another reseal, and shows.
    sql("UPDATE audit_events SET details = 'CSV sha-256 00' WHERE tenant = 'acme' AND sequence = 5").await;
    let verification = seen(&store).await;
    assert!(verification.resealed.is_none());
    assert!(verification.findings.told.contains(&Finding::ChangedBeforeReseal { sequence: 11 }));
    assert_eq!(store.reseal_audit(&reseal("r3", "case 4712")).await.unwrap(), 13);
    let verification = seen(&store).await;
    let resealed = verification.resealed.clone().unwrap();
    assert_eq!((verification.is_sound(), resealed.record.sequence, resealed.events), (true, 13, 1));
    assert!(resealed.before.told.contains(&Finding::ChangedBeforeReseal { sequence: 11 }));
    store.close().await;
}

/// A trail that was wiped: what was there lacks its beginning for ever, what comes later may not.
async fn check_wiped(open: impl AsyncFn() -> Store, sql: impl AsyncFn(&str)) {
    let store = open().await;
    beginnings(&store, 1).await;
    beginnings(&store, 2).await;
    sql("DELETE FROM audit_events; DELETE FROM audit_heads").await;
    assert_eq!(store.reseal_audit(&reseal("r1", "why")).await.unwrap(), 1);
    beginnings(&store, 3).await;
    let verification = seen(&store).await;
    assert!(verification.is_sound(), "{:?}", verification.findings);
    assert_eq!(verification.resealed.unwrap().before.told, unrecorded(1));
    // Wiped again, with the reseal.
    sql("DELETE FROM audit_events; DELETE FROM audit_heads").await;
    let verification = seen(&store).await;
    assert!(verification.resealed.is_none() && !verification.is_sound());
    store.close().await;
}

const TRIGGERS: &str = "DROP TRIGGER audit_events_never_change; DROP TRIGGER audit_events_are_never_deleted";

async fn over_sqlite(dir: &tempfile::TempDir) -> (std::path::PathBuf, Place) {
    let path = dir.path().join("muster.db");
    let place = Place::Sqlite(path.clone());
    Store::open(&place, sealed()).await.unwrap().close().await;
    sqlite(&path, TRIGGERS.into()).await;
    (path, place)
}

#[tokio::test]
async fn sqlite_a_broken_trail_goes_on_in_the_open() {
    for wiped in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (path, place) = over_sqlite(&dir).await;
        let open = async || Store::open(&place, sealed()).await.unwrap();
        let sql = async |statements: &str| sqlite(&path, statements.into()).await;
        if wiped { Box::pin(check_wiped(open, sql)).await } else { Box::pin(check_break(open, sql)).await }
    }
}

#[tokio::test]
async fn postgres_a_broken_trail_goes_on_in_the_open() {
    let Some(server) = PostgresServer::shared() else { return };
    for wiped in [false, true] {
        let url = server.fresh_url();
        let schema = PostgresServer::schema_of(&url).to_owned();
        let place = Place::Postgres(url.parse().unwrap());
        let open = async || Store::open(&place, sealed()).await.unwrap();
        open().await.close().await;
        let sql = async |statements: &str| {
            server.sql(&format!("SET search_path = {schema}; {statements}"));
        };
        sql("DROP TRIGGER audit_events_never_change ON audit_events").await;
        if wiped { Box::pin(check_wiped(open, sql)).await } else { Box::pin(check_break(open, sql)).await }
    }
}

/// A lost key breaks nothing but the seal; a forgery of the whole chain leaves nothing else to see. Both go on only in the
/// open, and evidence of what lies before is refused.
#[tokio::test]
async fn a_chain_without_its_seal_goes_on_in_the_open() {
    for forged in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (path, place) = over_sqlite(&dir).await;
        let store = Store::open(&place, sealed()).await.unwrap();
        ten_events(&store).await;
        store.close().await;
        let settings = if forged {
            // It takes the trigger away itself.
            let again =
                "CREATE TRIGGER audit_events_never_change BEFORE UPDATE ON audit_events BEGIN SELECT 1; END";
            sqlite(&path, again.into()).await;
            forge(&path, true).await;
            sealed()
        } else {
            Settings { seal_key: Some(SealKey::new([9; 32])), ..sealed() }
        };
        let store = Store::open(&place, settings).await.unwrap();
        assert_eq!(seen(&store).await.findings.told, [Finding::SealWrong]);
        assert_eq!(store.reseal_audit(&reseal("r1", "the key was lost")).await.unwrap(), 11);
        let verification = seen(&store).await;
        assert_eq!((verification.is_sound(), verification.events), (true, 11));
        let resealed = verification.resealed.unwrap();
        // The chain before it has no fault that a walk sees: that its seal did not hold is what the event says.
        assert_eq!(resealed.before.told, []);
        assert!(resealed.record.details.contains("is not sealed with this service's key"));
        let held = store.holds_from(&build::tenant(), 3).await;
        refused(held, Category::NotFound, "the trail was resealed at event 11");
        store.close().await;
    }
}
