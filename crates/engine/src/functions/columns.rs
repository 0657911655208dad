//! `account_columns(source, attributes)`: what an account's attributes say in the program's own types, as the definition of
//! its source says (`[account.columns]`).
//!
//! The result is a struct with a field for each column of [`COLUMNS`], as the table of accounts has them. Accounts of a
//! source that says nothing about them have nulls.

use super::{AttributesColumn, strings, texts_type};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, ListBuilder, StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_sources::{AccountColumns, AccountKind, LIST_ITEM_FIELD, TypedAccount};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The fields of the result, in order.
const COLUMNS: [&str; 9] = [
    "last_used",
    "last_used_latest",
    "password_set",
    "expires",
    "never_expires",
    "kind",
    "owner",
    "privileged_by",
    "unreadable",
];

/// The columns of all sources.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AccountColumnsFunction {
    /// What the definitions say, by the id of the source.
    sources: BTreeMap<String, AccountColumns>,
    signature: Signature,
}

impl Hash for AccountColumnsFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sources.keys().for_each(|source| source.hash(state));
    }
}

/// The type of a time.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl AccountColumnsFunction {
    /// The function for these sources: their ids, and what their definitions say.
    pub(crate) fn new(sources: impl IntoIterator<Item = (String, AccountColumns)>) -> Self {
        let sources = sources.into_iter().filter(|(_, columns)| !columns.is_empty()).collect();
        Self { sources, signature: Signature::any(2, Volatility::Immutable) }
    }

    fn fields() -> Fields {
        let types = [
            time_type(),
            time_type(),
            time_type(),
            time_type(),
            DataType::Boolean,
            DataType::Utf8,
            DataType::Utf8,
            texts_type(),
            texts_type(),
        ];
        COLUMNS.iter().zip(types).map(|(name, data_type)| Field::new(*name, data_type, true)).collect()
    }
}

impl ScalarUDFImpl for AccountColumnsFunction {
    fn name(&self) -> &'static str {
        "account_columns"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(Self::fields()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [source, map] = &arguments.args[..] else {
            return exec_err!("account_columns: expected the id of a source and attributes");
        };
        let rows = arguments.number_rows;
        let sources = strings(&source.to_array(rows)?)?;
        let column = AttributesColumn::open(&map.to_array(rows)?)?;
        let mut made = Builders::default();
        for row in 0..rows {
            let columns = self.sources.get(sources.value(row));
            let values = |name: &str| column.values_like(row, name);
            made.append(&columns.map_or_else(TypedAccount::default, |columns| columns.read(&values)));
        }
        Ok(ColumnarValue::Array(made.finish()?))
    }
}

/// Builds a column of times.
#[derive(Debug)]
pub(super) struct Times(TimestampMicrosecondBuilder);

impl Default for Times {
    fn default() -> Self {
        Self(TimestampMicrosecondBuilder::new().with_data_type(time_type()))
    }
}

impl Times {
    pub(super) fn append(&mut self, time: Option<DateTime<Utc>>) {
        self.0.append_option(time.map(|time| time.timestamp_micros()));
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Builds a column of lists of texts. A list without a text is null.
#[derive(Debug)]
pub(super) struct Lists(ListBuilder<StringBuilder>);

impl Default for Lists {
    fn default() -> Self {
        let item = Field::new(LIST_ITEM_FIELD, DataType::Utf8, true);
        Self(ListBuilder::new(StringBuilder::new()).with_field(item))
    }
}

impl Lists {
    pub(super) fn append<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        let mut any = false;
        for text in texts {
            any = true;
            self.0.values().append_value(text);
        }
        self.0.append(any);
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

#[derive(Default)]
struct Builders {
    times: [Times; 4],
    never_expires: BooleanBuilder,
    kinds: StringBuilder,
    owners: StringBuilder,
    lists: [Lists; 2],
}

impl Builders {
    fn append(&mut self, account: &TypedAccount) {
        let times = [account.last_used, account.last_used_latest, account.password_set, account.expires];
        self.times.iter_mut().zip(times).for_each(|(column, time)| column.append(time));
        self.never_expires.append_option(account.never_expires);
        self.kinds.append_option(account.kind.map(AccountKind::as_str));
        self.owners.append_option(account.owner.as_deref());
        let [privileged_by, unreadable] = &mut self.lists;
        privileged_by.append(account.privileged_by.iter().map(String::as_str));
        unreadable.append(account.unreadable.iter().copied());
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let mut columns: Vec<ArrayRef> = self.times.iter_mut().map(Times::finish).collect();
        columns.push(Arc::new(self.never_expires.finish()));
        columns.push(Arc::new(self.kinds.finish()));
        columns.push(Arc::new(self.owners.finish()));
        columns.extend(self.lists.iter_mut().map(Lists::finish));
        Ok(Arc::new(StructArray::try_new(AccountColumnsFunction::fields(), columns, None)?))
    }
}
