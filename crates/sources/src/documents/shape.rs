//! Shapes of documents: a compact notation for them, and what it means.
//!
//! ```text
//! shape = field { " " field }
//! field = name [ mark ]
//! mark  = "?" boolean | "#" count | "@" date | "*" list of texts | "%" free map
//!       | "!" text that is compared whole | "{" shape "}" object | "[" shape "]" list of objects
//! ```
//!
//! No mark is a text. White space of any kind separates fields. Ids and digests need no `!`: they are known by
//! their names, see [`is_key_name`].

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text; `key` when it is compared whole.
    Text {
        key: bool,
    },
    Boolean,
    /// A whole number.
    Count,
    /// A point in time.
    Date,
    /// A list of texts.
    Texts,
    /// Any names with any values.
    Map,
    Object(Vec<FieldShape>),
    Objects(Vec<FieldShape>),
}

/// A field of a document or of an object in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldShape {
    pub(super) name: String,
    pub(super) shape: Shape,
}

/// Reads the notation.
///
/// # Panics
/// When the text is not in the notation; it is part of the program, and a test reads all of it.
pub(super) fn parse(notation: &str) -> Vec<FieldShape> {
    let mut rest = notation;
    let fields = parse_fields(&mut rest);
    assert!(rest.is_empty(), "the notation ends with its last field, not before {rest:?}");
    fields
}

fn parse_fields(rest: &mut &str) -> Vec<FieldShape> {
    let mut fields = Vec::new();
    loop {
        *rest = rest.trim_start();
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        let (name, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if name.is_empty() {
            return fields;
        }
        let mark = behind.chars().next();
        *rest = behind;
        let mut step = || *rest = &rest[1..];
        let shape = match mark {
            Some('?') => (step(), Shape::Boolean).1,
            Some('#') => (step(), Shape::Count).1,
            Some('@') => (step(), Shape::Date).1,
            Some('*') => (step(), Shape::Texts).1,
            Some('%') => (step(), Shape::Map).1,
            Some('!') => (step(), Shape::Text { key: true }).1,
            Some('{') => Shape::Object(parse_enclosed(rest, '}')),
            Some('[') => Shape::Objects(parse_enclosed(rest, ']')),
            _ => Shape::Text { key: is_key_name(name) },
        };
        fields.push(FieldShape { name: name.to_owned(), shape });
    }
}

fn parse_enclosed(rest: &mut &str, closing: char) -> Vec<FieldShape> {
    *rest = &rest[1..];
    let fields = parse_fields(rest);
    *rest = rest.strip_prefix(closing).expect("every bracket of the notation is closed");
    fields
}

/// Whether the name alone says that its texts are compared whole: ids and digests.
fn is_key_name(name: &str) -> bool {
    matches!(name, "id" | "uuid" | "hash") || name.ends_with("Id") || name.ends_with("Uuid")
}
