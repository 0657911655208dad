//! What a definition says about what the program knows of accounts and people in its own types: when an account was last
//! used, who owns it, when a person's employment ends (`[account.columns]`, `[profile.dates]`).
//!
//! Why apart from attributes: an attribute is a text, and a report that counts days needs a time. What a source does not
//! say stays unknown: no value is never read as "never".

mod reader;
mod time_format;

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

use crate::pattern::matches;
use time_format::Read;

pub(crate) use reader::TypedReader;
pub use time_format::TimeFormat;

/// The key with a fault, and what is wrong with it.
type Fault = (String, String);

/// What a tenant says of an account: `true` for a machine account, and absent for others.
pub(crate) const IS_MACHINE: &str = "tenant.isMachine";
/// What a tenant says of a machine account: the name of the identity that owns it.
pub(crate) const OWNER_NAME: &str = "tenant.ownerName";

/// Most days by which a source may record a use late.
const LAG_DAYS_MAX: u16 = 366;

/// The table `[account.columns]`: which attributes hold what the program knows of an account in its own types.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountColumns {
    /// What a product means by its attributes, for the columns that are not given here. Attributes of a preset may be
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// When the account was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<TimeColumn>,
    /// When its password was last set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set: Option<TimeColumn>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<TimeColumn>,
    /// Who uses it: a person, a program and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindColumn>,
    /// Who is responsible for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<TextColumn>,
    /// Which of its values make it privileged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged_by: Option<GroundsColumn>,
}

/// The table `[profile.dates]`: which attributes of an authoritative account hold the dates of a person's employment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileDates {
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<TimeColumn>,
    /// When it ends by contract; the person works on that day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<TimeColumn>,
    /// When the person left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_on: Option<TimeColumn>,
}

/// What a product means by its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Active Directory and Samba.
    ActiveDirectory,
    /// OpenLDAP with the overlays `ppolicy` and `lastbind`.
    #[serde(rename = "openldap")]
    OpenLdap,
    /// IBM Verify over SCIM.
    IbmVerify,
    /// SAP's cloud systems over SCIM.
    SapCloud,
    /// Slack over SCIM.
    Slack,
    /// Identity Security Cloud, for what the tenant itself says about accounts.
    Tenant,
}

/// An attribute that holds a time. Of several values the latest counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeColumn {
    /// The attribute.
    pub from: String,
    /// How its values are written.
    #[serde(default)]
    pub format: TimeFormat,
    /// Values that say that the time is not known, in addition to blank ones; ASCII case ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Values that say that the time never comes; ASCII case ignored. Only for `expires`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
    /// By how many days the source may record a use late. Only for `last_used`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lag_days: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(days: &u16) -> bool {
    *days == 0
}

/// An attribute that holds a text. Of several values the first that is not blank counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextColumn {
    /// The attribute.
    pub from: String,
}

/// What tells the kind of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindColumn {
    /// The attribute; absent where all accounts of the source are of one kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Patterns of values by the kind that they tell, with `*` for any characters and `?` for one; ASCII case ignored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<AccountKind, Vec<String>>,
    /// The kind of accounts without such a value; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<AccountKind>,
}

/// Which values of an attribute make an account privileged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroundsColumn {
    /// The attribute.
    pub from: String,
    /// Patterns of such values, with `*` for any characters and `?` for one; ASCII case ignored.
    pub values: Vec<String>,
}

/// Who uses an account. If an account has values of several kinds, the first of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A program.
    Service,
    /// A program that acts by its own decisions for people.
    Agent,
    /// Several people.
    Shared,
    /// One person.
    Human,
}

impl AccountKind {
    /// As tables and reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Agent => "agent",
            Self::Shared => "shared",
            Self::Human => "human",
        }
    }
}

/// What one account's attributes say, in the program's own types. Whatever they do not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedAccount {
    /// When it was last used.
    pub last_used: Option<DateTime<Utc>>,
    /// The latest time at which that use can have been.
    pub last_used_latest: Option<DateTime<Utc>>,
    /// When its password was last set.
    pub password_set: Option<DateTime<Utc>>,
    /// When it ends by itself.
    pub expires: Option<DateTime<Utc>>,
    /// Whether its source says that it never ends by itself.
    pub never_expires: Option<bool>,
    /// Who uses it.
    pub kind: Option<AccountKind>,
    /// Who is responsible for it, as the source writes it.
    pub owner: Option<String>,
    /// The values that make it privileged.
    pub privileged_by: Vec<String>,
    /// The columns whose values cannot be read.
    pub unreadable: Vec<&'static str>,
}

