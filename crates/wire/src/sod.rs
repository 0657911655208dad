//! Bodies of policies for separation of duties, and of reports of their violations.

use crate::enumeration::{
    AssignmentRule, ControlType, CriterionType, IdentityType, ReportResultStatus, ReportResultType, SodLevel,
    SodOwnerType, SodPolicyType, SodState, ViolationOwnerType,
};
use crate::saved_search::Schedule;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An owner of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SodOwnerReference {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<SodOwnerType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180a46faadee4016fb4e018c20639")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Support")]
    pub name: Option<String>,
}

/// A control that may compensate for a violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ControlReference {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<ControlType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180a46faadee4016fb4e018")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Mitigating Control 1")]
    pub name: Option<String>,
}

/// An owner of violations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ViolationOwnerReference {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<ViolationOwnerType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180a46faadee4016fb4e018c20639")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Support")]
    pub name: Option<String>,
}

/// Who owns the violations of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViolationOwnerAssignmentConfig {
    /// How the owner is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub assignment_rule: Option<AssignmentRule>,
    /// The owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub owner_ref: Option<ViolationOwnerReference>,
}

/// An entitlement of a list. Beyond the published members, an item may name an entitlement by `source` and `value`, or all
/// entitlements that `query` finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessCriterion {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<CriterionType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c91808568c529c60168cca6f90c1313")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Administrator")]
    pub name: Option<String>,
    /// Id or name of its source, where it has no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "ERP")]
    pub source: Option<String>,
    /// Its value, where it has no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "VENDOR_CREATE")]
    pub value: Option<String>,
    /// A search that finds entitlements, instead of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "source.name:ERP AND privileged:true")]
    pub query: Option<String>,
}

/// A list of entitlements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessCriteria {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "money-in")]
    pub name: Option<String>,
    /// Its items, 1 to 50.
    #[serde(default)]
    #[schema(required = false, min_items = 1, max_items = 50)]
    pub criteria_list: Vec<AccessCriterion>,
}

/// Two lists of which nobody may have entitlements of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictingAccessCriteria {
    /// The left list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub left_criteria: Option<AccessCriteria>,
    /// The right list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub right_criteria: Option<AccessCriteria>,
}

/// A policy for separation of duties.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SodPolicy {
    /// Its id. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "0f11f2a47c944bf3a2bd742580fe3bde")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "policy-xyz")]
    pub name: Option<String>,
    /// When it was made. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub created: Option<String>,
    /// When it was last changed. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub modified: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub description: Option<String>,
    /// Its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub owner_ref: Option<SodOwnerReference>,
    /// Further owners, at most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub secondary_owner_refs: Option<Vec<SodOwnerReference>>,
    /// Controls that may compensate for a violation, at most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub allowed_controls: Option<Vec<ControlReference>>,
    /// How severe a violation is; of a policy of two lists HIGH by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub level: Option<SodLevel>,
    /// A reference to a policy elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub external_policy_reference: Option<String>,
    /// Of a policy by query: a search that finds the people who violate it. Of a policy of two lists it says what the lists
    /// say, and changes nothing in a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "@access(id:2c91) AND @access(id:2c92)")]
    pub policy_query: Option<String>,
    /// What compensates for a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub compensating_controls: Option<String>,
    /// What to do about a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub correction_advice: Option<String>,
    /// Whether it is enforced; it is by default. Reports show both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub state: Option<SodState>,
    /// Tags, at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub tags: Option<Vec<String>>,
    /// The identity that made it. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub creator_id: Option<String>,
    /// The identity that changed it last. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub modifier_id: Option<String>,
    /// Who owns violations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub violation_owner_assignment_config: Option<ViolationOwnerAssignmentConfig>,
    /// Whether it has a schedule that reports its violations. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub scheduled: Option<bool>,
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<SodPolicyType>,
    /// Of a policy of two lists: the lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub conflicting_access_criteria: Option<ConflictingAccessCriteria>,
}

/// Which policies a report of violations has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MultiPolicyRequest {
    /// Their ids; without any, the report has all policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub filtered_policy_list: Option<Vec<String>>,
}

