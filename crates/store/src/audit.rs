//! The audit trail: an append-only table.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::session::values;
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::ports::{AuditEvent, AuditTrail};
use std::sync::Arc;

const CALLER_MAX: usize = 65_536;
const DETAILS_MAX: usize = 65_536;

#[async_trait]
impl AuditTrail for Store {
    async fn record(&self, event: &AuditEvent) -> Result<()> {
        let caller = rows::to_json("the caller of an audit event", &event.caller, CALLER_MAX)?;
        rows::bounded("the details of an audit event", &event.details, DETAILS_MAX)?;
        let kept = Arc::new((event.clone(), caller));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (event, caller) = &*kept;
                let inserted = session
                    .change(
                        "INSERT INTO audit_events (id, at, operation, tenant, caller, task, report, details)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                        values![
                            &event.id,
                            rows::micros(event.at),
                            rows::operation_name(event.operation),
                            event.caller.tenant.as_str(),
                            caller,
                            event.task.as_str(),
                            &event.report,
                            &event.details,
                        ],
                    )
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

impl Store {
    /// The audit events after the `skip` first ones, in the order they were recorded, at most `most`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit_events(&self, skip: u32, most: u32) -> Result<Vec<AuditEvent>> {
        let found = self
            .read(
                "SELECT * FROM audit_events ORDER BY seq LIMIT $1 OFFSET $2",
                values![i64::from(most), i64::from(skip)],
            )
            .await;
        found
            .and_then(|found| found.iter().map(rows::audit_event).collect())
            .map_err(|error| failed("read the audit trail", error))
    }
}
