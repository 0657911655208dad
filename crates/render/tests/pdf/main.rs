//! PDF reports, read back by programs that are not ours: qpdf, poppler's `pdftotext`, and `page` (PDF/A and PDF/UA).
//!
//! A test whose program is missing says so and passes, unless `MUSTER_REQUIRE_TOOLS=1`. The checker `page` is a Python
//! package (`page-validation`); `MUSTER_PDF_PYTHON` names a Python that has it.

#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

mod reading;
mod sample;
mod tools;

use muster_render::chart::ChartKind;
use muster_render::pdf::{FontSet, Paper, PdfError, PdfSettings, PdfWriter};
use sample::{Rows, chart, cover, people, torture, wide};
use tools::{conforms, qpdf_check, words};

fn settings() -> PdfSettings {
    let mut settings = PdfSettings::new("Identities Report");
    settings.subtitle = "Musterfirma".to_owned();
    settings.footer = "Task 7f3d2c1b".to_owned();
    settings
}

/// The PDF of some rows, given in batches of this many.
fn pdf(rows: &Rows, settings: PdfSettings, batch_rows: usize) -> (Vec<u8>, muster_render::pdf::WrittenPdf) {
    let mut bytes = Vec::new();
    let mut writer = PdfWriter::new(&mut bytes, settings, rows.formats()).unwrap();
    for batch in rows.batches(batch_rows) {
        writer.write(&batch).unwrap();
    }
    let kinds = [ChartKind::Bars, ChartKind::StackedBars, ChartKind::Share, ChartKind::Line];
    let charts = kinds.map(chart);
    let written = writer.finish(&cover(rows.len()), &charts).unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.rows, rows.len());
    if let Some(folder) = std::env::var_os("MUSTER_KEEP_PDF") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{}.pdf", rows.name)), &bytes).unwrap();
    }
    (bytes, written)
}

#[test]
fn a_report_conforms_to_the_archive_and_accessibility_standards() {
    for (rows, paper) in [
        (people(300), Paper::A4),
        (people(0), Paper::Letter),
        (torture(), Paper::A4),
        (wide(), Paper::Letter),
    ] {
        let (bytes, _) = pdf(&rows, PdfSettings { paper, ..settings() }, 64);
        qpdf_check(&bytes);
        conforms(&bytes, "2a");
        conforms(&bytes, "ua1");
    }
}

#[test]
fn every_word_comes_back_whole() {
    let rows = torture();
    let (bytes, written) = pdf(&rows, settings(), 7);
    assert_eq!(written.warnings.len(), 1, "{:?}", written.warnings);
    // In the order of writing, cells come one after the other, but words of right-to-left text from left to right; as it
    // is read, those are in order.
    let (Some(written), Some(read)) = (words(&bytes, "-raw"), words(&bytes, "-layout")) else { return };
    for cell in rows.texts() {
        let expected = sample::without_spaces(&cell);
        assert!(written.contains(&expected) || read.contains(&expected), "{cell:?} is not in the text");
    }
}

#[test]
fn what_is_read_aloud_comes_in_the_order_of_the_page() {
    let rows = people(5000);
    let (bytes, written) = pdf(&rows, settings(), 1000);
    let table_pages = written.pages - tools::cover_pages(&bytes).unwrap_or(0);
    assert!(table_pages > 64, "bodies of the table go on over 64 pages");
    let Some(structure) = tools::structure(&bytes) else { return };
    let parts: Vec<_> = structure.split("\n  Part").skip(1).collect();
    let [cover, table, appendix] = parts[..] else { panic!("{} parts", parts.len()) };
    let tags = |part: &str| -> Vec<String> {
        let shown = part.lines().map(str::trim).filter(|line| !line.is_empty());
        shown.filter_map(|line| line.split([' ', ':']).next()).map(str::to_owned).collect()
    };
    // A heading before each table, the title before everything but the tenant's name.
    let cover: Vec<_> = tags(cover)
        .into_iter()
        .filter(|tag| !["THead", "TBody", "TR", "TH", "TD"].contains(&&**tag))
        .collect();
    let first = |tag: &str| cover.iter().position(|found| found == tag).unwrap();
    assert!(first("H1") < first("H2") && first("H2") < first("Figure"), "{cover:?}");
    assert_eq!(cover[..3], ["P", "H1", "P"], "{cover:?}");
    assert!(!cover.windows(2).any(|two| two[0] == "Table" && two[1] == "H1"), "{cover:?}");
    // One table of all rows, after its heading.
    let table = tags(table);
    assert_eq!(table[..4], ["H2", "Table", "THead", "TR"]);
    let count = |tag: &str| table.iter().filter(|found| *found == tag).count();
    // A row that a page's end divides is a row on both pages.
    let Some(text) = words(&bytes, "-raw") else { return };
    let divided = text.matches("(continued)").count();
    assert!(divided < table_pages as usize, "{divided} of {table_pages}");
    assert_eq!((count("H2"), count("Table"), count("THead"), count("TR")), (1, 1, 1, 5001 + divided));
    assert_eq!(count("TBody"), (table_pages / 64 + 1) as usize);
    // What is looked up comes last, after a heading of its own.
    assert_eq!(tags(appendix)[..2], ["H1", "H2"]);
}

