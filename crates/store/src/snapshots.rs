//! The catalogue of published snapshots. A row is inserted once; only its pin and its end may change.
//!
//! Pins and expiries cannot happen at the same time, so that a snapshot whose pin was acknowledged has its data.

use crate::failure::{failed, is_taken};
use crate::refreshes::RefreshEnd;
use crate::rows;
use crate::session::{Read, Row, Session, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::caller::Period;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::SnapshotCatalogue;
use muster_reports::retention::{AsOf, CataloguedSnapshot, Pin, RetentionFacts, RetentionPolicy};
use muster_reports::snapshot::SnapshotManifest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The lock of everything that changes the catalogue.
pub(crate) const CATALOGUE: &str = "snapshots";
/// Longest pin, in bytes of its JSON.
const PIN_MAX: usize = 4_096;
/// Longest manifest of a snapshot, in bytes of its JSON.
const MANIFEST_MAX: usize = 16 * 1_024 * 1_024;
#[async_trait]
impl SnapshotCatalogue for Store {
    async fn publish(&self, event: &AuditEvent, manifest: &SnapshotManifest) -> Result<()> {
        let text = rows::to_json("the manifest of a snapshot", manifest, MANIFEST_MAX)?;
        let kept = Arc::new((event.caller.tenant.clone(), manifest.id.clone(), manifest.created, text));
        let refresh = Arc::new(RefreshEnd::published(event, manifest)?);
        self.write_recorded(
            event,
            |()| true,
            move |mut session| {
                let (kept, refresh) = (kept.clone(), refresh.clone());
                Box::pin(async move {
                    let (tenant, id, created, text) = &*kept;
                    refresh.keep(&mut session).await?;
                    // A number is given before its transaction commits. Only one transaction at a time keeps the
                    // numbers in order.
                    let inserted = match session.alone_in(CATALOGUE).await {
                        Ok(()) => session
                            .change(
                                "INSERT INTO snapshots (tenant, id, created, manifest) VALUES ($1, $2, $3, $4)",
                                values![tenant.as_str(), id.as_str(), rows::micros(*created), text],
                            )
                            .await,
                        Err(error) => Err(error),
                    };
                    match inserted {
                        Ok(_) => {
                            reached(Failpoint::SnapshotInserted);
                            Ok(())
                        }
                        Err(error) if is_taken(&error) => {
                            Err(Error::invalid(format!("snapshot {:?} is published already", id.as_str())))
                        }
                        Err(error) => Err(failed("publish a snapshot", error)),
                    }
                })
            },
        )
        .await?;
        reached(Failpoint::SnapshotKept);
        Ok(())
    }

    async fn newest(&self, tenant: &TenantId) -> Result<Option<Arc<SnapshotManifest>>> {
        const WHAT: &str = "read the newest snapshot";
        let newest = self
            .read_first("SELECT max(seq) AS seq FROM snapshots WHERE tenant = $1", values![tenant.as_str()])
            .await;
        let seq = newest.and_then(|row| row.map_or(Ok(None), |row| row.optional_integer("seq")));
        let Some(seq) = seq.map_err(|error| failed(WHAT, error))? else { return Ok(None) };
        self.manifest_at(seq).await.map(Some).map_err(|error| failed(WHAT, error))
    }

    async fn as_of(&self, tenant: &TenantId, as_of: &AsOf) -> Result<Option<CataloguedSnapshot>> {
        let wrong = |error| failed("read a snapshot", error);
        let found = match as_of {
            AsOf::Snapshot(id) => {
                self.read_first(
                    "SELECT seq, pin, expired FROM snapshots WHERE tenant = $1 AND id = $2",
                    values![tenant.as_str(), id.as_str()],
                )
                .await
            }
            AsOf::Moment(moment) => {
                self.read_first(
                    "SELECT seq, pin, expired FROM snapshots WHERE tenant = $1 AND created <= $2
                     ORDER BY seq DESC LIMIT 1",
                    values![tenant.as_str(), rows::micros(*moment)],
                )
                .await
            }
        };
        let Some(row) = found.map_err(wrong)? else { return Ok(None) };
        // Each run of a report asks for its snapshot: a manifest that is kept is not read and parsed again.
        let manifest = match row.integer("seq") {
            Ok(seq) => self.manifest_at(seq).await,
            Err(error) => Err(error),
        };
        manifest.and_then(|manifest| catalogued(&row, manifest)).map(Some).map_err(wrong)
    }

    async fn catalogued(
        &self,
        tenant: &TenantId,
        period: Option<Period>,
        limit: u32,
    ) -> Result<Vec<CataloguedSnapshot>> {
        let (from, to) = period
            .map_or((i64::MIN, i64::MAX), |period| (rows::micros(period.from), rows::micros(period.to)));
        let found = self
            .read(
                "SELECT * FROM snapshots WHERE tenant = $1 AND created BETWEEN $2 AND $3
                 ORDER BY seq DESC LIMIT $4",
                values![tenant.as_str(), from, to, i64::from(limit)],
            )
            .await;
        found
            .and_then(|found| found.iter().map(catalogued_with_its_manifest).collect())
            .map_err(|error| failed("list snapshots", error))
    }

    async fn pin(&self, tenant: &TenantId, id: &SnapshotId, pin: Option<&Pin>) -> Result<()> {
        let text = pin.map(|pin| rows::to_json("the pin of a snapshot", pin, PIN_MAX)).transpose()?;
        let kept = Arc::new((tenant.clone(), id.clone(), text));
        self.write(move |session| {
            let kept = kept.clone();
            Box::pin(async move { set_pin(session, &kept.0, &kept.1, kept.2.as_deref()).await })
        })
        .await
    }

    async fn expiring(
        &self,
        tenant: &TenantId,
        policy: RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<SnapshotId>> {
        let facts = self.read(FACTS, values![tenant.as_str()]).await;
        facts
            .and_then(|rows| rows.iter().map(retention_facts).collect::<Read<Vec<_>>>())
            .map(|facts| policy.expiring(&facts, now))
            .map_err(|error| failed("look for snapshots that expire", error))
    }

    async fn expire(&self, event: &AuditEvent, policy: RetentionPolicy) -> Result<Vec<SnapshotId>> {
        let kept = Arc::new((event.clone(), self.recorder()));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (event, recorder) = &*kept;
                let expired = expire(&mut session, &event.caller.tenant, policy, event.at)
                    .await
                    .map_err(|error| failed("let snapshots expire", error))?;
                if !expired.is_empty() {
                    let event = AuditEvent { details: listed(&expired), ..event.clone() };
                    recorder.append(&mut session, &[event]).await?;
                }
                Ok(expired)
            })
        })
        .await
    }

    async fn kept_of(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Arc<SnapshotManifest>>> {
        self.kept_manifests(tenant, limit)
            .await
            .map_err(|error| failed("list the kept snapshots of a tenant", error))
    }

    async fn kept(&self) -> Result<Vec<SnapshotManifest>> {
        let found = self.read("SELECT manifest FROM snapshots WHERE expired IS NULL ORDER BY seq", &[]).await;
        found
            .and_then(|found| found.iter().map(|row| rows::json(row, "manifest")).collect())
            .map_err(|error| failed("list the snapshots that are kept", error))
    }

    async fn expired_count(&self, tenant: &TenantId) -> Result<usize> {
        let counted = self
            .read_first(
                "SELECT count(*) AS expired FROM snapshots WHERE tenant = $1 AND expired IS NOT NULL",
                values![tenant.as_str()],
            )
            .await;
        let expired = counted.and_then(|row| row.map_or(Ok(0), |row| row.integer("expired")));
        expired
            .map(|expired| expired.cast_unsigned() as usize)
            .map_err(|error| failed("count snapshots", error))
    }
}

