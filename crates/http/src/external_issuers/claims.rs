//! What an issuer's claims mean: from claims to a [`Caller`].
//!
//! A claim that is not understood gives fewer rights, never more. A scope or level with an unknown name is ignored. A
//! caller who is not shown to be an application is a user, who needs a level to start reports. A tenant that is neither
//! ours nor translated into ours is refused.

use crate::access_tokens::TokenRefusal;
use muster_reports::Caller;
use muster_reports::caller::{DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::ids::{ClientId, TenantId};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Longest client id, user name or identity id, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// How applications are told from users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CallerRule {
    /// A token belongs to an application if its subject is its client (RFC 9068, section 2.2), and otherwise to a user.
    #[default]
    Subject,
    /// A token belongs to an application if this claim has this value, and otherwise to a user.
    Claim {
        /// The claim.
        claim: String,
        /// Its value.
        value: String,
    },
    /// Every token belongs to a user.
    Users,
    /// Every token belongs to an application.
    Applications,
}

/// Whose tokens these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantRule {
    /// This tenant's, whatever the token says.
    Always(TenantId),
    /// As the token says.
    Claim {
        /// Claims that name the tenant; the first that is there counts.
        claims: Vec<String>,
        /// The tenants of this service. A token that names one of them belongs to it.
        ours: Vec<TenantId>,
        /// Other names, and the tenant of this service that each means.
        names: BTreeMap<String, TenantId>,
    },
}

/// What claims mean. A claim's name that begins with `/` is a JSON pointer (RFC 6901): `/realm_access/roles`.
/// Of several names the first that is there counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRules {
    /// The client, a text.
    pub client: Vec<String>,
    /// The identity of a user, a text.
    pub identity: Vec<String>,
    /// The name of a user, a text; the identity where there is none.
    pub user_name: Vec<String>,
    /// Scopes, as a list or as one text with spaces.
    pub scopes: Vec<String>,
    /// User levels, as a list or as one text with spaces.
    pub levels: Vec<String>,
    /// Ids of the sources whose rows the caller may see, as a list or as one text with spaces. Without such a claim,
    /// the caller sees all rows of the tenant. A claim that is null or empty names no source, so the caller sees no
    /// row.
    pub sources: Vec<String>,
    /// How applications are told from users.
    pub callers: CallerRule,
    /// Whose tokens these are.
    pub tenant: TenantRule,
    /// Further names of scopes; the published names always count.
    pub scope_names: BTreeMap<String, Scope>,
    /// Further names of user levels; the published names always count.
    pub level_names: BTreeMap<String, UserLevel>,
}

