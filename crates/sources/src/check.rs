//! A source read to its end as a refresh would, and nothing kept: what it holds, and what a refresh would refuse.

use crate::definition::SourceDefinition;
use crate::duplicates::Duplicates;
use crate::open::{open_documents, open_source};
use crate::reader::{ReadError, Rejection};
use crate::secret::Environment;
use crate::total::ColumnSum;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What reading a source to its end came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCheck {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whether identities are made of its accounts.
    pub authoritative: bool,
    /// Records that were read, refused ones included.
    pub read: u64,
    /// Records that can be used.
    pub accepted: u64,
    /// Accounts that the records name, at most; none for a source of documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<u64>,
    /// How many records there are, as the source or its owner says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_total: Option<u64>,
    /// The sum of a column, as its owner says and as it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<ColumnSum>,
    /// Records that a refresh refuses: those that cannot be read, and those of one account that differ.
    pub rejected: u64,
    /// The first of them.
    pub rejections: Vec<Rejection>,
    /// Whether everything that the source holds was read.
    pub complete: bool,
    /// Why not.
    pub incomplete_reason: Option<String>,
    /// The time that the data says it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// Bytes that were read.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// The attributes of its records.
    pub attributes: Vec<String>,
    /// Accepted documents by the index that they belong to; none for a source of accounts.
    pub documents: BTreeMap<&'static str, usize>,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

/// Reads the source to its end; lists at most `rejected_max` refused records.
///
/// # Errors
/// As [`open_source`], and when a read fails.
pub fn check_source(
    definition: &SourceDefinition,
    base_dir: &Path,
    environment: Environment<'_>,
    rejected_max: usize,
) -> Result<SourceCheck, ReadError> {
    let (mut rejections, mut documents) = (Vec::new(), BTreeMap::new());
    let mut keep = |rejected: Vec<Rejection>| {
        let room = rejected_max.saturating_sub(rejections.len());
        rejections.extend(rejected.into_iter().take(room));
    };
    let merge_rows = definition.reader.merge_rows();
    let mut duplicates = Duplicates::new(merge_rows);
    let summary = match open_documents(definition, base_dir, environment)? {
        Some(mut reader) => {
            while let Some(batch) = reader.next_batch()? {
                for typed in &batch.documents {
                    *documents.entry(typed.document_type.index_name()).or_insert(0) += typed.lines.len();
                }
                keep(batch.rejections);
            }
            reader.finish()?
        }
        None => {
            let mut reader = open_source(definition, base_dir, environment)?;
            while let Some(batch) = reader.next_batch()? {
                keep(batch.rejections);
                keep(duplicates.note(&batch.records));
            }
            reader.finish()?
        }
    };
    let rejected = summary.rejected + duplicates.refused();
    let accepted = summary.read.saturating_sub(rejected);
    let mut warnings = summary.warnings;
    warnings.extend(summary.refused_values);
    // Accounts whose records were refused are there too.
    let named = if duplicates.is_partial() { accepted } else { duplicates.accounts() };
    if duplicates.is_partial() && !merge_rows {
        warnings.push("there are more accounts than could be searched for records of one account".to_owned());
    }
    Ok(SourceCheck {
        name: definition.name.clone(),
        id: definition.id.clone(),
        kind: definition.reader.kind(),
        authoritative: definition.is_authoritative(),
        read: summary.read,
        accepted,
        accounts: (!definition.reader.gives_documents()).then(|| named + summary.rejected),
        rejected,
        reported_total: summary.reported_total,
        sum: summary.sum,
        rejections,
        complete: summary.complete,
        incomplete_reason: summary.incomplete_reason,
        as_of: summary.as_of,
        bytes: summary.bytes,
        sha256: summary.digest_sha256,
        attributes: summary.schema,
        documents,
        warnings,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// What becomes of the source of this definition, with one refused record listed.
    fn checked(dir: &Path, text: &str) -> SourceCheck {
        let definition = SourceDefinition::from_toml(text, &dir.join("source.toml")).unwrap();
        check_source(&definition, dir, &|_| None, 1).unwrap()
    }

    #[test]
    fn a_check_counts_every_record_and_lists_refused_ones() {
        let dir = tempfile::tempdir().unwrap();
        // Line 3 has a field too many, line 4 no native identity.
        std::fs::write(dir.path().join("people.csv"), "id,name\n1,Ada\n2,Bob,x\n,Cy\n4,Dee\n").unwrap();
        let text = "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n";
        let checked = checked(dir.path(), text);
        assert_eq!((checked.read, checked.accepted, checked.rejected), (4, 2, 2));
        assert!(checked.complete);
        assert_eq!(checked.rejections.len(), 1, "as many as were asked for");
        assert_eq!(checked.rejections[0].line, 3);
    }

    #[test]
    fn a_check_counts_documents_by_their_kind() {
        let dir = tempfile::tempdir().unwrap();
        let lines = "{\"_type\":\"role\",\"id\":\"1\"}\n{\"_type\":\"event\",\"id\":\"2\"}\n{}\n{\"_type\":\"role\",\"id\":\"3\"}\n";
        std::fs::write(dir.path().join("model.ndjson"), lines).unwrap();
        let text = "name = \"Model\"\nkind = \"documents\"\n[documents]\npath = \"model.ndjson\"\n";
        let checked = checked(dir.path(), text);
        assert_eq!((checked.read, checked.accepted, checked.rejected), (4, 3, 1));
        assert_eq!(checked.documents, BTreeMap::from([("events", 1), ("roles", 2)]));
        assert_eq!(checked.rejections[0].line, 3);
    }
}
