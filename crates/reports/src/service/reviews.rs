//! Access reviews: creating, deciding, exporting, importing and closing them.
//!
//! An administrator of the organisation or of certifications manages reviews whose rows they may all see. A reviewer sees
//! and decides their own items. What a caller may not see is not there.

mod hand_over;

use super::{LISTED_MAX, Reports};
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, DataScope, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::{ReviewId, TaskId};
use crate::made::MadeFile;
use crate::nearest;
use crate::ports::{ReviewPopulations, ReviewSheets, ReviewStore, SheetForm};
use crate::retention::AsOf;
use crate::review::sheet::{REFUSED_MAX, RefusedRow, SheetDecision, reconcile};
use crate::review::{
    Choice, Closing, Decision, Review, ReviewItem, ReviewNews, ReviewPlan, ReviewerProgress, SheetOrigin,
    Told, WantedItems, assign, check_each, check_frozen, digest_of, progress, ranges, total,
};
use crate::snapshot::{SnapshotManifest, SourceRun};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The use cases of reviews.
pub struct Reviews {
    /// Reports: their clock, ids, snapshots and audit trail.
    pub reports: Arc<Reports>,
    /// Reviews.
    pub store: Arc<dyn ReviewStore>,
    /// What is reviewed.
    pub populations: Arc<dyn ReviewPopulations>,
    /// Sheets.
    pub sheets: Arc<dyn ReviewSheets>,
}

/// A review, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenReview {
    /// The review.
    pub review: Review,
    /// Whether the caller manages it. Otherwise the numbers are those of the caller's own items.
    pub managed: bool,
    /// By reviewer.
    pub reviewers: Vec<ReviewerProgress>,
    /// Of all items that the caller sees.
    pub total: ReviewerProgress,
}

/// What a reviewer says of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedDecision {
    /// The item's number.
    pub item: u32,
    /// The decision.
    pub choice: Choice,
    /// Why.
    pub comment: Option<String>,
}

/// Items that get another reviewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedHandOver {
    /// Their numbers; without them, all that are not decided.
    pub items: Option<Vec<u32>>,
    /// Only those of the reviewer with this name.
    pub from: Option<String>,
    /// Name of the new reviewer.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// What became of decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// Name of the reviewer whose sheet it was; `None` without a sheet.
    pub reviewer: Option<String>,
    /// Decisions of items that had none.
    pub new: u32,
    /// Decisions that differ from the item's decision before.
    pub changed: u32,
    /// Decisions that the items had already.
    pub unchanged: u32,
    /// Rows of the sheet without a decision.
    pub undecided: u32,
}

/// What became of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// Its decisions are recorded.
    Taken(Decided),
    /// Nothing of it was taken.
    Refused {
        /// The first refused rows.
        rows: Vec<RefusedRow>,
        /// How many there are.
        count: usize,
    },
}

impl Reviews {
    /// Creates a review of the newest snapshot or a past one.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for the plan; `NotFound` for a source, also for one whose rows the caller may not see, for a
    /// fallback that is nobody, and where there is no such snapshot or it has expired.
    pub async fn create(
        &self,
        caller: &Caller,
        plan: ReviewPlan,
        as_of: Option<&AsOf>,
    ) -> Result<SeenReview> {
        self.reports.authorise(caller, Operation::ManageReviews)?;
        let scope = caller.scope_with_rows()?;
        plan.check()?;
        let snapshot = self.reports.snapshot_for(caller, as_of).await?;
        let plan = with_source_ids(plan, &snapshot, &scope)?;
        let now = self.reports.clock.now();
        if let Some(past) = plan.ends.filter(|ends| *ends <= now) {
            return Err(Error::invalid(format!("ends is {}: expected a time to come", past.to_rfc3339())));
        }
        let id = ReviewId::new(self.reports.ids.fresh());
        let population = self.populations.population(&snapshot, &scope, &plan).await?;
        let items = assign::assign(&plan, &id, population)?;
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
        let told = match plan.tell {
            true => Some(self.told(caller, &items).await?),
            false => None,
        };
        let review = Review {
            id,
            plan,
            snapshot: snapshot.id.clone(),
            frozen_at: snapshot.created,
            scope,
            created: now,
            created_by: caller.launcher().to_owned(),
            items: count(items.len()),
            unassigned: count(items.iter().filter(|item| item.reviewer.is_none()).count()),
            digest: digest_of(&items),
            told,
            closing: None,
        };
        let details = format!(
            "access review {} created: snapshot {}, {} items of which {} without a reviewer, digest {}",
            review.id, review.snapshot, review.items, review.unassigned, review.digest
        );
        let event = self.event(caller, AuditOperation::ReviewChanged, &review, details);
        let reviewers = progress(&items);
        let news = review.notifications(&caller.tenant, ReviewNews::Opened, &reviewers, now);
        self.store.add_review(&review, &items, &news, &event).await?;
        Ok(seen(caller, review, reviewers))
    }

