//! The operators of a plan as spans, for a collector of traces.
//!
//! A span has the operator's type and figures, such as the rows that it passed on. It never has the operator's
//! expressions: they have values of queries in them, and so perhaps a person's name. The library records only fields that
//! the span declares, so what is not declared here is never made into a text.

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion_tracing::{InstrumentationOptions, new_instrument_rule};
use muster_reports::trace::PLAN_TARGET;
use std::sync::Arc;
use tracing::field::Empty;

/// The rule that makes the spans; `None` where nobody wants them. It runs after all other rules, so that they see the
/// operators.
///
/// Making the rule also lets the tasks that DataFusion starts belong to the span that is current at the time, whether the
/// rule is used or not. So the lines that they log have the id of the run.
pub(crate) fn rule() -> Option<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let options = InstrumentationOptions::builder().record_metrics(true).build();
    // The library's own macro would declare fields with the operator's expressions and rows.
    let rule = new_instrument_rule(Arc::new(span), options);
    tracing::span_enabled!(target: PLAN_TARGET, tracing::Level::INFO).then_some(rule)
}

fn span() -> tracing::Span {
    tracing::info_span!(
        target: PLAN_TARGET,
        "operator",
        otel.name = Empty,
        datafusion.metrics.output_rows = Empty,
        datafusion.metrics.output_bytes = Empty,
        datafusion.metrics.elapsed_compute = Empty,
        datafusion.metrics.spill_count = Empty,
        datafusion.metrics.spilled_bytes = Empty,
        datafusion.metrics.spilled_rows = Empty,
        datafusion.metrics.bytes_scanned = Empty,
        datafusion.metrics.build_input_rows = Empty,
        datafusion.metrics.build_mem_used = Empty,
        datafusion.metrics.build_time = Empty,
        datafusion.metrics.join_time = Empty,
        datafusion.metrics.peak_mem_used = Empty,
    )
}
