//! docs/tables.md, written from the declarations.

use super::{Columns, Holds, InView, Table};
use datafusion::arrow::datatypes::DataType;
use std::fmt::Write;

const HEAD: &str = "\
# Tables

`cargo xtask docs` writes this page from `crates/engine/src/declared/tables.rs`; change that file, not this page.

A snapshot consists of these tables. The queries of a report read them, and [snapshots.md](snapshots.md) says how other \
programs do. Any column may be null. Write a name with capital letters in quotation marks: `\"displayName\"`. For a column of \
attributes, `attribute_first(attributes, 'city')` returns the first value of an attribute, `attribute(attributes, 'city')` all \
its values as a list, and `attribute_text(attributes, 'city')` all its values in one text, as in cells of a report. `$NAME` stands \
for the argument of that name, null if it is absent, and `$snapshotTime` for the time of the snapshot. Count days back from that, so \
that the same snapshot and arguments give the same rows.

A caller whose credential is limited to some sources sees the rows in view only. Reports for such a caller read and count no \
other rows.
";

/// The page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for table in Table::all() {
        write!(page, "\n## {}\n\nOne row is {}. ", table.name, table.row).expect("a text takes all");
        page.push_str(match table.in_view {
            InView::OfSource(_) => "In view are the rows of the caller's sources.\n",
            InView::OfOwners => {
                "In view are identities that own a live account of the caller's sources. Counts of accounts, and lists in \
                 documents, are limited to these sources.\n"
            }
            InView::Nothing => "A limited caller sees no rows.\n",
        });
        page.push_str(match table.columns {
            Columns::Listed(_) => "\n| column | holds | meaning |\n|---|---|---|\n",
            Columns::Documents(_) => "\n| column | holds |\n|---|---|\n",
        });
        for column in table.listed() {
            writeln!(page, "| `{}` | {} | {} |", column.name, words(column.holds), column.meaning)
                .expect("a text takes all");
        }
        if let Columns::Documents(_) = table.columns {
            for field in table.schema().fields() {
                writeln!(page, "| `{}` | {} |", field.name(), type_words(field.data_type()))
                    .expect("a text takes all");
            }
        }
    }
    page
}

fn words(holds: Holds) -> &'static str {
    match holds {
        Holds::Text => "text",
        Holds::Flag => "true or false",
        Holds::Time => "time in UTC",
        Holds::Number | Holds::Count => "whole number",
        Holds::Texts => "list of texts",
        Holds::Times => "list of times in UTC",
        Holds::Attributes => "attributes: names, each with a list of texts",
    }
}

fn type_words(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => words(Holds::Text).to_owned(),
        DataType::Boolean => words(Holds::Flag).to_owned(),
        DataType::Timestamp(..) => words(Holds::Time).to_owned(),
        DataType::Int32 | DataType::Int64 => words(Holds::Number).to_owned(),
        DataType::Map(..) => words(Holds::Attributes).to_owned(),
        DataType::Struct(fields) => {
            let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
            format!("object with {}", names.join(", "))
        }
        DataType::List(item) if *item.data_type() == DataType::Utf8 => words(Holds::Texts).to_owned(),
        DataType::List(item) => format!("list: {}", type_words(item.data_type())),
        other => other.to_string(),
    }
}

#[test]
fn the_page_of_tables_is_what_is_declared() {
    muster_testkit::generated_docs::check("docs/tables.md", &page());
}
