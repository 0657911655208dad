//! A source's definition: what to read and what its records mean.
//!
//! People write it as a TOML file; the system keeps it as JSON. Both carry the same keys, except that the
//! file's `kind` and its table are one value here ([`ReaderSettings`]) and the id is always present.
//! Definitions that came from [`SourceDefinition::from_toml`] are valid; reading stored JSON checks the shape
//! only, because only valid definitions are stored.

mod file;
mod mapping;
mod template;
mod transform;
mod unmapped;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use mapping::{AttributeMapping, MappingSource};
pub use template::{Template, TemplatePart};
pub use transform::Transform;
pub use unmapped::unmapped_identity_attributes;

use crate::columns::{AccountColumns, ProfileDates};
use crate::kinds::ReaderSettings;
use crate::limit::Limit;
use crate::named_columns::NamedColumns;
use crate::total::TotalDefinition;

/// Percentage of a source's accounts that may vanish in one full read when the definition says nothing.
pub const DEFAULT_DELETE_THRESHOLD_PERCENT: u8 = 10;
/// Percentage of a source's records that may be refused in one read when the definition says nothing.
pub const DEFAULT_REFUSED_MAX_PERCENT: u8 = 10;

/// Whether `part` is more than `percent` of `whole`, as the thresholds of a definition mean it.
#[must_use]
pub fn exceeds(part: u64, percent: u8, whole: u64) -> bool {
    u128::from(part) * 100 > u128::from(percent) * u128::from(whole)
}

/// One source, as the whole system knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceDefinition {
    /// 32 lower-case hex digits; see [`SourceDefinition::derived_id`] for what it is when none was written.
    pub id: String,
    /// The name people know the source by.
    pub name: String,
    /// Name (uid) of the identity that is responsible for it, and reviews its access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A full read in which more than this percentage of the known accounts is missing marks none of them, and a
    /// refresh in which more than this percentage of them lose their identity publishes nothing; 0 to 100, and with
    /// 100 anything may go.
    pub delete_threshold_percent: u8,
    /// A read in which more than this percentage of the records is refused is not complete; 0 to 100.
    #[serde(default = "default_refused_max_percent")]
    pub refused_max_percent: u8,
    /// How many of its known accounts may be missing from a complete read before the refresh publishes nothing; absent
    /// where the settings of refreshes say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts_missing_max: Option<Limit>,
    /// How to read it.
    pub reader: ReaderSettings,
    /// Present exactly when the source is authoritative.
    pub profile: Option<ProfileDefinition>,
    /// Rules that link an account to an identity, in the order in which they are tried.
    pub correlation: Vec<CorrelationRule>,
    /// Lifecycle states of the identities made from this source's accounts.
    pub lifecycle: Option<LifecycleDefinition>,
    /// Columns that the definition names and the input may lack; any other that it lacks fails the read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// What the owner says how many records there are, and what happens if another number was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<TotalDefinition>,
    /// Attributes that are never kept, in addition to those whose names say that they hold passwords.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_kept: Vec<String>,
    /// Which attributes hold what the program knows of accounts in its own types, `[account.columns]` in a file.
    #[serde(default, skip_serializing_if = "AccountColumns::is_empty")]
    pub columns: AccountColumns,
}

fn default_refused_max_percent() -> u8 {
    DEFAULT_REFUSED_MAX_PERCENT
}

/// The identity profile that rests on an authoritative source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileDefinition {
    /// The profile's name.
    pub name: String,
    /// Rank among the profiles; the lowest number wins an identity.
    pub priority: u32,
    /// How identity attributes come from the account; `uid` is always among them.
    pub attributes: Vec<AttributeMapping>,
    /// Native identities whose identities are never reported as orphans.
    #[serde(default)]
    pub protected: Vec<String>,
    /// Which of several records of one person decides.
    #[serde(default)]
    pub prefer: PreferDefinition,
    /// How the manager is found.
    #[serde(default)]
    pub manager: ManagerDefinition,
    /// Which attributes hold the dates of a person's employment.
    #[serde(default, skip_serializing_if = "ProfileDates::is_empty")]
    pub dates: ProfileDates,
}

