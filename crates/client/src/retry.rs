//! Bounded retries, which honour `Retry-After`, of requests that may be sent twice.

use crate::error::Error;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use std::time::Duration;

/// The first wait where the service does not say how long; doubled with each repetition.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// How often and how long to wait.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub(crate) retries_max: u32,
    pub(crate) wait_max: Duration,
}

/// Whether a request may be sent again when nobody knows whether the service has acted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Sent twice it does what it does once: reads change nothing, a start answers the running task, and a cancelled
    /// report may be cancelled again.
    Always,
    /// It is sent again only if the service did not get it or says that it did not act: otherwise what it makes would be
    /// there twice.
    IfNotActedOn,
}

/// Sends until there is an answer that is not "later", at most `retries_max` times more.
pub(crate) async fn retried<F, Fut>(wait: &Wait, repeat: Repeat, send: F) -> Result<Response, Error>
where
    F: Fn() -> Fut,
    Fut: Future<Output = reqwest::Result<Response>>,
{
    let mut retries = 0;
    loop {
        let outcome = send().await;
        let asked = match &outcome {
            Ok(response) if later(response, repeat) => retry_after(response),
            Err(error) if error.is_connect() || (error.is_request() && repeat == Repeat::Always) => None,
            Ok(_) | Err(_) => return outcome.map_err(Error::transport),
        };
        if retries == wait.retries_max {
            return outcome.map_err(Error::transport);
        }
        let pause = asked.unwrap_or(FIRST_WAIT * 2u32.saturating_pow(retries)).min(wait.wait_max);
        tokio::time::sleep(pause).await;
        retries += 1;
    }
}

/// Whether the same request may be answered otherwise soon. A 503 says so by `Retry-After`: without it somebody has to
/// mend something first, and whoever waits learns the reason late. A gateway that gives up does not know what became of
/// the request.
fn later(response: &Response, repeat: Repeat) -> bool {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => repeat == Repeat::Always,
        StatusCode::SERVICE_UNAVAILABLE => response.headers().contains_key(RETRY_AFTER),
        _ => false,
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
