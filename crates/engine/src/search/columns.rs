//! The columns of a search's file and its sort keys, from the requested names.

use super::cells::{CellFunction, Use};
use super::fields::DocumentFields;
use super::flatten::{Target, split};
use super::spread::{Arrangement, Spread};
use crate::order::SortKey;
use crate::report::{OutputColumn, title_case};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ScalarUDF, ScalarUDFImpl};
use datafusion::prelude::{Expr, ident, lit};
use muster_sources::DocumentType;
use muster_sources::documents::default_columns;
use std::sync::Arc;

/// Suffix of a name whose list is spread.
const SPREAD: &str = ".spread";

/// A cell of one document.
enum Cell {
    /// A column of the table, unchanged.
    Column(String, DataType),
    /// A value inside a column.
    Inside { column: String, path: String, target: Target },
    /// An empty cell: there is no such field.
    Empty,
}

/// A list that is spread, and the shown fields of its elements.
struct SpreadList {
    name: String,
    elements: Vec<(String, Target)>,
}

/// The shown columns of a type of document.
pub(super) struct Selection {
    cells: Vec<Cell>,
    spreads: Vec<SpreadList>,
    /// The columns, in file order.
    pub(super) columns: Vec<OutputColumn>,
}

impl Selection {
    /// The columns that `names` requests, or the type's default columns.
    pub(super) fn of(document_type: DocumentType, fields: &DocumentFields, names: &[String]) -> Self {
        let own: Vec<String>;
        let names = if names.is_empty() {
            own = default_columns(document_type).iter().map(|name| (*name).to_owned()).collect();
            &own
        } else {
            names
        };
        let mut selection = Self { cells: Vec::new(), spreads: Vec::new(), columns: Vec::new() };
        for name in names {
            if let Some((list, elements)) = spread(fields, name) {
                if !selection.spreads.iter().any(|spread| spread.name == list) {
                    selection.spreads.push(SpreadList { name: list.to_owned(), elements: shown(&elements) });
                }
                continue;
            }
            selection.cells.push(cell(fields, name));
            selection.columns.push(output(name, matches!(selection.cells.last(), Some(Cell::Empty))));
        }
        for spread in &selection.spreads {
            let names = spread.elements.iter().map(|(path, _)| format!("{}.{path}", spread.name));
            selection.columns.extend(names.map(|name| output(&name, false)));
        }
        selection
    }

    /// The lists that are spread, in the order of their blocks.
    pub(super) fn lists(&self) -> Vec<&str> {
        self.spreads.iter().map(|spread| spread.name.as_str()).collect()
    }

    /// The paths of the cells.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().zip(&self.cells).filter_map(|(column, cell)| match cell {
            Cell::Column(..) | Cell::Inside { .. } => Some(column.name.as_str()),
            Cell::Empty => None,
        })
    }

    /// The cells, as expressions over the table's columns.
    pub(super) fn cells(&self) -> Vec<Expr> {
        let cells = self.cells.iter().enumerate();
        cells
            .map(|(at, cell)| match cell {
                Cell::Column(name, _) => ident(name),
                Cell::Empty => lit(ScalarValue::Utf8(None)),
                Cell::Inside { column, path, target } => {
                    let function = CellFunction::new(format!("search_cell_{at}"), path, target, Use::Cell);
                    ScalarUDF::from(function).call(vec![ident(column)])
                }
            })
            .collect()
    }

    /// The schema of the output batches.
    pub(super) fn schema(&self) -> SchemaRef {
        let cells = self.cells.iter().enumerate().map(|(at, cell)| match cell {
            Cell::Column(_, data_type) => data_type.clone(),
            Cell::Empty => DataType::Utf8,
            Cell::Inside { path, target, .. } => {
                type_of(&CellFunction::new(format!("search_cell_{at}"), path, target, Use::Cell))
            }
        });
        let elements = self.spreads.iter().flat_map(|spread| &spread.elements);
        let types = cells.chain(elements.map(|(path, target)| type_of(&element(path, target))));
        let columns = self.columns.iter().zip(types);
        Arc::new(Schema::new(
            columns.map(|(column, data_type)| Field::new(&column.name, data_type, true)).collect::<Fields>(),
        ))
    }

    /// The blocks of rows: for each, the list to spread, if any, and how rows of the plan become rows of the file.
    pub(super) fn blocks(&self) -> Vec<(Option<&str>, Arrangement)> {
        let (schema, cells) = (self.schema(), self.cells.len());
        if self.spreads.is_empty() {
            return vec![(None, Arrangement { schema, cells, spread: None })];
        }
        let mut before = 0;
        let mut blocks = Vec::with_capacity(self.spreads.len());
        for list in &self.spreads {
            let elements = list.elements.iter().map(|(path, target)| element(path, target)).collect();
            let spread = Some(Spread { before, elements });
            blocks
                .push((Some(list.name.as_str()), Arrangement { schema: Arc::clone(&schema), cells, spread }));
            before += list.elements.len();
        }
        blocks
    }
}

