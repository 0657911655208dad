//! Hands items of a review over to other reviewers, and tells reviewers what waits for them.

use super::{Reviews, SeenReview, WantedHandOver, absent, check_open, seen};
use crate::audit::AuditOperation;
use crate::caller::{Caller, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::ReviewId;
use crate::review::{
    COMMENT_MAX, HandOver, Review, ReviewItem, ReviewNews, Reviewer, Told, WantedItems, check_each, progress,
    ranges,
};
use crate::search::{DocumentPage, DocumentSearch, FoundDocument, ShownFields};
use crate::search_filter::quoted;
use std::collections::BTreeSet;

impl Reviews {
    /// Hands items over to another reviewer. Decisions that they have stay. Who has an address is told, if reviewers are.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`, also for a reviewer and for an item that are not there; `Invalid` for a reason that is none, for
    /// access of the reviewer's own, and for a closed review.
    pub async fn hand_over(
        &self,
        caller: &Caller,
        id: &ReviewId,
        wanted: &WantedHandOver,
    ) -> Result<SeenReview> {
        self.reports.authorise(caller, Operation::ManageReviews)?;
        let (review, visible) = self.find(caller, id).await?;
        if !review.is_managed_by(caller) {
            return Err(absent(id));
        }
        check_open(&review)?;
        let reason = wanted.reason.trim();
        if reason.is_empty() || reason.chars().count() > COMMENT_MAX {
            return Err(Error::invalid(format!(
                "reason is blank or has more than {COMMENT_MAX} characters: expected why the items are handed over"
            )));
        }
        let of = WantedItems {
            numbers: wanted.items.clone(),
            reviewer: wanted.from.clone(),
            undecided: wanted.items.is_none(),
            ..visible
        };
        let items = self.store.review_page(&caller.tenant, id, &of).await?;
        check_each(&review, &items)?;
        let found: BTreeSet<u32> = items.iter().map(|item| item.number).collect();
        if let Some(missing) = wanted.items.iter().flatten().find(|number| !found.contains(number)) {
            return Err(Error::not_found(format!(
                "item {missing}: expected the number of an item of the review, and of the reviewer that `from` names"
            )));
        }
        if items.is_empty() {
            return Err(Error::invalid("no item is to be handed over: expected some that are not decided"));
        }
        let to = self.person(caller, &wanted.to).await?;
        if let Some(own) = items.iter().find(|item| item.is_of(&to.id, &to.name)) {
            return Err(Error::invalid(format!(
                "item {} is access of {} and nobody reviews their own: expected another reviewer",
                own.number,
                shown(&to.name)
            )));
        }
        let now = self.reports.clock.now();
        let over =
            HandOver { to: to.clone(), by: caller.launcher().to_owned(), at: now, reason: reason.to_owned() };
        let told = match &review.told {
            None => None,
            Some(told) => {
                let new = self.reports.known_addresses(caller, std::slice::from_ref(&to.id)).await?;
                let addresses = told.addresses.clone().into_iter().chain(new).collect();
                Some(Told { addresses, ..told.clone() })
            }
        };
        let from: BTreeSet<&str> =
            items.iter().map(|item| item.reviewer_now().map_or("nobody", |one| one.name.as_str())).collect();
        let numbers: Vec<u32> = found.into_iter().collect();
        let details = format!(
            "access review {}, items {} of {} handed over to {}: {reason}",
            review.id,
            ranges(numbers.iter().copied()),
            from.into_iter().take(20).collect::<Vec<_>>().join(", "),
            to.name
        );
        let event = self.event(caller, AuditOperation::ReviewChanged, &review, details);
        let review = Review { told, ..review };
        let theirs: Vec<ReviewItem> =
            items.into_iter().map(|item| ReviewItem { handed_over: Some(over.clone()), ..item }).collect();
        let news = review.notifications(&caller.tenant, ReviewNews::HandedOver, &progress(&theirs), now);
        if !self.store.hand_over(id, &numbers, &over, review.told.as_ref(), &news, &event).await? {
            return Err(Error::invalid("the review is closed: expected an open one"));
        }
        let all = WantedItems::default();
        let reviewers = self.store.review_progress(&caller.tenant, id, &all).await?;
        Ok(seen(caller, review, reviewers))
    }

    /// The identity with this name in the newest snapshot, as a reviewer.
    async fn person(&self, caller: &Caller, name: &str) -> Result<Reviewer> {
        let nobody = || {
            Error::not_found(format!(
                "to is {}: expected the name of an active identity that the caller may see",
                shown(name)
            ))
        };
        let scope = caller.scope_with_rows()?;
        let search = DocumentSearch {
            query: format!("name:{}", quoted(name)),
            indices: vec!["identities".into()],
            ..DocumentSearch::default()
        };
        self.reports.queries.check(&search.query).await?;
        let includes = ["id", "name", "displayName", "inactive"].map(str::to_owned).to_vec();
        let fields = ShownFields { includes, ..ShownFields::default() };
        // Words of the name may be those of other names, too.
        let page = DocumentPage { limit: 100, fields, ..DocumentPage::default() };
        let found = self.reports.documents.page(caller, &scope, &search, &page).await?.documents;
        let text = |document: &FoundDocument, field: &str| {
            document.fields.get(field).and_then(|value| value.as_str()).map(str::to_owned)
        };
        let is_it = |document: &&FoundDocument| {
            text(document, "name").as_deref() == Some(name)
                && document.fields.get("inactive").is_none_or(|inactive| inactive != true)
        };
        let document = found.iter().find(is_it).ok_or_else(nobody)?;
        Ok(Reviewer {
            name: name.to_owned(),
            id: text(document, "id").ok_or_else(nobody)?,
            display_name: text(document, "displayName"),
        })
    }

    /// Tells reviewers of what they have not decided, where the time has come. Returns how many were told.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed.
    pub async fn remind(&self) -> Result<usize> {
        /// Reviews of one call.
        const REVIEWS: u32 = 20;
        let now = self.reports.clock.now();
        let mut told = 0;
        for (tenant, review) in self.store.reviews_to_remind(now, REVIEWS).await? {
            let reviewers = self.store.review_progress(&tenant, &review.id, &WantedItems::default()).await?;
            let news = review.notifications(&tenant, ReviewNews::Ends, &reviewers, now);
            if self.store.remind(&tenant, &review.id, &news).await? {
                told += news.len();
            }
        }
        Ok(told)
    }
}