/// Which of several records of one person on the profile's source decides: by state, then by date, then the one with
/// the lowest native identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferDefinition {
    /// Lifecycle states, the best first; those that are not listed come last. When absent states that mean ACTIVE
    /// come before those that mean DISABLED, and these before those that mean TERMINATED.
    #[serde(default)]
    pub states: Vec<String>,
    /// Account attribute with a date; the newest wins, and records without a readable one come last.
    #[serde(default)]
    pub newest: Option<String>,
}

/// How the manager of an identity is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagerDefinition {
    /// Identity attribute that names the manager.
    #[serde(default = "default_manager_attribute")]
    pub attribute: String,
    /// What it is compared with.
    #[serde(default, rename = "match")]
    pub matched: ManagerMatch,
}

fn default_manager_attribute() -> String {
    "manager".to_owned()
}

impl Default for ManagerDefinition {
    fn default() -> Self {
        Self { attribute: default_manager_attribute(), matched: ManagerMatch::default() }
    }
}

/// What the name of a manager is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ManagerMatch {
    /// An identity attribute of the manager.
    Attribute(String),
    /// The native identity of the manager's account on the same source, such as its distinguished name.
    NativeIdentity,
}

/// How [`ManagerMatch::NativeIdentity`] is written.
const NATIVE_IDENTITY: &str = "native_identity";

impl Default for ManagerMatch {
    fn default() -> Self {
        Self::Attribute("uid".to_owned())
    }
}

impl From<String> for ManagerMatch {
    fn from(text: String) -> Self {
        if text == NATIVE_IDENTITY { Self::NativeIdentity } else { Self::Attribute(text) }
    }
}

impl From<ManagerMatch> for String {
    fn from(matched: ManagerMatch) -> Self {
        match matched {
            ManagerMatch::Attribute(name) => name,
            ManagerMatch::NativeIdentity => NATIVE_IDENTITY.to_owned(),
        }
    }
}

/// Links an account to the identity that has the same value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrelationRule {
    /// Attribute of the identity, by its technical name.
    pub identity_attribute: String,
    /// Attribute of this source's account.
    pub account_attribute: String,
    /// Compare without regard to case.
    #[serde(default)]
    pub ignore_case: bool,
}

/// Lifecycle states by the value of an account attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleDefinition {
    /// Attribute of the authoritative source's account.
    pub attribute: String,
    /// Technical name of the state by the attribute's value, compared exactly; the value of a record without the
    /// attribute is the empty text. A value that is not listed gives no state and no status, and a warning.
    pub states: BTreeMap<String, String>,
    /// What each state means, by its technical name; all of them are here.
    #[serde(default = "default_status")]
    pub status: BTreeMap<String, IdentityStatus>,
}

/// What the states mean where a definition does not say it.
fn default_status() -> BTreeMap<String, IdentityStatus> {
    [
        ("active", IdentityStatus::Active),
        ("inactive", IdentityStatus::Disabled),
        ("terminated", IdentityStatus::Terminated),
    ]
    .map(|(state, status)| (state.to_owned(), status))
    .into()
}

/// What a lifecycle state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IdentityStatus {
    /// The person works here.
    Active,
    /// The person does not work now and comes back.
    Disabled,
    /// The person has left.
    Terminated,
}

impl IdentityStatus {
    /// As tables and reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
            Self::Terminated => "TERMINATED",
        }
    }
}

impl LifecycleDefinition {
    /// States without a stated meaning: `active`, `inactive` and `terminated` then mean what they say.
    #[must_use]
    pub fn new(attribute: impl Into<String>, states: BTreeMap<String, String>) -> Self {
        Self { attribute: attribute.into(), states, status: default_status() }
    }
}

