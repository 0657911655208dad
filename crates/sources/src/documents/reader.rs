//! Search documents, read in order from whatever gives them.

use arrow::record_batch::RecordBatch;
use serde_json::Value;

use super::build::DocumentBuilder;
use super::check::{Unknown, check};
use super::recognise::recognise;
use super::{DocumentType, id_of, not_an_object, schema};
use crate::reader::{ReadError, ReadSummary, Rejection};

/// Documents, rejected ones included, in a batch at most.
const BATCH_DOCUMENTS: usize = 4096;
/// A batch ends with the document that brings its text to this many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// The next documents of a source: those of each kind in the source's order.
#[derive(Clone, Debug)]
pub struct DocumentBatch {
    /// Accepted documents, for each kind that is among them, in the order of [`DocumentType::ALL`].
    pub documents: Vec<TypedBatch>,
    /// Rejected ones; `native_identity` is the document's id where it could be read.
    pub rejections: Vec<Rejection>,
}

/// Documents of one kind; at least one.
#[derive(Clone, Debug)]
pub struct TypedBatch {
    /// The kind.
    pub document_type: DocumentType,
    /// The documents, of [`schema`](super::schema).
    pub records: RecordBatch,
    /// The line on which each begins, counted from 1.
    pub lines: Vec<u64>,
}

/// What gives the documents of one read, such as a file.
pub(crate) trait DocumentInput: Send {
    /// The next document; `None` after the last.
    ///
    /// # Errors
    /// [`ReadError`] when the whole source has failed.
    fn next(&mut self) -> Result<Option<Met>, ReadError>;

    /// Ends the read.
    ///
    /// # Errors
    /// [`ReadError`] when the source cannot be examined any more.
    fn end(self: Box<Self>) -> Result<InputEnd, ReadError>;
}

/// A document that was met.
pub(crate) struct Met {
    /// The line on which it begins, counted from 1.
    pub(crate) line: u64,
    /// Bytes of its text that count for the size of a batch.
    pub(crate) bytes: usize,
    /// The name that its file gives it.
    pub(crate) hint: Option<String>,
    /// The document, or why it cannot be read.
    pub(crate) value: Result<Value, String>,
}

/// What an input came to.
pub(crate) struct InputEnd {
    /// What a message calls the input: `file`, `index`.
    pub(crate) what: &'static str,
    /// Why its documents are not all of them, though it was read to its end.
    pub(crate) incomplete_reason: Option<&'static str>,
    /// How many documents the source says it has, where it says so.
    pub(crate) reported_total: Option<u64>,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// Their SHA-256.
    pub(crate) digest_sha256: String,
}

/// A read of search documents in progress. Its memory is that of a batch and of the input.
pub struct DocumentReader {
    input: Box<dyn DocumentInput>,
    index: Option<DocumentType>,
    unknown: Unknown,
    read: u64,
    rejected: u64,
    rejected_without_key: u64,
    ended: bool,
}

/// The documents of one kind that a batch has so far.
struct Rows {
    builder: DocumentBuilder,
    lines: Vec<u64>,
}

impl DocumentReader {
    /// Before the first document; with `index` every document is of that kind, else each says or shows its own.
    pub(crate) fn new(input: Box<dyn DocumentInput>, index: Option<DocumentType>) -> Self {
        let unknown = Unknown::default();
        Self { input, index, unknown, read: 0, rejected: 0, rejected_without_key: 0, ended: false }
    }

    /// The next documents; `None` after the last.
    ///
    /// # Errors
    /// [`ReadError`] when the whole source has failed; the reader must not be used further.
    pub fn next_batch(&mut self) -> Result<Option<DocumentBatch>, ReadError> {
        let mut rows: [Option<Rows>; DocumentType::ALL.len()] = [const { None }; _];
        let mut rejections = Vec::new();
        let (mut documents, mut bytes) = (0, 0);
        while documents < BATCH_DOCUMENTS && bytes < BATCH_BYTES {
            let Some(met) = self.input.next()? else {
                self.ended = true;
                break;
            };
            documents += 1;
            bytes += met.bytes;
            if let Err(rejection) = self.take(met, &mut rows) {
                self.rejected += 1;
                self.rejected_without_key += u64::from(rejection.native_identity.is_none());
                rejections.push(rejection);
            }
        }
        self.read += documents as u64;
        if documents == 0 {
            return Ok(None);
        }
        let finish = |(document_type, rows): (DocumentType, Option<Rows>)| {
            let Rows { builder, lines } = rows?;
            Some(TypedBatch { document_type, records: builder.finish(), lines })
        };
        let documents = DocumentType::ALL.into_iter().zip(rows).filter_map(finish).collect();
        Ok(Some(DocumentBatch { documents, rejections }))
    }

    /// Ends the read and says what it came to; `schema` has the names of no attributes, for documents have
    /// none. Before [`DocumentReader::next_batch`] has given `None` the read is incomplete.
    ///
    /// # Errors
    /// [`ReadError`] when the source cannot be examined any more.
    pub fn finish(self) -> Result<ReadSummary, ReadError> {
        let end = self.input.end()?;
        let incomplete_reason = if self.ended {
            end.incomplete_reason.map(str::to_owned)
        } else {
            Some(format!("the {} was not read to its end", end.what))
        };
        Ok(ReadSummary {
            read: self.read,
            rejected: self.rejected,
            rejected_without_key: self.rejected_without_key,
            reported_total: end.reported_total,
            sum: None,
            stated: None,
            summed: None,
            complete: incomplete_reason.is_none(),
            incomplete_reason,
            digest_sha256: end.digest_sha256,
            bytes: end.bytes,
            schema: Vec::new(),
            warnings: self.unknown.warnings(),
            refused_values: Vec::new(),
            as_of: None,
            changes_only: false,
            cursor: None,
        })
    }

    /// Makes a document a row of its kind, or says why it is none.
    fn take(
        &mut self,
        met: Met,
        rows: &mut [Option<Rows>; DocumentType::ALL.len()],
    ) -> Result<(), Rejection> {
        let Met { line, hint, value, .. } = met;
        let reject = |native_identity, reason| Rejection { line, native_identity, reason };
        let value = value.map_err(|reason| reject(None, reason))?;
        let Value::Object(document) = &value else { return Err(reject(None, not_an_object(&value))) };
        let sound = recognise(document, self.index, hint.as_deref())
            .and_then(|document_type| check(schema::shape(document_type), document).map(|()| document_type));
        let document_type = sound.map_err(|reason| reject(id_of(&value), reason))?;
        self.unknown.note(document_type.index_name(), schema::shape(document_type), document);
        let rows = rows[document_type as usize]
            .get_or_insert_with(|| Rows { builder: DocumentBuilder::new(document_type), lines: Vec::new() });
        rows.builder.append(document);
        rows.lines.push(line);
        Ok(())
    }
}
