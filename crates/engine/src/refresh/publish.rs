//! The last snapshot in, the next one out: every table gets one new version, named by one manifest.

use super::authoritative::Profile;
use super::stage::StagedSource;
use super::work::{Work, literal};
use super::{RefreshOutcome, RefreshRequest};
use crate::error::{EngineError, Result};
use crate::functions::lifecycle_attribute;
use crate::session::Engine;
use crate::{schemas, tables};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{Expr, cast, ident};
use muster_reports::SnapshotManifest;
use muster_reports::snapshot::SourceRun;
use muster_reports::step::{Step, taken};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tables whose last version a refresh reads, under `prev_` and the table's name.
const CARRIED: [&str; 6] =
    ["accounts", "identities", "identity_errors", "aggregations", tables::COUNTS, "entitlement_documents"];

/// The numbers of this snapshot, as the reports count them. A source without any keeps its row, so that a trend comes
/// down to zero.
const COUNTED: &str = "
SELECT 'identities' AS counted, CAST(NULL AS VARCHAR) AS source_id, count(*) AS number FROM identities_next
UNION ALL
SELECT 'orphan identities', NULL, count(*) FROM identities_next WHERE NOT correlated AND NOT protected
UNION ALL
SELECT 'accounts', NULL, count(*) FROM accounts_next WHERE dead_since IS NULL AND NOT system
UNION ALL
SELECT 'uncorrelated accounts', NULL, count(*) FROM accounts_next
WHERE dead_since IS NULL AND NOT system AND uncorrelated
UNION ALL
SELECT 'accounts', s.id, count(a.id) FROM sources_next s
LEFT JOIN (SELECT id, source_id FROM accounts_next WHERE dead_since IS NULL) a ON a.source_id = s.id GROUP BY s.id
UNION ALL
SELECT 'identity errors', s.id, count(e.id) FROM sources_next s
LEFT JOIN identity_errors_next e ON e.source_id = s.id WHERE s.authoritative GROUP BY s.id";

/// Makes the last snapshot's tables known; before the first snapshot they are empty.
pub(super) async fn register_previous(
    engine: &Engine,
    work: &Work,
    previous: Option<&SnapshotManifest>,
) -> Result<()> {
    for table in CARRIED {
        let alias = format!("prev_{table}");
        match previous.and_then(|manifest| manifest.versions.get(table)) {
            Some(version) => {
                tables::register(&work.context, engine.tables_dir(), table, *version, &alias).await?
            }
            None => work.memory(&alias, RecordBatch::new_empty(schemas::of(table)))?,
        }
    }
    Ok(())
}

/// Writes every table and describes what was written. Readers see none of it before it is published.
pub(super) async fn write_tables(
    engine: &Engine,
    work: &Work,
    request: &RefreshRequest,
    staged: Vec<StagedSource>,
    profiles: &[Profile],
) -> Result<RefreshOutcome> {
    let outcomes: Vec<_> = staged.into_iter().map(|s| s.outcome).collect();
    let runs: Vec<SourceRun> = outcomes.iter().map(|o| o.run.clone()).collect();
    work.memory("sources_next", sources_batch(request)?)?;
    work.memory("runs_next", runs_batch(request, &outcomes)?)?;
    let mut versions = BTreeMap::new();
    let mut rows = BTreeMap::new();
    let counts = format!(
        "SELECT * FROM prev_snapshot_counts UNION ALL
         SELECT {} AS snapshot_id, $now AS taken, counted, source_id, number FROM ({COUNTED})",
        literal(request.snapshot.as_str())
    );
    for table in tables::TABLES {
        let documents = format!("SELECT * FROM {table}");
        let sql = match table {
            "accounts" => "SELECT * FROM accounts_next",
            "identities" => "SELECT * FROM identities_next",
            "identity_errors" => "SELECT * FROM identity_errors_next",
            "identity_profiles" => "SELECT * FROM profiles",
            "sources" => "SELECT * FROM sources_next",
            "rejected_records" => "SELECT * FROM rejected",
            // The history of runs grows by one row for each source and refresh.
            "aggregations" => "SELECT * FROM prev_aggregations UNION ALL SELECT * FROM runs_next",
            tables::COUNTS => &counts,
            _ => &documents,
        };
        let frame = in_schema(work.query(table, sql).await?, &schemas::of(table), table)?;
        let version = tables::replace(&work.context, engine.tables_dir(), table, frame).await?;
        taken(Step::TableWritten);
        let written = format!("written_{table}");
        tables::register(&work.context, engine.tables_dir(), table, version, &written).await?;
        rows.insert(table.to_owned(), work.count(table, &format!("SELECT count(*) FROM {written}")).await?);
        versions.insert(table.to_owned(), version);
    }
    check_counts(work, &rows).await?;
    taken(Step::TablesWritten);
    let manifest = SnapshotManifest {
        id: request.snapshot.clone(),
        created: request.clock.now(),
        versions,
        identity_attributes: identity_attributes(profiles),
        sources: runs,
        rows,
    };
    Ok(RefreshOutcome { manifest: Some(manifest), sources: outcomes })
}