/// A definition that cannot be used: where it is wrong and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{}: {reason}", at(.position), key_text(.key))]
pub struct DefinitionError {
    /// The definition file.
    pub path: String,
    /// Line and column in it, counted from 1, where the parser can tell.
    pub position: Option<(usize, usize)>,
    /// The key, such as `profile.attributes[0].name`, where it is known.
    pub key: Option<String>,
    /// What is wrong and what was expected.
    pub reason: String,
}

fn at(position: &Option<(usize, usize)>) -> String {
    position.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"))
}

fn key_text(key: &Option<String>) -> String {
    key.as_ref().map_or_else(String::new, |key| format!(": {key}"))
}

impl SourceDefinition {
    /// Reads and checks the text of a definition file; `path` is for error messages.
    ///
    /// # Errors
    /// [`DefinitionError`] with the file, the place or key, and what was expected, for the first fault.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, DefinitionError> {
        file::parse(text, path)
    }

    /// The id of a source whose definition gives none: the first 32 hex digits of the SHA-256 of `source:` and
    /// the name, so that it stays the same wherever the definition is read.
    #[must_use]
    pub fn derived_id(name: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(b"source:");
        hash.update(name.as_bytes());
        let mut text = crate::reader::hex(hash.finalize());
        text.truncate(32);
        text
    }

    /// The account attributes that the definition uses beyond the reader, with their keys.
    #[must_use]
    pub fn account_attributes(&self) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        for (index, mapping) in self.profile.iter().flat_map(|profile| profile.attributes.iter().enumerate())
        {
            for name in mapping.source.account_attributes() {
                named.push((format!("profile.attributes[{index}]"), name));
            }
        }
        for (index, rule) in self.correlation.iter().enumerate() {
            named.push((format!("correlation[{index}].account_attribute"), rule.account_attribute.as_str()));
        }
        if let Some(name) = self.profile.as_ref().and_then(|profile| profile.prefer.newest.as_ref()) {
            named.push(("profile.prefer.newest".to_owned(), name.as_str()));
        }
        if let Some(lifecycle) = &self.lifecycle {
            named.push(("lifecycle.attribute".to_owned(), lifecycle.attribute.as_str()));
        }
        let columns = self.columns.named().into_iter();
        named.extend(columns.map(|(key, name)| (format!("account.columns.{key}"), name)));
        let dates = self.profile.iter().flat_map(|profile| profile.dates.named());
        named.extend(dates.map(|(key, name)| (format!("profile.dates.{key}"), name)));
        named
    }

    /// The columns of `[account.columns]`, with those of the preset that it names, or that its kind of source implies.
    #[must_use]
    pub fn account_columns(&self) -> AccountColumns {
        self.columns.resolved(self.reader.settings().preset())
    }

    /// What the definition says about the names of the input's columns.
    pub(crate) fn named_columns(&self) -> NamedColumns {
        let adds = |name: &str| self.reader.settings().adds(name);
        let (mut reader, others) = (self.reader.named(), self.account_attributes());
        reader.extend(self.summed());
        let summed = self.total.as_ref().and_then(TotalDefinition::summed);
        NamedColumns::new(&reader, &others, adds, &self.optional, &self.never_kept).summing(summed)
    }

    /// The column whose sum the owner states, with its key. It need not be kept.
    pub(crate) fn summed(&self) -> Option<(String, &str)> {
        let column = self.total.as_ref()?.sum_of.as_deref()?;
        Some(("total.sum_of".to_owned(), column))
    }

    /// Whether an identity profile rests on the source.
    #[must_use]
    pub fn is_authoritative(&self) -> bool {
        self.profile.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::exceeds;

    #[test]
    fn a_threshold_is_exceeded_by_more_than_its_share() {
        assert!(!exceeds(1, 10, 10) && exceeds(2, 10, 10) && exceeds(1, 10, 9));
        assert!(exceeds(1, 0, 1_000) && !exceeds(0, 0, 0) && !exceeds(5, 100, 5));
        assert!(!exceeds(u64::MAX, 100, u64::MAX));
    }
}
