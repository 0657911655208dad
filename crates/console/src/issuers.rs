//! Issuers at which people sign in by OpenID Connect: what the console needs of whoever speaks with them.
//!
//! Why a trait: this crate speaks with nobody but the API. The crate that verifies the tokens of outside issuers also
//! fetches from them, and the binary joins the two.

use chrono::{DateTime, Utc};
use std::fmt;
use std::pin::Pin;

/// An issuer, as the sign-in page offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedIssuer {
    /// Its name in addresses: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// What people call it.
    pub title: String,
}

/// What an attempt to sign in keeps while the browser is at the issuer. Nobody can guess these texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAttempt {
    /// What the issuer repeats in the address that it leads back to.
    pub state: String,
    /// What the issuer repeats in the identity token.
    pub nonce: String,
    /// The verifier of PKCE.
    pub verifier: String,
}

/// Somebody whom an issuer signed in.
pub struct IssuedToken {
    /// The token for the API.
    pub token: String,
    /// When it expires.
    pub expires: DateTime<Utc>,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Why an issuer signed nobody in. Whoever says so has logged the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerFailure {
    /// It does not answer, or not as OpenID Connect has it.
    Unusable,
    /// What it answered is not accepted.
    Refused,
}

/// An answer to come.
pub type IssuerAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, IssuerFailure>> + Send + 'a>>;

/// No issuers: people sign in with a client's id and secret only.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIssuers;

impl SignInIssuers for NoIssuers {
    fn offered(&self) -> Vec<OfferedIssuer> {
        Vec::new()
    }

    fn begin<'a>(&'a self, _: &'a str, _: &'a SignInAttempt) -> IssuerAnswer<'a, String> {
        Box::pin(async { Err(IssuerFailure::Refused) })
    }

    fn finish<'a>(
        &'a self,
        _: &'a str,
        _: &'a SignInAttempt,
        _: &'a str,
        _: Option<&'a str>,
    ) -> IssuerAnswer<'a, IssuedToken> {
        Box::pin(async { Err(IssuerFailure::Refused) })
    }

    fn sign_out_address<'a>(&'a self, _: &'a str) -> IssuerAnswer<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}

/// The issuers at which people sign in.
pub trait SignInIssuers: Send + Sync {
    /// Those that the sign-in page offers.
    fn offered(&self) -> Vec<OfferedIssuer>;

    /// The address at the issuer where an attempt goes on.
    fn begin<'a>(&'a self, issuer: &'a str, attempt: &'a SignInAttempt) -> IssuerAnswer<'a, String>;

    /// The token for the code that the issuer led back with, and for what it called itself then.
    fn finish<'a>(
        &'a self,
        issuer: &'a str,
        attempt: &'a SignInAttempt,
        code: &'a str,
        iss: Option<&'a str>,
    ) -> IssuerAnswer<'a, IssuedToken>;

    /// The address at the issuer where somebody signs out, if it has one.
    fn sign_out_address<'a>(&'a self, issuer: &'a str) -> IssuerAnswer<'a, Option<String>>;
}
