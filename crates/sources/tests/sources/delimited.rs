//! Torture files, written here as bytes; every expectation was counted by hand.

use std::io::Write;

use muster_sources::delimited::{MAX_COLUMNS, MAX_FIELD_BYTES, MAX_RECORD_BYTES};
use muster_sources::{DelimitedSettings, FlagRule, ReadError};

use crate::support::{definition, read, read_all, read_bytes};

fn records(bytes: &[u8]) -> Vec<String> {
    let outcome = read_bytes(bytes, |_| {}).unwrap();
    assert_eq!(outcome.rejection_texts(), [""; 0]);
    assert!(outcome.summary.complete);
    outcome.records
}

fn rejections(bytes: &[u8]) -> Vec<String> {
    read_bytes(bytes, |_| {}).unwrap().rejection_texts()
}

#[test]
fn lines_are_physical_lines_for_every_line_end() {
    let expected = ["2 1 {id=1, n=a}", "4 2 {id=2, n=b\nc}", "7 3 {id=3}"];
    // Line 3 is blank, the second record has a line end in quotes, line 6 is blank, the last has no line end.
    assert_eq!(records(b"id,n\n1,a\n\n2,\"b\nc\"\n\n3,"), expected);
    let windows = records(b"id,n\r\n1,a\r\n\r\n2,\"b\r\nc\"\r\n\r\n3,\r\n\r\n\r\n");
    assert_eq!(windows, ["2 1 {id=1, n=a}", "4 2 {id=2, n=b\r\nc}", "7 3 {id=3}"]);
    let old_mac = records(b"id,n\r1,a\r\r2,\"b\rc\"\r\r3,\r");
    assert_eq!(old_mac, ["2 1 {id=1, n=a}", "4 2 {id=2, n=b\rc}", "7 3 {id=3}"]);
    // LF CR is two line ends, and a CR that closes a field's text is not the line's.
    assert_eq!(records(b"id,n\n\r1,\"a\r\"\n2,b"), ["3 1 {id=1, n=a\r}", "5 2 {id=2, n=b}"]);
}

#[test]
fn quotes_are_undone_and_bare_quotes_are_themselves() {
    let got = records(b"id,n\n\"1\",\"say \"\"hi\"\", \"\"\"\n2,5\" pipe\n3,\"\"\n\"4\",\" x \"\n");
    let expected =
        ["2 1 {id=1, n=say \"hi\", \"}", "3 2 {id=2, n=5\" pipe}", "4 3 {id=3}", "5 4 {id=4, n= x }"];
    assert_eq!(got, expected);
}

#[test]
fn a_byte_order_mark_wins_over_the_declared_encoding() {
    assert_eq!(records(b"\xef\xbb\xbfid,n\n1,\xc3\xa9\n"), ["2 1 {id=1, n=é}"]);
    let utf16 = |big_endian: bool| {
        let units = "\u{feff}id,n\n1,é漢😀\n".encode_utf16();
        units
            .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect::<Vec<_>>()
    };
    assert_eq!(records(&utf16(false)), ["2 1 {id=1, n=é漢😀}"]);
    assert_eq!(records(&utf16(true)), ["2 1 {id=1, n=é漢😀}"]);
    let latin = read_bytes(b"id;n\n1;M\xfcller\n", |settings| {
        settings.encoding = "iso-8859-1".to_owned();
        settings.delimiter = ';';
    });
    assert_eq!(latin.as_ref().unwrap().records, ["2 1 {id=1, n=Müller}"]);
    assert_eq!(latin.as_ref().unwrap().summary.warnings, [""; 0]);
    let disguised =
        read_bytes("id\nM\u{fc}ller\n".as_bytes(), |settings| settings.encoding = "latin1".to_owned());
    let warning = "the file is UTF-8 and is read as windows-1252: expected `encoding` \"utf-8\"";
    assert_eq!(disguised.unwrap().summary.warnings, [warning]);
    let overruled =
        read_bytes(b"\xef\xbb\xbfid\n\xc3\xa9\n", |settings| settings.encoding = "latin1".to_owned());
    assert_eq!(overruled.unwrap().records, ["2 é {id=é}"]);
}

