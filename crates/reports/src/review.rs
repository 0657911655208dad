//! Access reviews: who has what, frozen at one snapshot, and what its reviewers decide of it.
//!
//! A review has *items*: an entitlement of an account, or an account without entitlements. An item never changes after the
//! review was created, whatever later refreshes find. Its reviewer keeps or revokes it. When the review is closed, its
//! decisions are final, and the report REVIEW_REVOKES compares each revoke with later snapshots.
//!
//! Invariants:
//! - every item that the plan asks for is in the review; an item without a reviewer says why it has none;
//! - nobody reviews access of their own ([`assign`], [`Review::check_decider`]);
//! - the digest of an item covers everything that was frozen, and the digest of the review covers its items
//!   ([`check_frozen`]), so an item that was changed in the database is noticed;
//! - a decision is added and never replaced: the newest one of an item counts.

pub mod assign;
mod progress;
pub mod sheet;

use crate::caller::{Caller, DataScope};
use crate::error::{Error, Result, shown};
use crate::ids::{ClientId, ReviewId, SnapshotId, SourceId, TenantId, sha256_hex, stable_id};
use crate::notification::{DeliveryState, Notice, NoticeData, NoticeReview, Notification};
use crate::notify::Recipient;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use progress::{ReviewNews, ReviewedItems, ReviewerProgress, WantedItems, progress, ranges, total};

/// Most items of a review.
pub const ITEMS_MAX: usize = 100_000;
/// Most reviews of a tenant.
pub const REVIEWS_MAX: usize = 1_000;
/// Longest comment, in characters.
pub const COMMENT_MAX: usize = 2_000;
/// Most days in which a revoke is to be done.
pub const DUE_DAYS_MAX: u32 = 366;

/// By what rule an item gets its reviewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReviewerRule {
    /// The manager of the account's identity.
    Manager,
    /// The owner of the account's source, as its definition names them.
    SourceOwner,
    /// A list that the creator gives.
    List,
}

impl ReviewerRule {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::Manager, Self::SourceOwner, Self::List];

    /// Its name in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "MANAGER",
            Self::SourceOwner => "SOURCE_OWNER",
            Self::List => "LIST",
        }
    }
}

impl FromStr for ReviewerRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text).ok_or_else(|| {
            Error::invalid(format!("it is {}: expected MANAGER, SOURCE_OWNER or LIST", shown(text)))
        })
    }
}

/// A line of a list of reviewers. A condition that is absent is met by every item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedReviewer {
    /// Name or id of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The entitlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<String>,
    /// Name (uid) of the identity whose access it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Name (uid) of the reviewer.
    pub reviewer: String,
}

/// What a review is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewPlan {
    /// Its name, for people.
    pub name: String,
    /// Who reviews.
    pub reviewers: ReviewerRule,
    /// The list, for [`ReviewerRule::List`]: the first line that fits an item decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<ListedReviewer>,
    /// Name (uid) of who reviews the items for which the rule finds nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Names or ids of the sources whose accounts are reviewed; all when empty. A review that is kept has ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Whether only privileged accounts are reviewed.
    #[serde(default)]
    pub privileged: bool,
    /// In how many days after the close a revoke is to be done.
    pub due_days: u32,
    /// Whether a revoke needs a comment.
    #[serde(default)]
    pub comment_required: bool,
    /// Until when reviewers are to decide. Nothing happens by itself then: the review is open until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
    /// How many days before `ends` reviewers are told of what they have not decided.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub remind_days: u32,
    /// Whether reviewers are told by mail, of items that are theirs and before the end.
    #[serde(default)]
    pub tell: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(days: &u32) -> bool {
    *days == 0
}

