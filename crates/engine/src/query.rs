//! Our own queries with values: the placeholder `$name` becomes a literal of the parsed query.
//!
//! A value is never part of a query's text, so it cannot change what the query means. The values are literals and not
//! parameters of the engine for two reasons: the plan has the right types from the start, and functions that require a
//! constant get one.

use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Value as Literal, visit_expressions_mut};
use std::ops::ControlFlow;

/// A value in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// Texts, for `column IN ($name)`. If there are none, the condition is false.
    Texts(Vec<String>),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Texts.
    pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Texts(texts.into_iter().map(str::to_owned).collect())
    }
}

/// Values, each with its name in the query.
pub(crate) type Values<'a> = &'a [(&'a str, Value)];

/// Plans a query with its values.
pub(crate) async fn plan(context: &SessionContext, sql: &str, values: Values<'_>) -> Result<DataFrame> {
    let state = context.state();
    let mut statement = parse(context, sql)?;
    bind(&mut statement, values)?;
    Ok(DataFrame::new(state.clone(), state.statement_to_plan(statement).await?))
}

/// Parses a query.
pub(crate) fn parse(context: &SessionContext, sql: &str) -> Result<Statement> {
    let state = context.state();
    state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)
}

fn bind(statement: &mut Statement, values: Values<'_>) -> Result<()> {
    let Statement::Statement(statement) = statement else {
        return Err(DataFusionError::Plan("expected one query".into()));
    };
    let value = |expression: &Expr| {
        let name = placeholder(expression)?;
        Some(
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value)
                .ok_or_else(|| DataFusionError::Plan(format!("the query has no value for ${name}"))),
        )
    };
    let bound = visit_expressions_mut(&mut **statement, |expression| {
        // The items of a list are visited before the list.
        let of = if let Expr::InList { list, .. } = &*expression {
            list.first().and_then(value)
        } else {
            value(expression)
        };
        match (of, &mut *expression) {
            (Some(Err(error)), _) => return ControlFlow::Break(error),
            (Some(Ok(Value::Texts(texts))), Expr::InList { list, .. }) => {
                if texts.is_empty() {
                    *expression = Expr::value(Literal::Boolean(false));
                } else {
                    *list = texts.iter().map(|text| literal(text)).collect();
                }
            }
            (Some(Ok(Value::Text(text))), placeholder) => *placeholder = literal(text),
            (Some(Ok(Value::Number(number))), placeholder) => {
                *placeholder = Expr::value(Literal::Number(number.to_string(), false));
            }
            (Some(Ok(Value::Flag(flag))), placeholder) => *placeholder = Expr::value(Literal::Boolean(*flag)),
            // Bound together with the list that contains it.
            (Some(Ok(Value::Texts(_))) | None, _) => {}
        }
        ControlFlow::Continue(())
    });
    match bound {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn literal(text: &str) -> Expr {
    Expr::value(Literal::SingleQuotedString(text.to_owned()))
}

/// The name of a placeholder, without the `$`.
fn placeholder(expression: &Expr) -> Option<&str> {
    let Expr::Value(value) = expression else { return None };
    let Literal::Placeholder(name) = &value.value else { return None };
    name.strip_prefix('$')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::arrow::array::AsArray;

    /// The numbers that a query returns from a small table.
    fn found(sql: &str, values: Values<'_>) -> Result<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let context = SessionContext::new();
            let table = "CREATE TABLE t AS VALUES ('a', 'it''s'), ('b', '$now'), ('c', ''' OR true --')";
            context.sql(table).await.unwrap();
            let batches = plan(&context, sql, values).await?.collect().await?;
            let column = |batch: &datafusion::arrow::array::RecordBatch| {
                let texts = datafusion::arrow::compute::cast(
                    batch.column(0),
                    &datafusion::arrow::datatypes::DataType::Utf8,
                );
                texts
                    .unwrap()
                    .as_string::<i32>()
                    .iter()
                    .map(|text| text.unwrap().to_owned())
                    .collect::<Vec<_>>()
            };
            Ok(batches.iter().flat_map(column).collect())
        })
    }

    #[test]
    fn whatever_a_value_says_it_is_a_value() {
        for (text, row) in [("it's", "a"), ("$now", "b"), ("' OR true --", "c")] {
            let one = found("SELECT column1 FROM t WHERE column2 = $text", &[("text", Value::text(text))]);
            assert_eq!(one.unwrap(), [row]);
            let list = [("texts", Value::texts([text, "nothing"]))];
            assert_eq!(found("SELECT column1 FROM t WHERE column2 IN ($texts)", &list).unwrap(), [row]);
            let rest =
                found("SELECT column1 FROM t WHERE NOT (column2 IN ($texts)) ORDER BY 1", &list).unwrap();
            assert!(rest.len() == 2 && !rest.contains(&row.to_owned()));
        }
    }

    #[test]
    fn a_list_of_none_has_nothing_in_it() {
        let none = [("texts", Value::texts([]))];
        assert_eq!(found("SELECT column1 FROM t WHERE column2 IN ($texts)", &none).unwrap(), [""; 0]);
        let all = found("SELECT column1 FROM t WHERE NOT (column2 IN ($texts)) ORDER BY 1", &none);
        assert_eq!(all.unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn a_value_that_is_not_given_is_an_error() {
        let error = found("SELECT column1 FROM t WHERE column2 = $text", &[]).unwrap_err();
        assert!(error.to_string().contains("$text"), "{error}");
    }
}
