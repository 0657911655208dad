//! Checks a report definition without a snapshot: each of its texts is planned over empty tables.
//!
//! What cannot be seen without rows is seen when the report runs: that the last sort key is unique, that the second count
//! is that of the rows, and that subtotals add up. Each of these fails a run.

use crate::declared::{TABLES, Table};
use crate::error::EngineError;
use crate::policies::PolicyTables;
use crate::session::Engine;
use crate::{read_only_sql, report, series};
use chrono::DateTime;
use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures_util::future::BoxFuture;
use muster_reports::ReportDefinition;
use muster_reports::arguments::{ArgumentKind, Arguments};
use std::sync::Arc;

/// A fault of a definition: the key, and what is wrong.
type Fault = (String, String);

/// What the columns of a text must be.
#[derive(Debug, Clone, Copy)]
enum Columns {
    /// Those that the definition names.
    OfRows,
    /// One whole number.
    Count,
    /// This many texts and a whole number.
    Numbers(usize),
}

impl Engine {
    /// What is wrong with the query texts of a definition: each key, such as `subtotals[0].query`, with what was expected.
    /// The definition is one that [`ReportDefinition::with_faults`] has read. A search has no texts.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub fn check_definition<'a>(
        self: &'a Arc<Self>,
        definition: &'a ReportDefinition,
    ) -> BoxFuture<'a, Result<Vec<Fault>, EngineError>> {
        let (engine, definition) = (Arc::clone(self), definition.clone());
        Box::pin(async move {
            if definition.search {
                return Ok(Vec::new());
            }
            let planner = Arc::clone(&engine);
            engine.run(async move { check(&planner, &definition).await }).await
        })
    }
}

async fn check(engine: &Engine, definition: &ReportDefinition) -> Result<Vec<Fault>, EngineError> {
    let context = engine.session();
    read_only_sql::limit(&context);
    for table in TABLES {
        let empty = Arc::new(EmptyTable::new(Table::of(table).schema()));
        context.register_table(table, empty).map_err(|e| EngineError::plan(table, e))?;
    }
    if definition.has_period() {
        let empty = TABLES.into_iter().map(|table| (table, Table::of(table).schema()));
        series::register_empty(&context, empty)?;
    }
    if definition.arguments.iter().any(|spec| spec.kind == ArgumentKind::SodPolicies) {
        PolicyTables::empty().register(&context)?;
    }
    let mut faults = Vec::new();
    for (key, sql, columns) in texts(definition) {
        // The definition itself is refused without it.
        if sql.trim().is_empty() {
            continue;
        }
        let wrong = match planned(&context, sql, definition).await {
            Ok(query) => columns_wrong(&query, columns, definition),
            Err(reason) => vec![reason],
        };
        faults.extend(wrong.into_iter().map(|reason| (key.clone(), reason)));
    }
    Ok(faults)
}

/// Every text, with its key and what its columns must be.
fn texts<'a>(definition: &'a ReportDefinition) -> Vec<(String, &'a str, Columns)> {
    let mut texts = vec![
        ("query".to_owned(), definition.query.as_str(), Columns::OfRows),
        ("population".to_owned(), definition.population.as_str(), Columns::Count),
    ];
    let mut add = |list: &str, queries: Vec<&'a String>, columns| {
        for (index, query) in queries.into_iter().enumerate() {
            texts.push((format!("{list}[{index}].query"), query.as_str(), columns));
        }
    };
    add("exclusions", definition.exclusions.iter().map(|of| &of.query).collect(), Columns::Count);
    add("subtotals", definition.subtotals.iter().map(|of| &of.query).collect(), Columns::Numbers(1));
    add("charts", definition.charts.iter().map(|of| &of.query).collect(), Columns::Numbers(2));
    texts
}

/// The plan of a text with a value for each argument; or what is wrong with it.
async fn planned(
    context: &SessionContext,
    sql: &str,
    definition: &ReportDefinition,
) -> Result<DataFrame, String> {
    let failed = |error: datafusion::error::DataFusionError| error.strip_backtrace();
    let query = read_only_sql::plan(context, sql).await.map_err(failed)?;
    let values = report::parameters(DateTime::UNIX_EPOCH, definition, &Arguments::default());
    let query = if values.is_empty() { query } else { query.with_param_values(values).map_err(failed)? };
    query.clone().create_physical_plan().await.map_err(failed)?;
    Ok(query)
}

