//! NDJSON and Parquet files.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use muster_sources::{
    AccountSettings, FileSettings, FlagCondition, NdjsonSettings, ParquetSettings, ReadError, ReaderSettings,
};
use parquet::arrow::ArrowWriter;

use crate::support::{self, Outcome};

fn settings(path: &str, native_identity: &str) -> FileSettings {
    FileSettings { path: path.to_owned(), as_of: None, account: AccountSettings::new(native_identity) }
}

fn read(reader: impl Into<ReaderSettings>, folder: &Path) -> Result<Outcome, ReadError> {
    support::read(&support::definition_of(reader), folder)
}

#[test]
fn lines_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let first = concat!(
        "\u{feff}{\"id\": \"a\", \"mail\": [\"a@x\", null, \"b@x\"], \"age\": 41, \"active\": true, \"n\": null}\r\n",
        "\n",
        "{\"id\": 7, \"name\": {\"first\": \"Ü\"}, \"active\": false}\n",
        "[1]\n",
        "{\"id\": \"secret-x\",\n",
        "{\"name\": \"no id\"}\n",
        "{\"id\": \"b\", \"age\": 1},\n",
    );
    std::fs::write(folder.path().join("people-1.ndjson"), first).unwrap();
    std::fs::write(folder.path().join("people-2.ndjson"), "{\"id\": \"last\"}").unwrap();
    std::fs::write(folder.path().join("other.ndjson"), "{\"id\": \"other\"}").unwrap();
    let mut settings = settings("people-*.ndjson", "id");
    settings.account.disabled = Some(FlagCondition {
        attribute: "active".to_owned(),
        values: Some(vec!["false".to_owned()]),
        present: false,
    });
    let outcome = read(NdjsonSettings(settings.clone()), folder.path()).unwrap();
    let expected = [
        "1 a {active=true, age=41, id=a, mail=a@x|b@x}",
        "3 7 [d] {active=false, id=7, name={\"first\":\"Ü\"}}",
        "1 last {id=last}",
    ];
    assert_eq!(outcome.records, expected);
    let rejected = [
        "4 -: people-1.ndjson: the line is not a JSON object",
        "5 -: people-1.ndjson: the line is not JSON from column 18 on",
        "6 -: \"id\" is absent: expected the native identity",
        "7 b: people-1.ndjson: the line is not JSON from column 22 on",
    ];
    assert_eq!(outcome.rejection_texts(), rejected);
    assert_eq!((outcome.summary.rejected, outcome.summary.rejected_without_key), (4, 3));
    assert!(outcome.summary.complete);
    assert_eq!(outcome.summary.bytes, (first.len() + "{\"id\": \"last\"}".len()) as u64);
    // cat people-1.ndjson people-2.ndjson | sha256sum, by the tool itself.
    let output = std::process::Command::new("sh")
        .args(["-c", "cat people-1.ndjson people-2.ndjson | sha256sum"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let digest = String::from_utf8(output.stdout).unwrap();
    assert_eq!(outcome.summary.digest_sha256, digest.split(' ').next().unwrap());

    settings.path = "nothing-*.ndjson".to_owned();
    let text = read(NdjsonSettings(settings), folder.path()).err().unwrap().to_string();
    assert!(text.ends_with("nothing-*.ndjson: expected at least one file of this pattern"), "{text}");
}

/// Line by line one of them would be an object: the last, behind which there is no comma.
#[test]
fn a_json_array_is_refused_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("[{}]", "{\"id\": \"a\"}, ".repeat(1_300_000));
    for text in ["[\n{\"id\": \"a\"},\n{\"id\": \"b\"}\n]\n", "\u{feff}\n [{\"id\": \"a\"}]", "[]", &long] {
        std::fs::write(folder.path().join("a.ndjson"), text).unwrap();
        let error = read(NdjsonSettings(settings("a.ndjson", "id")), folder.path()).err().unwrap();
        let line = if text.starts_with('[') { 1 } else { 2 };
        let expected = format!(
            "a.ndjson:{line}:1: the file is a JSON array: expected an object on each line, as `jq -c '.[]'` writes them"
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    // Behind the first object an array is a line like any other.
    std::fs::write(folder.path().join("a.ndjson"), "{\"id\": \"a\"}\n[1]\n").unwrap();
    let outcome = read(NdjsonSettings(settings("a.ndjson", "id")), folder.path()).unwrap();
    assert_eq!((outcome.records.len(), outcome.rejections.len()), (1, 1));
}

#[test]
fn a_name_that_no_line_has_fails_the_read() {
    let folder = tempfile::tempdir().unwrap();
    let head = "name = \"A\"\nkind = \"ndjson\"\n";
    let table = "[ndjson]\npath = \"a.ndjson\"\n[ndjson.account]\nnative_identity = \"id\"\n";
    let read_with = |top: &str, account: &str| {
        let text = format!("{head}{top}{table}{account}");
        let definition = muster_sources::SourceDefinition::from_toml(&text, folder.path()).unwrap();
        support::read(&definition, folder.path())
    };
    std::fs::write(
        folder.path().join("a.ndjson"),
        "{\"id\": 1, \"MemberOf\": []}\n{\"id\": 2, \"MemberOf\": \"x\"}\n",
    )
    .unwrap();
    let fails = |account: &str| read_with("", account).err().unwrap().to_string();
    let rule = "[[correlation]]\nidentity_attribute = \"uid\"\naccount_attribute = \"memberOf\"\n";
    let ends = "no record has \"memberOf\": the nearest is \"MemberOf\"; expected one of \"MemberOf\", \"id\", or the name among `optional`";
    let text = fails(rule);
    assert!(text.ends_with(&format!("a.ndjson: correlation[0].account_attribute: {ends}")), "{text}");
    // The reader compares names without regard to case, and so nothing is lost here.
    assert_eq!(read_with("", "entitlements = [\"memberOf\"]\n").unwrap().records.len(), 2);
    let text = fails("entitlements = [\"groups\"]\n");
    assert!(
        text.contains("ndjson.account.entitlements: no record has \"groups\": expected one of"),
        "{text}"
    );
    assert_eq!(
        read_with("optional = [\"groups\"]\n", "entitlements = [\"groups\"]\n").unwrap().records.len(),
        2
    );
    // That nobody is locked is an answer; and what is only to be kept may be absent.
    let account =
        "locked = { attribute = \"lockedSince\", present = true }\nattributes = [\"id\", \"fax\"]\n";
    let outcome = read_with("", account).unwrap();
    assert_eq!(outcome.records, ["1 1 {id=1}", "2 2 {id=2}"]);
    assert_eq!(
        outcome.summary.warnings,
        ["account.attributes: no record has \"fax\"", "account.locked: no record has \"lockedSince\""]
    );
    // Of nobody nothing can be said.
    std::fs::write(folder.path().join("a.ndjson"), "\n").unwrap();
    assert_eq!(read_with("", rule).unwrap().records.len(), 0);
}

#[test]
fn a_file_of_lines_that_grows_is_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson");
    std::fs::write(&path, "{\"id\": 1}\n".repeat(5000)).unwrap();
    let definition = support::definition_of(NdjsonSettings(settings("a.ndjson", "id")));
    let mut reader = muster_sources::open(&definition, folder.path()).unwrap();
    assert!(reader.next_batch().unwrap().is_some());
    let summary = reader.finish().unwrap();
    assert_eq!(summary.incomplete_reason.as_deref(), Some("the files were not read to their end"));

    let mut reader = muster_sources::open(&definition, folder.path()).unwrap();
    assert!(reader.next_batch().unwrap().is_some());
    std::fs::write(&path, "{\"id\": 1}\n".repeat(5001)).unwrap();
    while reader.next_batch().unwrap().is_some() {}
    let reason = reader.finish().unwrap().incomplete_reason.unwrap();
    assert!(reason.ends_with("a.ndjson changed while it was read"), "{reason}");
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn columns_of_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(3), None, Some(1)]), None]);
    let given: ArrayRef = Arc::new(StringArray::from(vec![Some("Zoë"), None]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let nested = StructArray::from(vec![
        (Arc::new(Field::new("given", DataType::Utf8, true)), given),
        (Arc::new(Field::new("number", DataType::Int64, true)), number),
    ]);
    let dictionary: DictionaryArray<Int32Type> = ["red", "blue"].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![10, 20]))),
        ("login", Arc::new(StringArray::from(vec![Some("zoe"), None]))),
        ("groups", Arc::new(lists)),
        ("active", Arc::new(BooleanArray::from(vec![true, false]))),
        ("ratio", Arc::new(Float64Array::from(vec![0.1, 2.0]))),
        (
            "salary",
            Arc::new(Decimal128Array::from(vec![123_450, -5]).with_precision_and_scale(10, 2).unwrap()),
        ),
        // 2020-02-29 is day 18321 since 1970.
        ("hired", Arc::new(Date32Array::from(vec![Some(18_321), None]))),
        // 2024-01-15T08:30:00Z is second 1705307400.
        (
            "seen",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_705_307_400_000_000), None]).with_timezone("UTC"),
            ),
        ),
        ("photo", Arc::new(BinaryArray::from(vec![Some(&[0xff, 0xd8, 0xff][..]), None]))),
        ("name", Arc::new(nested)),
        ("colour", Arc::new(dictionary)),
    ];
    write(&folder.path().join("a.parquet"), columns);
    let mut settings = settings("a.parquet", "id");
    settings.account.name = Some("login".to_owned());
    settings.account.entitlements = vec!["groups".to_owned()];
    settings.account.locked = Some(FlagCondition {
        attribute: "active".to_owned(),
        values: Some(vec!["false".to_owned()]),
        present: false,
    });
    let outcome = read(ParquetSettings(settings.clone()), folder.path()).unwrap();
    let expected = [
        "0 10 zoe/-/- {id=10, login=zoe, groups=3|1, active=true, ratio=0.1, salary=1234.50, hired=2020-02-29, \
         seen=2024-01-15T08:30:00Z, photo=/9j/, name={\"given\":\"Zoë\",\"number\":1}, colour=red} 3|1",
        "0 20 [l] -/-/- {id=20, active=false, ratio=2, salary=-0.05, name={\"given\":null,\"number\":2}, colour=blue}",
    ];
    assert_eq!(outcome.records, expected);
    assert!(outcome.summary.complete);
    assert_eq!(outcome.summary.reported_total, Some(2));

    settings.account.locked.as_mut().unwrap().attribute = "retired".to_owned();
    let text = read(ParquetSettings(settings), folder.path()).err().unwrap().to_string();
    assert!(text.ends_with("parquet.account.locked: there is no column \"retired\": expected one of \"id\", \"login\", \"groups\", \"active\", \"ratio\", \"salary\", \"hired\", \"seen\", \"photo\", \"name\", \"colour\", or the name among `optional`"), "{text}");
}

