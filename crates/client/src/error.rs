//! What can go wrong, with what the service said about it.

use muster_wire::{ErrorMessageDto, ErrorResponseDto, ResultStatus};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// What the service said when it refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Fine-grained code, where the service sent one.
    pub detail_code: Option<String>,
    /// The id under which the service's log has the details.
    pub tracking_id: Option<String>,
    /// The exact reason if there is one, otherwise the general one.
    pub text: String,
    /// When the service wants the request repeated.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail_code {
            Some(code) => write!(f, "{code}: {}", self.text)?,
            None => write!(f, "{}: {}", self.status, self.text)?,
        }
        match &self.tracking_id {
            Some(id) => write!(f, " (tracking id {id})"),
            None => Ok(()),
        }
    }
}

impl Refusal {
    /// Reads any of the bodies that a refusal may have, or none of them.
    pub(crate) fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let dto: ErrorResponseDto = serde_json::from_value(json.clone()).unwrap_or_default();
        let first = |list: &[ErrorMessageDto]| list.iter().find_map(|message| message.text.clone());
        let plain = ["error_description", "error", "message"].into_iter().find_map(|key| json[key].as_str());
        let text = first(&dto.causes)
            .or_else(|| first(&dto.messages))
            .or_else(|| plain.map(|text| text.trim().to_owned()))
            .unwrap_or_else(|| "the service gave no reason".into());
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            status,
            detail_code: dto.detail_code,
            tracking_id: dto.tracking_id,
            text,
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong.
    #[error("{0}")]
    Configuration(String),
    /// What a caller passed cannot be sent.
    #[error("{0}")]
    Argument(String),
    /// The service refused the request.
    #[error("the service refused the request: {0}")]
    Refused(Refusal),
    /// The service gave no access token.
    #[error("no access token was granted: {0}")]
    NoToken(Refusal),
    /// The service was not reached, or the connection broke.
    #[error("the service was not reached")]
    Transport(#[source] reqwest::Error),
    /// The answer is not of the published form.
    #[error("the answer is not as published: {0}")]
    Answer(String),
    /// The downloaded file is not the one that the service announced.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The downloaded bytes could not be written.
    #[error("the file could not be written")]
    Write(#[source] std::io::Error),
    /// There is no such report.
    #[error("there is no report {0:?}")]
    Unknown(String),
    /// The report had not ended when the time was up.
    #[error("report {id} had not ended after {waited:?}")]
    StillRunning {
        /// The task result id.
        id: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The report has ended without files.
    #[error("report {id} did not succeed: {}{}", ended(.status.as_ref()), why(.reason.as_deref()))]
    NotSucceeded {
        /// The task result id.
        id: String,
        /// How it ended; `None` if it has not.
        status: Option<ResultStatus>,
        /// Why, where the service says it.
        reason: Option<String>,
    },
}

fn ended(status: Option<&ResultStatus>) -> &str {
    status.map_or("it has not ended", ResultStatus::as_str)
}

fn why(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

impl Error {
    /// What the service said, if it was the service that refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::NoToken(refusal) => Some(refusal),
            Self::Configuration(_)
            | Self::Argument(_)
            | Self::Transport(_)
            | Self::Answer(_)
            | Self::Damaged(_)
            | Self::Write(_)
            | Self::Unknown(_)
            | Self::StillRunning { .. }
            | Self::NotSucceeded { .. } => None,
        }
    }

    /// Addresses in error texts could hold what a caller passed; the source alone says enough.
    pub(crate) fn transport(error: reqwest::Error) -> Self {
        Self::Transport(error.without_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_body_is_read() {
        let dto = r#"{"detailCode":"404 Not found","trackingId":"t1","messages":[{"text":"general"}],"causes":[{"text":"exact"}]}"#;
        let general = r#"{"detailCode":"403 Forbidden","trackingId":"t2","messages":[{"text":"general"}]}"#;
        for (body, text, shown) in [
            (dto, "exact", "404 Not found: exact (tracking id t1)"),
            (general, "general", "403 Forbidden: general (tracking id t2)"),
            (r#"{"message":" Rate Limit Exceeded "}"#, "Rate Limit Exceeded", "400: Rate Limit Exceeded"),
            (r#"{"error":"JWT validation failed"}"#, "JWT validation failed", "400: JWT validation failed"),
            (r#"{"error":"invalid_client","error_description":"d"}"#, "d", "400: d"),
            ("<html>", "the service gave no reason", "400: the service gave no reason"),
        ] {
            let refusal = Refusal::read(400, &HeaderMap::new(), body.as_bytes());
            assert_eq!((refusal.text.as_str(), refusal.to_string().as_str()), (text, shown));
        }
    }
}
