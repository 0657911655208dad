//! Step 1: read every source into the work folder, and list what was rejected.

use super::work::Work;
use super::{REJECTIONS_SHOWN_MAX, RefreshRequest, SourceInput, SourceOutcome};
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{RecordBatch, StringBuilder, UInt64Builder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::ParquetReadOptions;
use muster_reports::ids::SourceId;
use muster_reports::ports::Clock;
use muster_reports::snapshot::{AggregationMode, SourceRun};
use muster_sources::{ReadError, Rejection, record_schema};
use std::error::Error as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// A source after reading.
pub(super) struct StagedSource {
    pub(super) outcome: SourceOutcome,
    pub(super) merge_rows: bool,
    /// What was read, unless the source failed.
    files: Option<(PathBuf, PathBuf)>,
}

fn rejected_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new("source_id", DataType::Utf8, false),
            Field::new("source_name", DataType::Utf8, false),
            Field::new("line", DataType::UInt64, false),
            Field::new("native_identity", DataType::Utf8, true),
            Field::new("reason", DataType::Utf8, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// Reads all sources, a few at a time; leaves the tables `staged_raw` and `rejected_raw`.
pub(super) async fn stage_sources(work: &Work, request: &RefreshRequest) -> Result<Vec<StagedSource>> {
    let mut staged = Vec::with_capacity(request.sources.len());
    let parallel = std::thread::available_parallelism().map_or(1, usize::from);
    for chunk in request.sources.chunks(parallel).enumerate() {
        let (chunk_at, inputs) = chunk;
        let mut reads = Vec::new();
        for (at, input) in inputs.iter().enumerate() {
            let (input, clock) = (input.clone(), Arc::clone(&request.clock));
            let previous = request.previous.as_ref().and_then(|m| m.source(&input.definition.id)).cloned();
            let stem = work.dir().join(format!("source-{}", chunk_at * parallel + at));
            reads.push(tokio::task::spawn_blocking(move || stage_source(&input, previous, &stem, &*clock)));
        }
        for read in reads {
            staged.push(read.await.map_err(|_| EngineError::Stopped)??);
        }
    }
    register(work, &staged).await?;
    Ok(staged)
}

async fn register(work: &Work, staged: &[StagedSource]) -> Result<()> {
    let failed = |e| EngineError::plan("staged_raw", e);
    let empty = |schema| RecordBatch::new_empty(schema);
    let mut records = vec!["SELECT CAST(NULL AS VARCHAR) AS source_id, * FROM no_records".to_owned()];
    let mut rejected = vec!["SELECT * FROM no_rejections".to_owned()];
    work.memory("no_records", empty(record_schema()))?;
    work.memory("no_rejections", empty(rejected_schema()))?;
    for (at, source) in staged.iter().enumerate() {
        let Some((records_file, rejected_file)) = &source.files else { continue };
        for (kind, file) in [("records", records_file), ("rejected", rejected_file)] {
            let name = format!("source_{at}_{kind}");
            work.context
                .register_parquet(&name, file.to_string_lossy(), ParquetReadOptions::default())
                .await
                .map_err(failed)?;
        }
        let id = super::work::literal(source.outcome.run.id.as_str());
        records.push(format!("SELECT {id} AS source_id, * FROM source_{at}_records"));
        rejected.push(format!("SELECT * FROM source_{at}_rejected"));
    }
    for (name, parts) in [("staged_raw", records), ("rejected_raw", rejected)] {
        let view = work.query(name, &parts.join(" UNION ALL ")).await?.into_view();
        work.context.register_table(name, view).map_err(failed)?;
    }
    Ok(())
}

fn stage_source(
    input: &SourceInput,
    previous: Option<SourceRun>,
    stem: &Path,
    clock: &dyn Clock,
) -> Result<StagedSource> {
    let definition = &input.definition;
    let started = clock.now();
    let mut run = SourceRun {
        id: SourceId::new(&definition.id),
        name: definition.name.clone(),
        kind: definition.reader.kind().to_owned(),
        authoritative: definition.is_authoritative(),
        profile: definition.profile.as_ref().map(|p| p.name.clone()),
        mode: AggregationMode::Full,
        started,
        ended: started,
        complete: false,
        remark: None,
        reported_total: None,
        read: 0,
        rejected: 0,
        loaded: 0,
        created: 0,
        updated: 0,
        unchanged: 0,
        missing: 0,
        input_digest: None,
        // A source that fails keeps its accounts, and so their attributes.
        attributes: previous.map(|run| run.attributes).unwrap_or_default(),
    };
    let merge_rows = definition.reader.merge_rows();
    let files = (stem.with_extension("records.parquet"), stem.with_extension("rejected.parquet"));
    let outcome = match read(input, &files.0, &files.1) {
        Ok((summary, rejections)) => {
            run.complete = summary.complete;
            run.remark = summary.incomplete_reason;
            run.reported_total = summary.reported_total;
            run.read = summary.read;
            run.rejected = summary.rejected;
            run.input_digest = Some(summary.digest_sha256);
            run.attributes = summary.schema;
            SourceOutcome { run, failure: None, rejections, warnings: summary.warnings }
        }
        Err(StageError::Source(error)) => {
            let text = chain(&error);
            run.remark = Some(text.clone());
            SourceOutcome { run, failure: Some(text), rejections: Vec::new(), warnings: Vec::new() }
        }
        Err(StageError::Work(error)) => return Err(error),
    };
    let mut outcome = outcome;
    outcome.run.ended = clock.now();
    let files = outcome.failure.is_none().then_some(files);
    Ok(StagedSource { outcome, merge_rows, files })
}

enum StageError {
    /// The source's fault.
    Source(ReadError),
    /// The work folder's fault.
    Work(EngineError),
}

impl From<ReadError> for StageError {
    fn from(error: ReadError) -> Self {
        Self::Source(error)
    }
}

fn chain(error: &ReadError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn read(
    input: &SourceInput,
    records_file: &Path,
    rejected_file: &Path,
) -> Result<(muster_sources::ReadSummary, Vec<Rejection>), StageError> {
    let mut reader = muster_sources::open(&input.definition, &input.base_dir)?;
    let mut records = Parquet::create(records_file, record_schema())?;
    let mut rejected = Parquet::create(rejected_file, rejected_schema())?;
    let mut shown = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        records.write(&batch.records)?;
        rejected.write(&rejections_batch(input, &batch.rejections)?)?;
        let room = REJECTIONS_SHOWN_MAX.saturating_sub(shown.len());
        shown.extend(batch.rejections.into_iter().take(room));
    }
    records.close()?;
    rejected.close()?;
    Ok((reader.finish()?, shown))
}

fn rejections_batch(input: &SourceInput, rejections: &[Rejection]) -> Result<RecordBatch, StageError> {
    let mut texts: [StringBuilder; 4] = Default::default();
    let mut lines = UInt64Builder::new();
    for rejection in rejections {
        texts[0].append_value(&input.definition.id);
        texts[1].append_value(&input.definition.name);
        lines.append_value(rejection.line);
        texts[2].append_option(rejection.native_identity.as_deref());
        texts[3].append_value(&rejection.reason);
    }
    let [mut ids, mut names, mut natives, mut reasons] = texts;
    RecordBatch::try_new(
        rejected_schema(),
        vec![
            Arc::new(ids.finish()),
            Arc::new(names.finish()),
            Arc::new(lines.finish()),
            Arc::new(natives.finish()),
            Arc::new(reasons.finish()),
        ],
    )
    .map_err(|e| StageError::Work(EngineError::data("listing rejected records", e)))
}

/// A Parquet file being written.
struct Parquet {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl Parquet {
    fn create(path: &Path, schema: SchemaRef) -> Result<Self, StageError> {
        let file = File::create(path)
            .map_err(|e| StageError::Work(EngineError::io(format!("creating {}", path.display()), e)))?;
        let writer = ArrowWriter::try_new(file, schema, None)
            .map_err(|e| StageError::Work(EngineError::data(format!("writing {}", path.display()), e)))?;
        Ok(Self { path: path.to_owned(), writer })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), StageError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.writer
            .write(batch)
            .map_err(|e| StageError::Work(EngineError::data(format!("writing {}", self.path.display()), e)))
    }

    fn close(self) -> Result<(), StageError> {
        let path = self.path;
        self.writer
            .close()
            .map(drop)
            .map_err(|e| StageError::Work(EngineError::data(format!("writing {}", path.display()), e)))
    }
}
