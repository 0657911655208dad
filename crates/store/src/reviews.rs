//! Access reviews, their items and decisions.

mod wanted;

use crate::failure::failed;
use crate::notifications;
use crate::rows;
use crate::session::{Read, Row, Session, Value, locking, values};
use crate::snapshots::CATALOGUE;
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ReviewId, SnapshotId, TenantId};
use muster_reports::notification::Notification;
use muster_reports::ports::ReviewStore;
use muster_reports::review::{
    Choice, Closing, Decision, FrozenAccess, HandOver, REVIEWS_MAX, Review, ReviewItem, Reviewer,
    ReviewerProgress, Told, WantedItems,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use wanted::{Names, as_kept, conditions};

/// Longest plan of a review, in bytes of its JSON.
const PLAN_MAX: usize = 16 * 1_024 * 1_024;
/// Longest item, in bytes of its JSON.
const ITEM_MAX: usize = 256 * 1_024;
/// Longest decision, in bytes of its JSON.
const DECISION_MAX: usize = 64 * 1_024;
/// Longest data scope and closing, in bytes of their JSON.
const SMALL_MAX: usize = 64 * 1_024;
/// Longest name of who created a review, in bytes.
const NAME_MAX: usize = 1_024;
/// Rows of one statement.
const ROWS_AT_ONCE: usize = 500;

/// An item as it is kept.
#[derive(Serialize, Deserialize)]
struct Content {
    frozen: FrozenAccess,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reviewer: Option<Reviewer>,
    assigned: String,
}

/// A review and its items as they are kept.
struct Kept {
    tenant: TenantId,
    review: Review,
    plan: String,
    scope: String,
    told: Option<String>,
    items: Vec<KeptItem>,
    news: Vec<Notification>,
}

/// An item as it is written.
struct KeptItem {
    number: i64,
    content: String,
    digest: String,
    source: String,
    reviewer: Option<Reviewer>,
    /// The names of the reviewer, as they are kept.
    name: Option<String>,
    display: Option<String>,
}

#[async_trait]
impl ReviewStore for Store {
    async fn add_review(
        &self,
        review: &Review,
        items: &[ReviewItem],
        told: &[Notification],
        event: &AuditEvent,
    ) -> Result<()> {
        rows::bounded("the name of who creates a review", &review.created_by, NAME_MAX)?;
        let content = |item: &ReviewItem| {
            let (frozen, reviewer) = (item.frozen.clone(), item.reviewer.clone());
            let content = Content { frozen, reviewer, assigned: item.assigned.clone() };
            Ok(KeptItem {
                number: i64::from(item.number),
                content: rows::to_json("an item of a review", &content, ITEM_MAX)?,
                digest: item.digest.clone(),
                source: item.frozen.source_id.clone(),
                name: item.reviewer.as_ref().map(|reviewer| as_kept(&reviewer.name)),
                display: item.reviewer.as_ref().and_then(|one| one.display_name.as_deref()).map(as_kept),
                reviewer: item.reviewer.clone(),
            })
        };
        let kept = Arc::new(Kept {
            tenant: event.caller.tenant.clone(),
            plan: rows::to_json("the plan of a review", &review.plan, PLAN_MAX)?,
            scope: rows::to_json("the data scope of a review", &review.scope, SMALL_MAX)?,
            told: told_text(review.told.as_ref())?,
            items: items.iter().map(content).collect::<Result<_>>()?,
            news: told.to_vec(),
            review: review.clone(),
        });
        self.write_recorded(
            event,
            |()| true,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { insert(session, &kept).await })
            },
        )
        .await
    }

    async fn review(&self, tenant: &TenantId, id: &ReviewId) -> Result<Option<Review>> {
        let found = self
            .read_first(
                "SELECT * FROM reviews WHERE tenant = $1 AND id = $2",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        found
            .and_then(|row| row.as_ref().map(review).transpose())
            .map_err(|error| failed("read a review", error))
    }

    async fn reviews(&self, tenant: &TenantId) -> Result<Vec<Review>> {
        let found = self
            .read(
                "SELECT * FROM reviews WHERE tenant = $1 ORDER BY created DESC, id DESC",
                values![tenant.as_str()],
            )
            .await;
        found
            .and_then(|rows| rows.iter().map(review).collect())
            .map_err(|error| failed("list the reviews", error))
    }

    async fn review_items(&self, tenant: &TenantId, id: &ReviewId) -> Result<Vec<ReviewItem>> {
        self.review_page(tenant, id, &WantedItems::default()).await
    }

    async fn review_page(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
    ) -> Result<Vec<ReviewItem>> {
        let wrong = |error| failed("read the items of a review", error);
        let read = |rows: &[Row]| rows.iter().map(item).collect::<Read<Vec<_>>>().map_err(wrong);
        let Some(numbers) = &wanted.numbers else {
            return read(&self.rows_of_review(tenant, id, wanted, None).await.map_err(wrong)?);
        };
        let mut numbers: Vec<u32> = numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        let mut items = Vec::with_capacity(numbers.len());
        for part in numbers.chunks(ROWS_AT_ONCE) {
            items.extend(read(&self.rows_of_review(tenant, id, wanted, Some(part)).await.map_err(wrong)?)?);
        }
        Ok(items)
    }

    async fn review_progress(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
    ) -> Result<Vec<ReviewerProgress>> {
        let mut given = vec![Value::Text(tenant.as_str()), Value::Text(id.as_str())];
        let names = Names::of(wanted);
        let conditions = conditions(wanted, &names, None, &mut given);
        // `i` is read from its index alone.
        let sql = format!(
            "SELECT i.reviewer_id, i.reviewer_name, i.reviewer_display, count(*) AS items,
                sum(CASE WHEN i.choice = 'KEEP' THEN 1 ELSE 0 END) AS keep,
                sum(CASE WHEN i.choice = 'REVOKE' THEN 1 ELSE 0 END) AS revoke
             FROM review_items i WHERE i.tenant = $1 AND i.review = $2{conditions}
             GROUP BY i.reviewer_id, i.reviewer_name, i.reviewer_display"
        );
        let found = self.read_built(sql, &given).await;
        let mut found: Vec<ReviewerProgress> = found
            .and_then(|rows| rows.iter().map(progress).collect())
            .map_err(|error| failed("count the items of a review", error))?;
        found.sort_by(|a, b| (a.reviewer.is_none(), &a.reviewer).cmp(&(b.reviewer.is_none(), &b.reviewer)));
        Ok(found)
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
        let kept = Arc::new(KeptHandOver {
            tenant: event.caller.tenant.clone(),
            review: id.clone(),
            items: items.iter().map(|number| i64::from(*number)).collect(),
            to: over.to.clone(),
            over: rows::to_json("a hand-over", over, SMALL_MAX)?,
            told: told_text(told)?,
            news: news.to_vec(),
        });
        self.write_recorded(
            event,
            |there| *there,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { hand_over(session, &kept).await })
            },
        )
        .await
    }

    async fn reviews_to_remind(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<(TenantId, Review)>> {
        let found = self
            .read(
                "SELECT * FROM reviews WHERE remind_at <= $1 AND closing IS NULL ORDER BY remind_at, tenant, id LIMIT $2",
                values![rows::micros(now), i64::from(limit)],
            )
            .await;
        found
            .and_then(|rows| {
                rows.iter().map(|row| Ok((TenantId::new(row.text("tenant")?), review(row)?))).collect()
            })
            .map_err(|error| failed("read the reviews of which reviewers are to be told", error))
    }

    async fn remind(&self, tenant: &TenantId, id: &ReviewId, news: &[Notification]) -> Result<bool> {
        let kept = Arc::new((tenant.clone(), id.clone(), news.to_vec()));
        self.write(move |session| {
            let kept = kept.clone();
            Box::pin(async move { remind(session, &kept.0, &kept.1, &kept.2).await })
        })
        .await
    }

    async fn review_decisions(&self, tenant: &TenantId, id: &ReviewId) -> Result<Vec<Decision>> {
        let found = self
            .read(
                "SELECT sequence, decision FROM review_decisions WHERE tenant = $1 AND review = $2 ORDER BY sequence",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        found
            .and_then(|rows| rows.iter().map(decision).collect())
            .map_err(|error| failed("read the decisions of a review", error))
    }

    async fn decide(&self, id: &ReviewId, decisions: &[Decision], event: &AuditEvent) -> Result<bool> {
        let text = |decision: &Decision| {
            let text = rows::to_json("a decision", decision, DECISION_MAX)?;
            Ok((i64::from(decision.item), text, decision.choice))
        };
        let decisions = decisions.iter().map(text).collect::<Result<Vec<_>>>()?;
        let kept = Arc::new((event.caller.tenant.clone(), id.clone(), decisions));
        self.write_recorded(
            event,
            |there| *there,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { decide(session, &kept.0, &kept.1, &kept.2).await })
            },
        )
        .await
    }

    async fn close_review(&self, id: &ReviewId, closing: &Closing, event: &AuditEvent) -> Result<bool> {
        let text = rows::to_json("how a review was closed", closing, SMALL_MAX)?;
        let last = rows::signed("the number of a decision", closing.last_decision)?;
        let kept = Arc::new((event.caller.tenant.clone(), id.clone(), text));
        self.write_recorded(
            event,
            |closed| *closed,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { close(session, &kept.0, &kept.1, &kept.2, last).await })
            },
        )
        .await
    }
}