/// What is wrong with the columns of a text.
fn columns_wrong(query: &DataFrame, wanted: Columns, definition: &ReportDefinition) -> Vec<String> {
    let fields = query.schema().fields();
    // A sum may be of another type than its numbers; that it is whole, the run sees.
    let last_is_number = fields.last().is_some_and(|field| field.data_type().is_numeric());
    match wanted {
        Columns::OfRows => {
            let has = |name: &str| fields.iter().any(|field| field.name() == name);
            let lacks = |name: &str, why: &str| {
                let names: Vec<_> = fields.iter().map(|field| format!("{:?}", field.name())).collect();
                format!("it has no column {name:?}, {why}: expected it among {}", names.join(", "))
            };
            let columns =
                definition.columns.iter().map(|column| (column.name.as_str(), "which columns names"));
            let keys = definition.order_by.iter().map(|key| (key.as_str(), "which order_by names"));
            let attributes = definition
                .attribute_columns
                .map(|_| ("attributes", "from which attribute_columns takes the attributes"));
            let all = columns.chain(keys).chain(attributes);
            all.filter(|(name, _)| !has(name)).map(|(name, why)| lacks(name, why)).collect()
        }
        Columns::Count if fields.len() == 1 && last_is_number => Vec::new(),
        Columns::Count => {
            vec![format!("it has {}: expected one column with a whole number", described(query))]
        }
        Columns::Numbers(labels) if fields.len() == labels + 1 && last_is_number => Vec::new(),
        Columns::Numbers(labels) => {
            let labels = if labels == 1 { "a text" } else { "two texts" };
            vec![format!("it has {}: expected {labels} and a whole number", described(query))]
        }
    }
}

/// The columns of a text, in words.
fn described(query: &DataFrame) -> String {
    let fields = query.schema().fields();
    let columns: Vec<_> =
        fields.iter().map(|field| format!("{:?} ({})", field.name(), kind(field.data_type()))).collect();
    match columns.len() {
        0 => "no column".to_owned(),
        1 => format!("the column {}", columns.join("")),
        _ => format!("the columns {}", columns.join(", ")),
    }
}

/// A type, in words.
fn kind(of: &DataType) -> &'static str {
    if matches!(of, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8) {
        "text"
    } else if *of == DataType::Boolean {
        "true or false"
    } else if matches!(of, DataType::Timestamp(..)) {
        "time"
    } else if of.is_null() {
        "null"
    } else if of.is_integer() {
        "whole number"
    } else if of.is_numeric() {
        "number"
    } else {
        "another type"
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::session::EngineSettings;
    use muster_reports::Catalogue;

    fn faults(definition: &ReportDefinition) -> Vec<Fault> {
        let dir = tempfile::tempdir().unwrap();
        let [tables_dir, work_dir] = ["tables", "work"].map(|name| dir.path().join(name));
        let settings = EngineSettings { tables_dir, work_dir, memory_limit_bytes: 64 << 20, threads: 1 };
        let engine = Arc::new(Engine::open(settings).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(engine.check_definition(definition)).unwrap()
    }

    #[test]
    fn built_in_definitions_have_no_faults() {
        for definition in Catalogue::built_in().iter() {
            assert_eq!(faults(&definition), [], "{}", definition.id);
        }
    }

    #[test]
    fn every_fault_is_found_with_its_key() {
        let text = r#"
id = "mine"
version = 1
name = "Mine"
description = "d"
row = "r"
formats = ["CSV"]
order_by = ["id"]
query = "SELECT native_identity AS account FROM accounts WHERE source_id = $source"
population = "SELECT count(*), 1 FROM accounts"
[[columns]]
name = "account"
label = "Account"
meaning = "m"
[[columns]]
name = "owner"
label = "Owner"
meaning = "m"
[[exclusions]]
reason = "gone"
query = "SELECT count(*) FROM acounts"
[[exclusions]]
reason = "fine"
query = "SELECT count(*) FROM accounts WHERE dead_since IS NOT NULL"
[[subtotals]]
by = "source"
query = "SELECT source_name, source_id FROM accounts"
[[charts]]
title = "t"
description = "d"
unit = "accounts"
form = "bars"
query = "DROP TABLE accounts"
"#;
        let (definition, own) = ReportDefinition::with_faults(text).unwrap();
        assert_eq!(own, []);
        let found = faults(&definition);
        let keys: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            ["query", "population", "exclusions[0].query", "subtotals[0].query", "charts[0].query"]
        );
        for ((_, reason), expected) in found.iter().zip([
            "source",
            "expected one column with a whole number",
            "acounts",
            "it has the columns \"source_name\" (text), \"source_id\" (text): expected a text and a whole number",
            "it is not a query: expected one SELECT over the snapshot's tables",
        ]) {
            assert!(reason.contains(expected), "{reason}");
        }
        let with_argument = text.replace(
            "[[exclusions]]\nreason = \"gone\"",
            "[[arguments]]\nname = \"source\"\ntype = \"source_id\"\nmeaning = \"m\"\n[[exclusions]]\nreason = \"gone\"",
        );
        let (definition, _) = ReportDefinition::with_faults(&with_argument).unwrap();
        let query: Vec<_> = faults(&definition).into_iter().filter(|(key, _)| key == "query").collect();
        assert_eq!(
            query.iter().map(|(_, reason)| reason.as_str()).collect::<Vec<_>>(),
            [
                "it has no column \"owner\", which columns names: expected it among \"account\"",
                "it has no column \"id\", which order_by names: expected it among \"account\""
            ]
        );
    }
}
