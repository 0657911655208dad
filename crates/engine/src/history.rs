//! Identities of snapshots: one identity in one snapshot, and a list of the identities of several snapshots.
//!
//! An identity's document has its attributes and all that it has, so one row of one file is read for it. The list reads
//! the newest snapshot, and of older snapshots only the identities that the newest one does not show.
//!
//! Invariant: a caller with a data scope sees in each snapshot what a report or a search over that snapshot shows
//! ([`crate::scope`]).

use crate::cancellation::RunGuard;
use crate::declared::{ACCOUNTS, IDENTITIES, Table};
use crate::error::{EngineError, Result};
use crate::file_name::FileName;
use crate::functions::strings;
use crate::order::{Ordered, SortKey};
use crate::query::{self, Value, Values};
use crate::scope;
use crate::session::Engine;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{SessionContext, ident};
use futures_util::future::BoxFuture;
use muster_reports::caller::DataScope;
use muster_reports::history::{ListedIdentity, PeopleQuery};
use muster_reports::snapshot::SnapshotManifest;
use muster_sources::DocumentType;
use std::sync::Arc;

/// Name of the plans of this module.
const STEP: &str = "identity history";

/// Most identities of a list that only older snapshots show. Their ids are held.
const GONE_MAX: usize = 200_000;

/// Most bytes of the columns of one identity.
const IDENTITY_BYTES_MAX: usize = 64 << 20;

/// An identity in one snapshot, as rows.
#[derive(Debug, Clone)]
pub struct IdentityRows {
    /// One row: fields of the identity's document, and `leftSince`, since when it has no authoritative account.
    pub identity: RecordBatch,
    /// The access profiles that it has and that the snapshot knows: `id`, `entitlementCount` and `apps`.
    pub access_profiles: Vec<RecordBatch>,
}

fn documents() -> &'static str {
    Table::of_documents(DocumentType::Identities).name
}

fn access_profiles() -> &'static str {
    Table::of_documents(DocumentType::AccessProfiles).name
}

/// Whether a snapshot has what a history is read from. Snapshots of old versions of the program have not.
pub fn has_history(manifest: &SnapshotManifest) -> bool {
    [documents(), IDENTITIES].iter().all(|table| manifest.versions.contains_key(*table))
}

/// Whether two snapshots surely show the same of an identity, because they share the files that it is in.
pub fn shows_the_same(a: &SnapshotManifest, b: &SnapshotManifest, scope: &DataScope, id: &str) -> bool {
    let is_version_shared = |table: &str| a.versions.get(table) == b.versions.get(table);
    let is_file_shared = |table: &str| {
        let files = |manifest: &SnapshotManifest| -> Option<Vec<String>> {
            let files = manifest.files.get(table)?.keys();
            let may_have = |name: &&String| FileName::parse(name).is_none_or(|name| name.may_have(id));
            Some(files.filter(may_have).cloned().collect())
        };
        is_version_shared(table) || files(a).is_some_and(|of_a| Some(of_a) == files(b))
    };
    let is_scope_shared = match scope {
        DataScope::Everything => true,
        DataScope::Sources(_) => is_version_shared(ACCOUNTS),
    };
    is_scope_shared
        && is_version_shared(access_profiles())
        && [documents(), IDENTITIES].into_iter().all(is_file_shared)
}

