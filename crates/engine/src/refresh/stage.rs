//! Step 1: reads every source into the work folder, and lists the rejected records.

use super::incremental::{Recompute, settings_digest};
use super::steps;
use super::work::Work;
use super::{Environment, REJECTIONS_SHOWN_MAX, RefreshRequest, SourceInput, SourceOutcome};
use crate::declared::{Change, Table};
use crate::error::{EngineError, Result};
use crate::functions::{content_digests, strings};
use crate::parquet_file::ParquetFile;
use crate::query::Value;
use crate::{declared, tables};
use datafusion::arrow::array::{
    ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder, UInt64Array, UInt64Builder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use futures_util::StreamExt;
use muster_reports::error::error_chain;
use muster_reports::ids::{SourceId, stable_id};
use muster_reports::ports::Clock;
use muster_reports::snapshot::{AggregationMode, SourceRun, SourceSum};
use muster_sources::documents::DocumentReader;
use muster_sources::{ColumnSum, DocumentType, ReadError, Rejection, record_schema};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// A source after reading.
pub(super) struct StagedSource {
    pub(super) outcome: SourceOutcome,
    pub(super) merge_rows: bool,
    /// The number of records that are equal to their accounts. An incremental refresh does not look at them again.
    pub(super) equal: u64,
    /// The number of known accounts that a complete read does not contain, and that of all known accounts.
    pub(super) missing: [u64; 2],
    /// Whether several records may have one native identity.
    pub(super) may_repeat: bool,
    /// Whether the source provides documents.
    pub(super) gives_documents: bool,
    /// The files that were read; `None` if the source failed.
    files: Option<StagedFiles>,
}

/// Files of the work folder.
struct StagedFiles {
    /// Account records; `None` for a source of documents.
    records: Option<PathBuf>,
    /// Whether several records may have one native identity.
    may_repeat: bool,
    /// Native identities of accounts that exist, from a read of changes.
    present: Option<PathBuf>,
    /// What each record adds to the sum that its owner states.
    summed: Option<PathBuf>,
    /// Documents of each type, with their lines.
    documents: Vec<(DocumentType, PathBuf)>,
    rejected: PathBuf,
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

fn source_id() -> Field {
    Field::new("source_id", DataType::Utf8, false)
}

/// Most ids of a source that are remembered while it is read. Of a larger source it is not known whether ids repeat.
const IDS_SEEN_MAX: usize = 2_000_000;

/// The ids of the records of a source so far. To look for repeated ones afterwards takes a sort or a set of all of them
/// too, and reads them once more.
#[derive(Default)]
struct SeenIds {
    ids: HashSet<u128>,
    may_repeat: bool,
}

impl SeenIds {
    fn add(&mut self, ids: &StringArray) {
        for id in ids.iter().flatten() {
            if self.may_repeat {
                return;
            }
            let is_new = u128::from_str_radix(id, 16).is_ok_and(|id| self.ids.insert(id));
            self.may_repeat = !is_new || self.ids.len() > IDS_SEEN_MAX;
        }
        if self.may_repeat {
            self.ids = HashSet::new();
        }
    }
}

/// The place of `first_id` in these records.
const FIRST_ID: usize = 1;

/// Records with their sources, the ids that their accounts get if they are new, and digests of their content.
fn records_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let own = [source_id(), text("first_id"), text("digest")].map(Arc::new);
    let fields = record_schema();
    Arc::new(Schema::new(own.into_iter().chain(fields.fields().iter().cloned()).collect::<Fields>()))
}

/// Records as they are kept in the work folder. Ids and digests are made here, on the threads that read, so that the wide
/// rows need not be written once more with them.
fn record_rows(input: &SourceInput, records: &RecordBatch) -> Result<RecordBatch> {
    let failed = |e| EngineError::plan("reading the records of a source", e);
    let column = |name: &str| {
        let column = records.column_by_name(name).cloned();
        column
            .ok_or_else(|| EngineError::data("reading the records of a source", format!("no column {name}")))
    };
    let native = strings(&column("native_identity")?).map_err(failed)?;
    let id = input.definition.id.as_str();
    let first = native.iter().map(|name| stable_id(["account", id, name.unwrap_or_default()]));
    let first: ArrayRef = Arc::new(StringArray::from_iter_values(first));
    let content = Table::of("accounts").changing(Change::Content).map(|content| column(content.name));
    let digests =
        content_digests(&content.collect::<Result<Vec<_>>>()?, records.num_rows()).map_err(failed)?;
    let mut columns = vec![of_source(input, records.num_rows()), first, Arc::new(digests)];
    columns.extend_from_slice(records.columns());
    RecordBatch::try_new(records_schema(), columns)
        .map_err(|e| EngineError::data("reading the records of a source", e))
}

fn present_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![source_id(), Field::new("native_identity", DataType::Utf8, false)]))
}

