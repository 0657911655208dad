//! The declarations.

use super::Change::{Compared as ByItself, Content, Follows, Key, Whole};
use super::Holds::{Attributes, Count, Flag, Number, Text, Texts, Time, Times};
use super::{Column, Columns, Compared, InView, Table, Writing, column};
use muster_sources::DocumentType;

/// The table of accounts.
pub(crate) const ACCOUNTS: &str = "accounts";
/// The table of identities.
pub(crate) const IDENTITIES: &str = "identities";
/// The table of documents of identities.
pub(crate) const IDENTITY_DOCUMENTS: &str = "identity_documents";
/// The counts of every snapshot so far. The newest snapshot has all of them, so a report's trend depends on its
/// snapshot only, even if earlier snapshots have been deleted.
pub(crate) const COUNTS: &str = "snapshot_counts";

/// Every table, in the order of writing.
pub(super) const DECLARED: [Table; 14] = [
    Table {
        row: "a registered source",
        in_view: InView::OfSource("id"),
        rows: "sources_next",
        ..listed("sources", SOURCE_COLUMNS)
    },
    Table {
        row: "a read of a source by the refresh of this snapshot or of an earlier one",
        writing: Writing::Grows,
        rows: "runs_next",
        read_again: true,
        only_here: Some("the history of how sources were read"),
        ..listed("aggregations", AGGREGATION_COLUMNS)
    },
    Table {
        row: "a record that the last read of its source refused",
        rows: "rejected",
        read_again: true,
        ..listed("rejected_records", REJECTED_COLUMNS)
    },
    Table {
        row: "an account of a source; an account that is missing from its source stays in the table, with `dead_since`",
        writing: Writing::Partitioned {
            group: Some("source_id"),
            rows: 16 * 1024,
            touched: "accounts_touched",
            // The order of the report ACCOUNTS.
            order: &["name", "native_identity", "id"],
        },
        rows: "accounts_next",
        read_again: true,
        only_here: Some(KNOWN_SINCE),
        compared: Some(Compared {
            object: "account",
            name: "native_identity",
            source: Some("source_name"),
            only: "dead_since IS NULL",
        }),
        ..listed(ACCOUNTS, ACCOUNT_COLUMNS)
    },
    Table {
        row: "an identity profile of an authoritative source",
        rows: "profiles",
        ..listed("identity_profiles", PROFILE_COLUMNS)
    },
    Table {
        row: "an identity: a person, made from an account of an authoritative source",
        in_view: InView::OfOwners,
        writing: Writing::Partitioned {
            group: None,
            rows: 16 * 1024,
            touched: "identities_touched",
            // The order of the reports IDENTITIES and IDENTITIES_DETAILS.
            order: &["name", "id"],
        },
        rows: "identities_next",
        read_again: true,
        only_here: Some(KNOWN_SINCE),
        compared: Some(Compared { object: "identity", name: "name", source: None, only: "true" }),
        ..listed(IDENTITIES, IDENTITY_COLUMNS)
    },
    Table {
        row: "an error or warning about a record or an identity",
        rows: "identity_errors_next",
        read_again: true,
        ..listed("identity_errors", ERROR_COLUMNS)
    },
    Table {
        row: "a count of this snapshot or of an earlier one",
        in_view: InView::Nothing,
        writing: Writing::Grows,
        rows: "counts_next",
        read_again: true,
        only_here: Some("the counts of earlier snapshots, which trends show"),
        ..listed(COUNTS, COUNT_COLUMNS)
    },
    Table {
        in_view: InView::OfOwners,
        writing: Writing::Partitioned {
            group: None,
            rows: 4 * 1024,
            touched: "documents_touched",
            // The order of a search without a sort.
            order: &["id"],
        },
        ..documents(IDENTITY_DOCUMENTS, DocumentType::Identities)
    },
    Table {
        in_view: InView::OfSource("source['id']"),
        ..documents("access_profile_documents", DocumentType::AccessProfiles)
    },
    documents("account_activity_documents", DocumentType::AccountActivities),
    Table {
        in_view: InView::OfSource("source['id']"),
        writing: Writing::Partitioned {
            group: None,
            rows: 16 * 1024,
            touched: "entitlements_touched",
            order: &[],
        },
        read_again: true,
        ..documents("entitlement_documents", DocumentType::Entitlements)
    },
    Table { writing: Writing::Grows, read_again: true, ..documents("event_documents", DocumentType::Events) },
    documents("role_documents", DocumentType::Roles),
];

/// Accounts and identities are lost together, because their rows refer to each other.
const KNOWN_SINCE: &str =
    "the dates since which accounts and people are known, and which of them were removed";

/// A table with these columns.
const fn listed(name: &'static str, columns: &'static [Column]) -> Table {
    Table {
        name,
        row: "",
        columns: Columns::Listed(columns),
        in_view: InView::OfSource("source_id"),
        writing: Writing::Whole,
        rows: "",
        read_again: false,
        only_here: None,
        compared: None,
    }
}

