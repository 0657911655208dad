//! Databases of older versions are brought up to date, from wherever an earlier attempt ended.

use crate::postgres::settings;
use muster_store::{Place, Settings, Store, TablesState};
use muster_testkit::postgres::PostgresServer;
use sqlx::migrate::{Migration, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::{Path, PathBuf};

/// The steps of a database, read from their files, the oldest first.
async fn steps(database: &str) -> Vec<Migration> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    Migrator::new(folder).await.unwrap().iter().cloned().collect()
}

/// The last step that makes several tables, and the last table that it makes.
fn last_table(steps: &[Migration]) -> (usize, String) {
    let table = |step: &Migration| {
        let text = step.sql.as_str().to_owned();
        let at = text.rfind("CREATE TABLE ").filter(|_| text.matches("CREATE TABLE ").count() > 1)?;
        let name: String = text[at + "CREATE TABLE ".len()..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        Some(name)
    };
    let found = steps.iter().enumerate().rev().find_map(|(at, step)| Some((at, table(step)?)));
    found.unwrap()
}

/// An SQLite file as the version that had these steps left it.
async fn sqlite_of(dir: &Path, name: &str, steps: &[Migration]) -> PathBuf {
    let path = dir.join(name);
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    Migrator::with_migrations(steps.to_vec()).run_direct(None, &mut connection, false).await.unwrap();
    connection.close().await.unwrap();
    path
}

async fn sqlite_do(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Tables and indices, as SQLite keeps their texts.
async fn sqlite_schema(path: &Path) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT name || ': ' || sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    found
}

async fn open_sqlite(path: &Path) -> muster_reports::error::Result<()> {
    let store = Store::open(&Place::Sqlite(path.to_owned()), Settings::default()).await?;
    store.close().await;
    Ok(())
}

#[tokio::test]
async fn sqlite_of_every_version_becomes_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let steps = steps("sqlite").await;
    let newest = dir.path().join("newest.db");
    open_sqlite(&newest).await.unwrap();
    let expected = sqlite_schema(&newest).await;
    for count in 0..=steps.len() {
        let path = sqlite_of(dir.path(), &format!("{count}.db"), &steps[..count]).await;
        let before = std::fs::read(&path).unwrap();
        let state = TablesState::of(&Place::Sqlite(path.clone())).await.unwrap();
        let numbers: Vec<i64> = state.steps.iter().map(|(number, _)| *number).collect();
        let rest: Vec<i64> = steps[count..].iter().map(|step| step.version).collect();
        assert_eq!(numbers, rest);
        assert_eq!(state.version, count.checked_sub(1).map_or(0, |last| steps[last].version));
        assert_eq!(state.known, steps.last().unwrap().version);
        assert_eq!(std::fs::read(&path).unwrap(), before, "to look changes nothing");
        open_sqlite(&path).await.unwrap();
        assert_eq!(sqlite_schema(&path).await, expected, "from {count} steps");
        assert!(TablesState::of(&Place::Sqlite(path)).await.unwrap().steps.is_empty());
    }
}

/// The last step fails in its middle: it leaves nothing, the steps before it stay, and the next attempt goes on there.
#[tokio::test]
async fn an_upgrade_of_sqlite_goes_on_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let steps = steps("sqlite").await;
    let (at, table) = last_table(&steps);
    let path = sqlite_of(dir.path(), "old.db", &steps[..1]).await;
    sqlite_do(&path, &format!("CREATE TABLE {table} (in_the_way integer)")).await;
    let failed = open_sqlite(&path).await.unwrap_err();
    assert!(failed.message.contains("bring the tables of"), "{}", failed.message);
    let state = TablesState::of(&Place::Sqlite(path.clone())).await.unwrap();
    assert_eq!(state.version, steps[at - 1].version, "the steps before it are applied");
    let before = sqlite_of(dir.path(), "before.db", &steps[..at]).await;
    sqlite_do(&path, &format!("DROP TABLE {table}")).await;
    assert_eq!(sqlite_schema(&path).await, sqlite_schema(&before).await, "nothing of the step is left");
    open_sqlite(&path).await.unwrap();
    let newest = dir.path().join("newest.db");
    open_sqlite(&newest).await.unwrap();
    assert_eq!(sqlite_schema(&path).await, sqlite_schema(&newest).await);
}

