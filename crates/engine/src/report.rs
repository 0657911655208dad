//! A report over a snapshot: its plan, and a second, independent count of its population.

mod queries;

use crate::cancellation::RunGuard;
use crate::error::{EngineError, Result};
use crate::functions::strings;
use crate::kept_plans::Shape;
use crate::opaque::Opaque;
use crate::order::{Ordered, SortKey};
use crate::rows::ReportRows;
use crate::session::Engine;
use crate::{policies, read_only_sql, scope, series};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::prelude::{Expr, SessionContext, ident, lit};
use futures_util::future::BoxFuture;
use muster_reports::arguments::{ArgumentKind, ArgumentValue, Arguments};
use muster_reports::caller::DataScope;
use muster_reports::cover::{Breakdown, Count, Reconciliation};
use muster_reports::definition::{AttributeColumns, ReportDefinition, SNAPSHOT_TIME};
use muster_reports::series::Series;
use muster_reports::snapshot::SnapshotManifest;
use queries::Queries;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// A column of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Technical name. The column of the batch has this name too.
    pub name: String,
    /// Label.
    pub label: String,
    /// Meaning of the column, for readers.
    pub meaning: String,
    /// `definition`, `identity attribute`, `account attribute`.
    pub origin: &'static str,
}

/// A number of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartNumber {
    /// The category on the chart's axis.
    pub category: String,
    /// The series that the number belongs to.
    pub series: String,
    /// The number.
    pub number: u64,
}

/// A report that is ready to run. Dropping it ends its rows and counts.
pub struct ReportPlan {
    engine: Arc<Engine>,
    queries: Opaque<Queries>,
    definition: ReportDefinition,
    columns: Vec<OutputColumn>,
    rows: Opaque<Ordered>,
    _running: RunGuard,
}

impl Engine {
    /// Plans `definition` with `arguments` over the part of the snapshot that `scope` shows.
    ///
    /// # Errors
    /// `Invalid` when the definition's query does not fit the tables, otherwise a failure of the engine.
    pub fn prepare<'a>(
        self: &'a Arc<Self>,
        manifest: &'a SnapshotManifest,
        definition: &'a ReportDefinition,
        arguments: &'a Arguments,
        scope: &'a DataScope,
    ) -> BoxFuture<'a, Result<ReportPlan>> {
        static ALONE: LazyLock<Series> = LazyLock::new(Series::default);
        self.prepare_over(manifest, &ALONE, definition, arguments, scope)
    }

    /// As [`Engine::prepare`], over the period and the access review of `series`.
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn prepare_over<'a>(
        self: &'a Arc<Self>,
        manifest: &'a SnapshotManifest,
        series: &'a Series,
        definition: &'a ReportDefinition,
        arguments: &'a Arguments,
        scope: &'a DataScope,
    ) -> BoxFuture<'a, Result<ReportPlan>> {
        Box::pin(async move {
            let named = read_only_sql::check(definition)?;
            let own: Vec<_> = named.own.iter().copied().collect();
            let running = RunGuard::default();
            // If a query names a table that the snapshot does not have, planning it returns an error that says so.
            let shown = scope::tables(self, manifest, scope, &own).await?;
            let series = series::tables(self, manifest, series, scope, &named).await?;
            let version = |table: &'static str| Some((table, *manifest.versions.get(table)?));
            let signal = running.signal();
            let found = policies::tables(self, manifest, scope, definition, arguments, &signal).await?;
            let is_kept =
                matches!(scope, DataScope::Everything) && !definition.has_period() && !found.are_searched();
            let whole = is_kept.then(|| own.iter().copied().filter_map(version).collect());
            let lacking = [shown.lacking(), series.lacking().to_vec()];
            let parameters = parameters(manifest.created, definition, arguments);
            let queries = Queries::new(self, signal, (shown, series, found), whole, parameters);
            let attributes = attribute_columns(manifest, definition, arguments)?;
            let columns = output_columns(definition, &attributes);
            let rows = rows(&queries, definition, &columns, &attributes);
            let rows = rows.await.map_err(|error| explained(error, manifest, definition, &lacking))?;
            Ok(ReportPlan {
                engine: Arc::clone(self),
                queries: Opaque::new(queries),
                definition: definition.clone(),
                columns,
                rows: Opaque::new(rows),
                _running: running,
            })
        })
    }
}