    /// Where reviewers of these items are told by mail.
    async fn told(&self, caller: &Caller, items: &[ReviewItem]) -> Result<Told> {
        let ids: BTreeSet<&String> =
            items.iter().filter_map(|item| item.reviewer_now()).map(|reviewer| &reviewer.id).collect();
        let ids: Vec<String> = ids.into_iter().cloned().collect();
        let addresses = self.reports.known_addresses(caller, &ids).await?;
        Ok(Told { client: caller.client.clone(), addresses })
    }

    /// The last [`LISTED_MAX`] reviews, those of which the caller sees anything, the last created first. One that was closed and
    /// that the caller manages has no numbers by reviewer.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<SeenReview>> {
        self.reports.authorise(caller, Operation::ReadReviews)?;
        let mut found = Vec::new();
        for review in self.store.reviews(&caller.tenant).await?.into_iter().take(LISTED_MAX as usize) {
            let managed = review.is_managed_by(caller);
            if let Some(closing) = review.closing.clone().filter(|_| managed) {
                let Closing { keep, revoke, .. } = closing;
                let total = ReviewerProgress { reviewer: None, items: review.items, keep, revoke };
                found.push(SeenReview { managed, reviewers: Vec::new(), total, review });
                continue;
            }
            let Some(wanted) = visible(caller, &review) else { continue };
            let reviewers = self.store.review_progress(&caller.tenant, &review.id, &wanted).await?;
            if managed || !reviewers.is_empty() {
                found.push(seen(caller, review, reviewers));
            }
        }
        Ok(found)
    }

    /// One review, and how far it is.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn show(&self, caller: &Caller, id: &ReviewId) -> Result<SeenReview> {
        self.reports.authorise(caller, Operation::ReadReviews)?;
        let (review, wanted) = self.find(caller, id).await?;
        let reviewers = self.store.review_progress(&caller.tenant, id, &wanted).await?;
        Ok(seen(caller, review, reviewers))
    }

    /// The items of a review that the caller sees and that are asked for, by number. Only these are read, and each is
    /// compared with its digest; all of them together are when the review is closed, exported, and reported.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Broken` if an item is not as it was frozen.
    pub async fn items(&self, caller: &Caller, id: &ReviewId, asked: WantedItems) -> Result<Vec<ReviewItem>> {
        self.reports.authorise(caller, Operation::ReadReviews)?;
        let (review, visible) = self.find(caller, id).await?;
        let WantedItems { reviewed_by, sources, .. } = visible;
        let items = self
            .store
            .review_page(&caller.tenant, id, &WantedItems { reviewed_by, sources, ..asked })
            .await?;
        check_each(&review, &items)?;
        Ok(items)
    }

    /// Records decisions of the caller, all of them or none. An administrator may decide for a reviewer; the decision is
    /// then the administrator's.
    ///
    /// # Errors
    /// `Forbidden` for access of the caller's own; `NotFound`, also for an item that is not there; `Invalid` for one that is
    /// named twice, a comment, and a closed review.
    pub async fn decide(&self, caller: &Caller, id: &ReviewId, wanted: &[WantedDecision]) -> Result<Decided> {
        self.reports.authorise(caller, Operation::DecideReviews)?;
        let (review, visible) = self.find(caller, id).await?;
        let numbers = Some(wanted.iter().map(|wanted| wanted.item).collect());
        let items = self.store.review_page(&caller.tenant, id, &WantedItems { numbers, ..visible }).await?;
        check_each(&review, &items)?;
        let by_number: BTreeMap<u32, &ReviewItem> = items.iter().map(|item| (item.number, item)).collect();
        let mut named = BTreeMap::new();
        for WantedDecision { item, choice, comment } in wanted {
            let found = by_number.get(item).ok_or_else(|| {
                Error::not_found(format!(
                    "item {item}: expected the number of an item that the caller reviews"
                ))
            })?;
            review.check_decider(caller, found)?;
            let wrong = |what: String| Error::invalid(format!("item {item}: {what}"));
            review.check_comment(*choice, comment.as_deref()).map_err(wrong)?;
            if named.insert(*item, ()).is_some() {
                return Err(Error::invalid(format!("item {item} is named twice: expected each once")));
            }
        }
        let now = self.reports.clock.now();
        let seconds = Some((now - review.created).num_seconds().max(0));
        let decision = |wanted: &WantedDecision| Decision {
            item: wanted.item,
            choice: wanted.choice,
            by: caller.launcher().to_owned(),
            at: now,
            seconds,
            comment: wanted.comment.clone(),
            sheet: None,
            sequence: 0,
        };
        let all = wanted.iter().map(decision).collect();
        self.record(caller, &review, &items, all, "decided").await
    }

    /// An archive with a sheet for each reviewer, or for this one, recorded as a download.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`, also for a reviewer without items.
    pub async fn export(
        &self,
        caller: &Caller,
        id: &ReviewId,
        reviewer: Option<&str>,
        form: SheetForm,
    ) -> Result<(Review, MadeFile)> {
        let (review, mut items) = self.managed(caller, id).await?;
        if let Some(name) = reviewer {
            items.retain(|item| item.reviewer_now().is_some_and(|own| own.name == name));
            if items.is_empty() {
                return Err(Error::not_found(format!(
                    "reviewer is {}: expected the name of a reviewer of the review",
                    shown(name)
                )));
            }
        }
        let archive = self.sheets.archive(&review, items, form).await?;
        let details = format!(
            "sheets of access review {} as {}, sha-256 {}",
            review.id,
            form.as_str().to_uppercase(),
            archive.sha256
        );
        let event = self.event(caller, AuditOperation::Download, &review, details);
        self.reports.audit.record(&event).await?;
        Ok((review, archive))
    }

    /// Records the decisions of a sheet that came back, all of them or none. The same sheet again changes nothing.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` for a file that is not a sheet, and for a closed review.
    pub async fn import(&self, caller: &Caller, id: &ReviewId, file: Vec<u8>) -> Result<Imported> {
        let (review, items) = self.managed(caller, id).await?;
        let sha256 = sha256_of(&file);
        let sheet = self.sheets.read(file).await?;
        let reconciled = match reconcile(&review, &items, &sheet) {
            Ok(reconciled) => reconciled,
            Err(mut rows) => {
                let count = rows.len();
                rows.truncate(REFUSED_MAX);
                return Ok(Imported::Refused { rows, count });
            }
        };
        let sheet = SheetOrigin { sha256, given_by: caller.launcher().to_owned() };
        let now = self.reports.clock.now();
        let decision = |SheetDecision { item, choice, comment }: SheetDecision| Decision {
            item,
            choice,
            by: reconciled.reviewer.clone(),
            at: now,
            seconds: None,
            comment,
            sheet: Some(sheet.clone()),
            sequence: 0,
        };
        let all = reconciled.decisions.into_iter().map(decision).collect();
        let what = format!("sheet of {} with sha-256 {} read", reconciled.reviewer, sheet.sha256);
        let decided = self.record(caller, &review, &items, all, &what).await?;
        let (reviewer, undecided) = (Some(reconciled.reviewer), reconciled.undecided);
        Ok(Imported::Taken(Decided { reviewer, undecided, ..decided }))
    }

    /// Closes a review: its decisions are final. What nobody decided stays undecided.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` for a closed one; `Unavailable` when somebody decided meanwhile.
    pub async fn close(&self, caller: &Caller, id: &ReviewId) -> Result<SeenReview> {
        let (mut review, items) = self.managed(caller, id).await?;
        check_open(&review)?;
        let reviewers = progress(&items);
        let all = total(&reviewers);
        let last =
            items.iter().filter_map(|item| item.decision.as_ref()).map(|decision| decision.sequence).max();
        let closing = Closing {
            at: self.reports.clock.now(),
            by: caller.launcher().to_owned(),
            keep: all.keep,
            revoke: all.revoke,
            undecided: all.undecided(),
            last_decision: last.unwrap_or_default(),
        };
        let details = format!(
            "access review {} closed: {} kept, {} revoked, {} undecided",
            review.id, closing.keep, closing.revoke, closing.undecided
        );
        let event = self.event(caller, AuditOperation::ReviewChanged, &review, details);
        if !self.store.close_review(id, &closing, &event).await? {
            return Err(Error::unavailable(
                "somebody decided or closed the review at the same moment: look at it, and close it again",
            ));
        }
        review.closing = Some(closing);
        Ok(seen(caller, review, reviewers))
    }

    /// Keeps the decisions that differ from what the items have.
    async fn record(
        &self,
        caller: &Caller,
        review: &Review,
        items: &[ReviewItem],
        decisions: Vec<Decision>,
        what: &str,
    ) -> Result<Decided> {
        check_open(review)?;
        let by_number: BTreeMap<u32, &ReviewItem> = items.iter().map(|item| (item.number, item)).collect();
        let mut decided = Decided::default();
        let mut kept = Vec::new();
        for decision in decisions {
            let before = by_number.get(&decision.item).and_then(|item| item.decision.as_ref());
            match before {
                None => decided.new += 1,
                Some(before) if is_same(before, &decision) => {
                    decided.unchanged += 1;
                    continue;
                }
                Some(_) => decided.changed += 1,
            }
            kept.push(decision);
        }
        if kept.is_empty() {
            return Ok(decided);
        }
        let of =
            |choice: Choice| ranges(kept.iter().filter(|kept| kept.choice == choice).map(|kept| kept.item));
        let details = format!(
            "access review {}, {what}: REVOKE {}; KEEP {}",
            review.id,
            or_none(&of(Choice::Revoke)),
            or_none(&of(Choice::Keep))
        );
        let event = self.event(caller, AuditOperation::ReviewDecided, review, details);
        match self.store.decide(&review.id, &kept, &event).await? {
            true => Ok(decided),
            false => Err(Error::invalid("the review is closed: expected an open one")),
        }
    }

    /// A review that the caller sees, and which of its items.
    async fn find(&self, caller: &Caller, id: &ReviewId) -> Result<(Review, WantedItems)> {
        let found = self.store.review(&caller.tenant, id).await?;
        let review = found.ok_or_else(|| absent(id))?;
        let wanted = visible(caller, &review).ok_or_else(|| absent(id))?;
        if !review.is_managed_by(caller) {
            let one = WantedItems { limit: Some(1), ..wanted.clone() };
            if self.store.review_page(&caller.tenant, id, &one).await?.is_empty() {
                return Err(absent(id));
            }
        }
        Ok((review, wanted))
    }

    /// A review that the caller manages, with all of its items, as they were frozen.
    async fn managed(&self, caller: &Caller, id: &ReviewId) -> Result<(Review, Vec<ReviewItem>)> {
        self.reports.authorise(caller, Operation::ManageReviews)?;
        let (review, _) = self.find(caller, id).await?;
        if !review.is_managed_by(caller) {
            return Err(absent(id));
        }
        let items = self.store.review_items(&caller.tenant, id).await?;
        check_frozen(&review, &items)?;
        Ok((review, items))
    }

    fn event(
        &self,
        caller: &Caller,
        operation: AuditOperation,
        review: &Review,
        details: String,
    ) -> AuditEvent {
        self.reports.event(caller, operation, &TaskId::new(""), &review.plan.name, details)
    }
}

