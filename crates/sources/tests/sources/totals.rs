//! The owner's total against what was read; every number was counted by hand.

use std::path::Path;

use muster_sources::{ReadError, SourceDefinition};

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
            "total.trailer: expected the form of a record in which {count} stands once, without quotes",
        ),
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
