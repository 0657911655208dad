//! Policies for separation of duties, and reports of their violations.

use crate::download::{Download, FileStream, Source};
use crate::error::Error;
use crate::page::{self, Page, Paging};
use crate::part::part;
use crate::retry::Repeat;
use crate::tasks::{PATCH, patch_text};
use crate::transport::Transport;
use futures_util::stream::Stream;
use muster_wire::{
    JsonPatchOperation, MultiPolicyRequest, PolicyException, ReportResultReference, SodPolicy,
};
use std::sync::Arc;
use tokio::io::AsyncWrite;

const POLICIES: &str = "sod-policies";
const REPORTS: &str = "sod-violation-report";

/// Policies for separation of duties, and reports of their violations.
#[derive(Clone)]
pub struct SodPolicyApi {
    transport: Arc<Transport>,
}

part!(SodPolicyApi);

impl SodPolicyApi {
    /// Keeps a policy (create-sod-policy). It is sent once: a repetition could keep it twice.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn create(&self, policy: &SodPolicy) -> Result<SodPolicy, Error> {
        let url = self.transport.url(POLICIES, &[])?;
        self.transport.json(Repeat::IfNotActedOn, |http| http.post(url.clone()).json(policy)).await
    }

    /// Part of the list of policies (list-sod-policies). `filters` is a published filter, such as `name eq "a"`.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self, filters: Option<&str>, paging: Paging) -> Result<Page<SodPolicy>, Error> {
        let url = self.transport.url(POLICIES, &[])?;
        let filters = filters.map(|filters| ("filters", filters.to_owned()));
        let query: Vec<_> = filters.into_iter().chain(paging.query()).collect();
        page::page(&self.transport, |http| http.get(url.clone()).query(&query)).await
    }

    /// All policies, fetched as they are taken.
    ///
    /// # Errors
    /// [`Error::Configuration`]; each element may be an error as of [`Self::list`].
    pub fn stream(&self) -> Result<impl Stream<Item = Result<SodPolicy, Error>> + Send + 'static, Error> {
        let url = self.transport.url(POLICIES, &[])?;
        Ok(page::all(self.transport.clone(), url, Vec::new(), None))
    }

    /// A policy (get-sod-policy).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<SodPolicy, Error> {
        let url = self.transport.url(POLICIES, &[id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Replaces a policy (put-sod-policy).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn replace(&self, id: &str, policy: &SodPolicy) -> Result<SodPolicy, Error> {
        let url = self.transport.url(POLICIES, &[id])?;
        self.transport.json(Repeat::Always, |http| http.put(url.clone()).json(policy)).await
    }

    /// Changes a policy by a JSON patch (patch-sod-policy).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn update(&self, id: &str, patch: &[JsonPatchOperation]) -> Result<SodPolicy, Error> {
        let url = self.transport.url(POLICIES, &[id])?;
        let body = patch_text(patch)?;
        let send = |http: &reqwest::Client| {
            http.patch(url.clone()).header(reqwest::header::CONTENT_TYPE, PATCH).body(body.clone())
        };
        self.transport.json(Repeat::Always, send).await
    }

    /// Removes a policy (delete-sod-policy).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let url = self.transport.url(POLICIES, &[id])?;
        self.transport.send(Repeat::Always, |http| http.delete(url.clone())).await.map(drop)
    }

    /// Starts the report of violations of one policy (start-sod-policy). An equal one that runs already is answered instead.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn run(&self, id: &str) -> Result<ReportResultReference, Error> {
        let url = self.transport.url(POLICIES, &[id, "violation-report", "run"])?;
        self.transport.json(Repeat::Always, |http| http.post(url.clone())).await
    }

    /// Evaluates one policy (start-evaluate-sod-policy). A Muster service starts the report of [`Self::run`].
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn evaluate(&self, id: &str) -> Result<ReportResultReference, Error> {
        let url = self.transport.url(POLICIES, &[id, "evaluate"])?;
        self.transport.json(Repeat::Always, |http| http.post(url.clone())).await
    }

    /// Starts the report of violations of these policies, or of all if there are none (start-sod-all-policies-for-org).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn run_all(&self, policies: &[String]) -> Result<ReportResultReference, Error> {
        let url = self.transport.url(REPORTS, &["run"])?;
        let filtered = Some(policies.to_vec()).filter(|policies| !policies.is_empty());
        let body = MultiPolicyRequest { filtered_policy_list: filtered };
        self.transport.json(Repeat::Always, |http| http.post(url.clone()).json(&body)).await
    }

    /// How the last report of a policy is (get-sod-violation-report-status). Its `id` is that of a task result, so
    /// [`crate::ReportsDataExtractionApi`] waits for it and fetches its files.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn last_report(&self, id: &str) -> Result<ReportResultReference, Error> {
        let url = self.transport.url(POLICIES, &[id, "violation-report"])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// How the last report of several policies is (get-sod-all-report-run-status).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn last_report_of_all(&self) -> Result<ReportResultReference, Error> {
        let url = self.transport.url(REPORTS, &[])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// How a report of violations is (get-sod-violation-report-run-status).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn report(&self, result: &str) -> Result<ReportResultReference, Error> {
        let url = self.transport.url(POLICIES, &["sod-violation-report-status", result])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Writes the archive of a report of violations into `into` (get-default-violation-report, and with a name
    /// get-custom-violation-report).
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Transport`], [`Error::Write`]; [`Error::Damaged`] when it is too short or has another
    /// digest than announced.
    pub async fn download<W: AsyncWrite + Unpin>(
        &self,
        result: &str,
        name: Option<&str>,
        into: &mut W,
    ) -> Result<Download, Error> {
        let segments: Vec<&str> = [result, "download"].into_iter().chain(name).collect();
        let source = Source::at(self.transport.url(REPORTS, &segments)?);
        FileStream::open(self.transport.clone(), source, None).await?.write_to(into).await
    }

    /// The violations of a policy that somebody has accepted. Only Muster has them.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn exceptions(&self, id: &str) -> Result<Vec<PolicyException>, Error> {
        let url = self.transport.own_url(&[POLICIES, id, "exceptions"])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Replaces the violations of a policy that somebody has accepted. Only Muster has them.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn replace_exceptions(
        &self,
        id: &str,
        exceptions: &[PolicyException],
    ) -> Result<Vec<PolicyException>, Error> {
        let url = self.transport.own_url(&[POLICIES, id, "exceptions"])?;
        self.transport.json(Repeat::Always, |http| http.put(url.clone()).json(exceptions)).await
    }
}
