//! Search, count, aggregate.

use crate::error::Error;
use crate::page::{self, Page, Paging};
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use futures_util::stream::{self, Stream};
use muster_wire::{AggregationResult, Search, SearchDocument, SearchIndex, SearchQuery};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;

const COLLECTION: &str = "search";
/// Documents of a page that is fetched for a stream.
const STREAMED: u32 = 1_000;

/// A search for documents of some indices, by a text of the query language.
///
/// ```
/// use muster_client::{search_for, wire::SearchIndex};
///
/// let search = search_for([SearchIndex::Identities], "attributes.department:Finance");
/// assert_eq!(search.query.unwrap().query.unwrap(), "attributes.department:Finance");
/// ```
pub fn search_for(indices: impl IntoIterator<Item = SearchIndex>, query: impl Into<String>) -> Search {
    Search {
        indices: Some(indices.into_iter().collect()),
        query: Some(SearchQuery { query: Some(query.into()), ..SearchQuery::default() }),
        ..Search::default()
    }
}

/// Search, count, aggregate.
#[derive(Clone)]
pub struct SearchApi {
    transport: Arc<Transport>,
}

part!(SearchApi);

impl SearchApi {
    /// A page of the documents that a search finds (search-post).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn search(&self, search: &Search, paging: Paging) -> Result<Page<SearchDocument>, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        let query = paging.query();
        page::page(&self.transport, |http| http.post(url.clone()).query(&query).json(search)).await
    }

    /// All documents that a search finds, by their ids, fetched as they are taken. The search's own order and `searchAfter`
    /// are not used.
    ///
    /// ```no_run
    /// # async fn run(client: muster_client::Client) -> Result<(), muster_client::Error> {
    /// use futures_util::{StreamExt, TryStreamExt};
    /// use muster_client::{search_for, wire::SearchIndex};
    ///
    /// let search = search_for([SearchIndex::Identities], "attributes.department:Finance");
    /// let mut documents = client.search().stream(&search)?.boxed();
    /// while let Some(document) = documents.try_next().await? {
    ///     println!("{}", document.0["name"]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Configuration`]; each element may be an error as of [`Self::search`].
    pub fn stream(
        &self,
        search: &Search,
    ) -> Result<impl Stream<Item = Result<SearchDocument, Error>> + Send + 'static, Error> {
        let search = Search { sort: Some(vec!["id".into()]), search_after: None, ..search.clone() };
        let begin = (VecDeque::new(), Some(search));
        Ok(stream::try_unfold((self.clone(), begin), |(api, (mut held, mut next))| async move {
            if held.is_empty()
                && let Some(search) = next.take()
            {
                held = api.search(&search, Paging::first(STREAMED)).await?.items.into();
                next = following(search, &held)?;
            }
            let document = held.pop_front();
            Ok(document.map(|document| (document, (api, (held, next)))))
        }))
    }

    /// How many documents a search finds (search-count).
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Answer`] where the service does not say it, and what comes before an answer.
    pub async fn count(&self, search: &Search) -> Result<u64, Error> {
        let url = self.transport.url(COLLECTION, &["count"])?;
        let response =
            self.transport.send(Repeat::Always, |http| http.post(url.clone()).json(search)).await?;
        page::total(&response).ok_or_else(|| Error::Answer("it has no X-Total-Count".into()))
    }

    /// Aggregations over all documents that a search finds, and a page of the documents (search-aggregate).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn aggregate(&self, search: &Search, paging: Paging) -> Result<AggregationResult, Error> {
        let url = self.transport.url(COLLECTION, &["aggregate"])?;
        let query = paging.query();
        self.transport
            .json(Repeat::Always, |http| {
                http.post(url.clone())
                    .query(&query)
                    .header(reqwest::header::ACCEPT, "application/json")
                    .json(search)
            })
            .await
    }

    /// A document by its id (search-get).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, index: &SearchIndex, id: &str) -> Result<SearchDocument, Error> {
        let url = self.transport.url(COLLECTION, &[index.as_str(), id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }
}

/// The search for what comes after these documents; `None` if they are the last.
fn following(search: Search, held: &VecDeque<SearchDocument>) -> Result<Option<Search>, Error> {
    let is_full = u32::try_from(held.len()).is_ok_and(|documents| documents >= STREAMED);
    let Some(last) = held.back().filter(|_| is_full) else { return Ok(None) };
    let id = last.0.get("id").and_then(Value::as_str);
    let id = id.ok_or_else(|| Error::Answer("a document has no id: no page can follow it".into()))?;
    Ok(Some(Search { search_after: Some(vec![id.to_owned()]), ..search }))
}
