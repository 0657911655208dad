//! The audit trail: an append-only table whose rows form a chain for each tenant.
//!
//! Invariants:
//! - a tenant's events are recorded one at a time: the number, the hash before and the head change in one
//!   transaction, so events become visible in the order of their numbers and no number is missing;
//! - rows never change and are never deleted; triggers enforce this for every writer;
//! - a chain is extended only if its last event is the one of its head and the head's seal is valid. Otherwise anybody
//!   who may write to the database could change events, and the next seal would cover the change. A person can let a
//!   broken chain continue, by an event that says so ([`reseal`]).

mod reseal;

use crate::failure::failed;
use crate::rows;
use crate::seal::SealKey;
use crate::session::{Read, Row, Session, Work, values};
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::audit::{
    AuditEvent, AuditHead, AuditRecord, ChainedEvent, Finding, KnownThings, Seal, Verification, Walk,
};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::ports::AuditTrail;
use std::fmt;
use std::sync::Arc;

/// Longest id of an event, in bytes.
const ID_MAX: usize = 256;
/// Longest caller of an event, in bytes of its JSON.
const CALLER_MAX: usize = 65_536;
/// Longest details of an event, in bytes.
const DETAILS_MAX: usize = 65_536;
/// Rows that a check of the trail reads at once.
const PAGE: i64 = 1_000;
/// What fails if an event cannot be recorded.
const RECORD: &str = "record an audit event";

#[async_trait]
impl AuditTrail for Store {
    async fn record(&self, event: &AuditEvent) -> Result<()> {
        let entry = Arc::new(self.entry(event)?);
        self.write(move |mut session| {
            let entry = entry.clone();
            Box::pin(async move { append(&mut session, &entry).await })
        })
        .await?;
        reached(Failpoint::EventKept);
        Ok(())
    }

    async fn holds_from(&self, tenant: &TenantId, sequence: u64) -> Result<()> {
        let wrong = |error| failed("check the audit trail", error);
        let number = rows::signed("the number of an audit event", sequence)?;
        let first = self
            .read_first(
                "SELECT coalesce(previous, '') AS previous FROM audit_events WHERE tenant = $1 AND sequence = $2",
                values![tenant.as_str(), number],
            )
            .await;
        let previous =
            first.and_then(|row| row.map(|row| row.text("previous")).transpose()).map_err(wrong)?;
        let before = AuditHead {
            sequence: sequence.saturating_sub(1),
            hash: previous.ok_or_else(|| broken(format!("event {sequence} is missing")))?,
        };
        let walked = self.walk(tenant, Walk::after(before), (number.saturating_sub(1), i64::MAX)).await;
        let (walk, head, seal) = walked.map_err(wrong)?;
        let found = walk.finish(head, seal, 0).findings.told;
        // The trail itself continues, and these events are changed for ever.
        if let Some(reseal) = found.iter().find(|finding| matches!(finding, Finding::Resealed { .. })) {
            return Err(Error::not_found(format!("{reseal}, so no evidence can be made of it")));
        }
        found.first().map_or(Ok(()), |finding| Err(broken(finding)))
    }

    async fn can_go_on(&self, tenant: &TenantId) -> Result<()> {
        let end = self.read(End::SQL, values![tenant.as_str()]).await.and_then(|found| End::of(&found));
        let end = end.map_err(|error| failed("check the audit trail", error))?;
        end.sound(tenant, self.settings.seal_key.as_ref()).map(drop)
    }

    async fn last_sequence(&self, tenant: &TenantId) -> Result<u64> {
        let last = self
            .read_first("SELECT sequence FROM audit_heads WHERE tenant = $1", values![tenant.as_str()])
            .await;
        last.and_then(|row| row.map_or(Ok(0), |row| row.integer("sequence")))
            .map(i64::cast_unsigned)
            .map_err(|error| failed("read the audit trail", error))
    }

    async fn backlog(&self, tenant: &TenantId) -> Result<u64> {
        let counted = self
            .read_first(
                "SELECT h.sequence - coalesce(r.sequence, 0) AS backlog FROM audit_heads h
                 LEFT JOIN audit_relayed r ON r.tenant = h.tenant WHERE h.tenant = $1",
                values![tenant.as_str()],
            )
            .await;
        let backlog = counted.and_then(|row| row.map_or(Ok(0), |row| row.integer("backlog")));
        // Negative if somebody removed events from the database.
        backlog
            .map(|backlog| u64::try_from(backlog).unwrap_or(0))
            .map_err(|error| failed("read the audit trail", error))
    }