impl ClaimRules {
    /// Rules with the usual names of claims, for the tenant that `tenant` says.
    pub fn usual(tenant: TenantRule) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            client: names(&["client_id", "azp"]),
            identity: names(&["identity_id", "sub"]),
            user_name: names(&["user_name", "preferred_username"]),
            scopes: names(&["scope", "scp"]),
            levels: names(&["levels", "authorities"]),
            sources: names(&["source_ids"]),
            callers: CallerRule::default(),
            tenant,
            scope_names: BTreeMap::new(),
            level_names: BTreeMap::new(),
        }
    }

    /// What is wrong with these rules.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.client.is_empty() {
            return Err("no claim names the client: expected at least one".into());
        }
        match &self.tenant {
            TenantRule::Claim { claims, .. } if claims.is_empty() => {
                Err("no claim names the tenant: expected at least one, or a fixed tenant".into())
            }
            TenantRule::Claim { ours, names, .. } => match names.values().find(|name| !ours.contains(name)) {
                None => Ok(()),
                Some(stranger) => Err(format!(
                    "a tenant name is mapped to {:?}, which is not a tenant of this service",
                    stranger.as_str()
                )),
            },
            TenantRule::Always(_) => Ok(()),
        }
    }

    /// The caller that checked claims of the issuer called `issuer` describe.
    pub(super) fn caller(&self, issuer: &str, claims: &Map<String, Value>) -> Result<Caller, TokenRefusal> {
        let client = text(claims, &self.client, "the token's client is not a short text")?
            .ok_or(TokenRefusal::invalid("no claim of the token names a client"))?;
        // The only claim whose absence gives more rights. So an empty claim must not count as absent.
        let data_scope = match self.sources.iter().find_map(|name| value_at(claims, name)) {
            None => DataScope::Everything,
            Some(value) => {
                let ids = if value.is_null() { Some(Vec::new()) } else { words(value) };
                let ids = ids.ok_or(TokenRefusal::invalid("the token's sources are not a list of texts"))?;
                DataScope::of_sources(ids)
                    .map_err(|_| TokenRefusal::invalid("the token's sources are not valid source ids"))?
            }
        };
        Ok(Caller {
            tenant: self.tenant(claims)?,
            client: ClientId::new(format!("{issuer}:{client}")),
            user: if self.is_application(claims, &client) { None } else { Some(self.user(claims)?) },
            scopes: named(claims, &self.scopes, &self.scope_names)?,
            data_scope,
            trace: None,
        })
    }

    fn tenant(&self, claims: &Map<String, Value>) -> Result<TenantId, TokenRefusal> {
        match &self.tenant {
            TenantRule::Always(tenant) => Ok(tenant.clone()),
            TenantRule::Claim { claims: from, ours, names } => {
                let name = text(claims, from, "the token's tenant is not a short text")?
                    .ok_or(TokenRefusal::invalid("no claim of the token names a tenant"))?;
                let translated = names.get(&name);
                translated
                    .or_else(|| ours.iter().find(|tenant| tenant.as_str() == name))
                    .cloned()
                    .ok_or(TokenRefusal::invalid("the token's tenant is not a tenant of this service"))
            }
        }
    }

    fn is_application(&self, claims: &Map<String, Value>, client: &str) -> bool {
        match &self.callers {
            CallerRule::Users => false,
            CallerRule::Applications => true,
            CallerRule::Subject => claims.get("sub").and_then(Value::as_str) == Some(client),
            CallerRule::Claim { claim, value } => {
                lookup(claims, claim).and_then(Value::as_str) == Some(value.as_str())
            }
        }
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<UserIdentity, TokenRefusal> {
        let id = text(claims, &self.identity, "the token's identity is not a short text")?
            .ok_or(TokenRefusal::invalid("no claim of the token names a user"))?;
        let name = text(claims, &self.user_name, "the token's user name is not a short text")?;
        let mut levels: Vec<UserLevel> = named(claims, &self.levels, &self.level_names)?;
        if levels.is_empty() {
            levels.push(UserLevel::User);
        }
        Ok(UserIdentity { name: name.unwrap_or_else(|| id.clone()), id, levels, audit: None })
    }
}

/// The value of a claim, which may be null. A pointer that leads into a value without members finds null: the claim's
/// parent exists but has another form than it should.
fn value_at<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else { return claims.get(name) };
    let mut segments = pointer.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~"));
    let mut value = claims.get(&segments.next()?)?;
    for segment in segments {
        value = match value {
            Value::Object(members) => members.get(&segment)?,
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => &Value::Null,
        };
    }
    Some(value)
}

fn lookup<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    value_at(claims, name).filter(|value| !value.is_null())
}

fn first<'a>(claims: &'a Map<String, Value>, names: &[String]) -> Option<&'a Value> {
    names.iter().find_map(|name| lookup(claims, name))
}

/// A short text without control characters, because it is written to logs, tasks and covers.
fn text(
    claims: &Map<String, Value>,
    names: &[String],
    refusal: &'static str,
) -> Result<Option<String>, TokenRefusal> {
    let Some(value) = first(claims, names) else { return Ok(None) };
    let fits = |text: &&str| {
        !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
    };
    let text = value.as_str().filter(fits).ok_or(TokenRefusal::invalid(refusal))?;
    Ok(Some(text.to_owned()))
}

/// A list of texts, or one text with spaces.
fn words(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(text.split_whitespace().collect()),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// The rights that the words name, each once; unknown words are ignored.
fn named<T: std::str::FromStr + Copy + PartialEq>(
    claims: &Map<String, Value>,
    from: &[String],
    names: &BTreeMap<String, T>,
) -> Result<Vec<T>, TokenRefusal> {
    let Some(value) = first(claims, from) else { return Ok(Vec::new()) };
    let words =
        words(value).ok_or(TokenRefusal::invalid("the token's scopes or levels are not a list of texts"))?;
    let mut rights = Vec::new();
    for right in words.into_iter().filter_map(|word| names.get(word).copied().or_else(|| word.parse().ok())) {
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
    Ok(rights)
}
