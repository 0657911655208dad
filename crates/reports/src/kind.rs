//! The seven published report kinds and the two published file formats.

use crate::error::shown;
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
            format!(
                "reportType is {}: expected one of {}",
                shown(text),
                Self::ALL.map(Self::as_str).join(", ")
            )
        })
    }
}

/// A format of a result's files. The published API knows the first two; the others have routes of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FileFormat {
    /// Comma-separated values; a zip of them for SEARCH_EXPORT.
    Csv,
    /// A document to read.
    Pdf,
    /// A spreadsheet.
    Xlsx,
    /// A JSON object for each row, one in a line.
    Ndjson,
    /// Columns, for programs.
    Parquet,
}

impl FileFormat {
    /// The formats of the published API (`availableFormats`, `fileFormat`).
    pub const PUBLISHED: [Self; 2] = [Self::Csv, Self::Pdf];
    /// The formats beyond it, which are written when `extraFormats` asks for them.
    pub const EXTRA: [Self; 3] = [Self::Xlsx, Self::Ndjson, Self::Parquet];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Pdf => "PDF",
            Self::Xlsx => "XLSX",
            Self::Ndjson => "NDJSON",
            Self::Parquet => "PARQUET",
        }
    }

    /// Whether the published API knows it.
    pub fn is_published(self) -> bool {
        Self::PUBLISHED.contains(&self)
    }

    /// What a file's name ends with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Pdf => "pdf",
            Self::Xlsx => "xlsx",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// `Content-Type` of a file.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "application/csv",
            Self::Pdf => "application/pdf",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
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

    /// Any case, as clients send it (docs/contract.md, tolerances).
    fn from_str(text: &str) -> Result<Self, String> {
        let known: Vec<_> = Self::PUBLISHED.into_iter().chain(Self::EXTRA).collect();
        let found = known.iter().copied().find(|format| text.eq_ignore_ascii_case(format.as_str()));
        found.ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|format| format.extension()).collect();
            format!("fileFormat is {}: expected one of {}", shown(text), names.join(", "))
        })
    }
}
