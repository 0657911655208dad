//! Signing in at an external issuer: OpenID Connect, the code flow with PKCE.
//!
//! Why by hand: it is two requests and a handful of checks over what the tree has (`reqwest`, the key cache, the
//! verification of tokens). A crate for it brings another HTTP client or another library for tokens, and its own list of
//! algorithms beside ours.
//!
//! Invariants:
//! - only the document of the configured issuer is read, and it must name that issuer;
//! - a code is exchanged with the verifier of the attempt that it belongs to, at the address that the attempt named;
//! - the identity token must be for our client and have the nonce of the attempt; its signature is checked with the same
//!   keys and algorithms as access tokens;
//! - what is handed out is a token that every route accepts, because the same code verified it.

use super::fetch::{bounded_answer, bounded_client, safe_address};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::{Error, Result, error_chain};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::ACCEPT;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Largest document or answer of an issuer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long the document of an issuer is used.
const DOCUMENT_AGE_MAX: TimeDelta = TimeDelta::minutes(10);

/// Which of the issuer's tokens the console asks the API with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignInToken {
    /// The access token: a JWT whose audience is this service.
    #[default]
    Access,
    /// The identity token, where the issuer's access tokens are not JWTs for this service. Our client must be among the
    /// audiences.
    Identity,
}

/// How people sign in at an issuer.
#[derive(Clone)]
pub struct SignInSettings {
    /// What people call the issuer.
    pub title: String,
    /// Our client at the issuer.
    pub client_id: String,
    /// Its secret; `None` for a public client.
    pub client_secret: Option<String>,
    /// The scopes that are asked for; `openid` is one of them.
    pub scopes: Vec<String>,
    /// The resource that the access token shall be for (RFC 8707), where the issuer needs it.
    pub resource: Option<String>,
    /// Which token the console uses.
    pub token: SignInToken,
    /// Where the issuer leads the browser back to.
    pub redirect: String,
    /// Where the issuer leads the browser after signing out there.
    pub after_sign_out: String,
    /// How long a request to the issuer may take.
    pub timeout: Duration,
}

impl fmt::Debug for SignInSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInSettings").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What an attempt to sign in keeps until the issuer leads back. Each text is one that nobody can guess.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Repeated by the issuer in the address that it leads back to.
    pub state: &'a str,
    /// Repeated by the issuer in the identity token.
    pub nonce: &'a str,
    /// Of PKCE (RFC 7636): 43 to 128 characters.
    pub verifier: &'a str,
}

/// Somebody whom an issuer signed in.
pub struct SignedIn {
    /// The token for the API.
    pub token: String,
    /// When it expires.
    pub expires: DateTime<Utc>,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// What the document of an issuer says (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Document {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    pub(crate) end_session_endpoint: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether the issuer names itself when it leads back (RFC 9207).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// Signing in at one issuer.
pub(crate) struct SignIn {
    pub(crate) settings: SignInSettings,
    client: Client,
    document_url: Url,
    document: Mutex<Option<(DateTime<Utc>, Arc<Document>)>>,
}

impl SignIn {
    /// Nothing is sent yet.
    pub(super) fn new(settings: SignInSettings, issuer: &str) -> Result<Self> {
        if settings.client_id.trim().is_empty() || !settings.scopes.iter().any(|scope| scope == "openid") {
            return Err(Error::invalid(
                "sign_in_client is blank, or sign_in_scopes lacks openid: expected a client and openid",
            ));
        }
        // Discovery 1.0, section 4.1: a slash at the end of the issuer is left out.
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document_url = safe_address("issuer", &address)?;
        let client = bounded_client(&document_url, settings.timeout)?;
        Ok(Self { settings, client, document_url, document: Mutex::default() })
    }

    /// The issuer's document, fetched again when it is old.
    pub(crate) async fn document(&self, issuer: &str, now: DateTime<Utc>) -> Result<Arc<Document>> {
        let mut kept = self.document.lock().await;
        if let Some((at, document)) = &*kept
            && *at <= now
            && now - *at < DOCUMENT_AGE_MAX
        {
            return Ok(Arc::clone(document));
        }
        let request = self.client.get(self.document_url.clone()).header(ACCEPT, "application/json");
        let bytes = bounded_answer(request, ANSWER_BYTES_MAX)
            .await
            .map_err(|error| unusable(format!("its document cannot be fetched: {error}")))?;
        let document = Arc::new(read_document(&bytes, issuer)?);
        *kept = Some((now, Arc::clone(&document)));
        Ok(document)
    }
}

/// The issuer cannot be used now; the text is for the log.
fn unusable(text: String) -> Error {
    Error::unavailable(text)
}

fn read_document(bytes: &[u8], issuer: &str) -> Result<Document> {
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| unusable(format!("its document is not one of OpenID Connect: {error}")))?;
    // Section 4.3: character by character. Another document could lead to other endpoints.
    if document.issuer != issuer {
        return Err(unusable(format!(
            "its document is of the issuer {:?}: expected {issuer:?}",
            document.issuer
        )));
    }
    let endpoints = [
        ("authorization_endpoint", Some(&document.authorization_endpoint)),
        ("token_endpoint", Some(&document.token_endpoint)),
        ("end_session_endpoint", document.end_session_endpoint.as_ref()),
    ];
    for (name, address) in endpoints.into_iter().filter_map(|(name, address)| Some((name, address?))) {
        safe_address(name, address)?;
    }
    let methods = document.code_challenge_methods_supported.as_ref();
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
        return Err(unusable("its document does not offer PKCE with S256".into()));
    }
    Ok(document)
}

