//! Bodies of refusals.

use crate::enumeration::LocaleOrigin;
use crate::null_is_default;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One text in one locale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorMessageDto {
    /// The locale of the text, a BCP 47 language tag.
    #[schema(example = "en-US")]
    pub locale: Option<String>,
    /// How the locale was chosen.
    pub locale_origin: Option<LocaleOrigin>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorResponseDto {
    /// Fine-grained code of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "400.1 Bad Request Content")]
    pub detail_code: Option<String>,
    /// 32 hex digits under which the service's log has the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "e7eab60924f64aa284175b9fa3309599")]
    pub tracking_id: Option<String>,
    /// The general reason.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub messages: Vec<ErrorMessageDto>,
    /// What exactly was wrong: the place, the value's kind and what was expected.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub causes: Vec<ErrorMessageDto>,
}

/// Body of a 401 outside the token endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unauthorized {
    /// The reason.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false, example = "JWT validation failed: JWT is expired")]
    pub error: String,
}

/// Body of a 429.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateLimited {
    /// The reason.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false, example = " Rate Limit Exceeded ")]
    pub message: String,
}
