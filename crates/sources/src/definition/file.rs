//! The definition file: TOML to a checked [`SourceDefinition`].
//!
//! Shape faults (unknown keys, wrong types) come from the parser with line and column; faults of meaning come
//! from the checks here with the key.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{
    AttributeMapping, CorrelationRule, DEFAULT_DELETE_THRESHOLD_PERCENT, DEFAULT_REFUSED_MAX_PERCENT,
    DefinitionError, IdentityStatus, LifecycleDefinition, ManagerDefinition, ManagerMatch, PreferDefinition,
    ProfileDefinition, SourceDefinition,
};
use crate::columns::{AccountColumns, ProfileDates};
use crate::kinds::{ReaderSettings, for_each_kind};
use crate::limit::Limit;
use crate::named_columns::nearest;
use crate::passwords::is_password;
use crate::source_kind::Fault;
use crate::total::TotalDefinition;

/// The identity attribute without which nothing can be linked.
const UID: &str = "uid";

macro_rules! declare_file {
    ($($(#[$doc:meta])* $kind:ident: $variant:ident($settings:ident),)*) => {
        /// The file as written.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct DefinitionFile {
            id: Option<String>,
            name: String,
            kind: String,
            owner: Option<String>,
            delete_threshold_percent: Option<i64>,
            refused_max_percent: Option<i64>,
            accounts_missing_max: Option<Limit>,
            total: Option<TotalDefinition>,
            $($kind: Option<crate::kinds::$kind::$settings>,)*
            profile: Option<ProfileTable>,
            #[serde(default)]
            correlation: Vec<CorrelationRule>,
            lifecycle: Option<LifecycleTable>,
            #[serde(default)]
            optional: Vec<String>,
            #[serde(default)]
            never_kept: Vec<String>,
            #[serde(default)]
            account: AccountTable,
        }

        impl DefinitionFile {
            /// Takes out the tables of kinds that the file has.
            fn take_readers(&mut self) -> Vec<ReaderSettings> {
                let readers = [$(self.$kind.take().map(ReaderSettings::from)),*];
                readers.into_iter().flatten().collect()
            }
        }
    };
}
for_each_kind!(declare_file);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileTable {
    name: String,
    priority: i64,
    #[serde(default)]
    attributes: Vec<AttributeMapping>,
    #[serde(default)]
    protected: Vec<String>,
    #[serde(default)]
    prefer: PreferDefinition,
    #[serde(default)]
    manager: ManagerDefinition,
    #[serde(default)]
    dates: ProfileDates,
}

/// `[account]`: what is said about accounts of any kind of source.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    #[serde(default)]
    columns: AccountColumns,
}

/// `[lifecycle]` as it is written: without `status` the states have their usual meanings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifecycleTable {
    attribute: String,
    states: BTreeMap<String, String>,
    status: Option<BTreeMap<String, IdentityStatus>>,
}

/// Only the kind, so that a file of another kind is told so and not that its table is unknown.
#[derive(Deserialize)]
struct KindOnly {
    kind: Option<String>,
}

pub(super) fn parse(text: &str, path: &Path) -> Result<SourceDefinition, DefinitionError> {
    let path = path.display().to_string();
    if let Ok(KindOnly { kind: Some(kind) }) = toml::from_str(text)
        && let Err((key, reason)) = readable_kind(&kind)
    {
        return Err(DefinitionError { path, position: None, key: Some(key), reason });
    }
    let file: DefinitionFile = toml::from_str(text).map_err(|error| DefinitionError {
        path: path.clone(),
        position: error.span().map(|span| line_and_column(text, span.start)),
        key: None,
        reason: error.message().to_owned(),
    })?;
    check(file).map_err(|(key, reason)| DefinitionError { path, position: None, key: Some(key), reason })
}

