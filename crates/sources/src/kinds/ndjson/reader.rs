//! Lines to account records.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::NdjsonSettings;
use crate::account::{AccountSink, Record};
use crate::dates::ReadDate;
use crate::files::Opened;
use crate::json_values;
use crate::named_columns::NamedColumns;
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader, hex};
use crate::source_kind::{InputFiles, Opening, SourceKind};

/// Longest line that is read, in bytes; a longer one is rejected.
const LINE_BYTES_MAX: usize = 16 << 20;

/// A read of files in progress.
struct NdjsonReader {
    place: String,
    waiting: VecDeque<PathBuf>,
    several: bool,
    current: Option<Current>,
    sink: AccountSink,
    hash: Sha256,
    bytes: u64,
    incomplete: Option<String>,
}

struct Current {
    input: BufReader<std::fs::File>,
    opened: Opened,
    line: u64,
    /// Whether something has come that is not blank.
    begun: bool,
}

impl SourceKind for NdjsonSettings {
    /// Opens the files for one full read.
    ///
    /// # Errors
    /// The settings are faulty or the first file cannot be opened.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        let Self(settings) = self;
        let files = settings.files(opening.base_dir)?;
        let mut sink = AccountSink::new(settings.account.clone(), named);
        sink.date = ReadDate::of(settings.as_of.as_ref(), &files)?;
        let mut reader = NdjsonReader {
            place: opening.base_dir.join(&settings.path).display().to_string(),
            several: files.len() > 1,
            waiting: files.into(),
            current: None,
            sink,
            hash: Sha256::new(),
            bytes: 0,
            incomplete: None,
        };
        reader.open_next()?;
        Ok(Box::new(reader))
    }

    fn files(&self, base_dir: &Path) -> Result<Option<InputFiles<'_>>, ReadError> {
        let paths = self.0.files(base_dir)?;
        Ok(Some(InputFiles { paths, as_of: self.0.as_of.as_ref(), has_digest_of_bytes: true }))
    }
}

/// A line that was taken from the input.
enum Line {
    Text(Vec<u8>),
    /// The beginning of a line.
    TooLong(Vec<u8>),
    End,
}

impl NdjsonReader {
    fn open_next(&mut self) -> Result<(), ReadError> {
        self.current = match self.waiting.pop_front() {
            None => None,
            Some(path) => {
                let opened = Opened::open(&path)?;
                let again = opened.file.try_clone();
                let failed =
                    |source| ReadError::Io { action: "open", path: path.display().to_string(), source };
                Some(Current {
                    input: BufReader::with_capacity(128 << 10, again.map_err(failed)?),
                    opened,
                    line: 0,
                    begun: false,
                })
            }
        };
        Ok(())
    }

    /// Takes the next line, which keeps no line end.
    fn next_line(&mut self) -> Result<Line, ReadError> {
        let Some(current) = &mut self.current else { return Ok(Line::End) };
        let (mut line, mut length) = (Vec::new(), 0);
        loop {
            let failed = |source| ReadError::Io {
                action: "read",
                path: current.opened.path.display().to_string(),
                source,
            };
            let piece = current.input.fill_buf().map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(piece.len(), |end| end + 1);
            self.hash.update(&piece[..used]);
            self.bytes += used as u64;
            length += used;
            if length <= LINE_BYTES_MAX {
                line.extend_from_slice(&piece[..end.unwrap_or(used)]);
            }
            current.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(Line::End);
        }
        current.line += 1;
        Ok(if length > LINE_BYTES_MAX { Line::TooLong(line) } else { Line::Text(line) })
    }

    /// Refuses a file that is something else than lines: of a JSON array one element on each line, the last one alone
    /// would be an object.
    fn begin(&mut self, text: &[u8]) -> Result<(), ReadError> {
        let Some(current) = self.current.as_mut().filter(|current| !current.begun) else { return Ok(()) };
        current.begun = !text.is_empty();
        if text.first() != Some(&b'[') {
            return Ok(());
        }
        Err(ReadError::Header {
            path: current.opened.path.display().to_string(),
            line: current.line,
            column: 1,
            reason: "the file is a JSON array: expected an object on each line, as `jq -c '.[]'` writes them"
                .to_owned(),
        })
    }

    fn take(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        match serde_json::from_slice(text) {
            Ok(Value::Object(members)) => {
                let fields =
                    members.into_iter().map(|(name, value)| (name, json_values::texts(value))).collect();
                let line = self.current.as_ref().map_or(0, |current| current.line);
                self.sink.push(Record { line, fields, ..Record::default() });
            }
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                self.reject(None, "the line is not a JSON object".to_owned());
            }
            Err(error) => {
                // Of an object with something behind it, such as a comma, the account is known.
                let first = serde_json::Deserializer::from_slice(text).into_iter::<Value>().next();
                let key = first.and_then(|first| self.sink.key_of_json(first.ok()?));
                // The parser's own words may hold what stands in the line.
                self.reject(key, format!("the line is not JSON from column {} on", error.column()));
            }
        }
    }

    fn reject(&mut self, native_identity: Option<String>, reason: String) {
        let Some(current) = &self.current else { return };
        let name = current.opened.path.file_name().unwrap_or_default().to_string_lossy();
        let reason = if self.several { format!("{name}: {reason}") } else { reason };
        self.sink.reject(current.line, native_identity, reason);
    }
}

/// A line without white space around it; a byte order mark may stand before the first object.
fn trimmed(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii()
}

impl RecordReader for NdjsonReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        while self.current.is_some() && !self.sink.is_full() {
            match self.next_line()? {
                Line::Text(text) => {
                    let text = trimmed(&text);
                    self.begin(text)?;
                    self.take(text);
                }
                Line::TooLong(start) => {
                    self.begin(trimmed(&start))?;
                    self.reject(
                        None,
                        format!("the line is too long: expected at most {LINE_BYTES_MAX} bytes"),
                    );
                }
                Line::End => {
                    if let Some(current) = &self.current
                        && !current.opened.unchanged()?
                    {
                        self.incomplete = Some(format!(
                            "the file {} changed while it was read",
                            current.opened.path.display()
                        ));
                    }
                    self.open_next()?;
                }
            }
        }
        self.sink.take()
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let early = self.current.is_some().then(|| "the files were not read to their end".to_owned());
        let place = self.place;
        let refuse = |reason| ReadError::Settings { path: place, reason };
        let summary = self.sink.summary(self.incomplete.or(early)).map_err(refuse)?;
        Ok(ReadSummary { digest_sha256: hex(self.hash.finalize()), bytes: self.bytes, ..summary })
    }
}
