//! Time, memory and size of a PDF of many rows of eight columns.
//!
//! `cargo run --release -p muster-render --example pdf_bench -- 100000 out.pdf`, on all processors, or on so many threads:
//! `-- 100000 out.pdf 1`. The same rows as CSV, for other programs: `-- 100000 rows.csv`.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use muster_render::pdf::{PdfSettings, PdfWriter};
use muster_render::{ColumnFormat, CsvWriter};
use muster_reports::caller::CallerKind;
use muster_reports::cover::{Cover, CoverReport, CoverRequester, CoverSnapshot, Reconciliation};
use muster_reports::ids::TaskId;

const BATCH_ROWS: i64 = 8192;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: i64 = arguments.next().ok_or("expected the number of rows")?.parse()?;
    let path = arguments.next();
    let threads = match arguments.next() {
        Some(threads) => threads.parse()?,
        None => std::thread::available_parallelism()?.get(),
    };
    let batches =
        (0..rows).step_by(BATCH_ROWS as usize).map(|start| batch(start, rows.min(start + BATCH_ROWS)));
    let columns = |batch: &RecordBatch| {
        let format = |name: &String| ColumnFormat { name: name.clone(), label: name.clone() };
        batch.schema().fields().iter().map(|field| format(field.name())).collect()
    };
    let columns: Vec<ColumnFormat> = columns(&batch(0, 1)?);
    if let Some(path) = path.as_ref().filter(|path| path.ends_with(".csv")) {
        let mut writer = CsvWriter::new(File::create(path)?, columns);
        for batch in batches {
            writer.write(&batch?)?;
        }
        writer.finish()?;
        return Ok(());
    }
    let sink: Box<dyn Write> = match &path {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(std::io::sink()),
    };
    let mut settings = PdfSettings::new("Bench");
    settings.pages_max = 1_000_000;
    let start = Instant::now();
    let mut writer = PdfWriter::new(sink, settings, columns)?.on_threads(threads);
    for batch in batches {
        writer.write(&batch?)?;
    }
    let written = writer.finish(&cover(u64::try_from(rows)?), &[])?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} rows, {seconds:.2} s, {} pages, {} bytes, peak resident memory {}",
        written.rows,
        written.pages,
        written.bytes,
        peak()
    );
    Ok(())
}

/// The largest amount of memory that was resident, as Linux tells it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
}

/// Rows as an identity report has them; some cells are empty, as there.
fn batch(from: i64, to: i64) -> Result<RecordBatch, ArrowError> {
    const FIRST: [&str; 8] = ["Anna", "Zoë", "José", "Łukasz", "Ирина", "Νίκος", "Søren", "Chloé"];
    const LAST: [&str; 7] =
        ["Ødegård", "Müller", "García Márquez", "Wiśniewski", "Петрова", "Schmidt", "Papadopoulou-Johansson"];
    const DEPARTMENTS: [&str; 5] =
        ["Finance", "Human Resources", "Research & Development", "IT Operations", "Legal"];
    let pick = |list: &[&'static str], row: i64| list[usize::try_from(row).unwrap_or(0) % list.len()];
    let texts = |text: &dyn Fn(i64) -> Option<String>| {
        Arc::new(StringArray::from_iter((from..to).map(text))) as ArrayRef
    };
    let mut groups = ListBuilder::new(StringBuilder::new());
    for row in from..to {
        for group in 0..row % 4 {
            groups.values().append_value(format!("group-{}", (row + group * 7) % 900));
        }
        groups.append(true);
    }
    let times = (from..to).map(|row| 1_700_000_000_000_000 + row * 1_234_567);
    RecordBatch::try_from_iter([
        ("name", texts(&|row| Some(format!("user{row:07}")))),
        ("displayName", texts(&|row| Some(format!("{} {}", pick(&FIRST, row), pick(&LAST, row / 3))))),
        ("email", texts(&|row| Some(format!("user{row:07}@example.org")))),
        ("department", texts(&|row| (row % 2 == 0).then(|| pick(&DEPARTMENTS, row / 2).to_owned()))),
        (
            "disabled",
            Arc::new(BooleanArray::from_iter((from..to).map(|row| Some(row % 17 == 0)))) as ArrayRef,
        ),
        ("accounts", Arc::new(Int64Array::from_iter_values((from..to).map(|row| row % 9)))),
        ("groups", Arc::new(groups.finish())),
        ("created", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
    ])
}

fn cover(rows: u64) -> Cover {
    let moment = DateTime::UNIX_EPOCH;
    Cover {
        cover_version: 1,
        task_id: TaskId::new("00000000000000000000000000000000"),
        report: CoverReport {
            id: "BENCH".to_owned(),
            name: "Bench".to_owned(),
            version: 1,
            digest: String::new(),
            built_in: false,
            norms: Vec::new(),
        },
        tenant: "bench".to_owned(),
        requester: CoverRequester {
            name: "bench".to_owned(),
            identity_id: None,
            credential: CallerKind::Application,
            client_id: "bench".to_owned(),
            data_scope: "all rows".to_owned(),
        },
        submitted: moment,
        started: moment,
        completed: moment,
        product_version: env!("CARGO_PKG_VERSION").to_owned(),
        arguments: serde_json::Value::Null,
        effective_query: "none".to_owned(),
        earlier: Vec::new(),
        snapshot: CoverSnapshot {
            id: "none".to_owned(),
            created: moment,
            age_seconds: 0,
            sources: Vec::new(),
        },
        parts: Vec::new(),
        reconciliation: Reconciliation {
            added: Vec::new(),
            population: rows,
            expected: rows,
            reported: rows,
            ..Reconciliation::default()
        },
        columns: Vec::new(),
        messages: Vec::new(),
        files: Vec::new(),
        counted_by: Vec::new(),
        csv_formula_guard: Some(true),
        how_to_verify: "none".to_owned(),
    }
}