fn review(row: &Row) -> Read<Review> {
    let count = |column: &'static str| {
        u32::try_from(row.integer(column)?).map_err(|error| rows::wrong(column, error))
    };
    Ok(Review {
        id: ReviewId::new(row.text("id")?),
        plan: rows::json(row, "plan")?,
        snapshot: SnapshotId::new(row.text("snapshot")?),
        frozen_at: rows::as_time("frozen_at", row.integer("frozen_at")?)?,
        scope: rows::json(row, "scope")?,
        created: rows::as_time("created", row.integer("created")?)?,
        created_by: row.text("created_by")?,
        items: count("items")?,
        unassigned: count("unassigned")?,
        digest: row.text("digest")?,
        told: rows::optional_json(row, "told")?,
        closing: rows::optional_json(row, "closing")?,
    })
}

fn item(row: &Row) -> Read<ReviewItem> {
    let Content { frozen, reviewer, assigned } = rows::json(row, "content")?;
    Ok(ReviewItem {
        number: u32::try_from(row.integer("number")?).map_err(|error| rows::wrong("number", error))?,
        frozen,
        reviewer,
        assigned,
        digest: row.text("digest")?,
        handed_over: rows::optional_json(row, "handed_over")?,
        decision: match row.optional_integer("sequence")? {
            Some(_) => Some(decision(row)?),
            None => None,
        },
    })
}

