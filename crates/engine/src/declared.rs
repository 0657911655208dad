//! The identity tables, each declared once: what a row is, the columns, and what the program does with them.
//!
//! From a declaration come the Arrow schema, the division into files (`pieces`), the comparison that finds out which rows
//! changed (`refresh/extent`), `snapshot compare`, what a limited caller sees (`scope`), and docs/tables.md.
//! `declared/tables.rs` has the declarations. A plan makes the rows; where it lacks a declared column, writing the table
//! fails.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

#[cfg(test)]
mod page;
mod tables;

use crate::functions::{attributes_type, texts_type};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use muster_sources::DocumentType;
use std::sync::Arc;

pub(crate) use tables::{ACCOUNTS, COUNTS, IDENTITIES};

/// Every table of a snapshot, the tables of documents last.
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
    /// Which rows a caller sees who may see the rows of some sources only.
    pub(crate) in_view: InView,
    /// How a refresh writes it.
    pub(crate) writing: Writing,
    /// The relation of a refresh that has its rows; of a table that only grows, the new ones.
    pub(crate) rows: &'static str,
    /// Whether a refresh reads the last version, as `prev_` and the table's name.
    pub(crate) read_again: bool,
    /// What is lost where the table is damaged, if sources cannot give it again.
    pub(crate) only_here: Option<&'static str>,
    /// How `snapshot compare` shows its rows, if it does.
    pub(crate) compared: Option<Compared>,
}

/// The columns of a table.
#[derive(Clone, Copy)]
pub(crate) enum Columns {
    /// These.
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
    /// How a refresh learns that it changed.
    pub(crate) change: Change,
    /// What `snapshot compare` calls it; `None` where a change of it is not shown.
    pub(crate) shown: Option<&'static str>,
    /// What it says, for authors of reports.
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
    /// Names, each with a list of texts.
    Attributes,
}

/// How a refresh learns that a column of a row is not what it was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Never: the row is known by it.
    Key,
    /// By the digest over the content, which is a column itself.
    Content,
    /// By comparing it.
    Compared,
    /// By another column: it follows from that one alone.
    Follows,
    /// Not at all: the table is written whole or only grows.
    Whole,
}

/// Which rows of a table a caller sees who may see the rows of some sources only.
#[derive(Clone, Copy)]
pub(crate) enum InView {
    /// Those of which this expression is the id of one of the sources.
    OfSource(&'static str),
    /// Those of identities that own a live account of one of the sources.
    OfOwners,
    /// None: they are about several sources or about none.
    Nothing,
}

/// How a refresh writes a table.
#[derive(Clone, Copy)]
pub(crate) enum Writing {
    /// As a whole, or not at all.
    Whole,
    /// The new rows are added.
    Grows,
    /// In pieces by the first digits of ids, of which only those with rows that changed are written.
    Pieces {
        /// The column by which the table is divided first.
        group: Option<&'static str>,
        /// Rows that a piece should have.
        rows: u64,
        /// The relation of a refresh that has the ids of rows that are new, changed or gone.
        touched: &'static str,
    },
}

/// How `snapshot compare` shows the rows of a table.
#[derive(Clone, Copy)]
pub(crate) struct Compared {
    /// What a row is.
    pub(crate) object: &'static str,
    /// What a person knows it by.
    pub(crate) name: &'static str,
    /// The column with the name of its source, where it has one.
    pub(crate) source: Option<&'static str>,
    /// Which rows are there, for tables that keep what is gone.
    pub(crate) only: &'static str,
}

/// All of a column's declaration: nothing of it has a default, so that nothing is forgotten.
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

    /// The columns that are listed here; none of a table of documents.
    pub(crate) fn listed(&self) -> &'static [Column] {
        match self.columns {
            Columns::Listed(columns) => columns,
            Columns::Documents(_) => &[],
        }
    }

    /// The columns as Arrow has them.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self.columns {
            Columns::Listed(columns) => {
                Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Fields>()))
            }
            Columns::Documents(document_type) => documents(document_type),
        }
    }

    /// The names of the columns that change in this way, in their order.
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
            Holds::Attributes => attributes_type(),
        };
        Field::new(self.name, data_type, true)
    }
}

/// Columns of a table of documents: those of the documents, without what is said about them.
pub(crate) fn documents(document_type: DocumentType) -> SchemaRef {
    let schema = muster_sources::documents::schema(document_type);
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Fields>()))
}

/// A field without metadata, and without that of the fields in it: tables, functions and files then agree.
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

    /// Digests that are on disk were made over these columns in this order.
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
            let is_compared = !table.listed().is_empty() && matches!(table.writing, Writing::Pieces { .. });
            for column in table.listed() {
                let is_whole = column.change == Change::Whole;
                assert_eq!(is_whole, !is_compared, "{}.{}", table.name, column.name);
                assert!(column.meaning.ends_with('.'), "{}.{}", table.name, column.name);
                assert!(column.shown.is_none() || table.compared.is_some(), "{}.{}", table.name, column.name);
            }
            if is_compared {
                assert_eq!(names(table.name, Change::Key), ["id"]);
                // A change of the content shows in the digest only.
                assert!(names(table.name, Change::Compared).contains(&"digest"));
            }
        }
    }
}
