//! Optimized plans of the queries of reports, kept for the next run over the same tables.
//!
//! Why: a service runs the same few definitions over one snapshot again and again. Each has up to ten queries, and to
//! plan and optimize them takes longer than to read small tables.
//!
//! A plan is kept only if it is the same for every caller and at every time:
//! - the caller sees the whole tables. Views of other callers have functions in them that name their sources;
//! - the query has no function whose value depends on the time. The optimizer replaces it by its value.
//!
//! A kept plan has no session in it, no data, and no state of a run. The files of its tables are checked for each run as
//! they are without it (`scope`).

use crate::order::Planned;
use datafusion::common::Result;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most plans that are kept. When there are more, all are forgotten.
const KEPT_MAX: usize = 512;

/// What decides a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    /// The tables that the definition names, with their versions.
    pub(crate) tables: BTreeMap<&'static str, u64>,
    /// The text of the query.
    pub(crate) query: String,
    /// The arguments in it.
    pub(crate) parameters: Vec<(String, ScalarValue)>,
    /// What of its rows is shown.
    pub(crate) shape: Shape,
}

/// What of a query's rows is shown, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// All columns, in the query's own order.
    AsItIs,
    /// These columns and attributes, sorted by these columns.
    Columns { columns: Vec<String>, attributes: Vec<String>, order: Vec<String> },
}

/// The kept plans.
#[derive(Default)]
pub(crate) struct KeptPlans(Mutex<HashMap<PlanKey, Arc<Planned>>>);

impl KeptPlans {
    pub(crate) fn get(&self, key: &PlanKey) -> Option<Arc<Planned>> {
        self.plans().get(key).cloned()
    }

    pub(crate) fn keep(&self, key: PlanKey, plan: &Arc<Planned>) {
        let mut plans = self.plans();
        if plans.len() >= KEPT_MAX {
            plans.clear();
        }
        plans.insert(key, Arc::clone(plan));
    }

    fn plans(&self) -> MutexGuard<'_, HashMap<PlanKey, Arc<Planned>>> {
        // A panic cannot leave this map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the plan of a query is the same at every time.
pub(crate) fn is_the_same_later(plan: &LogicalPlan) -> Result<bool> {
    let mut same = true;
    let mut look = |part: &Expr| {
        let changes = matches!(part, Expr::ScalarVariable(..))
            || matches!(part, Expr::ScalarFunction(call)
                if call.func.signature().volatility != Volatility::Immutable);
        same &= !changes;
        Ok(if changes { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    };
    plan.apply_with_subqueries(|node| node.apply_expressions(|expression| expression.apply(&mut look)))?;
    Ok(same)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::prelude::SessionContext;

    #[test]
    fn what_the_time_decides_is_found_wherever_it_is() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let is_the_same_later = |sql: &str| {
            let context = SessionContext::new();
            let frame = runtime.block_on(context.sql(sql)).unwrap();
            is_the_same_later(frame.logical_plan()).unwrap()
        };
        for sql in [
            "SELECT now()",
            "SELECT column1 FROM (VALUES (1)) WHERE current_date > DATE '2026-01-01'",
            "SELECT (SELECT max(column1) FROM (VALUES (now())))",
            "SELECT 1 WHERE EXISTS (SELECT column1 FROM (VALUES (1)) WHERE column1 < random())",
            "SELECT upper(CAST(current_time AS TEXT))",
            "SELECT column1 FROM (VALUES (1)) ORDER BY random()",
        ] {
            assert!(!is_the_same_later(sql), "{sql}");
        }
        for sql in [
            "SELECT upper(column1), count(*) FROM (VALUES ('now()')) GROUP BY upper(column1) ORDER BY 1",
            "SELECT to_char(TIMESTAMP '2026-01-01 00:00:00', '%Y'), (SELECT max(column1) FROM (VALUES (1)))",
        ] {
            assert!(is_the_same_later(sql), "{sql}");
        }
    }
}
