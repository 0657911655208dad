//! The use cases of a search that is answered at once: a page, the count, aggregations, values, and one document.

use crate::aggregation::{Aggregated, Aggregation, TypeAhead, check_aggregations};
use crate::caller::{Caller, DataScope, Operation};
use crate::error::Result;
use crate::search::{DocumentPage, DocumentSearch, FoundDocument, FoundPage, IndexFields};
use crate::search_filter::{SearchFilters, filtered};
use crate::service::Reports;
use std::borrow::Cow;

impl Reports {
    /// A page of the documents that a search finds (search).
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for a search or a page that is wrong; `NotFound` before the first snapshot;
    /// `Unavailable` where too many searches run.
    pub async fn search(
        &self,
        caller: &Caller,
        search: &DocumentSearch,
        page: &DocumentPage,
    ) -> Result<FoundPage> {
        let scope = allowed(caller, Operation::Search)?;
        page.check(&search.sort)?;
        let search = self.checked_search(search).await?;
        self.documents.page(caller, &scope, &search, page).await
    }

    /// What comes of aggregations over the documents that a search finds, and a page of them (search-aggregate).
    ///
    /// # Errors
    /// As [`Reports::search`]; `Invalid` for an aggregation that is wrong.
    pub async fn aggregate(
        &self,
        caller: &Caller,
        search: &DocumentSearch,
        page: &DocumentPage,
        aggregations: &[Aggregation],
    ) -> Result<(FoundPage, Vec<(String, Aggregated)>)> {
        let scope = allowed(caller, Operation::AggregateSearch)?;
        page.check(&search.sort)?;
        check_aggregations(aggregations)?;
        let search = self.checked_search(search).await?;
        self.documents.aggregate(caller, &scope, &search, page, aggregations).await
    }

    /// The values of a field that begin as somebody types, of the documents that a search finds (search, TYPEAHEAD).
    ///
    /// # Errors
    /// As [`Reports::search`]; `Invalid` for what is typed, or the field.
    pub async fn values_ahead(
        &self,
        caller: &Caller,
        search: &DocumentSearch,
        ahead: &TypeAhead,
    ) -> Result<Vec<String>> {
        let scope = allowed(caller, Operation::Search)?;
        ahead.check()?;
        let search = self.checked_search(search).await?;
        self.documents.values_ahead(caller, &scope, &search, ahead).await
    }

    /// The fields that a query can name, for people who type one.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` before the first snapshot.
    pub async fn search_fields(&self, caller: &Caller) -> Result<Vec<IndexFields>> {
        let scope = allowed(caller, Operation::Search)?;
        self.documents.fields(caller, &scope).await
    }

    /// The number of documents that a search finds (search-count).
    ///
    /// # Errors
    /// As [`Reports::search`].
    pub async fn count_search(&self, caller: &Caller, search: &DocumentSearch) -> Result<u64> {
        let scope = allowed(caller, Operation::CountSearch)?;
        let search = self.checked_search(search).await?;
        self.documents.count(caller, &scope, &search).await
    }

    /// The search without filters: they are part of its query.
    async fn checked_search<'s>(&self, search: &'s DocumentSearch) -> Result<Cow<'s, DocumentSearch>> {
        search.check()?;
        // By itself first: together with filters, an unfinished query could read as another one.
        self.queries.check(&search.query).await?;
        if search.filters.is_empty() {
            return Ok(Cow::Borrowed(search));
        }
        let query = filtered(&search.query, &search.filters)?;
        self.queries.check(&query).await?;
        Ok(Cow::Owned(DocumentSearch { query, filters: SearchFilters::new(), ..search.clone() }))
    }

    /// The document of an index with this id (search-get). `None` where the caller may see none.
    ///
    /// # Errors
    /// As [`Reports::search`].
    pub async fn document(&self, caller: &Caller, index: &str, id: &str) -> Result<Option<FoundDocument>> {
        let scope = allowed(caller, Operation::Search)?;
        self.documents.document(caller, &scope, index, id).await
    }
}

/// The rows that the caller may see, if it may do this.
fn allowed(caller: &Caller, operation: Operation) -> Result<DataScope> {
    caller.authorise(operation)?;
    caller.scope_with_rows()
}
