//! External issuers as the settings have them.

use crate::config::{Callers, Issuer};
use crate::failure::{Failure, Result};
use chrono::TimeDelta;
use muster_http::{
    CallerRule, ClaimRules, ExternalIssuer, ExternalIssuers, FileKeys, KeySource, KeyTimes, TenantRule,
    UrlKeys,
};
use muster_reports::ids::TenantId;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The issuers of these settings. Nothing is fetched yet. Relative paths start from `dir`.
///
/// # Errors
/// When an issuer's settings would trust too much, or its address cannot be one.
pub fn external(settings: &[Issuer], tenant: &TenantId, dir: &Path) -> Result<ExternalIssuers> {
    let issuers = settings.iter().map(|issuer| one(issuer, tenant, dir)).collect::<Result<Vec<_>>>()?;
    Ok(ExternalIssuers::new(issuers)?)
}

/// Where the keys of an issuer are. Nothing is fetched yet. A relative path starts from `dir`.
///
/// # Errors
/// When there is no place, or its address cannot be one.
pub fn keys(settings: &Issuer, dir: &Path) -> Result<Arc<dyn KeySource>> {
    let timeout = Duration::from_millis(settings.keys_timeout_ms);
    match (&settings.jwks_url, &settings.jwks_file) {
        (Some(address), _) => Ok(Arc::new(UrlKeys::new(address, timeout)?)),
        (None, Some(path)) => Ok(Arc::new(FileKeys(dir.join(path)))),
        (None, None) => {
            Err(Failure::new(format!("issuer {:?} has neither jwks_url nor jwks_file", settings.name)))
        }
    }
}

fn one(settings: &Issuer, tenant: &TenantId, dir: &Path) -> Result<ExternalIssuer> {
    let seconds = |seconds: u32| TimeDelta::seconds(i64::from(seconds));
    let timeout = Duration::from_millis(settings.keys_timeout_ms);
    let keys = keys(settings, dir)?;
    Ok(ExternalIssuer {
        name: settings.name.clone(),
        issuer: settings.issuer.clone(),
        audiences: settings.audience.clone(),
        algorithms: settings.algorithms.clone(),
        leeway: seconds(settings.leeway_s),
        claims: claims(settings, tenant),
        keys,
        key_times: KeyTimes {
            refresh: seconds(settings.keys_refresh_s),
            floor: seconds(settings.keys_floor_s),
            keep: seconds(settings.keys_keep_s),
            timeout,
        },
    })
}

fn claims(settings: &Issuer, tenant: &TenantId) -> ClaimRules {
    let callers = match settings.callers {
        Callers::Subject => CallerRule::Subject,
        Callers::Users => CallerRule::Users,
        Callers::Applications => CallerRule::Applications,
        Callers::Claim => CallerRule::Claim {
            claim: settings.application_claim.clone().unwrap_or_default(),
            value: settings.application_value.clone().unwrap_or_default(),
        },
    };
    let tenant = match &settings.tenant {
        Some(fixed) => TenantRule::Always(TenantId::new(fixed)),
        None => TenantRule::Claim {
            claims: settings.tenant_claims.clone(),
            ours: vec![tenant.clone()],
            names: settings.tenants.iter().map(|(name, ours)| (name.clone(), TenantId::new(ours))).collect(),
        },
    };
    ClaimRules {
        client: settings.client_claims.clone(),
        identity: settings.identity_claims.clone(),
        user_name: settings.user_name_claims.clone(),
        scopes: settings.scope_claims.clone(),
        levels: settings.level_claims.clone(),
        sources: settings.source_claims.clone(),
        callers,
        tenant,
        scope_names: settings.scopes.clone(),
        level_names: settings.levels.clone(),
    }
}
