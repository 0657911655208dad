//! `attribute_cells(map, name, value, ...)`: every attribute of a row and some of its columns, one (name, value) each.
//! `differences(was, is_now, old map, new map, name, old, new, ...)`: what differs between two states of an object.
//!
//! Reports over a period use the second for their rows and the first for their second count. `Pairs` is what decides
//! whether two states differ, also when two snapshots are compared ([`crate::compare`]).

use super::{AttributesColumn, index, strings};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The values of two states of one object by name, the old one first: columns by their names, and attributes as
/// `attributes.NAME`.
#[derive(Debug, Default)]
pub(crate) struct Pairs(BTreeMap<String, [Option<String>; 2]>);

/// The side of the old state, and that of the new one.
pub(crate) const SIDES: [usize; 2] = [0, 1];

impl Pairs {
    /// The value of a column in the state of one side.
    pub(crate) fn add(&mut self, side: usize, name: &str, value: Option<String>) {
        self.0.entry(name.to_owned()).or_default()[side] = value;
    }

    /// The attributes in the state of one side: a row of the column.
    pub(crate) fn add_attributes(&mut self, side: usize, attributes: &AttributesColumn, row: usize) {
        for (name, cell) in attributes.cells(row) {
            self.add(side, &attribute(name), Some(cell));
        }
    }

    /// The names whose values differ, in order, with both values.
    pub(crate) fn differing(&self) -> impl Iterator<Item = (&str, Option<&str>, Option<&str>)> {
        let all = self.0.iter().map(|(name, [old, new])| (name.as_str(), old.as_deref(), new.as_deref()));
        all.filter(|(_, old, new)| old != new)
    }
}

fn attribute(name: &str) -> String {
    format!("attributes.{name}")
}

/// A list of structs of texts in the making.
struct Items<const N: usize> {
    texts: [StringBuilder; N],
    lengths: Vec<usize>,
    /// Items of the row that is being made.
    count: usize,
}

impl<const N: usize> Items<N> {
    fn new() -> Self {
        Self { texts: std::array::from_fn(|_| StringBuilder::new()), lengths: Vec::new(), count: 0 }
    }

    fn push(&mut self, texts: [Option<&str>; N]) {
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        self.count += 1;
    }

    /// The items since the last end are those of one row.
    fn end_row(&mut self) {
        self.lengths.push(std::mem::take(&mut self.count));
    }

    fn finish(mut self, names: [&str; N]) -> Result<ColumnarValue> {
        let texts = self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let items = StructArray::try_new(fields(names), texts, None)?;
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        let list = ListArray::try_new(Arc::new(item(names)), offsets, Arc::new(items), None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

fn fields<const N: usize>(names: [&str; N]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

fn item<const N: usize>(names: [&str; N]) -> Field {
    Field::new(muster_sources::LIST_ITEM_FIELD, DataType::Struct(fields(names)), true)
}

/// A map of attributes; `None` for a null constant.
fn attributes(column: &ArrayRef) -> Result<Option<AttributesColumn>> {
    match column.data_type().is_null() {
        true => Ok(None),
        false => AttributesColumn::open(column).map(Some),
    }
}

/// The text of a row.
fn text(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

/// The constant names of columns.
fn names(columns: &[ArrayRef], step: usize, function: &str) -> Result<Vec<String>> {
    if !columns.len().is_multiple_of(step) {
        return exec_err!("{function}: expected groups of {step} arguments after the first ones");
    }
    let name = |group: &[ArrayRef]| match strings(&group[0]) {
        Ok(texts) if texts.is_empty() => Ok(String::new()),
        Ok(texts) if texts.is_valid(0) => Ok(texts.value(0).to_owned()),
        Ok(_) | Err(_) => exec_err!("{function}: a name is not a text: expected one"),
    };
    columns.chunks(step).map(name).collect()
}

const CELL: [&str; 2] = ["name", "value"];

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CellsFunction {
    signature: Signature,
}

impl CellsFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for CellsFunction {
    fn name(&self) -> &str {
        "attribute_cells"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(item(CELL))))
    }

    /// Nulls are left out. The values of an attribute are one text, as in multi-valued cells.
    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let arrays: Vec<_> =
            arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<_>>()?;
        let [map, columns @ ..] = &arrays[..] else {
            return exec_err!("attribute_cells: expected an attributes map");
        };
        let map = attributes(map)?;
        let names = names(columns, 2, self.name())?;
        let values = columns.chunks(2).map(|pair| strings(&pair[1])).collect::<Result<Vec<_>>>()?;
        let mut items = Items::new();
        for row in 0..rows {
            for (name, values) in names.iter().zip(&values) {
                if let Some(value) = text(values, row) {
                    items.push([Some(name), Some(value)]);
                }
            }
            for (name, cell) in map.iter().flat_map(|map| map.cells(row)) {
                items.push([Some(&attribute(name)), Some(&cell)]);
            }
            items.end_row();
        }
        items.finish(CELL)
    }
}

const DIFFERENCE: [&str; 3] = ["name", "old", "new"];

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DifferencesFunction {
    signature: Signature,
}

impl DifferencesFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

/// A column of both states.
enum BothSides {
    Texts([StringArray; 2]),
    /// Each text that only one of the states has is a difference of its own.
    Lists([ListArray; 2]),
}

impl BothSides {
    fn open(old: &ArrayRef, new: &ArrayRef) -> Result<Self> {
        let list = |column: &ArrayRef| column.as_list_opt::<i32>().cloned();
        Ok(match (list(old), list(new)) {
            (Some(old), Some(new)) => Self::Lists([old, new]),
            _ => Self::Texts([strings(old)?, strings(new)?]),
        })
    }
}

fn items_of(list: &ListArray, row: usize) -> Result<BTreeSet<String>> {
    if list.is_null(row) {
        return Ok(BTreeSet::new());
    }
    let offsets = list.value_offsets();
    let (from, to) = (index(offsets[row]), index(offsets[row + 1]));
    let items = strings(&list.values().slice(from, to - from))?;
    Ok(items.iter().flatten().map(str::to_owned).collect())
}

impl ScalarUDFImpl for DifferencesFunction {
    fn name(&self) -> &str {
        "differences"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(item(DIFFERENCE))))
    }

