//! Reads only the parts of documents that a plan uses.
//!
//! Why: documents have lists of objects with many fields. A file keeps each of these fields by itself, but a plan asks for
//! whole columns. Here the type of a column is narrowed to the fields in use, so that a scan leaves out the others.

use super::fields::Path;
use super::flatten::split;
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::TableProviderFilterPushDown;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::prelude::Expr;
use muster_querystring::matching::Predicate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The parts of documents that a plan uses: for each column, the paths below it. An empty path is all of the column; a
/// column without paths is used for its nulls and the lengths of its list.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses(BTreeMap<String, BTreeSet<String>>);

impl Uses {
    /// What a predicate tests.
    pub(super) fn of(predicate: &Predicate<Path>) -> Self {
        let mut uses = Self::default();
        uses.tested(predicate, None);
        uses
    }

    /// The values at a path are used.
    pub(super) fn add(&mut self, path: &str) {
        let (column, rest) = split(path);
        self.0.entry(column.to_owned()).or_default().insert(rest.to_owned());
    }

    /// The lengths of a list are used.
    pub(super) fn add_lengths(&mut self, column: &str) {
        self.0.entry(column.to_owned()).or_default();
    }

    fn tested(&mut self, predicate: &Predicate<Path>, list: Option<&str>) {
        match predicate {
            Predicate::All | Predicate::Nothing => {}
            Predicate::And(parts) | Predicate::Or(parts) => {
                parts.iter().for_each(|part| self.tested(part, list));
            }
            Predicate::Not(part) => self.tested(part, list),
            Predicate::Test { fields, .. } => {
                for field in fields.iter() {
                    match list {
                        Some(list) => self.add(&format!("{list}.{field}")),
                        None => self.add(field),
                    }
                }
            }
            Predicate::Nested { path, element } => {
                let (column, _) = split(path);
                self.add_lengths(column);
                self.tested(element, Some(path));
            }
        }
    }

    /// The schema with these parts of its columns.
    fn narrowed(&self, schema: &SchemaRef) -> SchemaRef {
        let field = |field: &FieldRef| match self.0.get(field.name()) {
            Some(paths) => {
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                with_type(field, narrowed(field.data_type(), &paths))
            }
            None => Arc::clone(field),
        };
        let fields: Fields = schema.fields().iter().map(field).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

fn with_type(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type))
}

/// The type with the fields at these paths.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other types have no fields that a file keeps by themselves"
)]
fn narrowed(data_type: &DataType, paths: &[&str]) -> DataType {
    match data_type {
        _ if paths.contains(&"") => data_type.clone(),
        DataType::List(item) => DataType::List(with_type(item, narrowed(item.data_type(), paths))),
        DataType::Struct(fields) => {
            let of_field = |field: &FieldRef| {
                let parts = paths.iter().map(|path| split(path)).filter(|(name, _)| name == field.name());
                let rests: Vec<&str> = parts.map(|(_, rest)| rest).collect();
                (!rests.is_empty()).then(|| with_type(field, narrowed(field.data_type(), &rests)))
            };
            let mut kept: Vec<FieldRef> = fields.iter().filter_map(of_field).collect();
            if kept.is_empty() {
                kept.extend(fields.iter().min_by_key(|field| bytes_of(field.data_type())).cloned());
            }
            DataType::Struct(kept.into())
        }
        other => other.clone(),
    }
}

/// How much there is to read of a value of a type, roughly.
#[expect(clippy::wildcard_enum_match_arm, reason = "other types are larger")]
fn bytes_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Boolean => 1,
        DataType::Utf8 => 16,
        nested if nested.is_nested() => 64,
        _ => 8,
    }
}

/// A table of documents of which only some parts are read.
#[derive(Debug)]
pub(super) struct NarrowedTable {
    whole: Arc<dyn TableProvider>,
    schema: SchemaRef,
}

impl NarrowedTable {
    /// The table with these parts of its columns. Columns that are not named stay whole: nothing reads them.
    pub(super) fn over(whole: Arc<dyn TableProvider>, uses: &Uses) -> Arc<dyn TableProvider> {
        let schema = uses.narrowed(&whole.schema());
        // A view has a plan of its own, which a wrapper would hide.
        match whole.table_type() {
            TableType::Base if schema != whole.schema() => Arc::new(Self { whole, schema }),
            TableType::Base | TableType::View | TableType::Temporary => whole,
        }
    }

