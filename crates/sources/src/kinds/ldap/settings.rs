//! What a definition says about a directory server.

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::columns::Preset;
use crate::secret;
use crate::source_kind::{Fault, SourceSettings};

/// The name under which an entry's distinguished name can be used like an attribute.
pub(super) const DN: &str = "dn";

/// Attribute that holds the groups an account is a member of.
pub(super) const MEMBER_OF: &str = "memberOf";

/// Attribute that says how an account is in the groups that it is in through others.
pub(super) const GROUP_PATHS: &str = "groupPaths";

/// The `[ldap]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdapSettings {
    /// `ldaps://host`, or `ldap://host` with `starttls`; the port is 636 or 389 when it is not given. The
    /// certificate must be for this host.
    pub url: String,
    /// Secures an `ldap` connection before anything else is sent.
    #[serde(default)]
    pub starttls: bool,
    /// Sends the password over a connection that is not secured. Only for servers on this machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// PEM certificates of the authorities to trust, and no others; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Whom to bind as; anonymous when absent.
    #[serde(default)]
    pub bind_dn: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<String>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// What the server is; see [`Directory`].
    #[serde(default)]
    pub directory: Directory,
    /// Where to search, one after another.
    pub base_dns: Vec<String>,
    /// How deep to search below each.
    #[serde(default)]
    pub scope: SearchScope,
    /// Which entries are accounts, as RFC 4515 writes it.
    #[serde(default = "default_filter")]
    pub filter: String,
    /// Entries asked for at a time.
    #[serde(default = "default_page_size")]
    pub page_size: u16,
    /// Finds the accounts' groups by searching for them.
    #[serde(default)]
    pub groups: Option<GroupSettings>,
    /// Reads only what changed where that can be told; always everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeSettings>,
    /// Seconds within which the connection must stand, secured and bound.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout_s: u64,
    /// Seconds within which the server must have answered each request, a page being one.
    #[serde(default = "default_operation_timeout")]
    pub operation_timeout_s: u64,
    /// Seconds within which the whole read must have ended.
    #[serde(default = "default_total_timeout")]
    pub total_timeout_s: u64,
    /// What the attributes mean. `dn` is the entry's name.
    #[serde(default = "default_account")]
    pub account: AccountSettings,
}

/// What is particular about a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directory {
    /// Only what the standards say.
    #[default]
    Generic,
    /// Active Directory or Samba: `userAccountControl` tells disabled accounts, `lockoutTime` and
    /// `msDS-User-Account-Control-Computed` locked ones, times are in RFC 3339, the primary group is among
    /// `memberOf`, and `objectGUID` is the account's uuid.
    ActiveDirectory,
}

/// How deep a search goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchScope {
    /// The base and all below it.
    #[default]
    Subtree,
    /// What is directly below the base.
    OneLevel,
    /// The base alone.
    Base,
}

/// The `[ldap.changes]` table: entries that have not changed since the last read are only listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSettings {
    /// After so many reads of changes comes a full one, for values that change without the entry's change being noted.
    #[serde(default = "default_full_every")]
    pub full_every: u32,
}

/// The `[ldap.groups]` table: an account's groups are found by searching for those that name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// Where to search.
    pub base_dn: String,
    /// Which entries are groups.
    #[serde(default = "default_group_filter")]
    pub filter: String,
    /// Attribute of a group that names its members: `member`, `uniqueMember`, `memberUid`.
    pub member_attribute: String,
    /// Attribute of an account by which groups name it; `uid` for `memberUid`.
    #[serde(default = "default_dn")]
    pub account_attribute: String,
    /// Attribute of a group that is kept.
    #[serde(default = "default_dn")]
    pub value: String,
    /// Attribute of the account under which the groups are kept, as entitlements.
    #[serde(default = "default_groups_attribute")]
    pub attribute: String,
    /// Whether an account is in the groups, too, that have its groups as members. How it is in such a group becomes a value
    /// of the attribute `groupPaths`.
    #[serde(default)]
    pub nested: bool,
}

fn default_filter() -> String {
    "(objectClass=person)".to_owned()
}

fn default_full_every() -> u32 {
    20
}

fn default_group_filter() -> String {
    "(objectClass=*)".to_owned()
}

fn default_groups_attribute() -> String {
    "groups".to_owned()
}

fn default_dn() -> String {
    DN.to_owned()
}

fn default_page_size() -> u16 {
    500
}

fn default_connect_timeout() -> u64 {
    10
}

fn default_operation_timeout() -> u64 {
    60
}

fn default_total_timeout() -> u64 {
    3600
}

fn default_account() -> AccountSettings {
    AccountSettings::new(DN)
}

