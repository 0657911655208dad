//! The published enumerations. Extensions never add values to them (clients of version 1.2 refuse
//! what they do not know); they use other fields or routes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, schema::SchemaType};
use utoipa::{PartialSchema, ToSchema};

macro_rules! enumeration {
    (#[doc = $doc:literal] $name:ident { $(#[doc = $variant_doc:literal] $variant:ident = $text:literal,)+ }) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $variant_doc] $variant,)+
            /// A value that was not published when this was written; only ever read, never written.
            Other(String),
        }

        impl $name {
            /// The published names.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::from(text.as_ref()))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::new(Type::String))
                    .description(Some($doc.trim()))
                    .enum_values(Some(Self::NAMES.iter().copied()))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

enumeration! {
    /// Which report is processed.
    ReportType {
        /// Accounts of one source.
        Accounts = "ACCOUNTS",
        /// Identities with their accounts.
        IdentitiesDetails = "IDENTITIES_DETAILS",
        /// Identities.
        Identities = "IDENTITIES",
        /// Identities that could not be processed.
        IdentityProfileIdentityError = "IDENTITY_PROFILE_IDENTITY_ERROR",
        /// Identities without an authoritative account.
        OrphanIdentities = "ORPHAN_IDENTITIES",
        /// What a search finds.
        SearchExport = "SEARCH_EXPORT",
        /// Accounts without an authoritative identity.
        UncorrelatedAccounts = "UNCORRELATED_ACCOUNTS",
    }
}

enumeration! {
    /// Which machinery carries the task. This service always says `QUARTZ`.
    TaskType {
        /// A scheduled task.
        Quartz = "QUARTZ",
        /// A QPOC job.
        Qpoc = "QPOC",
        /// A MENTOS job.
        Mentos = "MENTOS",
        /// A queued task.
        QueuedTask = "QUEUED_TASK",
    }
}

enumeration! {
    /// The type of an access item.
    AccessItemType {
        /// An account.
        Account = "account",
        /// An application.
        App = "app",
        /// An entitlement.
        Entitlement = "entitlement",
        /// A role.
        Role = "role",
        /// An access profile.
        AccessProfile = "accessProfile",
    }
}

enumeration! {
    /// Whether an access item was gained or lost.
    AccessDiffType {
        /// Gained.
        Add = "ADD",
        /// Lost.
        Remove = "REMOVE",
    }
}

enumeration! {
    /// Whether an account may be used.
    AccountStatusName {
        /// It may.
        Enabled = "enabled",
        /// It is disabled, and perhaps locked too.
        Disabled = "disabled",
        /// It is locked.
        Locked = "locked",
    }
}

enumeration! {
    /// What a decision about access is.
    GovernanceEventType {
        /// A certification.
        Certification = "certification",
        /// A request for access.
        AccessRequest = "accessRequest",
    }
}

enumeration! {
    /// How a request for access was decided.
    AccessDecision {
        /// Approved.
        Approved = "APPROVED",
        /// Rejected.
        Rejected = "REJECTED",
    }
}

enumeration! {
    /// How a task ended.
    CompletionStatus {
        /// Complete, nothing to remark.
        Success = "SUCCESS",
        /// Complete, with something a reader must know.
        Warning = "WARNING",
        /// No result.
        Error = "ERROR",
        /// Cancelled.
        Terminated = "TERMINATED",
        /// An attempt failed and another is due.
        TempError = "TEMP_ERROR",
    }
}

enumeration! {
    /// Which machinery carries a task of the list. This service always says `QUARTZ`.
    TaskStatusType {
        /// A scheduled task.
        Quartz = "QUARTZ",
        /// A QPOC job.
        Qpoc = "QPOC",
        /// A queued task.
        QueuedTask = "QUEUED_TASK",
    }
}

enumeration! {
    /// How a task of the list ended.
    TaskCompletionStatus {
        /// Complete, nothing to remark.
        Success = "SUCCESS",
        /// Complete, with something a reader must know.
        Warning = "WARNING",
        /// No result.
        Error = "ERROR",
        /// Cancelled.
        Terminated = "TERMINATED",
        /// An attempt failed and another is due. This service never says it.
        TempError = "TEMPERROR",
    }
}

enumeration! {
    /// What a task is about.
    TargetType {
        /// A source.
        Application = "APPLICATION",
        /// An identity.
        Identity = "IDENTITY",
    }
}

enumeration! {
    /// What an operation of a JSON patch does.
    JsonPatchOp {
        /// Adds a member, or replaces it.
        Add = "add",
        /// Removes a member.
        Remove = "remove",
        /// Replaces a member.
        Replace = "replace",
        /// Moves a member.
        Move = "move",
        /// Copies a member.
        Copy = "copy",
        /// Compares a member.
        Test = "test",
    }
}

enumeration! {
    /// How weighty a message is.
    MessageType {
        /// For information.
        Info = "INFO",
        /// A reader must know it.
        Warn = "WARN",
        /// Why there is no result.
        Error = "ERROR",
    }
}

enumeration! {
    /// How a report ended. There is no value for a report that still runs.
    ResultStatus {
        /// Complete, nothing to remark.
        Success = "SUCCESS",
        /// No result.
        Failure = "FAILURE",
        /// Complete, with something a reader must know.
        Warning = "WARNING",
        /// Cancelled.
        Terminated = "TERMINATED",
    }
}

enumeration! {
    /// A file format of a result.
    FileFormat {
        /// Comma-separated values.
        Csv = "CSV",
        /// A document to read.
        Pdf = "PDF",
    }
}

enumeration! {
    /// How the locale of a text was chosen.
    LocaleOrigin {
        /// The service's own.
        Default = "DEFAULT",
        /// From the request.
        Request = "REQUEST",
    }
}

enumeration! {
    /// What a search looks in. More values may come.
    SearchIndex {
        /// Access profiles.
        AccessProfiles = "accessprofiles",
        /// Account activities.
        AccountActivities = "accountactivities",
        /// Entitlements.
        Entitlements = "entitlements",
        /// Events.
        Events = "events",
        /// Identities.
        Identities = "identities",
        /// Roles.
        Roles = "roles",
        /// Everything.
        Everything = "*",
    }
}

enumeration! {
    /// How a query is written. This service refuses `DSL`.
    QueryType {
        /// Elasticsearch's query DSL.
        Dsl = "DSL",
        /// The `query_string` syntax with nested queries.
        Sailpoint = "SAILPOINT",
        /// Words to look for in fields.
        Text = "TEXT",
        /// The values of a field that begin as somebody types.
        TypeAhead = "TYPEAHEAD",
    }
}

enumeration! {
    /// How aggregations are written.
    AggregationType {
        /// Elasticsearch's aggregations, in `aggregationsDsl`.
        Dsl = "DSL",
        /// In `aggregations`.
        Sailpoint = "SAILPOINT",
    }
}

enumeration! {
    /// A number over the values of a field.
    MetricType {
        /// How many values there are.
        Count = "COUNT",
        /// How many different values there are.
        UniqueCount = "UNIQUE_COUNT",
        /// The average.
        Average = "AVG",
        /// The sum.
        Sum = "SUM",
        /// The median.
        Median = "MEDIAN",
        /// The smallest.
        Minimum = "MIN",
        /// The greatest.
        Maximum = "MAX",
    }
}

enumeration! {
    /// What buckets are made of.
    BucketType {
        /// One for each value.
        Terms = "TERMS",
    }
}

enumeration! {
    /// What a filter of an aggregation compares.
    SearchFilterType {
        /// One value.
        Term = "TERM",
    }
}

enumeration! {
    /// What a filter of a search asks of its field.
    FilterType {
        /// The field has a value.
        Exists = "EXISTS",
        /// A value is in a range.
        Range = "RANGE",
        /// A value is one of some texts.
        Terms = "TERMS",
    }
}

enumeration! {
    /// What a reference leads to. This service says and takes `IDENTITY` only.
    DtoType {
        /// A rule that correlates accounts.
        AccountCorrelationConfig = "ACCOUNT_CORRELATION_CONFIG",
        /// An access profile.
        AccessProfile = "ACCESS_PROFILE",
        /// An approval of an access request.
        AccessRequestApproval = "ACCESS_REQUEST_APPROVAL",
        /// An account.
        Account = "ACCOUNT",
        /// An application.
        Application = "APPLICATION",
        /// A certification campaign.
        Campaign = "CAMPAIGN",
        /// A filter of a certification campaign.
        CampaignFilter = "CAMPAIGN_FILTER",
        /// A certification.
        Certification = "CERTIFICATION",
        /// A cluster.
        Cluster = "CLUSTER",
        /// A schema of a connector.
        ConnectorSchema = "CONNECTOR_SCHEMA",
        /// An entitlement.
        Entitlement = "ENTITLEMENT",
        /// A governance group.
        GovernanceGroup = "GOVERNANCE_GROUP",
        /// An identity.
        Identity = "IDENTITY",
        /// An identity profile.
        IdentityProfile = "IDENTITY_PROFILE",
        /// A request about an identity.
        IdentityRequest = "IDENTITY_REQUEST",
        /// An identity of a machine.
        MachineIdentity = "MACHINE_IDENTITY",
        /// A lifecycle state.
        LifecycleState = "LIFECYCLE_STATE",
        /// A password policy.
        PasswordPolicy = "PASSWORD_POLICY",
        /// A role.
        Role = "ROLE",
        /// A rule.
        Rule = "RULE",
        /// A policy for separation of duties.
        SodPolicy = "SOD_POLICY",
        /// A source.
        Source = "SOURCE",
        /// A tag.
        Tag = "TAG",
        /// A category of tags.
        TagCategory = "TAG_CATEGORY",
        /// A result of a task.
        TaskResult = "TASK_RESULT",
        /// A result of a report.
        ReportResult = "REPORT_RESULT",
        /// A violation of separation of duties.
        SodViolation = "SOD_VIOLATION",
        /// An account activity.
        AccountActivity = "ACCOUNT_ACTIVITY",
        /// A governance group.
        Workgroup = "WORKGROUP",
    }
}

enumeration! {
    /// What a recipient or an owner of a scheduled search is.
    IdentityType {
        /// An identity.
        Identity = "IDENTITY",
    }
}

enumeration! {
    /// How often a scheduled search is executed.
    ScheduleType {
        /// Every day.
        Daily = "DAILY",
        /// On days of the week.
        Weekly = "WEEKLY",
        /// On days of every month.
        Monthly = "MONTHLY",
        /// On dates.
        Calendar = "CALENDAR",
        /// On days of some months.
        Annually = "ANNUALLY",
    }
}

enumeration! {
    /// What the values of a selector mean.
    SelectorType {
        /// These values.
        List = "LIST",
        /// From the first of two values to the second, which is included.
        Range = "RANGE",
    }
}

enumeration! {
    /// How severe a violation of a policy is.
    SodLevel {
        /// Critical.
        Critical = "CRITICAL",
        /// High.
        High = "HIGH",
        /// Medium.
        Medium = "MEDIUM",
        /// Low.
        Low = "LOW",
    }
}

enumeration! {
    /// Whether a policy is enforced.
    SodState {
        /// It is.
        Enforced = "ENFORCED",
        /// It is not.
        NotEnforced = "NOT_ENFORCED",
    }
}

enumeration! {
    /// What a policy is.
    SodPolicyType {
        /// A query that finds people.
        General = "GENERAL",
        /// Two lists of entitlements.
        ConflictingAccessBased = "CONFLICTING_ACCESS_BASED",
    }
}

enumeration! {
    /// What an owner of a policy is.
    SodOwnerType {
        /// An identity.
        Identity = "IDENTITY",
        /// A governance group.
        GovernanceGroup = "GOVERNANCE_GROUP",
    }
}

enumeration! {
    /// What an owner of violations is.
    ViolationOwnerType {
        /// An identity.
        Identity = "IDENTITY",
        /// A governance group.
        GovernanceGroup = "GOVERNANCE_GROUP",
        /// The manager of the person.
        Manager = "MANAGER",
    }
}

enumeration! {
    /// How the owner of a violation is found.
    AssignmentRule {
        /// It is the manager of the person.
        Manager = "MANAGER",
        /// It is named.
        Static = "STATIC",
    }
}

enumeration! {
    /// What a control is.
    ControlType {
        /// One that compensates for a violation.
        CompensatingControl = "COMPENSATING_CONTROL",
    }
}

enumeration! {
    /// What an item of a list of a policy is.
    CriterionType {
        /// An entitlement.
        Entitlement = "ENTITLEMENT",
    }
}

enumeration! {
    /// What a report of violations is called.
    ReportResultType {
        /// A result of a report.
        ReportResult = "REPORT_RESULT",
    }
}

enumeration! {
    /// The state of a report of violations.
    ReportResultStatus {
        /// It has ended.
        Success = "SUCCESS",
        /// It has ended with warnings.
        Warning = "WARNING",
        /// It has failed.
        Error = "ERROR",
        /// It was cancelled.
        Terminated = "TERMINATED",
        /// It has failed and is tried again.
        TempError = "TEMP_ERROR",
        /// It waits or runs.
        Pending = "PENDING",
    }
}