fn progress(row: &Row) -> Read<ReviewerProgress> {
    let count = |column: &'static str| {
        u32::try_from(row.integer(column)?).map_err(|error| rows::wrong(column, error))
    };
    let reviewer = match row.optional_text("reviewer_id")? {
        None => None,
        Some(id) => Some(Reviewer {
            name: rows::json(row, "reviewer_name")?,
            id,
            display_name: rows::optional_json(row, "reviewer_display")?,
        }),
    };
    Ok(ReviewerProgress { reviewer, items: count("items")?, keep: count("keep")?, revoke: count("revoke")? })
}

fn told_text(told: Option<&Told>) -> Result<Option<String>> {
    told.map(|told| rows::to_json("where reviewers are told", told, PLAN_MAX)).transpose()
}

fn decision(row: &Row) -> Read<Decision> {
    let sequence = row.integer("sequence")?;
    let decision: Decision = rows::json(row, "decision")?;
    Ok(Decision {
        sequence: u64::try_from(sequence).map_err(|error| rows::wrong("sequence", error))?,
        ..decision
    })
}

async fn insert(mut session: Session<'_>, kept: &Kept) -> Result<()> {
    let wrong = |error| failed("keep a review", error);
    let (tenant, review) = (kept.tenant.as_str(), &kept.review);
    session.alone_in("reviews").await.map_err(wrong)?;
    let counted = session
        .first("SELECT count(*) AS total FROM reviews WHERE tenant = $1", values![tenant])
        .await
        .and_then(|row| row.map_or(Ok(0), |row| row.integer("total")))
        .map_err(wrong)?;
    if usize::try_from(counted).unwrap_or(usize::MAX) >= REVIEWS_MAX {
        return Err(Error::invalid(format!("there are {REVIEWS_MAX} reviews already: expected fewer")));
    }
    // From here on, no snapshot expires until the review is there.
    session.alone_in(CATALOGUE).await.map_err(wrong)?;
    let snapshot = session
        .first(
            "SELECT id FROM snapshots WHERE tenant = $1 AND id = $2 AND expired IS NULL",
            values![tenant, review.snapshot.as_str()],
        )
        .await
        .map_err(wrong)?;
    if snapshot.is_none() {
        return Err(Error::not_found(format!(
            "snapshot {} has expired meanwhile: expected one whose data is kept",
            review.snapshot
        )));
    }
    session
        .change(
            "INSERT INTO reviews (tenant, id, snapshot, plan, frozen_at, scope, created, created_by, items, unassigned, digest,
                told, remind_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            values![
                tenant,
                review.id.as_str(),
                review.snapshot.as_str(),
                &kept.plan,
                rows::micros(review.frozen_at),
                &kept.scope,
                rows::micros(review.created),
                &review.created_by,
                i64::from(review.items),
                i64::from(review.unassigned),
                &review.digest,
                kept.told.as_deref(),
                review.remind_at().map(rows::micros),
            ],
        )
        .await
        .map_err(wrong)?;
    for part in kept.items.chunks(ROWS_AT_ONCE) {
        let row = |row: usize| {
            let places: Vec<_> = (0..7).map(|column| format!("${}", 7 * row + column + 3)).collect();
            format!("($1, $2, {})", places.join(", "))
        };
        let lists: Vec<_> = (0..part.len()).map(row).collect();
        let sql = format!(
            "INSERT INTO review_items (tenant, review, number, content, digest, source_id, reviewer_id, reviewer_name,
                reviewer_display) VALUES {}",
            lists.join(", ")
        );
        let mut given: Vec<Value<'_>> = vec![Value::Text(tenant), Value::Text(review.id.as_str())];
        for item in part {
            let reviewer = item.reviewer.as_ref();
            given.extend([
                Value::Integer(item.number),
                Value::Text(&item.content),
                Value::Text(&item.digest),
                Value::Text(&item.source),
                Value::from(reviewer.map(|reviewer| reviewer.id.as_str())),
                Value::from(item.name.as_deref()),
                Value::from(item.display.as_deref()),
            ]);
        }
        session.change_built(sql, &given).await.map_err(wrong)?;
    }
    notifications::insert(&mut session, &kept.news).await
}