impl ReviewPlan {
    /// Refuses what no review can be.
    ///
    /// # Errors
    /// `Invalid`, which names the member.
    pub fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::invalid(text));
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            return wrong("name is blank or has more than 200 characters: expected a name".into());
        }
        if self.due_days > DUE_DAYS_MAX {
            return wrong(format!("dueDays is {}: expected 0 to {DUE_DAYS_MAX}", self.due_days));
        }
        if self.remind_days > DUE_DAYS_MAX {
            return wrong(format!("remindDays is {}: expected 0 to {DUE_DAYS_MAX}", self.remind_days));
        }
        match (self.reviewers, self.list.is_empty()) {
            (ReviewerRule::List, true) => wrong("list is empty: expected lines with reviewers".into()),
            (ReviewerRule::Manager | ReviewerRule::SourceOwner, false) => {
                wrong(format!("list is given: expected none with the reviewers {}", self.reviewers.as_str()))
            }
            (ReviewerRule::List, false) | (ReviewerRule::Manager | ReviewerRule::SourceOwner, true) => Ok(()),
        }
    }
}

/// Who reviews an item: an identity of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reviewer {
    /// Name (uid).
    pub name: String,
    /// Id of the identity.
    pub id: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Who reviews an item since it was handed over. What was frozen stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// The new reviewer.
    pub to: Reviewer,
    /// Name of who handed it over.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// The reviewers who are told by mail: of which client, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The client that created the review, whose notifications they are.
    pub client: ClientId,
    /// E-mail addresses of reviewers, by the id of their identity.
    pub addresses: BTreeMap<String, String>,
}

/// What is reviewed, as the snapshot had it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenAccess {
    /// The account's identity; absent for an account that belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// Its name (uid).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_name: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_display_name: Option<String>,
    /// Its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_status: Option<String>,
    /// Name (uid) of its manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_name: Option<String>,
    /// Id of the source.
    pub source_id: String,
    /// Its name.
    pub source_name: String,
    /// Id of the account.
    pub account_id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// Its key on the source.
    pub native_identity: String,
    /// The entitlement; absent for an account without entitlements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<String>,
    /// Whether the account is privileged.
    pub privileged: bool,
    /// Whether it was disabled.
    pub disabled: bool,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
}

/// An item of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewItem {
    /// Its number in the review, from 1.
    pub number: u32,
    /// What is reviewed.
    pub frozen: FrozenAccess,
    /// Who reviews it; `None` where the rule and the fallback found nobody.
    pub reviewer: Option<Reviewer>,
    /// Why it is this reviewer, or why there is none.
    pub assigned: String,
    /// Digest of all of the above and of the review's id, 64 hex digits.
    pub digest: String,
    /// The last hand-over, if it was handed over to another reviewer.
    pub handed_over: Option<HandOver>,
    /// The newest decision.
    pub decision: Option<Decision>,
}

impl ReviewItem {
    /// Who reviews it now.
    pub fn reviewer_now(&self) -> Option<&Reviewer> {
        self.handed_over.as_ref().map(|over| &over.to).or(self.reviewer.as_ref())
    }

    /// Why it is this reviewer, or why there is none.
    pub fn assigned_now(&self) -> String {
        match &self.handed_over {
            None => self.assigned.clone(),
            Some(HandOver { by, at, reason, .. }) => format!(
                "handed over by {by} at {}: {reason}; before that {}: {}",
                at.to_rfc3339_opts(SecondsFormat::Secs, true),
                self.reviewer.as_ref().map_or("nobody", |reviewer| reviewer.name.as_str()),
                self.assigned
            ),
        }
    }

    /// The digest of an item of this review.
    pub fn computed_digest(&self, review: &ReviewId) -> String {
        let frozen = serde_json::to_string(&(&self.frozen, &self.reviewer)).unwrap_or_default();
        sha256_hex([review.as_str(), &self.number.to_string(), &frozen, &self.assigned])
    }

    /// Whether its access belongs to this identity, of which id and name are given.
    pub fn is_of(&self, id: &str, name: &str) -> bool {
        self.frozen.identity_id.as_deref() == Some(id) || self.frozen.identity_name.as_deref() == Some(name)
    }

    /// Whether this identity reviews it.
    pub fn is_reviewed_by(&self, id: &str, name: &str) -> bool {
        self.reviewer_now().is_some_and(|reviewer| reviewer.id == id || reviewer.name == name)
    }
}

/// The digest of all items, in their order.
pub fn digest_of(items: &[ReviewItem]) -> String {
    sha256_hex(items.iter().map(|item| item.digest.as_str()))
}

