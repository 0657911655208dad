//! What an access review is of: the live accounts of a snapshot with their entitlements, and the people among whom reviewers
//! are found.
//!
//! The items are counted by a query of its own before they are read, so a review that is too large is refused without
//! reading it. What was read must agree with the count.

use crate::cancellation::RunGuard;
use crate::error::{EngineError, Result};
use crate::functions::strings;
use crate::query::{self, Value, Values};
use crate::report::single_count;
use crate::scope;
use crate::session::Engine;
use chrono::DateTime;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use muster_reports::caller::DataScope;
use muster_reports::ids::SourceId;
use muster_reports::review::{FrozenAccess, ITEMS_MAX, PersonOfSnapshot, Population, ReviewPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const STEP: &str = "the population of a review";

/// The accounts that are reviewed.
const CHOSEN: &str = "(SELECT * FROM accounts WHERE dead_since IS NULL AND ($everywhere OR source_id IN ($sources)) \
    AND (NOT $only_privileged OR privileged OR privileged_by IS NOT NULL))";

const ACCESS: [&str; 14] = [
    "a.id",
    "a.source_id",
    "a.source_name",
    "a.name",
    "a.native_identity",
    "a.identity_id",
    "i.name",
    "i.display_name",
    "i.status",
    "i.manager_name",
    "a.privileged OR a.privileged_by IS NOT NULL",
    "coalesce(a.disabled, false)",
    "a.last_used",
    "a.entitlements",
];

impl Engine {
    /// What a review of this plan is of, in the part of the snapshot that `scope` shows.
    ///
    /// # Errors
    /// `Invalid` for more than [`ITEMS_MAX`] items, and for a snapshot without the columns; a failure of
    /// the engine, also when the items are not as many as were counted.
    pub fn population<'a>(
        self: &'a Arc<Self>,
        manifest: &'a SnapshotManifest,
        scope: &'a DataScope,
        plan: &'a ReviewPlan,
    ) -> BoxFuture<'a, Result<Population>> {
        Box::pin(async move {
            let running = RunGuard::default();
            let context = self.session_until(running.signal());
            scope::register(self, &context, manifest, scope, &["accounts", "identities", "sources"]).await?;
            let named = plan.list.iter().map(|line| line.reviewer.as_str()).chain(plan.fallback.as_deref());
            let named: BTreeSet<&str> = named.collect();
            let values = [
                ("everywhere", Value::Flag(plan.sources.is_empty())),
                ("sources", Value::texts(plan.sources.iter().map(String::as_str))),
                ("only_privileged", Value::Flag(plan.privileged)),
            ];
            let counted = self.found(&context, &count(), &values).await?;
            let counted = single_count(STEP, &counted)?;
            if counted > ITEMS_MAX as u64 {
                return Err(EngineError::Invalid(format!(
                    "the review has {counted} items: expected at most {ITEMS_MAX}; name fewer sources, or privileged accounts \
                     only"
                )));
            }
            let mut population = Population::default();
            for batch in self.found(&context, &access(), &values).await? {
                read_access(&batch, &mut population.access).map_err(|e| EngineError::plan(STEP, e))?;
            }
            if population.access.len() as u64 != counted {
                let read = population.access.len();
                return Err(EngineError::data(
                    "reading the population of a review",
                    format!("{read} items were read, and a second query counts {counted}"),
                ));
            }
            let owners = self.found(&context, "SELECT id, definition FROM sources", &[]).await?;
            population.owners = read_owners(&owners).map_err(|e| EngineError::plan(STEP, e))?;
            let names = named.into_iter().chain(population.owners.values().map(String::as_str));
            let names = Value::texts(names);
            let values: Vec<_> = values.into_iter().chain([("names", names)]).collect();
            for batch in self.found(&context, &people(), &values).await? {
                read_people(&batch, &mut population.people).map_err(|e| EngineError::plan(STEP, e))?;
            }
            Ok(population)
        })
    }

    async fn found(
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

/// Counts entitlements by a join of accounts and single values; an account without any counts once.
fn count() -> String {
    format!(
        "SELECT coalesce(sum(greatest(n, 1)), 0) FROM (SELECT a.id, count(DISTINCT e.value) AS n FROM {CHOSEN} a \
         LEFT JOIN (SELECT id, unnest(entitlements) AS value FROM {CHOSEN} c) e ON e.id = a.id GROUP BY a.id) n"
    )
}

fn access() -> String {
    let columns: Vec<_> = ACCESS.iter().enumerate().map(|(at, sql)| format!("{sql} AS c{at}")).collect();
    format!("SELECT {} FROM {CHOSEN} a LEFT JOIN identities i ON i.id = a.identity_id", columns.join(", "))
}

fn people() -> String {
    let columns = "i.id AS id, i.name AS name, i.display_name AS display_name, i.status AS status, i.manager_id AS manager_id";
    format!(
        "SELECT DISTINCT id, name, display_name, status, manager_id FROM (\
         SELECT {columns} FROM identities i LEFT SEMI JOIN {CHOSEN} a ON a.identity_id = i.id \
         UNION ALL SELECT {columns} FROM identities i LEFT SEMI JOIN identities m ON m.manager_id = i.id \
         UNION ALL SELECT {columns} FROM identities i WHERE i.name IN ($names))"
    )
}

fn read_access(batch: &RecordBatch, to: &mut Vec<FrozenAccess>) -> datafusion::error::Result<()> {
    let [
        id,
        source_id,
        source_name,
        name,
        native,
        identity,
        iname,
        display,
        status,
        manager,
        privileged,
        disabled,
    ] = std::array::from_fn(|at| strings(batch.column(at)));
    let (id, source_id, source_name, name) = (id?, source_id?, source_name?, name?);
    let (native, identity, iname, display) = (native?, identity?, iname?, display?);
    let (status, manager, privileged, disabled) = (status?, manager?, privileged?, disabled?);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let used = cast(batch.column(12), &time)?;
    let used = used.as_primitive::<TimestampMicrosecondType>();
    for row in 0..batch.num_rows() {
        let access = FrozenAccess {
            identity_id: optional(&identity, row),
            identity_name: optional(&iname, row),
            identity_display_name: optional(&display, row),
            identity_status: optional(&status, row),
            manager_name: optional(&manager, row),
            source_id: text(&source_id, row),
            source_name: text(&source_name, row),
            account_id: text(&id, row),
            account_name: optional(&name, row),
            native_identity: text(&native, row),
            entitlement: None,
            privileged: text(&privileged, row) == "true",
            disabled: text(&disabled, row) == "true",
            last_used: used.is_valid(row).then(|| DateTime::from_timestamp_micros(used.value(row))).flatten(),
        };
        let held = entitlements(batch.column(13), row)?;
        if held.is_empty() {
            to.push(access);
        } else {
            to.extend(
                held.into_iter().map(|value| FrozenAccess { entitlement: Some(value), ..access.clone() }),
            );
        }
    }
    Ok(())
}

/// The different entitlements of a row.
fn entitlements(column: &ArrayRef, row: usize) -> datafusion::error::Result<BTreeSet<String>> {
    let lists = column.as_list_opt::<i32>().ok_or_else(|| {
        datafusion::error::DataFusionError::Execution(format!(
            "entitlements are {}: expected lists",
            column.data_type()
        ))
    })?;
    if lists.is_null(row) {
        return Ok(BTreeSet::new());
    }
    let values = strings(&lists.value(row))?;
    Ok(values.iter().flatten().map(str::to_owned).collect())
}

fn read_people(batch: &RecordBatch, to: &mut Vec<PersonOfSnapshot>) -> datafusion::error::Result<()> {
    let [id, name, display, status, manager] = std::array::from_fn(|at| strings(batch.column(at)));
    let (id, name, display, status, manager) = (id?, name?, display?, status?, manager?);
    to.extend((0..batch.num_rows()).map(|row| PersonOfSnapshot {
        id: text(&id, row),
        name: text(&name, row),
        display_name: optional(&display, row),
        status: optional(&status, row),
        manager_id: optional(&manager, row),
    }));
    Ok(())
}

/// The owners that the definitions of sources name.
fn read_owners(batches: &[RecordBatch]) -> datafusion::error::Result<BTreeMap<SourceId, String>> {
    let mut owners = BTreeMap::new();
    for batch in batches {
        let (ids, definitions) = (strings(batch.column(0))?, strings(batch.column(1))?);
        for row in 0..batch.num_rows() {
            let definition = serde_json::from_str::<serde_json::Value>(definitions.value(row)).ok();
            let owner = definition.as_ref().and_then(|definition| definition.get("owner")?.as_str());
            owners.extend(owner.map(|owner| (SourceId::new(ids.value(row)), owner.to_owned())));
        }
    }
    Ok(owners)
}

fn optional(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned()).filter(|text| !text.is_empty())
}

fn text(column: &StringArray, row: usize) -> String {
    if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
}
