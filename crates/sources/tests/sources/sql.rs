//! Queries, on a real PostgreSQL.

use std::time::Instant;

use muster_sources::{
    AccountSettings, FlagCondition, OnDifference, ReadError, SourceDefinition, SqlSettings, TotalDefinition,
};

use crate::servers::postgres::{PASSWORD, Postgres};
use crate::support::{self, Outcome};

fn read(server: &Postgres, settings: SqlSettings) -> Result<Outcome, ReadError> {
    support::read(&support::definition_of(settings), server.folder.path())
}

fn failure(server: &Postgres, settings: SqlSettings) -> String {
    let Err(error) = read(server, settings) else { panic!("the read did not fail") };
    let text = format!("{error} {error:?}");
    assert!(!text.contains(PASSWORD), "{text}");
    text
}

const TABLES: &str = "
CREATE TYPE mood AS ENUM ('calm', 'alert');
CREATE DOMAIN login AS text;
CREATE TABLE people (
  id int PRIMARY KEY, login login, name varchar(80), active bool, hired date, seen timestamptz, changed timestamp,
  salary numeric(10,2), ratio float8, key uuid, extra jsonb, tags text[], numbers int[], mood mood, days interval,
  place inet);
INSERT INTO people VALUES
  (1, 'anna', 'Anna Müller', true, '2020-02-29', '2024-01-15 10:30:00+02', '2024-01-15 08:30:00.25', 1234.50,
   0.1, '00112233-4455-6677-8899-aabbccddeeff', '{\"a\": [1, null]}', '{\"x, y\",NULL,z}', '{3,1}', 'alert',
   '1 day 2 hours', '10.0.0.1'),
  (2, 'bert', '', false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL),
  (3, NULL, 'nobody', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE many AS SELECT n AS id, 'user ' || n AS name FROM generate_series(1, 25000) n;
CREATE TABLE bytes AS SELECT 1 AS id, '\\x00'::bytea AS photo, point(1,2) AS place, int4range(1,2) AS span
";

#[test]
fn queries_on_postgresql() {
    let Some(server) = Postgres::start(TABLES) else { return };
    types(&server);
    portions_and_limits(&server);
    what_cannot_run(&server);
    connections(&server);
    totals(&server);
}

fn types(server: &Postgres) {
    let mut account = AccountSettings::new("login");
    account.name = Some("NAME".to_owned());
    account.entitlements = vec!["tags".to_owned()];
    account.disabled = Some(FlagCondition {
        attribute: "active".to_owned(),
        values: Some(vec!["false".to_owned()]),
        present: false,
    });
    let outcome = read(server, server.settings("SELECT * FROM people ORDER BY id", account)).unwrap();
    let expected = [
        "0 anna Anna Müller/-/- {id=1, login=anna, name=Anna Müller, active=true, hired=2020-02-29, \
         seen=2024-01-15T08:30:00Z, changed=2024-01-15T08:30:00.25, salary=1234.50, ratio=0.1, \
         key=00112233-4455-6677-8899-aabbccddeeff, extra={\"a\": [1, null]}, tags=x, y|z, numbers=3|1, mood=alert, \
         days=P1DT2H, place=10.0.0.1} x, y|z",
        "0 bert [d] -/-/- {id=2, login=bert, active=false}",
    ];
    assert_eq!(outcome.records, expected);
    assert_eq!(outcome.rejection_texts(), ["3 -: \"login\" is absent: expected the native identity"]);
    assert!(outcome.summary.complete);
    assert_eq!(outcome.summary.schema.len(), 16);
    let empty = server.settings("SELECT id FROM people WHERE id > 5", AccountSettings::new("id"));
    let outcome = read(server, empty).unwrap();
    assert!(outcome.records.is_empty() && outcome.summary.complete);
    assert_eq!(outcome.summary.schema, ["id"]);
}

fn portions_and_limits(server: &Postgres) {
    let settings = server.settings("SELECT id, name FROM many", AccountSettings::new("id"));
    let start = Instant::now();
    let outcome = read(server, settings.clone()).unwrap();
    println!("25000 rows in {:?}", start.elapsed());
    assert_eq!((outcome.records.len(), outcome.summary.complete), (25_000, true));

    // The 10001st row divides by zero: what came before stands, and the read is incomplete.
    let query = "SELECT id, 1 / (id - 10001) AS x FROM many";
    let outcome = read(server, server.settings(query, AccountSettings::new("id"))).unwrap();
    let reason = outcome.summary.incomplete_reason.unwrap();
    assert_eq!(reason, "the server ended the query (SQLSTATE 22012)");
    assert!((8000..=10_000).contains(&outcome.records.len()), "{}", outcome.records.len());

    let query = "SELECT id, pg_sleep(0.001)::text AS x FROM many";
    let mut slow = server.settings(query, AccountSettings::new("id"));
    slow.statement_timeout_s = 1;
    let reason = read(server, slow).unwrap().summary.incomplete_reason.unwrap();
    assert!(reason.contains("SQLSTATE 57014, its time limit"), "{reason}");
    let mut slow = server.settings(query, AccountSettings::new("id"));
    slow.total_timeout_s = 10;
    let reason = read(server, slow).unwrap().summary.incomplete_reason.unwrap();
    assert_eq!(reason, "the read was not finished within 10 seconds");
}

fn what_cannot_run(server: &Postgres) {
    let cases = [
        ("SELECT id FROM nowhere", "the query cannot be run: relation \"nowhere\" does not exist"),
        ("DELETE FROM many RETURNING id", "the query cannot be run: syntax error at or near \"DELETE\""),
        ("SELECT 1 AS id; DELETE FROM many", "the query cannot be run: cannot insert multiple commands"),
        (
            "SELECT id AS id, name AS id FROM many",
            "the query has two columns \"id\": expected distinct names",
        ),
        (
            "SELECT name FROM many",
            "the query's columns: sql.account.native_identity: there is no column \"id\": expected one of \"name\"",
        ),
        ("SELECT id, photo FROM bytes", "column \"photo\" is of type BYTEA, which has no agreed text"),
        ("SELECT id, place FROM bytes", "column \"place\" is of type POINT, which has no agreed text"),
        ("SELECT id, span FROM bytes", "column \"span\" is of type INT4RANGE, which has no agreed text"),
    ];
    for (query, expected) in cases {
        let text = failure(server, server.settings(query, AccountSettings::new("id")));
        assert!(text.contains(expected), "{text}");
    }
    // A function that writes is stopped by the transaction.
    server.run_script(
        "hr",
        "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS $$ DELETE FROM many RETURNING 1 $$",
    );
    let sneak = server.settings("SELECT sneak() AS id", AccountSettings::new("id"));
    let outcome = read(server, sneak).unwrap();
    let reason = outcome.summary.incomplete_reason.unwrap();
    assert_eq!(reason, "the server ended the query (SQLSTATE 25006)");
    let still_there = server.settings("SELECT count(*) AS id FROM many", AccountSettings::new("id"));
    assert_eq!(read(server, still_there).unwrap().records, ["0 25000 {id=25000}"]);
}

/// The total of a second query: of the whole table, where the read has the accounts below 10.
fn totals(server: &Postgres) {
    let read = |query: &str, on_difference: OnDifference| {
        let settings = server.settings("SELECT id FROM many WHERE id < 10", AccountSettings::new("id"));
        let total =
            TotalDefinition { query: Some(query.to_owned()), on_difference, ..TotalDefinition::default() };
        let definition = SourceDefinition { total: Some(total), ..support::definition_of(settings) };
        support::read(&definition, server.folder.path()).map(|outcome| outcome.summary)
    };
    let same = read("SELECT count(*) FROM many WHERE id <= 9", OnDifference::Refuse).unwrap();
    assert_eq!((same.reported_total, same.read, same.complete), (Some(9), 9, true));
    let reason = "the owner's total is 25000 records, and 9 were read";
    let differs = read("SELECT count(*) FROM many", OnDifference::Warn).unwrap();
    assert_eq!((differs.reported_total, differs.incomplete_reason.as_deref()), (Some(25_000), Some(reason)));
    let refused = read("SELECT count(*) FROM many", OnDifference::Refuse).unwrap_err();
    assert_eq!(refused.to_string(), format!("Test: {reason}"));
    // 0 + 1 + ... + 9 = 45, and the ids are kept as text that is added up.
    let summed = |query: &str| {
        let settings = server.settings("SELECT id FROM many WHERE id < 10", AccountSettings::new("id"));
        let (query, sum_of) = (Some(query.to_owned()), Some("id".to_owned()));
        let total = TotalDefinition { query, sum_of, ..TotalDefinition::default() };
        let definition = SourceDefinition { total: Some(total), ..support::definition_of(settings) };
        support::read(&definition, server.folder.path()).map(|outcome| outcome.summary)
    };
    let same = summed("SELECT count(*), sum(id) FROM many WHERE id < 10").unwrap();
    let sum = same.sum.unwrap();
    assert_eq!((sum.stated.as_deref(), sum.read.as_str(), same.complete), (Some("45"), "45", true));
    let differs = summed("SELECT NULL, sum(id) + 0.5 FROM many WHERE id < 10").unwrap();
    let reason = "the owner's sum of \"id\" is 45.5, and 45 was read";
    assert_eq!((differs.reported_total, differs.incomplete_reason.as_deref()), (None, Some(reason)));
    let error = summed("SELECT count(*) FROM many").unwrap_err().to_string();
    assert!(error.contains("expected two columns, the number of records and the sum"), "{error}");
    for (query, expected) in [
        ("SELECT id FROM many", "total.query: expected one row: found several"),
        ("SELECT id FROM many WHERE false", "total.query: expected one row: found none"),
        ("SELECT id, name FROM many", "total.query: expected one column"),
        ("SELECT max(id) FROM many WHERE false", "total.query: expected a whole number, and it is null"),
        ("SELECT -1", "total.query: the owner's total is \"-1\": expected a whole number"),
        ("SELECT 'many'", "total.query: the owner's total is \"many\": expected a whole number"),
        (
            "DELETE FROM many RETURNING id",
            "total.query: the query cannot be run: syntax error at or near \"DELETE\"",
        ),
    ] {
        let error = read(query, OnDifference::Warn).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn connections(server: &Postgres) {
    let settings = || server.settings("SELECT id FROM many LIMIT 1", AccountSettings::new("id"));
    let other = tempfile::tempdir().unwrap();
    let other_ca = crate::servers::certificates::make(other.path(), "127.0.0.1").ca;
    let text = failure(server, SqlSettings { ca_file: Some(other_ca.display().to_string()), ..settings() });
    assert!(text.contains("no connection: ") && text.contains("invalid peer certificate"), "{text}");
    std::fs::write(server.folder.path().join("wrong"), "wr0ng-password").unwrap();
    let text = failure(server, SqlSettings { password_file: Some("wrong".to_owned()), ..settings() });
    assert!(text.contains("password authentication failed for user \"reader\""), "{text}");
    assert!(!text.contains("wr0ng"), "{text}");
    let outcome = read(server, SqlSettings { allow_plaintext: true, ca_file: None, ..settings() });
    assert_eq!(outcome.unwrap().records.len(), 1);
}
