//! The catalogue of snapshots, and the sources of the newest one, as a caller may see them.
//!
//! Covers name snapshots and sources, so the right is that of reading results. A caller with a data scope sees its own
//! sources, and no numbers of a whole snapshot.

use super::{LISTED_MAX, Reports};
use crate::caller::{Caller, DataScope, Operation};
use crate::error::Result;
use crate::retention::CataloguedSnapshot;
use crate::snapshot::SourceRun;

/// The snapshots that a caller sees.
pub struct SeenSnapshots {
    /// The last published first, expired ones too.
    pub snapshots: Vec<CataloguedSnapshot>,
    /// Whether the caller may see how many rows they have.
    pub counted: bool,
}

impl Reports {
    /// The last [`LISTED_MAX`] snapshots; for an auditor, the last of his period.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn snapshots(&self, caller: &Caller) -> Result<SeenSnapshots> {
        self.authorise(caller, Operation::ReadResult)?;
        let counted = caller.scope() == DataScope::Everything;
        let period = caller.auditor().map(|limits| limits.period);
        let snapshots = self.snapshots.catalogued(&caller.tenant, period, LISTED_MAX).await?;
        Ok(SeenSnapshots { snapshots, counted })
    }

    /// The sources of the newest snapshot that are in the caller's data scope, by name; none before the first snapshot. For
    /// an auditor, those of the newest snapshot of his period.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn sources(&self, caller: &Caller) -> Result<Vec<SourceRun>> {
        self.authorise(caller, Operation::ReadResult)?;
        let scope = caller.scope();
        let newest = match caller.auditor() {
            None => self.snapshots.newest(&caller.tenant).await?,
            Some(limits) => {
                let newest = self.snapshots.catalogued(&caller.tenant, Some(limits.period), 1).await?.pop();
                newest.map(|snapshot| snapshot.manifest)
            }
        };
        let all = newest.iter().flat_map(|snapshot| &snapshot.sources);
        let mut sources: Vec<_> =
            all.filter(|source| scope.has_source(source.id.as_str())).cloned().collect();
        sources.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(sources)
    }
}
