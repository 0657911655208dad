//! What a report is planned as: its tables, their rows, and their independent counts, by the engine.

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures_util::stream::{BoxStream, try_unfold};
use muster_engine::search::{SearchPart, SearchRequest};
use muster_engine::{ChartNumber, Engine, OutputColumn, ReportPlan, ReportRows};
use muster_render::chart::{Chart, ChartKind, Series};
use muster_reports::cover::{CoverColumn, Reconciliation};
use muster_reports::definition::{ChartForm, ChartSpec};
use muster_reports::error::Result;
use muster_reports::message::Message;
use muster_reports::series;
use muster_reports::task::Task;
use muster_reports::{ReportDefinition, SnapshotManifest};
use std::sync::Arc;

/// A report ready to run.
pub(super) struct Prepared {
    /// One for a report that is a table; one for each type of document for a search.
    pub(super) parts: Vec<Box<dyn Part>>,
    /// What is asked of the snapshot, for the cover.
    pub(super) effective_query: String,
    /// What a reader must know.
    pub(super) messages: Vec<Message>,
}

/// The rows of a running part, in order. Dropping them stops the plan.
pub(super) type Rows = BoxStream<'static, Result<RecordBatch>>;

/// A table of the result.
///
/// Why a trait: the table of a report and the documents of a search are planned differently. Tests implement it with
/// what the engine never gives: counts that differ from the rows, and rows that never end.
#[async_trait]
pub(super) trait Part: Send + Sync {
    /// What it is called inside an archive, without extension.
    fn name(&self) -> &str;

    /// The columns, in file order.
    fn columns(&self) -> Vec<CoverColumn>;

    /// Starts the plan.
    ///
    /// # Errors
    /// When the engine has stopped.
    fn start(&self) -> Result<Rows>;

    /// Counts the population and what is left out, by plans that share nothing with the part's own.
    ///
    /// # Errors
    /// As [`prepare`].
    async fn reconcile(&self) -> Result<Reconciliation>;

    /// The numbers behind the charts of a document; none for most.
    ///
    /// # Errors
    /// As [`prepare`].
    async fn charts(&self) -> Result<Vec<Chart>> {
        Ok(Vec::new())
    }
}

/// Plans what `task` asks of `definition` over the snapshot.
///
/// # Errors
/// `Unavailable` when another attempt may succeed; anything else ends the task.
pub(super) async fn prepare(
    engine: &Arc<Engine>,
    manifest: &Arc<SnapshotManifest>,
    series: &series::Series,
    definition: &ReportDefinition,
    task: &Task,
) -> Result<Prepared> {
    let (planning, manifest, series) = (engine.clone(), manifest.clone(), series.clone());
    let (definition, task) = (definition.clone(), task.clone());
    // Planning computes. On the engine's threads it does not delay requests.
    let planned = async move {
        Ok(match definition.search {
            true => search(&planning, &manifest, &definition, &task).await,
            false => table(&planning, &manifest, &series, &definition, &task).await,
        })
    };
    engine.run(planned).await?
}

async fn table(
    engine: &Arc<Engine>,
    manifest: &SnapshotManifest,
    series: &series::Series,
    definition: &ReportDefinition,
    task: &Task,
) -> Result<Prepared> {
    let (arguments, scope) = (&task.arguments, &task.requester.data_scope);
    let plan = engine.prepare_over(manifest, series, definition, arguments, scope).await?;
    let only = definition.source_argument().and_then(|spec| arguments.text(&spec.name));
    Ok(Prepared {
        effective_query: plan.effective_query(),
        parts: vec![Box::new(TablePart {
            name: definition.id.to_string(),
            plan,
            charts: definition.charts.clone(),
        })],
        messages: series.messages(manifest, |id| scope.has_source(id) && only.is_none_or(|only| only == id)),
    })
}

async fn search(
    engine: &Arc<Engine>,
    manifest: &SnapshotManifest,
    definition: &ReportDefinition,
    task: &Task,
) -> Result<Prepared> {
    let arguments = &task.arguments;
    let query = definition.query_argument().and_then(|spec| arguments.text(&spec.name));
    let texts = |name: &str| arguments.texts(name).unwrap_or_default().to_vec();
    let columns = arguments.text("columns").map(|names| names.split(',').map(str::to_owned).collect());
    let request = SearchRequest {
        query: query.unwrap_or_default().to_owned(),
        indices: texts("indices"),
        columns: columns.unwrap_or_default(),
        sort: texts("sort"),
        fields: texts("fields"),
        // So a second attempt finds the same rows.
        now: task.created,
    };
    let plan = engine.prepare_search(manifest, &request, &task.requester.data_scope).await?;
    let names: Vec<_> = plan.parts.iter().map(SearchPart::name).collect();
    let order: Vec<_> = request.sort.iter().map(String::as_str).chain(["id"]).collect();
    let looked_in = match request.fields.as_slice() {
        [] => String::new(),
        fields => format!("\nWORDS IN {}", fields.join(", ")),
    };
    Ok(Prepared {
        effective_query: format!(
            "{}{looked_in}\nIN {}\nORDER BY {}",
            request.query,
            names.join(", "),
            order.join(", ")
        ),
        messages: plan.warnings.into_iter().map(|text| Message::warn("search_field_unknown", text)).collect(),
        parts: plan.parts.into_iter().map(|part| Box::new(part) as Box<dyn Part>).collect(),
    })
}

