//! Step 9: makes search documents from the tables of this refresh, from documents of sources, and from the audit trail.
//!
//! A document of a source replaces the document with the same id that this module would make. Arrays are built from
//! sorted files, so memory does not grow with the data. Many documents are made on all threads, each of which takes a
//! range of ids. Uncorrelated accounts are in no document.

use super::elements::SortedElements;
use super::incremental::{Needed, Recompute};
use super::steps::{self, Step};
use super::work::{self, RowsInOrder, Work};
use super::{RefreshRequest, SourceInput};
use crate::declared::{Table, documents as schema};
use crate::error::{EngineError, Result};
use crate::file_name::first_id_of;
use crate::functions::text_lists;
use crate::order::{Ordered, SortKey};
use crate::parquet_file::ParquetFile;
use crate::partitions::{FilesInSequence, Partitioning};
use crate::query::Value;
use crate::tables::DataFile;
use datafusion::arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::prelude::{Expr, ParquetReadOptions, cast, ident, lit};
use muster_reports::audit::AuditEvent;
use muster_sources::DocumentType;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Documents in a row group. It is small because a document can have hundreds of elements.
const ROW_GROUP_DOCUMENTS: usize = 32 * 1024;
/// Least memory of plans for each thread that makes documents: their sorts and joins run at the same time.
const MEMORY_OF_THREAD_MIN: usize = 256 << 20;
/// Most threads that make documents. Each of them reads all accounts and takes its own.
const THREADS_MAX: usize = 4;
/// Events that are read from the trail at once.
const EVENTS_PAGE: u32 = 4096;

/// What was made.
pub(super) struct Made {
    /// The number of the last event that has a document.
    pub(super) last_event: u64,
    /// The files of the table of identity documents. Empty if it has other documents too.
    pub(super) identities: Vec<MadeFile>,
}

/// A file of the work folder that is one of a table.
pub(super) struct MadeFile {
    pub(super) path: PathBuf,
    pub(super) file: DataFile,
}

/// Leaves a step with the name of each table of documents. In a full refresh it has all rows. In an incremental refresh
/// it has the touched identities, the entitlements of touched accounts, and the new events.
pub(super) async fn make(work: &Arc<Work>, request: &RefreshRequest, recompute: &Recompute) -> Result<Made> {
    work.memory("document_sources", sources_batch(&request.sources)?)?;
    work.run(recompute, &[&steps::ACCOUNTS_ALL, &steps::ACCOUNTS_OF_TOUCHED, &steps::ACCOUNTS_SHOWN]).await?;
    work.run(recompute, &[&steps::DOCUMENT_ACCOUNTS, &steps::DOCUMENT_RIGHTS]).await?;
    work.run(recompute, &[&steps::ENTITLEMENT_RIGHTS, &steps::ENTITLEMENT_RIGHTS_ALL]).await?;
    let known = request.previous.as_ref().filter(|_| !recompute.everything).and_then(|last| last.last_event);
    let mut last_event = known.unwrap_or(0);
    let mut identity_files = Vec::new();
    for document_type in DocumentType::ALL {
        let made = made_of(document_type);
        match document_type {
            DocumentType::Identities => {
                let files = identities(work, &request.attempt, &made).await?;
                if recompute.everything && work.count(&given_of(document_type)).await? == 0 {
                    identity_files = files;
                }
            }
            DocumentType::Entitlements => {
                let rows = work.frame(&steps::ENTITLEMENT_ROWS, &[]).await?;
                work.keep(&made, documents_of(rows, document_type, &ENTITLEMENT_FIELDS)?).await?;
            }
            DocumentType::Events => last_event = events(work, request, last_event, &made).await?,
            DocumentType::AccessProfiles | DocumentType::AccountActivities | DocumentType::Roles => {
                work.memory(&made, RecordBatch::new_empty(schema(document_type)))?;
            }
        }
        unite(work, document_type).await?;
    }
    if recompute.needs(Needed::Incremental) {
        work.run(recompute, &[&steps::RIGHTS_GONE]).await?;
        let sources = ("sources", sources_of_rights_gone(work).await?);
        work.run_with(&steps::RIGHTS_LEFT, &[sources]).await?;
        work.run(recompute, &[&steps::ENTITLEMENTS_TOUCHED]).await?;
    }
    Ok(Made { last_event, identities: identity_files })
}

