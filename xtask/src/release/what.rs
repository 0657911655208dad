//! What a release is of.

use muster_harness::workspace::Workspace;

/// The list of digests, as `sha256sum --check` reads it.
pub const DIGESTS: &str = "SHA256SUMS";

/// What every part needs to know.
pub struct Release<'a> {
    /// The repository.
    pub workspace: &'a Workspace,
    /// The version, from `Cargo.toml`.
    pub version: String,
    /// Seconds since 1970 that every file is dated with.
    pub epoch: String,
    /// The architecture, as the names of files have it.
    pub arch: &'static str,
}