fn readable_kind(kind: &str) -> Result<(), Fault> {
    if ReaderSettings::KINDS.contains(&kind) {
        return Ok(());
    }
    let kinds: Vec<_> = ReaderSettings::KINDS.iter().map(|kind| format!("{kind:?}")).collect();
    let wanted = format!("{kind:?} cannot be read: this version reads {}", kinds.join(", "));
    Err(("kind".to_owned(), wanted))
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn check(mut file: DefinitionFile) -> Result<SourceDefinition, Fault> {
    readable_kind(&file.kind)?;
    not_blank("name", &file.name)?;
    if let Some(owner) = &file.owner {
        not_blank("owner", owner)?;
    }
    let readers = file.take_readers();
    let id = match file.id {
        None => SourceDefinition::derived_id(&file.name),
        Some(id) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            id.to_ascii_lowercase()
        }
        Some(_) => return Err(("id".to_owned(), "expected 32 hex digits".to_owned())),
    };
    let delete_threshold_percent =
        percent("delete_threshold_percent", file.delete_threshold_percent, DEFAULT_DELETE_THRESHOLD_PERCENT)?;
    let refused_max_percent =
        percent("refused_max_percent", file.refused_max_percent, DEFAULT_REFUSED_MAX_PERCENT)?;
    let reader = reader(&file.kind, readers)?;
    let profile = file.profile.map(check_profile).transpose()?;
    for (index, rule) in file.correlation.iter().enumerate() {
        not_blank(&format!("correlation[{index}].identity_attribute"), &rule.identity_attribute)?;
        not_blank(&format!("correlation[{index}].account_attribute"), &rule.account_attribute)?;
    }
    let lifecycle = file.lifecycle.map(|table| check_lifecycle(table, profile.as_ref())).transpose()?;
    let definition = SourceDefinition {
        id,
        name: file.name,
        owner: file.owner,
        delete_threshold_percent,
        refused_max_percent,
        accounts_missing_max: file.accounts_missing_max,
        reader,
        profile,
        correlation: file.correlation,
        lifecycle,
        optional: file.optional,
        total: file.total,
        never_kept: file.never_kept,
        columns: file.account.columns,
    };
    if let Some((key, reason)) = definition.columns.fault() {
        return Err((format!("account.columns.{key}"), reason));
    }
    check_total(&definition)?;
    check_listed(&definition)?;
    check_accounts(&definition)?;
    check_names(&definition)?;
    Ok(definition)
}

fn percent(key: &str, written: Option<i64>, default: u8) -> Result<u8, Fault> {
    let number = written.unwrap_or(i64::from(default));
    let percent = u8::try_from(number).ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| (key.to_owned(), format!("{number}: expected 0 to 100")))
}

/// The settings of the kind; a table of another kind would be read by nobody.
fn reader(kind: &str, readers: Vec<ReaderSettings>) -> Result<ReaderSettings, Fault> {
    let (own, others): (Vec<_>, Vec<_>) = readers.into_iter().partition(|reader| reader.kind() == kind);
    let Some(reader) = own.into_iter().next() else {
        return Err((kind.to_owned(), format!("expected this table, for the kind is {kind:?}")));
    };
    if let Some(other) = others.first() {
        return Err((other.kind().to_owned(), format!("expected no such table, for the kind is {kind:?}")));
    }
    match reader.fault() {
        Some(fault) => Err(fault),
        None => Ok(reader),
    }
}

/// The total must be where a source of the kind can have one.
fn check_total(definition: &SourceDefinition) -> Result<(), Fault> {
    let Some(total) = &definition.total else { return Ok(()) };
    let reader = &definition.reader;
    if reader.gives_documents() {
        return Err((
            "total".to_owned(),
            "expected a source of accounts: documents are not counted".to_owned(),
        ));
    }
    total.fault(reader.kind(), reader.settings().totals()).map_or(Ok(()), Err)
}