#[test]
fn faults_of_a_row_reject_that_row_and_reading_goes_on() {
    let file = b"id,n,m\n1,a\n2,a,b,c\n ,a,b\n\"4\"x,a,b\n5,\xff,b\n\xff6,a,b\n7,a,\"b\"\n";
    let outcome = read_bytes(file, |_| {}).unwrap();
    assert_eq!(outcome.records, ["8 7 {id=7, n=a, m=b}"]);
    assert_eq!(
        outcome.rejection_texts(),
        [
            "2 1: too few fields: found 2 of 3",
            "3 2: too many fields: found 4 of 3",
            "4 -: field 1 (\"id\") is blank: expected the native identity",
            "5 -: field 1 (\"id\") has text after its closing quote: expected the delimiter or the line's end",
            "6 5: field 2 (\"n\") is not valid UTF-8",
            "7 -: field 1 (\"id\") is not valid UTF-8",
        ]
    );
    assert!(outcome.summary.complete, "rejected rows do not make a read incomplete");
    assert_eq!((outcome.summary.read, outcome.summary.rejected), (7, 6));
    assert_eq!(outcome.summary.rejected_without_key, 3);
}

#[test]
fn an_unclosed_quote_is_rejected_and_makes_the_read_incomplete() {
    let outcome = read_bytes(b"id,n\n1,a\n2,\"b\n3,c\n", |_| {}).unwrap();
    assert_eq!(outcome.records, ["2 1 {id=1, n=a}"]);
    let expected = "3 2: field 2 (\"n\") begins with a quote that is not closed before the end of the file";
    assert_eq!(outcome.rejection_texts(), [expected]);
    assert_eq!(outcome.summary.incomplete_reason.as_deref(), Some("the file ends inside a quoted field"));
}

#[test]
fn invalid_bytes_at_the_ends_are_not_lost() {
    // A cut character at the end of the file, and one alone on its line.
    assert_eq!(rejections(b"id,n\n1,a\xc3"), ["2 1: field 2 (\"n\") is not valid UTF-8"]);
    assert_eq!(rejections(b"id\n\xff\n"), ["2 -: field 1 (\"id\") is not valid UTF-8"]);
    // Half a UTF-16 unit behind the last line end.
    let mut utf16: Vec<u8> = "\u{feff}id\n1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    utf16.push(0x41);
    let outcome = read_bytes(&utf16, |_| {}).unwrap();
    assert_eq!(outcome.records, ["2 1 {id=1}"]);
    assert_eq!(outcome.rejection_texts(), ["3 -: field 1 (\"id\") is not valid UTF-16LE"]);
}

#[test]
fn bounds_reject_one_record_and_keep_its_identity() {
    let line = |id: &str, field: usize| format!("{id},{}\n", "x".repeat(field));
    let file =
        format!("id,n\n{}{}{}", line("1", MAX_FIELD_BYTES), line("2", MAX_FIELD_BYTES + 1), line("3", 1));
    let outcome = read_bytes(file.as_bytes(), |_| {}).unwrap();
    assert_eq!(outcome.records.len(), 2);
    assert_eq!(
        outcome.rejection_texts(),
        ["3 2: field 2 (\"n\") is too long: expected at most 1048576 bytes"]
    );

    let cells = MAX_RECORD_BYTES / MAX_FIELD_BYTES;
    let header: String = (0..=cells).map(|cell| format!(",n{cell}")).collect();
    let long = format!(",{}", "x".repeat(MAX_FIELD_BYTES)).repeat(cells);
    let empty = ",".repeat(cells);
    let file = format!("id{header}\n1{long},\n2{empty},\n");
    let outcome = read_bytes(file.as_bytes(), |_| {}).unwrap();
    assert_eq!(outcome.records, ["3 2 {id=2}"]);
    assert_eq!(outcome.rejection_texts(), ["2 1: the record is too long: expected at most 16777216 bytes"]);
}

