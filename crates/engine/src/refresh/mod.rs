//! Refresh: reads the sources, makes identities of authoritative accounts, correlates the other accounts, finds errors,
//! and writes a new version of every table that changed.
//!
//! The steps are those of docs/identity-model.md. Each step is one plan over tables. Its result is in the work folder,
//! so memory does not grow with the data. Rows that cannot have changed are copied from the last snapshot
//! (`incremental`). Readers see nothing before the caller publishes the manifest that [`Engine::refresh`] returns.
//!
//! Properties for any input: every live account is linked, unmatched or disputed, and only one of them; a second
//! refresh changes nothing; the order of input rows does not matter; an incomplete run marks no account missing; manual
//! links survive; a change of profile priority changes the profile of an identity, never its id.

mod accounts;
mod authoritative;
mod consistency;
mod correlate;
mod damaged;
mod dates;
mod documents;
mod elements;
mod errors;
pub mod explain;
mod guards;
mod identify;
mod identities;
mod incremental;
mod losses;
mod manual_links;
mod publish;
mod stage;
mod steps;
mod totals;
mod work;

pub use losses::{ExceededGuard, Guard, LossLimits};
pub use totals::Total;

use crate::error::Result;
use crate::session::Engine;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::{AuditTrail, Clock, ManualLink, ProgressCell};
use muster_reports::snapshot::SourceRun;
use muster_sources::{Rejection, SourceDefinition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Rejected records in an outcome, for people. The table `rejected_records` has all of them.
pub const REJECTIONS_SHOWN_MAX: usize = 20;

/// Returns the value of a variable, if it is set.
pub type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A source to read.
#[derive(Debug, Clone)]
pub struct SourceInput {
    /// The definition: what the source is and how to read it.
    pub definition: SourceDefinition,
    /// Folder for relative paths.
    pub base_dir: PathBuf,
}

/// The input of a refresh.
pub struct RefreshRequest {
    /// Every registered source.
    pub sources: Vec<SourceInput>,
    /// Every manual link. Links of accounts on authoritative sources have no effect.
    pub links: Vec<ManualLink>,
    /// The newest published snapshot.
    pub previous: Option<Arc<SnapshotManifest>>,
    /// The tenant, for events of the audit trail.
    pub tenant: TenantId,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// Returns the variables that definitions name as places of secrets.
    pub environment: Arc<Environment>,
    /// Id of the new snapshot.
    pub snapshot: SnapshotId,
    /// What no other attempt at a snapshot has, not even at the same one. The names of what is written have it: an earlier
    /// attempt may have left its files in the logs of tables.
    pub attempt: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The requested time of the snapshot; it overrides the dates of the data.
    pub as_of: Option<DateTime<Utc>>,
    /// Whether to continue without the sources that could not be read. Their accounts stay unchanged.
    pub publish_incomplete: bool,
    /// Whether to recompute everything, even if nothing changed.
    pub full: bool,
    /// Ids of the sources whose losses are accepted: missing accounts, keys that are all new, lost links.
    pub accept_missing: BTreeSet<String>,
    /// How much it may lose.
    pub limits: LossLimits,
    /// Whether to make the snapshot even if it loses more than that. The outcome says what it loses.
    pub ignore_limits: bool,
    /// How many parts are done of those that there are: each source, and [`PARTS`].
    pub progress: Arc<ProgressCell>,
}

/// Parts of a refresh, after the sources are read: the records are taken, they are merged, identities are made, tables are
/// put together, documents are made, tables are written.
const PARTS: u64 = 6;

/// The result for one source.
#[derive(Debug, Clone)]
pub struct SourceOutcome {
    /// The run, as covers show it.
    pub run: SourceRun,
    /// Why the whole source failed, if it did. Its accounts stay unchanged.
    pub failure: Option<String>,
    /// The first rejected records.
    pub rejections: Vec<Rejection>,
    /// Whether the source was not read because its bytes are those of the last snapshot.
    pub carried: bool,
}

/// The result for one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableOutcome {
    /// The table.
    pub table: &'static str,
    /// Its rows now.
    pub rows: u64,
    /// Rows in the written files.
    pub rows_written: u64,
    /// Files written.
    pub files_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Files that are shared with the last snapshot.
    pub files_kept: u64,
}

/// The result of a refresh.
#[derive(Debug, Clone)]
pub struct RefreshOutcome {
    /// The manifest to publish. `None` if a source failed; then the last snapshot stays in force.
    pub manifest: Option<SnapshotManifest>,
    /// Every source, by name.
    pub sources: Vec<SourceOutcome>,
    /// Every table, if there is a manifest.
    pub tables: Vec<TableOutcome>,
    /// Totals now and before, if there is a manifest.
    pub totals: Vec<Total>,
    /// The limits that it exceeds. Without a manifest, they are why there is none, unless a source failed.
    pub exceeded: Vec<ExceededGuard>,
}

