//! Access reviews, their items and decisions.

use crate::failure::failed;
use crate::rows;
use crate::session::{Read, Row, Session, Value, locking, values};
use crate::snapshots::CATALOGUE;
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ReviewId, SnapshotId, TenantId};
use muster_reports::ports::ReviewStore;
use muster_reports::review::{Closing, Decision, FrozenAccess, REVIEWS_MAX, Review, ReviewItem, Reviewer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Number, content and digest of each item.
    items: Vec<(i64, String, String)>,
}

#[async_trait]
impl ReviewStore for Store {
    async fn add_review(&self, review: &Review, items: &[ReviewItem], event: &AuditEvent) -> Result<()> {
        rows::bounded("the name of who creates a review", &review.created_by, NAME_MAX)?;
        let content = |item: &ReviewItem| {
            let (frozen, reviewer) = (item.frozen.clone(), item.reviewer.clone());
            let content = Content { frozen, reviewer, assigned: item.assigned.clone() };
            let content = rows::to_json("an item of a review", &content, ITEM_MAX)?;
            Ok((i64::from(item.number), content, item.digest.clone()))
        };
        let kept = Arc::new(Kept {
            tenant: event.caller.tenant.clone(),
            plan: rows::to_json("the plan of a review", &review.plan, PLAN_MAX)?,
            scope: rows::to_json("the data scope of a review", &review.scope, SMALL_MAX)?,
            items: items.iter().map(content).collect::<Result<_>>()?,
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
        // Decisions first: one that is recorded between the two reads is then newer than what is read.
        let mut newest: BTreeMap<u32, Decision> = BTreeMap::new();
        for decision in self.review_decisions(tenant, id).await? {
            newest.insert(decision.item, decision);
        }
        let found = self
            .read(
                "SELECT number, content, digest FROM review_items WHERE tenant = $1 AND review = $2 ORDER BY number",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        let item = |row: &Row| {
            let item = item(row)?;
            Ok(ReviewItem { decision: newest.remove(&item.number), ..item })
        };
        found
            .and_then(|rows| rows.iter().map(item).collect())
            .map_err(|error| failed("read the items of a review", error))
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
            Ok((i64::from(decision.item), text))
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
        decision: None,
    })
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
            "INSERT INTO reviews (tenant, id, snapshot, plan, frozen_at, scope, created, created_by, items, unassigned, digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
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
            ],
        )
        .await
        .map_err(wrong)?;
    for part in kept.items.chunks(ROWS_AT_ONCE) {
        let lists: Vec<_> = (0..part.len())
            .map(|row| format!("($1, $2, ${}, ${}, ${})", 3 * row + 3, 3 * row + 4, 3 * row + 5))
            .collect();
        let sql = format!(
            "INSERT INTO review_items (tenant, review, number, content, digest) VALUES {}",
            lists.join(", ")
        );
        let mut given: Vec<Value<'_>> = vec![Value::Text(tenant), Value::Text(review.id.as_str())];
        for (number, content, digest) in part {
            given.extend([Value::Integer(*number), Value::Text(content), Value::Text(digest)]);
        }
        session.change_built(sql, &given).await.map_err(wrong)?;
    }
    Ok(())
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

async fn decide(
    mut session: Session<'_>,
    tenant: &TenantId,
    id: &ReviewId,
    decisions: &[(i64, String)],
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
        for (item, decision) in part {
            sequence += 1;
            given.extend([Value::Integer(sequence), Value::Integer(*item), Value::Text(decision)]);
        }
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
