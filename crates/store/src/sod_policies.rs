//! Policies for separation of duties, and the last report of each.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::session::{Read, Row, Session, values};
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result, shown};
use muster_reports::ids::{SodPolicyId, TaskId, TenantId};
use muster_reports::ports::SodPolicyStore;
use muster_reports::sod_policy::{SOD_POLICIES_MAX, SodPolicy};
use std::sync::Arc;

/// Longest creator or modifier of a policy, in bytes.
const CREATOR_MAX: usize = 1_024;
/// Longest content of a policy, in bytes of its JSON.
const CONTENT_MAX: usize = 256 * 1_024;
/// Longest exceptions of a policy, in bytes of their JSON.
const EXCEPTIONS_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// A policy with its texts.
struct Kept {
    tenant: TenantId,
    policy: SodPolicy,
    content: String,
    exceptions: String,
}

impl Kept {
    fn of(tenant: &TenantId, policy: &SodPolicy) -> Result<Arc<Self>> {
        rows::bounded("the creator of a policy", &policy.creator, CREATOR_MAX)?;
        if let Some(modifier) = &policy.modifier {
            rows::bounded("the modifier of a policy", modifier, CREATOR_MAX)?;
        }
        let content = rows::to_json("the content of a policy", &policy.content, CONTENT_MAX)?;
        let exceptions =
            rows::to_json("the exceptions of a policy", &policy.exceptions, EXCEPTIONS_BYTES_MAX)?;
        Ok(Arc::new(Self { tenant: tenant.clone(), policy: policy.clone(), content, exceptions }))
    }

    fn unkept(&self, error: sqlx::Error) -> Error {
        match is_taken(&error) {
            true => Error::invalid(format!(
                "there is a policy with the name {} already: expected another name",
                shown(&self.policy.content.name)
            )),
            false => failed("keep a policy for separation of duties", error),
        }
    }
}

#[async_trait]
impl SodPolicyStore for Store {
    async fn add_sod_policy(&self, policy: &SodPolicy, event: &AuditEvent) -> Result<()> {
        let kept = Kept::of(&event.caller.tenant, policy)?;
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

    async fn sod_policy(&self, tenant: &TenantId, id: &SodPolicyId) -> Result<Option<SodPolicy>> {
        let found = self
            .read_first(
                "SELECT * FROM sod_policies WHERE tenant = $1 AND id = $2",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        found
            .and_then(|row| row.as_ref().map(policy).transpose())
            .map_err(|error| failed("read a policy for separation of duties", error))
    }

    async fn sod_policies(&self, tenant: &TenantId) -> Result<Vec<SodPolicy>> {
        let found = self
            .read(
                "SELECT * FROM sod_policies WHERE tenant = $1 ORDER BY created, id",
                values![tenant.as_str()],
            )
            .await;
        found
            .and_then(|rows| rows.iter().map(policy).collect())
            .map_err(|error| failed("list the policies for separation of duties", error))
    }

    async fn replace_sod_policy(&self, policy: &SodPolicy, event: &AuditEvent) -> Result<bool> {
        let kept = Kept::of(&event.caller.tenant, policy)?;
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let Kept { tenant, policy, content, exceptions } = &*kept;
                    session
                        .change(
                            "UPDATE sod_policies SET name = $1, content = $2, exceptions = $3, modifier = $4,
                             modified = $5 WHERE tenant = $6 AND id = $7",
                            values![
                                &policy.content.name,
                                content,
                                exceptions,
                                policy.modifier.as_deref(),
                                rows::micros(policy.modified),
                                tenant.as_str(),
                                policy.id.as_str(),
                            ],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| kept.unkept(error))
                })
            },
        )
        .await
    }

    async fn remove_sod_policy(&self, id: &SodPolicyId, event: &AuditEvent) -> Result<bool> {
        let kept = Arc::new((event.caller.tenant.clone(), id.clone()));
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let wrong = |error| failed("remove a policy for separation of duties", error);
                    session
                        .change(
                            "DELETE FROM sod_reports WHERE tenant = $1 AND policy = $2",
                            values![kept.0.as_str(), kept.1.as_str()],
                        )
                        .await
                        .map_err(wrong)?;
                    session
                        .change(
                            "DELETE FROM sod_policies WHERE tenant = $1 AND id = $2",
                            values![kept.0.as_str(), kept.1.as_str()],
                        )
                        .await
                        .map(|removed| removed > 0)
                        .map_err(wrong)
                })
            },
        )
        .await
    }

    async fn keep_sod_report(
        &self,
        tenant: &TenantId,
        policy: Option<&SodPolicyId>,
        task: &TaskId,
    ) -> Result<()> {
        let policy = policy.map_or("", SodPolicyId::as_str);
        let kept = Arc::new((tenant.clone(), policy.to_owned(), task.clone()));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                session
                    .change(
                        "INSERT INTO sod_reports (tenant, policy, task) VALUES ($1, $2, $3)
                         ON CONFLICT (tenant, policy) DO UPDATE SET task = excluded.task",
                        values![kept.0.as_str(), kept.1.as_str(), kept.2.as_str()],
                    )
                    .await
                    .map(drop)
                    .map_err(|error| failed("remember a violation report", error))
            })
        })
        .await
    }

    async fn sod_report(&self, tenant: &TenantId, policy: Option<&SodPolicyId>) -> Result<Option<TaskId>> {
        let policy = policy.map_or("", SodPolicyId::as_str);
        let found = self
            .read_first(
                "SELECT task FROM sod_reports WHERE tenant = $1 AND policy = $2",
                values![tenant.as_str(), policy],
            )
            .await;
        found
            .and_then(|row| row.map(|row| row.text("task")).transpose())
            .map(|task| task.map(TaskId::new))
            .map_err(|error| failed("read the last violation report", error))
    }
}

fn policy(row: &Row) -> Read<SodPolicy> {
    Ok(SodPolicy {
        id: SodPolicyId::new(row.text("id")?),
        content: rows::json(row, "content")?,
        exceptions: rows::json(row, "exceptions")?,
        creator: row.text("creator")?,
        modifier: row.optional_text("modifier")?,
        created: rows::as_time("created", row.integer("created")?)?,
        modified: rows::as_time("modified", row.integer("modified")?)?,
    })
}

async fn insert(mut session: Session<'_>, kept: &Kept) -> Result<()> {
    let wrong = |error| failed("keep a policy for separation of duties", error);
    let Kept { tenant, policy, content, exceptions } = kept;
    session.alone_in("policies for separation of duties").await.map_err(wrong)?;
    let counted = session
        .first("SELECT count(*) AS total FROM sod_policies WHERE tenant = $1", values![tenant.as_str()])
        .await
        .and_then(|row| row.map_or(Ok(0), |row| row.integer("total")))
        .map_err(wrong)?;
    if usize::try_from(counted).unwrap_or(usize::MAX) >= SOD_POLICIES_MAX {
        return Err(Error::invalid(format!("there are {SOD_POLICIES_MAX} policies already: expected fewer")));
    }
    session
        .change(
            "INSERT INTO sod_policies (tenant, id, name, content, exceptions, creator, modifier, created, modified)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            values![
                tenant.as_str(),
                policy.id.as_str(),
                &policy.content.name,
                content,
                exceptions,
                &policy.creator,
                policy.modifier.as_deref(),
                rows::micros(policy.created),
                rows::micros(policy.modified),
            ],
        )
        .await
        .map(drop)
        .map_err(|error| kept.unkept(error))
}
