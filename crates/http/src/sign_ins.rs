//! Signing in at external issuers, for the console: where somebody is sent to, and what becomes of the code that comes back.

use crate::access_tokens::TokenRefusal;
use crate::external_issuers::{
    Attempt, ExternalIssuers, Issuer, SignIn, SignInToken, SignedIn, check_identity, claims_end, safe_address,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use muster_reports::error::{Error, Result};
use muster_reports::ports::Clock;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The issuers at which people can sign in; cheap to clone.
#[derive(Clone)]
pub struct SignIns {
    pub(crate) issuers: ExternalIssuers,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SignIns {
    fn offering(&self) -> impl Iterator<Item = (&Issuer, &SignIn)> {
        self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.sign_in.as_ref()?)))
    }

    fn find(&self, name: &str) -> Result<(&Issuer, &SignIn)> {
        let found = self.offering().find(|(issuer, _)| issuer.name() == name);
        found.ok_or_else(|| Error::not_found(format!("nobody can sign in at {name:?}")))
    }

    /// The name and the title of each.
    pub fn offered(&self) -> Vec<(String, String)> {
        self.offering()
            .map(|(issuer, sign_in)| (issuer.name().into(), sign_in.settings.title.clone()))
            .collect()
    }

    /// The address at the issuer where somebody signs in.
    ///
    /// # Errors
    /// `NotFound` for an unknown issuer; `Unavailable` when its document cannot be used, with the reason for the log.
    pub async fn begin(&self, name: &str, attempt: Attempt<'_>) -> Result<String> {
        let (issuer, sign_in) = self.find(name)?;
        let document = sign_in.document(&issuer.settings.issuer, self.clock.now()).await?;
        let settings = &sign_in.settings;
        let scopes = settings.scopes.join(" ");
        let challenge = BASE64.encode(Sha256::digest(attempt.verifier));
        let mut address = safe_address("authorization_endpoint", &document.authorization_endpoint)?;
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", settings.client_id.as_str()),
            ("redirect_uri", settings.redirect.as_str()),
            ("scope", scopes.as_str()),
            ("state", attempt.state),
            ("nonce", attempt.nonce),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        if let Some(resource) = &settings.resource {
            address.query_pairs_mut().append_pair("resource", resource);
        }
        Ok(address.into())
    }

    /// Exchanges the code that the issuer led back with; `iss` is what it called itself then.
    ///
    /// # Errors
    /// As [`SignIns::begin`]; `Forbidden` where the issuer does not exchange the code, or its tokens are not accepted. The
    /// texts are for the log.
    pub async fn finish(
        &self,
        name: &str,
        code: &str,
        iss: Option<&str>,
        attempt: Attempt<'_>,
    ) -> Result<SignedIn> {
        let (issuer, sign_in) = self.find(name)?;
        let now = self.clock.now();
        let document = sign_in.document(&issuer.settings.issuer, now).await?;
        // Another issuer could lead back with a code of its own (RFC 9207, section 2.4).
        let is_named = iss == Some(document.issuer.as_str());
        if !is_named && (iss.is_some() || document.authorization_response_iss_parameter_supported) {
            return Err(Error::forbidden("the address that leads back does not name the issuer"));
        }
        let tokens = sign_in.exchange(&document, code, attempt.verifier).await?;
        let refused =
            |what: &str, refusal: &TokenRefusal| Error::forbidden(format!("{what}: {}", refusal.reason));
        let identity =
            tokens.id_token.ok_or_else(|| Error::forbidden("the issuer sent no identity token"))?;
        let ours = std::slice::from_ref(&sign_in.settings.client_id);
        let claims = issuer.verified_claims(&identity, ours, now).await;
        let claims = claims.map_err(|refusal| refused("the identity token is not accepted", &refusal))?;
        check_identity(&claims, &sign_in.settings.client_id, attempt.nonce)?;
        let token = match sign_in.settings.token {
            SignInToken::Access => tokens.access_token,
            SignInToken::Identity => identity,
        };
        let claims = issuer.verified_claims(&token, &issuer.settings.audiences, now).await;
        let claims = claims.map_err(|refusal| refused("the token for the API is not accepted", &refusal))?;
        issuer
            .caller(&claims)
            .map_err(|refusal| refused("the token for the API is not accepted", &refusal))?;
        Ok(SignedIn { token, expires: claims_end(&claims).unwrap_or(now) })
    }

    /// The address at the issuer where somebody signs out, if it has one.
    ///
    /// # Errors
    /// As [`SignIns::begin`].
    pub async fn sign_out_address(&self, name: &str) -> Result<Option<String>> {
        let (issuer, sign_in) = self.find(name)?;
        let document = sign_in.document(&issuer.settings.issuer, self.clock.now()).await?;
        let Some(address) = &document.end_session_endpoint else { return Ok(None) };
        let mut address = safe_address("end_session_endpoint", address)?;
        // No `id_token_hint`: it would bring a token into the browser.
        address.query_pairs_mut().extend_pairs([
            ("client_id", sign_in.settings.client_id.as_str()),
            ("post_logout_redirect_uri", sign_in.settings.after_sign_out.as_str()),
        ]);
        Ok(Some(address.into()))
    }
}
