//! Restricts the SQL of report definitions to reading the tables of one snapshot.
//!
//! The author of a definition must not be able to write files or tables, change settings, or read outside the caller's
//! data scope. So each text must be one query, and its plan may not define, change or copy anything. It can name only
//! the tables that the session has registered: file names are not accepted as tables, and functions that make tables
//! are removed from the session.

use crate::declared::TABLES;
use crate::error::{EngineError, Result};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use muster_reports::ReportDefinition;
use muster_reports::arguments::ArgumentKind;
use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The schema of the tables of the snapshot with which a period begins ([`crate::series`]).
pub(crate) const BEFORE: &str = "before";
/// The schema of the tables of all snapshots of a period.
pub(crate) const PERIOD: &str = "period";

/// The schema of the items of an access review ([`crate::review`]).
pub(crate) const REVIEW: &str = "review";
/// The schema of what the searches of policies find ([`crate::policies`]).
pub(crate) const POLICIES: &str = "policies";

/// The tables that the texts of a definition name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedTables {
    /// Of the snapshot that is reported.
    pub own: BTreeSet<&'static str>,
    /// Of the one with which the period begins.
    pub before: BTreeSet<&'static str>,
    /// Of all snapshots of the period.
    pub period: BTreeSet<&'static str>,
}

/// Checks the SQL texts of a definition without a snapshot. Returns the tables that they name.
///
/// # Errors
/// `Invalid`, which names the text, if a text is not exactly one query, or names tables of a period that the definition does
/// not have.
pub fn check(definition: &ReportDefinition) -> Result<NamedTables> {
    let mut named = NamedTables::default();
    if definition.search {
        return Ok(named);
    }
    for (place, sql) in definition.queries() {
        let fault = |what: String| EngineError::Invalid(format!("report {}: {place}: {what}", definition.id));
        let query = one_query(sql).map_err(fault)?;
        let (tables, _) =
            resolve_table_references(&query, true).map_err(|error| fault(error.strip_backtrace()))?;
        for table in tables {
            let known = TABLES.into_iter().filter(|known| table.table() == *known);
            match table.schema() {
                Some(REVIEW) => {
                    if definition.review_argument().is_none() {
                        return Err(fault(format!(
                            "it names the table {table}: expected an argument of type review, whose items these are"
                        )));
                    }
                }
                Some(schema @ (BEFORE | PERIOD)) => {
                    if !definition.has_period() {
                        return Err(fault(format!(
                            "it names the table {table}: expected an argument of type snapshot, with which the period begins"
                        )));
                    }
                    match schema {
                        BEFORE => named.before.extend(known),
                        _ => named.period.extend(known),
                    }
                }
                Some(POLICIES) => {
                    if !definition.arguments.iter().any(|spec| spec.kind == ArgumentKind::SodPolicies) {
                        return Err(fault(format!(
                            "it names the table {table}: expected an argument of type sod_policies, whose searches find its rows"
                        )));
                    }
                }
                Some(_) | None => named.own.extend(known),
            }
        }
    }
    Ok(named)
}

/// Removes all table functions from a session, so that its queries can read registered tables only.
pub(crate) fn limit(context: &SessionContext) {
    let functions: Vec<_> = context.state().table_functions().keys().cloned().collect();
    functions.iter().for_each(|name| context.deregister_udtf(name));
}

/// Plans a query in a session that [`limit`] has restricted.
///
/// # Errors
/// If the text is not exactly one query, or does not fit the tables.
pub(crate) async fn plan(context: &SessionContext, sql: &str) -> datafusion::error::Result<DataFrame> {
    let query = one_query(sql).map_err(DataFusionError::Plan)?;
    let state = context.state();
    let plan = state.statement_to_plan(query).await?;
    // A query can contain other statements.
    let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reading.verify_plan(&plan)?;
    Ok(DataFrame::new(state, plan))
}

/// Most texts whose statements are kept. When there are more, all are parsed again.
const PARSED_MAX: usize = 1_024;

/// Statements by their texts. A service runs the same few definitions again and again.
static PARSED: LazyLock<Mutex<HashMap<String, Statement>>> = LazyLock::new(Mutex::default);

fn one_query(sql: &str) -> std::result::Result<Statement, String> {
    // A panic cannot leave this map half changed.
    let parsed = || PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = parsed().get(sql) {
        return Ok(known.clone());
    }
    let query = parse_one_query(sql)?;
    let mut parsed = parsed();
    if parsed.len() >= PARSED_MAX {
        parsed.clear();
    }
    parsed.insert(sql.to_owned(), query.clone());
    Ok(query)
}

