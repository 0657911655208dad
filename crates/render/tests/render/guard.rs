//! The formula guard in whole files, and how the documentation says to undo it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use muster_render::{CsvOptions, CsvWriter, FormulaGuard, unguard};
use proptest::prelude::*;

use crate::{batch, formats, lists, texts, tools};

fn csv(batch: &arrow::record_batch::RecordBatch, formula_guard: FormulaGuard) -> String {
    let mut sink = Vec::new();
    let options = CsvOptions { formula_guard, ..CsvOptions::default() };
    let mut writer = CsvWriter::with_options(&mut sink, formats(batch), options);
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    String::from_utf8(sink).unwrap()
}

#[test]
fn only_text_is_guarded_and_only_when_on() {
    let number: ArrayRef = Arc::new(Int64Array::from(vec![-1, -2]));
    let infinity: ArrayRef = Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, -0.5]));
    let rows = batch(vec![
        ("=name", texts(&[Some("=1,2"), Some("-1")])),
        ("list", lists(&[Some(&[Some("@a"), Some("=b")]), Some(&[Some("x"), Some("=b")])])),
        ("number", number),
        ("infinity", infinity),
    ]);
    let expected = "'=name,list,number,infinity\r\n\"'=1,2\",'@a; =b,-1,-inf\r\n-1,x; =b,-2,-0.5\r\n";
    assert_eq!(csv(&rows, FormulaGuard::On), expected);
    assert_eq!(csv(&rows, FormulaGuard::Off), expected.replace('\'', ""));
}

const SAMPLES: [&str; 24] = [
    "=1+1",
    "@a",
    "\tx",
    "\r",
    "+1 555 010 9999",
    "+1+1",
    "-5",
    "-a",
    "'=1",
    "''-5",
    "'-5",
    "O'Neill",
    "'tis",
    "-\"q\",\n",
    "\u{1b}=1",
    "\n=1",
    " =1",
    " a",
    "\u{3000}\u{feff}@a",
    "\u{ff1d}1",
    "'\u{ff0d}1",
    "' =1",
    "' a",
    "\u{e9}=1",
];

/// The code that follows a line of the documentation, up to the end of its block.
fn documented(fence: &str) -> String {
    let page = std::fs::read_to_string("../../docs/files.md").unwrap();
    let (_, code) = page.split_once(&format!("```{fence}\n")).unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_documented_line_of_python_undoes_it() {
    let rows = batch(vec![("a", texts(&SAMPLES.map(Some)))]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("report.csv"), csv(&rows, FormulaGuard::On)).unwrap();
    let program = format!(
        "import csv, json\n{}\nprint(json.dumps([unguard(row[0]) for row in csv.reader(open('report.csv', newline=''))]))",
        documented("python")
    );
    if let Some(read) = tools::python(folder.path(), "csv", &program, &[]) {
        let read: Vec<String> = serde_json::from_str(&read).unwrap();
        assert_eq!(read[1..], SAMPLES);
    }
}

proptest! {
    #[test]
    fn a_guarded_file_gives_back_its_text(values in prop::collection::vec("(['\0\u{3000}\u{ff1d}=@\t\r+\\-0-9 ,\"\n]{0,5})|\\PC{1,4}", 1..20)) {
        let cells: Vec<_> = values.iter().map(|text| Some(text.as_str())).collect();
        let text = csv(&batch(vec![("a", texts(&cells)), ("b", texts(&cells))]), FormulaGuard::On);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let read: Vec<_> = reader.records().map(|row| unguard(&row.unwrap()[0]).to_owned()).collect();
        prop_assert_eq!(read, values);
    }
}
