//! Saved searches.

use crate::error::Error;
use crate::page::{self, Page, Paging};
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use futures_util::stream::Stream;
use muster_wire::{NewSavedSearch, SavedSearch, SearchArguments};
use std::sync::Arc;

const COLLECTION: &str = "saved-searches";

/// Saved searches.
#[derive(Clone)]
pub struct SavedSearchApi {
    transport: Arc<Transport>,
}

part!(SavedSearchApi);

impl SavedSearchApi {
    /// Keeps a search. It is sent once: a repetition could keep it twice.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn create(&self, search: &NewSavedSearch) -> Result<SavedSearch, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(search)).await
    }

    /// Part of the list of saved searches.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self, paging: Paging) -> Result<Page<SavedSearch>, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        let query = paging.query();
        page::page(&self.transport, |http| http.get(url.clone()).query(&query)).await
    }

    /// All saved searches, fetched as they are taken.
    ///
    /// # Errors
    /// [`Error::Configuration`]; each element may be an error as of [`Self::list`].
    pub fn stream(&self) -> Result<impl Stream<Item = Result<SavedSearch, Error>> + Send + 'static, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        Ok(page::all(self.transport.clone(), url, Vec::new(), None))
    }

    /// A saved search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<SavedSearch, Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Replaces a saved search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn replace(&self, id: &str, search: &SavedSearch) -> Result<SavedSearch, Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.json(Repeat::Always, |http| http.put(url.clone()).json(search)).await
    }

    /// Removes a saved search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.send(Repeat::Always, |http| http.delete(url.clone())).await.map(drop)
    }

    /// Executes a saved search now. It is sent once: a repetition could execute it twice.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn execute(&self, id: &str, arguments: &SearchArguments) -> Result<(), Error> {
        let url = self.transport.url(COLLECTION, &[id, "execute"])?;
        let sent =
            self.transport.send(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(arguments)).await;
        sent.map(drop)
    }
}
