//! Spreadsheets, NDJSON and Parquet: other programs read back what was put in.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray, Float64Array,
    Int64Array, NullArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::record_batch::RecordBatch;
use muster_render::{
    FileWriter, Header, NdjsonWriter, ParquetWriter, RenderError, Written, XlsxOptions, XlsxWriter,
};
use serde_json::{Value, json};

use crate::{Full, batch, formats, lists, texts, tools};

type Make = dyn for<'a> Fn(&'a mut Vec<u8>, &RecordBatch) -> Box<dyn FileWriter + 'a>;

fn xlsx<'a>(sink: &'a mut Vec<u8>, batch: &RecordBatch) -> Box<dyn FileWriter + 'a> {
    let options = XlsxOptions::default();
    Box::new(XlsxWriter::new(sink, formats(batch), options, &std::env::temp_dir()).unwrap())
}

fn ndjson<'a>(sink: &'a mut Vec<u8>, batch: &RecordBatch) -> Box<dyn FileWriter + 'a> {
    Box::new(NdjsonWriter::new(sink, formats(batch)))
}

fn parquet<'a>(sink: &'a mut Vec<u8>, batch: &RecordBatch) -> Box<dyn FileWriter + 'a> {
    Box::new(ParquetWriter::new(sink, formats(batch)))
}

/// A row of every kind, a row of nulls, and text that has to be escaped.
fn sample() -> RecordBatch {
    let members = [
        (Arc::new(Field::new("a", DataType::Utf8, true)), texts(&[Some("x"), None, Some("\"")])),
        (
            Arc::new(Field::new("b", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef,
        ),
    ];
    let decimals = Decimal128Array::from(vec![Some(-12_345), None, Some(0)]);
    batch(vec![
        ("text", texts(&[Some("=1+1"), None, Some("_x0041_ <&>\u{1}\r\n ä漢😀 ")])),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("whole", Arc::new(Int64Array::from(vec![Some(-5), None, Some(i64::MAX)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::NAN)]))),
        ("decimal", Arc::new(decimals.with_precision_and_scale(9, 2).unwrap())),
        ("day", Arc::new(Date32Array::from(vec![Some(20_000), None, Some(-30_000)]))),
        (
            "time",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_000), None, Some(0)])
                    .with_timezone("UTC"),
            ),
        ),
        ("list", lists(&[Some(&[Some("a;b"), None, Some("c")]), None, Some(&[])])),
        ("members", Arc::new(StructArray::from(members.to_vec()))),
        ("code", Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("x"), None, Some("x")]))),
        ("nothing", Arc::new(NullArray::new(3))),
    ])
}

#[test]
fn ndjson_keeps_names_order_and_nulls() {
    let text = String::from_utf8(bytes_of(&ndjson, &[sample()]).0).unwrap();
    let expected = concat!(
        r#"{"text":"=1+1","flag":true,"whole":-5,"double":0.1,"decimal":-123.45,"day":"2024-10-04","#,
        r#""time":"2023-11-14T22:13:20.123Z","list":["a;b",null,"c"],"members":{"a":"x","b":1},"code":"x","nothing":null}"#,
        "\n",
        r#"{"text":null,"flag":null,"whole":null,"double":null,"decimal":null,"day":null,"time":null,"list":null,"#,
        r#""members":{"a":null,"b":2},"code":null,"nothing":null}"#,
        "\n",
        r#"{"text":"_x0041_ <&>\u0001\r\n ä漢😀 ","flag":false,"whole":9223372036854775807,"double":null,"decimal":0.00,"#,
        r#""day":"1887-11-12","time":"1970-01-01T00:00:00.000Z","list":[],"members":{"a":"\"","b":3},"code":"x","nothing":null}"#,
        "\n",
    );
    assert_eq!(text, expected);
}

/// What a writer makes of batches.
fn bytes_of(make: &Make, batches: &[RecordBatch]) -> (Vec<u8>, Written) {
    let mut sink = Vec::new();
    let mut writer = make(&mut sink, &batches[0]);
    for batch in batches {
        writer.write(batch).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.bytes, sink.len() as u64);
    assert_eq!(written.rows, batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64);
    (sink, written)
}

