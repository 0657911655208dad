//! How many files this process may have open, and how many of them connections may take.
//!
//! Why: the usual limit of 1,024 is reached by idle connections alone, and then reports fail because they cannot open
//! theirs. The limit is a soft one, which a process may raise itself.
//!
//! Invariants: connections never take what reports, the database and the log need.

/// Open files that the process asks for. It gets fewer if the system's hard limit is lower.
const WANTED_MAX: u64 = 65_536;

/// Open files that connections leave to reports, the database and the log.
const KEPT_FOR_WORK: u64 = 512;

/// Open files of a connection: its own, and that of the result it downloads.
const OF_A_CONNECTION: u64 = 2;

/// The assumed limit if the system does not tell one: the usual limit.
const USUAL: u64 = 1_024;

/// Raises the limit as far as possible. Returns how many files may be open.
pub fn raise() -> u64 {
    rlimit::increase_nofile_limit(WANTED_MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files cannot be raised");
        USUAL
    })
}

/// Connections at a time: as many as are `wanted`, unless `files` are too few for them.
pub fn connections_max(wanted: usize, files: u64) -> usize {
    let there_are = files.saturating_sub(KEPT_FOR_WORK).max(files / 4) / OF_A_CONNECTION;
    let allowed = wanted.min(usize::try_from(there_are).unwrap_or(usize::MAX));
    if allowed < wanted {
        tracing::warn!(files, wanted, allowed, "too few files may be open for server.connections_max");
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_reports() {
        assert_eq!(connections_max(1_024, 65_536), 1_024);
        assert_eq!(connections_max(1_024, 2_560), 1_024, "two for each, and 512");
        assert_eq!(connections_max(1_024, 2_559), 1_023);
        assert_eq!(connections_max(1_024, 1_024), 256);
        assert_eq!(connections_max(1_024, 256), 32, "a quarter, where there are hardly any");
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let (_, hard) = rlimit::Resource::NOFILE.get().expect("the system says it");
        assert!(raise() >= hard.min(WANTED_MAX));
        let (soft, _) = rlimit::Resource::NOFILE.get().expect("the system says it");
        assert!(soft >= hard.min(WANTED_MAX));
    }
}
