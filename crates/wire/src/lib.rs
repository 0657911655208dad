//! The published JSON of the Reports Data Extraction API, of the Search API, of saved and scheduled searches, of policies for
//! separation of duties, of the list of tasks and of the history of identities, exactly.
//!
//! These types are the shapes that clients and services exchange, with the published names, and
//! the schemas of our OpenAPI document. They are here, apart from the server, so that the Rust SDK
//! is built from the same shapes without knowing the server.
//!
//! Invariants:
//! - No behaviour and no knowledge of the core: conversions live in the `http` crate.
//! - A field is written as an explicit `null` only where the published document says `nullable` and has no
//!   enumeration, or one with a null; every other absent field is left out.
//! - Enumerations hold the published values only. Reading keeps an unknown value as `Other`, so
//!   that a client does not break on a newer service; a service never writes `Other`.

mod administration;
mod aggregation;
mod arguments;
mod caller;
mod comparison;
mod definition;
mod enumeration;
mod error;
mod history;
mod notification;
mod report;
mod review;
mod saved_search;
mod schedule;
mod search;
mod snapshot;
mod sod;
mod task_status;
mod token;

pub use administration::{
    AuditEventDescription, AuditTrailDescription, ClientDescription, DiskDescription,
    InstallationDescription, IssuerDescription, KeyDescription, LimitDescription, LinkCandidate,
    LinkExplanation, LinkNear, LinkRule, LinkVerdict, PinDetails, RefusedRecordDescription,
    SearchFieldsDescription, SnapshotComparison, SnapshotDifference,
};
pub use aggregation::{
    Aggregations, BucketAggregation, FilterAggregation, MetricAggregation, NestedAggregation,
    SearchAggregationSpecification, SubSearchAggregationSpecification,
};
pub use arguments::{
    AccountsArguments, IdentitiesArguments, IdentitiesDetailsArguments,
    IdentityProfileIdentityErrorArguments, OrphanIdentitiesArguments, ReportArguments, SearchExportArguments,
    UncorrelatedAccountsArguments,
};
pub use caller::{AuditorDescription, CallerDescription};
pub use comparison::ReportComparison;
pub use definition::{
    ArgumentDescription, ColumnDescription, DefinitionCheck, DefinitionFaultDescription,
    KeptDefinitionDescription, NewDefinitionDetails, ReportDescription,
};
pub use enumeration::{
    AccessDecision, AccessDiffType, AccessItemType, AccountStatusName, AggregationType, AssignmentRule,
    BucketType, CompletionStatus, ControlType, CriterionType, DtoType, FileFormat, FilterType,
    GovernanceEventType, IdentityType, JsonPatchOp, LocaleOrigin, MessageType, MetricType, QueryType,
    ReportResultStatus, ReportResultType, ReportType, ResultStatus, ScheduleType, SearchFilterType,
    SearchIndex, SelectorType, SodLevel, SodOwnerType, SodPolicyType, SodState, TargetType,
    TaskCompletionStatus, TaskStatusType, TaskType, ViolationOwnerType,
};
pub use error::{ErrorMessageDto, ErrorResponseDto, RateLimited, Unauthorized};
pub use history::{
    AccessItemAccessProfileResponse, AccessItemAccountResponse, AccessItemAppRef, AccessItemAppResponse,
    AccessItemAssociated, AccessItemCounts, AccessItemDiff, AccessItemEntitlementResponse, AccessItemRemoved,
    AccessItemResponse, AccessItemRoleResponse, AccessRequestItemResponse, AccessRequestResponse,
    AccessRequested, AccountStatusChanged, ApprovalInfoResponse, AttributeChange, AttributesChanged,
    CertifierResponse, ChangedAccount, CorrelatedGovernanceEvent, IdentityCertified, IdentityCompareResponse,
    IdentityEvent, IdentityHistoryResponse, IdentityListItem, IdentitySnapshotSummaryResponse,
    MetricResponse, StatusChange,
};
pub use notification::{NotificationDescription, NotifyDetails};
pub use report::{
    Hold, ListedResult, ReportDetails, ReportResults, TaskResultDetails, TaskResultDetailsMessagesInner,
    TaskResultDetailsReturnsInner,
};
pub use review::{
    ListedReviewerDetails, NewReviewDetails, RefusedSheetRow, ReviewDecisionDetails, ReviewDecisions,
    ReviewDescription, ReviewHandOver, ReviewItemDescription, ReviewOutcome, ReviewProgress,
};
pub use saved_search::{
    Column, IdentityReference, NewSavedSearch, NewScheduledSearch, SavedSearch, Schedule, ScheduledSearch,
    SearchArguments, Selector, TypedReference,
};
pub use schedule::{NewScheduleDetails, ScheduleChange, ScheduleDescription, ScheduleRun};
pub use search::{
    AggregationResult, Filter, FilterBound, FilterRange, InnerHit, QueryResultFilter, Search, SearchDocument,
    SearchQuery, TextQuery, TypeAheadQuery,
};
pub use snapshot::{SnapshotDescription, SourceDescription, SourceSum};
pub use sod::{
    AccessCriteria, AccessCriterion, ConflictingAccessCriteria, ControlReference, ExceptionAccessCriteria,
    ExceptionCriteria, ExceptionCriteriaAccess, IdentityWithNewAccess, IdentityWithNewAccessToCheck,
    MultiPolicyRequest, NewAccessReference, PolicyException, ReportResultReference, SodOwnerReference,
    SodPolicy, SodPolicySchedule, SodRecipient, SodViolationCheck, ViolationContext, ViolationContextPolicy,
    ViolationOwnerAssignmentConfig, ViolationOwnerReference, ViolationPrediction,
};
pub use task_status::{
    JsonPatchOperation, JsonPatchValue, LocalizedMessage, Target, TaskCounts, TaskDefinitionSummary,
    TaskReturnDetails, TaskStatus, TaskStatusMessage,
};
pub use token::{OAuthError, OAuthErrorCode, TokenAnswer};

