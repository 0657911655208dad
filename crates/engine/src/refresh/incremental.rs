//! Incremental refresh: decides which rows to recompute and which to copy from the last snapshot.
//!
//! A row is recomputed when something that it depends on may have changed:
//! - an account: its record, the definition of its source, a manual link that is or was on it, or an identity that a
//!   rule of its source matches;
//! - an identity: one of its authoritative accounts; for its errors, another identity with its uid; for its manager,
//!   another identity whose name its record has;
//! - a document: its identity, one of its accounts, or its manager.
//!
//! Documents of sources are read every time. The history of runs, the history of counts, and the documents of events
//! only grow. Rows that differ after they were recomputed are *touched*: the partitions of tables that contain them are
//! written, and no others. A full refresh gives the same tables; a property test compares the two.

use super::{RefreshRequest, SourceInput};
use crate::declared::TABLES;
use crate::error::{EngineError, Result};
use crate::query::Value;
use muster_reports::ids::hex;
use muster_reports::snapshot::SourceRun;
use muster_sources::DocumentType;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Which rows a refresh recomputes.
pub(super) struct Recompute {
    /// Everything is recomputed.
    pub(super) everything: bool,
    /// Sources that are new, or whose definition differs from the last snapshot.
    pub(super) redefined: BTreeSet<String>,
    /// Which identities are recomputed, and their errors.
    pub(super) identities: IdentitiesToRecompute,
}

/// Which identities a refresh recomputes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdentitiesToRecompute {
    /// None: only their accounts are counted again.
    Copied,
    /// Those that a changed authoritative account can affect.
    Some,
    /// All of them.
    All,
}

impl Recompute {
    /// Decides as much as is known before anything is read.
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
            // Without a source that was removed, some rows that depended on it cannot be found.
            Some(last) => {
                last.sources.iter().any(|run| !request.sources.iter().any(|s| is_of(s, run)))
                    || last.sources.iter().any(replaces_made_documents)
                    || last.last_event.is_none()
                    || TABLES.iter().any(|table| !last.versions.contains_key(*table))
            }
        };
        let identities = if everything { IdentitiesToRecompute::All } else { IdentitiesToRecompute::Copied };
        Ok(Self { everything, redefined, identities })
    }

    /// Makes this a full refresh.
    pub(super) fn make_full(&mut self) {
        self.everything = true;
        self.identities = IdentitiesToRecompute::All;
    }

    /// Makes this a full refresh if documents of a source require it.
    pub(super) fn check_documents(&mut self, run: &SourceRun) {
        if replaces_made_documents(run) {
            self.make_full();
        }
    }

    /// Whether a source with unchanged bytes has the same records as in the last snapshot.
    pub(super) fn may_carry(&self, input: &SourceInput, last: &SourceRun) -> bool {
        !self.everything
            && !self.redefined.contains(&input.definition.id)
            && last.complete
            && last.remark.is_none()
    }

    /// Whether a step is needed.
    pub(super) fn needs(&self, needed: Needed) -> bool {
        match needed {
            Needed::Always | Needed::Chosen(_) => true,
            Needed::Full => self.everything,
            Needed::Incremental => !self.everything,
            Needed::Identities => self.identities != IdentitiesToRecompute::Copied,
            Needed::IdentitiesCopied => self.identities == IdentitiesToRecompute::Copied,
            Needed::SomeIdentities => self.identities == IdentitiesToRecompute::Some,
            Needed::FewIdentities => self.identities != IdentitiesToRecompute::All,
            Needed::AllIdentities => self.identities == IdentitiesToRecompute::All,
            Needed::AllIdentitiesAgain => !self.everything && self.identities == IdentitiesToRecompute::All,
            Needed::IncrementalWithIdentities => {
                !self.everything && self.identities != IdentitiesToRecompute::Copied
            }
        }
    }

    /// Values for the steps.
    pub(super) fn values(&self) -> [(&'static str, Value); 2] {
        let redefined = Value::texts(self.redefined.iter().map(String::as_str));
        [("redefined", redefined), ("identities", Value::Flag(self.needs(Needed::Identities)))]
    }
}

/// When a step is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// In every refresh.
    Always,
    /// In a full refresh.
    Full,
    /// In an incremental refresh.
    Incremental,
    /// If identities and their errors are recomputed, some or all.
    Identities,
    /// If they are copied.
    IdentitiesCopied,
    /// If some of them are recomputed.
    SomeIdentities,
    /// If some or none of them are recomputed.
    FewIdentities,
    /// If all of them are recomputed.
    AllIdentities,
    /// If all of them are recomputed in an incremental refresh.
    AllIdentitiesAgain,
    /// If some or all of them are recomputed in an incremental refresh.
    IncrementalWithIdentities,
    /// If the module that runs the step decides so. The text says when.
    Chosen(&'static str),
}

/// Whether documents of the source replace documents that are made from accounts. The tables do not record which
/// documents were made.
fn replaces_made_documents(run: &SourceRun) -> bool {
    let made = [DocumentType::Identities, DocumentType::Entitlements, DocumentType::Events];
    made.iter().any(|document_type| gave(run, *document_type))
}

/// Whether the source provided documents of this type.
pub(super) fn gave(run: &SourceRun, document_type: DocumentType) -> bool {
    run.documents.iter().any(|name| name == document_type.index_name())
}

fn is_of(input: &SourceInput, run: &SourceRun) -> bool {
    input.definition.id == run.id.as_str()
}

/// Digest of what determines the result for a source in addition to its records: its definition, and the version of the
/// program that reads it.
pub(super) fn settings_digest(input: &SourceInput) -> Result<String> {
    let definition =
        serde_json::to_vec(&input.definition).map_err(|e| EngineError::data("describing a source", e))?;
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update([0]);
    hash.update(definition);
    Ok(hex(hash.finalize()))
}
