//! The date that the data of a file carries, in its name or in a column.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray};
use muster_sources::SourceDefinition;
use parquet::arrow::ArrowWriter;

use crate::support::{self, Outcome};

const DELIMITED: &str = "[delimited]\npath = \"*.csv\"\nnative_identity = \"id\"\n";
const NDJSON: &str = "[ndjson]\npath = \"*.ndjson\"\n[ndjson.account]\nnative_identity = \"id\"\n";

/// A definition around a kind's table, whose first key is then `as_of`.
fn definition(table: &str, as_of: &str, top: &str) -> Result<SourceDefinition, String> {
    let kind = table.trim_start_matches('[').split(']').next().unwrap();
    let table = table.replacen("]\n", &format!("]\nas_of = {as_of}\n"), 1);
    let text = format!("name = \"A\"\nkind = \"{kind}\"\n{top}{table}");
    SourceDefinition::from_toml(&text, Path::new("a.toml")).map_err(|error| error.to_string())
}

/// Reads files, each a name with its content.
fn read(table: &str, as_of: &str, files: &[(&str, &str)]) -> Result<Outcome, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    support::read(&definition(table, as_of, "").unwrap(), folder.path()).map_err(|error| error.to_string())
}

fn as_of(outcome: &Outcome) -> Option<String> {
    outcome.summary.as_of.map(|at| at.to_rfc3339())
}

const IN_NAME: &str = "{ file_name = \"people-{date}*\" }";
const IN_COLUMN: &str = "{ column = \"exported\" }";
const JANUARY: &str = "2024-01-31T23:59:59.999+00:00";

#[test]
fn a_name_has_the_date() {
    let outcome = read(DELIMITED, IN_NAME, &[("people-2024-01-31.csv", "id,n\n1,a\n")]).unwrap();
    assert_eq!(
        (as_of(&outcome).as_deref(), &outcome.records[..]),
        (Some(JANUARY), &["2 1 {id=1, n=a}".to_owned()][..])
    );
    let files =
        [("people-20240131-1.ndjson", "{\"id\": 1}\n"), ("people-20240131-2.ndjson", "{\"id\": 2}\n")];
    let outcome = read(NDJSON, IN_NAME, &files).unwrap();
    assert_eq!((as_of(&outcome).as_deref(), outcome.records.len()), (Some(JANUARY), 2));
    // An empty export is of a day, too.
    assert_eq!(
        as_of(&read(DELIMITED, IN_NAME, &[("people-20240131.csv", "id\n")]).unwrap()).as_deref(),
        Some(JANUARY)
    );
}