/// Checks that each of some items is as it was frozen.
///
/// # Errors
/// `Broken`, which names the first item that differs.
pub fn check_each(review: &Review, items: &[ReviewItem]) -> Result<()> {
    if let Some(item) = items.iter().find(|item| item.digest != item.computed_digest(&review.id)) {
        return Err(Error::broken(format!(
            "item {} of review {} is not as it was frozen: its digest differs. The database was changed",
            item.number, review.id
        )));
    }
    Ok(())
}

/// Checks that items are all of those that were frozen, as they were frozen.
///
/// # Errors
/// `Broken`, which names the first item that differs, or the number of items.
pub fn check_frozen(review: &Review, items: &[ReviewItem]) -> Result<()> {
    check_each(review, items)?;
    if items.len() != review.items as usize || digest_of(items) != review.digest {
        return Err(Error::broken(format!(
            "review {} has {} items that are not those that were frozen: expected {} with the digest {}. The database was \
             changed",
            review.id,
            items.len(),
            review.items,
            review.digest
        )));
    }
    Ok(())
}

/// What a reviewer decides of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Choice {
    /// The access stays.
    Keep,
    /// The access is to be taken away.
    Revoke,
}

impl Choice {
    /// Its name in requests, sheets and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "KEEP",
            Self::Revoke => "REVOKE",
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    /// Any case, because people type it.
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Keep, Self::Revoke]
            .into_iter()
            .find(|choice| text.eq_ignore_ascii_case(choice.as_str()))
            .ok_or_else(|| format!("decision is {}: expected KEEP, REVOKE or nothing", shown(text)))
    }
}

/// A decision that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The item's number.
    pub item: u32,
    /// What was decided.
    pub choice: Choice,
    /// Name of who decided.
    pub by: String,
    /// When. For a sheet, when it was read.
    pub at: DateTime<Utc>,
    /// How many seconds after the item was given to the reviewer; `None` for a sheet, which does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The sheet that it was read from; `None` where the reviewer told the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<SheetOrigin>,
    /// Its number among the decisions of the review; the store gives it.
    #[serde(skip)]
    pub sequence: u64,
}

/// Where decisions of a sheet are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetOrigin {
    /// SHA-256 of the file.
    pub sha256: String,
    /// Name of the user who gave it to the service.
    pub given_by: String,
}

/// How a review was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub at: DateTime<Utc>,
    /// Name of who closed it.
    pub by: String,
    /// Items that are kept.
    pub keep: u32,
    /// Items that are revoked.
    pub revoke: u32,
    /// Items that nobody decided.
    pub undecided: u32,
    /// The number of the last decision that counts; 0 without any.
    pub last_decision: u64,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// What it was asked for.
    pub plan: ReviewPlan,
    /// The snapshot whose access is reviewed.
    pub snapshot: SnapshotId,
    /// The time of that snapshot.
    pub frozen_at: DateTime<Utc>,
    /// The rows that its creator may see: the review has no others.
    pub scope: DataScope,
    /// When it was created. From then on, its items are with their reviewers.
    pub created: DateTime<Utc>,
    /// Name of who created it.
    pub created_by: String,
    /// How many items it has.
    pub items: u32,
    /// How many of them have no reviewer.
    pub unassigned: u32,
    /// Digest of its items.
    pub digest: String,
    /// Who is told by mail, if reviewers are.
    pub told: Option<Told>,
    /// How it was closed; `None` while it is open.
    pub closing: Option<Closing>,
}

impl Review {
    /// When reviewers are to be told of what they have not decided; `None` if they are not, or if that was before the
    /// review began.
    pub fn remind_at(&self) -> Option<DateTime<Utc>> {
        let before = TimeDelta::days(i64::from(self.plan.remind_days));
        let at = self.plan.ends?.checked_sub_signed(before)?;
        (self.told.is_some() && at > self.created).then_some(at)
    }

