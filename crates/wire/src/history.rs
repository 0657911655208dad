//! Bodies of the history of identities (historical-identities).

use crate::enumeration::{
    AccessDecision, AccessDiffType, AccessItemType, AccountStatusName, GovernanceEventType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{AnyOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// The schema of an enumeration of objects: any of theirs.
macro_rules! any_of {
    (#[doc = $doc:literal] $name:ident: $($of:ident,)+) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let any = AnyOfBuilder::new()
                    .schema_type(SchemaType::new(Type::Object))
                    .description(Some($doc.trim()))
                    $(.item(Ref::from_schema_name($of::name())))+;
                RefOr::T(Schema::AnyOf(any.build()))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    schemas.push(($of::name().into_owned(), $of::schema()));
                    <$of as ToSchema>::schemas(schemas);
                )+
            }
        }
    };
}

/// An application that an access profile belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessItemAppRef {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub cloud_app_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub cloud_app_name: Option<String>,
}

/// An access profile that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item Access Profile Response")]
pub struct AccessItemAccessProfileResponse {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c918087763e69d901763e72e97f006f")]
    pub id: Option<String>,
    /// The type of access item: `accessProfile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "accessProfile")]
    pub access_type: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Engineers")]
    pub display_name: Option<String>,
    /// Name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Active Directory")]
    pub source_name: Option<String>,
    /// How many entitlements it has; 0 if the snapshot does not know the access profile.
    #[schema(example = 12)]
    pub entitlement_count: i32,
    /// What it is for.
    #[serde(default)]
    #[schema(required = false)]
    pub description: Option<String>,
    /// Id of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180897e7742b2017e781782f705b9")]
    pub source_id: Option<String>,
    /// The applications that it belongs to.
    pub app_refs: Vec<AccessItemAppRef>,
    /// When it is assigned; this service does not know.
    #[serde(default)]
    #[schema(required = false)]
    pub start_date: Option<String>,
    /// When it is removed; this service does not know.
    #[serde(default)]
    #[schema(required = false)]
    pub remove_date: Option<String>,
    /// Whether the identity has it by itself, and not through a role.
    #[schema(required = true)]
    pub standalone: Option<bool>,
    /// Whether it can be revoked.
    #[schema(required = true)]
    pub revocable: Option<bool>,
}

/// An account that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item Account Response")]
pub struct AccessItemAccountResponse {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c918087763e69d901763e72e97f006f")]
    pub id: Option<String>,
    /// The type of access item: `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "account")]
    pub access_type: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Engineers")]
    pub display_name: Option<String>,
    /// Name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Active Directory")]
    pub source_name: Option<String>,
    /// Its key in the source.
    #[schema(example = "dr.arden.ogahn.d")]
    pub native_identity: String,
    /// Id of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180897e7742b2017e781782f705b9")]
    pub source_id: Option<String>,
    /// How many entitlements it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = 12)]
    pub entitlement_count: Option<i32>,
}

/// An application that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item App Response")]
pub struct AccessItemAppResponse {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c918087763e69d901763e72e97f006f")]
    pub id: Option<String>,
    /// The type of access item: `app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "app")]
    pub access_type: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Engineers")]
    pub display_name: Option<String>,
    /// Name of its source, if it has one.
    #[serde(default)]
    #[schema(required = false)]
    pub source_name: Option<String>,
    /// Id of the application's role; this service does not know.
    #[schema(required = true)]
    pub app_role_id: Option<String>,
}

/// An entitlement that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item Entitlement Response")]
pub struct AccessItemEntitlementResponse {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c918087763e69d901763e72e97f006f")]
    pub id: Option<String>,
    /// The type of access item: `entitlement`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "entitlement")]
    pub access_type: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Engineers")]
    pub display_name: Option<String>,
    /// Name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Active Directory")]
    pub source_name: Option<String>,
    /// The attribute of the account.
    #[schema(example = "memberOf")]
    pub attribute: String,
    /// The attribute's value.
    #[schema(example = "CN=Engineers")]
    pub value: String,
    /// What it is in its source, such as `group`; `ENTITLEMENT` if that is not known.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    #[serde(default)]
    #[schema(required = false)]
    pub description: Option<String>,
    /// Id of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180897e7742b2017e781782f705b9")]
    pub source_id: Option<String>,
    /// Whether the identity has it by itself, and not through an access profile.
    #[schema(required = true)]
    pub standalone: Option<bool>,
    /// Whether it is privileged.
    #[schema(required = true)]
    pub privileged: Option<bool>,
    /// Whether it is governed.
    #[schema(required = true)]
    pub cloud_governed: Option<bool>,
}

