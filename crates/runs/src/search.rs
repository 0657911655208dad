//! Searches that are answered at once: which snapshot a page reads, and how many searches run.
//!
//! Why here: it joins the engine, the catalogue of snapshots, and what is remembered of pages.
//!
//! Invariants:
//! - at most [`SEARCHES_MAX`] searches run at a time, on the engine's threads. A search keeps its place until it ends,
//!   and ends when its request is gone;
//! - all pages of a search read the snapshot of the first page, with the same `now`. A page whose first page is not
//!   known any more is refused, and so is one that could belong to two snapshots ([`pages`]).

mod aggregation_csv;
mod document;
mod pages;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
pub(crate) use document::documents;
use muster_engine::Engine;
use muster_engine::search::{Position, SearchPlan, SearchRequest, ShownColumns, field_names};
use muster_reports::SnapshotManifest;
use muster_reports::aggregation::{Aggregated, Aggregation, TypeAhead};
use muster_reports::caller::{Caller, DataScope};
use muster_reports::error::{Category, Error, Result};
use muster_reports::ids::TenantId;
use muster_reports::ports::{Clock, DocumentSearcher, SnapshotCatalogue};
use muster_reports::retention::AsOf;
use muster_reports::search::{
    DocumentPage, DocumentSearch, FoundDocument, FoundPage, IndexFields, ShownFields,
};
use pages::{Digest, End, POSITION_BYTES_MAX, Pages, View};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Searches that run at the same time.
const SEARCHES_MAX: usize = 2;

/// How long a request waits until its search can run. After that, it is refused with 503 and can be repeated.
const SEARCH_WAIT_MAX: Duration = Duration::from_secs(3);

/// Searches documents.
pub struct Searches {
    engine: Arc<Engine>,
    snapshots: Arc<dyn SnapshotCatalogue>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    wait: Duration,
    pages: Mutex<Pages<Position>>,
}

impl Searches {
    /// Searches over these snapshots.
    pub fn new(engine: Arc<Engine>, snapshots: Arc<dyn SnapshotCatalogue>, clock: Arc<dyn Clock>) -> Self {
        let places = Arc::new(Semaphore::new(SEARCHES_MAX));
        Self { engine, snapshots, clock, places, wait: SEARCH_WAIT_MAX, pages: Mutex::default() }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let place = tokio::time::timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| Error::unavailable("too many searches run: expected fewer"))?;
        Ok(place.expect("the semaphore is never closed"))
    }

    fn pages(&self) -> MutexGuard<'_, Pages<Position>> {
        // A panic cannot leave the pages half changed: each change is one insertion or removal.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn newest(&self, tenant: &TenantId) -> Result<Arc<SnapshotManifest>> {
        self.snapshots.newest(tenant).await?.ok_or_else(|| {
            Error::not_found(
                "there is no snapshot to search yet: an administrator has to add sources and to refresh first",
            )
        })
    }

    /// The snapshot of a following page.
    async fn snapshot_of(&self, tenant: &TenantId, view: &View) -> Result<Arc<SnapshotManifest>> {
        let found = self.snapshots.as_of(tenant, &AsOf::Snapshot(view.snapshot.clone())).await?;
        let manifest = found.map(|snapshot| snapshot.readable()).transpose();
        match manifest {
            Ok(Some(manifest)) => Ok(manifest),
            Ok(None) => Err(gone()),
            Err(error) if error.category == Category::NotFound => Err(gone()),
            Err(error) => Err(error),
        }
    }

    /// Runs `work` on the engine's threads once there is a place for it. Dropping the returned future ends it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let place = self.place().await?;
        let placed = async move {
            let _place = place;
            Ok(work.await)
        };
        self.engine.run(placed).await?
    }
}

fn gone() -> Error {
    Error::invalid(
        "searchAfter continues a search whose snapshot is not kept any more: repeat the search from its first page",
    )
}

