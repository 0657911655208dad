//! The log line of a request and its metrics, written when its answer has been sent or abandoned.
//!
//! Why not earlier: only at the end are duration and size known, which matter for a download.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use muster_reports::metric;
use std::sync::Arc;
use std::time::Instant;
use tracing::Span;

/// The pattern of the path of a request's route, as an extension of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(pub(crate) Arc<str>);

/// The answer, which writes the line when it ends; the request began at `begun`.
pub(crate) fn with_log_line(mut response: Response, method: &Method, begun: Instant) -> Response {
    let mut line = RequestLine {
        status: response.status(),
        method: name_of(method),
        route: response.extensions_mut().remove::<Pattern>().map_or_else(|| "".into(), |pattern| pattern.0),
        bytes: 0,
        begun,
        span: Span::current(),
    };
    response.map(|body| {
        Body::new(body.inspect_frame(move |frame| line.add(frame.data_ref().map_or(0, |data| data.len()))))
    })
}

/// The name of a method that routes have; other names come from the client, and there may be any number of them.
pub(crate) fn name_of(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}

struct RequestLine {
    status: StatusCode,
    method: &'static str,
    route: Arc<str>,
    /// Bytes of the body that were given to the connection.
    bytes: u64,
    begun: Instant,
    span: Span,
}

impl RequestLine {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        let took_ms = took.as_millis();
        let route = self.route.to_string();
        metrics::histogram!(metric::REQUEST_SECONDS.name, "route" => route.clone())
            .record(took.as_secs_f64());
        let status = self.status.as_u16().to_string();
        metrics::counter!(metric::REQUESTS.name, "method" => self.method, "route" => route, "status" => status)
            .increment(1);
        self.span.in_scope(|| {
            tracing::info!(status = self.status.as_u16(), bytes = self.bytes, took_ms, "answered");
        });
        // For the collector of traces; the line has them already.
        self.span.record("status", self.status.as_u16());
        self.span.record("bytes", self.bytes);
        if self.status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}
