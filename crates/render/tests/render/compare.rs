//! Comparing two files: a golden, faults, and a model that holds both in memory.

use std::collections::BTreeMap;
use std::io::Cursor;

use muster_render::FormulaGuard;
use muster_render::compare::{CompareError, Compared, compare, page};
use muster_reports::made::ComparisonCounts;
use proptest::prelude::*;

fn compared(text: &str, formula_guard: FormulaGuard) -> Compared<Cursor<&[u8]>> {
    Compared { content: Cursor::new(text.as_bytes()), formula_guard }
}

/// What was written, the counts, and the lines that were written.
fn compare_plain(
    old: &str,
    new: &str,
    keys: &[&str],
) -> Result<(String, ComparisonCounts, u64), CompareError> {
    let mut sink = Vec::new();
    let off = FormulaGuard::Off;
    let (counts, written) = compare(compared(old, off), compared(new, off), keys, &mut sink, off)?;
    assert_eq!(written.bytes, sink.len() as u64);
    Ok((String::from_utf8(sink).unwrap(), counts, written.rows))
}

#[test]
fn what_was_added_removed_and_changed() {
    let old =
        "id,name,status,gone\r\n1,a,ACTIVE,x\r\n2,b,ACTIVE,x\r\n3,\"c,\r\nd\",ACTIVE,x\r\n4,e,ACTIVE,x\r\n";
    let new = "status,id,name,fresh\r\nACTIVE,5,f,y\r\nDISABLED,3,\"c,\r\nd\",y\r\nACTIVE,1,a,y\r\nLOCKED,2,B,y\r\n";
    let (text, counts, rows) = compare_plain(old, new, &["id"]).unwrap();
    let expected = "change,id,column,old,new\r\n\
                    COLUMN_ADDED,,fresh,,\r\n\
                    COLUMN_REMOVED,,gone,,\r\n\
                    ADDED,5,,,\r\n\
                    CHANGED,3,status,ACTIVE,DISABLED\r\n\
                    CHANGED,2,status,ACTIVE,LOCKED\r\n\
                    CHANGED,2,name,b,B\r\n\
                    REMOVED,4,,,\r\n";
    assert_eq!(text, expected);
    let expected = ComparisonCounts {
        keys: vec!["id".to_owned()],
        added: 1,
        removed: 1,
        changed: 2,
        unchanged: 1,
        columns_added: vec!["fresh".to_owned()],
        columns_removed: vec!["gone".to_owned()],
    };
    assert_eq!((rows, &counts), (7, &expected));
}

#[test]
fn a_byte_order_mark_is_no_difference() {
    let (old, new) = ("\u{feff}id,x\r\n1,a\r\n2,b\r\n", "id,x\r\n1,a\r\n2,c\r\n");
    for (old, new) in [(old, new), (new, old)] {
        let (_, counts, _) = compare_plain(old, new, &["id"]).unwrap();
        assert_eq!((counts.changed, counts.unchanged), (1, 1));
        assert!(counts.columns_added.is_empty() && counts.columns_removed.is_empty());
    }
}

#[test]
fn a_guard_is_no_difference() {
    let mut sink = Vec::new();
    let (old, new) = ("id,x\r\n1,'=a\r\n2,'-b\r\n", "id,x\r\n1,=a\r\n2,=b\r\n");
    let (old, new) = (compared(old, FormulaGuard::On), compared(new, FormulaGuard::Off));
    let (counts, _) = compare(old, new, &["id"], &mut sink, FormulaGuard::On).unwrap();
    assert_eq!(String::from_utf8(sink).unwrap(), "change,id,column,old,new\r\nCHANGED,2,x,'-b,'=b\r\n");
    assert_eq!(counts.unchanged, 1);
}

#[test]
fn faults_are_named() {
    let error = |old: &str, new: &str, keys: &[&str]| compare_plain(old, new, keys).unwrap_err().to_string();
    let good = "id,x\r\n1,a\r\n";
    assert_eq!(error(good, good, &[]), "no key column was named: expected at least one");
    assert_eq!(
        error(good, "ID,x\r\n", &["id"]),
        "the new file has no column \"id\": expected the key columns in both files"
    );
    assert_eq!(
        error("id,id\r\n", good, &["id"]),
        "the old file has two columns \"id\": expected each name once"
    );
    assert_eq!(error(good, "id,x\r\n1\r\n", &["id"]), "the new file cannot be read as CSV");
    let same = format!("id,x\r\n{}", "1,a\r\n".repeat(1_001));
    assert_eq!(
        error(&same, good, &["id"]),
        "more than 1000 rows of the old file have the same key: expected columns that tell rows apart"
    );
    let (text, counts, rows) = compare_plain("id\r\n", "id\r\n", &["id"]).unwrap();
    assert_eq!(text, "change,id,column,old,new\r\n");
    assert_eq!(counts, ComparisonCounts { keys: vec!["id".to_owned()], ..ComparisonCounts::default() });
    assert_eq!(rows, 0);
}

