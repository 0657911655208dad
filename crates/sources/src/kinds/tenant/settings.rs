//! What a definition says about an Identity Security Cloud tenant.

use serde::{Deserialize, Serialize};

use super::values;
use crate::account::{AccountSettings, FlagCondition};
use crate::columns::Preset;
use crate::documents::DocumentType;
use crate::secret;
use crate::source_kind::{Fault, SourceSettings};
use crate::total::TotalPlace;

/// The `[tenant]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSettings {
    /// The tenant's API, such as `https://example.api.identitynow.com`.
    pub url: String,
    /// Version of the API, the first part of its paths.
    #[serde(default = "default_version")]
    pub version: String,
    /// Allows `http`. Only for services on this machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// PEM certificates of the authorities to trust, and no others; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// The API client, or the id of a personal access token.
    pub client_id: String,
    /// File that holds the client's secret.
    #[serde(default)]
    pub client_secret_file: Option<String>,
    /// Environment variable that holds the client's secret.
    #[serde(default)]
    pub client_secret_env: Option<String>,
    /// What becomes a record.
    #[serde(default)]
    pub objects: TenantObjects,
    /// Name or id of the source whose accounts are read.
    #[serde(default)]
    pub source: Option<String>,
    /// The search index whose documents are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<DocumentType>,
    /// Attributes to keep, in this order; when absent those of the source's account schema, and of identities all.
    #[serde(default)]
    pub attributes: Option<Vec<String>>,
    /// Attributes whose values are entitlements; when absent those that the source's account schema marks.
    #[serde(default)]
    pub entitlements: Option<Vec<String>>,
    /// When an account counts as privileged; never when absent.
    #[serde(default)]
    pub privileged: Option<FlagCondition>,
    /// Elements asked for at a time, 2 to 250.
    #[serde(default = "default_page_size")]
    pub page_size: u16,
    /// Seconds within which each answer must have come.
    #[serde(default = "default_operation_timeout")]
    pub operation_timeout_s: u64,
    /// Seconds within which the whole read must have ended, waiting for a tenant that is busy included.
    #[serde(default = "default_total_timeout")]
    pub total_timeout_s: u64,
}

/// What becomes a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantObjects {
    /// The accounts of one source.
    #[default]
    Accounts,
    /// The identities, uncorrelated ones too.
    Identities,
    /// The documents of a search index, as the tenant publishes them.
    Documents,
}

/// Most elements on a page of a list.
const PAGE_SIZE_MAX: u16 = 250;

fn default_version() -> String {
    "v2025".to_owned()
}

fn default_page_size() -> u16 {
    PAGE_SIZE_MAX
}

fn default_operation_timeout() -> u64 {
    60
}

fn default_total_timeout() -> u64 {
    3600
}

impl TenantSettings {
    /// The accounts of `source` as the client may see them, with everything else at its default; the place of the
    /// secret must be added.
    #[must_use]
    pub fn new(url: impl Into<String>, client_id: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            version: default_version(),
            allow_plaintext: false,
            ca_file: None,
            client_id: client_id.into(),
            client_secret_file: None,
            client_secret_env: None,
            objects: TenantObjects::default(),
            source: Some(source.into()),
            index: None,
            attributes: None,
            entitlements: None,
            privileged: None,
            page_size: default_page_size(),
            operation_timeout_s: default_operation_timeout(),
            total_timeout_s: default_total_timeout(),
        }
    }

    /// What the fields of a record mean, as far as the definition says.
    pub(super) fn account_settings(&self) -> AccountSettings {
        AccountSettings {
            name: Some(values::NAME.to_owned()),
            display_name: Some(values::DISPLAY_NAME.to_owned()),
            uuid: Some(values::UUID.to_owned()),
            entitlements: self.entitlements.clone().unwrap_or_default(),
            attributes: self.attributes.clone(),
            privileged: self.privileged.clone(),
            ..AccountSettings::new(values::NATIVE_IDENTITY)
        }
    }
}

