//! Access reviews, which only Muster has.

use crate::error::Error;
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use muster_wire::{
    NewReviewDetails, ReviewDecisions, ReviewDescription, ReviewHandOver, ReviewItemDescription,
    ReviewOutcome,
};
use std::sync::Arc;

const COLLECTION: &str = "reviews";

/// Access reviews.
#[derive(Clone)]
pub struct ReviewApi {
    transport: Arc<Transport>,
}

part!(ReviewApi);

/// Which items of a review are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewItemFilter {
    /// Of the reviewer with this name.
    pub reviewer: Option<String>,
    /// Without a decision.
    pub undecided: bool,
    /// After the item with this number.
    pub after: u32,
    /// At most so many; what the service takes where it is `None`.
    pub limit: Option<u32>,
}

impl ReviewApi {
    /// Creates a review. It is sent once: a repetition could create two.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn create(&self, review: &NewReviewDetails) -> Result<ReviewDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(review)).await
    }

    /// The reviews that the caller manages or has items of.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self) -> Result<Vec<ReviewDescription>, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// One review, and how far it is.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<ReviewDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION, id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Items of a review, by number.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn items(
        &self,
        id: &str,
        filter: &ReviewItemFilter,
    ) -> Result<Vec<ReviewItemDescription>, Error> {
        let mut url = self.transport.own_url(&[COLLECTION, id, "items"])?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("after", &filter.after.to_string());
            if let Some(limit) = filter.limit {
                query.append_pair("limit", &limit.to_string());
            }
            query.append_pair("undecided", if filter.undecided { "true" } else { "false" });
            if let Some(name) = &filter.reviewer {
                query.append_pair("reviewer", name);
            }
        }
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Records decisions. The same decisions again change nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn decide(&self, id: &str, decisions: &ReviewDecisions) -> Result<ReviewOutcome, Error> {
        let url = self.transport.own_url(&[COLLECTION, id, "decisions"])?;
        self.transport.json(Repeat::Always, |http| http.post(url.clone()).json(decisions)).await
    }

    /// Hands items over to another reviewer.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn hand_over(&self, id: &str, over: &ReviewHandOver) -> Result<ReviewDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION, id, "hand-over"])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(over)).await
    }

    /// The archive with the sheets of all reviewers, or of one. `format` is `xlsx` or `csv`.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn sheets(&self, id: &str, format: &str, reviewer: Option<&str>) -> Result<Vec<u8>, Error> {
        let mut url = self.transport.own_url(&[COLLECTION, id, "sheets"])?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("format", format);
            if let Some(name) = reviewer {
                query.append_pair("reviewer", name);
            }
        }
        let response = self.transport.send(Repeat::Always, |http| http.get(url.clone())).await?;
        Ok(response.bytes().await.map_err(Error::transport)?.to_vec())
    }

    /// Gives a sheet that was filled in to the service. The same sheet again changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn read_sheet(&self, id: &str, sheet: &[u8]) -> Result<ReviewOutcome, Error> {
        let url = self.transport.own_url(&[COLLECTION, id, "sheets"])?;
        let send = |http: &reqwest::Client| {
            http.post(url.clone()).header("content-type", "application/octet-stream").body(sheet.to_vec())
        };
        self.transport.json(Repeat::Always, send).await
    }

    /// Closes a review.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn close(&self, id: &str) -> Result<ReviewDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION, id, "close"])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone())).await
    }
}
