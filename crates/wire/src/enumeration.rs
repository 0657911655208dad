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
