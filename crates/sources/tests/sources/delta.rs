//! Delta tables: those that the Python package `deltalake` writes, and logs put together by hand for what it does not
//! write. `MUSTER_DELTA_PYTHON` names a Python that has the package.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use muster_sources::{AccountSettings, DeltaSettings, ReadError, ReaderSettings, SourceDefinition};
use parquet::arrow::ArrowWriter;

use crate::support::{self, Outcome};

fn settings(native_identity: &str, version: Option<u64>) -> DeltaSettings {
    DeltaSettings { path: "table".to_owned(), version, account: AccountSettings::new(native_identity) }
}

fn read(folder: &Path, version: Option<u64>) -> Result<Outcome, ReadError> {
    support::read(&support::definition_of(settings("id", version)), folder)
}

fn refusal(folder: &Path, version: Option<u64>) -> String {
    read(folder, version).err().expect("the table is refused").to_string()
}

/// Runs a script in the folder; `false` when there is no Python with the package.
fn python(folder: &Path, script: &str) -> bool {
    let python = std::env::var("MUSTER_DELTA_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import deltalake, pyarrow"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!(
            "SKIPPED: {python} has no package deltalake or pyarrow; MUSTER_DELTA_PYTHON names another Python"
        );
        return false;
    }
    // Without the packages' clean-up, in which their threads sometimes abort a process that has done all it had to.
    let script = format!("{script}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
    let output = Command::new(python).args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn each_version_of_a_table_with_partitions() {
    let folder = tempfile::tempdir().unwrap();
    // Version 0 has three rows in three files, 1 loses a row, 2 changes one; a checkpoint comes after the last.
    let script = r#"
import datetime as d, decimal
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
utc = d.datetime(2024, 1, 15, 8, 30, tzinfo=d.timezone.utc)
rows = pa.table({
    "id": pa.array([1, 2, 3], pa.int64()),
    "name": ["Zoë", "b", None],
    "seen": pa.array([utc] * 3, pa.timestamp("us", "UTC")),
    "local": pa.array([d.datetime(2024, 1, 15, 8, 30)] * 3, pa.timestamp("us")),
    "hired": pa.array([d.date(2020, 2, 29)] * 3),
    "salary": pa.array([decimal.Decimal("1.50")] * 3, pa.decimal128(10, 2)),
    "groups": [["x", "y"], [], None],
    "region": ["e/u %", "us", None],
    "since": pa.array([utc] * 3, pa.timestamp("us", "UTC")),
    "unit": pa.array([{"a": 1}, None, {"a": 2}]),
})
write_deltalake("table", rows, partition_by=["region", "since"])
table = DeltaTable("table")
table.delete("id = 2")
table.update(updates={"name": "'Zoe'"}, predicate="id = 1")
table.create_checkpoint()
assert table.version() == 2
"#;
    if !python(folder.path(), script) {
        return;
    }
    let rest = "seen=2024-01-15T08:30:00Z, local=2024-01-15T08:30:00, hired=2020-02-29, salary=1.50";
    let one = |name: &str| {
        format!(
            "0 1 {{id=1, name={name}, {rest}, groups=x|y, region=e/u %, since=2024-01-15T08:30:00Z, unit={{\"a\":1}}}}"
        )
    };
    let two = format!("0 2 {{id=2, name=b, {rest}, region=us, since=2024-01-15T08:30:00Z}}");
    let three = format!("0 3 {{id=3, {rest}, since=2024-01-15T08:30:00Z, unit={{\"a\":2}}}}");
    let sorted = |version| {
        let mut outcome = read(folder.path(), version).unwrap();
        let count = outcome.records.len() as u64;
        assert_eq!((outcome.summary.complete, outcome.summary.reported_total), (true, Some(count)));
        outcome.records.sort();
        outcome.records
    };
    assert_eq!(sorted(Some(0)), [one("Zoë"), two, three.clone()]);
    assert_eq!(sorted(Some(1)), [one("Zoë"), three.clone()]);
    let newest = [one("Zoe"), three];
    assert_eq!(sorted(Some(2)), newest);
    assert_eq!(sorted(None), newest);
    let text = refusal(folder.path(), Some(3));
    assert!(text.ends_with("expected version 2 at most, which is the newest: 3"), "{text}");

    // Old commits may be removed once there is a checkpoint; versions before it are then gone.
    let log = folder.path().join("table/_delta_log");
    for commit in 0..=2 {
        std::fs::remove_file(log.join(format!("{commit:020}.json"))).unwrap();
    }
    assert_eq!(sorted(None), newest);
    let text = refusal(folder.path(), Some(1));
    assert!(text.ends_with("version 1 cannot be put together: commit 0 is missing"), "{text}");
}

#[test]
fn many_commits_after_a_checkpoint_a_column_that_came_later_and_a_merge() {
    let folder = tempfile::tempdir().unwrap();
    // 0..=11 append ten rows each, with a checkpoint at 7; 12 adds a column with one row; 13 merges: 5 is changed, 1000
    // is new; 14 deletes all multiples of ten; 15 appends 2001; 16 puts the two files together.
    let script = r#"
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
for commit in range(12):
    ids = range(commit * 10, commit * 10 + 10)
    write_deltalake("table", pa.table({"id": pa.array(ids, pa.int64())}), mode="append")
    if commit == 7:
        DeltaTable("table").create_checkpoint()
write_deltalake("table", pa.table({"id": [500], "mail": ["m"]}), mode="append", schema_mode="merge")
source = pa.table({"id": [5, 1000], "mail": ["five", "new"]})
(DeltaTable("table").merge(source, "t.id = s.id", source_alias="s", target_alias="t")
    .when_matched_update_all().when_not_matched_insert_all().execute())
table = DeltaTable("table")
table.delete("id % 10 = 0")
write_deltalake("table", pa.table({"id": [2001], "mail": ["last"]}), mode="append")
table = DeltaTable("table")
table.optimize.compact()
assert table.version() == 16
"#;
    if !python(folder.path(), script) {
        return;
    }
    let ids = |version| {
        let outcome = read(folder.path(), version).unwrap();
        assert!(outcome.summary.complete);
        let id = |record: &String| record.split(' ').nth(1).unwrap().parse::<u32>().unwrap();
        let mut ids: Vec<u32> = outcome.records.iter().map(id).collect();
        ids.sort_unstable();
        (ids, outcome.records)
    };
    assert_eq!(ids(Some(3)).0, (0..40).collect::<Vec<_>>());
    assert_eq!(ids(Some(7)).0, (0..80).collect::<Vec<_>>());
    assert_eq!(ids(Some(11)).0, (0..120).collect::<Vec<_>>());
    assert_eq!(ids(Some(13)).0, (0..120).chain([500, 1000]).collect::<Vec<_>>());
    let expected: Vec<u32> = (0..120).filter(|id| id % 10 != 0).collect();
    assert_eq!(ids(Some(14)).0, expected);
    for version in [Some(15), Some(16), None] {
        let (found, records) = ids(version);
        assert_eq!(found, [expected.clone(), vec![2001]].concat());
        assert!(records.contains(&"0 5 {id=5, mail=five}".to_owned()), "{records:?}");
        assert!(records.contains(&"0 6 {id=6}".to_owned()));
    }
}

#[test]
fn times_that_spark_writes_in_its_old_form() {
    let folder = tempfile::tempdir().unwrap();
    // Nanoseconds, in which the form is usually read, end in the year 2262.
    let script = r#"
import datetime as d, json, os
import pyarrow as pa, pyarrow.parquet as pq
os.makedirs("table/_delta_log")
times = pa.array([d.datetime(9999, 12, 31), d.datetime(2024, 1, 15, 8, 30)], pa.timestamp("us"))
pq.write_table(pa.table({"id": ["a", "b"], "until": times}), "table/p.parquet", use_deprecated_int96_timestamps=True)
fields = [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in [("id", "string"), ("until", "timestamp")]]
actions = [
    {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
    {"metaData": {"id": "x", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [],
        "configuration": {}, "schemaString": json.dumps({"type": "struct", "fields": fields})}},
    {"add": {"path": "p.parquet", "partitionValues": {}, "size": os.path.getsize("table/p.parquet"),
        "modificationTime": 0, "dataChange": True}},
]
with open("table/_delta_log/00000000000000000000.json", "w") as log:
    log.write("\n".join(map(json.dumps, actions)))
"#;
    if !python(folder.path(), script) {
        return;
    }
    let outcome = read(folder.path(), None).unwrap();
    assert_eq!(
        outcome.records,
        ["0 a {id=a, until=9999-12-31T00:00:00Z}", "0 b {id=b, until=2024-01-15T08:30:00Z}"]
    );
    // The log does not tell how many rows there are, the file does.
    assert_eq!((outcome.summary.complete, outcome.summary.reported_total), (true, None));
}

/// A table of one file with the ids 0 to 4, its log made of `protocol`, settings and what is added to the file's entry.
fn by_hand(folder: &Path, protocol: &str, configuration: &str, added: &str) {
    let log = folder.join("table/_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5));
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let path = folder.join("table/a.parquet");
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    let text = format!(
        r#"{{"protocol": {{{protocol}}}}}
{{"metaData": {{"schemaString": "{{\"type\": \"struct\", \"fields\": [{{\"name\": \"id\", \"type\": \"long\"}}]}}", "partitionColumns": [], "configuration": {{{configuration}}}}}}}
{{"add": {{"path": "a.parquet", "partitionValues": {{}}, "size": {size}{added}}}}}
"#
    );
    std::fs::write(log.join(format!("{:020}.json", 0)), text).unwrap();
}

const PLAIN: &str = r#""minReaderVersion": 1, "minWriterVersion": 2"#;

#[test]
fn tables_with_features_that_are_not_read_are_refused() {
    let features = |names: &str| format!(r#""minReaderVersion": 3, "readerFeatures": [{names}]"#);
    let vector = r#", "deletionVector": {"storageType": "u", "pathOrInlineDv": "x", "offset": 1, "sizeInBytes": 36, "cardinality": 2}"#;
    let cases = [
        (features(r#""v2Checkpoint""#), "", "", "features that are not read: v2Checkpoint"),
        (features(r#""deletionVectors""#), "", vector, "(deletion vectors), which is not read"),
        (PLAIN.to_owned(), "", vector, "(deletion vectors), which is not read"),
        (
            r#""minReaderVersion": 2"#.to_owned(),
            r#""delta.columnMapping.mode": "name""#,
            "",
            "maps its columns to other names (mode \"name\"), which is not read",
        ),
        (
            r#""minReaderVersion": 4"#.to_owned(),
            "",
            "",
            "expected a table for readers of version 3 at most, found 4",
        ),
        (
            PLAIN.to_owned(),
            "",
            r#", "stats": "{\"numRecords\": 6}""#,
            "expected 6 rows, as the table's log says: 5",
        ),
    ];
    for (protocol, configuration, added, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        by_hand(folder.path(), &protocol, configuration, added);
        let text = refusal(folder.path(), None);
        assert!(text.contains(expected), "{text}");
    }
    // A table may have a feature and make no use of it.
    let folder = tempfile::tempdir().unwrap();
    by_hand(folder.path(), &features(r#""deletionVectors", "columnMapping""#), "", "");
    assert_eq!(read(folder.path(), None).unwrap().records.len(), 5);
}

#[test]
fn a_file_that_is_gone_or_another_fails_the_source() {
    let folder = tempfile::tempdir().unwrap();
    by_hand(folder.path(), PLAIN, "", "");
    let file = folder.path().join("table/a.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.push(0);
    std::fs::write(&file, &bytes).unwrap();
    let text = refusal(folder.path(), None);
    assert!(text.contains("a.parquet: expected"), "{text}");
    std::fs::remove_file(&file).unwrap();
    assert!(refusal(folder.path(), None).contains("cannot open"));
}

#[test]
fn what_is_no_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path(), None).contains("cannot list"));
    let log = folder.path().join("table/_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    assert!(refusal(folder.path(), None).ends_with("its folder _delta_log has no commit"));
    std::fs::write(log.join(format!("{:020}.json", 0)), "{\"add\": 7}\n").unwrap();
    assert!(refusal(folder.path(), None).ends_with("commit 0: line 1 is not an action of a Delta log"));
    std::fs::write(log.join(format!("{:020}.json", 0)), "{\"commitInfo\": {}}\n").unwrap();
    assert!(refusal(folder.path(), None).ends_with("the log does not say what a reader must know"));
    // The checkpoint that would close the gap is of the second version.
    by_hand(folder.path(), PLAIN, "", "");
    let uuid = "80a083e8-7026-4e79-81be-64bd76c43a11";
    std::fs::write(log.join(format!("{:020}.checkpoint.{uuid}.parquet", 3)), "").unwrap();
    std::fs::write(log.join(format!("{:020}.json", 4)), "").unwrap();
    let text = refusal(folder.path(), None);
    assert!(text.ends_with("commit 1 is missing; checkpoints of the second version are not read"), "{text}");
}

#[test]
fn a_definition_of_a_table() {
    let text = "name = \"Warehouse\"\nkind = \"delta\"\n[delta]\npath = \"people\"\nversion = 7\n\
                [delta.account]\nnative_identity = \"id\"\nattributes = [\"id\"]\nentitlements = [\"groups\"]\n";
    let error = SourceDefinition::from_toml(text, Path::new("x.toml")).unwrap_err().to_string();
    assert!(error.contains("delta.account.entitlements[0]"), "{error}");
    let text = text.replace("attributes = [\"id\"]\n", "");
    let definition = SourceDefinition::from_toml(&text, Path::new("x.toml")).unwrap();
    let mut expected = settings("id", Some(7));
    expected.path = "people".to_owned();
    expected.account.entitlements = vec!["groups".to_owned()];
    assert_eq!(definition.reader, ReaderSettings::from(expected));
    let text = text.replace("people", "s3://bucket/people");
    let error = SourceDefinition::from_toml(&text, Path::new("x.toml")).unwrap_err().to_string();
    assert!(error.contains("delta.path: expected a folder of this machine"), "{error}");
}
