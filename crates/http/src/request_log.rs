//! The log line of a request, written when its answer has been sent or abandoned.
//!
//! Why not earlier: only at the end are duration and size known, which matter for a download.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::BodyExt;
use std::time::Instant;
use tracing::Span;

/// The answer, which writes the line when it ends; the request began at `begun`.
pub(crate) fn with_log_line(response: Response, begun: Instant) -> Response {
    let mut line = RequestLine { status: response.status(), bytes: 0, begun, span: Span::current() };
    response.map(|body| {
        Body::new(body.inspect_frame(move |frame| line.add(frame.data_ref().map_or(0, |data| data.len()))))
    })
}

struct RequestLine {
    status: StatusCode,
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
        let took_ms = self.begun.elapsed().as_millis();
        self.span.in_scope(|| {
            tracing::info!(status = self.status.as_u16(), bytes = self.bytes, took_ms, "answered");
        });
    }
}
