//! Reports with typed arguments: started, watched, waited for, and cancelled if nobody waits any more.

use crate::api::ReportsDataExtractionApi;
use crate::error::Error;
use crate::extensions::Progress;
use muster_wire::{
    AccountsArguments, IdentitiesArguments, IdentitiesDetailsArguments,
    IdentityProfileIdentityErrorArguments, NotifyDetails, OrphanIdentitiesArguments, ReportDetails,
    ReportResults, ReportType, ResultStatus, SearchExportArguments, TaskResultDetails,
    UncorrelatedAccountsArguments,
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::time::{Duration, Instant};

/// First wait between two questions for a result. It is doubled up to [`POLL_MOST`].
const POLL_FIRST: Duration = Duration::from_millis(50);
/// Longest wait between two questions for a result.
const POLL_MOST: Duration = Duration::from_secs(2);
/// The argument that names formats in addition to those of the report.
const EXTRA_FORMATS: &str = "extraFormats";

/// The arguments of a published report. The type says which.
pub trait Report: Serialize {
    /// Which report.
    const TYPE: ReportType;
}

macro_rules! reports {
    ($($arguments:ident => $kind:ident,)+) => {
        $(impl Report for $arguments {
            const TYPE: ReportType = ReportType::$kind;
        })+
    };
}

reports! {
    AccountsArguments => Accounts,
    IdentitiesArguments => Identities,
    IdentitiesDetailsArguments => IdentitiesDetails,
    IdentityProfileIdentityErrorArguments => IdentityProfileIdentityError,
    OrphanIdentitiesArguments => OrphanIdentities,
    SearchExportArguments => SearchExport,
    UncorrelatedAccountsArguments => UncorrelatedAccounts,
}

/// A report that is to be started.
///
/// Without [`Self::as_of`], [`Self::with_format`] and [`Self::notify`], a published kind is started by the published
/// operation, which any service of this contract has. With them, and for custom reports, Muster's own is called.
#[derive(Clone)]
#[must_use = "nothing is sent before `start`"]
pub struct RunBuilder {
    api: ReportsDataExtractionApi,
    kind: ReportType,
    arguments: Result<Value, String>,
    as_of: Option<String>,
    formats: Vec<String>,
    notify: Vec<NotifyDetails>,
}

impl ReportsDataExtractionApi {
    /// A report with typed arguments, to be started.
    ///
    /// ```no_run
    /// # async fn run(api: muster_client::ReportsDataExtractionApi) -> Result<(), muster_client::Error> {
    /// use muster_client::wire::AccountsArguments;
    /// use std::time::Duration;
    ///
    /// let arguments = AccountsArguments {
    ///     application: "2c9180897e7742b2017e781782f705b9".into(),
    ///     source_name: "Active Directory".into(),
    /// };
    /// let mut running = api.run(&arguments).as_of("2026-03-31").with_format("xlsx").start().await?;
    /// let result = running.wait(Duration::from_secs(600)).await?;
    /// println!("{:?}: {:?} rows", result.status, result.rows);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<R: Report>(&self, arguments: &R) -> RunBuilder {
        let arguments = serde_json::to_value(arguments).map_err(|error| error.to_string());
        RunBuilder { arguments, ..self.run_definition(R::TYPE.as_str(), Map::new()) }
    }

    /// A report by the id of its definition, built-in or custom, to be started.
    pub fn run_definition(&self, id: &str, arguments: Map<String, Value>) -> RunBuilder {
        RunBuilder {
            api: self.clone(),
            kind: ReportType::from(id),
            arguments: Ok(Value::Object(arguments)),
            as_of: None,
            formats: Vec::new(),
            notify: Vec::new(),
        }
    }
}

impl RunBuilder {
    /// Reports on a past snapshot: its id, a date (the end of that day in UTC) or a time. Only Muster has it.
    pub fn as_of(mut self, snapshot: impl Into<String>) -> Self {
        self.as_of = Some(snapshot.into());
        self
    }

    /// Writes a format in addition to those of the report: `xlsx`, `ndjson` or `parquet`. Only Muster has it. A search is written
    /// as an archive of CSV files, so this is refused there.
    pub fn with_format(mut self, format: impl AsRef<str>) -> Self {
        self.formats.push(format.as_ref().to_ascii_uppercase());
        self
    }

    /// Tells a recipient how the run ends. Only Muster has it.
    pub fn notify(mut self, recipient: NotifyDetails) -> Self {
        self.notify.push(recipient);
        self
    }

