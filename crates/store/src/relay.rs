//! What the relay of the audit trail remembers: its lease, how far each tenant's events have been passed on, and
//! which of them never can be.

use crate::failure::failed;
use crate::rows;
use crate::session::{Session, locking, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::Result;
use muster_reports::ids::{TenantId, WorkerId};
use muster_reports::ports::{Backlog, ParkedEvent, RelayLog};
use std::sync::Arc;
use std::time::Duration;

/// Longest reason why an event was parked, in bytes.
const REASON_MAX: usize = 4_096;

#[async_trait]
impl RelayLog for Store {
    async fn lead(&self, holder: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<bool> {
        let holder = holder.clone();
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        self.write_then(
            now,
            move |mut session, moment| {
                let holder = holder.clone();
                Box::pin(async move {
                    let ends = moment.now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC);
                    session
                        .change(
                            "INSERT INTO audit_relay_lease (id, holder, ends) VALUES (1, $1, $2)
                             ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, ends = excluded.ends
                             WHERE audit_relay_lease.holder = excluded.holder OR audit_relay_lease.ends <= $3",
                            values![holder.as_str(), rows::micros(ends), rows::micros(moment.now)],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("lead the relay of the audit trail", error))
                })
            },
            |_| (),
        )
        .await
    }

    async fn step_down(&self, holder: &WorkerId) -> Result<()> {
        let holder = holder.clone();
        self.write(move |mut session| {
            let holder = holder.clone();
            Box::pin(async move {
                session
                    .change("DELETE FROM audit_relay_lease WHERE holder = $1", values![holder.as_str()])
                    .await
                    .map(drop)
                    .map_err(|error| failed("give back the relay of the audit trail", error))
            })
        })
        .await
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>> {
        let found = self
            .read(
                "SELECT h.tenant, h.sequence AS recorded, coalesce(r.sequence, 0) AS relayed
                 FROM audit_heads h LEFT JOIN audit_relayed r ON r.tenant = h.tenant
                 WHERE h.sequence > coalesce(r.sequence, 0) ORDER BY h.tenant LIMIT 1000",
                &[],
            )
            .await;
        found
            .and_then(|found| {
                let backlog = |row: &crate::session::Row| {
                    Ok(Backlog {
                        tenant: TenantId::new(row.text("tenant")?),
                        relayed: row.integer("relayed")?.cast_unsigned(),
                        recorded: row.integer("recorded")?.cast_unsigned(),
                    })
                };
                found.iter().map(backlog).collect()
            })
            .map_err(|error| failed("read what is to be relayed", error))
    }

    async fn mark(
        &self,
        holder: &WorkerId,
        tenant: &TenantId,
        through: u64,
        parked: Vec<ParkedEvent>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        for event in &parked {
            rows::bounded("the reason of a parked event", &event.reason, REASON_MAX)?;
        }
        let mark = Arc::new(Mark {
            holder: holder.clone(),
            tenant: tenant.clone(),
            through: rows::signed("the number of an audit event", through)?,
            parked,
            at: rows::micros(now),
        });
        self.write(move |mut session| {
            let mark = mark.clone();
            Box::pin(async move { mark.keep(&mut session).await })
        })
        .await
    }

    async fn parked(&self, tenant: &TenantId) -> Result<Vec<ParkedEvent>> {
        let found = self
            .read(
                "SELECT * FROM audit_parked WHERE tenant = $1 ORDER BY sequence LIMIT 1000",
                values![tenant.as_str()],
            )
            .await;
        found
            .and_then(|found| {
                let parked = |row: &crate::session::Row| {
                    Ok(ParkedEvent {
                        sequence: row.integer("sequence")?.cast_unsigned(),
                        id: row.text("id")?,
                        reason: row.text("reason")?,
                    })
                };
                found.iter().map(parked).collect()
            })
            .map_err(|error| failed("read parked events", error))
    }
}

impl Store {
    /// When the oldest event of the tenant that no relay has passed on was recorded; `None` if all are passed on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn oldest_to_relay(&self, tenant: &TenantId) -> Result<Option<DateTime<Utc>>> {
        let found = self
            .read_first(
                "SELECT at FROM audit_events
                 WHERE tenant = $1
                       AND sequence > (SELECT coalesce(max(sequence), 0) FROM audit_relayed WHERE tenant = $1)
                 ORDER BY sequence LIMIT 1",
                values![tenant.as_str()],
            )
            .await;
        let at = found.and_then(|row| row.map(|row| rows::as_time("at", row.integer("at")?)).transpose());
        at.map_err(|error| failed("say how old the oldest event to be relayed is", error))
    }
}

struct Mark {
    holder: WorkerId,
    tenant: TenantId,
    through: i64,
    parked: Vec<ParkedEvent>,
    at: i64,
}

impl Mark {
    async fn keep(&self, session: &mut Session<'_>) -> Result<bool> {
        let wrong = |error| failed("mark events as relayed", error);
        let leads = session
            .first(
                locking!("SELECT holder FROM audit_relay_lease WHERE id = 1 AND holder = $1"),
                values![self.holder.as_str()],
            )
            .await
            .map_err(wrong)?;
        if leads.is_none() {
            return Ok(false);
        }
        for event in &self.parked {
            session
                .change(
                    "INSERT INTO audit_parked (tenant, sequence, id, at, reason) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (tenant, sequence) DO NOTHING",
                    values![
                        self.tenant.as_str(),
                        rows::signed("the number of an audit event", event.sequence)?,
                        &event.id,
                        self.at,
                        &event.reason,
                    ],
                )
                .await
                .map_err(wrong)?;
        }
        session
            .change(
                "INSERT INTO audit_relayed (tenant, sequence) VALUES ($1, $2)
                 ON CONFLICT (tenant) DO UPDATE SET sequence = excluded.sequence
                 WHERE audit_relayed.sequence < excluded.sequence",
                values![self.tenant.as_str(), self.through],
            )
            .await
            .map_err(wrong)?;
        Ok(true)
    }
}
