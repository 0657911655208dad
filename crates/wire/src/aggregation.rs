//! Bodies of aggregations over what a search finds.

use crate::enumeration::{BucketType, MetricType, SearchFilterType};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One level of aggregations: a nested one has the filter inside of it, the filter has the buckets, and the buckets have the
/// metric and the aggregation of the next level.
macro_rules! level {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner_doc:meta])* $inner:ident: $next:ty,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Goes on with the elements of a list.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false)]
            pub nested: Option<NestedAggregation>,
            /// Computes a number.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false)]
            pub metric: Option<MetricAggregation>,
            /// Goes on with what has a value.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false)]
            pub filter: Option<FilterAggregation>,
            /// Makes a bucket for each value.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false)]
            pub bucket: Option<BucketAggregation>,
            $(
                $(#[$inner_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schema(nullable = false, required = false)]
                pub $inner: Option<$next>,
            )?
        }
    };
}

level! {
    /// Aggregations without further ones inside of them.
    Aggregations {}
}

level! {
    /// Aggregations inside of the buckets of others.
    SubSearchAggregationSpecification {
        /// Aggregations inside of the buckets.
        sub_aggregation: Aggregations,
    }
}

level! {
    /// Aggregations over the documents that a search finds.
    SearchAggregationSpecification {
        /// Aggregations inside of the buckets.
        sub_aggregation: SubSearchAggregationSpecification,
    }
}

/// Goes on with the elements of a list of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NestedAggregation {
    /// Its name in the answer.
    #[schema(example = "Access")]
    pub name: String,
    /// The list. A published example has it in `field`, which is accepted too.
    #[serde(rename = "type")]
    #[schema(example = "access")]
    pub kind: String,
}

/// Computes a number over the values of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricAggregation {
    /// Its name in the answer.
    #[schema(example = "How Many Locations")]
    pub name: String,
    /// Which number; `UNIQUE_COUNT` where it is absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<MetricType>,
    /// The field, from the document on.
    #[schema(example = "attributes.city")]
    pub field: String,
}

/// Makes a bucket for each value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketAggregation {
    /// Its name in the answer.
    #[schema(example = "Identity Locations")]
    pub name: String,
    /// What buckets are made of; `TERMS` where it is absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<BucketType>,
    /// The field, from the document on. With `@` before it, elements of lists are counted and not documents.
    #[schema(example = "attributes.city")]
    pub field: String,
    /// Most buckets, 1 to 10,000; 10 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = 100)]
    pub size: Option<i32>,
    /// Fewest documents of a bucket; 1 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = 2)]
    pub min_doc_count: Option<i32>,
}

/// Goes on with what has a value, compared whole and with case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterAggregation {
    /// Its name in the answer.
    #[schema(example = "Entitlements")]
    pub name: String,
    /// What is compared; `TERM` where it is absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<SearchFilterType>,
    /// The field, from the document on.
    #[schema(example = "access.type")]
    pub field: String,
    /// The value.
    #[schema(example = "ENTITLEMENT")]
    pub value: String,
}
