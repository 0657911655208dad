//! Client secrets: 256 random bits each, kept as HMAC-SHA-256 under the service's key.
//!
//! A slow password hash would add nothing, because such secrets are in no dictionary.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key under which secrets are kept.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, secret: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(secret.as_bytes());
        mac
    }

    /// Whether `kept` is the HMAC of `secret`. The time does not depend on where they differ.
    pub(crate) fn matches(&self, secret: &str, kept: &[u8; 32]) -> bool {
        self.mac(secret).verify_slice(kept).is_ok()
    }
}

/// What the store keeps of a client secret: its HMAC-SHA-256 under `key`.
pub fn hmac_secret(key: &SecretKey, secret: &str) -> [u8; 32] {
    key.mac(secret).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_reports::ids::hex;

    /// Checked with `printf abc | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b…0b` (32 times 0b).
    #[test]
    fn the_kept_form_is_plain_hmac_sha_256() {
        let key = SecretKey::new([0x0b; 32]);
        let kept = hmac_secret(&key, "abc");
        assert_eq!(hex(kept), "cc2b6e43b092526c09f6b2db76c7dc2867ebfdf7d1b170f2d8f73a3894792e12");
        assert!(key.matches("abc", &kept));
        assert!(!key.matches("abd", &kept));
        assert!(!SecretKey::new([1; 32]).matches("abc", &kept));
    }
}
