//! The writers from outside: goldens as text, other programs reading back, and what holds for every batch.
#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

mod compare;
mod evidence;
mod formats;
mod guard;
#[path = "../pdf/sample.rs"]
#[expect(dead_code, reason = "the tests of PDF use the rest")]
mod sample;
mod threads;
mod tools;
mod workbook;
mod zip_files;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, DurationSecondArray,
    Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray, ListBuilder, MapBuilder, NullArray,
    StringArray, StringBuilder, StringViewArray, StringViewBuilder, StructArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Int32Type};
use arrow::record_batch::RecordBatch;
use muster_render::{ColumnFormat, CsvOptions, CsvWriter, FormulaGuard, Header, RenderError};
use proptest::prelude::*;

fn formats(batch: &RecordBatch) -> Vec<ColumnFormat> {
    let format = |field: &Arc<Field>| ColumnFormat {
        name: field.name().clone(),
        label: format!("Label, {}", field.name().to_uppercase()),
    };
    batch.schema().fields().iter().map(format).collect()
}

fn csv_of(batches: &[RecordBatch]) -> String {
    let mut sink = Vec::new();
    let options = CsvOptions { formula_guard: FormulaGuard::Off, ..CsvOptions::default() };
    let mut writer = CsvWriter::with_options(&mut sink, formats(&batches[0]), options);
    for batch in batches {
        writer.write(batch).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.bytes, sink.len() as u64);
    assert_eq!(written.rows, batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64);
    String::from_utf8(sink).unwrap()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn lists(rows: &[Option<&[Option<&str>]>]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        for item in row.unwrap_or_default() {
            builder.values().append_option(*item);
        }
        builder.append(row.is_some());
    }
    Arc::new(builder.finish())
}

#[test]
fn every_kind_of_cell() {
    let rows = batch(vec![
        ("text", texts(&[Some("plain"), None])),
        ("large", Arc::new(LargeStringArray::from(vec![Some("a,b"), None]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("say \"hi\""), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false)]))),
        ("small", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        ("whole", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(0)]))),
        ("unsigned", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("single", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        ("double", Arc::new(Float64Array::from(vec![Some(0.1 + 0.2), None]))),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![Some(-12_345), None]).with_precision_and_scale(9, 2).unwrap(),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(20_000), None]))),
        ("day64", Arc::new(Date64Array::from(vec![Some(-1), None]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![Some(1_700_000_000), None]))),
        ("micros", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_999), None]).with_timezone("UTC"))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(1_999_999), None]))),
        ("nothing", Arc::new(NullArray::new(2))),
        ("dictionary", Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("x"), None]))),
    ]);
    let expected = "text,large,view,flag,small,whole,unsigned,single,double,decimal,day,day64,seconds,micros,nanos,\
                    nothing,dictionary\r\n\
                    plain,\"a,b\",\"say \"\"hi\"\"\",true,-128,-9223372036854775808,18446744073709551615,0.1,\
                    0.30000000000000004,-123.45,2024-10-04,1969-12-31,2023-11-14T22:13:20.000Z,\
                    1970-01-01T00:00:00.001Z,1970-01-01T00:00:00.001Z,,x\r\n\
                    ,,,false,,0,,,,,,,,,,,\r\n";
    assert_eq!(csv_of(&[rows]), expected);
}

#[test]
fn quotes_only_where_needed() {
    let values = ["a b", " a ", "a;b", "a'b", "a,b", "a\nb", "a\rb", "\"", "\u{1f600}", "=1+1", "", "\t"];
    let column = texts(&values.map(Some));
    let expected = "n,t\r\n0,a b\r\n1, a \r\n2,a;b\r\n3,a'b\r\n4,\"a,b\"\r\n5,\"a\nb\"\r\n6,\"a\rb\"\r\n7,\"\"\"\"\r\n\
                    8,\u{1f600}\r\n9,=1+1\r\n10,\r\n11,\t\r\n";
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..12));
    assert_eq!(csv_of(&[batch(vec![("n", numbers), ("t", column)])]), expected);
}