fn cover_columns(columns: &[OutputColumn]) -> Vec<CoverColumn> {
    let column = |column: &OutputColumn| CoverColumn {
        name: column.name.clone(),
        label: column.label.clone(),
        meaning: column.meaning.clone(),
        origin: column.origin.into(),
    };
    columns.iter().map(column).collect()
}

fn rows(rows: ReportRows) -> Rows {
    Box::pin(try_unfold(rows, next))
}

/// The next rows, and what gives those after them.
async fn next(mut rows: ReportRows) -> Result<Option<(RecordBatch, ReportRows)>> {
    Ok(rows.next().await?.map(|batch| (batch, rows)))
}

/// The table of a report.
struct TablePart {
    name: String,
    plan: ReportPlan,
    charts: Vec<ChartSpec>,
}

#[async_trait]
impl Part for TablePart {
    fn name(&self) -> &str {
        &self.name
    }

    fn columns(&self) -> Vec<CoverColumn> {
        cover_columns(self.plan.columns())
    }

    fn start(&self) -> Result<Rows> {
        Ok(rows(self.plan.start()?))
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(self.plan.reconcile().await?)
    }

    async fn charts(&self) -> Result<Vec<Chart>> {
        let numbers = self.plan.charts().await?;
        let charts = self.charts.iter().zip(&numbers).map(|(spec, numbers)| chart(spec, numbers));
        Ok(charts.filter(shows_something).collect())
    }
}

/// Whether there is anything to see: a report without rows has charts without bars, and one moment does not make a trend.
fn shows_something(chart: &Chart) -> bool {
    chart.categories.len() > usize::from(chart.kind == ChartKind::Line)
}

/// Numbers in the order of the query, as a chart: a number that is not among them is zero.
fn chart(spec: &ChartSpec, numbers: &[ChartNumber]) -> Chart {
    let mut categories: Vec<String> = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    for number in numbers {
        if !categories.contains(&number.category) {
            categories.push(number.category.clone());
        }
        if !series.iter().any(|known| known.name == number.series) {
            series.push(Series { name: number.series.clone(), values: Vec::new() });
        }
    }
    for known in &mut series {
        known.values = vec![0.0; categories.len()];
    }
    for number in numbers {
        let at = categories.iter().position(|category| *category == number.category);
        let known = series.iter_mut().find(|known| known.name == number.series);
        if let (Some(at), Some(known)) = (at, known) {
            // Counts of rows are far below 2^53.
            known.values[at] = number.number as f64;
        }
    }
    Chart {
        title: spec.title.clone(),
        description: spec.description.clone(),
        unit: spec.unit.clone(),
        kind: match spec.form {
            ChartForm::Bars => ChartKind::Bars,
            ChartForm::Stacked => ChartKind::StackedBars,
            ChartForm::Share => ChartKind::Share,
            ChartForm::Line => ChartKind::Line,
        },
        accent: spec.accent.clone(),
        categories,
        series,
    }
}

#[async_trait]
impl Part for SearchPart {
    fn name(&self) -> &str {
        SearchPart::name(self)
    }

    fn columns(&self) -> Vec<CoverColumn> {
        cover_columns(SearchPart::columns(self))
    }

    fn start(&self) -> Result<Rows> {
        Ok(rows(SearchPart::start(self)?))
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(SearchPart::reconcile(self).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_that_show_nothing_are_left_out() {
        let number =
            |category: &str| ChartNumber { category: category.into(), series: "s".into(), number: 1 };
        for (form, categories, shown) in [
            (ChartForm::Bars, &[][..], false),
            (ChartForm::Share, &[], false),
            (ChartForm::Stacked, &["a"], true),
            (ChartForm::Line, &["2026-03-31"], false),
            (ChartForm::Line, &["2026-03-31", "2026-04-30"], true),
        ] {
            let text = String::new;
            let spec = ChartSpec {
                title: text(),
                description: text(),
                unit: text(),
                form,
                accent: Vec::new(),
                query: text(),
            };
            let numbers: Vec<_> = categories.iter().map(|category| number(category)).collect();
            assert_eq!(shows_something(&chart(&spec, &numbers)), shown, "{form:?} of {categories:?}");
        }
    }
}
