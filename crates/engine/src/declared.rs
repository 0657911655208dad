//! The declarations of the identity tables: what a row is, the columns, and what the program does with them.
//!
//! The declarations determine the Arrow schema, the partitions (`partitions`), which rows count as changed
//! (`refresh/incremental`), `snapshot compare`, what a limited caller sees (`scope`), and docs/tables.md.
//! `declared/tables.rs` has the declarations. A plan produces the rows; if it lacks a declared column, writing the
//! table fails.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

#[cfg(test)]
mod page;
mod tables;

use crate::functions::{attributes_type, texts_type, times_type};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use muster_sources::DocumentType;
use std::sync::Arc;

pub(crate) use tables::{ACCOUNTS, COUNTS, IDENTITIES, IDENTITY_DOCUMENTS};

/// Every table of a snapshot. The tables of documents are last.
pub const TABLES: [&str; 14] = {
    let mut names = [""; tables::DECLARED.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = tables::DECLARED[at].name;
        at += 1;
    }
    names
};

/// Every table.
static ALL: [Table; TABLES.len()] = tables::DECLARED;

/// A table.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// What one row is.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/tables.md has it"))]
    pub(crate) row: &'static str,
    /// Its columns, in their order.
    pub(crate) columns: Columns,
    /// Which rows a caller sees whose data scope is limited to some sources.
    pub(crate) in_view: InView,
    /// How a refresh writes the table.
    pub(crate) writing: Writing,
    /// The relation of the refresh that has the table's rows. For a table that only grows, it has the new rows.
    pub(crate) rows: &'static str,
    /// Whether a refresh reads the previous version, as `prev_` and the table's name.
    pub(crate) read_again: bool,
    /// What is lost if the table is damaged and cannot be recomputed from the sources; `None` if it can be recomputed.
    pub(crate) only_here: Option<&'static str>,
    /// How `snapshot compare` shows the rows; `None` if it does not.
    pub(crate) compared: Option<Compared>,
}

/// The columns of a table.
#[derive(Clone, Copy)]
pub(crate) enum Columns {
    /// Columns that are listed in the declaration.
    Listed(&'static [Column]),
    /// The fields of a type of document.
    Documents(DocumentType),
}

/// A column.
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// The type of its values.
    pub(crate) holds: Holds,
    /// How a refresh detects a change of the column.
    pub(crate) change: Change,
    /// Name in `snapshot compare`; `None` if changes of the column are not shown.
    pub(crate) shown: Option<&'static str>,
    /// Meaning, for authors of reports.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/tables.md has it"))]
    pub(crate) meaning: &'static str,
}

/// The type of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// A time in UTC, in microseconds.
    Time,
    /// A whole number of 64 bits.
    Number,
    /// A whole number of 32 bits.
    Count,
    /// A list of texts.
    Texts,
    /// A list of times in UTC, in microseconds.
    Times,
    /// Names, each with a list of texts.
    Attributes,
}

/// How a refresh detects that a column of a row has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Never: it is the row's key.
    Key,
    /// By the content digest, which has a column of its own.
    Content,
    /// By comparing the column.
    Compared,
    /// By another column from which it follows.
    Follows,
    /// Not needed: the table is written whole or only grows.
    Whole,
}

/// Which rows of a table a caller sees whose data scope is limited to some sources.
#[derive(Clone, Copy)]
pub(crate) enum InView {
    /// Rows for which this expression is the id of a source in the scope.
    OfSource(&'static str),
    /// Identities that own a live account of a source in the scope.
    OfOwners,
    /// No rows: they concern several sources or none.
    Nothing,
}

/// How a refresh writes a table.
#[derive(Clone, Copy)]
pub(crate) enum Writing {
    /// The whole table, if it changed.
    Whole,
    /// New rows are appended.
    Grows,
    /// In partitions by the first digits of ids. Only partitions with changed rows are written.
    Partitioned {
        /// The column by which the table is divided first.
        group: Option<&'static str>,
        /// Target number of rows of a partition.
        rows: u64,
        /// The relation of the refresh that has the ids of rows that were added, changed or removed.
        touched: &'static str,
        /// The columns by which the rows of each file are sorted, ascending, nulls last. The last one is the key. Empty
        /// if the rows have no order.
        order: &'static [&'static str],
    },
}

