//! Operations that only a Muster service has.
//!
//! Why apart from `api.rs`: what is there works with any service that speaks the published API.

use crate::api::{ReportsDataExtractionApi, json};
use crate::download::{self, Download, DownloadOptions, Source};
use crate::error::Error;
use muster_wire::{ListedResult, NotifyDetails, ReportComparison, ReportDescription, TaskResultDetails};
use tokio::io::AsyncWrite;

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
        let url = self.transport.extension_url(&[]);
        json(self.transport.send(|http| http.get(url.clone())).await?).await
    }

    /// The results and states of the reports that were started last, the last of all first.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn last_results(&self) -> Result<Vec<ListedResult>, Error> {
        json(self.transport.send(|http| http.get(self.transport.results.clone())).await?).await
    }

    /// The task of a report, also after its end: how it ended, and every message.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn task_result(&self, id: &str) -> Result<TaskResultDetails, Error> {
        let url = self.transport.extension_url(&[id, "result"]);
        json(self.transport.send(|http| http.get(url.clone())).await?).await
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
        let url = self.transport.extension_url(&[definition, "run"]);
        let mut body = serde_json::json!({ "arguments": arguments });
        if let Some(as_of) = as_of {
            body["asOf"] = as_of.into();
        }
        if !notify.is_empty() {
            body["notify"] = serde_json::json!(notify);
        }
        json(self.transport.send(|http| http.post(url.clone()).json(&body)).await?).await
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
        let source = Source::file(&self.transport, id, format, options);
        download::download(&self.transport, &source, options.resume.as_ref(), into).await
    }

    /// How two runs of one report differ, counted. `keys` are columns that together tell rows apart; without any, the
    /// report's own are taken.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn compare(&self, old: &str, new: &str, keys: &[String]) -> Result<ReportComparison, Error> {
        let Source { url, query } = Source::comparison(&self.transport, old, &format!("{new}.json"), keys);
        json(self.transport.send(|http| http.get(url.clone()).query(&query)).await?).await
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
        let source = Source::comparison(&self.transport, old, &new, keys);
        download::download(&self.transport, &source, None, into).await
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
        download::download(&self.transport, &Source::evidence(&self.transport, id), None, into).await
    }

    /// The public key that checks the service's evidence packages, in PEM.
    ///
    /// It comes from the server that answers: compare its fingerprint with one that you got in another way.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn evidence_key(&self) -> Result<String, Error> {
        let url = self.transport.evidence_key_url();
        self.transport.send(|http| http.get(url.clone())).await?.text().await.map_err(Error::transport)
    }
}
