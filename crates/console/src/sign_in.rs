//! Signing in with a client's id and secret, and signing out.
//!
//! The secret is passed on to `POST /oauth/token` and forgotten.

use crate::answer::is_own;
use crate::api::whole;
use crate::fields::Fields;
use crate::form::{Posted, SIGN_IN_COOKIE, SignInForm};
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
use chrono::TimeDelta;
use muster_wire::{OAuthError, OAuthErrorCode, TokenAnswer};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    layout: Layout,
    token: &'a str,
    next: &'a str,
    client_id: &'a str,
    /// Why the last attempt failed.
    failure: String,
    has_ended: bool,
}

/// `name=value`, for this host only, over TLS or from this machine, out of reach of scripts.
fn set_cookie(response: &mut Response, name: &str, value: &str, ends: bool) {
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
    asked(&console, StatusCode::OK, next, "", String::new(), query.has("ended"))
}

fn asked(
    console: &Console,
    status: StatusCode,
    next: &str,
    client_id: &str,
    failure: String,
    has_ended: bool,
) -> Response {
    let token = console.secret();
    let layout = Layout::new("Sign in", Section::None, None);
    let page = SignInPage { layout, token: &token, next, client_id, failure, has_ended };
    let mut response = html(status, &page);
    set_cookie(&mut response, SIGN_IN_COOKIE, &token, false);
    response
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
        Ok(granted) => opened(&console, &headers, client_id, granted, next),
        Err(refused) => asked(&console, refused.status, next, client_id, refused.text, false),
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
        return Ok(asked(&console, StatusCode::NOT_FOUND, "", "", failure, false));
    };
    match token(&console, &offered.client_id, &offered.client_secret).await {
        Ok(granted) => Ok(opened(&console, &headers, &offered.client_id, granted, "/ui/runs")),
        Err(refused) => Ok(asked(&console, refused.status, "", &offered.client_id, refused.text, false)),
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

/// Opens a session, under a new cookie whatever the browser had.
fn opened(
    console: &Console,
    headers: &HeaderMap,
    client_id: &str,
    granted: TokenAnswer,
    next: &str,
) -> Response {
    if let Some(old) = cookie(headers, SESSION_COOKIE) {
        console.sessions().close(old);
    }
    let (now, held) = (console.now(), console.secret());
    let lifetime = TimeDelta::try_seconds(granted.expires_in).unwrap_or_default();
    let session = Session {
        token: granted.access_token,
        form_token: console.secret(),
        is_user: granted.user_name.is_some(),
        name: granted.user_name.unwrap_or_else(|| client_id.to_owned()),
        scopes: granted.scope.split_whitespace().map(str::to_owned).collect(),
        ends: now + lifetime.min(console.settings().longest),
    };
    console.sessions().open(&held, session, now);
    let mut response = see_other(next);
    set_cookie(&mut response, SESSION_COOKIE, &held, false);
    set_cookie(&mut response, SIGN_IN_COOKIE, "", true);
    response
}

/// Signs out.
pub(crate) async fn sign_out(State(console): State<Console>, headers: HeaderMap, _: Posted) -> Response {
    if let Some(held) = cookie(&headers, SESSION_COOKIE) {
        console.sessions().close(held);
    }
    let mut response = see_other("/ui/sign-in").into_response();
    set_cookie(&mut response, SESSION_COOKIE, "", true);
    response
}
