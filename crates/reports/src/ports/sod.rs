//! The port of policies for separation of duties.

use crate::audit::AuditEvent;
use crate::error::Result;
use crate::ids::{SodPolicyId, TaskId, TenantId};
use crate::sod_policy::SodPolicy;
use async_trait::async_trait;

/// Policies for separation of duties, and the last report of each.
#[async_trait]
pub trait SodPolicyStore: Send + Sync {
    /// Keeps a new policy of the event's tenant, and records the event in the same transaction. `Invalid` where another
    /// policy of the tenant has its name, and when the tenant has too many.
    async fn add_sod_policy(&self, policy: &SodPolicy, event: &AuditEvent) -> Result<()>;

    /// The policy with this id.
    async fn sod_policy(&self, tenant: &TenantId, id: &SodPolicyId) -> Result<Option<SodPolicy>>;

    /// All policies of the tenant, in the order in which they were made.
    async fn sod_policies(&self, tenant: &TenantId) -> Result<Vec<SodPolicy>>;

    /// Replaces the content, the exceptions, the modifier and the time of the change of a policy of the event's tenant; its
    /// creator and the time at which it was made stay. Returns whether the tenant has it; then the event is recorded in the
    /// same transaction. `Invalid` where another policy has its name.
    async fn replace_sod_policy(&self, policy: &SodPolicy, event: &AuditEvent) -> Result<bool>;

    /// Removes a policy of the event's tenant. Returns whether the tenant has it; then the event is recorded in the same
    /// transaction.
    async fn remove_sod_policy(&self, id: &SodPolicyId, event: &AuditEvent) -> Result<bool>;

    /// Remembers the last report of a policy; without a policy, the last one of several.
    async fn keep_sod_report(
        &self,
        tenant: &TenantId,
        policy: Option<&SodPolicyId>,
        task: &TaskId,
    ) -> Result<()>;

    /// The last report of a policy, or of several.
    async fn sod_report(&self, tenant: &TenantId, policy: Option<&SodPolicyId>) -> Result<Option<TaskId>>;
}
