//! The owner's total against what was read; every number was counted by hand.

use std::path::Path;

use muster_sources::{ColumnSum, ReadError, SourceDefinition};

use crate::support::{Outcome, read};

/// A definition of `people.csv` with these keys of `[total]`.
fn definition(total: &str) -> SourceDefinition {
    let text = format!(
        "name = \"HR\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\ndelimiter = \";\"\n\
         native_identity = \"id\"\n[total]\n{total}"
    );
    SourceDefinition::from_toml(&text, Path::new("hr.toml")).unwrap()
}

fn fault(total: &str) -> String {
    let text = format!(
        "name = \"HR\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n[total]\n{total}"
    );
    SourceDefinition::from_toml(&text, Path::new("hr.toml")).unwrap_err().to_string()
}

/// Reads these files.
fn read_of(total: &str, files: &[(&str, &str)]) -> Result<Outcome, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    read(&definition(total), folder.path())
}

/// What was reported and read, and why the read is incomplete.
fn outcome(total: &str, files: &[(&str, &str)]) -> (Option<u64>, u64, Option<String>) {
    let summary = read_of(total, files).unwrap().summary;
    assert_eq!(summary.complete, summary.incomplete_reason.is_none());
    (summary.reported_total, summary.read, summary.incomplete_reason)
}

const TRAILER: &str = "trailer = \"TRL;{count}\"\n";

#[test]
fn a_trailer_record_is_no_row_and_its_total_counts() {
    let whole = "id;name\n1;Ada\n2;Bob\nTRL;2\n";
    let read = read_of(TRAILER, &[("people.csv", whole)]).unwrap();
    assert_eq!((read.records.len(), read.rejections.len()), (2, 0));
    assert_eq!(outcome(TRAILER, &[("people.csv", whole)]), (Some(2), 2, None));
    // A refused record was read, too: `2;Bob;x` has a field too many.
    let refused = "id;name\n1;Ada\n2;Bob;x\n\"TRL\";\"0002\";;\n\n";
    let read = read_of(TRAILER, &[("people.csv", refused)]).unwrap();
    assert_eq!((read.records.len(), read.rejections.len(), read.summary.reported_total), (1, 1, Some(2)));
    assert!(read.summary.complete);
    // The header and the trailer are lines of the owner.
    let lines = "id;name\n1;Ada\n2;Bob\nTRL;4";
    let also = format!("{TRAILER}counts_also = 2\n");
    assert_eq!(outcome(&also, &[("people.csv", lines)]), (Some(2), 2, None));
    let few = "id;name\nTRL;1";
    let reason = "the owner's total is 1: expected at least the 2 lines of total.counts_also";
    assert_eq!(outcome(&also, &[("people.csv", few)]), (None, 0, Some(reason.to_owned())));
}

#[test]
fn a_difference_makes_a_read_incomplete_or_fail() {
    let short = "id;name\n1;Ada\nTRL;2\n";
    let reason = "the owner's total is 2 records, and 1 were read";
    assert_eq!(outcome(TRAILER, &[("people.csv", short)]), (Some(2), 1, Some(reason.to_owned())));
    let refuse = format!("{TRAILER}on_difference = \"refuse\"\n");
    let error = read_of(&refuse, &[("people.csv", short)]).err().unwrap();
    assert_eq!(error.to_string(), format!("HR: {reason}"));

    let cut = "id;name\n1;Ada\n2;B";
    let reason = "the file ends without the trailer record \"TRL;{count}\"";
    assert_eq!(outcome(TRAILER, &[("people.csv", cut)]), (None, 2, Some(reason.to_owned())));
    assert_eq!(read_of(&refuse, &[("people.csv", cut)]).err().unwrap().to_string(), format!("HR: {reason}"));

    let behind = "id;name\n1;Ada\nTRL;1\n2;Bob\n";
    let error = read_of(TRAILER, &[("people.csv", behind)]).err().unwrap().to_string();
    let reason =
        "people.csv:4:0: a record after the trailer record of line 3: expected the trailer record last";
    assert!(error.ends_with(reason), "{error}");
}