#[test]
fn the_same_rows_are_the_same_bytes_however_they_are_cut() {
    let whole = sample();
    let cut = [whole.slice(0, 1), whole.slice(1, 0), whole.slice(1, 2)];
    let many = batch(vec![("n", Arc::new(Int64Array::from_iter_values(0..150_000)))]);
    for make in [&xlsx as &Make, &ndjson, &parquet] {
        assert_eq!(bytes_of(make, std::slice::from_ref(&whole)), bytes_of(make, &cut));
    }
    let cut = [many.slice(0, 70_001), many.slice(70_001, 79_999)];
    assert_eq!(bytes_of(&parquet, std::slice::from_ref(&many)), bytes_of(&parquet, &cut));
}

#[test]
fn a_type_without_a_form_is_an_error() {
    let duration: ArrayRef = Arc::new(DurationSecondArray::from(vec![1]));
    let rows = batch(vec![("a", duration)]);
    for make in [&xlsx as &Make, &ndjson, &parquet] {
        let mut sink = Vec::new();
        let mut writer = make(&mut sink, &rows);
        assert!(matches!(writer.write(&rows), Err(RenderError::Unsupported { .. })));
        assert!(matches!(writer.write(&rows), Err(RenderError::Broken)));
        assert!(matches!(writer.finish(), Err(RenderError::Broken)));
    }
}

#[test]
fn a_sink_that_refuses_is_said_to() {
    let rows = sample();
    let folder = std::env::temp_dir();
    let options = XlsxOptions::default();
    let writers: [Box<dyn FileWriter>; 3] = [
        Box::new(XlsxWriter::new(Full(10), formats(&rows), options, &folder).unwrap()),
        Box::new(NdjsonWriter::new(Full(10), formats(&rows))),
        Box::new(ParquetWriter::new(Full(10), formats(&rows))),
    ];
    for mut writer in writers {
        writer.write(&rows).unwrap();
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, RenderError::Sink(_)), "{error:?}");
    }
}

fn read_json(folder: &Path, module: &str, program: &str) -> Option<Value> {
    tools::python(folder, module, program, &[]).map(|text| serde_json::from_str(&text).unwrap())
}

#[test]
fn openpyxl_reads_the_sheet() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xlsx"), bytes_of(&xlsx, &[sample()]).0).unwrap();
    let program = "import json, openpyxl\n\
        book = openpyxl.load_workbook('a.xlsx')\n\
        sheet = book['Rows']\n\
        cell = lambda c: [c.data_type, c.number_format, str(c.value)]\n\
        print(json.dumps({'sheets': book.sheetnames, 'created': str(book.properties.created),\n\
        'frozen': sheet.freeze_panes, 'filter': [t.ref for t in sheet.tables.values()], 'bold': all(c.font.bold for c in sheet[1]),\n\
        'width': sheet.column_dimensions['G'].width > 18,\n\
        'rows': [[cell(c) for c in row if c.value is not None] for row in sheet.iter_rows()]}))";
    let Some(read) = read_json(folder.path(), "openpyxl", program) else { return };
    let names =
        ["text", "flag", "whole", "double", "decimal", "day", "time", "list", "members", "code", "nothing"];
    let text = |text: &str| json!(["s", "General", text]);
    let number = |text: &str| json!(["n", "General", text]);
    let expected = json!({
        "sheets": ["Rows"],
        "created": "1980-01-01 00:00:00",
        "frozen": "A2",
        "filter": ["A1:K4"],
        "bold": true,
        "width": true,
        "rows": [
            names.map(text),
            [
                text("=1+1"),
                json!(["b", "General", "True"]),
                number("-5"),
                number("0.1"),
                number("-123.45"),
                json!(["d", "yyyy-mm-dd", "2024-10-04 00:00:00"]),
                json!(["d", "yyyy-mm-dd hh:mm:ss", "2023-11-14 22:13:20.123000"]),
                text("a;;b; c"),
                text("{\"a\":\"x\",\"b\":1}"),
                text("x"),
            ],
            [text("{\"a\":null,\"b\":2}")],
            [
                // Read back by openpyxl without the escapes of the format: checked by hand in the next test.
                read["rows"][3][0].clone(),
                json!(["b", "General", "False"]),
                text("9223372036854775807"),
                text("NaN"),
                number("0"),
                text("1887-11-12"),
                json!(["d", "yyyy-mm-dd hh:mm:ss", "1970-01-01 00:00:00"]),
                text("{\"a\":\"\\\"\",\"b\":3}"),
                text("x"),
            ],
        ],
    });
    assert_eq!(read, expected);
}

