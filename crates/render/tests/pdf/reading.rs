//! What a person reads: columns, groups, lists in full, sizes of text, numbers of pages.

use muster_render::chart::ChartKind;
use muster_render::pdf::{PdfSettings, PdfWriter};
use muster_reports::cover::{Breakdown, Count};
use muster_reports::ids::SourceId;
use muster_reports::pdf_layout::PdfLayout;

use crate::sample::{self, Rows, chart, cover};
use crate::tools::{conforms, cover_pages, layout, qpdf_check, text_sizes, words};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn write(rows: &Rows, layout: &PdfLayout, threads: usize, held_bytes: usize) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    let settings = PdfSettings { held_bytes, ..PdfSettings::new("Report: Workday") };
    let writer = PdfWriter::new(&mut bytes, settings, rows.formats()).unwrap();
    let mut writer = writer.showing(layout).on_threads(threads);
    for batch in rows.batches(500) {
        writer.write(&batch).unwrap();
    }
    assert_eq!(writer.end_rows().unwrap(), [""; 0]);
    let written = writer.finish(&cover(rows.len()), &[]).unwrap();
    (bytes, written.pages)
}

const HELD: usize = 8 << 20;

/// The directory of three thousand people, with the columns that ACCOUNTS names.
fn directory(count: usize) -> Rows {
    let texts = |text: &dyn Fn(usize) -> String| (0..count).map(|row| Some(text(row))).collect::<Vec<_>>();
    let login = |row: usize| format!("user{row:05}");
    let first = ["Åse", "太郎", "राजेन्द्र", "محمد", "Anna-Lena", "Łukasz"];
    let last = ["Ødegård", "山田", "प्रसाद", "Müller", "García Márquez", "O'Brien"];
    let columns = [
        ("name", texts(&login)),
        ("nativeIdentity", texts(&|row| format!("CN={},OU=Users,DC=example,DC=com", login(row)))),
        ("identityDisplayName", texts(&|row| format!("{} {}", first[row % 6], last[row / 6 % 6]))),
        ("identityName", texts(&login)),
        ("situation", texts(&|row| if row % 50 == 0 { "PLACEHOLDER_OWNER" } else { "LINKED" }.to_owned())),
        ("disabled", texts(&|row| if row % 30 == 9 { "yes" } else { "no" }.to_owned())),
        ("locked", texts(&|row| if row % 90 == 31 { "yes" } else { "no" }.to_owned())),
        ("systemAccount", texts(&|_| "no".to_owned())),
        ("entitlementCount", texts(&|row| (2 + row % 6).to_string())),
        ("created", texts(&|_| "2026-11-29 02:31".to_owned())),
        ("modified", texts(&|row| format!("2026-11-{:02} 02:31", 1 + row % 29))),
    ];
    let columns: Vec<(&str, Vec<Option<&str>>)> =
        columns.iter().map(|(name, texts)| (*name, texts.iter().map(Option::as_deref).collect())).collect();
    Rows::new("directory", &columns)
}

#[test]
fn three_thousand_accounts_are_on_at_most_sixty_pages_of_at_least_seven_points() {
    let rows = directory(3000);
    let (bytes, pages) = write(&rows, &PdfLayout::default(), 2, HELD);
    assert!(pages <= 60, "{pages} pages");
    qpdf_check(&bytes);
    let (Some(sizes), Some(text)) = (text_sizes(&bytes), words(&bytes, "-raw")) else { return };
    assert!(sizes.len() > 100 && sizes.iter().all(|size| *size >= 7.0), "{sizes:?}");
    for row in [0, 1, 1499, 2999] {
        assert!(text.contains(&format!("CN=user{row:05},OU=Users,DC=example,DC=com")), "row {row}");
    }
}

#[test]
fn a_column_with_one_value_is_said_once_above_the_table() {
    let (bytes, _) = write(&directory(40), &PdfLayout::default(), 1, HELD);
    conforms(&bytes, "2a");
    conforms(&bytes, "ua1");
    let Some(text) = layout(&bytes) else { return };
    assert_eq!(text.matches("The same in every row: System Account: no").count(), 1, "{text}");
    assert_eq!(
        text.matches("2026-11-29 02:31").count(),
        1 + 1,
        "the constant, and one row that was modified then"
    );
    // Where not all rows are held, nothing is known of the later ones.
    let (bytes, _) = write(&directory(40), &PdfLayout::default(), 1, 100);
    let text = layout(&bytes).unwrap();
    assert_eq!(text.matches("The same in every row").count(), 0);
}

