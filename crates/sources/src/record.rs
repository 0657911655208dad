//! The raw account record: the Arrow schema in which every reader gives what it read.
//!
//! The names inside the map and the lists are the ones that Parquet and Delta tables use, so that batches can
//! be written without being renamed; they stand here only.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder,
    UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

/// Name of the entries (a struct) of the `attributes` map.
pub const ATTRIBUTES_ENTRY_FIELD: &str = "key_value";
/// Name of the key in an entry of the `attributes` map.
pub const ATTRIBUTES_KEY_FIELD: &str = "key";
/// Name of the value in an entry of the `attributes` map.
pub const ATTRIBUTES_VALUE_FIELD: &str = "value";
/// Name of the items of every list.
pub const LIST_ITEM_FIELD: &str = "element";

/// Names of the record's columns.
pub mod column {
    /// Physical line on which the record begins, counted from 1; 0 for sources without lines.
    pub const LINE: &str = "line";
    /// What names the account in its source; never blank.
    pub const NATIVE_IDENTITY: &str = "native_identity";
    /// The account's name.
    pub const NAME: &str = "name";
    /// The name shown to people.
    pub const DISPLAY_NAME: &str = "display_name";
    /// An id that survives a rename, such as a directory's objectGUID.
    pub const UUID: &str = "uuid";
    /// The account cannot be used.
    pub const DISABLED: &str = "disabled";
    /// The account is locked out.
    pub const LOCKED: &str = "locked";
    /// The account belongs to a system, not to a person.
    pub const SYSTEM: &str = "system";
    /// The account has special rights.
    pub const PRIVILEGED: &str = "privileged";
    /// All attributes by name.
    pub const ATTRIBUTES: &str = "attributes";
    /// Values of the attributes that the definition marks as entitlements.
    pub const ENTITLEMENTS: &str = "entitlements";
}

/// The schema of a batch of raw account records.
///
/// `attributes` maps an attribute's name to its values: keys are in schema order, an empty cell is an absent
/// key, a single-valued attribute is a list of one.
#[must_use]
pub fn record_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new(column::LINE, DataType::UInt64, false),
            Field::new(column::NATIVE_IDENTITY, DataType::Utf8, false),
            Field::new(column::NAME, DataType::Utf8, true),
            Field::new(column::DISPLAY_NAME, DataType::Utf8, true),
            Field::new(column::UUID, DataType::Utf8, true),
            Field::new(column::DISABLED, DataType::Boolean, false),
            Field::new(column::LOCKED, DataType::Boolean, false),
            Field::new(column::SYSTEM, DataType::Boolean, false),
            Field::new(column::PRIVILEGED, DataType::Boolean, false),
            Field::new(column::ATTRIBUTES, attributes_type(), false),
            Field::new(column::ENTITLEMENTS, DataType::List(Arc::new(list_item())), false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// The item of every list in the record.
pub(crate) fn list_item() -> Field {
    Field::new(LIST_ITEM_FIELD, DataType::Utf8, true)
}

/// The value of an entry of the `attributes` map.
pub(crate) fn attributes_value() -> Field {
    Field::new(ATTRIBUTES_VALUE_FIELD, DataType::List(Arc::new(list_item())), true)
}

/// The entries of the `attributes` map.
pub(crate) fn attributes_entry() -> Field {
    let key = Field::new(ATTRIBUTES_KEY_FIELD, DataType::Utf8, false);
    Field::new(ATTRIBUTES_ENTRY_FIELD, DataType::Struct(Fields::from(vec![key, attributes_value()])), false)
}

/// The type of the `attributes` map, and of every free map.
pub(crate) fn attributes_type() -> DataType {
    DataType::Map(Arc::new(attributes_entry()), false)
}

/// Builds batches of [`record_schema`], one record after another, for every reader.
///
/// The order of calls for a record: [`line`](Self::line), [`native_identity`](Self::native_identity),
/// [`names`](Self::names), [`flags`](Self::flags), any number of [`attribute`](Self::attribute)s in schema
/// order, [`end_record`](Self::end_record).
pub(crate) struct RecordBuilder {
    lines: UInt64Builder,
    native_identities: StringBuilder,
    names: [StringBuilder; 3],
    flags: [BooleanBuilder; 4],
    attributes: MapBuilder<StringBuilder, ListBuilder<StringBuilder>>,
    entitlements: ListBuilder<StringBuilder>,
}

impl Default for RecordBuilder {
    fn default() -> Self {
        let list = || ListBuilder::new(StringBuilder::new()).with_field(list_item());
        let names = MapFieldNames {
            entry: ATTRIBUTES_ENTRY_FIELD.to_owned(),
            key: ATTRIBUTES_KEY_FIELD.to_owned(),
            value: ATTRIBUTES_VALUE_FIELD.to_owned(),
        };
        Self {
            lines: UInt64Builder::new(),
            native_identities: StringBuilder::new(),
            names: Default::default(),
            flags: Default::default(),
            attributes: MapBuilder::new(Some(names), StringBuilder::new(), list())
                .with_values_field(attributes_value()),
            entitlements: list(),
        }
    }
}

impl RecordBuilder {
    /// Records begun.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn line(&mut self, line: u64) {
        self.lines.append_value(line);
    }

    pub(crate) fn native_identity(&mut self, native_identity: &str) {
        self.native_identities.append_value(native_identity);
    }

    pub(crate) fn names(&mut self, name: Option<&str>, display_name: Option<&str>, uuid: Option<&str>) {
        for (builder, text) in self.names.iter_mut().zip([name, display_name, uuid]) {
            builder.append_option(text);
        }
    }

    /// Disabled, locked, system, privileged.
    pub(crate) fn flags(&mut self, flags: [bool; 4]) {
        for (builder, flag) in self.flags.iter_mut().zip(flags) {
            builder.append_value(flag);
        }
    }

    /// An attribute with its values; with none it is absent.
    pub(crate) fn attribute<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a str>,
        entitlement: bool,
    ) {
        let mut any = false;
        for value in values {
            any = true;
            self.attributes.values().values().append_value(value);
            if entitlement {
                self.entitlements.values().append_value(value);
            }
        }
        if any {
            self.attributes.keys().append_value(name);
            self.attributes.values().append(true);
        }
    }

    pub(crate) fn end_record(&mut self) {
        self.attributes.append(true).expect("every key was given with its values");
        self.entitlements.append(true);
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(self.lines.finish()), Arc::new(self.native_identities.finish())];
        columns.extend(self.names.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.extend(self.flags.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.attributes.finish()));
        columns.push(Arc::new(self.entitlements.finish()));
        RecordBatch::try_new(record_schema(), columns)
    }
}
