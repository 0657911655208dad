//! Bodies of saved and scheduled searches.

use crate::enumeration::{DtoType, IdentityType, ScheduleType, SearchIndex, SelectorType};
use crate::search::Filter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A reference to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TypedReference {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: DtoType,
    /// Its id.
    #[schema(example = "2c91808568c529c60168cca6f90c1313")]
    pub id: String,
}

/// A reference to an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityReference {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: IdentityType,
    /// Its id.
    #[schema(example = "2c9180867624cbd7017642d8c8c81f67")]
    pub id: String,
}

/// A column of a saved search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// Name of the field.
    #[schema(example = "email")]
    pub field: String,
    /// What a person sees above it. The files of an execution have the names of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Work Email")]
    pub header: Option<String>,
}

macro_rules! saved_search {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($own)*
            /// Its name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false, example = "Disabled accounts")]
            pub name: Option<String>,
            /// What it is for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false)]
            pub description: Option<String>,
            /// When it was made. In a request it changes nothing.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false, value_type = Option<String>, format = DateTime)]
            pub created: Option<String>,
            /// When it was last changed. In a request it changes nothing.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false, value_type = Option<String>, format = DateTime)]
            pub modified: Option<String>,
            /// What to search in.
            pub indices: Vec<SearchIndex>,
            /// By type of document (`identity`, `role` and so on): the columns of the files.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false)]
            pub columns: Option<BTreeMap<String, Vec<Column>>>,
            /// The query's text.
            #[schema(example = "@accounts(disabled:true)")]
            pub query: String,
            /// The fields in which words without a field are looked for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false)]
            pub fields: Option<Vec<String>>,
            /// By type of document: the sort keys. It takes precedence over `sort`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false)]
            pub order_by: Option<BTreeMap<String, Vec<String>>>,
            /// The sort keys.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false)]
            pub sort: Option<Vec<String>>,
            /// By field: conditions beside the query.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false)]
            pub filters: Option<BTreeMap<String, Filter>>,
        }
    };
}

saved_search! {
    /// A search to be kept.
    NewSavedSearch {}
}

saved_search! {
    /// A saved search.
    SavedSearch {
        /// Its id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, required = false, example = "0de46054fe90434ab84ec6b3359d0c64")]
        pub id: Option<String>,
        /// The identity whose it is. It does not change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, required = false)]
        pub owner: Option<TypedReference>,
        /// Its id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, required = false, example = "2c91808568c529c60168cca6f90c1313")]
        pub owner_id: Option<String>,
        /// Whether others see it: always false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, required = false, example = false)]
        pub public: Option<bool>,
    }
}

/// How a saved search is executed: as a scheduled search executes it, or for an owner and recipients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchArguments {
    /// The scheduled search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "7a7246400c174ce9a8c34a89738459c8")]
    pub schedule_id: Option<String>,
    /// The identity whose search it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub owner: Option<TypedReference>,
    /// The identities that get mail when the search has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub recipients: Option<Vec<TypedReference>>,
}

/// A choice of hours, days or months.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Selector {
    /// What the values mean.
    #[serde(rename = "type")]
    pub kind: SelectorType,
    /// The values; of a range the first and the last one.
    #[schema(example = json!(["MON", "WED"]))]
    pub values: Vec<String>,
    /// Of a range: every so many values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = 3)]
    pub interval: Option<i32>,
}

/// When a scheduled search is executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// How often.
    #[serde(rename = "type")]
    pub kind: ScheduleType,
    /// The months, 1 to 12, of `ANNUALLY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub months: Option<Selector>,
    /// The days: MON to SUN for `WEEKLY`, 1 to 31 and L for `MONTHLY` and `ANNUALLY`, dates for `CALENDAR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub days: Option<Selector>,
    /// The hours, 0 to 23.
    pub hours: Selector,
    /// Nothing is executed after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    pub expiration: Option<String>,
    /// A name of the IANA time zone database; the service's time zone where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "America/Chicago")]
    pub time_zone_id: Option<String>,
}

macro_rules! scheduled_search {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($own)*
            /// Its name.
            #[serde(default)]
            #[schema(required = false, example = "Daily disabled accounts")]
            pub name: Option<String>,
            /// What it is for.
            #[serde(default)]
            #[schema(required = false)]
            pub description: Option<String>,
            /// The saved search that is executed.
            #[schema(example = "554f1511f0a14744ab14599514d3e57c")]
            pub saved_search_id: String,
            /// When it was made. In a request it changes nothing.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false, value_type = Option<String>, format = DateTime)]
            pub created: Option<String>,
            /// When it was last changed. In a request it changes nothing.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(required = false, value_type = Option<String>, format = DateTime)]
            pub modified: Option<String>,
            /// When it is executed.
            pub schedule: Schedule,
            /// The identities that get mail when an execution has ended.
            pub recipients: Vec<IdentityReference>,
            /// Whether it is executed; false where a request does not have it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false, example = false)]
            pub enabled: Option<bool>,
            /// Whether there is mail where nothing is found; false where a request does not have it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false, example = false)]
            pub email_empty_results: Option<bool>,
            /// Whether the mail has the query; false where a request does not have it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false, example = false)]
            pub display_query_details: Option<bool>,
        }
    };
}

scheduled_search! {
    /// A search to be scheduled.
    NewScheduledSearch {}
}

scheduled_search! {
    /// A scheduled search.
    ScheduledSearch {
        /// Its id.
        #[schema(example = "0de46054fe90434ab84ec6b3359d0c64")]
        pub id: String,
        /// The identity whose it is.
        pub owner: IdentityReference,
        /// Its id.
        #[schema(example = "2c9180867624cbd7017642d8c8c81f67")]
        pub owner_id: String,
    }
}
