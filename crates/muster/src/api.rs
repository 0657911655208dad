//! The service as the commands call it, through the Rust SDK.
//!
//! Why: commands need a refusal as one line with the next step, an exit status, and a file at a place. The SDK makes and
//! repeats requests.

use crate::environments::{Environment, Reached};
use crate::failure::{Context as _, ExitStatus, Failure, Result};
use crate::part_file::PartFile;
use muster_client::wire::{
    FileFormat, ListedResult, NewReviewDetails, NotifyDetails, ReportComparison, ReportDescription,
    ReportResults, ReviewDecisions, ReviewDescription, ReviewHandOver, ReviewItemDescription, ReviewOutcome,
    SearchIndex, TaskResultDetails,
};
use muster_client::{
    Client, ComparisonFile, Configuration, Credentials, Download, DownloadOptions, Error, FileStream,
    Progress, ReportsDataExtractionApi, ReviewItemFilter, search_for,
};
use muster_reports::error::error_chain;
use muster_reports::notify::Notify;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// First wait between two requests for a result. It is doubled up to [`WAIT_MOST`].
const WAIT_FIRST: Duration = Duration::from_millis(10);
/// Longest wait between two requests for a result.
pub const WAIT_MOST: Duration = Duration::from_secs(1);

/// How long to wait between two requests for a result, again and again.
pub fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(WAIT_FIRST), |pause| Some((*pause * 2).min(WAIT_MOST)))
}

/// Where a file is written.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// To this path. An existing file is replaced.
    File(&'a Path),
    /// To this folder, under the name that the service gives it.
    ItsName {
        /// The folder; the working directory if it is empty.
        folder: &'a Path,
        /// Whether a file that has this name is replaced.
        force: bool,
    },
    /// To standard output.
    StandardOutput,
}

/// What is fetched.
enum Wanted<'a> {
    /// The file of this format.
    File(FileFormat),
    /// The evidence package.
    Evidence,
    /// What differs from a later run.
    Comparison { new: &'a str, keys: &'a [String], file: ComparisonFile },
}

/// The name from outside, if it names a file in the working directory and nothing else.
fn plain_name(name: &str) -> Option<&str> {
    let safe =
        !name.contains(['/', '\\', ':']) && !name.chars().any(char::is_control) && !name.starts_with('.');
    (safe && !name.trim().is_empty()).then_some(name)
}

/// Creates an empty file of this name, so that no existing file is replaced.
fn claim(path: &Path) -> Result {
    let Err(error) = std::fs::File::create_new(path) else { return Ok(()) };
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return Err(Failure::new(format!(
            "{} is there already and stays as it is: expected --to FILE, or --force to replace it",
            path.display()
        )));
    }
    Err(Failure::with(format!("{} cannot be written", path.display()), error))
}

/// What is started.
pub struct Start<'a> {
    /// The id of the report's definition, which for a published kind is its name.
    pub kind: &'a str,
    /// Its arguments.
    pub arguments: Value,
    /// A past snapshot to report on.
    pub as_of: Option<&'a str>,
    /// Who is told how it ends.
    pub notify: &'a [Notify],
}

/// A service and a credential for it.
pub struct Api {
    base_url: String,
    /// What named the service and the client, for messages.
    origin: String,
    client: Client,
    sdk: ReportsDataExtractionApi,
}

impl Api {
    /// The service at an address, for this client.
    ///
    /// # Errors
    /// As [`Api::of`].
    pub fn new(base_url: &str, id: &str, secret: &str, ca_file: Option<&Path>) -> Result<Self> {
        let environment = Environment {
            base_url: base_url.into(),
            client_id: id.into(),
            client_secret: secret.into(),
            secret_command: None,
            ca_file: ca_file.map(Path::to_owned),
        };
        Self::of(Reached { environment, origin: format!("the client {id}") })
    }

