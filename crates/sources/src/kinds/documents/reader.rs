//! Files of search documents, read in order.

use encoding_rs::UTF_8;

use super::DocumentsSettings;
use super::examples::{self, Example};
use super::lines::Lines;
use crate::documents::value::parse;
use crate::documents::{DocumentInput, DocumentReader, InputEnd, Met};
use crate::input::Input;
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, RecordReader};
use crate::source_kind::{Opening, SourceKind, SourceSettings};

/// A file with a JSON text on each line.
struct LineFile {
    lines: Lines,
    /// The file ends in the middle of a document.
    is_cut_off: bool,
}

/// A file of named examples. It is small, and in memory.
struct ExampleFile {
    input: Input,
    examples: std::vec::IntoIter<Example>,
}

impl SourceKind for DocumentsSettings {
    fn open(&self, _: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        Err(ReadError::Settings {
            path: opening.base_dir.join(&self.path).display().to_string(),
            reason: "holds search documents: expected a source of accounts".to_owned(),
        })
    }

    fn open_documents(&self, opening: &Opening<'_>) -> Result<Option<DocumentReader>, ReadError> {
        let path = opening.base_dir.join(&self.path);
        let name = path.display().to_string();
        if let Some((key, reason)) = self.fault() {
            return Err(ReadError::Settings { path: name, reason: format!("{key}: {reason}") });
        }
        let mut input = Input::open(&path, UTF_8)?;
        let input: Box<dyn DocumentInput> = if self.is_yaml() {
            let examples = examples::read(&mut input, &name)?.into_iter();
            Box::new(ExampleFile { input, examples })
        } else {
            Box::new(LineFile { lines: Lines::new(input), is_cut_off: false })
        };
        Ok(Some(DocumentReader::new(input, self.index)))
    }
}

impl DocumentInput for LineFile {
    fn next(&mut self) -> Result<Option<Met>, ReadError> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let bytes = line.text.as_ref().map_or(0, Vec::len);
        let value = line.text.and_then(|text| {
            parse(&text).map_err(|fault| {
                self.is_cut_off |= fault.ends_early && !line.ended;
                fault.reason
            })
        });
        Ok(Some(Met { line: line.number, bytes, hint: None, value }))
    }

    fn end(self: Box<Self>) -> Result<InputEnd, ReadError> {
        let Self { lines, is_cut_off } = *self;
        end(lines.into_input(), is_cut_off)
    }
}

impl DocumentInput for ExampleFile {
    fn next(&mut self) -> Result<Option<Met>, ReadError> {
        Ok(self.examples.next().map(|example| Met {
            line: example.line,
            bytes: 0,
            hint: Some(example.name),
            value: example.document,
        }))
    }

    fn end(self: Box<Self>) -> Result<InputEnd, ReadError> {
        end(self.input, false)
    }
}

fn end(input: Input, is_cut_off: bool) -> Result<InputEnd, ReadError> {
    let is_unchanged = input.unchanged()?;
    let incomplete_reason = if is_cut_off {
        Some("the file ends in the middle of a document")
    } else if !is_unchanged {
        Some("the file changed while it was read")
    } else {
        None
    };
    let (bytes, digest_sha256) = input.digest();
    Ok(InputEnd { what: "file", incomplete_reason, reported_total: None, bytes, digest_sha256 })
}