#[async_trait]
impl DocumentSearcher for Searches {
    async fn page(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
    ) -> Result<FoundPage> {
        Ok(self.aggregated_page(caller, scope, search, page, &[]).await?.0)
    }

    async fn aggregate(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
        aggregations: &[Aggregation],
    ) -> Result<(FoundPage, Vec<(String, Aggregated)>)> {
        self.aggregated_page(caller, scope, search, page, aggregations).await
    }

    fn csv(&self, aggregations: &[Aggregation], found: &[(String, Aggregated)]) -> Result<String> {
        aggregation_csv::csv(aggregations, found)
    }

    async fn values_ahead(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        ahead: &TypeAhead,
    ) -> Result<Vec<String>> {
        let job = self.newest_job(caller, scope, search).await?;
        let ahead = ahead.clone();
        Box::pin(self.run(async move { Ok(job.plan().await?.values_ahead(&ahead).await?) })).await
    }

    async fn fields(&self, caller: &Caller, scope: &DataScope) -> Result<Vec<IndexFields>> {
        let newest = self.newest(&caller.tenant).await?;
        let named = field_names(&newest, scope).into_iter();
        Ok(named.map(|(index, fields)| IndexFields { index, fields }).collect())
    }

    async fn count(&self, caller: &Caller, scope: &DataScope, search: &DocumentSearch) -> Result<u64> {
        let job = self.newest_job(caller, scope, search).await?;
        Box::pin(self.run(async move { Ok(job.plan().await?.count().await?) })).await
    }

    async fn document(
        &self,
        caller: &Caller,
        scope: &DataScope,
        index: &str,
        id: &str,
    ) -> Result<Option<FoundDocument>> {
        let everything = DocumentSearch {
            query: "*".into(),
            indices: vec![index.to_owned()],
            ..DocumentSearch::default()
        };
        let job = self.newest_job(caller, scope, &everything).await?;
        let id = id.to_owned();
        Box::pin(self.run(async move {
            let Some((document_type, batch)) = job.plan().await?.document(&id).await? else {
                return Ok(None);
            };
            let fields = document::documents(&batch, &ShownFields::default())?;
            let fields = fields.into_iter().next().map(|(_, fields)| fields);
            Ok(fields.map(|fields| FoundDocument { type_name: document_type.type_name(), fields }))
        }))
        .await
    }
}

impl Searches {
    /// A search of the newest snapshot.
    async fn newest_job(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
    ) -> Result<SearchJob> {
        Ok(SearchJob {
            engine: Arc::clone(&self.engine),
            manifest: self.newest(&caller.tenant).await?,
            scope: scope.clone(),
            search: search.clone(),
            now: self.clock.now(),
        })
    }

    /// A page of a search, and what comes of aggregations over all that it finds.
    async fn aggregated_page(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
        aggregations: &[Aggregation],
    ) -> Result<(FoundPage, Vec<(String, Aggregated)>)> {
        let key = key_of(caller, scope, search, page);
        let (manifest, view, after) = if page.after.is_empty() {
            let manifest = self.newest(&caller.tenant).await?;
            // `now` changes nothing in a query without that word.
            let now = self.clock.now();
            let meant = if search.query.contains("now") { now } else { manifest.created };
            let view = View { snapshot: manifest.id.clone(), now: meant };
            let view = self.pages().first(&key, view, now);
            (manifest, view, None)
        } else {
            let (view, after) = self.pages().following(&key, &digest_of(&page.after), self.clock.now())?;
            (self.snapshot_of(&caller.tenant, &view).await?, view, Some(after))
        };
        let job = SearchJob {
            engine: Arc::clone(&self.engine),
            manifest,
            scope: scope.clone(),
            search: search.clone(),
            now: view.now,
        };
        let (asked, is_first) = (page.clone(), after.is_none());
        let aggregations = aggregations.to_vec();
        let work = async move {
            let plan = job.plan().await?;
            let aggregated = match aggregations.as_slice() {
                [] => Vec::new(),
                aggregations => plan.aggregate(aggregations).await?,
            };
            let (found, last) = page_of(plan, &job.search.sort, &asked, after).await?;
            Ok((found, last, aggregated))
        };
        let (found, last, aggregated) = Box::pin(self.run(work)).await?;
        let is_full = u32::try_from(found.documents.len()).is_ok_and(|rows| rows == page.limit);
        match last.filter(|_| is_full && !search.sort.is_empty()) {
            Some(last) => {
                let values = last.values();
                let bytes: usize = values.iter().flatten().map(String::len).sum();
                let end = if bytes > POSITION_BYTES_MAX { End::TooLong } else { End::At(last) };
                self.pages().handed(key, view, is_first, digest_of(&values), end, self.clock.now());
            }
            None if !is_first => self.pages().ended(&key, &view),
            None => {}
        }
        Ok((found, aggregated))
    }
}

