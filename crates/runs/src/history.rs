//! The history of identities: which of the kept snapshots a request reads, and how many requests run.
//!
//! Why here: it joins the engine and the catalogue of snapshots.
//!
//! Invariants:
//! - at most [`HISTORIES_MAX`] requests run at a time, on the engine's threads. A request keeps its place until it ends,
//!   and ends when nobody waits for its answer;
//! - a request reads at most [`SNAPSHOTS_READ_MAX`] snapshots, one after another. Consecutive snapshots in which an
//!   identity is equal share its state, so memory grows with the changes and not with the snapshots.

mod identity;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_engine::Engine;
use muster_engine::history::{has_history, shows_the_same};
use muster_reports::SnapshotManifest;
use muster_reports::caller::DataScope;
use muster_reports::error::{Error, Result};
use muster_reports::history::{
    IdentityState, ListedIdentity, PeopleQuery, SNAPSHOTS_READ_MAX, SnapshotState, Span,
};
use muster_reports::ids::TenantId;
use muster_reports::ports::{IdentityHistory, SnapshotCatalogue};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests for the history of identities that run at the same time.
const HISTORIES_MAX: usize = 2;

/// How long such a request waits until it can run. After that, it is refused with 503 and can be repeated.
const HISTORY_WAIT_MAX: Duration = Duration::from_secs(3);

/// Reads the history of identities.
pub struct Histories {
    engine: Arc<Engine>,
    snapshots: Arc<dyn SnapshotCatalogue>,
    places: Arc<Semaphore>,
    wait: Duration,
}

/// Kept snapshots, the last published first.
struct Kept {
    snapshots: Vec<Arc<SnapshotManifest>>,
    /// Whether there are older ones.
    has_more: bool,
}

impl Histories {
    /// The history in these snapshots.
    pub fn new(engine: Arc<Engine>, snapshots: Arc<dyn SnapshotCatalogue>) -> Self {
        Self { engine, snapshots, places: Arc::new(Semaphore::new(HISTORIES_MAX)), wait: HISTORY_WAIT_MAX }
    }

    async fn kept(&self, tenant: &TenantId) -> Result<Kept> {
        let limit = u32::try_from(SNAPSHOTS_READ_MAX + 1).unwrap_or(u32::MAX);
        let mut snapshots = self.snapshots.kept_of(tenant, limit).await?;
        let has_more = snapshots.len() > SNAPSHOTS_READ_MAX;
        snapshots.truncate(SNAPSHOTS_READ_MAX);
        snapshots.retain(|manifest| has_history(manifest));
        if snapshots.is_empty() {
            return Err(Error::not_found(
                "there is no snapshot of identities yet: an administrator has to add sources and to refresh first",
            ));
        }
        Ok(Kept { snapshots, has_more })
    }

    /// Runs `work` on the engine's threads once there is a place for it. Dropping the returned future ends it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let place = tokio::time::timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| {
            Error::unavailable("too many requests for the history of identities run: expected fewer")
        })?;
        let place = place.expect("the semaphore is never closed");
        let placed = async move {
            let _place = place;
            Ok(work.await)
        };
        self.engine.run(placed).await?
    }
}

impl Kept {
    fn too_many() -> Error {
        Error::invalid(format!(
            "the request is about more than {SNAPSHOTS_READ_MAX} snapshots: expected at most that many, such as those \
             since a later time"
        ))
    }