#[test]
fn several_parquet_files_with_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let ids = |range: std::ops::Range<i64>| -> ArrayRef { Arc::new(Int64Array::from_iter_values(range)) };
    write(&folder.path().join("2.parquet"), vec![("id", ids(5000..9000))]);
    write(&folder.path().join("1.parquet"), vec![("id", ids(0..5000))]);
    let outcome = read(ParquetSettings(settings("?.parquet", "id")), folder.path()).unwrap();
    assert_eq!(outcome.records.len(), 9000);
    assert_eq!(
        (outcome.records[0].as_str(), outcome.records[8999].as_str()),
        ("0 0 {id=0}", "0 8999 {id=8999}")
    );
    assert_eq!((outcome.summary.complete, outcome.summary.reported_total), (true, Some(9000)));

    write(&folder.path().join("3.parquet"), vec![("id", ids(0..1)), ("more", ids(0..1))]);
    let text = read(ParquetSettings(settings("?.parquet", "id")), folder.path()).err().unwrap().to_string();
    assert!(text.ends_with("3.parquet: expected the columns of the first file"), "{text}");
    std::fs::write(folder.path().join("3.parquet"), "no such file").unwrap();
    let text = read(ParquetSettings(settings("?.parquet", "id")), folder.path()).err().unwrap().to_string();
    assert!(text.contains("3.parquet: expected a Parquet file"), "{text}");
}

