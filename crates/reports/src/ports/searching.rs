//! The ports of searches: the search language, documents, and saved searches.

use crate::aggregation::{Aggregated, Aggregation, TypeAhead};
use crate::audit::AuditEvent;
use crate::caller::{Caller, DataScope};
use crate::error::Result;
use crate::ids::{SavedSearchId, TenantId};
use crate::saved_search::{SavedSearch, SavedSearchPage, SavedSearchQuery};
use crate::search::{DocumentPage, DocumentSearch, FoundDocument, FoundPage, IndexFields};
use async_trait::async_trait;

/// The search language, as far as a start must know it: whether a query can be read.
#[async_trait]
pub trait QueryLanguage: Send + Sync {
    /// Accepts a query or says where it is wrong. A query can take seconds of computing: it holds up nobody else's
    /// request, and nobody waits for it any more once the future is dropped.
    ///
    /// # Errors
    /// `Invalid` with the position and what was expected there; `Unavailable` where too many are being checked.
    async fn check(&self, query: &str) -> Result<()>;
}

/// Searches documents for requests that wait for the answer.
///
/// At most a few searches run at a time. A search ends when its future is dropped.
#[async_trait]
pub trait DocumentSearcher: Send + Sync {
    /// One page of the documents that a search finds in the part of the tenant's data that `scope` shows.
    ///
    /// The first page reads the newest snapshot. The following pages read the snapshot of the first one.
    ///
    /// # Errors
    /// `Invalid` for a search that cannot be run, and for a following page whose first page is not known any more;
    /// `NotFound` before the first snapshot; `Unavailable` where too many searches run.
    async fn page(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
    ) -> Result<FoundPage>;

    /// What comes of aggregations over all documents that a search finds, by name in their order, and a page of the
    /// documents, both of one snapshot.
    ///
    /// # Errors
    /// As [`DocumentSearcher::page`]; `Invalid` for a field that no document has or that cannot be computed with, and
    /// where there are too many different values.
    async fn aggregate(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        page: &DocumentPage,
        aggregations: &[Aggregation],
    ) -> Result<(FoundPage, Vec<(String, Aggregated)>)>;

    /// Aggregations as a CSV file: a row for each of the innermost buckets. Texts have the formula guard.
    ///
    /// # Errors
    /// `Internal`.
    fn csv(&self, aggregations: &[Aggregation], found: &[(String, Aggregated)]) -> Result<String>;

    /// The values of a field in which the words of a text follow each other, the last one as the beginning of a word; of
    /// the documents that a search finds in the newest snapshot.
    ///
    /// # Errors
    /// As [`DocumentSearcher::aggregate`].
    async fn values_ahead(
        &self,
        caller: &Caller,
        scope: &DataScope,
        search: &DocumentSearch,
        ahead: &TypeAhead,
    ) -> Result<Vec<String>>;

    /// The fields that a query over the newest snapshot can name.
    ///
    /// # Errors
    /// `NotFound` before the first snapshot.
    async fn fields(&self, caller: &Caller, scope: &DataScope) -> Result<Vec<IndexFields>>;

    /// The number of documents that a search finds in the newest snapshot.
    ///
    /// # Errors
    /// As [`DocumentSearcher::page`].
    async fn count(&self, caller: &Caller, scope: &DataScope, search: &DocumentSearch) -> Result<u64>;

    /// The document of an index with this id, in the newest snapshot.
    ///
    /// # Errors
    /// As [`DocumentSearcher::page`].
    async fn document(
        &self,
        caller: &Caller,
        scope: &DataScope,
        index: &str,
        id: &str,
    ) -> Result<Option<FoundDocument>>;
}

/// Saved searches.
#[async_trait]
pub trait SavedSearchStore: Send + Sync {
    /// Keeps a new saved search of the event's tenant, and records the event in the same transaction. `Invalid` when the
    /// tenant has too many.
    async fn add_saved_search(&self, search: &SavedSearch, event: &AuditEvent) -> Result<()>;

    /// The saved search with this id.
    async fn saved_search(&self, tenant: &TenantId, id: &SavedSearchId) -> Result<Option<SavedSearch>>;

    /// Part of the tenant's saved searches, in the order in which they were made.
    async fn saved_searches(&self, tenant: &TenantId, wanted: &SavedSearchQuery) -> Result<SavedSearchPage>;

    /// Replaces the content and the time of the change of a saved search of the event's tenant; its owner and the time at
    /// which it was made stay. Returns whether the tenant has it; then the event is recorded in the same transaction.
    async fn replace_saved_search(&self, search: &SavedSearch, event: &AuditEvent) -> Result<bool>;

    /// Removes a saved search of the event's tenant. Returns whether the tenant has it; then the event is recorded in the
    /// same transaction.
    async fn remove_saved_search(&self, id: &SavedSearchId, event: &AuditEvent) -> Result<bool>;
}