fn summed_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![source_id(), text("first_id"), text("added")]))
}

/// The relations of the records, without any rows.
#[cfg(test)]
pub(super) fn nothing_read() -> Vec<(String, SchemaRef)> {
    let mut relations = vec![
        ("staged_raw".to_owned(), records_schema()),
        ("present_raw".to_owned(), present_schema()),
        ("summed_raw".to_owned(), summed_schema()),
        ("rejected_read".to_owned(), rejected_schema()),
    ];
    for document_type in DocumentType::ALL {
        relations.push((format!("read_{}", document_type.index_name()), read_schema(document_type)));
    }
    relations
}

/// Reads all sources except unchanged ones, as many at a time as there are threads. Leaves the records and the refused records.
pub(super) async fn stage_sources(
    work: &Work,
    request: &RefreshRequest,
    recompute: &mut Recompute,
) -> Result<Vec<StagedSource>> {
    let mut staged: BTreeMap<usize, StagedSource> = BTreeMap::new();
    let (documents, accounts): (Vec<_>, Vec<_>) =
        request.sources.iter().enumerate().partition(|(_, input)| input.definition.reader.gives_documents());
    stage_some(work, request, recompute, &documents, &mut staged).await?;
    staged.values().for_each(|source| recompute.check_documents(&source.outcome.run));
    stage_some(work, request, recompute, &accounts, &mut staged).await?;
    let staged: Vec<_> = staged.into_values().collect();
    register(work, recompute, &staged).await?;
    Ok(staged)
}

async fn stage_some(
    work: &Work,
    request: &RefreshRequest,
    recompute: &Recompute,
    inputs: &[(usize, &SourceInput)],
    staged: &mut BTreeMap<usize, StagedSource>,
) -> Result<()> {
    let read = |(at, input): &(usize, &SourceInput)| {
        let (at, input, clock) = (*at, (*input).clone(), Arc::clone(&request.clock));
        let previous = request.previous.as_ref().and_then(|m| m.source(&input.definition.id)).cloned();
        let stem = work.dir().join(format!("source-{at}"));
        let environment = Arc::clone(&request.environment);
        let full = request.full;
        let may_carry = previous.as_ref().is_some_and(|last| recompute.may_carry(&input, last));
        async move {
            let read = tokio::task::spawn_blocking(move || {
                if may_carry && let Some(carried) = carry_source(&input, previous.as_ref(), &*clock)? {
                    return Ok(carried);
                }
                stage_source(&input, previous, full, &stem, &*clock, &*environment)
            });
            (at, read.await)
        }
    };
    let reads: Vec<_> = inputs.iter().map(read).collect();
    let mut reads = futures_util::stream::iter(reads).buffer_unordered(work.threads());
    while let Some((at, read)) = reads.next().await {
        let source: Result<_> = read.map_err(|_| EngineError::Stopped)?;
        staged.insert(at, source?);
        request.progress.add(1);
    }
    Ok(())
}

async fn register(work: &Work, recompute: &Recompute, staged: &[StagedSource]) -> Result<()> {
    work.memory("staged_names", names_batch(staged)?)?;
    let read = |of: fn(&StagedFiles) -> Vec<&PathBuf>| {
        staged.iter().filter_map(|source| source.files.as_ref()).flat_map(of).cloned()
    };
    work.parquet_files("staged_raw", read(|files| files.records.iter().collect()), &records_schema()).await?;
    work.parquet_files("present_raw", read(|files| files.present.iter().collect()), &present_schema())
        .await?;
    work.parquet_files("summed_raw", read(|files| files.summed.iter().collect()), &summed_schema()).await?;
    work.parquet_files("rejected_read", read(|files| vec![&files.rejected]), &rejected_schema()).await?;
    for document_type in DocumentType::ALL {
        let files =
            staged.iter().filter_map(|source| source.files.as_ref()).flat_map(|files| &files.documents);
        let files = files.filter(|(of, _)| *of == document_type).map(|(_, path)| path.clone());
        let name = format!("read_{}", document_type.index_name());
        work.parquet_files(&name, files, &read_schema(document_type)).await?;
        let words = steps::words_of(document_type);
        for step in [steps::REPEATED_DOCUMENTS, steps::REPEATED_DOCUMENTS_REJECTED, steps::GIVEN_DOCUMENTS] {
            work.run_of(&step, &words, &recompute.values()).await?;
        }
    }
    let carried = staged.iter().filter(|source| source.outcome.carried);
    let carried = Value::texts(carried.map(|source| source.outcome.run.id.as_str()));
    work.run_with(&steps::REJECTED_RAW, &[("carried", carried)]).await
}

