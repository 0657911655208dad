//! How long the oldest event and the oldest notification have waited, over both databases.

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::ids::WorkerId;
use muster_reports::ports::{AuditTrail, RelayLog};
use muster_store::{Deciding, Place, Settings, Store};
use muster_testkit::build;
use muster_testkit::postgres::PostgresServer;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use std::time::Duration;

fn settings() -> Settings {
    Settings { deciding: Deciding::Caller, ..Settings::default() }
}

/// A row of the outbox as the store keeps it.
fn insert(id: &str, state: &str, created: DateTime<Utc>) -> String {
    let (at, ended) = (created.timestamp_micros(), if state == "waiting" { "NULL" } else { "1" });
    format!(
        "INSERT INTO notifications (tenant, id, client, channel, address, notice, state, attempts, created, ended, wake, epoch)
         VALUES ('t', '{id}', 'c', 'webhook', 'https://example.com', '{{}}', '{state}', 0, {at}, {ended}, {at}, 0)"
    )
}

/// `run` runs a statement in the store's database.
async fn ages(store: &Store, run: impl AsyncFn(String)) {
    let (tenant, first) = (build::tenant(), build::start_of_time());
    let minute = |minutes| first + TimeDelta::minutes(minutes);
    assert_eq!(store.oldest_to_relay(&tenant).await.unwrap(), None);
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        store.record(&build::audit_event(name, minute(number as i64))).await.unwrap();
    }
    assert_eq!(store.oldest_to_relay(&tenant).await.unwrap(), Some(minute(0)));
    let relay = WorkerId::new("relay");
    assert!(store.lead(&relay, minute(3), Duration::from_secs(3_600)).await.unwrap());
    assert!(store.mark(&relay, &tenant, 2, Vec::new(), minute(3)).await.unwrap());
    assert_eq!(store.oldest_to_relay(&tenant).await.unwrap(), Some(minute(2)), "the third waits");
    assert!(store.mark(&relay, &tenant, 3, Vec::new(), minute(3)).await.unwrap());
    assert_eq!(store.oldest_to_relay(&tenant).await.unwrap(), None);

    assert_eq!(store.waiting_notifications().await.unwrap(), (0, None));
    run(insert("a", "sent", minute(1))).await;
    run(insert("b", "waiting", minute(7))).await;
    run(insert("c", "waiting", minute(4))).await;
    run(insert("d", "failed", minute(2))).await;
    assert_eq!(store.waiting_notifications().await.unwrap(), (2, Some(minute(4))));
}

#[tokio::test]
async fn sqlite_knows_what_has_waited_longest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let store = Store::open(&Place::Sqlite(path.clone()), settings()).await.unwrap();
    ages(&store, async |sql| {
        let options = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_knows_what_has_waited_longest() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let schema = PostgresServer::schema_of(&url);
    let store = crate::postgres::open(&url, settings()).await.unwrap();
    ages(&store, async |sql| {
        server.sql(&sql.replace("INTO notifications", &format!("INTO {schema}.notifications")));
    })
    .await;
}
