//! The life of the files of results: holds and expiries.
//!
//! Holds and expiries cannot happen at the same time, so that a result whose hold was acknowledged has its files.

use crate::failure::failed;
use crate::rows;
use crate::session::{Read, Row, Session, Sql, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::ports::ResultRetention;
use muster_reports::result_life::{ExpiredResult, ResultFacts, ResultPolicy, expiry_event};
use muster_reports::retention::Pin;
use std::collections::HashMap;
use std::sync::Arc;

/// The lock of everything that changes the life of results.
const LIVES: &str = "results";
/// Longest hold, in bytes of its JSON.
const HOLD_MAX: usize = 8_192;
/// Longest list of ids, in bytes of its JSON.
const IDS_MAX: usize = 1_024 * 1_024;

/// Facts of tasks with results. $1 tenant, $2 how far newer ones are counted, $3 ids as a JSON list.
macro_rules! facts {
    ($ids:literal) => {
        concat!(
            "SELECT t.id, t.completed, l.hold, l.expired,
                 (SELECT count(*) FROM (SELECT 1 FROM tasks n WHERE n.tenant = t.tenant
                     AND n.definition = t.definition AND n.seq > t.seq AND n.result_rows IS NOT NULL LIMIT $2
                 ) AS later) AS newer
             FROM tasks t LEFT JOIN result_lives l ON l.tenant = t.tenant AND l.task = t.id
             WHERE t.tenant = $1 AND t.result_rows IS NOT NULL AND t.id IN (",
            $ids,
            ")"
        )
    };
}

const FACTS: Sql = Sql {
    sqlite: facts!("SELECT value FROM json_each($3)"),
    postgres: facts!("SELECT json_array_elements_text($3::text::json)"),
};

/// Tasks whose files may be due, the first ended first. $1 tenant, $2 the end of their runs at the latest, $3 newer ones,
/// $4 how many.
const CANDIDATES: &str = "SELECT t.id FROM tasks t
    WHERE t.tenant = $1 AND t.result_rows IS NOT NULL AND t.completed <= $2
    AND NOT EXISTS (SELECT 1 FROM result_lives l WHERE l.tenant = t.tenant AND l.task = t.id
        AND (l.hold IS NOT NULL OR l.expired IS NOT NULL))
    AND (SELECT count(*) FROM (SELECT 1 FROM tasks n WHERE n.tenant = t.tenant
        AND n.definition = t.definition AND n.seq > t.seq AND n.result_rows IS NOT NULL LIMIT $3) AS later) >= $3
    ORDER BY t.completed, t.seq LIMIT $4";

#[async_trait]
impl ResultRetention for Store {
    async fn lives(
        &self,
        tenant: &TenantId,
        tasks: &[TaskId],
        keep_last: u32,
    ) -> Result<HashMap<TaskId, ResultFacts>> {
        let ids = id_list(tasks)?;
        let found = self.read(FACTS, values![tenant.as_str(), i64::from(keep_last), &ids]).await;
        found
            .and_then(|rows| rows.iter().map(facts).collect())
            .map_err(|error| failed("read the life of results", error))
    }

    async fn hold(&self, event: &AuditEvent, hold: Option<&Pin>) -> Result<()> {
        let hold = hold.map(|hold| rows::to_json("the hold of a result", hold, HOLD_MAX)).transpose()?;
        let kept = Arc::new((event.clone(), hold, self.recorder()));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (event, hold, recorder) = &*kept;
                set_hold(&mut session, event, hold.as_deref()).await?;
                recorder.append(&mut session, std::slice::from_ref(event)).await
            })
        })
        .await
    }

    async fn expire_results(
        &self,
        tenant: &TenantId,
        policy: ResultPolicy,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<TaskId>> {
        const WHAT: &str = "let results expire";
        let Some(cut_off) = policy.cut_off(now) else { return Ok(Vec::new()) };
        // Looked for outside of the transaction: over SQLite, it would keep all other writes waiting.
        let candidates = self
            .read(
                CANDIDATES,
                values![
                    tenant.as_str(),
                    rows::micros(cut_off),
                    i64::from(policy.keep_last),
                    i64::from(limit)
                ],
            )
            .await
            .and_then(|rows| rows.iter().map(|row| row.text("id").map(TaskId::new)).collect::<Read<Vec<_>>>())
            .map_err(|error| failed(WHAT, error))?;
        if candidates.is_empty() {
            return Ok(candidates);
        }
        let kept = Arc::new((tenant.clone(), candidates, self.recorder()));
        self.write_then(
            now,
            move |mut session, moment| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, candidates, recorder) = &*kept;
                    let events = expire(&mut session, tenant, candidates, policy, moment.now).await?;
                    recorder.append(&mut session, &events).await?;
                    Ok(events.into_iter().map(|event| event.task).collect())
                })
            },
            |_| (),
        )
        .await
    }

    async fn to_remove(&self, by: DateTime<Utc>, limit: u32) -> Result<Vec<ExpiredResult>> {
        let found = self
            .read(
                "SELECT l.tenant, l.task, t.files FROM result_lives l
                 JOIN tasks t ON t.id = l.task AND t.tenant = l.tenant
                 WHERE l.expired IS NOT NULL AND l.removed IS NULL AND l.expired <= $1
                 ORDER BY l.expired, l.task LIMIT $2",
                values![rows::micros(by), i64::from(limit)],
            )
            .await;
        let expired = |row: &Row| {
            Ok(ExpiredResult {
                tenant: TenantId::new(row.text("tenant")?),
                task: TaskId::new(row.text("task")?),
                files: rows::json(row, "files")?,
            })
        };
        found
            .and_then(|rows| rows.iter().map(expired).collect())
            .map_err(|error| failed("read which results have expired", error))
    }

    async fn removed(&self, tenant: &TenantId, task: &TaskId, now: DateTime<Utc>) -> Result<()> {
        let kept = Arc::new((tenant.clone(), task.clone()));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                session
                    .change(
                        "UPDATE result_lives SET removed = $1
                         WHERE tenant = $2 AND task = $3 AND expired IS NOT NULL AND removed IS NULL",
                        values![rows::micros(now), kept.0.as_str(), kept.1.as_str()],
                    )
                    .await
                    .map(drop)
                    .map_err(|error| failed("record that the files of a result are removed", error))
            })
        })
        .await
    }
}