impl LdapSettings {
    /// An anonymous read of everything below `base_dn`, with everything else at its default.
    #[must_use]
    pub fn new(url: impl Into<String>, base_dn: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            starttls: false,
            allow_plaintext: false,
            ca_file: None,
            bind_dn: None,
            password_file: None,
            password_env: None,
            directory: Directory::default(),
            base_dns: vec![base_dn.into()],
            scope: SearchScope::default(),
            filter: default_filter(),
            page_size: default_page_size(),
            groups: None,
            changes: None,
            connect_timeout_s: default_connect_timeout(),
            operation_timeout_s: default_operation_timeout(),
            total_timeout_s: default_total_timeout(),
            account: default_account(),
        }
    }

    /// Whether the connection is secured before the password is sent.
    pub(super) fn is_secured(&self) -> bool {
        self.starttls || self.url.starts_with("ldaps://")
    }

    /// Whether an attribute that servers give only by name is asked for.
    pub(super) fn wants(&self, attribute: &str) -> bool {
        self.account.named().iter().any(|(_, name)| name.eq_ignore_ascii_case(attribute))
    }

    /// The account's settings with what follows from the others.
    pub(super) fn effective_account(&self) -> AccountSettings {
        let mut account = self.account.clone();
        if self.directory == Directory::ActiveDirectory && account.uuid.is_none() {
            account.uuid = Some("objectGUID".to_owned());
        }
        if let Some(groups) = &self.groups {
            if let Some(attributes) = account.attributes.as_mut().filter(|_| groups.nested) {
                attributes.push(GROUP_PATHS.to_owned());
            }
            for list in [Some(&mut account.entitlements), account.attributes.as_mut()].into_iter().flatten() {
                if !list.iter().any(|name| name.eq_ignore_ascii_case(&groups.attribute)) {
                    list.push(groups.attribute.clone());
                }
            }
        }
        account
    }
}

impl SourceSettings for LdapSettings {
    fn preset(&self) -> Option<Preset> {
        (self.directory == Directory::ActiveDirectory).then_some(Preset::ActiveDirectory)
    }

    fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, reason: &str| Some((key.to_owned(), reason.to_owned()));
        let host = self.url.strip_prefix("ldaps://").or_else(|| self.url.strip_prefix("ldap://"));
        let Some(host) = host.filter(|host| !host.trim_end_matches('/').is_empty()) else {
            return fault("url", "expected ldaps://host or ldap://host, with or without a port");
        };
        if host.contains('@') || host.trim_end_matches('/').contains(['/', '?', '#']) {
            return fault("url", "expected nothing but host and port");
        }
        if self.starttls && self.url.starts_with("ldaps://") {
            return fault("starttls", "an ldaps connection is secured from its beginning");
        }
        if let Some(found) =
            secret::fault("password", self.password_file.as_ref(), self.password_env.as_ref())
        {
            return Some(found);
        }
        let has_password = self.password_file.is_some() || self.password_env.is_some();
        match &self.bind_dn {
            None if has_password => return fault("bind_dn", "expected with a password"),
            Some(_) if !has_password => {
                return fault("bind_dn", "expected `password_file` or `password_env` with it");
            }
            Some(_) if !self.is_secured() && !self.allow_plaintext => {
                let reason = "expected ldaps or `starttls`: the password would be sent in plain text";
                return fault("url", reason);
            }
            Some(name) if name.trim().is_empty() => return fault("bind_dn", "must not be blank"),
            Some(_) | None => {}
        }
        if self.base_dns.is_empty() {
            return fault("base_dns", "expected at least one");
        }
        if ldap3::parse_filter(&self.filter).is_err() {
            return fault("filter", "expected a filter such as \"(objectClass=person)\"");
        }
        if self.page_size == 0 {
            return fault("page_size", "expected 1 to 65535");
        }
        for (key, seconds) in [
            ("connect_timeout_s", self.connect_timeout_s),
            ("operation_timeout_s", self.operation_timeout_s),
            ("total_timeout_s", self.total_timeout_s),
        ] {
            if seconds == 0 {
                return fault(key, "expected at least 1 second");
            }
        }
        if let Some(groups) = &self.groups {
            if ldap3::parse_filter(&groups.filter).is_err() {
                return fault("groups.filter", "expected a filter such as \"(objectClass=groupOfNames)\"");
            }
            for (key, value) in [
                ("groups.member_attribute", &groups.member_attribute),
                ("groups.account_attribute", &groups.account_attribute),
                ("groups.value", &groups.value),
                ("groups.attribute", &groups.attribute),
            ] {
                if value.trim().is_empty() {
                    return fault(key, "must not be blank");
                }
            }
            if groups.nested && !groups.account_attribute.eq_ignore_ascii_case(DN) {
                let reason =
                    "expected groups that name their members by `dn`: others cannot have groups as members";
                return fault("groups.nested", reason);
            }
        }
        if self.changes.is_some() && self.directory == Directory::Generic && self.wants(MEMBER_OF) {
            let reason =
                "expected no `memberOf` with it: a directory does not note its change; use `[ldap.groups]`";
            return fault("changes", reason);
        }
        self.account.fault()
    }

    fn account(&self) -> Option<&AccountSettings> {
        Some(&self.account)
    }

    /// The groups that are searched for.
    fn adds(&self, name: &str) -> bool {
        let adds = |groups: &GroupSettings| groups.attribute == name || groups.nested && name == GROUP_PATHS;
        self.groups.as_ref().is_some_and(adds)
    }
}