/// What must hold of any refresh; a difference is a fault of ours and nothing is published.
async fn check_counts(work: &Work, rows: &BTreeMap<String, u64>) -> Result<()> {
    let accounts = work.count("accounts kept", "SELECT count(*) FROM accounts_now").await?;
    let distinct = work.count("distinct accounts", "SELECT count(DISTINCT id) FROM written_accounts").await?;
    let identities = work.count("identities kept", "SELECT count(*) FROM known").await?;
    let homeless = work
        .count(
            "live accounts without a situation",
            "SELECT count(*) FROM written_accounts WHERE dead_since IS NULL AND situation IS NULL",
        )
        .await?;
    let written = |table: &str| rows.get(table).copied().unwrap_or(0);
    if written("accounts") != accounts
        || distinct != accounts
        || written("identities") != identities
        || homeless != 0
    {
        return Err(EngineError::data(
            "checking the refresh",
            format!(
                "{accounts} accounts became {} rows with {distinct} ids ({homeless} without a situation), {identities} identities became {} rows",
                written("accounts"),
                written("identities")
            ),
        ));
    }
    Ok(())
}

/// The frame's columns by name, in the schema's order and types.
fn in_schema(frame: DataFrame, schema: &SchemaRef, table: &str) -> Result<DataFrame> {
    let columns: Vec<Expr> = schema
        .fields()
        .iter()
        .map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name()))
        .collect();
    frame.select(columns).map_err(|e| EngineError::plan(table, e))
}

/// Identity attributes in schema order: by profile priority, then as mapped.
fn identity_attributes(profiles: &[Profile]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    for profile in profiles {
        for attribute in &profile.definition.attributes {
            add(&attribute.name);
        }
        add("displayName");
        if profile.lifecycle.is_some() {
            add(lifecycle_attribute());
        }
    }
    names
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn sources_batch(request: &RefreshRequest) -> Result<RecordBatch> {
    let definitions: Vec<_> = request.sources.iter().map(|s| &s.definition).collect();
    let json: Vec<String> = definitions
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()
        .map_err(|e| EngineError::data("describing the sources", e))?;
    let columns: Vec<ArrayRef> = vec![
        texts(definitions.iter().map(|d| Some(d.id.as_str()))),
        texts(definitions.iter().map(|d| Some(d.name.as_str()))),
        texts(definitions.iter().map(|d| Some(d.reader.kind()))),
        Arc::new(definitions.iter().map(|d| Some(d.is_authoritative())).collect::<BooleanArray>()),
        texts(json.iter().map(|j| Some(j.as_str()))),
    ];
    RecordBatch::try_new(schemas::of("sources"), columns)
        .map_err(|e| EngineError::data("describing the sources", e))
}

fn runs_batch(request: &RefreshRequest, outcomes: &[super::SourceOutcome]) -> Result<RecordBatch> {
    let runs: Vec<_> = outcomes.iter().map(|o| (&o.run, o.failure.is_some())).collect();
    let text = |f: &dyn Fn(&SourceRun) -> Option<String>| -> ArrayRef {
        Arc::new(runs.iter().map(|(run, _)| f(run)).collect::<StringArray>())
    };
    let number = |f: &dyn Fn(&SourceRun) -> Option<u64>| -> ArrayRef {
        Arc::new(
            runs.iter().map(|(run, _)| f(run).and_then(|n| i64::try_from(n).ok())).collect::<Int64Array>(),
        )
    };
    let time = |f: &dyn Fn(&SourceRun) -> i64| -> ArrayRef {
        let times = runs.iter().map(|(run, _)| Some(f(run))).collect::<TimestampMicrosecondArray>();
        Arc::new(times.with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|_| Some(request.snapshot.as_str().to_owned())),
        text(&|run| Some(run.id.as_str().to_owned())),
        text(&|run| Some(run.name.clone())),
        text(&|run| Some(run.mode.as_str().to_owned())),
        time(&|run| run.started.timestamp_micros()),
        time(&|run| run.ended.timestamp_micros()),
        texts(runs.iter().map(|(run, failed)| {
            Some(match (failed, run.complete) {
                (true, _) => "failed",
                (false, true) => "complete",
                (false, false) => "incomplete",
            })
        })),
        Arc::new(runs.iter().map(|(run, _)| Some(run.complete)).collect::<BooleanArray>()),
        text(&|run| run.remark.clone()),
        number(&|run| run.reported_total),
        number(&|run| Some(run.read)),
        number(&|run| Some(run.rejected)),
        number(&|run| Some(run.created)),
        number(&|run| Some(run.updated)),
        number(&|run| Some(run.unchanged)),
        number(&|run| Some(run.missing)),
        number(&|run| Some(run.loaded)),
        text(&|run| run.input_digest.clone()),
    ];
    RecordBatch::try_new(schemas::of("aggregations"), columns)
        .map_err(|e| EngineError::data("describing the aggregations", e))
}