/// The number of the last decision of an open review, whose row is locked; `None` if it is not there or closed.
async fn last_decision(session: &mut Session<'_>, tenant: &str, id: &str) -> Read<Option<i64>> {
    let open = session
        .first(
            locking!("SELECT id FROM reviews WHERE tenant = $1 AND id = $2 AND closing IS NULL"),
            values![tenant, id],
        )
        .await?;
    if open.is_none() {
        return Ok(None);
    }
    let last = session
        .first(
            "SELECT coalesce(max(sequence), 0) AS last FROM review_decisions WHERE tenant = $1 AND review = $2",
            values![tenant, id],
        )
        .await?;
    last.map_or(Ok(0), |row| row.integer("last")).map(Some)
}

/// A hand-over as it is written.
struct KeptHandOver {
    tenant: TenantId,
    review: ReviewId,
    items: Vec<i64>,
    to: Reviewer,
    over: String,
    told: Option<String>,
    news: Vec<Notification>,
}

async fn hand_over(mut session: Session<'_>, kept: &KeptHandOver) -> Result<bool> {
    let wrong = |error| failed("hand items of a review over", error);
    let (tenant, id) = (kept.tenant.as_str(), kept.review.as_str());
    if last_decision(&mut session, tenant, id).await.map_err(wrong)?.is_none() {
        return Ok(false);
    }
    let (name, display) = (as_kept(&kept.to.name), kept.to.display_name.as_deref().map(as_kept));
    for part in kept.items.chunks(ROWS_AT_ONCE) {
        let places: Vec<_> = (0..part.len()).map(|at| format!("${}", at + 7)).collect();
        let sql = format!(
            "UPDATE review_items SET reviewer_id = $3, reviewer_name = $4, reviewer_display = $5, handed_over = $6
             WHERE tenant = $1 AND review = $2 AND number IN ({})",
            places.join(", ")
        );
        let mut given: Vec<Value<'_>> = vec![
            Value::Text(tenant),
            Value::Text(id),
            Value::Text(&kept.to.id),
            Value::Text(&name),
            Value::from(display.as_deref()),
            Value::Text(&kept.over),
        ];
        given.extend(part.iter().map(|number| Value::Integer(*number)));
        session.change_built(sql, &given).await.map_err(wrong)?;
    }
    if let Some(told) = kept.told.as_deref() {
        let sql = "UPDATE reviews SET told = $1 WHERE tenant = $2 AND id = $3";
        session.change(sql, values![told, tenant, id]).await.map_err(wrong)?;
    }
    notifications::insert(&mut session, &kept.news).await?;
    Ok(true)
}

