//! What a definition says about a SCIM service.

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::kinds::ldap::ChangeSettings;
use crate::secret;
use crate::source_kind::{Fault, SourceSettings};
use crate::total::TotalPlace;

/// The `[scim]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScimSettings {
    /// The service, up to what stands before `/Users`.
    pub url: String,
    /// Allows `http`. Only for services on this machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// PEM certificates of the authorities to trust, and no others; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// File that holds the bearer token.
    #[serde(default)]
    pub token_file: Option<String>,
    /// Environment variable that holds the bearer token.
    #[serde(default)]
    pub token_env: Option<String>,
    /// The user's name, for services that want a name and a password.
    #[serde(default)]
    pub user: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<String>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// Which users are accounts, as RFC 7644 writes a filter; all when absent.
    #[serde(default)]
    pub filter: Option<String>,
    /// How pages are asked for.
    #[serde(default)]
    pub paging: Paging,
    /// Attribute to ask the service to sort by, where it can: without an order, pages may repeat and skip.
    #[serde(default)]
    pub sort_by: Option<String>,
    /// Users asked for at a time.
    #[serde(default = "default_page_size")]
    pub page_size: u16,
    /// Where an account's groups come from.
    #[serde(default)]
    pub groups: GroupsFrom,
    /// Asks whether anything changed since the last read, where the service gives its pages entity tags; everything is
    /// read, always, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeSettings>,
    /// Seconds within which each answer must have come.
    #[serde(default = "default_operation_timeout")]
    pub operation_timeout_s: u64,
    /// Seconds within which the whole read must have ended, waiting for a service that is busy included.
    #[serde(default = "default_total_timeout")]
    pub total_timeout_s: u64,
    /// What the attributes mean.
    #[serde(default = "default_account")]
    pub account: AccountSettings,
}

/// How pages are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// By the number of the first resource (RFC 7644, 3.4.2.4).
    #[default]
    Index,
    /// By what the last page gave (RFC 9865).
    Cursor,
    /// Not at all: the one answer has all users.
    None,
}

/// Where an account's groups come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupsFrom {
    /// The user's own attribute `groups`.
    #[default]
    User,
    /// A search for the groups that have the user as a member, for each user.
    Search,
}

fn default_page_size() -> u16 {
    100
}

fn default_operation_timeout() -> u64 {
    60
}

fn default_total_timeout() -> u64 {
    3600
}

fn default_account() -> AccountSettings {
    AccountSettings {
        name: Some("userName".to_owned()),
        display_name: Some("displayName".to_owned()),
        entitlements: vec!["groups".to_owned()],
        ..AccountSettings::new("id")
    }
}

impl ScimSettings {
    /// All users of a service, with everything else at its default.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            allow_plaintext: false,
            ca_file: None,
            token_file: None,
            token_env: None,
            user: None,
            password_file: None,
            password_env: None,
            filter: None,
            paging: Paging::default(),
            sort_by: None,
            page_size: default_page_size(),
            groups: GroupsFrom::default(),
            changes: None,
            operation_timeout_s: default_operation_timeout(),
            total_timeout_s: default_total_timeout(),
            account: default_account(),
        }
    }
}

impl SourceSettings for ScimSettings {
    fn totals(&self) -> &'static [TotalPlace] {
        &[TotalPlace::Source]
    }

    fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, reason: &str| Some((key.to_owned(), reason.to_owned()));
        let secured = self.url.strip_prefix("https://");
        let Some(place) = secured.or_else(|| self.url.strip_prefix("http://")) else {
            return fault("url", "expected https://host/path");
        };
        if place.is_empty() || place.contains(['?', '#', '@']) {
            return fault("url", "expected host and path and nothing else");
        }
        if secured.is_none() && !self.allow_plaintext {
            return fault("url", "expected https: what is sent would be readable");
        }
        for (key, file, variable) in [
            ("token", self.token_file.as_ref(), self.token_env.as_ref()),
            ("password", self.password_file.as_ref(), self.password_env.as_ref()),
        ] {
            if let Some(found) = secret::fault(key, file, variable) {
                return Some(found);
            }
        }
        let has_token = self.token_file.is_some() || self.token_env.is_some();
        let has_password = self.password_file.is_some() || self.password_env.is_some();
        if has_token && (has_password || self.user.is_some()) {
            return fault("token", "expected either a token, or `user` and a password");
        }
        if has_password != self.user.is_some() {
            return fault("user", "expected together with `password_file` or `password_env`");
        }
        if self.changes.is_some() && self.groups == GroupsFrom::Search {
            return fault("changes", "expected no such table: groups that are searched for change unnoticed");
        }
        if self.page_size == 0 {
            return fault("page_size", "expected 1 to 65535");
        }
        for (key, seconds) in
            [("operation_timeout_s", self.operation_timeout_s), ("total_timeout_s", self.total_timeout_s)]
        {
            if seconds == 0 {
                return fault(key, "expected at least 1 second");
            }
        }
        self.account.fault()
    }

    fn account(&self) -> Option<&AccountSettings> {
        Some(&self.account)
    }

    /// Without what the definition names only by default: a service may lack that.
    fn named(&self) -> Vec<(String, &str)> {
        let needed = self.account.needed();
        let count = if self.account == default_account() { 1 } else { needed.len() };
        needed.into_iter().take(count).collect()
    }
}
