//! A person lets a broken chain continue. The chain shows this for ever.
//!
//! Why the chain is not repaired: nobody knows what the events were, and whoever could repair them could forge them. So
//! the recorded events do not change. A new event is recorded after all of them. The hash before it is a digest of all
//! of them, and its details say who let the chain continue, why, and what was wrong. From there on the chain is as good
//! as any. The events before it stay broken for every check, and cannot be changed again without being noticed.

use super::{Entry, put};
use crate::failure::failed;
use crate::rows;
use crate::session::{Read, Session, values};
use crate::store::Store;
use muster_reports::audit::{AuditEvent, AuditHead, Findings, KnownThings, ResealDetails, Resealed, Walk};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::TenantId;
use std::sync::Arc;

const WHAT: &str = "reseal the audit trail";
/// Faults that the event describes; further ones are only counted.
const FAULTS_TOLD_MAX: usize = 100;
/// Longest reason, in bytes.
const REASON_MAX: usize = 4_096;

impl Store {
    /// Lets a tenant's broken trail continue: records `event` after all events, whatever is wrong with them. The
    /// details of `event` are the reason; what was wrong is added to them. Returns the number of the event.
    ///
    /// # Errors `Invalid` if nothing is wrong or there is no reason; `Unavailable` if something was recorded meanwhile;
    /// when the store fails.
    pub async fn reseal_audit(&self, event: &AuditEvent) -> Result<u64> {
        rows::bounded("the reason", &event.details, REASON_MAX)?;
        if event.details.trim().is_empty() {
            return Err(Error::invalid("the reason is blank: expected why the trail goes on"));
        }
        let tenant = &event.caller.tenant;
        let wrong = |error| failed(WHAT, error);
        let (walk, kept, seal) =
            Box::pin(self.walk(tenant, Walk::new(Vec::new()), (0, 0))).await.map_err(wrong)?;
        let seen = Seen { events: walk.events(), last: walk.head().sequence, kept: kept.clone() };
        let end = walk.to_reseal(kept.as_ref()).expect("the walk began at the first event");
        let verification = Box::pin(self.verified(tenant, (walk, kept, seal))).await.map_err(wrong)?;
        if verification.is_sound() {
            return Err(Error::invalid("nothing is wrong with the audit trail: expected one that is broken"));
        }
        let known = self.known_things(tenant).await.map_err(wrong)?;
        let details = details(&event.details, &verification.findings, known)?;
        let entry = self.entry(&AuditEvent { details, ..event.clone() })?;
        let kept = Arc::new((entry, seen, end));
        let number = kept.2.sequence + 1;
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (entry, seen, end) = &*kept;
                record(&mut session, entry, seen, end).await
            })
        })
        .await?;
        reached(Failpoint::EventKept);
        Ok(number)
    }

    /// What is there now.
    async fn known_things(&self, tenant: &TenantId) -> Read<KnownThings> {
        let row = self
            .read_first(
                "SELECT coalesce((SELECT max(seq) FROM tasks WHERE tenant = $1), 0) AS tasks,
                     coalesce((SELECT max(seq) FROM snapshots WHERE tenant = $1), 0) AS snapshots,
                     coalesce((SELECT max(created) FROM credentials WHERE tenant = $1), -1) AS credentials",
                values![tenant.as_str()],
            )
            .await?
            .ok_or(sqlx::Error::RowNotFound)?;
        Ok(KnownThings {
            tasks: row.integer("tasks")?,
            snapshots: row.integer("snapshots")?,
            credentials: row.integer("credentials")?,
        })
    }
}

/// A chain as a walk saw it.
struct Seen {
    events: u64,
    last: u64,
    kept: Option<AuditHead>,
}

/// Records the event, if the chain is still what the walk saw.
async fn record(session: &mut Session<'_>, entry: &Entry, seen: &Seen, end: &AuditHead) -> Result<()> {
    let wrong = |error| failed(WHAT, error);
    let tenant = &entry.event.caller.tenant;
    session.alone_in(&format!("audit {tenant}")).await.map_err(wrong)?;
    let found = session
        .first(
            "SELECT count(*) AS events, coalesce(max(sequence), 0) AS last FROM audit_events
             WHERE tenant = $1 AND sequence IS NOT NULL",
            values![tenant.as_str()],
        )
        .await;
    let count = |row: &crate::session::Row| {
        Ok((row.integer("events")?.cast_unsigned(), row.integer("last")?.cast_unsigned()))
    };
    let found = found.and_then(|row| row.as_ref().map(count).transpose()).map_err(wrong)?;
    let kept = session.first("SELECT * FROM audit_heads WHERE tenant = $1", values![tenant.as_str()]).await;
    let kept = kept.and_then(|row| row.as_ref().map(rows::audit_head).transpose()).map_err(wrong)?;
    if found != Some((seen.events, seen.last)) || kept != seen.kept {
        return Err(Error::unavailable(
            "something was recorded in the audit trail meanwhile: expected none, so stop the service and try again",
        ));
    }
    put(session, entry, end).await
}

fn details(reason: &str, findings: &Findings, known: KnownThings) -> Result<String> {
    let faults: Vec<_> = findings.told.iter().take(FAULTS_TOLD_MAX).map(ToString::to_string).collect();
    let more_faults = findings.count() - faults.len() as u64;
    let details = ResealDetails { reason: reason.to_owned(), faults, more_faults, known };
    rows::to_json("the details of a reseal", &details, super::DETAILS_MAX)
}

/// What existed when the chain was resealed.
pub(super) fn known(resealed: &Resealed) -> Read<KnownThings> {
    // The event is unchanged; otherwise it would not count as a reseal.
    let details: ResealDetails =
        serde_json::from_str(&resealed.record.details).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(details.known)
}