/// pandas makes floating-point numbers of a column of whole numbers in which one is absent.
#[test]
fn identifiers_that_became_floating_point_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = |numbers: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(numbers)) };
    let ids =
        numbers(vec![Some(1001.0), Some(-2.0), None, Some(3.5), Some(9_007_199_254_740_992.0), Some(1e20)]);
    let managers = numbers(vec![Some(7.0), None, None, None, Some(9_007_199_254_740_992.0), None]);
    write(&folder.path().join("a.parquet"), vec![("id", ids), ("manager", managers)]);
    let outcome = read(ParquetSettings(settings("a.parquet", "id")), folder.path()).unwrap();
    assert_eq!(outcome.records, ["0 1001 {id=1001, manager=7}", "0 -2 {id=-2}"]);
    let fault = "\"id\" is a floating-point number: expected a whole number below 2^53, or text";
    let expected = [
        "3 -: \"id\" is absent: expected the native identity".to_owned(),
        format!("4 -: {fault}"),
        format!("5 -: {fault}"),
        format!("6 -: {fault}"),
    ];
    assert_eq!(outcome.rejection_texts(), expected);
}

#[test]
fn a_column_of_two_kinds_in_one_source_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = || -> ArrayRef { Arc::new(Int64Array::from(vec![1])) };
    let pieces: [(ArrayRef, Option<&str>); 5] = [
        (Arc::new(arrow::array::Int32Array::from(vec![2])), None),
        (Arc::new(arrow::array::NullArray::new(1)), None),
        (Arc::new(Float64Array::from(vec![2.0])), Some("a floating-point number")),
        (Arc::new(StringArray::from(vec!["2"])), Some("text")),
        (Arc::new(BooleanArray::from(vec![true])), Some("true or false")),
    ];
    let ids = || -> ArrayRef { Arc::new(StringArray::from(vec!["x"])) };
    write(&folder.path().join("1.parquet"), vec![("id", ids()), ("number", whole())]);
    for (piece, refused) in pieces {
        write(&folder.path().join("2.parquet"), vec![("id", ids()), ("number", piece)]);
        let outcome = read(ParquetSettings(settings("?.parquet", "id")), folder.path());
        let expected = refused.map(|kind| {
            format!("2.parquet: column \"number\" is {kind}: expected a whole number, as in the files before")
        });
        match (outcome, expected) {
            (Ok(outcome), None) => assert_eq!(outcome.summary.read, 2),
            (Err(error), Some(expected)) => assert!(error.to_string().ends_with(&expected), "{error}"),
            (Ok(_), Some(expected)) => panic!("read, and not: {expected}"),
            (Err(error), None) => panic!("{error}"),
        }
    }
}