/// The dates of a person's employment. Whatever the account does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedPerson {
    /// When it begins.
    pub starts: Option<DateTime<Utc>>,
    /// When it ends by contract.
    pub ends: Option<DateTime<Utc>>,
    /// When the person left.
    pub left_on: Option<DateTime<Utc>>,
    /// The columns whose values cannot be read.
    pub unreadable: Vec<&'static str>,
}

/// The values of a record under a name.
pub type Values<'a, 'v> = &'a dyn Fn(&str) -> Vec<&'v str>;

impl Preset {
    /// What the product means.
    fn columns(self) -> AccountColumns {
        let time = |from: &str, format, lag_days| {
            Some(TimeColumn { from: from.to_owned(), format, lag_days, ..TimeColumn::default() })
        };
        let iso = |from: &str| time(from, TimeFormat::Iso, 0);
        match self {
            Self::ActiveDirectory => AccountColumns {
                preset: None,
                // A domain controller writes it only if the last value is 9 to 14 days old.
                last_used: time("lastLogonTimestamp", TimeFormat::Filetime, 14),
                password_set: time("pwdLastSet", TimeFormat::Filetime, 0),
                expires: time("accountExpires", TimeFormat::Filetime, 0),
                kind: Some(KindColumn {
                    from: Some("objectClass".to_owned()),
                    values: [(
                        AccountKind::Service,
                        ["computer", "msDS-ManagedServiceAccount", "msDS-GroupManagedServiceAccount"]
                            .map(str::to_owned)
                            .into(),
                    )]
                    .into(),
                    default: None,
                }),
                owner: Some(TextColumn { from: "managedBy".to_owned() }),
                privileged_by: Some(GroundsColumn {
                    from: "memberOf".to_owned(),
                    values: [
                        "Account Operators",
                        "Administrators",
                        "Backup Operators",
                        "Domain Admins",
                        "Domain Controllers",
                        "Enterprise Admins",
                        "Enterprise Key Admins",
                        "Group Policy Creator Owners",
                        "Key Admins",
                        "Print Operators",
                        "Schema Admins",
                        "Server Operators",
                    ]
                    .map(|name| format!("CN={name},*"))
                    .into(),
                }),
            },
            Self::OpenLdap => AccountColumns {
                last_used: time("authTimestamp", TimeFormat::Generalized, 0),
                password_set: time("pwdChangedTime", TimeFormat::Generalized, 0),
                ..AccountColumns::default()
            },
            Self::IbmVerify => AccountColumns {
                last_used: iso("urn:ietf:params:scim:schemas:extension:ibm:2.0:User:lastLogin"),
                password_set: iso("urn:ietf:params:scim:schemas:extension:ibm:2.0:User:pwdChangedTime"),
                expires: iso("urn:ietf:params:scim:schemas:extension:ibm:2.0:User:accountExpires"),
                ..AccountColumns::default()
            },
            Self::SapCloud => AccountColumns {
                last_used: iso("urn:ietf:params:scim:schemas:extension:sap:2.0:User:loginTime"),
                expires: iso("urn:ietf:params:scim:schemas:extension:sap:2.0:User:validTo"),
                ..AccountColumns::default()
            },
            Self::Slack => AccountColumns {
                expires: iso("urn:ietf:params:scim:schemas:extension:slack:guest:2.0:User:expiration"),
                ..AccountColumns::default()
            },
            // That an account is no machine account does not say that one person uses it.
            Self::Tenant => AccountColumns {
                kind: Some(KindColumn {
                    from: Some(IS_MACHINE.to_owned()),
                    values: [(AccountKind::Service, vec!["true".to_owned()])].into(),
                    default: None,
                }),
                owner: Some(TextColumn { from: OWNER_NAME.to_owned() }),
                ..AccountColumns::default()
            },
        }
    }
}

impl AccountColumns {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The columns with those of the preset, or of `implied` if the definition names no preset.
    #[must_use]
    pub(crate) fn resolved(&self, implied: Option<Preset>) -> Self {
        let preset = self.preset.or(implied).map(Preset::columns).unwrap_or_default();
        Self {
            preset: None,
            last_used: self.last_used.clone().or(preset.last_used),
            password_set: self.password_set.clone().or(preset.password_set),
            expires: self.expires.clone().or(preset.expires),
            kind: self.kind.clone().or(preset.kind),
            owner: self.owner.clone().or(preset.owner),
            privileged_by: self.privileged_by.clone().or(preset.privileged_by),
        }
    }

