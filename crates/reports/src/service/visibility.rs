//! Which tasks a caller may see.

use super::Reports;
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{ReviewId, SnapshotId};
use crate::retention::AsOf;
use crate::task::Task;

impl Reports {
    /// Whether the caller may see every row of the task; for an auditor, also whether the report is named and its snapshots
    /// are of the period.
    pub(super) async fn is_visible(&self, caller: &Caller, task: &Task) -> Result<bool> {
        if !caller.scope().covers(&task.requester.data_scope) {
            return Ok(false);
        }
        let Some(limits) = caller.auditor() else { return Ok(true) };
        if !limits.reports.contains(&task.report) {
            return Ok(false);
        }
        let definition = self.catalogue.get(&task.report);
        let begins = definition.as_ref().and_then(|definition| definition.snapshot_argument());
        let begins = begins.and_then(|spec| task.arguments.text(&spec.name)).map(SnapshotId::new);
        let review = definition.as_ref().and_then(|definition| definition.review_argument());
        if let Some(id) = review.and_then(|spec| task.arguments.text(&spec.name)) {
            let review = self.reviews.review(&caller.tenant, &ReviewId::new(id)).await?;
            if !review.is_some_and(|review| limits.period.has(review.frozen_at)) {
                return Ok(false);
            }
        }
        for id in begins.into_iter().chain([task.snapshot.clone()]) {
            let snapshot = self.snapshots.as_of(&caller.tenant, &AsOf::Snapshot(id)).await?;
            if !snapshot.is_some_and(|snapshot| limits.period.has(snapshot.manifest.created)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
