//! The seven published report kinds and the two published file formats.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kind of the published API (`reportType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReportKind {
    /// Accounts of one source with their owners.
    Accounts,
    /// Identity and account pairs.
    IdentitiesDetails,
    /// The identities.
    Identities,
    /// Identities that could not be processed, and why.
    IdentityProfileIdentityError,
    /// Identities without an account on any authoritative source.
    OrphanIdentities,
    /// What a search finds.
    SearchExport,
    /// Accounts that belong to no authoritative identity.
    UncorrelatedAccounts,
}

impl ReportKind {
    /// All kinds, in the order of the published enumeration.
    pub const ALL: [Self; 7] = [
        Self::Accounts,
        Self::IdentitiesDetails,
        Self::Identities,
        Self::IdentityProfileIdentityError,
        Self::OrphanIdentities,
        Self::SearchExport,
        Self::UncorrelatedAccounts,
    ];

    /// The published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "ACCOUNTS",
            Self::IdentitiesDetails => "IDENTITIES_DETAILS",
            Self::Identities => "IDENTITIES",
            Self::IdentityProfileIdentityError => "IDENTITY_PROFILE_IDENTITY_ERROR",
            Self::OrphanIdentities => "ORPHAN_IDENTITIES",
            Self::SearchExport => "SEARCH_EXPORT",
            Self::UncorrelatedAccounts => "UNCORRELATED_ACCOUNTS",
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReportKind {
    type Err = String;

    /// Exact published names only; the error lists them.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            format!("reportType is {text:?}: expected one of {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// A published file format (`availableFormats`, `fileFormat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FileFormat {
    /// Comma-separated values; a zip of them for SEARCH_EXPORT.
    Csv,
    /// A document to read.
    Pdf,
}

impl FileFormat {
    /// The published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Pdf => "PDF",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FileFormat {
    type Err = String;

    /// Any case, as clients send it (`contract.md`: "fileFormat in any case").
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "CSV" => Ok(Self::Csv),
            "PDF" => Ok(Self::Pdf),
            _ => Err(format!("fileFormat is {text:?}: expected csv or pdf")),
        }
    }
}