/// The sources with rights that touched accounts lost.
pub(super) async fn sources_of_rights_gone(work: &Work) -> Result<Value> {
    let sources = work.rows(&steps::SOURCES_OF_RIGHTS_GONE, &[]).await?;
    Ok(Value::Texts(work::texts(&sources, 0).collect()))
}

/// The step with the documents of a type that Muster makes, before documents of sources replace some of them.
pub(super) fn made_of(document_type: DocumentType) -> String {
    format!("made_{}", document_type.index_name())
}

/// The step with the documents of a type that sources provide.
pub(super) fn given_of(document_type: DocumentType) -> String {
    format!("given_{}", document_type.index_name())
}

/// Combines the documents of sources with the documents that Muster makes for other objects.
async fn unite(work: &Work, document_type: DocumentType) -> Result<()> {
    let given = work.count(&given_of(document_type)).await?;
    let step = match document_type {
        _ if given == 0 => &steps::DOCUMENTS_MADE,
        DocumentType::Entitlements => &steps::ENTITLEMENTS_UNITED,
        DocumentType::Identities
        | DocumentType::AccessProfiles
        | DocumentType::AccountActivities
        | DocumentType::Events
        | DocumentType::Roles => &steps::DOCUMENTS_UNITED,
    };
    work.run_of(step, &steps::words_of(document_type), &[]).await
}

/// `document_sources`: the properties of a source that documents contain.
pub(super) fn sources_batch(sources: &[SourceInput]) -> Result<RecordBatch> {
    let failed = |e| EngineError::data("describing the sources", e);
    let definitions: Vec<_> = sources.iter().map(|source| &source.definition).collect();
    let texts = |f: &dyn Fn(&muster_sources::SourceDefinition) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(definitions.iter().map(|definition| f(definition))))
    };
    let rights = text_lists(definitions.iter().map(|definition| definition.reader.entitlements()));
    RecordBatch::try_from_iter([
        ("source_id", texts(&|definition| &definition.id)),
        ("source_type", texts(&|definition| definition.reader.kind())),
        ("entitlements", rights.map_err(|e| EngineError::plan("document_sources", e))?),
    ])
    .map_err(failed)
}

/// A field of a document and the column it comes from.
type FieldColumn = (&'static str, &'static str);

const ENTITLEMENT_FIELDS: [FieldColumn; 9] = [
    ("id", "id"),
    ("name", "value"),
    ("displayName", "value"),
    ("attribute", "attribute"),
    ("value", "value"),
    ("created", "created"),
    ("source.id", "source_id"),
    ("source.name", "source_name"),
    ("source.type", "source_type"),
];

const ACCOUNT_FIELDS: [FieldColumn; 13] = [
    ("id", "id"),
    ("name", "name"),
    ("accountId", "native_identity"),
    ("source.id", "source_id"),
    ("source.name", "source_name"),
    ("source.type", "source_type"),
    ("disabled", "disabled"),
    ("locked", "locked"),
    ("privileged", "privileged"),
    ("manuallyCorrelated", "manually_correlated"),
    ("entitlementAttributes", "rights"),
    ("accountAttributes", "attributes"),
    ("created", "created"),
];

const ACCESS_FIELDS: [FieldColumn; 8] = [
    ("id", "id"),
    ("name", "value"),
    ("displayName", "value"),
    ("type", "type"),
    ("source.id", "source_id"),
    ("source.name", "source_name"),
    ("attribute", "attribute"),
    ("value", "value"),
];