#[test]
fn lists_join_and_double_their_separator() {
    let column = lists(&[
        Some(&[Some("a"), Some("b;c"), None, Some("d")]),
        Some(&[Some("x,y"), Some(";;")]),
        Some(&[None]),
        Some(&[]),
        None,
        Some(&[Some(""), Some("z")]),
        // One value alone is as it is.
        Some(&[Some("b;c; d")]),
        Some(&[None, Some(";"), None]),
    ]);
    let expected = "l,n\r\na; b;;c; d,0\r\n\"x,y; ;;;;\",1\r\n,2\r\n,3\r\n,4\r\n; z,5\r\nb;c; d,6\r\n;,7\r\n";
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..8));
    let whole = batch(vec![("l", column), ("n", numbers)]);
    assert_eq!(csv_of(std::slice::from_ref(&whole)), expected);
    // A slice begins in the middle of the values.
    assert_eq!(csv_of(&[whole.slice(1, 1)]), "l,n\r\n\"x,y; ;;;;\",1\r\n");
    let mut views = ListBuilder::new(StringViewBuilder::new());
    views.append_value([Some("long enough to be no inline view"), Some(";")]);
    assert_eq!(
        csv_of(&[batch(vec![("l", Arc::new(views.finish()))])]),
        "l\r\nlong enough to be no inline view; ;;\r\n"
    );
}

#[test]
fn nested_cells_are_json() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), ListBuilder::new(StringBuilder::new()));
    map.keys().append_value("z");
    map.values().append_value([Some("1"), None]);
    map.keys().append_value("a\"b");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    let members: Vec<(Arc<Field>, ArrayRef)> = vec![
        (
            Arc::new(Field::new("b", arrow::datatypes::DataType::Float64, true)),
            Arc::new(Float64Array::from(vec![1.5, f64::NAN])),
        ),
        (
            Arc::new(Field::new("a", arrow::datatypes::DataType::Date32, true)),
            Arc::new(Date32Array::from(vec![Some(0), None])),
        ),
    ];
    let rows = batch(vec![("m", Arc::new(map.finish())), ("s", Arc::new(StructArray::from(members)))]);
    let expected = "m,s\r\n\
                    \"{\"\"z\"\":[\"\"1\"\",null],\"\"a\\\"\"b\"\":null}\",\"{\"\"b\"\":1.5,\"\"a\"\":\"\"1970-01-01\"\"}\"\r\n\
                    ,\"{\"\"b\"\":null,\"\"a\"\":null}\"\r\n";
    assert_eq!(csv_of(&[rows]), expected);
}

#[test]
fn labels_are_an_option_and_a_file_may_have_no_rows() {
    let empty = batch(vec![("id", texts(&[])), ("name", texts(&[]))]);
    let mut sink = Vec::new();
    let writer = CsvWriter::with_options(
        &mut sink,
        formats(&empty),
        CsvOptions { header: Header::Labels, ..CsvOptions::default() },
    );
    let written = writer.finish().unwrap();
    assert_eq!(String::from_utf8(sink).unwrap(), "\"Label, ID\",\"Label, NAME\"\r\n");
    assert_eq!((written.rows, written.bytes), (0, 27));
    // printf '"Label, ID","Label, NAME"\r\n' | sha256sum
    assert_eq!(written.sha256, "b5c98aaeb50201b156d07512f044718d69ec0a8f9785546abb47b89681121fc3");
}

#[test]
fn a_byte_order_mark_is_an_option() {
    let rows = batch(vec![("id", texts(&[Some("1")]))]);
    let mut sink = Vec::new();
    let options = CsvOptions { bom: true, ..CsvOptions::default() };
    let mut writer = CsvWriter::with_options(&mut sink, formats(&rows), options);
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
    assert_eq!(sink, b"\xef\xbb\xbfid\r\n1\r\n");
}

#[test]
fn a_lone_empty_cell_is_no_blank_line() {
    assert_eq!(
        csv_of(&[batch(vec![("only", texts(&[Some("a"), None, Some("")]))])]),
        "only\r\na\r\n\"\"\r\n\"\"\r\n"
    );
}

