//! What each request to a bucket passes: it is counted, a store that asks for a pause gets it, and on S3 the request that makes
//! a file of parts refuses to replace a file.

use async_trait::async_trait;
use muster_reports::metric;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, Result};
use reqwest::header::{HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use std::time::Duration;

/// The longest pause that a store gets.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// Makes clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requests {
    /// Whether the request that makes a file of parts refuses to replace one. The library cannot ask for this; a header that is
    /// not signed can be added.
    pub(super) completes_once: bool,
}

impl HttpConnector for Requests {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(Client { client: ReqwestConnector::default().connect(options)?, requests: *self }))
    }
}

#[derive(Debug)]
struct Client {
    client: HttpClient,
    requests: Requests,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, mut request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let completes = *request.method() == Method::POST
            && request.uri().query().is_some_and(|query| query.contains("uploadId="));
        if completes && self.requests.completes_once {
            request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        let method = shown(request.method());
        let answer = self.client.execute(request).await;
        let status = match &answer {
            Ok(answer) => answer.status().as_u16().to_string(),
            Err(_) => "none".to_owned(),
        };
        metrics::counter!(metric::BUCKET_REQUESTS.name, "method" => method, "status" => status).increment(1);
        if let Ok(answer) = &answer
            && let Some(pause) = pause(answer)
        {
            // The library waits too, but does not read this header.
            tokio::time::sleep(pause).await;
        }
        answer
    }
}

fn shown(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "PUT" => "PUT",
        "POST" => "POST",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// How long the store asks us to wait before the next request.
fn pause(answer: &HttpResponse) -> Option<Duration> {
    if !matches!(answer.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(PAUSE_MAX))
}
