//! The use cases of a search that is answered at once: a page, the count, and one document.

use crate::caller::{Caller, Operation};
use crate::error::Result;
use crate::search::{DocumentPage, DocumentSearch, FoundDocument, FoundPage};
use crate::service::Reports;

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
        caller.authorise(Operation::Search)?;
        let scope = caller.scope_with_rows()?;
        search.check()?;
        page.check(&search.sort)?;
        self.queries.check(&search.query).await?;
        self.documents.page(caller, &scope, search, page).await
    }

    /// The number of documents that a search finds (search-count).
    ///
    /// # Errors
    /// As [`Reports::search`].
    pub async fn count_search(&self, caller: &Caller, search: &DocumentSearch) -> Result<u64> {
        caller.authorise(Operation::CountSearch)?;
        let scope = caller.scope_with_rows()?;
        search.check()?;
        self.queries.check(&search.query).await?;
        self.documents.count(caller, &scope, search).await
    }

    /// The document of an index with this id (search-get). `None` where the caller may see none.
    ///
    /// # Errors
    /// As [`Reports::search`].
    pub async fn document(&self, caller: &Caller, index: &str, id: &str) -> Result<Option<FoundDocument>> {
        caller.authorise(Operation::Search)?;
        let scope = caller.scope_with_rows()?;
        self.documents.document(caller, &scope, index, id).await
    }
}
