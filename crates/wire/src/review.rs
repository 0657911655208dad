//! Bodies of access reviews: routes of our own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A line of a list of reviewers. A condition that is absent is met by every item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedReviewerDetails {
    /// Name or id of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source: Option<String>,
    /// The entitlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub entitlement: Option<String>,
    /// Name (uid) of the identity whose access it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity: Option<String>,
    /// Name (uid) of the reviewer.
    pub reviewer: String,
}

/// A review to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewReviewDetails {
    /// Its name, for people.
    #[schema(example = "Spring 2026")]
    pub name: String,
    /// Who reviews: `MANAGER`, `SOURCE_OWNER` or `LIST`.
    #[schema(example = "MANAGER")]
    pub reviewers: String,
    /// The list, for `LIST`: the first line that fits an item decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub list: Vec<ListedReviewerDetails>,
    /// Name (uid) of who reviews the items for which the rule finds nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub fallback: Option<String>,
    /// Names or ids of the sources whose accounts are reviewed; all when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub sources: Vec<String>,
    /// Whether only privileged accounts are reviewed.
    #[serde(default)]
    #[schema(required = false)]
    pub privileged: bool,
    /// In how many days after the close a revoke is to be done: 0 to 366; 14 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = 14)]
    pub due_days: Option<u32>,
    /// Whether a revoke needs a comment.
    #[serde(default)]
    #[schema(required = false)]
    pub comment_required: bool,
    /// Until when reviewers are to decide. The review stays open until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub ends: Option<String>,
    /// How many days before `ends` reviewers are told of what they have not decided: 0 to 366; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = 3)]
    pub remind_days: Option<u32>,
    /// Whether reviewers are told by mail: of items that are theirs, and before `ends`.
    #[serde(default)]
    #[schema(required = false)]
    pub tell: bool,
    /// The snapshot: its id, a day, or a time; the newest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub as_of: Option<String>,
}

/// How far the items of a reviewer are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewProgress {
    /// Name (uid) of the reviewer; absent for the items without one, and in a total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reviewer: Option<String>,
    /// The reviewer's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub display_name: Option<String>,
    /// Items.
    pub items: u32,
    /// Of these, kept.
    pub keep: u32,
    /// Revoked.
    pub revoke: u32,
    /// Not decided.
    pub undecided: u32,
}

/// An access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewDescription {
    /// Its id.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// `OPEN` or `CLOSED`.
    #[schema(example = "OPEN")]
    pub state: String,
    /// Who reviews: `MANAGER`, `SOURCE_OWNER` or `LIST`.
    pub reviewers: String,
    /// The snapshot whose access is reviewed.
    pub snapshot_id: String,
    /// The time of that snapshot.
    pub frozen_at: String,
    /// Digest of the frozen items, 64 hex digits.
    pub digest: String,
    /// When it was created.
    pub created: String,
    /// Who created it.
    pub created_by: String,
    /// In how many days after the close a revoke is to be done.
    pub due_days: u32,
    /// Whether a revoke needs a comment.
    pub comment_required: bool,
    /// Until when reviewers are to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub ends: Option<String>,
    /// When reviewers are told of what they have not decided, or were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reminds: Option<String>,
    /// Whether reviewers are told by mail.
    pub tell: bool,
    /// Names of the reviewers who have no address to which mail may be sent, for who manages the review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub not_told: Vec<String>,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub closed: Option<String>,
    /// Who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub closed_by: Option<String>,
    /// Until when its revokes are to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub due: Option<String>,
    /// Whether the caller manages it. Otherwise the numbers are those of the caller's own items.
    pub managed: bool,
    /// The numbers of all items that the caller sees.
    pub total: ReviewProgress,
    /// By reviewer; the items without one are the last.
    pub progress: Vec<ReviewProgress>,
}

/// An item of a review: what was frozen, and its newest decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewItemDescription {
    /// Its number in the review.
    pub item: u32,
    /// Name (uid) of its reviewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reviewer: Option<String>,
    /// Why it is this reviewer, or why there is none.
    pub assigned: String,
    /// Name (uid) of the account's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity: Option<String>,
    /// The identity's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_display_name: Option<String>,
    /// Name of the source.
    pub source: String,
    /// Name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub account: Option<String>,
    /// The account's key on the source.
    pub native_identity: String,
    /// The entitlement; absent for an account without entitlements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub entitlement: Option<String>,
    /// Whether the account is privileged.
    pub privileged: bool,
    /// Whether it was disabled.
    pub disabled: bool,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub last_used: Option<String>,
    /// Digest of what was frozen, 64 hex digits.
    pub digest: String,
    /// `KEEP` or `REVOKE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "REVOKE")]
    pub decision: Option<String>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided: Option<String>,
    /// How many seconds after the item was given to the reviewer; absent for a sheet, which does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub seconds: Option<i64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub comment: Option<String>,
    /// SHA-256 of the sheet that the decision was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub sheet: Option<String>,
}

/// A decision of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewDecisionDetails {
    /// The item's number.
    pub item: u32,
    /// `KEEP` or `REVOKE`.
    #[schema(example = "REVOKE")]
    pub decision: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub comment: Option<String>,
}

/// Decisions of a reviewer: all of them are recorded, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewDecisions {
    /// The decisions, at most 10,000.
    pub decisions: Vec<ReviewDecisionDetails>,
}

/// Items that get another reviewer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewHandOver {
    /// Numbers of the items, at most 10,000; without them, all that are not decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub items: Option<Vec<u32>>,
    /// Only those of the reviewer with this name (uid).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub from: Option<String>,
    /// Name (uid) of the new reviewer.
    pub to: String,
    /// Why.
    #[schema(example = "on leave until May")]
    pub reason: String,
}

/// A row of a sheet that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedSheetRow {
    /// Its line in a CSV file, or its number in a spreadsheet; absent for the whole sheet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub line: Option<u64>,
    /// Why.
    pub reason: String,
}

/// What became of decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewOutcome {
    /// Whether they are recorded. A sheet with a refused row is not, as a whole.
    pub taken: bool,
    /// The reviewer whose sheet it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reviewer: Option<String>,
    /// Decisions of items that had none.
    pub new: u32,
    /// Decisions that differ from the item's decision before.
    pub changed: u32,
    /// Decisions that the items had already.
    pub unchanged: u32,
    /// Rows of the sheet without a decision.
    pub undecided: u32,
    /// The refused rows of the sheet, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub refused: Vec<RefusedSheetRow>,
    /// How many rows were refused.
    pub refused_count: u64,
}
