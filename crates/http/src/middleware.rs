//! What every request passes through: tracking id, trace, log line, limits of size and time, panics, the host, spare
//! slashes.

use crate::failure::{Failure, render};
use crate::request_log::{name_of, with_log_line};
use crate::state::AppState;
use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use muster_reports::Error;
use muster_reports::metric;
use muster_reports::trace::{TARGET, Trace, Traces};
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tower::ServiceExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Longest address of a request, including its query, in bytes.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of the names and values of a request's headers together: the largest token and as much again.
const HEADERS_BYTES_MAX: usize = 32 * 1024;

/// Answers one request through `routes`.
///
/// The span has the route's pattern and never the path or the query, which the client chose; nor a method that no route has. Of a trace it has only the
/// id, which always consists of hex digits.
pub(crate) async fn answer(state: AppState, routes: Router, mut request: Request) -> Response {
    let begun = Instant::now();
    let tracking_id = state.inner().wiring.ids.fresh();
    let span = tracing::info_span!(
        target: TARGET, parent: None, "request", tracking_id, trace = Empty, method = name_of(request.method()), route = Empty,
        client = Empty, status = Empty, bytes = Empty, otel.status_code = Empty
    );
    let trace = trace(&*state.inner().wiring.traces, &request, &tracking_id, &span);
    span.record("trace", trace.id());
    request.extensions_mut().insert(trace);
    let method = request.method().clone();
    let refusal = oversized(&request).or_else(|| without_one_host(&request));
    *request.uri_mut() = needed_slashes(request.uri());
    let work = async move {
        match refusal {
            Some(failure) => Ok(failure.into_response()),
            None => routes.oneshot(request).await,
        }
    };
    let work = AssertUnwindSafe(work).catch_unwind();
    async move {
        let response = match tokio::time::timeout(state.settings().request_timeout, work).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_)) => Failure::internal("a handler panicked", "see the panic message").into_response(),
            Err(_) => {
                metrics::counter!(metric::LIMITS.name, "limit" => "request_time").increment(1);
                Failure::from(Error::unavailable("the request took too long")).into_response()
            }
        };
        with_log_line(render(response, &tracking_id), &method, begun)
    }
    .instrument(span)
    .await
}

/// The trace that the request says it belongs to, or a new one. `span` gets its place in it.
fn trace(traces: &dyn Traces, request: &Request, tracking_id: &str, span: &Span) -> Trace {
    let all = |name| request.headers().get_all(name).into_iter().map(HeaderValue::as_bytes);
    let trace = Trace::brought(all("traceparent"), all("tracestate"), tracking_id);
    let caller = Trace::caller_span(all("traceparent"));
    match span.in_scope(|| traces.begin(&trace, caller.as_deref())) {
        Some(sampled) => trace.with_sampled(sampled),
        None => trace,
    }
}

/// The refusal of a request whose head is too large.
fn oversized(request: &Request) -> Option<Failure> {
    let address = request.uri().path().len() + request.uri().query().map_or(0, |query| query.len() + 1);
    if address > ADDRESS_BYTES_MAX {
        let text = format!("the address is too long: expected at most {ADDRESS_BYTES_MAX} bytes");
        return Some(Failure::new(StatusCode::URI_TOO_LONG, text));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.as_bytes().len()).sum();
    if headers > HEADERS_BYTES_MAX {
        let text = format!("the headers are too large: expected at most {HEADERS_BYTES_MAX} bytes");
        return Some(Failure::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text));
    }
    None
}

/// The refusal of a request that does not name exactly one host (RFC 9112, section 3.2): a proxy may have decided by
/// another one.
fn without_one_host(request: &Request) -> Option<Failure> {
    let hosts = request.headers().get_all(HOST).iter().count();
    // HTTP before 1.1 has no host, and HTTP/2 has it in the address.
    let expected = usize::from(request.version() == Version::HTTP_11);
    (hosts > 1 || hosts < expected)
        .then(|| Failure::invalid(format!("the request has {hosts} Host headers: expected one")))
}

/// The same address with one slash where there were several, and none at its end: base URLs with a trailing slash
/// give `//reports/...`, and some clients end every path with one. The query stays as it is.
fn needed_slashes(uri: &Uri) -> Uri {
    let path = uri.path();
    if !path.contains("//") && (path == "/" || !path.ends_with('/')) {
        return uri.clone();
    }
    let mut path = String::with_capacity(uri.path().len());
    for c in uri.path().chars() {
        if c != '/' || !path.ends_with('/') {
            path.push(c);
        }
    }
    if path.len() > 1 && path.ends_with('/') {
        path.pop();
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    match PathAndQuery::try_from(path) {
        Ok(path) => parts.path_and_query = Some(path),
        Err(_) => return uri.clone(),
    }
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_slashes_go_from_the_path_only() {
        for (given, expected) in [
            ("//reports/v1/run", "/reports/v1/run"),
            ("/reports///v1//run?a=b//c", "/reports/v1/run?a=b//c"),
            ("http://host//oauth/token", "http://host/oauth/token"),
            ("/v3/reports/x", "/v3/reports/x"),
            ("/v3/reports/x/", "/v3/reports/x"),
            ("/v3/reports/x//?completed=/", "/v3/reports/x?completed=/"),
            ("/", "/"),
            ("//", "/"),
        ] {
            let given = Uri::try_from(given).expect("the cases are addresses");
            assert_eq!(needed_slashes(&given).to_string(), expected);
        }
    }
}
