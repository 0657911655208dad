//! Optimized plans of the queries of reports, and the few rows of counts and charts, kept for the next run over the same
//! tables.
//!
//! Why: a service runs the same few definitions over one snapshot again and again. Each has up to ten queries. To plan and
//! optimize them takes longer than to read small tables, and to count large ones takes longer than to write a small
//! report. The tables of a snapshot never change, so their counts do not either. The rows of a report are always read,
//! and they must be as many as the kept counts say.
//!
//! A plan is kept only if it is the same for every caller and at every time:
//! - the caller sees the whole tables. Views of other callers have functions in them that name their sources;
//! - the query has no function whose value depends on the time. The optimizer replaces it by its value.
//!
//! A kept plan has no session in it, no data, and no state of a run. Rows are kept where their plan is, if they are few. The
//! counts of a search are kept too, on the same conditions: testing every document once more takes as long as finding some.
//! The files of the tables are checked for each run as they are without either (`scope`).

use crate::order::Planned;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most plans that are kept, and most results. When there are more, all are forgotten.
const KEPT_MAX: usize = 512;

/// Most bytes of a result that is kept: a chart of a thousand parts has less.
const RESULT_BYTES_MAX: usize = 64 << 10;

/// Most bytes of the texts of a search whose counts are kept.
const SEARCH_BYTES_MAX: usize = 8 << 10;

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

/// What decides the counts of a search, for a caller who sees whole tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SearchKey {
    /// The table of documents, and its version.
    pub(crate) table: (&'static str, u64),
    /// The query, which does not depend on the time.
    pub(crate) query: String,
    /// The fields in which words are looked for.
    pub(crate) fields: Vec<String>,
    /// The lists whose elements are counted.
    pub(crate) lists: Vec<String>,
}

impl SearchKey {
    /// Whether the key is so small that it may be kept.
    fn is_small(&self) -> bool {
        let texts = self.fields.iter().chain(&self.lists).chain([&self.query]);
        texts.map(|text| text.len()).sum::<usize>() <= SEARCH_BYTES_MAX
    }
}

/// Values of earlier runs, by what decides them.
struct Kept<K, V>(Mutex<HashMap<K, V>>);

/// The kept plans and results.
#[derive(Default)]
pub(crate) struct KeptPlans {
    plans: Kept<PlanKey, Arc<Planned>>,
    results: Kept<PlanKey, Vec<RecordBatch>>,
    searches: Kept<SearchKey, Vec<u64>>,
}

impl KeptPlans {
    /// The kept plan.
    pub(crate) fn get(&self, key: &PlanKey) -> Option<Arc<Planned>> {
        self.plans.get(key)
    }

    /// Keeps a plan.
    pub(crate) fn keep(&self, key: PlanKey, plan: &Arc<Planned>) {
        self.plans.keep(key, Arc::clone(plan));
    }

    /// The kept rows of a plan.
    pub(crate) fn result(&self, key: &PlanKey) -> Option<Vec<RecordBatch>> {
        self.results.get(key)
    }

    /// Keeps all rows of a plan, if the plan is kept and the rows are few.
    pub(crate) fn keep_result(&self, key: PlanKey, rows: &[RecordBatch]) {
        let bytes: usize = rows.iter().map(RecordBatch::get_array_memory_size).sum();
        if bytes <= RESULT_BYTES_MAX && self.get(&key).is_some() {
            self.results.keep(key, rows.to_vec());
        }
    }

    /// The kept counts of a search.
    pub(crate) fn counts(&self, key: &SearchKey) -> Option<Vec<u64>> {
        self.searches.get(key)
    }

    /// Keeps the counts of a search, if its texts are small.
    pub(crate) fn keep_counts(&self, key: SearchKey, counts: &[u64]) {
        if key.is_small() {
            self.searches.keep(key, counts.to_vec());
        }
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.values().get(key).cloned()
    }

    fn keep(&self, key: K, value: V) {
        let mut values = self.values();
        if values.len() >= KEPT_MAX {
            values.clear();
        }
        values.insert(key, value);
    }
}

impl<K, V> Kept<K, V> {
    fn values(&self) -> MutexGuard<'_, HashMap<K, V>> {
        // A panic cannot leave this map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
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

    #[test]
    fn few_rows_are_kept_and_only_those_of_a_kept_plan() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let context = SessionContext::new();
        let frame = |sql: &str| runtime.block_on(context.sql(sql)).unwrap();
        let key = |query: &str| PlanKey {
            tables: BTreeMap::from([("accounts", 1)]),
            query: query.to_owned(),
            parameters: Vec::new(),
            shape: Shape::AsItIs,
        };
        let few = runtime.block_on(frame("SELECT column1 FROM (VALUES (1), (2))").collect()).unwrap();
        let many = runtime.block_on(frame("SELECT * FROM generate_series(1, 10000)").collect()).unwrap();

        let kept = KeptPlans::default();
        kept.keep_result(key("few"), &few);
        assert_eq!(kept.result(&key("few")), None);
        let plan = Arc::new(Planned::declared(frame("SELECT 1")).unwrap());
        for query in ["few", "many"] {
            kept.keep(key(query), &plan);
        }
        kept.keep_result(key("few"), &few);
        kept.keep_result(key("many"), &many);
        assert_eq!(kept.result(&key("few")), Some(few));
        assert_eq!(kept.result(&key("many")), None);
        let counts = |query: &str| SearchKey {
            table: ("identity_documents", 1),
            query: query.to_owned(),
            fields: Vec::new(),
            lists: vec!["access".to_owned()],
        };
        let long = "a ".repeat(SEARCH_BYTES_MAX);
        for query in ["a", long.as_str()] {
            kept.keep_counts(counts(query), &[3, 1]);
        }
        assert_eq!(kept.counts(&counts("a")), Some(vec![3, 1]));
        assert_eq!(kept.counts(&counts(&long)), None);
        assert_eq!(kept.counts(&SearchKey { lists: Vec::new(), ..counts("a") }), None);
        let later = PlanKey { tables: BTreeMap::from([("accounts", 2)]), ..key("few") };
        assert_eq!(kept.result(&later), None);
    }
}