#[test]
fn a_file_beside_the_data_has_the_total() {
    let people = ("people.csv", "id;name\n1;Ada\n2;Bob\n");
    let file = "file = \"people.count\"\n";
    assert_eq!(outcome(file, &[people, ("people.count", "2\n")]), (Some(2), 2, None));
    let keyed = "file = \"*.control\"\nkey = \"records\"\n";
    let control = "date=20260331\nrecords=3\n";
    let reason = "the owner's total is 3 records, and 2 were read".to_owned();
    assert_eq!(outcome(keyed, &[people, ("hr-1.control", control)]), (Some(3), 2, Some(reason)));
    let (_, _, reason) = outcome(keyed, &[people, ("hr-1.control", control), ("hr-2.control", control)]);
    assert!(reason.unwrap().ends_with("several files fit: expected one file with the total"));
    let (total, _, reason) = outcome(file, &[people]);
    assert!(total.is_none() && reason.unwrap().contains("cannot open"));
}

/// What was summed, and why the read is incomplete.
fn sums(total: &str, files: &[(&str, &str)]) -> (ColumnSum, Option<String>) {
    let summary = read_of(total, files).unwrap().summary;
    (summary.sum.unwrap(), summary.incomplete_reason)
}

fn sum(stated: Option<&str>, read: &str, refused: &str, unreadable: u64) -> ColumnSum {
    let [read, refused] = [read, refused].map(str::to_owned);
    ColumnSum { column: "hours".to_owned(), stated: stated.map(str::to_owned), read, refused, unreadable }
}

/// 40.5 + 8 + 0 (blank) = 48.5, each number by hand.
#[test]
fn the_sum_of_a_column_is_held_against_the_trailer_record() {
    let total = "trailer = \"TRL;{count};{sum}\"\nsum_of = \"hours\"\n";
    let whole = "id;hours\n1;40.50\n2;8\n3;\nTRL;3;48.5\n";
    assert_eq!(sums(total, &[("people.csv", whole)]), (sum(Some("48.5"), "48.5", "0", 0), None));

    // Three records, as there should be, but one of them lost eight hours.
    let lost = "id;hours\n1;40.50\n2;0\n3;\nTRL;3;48.5\n";
    let reason = "the owner's sum of \"hours\" is 48.5, and 40.5 was read";
    assert_eq!(
        sums(total, &[("people.csv", lost)]),
        (sum(Some("48.5"), "40.5", "0", 0), Some(reason.to_owned()))
    );
    let refuse = format!("{total}on_difference = \"refuse\"\n");
    let error = read_of(&refuse, &[("people.csv", lost)]).err().unwrap();
    assert_eq!(error.to_string(), format!("HR: {reason}"));

    // A refused record was read: its identity is blank, its hours are not.
    let refused = "id;hours\n1;40.50\n;8\n3;\nTRL;3;48.5\n";
    assert_eq!(sums(total, &[("people.csv", refused)]), (sum(Some("48.5"), "48.5", "8", 0), None));

    // What cannot be read is not taken for nothing, though the numbers agree.
    let unread = "id;hours\n1;40.50\n2;8\n3;none\n4;1;9\nTRL;4;48.5\n";
    let reason = "the owner's sum of \"hours\" is 48.5, and 48.5 was read without 2 values that are no numbers, the first in \
                  line 4";
    assert_eq!(
        sums(total, &[("people.csv", unread)]),
        (sum(Some("48.5"), "48.5", "0", 2), Some(reason.to_owned()))
    );

    // Both differences are said.
    let both = "id;hours\n1;40.50\nTRL;3;48.5\n";
    let (_, reason) = sums(total, &[("people.csv", both)]);
    let expected = "the owner's total is 3 records, and 1 were read; the owner's sum of \"hours\" is 48.5, and 40.5 was read";
    assert_eq!(reason.as_deref(), Some(expected));
    let cut = "id;hours\n1;40.50\n";
    let (summed, reason) = sums(total, &[("people.csv", cut)]);
    assert_eq!((summed, reason.is_some()), (sum(None, "40.5", "0", 0), true));
}

#[test]
fn a_column_is_summed_that_is_not_kept() {
    let total = "file = \"people.count\"\nsum_key = \"hours\"\nsum_of = \"hours\"\ndecimal_mark = \",\"\n";
    let files = [("people.csv", "id;hours\n1;-0,1\n2;0,3\n"), ("people.count", "hours=0,2\n")];
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut definition = definition(total);
    definition.never_kept = vec!["hours".to_owned()];
    let read = read(&definition, folder.path()).unwrap();
    assert_eq!(read.summary.sum, Some(sum(Some("0.2"), "0.2", "0", 0)));
    assert_eq!((read.summary.reported_total, read.summary.complete), (None, true));
    assert_eq!(read.summary.schema, ["id"], "nothing of it is kept");
    // Without the column there is no sum.
    let error = read_of(total, &[("people.csv", "id;hour\n1;2\n"), ("people.count", "hours=2\n")]);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("total.sum_of: there is no column \"hours\": the nearest is \"hour\""), "{error}");
}