#[test]
fn passwords_are_kept_in_no_depth() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        "{\"id\": 1, \"Password\": \"s3cret\", \"logins\": [{\"name\": \"a\", \"passwd\": \"s3cret\"}]}\n";
    std::fs::write(folder.path().join("a.ndjson"), line).unwrap();
    let outcome = read(NdjsonSettings(settings("a.ndjson", "id")), folder.path()).unwrap();
    assert_eq!(outcome.records, ["1 1 {id=1, logins={\"name\":\"a\"}}"]);
    assert_eq!(outcome.summary.schema, ["id", "logins"]);
    assert_eq!(outcome.summary.warnings, ["\"Password\" is never kept"]);
}

/// The twin of the test of delimited files: a flag that such a column tells is told, and nothing more is said than that
/// the column is never kept.
#[test]
fn passwords_are_not_kept_and_can_tell_flags() {
    let folder = tempfile::tempdir().unwrap();
    let lines = concat!(
        "{\"id\": \"1\", \"passwd\": \"!\", \"PIN\": \"1234\", \"pinned\": \"x\"}\n",
        "{\"id\": \"2\", \"passwd\": \"$6$x\", \"PIN\": \"1\", \"pinned\": \"y\"}\n",
    );
    std::fs::write(folder.path().join("a.ndjson"), lines).unwrap();
    let texts = |texts: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let columns = vec![
        ("id", texts(["1", "2"])),
        ("passwd", texts(["!", "$6$x"])),
        ("PIN", texts(["1234", "1"])),
        ("pinned", texts(["x", "y"])),
    ];
    write(&folder.path().join("a.parquet"), columns);
    let with_flag = |path: &str| {
        let mut settings = settings(path, "id");
        settings.account.disabled = Some(FlagCondition {
            attribute: "passwd".to_owned(),
            values: Some(vec!["!".to_owned()]),
            present: false,
        });
        settings
    };
    for (reader, lines) in [
        (ReaderSettings::from(NdjsonSettings(with_flag("a.ndjson"))), [1, 2]),
        (ReaderSettings::from(ParquetSettings(with_flag("a.parquet"))), [0, 0]),
    ] {
        let mut definition = support::definition_of(reader);
        definition.never_kept = vec!["pin".to_owned()];
        let outcome = support::read(&definition, folder.path()).unwrap();
        let [first, second] = lines;
        let expected =
            [format!("{first} 1 [d] {{id=1, pinned=x}}"), format!("{second} 2 {{id=2, pinned=y}}")];
        assert_eq!(outcome.records, expected);
        assert_eq!(outcome.summary.schema, ["id", "pinned"]);
        let mut warnings = outcome.summary.warnings;
        warnings.sort_unstable();
        assert_eq!(warnings, ["\"PIN\" is never kept", "\"passwd\" is never kept"]);
    }
}

#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let delimited = muster_sources::DelimitedSettings::new("pipe", "id");
    for reader in [
        ReaderSettings::from(NdjsonSettings(settings("pipe", "id"))),
        ReaderSettings::from(ParquetSettings(settings("pipe", "id"))),
        ReaderSettings::from(delimited),
    ] {
        let text = read(reader, folder.path()).err().unwrap().to_string();
        assert!(text.ends_with("pipe: expected a file"), "{text}");
    }
}