    /// A service. Nothing is sent yet: the SDK fetches a token when it needs one.
    ///
    /// # Errors When the address is not valid, or the file of certificates has none.
    pub fn of(reached: Reached) -> Result<Self> {
        let Reached { environment, origin } = reached;
        let credentials = Credentials::client(environment.client_id, environment.client_secret);
        let mut configuration = Configuration::new(&environment.base_url, credentials)
            .with_user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &environment.ca_file {
            let pem = std::fs::read(file).context(|| format!("{} cannot be read", file.display()))?;
            configuration = configuration.with_trusted_pem(pem);
        }
        let base_url = environment.base_url;
        let client = Client::new(configuration).map_err(|error| {
            Failure::of(ExitStatus::Usage, format!("{base_url} cannot be called ({origin}): {error}"))
        })?;
        let sdk = client.reports();
        Ok(Self { base_url, origin, client, sdk })
    }

    /// Gets an access token, and nothing else.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn authenticate(&self) -> Result {
        self.client.authenticate().await.map_err(|error| self.one_line(&error))
    }

    /// The reports that can be started, with their arguments.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn definitions(&self) -> Result<Vec<ReportDescription>> {
        self.sdk.definitions().await.map_err(|error| self.one_line(&error))
    }

    /// Starts a report. This is not the published operation, which must accept whatever published clients send.
    ///
    /// # Errors The refusal of the service, in one line.
    pub async fn start(&self, start: Start<'_>) -> Result<TaskResultDetails> {
        let Start { kind, arguments, as_of, notify } = start;
        let entries = serde_json::to_value(notify).and_then(serde_json::from_value::<Vec<NotifyDetails>>);
        let entries = entries.context(|| "the recipients cannot be written as JSON".into())?;
        let started = self.sdk.start_definition(kind, &arguments, as_of, &entries).await;
        started.map_err(|error| self.one_line(&error))
    }

    /// The results of the reports that were started last.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn last_results(&self) -> Result<Vec<ListedResult>> {
        self.sdk.last_results().await.map_err(|error| self.one_line(&error))
    }

    /// The result of a task as it is now; empty for an unknown id.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn result(&self, id: &str) -> Result<ReportResults> {
        self.sdk.get_report_result(id, false).await.map_err(|error| self.one_line(&error))
    }

    /// The result of a task once it has ended; empty for an unknown id.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn wait(&self, id: &str) -> Result<ReportResults> {
        let mut pauses = pauses();
        loop {
            let result = self.result(id).await?;
            if result.status.is_some() || result.id.is_none() {
                return Ok(result);
            }
            tokio::time::sleep(pauses.next().unwrap_or(WAIT_MOST)).await;
        }
    }

    /// How far a task is; nothing where the service does not say it.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn progress(&self, id: &str) -> Result<Progress> {
        self.sdk.progress(id).await.map_err(|error| self.one_line(&error))
    }

    /// Fetches a task's file. Returns its path, unless it was written to standard output. An incomplete file is
    /// removed.
    ///
    /// # Errors
    /// As [`Api::start`]; when the transfer breaks off or the file cannot be written.
    pub async fn fetch(&self, id: &str, format: &str, target: Target<'_>) -> Result<Option<PathBuf>> {
        let name = format!("{id}.{}", format.to_ascii_lowercase());
        let format = FileFormat::from(format.to_ascii_uppercase().as_str());
        self.fetch_to(id, &Wanted::File(format), &name, target).await
    }

    /// Fetches a task's evidence package, as [`Api::fetch`] does a file.
    ///
    /// # Errors
    /// As [`Api::fetch`].
    pub async fn fetch_evidence(&self, id: &str, target: Target<'_>) -> Result<Option<PathBuf>> {
        self.fetch_to(id, &Wanted::Evidence, &format!("evidence-{id}.zip"), target).await
    }

    /// The differences between two runs of one report, as counts.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn compare(&self, old: &str, new: &str, keys: &[String]) -> Result<ReportComparison> {
        self.sdk.compare(old, new, keys).await.map_err(|error| self.one_line(&error))
    }

    /// Fetches the differences between two runs, as [`Api::fetch`] does a file.
    ///
    /// # Errors
    /// As [`Api::fetch`].
    pub async fn fetch_comparison(
        &self,
        old: &str,
        new: &str,
        keys: &[String],
        file: ComparisonFile,
        target: Target<'_>,
    ) -> Result<Option<PathBuf>> {
        let name = format!("comparison-{old}-{new}.csv");
        self.fetch_to(old, &Wanted::Comparison { new, keys, file }, &name, target).await
    }

    /// The first bytes of a report's CSV file, and the rest as it is taken. The service records the download.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn open_csv(&self, id: &str) -> Result<FileStream> {
        let options = DownloadOptions { auditable: true, ..DownloadOptions::default() };
        let opened = self.sdk.open_report(id, &FileFormat::Csv, &options).await;
        opened.map_err(|error| self.one_line(&error))
    }

    /// Writes a report's evidence package.
    ///
    /// # Errors
    /// As [`Api::fetch`].
    pub async fn evidence_into(&self, id: &str, to: impl Write + Unpin) -> Result {
        self.download(id, &Wanted::Evidence, to).await.map(drop)
    }

    /// The public key of the service's evidence packages, as the service names it.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn evidence_key(&self) -> Result<String> {
        self.sdk.evidence_key().await.map_err(|error| self.one_line(&error))
    }

    /// How many documents of an index a query finds.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn count(&self, index: &str, query: &str) -> Result<u64> {
        let search = search_for([SearchIndex::from(index)], query);
        self.client.search().count(&search).await.map_err(|error| self.one_line(&error))
    }

    /// Creates an access review.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn create_review(&self, review: &NewReviewDetails) -> Result<ReviewDescription> {
        self.client.reviews().create(review).await.map_err(|error| self.one_line(&error))
    }

    /// The access reviews.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn reviews(&self) -> Result<Vec<ReviewDescription>> {
        self.client.reviews().list().await.map_err(|error| self.one_line(&error))
    }

    /// One access review.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn review(&self, id: &str) -> Result<ReviewDescription> {
        self.client.reviews().get(id).await.map_err(|error| self.one_line(&error))
    }

    /// Items of an access review.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn review_items(
        &self,
        id: &str,
        filter: &ReviewItemFilter,
    ) -> Result<Vec<ReviewItemDescription>> {
        self.client.reviews().items(id, filter).await.map_err(|error| self.one_line(&error))
    }

    /// Records decisions of an access review.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn decide_review(&self, id: &str, decisions: &ReviewDecisions) -> Result<ReviewOutcome> {
        self.client.reviews().decide(id, decisions).await.map_err(|error| self.one_line(&error))
    }

    /// Gives items of an access review to another reviewer.
    ///
    /// # Errors
    /// What the service answers, in one line.
    pub async fn hand_over_review(&self, id: &str, over: &ReviewHandOver) -> Result<ReviewDescription> {
        self.client.reviews().hand_over(id, over).await.map_err(|error| self.one_line(&error))
    }

    /// The archive with the sheets of an access review.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn review_sheets(&self, id: &str, format: &str, reviewer: Option<&str>) -> Result<Vec<u8>> {
        let sheets = self.client.reviews().sheets(id, format, reviewer).await;
        sheets.map_err(|error| self.one_line(&error))
    }

    /// Gives a sheet of an access review to the service.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn read_review_sheet(&self, id: &str, sheet: &[u8]) -> Result<ReviewOutcome> {
        self.client.reviews().read_sheet(id, sheet).await.map_err(|error| self.one_line(&error))
    }

    /// Closes an access review.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn close_review(&self, id: &str) -> Result<ReviewDescription> {
        self.client.reviews().close(id).await.map_err(|error| self.one_line(&error))
    }

    async fn fetch_to(
        &self,
        id: &str,
        wanted: &Wanted<'_>,
        name: &str,
        target: Target<'_>,
    ) -> Result<Option<PathBuf>> {
        let meant = match target {
            Target::File(path) => path.to_path_buf(),
            Target::ItsName { folder, .. } => folder.join(name),
            Target::StandardOutput => {
                self.download(id, wanted, std::io::stdout()).await?;
                return Ok(None);
            }
        };
        let (part, file) = PartFile::create(&meant)?;
        let given = self.download(id, wanted, file).await?.file_name;
        let path = match target {
            Target::ItsName { folder, force } => {
                let path = given.as_deref().and_then(plain_name).map_or(meant, |name| folder.join(name));
                if !force {
                    claim(&path)?;
                }
                path
            }
            Target::File(_) | Target::StandardOutput => meant,
        };
        part.finish(&path)?;
        Ok(Some(path))
    }

    async fn download(&self, id: &str, wanted: &Wanted<'_>, to: impl Write + Unpin) -> Result<Download> {
        let mut to = Blocking(to);
        let downloaded = match wanted {
            Wanted::File(FileFormat::Other(format)) => {
                self.sdk.get_file(id, format, &DownloadOptions::default(), &mut to).await
            }
            Wanted::File(format @ (FileFormat::Csv | FileFormat::Pdf)) => {
                self.sdk.get_report(id, format, &DownloadOptions::default(), &mut to).await
            }
            Wanted::Comparison { new, keys, file } => {
                self.sdk.get_comparison(id, new, keys, *file, &mut to).await
            }
            Wanted::Evidence => self.sdk.get_evidence(id, &mut to).await,
        };
        downloaded.map_err(|error| self.one_line(&error))
    }

    /// Cancels a task.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn cancel(&self, id: &str) -> Result {
        self.sdk.cancel_report(id).await.map_err(|error| self.one_line(&error))
    }

    /// What the service answers, or why it did not answer, and what to do.
    pub fn one_line(&self, error: &Error) -> Failure {
        if let Error::NoToken(refusal) = error {
            return Failure::of(
                ExitStatus::NotAllowed,
                format!(
                    "{} gives {} no access token: {} ({}); `muster login` keeps another client",
                    self.base_url, self.origin, refusal.text, refusal.status
                ),
            );
        }
        let Some(refusal) = error.refusal() else {
            return Failure::new(format!(
                "{}: {} (the address is of {})",
                self.base_url,
                error_chain(error),
                self.origin
            ));
        };
        let said = format!("{} ({})", refusal.text, refusal.status);
        match refusal.status {
            401 => {
                Failure::of(ExitStatus::NotAllowed, format!("{said}; `muster login` keeps another client"))
            }
            403 => Failure::of(
                ExitStatus::NotAllowed,
                format!("{said}; `muster client list` shows what a client may do ({} called)", self.origin),
            ),
            404 | 410 => Failure::not_found(said),
            429 => Failure::new(format!("{said}; wait a few seconds, or raise rate_limit.requests")),
            _ => Failure::new(said),
        }
    }
}

/// A blocking writer as an asynchronous one. A command has nothing else to do meanwhile.
struct Blocking<W>(W);

impl<W: Write + Unpin> AsyncWrite for Blocking<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_from_outside_stays_in_the_folder() {
        for name in ["Identities.csv", "Search Export.zip", "a..b.csv"] {
            assert_eq!(plain_name(name), Some(name));
        }
        for name in ["", " ", ".", "..", ".bashrc", "../x.csv", "/etc/x", "a\\b", "C:x.csv", "a\nb.csv"] {
            assert_eq!(plain_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Identities.csv");
        claim(&path).unwrap();
        std::fs::write(&path, "mine").unwrap();
        let refused = claim(&path).unwrap_err().to_string();
        assert!(refused.ends_with("expected --to FILE, or --force to replace it"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
