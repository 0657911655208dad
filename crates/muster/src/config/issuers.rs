//! `[[auth.issuers]]`: external issuers whose access tokens are accepted.
//!
//! A secret is not among the keys: an issuer's tokens are checked with its public keys, and symmetric
//! algorithms cannot be named.

use super::declared::keys;
use muster_http::SignatureAlgorithm;
use muster_reports::caller::{Scope, UserLevel};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

keys! {
    /// `[[auth.issuers]]`
    Issuer {
        /// A short name: letters, digits, `-`, `_`, `.`. Tasks, limits and the audit trail call its clients
        /// `name:client`.
        name: String = String::new(),
        /// `iss` of its tokens, character by character.
        issuer: String = String::new(),
        /// A token's `aud` must name one of these.
        audience: Vec<String> = Vec::new(),
        /// The algorithms that it signs with, of `EdDSA`, `ES256`, `ES384`, `RS256`, `RS384`, `RS512`,
        /// `PS256`, `PS384`, `PS512`.
        algorithms: Vec<SignatureAlgorithm> = Vec::new(),
        /// Address of its JWK set: HTTPS, or HTTP on this machine. Redirects are not followed. An issuer has
        /// this or `jwks_file`.
        jwks_url: Option<String> = None,
        /// A file with its JWK set instead; a relative path starts from the data directory.
        jwks_file: Option<PathBuf> = None,
        /// How far its clock may differ; at most 300.
        leeway_s: u32 = 30,
        /// Keys of this age are fetched again, so a withdrawn key becomes invalid.
        keys_refresh_s: u32 = 300,
        /// Least time between two fetches, even if tokens name unknown keys.
        keys_floor_s: u32 = 30,
        /// Keys that cannot be fetched again are used until this age.
        keys_keep_s: u32 = 3_600,
        /// How long a fetch may take.
        keys_timeout_ms: u64 = 5_000,
        /// The tenant of all its tokens; must be `tenant.id`. Without it, a claim must name the tenant.
        tenant: Option<String> = None,
        /// Claims that name the tenant.
        tenant_claims: Vec<String> = names(&["tenant_id"]),
        /// Other names of the tenant: `{ "f81d4fae" = "default" }`.
        tenants: BTreeMap<String, String> = BTreeMap::new(),
        /// How applications and users are told apart. (Only users may cancel, and only they need a level to
        /// start.) `subject`: an application's `sub` is its client; `claim`: its token has the claim
        /// `application_claim` with the value `application_value`; `users`: all are users; `applications`:
        /// all are applications.
        callers: Callers = Callers::Subject,
        /// With `callers = "claim"`: the claim that tells applications from users.
        application_claim: Option<String> = None,
        /// With `callers = "claim"`: the value of that claim in tokens of applications.
        application_value: Option<String> = None,
        /// Claims that name the client.
        client_claims: Vec<String> = names(&["client_id", "azp"]),
        /// Claims that name a user's identity.
        identity_claims: Vec<String> = names(&["identity_id", "sub"]),
        /// Claims with a user's name; if there is none, the identity.
        user_name_claims: Vec<String> = names(&["user_name", "preferred_username"]),
        /// Claims with a list of scopes: a list, or a text with spaces.
        scope_claims: Vec<String> = names(&["scope", "scp"]),
        /// Claims with a list of user levels, in the same forms. A user with `AUDITOR` is refused: an issuer's token cannot
        /// carry the limits of an auditor.
        level_claims: Vec<String> = names(&["levels", "authorities"]),
        /// Claims with a list of the ids of the sources whose rows the caller may see, in the same forms.
        /// Without such a claim the caller sees all rows; if it is null or empty, none.
        source_claims: Vec<String> = names(&["source_ids"]),
        /// Further names of scopes. The published names are always valid, and names without a meaning are
        /// ignored.
        scopes: BTreeMap<String, Scope> = BTreeMap::new(),
        /// Further names of user levels, in the same way.
        levels: BTreeMap<String, UserLevel> = BTreeMap::new(),
        /// The client of the console at the issuer. With it, the console offers to sign in there; `console.public_url` is
        /// needed too.
        sign_in_client: Option<String> = None,
        /// A file with the secret of this client, which only its owner may read; a relative path starts from the data
        /// directory. Without it, the client is a public one.
        sign_in_secret_file: Option<PathBuf> = None,
        /// What the sign-in page calls the issuer; if absent, its `name`.
        sign_in_title: Option<String> = None,
        /// The scopes that the console asks for.
        sign_in_scopes: Vec<String> = names(&["openid", "profile"]),
        /// The resource that the access token is asked for (RFC 8707), where the issuer needs it to make a JWT.
        sign_in_resource: Option<String> = None,
        /// Which token the console uses. `access`: the access token, a JWT for one of `audience`; `identity`: the identity
        /// token, whose audience is the client, so that `audience` must name the client.
        sign_in_token: SignInToken = SignInToken::Access,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// How applications are told from users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callers {
    /// An application's subject is its client.
    Subject,
    /// An application's token has a claim with a value.
    Claim,
    /// All are users.
    Users,
    /// All are applications.
    Applications,
}

/// Which token the console uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInToken {
    /// The access token.
    Access,
    /// The identity token.
    Identity,
}

/// A clock that differs by more is wrong.
const LEEWAY_S_MAX: u32 = 300;

impl Issuer {
    /// What no single value shows to be wrong. `tenant` is the tenant of this service.
    pub(super) fn fault(&self, tenant: &str) -> Option<String> {
        let fault = |key: &str, reason: &str| Some(format!("{:?}: {key}: {reason}", self.name));
        let required = [
            ("name", self.name.is_empty()),
            ("issuer", self.issuer.is_empty()),
            ("audience", self.audience.is_empty()),
            ("algorithms", self.algorithms.is_empty()),
        ];
        if let Some((key, _)) = required.into_iter().find(|(_, is_empty)| *is_empty) {
            return fault(key, "missing");
        }
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
        match &self.sign_in_client {
            None if self.sign_in_secret_file.is_some() => {
                return fault("sign_in_secret_file", "it counts only with sign_in_client");
            }
            Some(_) if !self.sign_in_scopes.iter().any(|scope| scope == "openid") => {
                return fault("sign_in_scopes", "openid is missing");
            }
            Some(client)
                if self.sign_in_token == SignInToken::Identity && !self.audience.contains(client) =>
            {
                return fault("sign_in_token", "identity: expected sign_in_client among audience");
            }
            Some(_) | None => {}
        }
        let mut tenants = self.tenant.iter().chain(self.tenants.values());
        if let Some(stranger) = tenants.find(|name| *name != tenant) {
            return fault("tenants", &format!("{stranger:?}: expected {tenant:?}, which is tenant.id"));
        }
        let told = self.application_claim.is_some() && self.application_value.is_some();
        match self.callers {
            Callers::Claim if !told => {
                fault("callers", "claim: expected application_claim and application_value too")
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