/// A table of documents. A step of the refresh with the same name produces its rows.
const fn documents(name: &'static str, document_type: DocumentType) -> Table {
    Table {
        row: "a document for searches; docs/search.md says where documents come from",
        columns: Columns::Documents(document_type),
        in_view: InView::Nothing,
        rows: name,
        ..listed(name, &[])
    }
}

const SOURCE_COLUMNS: &[Column] = &[
    column("id", Text, Whole, None, "Id of the source."),
    column("name", Text, Whole, None, "Its name."),
    column("kind", Text, Whole, None, "Its kind, as in its definition: `delimited`, `ldap` and so on."),
    column("authoritative", Flag, Whole, None, "Whether it has an identity profile."),
    column("definition", Text, Whole, None, "Its definition as JSON."),
];

const AGGREGATION_COLUMNS: &[Column] = &[
    column("snapshot_id", Text, Whole, None, "Id of the snapshot whose refresh read the source."),
    column("source_id", Text, Whole, None, "Id of the source."),
    column("source_name", Text, Whole, None, "Name of the source at that time."),
    column("mode", Text, Whole, None, "Whether everything was read or only what changed."),
    column("started", Time, Whole, None, "When the read began."),
    column("ended", Time, Whole, None, "When it ended."),
    column("status", Text, Whole, None, "`complete`, `incomplete` or `failed`."),
    column("complete", Flag, Whole, None, "Whether all of the source was read."),
    column(
        "remark",
        Text,
        Whole,
        None,
        "What a reader must know about the read, such as why it is incomplete.",
    ),
    column("reported_total", Number, Whole, None, "Number of records that the source reports, if it does."),
    column("read", Number, Whole, None, "Records read."),
    column("rejected", Number, Whole, None, "Records refused."),
    column("created", Number, Whole, None, "Accounts that were new."),
    column("updated", Number, Whole, None, "Accounts that changed."),
    column("unchanged", Number, Whole, None, "Accounts that did not change."),
    column("missing", Number, Whole, None, "Accounts that were marked missing."),
    column("loaded", Number, Whole, None, "Accounts or documents of the source in the snapshot."),
    column("input_digest", Text, Whole, None, "SHA-256 of what was read."),
    column(
        "sum_of",
        Text,
        Whole,
        None,
        "The column that the owner adds up; null if the owner states no sum.",
    ),
    column(
        "sum_stated",
        Text,
        Whole,
        None,
        "The owner's sum of it, an exact number as a text with a point before the decimals; null if it could not be had.",
    ),
    column("sum_read", Text, Whole, None, "The sum over all records that were read, refused ones included."),
    column("sum_refused", Text, Whole, None, "Of it, that of the records that were refused."),
    column("sum_loaded", Text, Whole, None, "Of it, that of the records that accounts were made of."),
];

const REJECTED_COLUMNS: &[Column] = &[
    column("source_id", Text, Whole, None, "Id of the source."),
    column("source_name", Text, Whole, None, "Name of the source."),
    column("line", Number, Whole, None, "Line or number of the record; 0 if it has none."),
    column(
        "native_identity",
        Text,
        Whole,
        None,
        "Native identity of the record, or id of the document; null if it cannot be read.",
    ),
    column("reason", Text, Whole, None, "Why the record was refused."),
];