/// A role that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Access Item Role Response")]
pub struct AccessItemRoleResponse {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c918087763e69d901763e72e97f006f")]
    pub id: Option<String>,
    /// The type of access item: `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "role")]
    pub access_type: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Engineers")]
    pub display_name: Option<String>,
    /// Name of its source, if it has one.
    #[serde(default)]
    #[schema(required = false)]
    pub source_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub description: Option<String>,
    /// When it is assigned; this service does not know.
    #[serde(default)]
    #[schema(required = false)]
    pub start_date: Option<String>,
    /// When it is removed; this service does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub remove_date: Option<String>,
    /// Whether it can be revoked; false if that is not known.
    pub revocable: bool,
}

/// Something that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AccessItemResponse {
    /// An entitlement.
    Entitlement(AccessItemEntitlementResponse),
    /// An access profile.
    AccessProfile(AccessItemAccessProfileResponse),
    /// An account.
    Account(AccessItemAccountResponse),
    /// A role.
    Role(AccessItemRoleResponse),
    /// An application.
    App(AccessItemAppResponse),
}

any_of!(
    /// Something that an identity has: an entitlement, an access profile, an account, a role or an application.
    AccessItemResponse:
    AccessItemEntitlementResponse,
    AccessItemAccessProfileResponse,
    AccessItemAccountResponse,
    AccessItemRoleResponse,
    AccessItemAppResponse,
);

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

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

/// An access item that an identity gained or lost between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessItemDiff {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub id: Option<String>,
    /// `ADD` if it was gained, `REMOVE` if it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub event_type: Option<AccessDiffType>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub display_name: Option<String>,
    /// Name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source_name: Option<String>,
}

/// How many access items of a type were gained and lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessItemCounts {
    /// Gained.
    #[schema(example = 2)]
    pub access_added: i32,
    /// Lost.
    #[schema(example = 3)]
    pub access_removed: i32,
}

/// How many access items an identity gained and lost between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityCompareResponse {
    /// The numbers, by type of access item.
    #[schema(required = false)]
    pub access_item_diff: BTreeMap<String, AccessItemCounts>,
}

/// An identity as one snapshot has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityHistoryResponse {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "bc693f07e7b645539626c25954c58554")]
    pub id: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Adam Zampa")]
    pub display_name: Option<String>,
    /// The snapshot's time, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub snapshot: Option<String>,
    /// When it left; absent if it had not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub deleted_date: Option<String>,
    /// How many access items of each type it has.
    #[schema(required = false)]
    pub access_item_count: BTreeMap<String, i32>,
    /// Its attributes. One value is a text, several are a list.
    #[schema(value_type = Object, required = false)]
    pub attributes: Map<String, Value>,
}

/// An identity of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityListItem {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "bc693f07e7b645539626c25954c58554")]
    pub id: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Adam Zampa")]
    pub display_name: Option<String>,
    /// First name.
    #[serde(default)]
    #[schema(required = false)]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default)]
    #[schema(required = false)]
    pub last_name: Option<String>,
    /// Whether it has not left and its status is neither DISABLED nor TERMINATED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub active: Option<bool>,
    /// When it left; null if it has not.
    #[serde(default)]
    #[schema(required = false)]
    pub deleted_date: Option<String>,
}

/// A snapshot that shows an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySnapshotSummaryResponse {
    /// The snapshot's time, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-31T04:00:00.000Z")]
    pub snapshot: Option<String>,
}

/// A bar of a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricResponse {
    /// When its day or month begins, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2026-03-01T00:00:00.000Z")]
    pub name: Option<String>,
    /// How many events it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, nullable = false, required = false, example = 2)]
    pub value: Option<u64>,
}