#[test]
fn the_cover_says_which_columns_are_only_in_the_csv_file() {
    let rows = sample::people(30);
    let chosen = PdfLayout::of_request(names(&["email", "displayName"]));
    let (bytes, _) = write(&rows, &chosen, 1, HELD);
    let Some(text) = layout(&bytes) else { return };
    // The sample's cover has four columns.
    assert!(text.contains("This document shows 2 of 4 columns. Only in the CSV file: Id, Groups."), "{text}");
    let table = text.split('\u{c}').find(|page| page.contains("Page 1 of")).unwrap();
    assert!(table.contains("person000029@example.org") && !table.contains("cn=group"), "{table}");
    assert!(table.find("Email").unwrap() < table.find("Display Name").unwrap());
}

/// Three people with so many accounts.
fn accounts(of: [usize; 3]) -> Rows {
    let mut columns: Vec<(&str, Vec<Option<String>>)> =
        ["id", "displayName", "status", "sourceName", "entitlements"].map(|name| (name, Vec::new())).to_vec();
    for (person, count) in of.into_iter().enumerate() {
        for account in 0..count {
            let name = ["Åse Ødegård", "محمد بن عبد الله", ""][person];
            let values = [
                format!("id-{person}"),
                name.to_owned(),
                ["ACTIVE", "TERMINATED", ""][person].to_owned(),
                format!("Source {account:03}"),
                format!("right-{person}-{account:03}"),
            ];
            for ((_, column), value) in columns.iter_mut().zip(values) {
                column.push(Some(value));
            }
        }
    }
    let columns: Vec<(&str, Vec<Option<&str>>)> =
        columns.iter().map(|(name, texts)| (*name, texts.iter().map(Option::as_deref).collect())).collect();
    Rows::new("accounts", &columns)
}

fn grouped() -> PdfLayout {
    PdfLayout {
        columns: names(&["sourceName", "entitlements"]),
        group_by: Some("id".to_owned()),
        group: names(&["displayName", "status"]),
        fill_in: Vec::new(),
    }
}

#[test]
fn the_rows_of_a_group_stand_below_its_heading_which_is_repeated_on_the_next_page() {
    // The second person's accounts go on on the next pages.
    let rows = accounts([3, 200, 2]);
    let (one, pages) = write(&rows, &grouped(), 1, HELD);
    conforms(&one, "2a");
    conforms(&one, "ua1");
    for (threads, held) in [(2, HELD), (4, HELD)] {
        assert!(write(&rows, &grouped(), threads, held).0 == one, "{threads} threads");
    }
    let (Some(text), Some(structure)) = (layout(&one), crate::tools::structure(&one)) else { return };
    assert_eq!(text.matches("Åse Ødegård").count(), 1);
    assert_eq!(text.matches("Status: ACTIVE").count(), 1);
    let table: Vec<&str> = text.split('\u{c}').filter(|page| page.contains("right-1-")).collect();
    assert!(table.len() > 2 && table.len() < pages as usize);
    assert_eq!(text.matches("Status: TERMINATED").count(), table.len(), "on each page of the second person");
    assert_eq!(text.matches("Display Name: empty").count(), 1);
    // Read aloud, a heading is there once: the header, three headings, and 205 rows.
    let table = structure.split("\n  Part").nth(2).unwrap();
    assert_eq!(table.lines().filter(|line| line.trim().starts_with("TR")).count(), 1 + 3 + 205);
}

/// 900 entitlements take more than a page. All of them are there, in their order.
#[test]
fn a_list_is_there_in_full_and_goes_on_on_the_next_page() {
    let entitlements: Vec<String> =
        (0..900).map(|number| format!("CN=group-{number:04},OU=Groups,DC=example,DC=com")).collect();
    let rows = Rows::lists(
        "lists",
        &[("name", &["before", "many", "after"])],
        ("entitlements", &[&[], &entitlements, &[]]),
    );
    let (one, pages) = write(&rows, &PdfLayout::default(), 1, HELD);
    assert!(write(&rows, &PdfLayout::default(), 2, HELD).0 == one);
    conforms(&one, "2a");
    conforms(&one, "ua1");
    let Some(text) = words(&one, "-raw") else { return };
    assert!(pages > 4);
    // Between two values, a page may end.
    let mut from = 0;
    for entitlement in &entitlements {
        let at = text[from..].find(entitlement.as_str());
        from += at.unwrap_or_else(|| panic!("{entitlement} is not there"));
    }
    assert!(!text.contains("more)"));
    assert!(text.contains("(continued)"));
}

