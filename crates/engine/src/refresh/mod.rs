//! Refresh: aggregate the sources, make identities of authoritative accounts, correlate the others,
//! find errors, and leave a new version of every table.
//!
//! The steps are those of `identity-model`: each is one plan over whole tables, its result kept in the work
//! folder, so that memory does not grow with the data. Nothing is visible to readers before the caller has
//! published the manifest that [`Engine::refresh`] returns.
//!
//! Properties held on any input: every live account is linked, unmatched or disputed, and only one of them;
//! refreshing twice changes nothing; the order of input rows is irrelevant; a run that is not complete marks
//! no account missing; manual links survive; a change of profile priority moves the profile, never the id.

mod accounts;
mod authoritative;
mod correlate;
mod documents;
mod elements;
mod errors;
pub mod explain;
mod file;
mod identities;
mod publish;
mod stage;
mod work;

pub(crate) use work::literal;

use crate::error::Result;
use crate::session::Engine;
use chrono::{DateTime, Utc};
use muster_reports::SnapshotManifest;
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::{AuditTrail, Clock, ManualLink};
use muster_reports::snapshot::SourceRun;
use muster_sources::{Rejection, SourceDefinition};
use std::path::PathBuf;
use std::sync::Arc;

/// Rejected records that an outcome carries for people; all of them are in the table `rejected_records`.
pub const REJECTIONS_SHOWN_MAX: usize = 20;

/// A variable's value, where there is one.
pub type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A source to aggregate.
#[derive(Debug, Clone)]
pub struct SourceInput {
    /// What it is and how to read it.
    pub definition: SourceDefinition,
    /// Folder that relative paths start from.
    pub base_dir: PathBuf,
}

/// What a refresh works from.
pub struct RefreshRequest {
    /// Every registered source.
    pub sources: Vec<SourceInput>,
    /// Every manual link; links of accounts on authoritative sources have no effect.
    pub links: Vec<ManualLink>,
    /// The newest published snapshot.
    pub previous: Option<Arc<SnapshotManifest>>,
    /// Whose data it is, for the events of the audit trail.
    pub tenant: TenantId,
    /// Where those events are.
    pub audit: Arc<dyn AuditTrail>,
    /// Looks up the variables that definitions name as the places of secrets.
    pub environment: Arc<Environment>,
    /// Id of the snapshot to be made.
    pub snapshot: SnapshotId,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whether to go on without the sources that could not be read, keeping their accounts as they were.
    pub publish_incomplete: bool,
}

/// What became of one source.
#[derive(Debug, Clone)]
pub struct SourceOutcome {
    /// The run, as covers show it.
    pub run: SourceRun,
    /// Why the whole source failed, where it did; its accounts are then as they were.
    pub failure: Option<String>,
    /// The first rejected records.
    pub rejections: Vec<Rejection>,
    /// What a reader must know though nothing failed.
    pub warnings: Vec<String>,
}

/// What a refresh came to.
#[derive(Debug, Clone)]
pub struct RefreshOutcome {
    /// The manifest to publish; `None` when a source failed and the last snapshot stays in force.
    pub manifest: Option<SnapshotManifest>,
    /// Every source, by name.
    pub sources: Vec<SourceOutcome>,
}

impl Engine {
    /// Aggregates and refreshes everything; see the module.
    ///
    /// # Errors
    /// A failure of the engine itself. A source that cannot be read is no error here but an outcome.
    pub async fn refresh(self: &Arc<Self>, request: RefreshRequest) -> Result<RefreshOutcome> {
        let engine = Arc::clone(self);
        self.run(async move { refresh(&engine, request).await }).await
    }
}

async fn refresh(engine: &Engine, mut request: RefreshRequest) -> Result<RefreshOutcome> {
    request
        .sources
        .sort_by(|a, b| (&a.definition.name, &a.definition.id).cmp(&(&b.definition.name, &b.definition.id)));
    let now: DateTime<Utc> = request.clock.now();
    let work = work::Work::open(engine, request.snapshot.as_str(), now)?;
    let mut staged = stage::stage_sources(&work, &request).await?;
    // Accounts of a source that failed live on; documents of one would be gone.
    let lost = |source: &stage::StagedSource| {
        source.outcome.failure.is_some() && (!request.publish_incomplete || source.gives_documents)
    };
    if staged.iter().any(lost) {
        return Ok(RefreshOutcome {
            manifest: None,
            sources: staged.into_iter().map(|s| s.outcome).collect(),
        });
    }
    publish::register_previous(engine, &work, request.previous.as_deref()).await?;
    accounts::merge_into_previous(&work, &request, &mut staged).await?;
    let profiles = authoritative::profiles_in_order(&request.sources);
    authoritative::make_identities(&work, &profiles).await?;
    correlate::link_others(&work, &request).await?;
    identities::gather(&work).await?;
    errors::find(&work, &profiles).await?;
    identities::finish(&work).await?;
    accounts::finish(&work).await?;
    documents::make(&work, &request).await?;
    publish::write_tables(engine, &work, &request, staged, &profiles).await
}