impl Engine {
    /// An identity as a snapshot has it, in the part that `scope` shows; `None` if it shows none of this id. Only the
    /// files that may have the identity are read.
    ///
    /// # Errors
    /// `Invalid` for a snapshot without documents, and for an identity that is too large; otherwise a failure of the
    /// engine.
    pub fn identity_in<'a>(
        self: &'a Arc<Self>,
        manifest: &'a SnapshotManifest,
        scope: &'a DataScope,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<IdentityRows>>> {
        Box::pin(async move {
            let running = RunGuard::default();
            let context = self.session_until(running.signal());
            let tables = [documents(), IDENTITIES];
            scope::register_for_identity(self, &context, manifest, scope, &tables, id).await?;
            let sql = format!(
                "SELECT d.id, d.name, d.\"displayName\", d.created, d.attributes, d.accounts, d.apps, d.access, \
                   i.lost_since AS \"leftSince\" \
                 FROM {documents} d LEFT JOIN (SELECT id, lost_since FROM {IDENTITIES} WHERE id = $id) i ON i.id = d.id \
                 WHERE d.id = $id",
                documents = documents()
            );
            let found = self.collected(&context, &sql, &[("id", Value::text(id))]).await?;
            let Some(identity) = found.into_iter().find(|batch| batch.num_rows() > 0) else {
                return Ok(None);
            };
            let bytes = identity.get_array_memory_size();
            if bytes > IDENTITY_BYTES_MAX {
                return Err(EngineError::Invalid(format!(
                    "the identity takes {} MiB in snapshot {}: expected at most {}",
                    bytes >> 20,
                    manifest.id,
                    IDENTITY_BYTES_MAX >> 20
                )));
            }
            let profiles = access_profiles();
            if manifest.rows.get(profiles).is_none_or(|rows| *rows == 0) {
                return Ok(Some(IdentityRows { identity, access_profiles: Vec::new() }));
            }
            scope::register(self, &context, manifest, scope, &[profiles]).await?;
            let sql = format!(
                "SELECT p.id, p.\"entitlementCount\", p.apps FROM {profiles} p WHERE p.id IN \
                   (SELECT a['id'] FROM (SELECT unnest(access) AS a FROM {documents} WHERE id = $id))",
                documents = documents()
            );
            let access_profiles = self.collected(&context, &sql, &[("id", Value::text(id))]).await?;
            Ok(Some(IdentityRows { identity, access_profiles }))
        })
    }

    /// The identities of these snapshots, the last published of which is first: by display name and then by id, in the
    /// part of each snapshot that `scope` shows. Each is as the first of the snapshots that shows it has it.
    ///
    /// # Errors
    /// `Invalid` for more than 200,000 identities that only older snapshots show; otherwise a failure of the engine.
    pub fn people<'a>(
        self: &'a Arc<Self>,
        snapshots: &'a [Arc<SnapshotManifest>],
        scope: &'a DataScope,
        query: &'a PeopleQuery,
    ) -> BoxFuture<'a, Result<Vec<ListedIdentity>>> {
        Box::pin(async move {
            let running = RunGuard::default();
            let Some((newest, older)) = snapshots.split_first() else { return Ok(Vec::new()) };
            let context = self.session_until(running.signal());
            self.add_people(&context, &running, newest, scope, 0).await?;
            let mut numbers = Vec::new();
            let known_since = self.known_since(&context, newest, scope).await?;
            for (number, snapshot) in (1_i64..).zip(older) {
                let is_continued = known_since.is_some_and(|since| since <= snapshot.created);
                if is_continued && !gives_identities(snapshot) {
                    continue;
                }
                self.add_people(&context, &running, snapshot, scope, number).await?;
                numbers.push(number);
            }
            let mut parts = vec!["SELECT * FROM people_0".to_owned()];
            if !numbers.is_empty() {
                let gone = self.gone(&context, &numbers).await?;
                let is_needed = |number: &i64| gone.iter().any(|(_, of)| of == number);
                parts.extend(numbers.into_iter().filter(is_needed).map(|number| {
                    format!(
                        "SELECT p.id, p.display_name, p.first_name, p.last_name, p.inactive, \
                           coalesce(p.left_since, g.until) AS left_since \
                         FROM people_{number} p JOIN gone g ON g.id = p.id WHERE g.snapshot = {number}"
                    )
                }));
                let gone = gone_batch(&gone, snapshots)?;
                context.register_batch("gone", gone).map_err(|e| EngineError::plan(STEP, e))?;
            }
            let (sql, values) = (listed(&parts.join(" UNION ALL "), query), values(query));
            let frame = query::plan(&context, &sql, &values).await.map_err(|e| EngineError::plan(STEP, e))?;
            self.page(frame, query).await
        })
    }

    /// Registers `people_N`: the identities that a snapshot shows.
    async fn add_people(
        self: &Arc<Self>,
        context: &SessionContext,
        running: &RunGuard,
        manifest: &SnapshotManifest,
        scope: &DataScope,
        number: i64,
    ) -> Result<()> {
        let failed = |e| EngineError::plan(STEP, e);
        let own = self.session_until(running.signal());
        scope::register(self, &own, manifest, scope, &[documents(), IDENTITIES]).await?;
        let sql = format!(
            "SELECT d.id, coalesce(d.\"displayName\", d.name) AS display_name, d.\"firstName\" AS first_name, \
               d.\"lastName\" AS last_name, coalesce(d.inactive, false) AS inactive, i.lost_since AS left_since \
             FROM {documents} d \
             LEFT JOIN (SELECT id, lost_since FROM {IDENTITIES} WHERE lost_since IS NOT NULL) i ON i.id = d.id",
            documents = documents()
        );
        let frame = query::plan(&own, &sql, &[]).await.map_err(failed)?;
        context.register_table(format!("people_{number}"), frame.into_view()).map_err(failed)?;
        Ok(())
    }

    /// Since when the identities of a snapshot are known. A refresh never removes an identity, so the snapshot has every
    /// identity of the earlier ones since then. `None` if that is not so: documents of sources come and go, what a scope
    /// shows does too, and a snapshot may have no identity.
    async fn known_since(
        self: &Arc<Self>,
        context: &SessionContext,
        manifest: &SnapshotManifest,
        scope: &DataScope,
    ) -> Result<Option<DateTime<Utc>>> {
        if *scope != DataScope::Everything || gives_identities(manifest) {
            return Ok(None);
        }
        scope::register(self, context, manifest, scope, &[IDENTITIES]).await?;
        let found = self.collected(context, &format!("SELECT min(created) FROM {IDENTITIES}"), &[]).await?;
        let first = found.iter().find(|batch| batch.num_rows() > 0);
        Ok(first.and_then(|batch| {
            let since = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
            since.is_valid(0).then(|| DateTime::from_timestamp_micros(since.value(0)))?
        }))
    }

    /// The identities that the newest snapshot does not show, each with the number of the first snapshot that does.
    async fn gone(self: &Arc<Self>, context: &SessionContext, numbers: &[i64]) -> Result<Vec<(String, i64)>> {
        let all: Vec<_> = numbers
            .iter()
            .map(|number| format!("SELECT id, CAST({number} AS BIGINT) AS snapshot FROM people_{number}"))
            .collect();
        let sql = format!(
            "SELECT o.id, min(o.snapshot) AS snapshot FROM ({}) o \
             LEFT ANTI JOIN (SELECT id FROM people_0) n ON n.id = o.id GROUP BY o.id LIMIT {}",
            all.join(" UNION ALL "),
            GONE_MAX + 1
        );
        let mut gone = Vec::new();
        for batch in self.collected(context, &sql, &[]).await? {
            let ids = strings(batch.column(0)).map_err(|e| EngineError::plan(STEP, e))?;
            let numbers = batch.column(1).as_primitive::<Int64Type>();
            gone.extend((0..batch.num_rows()).map(|row| (ids.value(row).to_owned(), numbers.value(row))));
        }
        if gone.len() > GONE_MAX {
            return Err(EngineError::Invalid(format!(
                "more than {GONE_MAX} identities are in older snapshots only: expected fewer; `muster snapshot expire` and \
                 `muster snapshot unpin` let old snapshots go"
            )));
        }
        Ok(gone)
    }

    /// The part of a list that is asked for.
    async fn page(self: &Arc<Self>, frame: DataFrame, query: &PeopleQuery) -> Result<Vec<ListedIdentity>> {
        let failed = |e| EngineError::plan(STEP, e);
        let columns = COLUMNS.map(|name| (name.to_owned(), ident(name))).to_vec();
        let keys = vec![SortKey::column("display_name"), SortKey::column("id")];
        let ordered = Ordered::new(frame, columns, keys).map_err(failed)?;
        let (offset, limit) = (whole(query.offset), whole(query.limit));
        let part = ordered.frame().clone().limit(offset, Some(limit)).map_err(failed)?;
        let ordered = ordered.with_frame(part);
        self.run(async move {
            let mut rows = ordered.start(STEP).await?;
            let mut listed = Vec::new();
            while let Some(batch) = rows.next().await? {
                listed.extend(read(&batch)?);
            }
            Ok(listed)
        })
        .await
    }

    async fn collected(
        self: &Arc<Self>,
        context: &SessionContext,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Vec<RecordBatch>> {
        let failed = |e| EngineError::plan(STEP, e);
        let frame = query::plan(context, sql, values).await.map_err(failed)?;
        self.run(async move { frame.collect().await.map_err(failed) }).await
    }
}