const IDENTITY_FIELDS: [FieldColumn; 25] = [
    ("id", "id"),
    ("name", "name"),
    ("displayName", "display_name"),
    ("firstName", "first_name"),
    ("lastName", "last_name"),
    ("email", "email"),
    ("phone", "phone"),
    ("created", "created"),
    ("modified", "modified"),
    ("synced", "modified"),
    ("inactive", "inactive"),
    ("protected", "protected"),
    ("status", "status"),
    ("employeeNumber", "employee_number"),
    ("disabled", "disabled"),
    ("locked", "locked"),
    ("manager.id", "manager_id"),
    ("manager.name", "manager_name"),
    ("manager.displayName", "manager_display_name"),
    ("isManager", "is_manager"),
    ("identityProfile.name", "profile"),
    ("source.id", "authoritative_source_id"),
    ("source.name", "authoritative_source"),
    ("attributes", "attributes"),
    ("processingState", "processing_state"),
];

/// Converts rows of flat columns into documents.
fn documents_of(rows: DataFrame, document_type: DocumentType, known: &[FieldColumn]) -> Result<DataFrame> {
    let schema = schema(document_type);
    let columns = fields_of(schema.fields(), "", known)?.into_iter().map(|(name, value)| value.alias(name));
    rows.select(columns.collect::<Vec<_>>()).map_err(|e| EngineError::plan(document_type.index_name(), e))
}

/// The fields of an object as expressions over flat columns. Unknown fields are null.
fn fields_of(fields: &Fields, prefix: &str, known: &[FieldColumn]) -> Result<Vec<(String, Expr)>> {
    let mut made = Vec::with_capacity(fields.len());
    for field in fields {
        let path = format!("{prefix}{}", field.name());
        let inside = format!("{path}.");
        let value = if let Some((_, column)) = known.iter().find(|(name, _)| *name == path) {
            cast(ident(*column), field.data_type().clone())
        } else if let (DataType::Struct(inner), true) =
            (field.data_type(), known.iter().any(|(name, _)| name.starts_with(&inside)))
        {
            object(inner, &inside, known)?
        } else {
            let null = ScalarValue::try_new_null(field.data_type());
            lit(null.map_err(|e| EngineError::plan("documents", e))?)
        };
        made.push((field.name().clone(), value));
    }
    Ok(made)
}

fn object(fields: &Fields, prefix: &str, known: &[FieldColumn]) -> Result<Expr> {
    let made = fields_of(fields, prefix, known)?;
    Ok(named_struct(made.into_iter().flat_map(|(name, value)| [lit(name), value]).collect()))
}

/// A range of ids.
struct IdRange {
    /// The first id, if the range has a beginning.
    first: Option<String>,
    /// The first id after the range, if it has an end.
    end: Option<String>,
}

impl IdRange {
    /// So many ranges, each with the ids of some of these partitions. Every possible text is in exactly one of them.
    fn all(ranges: u32, partitions: u32) -> impl Iterator<Item = Self> {
        let bound = move |range: u32| {
            let partition = u64::from(range) * u64::from(partitions) / u64::from(ranges);
            let partition = u32::try_from(partition).unwrap_or(partitions);
            (0 < range && range < ranges).then(|| first_id_of(partition, partitions))
        };
        (0..ranges).map(move |range| Self { first: bound(range), end: bound(range + 1) })
    }

    /// Whether a column is in the range.
    fn has(&self, column: &str) -> Expr {
        let first = self.first.as_deref().map(|first| ident(column).gt_eq(lit(first)));
        let end = self.end.as_deref().map(|end| ident(column).lt(lit(end)));
        first.into_iter().chain(end).reduce(Expr::and).unwrap_or_else(|| lit(true))
    }
}