    async fn events(&self, tenant: &TenantId, after_sequence: u64, limit: u32) -> Result<Vec<ChainedEvent>> {
        let after = i64::try_from(after_sequence).unwrap_or(i64::MAX);
        let found = self
            .read_durable(
                "SELECT * FROM audit_events WHERE tenant = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
                values![tenant.as_str(), after, i64::from(limit)],
            )
            .await;
        found
            .and_then(|found| found.iter().map(rows::chained_event).collect())
            .map_err(|error| failed("read the audit trail", error))
    }

    async fn events_of(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<ChainedEvent>> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let found = self
            .read(
                "SELECT * FROM audit_events WHERE tenant = $1 AND task = $2 AND sequence < $3
                 ORDER BY sequence DESC LIMIT $4",
                values![tenant.as_str(), task.as_str(), before, i64::from(limit)],
            )
            .await;
        found
            .and_then(|found| found.iter().map(rows::chained_event).collect())
            .map_err(|error| failed("read the audit trail", error))
    }

    async fn records_of(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        after_sequence: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>> {
        let after = i64::try_from(after_sequence).unwrap_or(i64::MAX);
        let found = self
            .read_durable(
                "SELECT * FROM audit_events WHERE tenant = $1 AND task = $2 AND sequence > $3
                 ORDER BY sequence LIMIT $4",
                values![tenant.as_str(), task.as_str(), after, i64::from(limit)],
            )
            .await;
        found
            .and_then(|found| found.iter().map(rows::audit_record).collect())
            .map_err(|error| failed("read the audit trail", error))
    }
}

/// The refusal of everything that must be recorded. The trail is not repaired: whoever could change it could also forge
/// a valid one.
fn broken(fault: impl fmt::Display) -> Error {
    Error::broken(format!(
        "the audit trail is broken ({fault}): nothing is recorded, and nothing is done that must be recorded, until it \
         is again what was recorded; `muster audit verify` lists what is wrong, and docs/audit.md the ways out"
    ))
}

/// What makes entries of events.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    key: Option<SealKey>,
}

impl Recorder {
    /// Checks an event against the bounds.
    pub(crate) fn entry(&self, event: &AuditEvent) -> Result<Entry> {
        let caller = rows::to_json("the caller of an audit event", &event.caller, CALLER_MAX)?;
        rows::bounded("the id of an audit event", &event.id, ID_MAX)?;
        rows::bounded("the details of an audit event", &event.details, DETAILS_MAX)?;
        Ok(Entry { event: event.clone(), caller, key: self.key.clone() })
    }

    /// Records an event in the session's transaction. As with [`append`], nothing may follow it in the transaction.
    pub(crate) async fn append(&self, session: &mut Session<'_>, events: &[AuditEvent]) -> Result<()> {
        for event in events {
            append(session, &self.entry(event)?).await?;
        }
        Ok(())
    }
}

/// Where a chain ends.
struct End {
    head: Option<AuditHead>,
    seal: Option<String>,
    /// The events from the head on: its own, if all is well.
    last: Vec<AuditRecord>,
}

impl End {
    /// One statement, so that it sees one state. Events are limited before they are joined, so that the database uses
    /// the index of numbers, however many events there are.
    const SQL: &str = "SELECT h.sequence AS head_sequence, h.hash AS head_hash, h.seal AS head_seal, e.sequence AS sequence,
             e.id AS id, e.at AS at, e.operation AS operation, e.tenant AS tenant, e.caller AS caller, e.task AS task,
             e.report AS report, e.details AS details, coalesce(e.previous, '') AS previous, coalesce(e.hash, '') AS hash
         FROM (SELECT CAST($1 AS text) AS tenant) t LEFT JOIN audit_heads h ON h.tenant = t.tenant
             LEFT JOIN (SELECT * FROM audit_events WHERE tenant = $1
                 AND sequence >= coalesce((SELECT sequence FROM audit_heads WHERE tenant = $1), 0)
                 ORDER BY sequence LIMIT 2) e ON 1 = 1
         ORDER BY e.sequence";

