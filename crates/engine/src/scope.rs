//! What a caller sees of the tables whose data scope is limited to some sources.
//!
//! The plans of such a caller use views instead of tables, so neither a query nor a count can read more. In view are
//! the accounts of these sources, the identities that own a live account of them, and rows about these sources. The
//! number of accounts of an identity counts accounts in view only. In documents of identities, the lists have elements
//! of these sources only, and their counts follow. Rows about several sources or about none are not in view: roles,
//! account activities, events, and the counts of earlier snapshots.

use crate::declared::{ACCOUNTS, COUNTS, Columns, InView, TABLES, Table};
use crate::error::{EngineError, Result};
use crate::functions::OfSourcesFunction;
use crate::query::{self, Value};
use crate::session::Engine;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use muster_reports::caller::DataScope;
use muster_reports::ids::SourceId;
use muster_reports::snapshot::SnapshotManifest;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Registers the tables of a snapshot in `context`, as far as `scope` shows them.
///
/// A snapshot of an older version of the program may have fewer tables. Missing tables are not registered.
pub(crate) async fn register(
    engine: &Engine,
    context: &SessionContext,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    wanted: &[&'static str],
) -> Result<()> {
    register_rows(engine, context, manifest, scope, wanted, &Rows::All).await
}

/// As [`register`], for a query that asks the tables for the row of one identity: only the files that may have this row
/// are checked. The tables must have identities as their rows.
pub(crate) async fn register_for_identity(
    engine: &Engine,
    context: &SessionContext,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    wanted: &[&'static str],
    id: &str,
) -> Result<()> {
    register_rows(engine, context, manifest, scope, wanted, &Rows::OfId(id)).await
}

/// Which rows of a table a query asks for.
enum Rows<'a> {
    All,
    /// Those of this id.
    OfId(&'a str),
}

async fn register_rows(
    engine: &Engine,
    context: &SessionContext,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    wanted: &[&'static str],
    rows: &Rows<'_>,
) -> Result<()> {
    shown(engine, manifest, scope, wanted, rows).await?.register(context)
}

/// Tables of a snapshot as far as a caller sees them, by name.
pub(crate) struct ShownTables(Vec<(&'static str, Arc<dyn TableProvider>)>);

impl ShownTables {
    /// The columns that tables lack, because an older version of the program wrote them: each as its table and its name.
    pub(crate) fn lacking(&self) -> Vec<(&'static str, String)> {
        let lacking = self.0.iter().flat_map(|(table, shown)| {
            let known = shown.schema();
            let declared = Table::of(table).schema();
            let names: Vec<_> = declared.fields().iter().map(|field| field.name().clone()).collect();
            names
                .into_iter()
                .filter(move |name| known.index_of(name).is_err())
                .map(move |name| (*table, name))
        });
        lacking.collect()
    }

    /// The table, if one was wanted and the snapshot has it.
    pub(crate) fn only(self) -> Option<Arc<dyn TableProvider>> {
        self.0.into_iter().next().map(|(_, shown)| shown)
    }

    /// Registers the tables in a session.
    pub(crate) fn register(&self, context: &SessionContext) -> Result<()> {
        for (table, shown) in &self.0 {
            let registered = context.register_table(*table, Arc::clone(shown));
            registered.map_err(|e| EngineError::plan(table, e))?;
        }
        Ok(())
    }
}

/// The tables of a snapshot as far as `scope` shows them, for several sessions; see [`register`].
pub(crate) async fn tables(
    engine: &Engine,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    wanted: &[&'static str],
) -> Result<ShownTables> {
    shown(engine, manifest, scope, wanted, &Rows::All).await
}

async fn shown(
    engine: &Engine,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    wanted: &[&'static str],
    rows: &Rows<'_>,
) -> Result<ShownTables> {
    let views = match scope {
        DataScope::Everything => None,
        DataScope::Sources(sources) => {
            Some((whole_tables(engine, manifest, sources, wanted, rows).await?, sources))
        }
    };
    let mut shown = Vec::with_capacity(wanted.len());
    for table in wanted.iter().copied() {
        let Some(provider) = provider(engine, manifest, table, rows).await? else { continue };
        let seen = match &views {
            None => provider,
            Some((whole, sources)) => {
                let ids = [("sources", Value::texts(sources.iter().map(SourceId::as_str)))];
                let sql = view(Table::of(table), &provider.schema());
                let planned = query::plan(whole, &sql, &ids).await;
                planned.map_err(|e| EngineError::plan(table, e))?.into_view()
            }
        };
        shown.push((table, seen));
    }
    Ok(ShownTables(shown))
}

/// A session with the whole tables, which the views read. Queries of callers never run in it. Accounts determine which
/// identities are in view.
async fn whole_tables(
    engine: &Engine,
    manifest: &SnapshotManifest,
    sources: &BTreeSet<SourceId>,
    wanted: &[&'static str],
    rows: &Rows<'_>,
) -> Result<SessionContext> {
    let whole = engine.session();
    for table in TABLES.into_iter().filter(|table| *table == ACCOUNTS || wanted.contains(table)) {
        // Accounts of an identity may be in any of their files.
        let rows = if wanted.contains(&table) { rows } else { &Rows::All };
        let Some(provider) = provider(engine, manifest, table, rows).await? else { continue };
        whole.register_table(table, provider).map_err(|e| EngineError::plan(table, e))?;
    }
    register_functions(&whole, sources);
    Ok(whole)
}

/// The table, as far as it has these rows; `None` if the snapshot does not have it.
async fn provider(
    engine: &Engine,
    manifest: &SnapshotManifest,
    table: &'static str,
    rows: &Rows<'_>,
) -> Result<Option<Arc<dyn TableProvider>>> {
    Ok(match manifest.versions.get(table) {
        Some(version) => Some(match rows {
            Rows::All => engine.provider(manifest, table, *version).await?,
            Rows::OfId(id) => engine.provider_of_id(manifest, table, *version, id).await?,
        }),
        // An older snapshot has no counts. An empty table lets trend reports run until the next refresh.
        None if table == COUNTS => Some(Arc::new(EmptyTable::new(Table::of(table).schema()))),
        None => None,
    })
}

/// Registers `of_sources`, which keeps the elements of the sources, and the functions that also filter by type.
fn register_functions(context: &SessionContext, sources: &BTreeSet<SourceId>) {
    for (name, kind) in [
        ("of_sources", None),
        ("entitlements_of_sources", Some("ENTITLEMENT")),
        ("access_profiles_of_sources", Some("ACCESS_PROFILE")),
    ] {
        let function = OfSourcesFunction::new(name, sources.iter().map(ToString::to_string).collect(), kind);
        context.register_udf(ScalarUDF::from(function));
    }
}

/// Owners of live accounts in view, and how many such accounts each has.
const OWNERS: &str = "(SELECT identity_id, CAST(count(*) AS INT) AS n FROM accounts \
     WHERE dead_since IS NULL AND identity_id IS NOT NULL AND source_id IN ($sources) GROUP BY identity_id)";

/// The query for the visible rows of a table. `$sources` has the ids of the sources in view.
fn view(table: &Table, schema: &SchemaRef) -> String {
    let name = table.name;
    match (table.in_view, table.columns) {
        (InView::OfSource(source), _) => format!("SELECT * FROM {name} WHERE {source} IN ($sources)"),
        (InView::OfOwners, shown) => {
            let columns = columns(
                schema,
                match shown {
                    Columns::Listed(_) => limited_column,
                    Columns::Documents(_) => limited_field,
                },
            );
            format!("SELECT {columns} FROM {name} t JOIN {OWNERS} v ON v.identity_id = t.id")
        }
        (InView::Nothing, _) => format!("SELECT * FROM {name} WHERE false"),
    }
}

/// All columns that a table has in this snapshot, in their order. `instead` returns the expression for a column that is
/// limited.
fn columns(schema: &SchemaRef, instead: fn(&str) -> Option<String>) -> String {
    let column = |name: &str| {
        instead(name).map_or_else(|| format!("t.\"{name}\""), |other| format!("{other} AS \"{name}\""))
    };
    schema.fields().iter().map(|field| column(field.name())).collect::<Vec<_>>().join(", ")
}

/// The expression for a limited column of an identity; `None` for a column that is shown unchanged.
fn limited_column(name: &str) -> Option<String> {
    (name == "account_count").then(|| "v.n".to_owned())
}

/// The expression for a limited field of an identity's document; `None` for a field that is shown unchanged.
fn limited_field(name: &str) -> Option<String> {
    let count = |function: &str, list: &str| {
        Some(format!("CAST(coalesce(array_length({function}(t.\"{list}\")), 0) AS BIGINT)"))
    };
    match name {
        "accounts" | "apps" | "access" => Some(format!("of_sources(t.\"{name}\")")),
        "accountCount" => count("of_sources", "accounts"),
        "appCount" => count("of_sources", "apps"),
        "accessCount" => count("of_sources", "access"),
        "entitlementCount" => count("entitlements_of_sources", "access"),
        "accessProfileCount" => count("access_profiles_of_sources", "access"),
        // Roles have no source, and an identity can own objects of any source.
        "owns" | "ownsCount" | "roleCount" => Some(format!("CASE WHEN false THEN t.\"{name}\" END")),
        _ => None,
    }
}