#[test]
fn a_name_without_a_date_fails_the_read() {
    for (table, name) in [(DELIMITED, "people.csv"), (NDJSON, "people-new.ndjson")] {
        let error = read(table, IN_NAME, &[(name, "id\n1\n")]).err().unwrap();
        let expected = format!(
            "{name}: as_of.file_name: the name has no date as in \"people-{{date}}*\": expected a date such as 2026-03-31 \
             or 20260331, or a time such as 2026-03-31T12:00:00Z"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
    let files =
        [("people-2024-01-31.ndjson", "{\"id\": 1}\n"), ("people-2024-02-29.ndjson", "{\"id\": 2}\n")];
    let error = read(NDJSON, IN_NAME, &files).err().unwrap();
    let expected = "people-2024-02-29.ndjson: as_of.file_name: the name has the date \"2024-02-29\", and that of another \
                    file \"2024-01-31\": expected one date of all files";
    assert!(error.ends_with(expected), "{error}");
    // Which of two delimited files is meant cannot be told.
    let files = [("people-2024-01-31.csv", "id\n1\n"), ("people-2024-02-29.csv", "id\n1\n")];
    let error = read(DELIMITED, IN_NAME, &files).err().unwrap();
    let expected =
        "expected one file of this pattern: found \"people-2024-01-31.csv\", \"people-2024-02-29.csv\"";
    assert!(error.ends_with(expected), "{error}");
}

/// With its date as an attribute, every account would change from export to export.
#[test]
fn a_column_has_the_date_and_is_no_attribute() {
    let file = "id,exported,n\n1, 2024-01-31 ,a\n2,20240131,b\n";
    let outcome = read(DELIMITED, IN_COLUMN, &[("a.csv", file)]).unwrap();
    assert_eq!(as_of(&outcome).as_deref(), Some(JANUARY));
    assert_eq!(outcome.records, ["2 1 {id=1, n=a}", "3 2 {id=2, n=b}"]);
    assert_eq!(
        (outcome.summary.schema, outcome.summary.warnings),
        (vec!["id".to_owned(), "n".to_owned()], vec![])
    );
    let lines = "{\"id\": 1, \"exported\": \"2024-01-31T08:00:00+01:00\"}\n{\"id\": 2, \"exported\": \"2024-01-31T07:00:00Z\"}\n";
    let outcome = read(NDJSON, IN_COLUMN, &[("a.ndjson", lines)]).unwrap();
    assert_eq!(as_of(&outcome).as_deref(), Some("2024-01-31T07:00:00+00:00"));
    assert_eq!(outcome.records, ["1 1 {id=1}", "2 2 {id=2}"]);
    assert_eq!((outcome.summary.schema, outcome.summary.warnings), (vec!["id".to_owned()], vec![]));
    // What the definition lists or maps is an attribute all the same.
    let listed = DELIMITED.to_owned() + "attributes = [\"exported\"]\n";
    assert_eq!(
        read(&listed, IN_COLUMN, &[("a.csv", "id,exported\n1,20240131\n")]).unwrap().records,
        ["2 1 {exported=20240131}"]
    );
    let rule = "[[correlation]]\nidentity_attribute = \"uid\"\naccount_attribute = \"exported\"\n";
    for table in [DELIMITED, NDJSON] {
        let table = format!("{table}{rule}");
        let files =
            [("a.csv", "id,exported\n1,20240131\n"), ("a.ndjson", "{\"id\": 1, \"exported\": 20240131}\n")];
        let outcome = read(&table, IN_COLUMN, &files).unwrap();
        assert!(outcome.records[0].contains("exported=20240131"), "{:?}", outcome.records);
        assert_eq!(as_of(&outcome).as_deref(), Some(JANUARY));
    }
}

#[test]
fn columns_of_parquet_have_the_date() {
    let folder = tempfile::tempdir().unwrap();
    // 2024-01-31 is day 19753 since 1970.
    let write = |days: Vec<Option<i32>>| {
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..days.len()).map(|id| id.to_string())));
        let exported: ArrayRef = Arc::new(Date32Array::from(days));
        let columns = [("id", ids, true), ("exported", exported, true)];
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let file = std::fs::File::create(folder.path().join("a.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    };
    let table = NDJSON.replace("ndjson", "parquet");
    let definition = definition(&table, IN_COLUMN, "").unwrap();
    let read = || support::read(&definition, folder.path()).map_err(|error| error.to_string());
    write(vec![Some(19_753); 3000]);
    let outcome = read().unwrap();
    assert_eq!(
        (as_of(&outcome).as_deref(), outcome.records[2999].as_str()),
        (Some(JANUARY), "0 2999 {id=2999}")
    );
    let mut days = vec![Some(19_753); 3000];
    days[2500] = Some(19_754);
    write(days.clone());
    let expected = "as_of.column: \"exported\" is \"2024-01-31\" in record 1 and \"2024-02-01\" in record 2501: expected \
                    one date in all records";
    let error = read().err().unwrap();
    assert!(error.ends_with(expected), "{error}");
    days[2500] = None;
    write(days);
    let error = read().err().unwrap();
    assert!(
        error.contains("as_of.column: \"exported\" of record 2501 is not a date: expected a date such as"),
        "{error}"
    );
}

#[test]
fn two_dates_or_none_in_the_column_fail_the_read() {
    let cases: [(&str, &str, &str); 7] = [
        (
            DELIMITED,
            "id,exported\n1,2024-01-31\n2,2024-01-31\n3,2024-02-29\n",
            ":4:2: as_of.column: \"exported\" is \"2024-01-31\" in line 2 and \"2024-02-29\" in line 4: expected one date \
             in all records",
        ),
        (
            DELIMITED,
            "exported,id\n2024-01-31,1\n,2\n",
            ":3:1: as_of.column: \"exported\" of line 3 is not a date: expected ",
        ),
        (
            DELIMITED,
            "id,exported\n1,31.01.2024\n",
            ":2:2: as_of.column: \"exported\" of line 2 is not a date: expected ",
        ),
        (DELIMITED, "id,exported\n", ": as_of.column: no record tells the date, which \"exported\" should"),
        (
            DELIMITED,
            "id,Exported\n1,2024-01-31\n",
            ": delimited.as_of: there is no column \"exported\": the nearest is \"Exported\"; expected one of \"id\", \"Exported\"",
        ),
        (
            NDJSON,
            "{\"id\": 1, \"exported\": \"2024-01-31\"}\n{\"id\": 2}\n",
            ": as_of.column: \"exported\" of record 2 is not a date: expected ",
        ),
        (
            NDJSON,
            "{\"id\": 1, \"export\": \"2024-01-31\"}\n",
            ": ndjson.as_of: no record has \"exported\": the nearest is \"export\"; expected one of \"export\", \"id\"",
        ),
    ];
    for (table, content, expected) in cases {
        let name = if table == DELIMITED { "a.csv" } else { "a.ndjson" };
        let error = read(table, IN_COLUMN, &[(name, content)]).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
    // A record that is refused says nothing of the date.
    let outcome =
        read(DELIMITED, IN_COLUMN, &[("a.csv", "id,exported\n1,2024-01-31\n2,2024-02-29,x\n")]).unwrap();
    assert_eq!((as_of(&outcome).as_deref(), outcome.summary.rejected), (Some(JANUARY), 1));
}

#[test]
fn definitions_say_where_the_date_is() {
    let fault = |as_of: &str, top: &str| definition(DELIMITED, as_of, top).unwrap_err();
    let wanted =
        "delimited.as_of.file_name: expected a file's name without its folder, in which {date} stands once";
    assert_eq!(fault("{ file_name = \"people.csv\" }", ""), format!("a.toml: {wanted}"));
    assert_eq!(fault("{ column = \" \" }", ""), "a.toml: delimited.as_of.column: must not be blank");
    assert!(
        fault("{ sheet = \"x\" }", "").contains("unknown variant `sheet`, expected `file_name` or `column`")
    );
    let withheld = fault("{ column = \"pin\" }", "never_kept = [\"pin\"]\n");
    assert!(withheld.contains("delimited.as_of: attribute \"pin\" is never kept"), "{withheld}");
    let kept = definition(DELIMITED, IN_COLUMN, "").unwrap();
    let json = serde_json::to_string(&kept).unwrap();
    assert!(json.contains("\"as_of\":{\"column\":\"exported\"}"), "{json}");
    assert_eq!(serde_json::from_str::<SourceDefinition>(&json).unwrap(), kept);
}
