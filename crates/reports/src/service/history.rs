//! The history of identities (historical-identities), answered from kept snapshots.

use super::Reports;
use crate::caller::{Caller, DataScope, Operation};
use crate::error::{Category, Error, Result, shown};
use crate::history::{
    AccessDifference, AccessItem, AccessType, HistoryEvent, Interval, ListedIdentity, PeopleQuery,
    SeenIdentity, SnapshotState, Span, Zone, difference, events, histogram, items,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::sync::Arc;

/// Which events are asked for.
#[derive(Debug, Clone, Copy)]
pub struct EventSpan {
    /// Events at or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Events before this time.
    pub before: Option<DateTime<Utc>>,
}

impl Reports {
    /// The identities of all kept snapshots, by display name and then by id. Each is as the newest snapshot that shows it
    /// has it.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` before the first snapshot; `Invalid` where too many snapshots are kept; `Unavailable` where
    /// too many requests of this kind run.
    pub async fn historical_identities(
        &self,
        caller: &Caller,
        query: &PeopleQuery,
    ) -> Result<Vec<ListedIdentity>> {
        let scope = Self::history_scope(caller, Operation::ReadHistory)?;
        self.history.people(&caller.tenant, &scope, query).await
    }

    /// An identity as the newest snapshot that shows it has it.
    ///
    /// # Errors
    /// As [`Reports::historical_identities`]; `NotFound` where no kept snapshot shows the identity.
    pub async fn historical_identity(&self, caller: &Caller, id: &str) -> Result<SeenIdentity> {
        let scope = Self::history_scope(caller, Operation::ReadHistory)?;
        self.last_seen(caller, &scope, id).await
    }

    /// When a refresh first made the identity; its snapshot may have expired since.
    ///
    /// # Errors
    /// As [`Reports::historical_identity`].
    pub async fn identity_start(&self, caller: &Caller, id: &str) -> Result<DateTime<Utc>> {
        let seen = self.historical_identity(caller, id).await?;
        Ok(seen.state.created.unwrap_or(seen.taken))
    }

    /// The times of the snapshots that show an identity, the newest first: those made at or after `from` and before
    /// `before`.
    ///
    /// # Errors
    /// As [`Reports::historical_identity`].
    pub async fn identity_snapshots(
        &self,
        caller: &Caller,
        id: &str,
        from: Option<DateTime<Utc>>,
        before: Option<DateTime<Utc>>,
    ) -> Result<Vec<DateTime<Utc>>> {
        let scope = Self::history_scope(caller, Operation::ReadHistory)?;
        let states = self.states_between(caller, &scope, id, EventSpan { from, before }).await?;
        let is_in_span = |taken: &DateTime<Utc>| {
            from.is_none_or(|from| taken.timestamp_millis() >= from.timestamp_millis())
        };
        let shown = states.iter().filter(|snapshot| snapshot.state.is_some()).map(|snapshot| snapshot.taken);
        Ok(shown.filter(is_in_span).collect())
    }

    /// An identity as the newest snapshot has it that was made at or before `moment`.
    ///
    /// # Errors
    /// As [`Reports::historical_identity`]; `NotFound` too where all kept snapshots are newer.
    pub async fn identity_at(
        &self,
        caller: &Caller,
        id: &str,
        moment: DateTime<Utc>,
    ) -> Result<SeenIdentity> {
        let scope = Self::history_scope(caller, Operation::ReadHistory)?;
        let snapshot = self.snapshot_at(caller, &scope, id, moment).await?;
        match snapshot.state {
            Some(state) => Ok(SeenIdentity { taken: snapshot.taken, deleted: state.left, state }),
            None => Err(not_in(snapshot.taken, id)),
        }
    }

    /// What an identity has, by type and id, as the newest snapshot that shows it has it.
    ///
    /// # Errors
    /// As [`Reports::historical_identity`].
    pub async fn access_items(
        &self,
        caller: &Caller,
        id: &str,
        kind: AccessType,
    ) -> Result<Vec<Arc<AccessItem>>> {
        let scope = Self::history_scope(caller, Operation::ListAccess)?;
        let seen = self.last_seen(caller, &scope, id).await?;
        Ok(items(&seen.state, &[kind]))
    }

    /// What an identity had at a time, by type and id; items of all types where none is asked for.
    ///
    /// # Errors
    /// As [`Reports::identity_at`].
    pub async fn access_items_at(
        &self,
        caller: &Caller,
        id: &str,
        moment: DateTime<Utc>,
        kind: Option<AccessType>,
    ) -> Result<Vec<Arc<AccessItem>>> {
        let seen = self.identity_at(caller, id, moment).await?;
        Ok(items(&seen.state, kind.as_slice()))
    }

    /// The events of an identity, the newest first ([`events`]).
    ///
    /// # Errors
    /// As [`Reports::historical_identity`].
    pub async fn identity_events(
        &self,
        caller: &Caller,
        id: &str,
        span: EventSpan,
    ) -> Result<Vec<HistoryEvent>> {
        let scope = Self::history_scope(caller, Operation::ReadHistory)?;
        Ok(events(&self.states_between(caller, &scope, id, span).await?))
    }

    /// How many events an identity has in each interval, the newest interval first.
    ///
    /// # Errors
    /// As [`Reports::historical_identity`].
    pub async fn identity_event_counts(
        &self,
        caller: &Caller,
        id: &str,
        before: Option<DateTime<Utc>>,
        interval: Interval,
        zone: Zone,
    ) -> Result<Vec<(DateTime<Utc>, u64)>> {
        let events = self.identity_events(caller, id, EventSpan { from: None, before }).await?;
        Ok(histogram(&events, interval, zone))
    }

    /// What an identity gained and lost from the snapshot of `first` to that of `second`. Without `second`, that is the
    /// newest snapshot; without `first`, the one before `second`, or none if `second` is the first that is kept.
    ///
    /// # Errors
    /// As [`Reports::identity_at`]; `NotFound` too where neither snapshot shows the identity.
    pub async fn compare_access(
        &self,
        caller: &Caller,
        id: &str,
        first: Option<DateTime<Utc>>,
        second: Option<DateTime<Utc>>,
    ) -> Result<AccessDifference> {
        let scope = Self::history_scope(caller, Operation::ReadHistory)?;
        let since = self.snapshot_at(caller, &scope, id, second.unwrap_or(DateTime::<Utc>::MAX_UTC)).await?;
        let before = match first {
            Some(first) => self.snapshot_at(caller, &scope, id, first).await?.state,
            None => {
                let earlier = since.taken - TimeDelta::milliseconds(1);
                let found = self.history.states(&caller.tenant, &scope, id, Span::At(earlier)).await;
                match found {
                    Ok(found) => found.into_iter().next().and_then(|snapshot| snapshot.state),
                    Err(error) if error.category == Category::NotFound => None,
                    Err(error) => return Err(error),
                }
            }
        };
        if before.is_none() && since.state.is_none() {
            return Err(not_in(since.taken, id));
        }
        Ok(difference(before.as_deref(), since.state.as_deref()))
    }

    fn history_scope(caller: &Caller, operation: Operation) -> Result<DataScope> {
        caller.authorise(operation)?;
        caller.scope_with_rows()
    }

    async fn last_seen(&self, caller: &Caller, scope: &DataScope, id: &str) -> Result<SeenIdentity> {
        let mut states = self.history.states(&caller.tenant, scope, id, Span::Newest).await?;
        let last = states.pop();
        let Some(SnapshotState { taken, state: Some(state) }) = last else { return Err(nowhere(id)) };
        // The snapshots after it do not show the identity.
        let gone = states.last().map(|snapshot| snapshot.taken);
        Ok(SeenIdentity { taken, deleted: state.left.or(gone), state })
    }

    async fn snapshot_at(
        &self,
        caller: &Caller,
        scope: &DataScope,
        id: &str,
        moment: DateTime<Utc>,
    ) -> Result<SnapshotState> {
        let found = self.history.states(&caller.tenant, scope, id, Span::At(moment)).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::internal("a snapshot was not read", "there is no state"))
    }

    /// The states of an identity that at least one kept snapshot shows.
    async fn states_between(
        &self,
        caller: &Caller,
        scope: &DataScope,
        id: &str,
        span: EventSpan,
    ) -> Result<Vec<SnapshotState>> {
        let between = Span::Between(span.from, span.before);
        let states = self.history.states(&caller.tenant, scope, id, between).await?;
        if states.iter().all(|snapshot| snapshot.state.is_none()) {
            // An identity without states in this span has no events in it; one that is nowhere is unknown.
            self.last_seen(caller, scope, id).await?;
        }
        Ok(states)
    }
}

fn nowhere(id: &str) -> Error {
    Error::not_found(format!("no kept snapshot has an identity {}", shown(id)))
}

fn not_in(taken: DateTime<Utc>, id: &str) -> Error {
    let taken = taken.to_rfc3339_opts(SecondsFormat::Millis, true);
    Error::not_found(format!("the snapshot of {taken} has no identity {}", shown(id)))
}
