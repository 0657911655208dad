//! `[[auth.issuers]]`: issuers whose access tokens are accepted beside our own.
//!
//! A secret is not among the keys: an issuer's tokens are checked with its public keys, and symmetric
//! algorithms cannot be named.

use muster_http::SignatureAlgorithm;
use muster_reports::caller::{Scope, UserLevel};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[[auth.issuers]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// A short name; client ids of its callers begin with it.
    pub name: String,
    /// `iss` of its tokens.
    pub issuer: String,
    /// What `aud` of a token for this service names; one of them is enough.
    pub audience: Vec<String>,
    /// The algorithms that it signs with.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Address of its JWK set; HTTPS, or HTTP on this machine.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// A file with its JWK set; a relative path starts from the data directory.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// How far its clock may differ.
    #[serde(default = "defaults::leeway_s")]
    pub leeway_s: u32,
    /// Keys are fetched again once they are this old.
    #[serde(default = "defaults::keys_refresh_s")]
    pub keys_refresh_s: u32,
    /// Least time between two fetches, whatever tokens ask for.
    #[serde(default = "defaults::keys_floor_s")]
    pub keys_floor_s: u32,
    /// Keys that cannot be fetched again are used until they are this old.
    #[serde(default = "defaults::keys_keep_s")]
    pub keys_keep_s: u32,
    /// How long a fetch may take.
    #[serde(default = "defaults::keys_timeout_ms")]
    pub keys_timeout_ms: u64,
    /// The tenant of all its tokens; no claim is read then.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Claims that name the tenant.
    #[serde(default = "defaults::tenant_claims")]
    pub tenant_claims: Vec<String>,
    /// Other names of the tenant: what a claim says, and the tenant that it stands for.
    #[serde(default)]
    pub tenants: BTreeMap<String, String>,
    /// How applications are told from users.
    #[serde(default)]
    pub callers: Callers,
    /// With `callers = "claim"`: the claim that tells.
    #[serde(default)]
    pub application_claim: Option<String>,
    /// With `callers = "claim"`: its value in tokens of applications.
    #[serde(default)]
    pub application_value: Option<String>,
    /// Claims that name the client.
    #[serde(default = "defaults::client_claims")]
    pub client_claims: Vec<String>,
    /// Claims that name a user's identity.
    #[serde(default = "defaults::identity_claims")]
    pub identity_claims: Vec<String>,
    /// Claims that hold a user's name.
    #[serde(default = "defaults::user_name_claims")]
    pub user_name_claims: Vec<String>,
    /// Claims that list scopes.
    #[serde(default = "defaults::scope_claims")]
    pub scope_claims: Vec<String>,
    /// Claims that list user levels.
    #[serde(default = "defaults::level_claims")]
    pub level_claims: Vec<String>,
    /// Claims that list the sources whose rows the caller may see.
    #[serde(default = "defaults::source_claims")]
    pub source_claims: Vec<String>,
    /// Further names of scopes.
    #[serde(default)]
    pub scopes: BTreeMap<String, Scope>,
    /// Further names of user levels.
    #[serde(default)]
    pub levels: BTreeMap<String, UserLevel>,
}

/// How applications are told from users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callers {
    /// An application's subject is its client.
    #[default]
    Subject,
    /// An application's token has a claim with a value.
    Claim,
    /// All are users.
    Users,
    /// All are applications.
    Applications,
}

mod defaults {
    pub fn leeway_s() -> u32 {
        30
    }

    pub fn keys_refresh_s() -> u32 {
        300
    }

    pub fn keys_floor_s() -> u32 {
        30
    }

    pub fn keys_keep_s() -> u32 {
        3_600
    }

    pub fn keys_timeout_ms() -> u64 {
        5_000
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    pub fn tenant_claims() -> Vec<String> {
        names(&["tenant_id"])
    }

    pub fn client_claims() -> Vec<String> {
        names(&["client_id", "azp"])
    }

    pub fn identity_claims() -> Vec<String> {
        names(&["identity_id", "sub"])
    }

    pub fn user_name_claims() -> Vec<String> {
        names(&["user_name", "preferred_username"])
    }

    pub fn scope_claims() -> Vec<String> {
        names(&["scope", "scp"])
    }

    pub fn level_claims() -> Vec<String> {
        names(&["levels", "authorities"])
    }

    pub fn source_claims() -> Vec<String> {
        names(&["source_ids"])
    }
}

/// A clock that differs by more is wrong.
const LEEWAY_S_MAX: u32 = 300;

impl Issuer {
    /// What no single value shows to be wrong. `tenant` is the tenant of this service.
    pub(super) fn fault(&self, tenant: &str) -> Option<String> {
        let fault = |key: &str, reason: &str| Some(format!("{:?}: {key}: {reason}", self.name));
        match (&self.jwks_url, &self.jwks_file) {
            (Some(_), Some(_)) => return fault("jwks_file", "jwks_url is there too: expected one of them"),
            (None, None) => return fault("jwks_url", "missing: expected it or jwks_file"),
            (Some(_), None) | (None, Some(_)) => {}
        }
        if self.leeway_s > LEEWAY_S_MAX {
            return fault("leeway_s", &format!("{}: expected at most {LEEWAY_S_MAX}", self.leeway_s));
        }
        if self.keys_floor_s == 0 || self.keys_timeout_ms == 0 {
            return fault("keys_floor_s", "it or keys_timeout_ms is 0: expected at least 1");
        }
        if self.keys_floor_s > self.keys_refresh_s || self.keys_refresh_s > self.keys_keep_s {
            return fault(
                "keys_refresh_s",
                "expected it between keys_floor_s and keys_keep_s: keys must be renewed before they are given up",
            );
        }
        let mut tenants = self.tenant.iter().chain(self.tenants.values());
        if let Some(stranger) = tenants.find(|name| *name != tenant) {
            return fault("tenants", &format!("{stranger:?}: expected {tenant:?}, which is tenant.id"));
        }
        let told = self.application_claim.is_some() && self.application_value.is_some();
        match self.callers {
            Callers::Claim if !told => {
                fault("callers", "claim: expected application_claim and application_value beside it")
            }
            Callers::Subject | Callers::Users | Callers::Applications
                if self.application_claim.is_some() || self.application_value.is_some() =>
            {
                fault("application_claim", "it counts only with callers = \"claim\"")
            }
            Callers::Subject | Callers::Claim | Callers::Users | Callers::Applications => None,
        }
    }
}