/// How `snapshot compare` shows the rows of a table.
#[derive(Clone, Copy)]
pub(crate) struct Compared {
    /// The kind of object that a row is.
    pub(crate) object: &'static str,
    /// The column with the object's name for people.
    pub(crate) name: &'static str,
    /// The column with the name of its source, if it has one.
    pub(crate) source: Option<&'static str>,
    /// Condition for rows that exist, for tables that keep removed objects.
    pub(crate) only: &'static str,
}

/// All of a column's declaration. There are no defaults, so nothing can be forgotten.
const fn column(
    name: &'static str,
    holds: Holds,
    change: Change,
    shown: Option<&'static str>,
    meaning: &'static str,
) -> Column {
    Column { name, holds, change, shown, meaning }
}

impl Table {
    /// One of [`TABLES`].
    pub(crate) fn of(name: &str) -> &'static Self {
        let declared = ALL.iter().find(|table| table.name == name);
        declared.unwrap_or_else(|| unreachable!("{name} is not a table"))
    }

    /// The table of a type of document.
    pub(crate) fn of_documents(wanted: DocumentType) -> &'static Self {
        let is_of = |table: &&Self| matches!(table.columns, Columns::Documents(of) if of == wanted);
        let declared = ALL.iter().find(is_of);
        declared.unwrap_or_else(|| unreachable!("every type of document has a table"))
    }

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter()
    }

    /// The columns that are listed in the declaration; none for a table of documents.
    pub(crate) fn listed(&self) -> &'static [Column] {
        match self.columns {
            Columns::Listed(columns) => columns,
            Columns::Documents(_) => &[],
        }
    }

    /// The Arrow schema.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self.columns {
            Columns::Listed(columns) => {
                Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Fields>()))
            }
            Columns::Documents(document_type) => documents(document_type),
        }
    }

    /// The columns whose changes are detected in this way, in their order.
    pub(crate) fn changing(&self, change: Change) -> impl Iterator<Item = &'static Column> {
        self.listed().iter().filter(move |column| column.change == change)
    }
}

impl Column {
    fn field(&self) -> Field {
        let data_type = match self.holds {
            Holds::Text => DataType::Utf8,
            Holds::Flag => DataType::Boolean,
            Holds::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Holds::Number => DataType::Int64,
            Holds::Count => DataType::Int32,
            Holds::Texts => texts_type(),
            Holds::Times => times_type(),
            Holds::Attributes => attributes_type(),
        };
        Field::new(self.name, data_type, true)
    }
}

/// Columns of a table of documents: the fields of the documents, without their metadata.
pub(crate) fn documents(document_type: DocumentType) -> SchemaRef {
    let schema = muster_sources::documents::schema(document_type);
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Fields>()))
}

/// A field without metadata, at any depth, so that tables, functions and files have equal types.
fn plain(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::List(item) => DataType::List(plain(item)),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &str, change: Change) -> Vec<&'static str> {
        Table::of(table).changing(change).map(|column| column.name).collect()
    }

    /// Stored digests were computed over these columns in this order.
    #[test]
    fn digests_are_over_the_content() {
        let accounts = [
            "name",
            "display_name",
            "uuid",
            "disabled",
            "locked",
            "system",
            "privileged",
            "attributes",
            "entitlements",
        ];
        assert_eq!(names("accounts", Change::Content), accounts);
        let identities = [
            "name",
            "display_name",
            "first_name",
            "last_name",
            "email",
            "profile",
            "authoritative_source_id",
            "last_authoritative_source",
            "lifecycle_state",
            "status",
            "processing_state",
            "correlated",
            "protected",
            "manager_id",
            "attributes",
        ];
        assert_eq!(names("identities", Change::Content), identities);
    }

    #[test]
    fn what_is_compared_is_compared_whole() {
        for table in Table::all() {
            let is_compared =
                !table.listed().is_empty() && matches!(table.writing, Writing::Partitioned { .. });
            for column in table.listed() {
                let is_whole = column.change == Change::Whole;
                assert_eq!(is_whole, !is_compared, "{}.{}", table.name, column.name);
                assert!(column.meaning.ends_with('.'), "{}.{}", table.name, column.name);
                assert!(column.shown.is_none() || table.compared.is_some(), "{}.{}", table.name, column.name);
            }
            if let Writing::Partitioned { order, .. } = table.writing {
                assert!(order.last().is_none_or(|last| *last == "id"), "{}", table.name);
            }
            if is_compared {
                assert_eq!(names(table.name, Change::Key), ["id"]);
                // A change of the content shows in the digest only.
                assert!(names(table.name, Change::Compared).contains(&"digest"));
            }
        }
    }
}
