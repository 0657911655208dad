//! Incremental refresh: what is made again, and what is taken from the last snapshot as it is.
//!
//! Documents that sources give are read every time. A row is made again when what it depends on may have changed: an
//! account when its record changed, when its source is defined otherwise, when a manual link is or was on it, or when an
//! identity that one of its source's rules matches changed; identities when an authoritative account changed; a document
//! when its identity, one of its accounts or its manager did. The history of runs and of counts and the documents of
//! events only grow. Rows that then come out different are *touched*: the pieces of tables that hold them are written, and
//! no others. Making everything again gives the same tables (a property test compares the two).

use super::{RefreshRequest, SourceInput};
use crate::declared::TABLES;
use crate::error::{EngineError, Result};
use crate::query::Value;
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

    /// Whether a step is run.
    pub(super) fn needs(&self, needed: Needed) -> bool {
        match needed {
            Needed::Always | Needed::Chosen(_) => true,
            Needed::Everything => self.everything,
            Needed::Part => !self.everything,
            Needed::Identities => self.identities,
            Needed::IdentitiesKept => !self.identities,
            Needed::PartWithIdentities => !self.everything && self.identities,
        }
    }

    /// What steps ask for.
    pub(super) fn values(&self) -> [(&'static str, Value); 2] {
        let redefined = Value::texts(self.redefined.iter().map(String::as_str));
        [("redefined", redefined), ("identities", Value::Flag(self.identities))]
    }
}

/// When a step is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// In every refresh.
    Always,
    /// Where nothing is taken over.
    Everything,
    /// Where something is.
    Part,
    /// Where identities and their errors are made again.
    Identities,
    /// Where they are taken over.
    IdentitiesKept,
    /// Where they are made again, and something else is taken over.
    PartWithIdentities,
    /// Where the module that runs it says so, in words.
    Chosen(&'static str),
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

/// What decides, beside the records, what becomes of a source: its definition, and the program that reads it.
pub(super) fn settings_digest(input: &SourceInput) -> Result<String> {
    let definition =
        serde_json::to_vec(&input.definition).map_err(|e| EngineError::data("describing a source", e))?;
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update([0]);
    hash.update(definition);
    Ok(hex(hash.finalize()))
}