/// `staged_names`: the names of the sources.
pub(super) fn names_batch(staged: &[StagedSource]) -> Result<RecordBatch> {
    let texts = |f: fn(&SourceRun) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(staged.iter().map(|source| f(&source.outcome.run))))
    };
    RecordBatch::try_from_iter([
        ("source_id", texts(|run| run.id.as_str())),
        ("source_name", texts(|run| &run.name)),
    ])
    .map_err(|e| EngineError::data("describing the sources", e))
}

/// A document with its source and the line on which it begins.
fn read_schema(document_type: DocumentType) -> SchemaRef {
    let own = [source_id(), Field::new("line", DataType::UInt64, false)].map(Arc::new);
    let schema = declared::documents(document_type);
    Arc::new(Schema::new(own.into_iter().chain(schema.fields().iter().cloned()).collect::<Fields>()))
}

/// The id of a source, repeated for a number of rows.
fn of_source(input: &SourceInput, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&input.definition.id, rows)))
}

/// The result for a source whose bytes are those of the last snapshot; `None` if that is not so, or if only a read can
/// tell. A failure also gives `None`, because the read will report it.
fn carry_source(
    input: &SourceInput,
    previous: Option<&SourceRun>,
    clock: &dyn Clock,
) -> Result<Option<StagedSource>> {
    let Some(last) = previous else { return Ok(None) };
    let started = clock.now();
    match muster_sources::unread_digest(&input.definition, &input.base_dir) {
        Ok(Some(digest)) if last.input_digest.as_ref() == Some(&digest) => {}
        Ok(Some(_) | None) | Err(_) => return Ok(None),
    }
    let Ok(date) = muster_sources::unread_date(&input.definition, &input.base_dir) else { return Ok(None) };
    let run = SourceRun {
        mode: AggregationMode::Full,
        started,
        ended: clock.now(),
        created: 0,
        updated: 0,
        unchanged: last.created + last.updated + last.unchanged,
        missing: 0,
        as_of: date.or(last.as_of),
        ..last.clone()
    };
    Ok(Some(StagedSource {
        outcome: SourceOutcome { run, failure: None, rejections: Vec::new(), carried: true },
        merge_rows: input.definition.reader.merge_rows(),
        equal: 0,
        missing: [0, 0],
        may_repeat: false,
        gives_documents: false,
        files: None,
    }))
}