    /// The snapshots of a span, the last published first.
    fn of(self, span: Span) -> Result<Vec<Arc<SnapshotManifest>>> {
        match span {
            Span::Newest => Ok(self.snapshots),
            Span::At(moment) => match self.snapshots.iter().find(|snapshot| is_by(snapshot, moment)) {
                Some(snapshot) => Ok(vec![Arc::clone(snapshot)]),
                None if self.has_more => Err(Self::too_many()),
                None => Err(Error::not_found(match self.snapshots.last() {
                    None => "no snapshot is kept".to_owned(),
                    Some(first) => format!(
                        "no snapshot is kept of {} or before: the first kept one is of {}",
                        text(moment),
                        text(first.created)
                    ),
                })),
            },
            Span::Between(from, before) => {
                let mut snapshots = self.snapshots;
                if let Some(before) = before {
                    snapshots.retain(|snapshot| millis(snapshot.created) < millis(before));
                }
                let in_span = from.map_or(snapshots.len(), |from| {
                    let last =
                        snapshots.iter().rposition(|snapshot| millis(snapshot.created) >= millis(from));
                    last.map_or(0, |last| last + 1)
                });
                if in_span == snapshots.len() && self.has_more {
                    return Err(Self::too_many());
                }
                // And the one before, with which the first of the span is compared.
                snapshots.truncate(in_span + 1);
                Ok(snapshots)
            }
        }
    }
}

fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

fn is_by(snapshot: &SnapshotManifest, moment: DateTime<Utc>) -> bool {
    millis(snapshot.created) <= millis(moment)
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[async_trait]
impl IdentityHistory for Histories {
    async fn people(
        &self,
        tenant: &TenantId,
        scope: &DataScope,
        query: &PeopleQuery,
    ) -> Result<Vec<ListedIdentity>> {
        let kept = self.kept(tenant).await?;
        if kept.has_more {
            return Err(Kept::too_many());
        }
        let (engine, scope, query) = (Arc::clone(&self.engine), scope.clone(), query.clone());
        self.run(async move { Ok(engine.people(&kept.snapshots, &scope, &query).await?) }).await
    }

    async fn states(
        &self,
        tenant: &TenantId,
        scope: &DataScope,
        id: &str,
        span: Span,
    ) -> Result<Vec<SnapshotState>> {
        let kept = self.kept(tenant).await?;
        let has_more = kept.has_more;
        let snapshots = kept.of(span)?;
        let reader = Reader { engine: Arc::clone(&self.engine), scope: scope.clone(), id: id.to_owned() };
        let ends_when_found = span == Span::Newest;
        let states = self.run(async move { reader.states(&snapshots, ends_when_found).await }).await?;
        if ends_when_found && has_more && states.iter().all(|snapshot| snapshot.state.is_none()) {
            return Err(Kept::too_many());
        }
        Ok(states)
    }
}

/// Reads one identity, on the engine's threads.
struct Reader {
    engine: Arc<Engine>,
    scope: DataScope,
    id: String,
}

impl Reader {
    async fn states(
        &self,
        snapshots: &[Arc<SnapshotManifest>],
        ends_when_found: bool,
    ) -> Result<Vec<SnapshotState>> {
        let mut states: Vec<SnapshotState> = Vec::with_capacity(snapshots.len());
        let mut last: Option<&SnapshotManifest> = None;
        for manifest in snapshots {
            let known = states.last().map(|snapshot| &snapshot.state);
            let state = match (last, known) {
                (Some(last), Some(known)) if shows_the_same(last, manifest, &self.scope, &self.id) => {
                    known.clone()
                }
                (_, known) => shared(self.read(manifest).await?, known),
            };
            let is_found = state.is_some();
            states.push(SnapshotState { taken: manifest.created, state });
            last = Some(manifest);
            if is_found && ends_when_found {
                break;
            }
        }
        Ok(states)
    }

    async fn read(&self, manifest: &SnapshotManifest) -> Result<Option<IdentityState>> {
        let rows = self.engine.identity_in(manifest, &self.scope, &self.id).await?;
        rows.as_ref().map(identity::state_of).transpose()
    }
}

/// `state`, or the equal one that is known already.
fn shared(
    state: Option<IdentityState>,
    known: Option<&Option<Arc<IdentityState>>>,
) -> Option<Arc<IdentityState>> {
    let state = state?;
    match known {
        Some(Some(known)) if **known == state => Some(Arc::clone(known)),
        _ => Some(Arc::new(state)),
    }
}

#[cfg(test)]
mod tests;