    fn of(found: &[Row]) -> Read<Self> {
        let mut end = Self { head: None, seal: None, last: Vec::new() };
        for row in found {
            if let Some(sequence) = row.optional_integer("head_sequence")? {
                end.head =
                    Some(AuditHead { sequence: sequence.cast_unsigned(), hash: row.text("head_hash")? });
                end.seal = row.optional_text("head_seal")?;
            }
            if row.optional_integer("sequence")?.is_some() {
                end.last.push(rows::audit_record(row)?);
            }
        }
        Ok(end)
    }

    /// The head, if the chain may be extended from it.
    fn sound(self, tenant: &TenantId, key: Option<&SealKey>) -> Result<AuditHead> {
        match (self.head, &self.last[..]) {
            (None, []) => Ok(AuditHead::empty()),
            (None, _) => Err(broken("it has events and no head")),
            (Some(head), [last])
                if (last.sequence, &last.hash) == (head.sequence, &head.hash)
                    && last.content_hash() == head.hash =>
            {
                match key {
                    Some(key) if self.seal.as_ref() != Some(&key.seal(tenant, &head)) => {
                        Err(broken("its head is not sealed with this service's key"))
                    }
                    Some(_) | None => Ok(head),
                }
            }
            (Some(_), _) => Err(broken("its last event is not the one of its head")),
        }
    }
}

/// An event, checked against the bounds, with what sealing needs.
pub(crate) struct Entry {
    pub(crate) event: AuditEvent,
    caller: String,
    key: Option<SealKey>,
}

impl Entry {
    /// The same about another task.
    pub(crate) fn about(&self, task: &TaskId) -> Self {
        let event = AuditEvent { task: task.clone(), ..self.event.clone() };
        Self { event, caller: self.caller.clone(), key: self.key.clone() }
    }
}

/// Puts an event at the end of its tenant's chain, in the session's transaction. Nothing may follow it in the
/// transaction: a transaction that holds a chain waits for nothing else, so that no two wait for each other.
pub(crate) async fn append(session: &mut Session<'_>, entry: &Entry) -> Result<()> {
    let Entry { event, key, .. } = entry;
    let wrong = |error| failed(RECORD, error);
    let tenant = &event.caller.tenant;
    session.alone_in(&format!("audit {tenant}")).await.map_err(wrong)?;
    let known = session.first("SELECT seq FROM audit_events WHERE id = $1", values![&event.id]).await;
    if known.map_err(wrong)?.is_some() {
        return Err(Error::invalid(format!("audit event {:?} is recorded already", event.id)));
    }
    let end = session.all(End::SQL, values![tenant.as_str()]).await;
    let head = end.and_then(|found| End::of(&found)).map_err(wrong)?.sound(tenant, key.as_ref())?;
    put(session, entry, &head).await
}

/// Puts an event after `head` and moves the head to it. The session has the chain for itself.
async fn put(session: &mut Session<'_>, entry: &Entry, head: &AuditHead) -> Result<()> {
    let Entry { event, caller, key } = entry;
    let wrong = |error| failed(RECORD, error);
    let tenant = &event.caller.tenant;
    let record = AuditRecord::after(head, event, caller.clone());
    let sequence = rows::signed("the number of an audit event", record.sequence)?;
    session
        .change(
            "INSERT INTO audit_events
                 (id, at, operation, tenant, caller, task, report, details, sequence, previous, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            values![
                &record.id,
                record.at_micros,
                &record.operation,
                &record.tenant,
                &record.caller,
                &record.task,
                &record.report,
                &record.details,
                sequence,
                &record.previous,
                &record.hash,
            ],
        )
        .await
        .map_err(wrong)?;
    reached(Failpoint::EventInserted);
    let head = AuditHead { sequence: record.sequence, hash: record.hash };
    let seal = key.as_ref().map(|key| key.seal(tenant, &head));
    session
        .change(
            "INSERT INTO audit_heads (tenant, sequence, hash, seal) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant) DO UPDATE SET
             sequence = excluded.sequence, hash = excluded.hash, seal = excluded.seal",
            values![tenant.as_str(), sequence, &head.hash, seal.as_deref()],
        )
        .await
        .map_err(wrong)?;
    reached(Failpoint::HeadMoved);
    Ok(())
}

/// The number of the last thing of a kind that a reseal covers.
type LastKnown = fn(&KnownThings) -> i64;

/// Objects whose creation is recorded in the transaction that creates them, with numbers after $2 and up to $3. Objects
/// from before the version that began to record are left out. EXCEPT is used because PostgreSQL sorts or hashes it; it
/// would walk a `NOT IN` that is larger than its working memory once for each row.
const UNRECORDED: [(&str, LastKnown, &str); 3] = [
    (
        "tasks",
        |known| known.tasks,
        "SELECT count(*) AS unrecorded, min(id) AS first FROM (
             SELECT t.id AS id FROM tasks t
             WHERE t.tenant = $1 AND t.seq > coalesce((SELECT max(tasks_before) FROM installation), 0)
                 AND t.seq > $2 AND t.seq <= $3
             EXCEPT SELECT e.task FROM audit_events e
             WHERE e.tenant = $1 AND e.operation = 'start' AND e.sequence IS NOT NULL) AS missing",
    ),
    (
        "snapshots",
        |known| known.snapshots,
        "SELECT count(*) AS unrecorded, min(id) AS first FROM (
             SELECT s.id AS id FROM snapshots s
             WHERE s.tenant = $1 AND s.seq > coalesce((SELECT max(snapshots_before) FROM installation), 0)
                 AND s.seq > $2 AND s.seq <= $3
             EXCEPT SELECT e.report FROM audit_events e
             WHERE e.tenant = $1 AND e.operation = 'snapshot_published' AND e.sequence IS NOT NULL) AS missing",
    ),
    (
        "credentials",
        |known| known.credentials,
        "SELECT count(*) AS unrecorded, min(id) AS first FROM (
             SELECT c.client AS id FROM credentials c
             WHERE c.tenant = $1 AND c.created > coalesce((SELECT max(credentials_before) FROM installation), -1)
                 AND c.created > $2 AND c.created <= $3
             EXCEPT SELECT e.report FROM audit_events e
             WHERE e.tenant = $1 AND e.operation = 'credential_created' AND e.sequence IS NOT NULL) AS missing",
    ),
];

