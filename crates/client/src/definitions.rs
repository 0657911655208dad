//! Reports of an installation's own: keeping, checking and removing their definitions, which only Muster has.

use crate::error::Error;
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use muster_wire::{DefinitionCheck, KeptDefinitionDescription, NewDefinitionDetails};
use std::sync::Arc;

const COLLECTION: &str = "report-definitions";

/// Definitions of reports that are kept in an installation.
#[derive(Clone)]
pub struct DefinitionApi {
    transport: Arc<Transport>,
}

part!(DefinitionApi);

impl DefinitionApi {
    /// The definitions that are kept, in their last versions, without their texts.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self) -> Result<Vec<KeptDefinitionDescription>, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// The versions of a definition, with their texts.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn versions(&self, id: &str) -> Result<Vec<KeptDefinitionDescription>, Error> {
        let url = self.transport.own_url(&[COLLECTION, id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Says everything that is wrong with a definition, and keeps nothing. `text` is TOML.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn check(&self, text: &str) -> Result<DefinitionCheck, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        let body = NewDefinitionDetails { text: text.to_owned(), check_only: Some(true) };
        self.transport.json(Repeat::Always, |http| http.post(url.clone()).json(&body)).await
    }

    /// Keeps a definition as a new version. `text` is TOML. It is sent once: a second time it would be refused, because its
    /// version is there.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn keep(&self, text: &str) -> Result<KeptDefinitionDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        let body = NewDefinitionDetails { text: text.to_owned(), check_only: None };
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(&body)).await
    }

    /// Removes a definition, so that its report cannot be started any more. Its results stay.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn remove(&self, id: &str) -> Result<(), Error> {
        let url = self.transport.own_url(&[COLLECTION, id])?;
        self.transport.send(Repeat::IfNotActedOn, |http| http.delete(url.clone())).await.map(drop)
    }
}
