//! One run of a definition that nobody else has seen.

use crate::report::ReportRuns;
use chrono::TimeDelta;
use muster_reports::arguments::{Arguments, RawArguments, UnknownNames};
use muster_reports::caller::Caller;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{TaskId, WorkerId};
use muster_reports::ports::{ProgressCell, ReportRunner, RunOutcome};
use muster_reports::series;
use muster_reports::task::{Claim, Lease, Progress, Task, TaskState, task_definition_id};
use muster_reports::{ReportDefinition, SnapshotManifest};

/// Who runs a definition once, and over what.
pub struct Trial<'a> {
    /// The definition; `runs` must have it.
    pub definition: &'a ReportDefinition,
    /// Its arguments, unchecked.
    pub arguments: &'a RawArguments,
    /// The snapshot.
    pub manifest: &'a SnapshotManifest,
    /// Whose data scope limits the rows.
    pub requester: Caller,
    /// The id of the run, which no other has.
    pub id: TaskId,
}

/// Runs a definition once, as the service would. Its files are in the folder of `runs`, and nothing records them.
///
/// # Errors
/// When the arguments do not fit, or the run fails: then there are no files.
pub async fn run_once(runs: &ReportRuns, trial: Trial<'_>) -> Result<RunOutcome> {
    let Trial { definition, arguments, manifest, requester, id } = trial;
    let (mut arguments, _) = definition.check_arguments(arguments, UnknownNames::Refuse)?;
    let (snapshots, reviews, tenant) = (&*runs.snapshots, &*runs.reviews, &requester.tenant);
    series::settle(snapshots, reviews, tenant, definition, &mut arguments, manifest).await?;
    check_source(definition, &arguments, manifest)?;
    let now = runs.writing.clock.now();
    let scope = requester.data_scope.clone();
    let lease = Lease {
        task: id.clone(),
        tenant: requester.tenant.clone(),
        worker: WorkerId::new("trial"),
        epoch: 1,
        until: now + TimeDelta::days(1),
        deadline: now + TimeDelta::days(1),
    };
    let task = Task {
        id,
        tenant: requester.tenant.clone(),
        definition: task_definition_id(&requester.tenant, definition, &arguments, &scope, Some(&manifest.id)),
        report: definition.id.clone(),
        name: definition.name.clone(),
        description: definition.description.clone(),
        parent: definition.parent.clone(),
        arguments,
        requester,
        snapshot: manifest.id.clone(),
        created: now,
        launched: Some(now),
        completed: None,
        state: TaskState::Running,
        progress: Progress::default(),
        messages: Vec::new(),
        attempts: 1,
        epoch: 1,
        result: None,
    };
    runs.run(&Claim { task, lease }, &ProgressCell::default()).await
}

fn check_source(
    definition: &ReportDefinition,
    arguments: &Arguments,
    manifest: &SnapshotManifest,
) -> Result<()> {
    let Some(spec) = definition.source_argument() else { return Ok(()) };
    match arguments.text(&spec.name) {
        Some(id) if manifest.source(id).is_none() => {
            let known: Vec<_> =
                manifest.sources.iter().map(|source| format!("{} ({})", source.id, source.name)).collect();
            Err(Error::invalid(format!(
                "argument {:?} is {id:?}: expected the id of a source of the snapshot, one of {}",
                spec.name,
                known.join(", ")
            )))
        }
        Some(_) | None => Ok(()),
    }
}