impl Store {
    /// Checks an event against the bounds.
    pub(crate) fn entry(&self, event: &AuditEvent) -> Result<Entry> {
        self.recorder().entry(event)
    }

    /// What records events in a transaction of its caller's.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder { key: self.settings.seal_key.clone() }
    }

    /// As [`Store::write`]. If there is an event, and `counts` says so of the outcome, the event is recorded in the
    /// same transaction.
    pub(crate) async fn write_recorded<T, F>(
        &self,
        event: &AuditEvent,
        counts: fn(&T) -> bool,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(Session<'c>) -> Work<'c, T> + Send + Sync + 'static,
    {
        let kept = Arc::new((work, self.entry(event)?));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (work, entry) = &*kept;
                let outcome = work(session.lend()).await?;
                if counts(&outcome) {
                    append(&mut session, entry).await?;
                }
                Ok(outcome)
            })
        })
        .await
    }

    /// Checks a tenant's whole audit trail and says what is wrong with it. `noted` are heads that earlier checks showed
    /// and that were kept elsewhere: each must still be in the chain.
    ///
    /// # Errors When the store fails. Damage to the trail is a finding and not an error.
    pub async fn verify_audit(&self, tenant: &TenantId, noted: Vec<AuditHead>) -> Result<Verification> {
        let wrong = |error| failed("verify the audit trail", error);
        let walked = Box::pin(self.walk(tenant, Walk::new(noted), (0, 0))).await.map_err(wrong)?;
        Box::pin(self.verified(tenant, walked)).await.map_err(wrong)
    }

    /// The last event of a tenant's audit trail, without a look at any other: where a walk ends.
    ///
    /// # Errors When the store fails.
    pub async fn audit_end(&self, tenant: &TenantId) -> Result<AuditHead> {
        let last = self
            .read_durable(
                "SELECT sequence, coalesce(hash, '') AS hash FROM audit_events
                 WHERE tenant = $1 AND sequence > 0 ORDER BY sequence DESC LIMIT 1",
                values![tenant.as_str()],
            )
            .await;
        last.and_then(|found| found.first().map_or_else(|| Ok(AuditHead::empty()), rows::audit_head))
            .map_err(|error| failed("read the audit trail", error))
    }

    /// What a walk along a whole chain showed, and what the objects of the tenant show.
    async fn verified(
        &self,
        tenant: &TenantId,
        (mut walk, head, seal): (Walk, Option<AuditHead>, Seal),
    ) -> Read<Verification> {
        let (known, place) = match walk.resealed() {
            Some(resealed) => (Some(reseal::known(resealed)?), resealed.place),
            None => (None, 0),
        };
        for (what, last, sql) in UNRECORDED {
            let last = known.as_ref().map_or(i64::MIN, last);
            if known.is_some()
                && let Some(finding) = self.unrecorded(tenant, what, sql, (i64::MIN, last)).await?
            {
                walk.note_before(finding);
            }
            if let Some(finding) = self.unrecorded(tenant, what, sql, (last, i64::MAX)).await? {
                walk.note(finding);
            }
        }
        let before = self.unchained(tenant, (0, place)).await?;
        if before > 0 {
            walk.note_before(Finding::Unchained { count: before });
        }
        let unchained = self.unchained(tenant, (place, i64::MAX)).await?;
        Ok(walk.finish(head, seal, unchained))
    }

    /// Walks from `place` to the end, with the events that are recorded meanwhile.
    async fn walk(
        &self,
        tenant: &TenantId,
        mut walk: Walk,
        mut place: (i64, i64),
    ) -> Read<(Walk, Option<AuditHead>, Seal)> {
        let mut before = None;
        let (head, seal) = loop {
            self.walk_to_end(tenant, &mut walk, &mut place).await?;
            let (head, seal) = self.kept_head(tenant).await?;
            // If the head is the same, nothing was recorded meanwhile.
            let is_ahead = head.as_ref().is_some_and(|head| head.sequence > walk.head().sequence);
            if !is_ahead || head == before {
                break (head, seal);
            }
            before = head;
        };
        self.sync().await?;
        let seal = match (&self.settings.seal_key, &head, seal) {
            (None, _, _) => Seal::NotChecked,
            (Some(key), Some(head), Some(seal)) if key.seal(tenant, head) == seal => Seal::Good,
            (Some(_), Some(_), Some(_)) => Seal::Wrong,
            (Some(_), _, _) => Seal::Missing,
        };
        Ok((walk, head, seal))
    }

    /// Objects without the event that their transaction recorded.
    async fn unrecorded(
        &self,
        tenant: &TenantId,
        what: &'static str,
        sql: &'static str,
        (after, last): (i64, i64),
    ) -> Read<Option<Finding>> {
        let found = self.read_first(sql, values![tenant.as_str(), after, last]).await?;
        let Some(row) = found else { return Ok(None) };
        let (count, first) = (row.integer("unrecorded")?.cast_unsigned(), row.optional_text("first")?);
        Ok(first.map(|first| Finding::Unrecorded { what, count, first }))
    }

    /// Walks from `place` (number and order of recording) to the last event there is.
    async fn walk_to_end(&self, tenant: &TenantId, walk: &mut Walk, place: &mut (i64, i64)) -> Read<()> {
        loop {
            let page = self
                .read(
                    "SELECT seq, id, at, operation, tenant, caller, task, report, details, sequence,
                         coalesce(previous, '') AS previous, coalesce(hash, '') AS hash
                     FROM audit_events
                     WHERE tenant = $1 AND (sequence > $2 OR (sequence = $2 AND seq > $3))
                     ORDER BY sequence, seq LIMIT $4",
                    values![tenant.as_str(), place.0, place.1, PAGE],
                )
                .await?;
            if page.is_empty() {
                return Ok(());
            }
            for row in &page {
                *place = (row.integer("sequence")?, row.integer("seq")?);
                walk.see(place.1, &rows::audit_record(row)?);
            }
        }
    }

    /// The head that is kept, and its seal.
    async fn kept_head(&self, tenant: &TenantId) -> Read<(Option<AuditHead>, Option<String>)> {
        let head =
            self.read_first("SELECT * FROM audit_heads WHERE tenant = $1", values![tenant.as_str()]).await?;
        match head {
            Some(row) => Ok((Some(rows::audit_head(&row)?), row.optional_text("seal")?)),
            None => Ok((None, None)),
        }
    }

    /// How many events are in no chain although they were recorded after the chain had begun. Counts events after one
    /// place and up to another.
    async fn unchained(&self, tenant: &TenantId, (after, last): (i64, i64)) -> Read<u64> {
        let counted = self
            .read_first(
                "SELECT count(*) AS unchained FROM audit_events WHERE tenant = $1 AND sequence IS NULL
                 AND seq > (SELECT min(seq) FROM audit_events WHERE tenant = $1 AND sequence IS NOT NULL)
                 AND seq > $2 AND seq <= $3",
                values![tenant.as_str(), after, last],
            )
            .await?;
        counted.map_or(Ok(0), |row| row.integer("unchained")).map(i64::cast_unsigned)
    }
}
