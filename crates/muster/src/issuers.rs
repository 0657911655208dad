//! External issuers as the settings have them.

use crate::config::{self, Callers, Issuer, Settings};
use crate::data_dir::secret_text;
use crate::failure::{Failure, Result};
use chrono::TimeDelta;
use muster_console::{IssuedToken, IssuerAnswer, IssuerFailure, OfferedIssuer, SignInAttempt, SignInIssuers};
use muster_http::{
    Attempt, CallerRule, ClaimRules, ExternalIssuer, ExternalIssuers, FileKeys, KeySource, KeyTimes,
    SignInSettings, SignInToken, SignIns, TenantRule, UrlKeys,
};
use muster_reports::Error;
use muster_reports::error::{Category, error_chain};
use muster_reports::ids::TenantId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The issuers of these settings. Nothing is fetched yet. Relative paths start from `dir`.
///
/// # Errors
/// When an issuer's settings would trust too much, or its address cannot be one.
pub fn external(settings: &Settings, tenant: &TenantId, dir: &Path) -> Result<ExternalIssuers> {
    let one = |issuer: &Issuer| -> Result<ExternalIssuer> {
        let sign_in = sign_in(issuer, settings.console.public_url.as_deref(), dir)?;
        Ok(ExternalIssuer { sign_in, ..one(issuer, tenant, dir)? })
    };
    let issuers = settings.auth.issuers.iter().map(one).collect::<Result<Vec<_>>>()?;
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
        sign_in: None,
    })
}

/// How people sign in at an issuer, if they do. Browsers reach the service at `public_url`.
fn sign_in(settings: &Issuer, public_url: Option<&str>, dir: &Path) -> Result<Option<SignInSettings>> {
    let (Some(client_id), Some(public_url)) = (&settings.sign_in_client, public_url) else { return Ok(None) };
    let secret = |file: &PathBuf| -> Result<String> {
        let path = dir.join(file);
        let text = secret_text(&path)?;
        let text = text.ok_or_else(|| {
            Failure::new(format!("issuer {:?}: there is no file {}", settings.name, path.display()))
        })?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    };
    Ok(Some(SignInSettings {
        title: settings.sign_in_title.clone().unwrap_or_else(|| settings.name.clone()),
        client_id: client_id.clone(),
        client_secret: settings.sign_in_secret_file.as_ref().map(secret).transpose()?,
        scopes: settings.sign_in_scopes.clone(),
        resource: settings.sign_in_resource.clone(),
        token: match settings.sign_in_token {
            config::SignInToken::Access => SignInToken::Access,
            config::SignInToken::Identity => SignInToken::Identity,
        },
        redirect: format!("{public_url}/ui/sign-in/at/{}/answer", settings.name),
        after_sign_out: format!("{public_url}/ui/sign-in"),
        timeout: Duration::from_millis(settings.keys_timeout_ms),
    }))
}

/// The issuers for the console. Reasons of failures are logged here: a page does not show them.
pub struct ConsoleIssuers(pub SignIns);

fn logged(issuer: &str, error: &Error) -> IssuerFailure {
    tracing::warn!(issuer, error = %error_chain(error), "nobody was signed in");
    match error.category {
        Category::Forbidden => IssuerFailure::Refused,
        Category::Invalid
        | Category::NotFound
        | Category::Unavailable
        | Category::Broken
        | Category::Internal => IssuerFailure::Unusable,
    }
}

fn attempt(kept: &SignInAttempt) -> Attempt<'_> {
    Attempt { state: &kept.state, nonce: &kept.nonce, verifier: &kept.verifier }
}

impl SignInIssuers for ConsoleIssuers {
    fn offered(&self) -> Vec<OfferedIssuer> {
        self.0.offered().into_iter().map(|(name, title)| OfferedIssuer { name, title }).collect()
    }

    fn begin<'a>(&'a self, issuer: &'a str, kept: &'a SignInAttempt) -> IssuerAnswer<'a, String> {
        Box::pin(
            async move { self.0.begin(issuer, attempt(kept)).await.map_err(|error| logged(issuer, &error)) },
        )
    }

    fn finish<'a>(
        &'a self,
        issuer: &'a str,
        kept: &'a SignInAttempt,
        code: &'a str,
        iss: Option<&'a str>,
    ) -> IssuerAnswer<'a, IssuedToken> {
        Box::pin(async move {
            let signed_in = self.0.finish(issuer, code, iss, attempt(kept)).await;
            let signed_in = signed_in.map_err(|error| logged(issuer, &error))?;
            Ok(IssuedToken { token: signed_in.token, expires: signed_in.expires })
        })
    }

    fn sign_out_address<'a>(&'a self, issuer: &'a str) -> IssuerAnswer<'a, Option<String>> {
        Box::pin(async move { self.0.sign_out_address(issuer).await.map_err(|error| logged(issuer, &error)) })
    }
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