fn parse_one_query(sql: &str) -> std::result::Result<Statement, String> {
    let mut statements = DFParser::parse_sql(sql).map_err(|error| error.strip_backtrace())?;
    let is_query = |statement: &Statement| match statement {
        Statement::Statement(statement) => matches!(**statement, SqlStatement::Query(_)),
        Statement::CreateExternalTable(_)
        | Statement::CopyTo(_)
        | Statement::Explain(_)
        | Statement::Reset(_) => false,
    };
    let count = statements.len();
    match statements.pop_front() {
        Some(statement) if count == 1 && is_query(&statement) => Ok(statement),
        Some(_) if count == 1 => {
            Err("it is not a query: expected one SELECT over the snapshot's tables".into())
        }
        Some(_) | None => {
            Err(format!("it is {count} statements: expected one SELECT over the snapshot's tables"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Statements that are refused before planning.
    const NO_QUERIES: [&str; 14] = [
        "COPY (SELECT 1) TO '/tmp/muster-copy.csv'",
        "COPY accounts TO 'x.parquet' STORED AS PARQUET",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'tables/accounts'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE accounts",
        "INSERT INTO accounts SELECT * FROM accounts",
        "DELETE FROM accounts",
        "SET datafusion.catalog.information_schema = true",
        "RESET datafusion.execution.batch_size",
        "EXPLAIN ANALYZE INSERT INTO accounts SELECT * FROM accounts",
        "SHOW TABLES",
        "SELECT 1; SELECT 2",
        "",
    ];

    /// Queries that read something other than the tables, or change something.
    const MORE_THAN_READING: [&str; 10] = [
        "SELECT n INTO t FROM accounts",
        "WITH w AS (INSERT INTO accounts SELECT 2) SELECT * FROM w",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd.csv\"",
        "SELECT * FROM 'tables/accounts/x.parquet'",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM generate_series(1, 3)",
        "SELECT * FROM range(1, 1000000000000)",
        "SELECT * FROM read_csv('/etc/passwd')",
    ];

    fn session() -> SessionContext {
        let context = SessionContext::new();
        let accounts: datafusion::arrow::array::ArrayRef =
            std::sync::Arc::new(datafusion::arrow::array::Int64Array::from(vec![1, 2]));
        let batch = datafusion::arrow::array::RecordBatch::try_from_iter([("n", accounts)]).unwrap();
        context.register_batch("accounts", batch).unwrap();
        limit(&context);
        context
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn only_queries_over_known_tables_are_planned() {
        let context = session();
        for sql in NO_QUERIES {
            assert!(one_query(sql).is_err(), "{sql}");
            assert!(block_on(plan(&context, sql)).is_err(), "{sql}");
        }
        for sql in MORE_THAN_READING {
            assert!(block_on(plan(&context, sql)).is_err(), "{sql}");
        }
        for sql in [
            "SELECT n FROM accounts",
            "WITH a AS (SELECT n FROM accounts) SELECT count(*) FROM a WHERE n < $most",
            "SELECT n FROM (VALUES (1)) v(n) WHERE n IN (SELECT n FROM accounts)",
            "SELECT unnest([1, 2])",
        ] {
            one_query(sql).unwrap();
            block_on(plan(&context, sql)).unwrap();
        }
        assert!(!context.table_exist("t").unwrap());
    }

    #[test]
    fn every_text_of_a_definition_is_checked() {
        let wrong = "DROP TABLE accounts";
        let definition = |place: &str| {
            let text = |at: &str| if at == place { wrong } else { "SELECT count(*) FROM accounts" };
            let toml = format!(
                "id = \"mine\"\nversion = 1\nname = \"Mine\"\ndescription = \"d\"\nrow = \"r\"\nformats = [\"CSV\"]\n\
                 order_by = [\"n\"]\nquery = \"{}\"\npopulation = \"{}\"\n\
                 [[columns]]\nname = \"n\"\nlabel = \"N\"\nmeaning = \"m\"\n\
                 [[exclusions]]\nreason = \"gone\"\nquery = \"{}\"\n\
                 [[subtotals]]\nby = \"kind\"\nquery = \"{}\"\n\
                 [[charts]]\ntitle = \"bars\"\ndescription = \"d\"\nunit = \"u\"\nform = \"bars\"\nquery = \"{}\"\n",
                text("query"),
                text("population"),
                text("gone"),
                text("kind"),
                text("bars")
            );
            ReportDefinition::from_toml(&toml, "mine.toml").unwrap()
        };
        assert!(check(&definition("nowhere")).unwrap().own.into_iter().eq(["accounts"]));
        for place in ["query", "population", "gone", "kind", "bars"] {
            let refused = check(&definition(place)).unwrap_err().to_string();
            assert!(refused.contains("report mine") && refused.contains(place), "{refused}");
        }
        for built_in in muster_reports::Catalogue::built_in().iter() {
            check(&built_in).unwrap();
        }
    }
}