#[test]
fn the_same_rows_give_the_same_bytes_however_they_are_cut() {
    let rows = people(2600);
    let (one, _) = pdf(&rows, settings(), 10_000);
    for batch_rows in [10_000, 1, 1999, 2000, 777] {
        assert!(pdf(&rows, settings(), batch_rows).0 == one, "batches of {batch_rows}");
    }
    // The table begins before its last rows are known.
    let settings = || PdfSettings { held_bytes: 100_000, ..settings() };
    let (one, _) = pdf(&rows, settings(), 10_000);
    for batch_rows in [1, 999, 777] {
        assert!(pdf(&rows, settings(), batch_rows).0 == one, "batches of {batch_rows}");
    }
}

/// Rows whose letters appear late, so that pages drawn by other threads lack their glyphs, and rows with characters that no
/// font of the program has.
#[test]
fn the_same_rows_give_the_same_bytes_on_any_number_of_threads() {
    let ideographs =
        |row: u32| (0..4).filter_map(move |place| char::from_u32(0x4e00 + (row * 3 + place) % 900));
    let texts: Vec<String> = (0..20_000_u32)
        .map(|row| match row % 701 {
            0..3 => ideographs(row).collect(),
            3 => format!("\u{1f600} \u{16800} {row}"),
            4 => format!("نص {row} राष्ट्र"),
            5 => "word ".repeat(100),
            _ => format!("person{row:06}@example.org"),
        })
        .collect();
    let numbers: Vec<String> = (0..20_000).map(|row| format!("Row {row}")).collect();
    let some = |texts: &[String]| texts.iter().map(|text| Some(text.clone())).collect::<Vec<_>>();
    let (texts, numbers) = (some(&texts), some(&numbers));
    let columns = [
        ("name", numbers.iter().map(Option::as_deref).collect()),
        ("text", texts.iter().map(Option::as_deref).collect()),
    ];
    let rows = Rows::new("threads", &columns);
    let write = |threads: usize, batch_rows: usize| {
        let mut bytes = Vec::new();
        let writer = PdfWriter::new(&mut bytes, settings(), rows.formats()).unwrap();
        let mut writer = writer.on_threads(threads);
        for batch in rows.batches(batch_rows) {
            writer.write(&batch).unwrap();
        }
        let warnings = writer.end_rows().unwrap();
        let written = writer.finish(&cover(rows.len()), &[]).unwrap();
        assert!(written.pages > 200, "the table's body is turned several times");
        (bytes, warnings, written)
    };
    let one = write(1, 20_000);
    assert!(one.1[0].contains("in 29 cells") || one.1.is_empty(), "{:?}", one.1);
    qpdf_check(&one.0);
    for (threads, batch_rows) in [(2, 20_000), (2, 7_001), (4, 8_192), (1, 4_999)] {
        assert!(write(threads, batch_rows) == one, "{threads} threads, batches of {batch_rows}");
    }
}

#[test]
fn a_table_that_is_too_long_is_refused_and_not_cut() {
    let rows = people(500);
    let settings = PdfSettings { pages_max: 3, ..settings() };
    let mut writer = PdfWriter::new(Vec::new(), settings, rows.formats()).unwrap();
    let outcome = rows.batches(100).into_iter().try_for_each(|batch| writer.write(&batch));
    let error = match outcome {
        Err(error) => error,
        Ok(()) => writer.finish(&cover(500), &[]).unwrap_err(),
    };
    assert!(matches!(error, PdfError::TooManyPages { max: 3 }), "{error}");
    assert!(error.is_too_large());
}

#[test]
fn ten_thousand_rows_are_all_there() {
    let rows = people(10_000);
    let (bytes, written) = pdf(&rows, settings(), 4096);
    qpdf_check(&bytes);
    assert!(written.warnings.is_empty(), "{:?}", written.warnings);
    let Some(text) = words(&bytes, "-raw") else { return };
    for number in [0, 1, 4999, 9999] {
        assert!(text.contains(&format!("person{number:06}@example.org")), "row {number}");
    }
    assert_eq!(text.matches("@example.org").count(), 10_000);
}