/// `_xHHHH_` is how the format writes what XML cannot hold, so text that looks like it is escaped itself
/// (ECMA-376, part 1, 22.9.2.19).
#[test]
fn text_that_xml_cannot_hold_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xlsx"), bytes_of(&xlsx, &[sample()]).0).unwrap();
    if let Some(output) = tools::run(folder.path(), "unzip", ["-p", "a.xlsx", "xl/worksheets/sheet1.xml"]) {
        let sheet = tools::text(&output);
        assert!(
            sheet
                .contains("<t xml:space=\"preserve\">_x005F_x0041_ &lt;&amp;&gt;_x0001__x000D_\n ä漢😀 </t>"),
            "{sheet}"
        );
        assert!(!sheet.contains("<f>"));
    }
}

#[test]
fn rows_go_on_on_the_next_sheet_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let long = "y".repeat(40_000);
    let rows = batch(vec![
        ("n", Arc::new(Int64Array::from_iter_values(0..5))),
        ("t", texts(&[Some(&long), None, None, None, None])),
    ]);
    let options = XlsxOptions { header: Header::Labels, sheet_rows_max: 2 };
    let mut sink = Vec::new();
    let mut writer: Box<dyn FileWriter + '_> =
        Box::new(XlsxWriter::new(&mut sink, formats(&rows), options, folder.path()).unwrap());
    writer.write(&rows).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!(
        written.warnings,
        [
            "the rows are on 3 sheets, because one sheet cannot hold them",
            "column \"t\": 1 texts are longer than a cell can hold (32767 characters) and are cut; the CSV file has them whole",
        ]
    );
    std::fs::write(folder.path().join("a.xlsx"), sink).unwrap();
    let program = "import json, openpyxl\n\
        book = openpyxl.load_workbook('a.xlsx')\n\
        tables = lambda s: [[t.name, t.ref] for t in s.tables.values()]\n\
        print(json.dumps([[s.title, s.freeze_panes, tables(s), [r[0] for r in s.values]] for s in book]))";
    if let Some(read) = read_json(folder.path(), "openpyxl", program) {
        let expected = json!([
            ["Rows", "A2", [["Rows", "A1:B3"]], ["Label, N", 0, 1]],
            ["Rows 2", "A2", [["Rows2", "A1:B3"]], ["Label, N", 2, 3]],
            ["Rows 3", "A2", [["Rows3", "A1:B2"]], ["Label, N", 4]],
        ]);
        assert_eq!(read, expected);
    }
}

#[test]
fn libreoffice_opens_the_sheet() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xlsx"), bytes_of(&xlsx, &[sample()]).0).unwrap();
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.path().display());
    let utf8 = "csv:Text - txt - csv (StarCalc):44,34,76,1";
    let arguments = [profile.as_str(), "--headless", "--convert-to", utf8, "a.xlsx"];
    if let Some(output) = tools::run(folder.path(), "libreoffice", arguments) {
        tools::text(&output);
        let text = std::fs::read_to_string(folder.path().join("a.csv")).unwrap();
        let second = text.lines().nth(1).unwrap();
        // Text is in quotes here, and the formula is text.
        let expected = "\"=1+1\",TRUE,-5,0.1,-123.45,2024-10-04,2023-11-14 22:13:20,\"a;;b; c\",\"{\"\"a\"\":\"\"x\"\",\"\"b\"\":1}\",\"x\",";
        assert_eq!(second, expected);
    }
}

