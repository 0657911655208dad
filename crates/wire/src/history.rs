//! Bodies of the history of identities (historical-identities).

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

/// Reads an object as the variant that one of its members names. An object of another kind is kept as it is.
///
/// Why not `untagged`: that takes the first variant which fits, and an event that gained access fits one that lost it.
macro_rules! read_by {
    ($name:ident: $tag:literal { $($value:literal => $variant:ident,)+ }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let object = Map::<String, Value>::deserialize(deserializer)?;
                let tag = object.get($tag).and_then(Value::as_str).map(str::to_owned);
                match tag.as_deref() {
                    $(Some($value) => serde_json::from_value(Value::Object(object))
                        .map(Self::$variant)
                        .map_err(D::Error::custom),)+
                    Some(_) | None => Ok(Self::Other(object)),
                }
            }
        }
    };
}

mod access_item;
mod event;

pub use access_item::{
    AccessItemAccessProfileResponse, AccessItemAccountResponse, AccessItemAppRef, AccessItemAppResponse,
    AccessItemEntitlementResponse, AccessItemResponse, AccessItemRoleResponse,
};
pub use event::{
    AccessItemAssociated, AccessItemRemoved, AccessRequestItemResponse, AccessRequestResponse,
    AccessRequested, AccountStatusChanged, ApprovalInfoResponse, AttributeChange, AttributesChanged,
    CertifierResponse, ChangedAccount, CorrelatedGovernanceEvent, IdentityCertified, IdentityEvent,
    StatusChange,
};

use crate::enumeration::AccessDiffType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

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