fn id_list(tasks: &[TaskId]) -> Result<String> {
    // No id has it, and PostgreSQL refuses it.
    let ids: Vec<_> = tasks.iter().map(TaskId::as_str).filter(|id| !id.contains('\0')).collect();
    rows::to_json("a list of tasks", &ids, IDS_MAX)
}

fn facts(row: &Row) -> Read<(TaskId, ResultFacts)> {
    let hold = match row.optional_text("hold")? {
        None => None,
        Some(_) => Some(rows::json(row, "hold")?),
    };
    let expired = row.optional_integer("expired")?;
    let facts = ResultFacts {
        completed: rows::as_time("completed", row.integer("completed")?)?,
        // Counted up to a u32.
        newer: u32::try_from(row.integer("newer")?).unwrap_or(u32::MAX),
        hold,
        expired: expired.map(|micros| rows::as_time("expired", micros)).transpose()?,
    };
    Ok((TaskId::new(row.text("id")?), facts))
}

async fn set_hold(session: &mut Session<'_>, event: &AuditEvent, hold: Option<&str>) -> Result<()> {
    let wrong = |error| failed("hold a result", error);
    let (tenant, task) = (&event.caller.tenant, &event.task);
    session.alone_in(LIVES).await.map_err(wrong)?;
    let ids = id_list(std::slice::from_ref(task))?;
    let found = session.first(FACTS, values![tenant.as_str(), 0_i64, &ids]).await;
    let found = found.and_then(|row| row.as_ref().map(facts).transpose()).map_err(wrong)?;
    let Some((_, facts)) = found else {
        return Err(Error::not_found(format!("there is no result {:?} with files", task.as_str())));
    };
    if let (Some(at), Some(_)) = (facts.expired, hold) {
        return Err(Error::not_found(format!(
            "result {task} expired at {}: its files are not kept any more",
            at.to_rfc3339()
        )));
    }
    session
        .change(
            "INSERT INTO result_lives (tenant, task, hold) VALUES ($1, $2, $3)
             ON CONFLICT (tenant, task) DO UPDATE SET hold = excluded.hold",
            values![tenant.as_str(), task.as_str(), hold],
        )
        .await
        .map(drop)
        .map_err(wrong)
}

/// Lets those of the candidates expire that are still due. Returns the event of each.
async fn expire(
    session: &mut Session<'_>,
    tenant: &TenantId,
    candidates: &[TaskId],
    policy: ResultPolicy,
    now: DateTime<Utc>,
) -> Result<Vec<AuditEvent>> {
    let wrong = |error| failed("let results expire", error);
    session.alone_in(LIVES).await.map_err(wrong)?;
    let ids = id_list(candidates)?;
    let found = session.all(FACTS, values![tenant.as_str(), i64::from(policy.keep_last), &ids]).await;
    let found = found.and_then(|rows| rows.iter().map(facts).collect::<Read<HashMap<_, _>>>());
    let mut found = found.map_err(wrong)?;
    let mut events = Vec::new();
    for id in candidates {
        if found.remove(id).is_none_or(|facts| !policy.life(facts).is_due(now)) {
            continue;
        }
        session
            .change(
                "INSERT INTO result_lives (tenant, task, expired) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant, task) DO UPDATE SET expired = excluded.expired",
                values![tenant.as_str(), id.as_str(), rows::micros(now)],
            )
            .await
            .map_err(wrong)?;
        let task = session.first("SELECT * FROM tasks WHERE id = $1", values![id.as_str()]).await;
        let task = task.and_then(|row| rows::task(&row.ok_or(sqlx::Error::RowNotFound)?)).map_err(wrong)?;
        events.push(expiry_event(&task, now));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::settings::Settings;
    use crate::store::{Backend, Place};
    use sqlx::{AssertSqlSafe, Row};

    /// There are many results, and these run again and again.
    #[tokio::test]
    async fn no_statement_scans_the_tasks() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(&place, Settings::default()).await.unwrap();
        let Backend::Sqlite(sqlite) = &store.backend else { panic!("it is a file") };
        for statement in [FACTS.sqlite, CANDIDATES] {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::query(explain).fetch_all(&sqlite.readers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(
                !plan.iter().any(|line| line.starts_with("SCAN t") || line.starts_with("SCAN n")),
                "{plan:?}"
            );
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{statement}: {plan:?}");
        }
    }
}
