//! Files of search documents: what becomes of each line, and what is said of those that become nothing.

use std::path::Path;

use muster_sources::documents::{
    DocumentReader, MAX_DEPTH, MAX_DOCUMENT_BYTES, TypedBatch, to_batch, to_json,
};
use muster_sources::{DocumentType, DocumentsSettings, ReadError, ReadSummary, Rejection};
use serde_json::{Value, json};

use crate::support::definition_of;

/// All that one read of a file of documents gave.
pub struct Read {
    /// Line, kind and document, in the order of the lines.
    pub documents: Vec<(u64, DocumentType, Value)>,
    pub rejections: Vec<Rejection>,
    pub summary: ReadSummary,
    /// Documents and rejections of each batch.
    pub batches: Vec<usize>,
}

fn open(settings: &DocumentsSettings, base_dir: &Path) -> Result<DocumentReader, ReadError> {
    let definition = definition_of(settings.clone());
    let reader = muster_sources::open_documents(&definition, base_dir, &|_| None)?;
    Ok(reader.expect("a source of documents"))
}

/// Reads a file to its end and checks what holds for every read.
pub fn read_file(settings: &DocumentsSettings, base_dir: &Path) -> Result<Read, ReadError> {
    let mut reader = open(settings, base_dir)?;
    let (mut documents, mut rejections, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(batch) = reader.next_batch()? {
        let rows = batch.documents.iter().map(|typed| typed.records.num_rows()).sum::<usize>();
        assert!(rows + batch.rejections.len() > 0, "a batch holds something");
        batches.push(rows + batch.rejections.len());
        for TypedBatch { document_type, records, lines } in batch.documents {
            assert_eq!(records.schema(), muster_sources::documents::schema(document_type));
            assert_eq!(records.num_rows(), lines.len());
            assert!(!lines.is_empty(), "a typed batch holds something");
            for (row, line) in lines.into_iter().enumerate() {
                documents.push((line, document_type, to_json(&records, row).unwrap()));
            }
        }
        rejections.extend(batch.rejections);
    }
    documents.sort_by_key(|(line, ..)| *line);
    let summary = reader.finish()?;
    assert_eq!(summary.read, (documents.len() + rejections.len()) as u64);
    assert_eq!(summary.rejected, rejections.len() as u64);
    assert_eq!(summary.complete, summary.incomplete_reason.is_none());
    Ok(Read { documents, rejections, summary, batches })
}

/// Writes `bytes` to a file of that name and reads it.
pub fn read_named(name: &str, bytes: &[u8], index: Option<DocumentType>) -> Result<Read, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    read_file(&DocumentsSettings { path: name.to_owned(), index }, folder.path())
}

fn read_lines(text: impl AsRef<[u8]>) -> Read {
    read_named("documents.ndjson", text.as_ref(), None).unwrap()
}

/// `line id: reason`, a missing id being `-`.
fn texts(rejections: &[Rejection]) -> Vec<String> {
    let text = |rejection: &Rejection| {
        let id = rejection.native_identity.as_deref().unwrap_or("-");
        format!("{} {id}: {}", rejection.line, rejection.reason)
    };
    rejections.iter().map(text).collect()
}

/// The ids of what was accepted, each with its line.
fn accepted(read: &Read) -> Vec<(u64, &str)> {
    read.documents.iter().map(|(line, _, document)| (*line, document["id"].as_str().unwrap())).collect()
}

const ROLE: &str = r#"{"_type":"role","id":"r1","name":"Role","accessProfileCount":0}"#;