const ACCOUNT_COLUMNS: &[Column] = &[
    column("id", Text, Key, None, "Id of the account. It stays when the account is renamed in its source."),
    column("source_id", Text, Follows, None, "Id of its source."),
    column("source_name", Text, ByItself, None, "Name of its source."),
    column("native_identity", Text, ByItself, None, "Key of the account in the source."),
    column("name", Text, Content, Some("name"), "Its name."),
    column("display_name", Text, Content, Some("displayName"), "Its name for people."),
    column(
        "uuid",
        Text,
        Content,
        Some("uuid"),
        "An id in the source that survives renames, if the source has one.",
    ),
    column("disabled", Flag, Content, Some("disabled"), "Whether it is disabled."),
    column("locked", Flag, Content, Some("locked"), "Whether it is locked."),
    column(
        "system",
        Flag,
        Content,
        Some("systemAccount"),
        "Whether it is a system account, which need not belong to anybody.",
    ),
    column("privileged", Flag, Content, Some("privileged"), "Whether it is privileged."),
    column("attributes", Attributes, Content, Some("attributes"), "All its attributes from the source."),
    column(
        "entitlements",
        Texts,
        Content,
        Some("entitlements"),
        "Its entitlements, according to the source's definition.",
    ),
    column("entitlement_count", Count, Follows, None, "Number of entitlements."),
    column("digest", Text, ByItself, None, "Digest of its content, by which a refresh sees that it changed."),
    column(
        "identity_id",
        Text,
        ByItself,
        Some("identityId"),
        "Id of the identity that it belongs to; null if it belongs to none.",
    ),
    column(
        "manual_link",
        Text,
        ByItself,
        Some("manualLink"),
        "Name of the identity in its manual link; null if no manual link is in effect.",
    ),
    column(
        "linked_as",
        Text,
        ByItself,
        None,
        "Native identity in the manual link of this account, whether or not the link is in effect. It is an earlier one if \
         the account has been renamed since. Null if no manual link names the account.",
    ),
    column("manually_correlated", Flag, Follows, None, "Whether a manual link is in effect."),
    column(
        "matched_rule",
        Text,
        ByItself,
        Some("matchedRule"),
        "The correlation rule that decided, if one did.",
    ),
    column(
        "situation",
        Text,
        ByItself,
        Some("situation"),
        "`LINKED`, `UNMATCHED`, `DISPUTED` (two or more identities match) or `PLACEHOLDER_OWNER` (its identity has no \
         authoritative account).",
    ),
    column(
        "uncorrelated",
        Flag,
        ByItself,
        None,
        "Whether it belongs to no identity that has an authoritative account.",
    ),
    column(
        "candidates",
        Texts,
        ByItself,
        Some("candidates"),
        "Ids of the matching identities of a disputed account.",
    ),
    column("created", Time, ByItself, None, "When a refresh first found it."),
    column(
        "modified",
        Time,
        ByItself,
        None,
        "When a refresh last found its content or its native identity changed.",
    ),
    column(
        "dead_since",
        Time,
        ByItself,
        None,
        "When a refresh found it missing from its source; null while the source has it.",
    ),
    column(
        "held_since",
        Time,
        ByItself,
        None,
        "Since when it is missing but kept because too many accounts were missing at once; null otherwise.",
    ),
    column(
        "last_used",
        Time,
        ByItself,
        None,
        "When it was last used, as its source says; null if that is unknown. A source may record a use late: \
         `lastLogonTimestamp` of Active Directory is 9 to 14 days behind.",
    ),
    column(
        "last_used_latest",
        Time,
        ByItself,
        None,
        "The latest time at which that use can have been: `last_used` and the days by which its source may record a use late.",
    ),
    column(
        "password_set",
        Time,
        ByItself,
        None,
        "When its password was last set; null if that is unknown, or if it must be changed at the next use.",
    ),
    column("expires", Time, ByItself, None, "When it ends by itself; null if that is unknown or never."),
    column(
        "never_expires",
        Flag,
        ByItself,
        None,
        "Whether its source says that it never ends by itself; null if its source does not say.",
    ),
    column(
        "kind",
        Text,
        ByItself,
        None,
        "Who uses it: `human` (one person), `shared` (several), `service` (a program) or `agent` (a program that acts by its own \
         decisions); null if that is unknown.",
    ),
    column(
        "owner",
        Text,
        ByItself,
        None,
        "Who is responsible for it, as its source writes it; null if that is unknown.",
    ),
    column(
        "privileged_by",
        Texts,
        ByItself,
        None,
        "The values of its attributes that make it privileged, such as names of groups, as the source's definition says.",
    ),
    column(
        "unreadable",
        Texts,
        ByItself,
        None,
        "The columns from `last_used` on whose values in the source cannot be read; they are null.",
    ),
    column(
        "access_ended",
        Time,
        Follows,
        None,
        "When a refresh found that it can no longer be used, because it is disabled or missing from its source; null while it \
         can be used.",
    ),
    column(
        "access_seen",
        Time,
        Follows,
        None,
        "Time of the last snapshot before `access_ended` for which its source was read completely and in which it could be \
         used: it ended after that. Null if it could be used in no snapshot.",
    ),
    column(
        "record_line",
        Number,
        Follows,
        None,
        "Line or number of the record that it has its content from, in the read of the snapshot of `modified`; null if its \
         source has no lines.",
    ),
    column(
        "entitlements_since",
        Times,
        Follows,
        None,
        "For each of its entitlements, in their order, when a refresh first found that it has it, and it has had it in each \
         snapshot since; null for one from before a version that recorded this.",
    ),
];