#[tokio::test]
async fn sqlite_of_a_newer_version_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("newer.db");
    open_sqlite(&path).await.unwrap();
    let known = steps("sqlite").await.last().unwrap().version;
    sqlite_do(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'to come', 1, x'00', 1)",
    )
    .await;
    let expected =
        format!("was written by a newer version: its tables are of version 9000, expected at most {known}");
    let looked = TablesState::of(&Place::Sqlite(path.clone())).await.unwrap_err();
    assert!(looked.message.ends_with(&expected), "{}", looked.message);
    assert_eq!(open_sqlite(&path).await.unwrap_err().message, looked.message);
    sqlite_do(&path, "DELETE FROM _sqlx_migrations WHERE version = 9000").await;
    sqlite_do(&path, "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    let looked = TablesState::of(&Place::Sqlite(path)).await.unwrap_err();
    assert!(
        looked.message.ends_with("version 1 of its tables differs from this program's"),
        "{}",
        looked.message
    );
}

/// A schema as the version that had these steps left it.
async fn postgres_of(server: &PostgresServer, steps: &[Migration]) -> String {
    let url = server.fresh_url();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    Migrator::with_migrations(steps.to_vec()).run_direct(None, &mut connection, false).await.unwrap();
    connection.close().await.unwrap();
    url
}

/// Columns and indices of a schema, without its name.
fn postgres_schema(server: &PostgresServer, url: &str) -> String {
    let schema = PostgresServer::schema_of(url);
    server
        .sql(&format!(
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
             FROM information_schema.columns WHERE table_schema = '{schema}' ORDER BY 1;
             SELECT indexdef FROM pg_indexes WHERE schemaname = '{schema}' ORDER BY 1"
        ))
        .replace(schema, "schema")
}

async fn open_postgres(url: &str) -> muster_reports::error::Result<()> {
    crate::postgres::open(url, settings()).await?.close().await;
    Ok(())
}

async fn state_of(url: &str) -> muster_reports::error::Result<TablesState> {
    TablesState::of(&Place::Postgres(url.parse().unwrap())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_of_every_version_becomes_the_newest() {
    let Some(server) = PostgresServer::shared() else { return };
    let steps = steps("postgres").await;
    let newest = server.fresh_url();
    let begun = state_of(&newest).await.unwrap();
    assert_eq!((begun.version, begun.steps.len()), (0, steps.len()));
    open_postgres(&newest).await.unwrap();
    let expected = postgres_schema(&server, &newest);
    for count in 1..=steps.len() {
        let url = postgres_of(&server, &steps[..count]).await;
        let state = state_of(&url).await.unwrap();
        assert_eq!((state.version, state.steps.len()), (steps[count - 1].version, steps.len() - count));
        open_postgres(&url).await.unwrap();
        assert_eq!(postgres_schema(&server, &url), expected, "from {count} steps");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_postgres_goes_on_where_it_ended() {
    let Some(server) = PostgresServer::shared() else { return };
    let steps = steps("postgres").await;
    let (at, table) = last_table(&steps);
    let url = postgres_of(&server, &steps[..1]).await;
    let schema = PostgresServer::schema_of(&url);
    server.sql(&format!("CREATE TABLE {schema}.{table} (in_the_way integer)"));
    assert!(open_postgres(&url).await.is_err());
    assert_eq!(state_of(&url).await.unwrap().version, steps[at - 1].version);
    server.sql(&format!("DROP TABLE {schema}.{table}"));
    let before = postgres_of(&server, &steps[..at]).await;
    assert_eq!(postgres_schema(&server, &url), postgres_schema(&server, &before));
    open_postgres(&url).await.unwrap();
    assert!(state_of(&url).await.unwrap().steps.is_empty());
    server.sql(&format!(
        "INSERT INTO {schema}._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'to come', true, '\\x00', 1)"
    ));
    let looked = state_of(&url).await.unwrap_err();
    assert!(looked.message.contains("newer version: its tables are of version 9000"), "{}", looked.message);
}
