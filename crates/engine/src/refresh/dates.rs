//! The time of a refresh: now, the requested time, or the date of the data.
//!
//! Rules: a requested time decides. Otherwise, if all data that was read has a date, the newest date decides; if some
//! data has none, the time is now. A snapshot is later than the last one and not in the future. A date means the end of
//! its day in UTC. Today has not ended, so today's date means now.

use super::RefreshRequest;
use super::stage::StagedSource;
use crate::error::{EngineError, Result};
use chrono::{DateTime, Utc};
use muster_reports::ports::Clock;
use muster_sources::not_to_come;
use std::sync::Arc;

/// A clock that always shows the same time.
struct FixedClock(DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Sets the refresh to the requested time, if there is one.
///
/// # Errors
/// When the time is in the future, or not after the last snapshot.
pub(super) fn take_asked(request: &mut RefreshRequest) -> Result<()> {
    let Some(asked) = request.as_of else { return Ok(()) };
    let text = format!("as of {}", asked.to_rfc3339());
    let time = not_to_come(asked, request.clock.now())
        .ok_or_else(|| EngineError::Invalid(format!("{text}: expected no time to come")))?;
    check_order(request, time, &text)?;
    request.clock = Arc::new(FixedClock(time));
    Ok(())
}

/// Sets the refresh to the date of the data that was read, if it has one and no time was requested. Fails the sources
/// whose data has a date in the future.
///
/// # Errors
/// When the time is not after the last snapshot.
pub(super) fn take_of_data(
    request: &mut RefreshRequest,
    staged: &mut [StagedSource],
) -> Result<Option<DateTime<Utc>>> {
    if request.as_of.is_some() {
        return Ok(None);
    }
    let now = request.clock.now();
    for source in staged.iter_mut().filter(|source| source.outcome.failure.is_none()) {
        if let Some(date) = source.outcome.run.as_of.filter(|date| not_to_come(*date, now).is_none()) {
            source.fail(format!("its data is as of {}: expected no time to come", date.to_rfc3339()));
            let last = request.previous.as_ref().and_then(|last| last.source(source.outcome.run.id.as_str()));
            source.outcome.run.as_of = last.and_then(|run| run.as_of);
        }
    }
    let read = staged.iter().map(|source| &source.outcome).filter(|outcome| outcome.failure.is_none());
    let dated: Option<Vec<_>> = read.map(|outcome| Some((outcome.run.as_of?, &outcome.run.name))).collect();
    let Some((newest, name)) = dated.and_then(|dated| dated.into_iter().max()) else { return Ok(None) };
    let time = not_to_come(newest, now).unwrap_or(now);
    check_order(
        request,
        time,
        &format!("the newest data, that of {name:?}, is as of {}", newest.to_rfc3339()),
    )
    .map_err(|error| EngineError::Invalid(format!("{error}; `muster refresh --as-of` gives another time")))?;
    request.clock = Arc::new(FixedClock(time));
    for source in staged {
        source.outcome.run.started = time;
        source.outcome.run.ended = time;
    }
    Ok(Some(time))
}

/// Each snapshot is later than the one before it.
fn check_order(request: &RefreshRequest, time: DateTime<Utc>, text: &str) -> Result<()> {
    match request.previous.as_ref().map(|last| last.created) {
        Some(last) if last >= time => Err(EngineError::Invalid(format!(
            "{text}: expected a time after the last snapshot's, {}",
            last.to_rfc3339()
        ))),
        Some(_) | None => Ok(()),
    }
}