#[test]
fn columns_are_bounded_in_the_header_and_counted_in_records() {
    let header =
        |columns: usize| (1..columns).fold("id".to_owned(), |header, number| header + &format!(",n{number}"));
    let too_many = ",".repeat(MAX_COLUMNS + 5);
    let file = format!("{}\n1{too_many}\n2{}\n", header(MAX_COLUMNS), &too_many[..MAX_COLUMNS - 1]);
    let outcome = read_bytes(file.as_bytes(), |_| {}).unwrap();
    assert_eq!(outcome.records, ["3 2 {id=2}"]);
    assert_eq!(outcome.rejection_texts(), ["2 1: too many fields: found 16390 of 16384"]);
    let error = read_bytes(header(MAX_COLUMNS + 1).as_bytes(), |_| {}).err().unwrap().to_string();
    assert!(error.ends_with("input.csv:1:16385: expected at most 16384 columns"), "{error}");
}

#[test]
fn a_tail_swallowed_by_a_quote_is_bounded_and_incomplete() {
    let file = format!("id,n\n1,\"{}", "2,b\n".repeat(MAX_FIELD_BYTES));
    let outcome = read_bytes(file.as_bytes(), |_| {}).unwrap();
    assert_eq!(
        outcome.rejection_texts(),
        ["2 1: field 2 (\"n\") is too long: expected at most 1048576 bytes"]
    );
    assert!(!outcome.summary.complete);
}

#[test]
fn flags_come_from_booleans_or_from_listed_values() {
    let file = b"id,off,kind\n1,TRUE,Service\n2,no,person\n3,,ADMIN\n4, 1 ,\n5,maybe,admin\n";
    let outcome = read_bytes(file, |settings| {
        let values = |values: &[&str]| Some(values.iter().map(|&value| value.to_owned()).collect());
        settings.disabled = Some(FlagRule { column: "off".to_owned(), values: None });
        settings.system = Some(FlagRule { column: "kind".to_owned(), values: values(&["service"]) });
        settings.privileged =
            Some(FlagRule { column: "kind".to_owned(), values: values(&["service", "admin"]) });
        settings.attributes = Some(vec!["id".to_owned()]);
    })
    .unwrap();
    assert_eq!(outcome.records, ["2 1 [dsp] {id=1}", "3 2 {id=2}", "4 3 [p] {id=3}", "5 4 [d] {id=4}"]);
    let expected = "6 5: field 2 (\"off\") is not readable: expected true, false, yes, no, 1, 0 or blank";
    assert_eq!(outcome.rejection_texts(), [expected]);
    assert_eq!(outcome.summary.warnings, [""; 0], "columns that serve as flags are not ignored");
}

#[test]
fn names_multi_values_and_entitlements() {
    let file = b"id,full,guid,groups,roles\n1,Ann,g1, a ;;b ,x\n1,,,c,\n2,Bob,g2,;,y\n";
    let outcome = read_bytes(file, |settings| {
        settings.name_column = Some("full".to_owned());
        settings.display_name = Some("full".to_owned());
        settings.uuid = Some("guid".to_owned());
        settings.multi_valued = vec!["groups".to_owned()];
        settings.entitlements = vec!["groups".to_owned(), "roles".to_owned()];
        settings.attributes = Some(vec!["roles".to_owned(), "groups".to_owned()]);
    })
    .unwrap();
    assert_eq!(
        outcome.records,
        [
            "2 1 Ann/Ann/g1 {roles=x, groups=a|b} x|a|b",
            "3 1 -/-/- {groups=c} c",
            "4 2 Bob/Bob/g2 {roles=y} y",
        ]
    );
    assert_eq!(outcome.summary.schema, ["roles", "groups"]);
}