const IDENTITY_COLUMNS: &[Column] = &[
    column("id", Text, Key, None, "Id of the identity. It never changes."),
    column("name", Text, Content, Some("name"), "Its name: the identity attribute `uid`."),
    column("display_name", Text, Content, Some("displayName"), "Its name for people."),
    column("first_name", Text, Content, Some("firstName"), "First name."),
    column("last_name", Text, Content, Some("lastName"), "Last name."),
    column("email", Text, Content, Some("email"), "E-mail address."),
    column(
        "profile",
        Text,
        Content,
        Some("identityProfile"),
        "Name of its identity profile; null if it has no authoritative account.",
    ),
    column(
        "authoritative_source_id",
        Text,
        Content,
        None,
        "Id of the source of the account that determines its attributes.",
    ),
    column("authoritative_source", Text, ByItself, Some("authoritativeSource"), "Name of that source."),
    column(
        "last_authoritative_source",
        Text,
        Content,
        None,
        "Name of that source, or of the last one if it has none any more.",
    ),
    column(
        "lifecycle_state",
        Text,
        Content,
        Some("lifecycleState"),
        "State in the life of the person's employment, as the profile maps it.",
    ),
    column(
        "status",
        Text,
        Content,
        Some("status"),
        "`ACTIVE`, `DISABLED` or `TERMINATED`: what the lifecycle state means; null if nothing defines it.",
    ),
    column(
        "processing_state",
        Text,
        Content,
        None,
        "`ERROR` or `WARNING` if the table `identity_errors` has one for it; null otherwise.",
    ),
    column(
        "correlated",
        Flag,
        Content,
        Some("correlated"),
        "Whether it has a live account on an authoritative source.",
    ),
    column(
        "protected",
        Flag,
        Content,
        Some("protected"),
        "Whether its profile protects it: then it is never reported as an orphan.",
    ),
    column(
        "manager_id",
        Text,
        Content,
        Some("managerId"),
        "Id of the manager's identity; null if it has none or none was found.",
    ),
    column("manager_name", Text, ByItself, None, "Name of the manager's identity."),
    column("account_count", Count, ByItself, Some("accountCount"), "How many live accounts belong to it."),
    column(
        "attributes",
        Attributes,
        Content,
        Some("attributes"),
        "All its identity attributes, as the profile maps them.",
    ),
    column(
        "account_id",
        Text,
        ByItself,
        None,
        "Id of the account that determines its attributes; null if there is none any more.",
    ),
    column(
        "lost_since",
        Time,
        ByItself,
        None,
        "When a refresh found that it has no authoritative account any more.",
    ),
    column("digest", Text, ByItself, None, "Digest of its content, by which a refresh sees that it changed."),
    column("created", Time, ByItself, None, "When a refresh first made it."),
    column("modified", Time, ByItself, None, "When a refresh last found its content changed."),
    column("starts", Time, ByItself, None, "When the person's employment begins; null if that is unknown."),
    column(
        "ends",
        Time,
        ByItself,
        None,
        "When it ends by contract, the last moment of its last day; null if that is unknown or not agreed.",
    ),
    column(
        "left_on",
        Time,
        ByItself,
        None,
        "When the person left; null if that is unknown or has not happened.",
    ),
    column(
        "unreadable",
        Texts,
        ByItself,
        None,
        "Which of the last three have a value in the source that cannot be read; they are null.",
    ),
];

const ERROR_COLUMNS: &[Column] = &[
    column("id", Text, Whole, None, "Id of the error. It stays while its record has the error."),
    column("identity_id", Text, Whole, None, "Id of the identity with the error; null if there is none."),
    column("identity_name", Text, Whole, None, "Name of that identity."),
    column("display_name", Text, Whole, None, "Display name in the record."),
    column("native_identity", Text, Whole, None, "Native identity of the record."),
    column("source_id", Text, Whole, None, "Id of the record's authoritative source."),
    column("profile", Text, Whole, None, "Name of the identity profile of that source."),
    column("severity", Text, Whole, None, "`ERROR` or `WARN`."),
    column("error_code", Text, Whole, None, "What is wrong, such as `MISSING_REQUIRED_ATTRIBUTE`."),
    column("attribute", Text, Whole, None, "The attribute with the error, if it concerns one."),
    column("value", Text, Whole, None, "The value with the error, if it concerns one."),
    column("message", Text, Whole, None, "What is wrong, for people."),
    column("detected", Time, Whole, None, "When a refresh first found it."),
];

const PROFILE_COLUMNS: &[Column] = &[
    column("source_id", Text, Whole, None, "Id of the authoritative source."),
    column("source_name", Text, Whole, None, "Name of that source."),
    column("profile", Text, Whole, None, "Name of the profile."),
    column(
        "priority",
        Number,
        Whole,
        None,
        "Its priority. If a person has several profiles, the one with the lowest number decides.",
    ),
];

const COUNT_COLUMNS: &[Column] = &[
    column("snapshot_id", Text, Whole, None, "Id of the snapshot that was counted."),
    column("taken", Time, Whole, None, "Time of that snapshot."),
    column(
        "counted",
        Text,
        Whole,
        None,
        "What was counted, such as `identities` or `uncorrelated accounts`.",
    ),
    column(
        "source_id",
        Text,
        Whole,
        None,
        "Id of the counted source; null for a number of the whole tenant.",
    ),
    column("number", Number, Whole, None, "The number."),
];
