//! Access reviews, in memory.

use super::{MemoryStore, State};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ReviewId, TenantId};
use muster_reports::notification::Notification;
use muster_reports::ports::ReviewStore;
use muster_reports::review::{
    Closing, Decision, HandOver, REVIEWS_MAX, Review, ReviewItem, ReviewerProgress, Told, WantedItems,
    progress,
};

/// A review with its items, which have no decisions, and the decisions.
#[derive(Debug)]
pub(super) struct Kept {
    tenant: TenantId,
    review: Review,
    items: Vec<ReviewItem>,
    decisions: Vec<Decision>,
    reminded: bool,
}

/// All reviews, the first created first.
pub(super) type Reviews = Vec<Kept>;

impl State {
    pub(super) fn reviews_of(&self, tenant: &TenantId) -> impl Iterator<Item = &Review> {
        self.reviews.iter().filter(move |kept| kept.tenant == *tenant).map(|kept| &kept.review)
    }

    fn kept(&self, tenant: &TenantId, id: &ReviewId) -> Option<&Kept> {
        self.reviews.iter().find(|kept| kept.tenant == *tenant && kept.review.id == *id)
    }

    fn open(&mut self, tenant: &TenantId, id: &ReviewId) -> Option<&mut Kept> {
        let mut all = self.reviews.iter_mut();
        all.find(|kept| kept.tenant == *tenant && kept.review.id == *id && kept.review.closing.is_none())
    }
}

#[async_trait]
impl ReviewStore for MemoryStore {
    async fn add_review(
        &self,
        review: &Review,
        items: &[ReviewItem],
        told: &[Notification],
        event: &AuditEvent,
    ) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = event.caller.tenant.clone();
        if state.reviews_of(&tenant).count() >= REVIEWS_MAX {
            return Err(Error::invalid(format!("there are {REVIEWS_MAX} reviews already")));
        }
        if state.find_snapshot(&tenant, &review.snapshot).is_none_or(|snapshot| snapshot.expired.is_some()) {
            return Err(Error::not_found(format!("snapshot {} has expired meanwhile", review.snapshot)));
        }
        let (review, items) = (review.clone(), items.to_vec());
        state.reviews.push(Kept { tenant, review, items, decisions: Vec::new(), reminded: false });
        state.append(event)?;
        state.tell(told);
        Ok(())
    }

    async fn review(&self, tenant: &TenantId, id: &ReviewId) -> Result<Option<Review>> {
        Ok(self.state().kept(tenant, id).map(|kept| kept.review.clone()))
    }

    async fn reviews(&self, tenant: &TenantId) -> Result<Vec<Review>> {
        let mut found: Vec<_> = self.state().reviews_of(tenant).cloned().collect();
        found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        Ok(found)
    }

    async fn review_items(&self, tenant: &TenantId, id: &ReviewId) -> Result<Vec<ReviewItem>> {
        let state = self.state();
        let Some(kept) = state.kept(tenant, id) else { return Ok(Vec::new()) };
        let newest = |number| kept.decisions.iter().rev().find(|decision| decision.item == number).cloned();
        let items = kept.items.iter();
        Ok(items.map(|item| ReviewItem { decision: newest(item.number), ..item.clone() }).collect())
    }

    async fn review_page(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
    ) -> Result<Vec<ReviewItem>> {
        let mut items = self.review_items(tenant, id).await?;
        items.retain(|item| wanted.wants(item));
        items.truncate(wanted.limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(items)
    }

    async fn review_progress(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
    ) -> Result<Vec<ReviewerProgress>> {
        let wanted = WantedItems { limit: None, after: 0, ..wanted.clone() };
        Ok(progress(&self.review_page(tenant, id, &wanted).await?))
    }

    async fn hand_over(
        &self,
        id: &ReviewId,
        items: &[u32],
        over: &HandOver,
        told: Option<&Told>,
        news: &[Notification],
        event: &AuditEvent,
    ) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let Some(kept) = state.open(&event.caller.tenant, id) else { return Ok(false) };
        for item in kept.items.iter_mut().filter(|item| items.contains(&item.number)) {
            item.handed_over = Some(over.clone());
        }
        if told.is_some() {
            kept.review.told = told.cloned();
        }
        state.append(event)?;
        state.tell(news);
        Ok(true)
    }

    async fn reviews_to_remind(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<(TenantId, Review)>> {
        let state = self.state();
        let is_due = |kept: &&Kept| {
            !kept.reminded
                && kept.review.closing.is_none()
                && kept.review.remind_at().is_some_and(|at| at <= now)
        };
        let due = state.reviews.iter().filter(is_due).take(limit as usize);
        Ok(due.map(|kept| (kept.tenant.clone(), kept.review.clone())).collect())
    }

    async fn remind(&self, tenant: &TenantId, id: &ReviewId, news: &[Notification]) -> Result<bool> {
        let mut state = self.state();
        let Some(kept) = state.open(tenant, id).filter(|kept| !kept.reminded) else { return Ok(false) };
        kept.reminded = true;
        state.tell(news);
        Ok(true)
    }

    async fn review_decisions(&self, tenant: &TenantId, id: &ReviewId) -> Result<Vec<Decision>> {
        Ok(self.state().kept(tenant, id).map(|kept| kept.decisions.clone()).unwrap_or_default())
    }

    async fn decide(&self, id: &ReviewId, decisions: &[Decision], event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let Some(kept) = state.open(&event.caller.tenant, id) else { return Ok(false) };
        for decision in decisions {
            let sequence = kept.decisions.len() as u64 + 1;
            kept.decisions.push(Decision { sequence, ..decision.clone() });
        }
        state.append(event)?;
        Ok(true)
    }

    async fn close_review(&self, id: &ReviewId, closing: &Closing, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let Some(kept) = state.open(&event.caller.tenant, id) else { return Ok(false) };
        if kept.decisions.len() as u64 != closing.last_decision {
            return Ok(false);
        }
        kept.review.closing = Some(closing.clone());
        state.append(event)?;
        Ok(true)
    }
}
