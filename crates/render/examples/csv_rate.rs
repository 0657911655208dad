//! How fast the CSV writer is on this machine: a dozen columns such as a report has, to a sink that only takes.
//!
//! `cargo run --release -p muster-render --example csv_rate`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use muster_render::{ColumnFormat, CsvWriter};

const ROWS_PER_BATCH: i64 = 8192;
const BATCHES: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let batch = batch()?;
    let format = |name: &String| ColumnFormat { name: name.clone(), label: name.clone() };
    let columns = batch.schema().fields().iter().map(|field| format(field.name())).collect();
    let start = Instant::now();
    let mut writer = CsvWriter::new(std::io::sink(), columns);
    for _ in 0..BATCHES {
        writer.write(&batch)?;
    }
    let written = writer.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} rows of {} columns, {} bytes in {seconds:.3} s: {:.2} million rows/s, {:.0} MB/s, hashed",
        written.rows,
        batch.num_columns(),
        written.bytes,
        written.rows as f64 / seconds / 1e6,
        written.bytes as f64 / seconds / 1e6,
    );
    Ok(())
}

fn batch() -> Result<RecordBatch, arrow::error::ArrowError> {
    let rows = 0..ROWS_PER_BATCH;
    let texts =
        |text: fn(i64) -> String| Arc::new(StringArray::from_iter_values(rows.clone().map(text))) as ArrayRef;
    let flags = |every: i64| {
        Arc::new(BooleanArray::from_iter(rows.clone().map(|row| Some(row % every == 0)))) as ArrayRef
    };
    let mut groups = ListBuilder::new(StringBuilder::new());
    for row in rows.clone() {
        for group in 0..row % 4 {
            groups.values().append_value(format!("cn=group-{group}"));
        }
        groups.append(true);
    }
    let times = rows.clone().map(|row| 1_700_000_000_000_000 + row * 1_234_567_891);
    RecordBatch::try_from_iter([
        ("id", texts(|row| format!("{:032x}", row * 7_919))),
        ("name", texts(|row| format!("user{row}"))),
        ("displayName", texts(|row| format!("Name Number {row}, Jr."))),
        ("firstName", texts(|row| format!("Name{row}"))),
        (
            "lastName",
            Arc::new(StringViewArray::from_iter_values(rows.clone().map(|row| format!("Number {row}")))),
        ),
        ("email", texts(|row| format!("user{row}@example.com"))),
        ("status", texts(|_| "ACTIVE".to_owned())),
        ("disabled", flags(17)),
        ("correlated", flags(1)),
        ("accountCount", Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row % 9)))),
        ("groups", Arc::new(groups.finish())),
        ("created", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
    ])
}
