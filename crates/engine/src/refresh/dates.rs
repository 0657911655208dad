//! The time that a refresh is of: now, the one that was asked for, or that of the data.
//!
//! Rules: what is asked for decides. Else, if every source that was read carries a date, the newest of them does; data
//! without a date is of now. A snapshot is later than the last one, and not to come; a date means the end of its day in
//! UTC, and today, which has not ended, means now.

use super::RefreshRequest;
use super::stage::StagedSource;
use crate::error::{EngineError, Result};
use chrono::{DateTime, Utc};
use muster_reports::ports::Clock;
use muster_sources::not_to_come;
use std::sync::Arc;

/// A clock that stands still.
struct Still(DateTime<Utc>);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Gives the refresh the time that was asked for, if one was.
///
/// # Errors
/// It is not after the last snapshot's, or to come.
pub(super) fn take_asked(request: &mut RefreshRequest) -> Result<()> {
    let Some(asked) = request.as_of else { return Ok(()) };
    let text = format!("as of {}", asked.to_rfc3339());
    let time = not_to_come(asked, request.clock.now())
        .ok_or_else(|| EngineError::Invalid(format!("{text}: expected no time to come")))?;
    check_order(request, time, &text)?;
    request.clock = Arc::new(Still(time));
    Ok(())
}

/// Gives the refresh the time of the data that was read, if it has one and no time was asked for; fails the sources whose
/// data is of a time to come.
///
/// # Errors
/// The time is not after the last snapshot's.
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
    request.clock = Arc::new(Still(time));
    for source in staged {
        source.outcome.run.started = time;
        source.outcome.run.ended = time;
    }
    Ok(Some(time))
}

/// Snapshots follow one another in time.
fn check_order(request: &RefreshRequest, time: DateTime<Utc>, text: &str) -> Result<()> {
    match request.previous.as_ref().map(|last| last.created) {
        Some(last) if last >= time => Err(EngineError::Invalid(format!(
            "{text}: expected a time after the last snapshot's, {}",
            last.to_rfc3339()
        ))),
        Some(_) | None => Ok(()),
    }
}
