//! Snapshots, and sources as their last reads left them: routes of our own.

use crate::access::{Allowed, ReadResult};
use crate::failure::{Failure, json};
use crate::state::AppState;
use crate::task_json::{hold, timestamp};
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::retention::CataloguedSnapshot;
use muster_reports::snapshot::{SourceRun, SourceSum};
use muster_wire::{SnapshotDescription, SourceDescription, SourceSum as SourceSumDto};

fn source(run: &SourceRun) -> SourceDescription {
    SourceDescription {
        id: run.id.to_string(),
        name: run.name.clone(),
        kind: run.kind.clone(),
        authoritative: run.authoritative,
        profile: run.profile.clone(),
        started: timestamp(run.started),
        ended: timestamp(run.ended),
        as_of: run.as_of.map(timestamp),
        complete: run.complete,
        remark: run.remark.clone(),
        warnings: run.warnings.iter().chain(&run.refused_values).cloned().collect(),
        reported_total: run.reported_total,
        sum: run.sum.as_ref().map(sum),
        read: run.read,
        rejected: run.rejected,
        loaded: run.loaded,
        created: run.created,
        updated: run.updated,
        unchanged: run.unchanged,
        missing: run.missing,
    }
}

fn sum(sum: &SourceSum) -> SourceSumDto {
    let SourceSum { column, stated, read, refused, loaded, unreadable } = sum.clone();
    SourceSumDto { column, stated, read, refused, loaded, unreadable }
}

pub(crate) fn snapshot(snapshot: &CataloguedSnapshot, counted: bool) -> SnapshotDescription {
    let manifest = &snapshot.manifest;
    let bytes = || manifest.files.values().flat_map(|files| files.values()).map(|file| file.bytes).sum();
    SnapshotDescription {
        id: manifest.id.to_string(),
        created: timestamp(manifest.created),
        rows: counted.then(|| manifest.rows.clone()),
        bytes: counted.then(bytes),
        pin: snapshot.pin.as_ref().map(hold),
        expired: snapshot.expired.map(timestamp),
    }
}

/// List the sources
///
/// The sources of the newest snapshot that the caller may see, by name, each with its last read. The list is empty before
/// the first snapshot.
#[utoipa::path(
    get,
    path = "/muster/v1/sources",
    operation_id = "listSources",
    tag = "Muster",
    responses((status = 200, description = "The sources.", body = Vec<SourceDescription>)),
)]
pub(crate) async fn list_sources(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let sources = state.reports().sources(&caller).await?;
    Ok(json(StatusCode::OK, &sources.iter().map(source).collect::<Vec<_>>()))
}

/// List the snapshots
///
/// The last 100 snapshots, the last one first; expired ones too. A caller who sees rows of some sources only gets no
/// numbers of rows. An auditor gets those of his period.
#[utoipa::path(
    get,
    path = "/muster/v1/snapshots",
    operation_id = "listCataloguedSnapshots",
    tag = "Muster",
    responses((status = 200, description = "The snapshots.", body = Vec<SnapshotDescription>)),
)]
pub(crate) async fn list_snapshots(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let seen = state.reports().snapshots(&caller).await?;
    let described = seen.snapshots.iter().map(|one| snapshot(one, seen.counted));
    Ok(json(StatusCode::OK, &described.collect::<Vec<_>>()))
}