/// Rows of these identities sorted by `owner`, the identity whose document they belong to, and then by `keys`. The flat
/// columns are sorted because objects are wider; objects are built from a batch when it is read.
async fn by_identity(
    work: &Work,
    ids: &IdRange,
    name: &str,
    step: &Step,
    identity: &str,
    keys: &[&str],
    known: &[FieldColumn],
) -> Result<RowsInOrder> {
    let failed = |e| EngineError::plan(name, e);
    // Texts of the last snapshot may have another type than texts that were just read.
    let owner = cast(ident(identity), DataType::Utf8);
    let flat: BTreeSet<&str> = known.iter().map(|(_, column)| *column).collect();
    let flat = flat.into_iter().map(|column| (column.to_owned(), ident(column)));
    let columns = std::iter::once(("owner".to_owned(), owner.clone())).chain(flat).collect();
    let owner = SortKey::ascending(owner);
    let keys = std::iter::once(owner).chain(keys.iter().map(|name| SortKey::column(name))).collect();
    let rows = work.frame(step, &[]).await?.filter(ids.has(identity)).map_err(failed)?;
    // Several accounts of an identity can have the same right.
    let rows = Ordered::new(rows, columns, keys).map_err(failed)?.with_repeats();
    work.in_order(&format!("sorted_{name}"), rows).await
}

/// The elements of the list `name` in identity documents, by owner and then by `keys`.
async fn elements(
    work: &Work,
    ids: &IdRange,
    name: &'static str,
    step: &Step,
    keys: &[&str],
    known: &[FieldColumn],
) -> Result<SortedElements> {
    let schema = schema(DocumentType::Identities);
    let Ok(DataType::List(item)) = schema.field_with_name(name).map(Field::data_type) else {
        return Err(EngineError::data("making documents", format!("{name} is not a list")));
    };
    let DataType::Struct(fields) = item.data_type() else {
        return Err(EngineError::data("making documents", format!("{name} is not a list of objects")));
    };
    let rows = by_identity(work, ids, name, step, "identity_id", keys, known).await?;
    let element = work.over(&rows, object(fields, "", known)?)?;
    Ok(SortedElements::new(name, rows, element))
}

/// Makes the documents of identities. Returns their files, which are those of the table if it has no other documents.
async fn identities(work: &Arc<Work>, attempt: &str, step: &str) -> Result<Vec<MadeFile>> {
    let table = Table::of_documents(DocumentType::Identities);
    let Some(partitioning) = Partitioning::of(table) else { return Ok(Vec::new()) };
    let dir = work.dir().join(step);
    std::fs::create_dir(&dir).map_err(|e| EngineError::io(format!("making folder {}", dir.display()), e))?;
    let partitions = partitioning.partitions(work.count("documents_touched").await?);
    let threads = work.threads().min(THREADS_MAX).min(work.memory_limit() / MEMORY_OF_THREAD_MIN);
    let threads = u32::try_from(threads).unwrap_or(u32::MAX).clamp(1, partitions);
    let mut making = tokio::task::JoinSet::new();
    for ids in IdRange::all(threads, partitions) {
        let schema = schema(DocumentType::Identities);
        let files = partitioning.in_sequence(dir.clone(), attempt, partitions, schema)?;
        let work = Arc::clone(work);
        making.spawn(async move { identities_in(&work, &ids, files).await });
    }
    let mut made = Vec::new();
    while let Some(files) = making.join_next().await {
        let files = files.map_err(|_| EngineError::Stopped)??;
        made.extend(files.into_iter().map(|file| MadeFile { path: dir.join(&file.name), file }));
    }
    made.sort_by(|one, other| one.path.cmp(&other.path));
    let paths = made.iter().map(|made| made.path.clone());
    work.parquet_files(step, paths, &schema(DocumentType::Identities)).await?;
    Ok(made)
}

