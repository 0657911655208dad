//! The audit trail: an append-only table.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::sqlite::SqliteStore;
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::ports::{AuditEvent, AuditTrail};

const CALLER_MAX: usize = 65_536;
const DETAILS_MAX: usize = 65_536;

#[async_trait]
impl AuditTrail for SqliteStore {
    async fn record(&self, event: &AuditEvent) -> Result<()> {
        let caller = rows::to_json("the caller of an audit event", &event.caller, CALLER_MAX)?;
        rows::bounded("the details of an audit event", &event.details, DETAILS_MAX)?;
        let event = event.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let inserted = sqlx::query(
                        "INSERT INTO audit_events (id, at, operation, tenant, caller, task, report, details)
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    )
                    .bind(&event.id)
                    .bind(rows::micros(event.at))
                    .bind(rows::operation_name(event.operation))
                    .bind(event.caller.tenant.as_str())
                    .bind(caller)
                    .bind(event.task.as_str())
                    .bind(&event.report)
                    .bind(&event.details)
                    .execute(connection)
                    .await;
                    match inserted {
                        Ok(_) => Ok(()),
                        Err(error) if is_taken(&error) => {
                            Err(Error::invalid(format!("audit event {:?} is recorded already", event.id)))
                        }
                        Err(error) => Err(failed("record an audit event", error)),
                    }
                })
            })
            .await
    }
}

impl SqliteStore {
    /// The audit events after the `skip` first ones, in the order they were recorded, at most `most`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit_events(&self, skip: u32, most: u32) -> Result<Vec<AuditEvent>> {
        let found = sqlx::query("SELECT * FROM audit_events ORDER BY seq LIMIT ? OFFSET ?")
            .bind(most)
            .bind(skip)
            .fetch_all(&self.readers)
            .await;
        found
            .and_then(|found| found.iter().map(rows::audit_event).collect())
            .map_err(|error| failed("read the audit trail", error))
    }
}
