//! The cover of a run: the request, the data, and the outcome.

use super::plan::Prepared;
use chrono::{DateTime, Utc};
use muster_render::Written;
use muster_reports::cover::{
    CountingQuery, Cover, CoverFile, CoverPart, CoverReport, CoverRequester, CoverSnapshot, Reconciliation,
};
use muster_reports::error::{Error, Result};
use muster_reports::message::Message;
use muster_reports::series::Series;
use muster_reports::task::{PublishedFile, Task};
use muster_reports::{FileFormat, ReportDefinition, SnapshotManifest};

/// Version of the cover's shape.
const COVER_VERSION: u32 = 1;

const HOW_TO_VERIFY: &str = "Compute the SHA-256 of a file (sha256sum FILE) and compare it with the digest that this \
    cover gives. Count the file's records without its header: they equal reconciliation.reported, which equals \
    reconciliation.population less everything in reconciliation.excluded, with everything in reconciliation.added.";

/// What a cover is made of, in addition to the outcome.
pub(super) struct Facts<'a> {
    pub(super) task: &'a Task,
    pub(super) definition: &'a ReportDefinition,
    pub(super) manifest: &'a SnapshotManifest,
    /// The other snapshots that are read.
    pub(super) series: &'a Series,
    pub(super) prepared: &'a Prepared,
    pub(super) started: DateTime<Utc>,
    pub(super) messages: &'a [Message],
    /// Whether CSV is guarded against formulas; `None` where no CSV is written.
    pub(super) formula_guard: Option<bool>,
}

/// The cover of tables whose counts agree; the files are those that are finished.
pub(super) fn make(facts: &Facts<'_>, counted: &[Reconciliation], completed: DateTime<Utc>) -> Cover {
    let Facts { task, definition, manifest, series, prepared, started, messages, formula_guard } = *facts;
    let (columns, parts) = if definition.search {
        let parts = prepared.parts.iter().zip(counted).map(|(part, counted)| CoverPart {
            name: part.name().to_owned(),
            columns: part.columns(),
            reconciliation: counted.clone(),
        });
        (Vec::new(), parts.collect())
    } else {
        (prepared.parts.iter().flat_map(|part| part.columns()).collect(), Vec::new())
    };
    Cover {
        cover_version: COVER_VERSION,
        task_id: task.id.clone(),
        report: cover_report(definition),
        tenant: task.tenant.to_string(),
        requester: cover_requester(task),
        submitted: task.created,
        started,
        completed,
        product_version: env!("CARGO_PKG_VERSION").into(),
        arguments: serde_json::from_str(&task.arguments.canonical()).unwrap_or_default(),
        effective_query: prepared.effective_query.clone(),
        snapshot: cover_snapshot(definition, task, manifest),
        earlier: series.covered(),
        reconciliation: total(counted),
        counted_by: counted_by(definition),
        columns,
        parts,
        messages: task.messages.iter().chain(messages).cloned().collect(),
        files: Vec::new(),
        csv_formula_guard: formula_guard,
        how_to_verify: HOW_TO_VERIFY.into(),
    }
}

/// The queries of the second count. A search is counted by reading whole documents.
fn counted_by(definition: &ReportDefinition) -> Vec<CountingQuery> {
    let query = |what: String, query: &str| CountingQuery { what, query: query.to_owned() };
    if definition.search {
        let method = "each document of the indices is read whole and the whole query is asked of it";
        return vec![query("documents that the query finds".to_owned(), method)];
    }
    let exclusions =
        definition.exclusions.iter().map(|one| query(format!("left out: {}", one.reason), &one.query));
    let subtotals = definition.subtotals.iter().map(|one| query(format!("rows by {}", one.by), &one.query));
    std::iter::once(query("population".to_owned(), &definition.population))
        .chain(exclusions)
        .chain(subtotals)
        .collect()
}

/// The counts of all parts: those of the only part, or the sums of several.
fn total(counted: &[Reconciliation]) -> Reconciliation {
    if let [only] = counted {
        return only.clone();
    }
    let mut total = Reconciliation::default();
    for part in counted {
        total.population += part.population;
        total.expected += part.expected;
        total.reported += part.reported;
        for (sums, counts) in [(&mut total.excluded, &part.excluded), (&mut total.added, &part.added)] {
            for count in counts {
                match sums.iter_mut().find(|sum| sum.label == count.label) {
                    Some(sum) => sum.rows += count.rows,
                    None => sums.push(count.clone()),
                }
            }
        }
    }
    total
}

fn cover_report(definition: &ReportDefinition) -> CoverReport {
    CoverReport {
        id: definition.id.to_string(),
        name: definition.name.clone(),
        version: definition.version,
        digest: definition.digest.clone(),
        built_in: definition.built_in,
        norms: definition.norms.clone(),
    }
}

fn cover_requester(task: &Task) -> CoverRequester {
    let requester = &task.requester;
    CoverRequester {
        name: requester.launcher().into(),
        identity_id: requester.user.as_ref().map(|user| user.id.clone()),
        credential: requester.kind(),
        client_id: requester.client.to_string(),
        data_scope: requester.data_scope.to_string(),
    }
}

fn cover_snapshot(definition: &ReportDefinition, task: &Task, manifest: &SnapshotManifest) -> CoverSnapshot {
    let only = definition.source_argument().and_then(|spec| task.arguments.text(&spec.name));
    CoverSnapshot {
        id: manifest.id.to_string(),
        created: manifest.created,
        age_seconds: (task.created - manifest.created).num_seconds(),
        sources: manifest
            .sources
            .iter()
            .filter(|source| only.is_none_or(|id| source.id.as_str() == id))
            .filter(|source| task.requester.data_scope.has_source(source.id.as_str()))
            .cloned()
            .collect(),
    }
}

/// A table inside an archive, for the cover in the same archive.
pub(super) fn member(name: &str, written: &Written) -> CoverFile {
    CoverFile {
        name: name.to_owned(),
        format: "CSV".into(),
        bytes: written.bytes,
        rows: written.rows,
        sha256: written.sha256.clone(),
    }
}

/// A file that is finished and has no name yet.
pub(super) fn finished(title: &str, format: FileFormat, extension: &str, written: &Written) -> CoverFile {
    CoverFile {
        name: file_name(title, extension),
        format: format.to_string(),
        bytes: written.bytes,
        rows: written.rows,
        sha256: written.sha256.clone(),
    }
}

/// The name of a file: the report's name, with `_` for characters that some system does not allow in a path.
fn file_name(report: &str, extension: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '/' | '\\' | ':' | '%') { '_' } else { c };
    format!("{}.{extension}", report.chars().map(plain).collect::<String>())
}

/// A published file.
pub(super) fn file(task: &Task, file: &PublishedFile) -> CoverFile {
    CoverFile {
        name: file_name(&task.name, &file.extension),
        format: file.format.to_string(),
        bytes: file.bytes,
        rows: file.rows,
        sha256: file.sha256.clone(),
    }
}

/// The cover's text.
///
/// # Errors `Internal`, if a cover cannot be written as JSON.
pub(super) fn to_json(cover: &Cover) -> Result<String> {
    serde_json::to_value(cover)
        .map(|value| String::from_utf8_lossy(&muster_render::cover::to_json(&value)).into_owned())
        .map_err(|error| Error::internal("the cover could not be written", error))
}
