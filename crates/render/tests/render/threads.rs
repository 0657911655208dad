//! The bytes of every format are the same on one thread, on two and on four, however the rows are cut into batches.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, LargeStringArray, ListBuilder, StringArray,
    StringBuilder, StringViewArray, TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use muster_render::{
    CsvWriter, FileWriter, NdjsonWriter, ParquetWriter, Written, XlsxOptions, XlsxWriter, ZipFiles,
};

use crate::{batch, formats};

const ROWS: i64 = 20_000;

/// Rows of which some have nulls, some must be quoted, guarded or escaped, and some are long.
fn rows() -> RecordBatch {
    let some = |row: i64, text: String| (row % 7 != 3).then_some(text);
    let texts = |text: &dyn Fn(i64) -> Option<String>| (0..ROWS).map(text).collect::<Vec<_>>();
    let mut groups = ListBuilder::new(StringBuilder::new());
    for row in 0..ROWS {
        for group in 0..row % 4 {
            groups.values().append_value(format!("cn=group-{group};ou={row}"));
        }
        groups.append(row % 11 != 0);
    }
    let special = |row: i64| match row % 9 {
        0 => "=SUM(A1)".to_owned(),
        1 => format!("say \"{row}\", please"),
        2 => "two\r\nlines <&>".to_owned(),
        3 => "Zoë 漢字 😀".to_owned(),
        4 => "x".repeat(usize::try_from(row % 5_000).unwrap_or(0)),
        _ => format!(" {row} "),
    };
    let times = (0..ROWS).map(|row| (row % 5 > 0).then_some(1_700_000_000_000_000 + row * 1_234_567_891));
    batch(vec![
        ("plain", Arc::new(StringArray::from(texts(&|row| some(row, format!("user{row}"))))) as ArrayRef),
        ("special", Arc::new(LargeStringArray::from(texts(&|row| Some(special(row)))))),
        ("view", Arc::new(StringViewArray::from_iter(texts(&|row| some(row, special(row + 1)))))),
        (
            "flag",
            Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| (row % 3 > 0).then_some(row % 2 == 0)))),
        ),
        ("number", Arc::new(Int64Array::from_iter((0..ROWS).map(|row| (row % 6 > 0).then_some(row * row))))),
        ("day", Arc::new(Date32Array::from_iter((0..20_000).map(|row| (row % 4 > 0).then_some(row))))),
        ("time", Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))),
        ("groups", Arc::new(groups.finish())),
    ])
}

/// Ways to cut the rows: into one batch, into three, into batches as the engine has them.
fn cuts(rows: &RecordBatch) -> Vec<Vec<RecordBatch>> {
    let cut = |size: usize| {
        let count = rows.num_rows();
        (0..count).step_by(size).map(|start| rows.slice(start, size.min(count - start))).collect()
    };
    vec![cut(20_000), cut(7_001), cut(8_192)]
}

fn all(mut writer: Box<dyn FileWriter + '_>, batches: &[RecordBatch]) -> Written {
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap()
}

fn archive(sink: impl Write, batches: &[RecordBatch], threads: usize) -> Written {
    let mut zip = ZipFiles::new(sink).on_threads(threads);
    for name in ["one.csv", "two.csv"] {
        let mut member = zip.start_member(name).unwrap();
        let csv = CsvWriter::new(&mut member, formats(&batches[0])).on_threads(threads);
        let content = all(Box::new(csv), batches);
        assert_eq!(member.finish(&content).unwrap(), content);
    }
    zip.finish().unwrap()
}

#[test]
fn every_format_is_the_same_on_any_number_of_threads() {
    let rows = rows();
    let write = |format: &str, batches: &[RecordBatch], threads: usize| {
        let mut out = Vec::new();
        let columns = formats(&rows);
        let written = match format {
            "csv" => all(Box::new(CsvWriter::new(&mut out, columns).on_threads(threads)), batches),
            "ndjson" => all(Box::new(NdjsonWriter::new(&mut out, columns).on_threads(threads)), batches),
            "xlsx" => {
                let options = XlsxOptions { sheet_rows_max: 6_500, ..XlsxOptions::default() };
                let xlsx = XlsxWriter::new(&mut out, columns, options, &std::env::temp_dir()).unwrap();
                all(Box::new(xlsx.on_threads(threads)), batches)
            }
            "zip" => archive(&mut out, batches, threads),
            _ => all(Box::new(ParquetWriter::new(&mut out, columns)), batches),
        };
        assert_eq!(written.bytes, out.len() as u64, "{format}");
        (out, written)
    };
    for format in ["csv", "ndjson", "xlsx", "zip", "parquet"] {
        let one = write(format, std::slice::from_ref(&rows), 1);
        for batches in cuts(&rows) {
            for threads in [1, 2, 4] {
                let same = write(format, &batches, threads) == one;
                assert!(same, "{format}: {} batches on {threads} threads", batches.len());
            }
        }
    }
}

/// A sink that takes a while, as a slow disk does: results wait, and stay in order.
#[test]
fn a_slow_sink_gets_the_same_bytes() {
    struct Slow(Vec<u8>);
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            std::thread::sleep(std::time::Duration::from_millis(2));
            self.0.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let rows = rows();
    let (mut slow, mut fast) = (Slow(Vec::new()), Vec::new());
    all(Box::new(CsvWriter::new(&mut slow, formats(&rows)).on_threads(4)), std::slice::from_ref(&rows));
    all(Box::new(CsvWriter::new(&mut fast, formats(&rows))), std::slice::from_ref(&rows));
    assert!(slow.0 == fast);
}
