//! The steps of a refresh: every query, with the relations that it reads, the columns that it leaves, and when it is
//! needed.
//!
//! A step is a file in `steps/`; [`super::work::Work`] runs it. Later steps read its rows under its name. A value is
//! `$name` in a file and is bound (`crate::query`). Text in braces is expanded from declarations:
//! - `{accounts.content}`: the columns of a table that are content;
//! - `{s: accounts.content}`: the same columns of the alias `s`;
//! - `{accounts.all but id}`: all columns except one;
//! - `{n p: accounts.compared}`: the condition that one of the columns differs between `n` and `p`;
//! - `{type}` and similar: the words of a step that runs for several types of document, tables or versions.
//!
//! `docs/refresh-steps.md` is generated from this list, and a test plans every step over empty tables.

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;

use super::incremental::Needed::{
    self, AllIdentities, AllIdentitiesAgain, Always, Chosen, FewIdentities, Full, Identities,
    IdentitiesCopied, Incremental, IncrementalWithIdentities, SomeIdentities,
};
use crate::declared::{Change, Column, Columns, Holds, Table};
use crate::query::Value;
use muster_sources::DocumentType;

/// A query of a refresh.
pub(crate) struct Step {
    /// The relation with the rows. If the program reads the rows itself, this is their name in errors.
    pub(crate) name: &'static str,
    /// The file in `steps/`.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page of the steps names it"))]
    pub(crate) file: &'static str,
    /// The text of the file.
    sql: &'static str,
    /// What happens to the rows.
    pub(crate) kind: StepKind,
    /// When the step is run.
    pub(crate) needed: Needed,
    /// The relations that it reads.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds it against the file"))]
    pub(crate) reads: &'static str,
    /// The columns of its rows.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds it against the file"))]
    pub(crate) leaves: &'static str,
    /// The values in it.
    pub(crate) values: &'static [(&'static str, ValueKind)],
}

/// What happens to the rows of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// They are written to the work folder.
    Kept,
    /// They are computed wherever they are read.
    View,
    /// The program reads them; no step does.
    Read,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Text,
    Number,
    Flag,
    Texts,
}

impl ValueKind {
    /// A value of this type, for a plan that is not run.
    pub(crate) fn any(self) -> Value {
        match self {
            Self::Text => Value::text(""),
            Self::Number => Value::Number(0),
            Self::Flag => Value::Flag(false),
            Self::Texts => Value::texts([]),
        }
    }
}

/// The relations that a step reads which runs over all identities, or only over those that can differ from the last
/// snapshot.
pub(crate) fn words_of_identities(few: bool) -> Words {
    let words = match few {
        false => [("known", "known"), ("before", "prev_identities"), ("identities", "identities_next")],
        true => [
            ("known", "known_affected"),
            ("before", "affected_identities"),
            ("identities", "identities_changed"),
        ],
    };
    words.map(|(word, relation)| (word, relation.to_owned())).into()
}