/// What a token endpoint answers (RFC 6749, section 5.1).
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    #[serde(default)]
    pub(crate) id_token: Option<String>,
}

impl SignIn {
    pub(crate) async fn exchange(&self, document: &Document, code: &str, verifier: &str) -> Result<Tokens> {
        let settings = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", settings.redirect.as_str()),
            ("code_verifier", verifier),
        ];
        form.extend(settings.resource.as_deref().map(|resource| ("resource", resource)));
        let address = safe_address("token_endpoint", &document.token_endpoint)?;
        let mut request = self.client.post(address).header(ACCEPT, "application/json");
        // Basic is what an issuer supports that says nothing (Discovery 1.0, section 3).
        let methods = document.token_endpoint_auth_methods_supported.as_ref();
        let basic =
            methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        match &settings.client_secret {
            // RFC 6749, section 2.3.1: both are encoded as in a form before they are joined.
            Some(secret) if basic => {
                request = request.basic_auth(encoded(&settings.client_id), Some(encoded(secret)));
            }
            Some(secret) => {
                form.extend([("client_id", settings.client_id.as_str()), ("client_secret", secret.as_str())])
            }
            None => form.push(("client_id", settings.client_id.as_str())),
        }
        // Only a status of 200 has tokens.
        let bytes = bounded_answer(request.form(&form), ANSWER_BYTES_MAX)
            .await
            .map_err(|error| Error::forbidden(format!("the issuer did not exchange the code: {error}")))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            // The text of the error has no part of the answer but names and places.
            Error::forbidden(format!("the issuer's tokens cannot be read: {}", error_chain(&error)))
        })
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// What an identity token must have beside what every token must have (OpenID Connect Core 1.0, section 3.1.3.7).
pub(crate) fn check_identity(claims: &Map<String, Value>, client_id: &str, nonce: &str) -> Result<()> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("nonce") != Some(nonce) {
        return Err(Error::forbidden("the identity token is of another attempt: its nonce differs"));
    }
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    match claims.get("azp") {
        None if several => Err(Error::forbidden("the identity token has several audiences and no azp")),
        Some(azp) if azp.as_str() != Some(client_id) => {
            Err(Error::forbidden("the identity token was made for another client: its azp differs"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn document(changes: &Value) -> Result<Document> {
        let mut document = json!({
            "issuer": "https://login.example.org/", "authorization_endpoint": "https://login.example.org/auth",
            "token_endpoint": "https://login.example.org/token",
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        read_document(document.to_string().as_bytes(), "https://login.example.org/")
    }

    #[test]
    fn a_document_is_of_its_issuer_and_its_endpoints_are_safe() {
        assert!(document(&json!({})).is_ok());
        assert!(document(&json!({"code_challenge_methods_supported": ["plain", "S256"]})).is_ok());
        for wrong in [
            json!({"issuer": "https://login.example.org"}),
            json!({"issuer": "https://evil.example/"}),
            json!({"token_endpoint": "http://login.example.org/token"}),
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            json!({"end_session_endpoint": "http://login.example.org/out"}),
            json!({"code_challenge_methods_supported": ["plain"]}),
            json!({"token_endpoint": null}),
        ] {
            assert!(document(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_identity_token_is_of_the_attempt_and_of_our_client() {
        for (claims, accepted) in [
            (json!({"nonce": "n", "aud": "us"}), true),
            (json!({"nonce": "n", "aud": ["us"]}), true),
            (json!({"nonce": "n", "aud": ["us", "them"], "azp": "us"}), true),
            (json!({"nonce": "n", "aud": ["us", "them"]}), false),
            (json!({"nonce": "n", "aud": "us", "azp": "them"}), false),
            (json!({"nonce": "n", "aud": "us", "azp": 1}), false),
            (json!({"nonce": "m", "aud": "us"}), false),
            (json!({"aud": "us"}), false),
        ] {
            let claims = claims.as_object().unwrap();
            assert_eq!(check_identity(claims, "us", "n").is_ok(), accepted, "{claims:?}");
        }
    }

    #[test]
    fn a_client_needs_openid() {
        let settings = |client_id: &str, scopes: &[&str]| SignInSettings {
            title: "Corp".into(),
            client_id: client_id.into(),
            client_secret: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            resource: None,
            token: SignInToken::Access,
            redirect: "https://reports.example.org/".into(),
            after_sign_out: "https://reports.example.org/".into(),
            timeout: Duration::from_secs(1),
        };
        let made = |client_id: &str, scopes: &[&str], issuer: &str| {
            SignIn::new(settings(client_id, scopes), issuer).map(|made| made.document_url.to_string()).ok()
        };
        let found = made("us", &["openid"], "https://login.example.org/realms/a/");
        let expected = "https://login.example.org/realms/a/.well-known/openid-configuration";
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(made("us", &["profile"], "https://login.example.org"), None);
        assert_eq!(made(" ", &["openid"], "https://login.example.org"), None);
        assert_eq!(made("us", &["openid"], "http://login.example.org"), None);
    }
}
