//! What every answer of the console has, and pages of problems in words.

use crate::fields::address;
use crate::look::count;
use crate::page::{Layout, Section, html, see_other};
use crate::problem::Problem;
use crate::session::Session;
use askama::Template;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// Scripts, styles and requests only from this host; nothing inline, no frame, no form that leads elsewhere.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a problem's page must know of the request.
pub(crate) struct Asked {
    /// The address, if somebody can be led back to it.
    back: Option<String>,
    /// Whether a script asked for a part of a page.
    is_part: bool,
}

impl Asked {
    pub(crate) fn of(request: &Request) -> Self {
        let reads = *request.method() == Method::GET;
        let address = request.uri().path_and_query().map(|address| address.as_str().to_owned());
        Self {
            back: address.filter(|address| reads && is_own(address)),
            is_part: request.headers().contains_key("hx-request"),
        }
    }
}

/// Whether an address leads to a page of this console.
pub(crate) fn is_own(address: &str) -> bool {
    address.starts_with("/ui/")
        && !address.starts_with("/ui/sign-in")
        && !address.contains("//")
        && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    layout: Layout,
    /// What happened.
    what: String,
    /// In the API's words.
    detail: &'a str,
    /// What to do.
    advice: String,
    tracking_id: Option<&'a str>,
}

/// The page of a problem.
pub(crate) fn of_problem(problem: &Problem, session: Option<&Session>, asked: &Asked) -> Response {
    if matches!(problem, Problem::SignInFirst | Problem::SessionEnded) {
        let ended = if matches!(problem, Problem::SessionEnded) { "1" } else { "" };
        let next = asked.back.clone().filter(|_| !asked.is_part).unwrap_or_default();
        let to = address("/ui/sign-in", [("ended", ended.to_owned()), ("next", next)]);
        if !asked.is_part {
            return see_other(&to);
        }
        // A script replaces the whole page.
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Ok(to) = HeaderValue::from_str(&to) {
            response.headers_mut().insert(HeaderName::from_static("hx-redirect"), to);
        }
        return response;
    }
    let status = problem.status();
    let (title, what, advice) = words(problem);
    let (detail, tracking_id, retry_after) = match problem {
        Problem::Refused(refusal) => {
            (refusal.text.as_str(), refusal.tracking_id.as_deref(), refusal.retry_after)
        }
        Problem::Unreadable(text) | Problem::TooMany(text) => (*text, None, None),
        Problem::SignInFirst
        | Problem::SessionEnded
        | Problem::NoSuchPage
        | Problem::NoSuchMethod
        | Problem::ForeignForm
        | Problem::TooLong
        | Problem::Fault => ("", None, None),
    };
    let layout = Layout::new(title, Section::None, session);
    let mut response = html(status, &ProblemPage { layout, what, detail, advice, tracking_id });
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Title, what happened, what to do.
fn words(problem: &Problem) -> (&'static str, String, String) {
    let told = |title, what: &str, advice: &str| (title, what.to_owned(), advice.to_owned());
    match problem {
        Problem::SignInFirst | Problem::SessionEnded => {
            told("Sign in", "Nobody is signed in.", "Sign in first.")
        }
        Problem::NoSuchPage => told(
            "Page not found",
            "There is no page at this address.",
            "Check the address, or begin at Runs.",
        ),
        Problem::NoSuchMethod => {
            told("Not possible", "The page does not accept this.", "Open it from the menu.")
        }
        Problem::ForeignForm => told(
            "Form not accepted",
            "The form does not belong to your session. Nothing was changed.",
            "Go back, reload the page, and send the form again. Your browser must accept cookies of this site.",
        ),
        Problem::Unreadable(_) => told(
            "Form not accepted",
            "The form cannot be read. Nothing was changed.",
            "Go back and send it again.",
        ),
        Problem::TooMany(_) | Problem::TooLong => {
            told("Too busy", "The service has too much to do now.", "Try again in a moment.")
        }
        Problem::Fault => {
            told("Fault", "The page could not be made.", "The log of the service has the cause.")
        }
        Problem::Refused(refusal) => refused(refusal.status, refusal.retry_after),
    }
}

fn refused(status: StatusCode, retry_after: Option<u64>) -> (&'static str, String, String) {
    let told = |title, what: &str, advice: &str| (title, what.to_owned(), advice.to_owned());
    match status {
        StatusCode::BAD_REQUEST => told(
            "Not accepted",
            "The service does not accept the request.",
            "Go back and correct what it names.",
        ),
        StatusCode::FORBIDDEN => told(
            "Not allowed",
            "Your account may not do this.",
            "Ask an administrator for the right that is named here, or sign in with another client.",
        ),
        StatusCode::NOT_FOUND => told(
            "Not found",
            "The service does not have this.",
            "It may have been removed, or you may not see it.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many requests",
            "Your client has made more requests than it may.".to_owned(),
            match retry_after {
                Some(seconds) => format!("Try again in {} s.", count(seconds)),
                None => "Try again in a moment.".to_owned(),
            },
        ),
        StatusCode::SERVICE_UNAVAILABLE => {
            told("Not available", "The service cannot answer this now.", "Try again in a moment.")
        }
        _ if status.is_server_error() => told(
            "Fault of the service",
            "The service has failed to answer.",
            "The log of the service has the details under the tracking id.",
        ),
        _ => told("Not possible", "The service refuses this.", "Go back and try something else."),
    }
}

/// Adds what every answer has. An answer that the API made keeps its own policy.
pub(crate) fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let defaults =
        [(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "same-origin"), (CACHE_CONTROL, "no-store")];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let always = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_led_back_to() {
        for own in ["/ui/runs", "/ui/runs?state=live&page=2"] {
            assert!(is_own(own), "{own}");
        }
        let strange =
            ["", "/", "//evil.example", "/ui//evil.example", "https://evil.example/ui/", "/ui/\\evil"];
        for other in strange.into_iter().chain(["/ui/sign-in", "/ui/a b", "/reports/v1/run"]) {
            assert!(!is_own(other), "{other}");
        }
    }
}
