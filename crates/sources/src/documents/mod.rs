//! Search documents: the six published kinds of them as Arrow data, and the reader of sources that give them.
//!
//! A document is one JSON object of a published shape, such as an identity with its accounts and access. Most
//! sources give account records, from which refresh makes such documents; some give documents that another
//! system has made.
//!
//! A document goes through these stages: `value` (JSON within bounds), `recognise` (which kind of document),
//! `check` (does it fit its kind), `build` (rows). `reader` takes documents from a kind of source.
//!
//! Invariants:
//! - names are the published ones, unchanged, and every field is nullable;
//! - a document is taken whole or rejected whole: a value that does not fit its field is never bent or dropped;
//!   only fields that are not published are left out, and the summary's warnings count them;
//! - null is the same as absent, also in lists, as in the search indices that the documents are for.

mod build;
pub(crate) mod check;
mod json;
mod kind;
mod reader;
mod recognise;
mod schema;
mod shape;
pub(crate) mod value;

pub use json::to_json;
pub use kind::DocumentType;
pub use reader::{DocumentBatch, DocumentReader, TypedBatch};
pub(crate) use reader::{DocumentInput, InputEnd, Met};
pub use schema::{FIELD_KIND, FIELD_KIND_KEYWORD, default_columns, schema};

use arrow::record_batch::RecordBatch;
use serde_json::Value;

use crate::reader::{Rejection, shown};

/// Longest document that is read, in bytes of its line; a longer one is rejected.
pub const MAX_DOCUMENT_BYTES: usize = 16 << 20;
/// Most values in a document, objects and lists included; one with more is rejected.
pub const MAX_VALUES: usize = 1_000_000;
/// Most objects and lists inside one another in a document; a deeper one is rejected.
pub const MAX_DEPTH: usize = 32;
/// Longest file of named examples, in bytes of its text as UTF-8; it is read into memory.
pub const MAX_EXAMPLES_BYTES: usize = 32 << 20;

/// The field that names a document.
const ID: &str = "id";

/// Makes a batch of one kind from documents in memory; `_type` and the like are not looked at.
///
/// The batch is of [`schema`] and has the sound documents in their order. The others are rejections whose
/// `line` is the document's number, counted from 1. Fields that are not published are left out.
///
/// # Panics
/// When the texts of one field are more than 2 GiB: Arrow's lists cannot hold them.
#[must_use]
pub fn to_batch(document_type: DocumentType, documents: &[Value]) -> (RecordBatch, Vec<Rejection>) {
    let shape = schema::shape(document_type);
    let mut builder = build::DocumentBuilder::new(document_type);
    let mut rejections = Vec::new();
    for (document, line) in documents.iter().zip(1..) {
        let checked = match document.as_object() {
            Some(object) => check::check(shape, object).map(|()| object),
            None => Err(not_an_object(document)),
        };
        let reason = match checked {
            Ok(object) => {
                builder.append(object);
                continue;
            }
            Err(reason) => reason,
        };
        rejections.push(Rejection { line, native_identity: id_of(document), reason });
    }
    (builder.finish(), rejections)
}

/// The id of a document that is to be rejected, where it can be read.
fn id_of(document: &Value) -> Option<String> {
    document.get(ID)?.as_str().filter(|id| !id.trim().is_empty()).map(str::to_owned)
}

fn not_an_object(value: &Value) -> String {
    format!("is {}: expected an object, which is a document", check::kind(value))
}