    /// Starts the report. If an equal one is running, the service answers that one.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Argument`] and what comes before an answer.
    pub async fn start(self) -> Result<RunningReport, Error> {
        let mut arguments = self
            .arguments
            .map_err(|error| Error::Argument(format!("the arguments are not JSON: {error}")))?;
        let is_published = !matches!(self.kind, ReportType::Other(_));
        let task =
            if is_published && self.as_of.is_none() && self.formats.is_empty() && self.notify.is_empty() {
                let details = ReportDetails { report_type: Some(self.kind), arguments: Some(arguments) };
                self.api.start_report(&details).await?
            } else {
                if !self.formats.is_empty() {
                    arguments[EXTRA_FORMATS] = self.formats.into();
                }
                let as_of = self.as_of.as_deref();
                self.api.start_definition(self.kind.as_str(), &arguments, as_of, &self.notify).await?
            };
        let id = task.id.clone().ok_or_else(|| Error::Answer("the task has no id".into()))?;
        Ok(RunningReport { api: self.api, id, task, cancel_on_drop: false })
    }
}

/// A report that was started.
///
/// It runs in the service, whatever becomes of this value, unless [`Self::cancel_on_drop`] was called.
pub struct RunningReport {
    api: ReportsDataExtractionApi,
    id: String,
    task: TaskResultDetails,
    cancel_on_drop: bool,
}

impl RunningReport {
    /// A report that somebody started, by its task result id.
    pub fn attach(api: &ReportsDataExtractionApi, id: impl Into<String>) -> Self {
        Self { api: api.clone(), id: id.into(), task: TaskResultDetails::default(), cancel_on_drop: false }
    }

    /// The task result id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the start was answered; empty after [`Self::attach`].
    pub fn task(&self) -> &TaskResultDetails {
        &self.task
    }

    /// Cancels the report when this value is dropped before its end was seen, be it by an error, a time-out, or because
    /// the future that has it is dropped.
    ///
    /// The cancel is sent by a task of the runtime. If the runtime ends at the same moment, or the credential may not
    /// cancel (an application may not), the report runs on: [`Self::cancel`] tells.
    ///
    /// ```no_run
    /// # async fn run(api: muster_client::ReportsDataExtractionApi) -> Result<(), muster_client::Error> {
    /// use muster_client::wire::IdentitiesArguments;
    /// use std::time::Duration;
    ///
    /// let mut running = api.run(&IdentitiesArguments::default()).start().await?.cancel_on_drop();
    /// // If it takes longer than a minute, it is cancelled.
    /// running.wait(Duration::from_secs(60)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "dropping it cancels the report"]
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }

    /// The result, once the report has ended, however that was; [`succeeded`] tells a failure apart.
    ///
    /// # Errors
    /// [`Error::StillRunning`] after `timeout`, [`Error::Unknown`], [`Error::Refused`] and what comes before an answer.
    pub async fn wait(&mut self, timeout: Duration) -> Result<ReportResults, Error> {
        self.watch(timeout, |_| {}).await
    }

    /// As [`Self::wait`], and tells `on_progress` how far the report is. A service that is not Muster does not say how far.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn watch(
        &mut self,
        timeout: Duration,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<ReportResults, Error> {
        let begun = Instant::now();
        let mut pause = POLL_FIRST;
        let mut says_how_far = true;
        loop {
            let result = self.api.get_report_result(&self.id, false).await?;
            if result.status.is_some() {
                self.cancel_on_drop = false;
                return Ok(result);
            }
            if result.id.is_none() {
                return Err(Error::Unknown(self.id.clone()));
            }
            if says_how_far {
                match self.api.progress(&self.id).await {
                    Ok(progress) => on_progress(&progress),
                    Err(Error::Refused(refusal)) if matches!(refusal.status, 403..=405) => {
                        says_how_far = false
                    }
                    Err(error) => return Err(error),
                }
            }
            let waited = begun.elapsed();
            if waited >= timeout {
                return Err(Error::StillRunning { id: self.id.clone(), waited });
            }
            tokio::time::sleep(pause.min(timeout - waited)).await;
            pause = (pause * 2).min(POLL_MOST);
        }
    }

    /// Cancels the report (cancel-report).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn cancel(mut self) -> Result<(), Error> {
        self.cancel_on_drop = false;
        self.api.cancel_report(&self.id).await
    }
}

impl Drop for RunningReport {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.cancel_on_drop {
            let (api, id) = (self.api.clone(), std::mem::take(&mut self.id));
            runtime.spawn(async move {
                // There is nobody left to tell.
                let _ = api.cancel_report(&id).await;
            });
        }
    }
}

impl fmt::Debug for RunningReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningReport").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The result if it has files; otherwise the reason as an error.
///
/// # Errors
/// [`Error::NotSucceeded`].
pub fn succeeded(result: ReportResults) -> Result<ReportResults, Error> {
    match &result.status {
        Some(ResultStatus::Success | ResultStatus::Warning) => Ok(result),
        status => {
            let reason = result.messages.iter().rev().find(|message| message.error);
            Err(Error::NotSucceeded {
                id: result.id.clone().unwrap_or_default(),
                status: status.clone(),
                reason: reason.and_then(|message| message.localized_text.clone()),
            })
        }
    }
}
