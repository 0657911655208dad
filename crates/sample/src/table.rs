//! Writes the organisation's delimited files in their several encodings, one row at a time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How a file's text becomes bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    /// With a byte order mark.
    Utf8Marked,
    /// Only characters up to U+00FF are written to it.
    Latin1,
    /// Little endian, with a byte order mark.
    Utf16Marked,
}

/// How a file is written.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: char,
    pub(crate) line_end: &'static str,
}

/// A file being written.
pub(crate) struct Table {
    file: BufWriter<File>,
    form: Form,
    line: String,
    bytes: Vec<u8>,
    rows: u64,
}

impl Table {
    /// Begins a file with its header.
    pub(crate) fn create(path: &Path, form: Form, header: &[&str]) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        let mut table = Self { file, form, line: String::new(), bytes: Vec::new(), rows: 0 };
        match form.encoding {
            Encoding::Utf8 | Encoding::Latin1 => {}
            Encoding::Utf8Marked | Encoding::Utf16Marked => table.line.push('\u{feff}'),
        }
        table.row(header)?;
        table.rows = 0;
        Ok(table)
    }

    /// Rows so far, the header not counted.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes a row of any number of fields.
    pub(crate) fn row(&mut self, fields: &[&str]) -> io::Result<()> {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.line.push(self.form.delimiter);
            }
            if field.contains(['"', '\r', '\n', self.form.delimiter]) {
                self.line.push('"');
                self.line.push_str(&field.replace('"', "\"\""));
                self.line.push('"');
            } else {
                self.line.push_str(field);
            }
        }
        self.line.push_str(self.form.line_end);
        self.rows += 1;
        match self.form.encoding {
            Encoding::Utf8 | Encoding::Utf8Marked => self.file.write_all(self.line.as_bytes())?,
            Encoding::Latin1 => {
                self.bytes.clear();
                let byte =
                    |character| u8::try_from(character).expect("only Latin-1 names are written to Latin-1");
                self.bytes.extend(self.line.chars().map(byte));
                self.file.write_all(&self.bytes)?;
            }
            Encoding::Utf16Marked => {
                self.bytes.clear();
                self.bytes.extend(self.line.encode_utf16().flat_map(u16::to_le_bytes));
                self.file.write_all(&self.bytes)?;
            }
        }
        self.line.clear();
        Ok(())
    }

    /// Writes a row as bytes that need not be valid in the file's encoding; the line end is added.
    pub(crate) fn raw_row(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rows += 1;
        self.file.write_all(bytes)?;
        self.file.write_all(self.form.line_end.as_bytes())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}
