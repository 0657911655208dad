//! Access reviews: routes of our own. Their sheets are in `reports/review_sheets.rs`.

use crate::access::{Allowed, DecideReviews, ManageReviews, ReadReviews};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, json_object, json_type};
use crate::openapi::answers::NotFound;
use crate::saved_searches::check_members;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::DateTime;
use muster_reports::error::shown;
use muster_reports::ids::ReviewId;
use muster_reports::retention::AsOf;
use muster_reports::review::{
    Choice, ListedReviewer, ReviewItem, ReviewPlan, Reviewer, ReviewerProgress, ReviewerRule, WantedItems,
};
use muster_reports::service::{Decided, SeenReview, WantedDecision, WantedHandOver};
use muster_wire::{
    NewReviewDetails, ReviewDecisions, ReviewDescription, ReviewHandOver, ReviewItemDescription,
    ReviewOutcome, ReviewProgress,
};
use serde_json::{Map, Value};

/// Days in which a revoke is to be done, if a request says nothing.
const DUE_DAYS: u32 = 14;
/// Days before the end on which reviewers are told, if a request says nothing.
const REMIND_DAYS: u32 = 3;
/// Most decisions of a request.
const DECISIONS_MAX: usize = 10_000;
/// Items of a page, if a request says nothing, and at most.
const PAGE: (u32, u32) = (250, 1_000);

fn progress(progress: &ReviewerProgress) -> ReviewProgress {
    let reviewer = progress.reviewer.as_ref();
    ReviewProgress {
        reviewer: reviewer.map(|reviewer| reviewer.name.clone()),
        display_name: reviewer.and_then(|reviewer: &Reviewer| reviewer.display_name.clone()),
        items: progress.items,
        keep: progress.keep,
        revoke: progress.revoke,
        undecided: progress.undecided(),
    }
}

fn description(seen: &SeenReview) -> ReviewDescription {
    let review = &seen.review;
    let closing = review.closing.as_ref();
    ReviewDescription {
        id: review.id.to_string(),
        name: review.plan.name.clone(),
        state: if closing.is_some() { "CLOSED" } else { "OPEN" }.into(),
        reviewers: review.plan.reviewers.as_str().into(),
        snapshot_id: review.snapshot.to_string(),
        frozen_at: timestamp(review.frozen_at),
        digest: review.digest.clone(),
        created: timestamp(review.created),
        created_by: review.created_by.clone(),
        due_days: review.plan.due_days,
        comment_required: review.plan.comment_required,
        ends: review.plan.ends.map(timestamp),
        reminds: review.remind_at().map(timestamp),
        tell: review.told.is_some(),
        not_told: if seen.managed { not_told(seen) } else { Vec::new() },
        closed: closing.map(|closing| timestamp(closing.at)),
        closed_by: closing.map(|closing| closing.by.clone()),
        due: review.due().map(timestamp),
        managed: seen.managed,
        total: progress(&seen.total),
        progress: seen.reviewers.iter().map(progress).collect(),
    }
}

fn not_told(seen: &SeenReview) -> Vec<String> {
    let Some(told) = &seen.review.told else { return Vec::new() };
    let reviewers = seen.reviewers.iter().filter_map(|progress| progress.reviewer.as_ref());
    let without = reviewers.filter(|reviewer| !told.addresses.contains_key(&reviewer.id));
    without.map(|reviewer| reviewer.name.clone()).collect()
}

fn item(item: &ReviewItem) -> ReviewItemDescription {
    let (frozen, decision) = (&item.frozen, item.decision.as_ref());
    ReviewItemDescription {
        item: item.number,
        reviewer: item.reviewer_now().map(|reviewer| reviewer.name.clone()),
        assigned: item.assigned_now(),
        identity: frozen.identity_name.clone(),
        identity_display_name: frozen.identity_display_name.clone(),
        source: frozen.source_name.clone(),
        account: frozen.account_name.clone(),
        native_identity: frozen.native_identity.clone(),
        entitlement: frozen.entitlement.clone(),
        privileged: frozen.privileged,
        disabled: frozen.disabled,
        last_used: frozen.last_used.map(timestamp),
        digest: item.digest.clone(),
        decision: decision.map(|decision| decision.choice.as_str().into()),
        decided_by: decision.map(|decision| decision.by.clone()),
        decided: decision.map(|decision| timestamp(decision.at)),
        seconds: decision.and_then(|decision| decision.seconds),
        comment: decision.and_then(|decision| decision.comment.clone()),
        sheet: decision.and_then(|decision| decision.sheet.as_ref()).map(|sheet| sheet.sha256.clone()),
    }
}

