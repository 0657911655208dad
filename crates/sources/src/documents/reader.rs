//! Files of search documents, and a tenant's indices of them, read in order.

use std::path::Path;

use arrow::record_batch::RecordBatch;
use encoding_rs::UTF_8;
use serde_json::Value;

use super::build::DocumentBuilder;
use super::check::{Unknown, check};
use super::examples::{self, Example};
use super::lines::Lines;
use super::recognise::recognise;
use super::value::parse;
use super::{DocumentType, DocumentsSettings, id_of, not_an_object, schema};
use crate::input::Input;
use crate::reader::{ReadError, ReadSummary, Rejection};
use crate::secret::Environment;
use crate::tenant::{Mirror, TenantSettings};

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

/// A read of a file of documents in progress. Memory does not grow with the file, but for one of named examples,
/// which is small.
pub struct DocumentReader {
    input: Documents,
    index: Option<DocumentType>,
    unknown: Unknown,
    read: u64,
    rejected: u64,
    rejected_without_key: u64,
    ended: bool,
    /// The file ends in the middle of a document.
    cut_off: bool,
}

/// Where documents come from.
enum Documents {
    Lines(Lines),
    Mirror { mirror: Mirror, lines: u64 },
    Examples { input: Input, examples: std::vec::IntoIter<Example> },
}

/// A document that was met.
struct Met {
    line: u64,
    bytes: usize,
    /// The name that stands before it.
    hint: Option<String>,
    value: Result<Value, String>,
}

/// The documents of one kind that a batch has so far.
struct Rows {
    builder: DocumentBuilder,
    lines: Vec<u64>,
}

impl DocumentReader {
    /// Opens the file; a relative path is taken from `base_dir`.
    ///
    /// # Errors
    /// [`ReadError`] when the settings have a fault, when the file cannot be opened, and when a file of named
    /// examples is not one.
    pub fn open(settings: &DocumentsSettings, base_dir: &Path) -> Result<Self, ReadError> {
        let path = base_dir.join(&settings.path);
        let name = path.display().to_string();
        if let Some((key, reason)) = settings.fault() {
            return Err(ReadError::Settings { path: name, reason: format!("{key}: {reason}") });
        }
        let mut input = Input::open(&path, UTF_8)?;
        let input = if settings.is_yaml() {
            let examples = examples::read(&mut input, &name)?.into_iter();
            Documents::Examples { input, examples }
        } else {
            Documents::Lines(Lines::new(input))
        };
        Ok(Self::of(input, settings.index))
    }

    /// Opens an index of a tenant.
    ///
    /// # Errors
    /// [`ReadError`] when the settings have a fault or the secret cannot be had; all else comes with the documents.
    pub(crate) fn mirror(
        settings: &TenantSettings,
        base_dir: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, ReadError> {
        let mirror = Mirror::start(settings, base_dir, environment)?;
        Ok(Self::of(Documents::Mirror { mirror, lines: 0 }, settings.index))
    }

    fn of(input: Documents, index: Option<DocumentType>) -> Self {
        let unknown = Unknown::default();
        let (read, rejected, rejected_without_key) = (0, 0, 0);
        Self { input, index, unknown, read, rejected, rejected_without_key, ended: false, cut_off: false }
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
            let Some(met) = self.next()? else {
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
    /// [`ReadError`] when the file cannot be examined any more.
    pub fn finish(self) -> Result<ReadSummary, ReadError> {
        let mut mirrored = None;
        let input = match self.input {
            Documents::Lines(lines) => Some(lines.into_input()),
            Documents::Examples { input, .. } => Some(input),
            Documents::Mirror { mirror, .. } => {
                mirrored = mirror.summary();
                None
            }
        };
        let unchanged = input.as_ref().map_or(Ok(true), Input::unchanged)?;
        let incomplete_reason = if !self.ended {
            let unread = ["the index was not read to its end", "the file was not read to its end"];
            Some(unread[usize::from(input.is_some())])
        } else if self.cut_off {
            Some("the file ends in the middle of a document")
        } else if !unchanged {
            Some("the file changed while it was read")
        } else {
            None
        };
        let reported_total = mirrored.as_ref().and_then(|summary| summary.reported_total);
        let (bytes, digest_sha256) = match (input, mirrored) {
            (Some(input), _) => input.digest(),
            (None, mirrored) => {
                mirrored.map_or_else(Default::default, |summary| (summary.bytes, summary.digest_sha256))
            }
        };
        Ok(ReadSummary {
            read: self.read,
            rejected: self.rejected,
            rejected_without_key: self.rejected_without_key,
            reported_total,
            complete: incomplete_reason.is_none(),
            incomplete_reason: incomplete_reason.map(str::to_owned),
            digest_sha256,
            bytes,
            schema: Vec::new(),
            warnings: self.unknown.warnings(),
            as_of: None,
            changes_only: false,
            cursor: None,
        })
    }

    fn next(&mut self) -> Result<Option<Met>, ReadError> {
        match &mut self.input {
            Documents::Lines(lines) => {
                let Some(line) = lines.next()? else { return Ok(None) };
                let bytes = line.text.as_ref().map_or(0, Vec::len);
                let value = line.text.and_then(|text| {
                    parse(&text).map_err(|fault| {
                        self.cut_off |= fault.ends_early && !line.ended;
                        fault.reason
                    })
                });
                Ok(Some(Met { line: line.number, bytes, hint: None, value }))
            }
            Documents::Mirror { mirror, lines } => {
                let Some(text) = mirror.next()? else { return Ok(None) };
                *lines += 1;
                let value = parse(&text).map_err(|fault| fault.reason);
                Ok(Some(Met { line: *lines, bytes: text.len(), hint: None, value }))
            }
            Documents::Examples { examples, .. } => Ok(examples.next().map(|example| Met {
                line: example.line,
                bytes: 0,
                hint: Some(example.name),
                value: example.document,
            })),
        }
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
