//! The sheets around the rows of a spreadsheet, read back by openpyxl.

use std::sync::Arc;

use arrow::array::TimestampMicrosecondArray;
use muster_render::chart::{Chart, ChartKind};
use muster_render::{FileWriter, XlsxOptions, XlsxWriter};
use muster_reports::cover::Cover;
use serde_json::{Value, json};

use crate::{batch, formats, sample, texts, tools};

/// A workbook with its cover and charts, of this many rows.
fn workbook(rows: usize, cover: &Cover, charts: &[Chart]) -> Vec<u8> {
    let names: Vec<String> = (0..rows).map(|row| format!("person {row}")).collect();
    let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
    let times = (0..names.len()).map(|_| 0);
    let rows = batch(vec![
        ("firstName", texts(&names)),
        ("firstname", texts(&names)),
        ("created", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
    ]);
    let mut sink = Vec::new();
    let folder = std::env::temp_dir();
    let mut writer = XlsxWriter::new(&mut sink, formats(&rows), XlsxOptions::default(), &folder).unwrap();
    writer.write(&rows).unwrap();
    assert_eq!(writer.end_rows().unwrap(), [""; 0]);
    assert_eq!(writer.rows(), rows.num_rows() as u64);
    let written = writer.finish_with("Identities Report: Workday", cover, charts).unwrap();
    assert_eq!((written.rows, written.bytes), (rows.num_rows() as u64, sink.len() as u64));
    sink
}

/// What a Python program prints of a workbook, as JSON; `None` where openpyxl is missing.
fn read(workbook: &[u8], program: &str) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xlsx"), workbook).unwrap();
    let program = format!("import json, openpyxl\nbook = openpyxl.load_workbook('a.xlsx')\n{program}");
    tools::python(folder.path(), "openpyxl", &program, &[]).map(|text| serde_json::from_str(&text).unwrap())
}

fn charts() -> [Chart; 4] {
    [ChartKind::Bars, ChartKind::StackedBars, ChartKind::Share, ChartKind::Line].map(sample::chart)
}

#[test]
fn a_workbook_has_a_summary_a_table_and_what_it_was_made_from() {
    let workbook = workbook(3, &sample::cover(3), &charts());
    let program = "\
        rows = book['Rows']\n\
        cells = lambda name: [[str(c.value) if c.is_date else c.value for c in row if c.value is not None] for row in book[name].iter_rows()]\n\
        print(json.dumps({'sheets': book.sheetnames, 'charts': len(book['Summary']._charts),\n\
        'tables': [[t.name, t.ref, t.headerRowCount, t.autoFilter.ref, [c.name for c in t.tableColumns]]\n\
        for t in rows.tables.values()],\n\
        'frozen': rows.freeze_panes, 'bold': [c.font.bold for c in rows[1] + rows[2]],\n\
        'time': rows['C2'].number_format, 'rows': cells('Rows'), 'summary': cells('Summary'), 'about': cells('About'),\n\
        'properties': [book.properties.title, book.properties.subject, book.properties.creator,\n\
        str(book.properties.created)]}))";
    let Some(read) = read(&workbook, program) else { return };
    assert_eq!(read["sheets"], json!(["Summary", "Rows", "Chart numbers", "About"]));
    assert_eq!(read["charts"], json!(4));
    let headers = json!(["firstName", "firstname (2)", "created"]);
    assert_eq!(read["tables"], json!([["Rows", "A1:C4", 1, "A1:C4", headers]]));
    assert_eq!(read["bold"], json!([true, true, true, false, false, false]));
    assert_eq!(read["time"], "yyyy-mm-dd hh:mm:ss");
    assert_eq!(read["frozen"], "A2");
    assert_eq!(read["rows"][0], headers);
    assert_eq!(read["rows"][3], json!(["person 2", "person 2", "1970-01-01 00:00:00"]));
    let has = |sheet: &str, row: Value| {
        assert!(read[sheet].as_array().unwrap().contains(&row), "{row} is not in {}", read[sheet]);
    };
    has("summary", json!(["Identities Report: Workday"]));
    // 3 rows of 303, of which 280 and 20 are left out; each of three sources has refused 3 records.
    has("summary", json!(["Population, by a second, independent count", 303]));
    has("summary", json!(["less: not correlated", 280]));
    has("summary", json!(["Reported", 3]));
    has("summary", json!(["Refused records", 9]));
    has("about", json!(["Argument sourceName", "Workday"]));
    let query = "SELECT id, name, display_name, email FROM identities WHERE correlated ORDER BY name, id";
    has("about", json!([query]));
    let digest = "SHA-256 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";
    has("about", json!(["Identities Report.csv", "12345678 bytes, 3 rows", digest]));
    // date --utc --date=@1790000000
    let subject = "IDENTITIES, task 7f3d2c1b0a994d0fb7c2a1e0d9c8b7a6";
    let properties = json!(["Identities Report: Workday", subject, "anna.muster", "2026-09-21 14:13:20"]);
    assert_eq!(read["properties"], properties);
}

#[test]
fn an_empty_workbook_says_among_how_many_none_was_found() {
    // The charts of a report without rows have no bars.
    let mut nothing = sample::chart(ChartKind::Bars);
    nothing.categories.clear();
    nothing.series.iter_mut().for_each(|series| series.values.clear());
    let workbook = workbook(0, &sample::cover(0), &[nothing]);
    let program = "print(json.dumps([book.sheetnames, [t.ref for t in book['Rows'].tables.values()],\n\
        [row[0] for row in book['Summary'].values], len(book['Summary']._charts)]))";
    let Some(read) = read(&workbook, program) else { return };
    assert_eq!(read[0], json!(["Summary", "Rows", "About"]));
    // A table has at least one row.
    assert_eq!(read[1], json!(["A1:C2"]));
    assert!(read[2].as_array().unwrap().contains(&json!("No rows: none found among 300.")), "{}", read[2]);
    assert_eq!(read[3], json!(0));
}

/// The numbers that the charts are drawn from are those of the charts, and no cell of ours is a formula.
#[test]
fn charts_have_their_numbers_on_a_sheet() {
    let charts = charts();
    let workbook = workbook(1, &sample::cover(1), &charts);
    let program = "\
        sheet = book['Chart numbers']\n\
        formulas = [c.value for s in book for row in s.iter_rows() for c in row if c.data_type == 'f']\n\
        print(json.dumps([formulas, [[c.value for c in row] for row in sheet.iter_rows(max_row=9, max_col=4)]]))";
    let Some(read) = read(&workbook, program) else { return };
    assert_eq!(read[0], json!([]));
    let rows = read[1].as_array().unwrap();
    assert_eq!(rows[0][0], charts[0].title);
    assert_eq!(rows[1], json!([null, "Correlated", "Uncorrelated", "Disputed"]));
    for (category, row) in charts[0].categories.iter().zip(&rows[2..]) {
        assert_eq!(row[0], *category);
    }
    let values: Vec<f64> = rows[2..].iter().map(|row| row[2].as_f64().unwrap()).collect();
    assert_eq!(values, charts[0].series[1].values);
}
