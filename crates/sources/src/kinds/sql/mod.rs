//! The rows of a query on a PostgreSQL or MySQL database.
//!
//! `query` runs a query and reads its rows; `dialect` is what differs between the databases, which `postgres` and `mysql`
//! say; `values` turns a column's values into text; `reader` puts them together.
//!
//! Invariants: the query runs in a transaction that cannot write and sees one state of the database; it is one
//! statement; a column whose type has no agreed text is an error before the first row; a query that breaks off
//! makes the read incomplete. Messages that the server writes while rows are being read are not shown: they may
//! hold a cell's content.

mod dialect;
mod mysql;
mod postgres;
mod query;
mod reader;
mod settings;
mod values;

pub use settings::SqlSettings;