#[test]
fn an_empty_report_says_among_how_many_none_was_found() {
    let (bytes, _) = write(&sample::people(0), &PdfLayout::default(), 1, HELD);
    let Some(text) = layout(&bytes) else { return };
    // The sample's population is 300 more than its rows: once on the cover, once in place of the table.
    assert_eq!(text.matches("No rows: none found among 300.").count(), 2, "{text}");
}

#[test]
fn the_title_says_what_the_report_is_about_and_the_cover_how_to_verify_it() {
    let (bytes, _) = write(&sample::people(12), &PdfLayout::default(), 1, HELD);
    let Some(text) = words(&bytes, "-raw") else { return };
    for part in [
        "Report: Workday",
        "Refused records 9",
        "Population, by a second, independent count 312",
        "muster report get 7f3d2c1b0a994d0fb7c2a1e0d9c8b7a6 --format csv",
        "the population of 312, which a second query counted, less 300 that were left out, must be the 12 rows reported",
    ] {
        assert!(text.contains(&sample::without_spaces(part)), "{part}");
    }
}

/// Twelve sources, subtotals of each, and charts of all of them. What the cover leaves out is in the appendix.
#[test]
fn the_cover_of_many_sources_has_two_pages() {
    let rows = sample::people(30);
    let mut cover = cover(30);
    let one = cover.snapshot.sources[0].clone();
    let name = |number: usize| format!("Directory of the branch in region {number}");
    cover.snapshot.sources = (1..=12)
        .map(|number| {
            let id = SourceId::new(format!("5f3c0a51b27d4f1e8d5e6a7b8c9d0e{number:02}"));
            muster_reports::snapshot::SourceRun { id, name: name(number), ..one.clone() }
        })
        .collect();
    let part = |number: usize| Count { label: name(number), rows: 2 };
    let parts = (1..=12).map(part).chain([Count { label: "none".into(), rows: 6 }]).collect();
    cover.reconciliation.subtotals = vec![Breakdown { by: "source".into(), parts }];
    let drawn = [ChartKind::StackedBars, ChartKind::Line].map(|kind| {
        let mut drawn = chart(kind);
        if kind == ChartKind::StackedBars {
            drawn.categories = (1..=12).map(name).collect();
            drawn.series.iter_mut().for_each(|series| series.values = vec![17.0; 12]);
        }
        drawn
    });
    let mut bytes = Vec::new();
    let mut writer = PdfWriter::new(&mut bytes, PdfSettings::new("Report: all"), rows.formats()).unwrap();
    rows.batches(500).iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish(&cover, &drawn).unwrap();
    qpdf_check(&bytes);
    conforms(&bytes, "2a");
    conforms(&bytes, "ua1");
    let (Some(pages), Some(text)) = (cover_pages(&bytes), layout(&bytes)) else { return };
    assert!(pages <= 2, "{pages} pages");
    let appendix = text.split('\u{c}').skip_while(|page| !page.contains("Appendix"));
    let appendix: String = appendix.collect();
    for part in ["How to verify", "5f3c0a51b27d4f1e8d5e6a7b8c9d0e12", "Accounts by source and state"] {
        assert!(appendix.contains(part), "{part} is not in the appendix: {appendix}");
    }
}

/// A mark that turns the direction would let a name change what its line says.
#[test]
fn a_name_turns_nothing_but_itself() {
    let names = ["Eve \u{202e}lanretxe\u{202c} account", "محمد بن عبد الله"];
    let rows = Rows::new("turned", &[("name", names.map(Some).to_vec()), ("state", vec![Some("leaver"); 2])]);
    let (bytes, _) = write(&rows, &PdfLayout::default(), 1, HELD);
    let Some(text) = layout(&bytes) else { return };
    assert!(text.contains("Eve [U+202E]lanretxe[U+202C] account"), "{text}");
    assert!(text.contains("محمد"), "{text}");
}