fn stage_source(
    input: &SourceInput,
    previous: Option<SourceRun>,
    full: bool,
    stem: &Path,
    clock: &dyn Clock,
    environment: &Environment,
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
        sum: None,
        read: 0,
        rejected: 0,
        loaded: 0,
        created: 0,
        updated: 0,
        unchanged: 0,
        missing: 0,
        stale: 0,
        input_digest: None,
        // A failed source keeps its accounts. So it also keeps their date, their attributes, and the position of its
        // read of changes.
        as_of: previous.as_ref().and_then(|run| run.as_of),
        attributes: previous.as_ref().map(|run| run.attributes.clone()).unwrap_or_default(),
        cursor: previous.and_then(|run| run.cursor),
        warnings: Vec::new(),
        refused_values: Vec::new(),
        documents: Vec::new(),
        settings_digest: Some(settings_digest(input)?),
    };
    let merge_rows = definition.reader.merge_rows();
    let after = run.cursor.as_deref().filter(|_| !full);
    let mut staged = None;
    let outcome = match read(input, stem, environment, after) {
        Ok((summary, rejections, files)) => {
            staged = Some(files);
            run.complete = summary.complete;
            run.remark = summary.incomplete_reason;
            run.reported_total = summary.reported_total;
            run.sum = summary.sum.map(source_sum);
            run.read = summary.read;
            run.rejected = summary.rejected;
            run.input_digest = Some(summary.digest_sha256);
            run.as_of = summary.as_of;
            if summary.complete {
                run.cursor = summary.cursor;
            }
            if summary.changes_only {
                run.mode = AggregationMode::Partial;
                let new = summary.schema.into_iter().filter(|name| !run.attributes.contains(name));
                run.attributes.extend(new.collect::<Vec<_>>());
            } else {
                run.attributes = summary.schema;
            }
            if let Some(files) = staged.as_ref().filter(|files| files.records.is_none()) {
                run.loaded = run.read - run.rejected;
                run.documents = files.documents.iter().map(|(of, _)| of.index_name().to_owned()).collect();
            }
            run.warnings = summary.warnings;
            run.refused_values = summary.refused_values;
            SourceOutcome { run, failure: None, rejections, carried: false }
        }
        Err(StageError::Source(error)) => {
            let text = error_chain(&error);
            run.remark = Some(text.clone());
            SourceOutcome { run, failure: Some(text), rejections: Vec::new(), carried: false }
        }
        Err(StageError::Work(error)) => return Err(error),
    };
    let mut outcome = outcome;
    outcome.run.ended = clock.now();
    Ok(StagedSource {
        outcome,
        merge_rows,
        equal: 0,
        missing: [0, 0],
        may_repeat: staged.as_ref().is_some_and(|files| files.may_repeat),
        gives_documents: definition.reader.gives_documents(),
        files: staged,
    })
}

fn source_sum(sum: ColumnSum) -> SourceSum {
    let ColumnSum { column, stated, read, refused, unreadable } = sum;
    // What became of the records is not known yet.
    SourceSum { column, stated, read, refused, loaded: None, unreadable }
}

enum StageError {
    /// The source caused it.
    Source(ReadError),
    /// The work folder caused it.
    Work(EngineError),
}

impl From<ReadError> for StageError {
    fn from(error: ReadError) -> Self {
        Self::Source(error)
    }
}

impl From<EngineError> for StageError {
    fn from(error: EngineError) -> Self {
        Self::Work(error)
    }
}

type Read = (muster_sources::ReadSummary, Vec<Rejection>, StagedFiles);

fn read(
    input: &SourceInput,
    stem: &Path,
    environment: &Environment,
    cursor: Option<&str>,
) -> Result<Read, StageError> {
    let mut rejected = Rejected::create(input, stem.with_extension("rejected.parquet"))?;
    if let Some(reader) = muster_sources::open_documents(&input.definition, &input.base_dir, environment)? {
        return read_documents(input, reader, stem, rejected);
    }
    let mut reader =
        muster_sources::open_source_after(&input.definition, &input.base_dir, environment, cursor)?;
    let path = stem.with_extension("records.parquet");
    let mut records = create(path, records_schema())?;
    let mut present: Option<ParquetFile> = None;
    let mut summed: Option<ParquetFile> = None;
    let mut ids = SeenIds::default();
    while let Some(batch) = reader.next_batch()? {
        let rows = record_rows(input, &batch.records)?;
        if let Some(first) = rows.column(FIRST_ID).as_string_opt::<i32>() {
            ids.add(first);
        }
        records.write(&rows)?;
        rejected.write(batch.rejections)?;
        if !batch.summed.is_empty() {
            let source = of_source(input, batch.summed.len());
            let added: ArrayRef = Arc::new(StringArray::from(batch.summed));
            let columns = vec![source, Arc::clone(rows.column(FIRST_ID)), added];
            let file = match &mut summed {
                Some(file) => file,
                None => summed.insert(create(stem.with_extension("summed.parquet"), summed_schema())?),
            };
            file.write(&RecordBatch::try_new(summed_schema(), columns).map_err(staging)?)?;
        }
        if !batch.present.is_empty() {
            let source = of_source(input, batch.present.len());
            let names: ArrayRef = Arc::new(StringArray::from(batch.present));
            let file = match &mut present {
                Some(file) => file,
                None => present.insert(create(stem.with_extension("present.parquet"), present_schema())?),
            };
            file.write(&RecordBatch::try_new(present_schema(), vec![source, names]).map_err(staging)?)?;
        }
    }
    let records = records.close()?;
    let present = present.map(ParquetFile::close).transpose()?;
    let summed = summed.map(ParquetFile::close).transpose()?;
    let (shown, file) = rejected.close()?;
    let may_repeat = ids.may_repeat;
    let records = Some(records);
    let files = StagedFiles { records, may_repeat, present, summed, documents: Vec::new(), rejected: file };
    Ok((reader.finish()?, shown, files))
}