impl ReportPlan {
    /// The columns, in file order.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// The query text with its order, as covers show it. Covers list the argument values separately.
    pub fn effective_query(&self) -> String {
        let keys: Vec<_> = self.definition.order_by.iter().map(|key| format!("{key:?}")).collect();
        format!("{}\nORDER BY {}", self.definition.query.trim(), keys.join(", "))
    }

    /// Starts the plan.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub fn start(&self) -> Result<ReportRows> {
        let rows = Ordered::clone(&self.rows);
        let schema = rows.schema();
        let as_it_is = Arc::new(|batch| Ok(vec![batch]));
        ReportRows::start(&self.engine, self.definition.id.as_str(), schema, vec![(rows, as_it_is)])
    }

    /// Counts the population and the rows that are left out of it, with plans that share nothing with the plan of the
    /// rows. `reported` is zero; the writer fills it in.
    ///
    /// # Errors
    /// When a plan fails, or the exclusions exceed the population.
    pub fn reconcile(&self) -> BoxFuture<'_, Result<Reconciliation>> {
        Box::pin(async move {
            let population = self.count("population", &self.definition.population);
            let exclusions = futures_util::future::try_join_all(self.definition.exclusions.iter().map(
                |exclusion| async {
                    let rows = self.count(&exclusion.reason, &exclusion.query).await?;
                    Ok::<_, EngineError>(Count { label: exclusion.reason.clone(), rows })
                },
            ));
            let subtotals =
                futures_util::future::try_join_all(self.definition.subtotals.iter().map(|subtotal| async {
                    let batches = self.collect(&subtotal.by, &subtotal.query).await?;
                    Ok::<_, EngineError>(Breakdown {
                        by: subtotal.by.clone(),
                        parts: counts(&subtotal.by, &batches)?,
                    })
                }));
            let (population, excluded, subtotals) =
                futures_util::future::try_join3(population, exclusions, subtotals).await?;
            let left_out: u64 = excluded.iter().map(|count| count.rows).sum();
            let expected = population.checked_sub(left_out).ok_or_else(|| {
                no_count("population", format!("{left_out} rows are left out of {population}"))
            })?;
            Ok(Reconciliation { population, excluded, added: Vec::new(), expected, reported: 0, subtotals })
        })
    }

    /// The numbers of the definition's charts: (category, series, number) for each chart, in order.
    ///
    /// # Errors
    /// When a plan fails.
    pub fn charts(&self) -> BoxFuture<'_, Result<Vec<Vec<ChartNumber>>>> {
        Box::pin(async move {
            let charts = self.definition.charts.iter().map(|chart| async {
                numbers(&chart.title, &self.collect(&chart.title, &chart.query).await?)
            });
            futures_util::future::try_join_all(charts).await
        })
    }

    async fn count(&self, step: &str, sql: &str) -> Result<u64> {
        single_count(step, &self.collect(step, sql).await?)
    }

    /// The rows of a query. It is planned on the engine's threads, too, so that several queries are planned side by side.
    async fn collect(&self, step: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let (queries, step, sql) = (self.queries.clone(), step.to_owned(), sql.to_owned());
        self.engine.run(async move { queries.collect(&step, &sql).await }).await
    }
}