fn page_of((changes, counts, rows): &(String, ComparisonCounts, u64), title: &str) -> String {
    let run = |id: &str| page::Run {
        id: id.to_owned(),
        data_of: "2026-03-01 02:00:00 UTC".to_owned(),
        completed: "2026-03-01 09:00:00 UTC".to_owned(),
        arguments: r#"{"application":"<x>"}"#.to_owned(),
        rows: 1_234,
    };
    let facts = page::Facts {
        title: title.to_owned(),
        tenant: "acme & sons".to_owned(),
        old: run("o"),
        new: run("n"),
    };
    let mut sink = Vec::new();
    let written = page::write(&facts, counts, changes.as_bytes(), *rows, &mut sink).unwrap();
    assert_eq!(written.bytes, sink.len() as u64);
    String::from_utf8(sink).unwrap()
}

#[test]
fn a_page_shows_what_cells_say_and_does_nothing_they_ask_for() {
    let hostile = "</td><script>alert(1)</script>";
    let old = "id,x,gone\r\n1,a,\r\n2,b,\r\n";
    let new = format!("id,x\r\n1,{hostile}\r\n\"\"\"onload='x'\",\u{1}\r\n");
    let page = page_of(&compare_plain(old, &new, &["id"]).unwrap(), hostile);
    // Ours are the only elements: whatever follows `<` in the page is one of them.
    let ours = [
        "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "thead",
        "tbody", "tr", "th", "td",
    ];
    for element in page.split('<').skip(1) {
        let name =
            element.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next();
        assert!(ours.contains(&name.unwrap()), "{element:?}");
    }
    assert!(
        page.contains("<td dir=\"auto\">&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;</td>"),
        "{page}"
    );
    assert!(page.contains("&quot;onload=&#39;x&#39;"), "{page}");
    assert!(!page.contains('\u{1}') && page.contains("acme &amp; sons") && page.contains("1,234"), "{page}");
    assert!(
        page.contains("Columns that only the earlier run has, and that are not compared: gone."),
        "{page}"
    );
    for row in ["<tr class=\"CHANGED\">", "<tr class=\"ADDED\">", "<tr class=\"REMOVED\">"] {
        assert_eq!(page.matches(row).count(), 1, "{row}");
    }
}

#[test]
fn a_page_is_bounded_and_says_so() {
    let long = "é".repeat(page::CELL_CHARACTERS_MAX + 7);
    let rows: String = (0..3_000).map(|row| format!("{row},{long}\r\n")).collect();
    let compared = compare_plain("id,x\r\n", &format!("id,x\r\n{rows}"), &["id", "x"]).unwrap();
    let page = page_of(&compared, "Accounts");
    assert!(
        page.contains("The first 2,000 of 3,000 lines; the CSV file of this comparison has all of them.")
    );
    assert_eq!(page.matches("<tr class=\"ADDED\">").count(), 2_000);
    assert_eq!(page.matches("é… (+7 characters)</td>").count(), 2_000);
    let compared = compare_plain("id\r\n1\r\n", "id\r\n1\r\n", &["id"]).unwrap();
    let page = page_of(&compared, "Accounts");
    assert!(page.contains("<p>There are none.</p>") && page.matches("<table>").count() == 2);
}

type Rows = BTreeMap<(u8, String), (String, String)>;

fn to_csv(rows: &Rows, reverse: bool) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["k1", "a", "k2", "b"]).unwrap();
    let mut ordered: Vec<_> = rows.iter().collect();
    if reverse {
        ordered.reverse();
    }
    for ((k1, k2), (a, b)) in ordered {
        writer.write_record([&k1.to_string(), a, k2, b]).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn rows() -> impl Strategy<Value = Rows> {
    let cell = || "[ab\",\n]{0,2}";
    prop::collection::btree_map((0..4_u8, "[xy\n]{0,1}"), (cell(), cell()), 0..12)
}

proptest! {
    #[test]
    fn it_is_what_two_maps_tell(old in rows(), new in rows()) {
        let (text, counts, rows) = compare_plain(&to_csv(&old, false), &to_csv(&new, true), &["k1", "k2"]).unwrap();
        let mut expected = Vec::new();
        let line = |change: &str, key: &(u8, String), rest: [&str; 3]| {
            let mut line = vec![change.to_owned(), key.0.to_string(), key.1.clone()];
            line.extend(rest.map(str::to_owned));
            line
        };
        for (key, after) in new.iter().rev() {
            match old.get(key) {
                None => expected.push(line("ADDED", key, ["", "", ""])),
                Some(before) => {
                    if before.0 != after.0 {
                        expected.push(line("CHANGED", key, ["a", &before.0, &after.0]));
                    }
                    if before.1 != after.1 {
                        expected.push(line("CHANGED", key, ["b", &before.1, &after.1]));
                    }
                }
            }
        }
        for key in old.keys().filter(|key| !new.contains_key(key)) {
            expected.push(line("REMOVED", key, ["", "", ""]));
        }
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let found: Vec<Vec<String>> = reader.deserialize().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(rows, expected.len() as u64);
        let same = new.iter().filter(|(key, after)| old.get(key) == Some(after)).count() as u64;
        prop_assert_eq!(counts.unchanged, same);
        let both = new.keys().filter(|key| old.contains_key(key)).count() as u64;
        prop_assert_eq!(counts.changed + same, both);
    }
}