async fn remind(
    mut session: Session<'_>,
    tenant: &TenantId,
    id: &ReviewId,
    news: &[Notification],
) -> Result<bool> {
    let sql = "UPDATE reviews SET remind_at = NULL
        WHERE tenant = $1 AND id = $2 AND closing IS NULL AND remind_at IS NOT NULL";
    let changed = session.change(sql, values![tenant.as_str(), id.as_str()]).await;
    if changed.map_err(|error| failed("tell reviewers", error))? == 0 {
        return Ok(false);
    }
    notifications::insert(&mut session, news).await?;
    Ok(true)
}

async fn decide(
    mut session: Session<'_>,
    tenant: &TenantId,
    id: &ReviewId,
    decisions: &[(i64, String, Choice)],
) -> Result<bool> {
    let wrong = |error| failed("record decisions", error);
    let (tenant, id) = (tenant.as_str(), id.as_str());
    let Some(last) = last_decision(&mut session, tenant, id).await.map_err(wrong)? else { return Ok(false) };
    let mut sequence = last;
    for part in decisions.chunks(ROWS_AT_ONCE) {
        let lists: Vec<_> = (0..part.len())
            .map(|row| format!("($1, $2, ${}, ${}, ${})", 3 * row + 3, 3 * row + 4, 3 * row + 5))
            .collect();
        let sql = format!(
            "INSERT INTO review_decisions (tenant, review, sequence, item, decision) VALUES {}",
            lists.join(", ")
        );
        let mut given: Vec<Value<'_>> = vec![Value::Text(tenant), Value::Text(id)];
        for (item, decision, _) in part {
            sequence += 1;
            given.extend([Value::Integer(sequence), Value::Integer(*item), Value::Text(decision)]);
        }
        session.change_built(sql, &given).await.map_err(wrong)?;
    }
    // The newest decision of each item stands beside the item. Of one item, the last one counts.
    let newest: BTreeMap<i64, (i64, Choice)> = (last + 1..)
        .zip(decisions)
        .map(|(sequence, (item, _, choice))| (*item, (sequence, *choice)))
        .collect();
    let newest: Vec<_> = newest.into_iter().collect();
    for part in newest.chunks(ROWS_AT_ONCE) {
        // Items of one choice, with their sequences as a list of cases.
        let mut given: Vec<Value<'_>> = vec![Value::Text(tenant), Value::Text(id)];
        let (mut sequences, mut choices, mut numbers) = (String::new(), String::new(), Vec::new());
        for (item, (sequence, choice)) in part {
            given.push(Value::Integer(*item));
            let place = given.len();
            numbers.push(format!("${place}"));
            sequences.push_str(&format!(" WHEN ${place} THEN {sequence}"));
            choices.push_str(&format!(" WHEN ${place} THEN '{}'", choice.as_str()));
        }
        let sql = format!(
            "UPDATE review_items SET decided = CASE number{sequences} END, choice = CASE number{choices} END
             WHERE tenant = $1 AND review = $2 AND number IN ({})",
            numbers.join(", ")
        );
        session.change_built(sql, &given).await.map_err(wrong)?;
    }
    Ok(true)
}

async fn close(
    mut session: Session<'_>,
    tenant: &TenantId,
    id: &ReviewId,
    closing: &str,
    seen: i64,
) -> Result<bool> {
    let wrong = |error| failed("close a review", error);
    let (tenant, id) = (tenant.as_str(), id.as_str());
    if last_decision(&mut session, tenant, id).await.map_err(wrong)? != Some(seen) {
        return Ok(false);
    }
    session
        .change(
            "UPDATE reviews SET closing = $1 WHERE tenant = $2 AND id = $3 AND closing IS NULL",
            values![closing, tenant, id],
        )
        .await
        .map(|changed| changed > 0)
        .map_err(wrong)
}
