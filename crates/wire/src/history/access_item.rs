//! What an identity has.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::schema::{AnyOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

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
    #[serde(default)]
    #[schema(required = true)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// One of a type that was not published when this was written; only ever read, never written.
    Other(Map<String, Value>),
}

read_by!(AccessItemResponse: "accessType" {
    "entitlement" => Entitlement,
    "accessProfile" => AccessProfile,
    "account" => Account,
    "role" => Role,
    "app" => App,
});

any_of!(
    /// Something that an identity has: an entitlement, an access profile, an account, a role or an application.
    AccessItemResponse:
    AccessItemEntitlementResponse,
    AccessItemAccessProfileResponse,
    AccessItemAccountResponse,
    AccessItemRoleResponse,
    AccessItemAppResponse,
);
