//! Definitions of custom reports, in all their versions.

use crate::failure::failed;
use crate::rows;
use crate::session::{Read, Row, Session, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ReportId, TenantId};
use muster_reports::kept_definition::{Addition, DEFINITION_BYTES_MAX, DEFINITIONS_MAX, KeptDefinition};
use muster_reports::ports::DefinitionStore;
use std::sync::Arc;

/// Longest name of who added a definition, in bytes.
const ADDED_BY_MAX: usize = 1_024;

#[async_trait]
impl DefinitionStore for Store {
    async fn add_definition(&self, kept: &KeptDefinition, event: &AuditEvent) -> Result<Addition> {
        rows::bounded("the definition", &kept.text, DEFINITION_BYTES_MAX)?;
        rows::bounded("the name of who adds a definition", &kept.added_by, ADDED_BY_MAX)?;
        let kept = Arc::new((event.caller.tenant.clone(), kept.clone()));
        self.write_recorded(
            event,
            |addition| *addition != Addition::Unchanged,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { add(session, &kept.0, &kept.1).await })
            },
        )
        .await
    }

    async fn definitions(&self, tenant: &TenantId) -> Result<Vec<KeptDefinition>> {
        let found = self
            .read(
                "SELECT * FROM report_definitions d WHERE tenant = $1 AND removed IS NULL AND version = (
                   SELECT max(version) FROM report_definitions n WHERE n.tenant = d.tenant AND n.id = d.id)
                 ORDER BY id",
                values![tenant.as_str()],
            )
            .await;
        let found = found.and_then(|rows| rows.iter().map(definition).collect());
        found.map_err(|error| failed("list the definitions", error))
    }

    async fn definition_versions(&self, tenant: &TenantId, id: &ReportId) -> Result<Vec<KeptDefinition>> {
        let found = self
            .read(
                "SELECT * FROM report_definitions WHERE tenant = $1 AND id = $2 ORDER BY version DESC",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        let found = found.and_then(|rows| rows.iter().map(definition).collect());
        found.map_err(|error| failed("list the versions of a definition", error))
    }

    async fn remove_definition(&self, id: &ReportId, at: DateTime<Utc>, event: &AuditEvent) -> Result<bool> {
        let kept = Arc::new((event.caller.tenant.clone(), id.clone(), rows::micros(at)));
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, id, at) = &*kept;
                    session
                        .change(
                            "UPDATE report_definitions SET removed = $1
                             WHERE tenant = $2 AND id = $3 AND removed IS NULL",
                            values![*at, tenant.as_str(), id.as_str()],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("remove a definition", error))
                })
            },
        )
        .await
    }
}

fn definition(row: &Row) -> Read<KeptDefinition> {
    Ok(KeptDefinition {
        id: ReportId::new(row.text("id")?),
        version: u32::try_from(row.integer("version")?).map_err(|error| rows::wrong("version", error))?,
        text: row.text("definition")?,
        added: rows::as_time("added", row.integer("added")?)?,
        added_by: row.text("added_by")?,
        removed: row.optional_integer("removed")?.map(|at| rows::as_time("removed", at)).transpose()?,
    })
}

async fn add(mut session: Session<'_>, tenant: &TenantId, kept: &KeptDefinition) -> Result<Addition> {
    let wrong = |error| failed("keep a definition", error);
    session.alone_in("report definitions").await.map_err(wrong)?;
    let newest = session
        .first(
            "SELECT * FROM report_definitions WHERE tenant = $1 AND id = $2 ORDER BY version DESC LIMIT 1",
            values![tenant.as_str(), kept.id.as_str()],
        )
        .await
        .and_then(|row| row.as_ref().map(definition).transpose())
        .map_err(wrong)?;
    let addition = kept.added_to(newest.as_ref())?;
    match addition {
        Addition::Unchanged => return Ok(addition),
        Addition::New => {
            let counted = session
                .first(
                    "SELECT count(*) AS total FROM report_definitions WHERE tenant = $1",
                    values![tenant.as_str()],
                )
                .await
                .and_then(|row| row.map_or(Ok(0), |row| row.integer("total")))
                .map_err(wrong)?;
            if usize::try_from(counted).unwrap_or(usize::MAX) >= DEFINITIONS_MAX {
                return Err(Error::invalid(format!(
                    "there are {DEFINITIONS_MAX} versions of definitions already: expected fewer"
                )));
            }
            session
                .change(
                    "INSERT INTO report_definitions (tenant, id, version, definition, added, added_by)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    values![
                        tenant.as_str(),
                        kept.id.as_str(),
                        i64::from(kept.version),
                        &kept.text,
                        rows::micros(kept.added),
                        &kept.added_by,
                    ],
                )
                .await
                .map_err(wrong)?;
        }
        Addition::Restored => {}
    }
    // A report that is added is there, in all its versions.
    session
        .change(
            "UPDATE report_definitions SET removed = NULL WHERE tenant = $1 AND id = $2 AND removed IS NOT NULL",
            values![tenant.as_str(), kept.id.as_str()],
        )
        .await
        .map_err(wrong)?;
    Ok(addition)
}