/// A report of violations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportResultReference {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<ReportResultType>,
    /// Its id, which is that of the task result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2e8d818024bc4d2191c67affdb473b0d")]
    pub id: Option<String>,
    /// The name of its policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "policy-xyz")]
    pub name: Option<String>,
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub status: Option<ReportResultStatus>,
}

/// A violation of a policy that somebody has accepted until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyException {
    /// Name (uid) of the person.
    #[schema(example = "grace.hopper")]
    pub identity: String,
    /// Who has accepted it.
    #[schema(example = "ada.lovelace")]
    pub owner: String,
    /// Why.
    #[schema(example = "two people in the branch; payments above 1,000 need a second signature")]
    pub reason: String,
    /// The last day on which it is accepted.
    #[schema(format = Date, example = "2026-12-31")]
    pub ends: String,
}

/// Who is told how a run of a policy's schedule ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SodRecipient {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<IdentityType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c7180a46faadee4016fb4e018c20642")]
    pub id: Option<String>,
    /// Its name. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Michael Michaels")]
    pub name: Option<String>,
}

/// When the violations of a policy are reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SodPolicySchedule {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "SCH-1584312283015")]
    pub name: Option<String>,
    /// When it was made. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub created: Option<String>,
    /// When it was last changed. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub modified: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Schedule for policy xyz")]
    pub description: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub schedule: Option<Schedule>,
    /// Who is told how a run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub recipients: Option<Vec<SodRecipient>>,
    /// Whether they are told of a run that found no violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub email_empty_results: Option<bool>,
    /// The identity that made it. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub creator_id: Option<String>,
    /// The identity that changed it last. In a request it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub modifier_id: Option<String>,
}

/// An entitlement that an identity would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewAccessReference {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: CriterionType,
    /// Its id.
    #[schema(example = "2c918087682f9a86016839c050861ab1")]
    pub id: String,
    /// Its name. It changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub name: Option<String>,
}

/// An identity, and what it would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityWithNewAccess {
    /// The identity.
    #[schema(example = "2c91808568c529c60168cca6f90c1313")]
    pub identity_id: String,
    /// The entitlements, at most 250.
    #[schema(max_items = 250)]
    pub access_refs: Vec<NewAccessReference>,
}

/// An identity, what it would get, and what the client says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityWithNewAccessToCheck {
    /// The identity.
    #[schema(example = "2c91808568c529c60168cca6f90c1313")]
    pub identity_id: String,
    /// The entitlements, at most 250.
    #[schema(max_items = 250)]
    pub access_refs: Vec<NewAccessReference>,
    /// Texts of the client, which the audit trail keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub client_metadata: Option<BTreeMap<String, String>>,
}

/// An entitlement of a list that the identity would have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionCriteriaAccess {
    /// What it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<CriterionType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub name: Option<String>,
    /// Whether the identity has it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub existing: Option<bool>,
}

/// What the identity would have of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionCriteria {
    /// The entitlements.
    #[serde(default)]
    pub criteria_list: Vec<ExceptionCriteriaAccess>,
}

/// What the identity would have of both lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionAccessCriteria {
    /// Of the left list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub left_criteria: Option<ExceptionCriteria>,
    /// Of the right list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub right_criteria: Option<ExceptionCriteria>,
}

/// A policy that would be violated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ViolationContextPolicy {
    /// `ENTITLEMENT`, as published: what the policy is about.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<CriterionType>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "0f11f2a4-7c94-4bf3-a2bd-742580fe3bde")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub name: Option<String>,
}

/// A violation that there would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViolationContext {
    /// The policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub policy: Option<ViolationContextPolicy>,
    /// What the identity would have of its lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub conflicting_access_criteria: Option<ExceptionAccessCriteria>,
}

/// What would be violated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViolationPrediction {
    /// Each violation.
    #[serde(default)]
    pub violation_contexts: Vec<ViolationContext>,
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SodViolationCheck {
    /// Its id.
    #[schema(example = "089899f13a8f4da7824996191587bab9")]
    pub request_id: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub created: Option<String>,
}
