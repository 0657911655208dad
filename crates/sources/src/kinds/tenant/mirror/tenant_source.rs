//! A source as the tenant has it.

use serde_json::Value;

use super::super::source::AccountSchema;

/// A source of the tenant with its account schema, where it has one.
pub(super) struct TenantSource {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) schema: Option<AccountSchema>,
    /// As the tenant's list has it.
    pub(super) object: Value,
}