    /// An object that is in one of the states only is one difference without a name, and one for each text of its lists.
    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let arrays: Vec<_> =
            arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<_>>()?;
        let [was, is_now, old, new, columns @ ..] = &arrays[..] else {
            return exec_err!("differences: expected (was, is now, old attributes, new attributes, ...)");
        };
        let (Some(was), Some(is_now)) = (was.as_boolean_opt(), is_now.as_boolean_opt()) else {
            return exec_err!("differences: expected true or false first");
        };
        let maps = [attributes(old)?, attributes(new)?];
        let names = names(columns, 3, self.name())?;
        let sides =
            columns.chunks(3).map(|one| BothSides::open(&one[1], &one[2])).collect::<Result<Vec<_>>>()?;
        let mut items = Items::new();
        for row in 0..rows {
            let is_in_both = was.value(row) && is_now.value(row);
            if was.value(row) != is_now.value(row) {
                items.push([None; 3]);
            }
            let mut pairs = Pairs::default();
            for (name, both) in names.iter().zip(&sides) {
                match both {
                    BothSides::Lists([old, new]) => {
                        let (old, new) = (items_of(old, row)?, items_of(new, row)?);
                        for lost in old.difference(&new) {
                            items.push([Some(name), Some(lost), None]);
                        }
                        for gained in new.difference(&old) {
                            items.push([Some(name), None, Some(gained)]);
                        }
                    }
                    BothSides::Texts(texts) if is_in_both => {
                        for side in SIDES {
                            pairs.add(side, name, text(&texts[side], row).map(str::to_owned));
                        }
                    }
                    BothSides::Texts(_) => {}
                }
            }
            if is_in_both {
                for side in SIDES {
                    maps[side].iter().for_each(|map| pairs.add_attributes(side, map, row));
                }
            }
            for (name, old, new) in pairs.differing() {
                items.push([Some(name), old, new]);
            }
            items.end_row();
        }
        items.finish(DIFFERENCE)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use crate::functions::register;
    use datafusion::arrow::util::display::array_value_to_string;
    use datafusion::prelude::SessionContext;

    /// The first cell of a query, with the functions and `map(name, values)` as attributes.
    fn cell(sql: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let context = SessionContext::new();
            register(&context);
            let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
            array_value_to_string(batches[0].column(0), 0).unwrap()
        })
    }

    const OLD: &str = "MAP(['dept', 'groups', 'gone'], [['A'], ['x', 'y;z'], ['1']])";
    const NEW: &str = "MAP(['groups', 'dept', 'new'], [['x', 'y;z'], ['B'], ['']])";

    #[test]
    fn what_differs_is_listed_by_name() {
        let both = format!(
            "SELECT differences(true, true, {OLD}, {NEW}, 'locked', true, CAST(NULL AS BOOLEAN), 'same', 1, 1)"
        );
        assert_eq!(
            cell(&both),
            "[{name: attributes.dept, old: A, new: B}, {name: attributes.gone, old: 1, new: }, \
             {name: attributes.new, old: , new: }, {name: locked, old: true, new: }]"
        );
        let lists =
            "SELECT differences(true, true, NULL, NULL, 'right', ['b', 'a', 'a'], ['c', 'a'], 'n', 'x', 'y')";
        assert_eq!(
            cell(lists),
            "[{name: right, old: b, new: }, {name: right, old: , new: c}, {name: n, old: x, new: y}]"
        );
    }

    #[test]
    fn what_is_in_one_state_only_differs_as_a_whole_and_by_its_lists() {
        let gained = format!(
            "SELECT differences(false, true, NULL, {NEW}, 'right', CAST(NULL AS VARCHAR[]), ['b', 'a'], 'n', NULL, 'y')"
        );
        assert_eq!(
            cell(&gained),
            "[{name: , old: , new: }, {name: right, old: , new: a}, {name: right, old: , new: b}]"
        );
        assert_eq!(cell("SELECT differences(false, false, NULL, NULL, 'n', 'a', 'b')"), "[]");
    }

    #[test]
    fn cells_are_columns_and_attributes_without_nulls() {
        let sql = format!("SELECT attribute_cells({OLD}, 'locked', true, 'none', CAST(NULL AS VARCHAR))");
        assert_eq!(
            cell(&sql),
            "[{name: locked, value: true}, {name: attributes.dept, value: A}, \
             {name: attributes.groups, value: x; y;;z}, {name: attributes.gone, value: 1}]"
        );
    }
}