/// Words that replace the braces of a step that runs for several things.
pub(crate) type Words = Vec<(&'static str, String)>;

/// The words of a type of document.
pub(crate) fn words_of(document_type: DocumentType) -> Words {
    let table = Table::of_documents(document_type).name.to_owned();
    let documents = documents(document_type);
    vec![("type", document_type.index_name().to_owned()), ("table", table), ("documents", documents)]
}

impl Step {
    /// The query.
    pub(crate) fn sql(&self, words: &Words) -> String {
        expanded(self.sql, words)
    }

    /// The relation.
    pub(crate) fn relation(&self, words: &Words) -> String {
        expanded(self.name, words)
    }

    /// Values for a plan that is not run.
    pub(crate) fn any_values(&self) -> Vec<(&'static str, Value)> {
        self.values.iter().map(|(name, kind)| (*name, kind.any())).collect()
    }
}

/// Expands the braces in a text.
pub(crate) fn expanded(text: &str, words: &Words) -> String {
    let (mut made, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').unwrap_or((after, ""));
        made.push_str(before);
        match words.iter().find(|(name, _)| *name == inside) {
            Some((_, word)) => made.push_str(word),
            None => made.push_str(&columns(inside)),
        }
        rest = after;
    }
    made + rest
}

/// Expands `aliases: table.list but column` to columns; with two aliases, to the condition that one of the columns
/// differs.
fn columns(text: &str) -> String {
    let (aliases, text) = text.split_once(": ").unwrap_or(("", text));
    let (table, list) = text.split_once('.').unwrap_or((text, "all"));
    let (list, but) = list.split_once(" but ").unwrap_or((list, ""));
    let table = Table::of(table);
    if let Columns::Documents(document_type) = table.columns {
        return documents(document_type);
    }
    let columns: Vec<&Column> = match list {
        "content" => table.changing(Change::Content).collect(),
        "compared" => table.changing(Change::Compared).collect(),
        _ => table.listed().iter().filter(|column| column.name != but).collect(),
    };
    let columns = columns.into_iter();
    match aliases.split_once(' ') {
        Some((one, other)) => {
            columns.map(|column| differs(column, one, other)).collect::<Vec<_>>().join(" OR ")
        }
        None if aliases.is_empty() => {
            columns.map(|column| column.name.to_owned()).collect::<Vec<_>>().join(", ")
        }
        None => columns.map(|column| format!("{aliases}.{}", column.name)).collect::<Vec<_>>().join(", "),
    }
}

/// The fields of a type of document as columns.
fn documents(document_type: DocumentType) -> String {
    let fields = crate::declared::documents(document_type);
    let fields: Vec<_> = fields.fields().iter().map(|field| format!("\"{}\"", field.name())).collect();
    fields.join(", ")
}

/// In parentheses: `IS DISTINCT FROM` takes everything after it as one expression, including an `OR`.
fn differs(column: &Column, one: &str, other: &str) -> String {
    let name = column.name;
    if column.holds == Holds::Texts {
        return format!(
            "(array_to_string({one}.{name}, ',') IS DISTINCT FROM array_to_string({other}.{name}, ','))"
        );
    }
    format!("({one}.{name} IS DISTINCT FROM {other}.{name})")
}

/// Declares steps as constants, and a list of all steps in their order.
macro_rules! steps {
    (@relation $file:literal) => { $file };
    (@relation $file:literal $relation:literal) => { $relation };
    ($($step:ident: $kind:ident $file:literal $(as $relation:literal)?, $needed:expr, $reads:literal => $leaves:literal
        $(, $($value:ident: $of:ident)+)?;)*) => {
        $(pub(crate) const $step: Step = Step {
            name: steps!(@relation $file $($relation)?),
            file: concat!($file, ".sql"),
            sql: include_str!(concat!("steps/", $file, ".sql")),
            kind: StepKind::$kind,
            needed: $needed,
            reads: $reads,
            leaves: $leaves,
            values: &[$($((stringify!($value), ValueKind::$of)),+)?],
        };)*

        /// Every step, after the steps that it reads from.
        #[cfg(test)]
        pub(crate) const ALL: &[&Step] = &[$(&$step),*];
    };
}

/// Whether several records of a read have one native identity.
const REPEATS: Needed = Chosen("if several records have the same native identity");
const NO_REPEATS: Needed = Chosen("if no two records have the same native identity");
/// Whether so few accounts are concerned that their rows are kept.
const FEW_DIFFER: Needed = Chosen("in an incremental refresh, if few accounts differ");
const MANY_DIFFER: Needed = Chosen("in an incremental refresh, if many accounts differ");
/// Repeated until no more accounts are decided.
const PASSES: Needed = Chosen("for each profile, until nothing more is decided");
/// Used for identities, and for finding accounts to recompute.
const RULES: Needed = Chosen("wherever rules search identities");
const SHARED: Needed = Chosen("wherever several rules compare one attribute of identities");
const NOT_SHARED: Needed = Chosen("wherever each rule compares another attribute of identities");
/// Until no more identities are found to recompute.
const CLOSURE: Needed = Chosen("if some identities are recomputed, until nothing more is affected");
/// After the first snapshot, if the settings limit what a refresh may lose.
const LIMITED: Needed = Chosen("if there is a snapshot, and the loss of identities is limited");
const EXCEEDED: Needed = Chosen("if more is lost than the settings allow");
/// For each type of document.
const GIVEN: Needed = Chosen("if sources provide documents of the type");
const NONE_GIVEN: Needed = Chosen("if no source provides documents of the type");

steps! {
    // Documents that were read.
    REPEATED_DOCUMENTS: Kept "repeated_documents" as "repeated_{type}", Always, "read_{type}" => "id n";
    REPEATED_DOCUMENTS_REJECTED: View "repeated_documents_rejected" as "rejected_{type}", Always,
        "read_{type} repeated_{type} staged_names" => "source_id source_name line native_identity reason";
    GIVEN_DOCUMENTS: View "given_documents" as "given_{type}", Always,
        "read_{type} repeated_{type}" => "{documents}";
    REJECTED_RAW: View "rejected_raw", Always,
        "rejected_read rejected_identities rejected_accessprofiles rejected_accountactivities rejected_entitlements \
         rejected_events rejected_roles prev_rejected_records" =>
        "source_id source_name line native_identity reason", carried: Texts;

    // Which account each record is, and whether a read can be used.
    PREV_READ_ALL: View "prev_read_all" as "prev_read", Full, "prev_accounts" => "{accounts.all}";
    PREV_READ: View "prev_read", Incremental, "prev_accounts" => "{accounts.all}", read: Texts;
    STAGED: View "staged", Always, "staged_raw" =>
        "first_id source_id native_identity line {accounts.content} digest";
    REPEATED: Kept "repeated", Always, "staged source_flags" => "first_id merge_rows n differ", sources: Texts;
    UNITED: Kept "united", REPEATS, "staged repeated" =>
        "first_id source_id native_identity line {accounts.content}";
    EQUAL_RECORDS: Kept "equal_records", REPEATS, "staged repeated" =>
        "first_id source_id native_identity line {accounts.content} digest";
    STAGED_SINGLE: View "staged_single", REPEATS, "staged repeated united equal_records" =>
        "first_id source_id native_identity line {accounts.content} digest";
    STAGED_SINGLE_AS_READ: View "staged_single_as_read" as "staged_single", NO_REPEATS, "staged" =>
        "first_id source_id native_identity line {accounts.content} digest";
    REJECTED: Kept "rejected", REPEATS, "rejected_raw staged repeated source_flags" =>
        "source_id source_name line native_identity reason";
    REJECTED_AS_READ: Kept "rejected_as_read" as "rejected", NO_REPEATS, "rejected_raw" =>
        "source_id source_name line native_identity reason";
    REJECTED_BY_SOURCE: Read "rejected_by_source", Always, "rejected" => "source_id n";
    REJECTED_OF_SOURCE: Read "rejected_of_source", Always, "rejected" => "line native_identity reason",
        source: Text shown: Number;
    SUMS_OF_RECORDS: Read "sums_of_records", Chosen("if an owner states a sum"), "summed_raw repeated" =>
        "source_id part added";
    DIFFERENCES: Kept "differences", Incremental, "staged_single prev_read" => "source_id first_id id",
        failed: Texts redefined: Texts;
    EQUAL_BY_SOURCE: Read "equal_by_source", Incremental, "staged_single differences" => "source_id n", failed: Texts;
    STAGED_UUIDS: View "staged_uuids", Incremental, "staged_single" => "source_id uuid";
    STAGED_DIFFERENT: Kept "staged_different" as "staged_single", Incremental, "staged_single differences" =>
        "first_id source_id native_identity line {accounts.content} digest";
    PREV_CONCERNED: Kept "prev_concerned", Incremental, "differences prev_read staged_single" => "id",
        redefined: Texts;
    PREV_DIFFERENT: Kept "prev_different" as "prev_read", FEW_DIFFER, "prev_read prev_concerned" =>
        "{accounts.all}";
    PREV_DIFFERENT_PLANNED: View "prev_different" as "prev_read", MANY_DIFFER, "prev_read prev_concerned" =>
        "{accounts.all}";
    RENAMED: Kept "renamed", Always, "prev_read" => "source_id native_identity id uuid dead_since";
    BY_NAME: Kept "by_name", Always, "staged_single prev_read renamed" =>
        "first_id source_id native_identity uuid taken id known_uuid";
    UUIDS_READ_ALL: View "uuids_read_all" as "uuids_read", Full, "by_name" => "source_id uuid";
    UUIDS_READ: View "uuids_read", Incremental, "staged_uuids by_name" => "source_id uuid";
    MOVED_ACCOUNTS: Kept "moved_accounts", Always, "by_name uuids_read prev_read" => "first_id id";
    STAGED_IDS: Kept "staged_ids", Always, "by_name moved_accounts" => "first_id id";
    STAGED_KNOWN: View "staged_known", Always, "staged_single staged_ids" =>
        "id source_id native_identity line {accounts.content} digest";
    RECORDS_KNOWN: Read "records_known", Always, "staged_known prev_read" => "source_id records known";
    ACCOUNTS_KNOWN: Read "accounts_known", Always, "prev_read" => "source_id live";
    STAGED_ONE: View "staged_one", Always, "staged_known" =>
        "id source_id native_identity line {accounts.content} digest", failed: Texts;
    KEPT_IDS: Kept "kept_ids", Always, "rejected present_raw prev_read" => "id present";
    UNKNOWN_ACCOUNTS: Read "unknown_accounts", Always, "present_raw staged_one prev_accounts" => "source_id n";
    MISSING_ACCOUNTS: Read "missing_accounts", Always, "prev_read staged_one kept_ids" =>
        "source_id live gone held";
    REJECTED_OF_NOBODY: Read "rejected_of_nobody", Always, "rejected" => "source_id n";

    // Accounts to recompute.
    LAST_READS: Kept "last_reads", Always, "prev_aggregations prev_snapshot_counts" => "source_id last_read";
    WITHOUT_RECORD: Kept "without_record", Always, "prev_read staged_one" => "id";
    CHANGED_CONTENT: Kept "changed_content", Always, "staged_one prev_read" => "id";
    ENTITLEMENTS_BEFORE: Kept "entitlements_before", Always, "changed_content prev_read" =>
        "id entitlements entitlements_since";
    ACCOUNTS_MERGED: View "accounts_merged", Always,
        "staged_one source_flags prev_read kept_ids without_record last_reads entitlements_before" =>
        "id source_id source_name authoritative native_identity {accounts.content} digest created modified dead_since \
         held_since access_ended access_seen record_line entitlements_since prev_identity prev_rule prev_link prev_linked_as prev_situation change \
         held_otherwise";
    ACCOUNTS_NOW_ALL: Kept "accounts_now_all" as "accounts_now", Full, "accounts_merged" =>
        "id source_id source_name authoritative native_identity {accounts.content} digest created modified dead_since \
         held_since access_ended access_seen record_line entitlements_since prev_identity prev_rule prev_link prev_linked_as prev_situation change \
         held_otherwise";
    ACCOUNT_CHANGES_ALL: View "account_changes_all" as "account_changes", Full, "accounts_now" =>
        "id source_id authoritative change changed";
    ACCOUNT_CHANGES: Kept "account_changes", Incremental, "accounts_merged" =>
        "id source_id authoritative change changed";
    ACCOUNTS_NOW: Kept "accounts_now", Incremental, "accounts_merged account_changes" =>
        "id source_id source_name authoritative native_identity {accounts.content} digest created modified dead_since \
         held_since access_ended access_seen record_line entitlements_since prev_identity prev_rule prev_link prev_linked_as prev_situation change \
         held_otherwise",
        redefined: Texts;
    CHANGES_BY_SOURCE: Read "changes_by_source", Always, "account_changes" => "source_id change n";
    AUTHORITATIVE_CHANGES: Read "authoritative_changes", Incremental, "account_changes" => "n";
    WANTED_BY_LINKS: Kept "wanted_by_links" as "wanted", FewIdentities, "prev_accounts manual_links" => "id";
    WANTED_BY_LINKS_AND_SOURCES: Kept "wanted_by_links_and_sources" as "wanted", AllIdentitiesAgain,
        "prev_accounts manual_links source_flags" => "id";
    PREV_AUTHORITATIVE: View "prev_authoritative", SomeIdentities, "prev_accounts" =>
        "id source_id native_identity identity_id", authoritative: Texts;
    WANTED_BY_PEOPLE: Kept "wanted_by_people" as "wanted", SomeIdentities,
        "prev_authoritative accounts_now rejected prev_identity_errors" => "id";
    RECALLED: Kept "recalled", Incremental, "prev_accounts source_flags wanted accounts_now" =>
        "id source_id source_name authoritative native_identity {accounts.content} digest created modified dead_since \
         held_since access_ended access_seen record_line entitlements_since prev_identity prev_rule prev_link prev_linked_as prev_situation change \
         held_otherwise",
        identities: Flag;
    ACCOUNTS_NOW_RECALLED: View "accounts_now_recalled" as "accounts_now", Incremental, "accounts_now recalled" =>
        "id source_id source_name authoritative native_identity {accounts.content} digest created modified dead_since \
         held_since access_ended access_seen record_line entitlements_since prev_identity prev_rule prev_link prev_linked_as prev_situation change \
         held_otherwise";

    // Identities from authoritative accounts.
    KNOWN_BEFORE: View "known_before" as "known", Always, "prev_identities" => "id uid attributes";
    MAPPED: Kept "mapped", Identities, "accounts_now" =>
        "account_id source_id rank native_identity prev_identity prev_rule account_attributes protected manager \
         manager_attribute manager_kind manager_means attributes failures status unmapped place newest \
         starts ends left_on unreadable uid",
        source: Text rank: Number manager: Text manager_kind: Text manager_means: Text protected: Texts;
    OWNED_BEFORE: Kept "owned_before" as "owned", Identities, "mapped prev_identities" =>
        "account_id identity_id matched_rule";
    UNDECIDED: Kept "undecided", PASSES, "mapped owned" =>
        "account_id source_id native_identity uid attributes mapped_attributes", rank: Number;
    MATCHABLE: View "matchable", PASSES, "undecided" =>
        "account_id source_id native_identity uid attributes mapped_attributes";
    ASKING_MATCHABLE: View "asking_matchable" as "asking", PASSES, "matchable" => "account_id source_id attributes";
    ASKED_KNOWN: View "asked_known" as "asked", RULES, "known" => "id attributes";
    ASKED_VALUES: Kept "asked_values", SHARED, "asked" => "attribute folded id v",
        identity_attribute: Text ignore_case: Flag;
    ASKED_VALUES_PLANNED: View "asked_values", NOT_SHARED, "asked" => "attribute folded id v",
        identity_attribute: Text ignore_case: Flag;
    PAIRS: Kept "pairs", RULES, "asking asked_values" => "rule_order rule account_id identity_id",
        source: Text order: Number label: Text account_attribute: Text identity_attribute: Text ignore_case: Flag;
    DECISIONS: Kept "decisions", PASSES, "pairs" => "account_id identity_id n rule candidates";
    UNMATCHED: View "unmatched", PASSES, "matchable decisions" =>
        "account_id source_id native_identity uid attributes mapped_attributes";
    PARTNERS: Kept "partners", PASSES, "unmatched" => "account_id rule_order waits",
        order: Number account_attribute: Text identity_attribute: Text ignore_case: Flag;
    WAITING: Kept "waiting", PASSES, "partners" => "account_id";
    DECIDED: Kept "decided", PASSES, "matchable decisions waiting" => "account_id identity_id matched_rule";
    OWNED: Kept "owned", PASSES, "owned decided" => "account_id identity_id matched_rule";
    BEST: Kept "best", Identities, "owned mapped" => "identity_id account_id";
    KNOWN: Kept "known", AllIdentities, "mapped best prev_identities" => "id uid attributes";
    KNOWN_PLANNED: View "known", SomeIdentities, "mapped best prev_identities" => "id uid attributes";
    OPEN: Kept "open", Identities, "mapped owned" => "account_id source_id uid attributes";
    ASKING_OPEN: View "asking_open" as "asking", Identities, "open" => "account_id source_id attributes";
    OPEN_DECISIONS: Kept "decisions" as "open_decisions", Identities, "pairs" =>
        "account_id identity_id n rule candidates";

    // More accounts to recompute, and the links of the other sources.
    AFFECTED_BY_ACCOUNTS: Kept "affected_by_accounts", CLOSURE, "owned accounts_now" => "id";
    AFFECTED_IDENTITIES_FIRST: Kept "affected_identities_first" as "affected_identities", CLOSURE,
        "prev_identities affected_by_accounts" => "{identities.all}";
    KNOWN_AFFECTED: Kept "known_affected", CLOSURE, "mapped best affected_identities" => "id uid attributes";
    MOVED: Kept "moved", IncrementalWithIdentities, "{known} {before} best" =>
        "id now before differs changed_hands";
    UIDS_MOVED: Kept "uids_moved", CLOSURE, "known_affected affected_identities" => "id uid before";
    DEPENDENTS: Kept "dependents", CLOSURE, "prev_identities uids_moved" => "id";
    NAMES_MOVED_BY_ATTRIBUTE: View "names_moved_by_attribute", CLOSURE, "moved" => "name", attribute: Text;
    NAMES_MOVED_BY_ACCOUNT: View "names_moved_by_account", CLOSURE, "accounts_now owned prev_authoritative" =>
        "name", source: Text;
    NAMES_MOVED: Kept "names_moved", CLOSURE, "names_moved_by_attribute names_moved_by_account" => "name";
    REPORTS_OF_MOVED: Kept "reports_of_moved", CLOSURE, "prev_identities names_moved" => "id",
        source: Text manager: Text;
    AFFECTED: Kept "affected", CLOSURE, "affected_by_accounts dependents reports_of_moved" => "id";
    AFFECTED_IDENTITIES: Kept "affected_identities", CLOSURE, "prev_identities affected" => "{identities.all}";
    WANTED_BY_AFFECTED: Kept "wanted_by_affected" as "wanted", CLOSURE,
        "prev_authoritative affected accounts_now" => "id";
    IDENTITIES_MOVED: View "identities_moved", IncrementalWithIdentities, "moved" => "id attributes";
    ATTRIBUTES_MOVED: Read "attributes_moved", IncrementalWithIdentities, "moved" => "n",
        identity_attribute: Text;
    PAIRS_MOVED: Kept "pairs_moved", IncrementalWithIdentities, "identities_moved prev_accounts" => "account_id",
        source: Text account_attribute: Text identity_attribute: Text ignore_case: Flag;
    WANTED_BY_IDENTITIES: Kept "wanted_by_identities" as "wanted", IncrementalWithIdentities,
        "prev_accounts moved pairs_moved" => "id";
    OTHER: Kept "other", Always, "accounts_now manual_links" =>
        "account_id source_id prev_identity prev_link identity_name linked_as";
    MANUAL: Kept "manual", Always, "other known" => "account_id identity_id identity_name";
    SOURCES_TO_CORRELATE: Read "sources_to_correlate", Always, "other" => "source_id";
    ASKING_OTHER: View "asking_other" as "asking", Always, "accounts_now" => "account_id source_id attributes";
    OTHER_DECISIONS: Kept "decisions" as "other_decisions", Always, "pairs" =>
        "account_id identity_id n rule candidates";
    LINKS_OF_OTHERS: View "links_of_others", Always, "other manual other_decisions" =>
        "account_id identity_id situation matched_rule manual_link linked_as candidates";
    LINKS_OF_OTHERS_ONLY: Kept "links_of_others_only" as "links", IdentitiesCopied, "links_of_others" =>
        "account_id identity_id situation matched_rule manual_link linked_as candidates";
    LINKS: Kept "links", Identities, "links_of_others owned open open_decisions" =>
        "account_id identity_id situation matched_rule manual_link linked_as candidates";

    // Identities and their errors.
    PREV_OF_NOW: Kept "prev_of_now", Incremental, "prev_accounts accounts_now" => "{accounts.all}";
    ACCOUNT_COUNTS: Kept "account_counts", Full, "links" => "identity_id n";
    ACCOUNT_DELTAS: Kept "account_deltas", Incremental, "links prev_of_now" => "identity_id n";
    ACCOUNT_COUNTS_AGAIN: Kept "account_counts_again" as "account_counts", AllIdentitiesAgain,
        "prev_identities account_deltas" => "identity_id n";
    ACCOUNT_COUNTS_AFFECTED: Kept "account_counts_affected" as "account_counts", SomeIdentities,
        "affected_identities account_deltas" => "identity_id n";
    MANAGERS_BY_ATTRIBUTE: View "managers_by_attribute", Identities, "known" => "kind name id",
        manager_kind: Text attribute: Text;
    MANAGERS_BY_ACCOUNT: View "managers_by_account", AllIdentities, "mapped owned" => "kind name id",
        manager_kind: Text rank: Number;
    MANAGERS_BY_ACCOUNT_KNOWN: View "managers_by_account_known" as "managers_by_account", SomeIdentities,
        "mapped owned prev_authoritative accounts_now" => "kind name id",
        manager_kind: Text rank: Number source: Text;
    MANAGERS_ASKED: Kept "managers_asked", SomeIdentities, "mapped best affected_identities names_moved" => "kind name",
        source: Text manager: Text;
    MANAGERS_KEPT: View "managers_kept", SomeIdentities, "mapped best affected_identities managers_asked" =>
        "kind name id";
    MANAGERS_FEW: Kept "managers_few" as "managers", SomeIdentities,
        "managers_by_attribute managers_by_account managers_asked managers_kept" => "kind name id";
    MANAGERS: Kept "managers", AllIdentities, "managers_by_attribute managers_by_account" => "kind name id";
    IDENTITIES_GATHERED: Kept "identities_gathered", Identities,
        "mapped best profiles managers {before} account_counts known" =>
        "id attributes name display_name first_name last_name email manager_id lifecycle_state status profile \
         authoritative_source_id authoritative_source last_authoritative_source correlated protected lost_since account_id \
         starts ends left_on unreadable prev_digest created prev_modified account_count manager_name", lifecycle: Text;
    SUBJECTS: Kept "subjects", Identities, "mapped best links profiles" =>
        "account_id source_id rank native_identity uid attributes failures unmapped manager manager_attribute manager_means \
         identity_id display_name profile situation candidates";
    MISSING_ATTRIBUTES: View "missing_attributes", Identities, "subjects" =>
        "source_id native_identity identity_id uid display_name profile attribute", rank: Number attribute: Text;
    SHARED_UIDS: Kept "shared_uids", AllIdentities, "known" => "uid n ids";
    SHARED_UIDS_OF_SUBJECTS: Kept "shared_uids_of_subjects" as "shared_uids", SomeIdentities, "known subjects" =>
        "uid n ids";
    ERRORS_FOUND: Kept "errors_found", Identities,
        "missing_attributes subjects shared_uids identities_gathered mapped owned rejected profiles" =>
        "id identity_id identity_name display_name native_identity source_id profile severity error_code attribute value \
         message", lifecycle: Text;
    IDENTITY_ERRORS_NEXT: Kept "identity_errors_next", AllIdentities, "errors_found prev_identity_errors" =>
        "{identity_errors.all}";
    IDENTITY_ERRORS_FEW: Kept "identity_errors_few" as "identity_errors_next", SomeIdentities,
        "errors_found prev_identity_errors affected" => "{identity_errors.all}";
    IDENTITY_ERRORS_KEPT: View "identity_errors_kept" as "identity_errors_next", IdentitiesCopied,
        "prev_identity_errors" => "{identity_errors.all}";
    IDENTITIES_NEXT: Kept "identities_next", AllIdentities, "identities_gathered identity_errors_next" =>
        "{identities.all}";
    IDENTITIES_RECOMPUTED: Kept "identities_next" as "identities_recomputed", SomeIdentities,
        "identities_gathered identity_errors_next" => "{identities.all}";
    IDENTITIES_RECOUNTED: Kept "identities_recounted", FewIdentities, "prev_identities account_deltas" =>
        "{identities.all}";
    IDENTITIES_CHANGED_FEW: View "identities_changed_few" as "identities_changed", SomeIdentities,
        "identities_recomputed identities_recounted" => "{identities.all}";
    IDENTITIES_CHANGED_COUNTED: View "identities_changed_counted" as "identities_changed", IdentitiesCopied,
        "identities_recounted" => "{identities.all}";
    IDENTITIES_COMBINED: View "identities_combined" as "identities_next", FewIdentities,
        "identities_changed prev_identities" => "{identities.all}";
    PREV_OF_CHANGED: Kept "prev_of_changed", FewIdentities, "identities_changed prev_identities" =>
        "{identities.all}";
    IDENTITIES_GOING: View "identities_going", LIMITED, "{before} {identities}" => "id lost orphan";
    IDENTITIES_GOING_COUNTED: Read "identities_going_counted", LIMITED, "identities_going" => "lost orphans";
    FIRST_GOING: Read "first_going", EXCEEDED, "identities_going" => "id", orphans: Flag shown: Number;
    FIRST_MISSING: Read "first_missing", EXCEEDED, "prev_read staged_one kept_ids" => "id", source: Text shown: Number;

    // Accounts, and the touched rows.
    ACCOUNTS_NEXT: Kept "accounts_next", Always, "accounts_now links identities_next" => "{accounts.all}";
    LOST_LINKS: Read "lost_links", Always, "prev_accounts source_flags accounts_next" => "source_id linked lost";
    LOST_OF_NOW: Read "lost_of_now", Incremental, "prev_of_now accounts_next source_flags" => "source_id lost";
    ACCOUNTS_TOUCHED: Kept "accounts_touched", Incremental, "accounts_next prev_of_now" =>
        "id source_id identity_id prev_identity", redefined: Texts;
    IDENTITIES_TOUCHED: Kept "identities_touched", Incremental, "{identities} {before}" =>
        "id manager_id prev_manager renamed";
    DOCUMENTS_TOUCHED: Kept "documents_touched", Incremental, "identities_touched accounts_touched identities_next" => "id";
    DOCUMENTS_TOUCHED_ALL: View "documents_touched_all" as "documents_touched", Full, "identities_next" => "id";

    // Documents.
    ACCOUNTS_ALL: View "accounts_all" as "accounts_documented", Full, "accounts_next" => "{accounts.all}";
    ACCOUNTS_OF_TOUCHED: Kept "accounts_of_touched" as "accounts_documented", Incremental,
        "accounts_next documents_touched prev_accounts accounts_now" => "{accounts.all}";
    ACCOUNTS_SHOWN: View "accounts_shown", Always, "accounts_documented document_sources" =>
        "id identity_id name native_identity source_id source_name source_type disabled locked privileged \
         manually_correlated attributes entitlements created";
    DOCUMENT_ACCOUNTS: View "document_accounts", Always, "accounts_shown" =>
        "id identity_id name native_identity source_id source_name source_type disabled locked privileged \
         manually_correlated attributes rights created";
    DOCUMENT_RIGHTS: View "document_rights", Always, "document_accounts" =>
        "identity_id source_id source_name source_type attribute value";
    ENTITLEMENT_RIGHTS: Kept "entitlement_rights", Incremental, "accounts_next accounts_touched document_sources" =>
        "identity_id source_id source_name source_type attribute value";
    ENTITLEMENT_RIGHTS_ALL: View "entitlement_rights_all" as "entitlement_rights", Full, "document_rights" =>
        "identity_id source_id source_name source_type attribute value";
    ENTITLEMENT_ROWS: Read "entitlement_rows", Always, "entitlement_rights prev_entitlement_documents" =>
        "id source_id source_name source_type attribute value created";
    ACCOUNT_ELEMENTS: Read "account_elements", Always, "document_accounts" =>
        "id identity_id name native_identity source_id source_name source_type disabled locked privileged \
         manually_correlated attributes rights created";
    ACCESS_ELEMENTS: Read "access_elements", Always, "document_rights" =>
        "identity_id source_id source_name source_type attribute value type id";
    IDENTITY_ROWS: Read "identity_rows", Always, "identities_next documents_touched document_accounts" =>
        "{identities.all} manager_display_name is_manager inactive disabled locked employee_number phone";
    DOCUMENTS_MADE: View "documents_made" as "{table}", NONE_GIVEN, "made_{type}" => "{documents}";
    DOCUMENTS_UNITED: Kept "documents_united" as "{table}", GIVEN, "given_{type} made_{type}" => "{documents}";
    ENTITLEMENTS_UNITED: Kept "entitlements_united" as "entitlement_documents", GIVEN,
        "given_entitlements made_entitlements" =>
        "{entitlement_documents.all}";
    RIGHTS_GONE: Kept "rights_gone", Incremental,
        "prev_of_now accounts_touched document_sources entitlement_rights" => "id source_id attribute value";
    SOURCES_OF_RIGHTS_GONE: Read "sources_of_rights_gone", Incremental, "rights_gone" => "source_id";
    RIGHTS_LEFT: Kept "rights_left", Incremental, "prev_accounts accounts_touched document_sources rights_gone" => "id",
        sources: Texts;
    ENTITLEMENTS_TOUCHED: Kept "entitlements_touched", Incremental,
        "entitlement_documents prev_entitlement_documents rights_gone rights_left" => "id", redefined: Texts;

    // The tables as they were written.
    COUNTS_NEXT: View "counts_next", Always, "numbers_next" => "{snapshot_counts.all}", snapshot: Text;
    ERRORS_BY_SOURCE: Read "errors_by_source", Always, "written_identity_errors" => "source_id n";
    SUM_IDS: Read "sum_ids", Always, "written_{table}" => "ids";
    ACCOUNTS_ADDED: Read "accounts_added", Incremental, "accounts_now" => "n";
    IDENTITIES_ADDED: Read "identities_added", SomeIdentities, "owned prev_identities" => "n";
    SUM_STRANGERS: Read "sum_strangers", Always, "written_identity_errors written_identities" => "n";
    CHECKED_DOCUMENTS: View "checked_documents", Full, "made_identities" => "account_count access_count";
    SUM_DOCUMENTS: Read "sum_documents", Full, "checked_documents" => "documents accounts access";
    SUM_RIGHTS: Read "sum_rights", Full, "written_accounts document_sources" => "rights of_identities";
    CHECKED_ACCOUNTS: Kept "checked_accounts", Incremental, "written_accounts documents_touched" =>
        "id identity_id source_id attributes";
    SUM_CHECKED_RIGHTS: Read "sum_checked_rights", Incremental, "checked_accounts document_sources" => "rights";
    SUM_WRITTEN_DOCUMENTS: Read "sum_written_documents", Incremental,
        "written_identity_documents documents_touched" => "documents accounts access";
    SUM_RIGHTS_WITHOUT_DOCUMENT: Read "sum_rights_without_document", Incremental,
        "written_accounts accounts_touched document_sources written_entitlement_documents" => "n";
    SUM_RIGHTS_KEPT: Read "sum_rights_kept", Incremental,
        "written_accounts document_sources rights_gone written_entitlement_documents" => "n", sources: Texts;
}
