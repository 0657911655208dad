//! Arguments of the seven published reports, for clients that build them and for the OpenAPI
//! document. A service reads arguments as free JSON, because clients send foreign keys as well.

use crate::enumeration::{FileFormat, SearchIndex};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Arguments of the Account Export report (ACCOUNTS).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "ACCOUNTS")]
pub struct AccountsArguments {
    /// Source id.
    #[schema(example = "2c9180897eSourceIde781782f705b9")]
    pub application: String,
    /// Source name.
    #[schema(example = "Active Directory")]
    pub source_name: String,
}

/// Arguments of the Identities Details report (IDENTITIES_DETAILS).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "IDENTITIES_DETAILS")]
pub struct IdentitiesDetailsArguments {
    /// Whether only correlated identities are reported. This service accepts its absence as false.
    #[schema(default = false)]
    pub correlated_only: bool,
}

/// Arguments of the Identities report (IDENTITIES).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "IDENTITIES")]
pub struct IdentitiesArguments {
    /// Whether only correlated identities are reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, default = false)]
    pub correlated_only: Option<bool>,
}

/// Arguments of the Identity Profile Identity Error report (IDENTITY_PROFILE_IDENTITY_ERROR).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "IDENTITY_PROFILE_IDENTITY_ERROR")]
pub struct IdentityProfileIdentityErrorArguments {
    /// Id of the authoritative source.
    #[schema(example = "1234sourceId5678902")]
    pub authoritative_source: String,
}

/// Arguments of the Orphan Identities report (ORPHAN_IDENTITIES).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "ORPHAN_IDENTITIES")]
pub struct OrphanIdentitiesArguments {
    /// Formats to write; both when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub selected_formats: Option<Vec<FileFormat>>,
}

/// Arguments of the Search Export report (SEARCH_EXPORT); its file is a zip of csv files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "SEARCH_EXPORT")]
pub struct SearchExportArguments {
    /// What to search in; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub indices: Option<Vec<SearchIndex>>,
    /// The query, in query string syntax.
    #[schema(example = "name:a*")]
    pub query: String,
    /// Attribute names to report, separated by commas; `NAME.spread` gives a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "displayName,email,attributes.cloudLifecycleState")]
    pub columns: Option<String>,
    /// Sort keys: `field`, `+field` or `-field`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sort: Option<Vec<String>>,
}

/// Arguments of the Uncorrelated Accounts report (UNCORRELATED_ACCOUNTS).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "UNCORRELATED_ACCOUNTS")]
pub struct UncorrelatedAccountsArguments {
    /// Formats to write; both when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub selected_formats: Option<Vec<FileFormat>>,
}

/// Arguments of any published report: the schema only, since one body fits several of them.
#[derive(Debug, Clone, Copy)]
pub struct ReportArguments;

type Schemas = Vec<(String, RefOr<Schema>)>;

impl PartialSchema for ReportArguments {
    fn schema() -> RefOr<Schema> {
        let mut named = Schemas::new();
        <Self as ToSchema>::schemas(&mut named);
        let any = named.iter().filter(|(name, _)| name.ends_with("Arguments")).fold(
            AnyOfBuilder::new().description(Some("What the report needs to know, by name.")),
            |builder, (name, _)| builder.item(Ref::from_schema_name(name)),
        );
        RefOr::T(Schema::AnyOf(any.build()))
    }
}

impl ToSchema for ReportArguments {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ReportArguments")
    }

    fn schemas(schemas: &mut Schemas) {
        fn add<T: ToSchema>(schemas: &mut Schemas) {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        }
        add::<AccountsArguments>(schemas);
        add::<IdentitiesDetailsArguments>(schemas);
        add::<IdentitiesArguments>(schemas);
        add::<IdentityProfileIdentityErrorArguments>(schemas);
        add::<OrphanIdentitiesArguments>(schemas);
        add::<SearchExportArguments>(schemas);
        add::<UncorrelatedAccountsArguments>(schemas);
    }
}
