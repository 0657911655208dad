//! A YAML file of named examples, as OpenAPI documents write them: a mapping from a name to a mapping whose
//! `value` is the document (there may also be `summary` and whatever else an example has).
//!
//! Such files are small; this one is read into memory, within bounds.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_saphyr::{Options, Spanned};

use crate::documents::MAX_EXAMPLES_BYTES;
use crate::documents::check::kind;
use crate::documents::value::Bounded;
use crate::input::{Input, Step};
use crate::reader::{ReadError, shown};

/// An example.
pub(super) struct Example {
    /// Line on which it begins, counted from 1.
    pub(super) line: u64,
    pub(super) name: String,
    /// Its document, or why it has none.
    pub(super) document: Result<Value, String>,
}

/// Reads the file to its end; the examples are in its order.
///
/// # Errors
/// [`ReadError`] when the file is too long, is not UTF-8 or UTF-16 text, or is not YAML of that form: then
/// nobody can tell where one example ends.
pub(super) fn read(input: &mut Input, path: &str) -> Result<Vec<Example>, ReadError> {
    let refuse = |line, column, reason| ReadError::Header { path: path.to_owned(), line, column, reason };
    let text = text(input, &refuse)?;
    // Only `true` and `false` are booleans: Norway's code is a text.
    let mut options = Options::default();
    options.strict_booleans = true;
    options.with_snippet = false;
    let entries: BTreeMap<String, Spanned<Bounded>> = serde_saphyr::from_str_with_options(&text, options)
        .map_err(|error| {
            let location = error.location();
            let (line, column) = location.map_or((0, 0), |location| (location.line(), location.column()));
            refuse(line, column, format!("cannot be read as a mapping of named examples: {error}"))
        })?;
    let mut examples: Vec<Example> = entries
        .into_iter()
        .map(|(name, entry)| Example {
            line: entry.referenced.line(),
            document: document(&name, entry.value.0),
            name,
        })
        .collect();
    examples.sort_by_key(|example| example.line);
    Ok(examples)
}

fn document(name: &str, example: Value) -> Result<Value, String> {
    let name = shown(name);
    let Value::Object(mut example) = example else {
        return Err(format!("example {name} is {}: expected a mapping with a value", kind(&example)));
    };
    example.remove("value").ok_or_else(|| format!("example {name} has no value: expected a document"))
}

fn text(input: &mut Input, refuse: &impl Fn(u64, u64, String) -> ReadError) -> Result<String, ReadError> {
    let mut text = Vec::new();
    loop {
        let piece = input.text();
        if !piece.is_empty() {
            if text.len() + piece.len() > MAX_EXAMPLES_BYTES {
                let wanted = format!("the file is too long: expected at most {MAX_EXAMPLES_BYTES} bytes");
                return Err(refuse(0, 0, wanted));
            }
            text.extend_from_slice(piece);
            let used = piece.len();
            input.consume(used);
            continue;
        }
        match input.advance()? {
            Step::Text => {}
            Step::Malformed => {
                let line = 1 + text.iter().filter(|&&byte| byte == b'\n').count() as u64;
                return Err(refuse(line, 0, format!("the line is not valid {}", input.encoding())));
            }
            Step::End => {
                return Ok(String::from_utf8(text).expect("decoded text is UTF-8"));
            }
        }
    }
}