#[test]
fn wrong_batches_break_the_file() {
    let good = batch(vec![("a", texts(&[Some("1")])), ("b", texts(&[Some("2")]))]);
    let cases = [
        (good.project(&[1, 0]).unwrap(), "column 1 of the batch is Some(\"b\"): expected Some(\"a\")"),
        (good.project(&[0]).unwrap(), "column 2 of the batch is None: expected Some(\"b\")"),
        (
            batch(vec![("a", texts(&[None])), ("b", Arc::new(DurationSecondArray::from(vec![1])))]),
            "column \"b\" has type Duration(s): expected text, numbers, booleans, times, or lists, maps and structs of them",
        ),
    ];
    for (bad, expected) in cases {
        let mut writer = CsvWriter::new(Vec::new(), formats(&good));
        assert_eq!(writer.write(&bad).unwrap_err().to_string(), expected);
        assert!(matches!(writer.write(&good), Err(RenderError::Broken)));
        assert!(matches!(writer.finish(), Err(RenderError::Broken)));
    }
}

/// Takes some bytes and then no more, as a full disk does.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_refuses_leaves_no_file() {
    let rows = batch(vec![("a", texts(&[Some("some text")]))]);
    let mut writer = CsvWriter::new(Full(10), formats(&rows));
    writer.write(&rows).unwrap();
    assert!(matches!(writer.finish(), Err(RenderError::Sink(_))));

    let large = "x".repeat(1 << 20);
    let rows = batch(vec![("a", texts(&[Some(&large)]))]);
    let mut writer = CsvWriter::new(Full(10), formats(&rows));
    assert!(matches!(writer.write(&rows), Err(RenderError::Sink(_))));
    assert!(matches!(writer.finish(), Err(RenderError::Broken)));
}

/// Python's reader, as a program that is not ours and that people use.
#[test]
fn python_reads_the_same_cells() {
    let values: Vec<String> = [
        "",
        "a",
        ",",
        "\"",
        "\"\"",
        "a\"b",
        "\r",
        "\n",
        "\r\n",
        " ",
        "é漢😀",
        "\t",
        "'",
        ";",
        "a\r\nb,\"c\"",
    ]
    .map(str::to_owned)
    .to_vec();
    let first: Vec<_> = values.iter().map(|value| Some(value.as_str())).collect();
    let second: Vec<_> = first.iter().rev().copied().collect();
    let text = csv_of(&[batch(vec![("one", texts(&first)), ("two", texts(&second))])]);

    let script = "import csv, io, json, sys\n\
                  text = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='')\n\
                  print(json.dumps(list(csv.reader(text, strict=True))))";
    let child =
        Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED: no python3 to read the file back");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let table: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    let mut expected = vec![vec!["one".to_owned(), "two".to_owned()]];
    expected.extend(values.iter().zip(values.iter().rev()).map(|(one, two)| vec![one.clone(), two.clone()]));
    assert_eq!(table, expected);
}

proptest! {
    #[test]
    fn the_csv_crate_reads_the_same_cells_however_the_rows_are_cut(
        rows in prop::collection::vec(("[a\",;\r\n é]{0,6}", any::<Option<String>>()), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let one = texts(&rows.iter().map(|(one, _)| Some(one.as_str())).collect::<Vec<_>>());
        let two = texts(&rows.iter().map(|(_, two)| two.as_deref()).collect::<Vec<_>>());
        let whole = batch(vec![("one", one), ("two", two)]);
        let text = csv_of(std::slice::from_ref(&whole));
        let cut = cut.index(rows.len());
        prop_assert_eq!(&text, &csv_of(&[whole.slice(0, cut), whole.slice(cut, rows.len() - cut)]));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let read: Vec<(String, String)> = reader.deserialize().collect::<Result<_, _>>().unwrap();
        let expected: Vec<_> = rows.into_iter().map(|(one, two)| (one, two.unwrap_or_default())).collect();
        prop_assert_eq!(read, expected);
    }
}