/// Makes the documents of these identities. Returns their files.
async fn identities_in(work: &Work, ids: &IdRange, mut files: FilesInSequence) -> Result<Vec<DataFile>> {
    let mut accounts = elements(
        work,
        ids,
        "accounts",
        &steps::ACCOUNT_ELEMENTS,
        &["source_name", "native_identity", "id"],
        &ACCOUNT_FIELDS,
    )
    .await?;
    let mut access = elements(
        work,
        ids,
        "access",
        &steps::ACCESS_ELEMENTS,
        &["source_name", "attribute", "value", "source_id"],
        &ACCESS_FIELDS,
    )
    .await?
    .once();
    let schema = schema(DocumentType::Identities);
    let mut rows =
        by_identity(work, ids, "identities", &steps::IDENTITY_ROWS, "id", &[], &IDENTITY_FIELDS).await?;
    let fields = fields_of(schema.fields(), "", &IDENTITY_FIELDS)?;
    let fields = fields.into_iter().map(|(_, value)| work.over(&rows, value)).collect::<Result<Vec<_>>>()?;
    while let Some(batch) = rows.next()? {
        let owners = batch.column(0).as_string::<i32>().clone();
        let accounts = accounts.lists_for(&owners)?;
        let access = access.lists_for(&owners)?;
        let (account_counts, access_counts) = (lengths(&accounts), lengths(&access));
        // Muster makes entitlements only, so other kinds of access count zero.
        let none: ArrayRef = Arc::new(Int64Array::from(vec![0; batch.num_rows()]));
        let mut columns = fields.iter().map(|field| work::made(field, &batch)).collect::<Result<Vec<_>>>()?;
        for (name, column) in [
            ("accounts", accounts),
            ("access", access),
            ("accountCount", account_counts),
            ("accessCount", Arc::clone(&access_counts)),
            ("entitlementCount", access_counts),
            ("appCount", Arc::clone(&none)),
            ("accessProfileCount", Arc::clone(&none)),
            ("roleCount", none),
        ] {
            let at = schema.index_of(name).map_err(|e| EngineError::data("making documents", e))?;
            columns[at] = datafusion::arrow::compute::cast(&column, schema.field(at).data_type())
                .map_err(|e| EngineError::data("making documents", e))?;
        }
        let documents = RecordBatch::try_new(Arc::clone(&schema), columns);
        files.write(&documents.map_err(|e| EngineError::data("making documents", e))?)?;
    }
    accounts.finish()?;
    access.finish()?;
    files.close()
}

fn lengths(lists: &ArrayRef) -> ArrayRef {
    let lengths = lists.as_list::<i32>().offsets().lengths();
    Arc::new(lengths.map(|length| i64::try_from(length).ok()).collect::<Int64Array>())
}

/// A file of documents in the work folder.
struct DocumentFile {
    schema: SchemaRef,
    file: ParquetFile,
}

impl DocumentFile {
    fn create(work: &Work, step: &str, schema: &SchemaRef) -> Result<Self> {
        let path = work.dir().join(format!("{step}.parquet"));
        let file = ParquetFile::create(path, Arc::clone(schema), ROW_GROUP_DOCUMENTS)?;
        Ok(Self { schema: Arc::clone(schema), file })
    }

    fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| EngineError::data("making documents", e))?;
        self.file.write(&batch)
    }

    /// Closes the file and registers its rows as `step`.
    async fn close(self, work: &Work, step: &str) -> Result<()> {
        let path = self.file.close()?;
        let options = ParquetReadOptions::default().schema(&self.schema);
        work.context
            .register_parquet(step, path.to_string_lossy(), options)
            .await
            .map_err(|e| EngineError::plan(step, e))
    }
}

/// Makes documents of the audit trail's events after the number `after`, page by page. Returns the number of the last
/// event.
async fn events(work: &Work, request: &RefreshRequest, mut after: u64, step: &str) -> Result<u64> {
    let schema = schema(DocumentType::Events);
    let mut file = DocumentFile::create(work, step, &schema)?;
    loop {
        let page = request
            .audit
            .events(&request.tenant, after, EVENTS_PAGE)
            .await
            .map_err(|e| EngineError::data("reading the audit trail", e))?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        let events: Vec<_> = page.iter().map(|chained| &chained.event).collect();
        file.write(event_columns(&schema, &events)?)?;
    }
    file.close(work, step).await?;
    Ok(after)
}

