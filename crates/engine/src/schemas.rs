//! The columns of the identity tables.
//!
//! Plans make the rows; this says what a table's columns are called, of which type, and in which order.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use crate::functions::{attributes_type, texts_type};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use muster_sources::DocumentType;
use std::sync::Arc;

/// Columns of a table of documents: those of the documents, without what is said about them.
pub(crate) fn documents(document_type: DocumentType) -> SchemaRef {
    let schema = muster_sources::documents::schema(document_type);
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Fields>()))
}

/// A field without metadata, and without that of the fields in it: tables, functions and files then agree.
fn plain(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::List(item) => DataType::List(plain(item)),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn flag(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// Columns of one of [`crate::tables::TABLES`].
pub(crate) fn of(table: &str) -> SchemaRef {
    match table {
        "accounts" => accounts(),
        "identities" => identities(),
        "identity_errors" => identity_errors(),
        "identity_profiles" => identity_profiles(),
        "sources" => sources(),
        "aggregations" => aggregations(),
        "rejected_records" => rejected_records(),
        crate::tables::COUNTS => snapshot_counts(),
        other => DocumentType::ALL
            .into_iter()
            .find(|document_type| crate::tables::of_documents(*document_type) == other)
            .map_or_else(|| unreachable!("{other} is no table"), documents),
    }
}

fn accounts() -> SchemaRef {
    schema(vec![
        text("id"),
        text("source_id"),
        text("source_name"),
        text("native_identity"),
        text("name"),
        text("display_name"),
        text("uuid"),
        flag("disabled"),
        flag("locked"),
        flag("system"),
        flag("privileged"),
        Field::new("attributes", attributes_type(), true),
        Field::new("entitlements", texts_type(), true),
        Field::new("entitlement_count", DataType::Int32, true),
        text("digest"),
        text("identity_id"),
        text("manual_link"),
        text("linked_as"),
        flag("manually_correlated"),
        text("matched_rule"),
        text("situation"),
        flag("uncorrelated"),
        Field::new("candidates", texts_type(), true),
        time("created"),
        time("modified"),
        time("dead_since"),
        time("held_since"),
    ])
}

fn identities() -> SchemaRef {
    schema(vec![
        text("id"),
        text("name"),
        text("display_name"),
        text("first_name"),
        text("last_name"),
        text("email"),
        text("profile"),
        text("authoritative_source_id"),
        text("authoritative_source"),
        text("last_authoritative_source"),
        text("lifecycle_state"),
        text("status"),
        text("processing_state"),
        flag("correlated"),
        flag("protected"),
        text("manager_id"),
        text("manager_name"),
        Field::new("account_count", DataType::Int32, true),
        Field::new("attributes", attributes_type(), true),
        text("account_id"),
        time("lost_since"),
        text("digest"),
        time("created"),
        time("modified"),
    ])
}

fn identity_errors() -> SchemaRef {
    schema(vec![
        text("id"),
        text("identity_id"),
        text("identity_name"),
        text("display_name"),
        text("native_identity"),
        text("source_id"),
        text("profile"),
        text("severity"),
        text("error_code"),
        text("attribute"),
        text("value"),
        text("message"),
        time("detected"),
    ])
}

fn identity_profiles() -> SchemaRef {
    schema(vec![text("source_id"), text("source_name"), text("profile"), number("priority")])
}

fn sources() -> SchemaRef {
    schema(vec![text("id"), text("name"), text("kind"), flag("authoritative"), text("definition")])
}

fn aggregations() -> SchemaRef {
    schema(vec![
        text("snapshot_id"),
        text("source_id"),
        text("source_name"),
        text("mode"),
        time("started"),
        time("ended"),
        text("status"),
        flag("complete"),
        text("remark"),
        number("reported_total"),
        number("read"),
        number("rejected"),
        number("created"),
        number("updated"),
        number("unchanged"),
        number("missing"),
        number("loaded"),
        text("input_digest"),
    ])
}

/// `source_id` is null for a number of the whole tenant.
fn snapshot_counts() -> SchemaRef {
    schema(vec![text("snapshot_id"), time("taken"), text("counted"), text("source_id"), number("number")])
}

fn rejected_records() -> SchemaRef {
    schema(vec![
        text("source_id"),
        text("source_name"),
        number("line"),
        text("native_identity"),
        text("reason"),
    ])
}
