//! What a caller sees of the tables who may see the rows of some sources only.
//!
//! Such a caller's plans know views in place of tables, so that neither a query nor a count can reach past them: the
//! accounts of those sources, the identities that have a live one among them, and what is about those sources. An
//! identity's count of accounts is that of the accounts in view. In documents of identities the lists are cut to the
//! elements of those sources, and their counts with them. What is about several sources at once, or about none, is
//! not in view: roles, account activities, events, and what earlier snapshots counted.

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

/// Makes the tables of a snapshot known to `context`, as far as `scope` shows them.
///
/// A snapshot that an older version made has fewer tables; those it lacks stay unknown.
pub(crate) async fn register(
    engine: &Engine,
    context: &SessionContext,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    wanted: &[&'static str],
) -> Result<()> {
    let views = match scope {
        DataScope::Everything => None,
        DataScope::Sources(sources) => {
            Some((whole_tables(engine, manifest, sources, wanted).await?, sources))
        }
    };
    for table in wanted.iter().copied() {
        let failed = |e| EngineError::plan(table, e);
        let Some(provider) = provider(engine, manifest, table).await? else { continue };
        let shown = match &views {
            None => provider,
            Some((whole, sources)) => {
                let ids = [("sources", Value::texts(sources.iter().map(SourceId::as_str)))];
                let sql = view(Table::of(table), &provider.schema());
                query::plan(whole, &sql, &ids).await.map_err(failed)?.into_view()
            }
        };
        context.register_table(table, shown).map_err(failed)?;
    }
    Ok(())
}

/// A session that knows the tables themselves, for the views to read; no query of a caller runs in it. Who is in view
/// follows from accounts.
async fn whole_tables(
    engine: &Engine,
    manifest: &SnapshotManifest,
    sources: &BTreeSet<SourceId>,
    wanted: &[&'static str],
) -> Result<SessionContext> {
    let whole = engine.session();
    for table in TABLES.into_iter().filter(|table| *table == ACCOUNTS || wanted.contains(table)) {
        let Some(provider) = provider(engine, manifest, table).await? else { continue };
        whole.register_table(table, provider).map_err(|e| EngineError::plan(table, e))?;
    }
    register_functions(&whole, sources);
    Ok(whole)
}

/// The table as it is; `None` where the snapshot has no such table.
async fn provider(
    engine: &Engine,
    manifest: &SnapshotManifest,
    table: &'static str,
) -> Result<Option<Arc<dyn TableProvider>>> {
    Ok(match manifest.versions.get(table) {
        Some(version) => Some(engine.provider(manifest, table, *version).await?),
        // A trend over no snapshots: better than no report until the next refresh.
        None if table == COUNTS => Some(Arc::new(EmptyTable::new(Table::of(table).schema()))),
        None => None,
    })
}

/// `of_sources` keeps the elements of the sources; the others those of one type.
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

/// Owners of live accounts in view, and how many of these each has.
const OWNERS: &str = "(SELECT identity_id, CAST(count(*) AS INT) AS n FROM accounts \
     WHERE dead_since IS NULL AND identity_id IS NOT NULL AND source_id IN ($sources) GROUP BY identity_id)";

/// The query that shows a table's visible rows; `$sources` are the ids of the sources in view.
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

/// All columns that a table has in this snapshot, in their order, those that `instead` names as it says.
fn columns(schema: &SchemaRef, instead: fn(&str) -> Option<String>) -> String {
    let column = |name: &str| {
        instead(name).map_or_else(|| format!("t.\"{name}\""), |other| format!("{other} AS \"{name}\""))
    };
    schema.fields().iter().map(|field| column(field.name())).collect::<Vec<_>>().join(", ")
}

/// A column of an identity as it is shown, where that is not as it is.
fn limited_column(name: &str) -> Option<String> {
    (name == "account_count").then(|| "v.n".to_owned())
}

/// A field of an identity's document as it is shown, where that is not as it is.
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
        // Roles have no source; what an identity owns can be of any.
        "owns" | "ownsCount" | "roleCount" => Some(format!("CASE WHEN false THEN t.\"{name}\" END")),
        _ => None,
    }
}