/// The columns of a list.
const COLUMNS: [&str; 6] = ["id", "display_name", "first_name", "last_name", "active", "left_since"];

/// Whether sources provide documents of identities to a snapshot. Such documents come and go with their sources.
fn gives_identities(manifest: &SnapshotManifest) -> bool {
    let index = DocumentType::Identities.index_name();
    manifest.sources.iter().any(|source| source.documents.iter().any(|given| given == index))
}

/// The query for the identities that are asked for, of those that `all` finds.
fn listed(all: &str, query: &PeopleQuery) -> String {
    let mut conditions = Vec::new();
    if query.starts_with.is_some() {
        let begins = |column: &str| format!("starts_with(lower({column}), $beginning)");
        conditions
            .push(format!("({})", ["first_name", "last_name", "display_name"].map(begins).join(" OR ")));
    }
    if query.deleted.is_some() {
        conditions.push("(left_since IS NOT NULL) = $deleted".to_owned());
    }
    if query.active.is_some() {
        conditions.push("active = $active".to_owned());
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    format!("SELECT * FROM (SELECT *, left_since IS NULL AND NOT inactive AS active FROM ({all})){filter}")
}

fn values(query: &PeopleQuery) -> Vec<(&'static str, Value)> {
    let beginning = query.starts_with.as_ref().map(|text| Value::Text(text.to_lowercase()));
    let flags = [("deleted", query.deleted), ("active", query.active)];
    let flags = flags.into_iter().filter_map(|(name, flag)| Some((name, Value::Flag(flag?))));
    beginning.map(|beginning| ("beginning", beginning)).into_iter().chain(flags).collect()
}

/// `gone`: identities that the newest snapshot does not show, the number of the first snapshot that does, and the time of
/// the snapshot after it.
fn gone_batch(gone: &[(String, i64)], snapshots: &[Arc<SnapshotManifest>]) -> Result<RecordBatch> {
    let until = |number: &i64| {
        let after = usize::try_from(*number).ok().and_then(|number| snapshots.get(number.checked_sub(1)?));
        after.map(|after| after.created.timestamp_micros())
    };
    let ids = StringArray::from_iter_values(gone.iter().map(|(id, _)| id));
    let numbers = Int64Array::from_iter_values(gone.iter().map(|(_, number)| *number));
    let until = TimestampMicrosecondArray::from_iter(gone.iter().map(|(_, number)| until(number)));
    RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("snapshot", Arc::new(numbers) as ArrayRef),
        ("until", Arc::new(until.with_timezone("UTC")) as ArrayRef),
    ])
    .map_err(|e| EngineError::data("listing identities of older snapshots", e))
}

/// The identities of a batch of a list.
fn read(batch: &RecordBatch) -> Result<Vec<ListedIdentity>> {
    let column = |name: &str| {
        batch.column_by_name(name).cloned().ok_or_else(|| {
            EngineError::data("listing identities", format!("the plan has no column {name:?}"))
        })
    };
    let texts = |name: &str| strings(&column(name)?).map_err(|e| EngineError::plan(STEP, e));
    let (ids, display, first, last) =
        (texts("id")?, texts("display_name")?, texts("first_name")?, texts("last_name")?);
    let (active, left) = (column("active")?, column("left_since")?);
    let (active, left) = (active.as_boolean(), left.as_primitive::<TimestampMicrosecondType>());
    let text = |texts: &StringArray, row| texts.is_valid(row).then(|| texts.value(row).to_owned());
    let identity = |row| ListedIdentity {
        id: ids.value(row).to_owned(),
        display_name: text(&display, row),
        first_name: text(&first, row),
        last_name: text(&last, row),
        active: active.value(row),
        deleted: left.is_valid(row).then(|| left.value(row)).and_then(DateTime::from_timestamp_micros),
    };
    Ok((0..batch.num_rows()).map(identity).collect())
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