    fn times(&self) -> [(&'static str, Option<&TimeColumn>); 3] {
        [
            ("last_used", self.last_used.as_ref()),
            ("password_set", self.password_set.as_ref()),
            ("expires", self.expires.as_ref()),
        ]
    }

    /// The attributes that the table names, with their keys below it.
    pub(crate) fn named(&self) -> Vec<(&'static str, &str)> {
        let times = self.times().into_iter().map(|(key, time)| (key, time.map(|time| time.from.as_str())));
        let others = [
            ("kind", self.kind.as_ref().and_then(|kind| kind.from.as_deref())),
            ("owner", self.owner.as_ref().map(|owner| owner.from.as_str())),
            ("privileged_by", self.privileged_by.as_ref().map(|grounds| grounds.from.as_str())),
        ];
        times.chain(others).filter_map(|(key, name)| Some((key, name?))).collect()
    }

    /// The first fault, with its key below the table.
    pub(crate) fn fault(&self) -> Option<Fault> {
        for (key, time) in self.times() {
            let Some(time) = time else { continue };
            if !time.never.is_empty() && key != "expires" {
                let wanted = "expected it only of `expires`; values that say nothing belong to `unknown`";
                return Some((format!("{key}.never"), wanted.to_owned()));
            }
            if time.lag_days > 0 && key != "last_used" {
                return Some((format!("{key}.lag_days"), "expected it only of `last_used`".to_owned()));
            }
            if time.lag_days > LAG_DAYS_MAX {
                return Some((
                    format!("{key}.lag_days"),
                    format!("{}: expected 0 to {LAG_DAYS_MAX}", time.lag_days),
                ));
            }
        }
        if let Some(kind) = &self.kind {
            if kind.from.is_some() == kind.values.is_empty() {
                return Some((
                    "kind".to_owned(),
                    "expected both `from` and `values`, or `default` alone".to_owned(),
                ));
            }
            if kind.from.is_none() && kind.default.is_none() {
                return Some(("kind".to_owned(), "expected `from` and `values`, or `default`".to_owned()));
            }
        }
        if self.privileged_by.as_ref().is_some_and(|grounds| grounds.values.is_empty()) {
            return Some(("privileged_by.values".to_owned(), "expected at least one pattern".to_owned()));
        }
        let blank = self.named().into_iter().find(|(_, name)| name.trim().is_empty());
        blank.map(|(key, _)| (format!("{key}.from"), "must not be blank".to_owned()))
    }

    /// What an account's attributes say. The columns are those that [`resolved`](Self::resolved) gives.
    #[must_use]
    pub fn read(&self, values: Values<'_, '_>) -> TypedAccount {
        let mut account = TypedAccount::default();
        let unreadable = &mut account.unreadable;
        let mut time = |key: &'static str, column: &Option<TimeColumn>| {
            column.as_ref().map_or(Found::Unknown, |column| column.read(key, values, unreadable))
        };
        account.last_used = time("last_used", &self.last_used).time();
        account.password_set = time("password_set", &self.password_set).time();
        let expires = time("expires", &self.expires);
        (account.expires, account.never_expires) = (expires.time(), expires.is_never());
        let lag = self.last_used.as_ref().map_or(0, |column| u64::from(column.lag_days));
        account.last_used_latest =
            account.last_used.map(|used| used.checked_add_days(Days::new(lag)).unwrap_or(used));
        account.kind = self.kind.as_ref().and_then(|kind| kind.read(values));
        let not_blank = |text: &&str| !text.trim().is_empty();
        account.owner = self.owner.as_ref().and_then(|owner| {
            values(&owner.from).into_iter().find(not_blank).map(|owner| owner.trim().to_owned())
        });
        if let Some(grounds) = &self.privileged_by {
            let found = values(&grounds.from).into_iter().filter(|value| fits(&grounds.values, value));
            account.privileged_by = found.map(str::to_owned).collect();
        }
        account
    }

    /// What a time of this column should have looked like.
    pub(crate) fn expected(&self, key: &str) -> Option<(&str, &'static str)> {
        let column = self.times().into_iter().find(|(name, _)| *name == key)?.1?;
        Some((column.from.as_str(), column.format.expectation()))
    }
}