pub(crate) fn outcome(decided: &Decided) -> ReviewOutcome {
    ReviewOutcome {
        taken: true,
        reviewer: decided.reviewer.clone(),
        new: decided.new,
        changed: decided.changed,
        unchanged: decided.unchanged,
        undecided: decided.undecided,
        refused: Vec::new(),
        refused_count: 0,
    }
}

/// A text of a body; absent and null are none.
fn text(object: &Map<String, Value>, place: &str, name: &str) -> Result<Option<String>, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            Err(Failure::invalid(format!("{place}{name} is {}: expected a text", json_type(other))))
        }
    }
}

fn required(object: &Map<String, Value>, place: &str, name: &str) -> Result<String, Failure> {
    text(object, place, name)?
        .ok_or_else(|| Failure::invalid(format!("{place}{name} is missing: expected a text")))
}

fn flag(object: &Map<String, Value>, name: &str) -> Result<bool, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => {
            Err(Failure::invalid(format!("{name} is {}: expected true or false", json_type(other))))
        }
    }
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(Failure::invalid(format!("{name} is {}: expected a list", json_type(other)))),
    }
}

fn member<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, Failure> {
    value
        .as_object()
        .ok_or_else(|| Failure::invalid(format!("{place} is {}: expected an object", json_type(value))))
}

/// A whole number from 0 to the greatest that fits.
fn number(value: &Value, place: &str) -> Result<u32, Failure> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .ok_or_else(|| Failure::invalid(format!("{place} is {}: expected a whole number", json_type(value))))
}

fn listed(value: &Value, at: usize) -> Result<ListedReviewer, Failure> {
    let place = format!("list, item {at}: ");
    let line = member(value, place.trim_end_matches(": "))?;
    check_members(line, &["source", "entitlement", "identity", "reviewer"])?;
    let given = |name: &str| Ok::<_, Failure>(text(line, &place, name)?.filter(|text| !text.is_empty()));
    Ok(ListedReviewer {
        source: given("source")?,
        entitlement: given("entitlement")?,
        identity: given("identity")?,
        reviewer: required(line, &place, "reviewer")?,
    })
}

/// A review that is to be created.
pub(crate) struct NewReview {
    plan: ReviewPlan,
    as_of: Option<AsOf>,
}

impl Input for NewReview {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        let known = [
            "name",
            "reviewers",
            "list",
            "fallback",
            "sources",
            "privileged",
            "dueDays",
            "commentRequired",
            "ends",
            "remindDays",
            "tell",
            "asOf",
        ];
        check_members(&object, &known)?;
        let rule = required(&object, "", "reviewers")?;
        let rule: ReviewerRule = rule.parse().map_err(|error: muster_reports::Error| {
            Failure::invalid(format!("reviewers: {}", error.message))
        })?;
        let sources = list(&object, "sources")?.iter().map(|source| {
            let wrong = || Failure::invalid(format!("sources has {}: expected texts", json_type(source)));
            source.as_str().map(str::to_owned).ok_or_else(wrong)
        });
        let due_days = match object.get("dueDays") {
            None | Some(Value::Null) => DUE_DAYS,
            Some(value) => number(value, "dueDays")?,
        };
        let ends = text(&object, "", "ends")?
            .map(|text| {
                let wrong = || {
                    let found = shown(&text);
                    Failure::invalid(format!("ends is {found}: expected a time such as 2026-12-24T12:00:00Z"))
                };
                DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(|_| wrong())
            })
            .transpose()?;
        let remind_days = match object.get("remindDays") {
            None | Some(Value::Null) => REMIND_DAYS,
            Some(value) => number(value, "remindDays")?,
        };
        let as_of = text(&object, "", "asOf")?.map(|text| text.parse::<AsOf>()).transpose()?;
        let lines = list(&object, "list")?.iter().enumerate();
        let plan = ReviewPlan {
            name: required(&object, "", "name")?,
            reviewers: rule,
            list: lines.map(|(at, line)| listed(line, at)).collect::<Result<_, _>>()?,
            fallback: text(&object, "", "fallback")?.filter(|name| !name.is_empty()),
            sources: sources.collect::<Result<_, _>>()?,
            privileged: flag(&object, "privileged")?,
            due_days,
            comment_required: flag(&object, "commentRequired")?,
            ends,
            remind_days,
            tell: flag(&object, "tell")?,
        };
        Ok(Self { plan, as_of })
    }
}

/// Decisions of a review.
pub(crate) struct NewDecisions {
    review: ReviewId,
    decisions: Vec<WantedDecision>,
}