fn type_of(function: &CellFunction) -> DataType {
    function.return_type(&[]).expect("the type of a cell depends on nothing but its target")
}

fn element(path: &str, target: &Target) -> CellFunction {
    CellFunction::new("search_element".into(), path, target, Use::Cell)
}

/// The list that a name spreads, with the fields of its elements.
fn spread<'a>(fields: &DocumentFields, name: &'a str) -> Option<(&'a str, Fields)> {
    let list = name.strip_suffix(SPREAD).filter(|list| !list.contains('.'))?;
    fields.elements(list).map(|elements| (list, elements))
}

/// Whether a type has a column of this name, including a list to spread.
pub(super) fn has_column(fields: &DocumentFields, name: &str) -> bool {
    spread(fields, name).is_some() || fields.target(name).is_some()
}

fn cell(fields: &DocumentFields, name: &str) -> Cell {
    let Some(target) = fields.target(name) else { return Cell::Empty };
    let (column, path) = split(name);
    let plain = matches!(
        target.leaf,
        DataType::Utf8 | DataType::Int64 | DataType::Boolean | DataType::Timestamp(_, _)
    );
    if path.is_empty() && plain && !target.many {
        return Cell::Column(column.to_owned(), target.leaf);
    }
    Cell::Inside { column: column.to_owned(), path: path.to_owned(), target }
}

/// The shown fields of an element, in their order. Fields of a nested object are shown one by one.
fn shown(elements: &Fields) -> Vec<(String, Target)> {
    let mut paths = Vec::new();
    for field in elements {
        let Some(found) = super::flatten::target(field, "") else { continue };
        match (&found.leaf, found.many) {
            (DataType::Struct(inner), false) => {
                let inner = inner.iter().filter_map(|inner| {
                    let found = super::flatten::target(inner, "")?;
                    Some((format!("{}.{}", field.name(), inner.name()), found))
                });
                paths.extend(inner);
            }
            _ => paths.push((field.name().clone(), found)),
        }
    }
    paths
}

fn output(name: &str, empty: bool) -> OutputColumn {
    OutputColumn {
        name: name.to_owned(),
        label: title_case(name),
        meaning: if empty {
            "No field of these documents.".into()
        } else {
            format!("Field {name} of the document.")
        },
        origin: if empty { "unknown field" } else { "document field" },
    }
}

/// The path of a key, and whether the key is ascending.
fn sort_key(name: &str) -> (bool, &str) {
    let (ascending, path) = match name.strip_prefix('-') {
        Some(path) => (false, path),
        None => (true, name.strip_prefix('+').unwrap_or(name)),
    };
    let path = path.trim();
    (ascending, path.strip_suffix(".exact").unwrap_or(path))
}

/// The path of a sort key.
pub(super) fn key_path(name: &str) -> &str {
    sort_key(name).1
}

/// The values of a sort key; `None` for objects, which have no order.
pub(super) fn key_target(fields: &DocumentFields, name: &str) -> Option<Target> {
    let found = fields.target(key_path(name))?;
    (!matches!(found.leaf, DataType::Struct(_) | DataType::Map(_, _))).then_some(found)
}

/// The requested keys that the type has.
pub(super) fn sort_keys(fields: &DocumentFields, names: &[String]) -> Vec<SortKey> {
    let mut keys = Vec::new();
    for name in names {
        keys.extend(type_key(fields, name, keys.len()).map(|(key, _)| key));
    }
    keys
}

/// A requested key, and the type of its values. `None` if the type of document does not have it. `at` is the number of
/// the key in its plan.
pub(super) fn type_key(fields: &DocumentFields, name: &str, at: usize) -> Option<(SortKey, DataType)> {
    let target = key_target(fields, name)?;
    let (ascending, path) = sort_key(name);
    let (column, rest) = split(path);
    let expression = if rest.is_empty() && !target.many {
        ident(column)
    } else {
        let usage = if ascending { Use::Least } else { Use::Greatest };
        let function = CellFunction::new(format!("search_key_{at}"), rest, &target, usage);
        ScalarUDF::from(function).call(vec![ident(column)])
    };
    Some((SortKey { ascending, ..SortKey::ascending(expression) }, target.leaf))
}