impl Store {
    /// The manifest that a row has, the place of which is `seq`.
    fn manifest(&self, seq: i64, row: &Row) -> Read<Arc<SnapshotManifest>> {
        let manifest: Arc<SnapshotManifest> = Arc::new(rows::json(row, "manifest")?);
        self.manifests.put(seq, manifest.clone(), row.text("manifest")?.len());
        Ok(manifest)
    }

    /// The manifest at a place; it is read if it is not in memory.
    async fn manifest_at(&self, seq: i64) -> Read<Arc<SnapshotManifest>> {
        if let Some(manifest) = self.manifests.get(seq) {
            return Ok(manifest);
        }
        let found = self.read_first("SELECT manifest FROM snapshots WHERE seq = $1", values![seq]).await?;
        self.manifest(seq, &found.ok_or(sqlx::Error::RowNotFound)?)
    }

    /// The kept snapshots of a tenant, the last published first. Only the manifests that are not in memory are read.
    async fn kept_manifests(&self, tenant: &TenantId, limit: u32) -> Read<Vec<Arc<SnapshotManifest>>> {
        let places = self
            .read(
                "SELECT seq FROM snapshots WHERE tenant = $1 AND expired IS NULL ORDER BY seq DESC LIMIT $2",
                values![tenant.as_str(), i64::from(limit)],
            )
            .await?;
        let places = places.iter().map(|row| row.integer("seq")).collect::<Read<Vec<_>>>()?;
        let mut manifests: BTreeMap<i64, Arc<SnapshotManifest>> =
            places.iter().filter_map(|place| Some((*place, self.manifests.get(*place)?))).collect();
        let missing = || places.iter().filter(|place| !manifests.contains_key(place));
        if let (Some(last), Some(first)) = (missing().next(), missing().next_back()) {
            // An expired snapshot keeps its manifest, so what has expired meanwhile is still found.
            let rows = self
                .read(
                    "SELECT seq, manifest FROM snapshots WHERE tenant = $1 AND seq BETWEEN $2 AND $3",
                    values![tenant.as_str(), *first, *last],
                )
                .await?;
            for row in &rows {
                let place = row.integer("seq")?;
                if !manifests.contains_key(&place) && places.binary_search_by(|at| place.cmp(at)).is_ok() {
                    manifests.insert(place, self.manifest(place, row)?);
                }
            }
        }
        places.iter().map(|place| manifests.get(place).cloned().ok_or(sqlx::Error::RowNotFound)).collect()
    }
}