/// Reads a `null` as the field's default: services write one where they have nothing to say.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_with_nulls_and_unknown_values_is_still_read() {
        let answer = json!({
            "type": "SOMETHING_NEW", "messages": null, "returns": null, "attributes": null, "launcher": null,
            "foreign": 1,
        });
        let details: TaskResultDetails = serde_json::from_value(answer).unwrap();
        assert_eq!(details.kind, Some(TaskType::Other("SOMETHING_NEW".into())));
        assert!(details.messages.is_empty() && details.attributes.is_empty());
    }

    /// Each of these fits several variants by its members; what it is, one member says.
    #[test]
    fn what_happened_is_read_as_what_it_says() {
        let account = json!({
            "accessType": "account", "id": "a", "nativeIdentity": "ada", "sourceName": "HR", "entitlementCount": 2,
            "appRefs": [], "standalone": null, "revocable": null,
        });
        let event = |kind: &str| {
            let event = json!({"eventType": kind, "accessItem": account, "governanceEvent": null});
            serde_json::from_value::<IdentityEvent>(event).unwrap()
        };
        let IdentityEvent::Removed(lost) = event("AccessItemRemoved") else { panic!("it was lost") };
        assert!(matches!(lost.access_item, AccessItemResponse::Account(_)), "{lost:?}");
        assert!(matches!(event("AccessItemAssociated"), IdentityEvent::Associated(_)));
        let IdentityEvent::Other(kept) = event("SomethingNew") else { panic!("nobody knows it") };
        assert_eq!(kept["eventType"], "SomethingNew");
        let broken = json!({"eventType": "AccessItemRemoved"});
        let error = serde_json::from_value::<IdentityEvent>(broken).unwrap_err().to_string();
        assert!(error.contains("accessItem"), "{error}");
    }

    #[test]
    fn only_the_nullable_fields_are_written_as_null() {
        assert_eq!(
            serde_json::to_value(TaskResultDetails::default()).unwrap(),
            json!({
                "parentName": null, "launched": null, "completed": null, "messages": [], "returns": [], "attributes": {},
                "progress": null,
            })
        );
        assert_eq!(serde_json::to_value(ReportResults::default()).unwrap(), json!({}));
    }

    #[test]
    fn a_token_is_not_shown_by_debug() {
        let answer: TokenAnswer =
            serde_json::from_value(json!({"access_token": "abc", "token_type": "bearer", "expires_in": 1}))
                .unwrap();
        assert!(!format!("{answer:?}").contains("abc"));
    }
}
