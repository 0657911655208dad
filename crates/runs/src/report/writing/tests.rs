//! Files of several formats at once: the same on any number of threads, and gone when nobody takes them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use arrow::array::{ArrayRef, Int64Array};
use std::sync::Arc;

const ROWS: i64 = 20_000;

/// What is written of rows in three batches before the cover is asked for, and the folder. Then the run is dropped.
fn written(formats: &[FileFormat], threads: usize, pages_max: u32) -> (WrittenTables, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let name = "number".to_owned();
    let job = WritingJob {
        files: ResultFiles::open(dir.path()).unwrap(),
        task: TaskId::new("1"),
        epoch: 1,
        title: "Numbers".to_owned(),
        heading: "Numbers".to_owned(),
        layout: PdfLayout::default(),
        tenant: "tenant".to_owned(),
        pdf: PdfSettings { pages_max, ..PdfSettings::new("") },
        csv: CsvOptions::default(),
        formats: formats.to_vec(),
        folder: dir.path().to_owned(),
        threads,
        tables: vec![Table {
            name: "numbers".to_owned(),
            columns: vec![ColumnFormat { label: name.clone(), name }],
        }],
        files_by: None,
        archive: formats.is_empty(),
    };
    let (sender, sent) = mpsc::channel(2);
    let (tables, ready) = oneshot::channel();
    let thread = std::thread::spawn(move || write(job, sent, tables));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let rows = RecordBatch::try_from_iter([("number", numbers)]).unwrap();
    for start in [0, 8_000, 16_000] {
        let batch = rows.slice(start, 8_000.min(rows.num_rows() - start));
        sender.blocking_send(ToFile::Rows(batch)).unwrap();
    }
    sender.blocking_send(ToFile::EndOfPart).unwrap();
    let tables = ready.blocking_recv().unwrap();
    drop(sender);
    assert_eq!(thread.join().unwrap().err().unwrap().message, STOPPED);
    (tables, dir)
}

#[test]
fn every_format_is_the_same_on_any_number_of_threads_and_a_dropped_run_leaves_none() {
    let all = [FileFormat::Csv, FileFormat::Pdf, FileFormat::Xlsx, FileFormat::Ndjson, FileFormat::Parquet];
    for formats in [&all[..], &[]] {
        let [one, two, four] = [1, 2, 4].map(|threads| {
            let (tables, dir) = written(formats, threads, 2_000);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
            let rows = |table: WrittenTable| (table.name, table.written);
            tables.tables.into_iter().map(rows).collect::<Vec<_>>()
        });
        assert_eq!(one.len(), formats.len().max(1));
        assert!(one.iter().all(|(_, written)| written.rows == 20_000), "{one:?}");
        assert_eq!((&one, &one), (&two, &four));
    }
}

#[test]
fn a_format_that_cannot_hold_all_rows_is_left_out_alone() {
    let (tables, _dir) = written(&[FileFormat::Csv, FileFormat::Pdf, FileFormat::Ndjson], 2, 3);
    let names: Vec<_> = tables.tables.iter().map(|table| (table.name.as_str(), table.written.rows)).collect();
    assert_eq!(names, [("numbers.csv", 20_000), ("numbers.ndjson", 20_000)]);
    let keys: Vec<_> = tables.messages.iter().map(|message| message.key.as_str()).collect();
    assert_eq!(keys, ["format_left_out"]);
}

/// A run can be cancelled after its last look whether it was: nobody takes the files, and they are gone.
#[test]
fn files_that_nobody_takes_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    let (_sender, mut sent) = mpsc::channel(1);
    let mut written = |task: &str| {
        let mut pending = files.create(&TaskId::new(task), 1, "report.csv").unwrap();
        pending.write_all(b"id\r\n").unwrap();
        publish(&files, vec![(Kind::of(FileFormat::Csv), pending, Written::default())], &mut sent).unwrap()
    };
    let left = || std::fs::read_dir(dir.path()).unwrap().count();
    let one = written("1");
    assert_eq!(left(), 1);
    drop(one);
    assert_eq!(left(), 0);
    assert_eq!(written("2").keep().len(), 1);
    assert_eq!(left(), 1);
}
