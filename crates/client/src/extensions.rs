//! Operations that only a Muster service has.
//!
//! Why apart from `api.rs`: what is there works with any service that speaks the published API.

use crate::api::ReportsDataExtractionApi;
use crate::download::{Download, DownloadOptions, FileStream, Source};
use crate::error::Error;
use crate::retry::Repeat;
use muster_wire::{
    CompletionStatus, ListedResult, NotifyDetails, ReportComparison, ReportDescription, TaskResultDetails,
};
use tokio::io::AsyncWrite;

/// How far a report is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far it is, for people.
    pub text: Option<String>,
    /// Rows that are written; `None` before the first.
    pub rows: Option<u64>,
    /// Rows that are expected, once they have been counted.
    pub rows_expected: Option<u64>,
    /// How it ended, if it has.
    pub status: Option<CompletionStatus>,
}

impl Progress {
    fn of(task: TaskResultDetails) -> Self {
        let rows = task.progress.as_deref().and_then(rows);
        Self {
            rows: rows.map(|(rows, _)| rows),
            rows_expected: rows.map(|(_, expected)| expected),
            text: task.progress,
            status: task.completion_status,
        }
    }
}

/// The numbers of `500 of 2000 rows written`.
fn rows(text: &str) -> Option<(u64, u64)> {
    let (rows, expected) = text.strip_suffix(" rows written")?.split_once(" of ")?;
    Some((rows.parse().ok()?, expected.parse().ok()?))
}

/// In which form two reports are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonFile {
    /// A line for each row that was added or removed and for each cell that changed.
    Csv,
    /// A page to read.
    Html,
}

impl ReportsDataExtractionApi {
    /// The reports that can be started, with their arguments.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn definitions(&self) -> Result<Vec<ReportDescription>, Error> {
        let url = self.transport.own_url(&["reports"])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// The results and states of the reports that were started last, the last of all first.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn last_results(&self) -> Result<Vec<ListedResult>, Error> {
        let url = self.transport.own_url(&["results"])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// The task of a report, also after its end: how it ended, and every message.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn task_result(&self, id: &str) -> Result<TaskResultDetails, Error> {
        let url = self.transport.own_url(&["reports", id, "result"])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// How far a report is.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn progress(&self, id: &str) -> Result<Progress, Error> {
        self.task_result(id).await.map(Progress::of)
    }

    /// Starts a report by the id of its definition, built-in or custom. `as_of` names a past snapshot to report
    /// on: its id, a date or a time. The recipients of `notify` are told how it ends.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn start_definition(
        &self,
        definition: &str,
        arguments: &serde_json::Value,
        as_of: Option<&str>,
        notify: &[NotifyDetails],
    ) -> Result<TaskResultDetails, Error> {
        let url = self.transport.own_url(&["reports", definition, "run"])?;
        let mut body = serde_json::json!({ "arguments": arguments });
        if let Some(as_of) = as_of {
            body["asOf"] = as_of.into();
        }
        if !notify.is_empty() {
            body["notify"] = serde_json::json!(notify);
        }
        self.transport.json(Repeat::Always, |http| http.post(url.clone()).json(&body)).await
    }

    /// Writes a file of any format into `into`, those included that `extraFormats` asks for: `xlsx`, `ndjson`,
    /// `parquet`. As [`Self::get_report`] otherwise.
    ///
    /// # Errors
    /// As [`Self::get_report`].
    pub async fn get_file<W: AsyncWrite + Unpin>(
        &self,
        id: &str,
        format: &str,
        options: &DownloadOptions,
        into: &mut W,
    ) -> Result<Download, Error> {
        self.open_file(id, format, options).await?.write_to(into).await
    }

    /// A file of any format, in pieces: as [`Self::get_file`].
    ///
    /// # Errors
    /// As [`Self::open_report`].
    pub async fn open_file(
        &self,
        id: &str,
        format: &str,
        options: &DownloadOptions,
    ) -> Result<FileStream, Error> {
        let source = Source::file(&self.transport, id, format, options)?;
        FileStream::open(self.transport.clone(), source, options.resume.as_ref()).await
    }

    /// How two runs of one report differ, counted. `keys` are columns that together tell rows apart; without any, the
    /// report's own are taken.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn compare(&self, old: &str, new: &str, keys: &[String]) -> Result<ReportComparison, Error> {
        let new = format!("{new}.json");
        let url = self.transport.own_url(&["reports", old, "compare", &new])?;
        let keys: Vec<_> = keys.iter().map(|key| ("key", key)).collect();
        self.transport.json(Repeat::Always, |http| http.get(url.clone()).query(&keys)).await
    }

    /// Writes what differs between two runs of one report into `into`; `keys` as for [`Self::compare`].
    ///
    /// The service makes it for each request, so a download whose connection breaks does not continue.
    ///
    /// # Errors
    /// As [`Self::get_evidence`].
    pub async fn get_comparison<W: AsyncWrite + Unpin>(
        &self,
        old: &str,
        new: &str,
        keys: &[String],
        file: ComparisonFile,
        into: &mut W,
    ) -> Result<Download, Error> {
        let new = match file {
            ComparisonFile::Csv => format!("{new}.csv"),
            ComparisonFile::Html => format!("{new}.html"),
        };
        let source = Source::comparison(&self.transport, old, &new, keys)?;
        FileStream::open(self.transport.clone(), source, None).await?.write_to(into).await
    }

    /// Writes the evidence package of a report that has ended into `into`: a zip archive.
    ///
    /// The service makes it for each request, so a download whose connection breaks does not continue.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Transport`], [`Error::Write`]; [`Error::Damaged`] when it is too short or has
    /// another digest than announced.
    pub async fn get_evidence<W: AsyncWrite + Unpin>(
        &self,
        id: &str,
        into: &mut W,
    ) -> Result<Download, Error> {
        let source = Source::evidence(&self.transport, id)?;
        FileStream::open(self.transport.clone(), source, None).await?.write_to(into).await
    }

    /// The public key that checks the service's evidence packages, in PEM.
    ///
    /// It comes from the server that answers: compare its fingerprint with one that you got in another way.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn evidence_key(&self) -> Result<String, Error> {
        let url = self.transport.own_url(&["evidence-key"])?;
        let response = self.transport.send(Repeat::Always, |http| http.get(url.clone())).await?;
        response.text().await.map_err(Error::transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_the_text() {
        assert_eq!(rows("500 of 2000 rows written"), Some((500, 2_000)));
        for text in ["Initializing...", "3 of 9 parts done", "x of 2 rows written", "1 of  rows written", ""]
        {
            assert_eq!(rows(text), None, "{text}");
        }
    }
}
