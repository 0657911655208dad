//! Room for the answers of searches while they are sent.
//!
//! Why: an answer is in memory until its client has taken it, and clients may be slow.
//!
//! Invariant: answers that are being sent have at most [`ROOM_BYTES_MAX`] bytes together.

use crate::failure::{Failure, json_bytes};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use muster_reports::Error;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most bytes of all answers of searches that are being sent.
const ROOM_BYTES_MAX: u32 = 256 << 20;

/// The room.
pub(crate) struct AnswerRoom(Arc<Semaphore>);

impl Default for AnswerRoom {
    fn default() -> Self {
        Self::of(ROOM_BYTES_MAX)
    }
}

impl AnswerRoom {
    fn of(bytes: u32) -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(bytes).unwrap_or(Semaphore::MAX_PERMITS))))
    }

    /// A JSON answer, which keeps its room until it is sent or given up.
    pub(crate) fn json<T: Serialize>(&self, body: &T) -> Result<Response, Failure> {
        let json = serde_json::to_vec(body);
        let json =
            json.map_err(|error| Failure::internal("the answer could not be written as JSON", error))?;
        Ok(json_bytes(StatusCode::OK, self.held(json)?))
    }

    /// As [`AnswerRoom::json`], for CSV.
    pub(crate) fn csv(&self, text: String) -> Result<Response, Failure> {
        let mut response = Response::new(Body::from(self.held(text.into_bytes())?));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        Ok(response)
    }

    fn held(&self, answer: Vec<u8>) -> Result<Bytes, Failure> {
        let full = || Error::unavailable("too many answers of searches are being sent: expected fewer");
        let bytes = u32::try_from(answer.len()).map_err(|_| full())?;
        let room = Arc::clone(&self.0).try_acquire_many_owned(bytes).map_err(|_| full())?;
        Ok(Bytes::from_owner(Held { answer, _room: room }))
    }
}

/// An answer with its room.
struct Held {
    answer: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn an_answer_keeps_its_room_until_it_is_sent() {
        // `"abc"` has five bytes.
        let room = AnswerRoom::of(11);
        let (first, second) = (room.json(&"abc").unwrap(), room.json(&"abc").unwrap());
        assert_eq!(
            room.json(&"abc").unwrap_err().cause(),
            "too many answers of searches are being sent: expected fewer"
        );
        let sent = first.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(sent, r#""abc""#);
        drop(sent);
        let third = room.json(&"abc").unwrap();
        drop((second, third));
        assert_eq!(room.0.available_permits(), 11);
    }
}