#[test]
fn pyarrow_reads_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.parquet"), bytes_of(&parquet, &[sample()]).0).unwrap();
    let none = ParquetWriter::new(
        std::fs::File::create(folder.path().join("none.parquet")).unwrap(),
        formats(&sample()),
    );
    assert_eq!((Box::new(none) as Box<dyn FileWriter>).finish().unwrap().rows, 0);
    let program = "import json, pyarrow.parquet as pq\n\
        file = pq.ParquetFile('a.parquet')\n\
        table = file.read()\n\
        group = file.metadata.row_group(0)\n\
        print(json.dumps({'by': file.metadata.created_by, 'metadata': file.schema_arrow.metadata is not None,\n\
        'compression': sorted({group.column(i).compression for i in range(group.num_columns)}),\n\
        'types': [str(field.type) for field in table.schema], 'rows': json.loads(json.dumps(table.to_pylist(), default=str).replace('NaN', 'null')),\n\
        'none': pq.read_table('none.parquet').num_rows, 'columns': pq.read_table('none.parquet').column_names}))";
    let Some(read) = read_json(folder.path(), "pyarrow", program) else { return };
    let names =
        ["text", "flag", "whole", "double", "decimal", "day", "time", "list", "members", "code", "nothing"];
    assert_eq!(read["by"], "muster version 1 (build 1)");
    assert_eq!(read["metadata"], false);
    assert_eq!(read["compression"], json!(["ZSTD"]));
    let types = json!([
        "string",
        "bool",
        "int64",
        "double",
        "decimal128(9, 2)",
        "date32[day]",
        "timestamp[us, tz=UTC]",
        "list<item: string>",
        "struct<a: string, b: int64>",
        "string",
        "string",
    ]);
    assert_eq!(read["types"].to_string().replace("element", "item"), types.to_string());
    let rows = &read["rows"];
    assert_eq!(rows[0]["text"], "=1+1");
    assert_eq!(rows[0]["list"], json!(["a;b", null, "c"]));
    assert_eq!(rows[0]["members"], json!({"a": "x", "b": 1}));
    assert_eq!(rows[0]["decimal"], "-123.45");
    assert_eq!(rows[0]["time"], "2023-11-14 22:13:20.123000+00:00");
    assert_eq!(rows[1]["text"], Value::Null);
    assert_eq!(rows[2]["text"], "_x0041_ <&>\u{1}\r\n ä漢😀 ");
    assert_eq!(rows[2]["whole"], json!(i64::MAX));
    assert_eq!(rows[2]["day"], "1887-11-12");
    assert_eq!(rows[2]["code"], "x");
    assert_eq!((&read["none"], &read["columns"]), (&json!(0), &json!(names)));
}

/// A file system of 64 KiB; gone with this.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// `None`, and a line that says so, where it cannot be mounted: only root may mount.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap().to_owned();
        let arguments = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", &place];
        if tools::run(folder.path(), "mount", arguments)?.status.success() {
            return Some(Self(folder));
        }
        println!("SKIPPED: a small file system cannot be mounted here");
        None
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_folder_that_is_full_is_an_error_and_no_panic() {
    let Some(disk) = TinyDisk::new() else { return };
    let batch = sample();
    let mut sink = Vec::new();
    let made = XlsxWriter::new(&mut sink, formats(&batch), XlsxOptions::default(), disk.0.path());
    let mut writer: Box<dyn FileWriter + '_> = Box::new(made.unwrap());
    let error = (0..100_000).find_map(|_| writer.write(&batch).err()).unwrap();
    assert!(matches!(error, RenderError::Encoding(_)), "{error:?}");
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.starts_with("a temporary file could not be written"), "{reason}");
    assert!(matches!(writer.write(&batch), Err(RenderError::Broken)));
    assert!(matches!(writer.finish(), Err(RenderError::Broken)));
    assert!(sink.is_empty());
    let left = std::fs::read_dir(disk.0.path()).unwrap().count();
    assert_eq!(left, 0, "the temporary file has no name");
}
