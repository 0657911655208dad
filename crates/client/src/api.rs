//! The four published operations, and waiting.

use crate::configuration::Configuration;
use crate::download::{Download, DownloadOptions, FileStream, Source};
use crate::error::Error;
use crate::retry::Repeat;
use crate::transport::Transport;
use muster_wire::{FileFormat, ReportDetails, ReportResults, ReportType, TaskResultDetails};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;

/// The Reports Data Extraction API; cheap to clone, with one token for all clones.
#[derive(Clone)]
pub struct ReportsDataExtractionApi {
    pub(crate) transport: Arc<Transport>,
}

impl ReportsDataExtractionApi {
    /// A client of the service that `configuration` names. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn new(configuration: Configuration) -> Result<Self, Error> {
        Ok(Self { transport: Arc::new(Transport::new(configuration)?) })
    }

    /// Starts a report (start-report). An equal one that runs already is answered instead.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn start_report(&self, details: &ReportDetails) -> Result<TaskResultDetails, Error> {
        let url = self.transport.url("reports", &["run"])?;
        self.transport.json(Repeat::Always, |http| http.post(url.clone()).json(details)).await
    }

    /// Starts a report with one of the argument types of [`crate::wire`].
    ///
    /// # Errors
    /// As [`Self::start_report`]; [`Error::Argument`] for arguments that are not JSON.
    pub async fn start<A: Serialize>(
        &self,
        report: ReportType,
        arguments: &A,
    ) -> Result<TaskResultDetails, Error> {
        let arguments = serde_json::to_value(arguments)
            .map_err(|error| Error::Argument(format!("the arguments are not JSON: {error}")))?;
        let details = ReportDetails { report_type: Some(report), arguments: Some(arguments) };
        self.start_report(&details).await
    }

    /// The result of a report or its state (get-report-result); empty where there is none.
    ///
    /// `id` is a task result id, or a task definition id; for the latter `completed` asks for ended
    /// results first.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get_report_result(&self, id: &str, completed: bool) -> Result<ReportResults, Error> {
        let url = self.transport.url("reports", &[id, "result"])?;
        let query = [("completed", completed)];
        self.transport.json(Repeat::Always, |http| http.get(url.clone()).query(&query)).await
    }

    /// Writes the file of a report that has ended into `into` (get-report).
    ///
    /// A connection that breaks is taken up again where it broke, as often as requests are repeated.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Transport`], [`Error::Write`]; [`Error::Damaged`] when the file
    /// changed meanwhile, is too short, or has another digest than announced.
    pub async fn get_report<W: AsyncWrite + Unpin>(
        &self,
        id: &str,
        format: &FileFormat,
        options: &DownloadOptions,
        into: &mut W,
    ) -> Result<Download, Error> {
        self.open_report(id, format, options).await?.write_to(into).await
    }

    /// The file of a report that has ended, in pieces (get-report): for progress, and for files that go elsewhere.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn open_report(
        &self,
        id: &str,
        format: &FileFormat,
        options: &DownloadOptions,
    ) -> Result<FileStream, Error> {
        let source = Source::report(&self.transport, id, format, options)?;
        FileStream::open(self.transport.clone(), source, options.resume.as_ref()).await
    }

    /// Cancels a running report (cancel-report).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn cancel_report(&self, id: &str) -> Result<(), Error> {
        let url = self.transport.url("reports", &[id, "cancel"])?;
        self.transport.send(Repeat::Always, |http| http.post(url.clone())).await.map(drop)
    }

    /// Asks every `poll` until the report has ended, for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::StillRunning`], [`Error::Unknown`], and those of [`Self::get_report_result`].
    pub async fn wait(&self, id: &str, poll: Duration, timeout: Duration) -> Result<ReportResults, Error> {
        let begun = Instant::now();
        loop {
            let result = self.get_report_result(id, false).await?;
            if result.status.is_some() {
                return Ok(result);
            }
            if result.id.is_none() {
                return Err(Error::Unknown(id.to_owned()));
            }
            let waited = begun.elapsed();
            if waited >= timeout {
                return Err(Error::StillRunning { id: id.to_owned(), waited });
            }
            tokio::time::sleep(poll.min(timeout - waited)).await;
        }
    }
}