impl SourceSettings for TenantSettings {
    fn preset(&self) -> Option<Preset> {
        (self.objects == TenantObjects::Accounts).then_some(Preset::Tenant)
    }

    fn totals(&self) -> &'static [TotalPlace] {
        &[TotalPlace::Source]
    }

    fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, reason: &str| Some((key.to_owned(), reason.to_owned()));
        let secured = self.url.strip_prefix("https://");
        let Some(place) = secured.or_else(|| self.url.strip_prefix("http://")) else {
            return fault("url", "expected https://host");
        };
        if place.is_empty() || place.contains(['?', '#', '@']) {
            return fault("url", "expected the host and nothing else");
        }
        if secured.is_none() && !self.allow_plaintext {
            return fault("url", "expected https: what is sent would be readable");
        }
        if self.version.is_empty() || !self.version.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return fault("version", "expected a version of the API, such as \"v2025\"");
        }
        if self.client_id.trim().is_empty() {
            return fault("client_id", "must not be blank");
        }
        let (file, variable) = (self.client_secret_file.as_ref(), self.client_secret_env.as_ref());
        if let Some(found) = secret::fault("client_secret", file, variable) {
            return Some(found);
        }
        if file.is_none() && variable.is_none() {
            return fault("client_secret_file", "expected this key or `client_secret_env`");
        }
        match (self.objects, self.index) {
            (TenantObjects::Documents, None) => {
                return fault("index", "expected the index whose documents are read, such as \"roles\"");
            }
            (TenantObjects::Accounts | TenantObjects::Identities, Some(_)) => {
                return fault("index", "expected no such key: it goes with `objects = \"documents\"`");
            }
            (TenantObjects::Documents, Some(_)) => {
                let account = [
                    ("attributes", self.attributes.is_some()),
                    ("entitlements", self.entitlements.is_some()),
                    ("privileged", self.privileged.is_some()),
                ];
                if let Some((key, _)) = account.into_iter().find(|(_, given)| *given) {
                    return fault(key, "expected no such key: documents have no account attributes");
                }
            }
            (TenantObjects::Accounts | TenantObjects::Identities, None) => {}
        }
        match (self.objects, self.source.as_deref()) {
            (TenantObjects::Accounts, None) => {
                return fault("source", "expected the name or the id of the source whose accounts are read");
            }
            (TenantObjects::Accounts, Some(name)) if name.trim().is_empty() => {
                return fault("source", "must not be blank");
            }
            (TenantObjects::Identities | TenantObjects::Documents, Some(_)) => {
                return fault("source", "expected no such key: only accounts are of one source");
            }
            (TenantObjects::Accounts, Some(_))
            | (TenantObjects::Identities | TenantObjects::Documents, None) => {}
        }
        if !(2..=PAGE_SIZE_MAX).contains(&self.page_size) {
            return fault("page_size", "expected 2 to 250");
        }
        for (key, seconds) in
            [("operation_timeout_s", self.operation_timeout_s), ("total_timeout_s", self.total_timeout_s)]
        {
            if seconds == 0 {
                return fault(key, "expected at least 1 second");
            }
        }
        // The keys stand in `[tenant]` itself.
        let (key, reason) = self.account_settings().fault()?;
        Some((key.strip_prefix("account.").unwrap_or(&key).to_owned(), reason))
    }

    fn gives_documents(&self) -> bool {
        self.objects == TenantObjects::Documents
    }

    fn entitlements(&self) -> &[String] {
        self.entitlements.as_deref().unwrap_or_default()
    }

    fn listed(&self) -> Option<(&'static str, &[String])> {
        Some(("attributes", self.attributes.as_deref()?))
    }

    fn named(&self) -> Vec<(String, &str)> {
        self.marked()
    }

    fn marked(&self) -> Vec<(String, &str)> {
        let names = self.entitlements.iter().flatten().enumerate();
        names.map(|(index, name)| (format!("entitlements[{index}]"), name.as_str())).collect()
    }
}