/// The values of the placeholders over a snapshot of this time. An argument that a query may name and that is absent is null.
pub(crate) fn parameters(
    created: DateTime<Utc>,
    definition: &ReportDefinition,
    arguments: &Arguments,
) -> Vec<(String, ScalarValue)> {
    let mut parameters: Vec<_> = arguments
        .iter()
        .filter_map(|(name, value)| match value {
            ArgumentValue::Boolean(flag) => Some((name.to_owned(), ScalarValue::Boolean(Some(*flag)))),
            ArgumentValue::Number(number) => Some((name.to_owned(), ScalarValue::Int64(Some(*number)))),
            ArgumentValue::Text(text) => Some((name.to_owned(), ScalarValue::Utf8(Some(text.clone())))),
            // Lists set formats; queries do not use them.
            ArgumentValue::Texts(_) => None,
        })
        .collect();
    for spec in definition.arguments.iter().filter(|spec| arguments.get(&spec.name).is_none()) {
        let null = match spec.kind {
            ArgumentKind::Boolean => ScalarValue::Boolean(None),
            ArgumentKind::Integer { .. } => ScalarValue::Int64(None),
            ArgumentKind::Date
            | ArgumentKind::Snapshot
            | ArgumentKind::Review
            | ArgumentKind::SodPolicies
            | ArgumentKind::SodExceptions
            | ArgumentKind::Text
            | ArgumentKind::SourceId
            | ArgumentKind::AuthoritativeSourceId
            | ArgumentKind::SourceName
            | ArgumentKind::Query
            | ArgumentKind::Names => ScalarValue::Utf8(None),
            ArgumentKind::Texts { .. } => continue,
        };
        parameters.push((spec.name.clone(), null));
    }
    // Only where a query names it: other plans are the same for all snapshots that share their tables.
    let placeholder = format!("${SNAPSHOT_TIME}");
    if definition.queries().any(|(_, sql)| sql.contains(&placeholder)) {
        let time = Some(created.timestamp_micros());
        let utc = Some("UTC".into());
        parameters.push((SNAPSHOT_TIME.to_owned(), ScalarValue::TimestampMicrosecond(time, utc)));
    }
    parameters
}

