//! `[refresh.guards]`: how much a refresh may lose before it publishes nothing.

use super::declared::keys;
use muster_engine::refresh::LossLimits;
use muster_sources::Limit;

keys! {
    /// How much a refresh may lose.
    Guards {
        /// Identities that may be lost: those that have no account on an authoritative source any more, or are not ACTIVE
        /// any more. A share is of the identities that are no orphans.
        identities_lost: Limit = Limit::percent(20),
        /// Identities that may become orphans. A share is of the identities that are no orphans.
        orphans_gained: Limit = Limit::percent(20),
        /// Known accounts of one source that its complete read may lack. The key `accounts_missing_max` of a source comes
        /// first; without it, the setting does not hold for sources with `delete_threshold_percent = 100`.
        accounts_missing: Limit = Limit::percent(20),
        /// So many are within every share, so that a small organisation is not held up. It does not hold for numbers.
        always_allowed: u64 = 50,
    }
}

impl Guards {
    /// As the engine takes them.
    pub fn limits(&self) -> LossLimits {
        LossLimits {
            identities_lost: self.identities_lost,
            orphans_gained: self.orphans_gained,
            accounts_missing: self.accounts_missing,
            always_allowed: self.always_allowed,
        }
    }
}