impl Input for NewDecisions {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["decisions"])?;
        let given = list(&object, "decisions")?;
        if !(1..=DECISIONS_MAX).contains(&given.len()) {
            return Err(Failure::invalid(format!(
                "decisions has {} items: expected 1 to {DECISIONS_MAX}",
                given.len()
            )));
        }
        let decision = |(at, value): (usize, &Value)| {
            let place = format!("decisions, item {at}: ");
            let one = member(value, place.trim_end_matches(": "))?;
            check_members(one, &["item", "decision", "comment"])?;
            let item = one.get("item").unwrap_or(&Value::Null);
            let choice = required(one, &place, "decision")?;
            Ok(WantedDecision {
                item: number(item, &format!("{place}item"))?,
                choice: choice
                    .parse::<Choice>()
                    .map_err(|reason| Failure::invalid(format!("{place}{reason}")))?,
                comment: text(one, &place, "comment")?
                    .map(|text| text.trim().to_owned())
                    .filter(|text| !text.is_empty()),
            })
        };
        let decisions = given.iter().enumerate().map(decision).collect::<Result<_, Failure>>()?;
        Ok(Self { review: ReviewId::new(id), decisions })
    }
}

/// Which items of a review.
pub(crate) struct WantedPage {
    review: ReviewId,
    asked: WantedItems,
}

impl Input for WantedPage {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let whole = |name: &str, default: u32| match query.text(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Failure::invalid(format!("{name} is {}: expected a whole number", shown(text)))),
        };
        let (usual, most) = PAGE;
        let limit = whole("limit", usual)?;
        if !(1..=most).contains(&limit) {
            return Err(Failure::invalid(format!("limit is {limit}: expected 1 to {most}")));
        }
        let asked = WantedItems {
            reviewer: query.text("reviewer").map(str::to_owned),
            undecided: query.flag("undecided")?,
            after: whole("after", 0)?,
            limit: Some(limit),
            ..WantedItems::default()
        };
        Ok(Self { review: ReviewId::new(id), asked })
    }
}

/// Items that get another reviewer.
pub(crate) struct NewHandOver {
    review: ReviewId,
    wanted: WantedHandOver,
}

impl Input for NewHandOver {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["items", "from", "to", "reason"])?;
        let items = match object.get("items") {
            None | Some(Value::Null) => None,
            Some(_) => {
                let given = list(&object, "items")?;
                if !(1..=DECISIONS_MAX).contains(&given.len()) {
                    return Err(Failure::invalid(format!(
                        "items has {} numbers: expected 1 to {DECISIONS_MAX}",
                        given.len()
                    )));
                }
                let numbers =
                    given.iter().enumerate().map(|(at, one)| number(one, &format!("items, item {at}")));
                Some(numbers.collect::<Result<_, _>>()?)
            }
        };
        let wanted = WantedHandOver {
            items,
            from: text(&object, "", "from")?.filter(|name| !name.is_empty()),
            to: required(&object, "", "to")?,
            reason: required(&object, "", "reason")?,
        };
        Ok(Self { review: ReviewId::new(id), wanted })
    }
}

/// Create an access review
///
/// Freezes who has what in a snapshot: each entitlement of each live account, and each account without entitlements, is an
/// item. Later refreshes change no item, and the snapshot is kept while the review is open. The rule names the reviewer of
/// an item: the manager of its identity, the owner of its source, or the first line of the list that fits. Nobody reviews
/// access of their own: then the next in line does, and at last the fallback. Items without a reviewer stay in the review and
/// are counted. It takes a user who administers the organisation or certifications; the review has the rows that this user
/// may see.
#[utoipa::path(
    post,
    path = "/muster/v1/reviews",
    operation_id = "createReview",
    tag = "Muster",
    request_body(content = NewReviewDetails, description = "The review."),
    responses((status = 201, description = "The review.", body = ReviewDescription), NotFound),
)]
pub(crate) async fn create_review(
    Allowed { caller, .. }: Allowed<ManageReviews>,
    state: AppState,
    NewReview { plan, as_of }: NewReview,
) -> Result<Response, Failure> {
    let seen = state.reviews().create(&caller, plan, as_of.as_ref()).await?;
    Ok(json(StatusCode::CREATED, &description(&seen)))
}

/// List the access reviews
///
/// Of the last 100 reviews, those that the caller manages or has items of, the last created first. One that was closed has no
/// numbers by reviewer, if the caller manages it.
#[utoipa::path(
    get,
    path = "/muster/v1/reviews",
    operation_id = "listReviews",
    tag = "Muster",
    responses((status = 200, description = "The reviews.", body = Vec<ReviewDescription>)),
)]
pub(crate) async fn list_reviews(
    Allowed { caller, .. }: Allowed<ReadReviews>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let seen = state.reviews().list(&caller).await?;
    Ok(json(StatusCode::OK, &seen.iter().map(description).collect::<Vec<_>>()))
}

