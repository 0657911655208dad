//! Refresh: aggregate the sources, make identities of authoritative accounts, correlate the others,
//! find errors, and leave a new version of every table that changed.
//!
//! The steps are those of `identity-model`: each is one plan over tables, its result kept in the work
//! folder, so that memory does not grow with the data. What cannot have changed since the last snapshot is taken over
//! from it (`extent`). Nothing is visible to readers before the caller has
//! published the manifest that [`Engine::refresh`] returns.
//!
//! Properties held on any input: every live account is linked, unmatched or disputed, and only one of them;
//! refreshing twice changes nothing; the order of input rows is irrelevant; a run that is not complete marks
//! no account missing; manual links survive; a change of profile priority moves the profile, never the id.

mod accounts;
mod authoritative;
mod correlate;
mod damaged;
mod dates;
mod documents;
mod elements;
mod errors;
pub mod explain;
mod extent;
mod guards;
mod identify;
mod identities;
mod links;
mod publish;
mod stage;
mod steps;
mod sums;
mod totals;
mod work;

pub use totals::Total;

use crate::digests;
use crate::error::Result;
use crate::session::Engine;
use chrono::{DateTime, Utc};
use muster_reports::SnapshotManifest;
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::{AuditTrail, Clock, ManualLink};
use muster_reports::snapshot::SourceRun;
use muster_sources::{Rejection, SourceDefinition};
use serde::Serialize;
use std::collections::BTreeSet;
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
    /// The time that the sources are to be of, whatever date their data carries.
    pub as_of: Option<DateTime<Utc>>,
    /// Whether to go on without the sources that could not be read, keeping their accounts as they were.
    pub publish_incomplete: bool,
    /// Whether to make everything anew, whatever has changed.
    pub full: bool,
    /// Ids of the sources whose losses are accepted: missing accounts, keys that are all new, lost links.
    pub accept_missing: BTreeSet<String>,
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
    /// Whether it was not read, since its bytes are those of the last snapshot.
    pub carried: bool,
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableOutcome {
    /// The table.
    pub table: &'static str,
    /// Its rows now.
    pub rows: u64,
    /// Rows in the files that were written.
    pub rows_written: u64,
    /// Files written.
    pub files_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Files that are those of the last snapshot.
    pub files_kept: u64,
}

/// What a refresh came to.
#[derive(Debug, Clone)]
pub struct RefreshOutcome {
    /// The manifest to publish; `None` when a source failed and the last snapshot stays in force.
    pub manifest: Option<SnapshotManifest>,
    /// Every source, by name.
    pub sources: Vec<SourceOutcome>,
    /// Every table, if there is a manifest.
    pub tables: Vec<TableOutcome>,
    /// What there is now, and what there was, if there is a manifest.
    pub totals: Vec<Total>,
}

impl Engine {
    /// Aggregates and refreshes everything; see the module.
    ///
    /// # Errors
    /// A failure of the engine itself. A source that cannot be read is no error here but an outcome.
    pub async fn refresh(self: &Arc<Self>, request: RefreshRequest) -> Result<RefreshOutcome> {
        let engine = Arc::clone(self);
        self.run(async move {
            let previous = request.previous.clone();
            let mut outcome = refresh(&engine, request).await?;
            if let Some(manifest) = &mut outcome.manifest {
                manifest.files = digests::describe(&engine, manifest, previous.as_deref()).await?;
            }
            Ok(outcome)
        })
        .await
    }
}

async fn refresh(engine: &Engine, mut request: RefreshRequest) -> Result<RefreshOutcome> {
    request
        .sources
        .sort_by(|a, b| (&a.definition.name, &a.definition.id).cmp(&(&b.definition.name, &b.definition.id)));
    dates::take_asked(&mut request)?;
    let work = work::Work::open(engine, request.snapshot.as_str(), request.clock.now())?;
    let mut extent = extent::Extent::of(&request)?;
    if publish::register_previous(engine, &work, request.previous.as_deref()).await? {
        extent.make_everything();
    }
    let mut staged = stage::stage_sources(&work, &request, &mut extent).await?;
    if let Some(time) = dates::take_of_data(&mut request, &mut staged)? {
        work.set_time(time);
    }
    guards::check_rules(&request, &mut staged);
    // Accounts of a source that failed live on; documents of one would be gone.
    let lost = |source: &stage::StagedSource| {
        source.outcome.failure.is_some() && (!request.publish_incomplete || source.gives_documents)
    };
    if staged.iter().any(lost) {
        return Ok(unpublished(staged));
    }
    accounts::take_records(&work, &request, &extent, &mut staged).await?;
    if staged.iter().any(lost) {
        return Ok(unpublished(staged));
    }
    work.memory("manual_links", correlate::manual_links_batch(&request.links)?)?;
    accounts::merge_into_previous(&work, &request, &mut extent, &mut staged).await?;
    let profiles = authoritative::profiles_in_order(&request.sources);
    work.memory("profiles", authoritative::profiles_batch(&profiles)?)?;
    work.run(&extent, &[&steps::KNOWN_BEFORE]).await?;
    if extent.identities {
        authoritative::make_identities(&work, &extent, &profiles).await?;
        correlate::recall_others(&work, &request, &extent).await?;
        correlate::link_others(&work, &request, &extent).await?;
        identities::gather(&work, &extent, &profiles).await?;
        errors::find(&work, &extent, &profiles).await?;
        work.run(&extent, &[&steps::IDENTITIES_NEXT]).await?;
    } else {
        correlate::link_others(&work, &request, &extent).await?;
        identities::keep(&work, &extent).await?;
    }
    work.run(&extent, &[&steps::ACCOUNTS_NEXT]).await?;
    if guards::check_links(&work, &request, &mut staged).await? {
        return Ok(unpublished(staged));
    }
    let touched = [&steps::ACCOUNTS_TOUCHED, &steps::IDENTITIES_TOUCHED, &steps::DOCUMENTS_TOUCHED];
    work.run(&extent, &touched).await?;
    let last_event = documents::make(&work, &request, &extent).await?;
    let mut outcome =
        publish::write_tables(engine, &work, &request, &extent, staged, &profiles, last_event).await?;
    outcome.totals = totals::count(&work, request.previous.is_some()).await?;
    Ok(outcome)
}

/// The last snapshot stays in force.
fn unpublished(staged: Vec<stage::StagedSource>) -> RefreshOutcome {
    RefreshOutcome {
        manifest: None,
        sources: staged.into_iter().map(|source| source.outcome).collect(),
        tables: Vec::new(),
        totals: Vec::new(),
    }
}
