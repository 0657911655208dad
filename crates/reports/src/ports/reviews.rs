//! The ports of access reviews: where they are kept, where their population is read, and how their sheets are made and read.

use crate::audit::AuditEvent;
use crate::caller::DataScope;
use crate::error::Result;
use crate::ids::{ReviewId, TenantId};
use crate::made_file::MadeFile;
use crate::notification::Notification;
use crate::review::sheet::Sheet;
use crate::review::{
    Closing, Decision, HandOver, Population, Review, ReviewItem, ReviewPlan, ReviewerProgress, Told,
    WantedItems,
};
use crate::snapshot::SnapshotManifest;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Access reviews ([`crate::review`]). The snapshot of an open review does not expire.
#[async_trait]
pub trait ReviewStore: Send + Sync {
    /// Keeps a review, its items and what its reviewers are told, and records the event, in one transaction. `Invalid` when
    /// the tenant has too many; `NotFound` when its snapshot has expired.
    async fn add_review(
        &self,
        review: &Review,
        items: &[ReviewItem],
        told: &[Notification],
        event: &AuditEvent,
    ) -> Result<()>;

    /// A review.
    async fn review(&self, tenant: &TenantId, id: &ReviewId) -> Result<Option<Review>>;

    /// Every review of a tenant, the last created first.
    async fn reviews(&self, tenant: &TenantId) -> Result<Vec<Review>>;

    /// The items of a review by number, each with its newest decision; nothing for an unknown review.
    async fn review_items(&self, tenant: &TenantId, id: &ReviewId) -> Result<Vec<ReviewItem>>;

    /// The items of a review that are asked for, by number, each with its newest decision. Only these are read.
    async fn review_page(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
    ) -> Result<Vec<ReviewItem>>;

    /// How far the items are that are asked for, by reviewer: those without a reviewer last. Limit and `after` do not count.
    async fn review_progress(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
    ) -> Result<Vec<ReviewerProgress>>;

    /// Hands items of an open review of the event's tenant over, keeps `addresses` of the review beside its others and what
    /// the new reviewer is told, and records the event, in one transaction. Returns whether the review is there and open;
    /// otherwise nothing is changed.
    async fn hand_over(
        &self,
        id: &ReviewId,
        items: &[u32],
        over: &HandOver,
        told: Option<&Told>,
        news: &[Notification],
        event: &AuditEvent,
    ) -> Result<bool>;

    /// Open reviews of all tenants whose reviewers are to be reminded by now, at most `limit`.
    async fn reviews_to_remind(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<(TenantId, Review)>>;

    /// Keeps what the reviewers of a review are told, once: returns whether they had not been reminded.
    async fn remind(&self, tenant: &TenantId, id: &ReviewId, news: &[Notification]) -> Result<bool>;

    /// Every decision of a review, the first first.
    async fn review_decisions(&self, tenant: &TenantId, id: &ReviewId) -> Result<Vec<Decision>>;

    /// Adds decisions to an open review of the event's tenant, all of them or none, and records the event in the same
    /// transaction. Returns whether the review is there and open; otherwise nothing is changed.
    async fn decide(&self, id: &ReviewId, decisions: &[Decision], event: &AuditEvent) -> Result<bool>;

    /// Closes an open review of the event's tenant, if its last decision is the one that `closing` names, and records the
    /// event in the same transaction. Returns whether it did.
    async fn close_review(&self, id: &ReviewId, closing: &Closing, event: &AuditEvent) -> Result<bool>;
}

/// Reads what is reviewed from a snapshot.
#[async_trait]
pub trait ReviewPopulations: Send + Sync {
    /// The live accounts of the plan's sources that `scope` shows, with what decides about their reviewers. The items are
    /// counted a second time in another way.
    ///
    /// # Errors
    /// `Invalid` for too many items, counted before they are read; `Internal` when the counts differ.
    async fn population(
        &self,
        snapshot: &Arc<SnapshotManifest>,
        scope: &DataScope,
        plan: &ReviewPlan,
    ) -> Result<Population>;
}

/// The form of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetForm {
    /// Office Open XML.
    Xlsx,
    /// CSV.
    Csv,
}

impl SheetForm {
    /// Its name in requests, and the extension of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
        }
    }
}

/// Makes and reads sheets.
#[async_trait]
pub trait ReviewSheets: Send + Sync {
    /// An archive with a sheet for each reviewer of these items.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed.
    async fn archive(&self, review: &Review, items: Vec<ReviewItem>, form: SheetForm) -> Result<MadeFile>;

    /// The cells of a file, whose form is seen from its content.
    ///
    /// # Errors
    /// `Invalid` for a file that is neither form, or is too large.
    async fn read(&self, file: Vec<u8>) -> Result<Sheet>;
}