/// What a definition says about accounts must have accounts to be about.
fn check_accounts(definition: &SourceDefinition) -> Result<(), Fault> {
    if !definition.reader.gives_documents() {
        return Ok(());
    }
    let given = [
        ("profile", definition.profile.is_some()),
        ("correlation", !definition.correlation.is_empty()),
        ("lifecycle", definition.lifecycle.is_some()),
        ("account.columns", !definition.columns.is_empty()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((key, _)) => Err((key.to_owned(), "a source of documents has no accounts".to_owned())),
        None => Ok(()),
    }
}

fn check_profile(table: ProfileTable) -> Result<ProfileDefinition, Fault> {
    not_blank("profile.name", &table.name)?;
    let priority = u32::try_from(table.priority).map_err(|_| {
        (
            "profile.priority".to_owned(),
            format!("{}: expected a whole number from 0 to {}", table.priority, u32::MAX),
        )
    })?;
    for (index, mapping) in table.attributes.iter().enumerate() {
        let key = format!("profile.attributes[{index}]");
        not_blank(&format!("{key}.name"), &mapping.name)?;
        for attribute in mapping.source.account_attributes() {
            not_blank(&format!("{key}.from"), attribute)?;
        }
        if table.attributes.iter().take(index).any(|earlier| earlier.name == mapping.name) {
            return Err((
                format!("{key}.name"),
                format!("identity attribute {:?} is mapped twice", mapping.name),
            ));
        }
    }
    if !table.attributes.iter().any(|mapping| mapping.name == UID) {
        return Err((
            "profile.attributes".to_owned(),
            "expected a mapping of the identity attribute \"uid\"".to_owned(),
        ));
    }
    for (index, native_identity) in table.protected.iter().enumerate() {
        not_blank(&format!("profile.protected[{index}]"), native_identity)?;
    }
    if let Some(attribute) = &table.prefer.newest {
        not_blank("profile.prefer.newest", attribute)?;
    }
    not_blank("profile.manager.attribute", &table.manager.attribute)?;
    if let ManagerMatch::Attribute(name) = &table.manager.matched {
        not_blank("profile.manager.match", name)?;
    }
    if let Some((key, reason)) = table.dates.fault() {
        return Err((format!("profile.dates.{key}"), reason));
    }
    Ok(ProfileDefinition {
        name: table.name,
        priority,
        attributes: table.attributes,
        protected: table.protected,
        prefer: table.prefer,
        manager: table.manager,
        dates: table.dates,
    })
}

fn check_lifecycle(
    table: LifecycleTable,
    profile: Option<&ProfileDefinition>,
) -> Result<LifecycleDefinition, Fault> {
    let Some(profile) = profile else {
        return Err((
            "lifecycle".to_owned(),
            "only a source with a [profile] gives lifecycle states".to_owned(),
        ));
    };
    not_blank("lifecycle.attribute", &table.attribute)?;
    if table.states.is_empty() {
        return Err(("lifecycle.states".to_owned(), "expected at least one state".to_owned()));
    }
    for (value, state) in &table.states {
        not_blank(&format!("lifecycle.states.{value:?}"), state)?;
    }
    let mut lifecycle = LifecycleDefinition::new(table.attribute, table.states);
    if let Some(status) = table.status {
        // Said for one, said for all: a state that was forgotten would be reported as nothing.
        if let Some(state) = lifecycle.states.values().find(|state| !status.contains_key(*state)) {
            return Err((
                "lifecycle.status".to_owned(),
                format!("state {state:?} is not in it: expected its status, ACTIVE, DISABLED or TERMINATED"),
            ));
        }
        let is_given = |state: &String| lifecycle.states.values().any(|given| given == state);
        if let Some(state) = status.keys().find(|state| !is_given(state)) {
            return Err((
                "lifecycle.status".to_owned(),
                format!("no value of lifecycle.states gives the state {state:?}"),
            ));
        }
        lifecycle.status = status;
    }
    for (index, state) in profile.prefer.states.iter().enumerate() {
        if !lifecycle.states.values().any(|given| given == state) {
            return Err((
                format!("profile.prefer.states[{index}]"),
                format!("no value of lifecycle.states gives the state {state:?}"),
            ));
        }
    }
    Ok(lifecycle)
}

/// Where the definition lists its attributes, what it says about accounts must be among them: an attribute that
/// is never read would leave every identity without its value, and nobody would be told.
fn check_listed(definition: &SourceDefinition) -> Result<(), Fault> {
    let Some((listing, listed)) = definition.reader.listed() else { return Ok(()) };
    let mut named = definition.reader.marked();
    named.extend(definition.account_attributes());
    let is_kept = |name: &str| {
        listed.iter().any(|attribute| attribute == name) || definition.reader.settings().adds(name)
    };
    match named.into_iter().find(|(_, name)| !is_kept(name)) {
        Some((key, name)) => Err((key, format!("account attribute {name:?} is not among {listing}"))),
        None => Ok(()),
    }
}

/// What may be absent must be named, and what is named must not be withheld.
fn check_names(definition: &SourceDefinition) -> Result<(), Fault> {
    let mut named = definition.reader.named();
    named.extend(definition.account_attributes());
    named.extend(definition.summed());
    for (index, name) in definition.optional.iter().enumerate() {
        if !named.iter().any(|(_, wanted)| wanted == name) {
            let names: Vec<String> = named.iter().map(|(_, name)| (*name).to_owned()).collect();
            let nearest =
                nearest(name, &names).map_or_else(String::new, |name| format!(": the nearest is {name:?}"));
            return Err((format!("optional[{index}]"), format!("no key names {name:?}{nearest}")));
        }
    }
    for (index, name) in definition.never_kept.iter().enumerate() {
        not_blank(&format!("never_kept[{index}]"), name)?;
    }
    let withheld = definition.named_columns();
    // A flag or a sum may be told by such a column: nothing else is kept of it.
    let is_told = |key: &str| {
        ["disabled", "locked", "system", "privileged", "total.sum_of"].iter().any(|told| key.ends_with(told))
    };
    match named.into_iter().find(|(key, name)| withheld.withholds(name) && !is_told(key)) {
        Some((key, name)) if is_password(name) => {
            Err((key, format!("attribute {name:?} is never kept: its name says that it holds passwords")))
        }
        Some((key, name)) => {
            Err((key, format!("attribute {name:?} is never kept: it is among `never_kept`")))
        }
        None => Ok(()),
    }
}

fn not_blank(key: &str, value: &str) -> Result<(), Fault> {
    if value.trim().is_empty() { Err((key.to_owned(), "must not be blank".to_owned())) } else { Ok(()) }
}