/// An error of planning. If the query names a column that the snapshot does not have yet, it says so.
fn explained(
    error: EngineError,
    manifest: &SnapshotManifest,
    definition: &ReportDefinition,
    [own, earlier]: &[Vec<(&'static str, String)>; 2],
) -> EngineError {
    let text = error.to_string();
    // As the planner writes names: `last_used` or `a.last_used`.
    let is_named = |name: &str| {
        let names = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        names.into_iter().any(|word| word == name)
    };
    let found = |lacking: &[(&'static str, String)]| {
        lacking.iter().find(|(_, name)| is_named(name)).map(|(table, name)| {
            format!("an older version of the program made it, and its table {table} has no column {name}")
        })
    };
    match (found(own), found(earlier)) {
        (Some(why), _) => EngineError::Invalid(format!(
            "report {} cannot be made of snapshot {}: {why}. Refresh, and start the report again over the new snapshot",
            definition.id, manifest.id
        )),
        (None, Some(why)) => EngineError::Invalid(format!(
            "report {} cannot be made of this period, because of a snapshot before {}: {why}. Begin the period later",
            definition.id, manifest.id
        )),
        (None, None) => error,
    }
}

fn attribute_columns(
    manifest: &SnapshotManifest,
    definition: &ReportDefinition,
    arguments: &Arguments,
) -> Result<Vec<String>> {
    match definition.attribute_columns {
        None => Ok(Vec::new()),
        Some(AttributeColumns::Identity) => Ok(manifest.identity_attributes.clone()),
        Some(AttributeColumns::Source) => {
            let id =
                definition.source_argument().and_then(|spec| arguments.text(&spec.name)).unwrap_or_default();
            let source = manifest.source(id).ok_or_else(|| {
                EngineError::Invalid(format!("snapshot {} has no source {id:?}", manifest.id))
            })?;
            Ok(source.attributes.clone())
        }
    }
}

/// The rows of a report, in order.
async fn rows(
    queries: &Queries,
    definition: &ReportDefinition,
    columns: &[OutputColumn],
    attributes: &[String],
) -> Result<Ordered> {
    let shape = Shape::Columns {
        columns: definition.columns.iter().map(|column| column.name.clone()).collect(),
        attributes: attributes.to_vec(),
        order: definition.order_by.clone(),
    };
    let unplanned = |error: DataFusionError| {
        EngineError::Invalid(format!("the query of report {} cannot be planned: {error}", definition.id))
    };
    let disordered =
        |error: DataFusionError| EngineError::Invalid(format!("report {}: {error}", definition.id));
    let optimize = |context: &SessionContext, query: DataFrame| {
        let expressions = output_expressions(context, definition, attributes, &query)?;
        let shown = columns.iter().map(|column| column.name.clone()).zip(expressions).collect();
        let keys = definition.order_by.iter().map(|key| SortKey::column(key)).collect();
        let ordered = Ordered::new(query, shown, keys).map_err(disordered)?;
        ordered.optimized().map_err(|error| EngineError::plan(definition.id.as_str(), error))
    };
    let planned = queries.planned(&definition.query, shape, unplanned, optimize).await?;
    planned
        .ordered(queries.running())
        .ok_or_else(|| EngineError::Invalid(format!("report {}: its rows have no order", definition.id)))
}

/// The output columns.
fn output_columns(definition: &ReportDefinition, attributes: &[String]) -> Vec<OutputColumn> {
    let of_definition = definition.columns.iter().map(|column| OutputColumn {
        name: column.name.clone(),
        label: column.label.clone(),
        meaning: column.meaning.clone(),
        origin: "definition",
    });
    let mut columns: Vec<_> = of_definition.collect();
    let Some(kind) = definition.attribute_columns else { return columns };
    let (origin, what) = match kind {
        AttributeColumns::Identity => ("identity attribute", "Identity attribute"),
        AttributeColumns::Source => ("account attribute", "Account attribute"),
    };
    let fixed: Vec<&str> = definition.columns.iter().map(|column| column.name.as_str()).collect();
    let of_attribute = attributes.iter().zip(attribute_headers(&fixed, attributes));
    columns.extend(of_attribute.map(|(attribute, name)| OutputColumn {
        label: title_case(&name),
        meaning: format!("{what} {attribute}."),
        origin,
        name,
    }));
    columns
}

/// The expressions that compute the output columns.
fn output_expressions(
    context: &SessionContext,
    definition: &ReportDefinition,
    attributes: &[String],
    query: &DataFrame,
) -> Result<Vec<Expr>> {
    let mut expressions = Vec::with_capacity(definition.columns.len() + attributes.len());
    for column in &definition.columns {
        if !query.schema().fields().iter().any(|field| field.name() == &column.name) {
            return Err(EngineError::Invalid(format!(
                "the query of report {} has no column {:?}",
                definition.id, column.name
            )));
        }
        expressions.push(ident(&column.name));
    }
    if definition.attribute_columns.is_some() {
        let function = context
            .state()
            .scalar_functions()
            .get("attribute")
            .cloned()
            .ok_or_else(|| EngineError::Invalid("the function attribute is missing".into()))?;
        let value = |attribute: &String| function.call(vec![ident("attributes"), lit(attribute.as_str())]);
        expressions.extend(attributes.iter().map(value));
    }
    Ok(expressions)
}

/// A column name for each attribute. It is the name of the attribute if no column before it has that name, whatever the
/// case of its letters: spreadsheets and databases do not tell `firstName` from `firstname`. Otherwise it is
/// `attributes.NAME`, with as many `attributes.` as are needed to make it unique.
fn attribute_headers(fixed: &[&str], attributes: &[String]) -> Vec<String> {
    let mut seen: BTreeSet<String> = fixed.iter().map(|name| name.to_lowercase()).collect();
    let mut taken: BTreeSet<String> =
        seen.iter().cloned().chain(attributes.iter().map(|name| name.to_lowercase())).collect();
    let header = |attribute: &String| {
        if seen.insert(attribute.to_lowercase()) {
            return attribute.clone();
        }
        let mut name = format!("attributes.{attribute}");
        while !taken.insert(name.to_lowercase()) {
            name.insert_str(0, "attributes.");
        }
        name
    };
    attributes.iter().map(header).collect()
}

/// `cloudLifecycleState` as `Cloud Lifecycle State`, `sAMAccountName` as `SAM Account Name`.
pub(crate) fn title_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let is_upper = |at: usize| letters.get(at).is_some_and(|letter| letter.is_uppercase());
    let is_lower = |at: usize| letters.get(at).is_some_and(|letter| letter.is_lowercase());
    let mut label = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().copied().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        // A word begins with a capital after a small letter. But a single small letter at the beginning belongs to the
        // capitals after it.
        let begins = is_upper(at) && at > 0 && is_lower(at - 1) && !(at == 1 && is_upper(at + 1));
        // The last of several capitals begins a word, unless it is followed by the plural `s` only.
        let is_plural = letters.get(at + 1) == Some(&'s') && !is_lower(at + 2);
        let ends = is_upper(at) && at > 0 && is_upper(at - 1) && is_lower(at + 1) && !is_plural;
        match before {
            None | Some('.' | '_' | '-') => label.extend(letter.to_uppercase()),
            Some(_) if matches!(letter, '.' | '_' | '-') => label.push(' '),
            Some(_) => {
                if begins || ends {
                    label.push(' ');
                }
                label.push(letter);
            }
        }
    }
    label
}

/// The one integer of a result of one row.
pub(crate) fn single_count(step: &str, batches: &[RecordBatch]) -> Result<u64> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let Some(batch) = batches.iter().find(|b| b.num_rows() == 1).filter(|_| rows == 1) else {
        return Err(no_count(step, format!("the query returned {rows} rows: expected one")));
    };
    Ok(whole_numbers(step, batch.column(0))?[0])
}

