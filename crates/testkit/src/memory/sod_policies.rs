//! Policies for separation of duties, in memory.

use super::MemoryStore;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{SodPolicyId, TaskId, TenantId};
use muster_reports::ports::SodPolicyStore;
use muster_reports::sod_policy::{SOD_POLICIES_MAX, SodPolicy};

/// All policies, and the last report of each.
#[derive(Debug, Default)]
pub(super) struct SodPolicies {
    policies: Vec<(TenantId, SodPolicy)>,
    reports: Vec<(TenantId, Option<SodPolicyId>, TaskId)>,
}

impl SodPolicies {
    fn check_name(&self, tenant: &TenantId, policy: &SodPolicy) -> Result<()> {
        let has_name = |(own, kept): &(TenantId, SodPolicy)| {
            own == tenant && kept.id != policy.id && kept.content.name == policy.content.name
        };
        match self.policies.iter().any(has_name) {
            true => Err(Error::invalid("there is a policy with this name already")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl SodPolicyStore for MemoryStore {
    async fn add_sod_policy(&self, policy: &SodPolicy, event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        if state.sod.policies.iter().filter(|(own, _)| own == tenant).count() >= SOD_POLICIES_MAX {
            return Err(Error::invalid(format!("there are {SOD_POLICIES_MAX} policies already")));
        }
        state.sod.check_name(tenant, policy)?;
        state.sod.policies.push((tenant.clone(), policy.clone()));
        state.append(event)
    }

    async fn sod_policy(&self, tenant: &TenantId, id: &SodPolicyId) -> Result<Option<SodPolicy>> {
        let state = self.state();
        let found = state.sod.policies.iter().find(|(own, policy)| own == tenant && policy.id == *id);
        Ok(found.map(|(_, policy)| policy.clone()))
    }

    async fn sod_policies(&self, tenant: &TenantId) -> Result<Vec<SodPolicy>> {
        let state = self.state();
        let own = state.sod.policies.iter().filter(|(own, _)| own == tenant);
        let mut own: Vec<_> = own.map(|(_, policy)| policy.clone()).collect();
        own.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(own)
    }

    async fn replace_sod_policy(&self, policy: &SodPolicy, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        state.sod.check_name(tenant, policy)?;
        let mut all = state.sod.policies.iter_mut();
        let Some((_, kept)) = all.find(|(own, kept)| own == tenant && kept.id == policy.id) else {
            return Ok(false);
        };
        let (creator, created) = (kept.creator.clone(), kept.created);
        *kept = SodPolicy { creator, created, ..policy.clone() };
        state.append(event)?;
        Ok(true)
    }

    async fn remove_sod_policy(&self, id: &SodPolicyId, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let before = state.sod.policies.len();
        state.sod.policies.retain(|(own, policy)| own != tenant || policy.id != *id);
        if state.sod.policies.len() == before {
            return Ok(false);
        }
        state.sod.reports.retain(|(own, policy, _)| own != tenant || policy.as_ref() != Some(id));
        state.append(event)?;
        Ok(true)
    }

    async fn keep_sod_report(
        &self,
        tenant: &TenantId,
        policy: Option<&SodPolicyId>,
        task: &TaskId,
    ) -> Result<()> {
        let mut state = self.state();
        state.sod.reports.retain(|(own, known, _)| own != tenant || known.as_ref() != policy);
        state.sod.reports.push((tenant.clone(), policy.cloned(), task.clone()));
        Ok(())
    }

    async fn sod_report(&self, tenant: &TenantId, policy: Option<&SodPolicyId>) -> Result<Option<TaskId>> {
        let state = self.state();
        let mut reports = state.sod.reports.iter();
        let found = reports.find(|(own, known, _)| own == tenant && known.as_ref() == policy);
        Ok(found.map(|(_, _, task)| task.clone()))
    }
}