/// Ids for the names of sources. Names can change, and a review must not.
fn with_source_ids(
    mut plan: ReviewPlan,
    snapshot: &SnapshotManifest,
    scope: &DataScope,
) -> Result<ReviewPlan> {
    let id = |named: &str, sources: &[SourceRun]| {
        nearest::source(named, sources, |run| (run.id.as_str(), &run.name)).map(|run| run.id.to_string())
    };
    let mut seen = snapshot.sources.clone();
    seen.retain(|source| scope.has_source(source.id.as_str()));
    let reviewed =
        |named: &String| id(named, &seen).map_err(|reason| Error::not_found(format!("sources: {reason}")));
    plan.sources = plan.sources.iter().map(reviewed).collect::<Result<_>>()?;
    plan.sources.sort_unstable();
    plan.sources.dedup();
    for (at, line) in plan.list.iter_mut().enumerate() {
        if let Some(source) = &line.source {
            // A list may be that of everybody, with sources of which the caller sees nothing.
            let found = id(source, &snapshot.sources)
                .map_err(|reason| Error::invalid(format!("list, line {}: {reason}", at + 1)))?;
            line.source = Some(found);
        }
    }
    Ok(plan)
}

fn seen(caller: &Caller, review: Review, reviewers: Vec<ReviewerProgress>) -> SeenReview {
    SeenReview { managed: review.is_managed_by(caller), review, total: total(&reviewers), reviewers }
}

