//! Signing in with a client's id and secret, opening sessions, and signing out.
//!
//! The secret is passed on to `POST /oauth/token` and forgotten.

use crate::answer::is_own;
use crate::api::whole;
use crate::fields::{Fields, address};
use crate::form::{Posted, SIGN_IN_COOKIE, SignInForm};
use crate::issuers::OfferedIssuer;
use crate::page::{Layout, Section, html, see_other};
use crate::problem::Problem;
use crate::session::Session;
use crate::state::Console;
use crate::visitor::{SESSION_COOKIE, cookie};
use askama::Template;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use muster_wire::{CallerDescription, OAuthError, OAuthErrorCode, TokenAnswer};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    layout: Layout,
    token: &'a str,
    next: &'a str,
    client_id: &'a str,
    /// Why the last attempt failed.
    failure: &'a str,
    has_ended: bool,
    /// An issuer at which somebody who has signed out here may still be signed in.
    signed_out_of: Option<OfferedIssuer>,
    /// The issuers at which people sign in, each with the address that leads there.
    issuers: Vec<(OfferedIssuer, String)>,
}

/// `name=value`, for this host only, over TLS or from this machine, out of reach of scripts.
pub(crate) fn set_cookie(response: &mut Response, name: &str, value: &str, ends: bool) {
    let age = if ends { "; Max-Age=0" } else { "" };
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, text);
    }
}

/// The form.
pub(crate) async fn form(State(console): State<Console>, RawQuery(query): RawQuery) -> Response {
    let query = Fields::read(&query.unwrap_or_default());
    let next = Some(query.text("next")).filter(|next| is_own(next)).unwrap_or_default();
    let left = console.issuers().offered().into_iter().find(|issuer| issuer.name == query.text("left"));
    asked(&console, StatusCode::OK, next, "", "", query.has("ended"), left)
}

fn asked(
    console: &Console,
    status: StatusCode,
    next: &str,
    client_id: &str,
    failure: &str,
    has_ended: bool,
    signed_out_of: Option<OfferedIssuer>,
) -> Response {
    let token = console.secret();
    let layout = Layout::new("Sign in", Section::None, None);
    let with_address = |issuer: OfferedIssuer| {
        let address = address(&format!("/ui/sign-in/at/{}", issuer.name), [("next", next.to_owned())]);
        (issuer, address)
    };
    let issuers = console.issuers().offered().into_iter().map(with_address).collect();
    let page =
        SignInPage { layout, token: &token, next, client_id, failure, has_ended, signed_out_of, issuers };
    let mut response = html(status, &page);
    set_cookie(&mut response, SIGN_IN_COOKIE, &token, false);
    response
}

/// Why nobody was signed in.
pub(crate) struct NotSignedIn<'a> {
    pub(crate) status: StatusCode,
    /// The page that was asked for.
    pub(crate) next: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) failure: String,
}

impl NotSignedIn<'_> {
    /// The form again, with the reason.
    pub(crate) fn page(&self, console: &Console) -> Response {
        asked(console, self.status, self.next, self.client_id, &self.failure, false, None)
    }
}

/// Signs in.
pub(crate) async fn sign_in(
    State(console): State<Console>,
    headers: HeaderMap,
    SignInForm(fields): SignInForm,
) -> Response {
    let next = Some(fields.text("next")).filter(|next| is_own(next)).unwrap_or("/ui/runs");
    let client_id = fields.text("client-id");
    match token(&console, client_id, fields.text("client-secret")).await {
        Ok(granted) => granted_to(&console, &headers, granted, next).await,
        Err(Refused { status, text }) => {
            NotSignedIn { status, next, client_id, failure: text }.page(&console)
        }
    }
}

