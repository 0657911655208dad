//! Real ids and secrets, from the operating system's randomness.

use muster_reports::ids::hex;
use muster_reports::ports::Ids;
use rand::TryRng;
use rand::rngs::SysRng;

/// Ids that nobody can guess.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn fresh(&self) -> String {
        hex(random_bytes::<16>())
    }
}

/// A client secret: 256 bits, as 64 lower-case hex digits.
pub fn fresh_secret() -> String {
    hex(random_bytes::<32>())
}

/// Bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: an id or a key made without it could be guessed.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system gives randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_published_shape_and_differ() {
        let (one, other) = (SystemIds.fresh(), SystemIds.fresh());
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_ne!(one, other);
        assert_eq!(fresh_secret().len(), 64);
    }
}
