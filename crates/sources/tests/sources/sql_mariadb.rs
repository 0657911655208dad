//! Queries, on a real MariaDB.

use muster_sources::{AccountSettings, ReadError, SqlSettings};

use crate::servers::mariadb::{MariaDb, PASSWORD};
use crate::support::{self, Outcome};

const TABLES: &str = "
CREATE TABLE people (
  id int PRIMARY KEY, name varchar(80), active boolean, hired date, seen timestamp NULL, changed datetime(2),
  salary decimal(10,2), extra json, mood enum('calm', 'alert'), big bigint unsigned);
SET time_zone = '+02:00';
INSERT INTO people VALUES
  (1, 'Anna Müller', true, '2020-02-29', '2024-01-15 10:30:00', '2024-01-15 08:30:00.25', 1234.50, '{\"a\": 1}',
   'alert', 18446744073709551615),
  (2, '', false, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE many AS SELECT seq AS id, concat('user ', seq) AS name FROM seq_1_to_25000;
CREATE TABLE logins (id int, login varchar(50), way tinyint(1), groups json);
INSERT INTO logins VALUES (1, 'a', 4, '[\"x\", \"y, z\"]'), (2, 'b', 0, '[]'), (3, 'c', 1, NULL);
CREATE TABLE memberships AS SELECT 1 AS id, concat('group-', seq) AS name FROM seq_1_to_3000;
INSERT INTO memberships VALUES (2, 'one');
CREATE TABLE bytes AS SELECT 1 AS id, x'00' AS photo, point(1, 2) AS place
";

/// TINYINT(1) holds any code, and 0 and 1 are codes as 4 is one; an account with several entitlements is a cell of JSON,
/// a cell of GROUP_CONCAT, or several rows.
fn codes_and_lists(server: &MariaDb) {
    let read = |query: &str, adjust: fn(&mut AccountSettings)| {
        let mut account = AccountSettings::new("id");
        adjust(&mut account);
        let settings = server.settings(query, account);
        support::read(&support::definition_of(settings), server.folder.path()).unwrap()
    };
    let outcome = read("SELECT * FROM logins ORDER BY id", |account| {
        account.multi_valued = vec!["groups".to_owned()];
        account.entitlements = vec!["groups".to_owned()];
    });
    let expected = [
        "0 1 {id=1, login=a, way=4, groups=x|y, z} x|y, z",
        "0 2 {id=2, login=b, way=0}",
        "0 3 {id=3, login=c, way=1}",
    ];
    assert_eq!(outcome.records, expected);
    let query =
        "SELECT id, GROUP_CONCAT(name ORDER BY name) AS names FROM memberships GROUP BY id ORDER BY id";
    let outcome = read(query, |account| {
        account.multi_valued = vec!["names".to_owned()];
        account.multi_value_separator = ",".to_owned();
    });
    // 3,000 names, some 30 KB: none is lost to the server's bound.
    assert_eq!(outcome.records[0].matches("group-").count(), 3_000);
    assert!(outcome.records[0].contains("|group-999}"), "{}", &outcome.records[0][..100]);
    assert_eq!(outcome.records[1], "0 2 {id=2, names=one}");
    let rows = read("SELECT id, name FROM memberships ORDER BY id DESC LIMIT 3", |account| {
        account.merge_rows = true
    });
    assert_eq!(rows.records.len(), 3);
}

#[test]
fn queries_on_mariadb() {
    let Some(server) = MariaDb::start(TABLES) else { return };
    let read = |settings: SqlSettings| -> Result<Outcome, ReadError> {
        support::read(&support::definition_of(settings), server.folder.path())
    };
    let query = |query: &str| server.settings(query, AccountSettings::new("id"));
    let outcome = read(query("SELECT * FROM people ORDER BY id")).unwrap();
    let expected = [
        "0 1 {id=1, name=Anna Müller, active=1, hired=2020-02-29, seen=2024-01-15T08:30:00Z, \
         changed=2024-01-15T08:30:00.25, salary=1234.50, extra={\"a\": 1}, mood=alert, big=18446744073709551615}",
        "0 2 {id=2, active=0}",
    ];
    assert_eq!(outcome.records, expected);
    assert!(outcome.summary.complete && outcome.summary.warnings.is_empty(), "{:?}", outcome.summary);

    let outcome = read(query("SELECT id, name FROM many")).unwrap();
    assert_eq!((outcome.records.len(), outcome.summary.complete), (25_000, true));
    let mut slow = query("SELECT id, sleep(0.001) AS x FROM many");
    slow.statement_timeout_s = 1;
    let reason = read(slow).unwrap().summary.incomplete_reason.unwrap();
    assert!(reason.starts_with("the server ended the query (SQLSTATE 70100, its time limit"), "{reason}");

    let outcome = read(query("SELECT id, photo FROM bytes")).unwrap();
    assert_eq!(outcome.rejection_texts(), ["1 1: column \"photo\" is bytes: expected text"]);

    codes_and_lists(&server);

    let cases = [
        ("SELECT id FROM nowhere", "the query cannot be run: Table 'hr.nowhere' doesn't exist"),
        ("SELECT 1 AS id; DELETE FROM many", "the query cannot be run: You have an error in your SQL syntax"),
        ("DELETE FROM many", "Cannot execute statement in a READ ONLY transaction"),
        ("DELETE FROM many RETURNING id", "Cannot execute statement in a READ ONLY transaction"),
        ("SELECT id, place FROM bytes", "column \"place\" is of type GEOMETRY, which has no agreed text"),
    ];
    for (text, expected) in cases {
        let found = read(query(text)).err().unwrap().to_string();
        assert!(found.contains(expected), "{text}: {found}");
    }
    assert_eq!(read(query("SELECT count(*) AS id FROM many")).unwrap().records, ["0 25000 {id=25000}"]);

    let other = tempfile::tempdir().unwrap();
    let other_ca = crate::servers::certificates::make(other.path(), "127.0.0.1").ca;
    let distrusting =
        SqlSettings { ca_file: Some(other_ca.display().to_string()), ..query("SELECT 1 AS id") };
    let text = read(distrusting).err().unwrap().to_string();
    assert!(text.contains("no connection: ") && text.contains("invalid peer certificate"), "{text}");
    std::fs::write(server.folder.path().join("wrong"), "wr0ng-password").unwrap();
    let error = read(SqlSettings { password_file: Some("wrong".to_owned()), ..query("SELECT 1 AS id") });
    let text = format!("{0} {0:?}", error.err().unwrap());
    assert!(text.contains("Access denied for user 'reader'"), "{text}");
    assert!(!text.contains("wr0ng") && !text.contains(PASSWORD), "{text}");
}
