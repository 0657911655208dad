//! What a start says of the queries of its arguments, and of the sources that the report reads.

use super::Reports;
use crate::arguments::{ArgumentKind, Arguments};
use crate::caller::DataScope;
use crate::definition::ReportDefinition;
use crate::error::{Error, Result, shown};
use crate::message::Message;
use crate::snapshot::SnapshotManifest;
use crate::sod::{self, PolicySearch};

impl Reports {
    /// A query that cannot be read fails the start and not the run.
    pub(super) async fn check_query(
        &self,
        definition: &ReportDefinition,
        arguments: &Arguments,
    ) -> Result<()> {
        if let Some(spec) = definition.query_argument()
            && let Some(query) = arguments.text(&spec.name)
        {
            self.queries.check(query).await.map_err(|error| Error {
                message: format!("argument {:?}: {}", spec.name, error.message),
                ..error
            })?;
        }
        for spec in definition.arguments.iter().filter(|spec| spec.kind == ArgumentKind::SodPolicies) {
            let searches = arguments.text(&spec.name).map_or(Ok(Vec::new()), sod::searches)?;
            for PolicySearch { query, .. } in searches {
                self.queries.check(&query).await.map_err(|error| Error {
                    message: format!("argument {:?}, query {}: {}", spec.name, shown(&query), error.message),
                    ..error
                })?;
            }
        }
        Ok(())
    }

    /// Warnings about sources that the report reads: incomplete or stale ones.
    pub(super) fn source_warnings(
        &self,
        definition: &ReportDefinition,
        arguments: &Arguments,
        snapshot: &SnapshotManifest,
        scope: &DataScope,
    ) -> Vec<Message> {
        let only = definition.source_argument().and_then(|spec| arguments.text(&spec.name));
        let now = self.clock.now();
        let mut messages = Vec::new();
        let reads = |id: &str| only.is_none_or(|only| only == id) && scope.has_source(id);
        for source in snapshot.sources.iter().filter(|source| reads(source.id.as_str())) {
            if let Some(remark) = source.remark.as_ref().filter(|_| !source.complete) {
                messages.push(Message::warn(
                    "source_incomplete",
                    format!("source {:?} was not read completely: {remark}", source.name),
                ));
            } else if let Some(remark) = &source.remark {
                messages.push(Message::warn("source_remark", format!("source {:?}: {remark}", source.name)));
            }
            if source.rejected > 0 {
                messages.push(Message::warn(
                    "source_refused",
                    format!(
                        "source {:?}: {} of {} records were refused; {} accounts are as of an earlier read",
                        source.name, source.rejected, source.read, source.stale
                    ),
                ));
            }
            // The published reports do not show these values otherwise than as the source has them.
            if definition.kind.is_none() {
                let refused = source.refused_values.iter();
                messages.extend(refused.map(|refused| {
                    Message::warn("value_refused", format!("source {:?}: {refused}", source.name))
                }));
            }
            if now - source.ended > self.limits.stale_after {
                messages.push(Message::warn(
                    "source_stale",
                    format!("source {:?} was last read at {}", source.name, source.ended.to_rfc3339()),
                ));
            }
        }
        messages
    }
}