fn event_columns(schema: &SchemaRef, events: &[&AuditEvent]) -> Result<Vec<ArrayRef>> {
    let text = |f: &dyn Fn(&AuditEvent) -> Option<String>| -> ArrayRef {
        let mut builder = StringBuilder::new();
        events.iter().for_each(|event| builder.append_option(f(event)));
        Arc::new(builder.finish())
    };
    let times: ArrayRef = Arc::new(
        TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.at.timestamp_micros()))
            .with_timezone("UTC"),
    );
    let action = |event: &AuditEvent| Some(event.operation.published().action.to_owned());
    let known: BTreeMap<&str, ArrayRef> = BTreeMap::from([
        ("id", text(&|event| Some(event.id.clone()))),
        ("name", text(&|event| Some(event.operation.published().name.to_owned()))),
        ("created", Arc::clone(&times)),
        ("synced", times),
        ("action", text(&action)),
        ("technicalName", text(&action)),
        ("type", text(&|event| Some(event.operation.published().kind.to_owned()))),
        ("operation", text(&|event| Some(event.operation.published().operation.to_owned()))),
        ("status", text(&|event| Some(event.operation.published().status.to_owned()))),
        ("trackingNumber", text(&|event| Some(event.task.to_string()))),
        ("details", text(&|event| Some(event.details.clone()))),
    ]);
    let named = |field: &Field, name: ArrayRef| -> Result<ArrayRef> {
        let DataType::Struct(fields) = field.data_type() else {
            return Err(EngineError::data("making documents", format!("{} is not an object", field.name())));
        };
        let columns = fields.iter().map(|_| Arc::clone(&name)).collect();
        datafusion::arrow::array::StructArray::try_new(fields.clone(), columns, None)
            .map(|object| Arc::new(object) as ArrayRef)
            .map_err(|e| EngineError::data("making documents", e))
    };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match (known.get(field.name().as_str()), field.name().as_str()) {
            (Some(column), _) => Arc::clone(column),
            (None, "actor") => named(field, text(&|event| Some(event.caller.launcher().to_owned())))?,
            (None, "target") => named(field, text(&|event| Some(event.report.clone())))?,
            (None, _) => datafusion::arrow::array::new_null_array(field.data_type(), events.len()),
        });
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::IdRange;
    use crate::file_name::partition_of;
    use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
    use datafusion::prelude::SessionContext;
    use muster_reports::ids::stable_id;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    #[test]
    fn every_id_is_in_one_range() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ids: Vec<String> = (0..3_000).map(|number| stable_id([number.to_string().as_str()])).collect();
        // Texts that are not ids, and ids at the bounds of ranges.
        let others = ["", "0", "~", "Z", "80000000", "7fffffff", "8", "55555556", "aaaaaaab", "ffffffff"];
        let texts = ids.iter().map(String::as_str).chain(others);
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let rows = RecordBatch::try_from_iter([("id", column)]).unwrap();
        for (ranges, partitions) in [(1, 1), (1, 9), (2, 2), (2, 9), (3, 128), (4, 74), (7, 7)] {
            let found = IdRange::all(ranges, partitions).map(|range| {
                let frame = SessionContext::new().read_batch(rows.clone()).unwrap();
                let found = frame.filter(range.has("id")).unwrap();
                runtime.block_on(found.collect()).unwrap()
            });
            let found: Vec<Vec<String>> = found.map(|batches| texts_of(&batches)).collect();
            assert_eq!(found.len(), ranges as usize);
            assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 3_010);
            // No partition is in two ranges.
            let parts = |ids: &Vec<String>| -> BTreeSet<u32> {
                let is_id = |id: &&String| id.len() == 32;
                ids.iter().filter(is_id).map(|id| partition_of(id, partitions)).collect()
            };
            let parts: Vec<_> = found.iter().map(parts).collect();
            assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), partitions as usize);
        }
    }

    fn texts_of(batches: &[RecordBatch]) -> Vec<String> {
        let texts = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter());
        texts.map(|text| text.unwrap().to_owned()).collect()
    }
}