/// One search, to run on the engine's threads.
struct SearchJob {
    engine: Arc<Engine>,
    manifest: Arc<SnapshotManifest>,
    scope: DataScope,
    search: DocumentSearch,
    now: DateTime<Utc>,
}

impl SearchJob {
    async fn plan(&self) -> Result<SearchPlan> {
        // The filters are part of the query here.
        let DocumentSearch { query, indices, sort, fields, filters: _ } = self.search.clone();
        let request = SearchRequest { query, indices, columns: Vec::new(), sort, fields, now: self.now };
        Ok(self.engine.prepare_search(&self.manifest, &request, &self.scope).await?)
    }
}

/// A page, and the position of its last document.
async fn page_of(
    plan: SearchPlan,
    sort: &[String],
    page: &DocumentPage,
    after: Option<Position>,
) -> Result<(FoundPage, Option<Position>)> {
    let total = if page.counted { Some(plan.count().await?) } else { None };
    let (skipped, rows) = (whole(page.offset), whole(page.limit));
    let positions = plan.positions(sort, after.as_ref(), skipped, rows).await?;
    let columns = ShownColumns { includes: page.fields.includes.clone(), nested: page.fields.nested };
    let batches = plan.documents(&positions, &columns).await?;
    drop(plan);
    let mut found = HashMap::with_capacity(positions.len());
    for (document_type, batch) in &batches {
        let type_name = document_type.type_name();
        for (id, fields) in document::documents(batch, &page.fields)? {
            found.insert((type_name, id), FoundDocument { type_name, fields });
        }
    }
    let documents = positions.iter().map(|position| {
        let key = (position.document_type().type_name(), position.id().to_owned());
        found.remove(&key).ok_or_else(|| {
            Error::internal("a document could not be read", format!("{} {} is not there", key.0, key.1))
        })
    });
    let documents = documents.collect::<Result<_>>()?;
    Ok((FoundPage { documents, total }, positions.into_iter().next_back()))
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Who searches for what, in which pages.
fn key_of(caller: &Caller, scope: &DataScope, search: &DocumentSearch, page: &DocumentPage) -> Digest {
    let user = caller.user.as_ref().map_or("", |user| user.id.as_str());
    let (scope, limit) = (scope.to_string(), page.limit.to_string());
    let mut parts = vec![caller.tenant.as_str(), caller.client.as_str(), user, &scope, &limit, &search.query];
    let lists = [&search.indices, &search.sort, &search.fields];
    let lengths = lists.map(|list| list.len().to_string());
    for (list, length) in lists.into_iter().zip(&lengths) {
        parts.push(length);
        parts.extend(list.iter().map(String::as_str));
    }
    digest(parts.into_iter().map(Some))
}

/// The sort values that name a page.
fn digest_of(values: &[Option<String>]) -> Digest {
    digest(values.iter().map(Option::as_deref))
}

fn digest<'a>(parts: impl Iterator<Item = Option<&'a str>>) -> Digest {
    let mut digest = Sha256::new();
    for part in parts {
        // The length, so that no two lists are alike; no text has the length of an absent one.
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        digest.update(length.to_be_bytes());
        digest.update(part.unwrap_or_default());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
