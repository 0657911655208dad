//! The seals on the heads of audit trails.

use hmac::{Hmac, KeyInit, Mac};
use muster_reports::audit::AuditHead;
use muster_reports::ids::{TenantId, hex};
use sha2::Sha256;
use std::fmt;

/// The key of the seals on the heads of audit trails; kept outside the database.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// A key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The seal of a head.
    pub(crate) fn seal(&self, tenant: &TenantId, head: &AuditHead) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(head.sealed_text(tenant).as_bytes());
        hex(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}