#[test]
fn bad_lines_are_rejected_and_the_rest_is_read() {
    let deep = format!(r#"{{"_type":"role","id":"x","unknown":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let hostile = format!("{{\"id\":{}", "[".repeat(100_000));
    let lines = [
        ("\u{feff}{\"_type\":\"role\",\"id\":\"r1\"}\r", ""),
        ("", ""),
        ("  \t\r", ""),
        (
            r#"{"_type":"role","id":"r4","#,
            "4 -: cannot be read as JSON: EOF while parsing a value, at byte 26",
        ),
        (
            r#"{"_type":"role","id":"r5","enabled":"perhaps"}"#,
            "5 r5: enabled is a text: expected true or false",
        ),
        (
            r#"{"_type":"role","id":"r6","id":"r7"}"#,
            "6 -: cannot be read as JSON: \"id\" is given twice in one object, at byte 30",
        ),
        (r#"["role"]"#, "7 -: is a list: expected an object, which is a document"),
        (r#"{"_type":"role"}"#, "8 -: id is missing: expected the document's id"),
        (r#"{"_type":"role","id":" "}"#, "9 -: id is blank: expected the document's id"),
        (r#"{"_type":"role","id":7}"#, "10 -: id is a number: expected a text"),
        (
            r#"{"_type":"campaign","id":"c"}"#,
            "11 c: _type names no kind of search document: expected one of identity, accessprofile, \
             accountactivity, entitlement, event, role",
        ),
        (
            r#"{"_type":"role","id":"r12"} {}"#,
            "12 -: cannot be read as JSON: trailing characters, at byte 29",
        ),
        (&deep, "13 -: cannot be read as JSON: nested too deep: expected at most 32 levels, at byte 67"),
        (&hostile, "14 -: cannot be read as JSON: nested too deep: expected at most 32 levels, at byte 38"),
        (r#"{"_type":"role","id":"\ud800"}"#, "15 -: cannot be read as JSON: unexpected end of hex escape"),
        (r#"{"_type":"role","id":"r16","name":1e999}"#, "16 -: cannot be read as JSON: number out of range"),
        (r#"{"_type":"role","id":"r17"}"#, ""),
    ];
    assert_eq!(MAX_DEPTH, 32);
    let text = lines.map(|(line, _)| line).join("\n");
    let read = read_lines(text);
    assert_eq!(accepted(&read), [(1, "r1"), (17, "r17")]);
    let expected: Vec<_> =
        lines.iter().map(|(_, reason)| *reason).filter(|reason| !reason.is_empty()).collect();
    let found = texts(&read.rejections);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nexpected {expected}");
    }
    assert!(read.summary.complete);
    assert_eq!(read.summary.warnings, [""; 0]);
}

#[test]
fn bytes_that_are_no_text_spoil_their_line_only() {
    let mut bytes = format!("{ROLE}\n{{\"_type\":\"role\",\"id\":\"").into_bytes();
    bytes.extend(b"\xff\xfe\xc3\"}\n");
    bytes.extend(ROLE.replace("r1", "r3").bytes());
    let read = read_lines(&bytes);
    assert_eq!(accepted(&read), [(1, "r1"), (3, "r3")]);
    assert_eq!(texts(&read.rejections), ["2 -: is not valid UTF-8"]);
    assert_eq!(read.summary.bytes, bytes.len() as u64);
}

#[test]
fn a_line_past_the_bound_is_rejected_and_one_at_the_bound_is_not() {
    let line = |id: &str, bytes: usize| {
        let start = format!("{{\"_type\":\"role\",\"id\":\"{id}\",\"name\":\"");
        let name = "n".repeat(bytes - start.len() - 2);
        format!("{start}{name}\"}}\n")
    };
    let text =
        format!("{}{}{ROLE}\n", line("long", MAX_DOCUMENT_BYTES), line("longer", MAX_DOCUMENT_BYTES + 1));
    let read = read_lines(text);
    assert_eq!(accepted(&read), [(1, "long"), (3, "r1")]);
    assert_eq!(texts(&read.rejections), ["2 -: is too long: expected at most 16777216 bytes"]);
    assert!(read.summary.complete);
}

#[test]
fn a_document_of_too_many_values_is_rejected() {
    let text = format!("{{\"id\":\"r\",\"tags\":[{}0]}}\n{ROLE}", "0,".repeat(1_000_000));
    let read = read_lines(text);
    assert_eq!(accepted(&read), [(2, "r1")]);
    let [text] = &texts(&read.rejections)[..] else { panic!("one rejection") };
    assert!(
        text.starts_with("1 -: cannot be read as JSON: too many values: expected at most 1000000"),
        "{text}"
    );
}

#[test]
fn a_file_that_ends_inside_a_document_was_not_read_whole() {
    let whole = read_lines(format!("{ROLE}\n{{\"id\":\"x\"\n"));
    assert!(whole.summary.complete, "the line was ended, so it is bad but not cut off");
    let cut = read_lines(format!("{ROLE}\n{{\"id\":\"x\""));
    assert_eq!(cut.summary.incomplete_reason.as_deref(), Some("the file ends in the middle of a document"));
    assert_eq!((cut.summary.read, cut.summary.rejected), (2, 1));
    let empty = read_lines("");
    assert!(empty.summary.complete && empty.documents.is_empty());
    assert_eq!(empty.summary.read, 0);
}

#[test]
fn a_read_that_was_broken_off_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.ndjson"), ROLE).unwrap();
    let settings = DocumentsSettings { path: "a.ndjson".to_owned(), index: None };
    let reader = open(&settings, folder.path()).unwrap();
    let summary = reader.finish().unwrap();
    assert_eq!(summary.incomplete_reason.as_deref(), Some("the file was not read to its end"));
}

#[test]
fn batches_are_bounded_and_keep_each_kind_apart() {
    let text: String = (0..10_000)
        .map(|number| match number % 3 {
            0 => format!("{{\"_type\":\"role\",\"id\":\"{number}\"}}\n"),
            1 => format!("{{\"_type\":\"event\",\"id\":\"{number}\"}}\n"),
            _ => "{}\n".to_owned(),
        })
        .collect();
    let read = read_lines(text);
    assert_eq!(read.batches, [4096, 4096, 1808]);
    let roles = read.documents.iter().filter(|(_, kind, _)| *kind == DocumentType::Roles).count();
    assert_eq!((roles, read.documents.len(), read.rejections.len()), (3334, 6667, 3333));
    for (line, _, document) in &read.documents {
        assert_eq!(document["id"], (line - 1).to_string());
    }
}

#[test]
fn unpublished_fields_are_counted_once_for_each_name() {
    let text = [
        r#"{"_type":"role","_version":"v7","pod":"p","org":"o","type":"role","id":"1","colour":1}"#,
        r#"{"_type":"role","id":"2","colour":2,"owner":{"id":"o","shoe":9},"segments":[{"_type":1},{"_type":2}]}"#,
        r#"{"_type":"event","id":"3","colour":3,"attributes":{"anything":true}}"#,
        r#"{"_type":"event","id":"4","attributes":7,"hat":1}"#,
    ];
    let read = read_lines(text.join("\n"));
    assert_eq!(read.documents.len(), 3);
    let expected = [
        r#"events: "colour" is not a published field and was left out, 1 times"#,
        r#"roles: "colour" is not a published field and was left out, 2 times"#,
        r#"roles: owner."shoe" is not a published field and was left out, 1 times"#,
        r#"roles: segments."_type" is not a published field and was left out, 2 times"#,
    ];
    assert_eq!(read.summary.warnings, expected);
}

#[test]
fn the_list_of_unpublished_fields_is_bounded() {
    let fields: String = (0..1_000).map(|number| format!(",\"{}{number:04}\":1", "x".repeat(200))).collect();
    let read = read_lines(format!("{{\"_type\":\"role\",\"id\":\"1\",\"b\":0{fields}}}"));
    // The names are the same as far as they are shown.
    let long =
        format!(r#"roles: "{}"... is not a published field and was left out, 1000 times"#, "x".repeat(80));
    let expected = [r#"roles: "b" is not a published field and was left out, 1 times"#.to_owned(), long];
    assert_eq!(read.summary.warnings, expected);
    let fields: String = (0..150).map(|number| format!(",\"f{number:03}\":1")).collect();
    let read = read_lines(format!("{{\"_type\":\"role\",\"id\":\"1\"{fields}}}"));
    assert_eq!(read.summary.warnings.len(), 101);
    assert_eq!(read.summary.warnings[100], "further fields that are not published were left out, 50 times");
}

#[test]
fn what_tells_the_kind_of_a_document() {
    use DocumentType::{AccessProfiles, AccountActivities, Entitlements, Events, Identities, Roles};
    let ambiguous = "its fields do not tell which of accessprofiles, roles it is: expected _type to say it";
    let no_telling = "its fields do not tell which of identities, accessprofiles, accountactivities, \
                      entitlements, events, roles it is: expected _type to say it";
    let cases = [
        (json!({"_type": "accessprofile"}), None, Ok(AccessProfiles)),
        (json!({"_type": "accountactivities"}), None, Ok(AccountActivities)),
        (json!({"_type": null, "type": "entitlement"}), None, Ok(Entitlements)),
        // An event's own type is not the kind.
        (json!({"type": "PROVISIONING", "technicalName": "A", "action": "b"}), None, Ok(Events)),
        (json!({"type": "ROLE", "technicalName": "A"}), None, Ok(Events)),
        (json!({"name": "n", "accounts": []}), None, Ok(Identities)),
        (json!({"name": "n", "accessProfiles": []}), None, Ok(Roles)),
        (json!({"name": "n", "enabled": true, "source": {}}), None, Ok(AccessProfiles)),
        (json!({"requester": {}, "stage": "Completed"}), None, Ok(AccountActivities)),
        (json!({"hash": "", "schema": "group"}), None, Ok(Entitlements)),
        (json!({"name": "n", "enabled": true}), None, Err(ambiguous)),
        (json!({}), None, Err(no_telling)),
        (json!({"name": "n", "enabled": true}), Some(Roles), Ok(Roles)),
        (json!({"type": "identity"}), Some(Roles), Ok(Roles)),
        (
            json!({"_type": "identity"}),
            Some(Roles),
            Err("_type makes it one of identities: the definition expects roles"),
        ),
        (
            json!({"_type": ["role"]}),
            Some(Roles),
            Err("_type is a list: expected one of identity, accessprofile, accountactivity, entitlement, \
                 event, role"),
        ),
    ];
    for (mut document, index, expected) in cases {
        document["id"] = json!("i");
        let read = read_named("a.ndjson", document.to_string().as_bytes(), index).unwrap();
        let found = match (&read.documents[..], &read.rejections[..]) {
            ([(1, kind, _)], []) => Ok(*kind),
            ([], [rejection]) => Err(rejection.reason.as_str()),
            other => panic!("{document}: {other:?}"),
        };
        assert_eq!(found, expected, "{document}");
    }
}

#[test]
fn a_value_of_a_wrong_kind_is_named_with_its_place() {
    use DocumentType::{AccountActivities, Identities};
    let date = "expected a date such as 2020-01-31T23:59:59.000Z";
    let cases = [
        (Identities, json!({"name": 1}), "name is a number: expected a text".to_owned()),
        (
            Identities,
            json!({"accountCount": "3"}),
            "accountCount is a text: expected a whole number".to_owned(),
        ),
        (
            Identities,
            json!({"accountCount": 3.5}),
            "accountCount is a fraction: expected a whole number".to_owned(),
        ),
        (
            Identities,
            json!({"accountCount": u64::MAX}),
            "accountCount is a number: expected a whole number".to_owned(),
        ),
        (Identities, json!({"isManager": "TRUE"}), "isManager is a text: expected true or false".to_owned()),
        (Identities, json!({"created": 1_700_000_000_000_u64}), format!("created is a number: {date}")),
        (Identities, json!({"created": "yesterday"}), format!("created is not a date: {date}")),
        (Identities, json!({"created": "2023-02-29"}), format!("created is not a date: {date}")),
        (Identities, json!({"created": "12023-02-01T00:00:00Z"}), format!("created is not a date: {date}")),
        (Identities, json!({"manager": "Mia"}), "manager is a text: expected an object".to_owned()),
        (Identities, json!({"manager": {"id": []}}), "manager.id is a list: expected a text".to_owned()),
        (Identities, json!({"accounts": {}}), "accounts is an object: expected a list of objects".to_owned()),
        (
            Identities,
            json!({"accounts": [{}, {"source": {"name": true}}]}),
            "accounts[1].source.name is a boolean: expected a text".to_owned(),
        ),
        (
            Identities,
            json!({"accounts": [null, "x"]}),
            "accounts[1] is a text: expected an object".to_owned(),
        ),
        (Identities, json!({"tags": 4}), "tags is a number: expected a list of texts".to_owned()),
        (Identities, json!({"tags": ["a", ["b"]]}), "tags[1] is a list: expected a text".to_owned()),
        (Identities, json!({"attributes": ["a"]}), "attributes is a list: expected an object".to_owned()),
        (
            AccountActivities,
            json!({"accountRequests": [{"attributeRequests": [{"value": ["a"]}, {"value": {}}]}]}),
            "accountRequests[0].attributeRequests[1].value is an object: expected a list of texts".to_owned(),
        ),
    ];
    for (kind, mut document, reason) in cases {
        document["id"] = json!("i");
        let (batch, rejections) = to_batch(kind, &[document.clone(), json!({"id": "sound"})]);
        assert_eq!(batch.num_rows(), 1, "{document}");
        let expected = Rejection { line: 1, native_identity: Some("i".to_owned()), reason };
        assert_eq!(rejections, [expected], "{document}");
    }
}

/// What a document of an index becomes.
fn converted(document_type: DocumentType, document: Value) -> Value {
    let (batch, rejections) = to_batch(document_type, &[document]);
    assert_eq!(rejections, []);
    to_json(&batch, 0).unwrap()
}

#[test]
fn dates_in_every_spelling_are_points_in_time() {
    let cases = [
        ("2024-04-04T21:36:00.385Z", "2024-04-04T21:36:00.385Z"),
        ("2024-09-16T17:41:25Z", "2024-09-16T17:41:25.000Z"),
        ("2024-04-04T23:36:00.385+02:00", "2024-04-04T21:36:00.385Z"),
        ("2024-04-04T23:36:00.385+0200", "2024-04-04T21:36:00.385Z"),
        ("2024-04-04T21:36:00.385999999Z", "2024-04-04T21:36:00.385Z"),
        ("2024-04-04T21:36:00", "2024-04-04T21:36:00.000Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z"),
        ("1931-12-31T23:59:59.999Z", "1931-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ];
    for (text, expected) in cases {
        let found = converted(DocumentType::Events, json!({"id": "e", "created": text}));
        assert_eq!(found, json!({"id": "e", "created": expected}), "{text}");
    }
}

#[test]
fn nulls_are_absent_and_free_maps_hold_texts() {
    let document = json!({
        "id": "e", "name": null, "actor": null, "target": {"name": null}, "objects": ["a", null, "b"],
        "attributes": {
            "text": "t", "number": 7, "fraction": 0.5, "yes": true, "null": null, "none": [],
            "one": ["x"], "several": ["x", 2, false, null, {"a": [1]}], "object": {"b": {"c": "d"}}, "": "blank",
        },
    });
    let expected = json!({
        "id": "e", "target": {}, "objects": ["a", "b"],
        "attributes": {
            "text": "t", "number": "7", "fraction": "0.5", "yes": "true", "none": [],
            "one": "x", "several": ["x", "2", "false", "{\"a\":[1]}"], "object": "{\"b\":{\"c\":\"d\"}}",
            "": "blank",
        },
    });
    assert_eq!(converted(DocumentType::Events, document), expected);
    let other_spellings = json!({
        "id": "e", "tags": "one", "containsDataAccess": "true", "segmentCount": 3.0, "permissions": [null],
    });
    let expected = json!({
        "id": "e", "tags": ["one"], "containsDataAccess": true, "segmentCount": 3, "permissions": [],
    });
    assert_eq!(converted(DocumentType::Entitlements, other_spellings), expected);
}

#[test]
fn a_batch_of_nothing_has_the_schema() {
    for document_type in DocumentType::ALL {
        let (batch, rejections) = to_batch(document_type, &[]);
        assert_eq!((batch.num_rows(), rejections.len()), (0, 0));
        assert_eq!(batch.schema(), muster_sources::documents::schema(document_type));
    }
    let (batch, rejections) = to_batch(DocumentType::Roles, &[json!(4)]);
    assert_eq!(batch.num_rows(), 0);
    assert_eq!(rejections[0].reason, "is a number: expected an object, which is a document");
}

#[test]
fn named_examples_are_rejected_one_by_one() {
    let text = "\
one:\n  summary: A role\n  value:\n    id: r1\n    accessProfiles: []\n    description: no\n\
two:\n  summary: nothing\n\
three: 4\n\
role:\n  value: {id: r4, name: '10673'}\n\
five:\n  value: {id: r5}\n\
six:\n  value: {id: r6, _type: role, name: 10673}\n";
    let read = read_named("examples.YAML", text.as_bytes(), None).unwrap();
    let found: Vec<_> = read.documents.iter().map(|(_, kind, document)| (*kind, document)).collect();
    let (first, fourth) = (
        json!({"id": "r1", "accessProfiles": [], "description": "no"}),
        json!({"id": "r4", "name": "10673"}),
    );
    assert_eq!(found, [(DocumentType::Roles, &first), (DocumentType::Roles, &fourth)]);
    let no_telling = "its fields do not tell which of identities, accessprofiles, accountactivities, \
                      entitlements, events, roles it is: expected _type to say it";
    let expected = [
        "example \"two\" has no value: expected a document".to_owned(),
        "example \"three\" is a number: expected a mapping with a value".to_owned(),
        no_telling.to_owned(),
        "name is a number: expected a text".to_owned(),
    ];
    assert_eq!(
        read.rejections.iter().map(|rejection| rejection.reason.clone()).collect::<Vec<_>>(),
        expected
    );
    // Where the mapping of the example begins, or its value if that is on the line of the name.
    let lines: Vec<_> = read.rejections.iter().map(|rejection| rejection.line).collect();
    assert_eq!(lines, [8, 9, 13, 15]);
}

#[test]
fn a_file_that_is_no_yaml_of_examples_fails_whole() {
    let cases = [
        ("- a\n- b\n", "a.yaml:1:1: cannot be read as a mapping of named examples: "),
        ("a: {value: {id: 1}\nb: 2\n", "a.yaml:"),
        ("a: 1\na: 2\n", "a.yaml:2:1: cannot be read as a mapping of named examples: "),
    ];
    for (text, expected) in cases {
        let Err(error) = read_named("a.yaml", text.as_bytes(), None) else { panic!("{text} was read") };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(matches!(error, ReadError::Header { .. }));
    }
    let Err(error) = read_named("a.yaml", b"a: 1\nb: \xff\n", None) else { panic!("read") };
    assert!(error.to_string().ends_with("a.yaml:2:0: the line is not valid UTF-8"), "{error}");
    // Each level is nine times the one before.
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &('b'..='j')
            .zip('a'..)
            .map(|(name, before)| format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(",")))
            .collect::<String>();
    assert!(read_named("a.yaml", bomb.as_bytes(), None).is_err(), "aliases must not multiply for ever");
}
