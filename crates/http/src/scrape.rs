//! The listener of metrics: a router of its own, so that it can listen on an address that clients do not reach.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Makes the text of all metrics, each time that somebody asks.
pub type MetricsText = dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync;

/// The media type of the text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A router with the one route `GET /metrics`.
pub fn metrics_router(text: Arc<MetricsText>) -> Router {
    let answer = move || {
        let text = text();
        async move { ([(CONTENT_TYPE, TEXT_FORMAT)], text.await) }
    };
    Router::new().route("/metrics", get(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    #[tokio::test]
    async fn the_text_is_made_for_each_request_and_nothing_else_is_served() {
        let router = metrics_router(Arc::new(|| Box::pin(async { "muster_tasks 1\n".to_owned() })));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            router.clone().oneshot(request).await.expect("it never fails")
        };
        let answer = ask("/metrics").await;
        assert_eq!(answer.headers()[CONTENT_TYPE], TEXT_FORMAT);
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(&*body, b"muster_tasks 1\n");
        assert_eq!(ask("/health/live").await.status(), StatusCode::NOT_FOUND);
    }
}
