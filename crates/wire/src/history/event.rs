//! What happened to an identity.

use super::access_item::AccessItemResponse;
use crate::enumeration::{AccessDecision, AccessItemType, AccountStatusName, GovernanceEventType};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::schema::{AnyOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Somebody who decides about access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertifierResponse {
    /// Id of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub id: Option<String>,
    /// Name of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub display_name: Option<String>,
}

/// The decision that changed access. This service knows none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CorrelatedGovernanceEvent {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub name: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub date_time: Option<String>,
    /// What it is.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<GovernanceEventType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub governance_id: Option<String>,
    /// Its owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub owners: Option<Vec<CertifierResponse>>,
    /// Its reviewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reviewers: Option<Vec<CertifierResponse>>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decision_maker: Option<CertifierResponse>,
}

/// An identity gained an access item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item Associated")]
pub struct AccessItemAssociated {
    /// What happened: `AccessItemAssociated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "AccessItemAssociated")]
    pub event_type: Option<String>,
    /// The time of the first snapshot that shows it, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub date_time: Option<String>,
    /// Id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_id: Option<String>,
    /// What it gained.
    pub access_item: AccessItemResponse,
    /// The decision; this service knows none.
    #[schema(required = true)]
    pub governance_event: Option<CorrelatedGovernanceEvent>,
    /// The type of the access item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub access_item_type: Option<AccessItemType>,
}

/// An identity lost an access item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item Removed")]
pub struct AccessItemRemoved {
    /// What happened: `AccessItemRemoved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "AccessItemRemoved")]
    pub event_type: Option<String>,
    /// The time of the first snapshot that shows it, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub date_time: Option<String>,
    /// Id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_id: Option<String>,
    /// What it lost, as it was in the snapshot before.
    pub access_item: AccessItemResponse,
    /// The decision; this service knows none.
    #[serde(default)]
    #[schema(required = false)]
    pub governance_event: Option<CorrelatedGovernanceEvent>,
    /// The type of the access item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub access_item_type: Option<AccessItemType>,
}

/// The new value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeChange {
    /// The attribute's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "department")]
    pub name: Option<String>,
    /// Its value before; absent if it had none. Several values are joined by `; `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub previous_value: Option<String>,
    /// Its value since; absent if it has none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub new_value: Option<String>,
}

/// Attributes of an identity have other values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Attributes Changed")]
pub struct AttributesChanged {
    /// The attributes.
    pub attribute_changes: Vec<AttributeChange>,
    /// What happened: `AttributesChanged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "AttributesChanged")]
    pub event_type: Option<String>,
    /// The time of the first snapshot that shows it, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub date_time: Option<String>,
    /// Id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_id: Option<String>,
}

/// An account that may be used, or may not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedAccount {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub id: Option<String>,
    /// Its key in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub native_identity: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub display_name: Option<String>,
    /// Id of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source_id: Option<String>,
    /// Name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source_name: Option<String>,
    /// How many entitlements it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = 12)]
    pub entitlement_count: Option<i32>,
    /// The type of access item: `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "account")]
    pub access_type: Option<String>,
}

/// The status of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    /// Its status before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub previous_status: Option<AccountStatusName>,
    /// Its status since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub new_status: Option<AccountStatusName>,
}

/// The status of an account changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Account Status Changed")]
pub struct AccountStatusChanged {
    /// What happened: `AccountStatusChanged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "AccountStatusChanged")]
    pub event_type: Option<String>,
    /// The time of the first snapshot that shows it, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub date_time: Option<String>,
    /// Id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_id: Option<String>,
    /// The account.
    pub account: ChangedAccount,
    /// Its statuses.
    pub status_change: StatusChange,
}

/// Somebody asked for access. This service has no such events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Requested")]
pub struct AccessRequested {
    /// What was asked for.
    pub access_request: AccessRequestResponse,
    /// What happened: `AccessRequested`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "AccessRequested")]
    pub event_type: Option<String>,
    /// The time of the first snapshot that shows it, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub date_time: Option<String>,
    /// Id of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_id: Option<String>,
}

/// A request for access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessRequestResponse {
    /// Id of the person who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub requester_id: Option<String>,
    /// Name of the person who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub requester_name: Option<String>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub items: Option<Vec<AccessRequestItemResponse>>,
}

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessRequestItemResponse {
    /// What is to be done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub operation: Option<String>,
    /// The type of the access item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub access_item_type: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub name: Option<String>,
    /// How it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decision: Option<AccessDecision>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub description: Option<String>,
    /// Id of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source_id: Option<String>,
    /// Name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source_name: Option<String>,
    /// Who approves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub approval_infos: Option<Vec<ApprovalInfoResponse>>,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalInfoResponse {
    /// Id of the approver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub id: Option<String>,
    /// Name of the approver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub name: Option<String>,
    /// How it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub status: Option<String>,
}

/// An identity was certified. This service has no such events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Identity Certified")]
pub struct IdentityCertified {
    /// Id of the certification.
    pub certification_id: String,
    /// Name of the certification.
    pub certification_name: String,
    /// When it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub signed_date: Option<String>,
    /// Its certifiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub certifiers: Option<Vec<CertifierResponse>>,
    /// Its reviewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reviewers: Option<Vec<CertifierResponse>>,
    /// Who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub signer: Option<CertifierResponse>,
    /// What happened: `IdentityCertified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "IdentityCertified")]
    pub event_type: Option<String>,
    /// The time of the first snapshot that shows it, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub date_time: Option<String>,
}

/// An event of an identity's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum IdentityEvent {
    /// An access item was gained.
    Associated(Box<AccessItemAssociated>),
    /// An access item was lost.
    Removed(Box<AccessItemRemoved>),
    /// Attributes changed.
    Attributes(AttributesChanged),
    /// The status of an account changed.
    Status(AccountStatusChanged),
    /// The identity was certified.
    Certified(Box<IdentityCertified>),
    /// Access was requested.
    Requested(Box<AccessRequested>),
    /// One of a type that was not published when this was written; only ever read, never written.
    Other(Map<String, Value>),
}

read_by!(IdentityEvent: "eventType" {
    "AccessItemAssociated" => Associated,
    "AccessItemRemoved" => Removed,
    "AttributesChanged" => Attributes,
    "AccountStatusChanged" => Status,
    "IdentityCertified" => Certified,
    "AccessRequested" => Requested,
});

any_of!(
    /// An event of an identity's history. `IdentityCertified` and `AccessRequested` are published; this service has none.
    IdentityEvent:
    IdentityCertified,
    AccessItemAssociated,
    AccessItemRemoved,
    AttributesChanged,
    AccessRequested,
    AccountStatusChanged,
);
