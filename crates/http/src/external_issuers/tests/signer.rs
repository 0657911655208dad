//! Private keys of issuers, and tokens signed with them: by hand, so that a token can be wrong in any way.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Clone)]
pub enum Private {
    Ed(Arc<Ed25519KeyPair>),
    P256(Arc<EcdsaKeyPair>),
    P384(Arc<EcdsaKeyPair>),
    Rsa(Arc<RsaKeyPair>),
}

/// A key as its issuer has it, and as it publishes it.
pub struct TestKey {
    pub kid: String,
    pub private: Private,
    pub jwk: Value,
}

impl Private {
    pub fn ed() -> Self {
        Self::Ed(Arc::new(Ed25519KeyPair::generate().unwrap()))
    }

    pub fn p256() -> Self {
        Self::P256(Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()))
    }

    pub fn p384() -> Self {
        Self::P384(Arc::new(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()))
    }

    pub fn rsa() -> Self {
        Self::Rsa(Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    /// The public key's bytes, as the library encodes them: PKCS #1 for RSA.
    pub fn public(&self) -> &[u8] {
        match self {
            Self::Ed(pair) => pair.public_key().as_ref(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    pub fn jwk(&self) -> Value {
        let public = self.public();
        let point = |curve: &str, bytes: usize| {
            let (x, y) = (&public[1..=bytes], &public[bytes + 1..]);
            json!({"kty": "EC", "crv": curve, "x": BASE64.encode(x), "y": BASE64.encode(y)})
        };
        match self {
            Self::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(public)}),
            Self::P256(_) => point("P-256", 32),
            Self::P384(_) => point("P-384", 48),
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let number = |bytes: &[u8]| BASE64.encode(bytes);
                json!({
                    "kty": "RSA",
                    "n": number(public.modulus().big_endian_without_leading_zero()),
                    "e": number(public.exponent().big_endian_without_leading_zero()),
                })
            }
        }
    }

    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

impl TestKey {
    pub fn new(kid: &str, private: Private) -> Self {
        let mut jwk = private.jwk();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        Self { kid: kid.into(), private, jwk }
    }

    /// A token of this key that says so.
    pub fn token(&self, algorithm: &str, claims: &Value) -> String {
        self.with_head(&json!({"alg": algorithm, "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// A token of this key under another header.
    pub fn with_head(&self, head: &Value, claims: &Value) -> String {
        self.with_texts(&head.to_string(), &claims.to_string())
    }

    /// A token of this key over these texts, JSON or not.
    pub fn with_texts(&self, head: &str, claims: &str) -> String {
        let algorithm = serde_json::from_str::<Value>(head).unwrap_or_default()["alg"].clone();
        let algorithm = algorithm.as_str().unwrap_or_default().to_owned();
        token(head, claims, |message| self.private.sign(&algorithm, message))
    }
}

pub fn token(head: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", BASE64.encode(head), BASE64.encode(claims));
    let signature = BASE64.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// `token` with one bit of its part `part` flipped, about its middle.
pub fn one_bit(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = BASE64.decode(&parts[part]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    parts[part] = BASE64.encode(bytes);
    parts.join(".")
}
