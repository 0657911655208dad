//! The compact form of a signed token (RFC 7515, section 3.1). It is read strictly, before anything in it is used.

use crate::access_tokens::{TOKEN_BYTES_MAX, TokenRefusal};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Types of tokens that are accepted. Others (`logout+jwt`, `dpop+jwt`, ...) were signed for another purpose.
const TYPES: [&str; 4] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// The members of a token's header that are used. A repeated name is an error.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) alg: String,
    #[serde(default)]
    pub(super) kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// Whether there is a `crit`: extensions that must be understood. None is.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A token in its parts.
pub(super) struct Compact<'a> {
    pub(super) head: Head,
    payload: &'a str,
    /// Header and payload as they were signed.
    pub(super) signed: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token and reads its header.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenRefusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefusal::invalid("the token is too large"));
        }
        let damaged =
            || TokenRefusal::invalid("the token does not have three parts, or its header is damaged");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(damaged)?;
        let (head, payload) = signed.split_once('.').ok_or_else(damaged)?;
        if payload.contains('.') {
            return Err(damaged());
        }
        let head = BASE64.decode(head).map_err(|_| damaged())?;
        // A derived deserializer would also accept a list of the fields.
        if !head.trim_ascii_start().starts_with(b"{") {
            return Err(damaged());
        }
        let head: Head = serde_json::from_slice(&head).map_err(|_| damaged())?;
        if head.crit {
            return Err(TokenRefusal::invalid("the token has a crit, and no extension is supported"));
        }
        if let Some(typ) = &head.typ
            && !TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ))
        {
            return Err(TokenRefusal::invalid("the token's typ is not that of an access token"));
        }
        Ok(Self { head, payload, signed, signature })
    }

    /// The claims. To be read only after the signature is verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, TokenRefusal> {
        let payload = BASE64.decode(self.payload).ok();
        payload
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(TokenRefusal::invalid("the token's claims are not a JSON object"))
    }
}

/// `iss` of a token whose signature is not verified. Used only to choose the issuer that verifies it.
pub(super) fn unverified_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        iss: String,
    }
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let payload = BASE64.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Named>(&payload).ok().map(|named| named.iss)
}
