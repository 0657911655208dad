//! Ed25519 keys: the private key, which signs, and the public key.
//!
//! The private key is in memory, or somewhere that signs for us and never tells it, such as a token.

use std::error::Error;
use std::fmt;

use crate::RenderError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use muster_reports::ids::hex;
use sha2::{Digest, Sha256};

/// The bytes before the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410, section 4).
const INFO_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// Why a text is not a public key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not have the form of a PEM block.
    #[error("the public key is not in PEM: expected one block `PUBLIC KEY`")]
    NotPem,
    /// It is a key of another kind.
    #[error("the public key is of another kind: expected Ed25519")]
    OtherKind,
    /// Its bytes are not a point of the curve.
    #[error("the public key is not an Ed25519 key")]
    NotOnCurve,
}

/// A key that signs.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

/// Where the private key is.
enum Secret {
    Here(Box<ed25519_dalek::SigningKey>),
    Held(Box<dyn HeldKey>),
}

/// A private key that is held somewhere else, such as in a token: it signs and is never told.
pub trait HeldKey: Send + Sync {
    /// The signature of a message as RFC 8032 has it for Ed25519: 64 bytes.
    ///
    /// # Errors
    /// When whoever holds the key does not sign.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// The public half of a [`SigningKey`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl SigningKey {
    /// The key with this secret: 32 bytes of good randomness, as RFC 8032 has them.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        Self { public: PublicKey(key.verifying_key()), secret: Secret::Here(Box::new(key)) }
    }

    /// A key that is held elsewhere, with the 32 bytes of its public half.
    ///
    /// # Errors
    /// [`KeyError::NotOnCurve`] if these bytes are not a public key.
    pub fn held(public: &[u8; 32], key: Box<dyn HeldKey>) -> Result<Self, KeyError> {
        let public = VerifyingKey::from_bytes(public).map_err(|_| KeyError::NotOnCurve)?;
        Ok(Self { secret: Secret::Held(key), public: PublicKey(public) })
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message. What a held key answers is checked with the public key: a package with another signature would be
    /// refused by everybody who verifies it.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], RenderError> {
        let signature = match &self.secret {
            Secret::Here(key) => return Ok(key.sign(message).to_bytes()),
            Secret::Held(key) => key.sign(message).map_err(|source| RenderError::Unsigned { source })?,
        };
        let bytes = <[u8; 64]>::try_from(signature.as_slice()).map_err(|_| RenderError::Unsigned {
            source: format!("the signature has {} bytes: expected 64", signature.len()).into(),
        })?;
        match self.public.verifies(message, &bytes) {
            true => Ok(bytes),
            false => Err(RenderError::Unsigned {
                source: "the signature does not verify with the public key that was told".into(),
            }),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl PublicKey {
    /// Reads the PEM form: a SubjectPublicKeyInfo, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, rest) = text.split_once(PEM_BEGIN).ok_or(KeyError::NotPem)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(KeyError::NotPem)?;
        let body: String = body.split_whitespace().collect();
        let info = BASE64_STANDARD.decode(body).map_err(|_| KeyError::NotPem)?;
        let bytes = info.strip_prefix(&INFO_PREFIX).ok_or(KeyError::OtherKind)?;
        let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| KeyError::OtherKind)?;
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| KeyError::NotOnCurve)
    }

    /// The PEM form.
    #[must_use]
    pub fn to_pem(&self) -> String {
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", BASE64_STANDARD.encode(self.info()))
    }

    /// SHA-256 of the DER form, in lower-case hex. People compare it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(Sha256::digest(self.info()))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    fn info(&self) -> Vec<u8> {
        [&INFO_PREFIX[..], self.0.as_bytes()].concat()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PublicKey").field(&self.fingerprint()).finish()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use super::*;

    /// Test 2 of RFC 8032, section 7.1.
    #[test]
    fn signs_as_the_standard_does() {
        let secret = [
            0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
            0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
        ];
        let key = SigningKey::from_secret(&secret);
        let signature = key.sign(&[0x72]).unwrap();
        let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex(signature), expected);
        assert!(key.public().verifies(&[0x72], &signature));
        assert!(!key.public().verifies(&[0x73], &signature));
    }

    /// What signs for us with a key of its own.
    struct Elsewhere(Result<Vec<u8>, &'static str>);

    impl HeldKey for Elsewhere {
        fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
            Ok(self.0.clone()?)
        }
    }

    #[test]
    fn what_a_held_key_answers_is_checked() {
        let here = SigningKey::from_secret(&[7; 32]);
        let public = here.public().0.to_bytes();
        let signed = here.sign(b"text").unwrap();
        let held = |answer| SigningKey::held(&public, Box::new(Elsewhere(answer))).unwrap();
        assert_eq!(held(Ok(signed.to_vec())).sign(b"text").unwrap(), signed);
        assert_eq!(held(Err("gone")).public(), here.public());
        for (answer, reason) in [
            (Ok(signed[..63].to_vec()), "the signature has 63 bytes: expected 64"),
            (Ok(here.sign(b"texts").unwrap().to_vec()), "does not verify"),
            (Err("the token is gone"), "the token is gone"),
        ] {
            let RenderError::Unsigned { source } = held(answer).sign(b"text").unwrap_err() else {
                panic!("it is not signed")
            };
            assert!(source.to_string().contains(reason), "{source}");
        }
    }

    #[test]
    fn pem_goes_round_and_other_texts_are_refused() {
        let key = SigningKey::from_secret(&[7; 32]).public();
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        assert_eq!(PublicKey::from_pem(&format!("text\n{}", key.to_pem().replace('\n', "\r\n"))), Ok(key));
        assert_eq!(PublicKey::from_pem("").unwrap_err(), KeyError::NotPem);
        let private = key.to_pem().replace("PUBLIC", "PRIVATE");
        assert_eq!(PublicKey::from_pem(&private).unwrap_err(), KeyError::NotPem);
        // An X25519 key has another object identifier, 1.3.101.110.
        let other = key.to_pem().replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
        assert_eq!(PublicKey::from_pem(&other).unwrap_err(), KeyError::OtherKind);
    }
}
