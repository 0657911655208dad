//! What a refresh makes anew, and what it takes from the last snapshot as it is.
//!
//! Documents that sources give are read every time. A row is made anew when what it depends on may have changed: an account when its record changed, when its source
//! is defined otherwise, when a manual link is or was on it, or when an identity that one of its source's rules
//! matches changed; identities when an authoritative account changed; a document when its identity, one of its
//! accounts or its manager did; the history of runs and of counts and the documents of events only grow. Rows that then come out different are *touched*: the pieces of tables that hold them
//! are written, and no others. Making everything anew gives the same tables (a property test holds the two against
//! each other).

use super::work::{Work, literal};
use super::{RefreshRequest, SourceInput};
use crate::declared::{ACCOUNTS, Change, Column, Holds, IDENTITIES, TABLES, Table};
use crate::error::{EngineError, Result};
use muster_reports::ids::hex;
use muster_reports::snapshot::SourceRun;
use muster_sources::DocumentType;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How much is made anew.
pub(super) struct Extent {
    /// Nothing is taken over.
    pub(super) everything: bool,
    /// Sources that are new or defined otherwise than in the last snapshot.
    pub(super) redefined: BTreeSet<String>,
    /// Whether identities and their errors are made anew.
    pub(super) identities: bool,
}

impl Extent {
    /// What can be said before anything is read.
    pub(super) fn of(request: &RefreshRequest) -> Result<Self> {
        let mut redefined = BTreeSet::new();
        let mut everything = request.full;
        for input in &request.sources {
            let last = request.previous.as_ref().and_then(|m| m.source(&input.definition.id));
            if last.is_none_or(|run| run.settings_digest.is_none()) {
                everything |= last.is_some();
                redefined.insert(input.definition.id.clone());
            } else if last.and_then(|run| run.settings_digest.as_ref()) != Some(&settings_digest(input)?) {
                redefined.insert(input.definition.id.clone());
            }
        }
        everything |= match &request.previous {
            None => true,
            // A source that is gone takes with it what cannot be told from what remains.
            Some(last) => {
                last.sources.iter().any(|run| !request.sources.iter().any(|s| is_of(s, run)))
                    || last.sources.iter().any(stands_for_made_documents)
                    || last.last_event.is_none()
                    || TABLES.iter().any(|table| !last.versions.contains_key(*table))
            }
        };
        Ok(Self { everything, redefined, identities: everything })
    }

    /// Nothing is taken over.
    pub(super) fn make_everything(&mut self) {
        self.everything = true;
        self.identities = true;
    }

    /// What a source of documents gave may mean that nothing can be taken over.
    pub(super) fn regard_documents(&mut self, run: &SourceRun) {
        if stands_for_made_documents(run) {
            self.make_everything();
        }
    }

    /// Whether the source's records are those of the last snapshot if its bytes are.
    pub(super) fn may_carry(&self, input: &SourceInput, last: &SourceRun) -> bool {
        !self.everything
            && !self.redefined.contains(&input.definition.id)
            && last.complete
            && last.remark.is_none()
    }

    /// A condition on the column `column`: that it names a source which is defined otherwise now.
    pub(super) fn is_redefined(&self, column: &str) -> String {
        within(column, self.redefined.iter().map(String::as_str))
    }
}

/// Whether documents of the source stand for some that are made of accounts: which of them were made is not kept.
fn stands_for_made_documents(run: &SourceRun) -> bool {
    let made = [DocumentType::Identities, DocumentType::Entitlements, DocumentType::Events];
    made.iter().any(|document_type| gave(run, *document_type))
}

/// Whether the source gave documents of this type.
pub(super) fn gave(run: &SourceRun, document_type: DocumentType) -> bool {
    run.documents.iter().any(|name| name == document_type.index_name())
}

fn is_of(input: &SourceInput, run: &SourceRun) -> bool {
    input.definition.id == run.id.as_str()
}

/// A condition: that `column` is one of `ids`.
pub(super) fn within<'a>(column: &str, ids: impl Iterator<Item = &'a str>) -> String {
    let ids: Vec<_> = ids.map(literal).collect();
    match ids.len() {
        0 => "false".to_owned(),
        _ => format!("{column} IN ({})", ids.join(", ")),
    }
}

/// What decides, beside the records, what becomes of a source: its definition, and the program that reads it.
pub(super) fn settings_digest(input: &SourceInput) -> Result<String> {
    let definition =
        serde_json::to_vec(&input.definition).map_err(|e| EngineError::data("describing a source", e))?;
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update([0]);
    hash.update(definition);
    Ok(hex(&hash.finalize()))
}

/// Leaves `accounts_touched` and `identities_touched`, what came out different, and `documents_touched`, the identities
/// whose documents depend on any of it.
pub(super) async fn find_touched(work: &Work, extent: &Extent) -> Result<()> {
    work.step(
        "accounts_touched",
        &format!(
            "SELECT n.id, n.source_id, n.identity_id, p.identity_id AS prev_identity \
             FROM accounts_next n LEFT JOIN prev_accounts p ON p.id = n.id \
             WHERE p.id IS NULL OR {} OR {}",
            differ(ACCOUNTS),
            extent.is_redefined("n.source_id"),
        ),
    )
    .await?;
    work.step(
        "identities_touched",
        &format!(
            "SELECT n.id, n.manager_id, p.manager_id AS prev_manager \
             FROM identities_next n LEFT JOIN prev_identities p ON p.id = n.id WHERE p.id IS NULL OR {}",
            differ(IDENTITIES),
        ),
    )
    .await?;
    work.step(
        "documents_touched",
        "SELECT DISTINCT id FROM ( \
           SELECT id FROM identities_touched UNION ALL \
           SELECT identity_id FROM accounts_touched UNION ALL SELECT prev_identity FROM accounts_touched UNION ALL \
           SELECT manager_id FROM identities_touched UNION ALL SELECT prev_manager FROM identities_touched UNION ALL \
           SELECT n.id FROM identities_next n JOIN identities_touched t ON t.id = n.manager_id) \
         WHERE id IS NOT NULL",
    )
    .await
}

/// That one of a table's compared columns is not the same in `n` and in `p`.
fn differ(table: &str) -> String {
    let differs = |column: &Column| {
        let name = column.name;
        if column.holds == Holds::Texts {
            format!("(array_to_string(n.{name}, ',') IS DISTINCT FROM array_to_string(p.{name}, ','))")
        } else {
            format!("(n.{name} IS DISTINCT FROM p.{name})")
        }
    };
    Table::of(table).changing(Change::Compared).map(differs).collect::<Vec<_>>().join(" OR ")
}