impl Engine {
    /// Reads all sources and refreshes the tables; see the module.
    ///
    /// # Errors
    /// A failure of the engine itself. A source that cannot be read is not an error; its outcome says so.
    pub fn refresh(self: &Arc<Self>, request: RefreshRequest) -> BoxFuture<'_, Result<RefreshOutcome>> {
        Box::pin(async move {
            let engine = Arc::clone(self);
            self.run(async move { Box::pin(refresh(&engine, request)).await }).await
        })
    }
}

async fn refresh(engine: &Engine, mut request: RefreshRequest) -> Result<RefreshOutcome> {
    request
        .sources
        .sort_by(|a, b| (&a.definition.name, &a.definition.id).cmp(&(&b.definition.name, &b.definition.id)));
    dates::take_asked(&mut request)?;
    let work = Arc::new(work::Work::open(engine, &request.attempt, request.clock.now())?);
    work.set_columns(&request.sources);
    let mut recompute = incremental::Recompute::of(&request)?;
    if publish::register_previous(engine, &work, request.previous.as_deref()).await? {
        recompute.make_full();
    }
    request.progress.expect(request.sources.len() as u64 + PARTS);
    let began = Instant::now();
    let mut staged = stage::stage_sources(&work, &request, &mut recompute).await?;
    work::took("reading the sources", began);
    if let Some(time) = dates::take_of_data(&mut request, &mut staged)? {
        work.set_time(time);
    }
    guards::check_rules(&request, &mut staged);
    // Accounts of a failed source are kept, but its documents would be lost.
    let lost = |source: &stage::StagedSource| {
        source.outcome.failure.is_some() && (!request.publish_incomplete || source.gives_documents)
    };
    if staged.iter().any(lost) {
        return Ok(unpublished(staged));
    }
    accounts::take_records(&work, &request, &recompute, &mut staged).await?;
    if staged.iter().any(lost) {
        return Ok(unpublished(staged));
    }
    request.progress.add(1);
    work.memory("manual_links", correlate::manual_links_batch(&request.links)?)?;
    accounts::merge_into_previous(&work, &request, &mut recompute, &mut staged).await?;
    request.progress.add(1);
    let profiles = authoritative::profiles_in_order(&request.sources);
    work.memory("profiles", authoritative::profiles_batch(&profiles)?)?;
    work.run(&recompute, &[&steps::KNOWN_BEFORE]).await?;
    match recompute.identities {
        incremental::IdentitiesToRecompute::Copied => {
            correlate::link_others(&work, &request, &recompute).await?;
            identities::keep(&work, &recompute).await?;
        }
        incremental::IdentitiesToRecompute::Some | incremental::IdentitiesToRecompute::All => {
            if recompute.identities == incremental::IdentitiesToRecompute::Some {
                authoritative::make_some_identities(&work, &request, &mut recompute, &profiles).await?;
            } else {
                authoritative::make_identities(&work, &recompute, &profiles).await?;
            }
            correlate::recall_others(&work, &request, &recompute).await?;
            correlate::link_others(&work, &request, &recompute).await?;
            identities::gather(&work, &recompute, &profiles).await?;
            errors::find(&work, &recompute, &profiles).await?;
        }
    }
    request.progress.add(1);
    identities::combine(&work, &recompute).await?;
    work.run(&recompute, &[&steps::ACCOUNTS_NEXT]).await?;
    if guards::check_links(&work, &request, &recompute, &mut staged).await? {
        return Ok(unpublished(staged));
    }
    let exceeded = losses::exceeded(engine, &work, &request, &recompute, &staged).await?;
    if !exceeded.is_empty() && !request.ignore_limits {
        return Ok(RefreshOutcome { exceeded, ..unpublished(staged) });
    }
    identities::find_touched(&work, &recompute).await?;
    request.progress.add(1);
    let made = documents::make(&work, &request, &recompute).await?;
    request.progress.add(1);
    let written =
        publish::write_tables(engine, &work, &request, &recompute, staged, &profiles, &made).await?;
    request.progress.add(1);
    Ok(RefreshOutcome { exceeded, ..written })
}

/// The outcome if the last snapshot stays in force.
fn unpublished(staged: Vec<stage::StagedSource>) -> RefreshOutcome {
    RefreshOutcome {
        manifest: None,
        sources: staged.into_iter().map(|source| source.outcome).collect(),
        tables: Vec::new(),
        totals: Vec::new(),
        exceeded: Vec::new(),
    }
}