/// Ids that the event of an expiry names.
const LISTED_MAX: usize = 1_000;

fn listed(expired: &[SnapshotId]) -> String {
    let ids: Vec<_> = expired.iter().take(LISTED_MAX).map(SnapshotId::as_str).collect();
    let more = match expired.len().saturating_sub(LISTED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", ids.join(" "))
}

/// What a policy needs to know of the snapshots that have not expired. Live tasks read their snapshots, also after a
/// retry; one over a period reads those since the snapshot that its arguments name. The snapshot of an open access review is
/// needed, too, and a report of a review reads the snapshots since that of the review.
const FACTS: &str = "SELECT s.id, s.created, s.pin,
        (EXISTS (SELECT 1 FROM tasks t WHERE t.tenant = s.tenant AND t.snapshot = s.id
            AND t.state IN ('pending', 'running'))
         OR EXISTS (SELECT 1 FROM reviews r WHERE r.tenant = s.tenant AND r.snapshot = s.id AND r.closing IS NULL)
         OR coalesce(s.created >= (SELECT min(b.created) FROM snapshots b JOIN tasks t
            ON t.tenant = b.tenant AND t.arguments LIKE '%\"' || b.id || '\"%'
            WHERE b.tenant = $1 AND b.expired IS NULL AND t.state IN ('pending', 'running')), FALSE)
         OR coalesce(s.created >= (SELECT min(r.frozen_at) FROM reviews r JOIN tasks t
            ON t.tenant = r.tenant AND t.arguments LIKE '%\"' || r.id || '\"%'
            WHERE r.tenant = $1 AND t.state IN ('pending', 'running')), FALSE)) AS needed
    FROM snapshots s WHERE s.tenant = $1 AND s.expired IS NULL ORDER BY s.seq DESC";

fn retention_facts(row: &Row) -> Read<RetentionFacts> {
    Ok(RetentionFacts {
        id: SnapshotId::new(row.text("id")?),
        created: rows::as_time("created", row.integer("created")?)?,
        pinned: row.optional_text("pin")?.is_some(),
        needed: row.flag("needed")?,
    })
}

fn catalogued_with_its_manifest(row: &Row) -> Read<CataloguedSnapshot> {
    catalogued(row, Arc::new(rows::json(row, "manifest")?))
}

fn catalogued(row: &Row, manifest: Arc<SnapshotManifest>) -> Read<CataloguedSnapshot> {
    let pin = match row.optional_text("pin")? {
        None => None,
        Some(_) => Some(rows::json(row, "pin")?),
    };
    let expired = row.optional_integer("expired")?;
    Ok(CataloguedSnapshot {
        manifest,
        pin,
        expired: expired.map(|micros| rows::as_time("expired", micros)).transpose()?,
    })
}

async fn set_pin(
    mut session: Session<'_>,
    tenant: &TenantId,
    id: &SnapshotId,
    pin: Option<&str>,
) -> Result<()> {
    let wrong = |error| failed("pin a snapshot", error);
    session.alone_in(CATALOGUE).await.map_err(wrong)?;
    let found = session
        .first("SELECT * FROM snapshots WHERE tenant = $1 AND id = $2", values![tenant.as_str(), id.as_str()])
        .await;
    let found =
        found.and_then(|row| row.as_ref().map(catalogued_with_its_manifest).transpose()).map_err(wrong)?;
    let found = found.ok_or_else(|| Error::not_found(format!("there is no snapshot {:?}", id.as_str())))?;
    if pin.is_some() {
        found.readable()?;
    }
    session
        .change(
            "UPDATE snapshots SET pin = $1 WHERE tenant = $2 AND id = $3",
            values![pin, tenant.as_str(), id.as_str()],
        )
        .await
        .map(drop)
        .map_err(wrong)
}

async fn expire(
    session: &mut Session<'_>,
    tenant: &TenantId,
    policy: RetentionPolicy,
    now: DateTime<Utc>,
) -> Read<Vec<SnapshotId>> {
    session.alone_in(CATALOGUE).await?;
    let facts = session.all(FACTS, values![tenant.as_str()]).await?;
    let facts = facts.iter().map(retention_facts).collect::<Read<Vec<_>>>()?;
    let expiring = policy.expiring(&facts, now);
    for id in &expiring {
        session
            .change(
                "UPDATE snapshots SET expired = $1 WHERE tenant = $2 AND id = $3",
                values![rows::micros(now), tenant.as_str(), id.as_str()],
            )
            .await?;
    }
    Ok(expiring)
}