#[test]
fn an_expression_finds_the_trailer_record() {
    let total = "trailer_regex = '\\*+ (?P<count>\\d+) RECORDS(?:;(?P<sum>[-0-9.]+))?'\nsum_of = \"hours\"\n";
    let whole = "id;hours\n1;40.50\n2;8\n***  2 RECORDS\n";
    let read = read_of(total, &[("people.csv", whole)]).unwrap();
    assert_eq!(
        (read.records.len(), read.rejections.len()),
        (2, 1),
        "two blanks are not one: no trailer record"
    );
    let whole = "id;hours\n1;40.50\n2;8\n*** 2 RECORDS;48.50\n";
    let read = read_of(total, &[("people.csv", whole)]).unwrap();
    assert_eq!((read.records.len(), read.rejections.len()), (2, 0));
    assert_eq!(
        (read.summary.reported_total, read.summary.sum),
        (Some(2), Some(sum(Some("48.5"), "48.5", "0", 0)))
    );
    // The trailer record has no sum, and its definition wants one.
    let without = "id;hours\n1;40.50\n*** 1 RECORDS\n";
    let (_, reason) = sums(total, &[("people.csv", without)]);
    assert_eq!(reason.as_deref(), Some("the owner's sum is not there"));
}

/// A total that changed alone is noticed although the data did not change.
#[test]
fn a_source_with_a_file_of_its_total_is_always_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("people.csv"), "id;name\n1;Ada\n").unwrap();
    let digest = |total: &str| muster_sources::unread_digest(&definition(total), folder.path()).unwrap();
    assert!(digest(TRAILER).is_some());
    assert_eq!(digest("file = \"people.count\"\n"), None);
}

#[test]
fn totals_that_cannot_be_are_refused() {
    for (total, expected) in [
        (
            "",
            "total: expected trailer or file: a source of the kind \"delimited\" does not report a total by itself",
        ),
        (
            "trailer = \"T\"\n",
            "total.trailer: expected the form of a record in which {count} or {sum} stands, each once and apart, without \
             quotes",
        ),
        (
            "trailer_regex = 'T;(\\d+)'\n",
            "total.trailer_regex: expected the group (?P<count>...) or (?P<sum>...)",
        ),
        (
            "trailer = \"{count}\"\ntrailer_regex = '(?P<count>.*)'\n",
            "total: has trailer and trailer_regex: expected one place of the total",
        ),
        (
            "trailer = \"{count};{sum}\"\n",
            "total.sum_of: expected the column whose sum the trailer record has",
        ),
        (
            "trailer = \"{count}\"\nsum_of = \"name\"\n",
            "total.trailer: expected {sum} for the sum of total.sum_of",
        ),
        (
            "trailer_regex = '(?P<count>.*)'\nsum_of = \"name\"\n",
            "total.trailer_regex: expected the group (?P<sum>...) for the sum of total.sum_of",
        ),
        (
            "file = \"a\"\nsum_of = \"name\"\n",
            "total.sum_key: expected where the sum of total.sum_of is in the file",
        ),
        ("file = \"a\"\nsum_key = \"b\"\n", "total.sum_of: expected the column whose sum the file has"),
        (
            "trailer = \"{count}\"\nsum_key = \"a\"\n",
            "total.sum_of: expected the column whose sum the file has",
        ),
        ("file = \"a\"\ndecimal_mark = \"'\"\n", "total.decimal_mark: expected `.` or `,`"),
        (
            "trailer = \"{count}\"\nfile = \"a\"\n",
            "total: has trailer and file: expected one place of the total",
        ),
        ("query = \"SELECT 1\"\n", "total.query: a source of the kind \"delimited\" has no queries"),
        ("file = \"*/a\"\n", "total.file: expected `*` and `?` in its last part only"),
        ("trailer = \"{count}\"\nkey = \"a\"\n", "total.key: expected it only with total.file"),
    ] {
        assert!(fault(total).ends_with(expected), "{}", fault(total));
    }
    assert!(
        fault("trailer = \"{count}\"\non_difference = \"ignore\"\n").contains("expected `warn` or `refuse`")
    );
    let scim = "name = \"S\"\nkind = \"documents\"\n[documents]\npath = \"a\"\n[total]\nfile = \"b\"\n";
    let error = SourceDefinition::from_toml(scim, Path::new("s.toml")).unwrap_err().to_string();
    assert!(error.ends_with("total: expected a source of accounts: documents are not counted"), "{error}");
}
