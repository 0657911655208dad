//! Scheduled searches.

use crate::error::Error;
use crate::page::{self, Page, Paging};
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use futures_util::stream::Stream;
use muster_wire::{NewScheduledSearch, ScheduledSearch, TypedReference};
use std::sync::Arc;

const COLLECTION: &str = "scheduled-searches";

/// Scheduled searches.
#[derive(Clone)]
pub struct ScheduledSearchApi {
    transport: Arc<Transport>,
}

part!(ScheduledSearchApi);

impl ScheduledSearchApi {
    /// Schedules a saved search. It is sent once: a repetition could schedule it twice.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn create(&self, search: &NewScheduledSearch) -> Result<ScheduledSearch, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(search)).await
    }

    /// Part of the list of scheduled searches.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self, paging: Paging) -> Result<Page<ScheduledSearch>, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        let query = paging.query();
        page::page(&self.transport, |http| http.get(url.clone()).query(&query)).await
    }

    /// All scheduled searches, fetched as they are taken.
    ///
    /// # Errors
    /// [`Error::Configuration`]; each element may be an error as of [`Self::list`].
    pub fn stream(
        &self,
    ) -> Result<impl Stream<Item = Result<ScheduledSearch, Error>> + Send + 'static, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        Ok(page::all(self.transport.clone(), url, Vec::new(), None))
    }

    /// A scheduled search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<ScheduledSearch, Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Replaces a scheduled search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn replace(&self, id: &str, search: &ScheduledSearch) -> Result<ScheduledSearch, Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.json(Repeat::Always, |http| http.put(url.clone()).json(search)).await
    }

    /// Removes a scheduled search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.send(Repeat::Always, |http| http.delete(url.clone())).await.map(drop)
    }

    /// Takes a recipient out of a scheduled search.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn unsubscribe(&self, id: &str, recipient: &TypedReference) -> Result<(), Error> {
        let url = self.transport.url(COLLECTION, &[id, "unsubscribe"])?;
        let sent = self.transport.send(Repeat::Always, |http| http.post(url.clone()).json(recipient)).await;
        sent.map(drop)
    }
}
