//! Bodies of the token endpoint (RFC 6749, sections 5.1 and 5.2, with the fields of the
//! published service).

use crate::null_is_default;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// A granted token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenAnswer {
    /// The token, a JWT.
    pub access_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    pub token_type: String,
    /// Seconds until it expires.
    #[schema(example = 43200)]
    pub expires_in: i64,
    /// What it grants, separated by spaces.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false, example = "sp:report:manage")]
    pub scope: String,
    /// The organisation's id.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub tenant_id: String,
    /// The organisation's name.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub org: String,
    /// Where the service runs.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub pod: String,
    /// The user's identity; null for an application.
    #[serde(default)]
    pub identity_id: Option<String>,
    /// The user's name; null for an application.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Whether the user proved more than the secret.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub strong_auth: bool,
    /// Whether the service can ask for more than the secret.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub strong_auth_supported: bool,
    /// The token's own id.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub jti: String,
}

impl fmt::Debug for TokenAnswer {
    /// Without the token: answers end in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("jti", &self.jti)
            .finish_non_exhaustive()
    }
}

/// What was wrong with a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OAuthErrorCode {
    /// A parameter is missing or repeated, or the encoding is not accepted.
    InvalidRequest,
    /// Unknown client, wrong secret, or a disabled client.
    InvalidClient,
    /// The grant is not valid.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The grant is not `client_credentials`.
    UnsupportedGrantType,
    /// A scope that the client does not have, or none that is known.
    InvalidScope,
}

/// A refused token request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthError {
    /// What was wrong.
    pub error: OAuthErrorCode,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_description: Option<String>,
}
