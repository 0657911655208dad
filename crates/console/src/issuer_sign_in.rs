//! Signing in and out at an issuer (OpenID Connect): the browser goes there by a link and is led back here.

use crate::answer::is_own;
use crate::fields::Fields;
use crate::issuers::{IssuerFailure, OfferedIssuer, SignInAttempt};
use crate::page::see_other;
use crate::problem::Problem;
use crate::sign_in::{NotSignedIn, opened, set_cookie};
use crate::state::Console;
use crate::visitor::cookie;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;

/// The cookie that attempts of a browser belong to.
const BROWSER_COOKIE: &str = "__Host-muster-attempt";

fn offered(console: &Console, name: &str) -> Result<OfferedIssuer, Problem> {
    let mut all = console.issuers().offered().into_iter();
    all.find(|issuer| issuer.name == name).ok_or(Problem::NoSuchPage)
}

/// Leads to the issuer.
pub(crate) async fn begin(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let issuer = offered(&console, &name)?;
    let query = Fields::read(&query.unwrap_or_default());
    let next = Some(query.text("next")).filter(|next| is_own(next)).unwrap_or("/ui/runs");
    // Two tabs of a browser may sign in at a time.
    let browser = cookie(&headers, BROWSER_COOKIE).map_or_else(|| console.secret(), str::to_owned);
    let attempt =
        SignInAttempt { state: console.secret(), nonce: console.secret(), verifier: console.secret() };
    match console.issuers().begin(&name, &attempt).await {
        Ok(address) => {
            console.attempts().begin(&name, &browser, attempt, next, console.now());
            let mut response = see_other(&address);
            set_cookie(&mut response, BROWSER_COOKIE, &browser, false);
            Ok(response)
        }
        Err(failure) => Ok(failed(&console, next, &issuer, failure)),
    }
}

fn failed(console: &Console, next: &str, issuer: &OfferedIssuer, failure: IssuerFailure) -> Response {
    let (status, text) = match failure {
        IssuerFailure::Unusable => (
            StatusCode::BAD_GATEWAY,
            format!(
                "{} cannot be reached, or does not answer as expected. Try again in a moment.",
                issuer.title
            ),
        ),
        IssuerFailure::Refused => (
            StatusCode::FORBIDDEN,
            format!(
                "What {} answered is not accepted here. The log of the service has the reason.",
                issuer.title
            ),
        ),
    };
    NotSignedIn { status, next, client_id: "", failure: text }.page(console)
}

/// Where the issuer leads back to.
pub(crate) async fn answer(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let issuer = offered(&console, &name)?;
    let query = Fields::read(&query.unwrap_or_default());
    let browser = cookie(&headers, BROWSER_COOKIE).unwrap_or_default();
    let taken = console.attempts().take(&name, browser, query.text("state"), console.now());
    let refused = |next: &str, status, failure: String| {
        Ok(NotSignedIn { status, next, client_id: "", failure }.page(&console))
    };
    let Some((attempt, next)) = taken else {
        let failure = "This sign-in was begun in another browser, longer than 10 minutes ago, or has been finished already. \
            Begin again.";
        return refused("", StatusCode::FORBIDDEN, failure.to_owned());
    };
    // Only now it is known that nobody made the address up.
    if query.has("error") {
        let why: String =
            [query.text("error"), query.text("error_description")].join(" ").chars().take(300).collect();
        let failure = format!("{} did not sign you in: {}.", issuer.title, why.trim());
        return refused(&next, StatusCode::FORBIDDEN, failure);
    }
    let iss = Some(query.text("iss")).filter(|iss| !iss.is_empty());
    match console.issuers().finish(&name, &attempt, query.text("code"), iss).await {
        Ok(issued) => Ok(opened(&console, &headers, issued.token, issued.expires, Some(issuer), &next).await),
        Err(failure) => Ok(failed(&console, &next, &issuer, failure)),
    }
}

/// Leads to the issuer's page for signing out; the session here has ended before.
pub(crate) async fn sign_out(
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let issuer = offered(&console, &name)?;
    match console.issuers().sign_out_address(&name).await {
        Ok(Some(address)) => Ok(see_other(&address)),
        Ok(None) => Err(Problem::NoSuchPage),
        Err(failure) => Ok(failed(&console, "", &issuer, failure)),
    }
}
