//! How fast the writers are on this machine: a dozen columns such as a report has, to a file or, for CSV and NDJSON, to
//! a sink that only takes.
//!
//! `cargo run --release -p muster-render --example file_rate -- xlsx 1000000`, on all processors, or on so many threads:
//! `-- xlsx 1000000 1`. It also measures the archive of CSV files that a search is exported to: `-- zip`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use muster_render::{
    ColumnFormat, CsvOptions, CsvWriter, FileWriter, FormulaGuard, NdjsonWriter, ParquetWriter, RenderError,
    Written, XlsxOptions, XlsxWriter, ZipFiles,
};

const ROWS_PER_BATCH: i64 = 8192;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().unwrap_or_else(|| "csv".to_owned());
    let rows: usize = arguments.next().map_or(Ok(4_096_000), |rows| rows.parse())?;
    let threads = match arguments.next() {
        Some(threads) => threads.parse()?,
        None => std::thread::available_parallelism()?.get(),
    };
    let batch = batch()?;
    let column = |name: &String| ColumnFormat { name: name.clone(), label: name.clone() };
    let columns: Vec<_> = batch.schema().fields().iter().map(|field| column(field.name())).collect();
    let start = Instant::now();
    if format == "zip" {
        let mut zip = ZipFiles::new(tempfile::tempfile()?).on_threads(threads);
        let mut member = zip.start_member("rows.csv")?;
        let csv = CsvWriter::new(&mut member, columns).on_threads(threads);
        let content = written(Box::new(csv), &batch, rows)?;
        member.finish(&content)?;
        tell(&format, &zip.finish()?, &batch, start);
        return Ok(());
    }
    let writer: Box<dyn FileWriter> = match format.as_str() {
        "csv" => Box::new(CsvWriter::new(std::io::sink(), columns).on_threads(threads)),
        "csv-raw" => {
            let options = CsvOptions { formula_guard: FormulaGuard::Off, ..CsvOptions::default() };
            Box::new(CsvWriter::with_options(std::io::sink(), columns, options).on_threads(threads))
        }
        "ndjson" => Box::new(NdjsonWriter::new(std::io::sink(), columns).on_threads(threads)),
        "parquet" => Box::new(ParquetWriter::new(tempfile::tempfile()?, columns)),
        "xlsx" => {
            let folder = std::env::temp_dir();
            let writer = XlsxWriter::new(tempfile::tempfile()?, columns, XlsxOptions::default(), &folder)?;
            Box::new(writer.on_threads(threads))
        }
        other => {
            return Err(
                format!("no format {other:?}: expected csv, csv-raw, ndjson, zip, parquet or xlsx").into()
            );
        }
    };
    tell(&format, &written(writer, &batch, rows)?, &batch, start);
    Ok(())
}

/// Writes the rows of the batch again and again until there are so many.
fn written(
    mut writer: Box<dyn FileWriter + '_>,
    batch: &RecordBatch,
    rows: usize,
) -> Result<Written, RenderError> {
    for from in (0..rows).step_by(batch.num_rows()) {
        writer.write(&batch.slice(0, batch.num_rows().min(rows - from)))?;
    }
    writer.finish()
}

fn tell(format: &str, written: &Written, batch: &RecordBatch, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{format}: {} rows of {} columns, {} bytes in {seconds:.3} s: {:.2} million rows/s, {:.0} MB/s, hashed; {:?}",
        written.rows,
        batch.num_columns(),
        written.bytes,
        written.rows as f64 / seconds / 1e6,
        written.bytes as f64 / seconds / 1e6,
        written.warnings,
    );
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