/// Signs in by a link that works once.
pub(crate) async fn once(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Result<Response, Problem> {
    let Some(offered) = console.take_one_time(&code) else {
        let failure = "The link has been used already, or it is not complete.".to_owned();
        let status = StatusCode::NOT_FOUND;
        return Ok(NotSignedIn { status, next: "", client_id: "", failure }.page(&console));
    };
    let client_id = offered.client_id.as_str();
    match token(&console, client_id, &offered.client_secret).await {
        Ok(granted) => Ok(granted_to(&console, &headers, granted, "/ui/runs").await),
        Err(Refused { status, text }) => {
            Ok(NotSignedIn { status, next: "", client_id, failure: text }.page(&console))
        }
    }
}

/// Why no token was granted.
struct Refused {
    status: StatusCode,
    text: String,
}

async fn token(console: &Console, id: &str, secret: &str) -> Result<TokenAnswer, Refused> {
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let body = serde_urlencoded::to_string(form).unwrap_or_default();
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = axum::http::Uri::from_static("/oauth/token");
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    let (parts, body) = console.api().answer(request).await.into_parts();
    let fault = |text: &str| Refused { status: StatusCode::BAD_GATEWAY, text: text.to_owned() };
    let bytes = whole(body).await.map_err(|refusal| fault(&refusal.text))?;
    if parts.status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|_| fault("The service has failed to answer."));
    }
    let text = match parts.status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
            let told = serde_json::from_slice::<OAuthError>(&bytes).ok();
            match told.filter(|told| told.error != OAuthErrorCode::InvalidClient) {
                None => "The client id or the secret is wrong.".to_owned(),
                Some(told) => told.error_description.unwrap_or_default(),
            }
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            format!("There were too many attempts. Try again in {} s.", seconds.unwrap_or("10"))
        }
        _ => "The service cannot sign you in now. Try again in a moment.".to_owned(),
    };
    Err(Refused { status: parts.status, text })
}

async fn granted_to(console: &Console, headers: &HeaderMap, granted: TokenAnswer, next: &str) -> Response {
    let lifetime = TimeDelta::try_seconds(granted.expires_in).unwrap_or_default();
    let expires = console.now().checked_add_signed(lifetime).unwrap_or(DateTime::<Utc>::MAX_UTC);
    opened(console, headers, granted.access_token, expires, None, next).await
}

/// Opens a session with an access token, under a new cookie whatever the browser had.
pub(crate) async fn opened(
    console: &Console,
    headers: &HeaderMap,
    token: String,
    expires: DateTime<Utc>,
    issuer: Option<OfferedIssuer>,
    next: &str,
) -> Response {
    let who: CallerDescription = match console.api().with(&token).get("/muster/v1/caller").await {
        Ok(who) => who,
        Err(refusal) => {
            let failure = match refusal.status {
                StatusCode::FORBIDDEN => format!("You are known, but may do nothing here: {}.", refusal.text),
                _ => "The service cannot sign you in now. Try again in a moment.".to_owned(),
            };
            return NotSignedIn { status: refusal.status, next, client_id: "", failure }.page(console);
        }
    };
    if let Some(old) = cookie(headers, SESSION_COOKIE) {
        console.sessions().close(old);
    }
    let (now, held) = (console.now(), console.secret());
    let session = Session {
        token,
        form_token: console.secret(),
        name: who.name,
        is_user: who.user,
        levels: who.levels,
        scopes: who.scopes,
        auditor: who.auditor,
        issuer,
        ends: expires.min(now + console.settings().longest),
    };
    console.sessions().open(&held, session, now);
    let mut response = see_other(next);
    set_cookie(&mut response, SESSION_COOKIE, &held, false);
    set_cookie(&mut response, SIGN_IN_COOKIE, "", true);
    response
}

/// Signs out. Somebody who signed in at an issuer may also sign out there, by a link.
pub(crate) async fn sign_out(State(console): State<Console>, headers: HeaderMap, posted: Posted) -> Response {
    if let Some(held) = cookie(&headers, SESSION_COOKIE) {
        console.sessions().close(held);
    }
    let left = match &posted.visitor.session.issuer {
        Some(issuer) => match console.issuers().sign_out_address(&issuer.name).await {
            Ok(Some(_)) => issuer.name.clone(),
            Ok(None) | Err(_) => String::new(),
        },
        None => String::new(),
    };
    let mut response = see_other(&address("/ui/sign-in", [("left", left)])).into_response();
    set_cookie(&mut response, SESSION_COOKIE, "", true);
    response
}