impl ProfileDates {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn times(&self) -> [(&'static str, Option<&TimeColumn>); 3] {
        [("starts", self.starts.as_ref()), ("ends", self.ends.as_ref()), ("left_on", self.left_on.as_ref())]
    }

    /// The attributes that the table names, with their keys below it.
    pub(crate) fn named(&self) -> Vec<(&'static str, &str)> {
        let times = self.times().into_iter();
        times.filter_map(|(key, time)| Some((key, time?.from.as_str()))).collect()
    }

    /// The first fault, with its key below the table.
    pub(crate) fn fault(&self) -> Option<Fault> {
        for (key, time) in self.times() {
            let Some(time) = time else { continue };
            if time.from.trim().is_empty() {
                return Some((format!("{key}.from"), "must not be blank".to_owned()));
            }
            if !time.never.is_empty() {
                let wanted =
                    "expected it only of an account's `expires`; values that say nothing belong to `unknown`";
                return Some((format!("{key}.never"), wanted.to_owned()));
            }
            if time.lag_days > 0 {
                return Some((
                    format!("{key}.lag_days"),
                    "expected it only of an account's `last_used`".to_owned(),
                ));
            }
        }
        None
    }

    /// What an authoritative account's attributes say.
    #[must_use]
    pub fn read(&self, values: Values<'_, '_>) -> TypedPerson {
        let mut person = TypedPerson::default();
        let unreadable = &mut person.unreadable;
        let mut time = |key: &'static str, column: &Option<TimeColumn>| {
            column.as_ref().and_then(|column| column.read(key, values, unreadable).time())
        };
        person.starts = time("starts", &self.starts);
        person.ends = time("ends", &self.ends);
        person.left_on = time("left_on", &self.left_on);
        person
    }

    /// What a time of this column should have looked like.
    pub(crate) fn expected(&self, key: &str) -> Option<(&str, &'static str)> {
        let column = self.times().into_iter().find(|(name, _)| *name == key)?.1?;
        Some((column.from.as_str(), column.format.expectation()))
    }
}

/// What a time column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Unknown,
    Time(DateTime<Utc>),
    Never,
}

impl Found {
    fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Time(time) => Some(time),
            Self::Unknown | Self::Never => None,
        }
    }

    fn is_never(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Time(_) => Some(false),
            Self::Never => Some(true),
        }
    }
}

impl TimeColumn {
    /// The latest of the values. One that cannot be read makes the column unreadable: it could be the latest.
    fn read(&self, key: &'static str, values: Values<'_, '_>, unreadable: &mut Vec<&'static str>) -> Found {
        let mut latest = Found::Unknown;
        // The last day of an account or of a contract belongs to it; of other days nobody knows the hour.
        let is_end = matches!(key, "expires" | "ends" | "left_on");
        for text in values(&self.from) {
            let text = text.trim();
            let is_among = |list: &[String]| list.iter().any(|one| one.trim().eq_ignore_ascii_case(text));
            let found = if text.is_empty() || is_among(&self.unknown) {
                Found::Unknown
            } else if is_among(&self.never) {
                Found::Never
            } else {
                match self.format.read(text, is_end) {
                    Read::Time(time) => Found::Time(time),
                    // Of anything but an end, it says that there is nothing to know: no use, no password.
                    Read::Never if key == "expires" => Found::Never,
                    Read::Never => Found::Unknown,
                    Read::Unreadable => {
                        unreadable.push(key);
                        return Found::Unknown;
                    }
                }
            };
            latest = match (latest, found) {
                (Found::Unknown, other) | (other, Found::Unknown) => other,
                (Found::Never, _) | (_, Found::Never) => Found::Never,
                (Found::Time(one), Found::Time(other)) => Found::Time(one.max(other)),
            };
        }
        latest
    }
}

impl KindColumn {
    fn read(&self, values: Values<'_, '_>) -> Option<AccountKind> {
        let found = self.from.as_ref().and_then(|from| {
            let texts = values(from);
            // In the order of the kinds.
            let told = |patterns: &[String]| texts.iter().any(|text| fits(patterns, text));
            self.values.iter().find(|(_, patterns)| told(patterns)).map(|(kind, _)| *kind)
        });
        found.or(self.default)
    }
}

/// Whether a value fits one of the patterns, ASCII case and the white space around it ignored.
fn fits(patterns: &[String], value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    patterns.iter().any(|pattern| matches(&pattern.trim().to_ascii_lowercase(), &value))
}

#[cfg(test)]
mod tests;
