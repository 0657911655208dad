//! Lists, page by page.

use crate::error::Error;
use crate::retry::Repeat;
use crate::transport::{Transport, json};
use futures_util::stream::{self, Stream};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::sync::Arc;

/// The header with the number of all elements of a list.
const TOTAL: &str = "x-total-count";
/// Elements of a page that is fetched for a stream: the most that every list gives.
const STREAMED: u32 = 250;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paging {
    /// Elements that are left out from the beginning.
    pub offset: u32,
    /// Most elements; what the service takes where it is `None`.
    pub limit: Option<u32>,
    /// Whether [`Page::total`] is wanted.
    pub count: bool,
}

impl Paging {
    /// At most so many elements from the beginning.
    pub fn first(limit: u32) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    pub(crate) fn query(self) -> Vec<(&'static str, String)> {
        let offset = (self.offset > 0).then(|| ("offset", self.offset.to_string()));
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        let count = self.count.then(|| ("count", "true".to_owned()));
        offset.into_iter().chain(limit).chain(count).collect()
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its elements.
    pub items: Vec<T>,
    /// How many the whole list has, where that was asked for and the service says it.
    pub total: Option<u64>,
}

/// The number of all elements, where the answer says it.
pub(crate) fn total(response: &Response) -> Option<u64> {
    response.headers().get(TOTAL)?.to_str().ok()?.trim().parse().ok()
}

pub(crate) async fn page<T: DeserializeOwned>(
    transport: &Transport,
    build: impl Fn(&Client) -> RequestBuilder,
) -> Result<Page<T>, Error> {
    let response = transport.send(Repeat::Always, build).await?;
    let total = total(&response);
    Ok(Page { items: json(response).await?, total })
}

/// All elements of a list, fetched as they are taken. A list that changes meanwhile may show an element twice or not at
/// all. `header` is sent with every request.
pub(crate) fn all<T: DeserializeOwned + Send + 'static>(
    transport: Arc<Transport>,
    url: Url,
    query: Vec<(&'static str, String)>,
    header: Option<(&'static str, &'static str)>,
) -> impl Stream<Item = Result<T, Error>> + Send + 'static {
    let begin = (VecDeque::<T>::new(), Some(0));
    stream::try_unfold((transport, url, query, begin), move |(transport, url, query, state)| async move {
        let (mut held, mut next) = state;
        if let (true, Some(offset)) = (held.is_empty(), next) {
            let paging = Paging { offset, limit: Some(STREAMED), count: false }.query();
            let page: Page<T> = page(&transport, |http| {
                let request = http.get(url.clone()).query(&query).query(&paging);
                match header {
                    Some((name, value)) => request.header(name, value),
                    None => request,
                }
            })
            .await?;
            // A shorter page is the last one.
            let is_full = u32::try_from(page.items.len()).is_ok_and(|items| items >= STREAMED);
            next = is_full.then(|| offset.saturating_add(STREAMED));
            held = page.items.into();
        }
        let item = held.pop_front();
        Ok(item.map(|item| (item, (transport, url, query, (held, next)))))
    })
}
