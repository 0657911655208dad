//! Ids as types, so that a task id cannot be passed where a source id belongs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Lower-case hexadecimal digits of bytes, as ids and digests are written everywhere.
pub use hex::encode as hex;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The organisation whose data this is; one service may hold several.
    TenantId
}
id! {
    /// One run of one report: the task result id of the published API, 32 lower-case hex digits.
    TaskId
}
id! {
    /// The stable id of one report with one set of arguments in one tenant
    /// (`attributes.taskDefinitionId` of the run answer), 32 lower-case hex digits.
    TaskDefinitionId
}
id! {
    /// The name of a report definition; for the built-in ones the published kind, `ACCOUNTS` and so on.
    ReportId
}
id! {
    /// A source of accounts, 32 lower-case hex digits.
    SourceId
}
id! {
    /// One published state of all identity tables.
    SnapshotId
}
id! {
    /// A schedule, 32 lower-case hex digits.
    ScheduleId
}
id! {
    /// A saved search, 32 lower-case hex digits.
    SavedSearchId
}
id! {
    /// An access review, 32 lower-case hex digits.
    ReviewId
}
id! {
    /// A policy for separation of duties, 32 lower-case hex digits.
    SodPolicyId
}
id! {
    /// The id under which a program authenticates at the token endpoint.
    ClientId
}
id! {
    /// One running worker process.
    WorkerId
}

/// 32 lower-case hex digits that depend on every part and on where each part ends.
///
/// The same parts give the same text for ever: these ids are written into tables and files.
pub fn stable_id<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    // Only the digits that are needed: refreshes make millions of ids.
    hex(&sha256(parts)[..16])
}

/// SHA-256 over length-prefixed parts, as 64 lower-case hex digits.
pub fn sha256_hex<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    hex(sha256(parts))
}

fn sha256<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by another program: ids are in tables and files of older versions.
    #[test]
    fn ids_never_change() {
        assert_eq!(stable_id(["account", "ä", "x"]), "347558efc66da0593cb43cb270a29abd");
        assert_eq!(
            sha256_hex(["account", "ä", "x"]),
            "347558efc66da0593cb43cb270a29abd10a703bc508f6b961adef226ca94cc74"
        );
    }

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(stable_id(["ab", "c"]), stable_id(["a", "bc"]));
        assert_eq!(stable_id(["ab", "c"]).len(), 32);
    }
}
