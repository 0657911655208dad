//! How an installation is: its sources and snapshots, who calls, and what administrators see. Only Muster has these.

use crate::error::Error;
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use muster_wire::{
    AuditTrailDescription, CallerDescription, ClientDescription, InstallationDescription, LinkExplanation,
    NotificationDescription, PinDetails, RefusedRecordDescription, SearchFieldsDescription,
    SnapshotComparison, SnapshotDescription, SourceDescription, TaskCounts,
};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// How an installation is.
#[derive(Clone)]
pub struct InstallationApi {
    transport: Arc<Transport>,
}

part!(InstallationApi);

impl InstallationApi {
    /// Who calls, and what the access token permits.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn caller(&self) -> Result<CallerDescription, Error> {
        self.read(&["caller"], &[]).await
    }

    /// The sources of the newest snapshot, with their last reads.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn sources(&self) -> Result<Vec<SourceDescription>, Error> {
        self.read(&["sources"], &[]).await
    }

    /// At most `limit` records of a source that the last refresh refused, with their reasons.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn refused_records(
        &self,
        source: &str,
        limit: u32,
    ) -> Result<Vec<RefusedRecordDescription>, Error> {
        self.read(&["sources", source, "refused-records"], &[("limit", limit.to_string())]).await
    }

    /// The last snapshots, the newest first.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotDescription>, Error> {
        self.read(&["snapshots"], &[]).await
    }

    /// What differs between two snapshots, counted.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn compare_snapshots(&self, old: &str, new: &str) -> Result<SnapshotComparison, Error> {
        self.read(&["snapshots", old, "compare", new], &[]).await
    }

    /// Keeps a snapshot whatever the settings say, for this reason.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn pin_snapshot(&self, id: &str, reason: &str) -> Result<SnapshotDescription, Error> {
        let url = self.transport.own_url(&["snapshots", id, "pin"])?;
        let body = PinDetails { reason: reason.to_owned() };
        self.transport.json(Repeat::Always, |http| http.put(url.clone()).json(&body)).await
    }

    /// Lets a snapshot expire as the settings say.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn unpin_snapshot(&self, id: &str) -> Result<SnapshotDescription, Error> {
        let url = self.transport.own_url(&["snapshots", id, "pin"])?;
        self.transport.json(Repeat::Always, |http| http.delete(url.clone())).await
    }

    /// Why an account of the newest snapshot is linked or not, rule by rule. `source` is an id or a name.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn explain_link(&self, source: &str, native_identity: &str) -> Result<LinkExplanation, Error> {
        let query = [("source", source.to_owned()), ("nativeIdentity", native_identity.to_owned())];
        self.read(&["links", "explanation"], &query).await
    }

    /// The fields that queries can name.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn search_fields(&self) -> Result<Vec<SearchFieldsDescription>, Error> {
        self.read(&["search-fields"], &[]).await
    }

    /// How many tasks there are in each state.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn task_counts(&self) -> Result<TaskCounts, Error> {
        self.read(&["task-counts"], &[]).await
    }

    /// The last notifications.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn notifications(&self) -> Result<Vec<NotificationDescription>, Error> {
        self.read(&["notifications"], &[]).await
    }

    /// Sends a notification again that was given up.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn retry_notification(&self, id: &str) -> Result<NotificationDescription, Error> {
        let url = self.transport.own_url(&["notifications", id, "retry"])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone())).await
    }

    /// The clients and what they may do, without their secrets. It takes an administrator, as what follows does.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn clients(&self) -> Result<Vec<ClientDescription>, Error> {
        self.read(&["clients"], &[]).await
    }

    /// Limits, keys' ages, issuers, room on disks.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn installation(&self) -> Result<InstallationDescription, Error> {
        self.read(&["installation"], &[]).await
    }

    /// At most `limit` events of the audit trail and its state, the last event first; the events before the one with the
    /// number `before`, if there is one.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn audit_events(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<AuditTrailDescription, Error> {
        let before = before.map(|before| ("before", before.to_string()));
        let query: Vec<_> = before.into_iter().chain([("limit", limit.to_string())]).collect();
        self.read(&["audit-events"], &query).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let url = self.transport.own_url(segments)?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone()).query(query)).await
    }
}
