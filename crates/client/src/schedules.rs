//! Schedules of reports: an operation of Muster's own.

use crate::error::Error;
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use muster_wire::{NewScheduleDetails, ScheduleChange, ScheduleDescription, ScheduleRun};
use std::sync::Arc;

const COLLECTION: &str = "schedules";

/// Schedules of reports, which only Muster has.
#[derive(Clone)]
pub struct ScheduleApi {
    transport: Arc<Transport>,
}

part!(ScheduleApi);

impl ScheduleApi {
    /// Has a report run at times. It is sent once; names are unique, so a repetition by hand does no harm.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn create(&self, schedule: &NewScheduleDetails) -> Result<ScheduleDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(schedule)).await
    }

    /// All schedules, without their runs.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self) -> Result<Vec<ScheduleDescription>, Error> {
        let url = self.transport.own_url(&[COLLECTION])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// A schedule with its last runs.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<ScheduleDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION, id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Pauses a schedule, or lets it go on.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn pause(&self, id: &str, paused: bool) -> Result<ScheduleDescription, Error> {
        let url = self.transport.own_url(&[COLLECTION, id])?;
        let change = ScheduleChange { paused };
        self.transport.json(Repeat::Always, |http| http.patch(url.clone()).json(&change)).await
    }

    /// Makes a run now. It is sent once: a repetition could make two.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn run(&self, id: &str) -> Result<ScheduleRun, Error> {
        let url = self.transport.own_url(&[COLLECTION, id, "run"])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone())).await
    }

    /// Removes a schedule.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let url = self.transport.own_url(&[COLLECTION, id])?;
        self.transport.send(Repeat::Always, |http| http.delete(url.clone())).await.map(drop)
    }
}