/// The numbers of a column of counts. A value that is not a whole number from 0 up is an error.
pub(crate) fn whole_numbers(step: &str, column: &ArrayRef) -> Result<Vec<u64>> {
    let wrong = |what: String| no_count(step, what);
    let numbers = cast(column, &DataType::Int64).map_err(|e| wrong(e.to_string()))?;
    // The cast drops fractions, so the result is compared with the input.
    let again = cast(&numbers, column.data_type()).map_err(|e| wrong(e.to_string()))?;
    let whole = again.to_data() == column.to_data();
    let read = |number: Option<i64>| match number.map(u64::try_from) {
        Some(Ok(number)) if whole => Ok(number),
        Some(_) => Err(wrong(
            "the query returned a fraction or a negative number: expected whole numbers from 0 up".into(),
        )),
        None => Err(wrong(
            "the query returned null or a value that is not a number: expected a whole number".into(),
        )),
    };
    numbers.as_primitive::<Int64Type>().iter().map(read).collect()
}

/// A column of labels. A null becomes `none`.
fn labels(step: &str, column: &ArrayRef) -> Result<Vec<String>> {
    let texts = strings(column).map_err(|e| EngineError::plan(step, e))?;
    Ok(texts.iter().map(|label| label.unwrap_or("none").to_owned()).collect())
}

/// The columns of a batch, if it has exactly `N`.
fn columns<'a, const N: usize>(step: &str, batch: &'a RecordBatch) -> Result<&'a [ArrayRef; N]> {
    batch.columns().first_chunk().ok_or_else(|| {
        no_count(step, format!("the query returned {} columns: expected {N}", batch.num_columns()))
    })
}

/// The error for an invalid count. The query's author may read it: it contains no data.
fn no_count(step: &str, what: impl std::fmt::Display) -> EngineError {
    EngineError::Invalid(format!("counting {step:?}: {what}"))
}

