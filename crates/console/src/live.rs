//! Live updates: a stream of server-sent events that say that something has changed. The browser then fetches the page
//! again; no data is in the stream.
//!
//! A stream asks the API in process, in the name of its session, at most once a second. It ends with the session, with
//! the run, when the service stops, and after some minutes in any case; browsers then connect again.

use crate::api::{Caller, encoded};
use crate::fields::Fields;
use crate::problem::Problem;
use crate::state::Console;
use crate::tasks::{TASK_SCOPES, tasks_address};
use crate::visitor::{SESSION_COOKIE, Visitor, cookie};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The path of the streams.
pub(crate) const PATH: &str = "/ui/live";

/// How often a stream looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the pause is at most, where nothing changes.
const PAUSE_MOST: Duration = Duration::from_secs(4);
/// After how long without a change something is sent, so that nobody in between closes the connection.
const QUIET_MOST: Duration = Duration::from_secs(20);
/// How long a stream lasts.
const LASTS: Duration = Duration::from_secs(300);

/// What a stream watches.
enum Watched {
    /// The newest entries of the list of tasks.
    Tasks,
    /// The last results, for those who may not read the list of tasks.
    Results,
    /// One run.
    Run(String),
}

struct Stream {
    console: Console,
    held: String,
    api: Caller,
    watched: Watched,
    last: Option<[u8; 32]>,
    pause: Duration,
    said: Instant,
    ends: Instant,
    is_over: bool,
    _room: OwnedSemaphorePermit,
}

/// What was seen.
struct Seen {
    digest: [u8; 32],
    /// Nothing will change any more.
    is_last: bool,
}

impl Stream {
    async fn look(&mut self) -> Option<Seen> {
        let value: Value = match &self.watched {
            Watched::Tasks => match self.api.get(&tasks_address("", 0, 50)).await {
                Ok(value) => value,
                Err(refusal) if refusal.status == StatusCode::FORBIDDEN => {
                    self.watched = Watched::Results;
                    self.api.get("/muster/v1/results").await.ok()?
                }
                Err(_) => return None,
            },
            Watched::Results => self.api.get("/muster/v1/results").await.ok()?,
            Watched::Run(id) => {
                self.api.get(&format!("/muster/v1/reports/{}/result", encoded(id))).await.ok()?
            }
        };
        let is_last = matches!(self.watched, Watched::Run(_)) && !value["completed"].is_null();
        Some(Seen { digest: Sha256::digest(value.to_string()).into(), is_last })
    }

    /// The next event; none at the end.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let event = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
        loop {
            let stopping = self.console.settings().stopping.clone();
            if self.is_over || Instant::now() >= self.ends || stopping.is_cancelled() {
                return None;
            }
            if self.last.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(self.pause) => {}
                    () = stopping.cancelled() => return None,
                }
            }
            // A session that has ended cannot be told anything.
            self.console.sessions().seen(&self.held, self.console.now())?;
            match self.look().await {
                // The first look counts as a change: the page may be older than the stream.
                Some(seen) if self.last != Some(seen.digest) => {
                    let begins = self.last.is_none();
                    (self.last, self.said, self.pause) = (Some(seen.digest), Instant::now(), PAUSE);
                    self.is_over = seen.is_last;
                    let text = match (begins, seen.is_last) {
                        (true, false) => "retry: 3000\nevent: change\ndata: 1\n\n",
                        (false, false) => "event: change\ndata: 1\n\n",
                        (true | false, true) => "event: last\ndata: 1\n\n",
                    };
                    return Some((event(text), self));
                }
                Some(_) => self.pause = (self.pause * 2).min(PAUSE_MOST),
                // The API is busy, or refuses: look less often.
                None => {
                    self.last.get_or_insert_default();
                    self.pause = PAUSE_MOST;
                }
            }
            if self.said.elapsed() >= QUIET_MOST {
                self.said = Instant::now();
                return Some((event(": nothing new\n\n"), self));
            }
        }
    }
}

/// The stream of a page.
pub(crate) async fn stream(
    State(console): State<Console>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let watched = match query.text("of") {
        "runs" if visitor.session.has(&TASK_SCOPES) => Watched::Tasks,
        "runs" => Watched::Results,
        "run" => Watched::Run(query.text("id").to_owned()),
        _ => return Err(Problem::NoSuchPage),
    };
    let room = Arc::clone(console.streams()).try_acquire_owned();
    let room = room.map_err(|_| Problem::TooMany("There are too many live updates at a time."))?;
    let held = cookie(&headers, SESSION_COOKIE).ok_or(Problem::SignInFirst)?.to_owned();
    let now = Instant::now();
    let stream = Stream {
        console,
        held,
        api: visitor.api,
        watched,
        last: None,
        pause: PAUSE,
        said: now,
        ends: now + LASTS,
        is_over: false,
        _room: room,
    };
    let mut response = Response::new(Body::from_stream(unfold(stream, Stream::next)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}
