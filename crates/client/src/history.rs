//! The history of identities (historical-identities).

use crate::error::Error;
use crate::page::{self, Page, Paging};
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use futures_util::stream::Stream;
use muster_wire::{
    AccessItemDiff, AccessItemResponse, AccessItemType, IdentityCompareResponse, IdentityEvent,
    IdentityHistoryResponse, IdentityListItem, IdentitySnapshotSummaryResponse, MetricResponse,
};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;
use std::sync::Arc;

const COLLECTION: &str = "historical-identities";
/// The published service has these operations only for those who send it.
const EXPERIMENTAL: (&str, &str) = ("X-SailPoint-Experimental", "true");

type Query = Vec<(&'static str, String)>;

/// Which identities are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityFilter {
    /// The beginning of a first, last or display name, in any case.
    pub starts_with: Option<String>,
    /// Only those that have left, or only those that have not.
    pub deleted: Option<bool>,
    /// Only active ones, or only others.
    pub active: Option<bool>,
}

impl IdentityFilter {
    fn query(&self) -> Query {
        let flag = |name, flag: Option<bool>| flag.map(|flag| (name, flag.to_string()));
        let starts_with = self.starts_with.clone().map(|text| ("starts-with-query", text));
        let flags = [flag("is-deleted", self.deleted), flag("is-active", self.active)];
        starts_with.into_iter().chain(flags.into_iter().flatten()).collect()
    }
}

/// Which events of an identity are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Those of this time or later: a time in RFC 3339, or a date, which is its beginning in UTC.
    pub from: Option<String>,
    /// Those of these types, such as `AccessItemRemoved`; all if it is empty.
    pub event_types: Vec<String>,
    /// Those about these types of access item, and changes of attributes; all if it is empty.
    pub access_item_types: Vec<AccessItemType>,
}

impl EventFilter {
    fn query(&self) -> Query {
        let from = self.from.clone().map(|from| ("from", from));
        let events = self.event_types.iter().map(|kind| ("eventTypes", kind.clone()));
        from.into_iter().chain(events).chain(types(&self.access_item_types)).collect()
    }
}

/// Two snapshots that are compared, each by its time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotPair {
    /// The first; `None` is the one before the second.
    pub first: Option<String>,
    /// The second; `None` is the newest.
    pub second: Option<String>,
}

impl SnapshotPair {
    fn query(&self) -> Query {
        let first = self.first.clone().map(|date| ("snapshot1", date));
        first.into_iter().chain(self.second.clone().map(|date| ("snapshot2", date))).collect()
    }
}

/// A day or a month of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Interval {
    fn query(self) -> (&'static str, String) {
        let name = match self {
            Self::Day => "day",
            Self::Month => "month",
        };
        ("interval", name.to_owned())
    }
}

fn types(types: &[AccessItemType]) -> impl Iterator<Item = (&'static str, String)> {
    types.iter().map(|kind| ("accessItemTypes", kind.as_str().to_owned()))
}

/// The history of identities.
#[derive(Clone)]
pub struct IdentityHistoryApi {
    transport: Arc<Transport>,
}

part!(IdentityHistoryApi);