/// A long table of few columns is upright, and then the tables of its cover are narrow.
#[test]
fn words_of_a_narrow_cover_are_not_divided() {
    let names: Vec<String> = (0..1_500).map(|number| format!("person {number}")).collect();
    let rows = Rows::new("upright", &[("name", names.iter().map(|name| Some(name.as_str())).collect())]);
    let (bytes, _) = pdf(&rows, settings(), 500);
    let Some(upright) = tools::is_upright(&bytes) else { return };
    assert!(upright, "the table is across");
    let Some(text) = tools::text(&bytes, "-raw") else { return };
    let words: std::collections::BTreeSet<&str> = text.split_whitespace().collect();
    for word in ["Authoritative", "aggregation", "delimited", "Complete", "Refused", "Loaded", "48,211"] {
        assert!(words.contains(word), "{word} is divided");
    }
}

#[test]
fn names_of_a_directory_come_back_whole() {
    let Some(names) = sample::directory_names() else {
        println!("SKIPPED: no directory file to take names from");
        return;
    };
    assert!(names.len() > 10);
    let rows = Rows::new("directory", &[("name", names.iter().map(|name| Some(name.as_str())).collect())]);
    let (bytes, written) = pdf(&rows, settings(), 50);
    assert!(written.warnings.is_empty(), "{:?}", written.warnings);
    let Some(text) = words(&bytes, "-raw") else { return };
    for name in &names {
        assert!(text.contains(&sample::without_spaces(name)), "{name:?} is not in the text");
    }
}

/// Surnames as people in Japan, China and Korea write them: outside of JIS X 0208 and GB 2312, and a rare syllable.
#[test]
fn common_surnames_are_drawn() {
    let names =
        ["髙橋", "山﨑", "濵田", "栁田", "德永", "桒原", "邉見", "渡邊", "喆", "囧", "뷁", "똠방각하"];
    let rows = Rows::new("surnames", &[("name", names.map(Some).to_vec())]);
    let (bytes, written) = pdf(&rows, settings(), 3);
    assert!(written.warnings.is_empty(), "{:?}", written.warnings);
    conforms(&bytes, "2a");
    conforms(&bytes, "ua1");
    let Some(text) = words(&bytes, "-raw") else { return };
    for name in names {
        assert!(text.contains(name), "{name} is not in the text");
    }
}

/// What is still missing is counted by cells and named by code points, before the cover is made.
#[test]
fn letters_that_no_font_has_are_told_by_cells() {
    // Cuneiform and a character of a private area; the second cell of the second row has both, on two lines.
    let rows = Rows::new(
        "letters",
        &[
            ("name", vec![Some("Ann"), Some("\u{12000}"), Some("Bob \u{e000}")]),
            ("note", vec![None, Some("\u{e000}\n\u{12000}"), Some("plain")]),
        ],
    );
    let mut writer = PdfWriter::new(Vec::new(), settings(), rows.formats()).unwrap();
    for batch in rows.batches(2) {
        writer.write(&batch).unwrap();
    }
    let told = writer.end_rows().unwrap();
    assert_eq!(
        told,
        [
            "no font has 2 of the characters in the PDF (U+E000, U+12000): a replacement character is drawn in 3 cells, and \
             the text can be copied"
        ]
    );
    let mut cover = cover(3);
    cover.requester.name = "\u{12001}".to_owned();
    let written = writer.finish(&cover, &[]).unwrap();
    assert!(
        written.warnings.len() == 1 && written.warnings[0].contains("U+12001"),
        "the table's were told: {:?}",
        written.warnings
    );
}

#[test]
fn fonts_of_folders_draw_what_the_program_has_no_font_for() {
    let folder = "/usr/share/fonts/truetype/noto";
    if !std::path::Path::new(folder).join("NotoSansTamil-Regular.ttf").exists() {
        println!("SKIPPED: no Tamil font on this machine");
        return;
    }
    let name = "தமிழ்";
    let rows = Rows::new("folders", &[("name", vec![Some(name)])]);
    let (_, without) = pdf(&rows, settings(), 1);
    assert_eq!(without.warnings.len(), 1);
    let fonts = FontSet::with_folders(vec![folder.into()]);
    let (bytes, with) = pdf(&rows, PdfSettings { fonts, ..settings() }, 1);
    assert!(with.warnings.is_empty(), "{:?}", with.warnings);
    conforms(&bytes, "2a");
    let Some(text) = words(&bytes, "-raw") else { return };
    assert!(text.contains(name));
}
