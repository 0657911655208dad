//! Versions of the published API, and the paths under which each is served.

/// A version of the published API. The rate limit counts each version separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiVersion {
    /// `/beta/...`, of the list of tasks only.
    Beta,
    /// `/v3/...`.
    V3,
    /// `/v2024/...`.
    V2024,
    /// `/v2025/...`.
    V2025,
    /// `/v2026/...`.
    V2026,
    /// `/reports/v1/...`, `/search/v1/...`, `/task-status/v1/...` and so on.
    V1,
    /// Routes of our own, `/muster/v1/...`.
    Muster,
}

impl ApiVersion {
    /// The end of the ids of its operations. Ids are unique in an OpenAPI document, so each version has its own.
    pub(crate) fn operation_suffix(self) -> &'static str {
        match self {
            Self::Beta => "Beta",
            Self::V3 => "V3",
            Self::V2024 => "V2024",
            Self::V2025 => "V2025",
            Self::V2026 => "V2026",
            Self::V1 => "V1",
            Self::Muster => "",
        }
    }
}

/// The prefixes under which published clients look for the report operations. The description of an operation has the
/// rest of its path.
pub(crate) const REPORTS: [(&str, ApiVersion); 5] = [
    ("/v3/reports", ApiVersion::V3),
    ("/v2024/reports", ApiVersion::V2024),
    ("/v2025/reports", ApiVersion::V2025),
    ("/v2026/reports", ApiVersion::V2026),
    ("/reports/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for the search operations.
pub(crate) const SEARCH: [(&str, ApiVersion); 5] = [
    ("/v3/search", ApiVersion::V3),
    ("/v2024/search", ApiVersion::V2024),
    ("/v2025/search", ApiVersion::V2025),
    ("/v2026/search", ApiVersion::V2026),
    ("/search/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for saved searches.
pub(crate) const SAVED_SEARCHES: [(&str, ApiVersion); 5] = [
    ("/v3/saved-searches", ApiVersion::V3),
    ("/v2024/saved-searches", ApiVersion::V2024),
    ("/v2025/saved-searches", ApiVersion::V2025),
    ("/v2026/saved-searches", ApiVersion::V2026),
    ("/saved-searches/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for scheduled searches.
pub(crate) const SCHEDULED_SEARCHES: [(&str, ApiVersion); 5] = [
    ("/v3/scheduled-searches", ApiVersion::V3),
    ("/v2024/scheduled-searches", ApiVersion::V2024),
    ("/v2025/scheduled-searches", ApiVersion::V2025),
    ("/v2026/scheduled-searches", ApiVersion::V2026),
    ("/scheduled-searches/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for policies for separation of duties.
pub(crate) const SOD_POLICIES: [(&str, ApiVersion); 5] = [
    ("/v3/sod-policies", ApiVersion::V3),
    ("/v2024/sod-policies", ApiVersion::V2024),
    ("/v2025/sod-policies", ApiVersion::V2025),
    ("/v2026/sod-policies", ApiVersion::V2026),
    ("/sod-policies/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for reports of violations of several policies.
pub(crate) const SOD_VIOLATION_REPORT: [(&str, ApiVersion); 5] = [
    ("/v3/sod-violation-report", ApiVersion::V3),
    ("/v2024/sod-violation-report", ApiVersion::V2024),
    ("/v2025/sod-violation-report", ApiVersion::V2025),
    ("/v2026/sod-violation-report", ApiVersion::V2026),
    ("/sod-violation-report/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for violations of policies.
pub(crate) const SOD_VIOLATIONS: [(&str, ApiVersion); 5] = [
    ("/v3/sod-violations", ApiVersion::V3),
    ("/v2024/sod-violations", ApiVersion::V2024),
    ("/v2025/sod-violations", ApiVersion::V2025),
    ("/v2026/sod-violations", ApiVersion::V2026),
    ("/sod-violations/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for the list of tasks. Published clients of the beta look for it too.
pub(crate) const TASK_STATUS: [(&str, ApiVersion); 6] = [
    ("/beta/task-status", ApiVersion::Beta),
    ("/v3/task-status", ApiVersion::V3),
    ("/v2024/task-status", ApiVersion::V2024),
    ("/v2025/task-status", ApiVersion::V2025),
    ("/v2026/task-status", ApiVersion::V2026),
    ("/task-status/v1", ApiVersion::V1),
];

/// As [`REPORTS`], for the history of identities. Version 3 has none.
pub(crate) const HISTORY: [(&str, ApiVersion); 4] = [
    ("/v2024/historical-identities", ApiVersion::V2024),
    ("/v2025/historical-identities", ApiVersion::V2025),
    ("/v2026/historical-identities", ApiVersion::V2026),
    ("/historical-identities/v1", ApiVersion::V1),
];
