//! Signature algorithms of external issuers.

use serde::{Deserialize, Serialize};

/// Signature algorithms that an issuer may be trusted with (RFC 7518, section 3.1; RFC 8037). Symmetric algorithms and
/// `none` are missing, so settings cannot name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSA, PKCS #1 v1.5, SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSA, PSS, SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA, PSS, SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA, PSS, SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
}

impl SignatureAlgorithm {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    /// The registered name, as `alg` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }

    /// The algorithm that `alg` names, if it is one of these.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}