    /// What reviewers are told by mail. `numbers` has the items of each; who has no address is left out, and so is who has
    /// nothing left to decide where that is what they are told.
    pub fn notifications(
        &self,
        tenant: &TenantId,
        news: ReviewNews,
        numbers: &[ReviewerProgress],
        at: DateTime<Utc>,
    ) -> Vec<Notification> {
        let Some(told) = &self.told else { return Vec::new() };
        let notification = |progress: &ReviewerProgress| {
            let reviewer = progress.reviewer.as_ref()?;
            if progress.items == 0 || news == ReviewNews::Ends && progress.undecided() == 0 {
                return None;
            }
            let to = Recipient::email(told.addresses.get(&reviewer.id)?).ok()?;
            let moment = at.timestamp_micros().to_string();
            let notice = Notice {
                kind: news.kind().to_owned(),
                timestamp: at,
                data: NoticeData {
                    name: self.plan.name.clone(),
                    review: Some(NoticeReview {
                        id: self.id.clone(),
                        reviewer: reviewer.name.clone(),
                        items: progress.items,
                        undecided: progress.undecided(),
                        ends: self.plan.ends,
                    }),
                    ..NoticeData::default()
                },
            };
            Some(Notification {
                id: stable_id(["review", news.kind(), self.id.as_str(), &reviewer.id, &moment]),
                tenant: tenant.clone(),
                client: told.client.clone(),
                to,
                attach: None,
                notice,
                state: DeliveryState::Waiting,
                attempts: 0,
                error: None,
                created: at,
                next: Some(at),
                ended: None,
            })
        };
        numbers.iter().filter_map(notification).collect()
    }

    /// Until when a revoke is to be done, once the review is closed.
    pub fn due(&self) -> Option<DateTime<Utc>> {
        let days = TimeDelta::days(i64::from(self.plan.due_days));
        self.closing.as_ref().and_then(|closing| closing.at.checked_add_signed(days))
    }

    /// Whether this caller may manage the review: an administrator of reviews who may see all of its rows.
    pub fn is_managed_by(&self, caller: &Caller) -> bool {
        caller.administers_reviews() && caller.scope().covers(&self.scope)
    }

    /// Whether this caller may see an item.
    pub fn shows(&self, caller: &Caller, item: &ReviewItem) -> bool {
        caller.scope().has_source(&item.frozen.source_id)
            && (self.is_managed_by(caller)
                || caller.user.as_ref().is_some_and(|user| item.is_reviewed_by(&user.id, &user.name)))
    }

    /// Refuses a caller who may not decide an item that they may see.
    ///
    /// # Errors
    /// `Forbidden` for access of the caller's own.
    pub fn check_decider(&self, caller: &Caller, item: &ReviewItem) -> Result<()> {
        match &caller.user {
            Some(user) if item.is_of(&user.id, &user.name) => Err(Error::forbidden(format!(
                "item {} is access of {} and nobody reviews their own: expected another reviewer",
                item.number,
                shown(&user.name)
            ))),
            Some(_) => Ok(()),
            None => Err(Error::forbidden("an application reviews nothing: expected a personal access token")),
        }
    }

    /// Refuses a comment that is too long, and a revoke without one where the plan wants it.
    ///
    /// # Errors
    /// What is wrong, without its place.
    pub fn check_comment(&self, choice: Choice, comment: Option<&str>) -> Result<(), String> {
        match comment {
            None if choice == Choice::Revoke && self.plan.comment_required => {
                Err("comment is missing: expected one, because this review wants a comment for each REVOKE"
                    .into())
            }
            Some(text) if text.chars().count() > COMMENT_MAX => Err(format!(
                "comment has {} characters: expected at most {COMMENT_MAX}",
                text.chars().count()
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// What was read from the snapshot for a review.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// The items, without reviewers.
    pub access: Vec<FrozenAccess>,
    /// Owners of these accounts, managers, and the people that the plan names.
    pub people: Vec<PersonOfSnapshot>,
    /// The owner that a source's definition names, by the source's id.
    pub owners: BTreeMap<SourceId, String>,
}

/// An identity of the snapshot, as far as reviewers are chosen by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonOfSnapshot {
    /// Its id.
    pub id: String,
    /// Its name (uid).
    pub name: String,
    /// Its name for people.
    pub display_name: Option<String>,
    /// Its status.
    pub status: Option<String>,
    /// Id of its manager.
    pub manager_id: Option<String>,
}

impl fmt::Display for Reviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.display_name {
            Some(display) => write!(f, "{} ({display})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests;