#[test]
fn surplus_and_optional_columns_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input.csv"), b"id,a,,b,\n1,x,?,y,?\n").unwrap();
    let mut definition = definition(DelimitedSettings {
        attributes: Some(vec!["b".to_owned(), "c".to_owned()]),
        display_name: Some("d".to_owned()),
        entitlements: vec!["c".to_owned()],
        locked: Some(FlagRule { column: "e".to_owned(), values: None }),
        ..DelimitedSettings::new("input.csv", "id")
    });
    definition.optional = ["c", "d", "e"].map(str::to_owned).to_vec();
    let outcome = read(&definition, folder.path()).unwrap();
    assert_eq!(outcome.records, ["2 1 {b=y}"]);
    assert_eq!(outcome.summary.schema, ["b"]);
    assert_eq!(
        outcome.summary.warnings,
        [
            "display_name: the header has no column \"d\"",
            "entitlements: the header has no column \"c\"",
            "locked: the header has no column \"e\"",
            "columns without a name are ignored: 2",
            "attributes: the header has no column \"c\"",
            "attributes: columns that are not listed are ignored: \"a\"",
        ]
    );
}

/// Without these the access, the links or the states of a whole source are gone, and nobody is told.
#[test]
fn a_column_that_is_named_and_missing_fails_the_source() {
    let text = |key: &str| {
        format!(
            "name = \"A\"\nkind = \"delimited\"\n[delimited]\npath = \"input.csv\"\nnative_identity = \"id\"\n{key}"
        )
    };
    let profile = |mapping: &str| {
        format!("[profile]\nname = \"P\"\npriority = 1\n[[profile.attributes]]\nname = \"uid\"\n{mapping}\n")
    };
    let cases = [
        ("entitlements = [\"memberOf\"]\n".to_owned(), "delimited.entitlements", "memberOf"),
        ("multi_valued = [\"memberOf\"]\n".to_owned(), "delimited.multi_valued", "memberOf"),
        ("attributes = [\"memberOf\"]\n".to_owned(), "delimited.attributes", "memberOf"),
        ("display_name = \"memberOf\"\n".to_owned(), "delimited.display_name", "memberOf"),
        ("locked = { column = \"memberOf\" }\n".to_owned(), "delimited.locked", "memberOf"),
        (profile("from = \"memberOf\""), "profile.attributes[0]", "memberOf"),
        (profile("template = \"{id}-{memberOf}\""), "profile.attributes[0]", "memberOf"),
        (
            "[[correlation]]\nidentity_attribute = \"uid\"\naccount_attribute = \"memberOf\"\n".to_owned(),
            "correlation[0].account_attribute",
            "memberOf",
        ),
        (
            profile("from = \"id\"") + "[lifecycle]\nattribute = \"memberOf\"\nstates = { x = \"y\" }\n",
            "lifecycle.attribute",
            "memberOf",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (key, named, column) in cases {
        let definition = muster_sources::SourceDefinition::from_toml(&text(&key), folder.path()).unwrap();
        std::fs::write(folder.path().join("input.csv"), format!("id,{column}\n1,x\n")).unwrap();
        assert!(read(&definition, folder.path()).is_ok(), "{key}");
        // The next export writes it otherwise.
        std::fs::write(folder.path().join("input.csv"), "id,MemberOf\n1,x\n").unwrap();
        let error = read(&definition, folder.path()).err().unwrap();
        assert!(matches!(error, ReadError::Header { .. }));
        let expected = format!(
            "input.csv:1:0: {named}: there is no column \"memberOf\": the nearest is \"MemberOf\"; expected one of \"id\", \"MemberOf\", or the name among `optional`"
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
        let optional = format!("optional = [\"memberOf\"]\n{}", text(&key));
        let definition = muster_sources::SourceDefinition::from_toml(&optional, folder.path()).unwrap();
        assert_eq!(read(&definition, folder.path()).unwrap().records.len(), 1, "{key}");
    }
}

#[test]
fn lines_before_the_header_and_comments_are_not_read() {
    let skip = |lines: u32| move |settings: &mut DelimitedSettings| settings.skip_lines = lines;
    let comments = |settings: &mut DelimitedSettings| {
        settings.comments = ["#", "sep="].map(str::to_owned).to_vec();
    };
    // What a quote or a delimiter is does not matter in a line that is skipped, nor does its encoding.
    let file = b"#TYPE \"x, \"y\r\nid,n\r\n1,a\r\n";
    assert_eq!(read_bytes(file, skip(1)).unwrap().records, ["3 1 {id=1, n=a}"]);
    assert_eq!(read_bytes(b"a\r\r\n\xff\rid\r1", skip(3)).unwrap().records, ["5 1 {id=1}"]);
    let file = b"sep=,\n# \"a, \xff\n#\nid,n\n1,#a\n#2,b\n\"#3\",c\nse,d\nsep,e\n#";
    let outcome = read_bytes(file, comments).unwrap();
    assert_eq!(
        outcome.records,
        ["5 1 {id=1, n=#a}", "7 #3 {id=#3, n=c}", "8 se {id=se, n=d}", "9 sep {id=sep, n=e}"]
    );
    assert_eq!((outcome.rejections.len(), outcome.summary.complete), (0, true));
    let none = read_bytes(b"#\n#", comments).err().unwrap().to_string();
    assert!(none.ends_with("input.csv:2:0: expected a header and found the end of the file"), "{none}");
}

#[test]
fn a_message_shows_the_header_and_what_it_may_be() {
    let cases: [(&[u8], &str); 5] = [
        (
            b"#TYPE Person\nid\n",
            " \"#TYPE Person\" (is this a line before the header? `skip_lines = 1` leaves it out)",
        ),
        (b"sep=;\nid;n\n", " \"sep=;\" (is this a line before the header? `skip_lines = 1` leaves it out)"),
        (
            b"version:v1.0,,\nid\n",
            " \"version:v1.0\", \"\", \"\" (is this a line before the header? `skip_lines = 1` leaves it out)",
        ),
        (b"id;n\n1;a\n", " \"id;n\" (the header is one column: is the `delimiter` \";\"?)"),
        (
            b"i\0d\0\n\0",
            " \"i\\0d\\0\" (the header has NUL characters: is `encoding` \"utf-16le\" or \"utf-16be\"?)",
        ),
    ];
    for (bytes, expected) in cases {
        let error = read_bytes(bytes, |_| {}).err().unwrap().to_string();
        let start = "delimited.native_identity: there is no column \"id\": ";
        assert!(error.contains(start) && error.ends_with(expected), "{error}");
    }
}

#[test]
fn names_of_columns_have_no_blanks_and_no_marks_around_them() {
    assert_eq!(records(b"\xef\xbb\xbf\xef\xbb\xbf\"id\", n \n1, a \n"), ["2 1 {id=1, n= a }"]);
    assert_eq!(records("\u{feff}\u{a0}\u{feff}id\u{feff},n\n1,a".as_bytes()), ["2 1 {id=1, n=a}"]);
    let error = read_bytes(b"id,n, n\n", |_| {}).err().unwrap().to_string();
    assert!(error.ends_with("input.csv:1:3: expected distinct names, and \"n\" is column 2 too"), "{error}");
}

#[test]
fn passwords_are_not_kept_and_can_tell_flags() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input.csv"), b"id,passwd,PIN,pinned\n1,!,1234,x\n2,$6$x,1,y\n")
        .unwrap();
    let mut definition = definition(DelimitedSettings {
        disabled: Some(FlagRule { column: "passwd".to_owned(), values: Some(vec!["!".to_owned()]) }),
        ..DelimitedSettings::new("input.csv", "id")
    });
    definition.never_kept = vec!["pin".to_owned()];
    let outcome = read(&definition, folder.path()).unwrap();
    assert_eq!(outcome.records, ["2 1 [d] {id=1, pinned=x}", "3 2 {id=2, pinned=y}"]);
    assert_eq!(outcome.summary.schema, ["id", "pinned"]);
    assert_eq!(outcome.summary.warnings, ["\"passwd\" is never kept", "\"PIN\" is never kept"]);
}

/// There may be a rejection for each record: with whole names, thousands of them would need gigabytes.
#[test]
fn long_names_of_columns_are_cut_in_messages() {
    let name = "n".repeat(100_000);
    let cut = format!("\"{}\"...", "n".repeat(80));
    let outcome = read_bytes(format!("id,{name}\n1,\"x\"y\n").as_bytes(), |_| {}).unwrap();
    let behind = "has text after its closing quote: expected the delimiter or the line's end";
    assert_eq!(outcome.rejection_texts(), [format!("2 1: field 2 ({cut}) {behind}")]);
    let listed = |settings: &mut DelimitedSettings| settings.attributes = Some(vec!["id".to_owned()]);
    let outcome = read_bytes(format!("id,{name}\n").as_bytes(), listed).unwrap();
    let ignored = "attributes: columns that are not listed are ignored";
    assert_eq!(outcome.summary.warnings, [format!("{ignored}: {cut}")]);
    let many: String = (0..25).map(|number| format!(",c{number}")).collect();
    let outcome = read_bytes(format!("id{many}\n").as_bytes(), listed).unwrap();
    assert!(
        outcome.summary.warnings[0].ends_with("\"c18\", \"c19\" and 5 more"),
        "{:?}",
        outcome.summary.warnings
    );
}

#[test]
fn a_header_that_cannot_be_used_fails_the_source() {
    let flag = |settings: &mut DelimitedSettings| {
        settings.locked = Some(FlagRule { column: "locked".to_owned(), values: None });
    };
    let cases: [(&[u8], &str); 6] = [
        (b"", ":1:0: expected a header and found the end of the file"),
        (b"\n\r\n", ":3:0: expected a header and found the end of the file"),
        (
            b"\nname,mail\n",
            ":2:0: delimited.native_identity: there is no column \"id\": expected one of \"name\", \"mail\"",
        ),
        (b"id,n,m,n\n", ":1:4: expected distinct names, and \"n\" is column 2 too"),
        (b"id,n\xff\n", ":1:2: the header is not valid UTF-8"),
        (b"id,\"n\n", ":1:2: the header begins with a quote that is not closed before the end of the file"),
    ];
    for (bytes, expected) in cases {
        let error = read_bytes(bytes, |_| {}).err().unwrap();
        assert!(matches!(error, ReadError::Header { .. }));
        assert!(error.to_string().ends_with(&format!("input.csv{expected}")), "{error}");
    }
    let error = read_bytes(b"id\n1\n", flag).err().unwrap().to_string();
    assert!(
        error.ends_with("input.csv:1:0: delimited.locked: there is no column \"locked\": expected one of \"id\", or the name among `optional`"),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_opened_or_read_fails_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |path| read(&definition(DelimitedSettings::new(path, "id")), folder.path()).err().unwrap();
    let absent = fails("absent.csv");
    assert!(absent.to_string().starts_with("cannot open "), "{absent}");
    assert!(std::error::Error::source(&absent).is_some());
    assert!(fails(".").to_string().ends_with(": expected a file"));
}

#[test]
fn a_file_that_grows_or_is_left_early_is_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.csv");
    std::fs::write(&path, "id\n1\n").unwrap();
    let definition = definition(DelimitedSettings::new("input.csv", "id"));
    let reader = muster_sources::open(&definition, folder.path()).unwrap();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"2\n").unwrap();
    let summary = read_all(reader).unwrap().summary;
    assert_eq!(summary.incomplete_reason.as_deref(), Some("the file changed while it was read"));

    let unread = muster_sources::open(&definition, folder.path()).unwrap().finish().unwrap();
    assert_eq!(unread.incomplete_reason.as_deref(), Some("the file was not read to its end"));
    assert_eq!(unread.read, 0);
}

#[test]
fn the_digest_is_that_of_the_raw_bytes() {
    // printf 'id\r\nabc\r\n' | sha256sum
    let outcome = read_bytes(b"id\r\nabc\r\n", |_| {}).unwrap();
    assert_eq!(outcome.summary.bytes, 9);
    assert_eq!(
        outcome.summary.digest_sha256,
        "985ae5940ffefecc686e8d23ab2e09b70086beeaa3949765c78d3490e1968c42"
    );
}

#[test]
fn many_records_come_in_several_batches() {
    let mut file = "id,n\n".to_owned();
    for number in 0..20_000 {
        file += &format!("{number},\"a\n{}\"\n", "é".repeat(number % 50));
    }
    let got = records(file.as_bytes());
    assert_eq!(got.len(), 20_000);
    // Every record has two lines, the header one.
    assert_eq!(got[19_999], format!("40000 19999 {{id=19999, n=a\n{}}}", "é".repeat(49)));
}