fn read_documents(
    input: &SourceInput,
    mut reader: DocumentReader,
    stem: &Path,
    mut rejected: Rejected<'_>,
) -> Result<Read, StageError> {
    let mut files: BTreeMap<DocumentType, ParquetFile> = BTreeMap::new();
    while let Some(batch) = reader.next_batch()? {
        for documents in batch.documents {
            let document_type = documents.document_type;
            let mut columns: Vec<ArrayRef> =
                vec![of_source(input, documents.lines.len()), Arc::new(UInt64Array::from(documents.lines))];
            for (column, field) in
                documents.records.columns().iter().zip(declared::documents(document_type).fields())
            {
                columns.push(cast(column, field.data_type()).map_err(staging)?);
            }
            let batch = RecordBatch::try_new(read_schema(document_type), columns).map_err(staging)?;
            let file = match files.entry(document_type) {
                Entry::Occupied(file) => file.into_mut(),
                Entry::Vacant(place) => {
                    let path = stem.with_extension(format!("{}.parquet", document_type.index_name()));
                    place.insert(create(path, read_schema(document_type))?)
                }
            };
            file.write(&batch)?;
        }
        rejected.write(batch.rejections)?;
    }
    let mut documents = Vec::with_capacity(files.len());
    for (document_type, file) in files {
        documents.push((document_type, file.close()?));
    }
    let (shown, file) = rejected.close()?;
    let files = StagedFiles {
        records: None,
        may_repeat: false,
        present: None,
        summed: None,
        documents,
        rejected: file,
    };
    Ok((reader.finish()?, shown, files))
}

fn staging(error: datafusion::arrow::error::ArrowError) -> StageError {
    StageError::Work(EngineError::data("staging what was read", error))
}

/// The file of rejected records, and the first records for people.
struct Rejected<'a> {
    input: &'a SourceInput,
    file: ParquetFile,
    shown: Vec<Rejection>,
}

impl<'a> Rejected<'a> {
    fn create(input: &'a SourceInput, path: PathBuf) -> Result<Self, StageError> {
        Ok(Self { input, file: create(path, rejected_schema())?, shown: Vec::new() })
    }

    fn write(&mut self, rejections: Vec<Rejection>) -> Result<(), StageError> {
        self.file.write(&rejections_batch(self.input, &rejections)?)?;
        let room = REJECTIONS_SHOWN_MAX.saturating_sub(self.shown.len());
        self.shown.extend(rejections.into_iter().take(room));
        Ok(())
    }

    fn close(self) -> Result<(Vec<Rejection>, PathBuf), StageError> {
        Ok((self.shown, self.file.close()?))
    }
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

fn create(path: PathBuf, schema: SchemaRef) -> Result<ParquetFile> {
    ParquetFile::create(path, schema, tables::ROW_GROUP_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_read_twice_is_noticed() {
        let ids = |numbers: std::ops::Range<u32>| {
            let id = |number: u32| stable_id(["account", "source", &number.to_string()]);
            StringArray::from_iter_values(numbers.map(id))
        };
        let may_repeat = |batches: &[StringArray]| {
            let mut seen = SeenIds::default();
            batches.iter().for_each(|batch| seen.add(batch));
            seen.may_repeat
        };
        assert!(!may_repeat(&[ids(0..1_000), ids(1_000..2_000)]));
        // In another batch, in the same one, and followed by others.
        assert!(may_repeat(&[ids(0..1_000), ids(999..1_000)]));
        assert!(may_repeat(&[StringArray::from_iter_values([ids(7..8).value(0), ids(7..8).value(0)])]));
        assert!(may_repeat(&[ids(0..10), ids(5..6), ids(10..20)]));
        // What is no id says nothing.
        assert!(may_repeat(&[StringArray::from_iter_values(["x"])]));
    }
}
