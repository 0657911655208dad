//! The tenant's search documents as lines of JSON, the form in which files of search documents are read.
//!
//! Roles, access profiles and entitlements are kept as documents and not as records: what they hold is published as
//! documents, and reports take them so. The search gives them ready, in the published shape.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::list::{List, Pages};
use super::service::Service;
use super::{TenantSettings, reader};
use crate::reader::{ReadError, ReadSummary, hex};
use crate::secret::Environment;

/// A search index of the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentIndex {
    /// Access profiles.
    AccessProfiles,
    /// Account activities.
    AccountActivities,
    /// Entitlements.
    Entitlements,
    /// Events of the audit trail.
    Events,
    /// Identities.
    Identities,
    /// Roles.
    Roles,
}

impl DocumentIndex {
    /// The index as the search names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessProfiles => "accessprofiles",
            Self::AccountActivities => "accountactivities",
            Self::Entitlements => "entitlements",
            Self::Events => "events",
            Self::Identities => "identities",
            Self::Roles => "roles",
        }
    }
}

/// Why the writing does not go on.
enum Stop {
    Failed(ReadError),
    Incomplete(String),
}

/// Writes every document of an index that the client may see, one a line, in the order of their ids.
///
/// Of `settings` only how the tenant is reached counts. Blocks; may be called from anywhere. When the tenant or the
/// time-out cuts the read short, the summary is not complete and what was written stands.
///
/// # Errors
/// [`ReadError`] when nothing could be read, or `output` does not take it.
pub fn write_documents(
    settings: &TenantSettings,
    index: DocumentIndex,
    base_dir: &Path,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<ReadSummary, ReadError> {
    let mut service = reader::connect(settings, base_dir, environment)?;
    let failed = |source| ReadError::Io { action: "start the read of", path: settings.url.clone(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let time_limit = Duration::from_secs(settings.total_timeout_s);
    let list = List::Search { path: format!("/{}/search", settings.version), index: index.name() };
    let mut work = Work {
        place: &settings.url,
        pages: Pages::new(list, settings.page_size),
        output,
        hash: Sha256::new(),
        bytes: 0,
    };
    // A thread of its own, so that a caller within a runtime is served, too.
    let ended = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let ended = runtime.block_on(async {
                match tokio::time::timeout(time_limit, work.all(&mut service)).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        let seconds = time_limit.as_secs();
                        Err(Stop::Incomplete(format!("the read was not finished within {seconds} seconds")))
                    }
                }
            });
            runtime.shutdown_background();
            ended
        });
        thread.join()
    });
    let defect = |_| ReadError::Remote {
        place: settings.url.clone(),
        reason: "the reader stopped at a defect of its own".to_owned(),
    };
    let incomplete_reason = match ended.map_err(defect)? {
        Ok(()) => None,
        Err(Stop::Incomplete(reason)) => Some(reason),
        Err(Stop::Failed(error)) => return Err(error),
    };
    Ok(ReadSummary {
        read: work.pages.seen,
        rejected: 0,
        reported_total: work.pages.total,
        complete: incomplete_reason.is_none(),
        incomplete_reason,
        digest_sha256: hex(&work.hash.finalize()),
        bytes: work.bytes,
        schema: Vec::new(),
        warnings: Vec::new(),
        changes_only: false,
        cursor: None,
    })
}

/// A read in progress.
struct Work<'a> {
    place: &'a str,
    pages: Pages,
    output: &'a mut (dyn Write + Send),
    hash: Sha256,
    bytes: u64,
}

impl Work<'_> {
    async fn all(&mut self, service: &mut Service) -> Result<(), Stop> {
        let path = self.place.to_owned();
        let unwritten = |source| {
            Stop::Failed(ReadError::Io { action: "write the documents of", path: path.clone(), source })
        };
        loop {
            let page = match self.pages.next(service).await {
                Ok(page) => page,
                Err(reason) if self.pages.has_begun() => return Err(Stop::Incomplete(reason)),
                Err(reason) => {
                    return Err(Stop::Failed(ReadError::Remote { place: path.clone(), reason }));
                }
            };
            let Some(documents) = page else { break };
            for document in documents {
                let line = format!("{document}\n");
                self.hash.update(line.as_bytes());
                self.bytes += line.len() as u64;
                self.output.write_all(line.as_bytes()).map_err(unwritten)?;
            }
        }
        self.output.flush().map_err(unwritten)?;
        self.pages.end(service).await.map_err(Stop::Incomplete)
    }
}