/// Get an access review
///
/// The review, and how far it is by reviewer. A reviewer gets the numbers of their own items.
#[utoipa::path(
    get,
    path = "/muster/v1/reviews/{id}",
    operation_id = "getReview",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the review.")),
    responses((status = 200, description = "The review.", body = ReviewDescription), NotFound),
)]
pub(crate) async fn get_review(
    Allowed { caller, .. }: Allowed<ReadReviews>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let seen = state.reviews().show(&caller, &ReviewId::new(id)).await?;
    Ok(json(StatusCode::OK, &description(&seen)))
}

/// List the items of an access review
///
/// The items that the caller sees, by number: all for who manages the review, and the own ones for a reviewer.
#[utoipa::path(
    get,
    path = "/muster/v1/reviews/{id}/items",
    operation_id = "listReviewItems",
    tag = "Muster",
    params(
        ("id" = String, Path, description = "Id of the review."),
        ("reviewer" = Option<String>, Query, description = "Only the items of the reviewer with this name."),
        ("undecided" = Option<bool>, Query, description = "Only the items without a decision."),
        ("after" = Option<u32>, Query, description = "Begin after the item with this number."),
        ("limit" = Option<u32>, Query, description = "At most so many items: 1 to 1000, and 250 when absent."),
    ),
    responses((status = 200, description = "The items.", body = Vec<ReviewItemDescription>), NotFound),
)]
pub(crate) async fn list_review_items(
    Allowed { caller, .. }: Allowed<ReadReviews>,
    state: AppState,
    wanted: WantedPage,
) -> Result<Response, Failure> {
    let WantedPage { review, asked } = wanted;
    let items = state.reviews().items(&caller, &review, asked).await?;
    Ok(json(StatusCode::OK, &items.iter().map(item).collect::<Vec<_>>()))
}

/// Decide items of an access review
///
/// Records decisions of the caller: all of them, or none. A reviewer decides their own items. Who manages the review may
/// decide for another, and the decision then has the name of who made it. A decision can be changed until the review is
/// closed; each one stays in the audit trail. Nobody decides about access of their own.
#[utoipa::path(
    post,
    path = "/muster/v1/reviews/{id}/decisions",
    operation_id = "decideReviewItems",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the review.")),
    request_body(content = ReviewDecisions, description = "The decisions."),
    responses((status = 200, description = "What became of them.", body = ReviewOutcome), NotFound),
)]
pub(crate) async fn decide_review_items(
    Allowed { caller, .. }: Allowed<DecideReviews>,
    state: AppState,
    NewDecisions { review, decisions }: NewDecisions,
) -> Result<Response, Failure> {
    let decided = state.reviews().decide(&caller, &review, &decisions).await?;
    Ok(json(StatusCode::OK, &outcome(&decided)))
}

/// Hand items of an access review over
///
/// Gives items to another reviewer: those that are named, or all that are not decided, of one reviewer or of all. What was frozen
/// stays as it was, and so do decisions. Who did it and why is in each item and in the audit trail. Nobody gets access of their
/// own. The new reviewer is told by mail, if reviewers of the review are.
#[utoipa::path(
    post,
    path = "/muster/v1/reviews/{id}/hand-over",
    operation_id = "handOverReviewItems",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the review.")),
    request_body(content = ReviewHandOver, description = "Which items, to whom, and why."),
    responses((status = 200, description = "The review.", body = ReviewDescription), NotFound),
)]
pub(crate) async fn hand_over_review_items(
    Allowed { caller, .. }: Allowed<ManageReviews>,
    state: AppState,
    NewHandOver { review, wanted }: NewHandOver,
) -> Result<Response, Failure> {
    let seen = state.reviews().hand_over(&caller, &review, &wanted).await?;
    Ok(json(StatusCode::OK, &description(&seen)))
}

/// Close an access review
///
/// Its decisions are final from then on, and its snapshot may expire. What nobody decided stays undecided. The report
/// REVIEW_REVOKES shows whether its revokes are done.
#[utoipa::path(
    post,
    path = "/muster/v1/reviews/{id}/close",
    operation_id = "closeReview",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the review.")),
    responses((status = 200, description = "The review.", body = ReviewDescription), NotFound),
)]
pub(crate) async fn close_review(
    Allowed { caller, .. }: Allowed<ManageReviews>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let seen = state.reviews().close(&caller, &ReviewId::new(id)).await?;
    Ok(json(StatusCode::OK, &description(&seen)))
}