impl IdentityHistoryApi {
    /// Part of the list of identities that any kept snapshot shows.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(
        &self,
        filter: &IdentityFilter,
        paging: Paging,
    ) -> Result<Page<IdentityListItem>, Error> {
        self.page(&[], filter.query(), paging).await
    }

    /// All identities that any kept snapshot shows, fetched as they are taken.
    ///
    /// # Errors
    /// [`Error::Configuration`]; each element may be an error as of [`Self::list`].
    pub fn stream(
        &self,
        filter: &IdentityFilter,
    ) -> Result<impl Stream<Item = Result<IdentityListItem, Error>> + Send + 'static, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        Ok(page::all(self.transport.clone(), url, filter.query(), Some(EXPERIMENTAL)))
    }

    /// An identity as the newest snapshot that shows it has it.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<IdentityHistoryResponse, Error> {
        self.one(&[id]).await
    }

    /// What an identity has of one type of access item.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn access_items(
        &self,
        id: &str,
        kind: &AccessItemType,
        paging: Paging,
    ) -> Result<Page<AccessItemResponse>, Error> {
        self.page(&[id, "access-items"], vec![("type", kind.as_str().to_owned())], paging).await
    }

    /// What happened to an identity, the last first.
    ///
    /// ```no_run
    /// # async fn run(client: muster_client::Client) -> Result<(), muster_client::Error> {
    /// use muster_client::{EventFilter, Paging, wire::IdentityEvent};
    ///
    /// let since = EventFilter { from: Some("2026-01-01".into()), ..EventFilter::default() };
    /// for event in client.identity_history().events("id", &since, Paging::default()).await?.items {
    ///     if let IdentityEvent::Removed(lost) = event {
    ///         println!("{:?}: {:?}", lost.date_time, lost.access_item);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn events(
        &self,
        id: &str,
        filter: &EventFilter,
        paging: Paging,
    ) -> Result<Page<IdentityEvent>, Error> {
        self.page(&[id, "events"], filter.query(), paging).await
    }

    /// The snapshots that show an identity, from `start` on (a time in RFC 3339, or a date), of that day or month if
    /// `interval` says so.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn snapshots(
        &self,
        id: &str,
        start: Option<&str>,
        interval: Option<Interval>,
        paging: Paging,
    ) -> Result<Page<IdentitySnapshotSummaryResponse>, Error> {
        let start = start.map(|start| ("start", start.to_owned()));
        let query = start.into_iter().chain(interval.map(Interval::query)).collect();
        self.page(&[id, "snapshots"], query, paging).await
    }

    /// An identity as the snapshot of a date has it: a time in RFC 3339, or a date, which is its end in UTC.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn snapshot(&self, id: &str, date: &str) -> Result<IdentityHistoryResponse, Error> {
        self.one(&[id, "snapshots", date]).await
    }

    /// What an identity had at a date; everything, or only one type of access item.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn snapshot_access_items(
        &self,
        id: &str,
        date: &str,
        kind: Option<&AccessItemType>,
    ) -> Result<Vec<AccessItemResponse>, Error> {
        let url = self.transport.url(COLLECTION, &[id, "snapshots", date, "access-items"])?;
        let query: Query = kind.map(|kind| ("type", kind.as_str().to_owned())).into_iter().collect();
        self.transport.json(Repeat::Always, |http| get(http, &url, &query)).await
    }

    /// How many events an identity had in each day or month before a time; in UTC unless a time zone is named.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn events_by(
        &self,
        id: &str,
        interval: Interval,
        before: Option<&str>,
        time_zone: Option<&str>,
        paging: Paging,
    ) -> Result<Page<MetricResponse>, Error> {
        let before = before.map(|before| ("before", before.to_owned()));
        let zone = time_zone.map(|zone| ("time-zone", zone.to_owned()));
        let query = std::iter::once(interval.query()).chain(before).chain(zone).collect();
        self.page(&[id, "snapshot-summary"], query, paging).await
    }

    /// The time of the first snapshot that shows an identity, RFC 3339.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn start_date(&self, id: &str) -> Result<String, Error> {
        self.one(&[id, "start-date"]).await
    }

    /// How many access items of each type an identity gained and lost between two snapshots; of these types only, unless
    /// there are none.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn compare(
        &self,
        id: &str,
        snapshots: &SnapshotPair,
        kinds: &[AccessItemType],
        paging: Paging,
    ) -> Result<Page<IdentityCompareResponse>, Error> {
        let query = snapshots.query().into_iter().chain(types(kinds)).collect();
        self.page(&[id, "compare"], query, paging).await
    }

    /// Which access items of a type an identity gained and lost between two snapshots. `gained`: only those that it gained
    /// (true), or lost (false).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn compare_type(
        &self,
        id: &str,
        kind: &AccessItemType,
        snapshots: &SnapshotPair,
        gained: Option<bool>,
        paging: Paging,
    ) -> Result<Page<AccessItemDiff>, Error> {
        let gained = gained.map(|gained| ("access-associated", gained.to_string()));
        let query = snapshots.query().into_iter().chain(gained).collect();
        self.page(&[id, "compare", kind.as_str()], query, paging).await
    }

    async fn one<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, Error> {
        let url = self.transport.url(COLLECTION, segments)?;
        self.transport.json(Repeat::Always, |http| get(http, &url, &Query::new())).await
    }

    async fn page<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: Query,
        paging: Paging,
    ) -> Result<Page<T>, Error> {
        let url = self.transport.url(COLLECTION, segments)?;
        let query = [query, paging.query()].concat();
        page::page(&self.transport, |http| get(http, &url, &query)).await
    }
}

fn get(http: &reqwest::Client, url: &Url, query: &Query) -> RequestBuilder {
    let (name, value) = EXPERIMENTAL;
    http.get(url.clone()).query(query).header(name, value)
}
