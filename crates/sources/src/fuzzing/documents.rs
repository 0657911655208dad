//! Search documents, as files or a tenant have them.

use arrow::record_batch::RecordBatch;
use serde_json::Value;

use super::rows::check_reason;
use super::scratch::with_file;
use crate::documents::{DocumentType, to_json};
use crate::kinds::documents::DocumentsSettings;
use crate::reader::ReadError;
use crate::source_kind::{Opening, SourceKind};

/// A byte that chooses the kind of document, or that each says its own, and a file with one on each line.
///
/// Every document is a row or a rejection with a reason of a short line; what was taken, written as JSON, is taken again
/// and written the same.
pub fn document_lines(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else { return };
    let index = DocumentType::ALL.get(usize::from(choice % 8)).copied();
    let taken = read(index, file).expect("a file that is there is read");
    for (document_type, documents) in &taken {
        let text: String = documents.iter().map(|document| format!("{document}\n")).collect();
        let again = read(Some(*document_type), text.as_bytes()).expect("a file that is there is read");
        assert_eq!(again, [(*document_type, documents.clone())], "{text}");
    }
}

type Taken = Vec<(DocumentType, Vec<Value>)>;

fn read(index: Option<DocumentType>, file: &[u8]) -> Result<Taken, ReadError> {
    with_file(file, |path| {
        let settings = DocumentsSettings { path: path.display().to_string(), index };
        let opening = Opening { base_dir: path, environment: &|_| None, total: None, cursor: None };
        let mut reader = settings.open_documents(&opening)?.expect("the kind gives documents");
        let (mut taken, mut rejected) = (Taken::new(), 0);
        while let Some(batch) = reader.next_batch()? {
            for typed in batch.documents {
                assert_eq!(typed.lines.len(), typed.records.num_rows());
                assert!(typed.lines.is_sorted_by(|one, next| one < next));
                taken.push((typed.document_type, documents(&typed.records)));
            }
            rejected += batch.rejections.len();
            batch.rejections.iter().for_each(|rejection| check_reason(&rejection.reason));
        }
        let summary = reader.finish()?;
        let accepted: usize = taken.iter().map(|(_, documents)| documents.len()).sum();
        assert_eq!(summary.read, (accepted + rejected) as u64, "documents that are neither");
        assert_eq!(summary.rejected, rejected as u64);
        assert_eq!(summary.bytes, file.len() as u64);
        assert!(summary.warnings.iter().all(|warning| warning.len() <= 32 * 1024));
        Ok(taken)
    })
}

fn documents(records: &RecordBatch) -> Vec<Value> {
    (0..records.num_rows()).map(|row| to_json(records, row).expect("the schema is a document's")).collect()
}