    fn is_narrowed(&self, column: &str) -> bool {
        let of =
            |schema: &SchemaRef| schema.field_with_name(column).map(|field| field.data_type().clone()).ok();
        of(&self.schema) != of(&self.whole.schema())
    }
}

#[async_trait]
impl TableProvider for NarrowedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // A filter is about the narrowed columns. The table knows only whole ones.
        let support =
            |filter: &&Expr| match filter.column_refs().iter().any(|column| self.is_narrowed(&column.name)) {
                true => Ok(vec![TableProviderFilterPushDown::Unsupported]),
                false => self.whole.supports_filters_pushdown(&[*filter]),
            };
        Ok(filters.iter().map(support).collect::<Result<Vec<_>>>()?.concat())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = self.whole.scan(state, projection, filters, limit).await?;
        let columns = scan.schema();
        let expressions = columns.fields().iter().enumerate().map(|(at, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), at));
            let wanted = self.schema.field_with_name(field.name())?.data_type();
            // The optimizer moves the cast into the scan, which then reads the fields of the narrower type alone.
            let expr: Arc<dyn PhysicalExpr> = match wanted == field.data_type() {
                true => column,
                false => Arc::new(CastExpr::new(column, wanted.clone(), None)),
            };
            Ok(ProjectionExpr { expr, alias: field.name().clone() })
        });
        let expressions = expressions.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(expressions, scan)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::DocumentFields;
    use super::*;
    use chrono::DateTime;
    use muster_querystring::matching::lower;
    use muster_querystring::parse;
    use muster_sources::DocumentType;
    use muster_sources::documents::schema;

    /// The names of the fields of a type.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other types have no fields")]
    fn names(data_type: &DataType) -> String {
        match data_type {
            DataType::List(item) => format!("[{}]", names(item.data_type())),
            DataType::Struct(fields) => {
                let names =
                    fields.iter().map(|field| format!("{}{}", field.name(), names(field.data_type())));
                format!("{{{}}}", names.collect::<Vec<_>>().join(" "))
            }
            _ => String::new(),
        }
    }

    fn column(query: &str, paths: &[&str], lengths: &[&str], column: &str) -> String {
        let schema = schema(DocumentType::Identities);
        let query = parse(query).expect("a query");
        let predicate =
            lower(&query, &DocumentFields::new(&schema), DateTime::UNIX_EPOCH).expect("nothing complex");
        let mut uses = Uses::of(&predicate);
        paths.iter().for_each(|path| uses.add(path));
        lengths.iter().for_each(|list| uses.add_lengths(list));
        names(uses.narrowed(&schema).field_with_name(column).expect("a column").data_type())
    }

    #[test]
    fn a_column_has_the_fields_that_are_used() {
        let whole = column("*", &["accounts"], &[], "accounts");
        assert!(whole.starts_with("[{id name accountId source{id name type}"), "{whole}");
        let nested = "@accounts(source.name:a AND disabled:true)";
        assert_eq!(column(nested, &[], &[], "accounts"), "[{source{name} disabled}]");
        assert_eq!(
            column(nested, &["accounts.created"], &[], "accounts"),
            "[{source{name} disabled created}]"
        );
        assert_eq!(column(nested, &["accounts"], &[], "accounts"), whole);
        assert_eq!(column("accounts.source.name:a", &["manager.name"], &[], "manager"), "{name}");
        assert_eq!(column("accounts.accountAttributes.a:b", &[], &[], "accounts"), "[{accountAttributes}]");
        assert_eq!(column("_exists_:accounts.source", &[], &[], "accounts"), "[{source{id name type}}]");
    }

    #[test]
    fn a_list_that_is_only_counted_has_its_smallest_field() {
        assert_eq!(column("*", &[], &["access"], "access"), "[{enabled}]");
        assert_eq!(column("@accounts(*)", &[], &[], "accounts"), "[{disabled}]");
        assert_eq!(column("access.name:a", &[], &["access"], "access"), "[{name}]");
    }
}