fn counts(step: &str, batches: &[RecordBatch]) -> Result<Vec<Count>> {
    let mut parts = Vec::new();
    for batch in batches {
        let [of, numbers] = columns(step, batch)?;
        let numbers = labels(step, of)?.into_iter().zip(whole_numbers(step, numbers)?);
        parts.extend(numbers.map(|(label, rows)| Count { label, rows }));
    }
    Ok(parts)
}

fn numbers(step: &str, batches: &[RecordBatch]) -> Result<Vec<ChartNumber>> {
    let mut found = Vec::new();
    for batch in batches {
        let [categories, series, numbers] = columns(step, batch)?;
        let names = labels(step, categories)?.into_iter().zip(labels(step, series)?);
        let numbers = names.zip(whole_numbers(step, numbers)?);
        found.extend(numbers.map(|((category, series), number)| ChartNumber { category, series, number }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::arrow::array::{Float64Array, Int64Array, StringArray};

    #[test]
    fn what_counts_nothing_is_an_error_and_no_zero() {
        let wrong: [ArrayRef; 5] = [
            Arc::new(Int64Array::from(vec![Some(1), None])),
            Arc::new(Int64Array::from(vec![-1])),
            Arc::new(Float64Array::from(vec![2.0, 1.5])),
            Arc::new(Float64Array::from(vec![f64::NAN])),
            Arc::new(StringArray::from(vec!["many"])),
        ];
        for column in wrong {
            let refused = whole_numbers("by", &column).unwrap_err();
            assert!(matches!(refused, EngineError::Invalid(_)), "{column:?}");
        }
        let right: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 3.0]));
        assert_eq!(whole_numbers("by", &right).unwrap(), [0, 3]);
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![2, 0]));
        let batch = RecordBatch::try_from_iter([("by", Arc::clone(&names)), ("n", numbers)]).unwrap();
        let count = |label: &str, rows| Count { label: label.to_owned(), rows };
        assert_eq!(counts("by", &[batch]).unwrap(), [count("a", 2), count("none", 0)]);
        let narrow = RecordBatch::try_from_iter([("by", names)]).unwrap();
        assert!(counts("by", &[narrow]).is_err());
    }

    #[test]
    fn attributes_named_like_other_columns_get_headers_of_their_own() {
        for (attributes, headers) in [
            (vec!["mail", "Name"], vec!["mail", "attributes.Name"]),
            (vec!["mail", "Mail", "MAIL"], vec!["mail", "attributes.Mail", "attributes.attributes.MAIL"]),
            (vec!["name", "id"], vec!["attributes.name", "attributes.id"]),
            (vec!["name", "attributes.name"], vec!["attributes.attributes.name", "attributes.name"]),
            (vec!["attributes.name", "name"], vec!["attributes.name", "attributes.attributes.name"]),
            (
                vec!["attributes.attributes.name", "name", "attributes.name"],
                vec![
                    "attributes.attributes.name",
                    "attributes.attributes.attributes.name",
                    "attributes.name",
                ],
            ),
        ] {
            let attributes: Vec<String> = attributes.into_iter().map(str::to_owned).collect();
            assert_eq!(attribute_headers(&["id", "name"], &attributes), headers, "{attributes:?}");
        }
    }

    #[test]
    fn names_become_titles() {
        for (name, title) in [
            ("cloudLifecycleState", "Cloud Lifecycle State"),
            ("sAMAccountName", "SAM Account Name"),
            ("userAccountControl", "User Account Control"),
            ("isMFAEnabled", "Is MFA Enabled"),
            ("groupIDs", "Group IDs"),
            ("employeeID", "Employee ID"),
            ("attributes.cost_center", "Attributes Cost Center"),
            ("eMail", "E Mail"),
            ("uid", "Uid"),
            ("straßenName", "Straßen Name"),
            ("", ""),
        ] {
            assert_eq!(title_case(name), title);
        }
    }
}
