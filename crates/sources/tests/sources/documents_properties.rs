//! What holds for every document and every file of them.
#![expect(clippy::wildcard_enum_match_arm, reason = "every other type of Arrow's fails the test")]

use arrow::datatypes::{DataType, Fields};
use muster_sources::DocumentType;
use muster_sources::documents::{schema, to_batch, to_json};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::documents::read_named;

/// Any JSON value.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("2024-04-04T21:36:00.385Z")),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Names, published ones more often than chance would have it.
fn name() -> impl Strategy<Value = String> {
    let published: Vec<String> = DocumentType::ALL
        .into_iter()
        .flat_map(|kind| schema(kind).fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>())
        .collect();
    prop_oneof![4 => prop::sample::select(published), 1 => any::<String>()]
}

/// An object that is a document of some kind, or nearly.
fn near_document() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(DocumentType::ALL.map(DocumentType::type_name).to_vec());
    (kind, prop::collection::vec((name(), json_value()), 0..6)).prop_map(|(kind, fields)| {
        let mut document: Map<String, Value> = fields.into_iter().collect();
        document.entry("id").or_insert_with(|| json!("i"));
        document.insert("_type".to_owned(), json!(kind));
        Value::Object(document)
    })
}

/// Documents whose values are of their fields' kinds and spelt as they come back.
fn sound(fields: &Fields) -> BoxedStrategy<Value> {
    let mut object = Just(Map::new()).boxed();
    for field in fields {
        let name = field.name().clone();
        let value = prop::option::weighted(0.4, sound_value(field.data_type()));
        object = (object, value)
            .prop_map(move |(mut object, value)| {
                object.extend(value.map(|value| (name.clone(), value)));
                object
            })
            .boxed();
    }
    object.prop_map(Value::Object).boxed()
}

fn sound_value(data_type: &DataType) -> BoxedStrategy<Value> {
    let text = || any::<String>().prop_map(Value::from).boxed();
    match data_type {
        DataType::Utf8 => text(),
        DataType::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        DataType::Int64 => any::<i64>().prop_map(Value::from).boxed(),
        DataType::Timestamp(..) => (0..=9999_u32, 1..=12_u32, 1..=28_u32, 0..24_u32, 0..60_u32, 0..1000_u32)
            .prop_map(|(year, month, day, hour, second, milli)| {
                let date = format!("{year:04}-{month:02}-{day:02}T{hour:02}:59:{second:02}.{milli:03}Z");
                Value::from(date)
            })
            .boxed(),
        DataType::Struct(fields) => sound(fields),
        DataType::List(item) => {
            prop::collection::vec(sound_value(item.data_type()), 0..3).prop_map(Value::from).boxed()
        }
        DataType::Map(..) => {
            let several = prop::collection::vec(text(), 2..4).prop_map(Value::from);
            let value = prop_oneof![text(), several, Just(json!([]))];
            prop::collection::btree_map(any::<String>(), value, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
                .boxed()
        }
        other => panic!("no document has a field of type {other}"),
    }
}

fn sound_documents() -> impl Strategy<Value = (DocumentType, Vec<Value>)> {
    prop::sample::select(DocumentType::ALL.to_vec()).prop_flat_map(|kind| {
        let document = (sound(schema(kind).fields()), "[^\\s]{1,8}").prop_map(|(mut document, id)| {
            document["id"] = Value::from(id);
            document
        });
        (Just(kind), prop::collection::vec(document, 0..4))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sound_documents_come_back_the_same((kind, documents) in sound_documents()) {
        let (batch, rejections) = to_batch(kind, &documents);
        prop_assert_eq!(rejections, vec![]);
        let back: Vec<_> = (0..batch.num_rows()).map(|row| to_json(&batch, row).unwrap()).collect();
        prop_assert_eq!(back, documents);
    }

    #[test]
    fn any_json_is_a_row_or_a_rejection(values in prop::collection::vec(
        prop_oneof![json_value(), near_document()], 0..12,
    )) {
        let text: String = values.iter().map(|value| format!("{value}\n")).collect();
        let read = read_named("a.ndjson", text.as_bytes(), None).unwrap();
        let mut lines: Vec<u64> = read.documents.iter().map(|(line, ..)| *line).collect();
        lines.extend(read.rejections.iter().map(|rejection| rejection.line));
        lines.sort_unstable();
        prop_assert_eq!(lines, (1..=values.len() as u64).collect::<Vec<_>>());
        prop_assert!(read.summary.complete);
        for kind in DocumentType::ALL {
            let (batch, rejections) = to_batch(kind, &values);
            prop_assert_eq!(batch.num_rows() + rejections.len(), values.len());
        }
    }

    #[test]
    fn any_bytes_are_rows_and_rejections(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(prop::sample::select(b"{}[]\":,id\n\r 1e-.\\u\xff\xc3\xa9".to_vec()), 0..300),
        ],
        name in prop::sample::select(vec!["a.ndjson", "a.yaml"]),
    ) {
        // That read = accepted + rejected is checked for every read.
        if let Ok(read) = read_named(name, &bytes, None) {
            prop_assert_eq!(read.summary.bytes, bytes.len() as u64);
        }
    }
}