/// Which items of a review the caller sees; `None` for none. As [`Review::shows`].
fn visible(caller: &Caller, review: &Review) -> Option<WantedItems> {
    if review.is_managed_by(caller) {
        return Some(WantedItems::default());
    }
    let user = caller.user.as_ref()?;
    let sources = match caller.scope() {
        DataScope::Everything => None,
        DataScope::Sources(sources) => Some(sources.iter().map(ToString::to_string).collect()),
    };
    let reviewed_by = Some((user.id.clone(), user.name.clone()));
    Some(WantedItems { reviewed_by, sources, ..WantedItems::default() })
}

fn check_open(review: &Review) -> Result<()> {
    match &review.closing {
        None => Ok(()),
        Some(closing) => Err(Error::invalid(format!(
            "review {} was closed by {} at {}: expected an open one",
            review.id,
            shown(&closing.by),
            closing.at.to_rfc3339()
        ))),
    }
}

/// Whether a decision says what the item's decision says already.
fn is_same(before: &Decision, decision: &Decision) -> bool {
    (before.choice, &before.comment, &before.by) == (decision.choice, &decision.comment, &decision.by)
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn sha256_of(file: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    crate::ids::hex(Sha256::digest(file))
}

fn absent(id: &ReviewId) -> Error {
    Error::not_found(format!("there is no review {}", shown(id.as_str())))
}
