//! Fields to account records.

use std::path::Path;

use super::layout::{Flag, Layout};
use super::splitter::{Fault, FaultKind, RawRecord, Splitter};
use super::{DelimitedSettings, MAX_FIELD_BYTES, MAX_RECORD_BYTES};
use crate::dates::ReadDate;
use crate::input::{Input, Step};
use crate::named_columns::NamedColumns;
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader, Rejection};
use crate::record::RecordBuilder;
use crate::source_kind::{InputFiles, Opening, SourceKind};
use crate::total::{Stated, Summing, Trailed, TrailerForm};

/// Records, rejected ones included, in a batch at most.
const BATCH_RECORDS: usize = 8192;
/// A batch ends with the record that brings its text to this many bytes.
const BATCH_BYTES: usize = 8 << 20;

impl SourceKind for DelimitedSettings {
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        let trailer = opening.total.and_then(|total| total.trailer_form(self.delimiter));
        Ok(Box::new(DelimitedReader::open(self, opening.base_dir, &named, trailer)?))
    }

    fn files(&self, base_dir: &Path) -> Result<Option<InputFiles<'_>>, ReadError> {
        let paths = vec![self.file(base_dir)?];
        Ok(Some(InputFiles { paths, as_of: self.as_of.as_ref(), has_digest_of_bytes: true }))
    }
}

/// A read of a delimited file in progress.
pub struct DelimitedReader {
    input: Input,
    splitter: Splitter,
    layout: Layout,
    separator: String,
    path: String,
    date: ReadDate,
    /// The form of the trailer record, and that record once it was read: its line and its numbers.
    trailer: Option<TrailerForm>,
    trailed: Option<(u64, Result<Stated, String>)>,
    summing: Option<Summing>,
    read: u64,
    rejected: u64,
    rejected_without_key: u64,
    ended: bool,
}

/// What is given of a record that was refused.
struct Refusal {
    native_identity: Option<String>,
    reason: String,
}

impl DelimitedReader {
    /// Opens the file and reads its header; a relative path is taken from `base_dir`. The last record may have the form
    /// `trailer`.
    ///
    /// # Errors
    /// [`ReadError`], naming path, line and column and what was expected, when the file cannot be opened, has
    /// no date in its name that should have one, has no header, or has one that cannot be decoded, repeats a name, or
    /// lacks a column that the definition names.
    pub(crate) fn open(
        settings: &DelimitedSettings,
        base_dir: &Path,
        named: &NamedColumns,
        trailer: Option<TrailerForm>,
    ) -> Result<Self, ReadError> {
        let path = settings.file(base_dir)?;
        let date = ReadDate::of(settings.as_of.as_ref(), std::slice::from_ref(&path))?;
        let declared = settings.declared_encoding().expect("an unknown encoding is a fault of the settings");
        let delimiter = u8::try_from(settings.delimiter).expect("a delimiter that is not ASCII is a fault");
        let mut input = Input::open(&path, declared)?;
        let mut splitter = Splitter::new(delimiter, settings.skip_lines, &settings.comments);
        let found = next_record(&mut input, &mut splitter)?;
        let header = &splitter.record;
        let refuse = |line, column, reason| ReadError::Header {
            path: path.display().to_string(),
            line,
            column: column as u64,
            reason,
        };
        if !found {
            return Err(refuse(
                splitter.line(),
                0,
                "expected a header and found the end of the file".to_owned(),
            ));
        }
        if let Some(fault) = header.fault {
            return Err(refuse(
                header.line,
                fault.field + 1,
                fault_text(fault, "the header", input.encoding()),
            ));
        }
        let layout = Layout::new(header, settings, named)
            .map_err(|(column, reason)| refuse(header.line, column, reason))?;
        Ok(Self {
            input,
            splitter,
            layout,
            separator: settings.multi_value_separator.clone(),
            path: path.display().to_string(),
            date,
            trailer,
            trailed: None,
            summing: named.summed().cloned().map(Summing::of),
            read: 0,
            rejected: 0,
            rejected_without_key: 0,
            ended: false,
        })
    }

    /// Whether the record that the splitter has just completed is the trailer record.
    ///
    /// # Errors
    /// The trailer record was before it.
    fn is_trailer(&mut self) -> Result<bool, ReadError> {
        let Some(form) = &mut self.trailer else { return Ok(false) };
        let record = &self.splitter.record;
        if let Some((line, _)) = &self.trailed {
            return Err(ReadError::Header {
                path: self.path.clone(),
                line: record.line,
                column: 0,
                reason: format!(
                    "a record after the trailer record of line {line}: expected the trailer record last"
                ),
            });
        }
        if record.fault.is_none() {
            self.trailed = match form.read(record.field_count, |index| record.field(index)) {
                Trailed::Is(stated) => Some((record.line, stated)),
                Trailed::Not => None,
            };
        }
        Ok(self.trailed.is_some())
    }

    /// Checks the record that the splitter has just completed; its flags when it is sound.
    fn check(&self) -> Result<[bool; 4], Refusal> {
        let (record, layout) = (&self.splitter.record, &self.layout);
        let faulty = record.fault.map(|fault| fault.field);
        let native_identity = record
            .field(layout.native_identity)
            .filter(|text| !text.trim().is_empty() && faulty != Some(layout.native_identity));
        let refuse = |reason| Refusal { native_identity: native_identity.map(str::to_owned), reason };
        if let Some(fault) = record.fault {
            return Err(refuse(fault_text(fault, &layout.column_text(fault.field), self.input.encoding())));
        }
        if record.field_count != layout.header.len() {
            let (found, expected) = (record.field_count, layout.header.len());
            let which = if found < expected { "few" } else { "many" };
            return Err(refuse(format!("too {which} fields: found {found} of {expected}")));
        }
        if native_identity.is_none() {
            let column = layout.column_text(layout.native_identity);
            return Err(refuse(format!("{column} is blank: expected the native identity")));
        }
        let mut flags = [false; 4];
        for (value, flag) in flags.iter_mut().zip(&layout.flags) {
            let Some(flag) = flag else { continue };
            *value = flag_value(flag, record).ok_or_else(|| {
                let column = layout.column_text(flag.column);
                refuse(format!("{column} is not readable: expected true, false, yes, no, 1, 0 or blank"))
            })?;
        }
        Ok(flags)
    }

    /// Adds the summed column of the record that the splitter has just completed. Where fields are missing or too many,
    /// nobody knows which is which.
    fn sum(&mut self, was_refused: bool) {
        let Some(summing) = &mut self.summing else { return };
        let (record, layout) = (&self.splitter.record, &self.layout);
        let Some(column) = layout.summed else { return };
        if record.fault.is_some() || record.field_count != layout.header.len() {
            return summing.miss(record.line);
        }
        let cell = record.field(column).unwrap_or_default();
        if layout.summed_is_multi_valued {
            summing.take(record.line, cell.split(self.separator.as_str()), was_refused);
        } else {
            summing.take(record.line, std::iter::once(cell), was_refused);
        }
    }

    /// Holds the date of a sound record against that of the records before.
    fn see_date(&mut self) -> Result<(), ReadError> {
        let Some(column) = self.layout.as_of else { return Ok(()) };
        let record = &self.splitter.record;
        let line = record.line;
        self.date.see(|_| record.field(column), || format!("line {line}")).map_err(|reason| {
            ReadError::Header { path: self.path.clone(), line, column: column as u64 + 1, reason }
        })
    }

    /// Appends the record that the splitter has just completed and that is sound.
    fn append(&self, flags: [bool; 4], rows: &mut RecordBuilder) {
        let (record, layout) = (&self.splitter.record, &self.layout);
        let text = |column: Option<usize>| record.field(column?).filter(|text| !text.trim().is_empty());
        rows.line(record.line);
        rows.native_identity(record.field(layout.native_identity).expect("checked records have one"));
        rows.names(text(layout.name), text(layout.display_name), text(layout.uuid));
        rows.flags(flags);
        for attribute in &layout.attributes {
            let Some(cell) = record.field(attribute.column).filter(|cell| !cell.is_empty()) else { continue };
            if !attribute.multi_valued {
                rows.attribute(&attribute.name, std::iter::once(cell), attribute.entitlement);
                continue;
            }
            let values = cell.split(self.separator.as_str()).map(str::trim).filter(|value| !value.is_empty());
            rows.attribute(&attribute.name, values, attribute.entitlement);
        }
        rows.end_record();
    }
}

impl RecordReader for DelimitedReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        let mut rows = RecordBuilder::default();
        let mut rejections = Vec::new();
        let mut bytes = 0;
        while !self.ended && rows.len() + rejections.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            if !next_record(&mut self.input, &mut self.splitter)? {
                self.ended = true;
                break;
            }
            if self.is_trailer()? {
                continue;
            }
            self.read += 1;
            let checked = self.check();
            self.sum(checked.is_err());
            match checked {
                Ok(flags) => {
                    self.see_date()?;
                    bytes += self.splitter.record.kept_bytes();
                    self.append(flags, &mut rows);
                }
                Err(Refusal { native_identity, reason }) => {
                    self.rejected += 1;
                    self.rejected_without_key += u64::from(native_identity.is_none());
                    bytes += native_identity.as_ref().map_or(0, String::len);
                    rejections.push(Rejection { line: self.splitter.record.line, native_identity, reason });
                }
            }
        }
        if rows.len() + rejections.len() == 0 {
            return Ok(None);
        }
        let summed = self.summing.as_mut().map(Summing::take_added).unwrap_or_default();
        Ok(Some(Batch { records: rows.finish()?, rejections, present: Vec::new(), summed }))
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let incomplete_reason = if !self.ended {
            Some("the file was not read to its end")
        } else if self.splitter.unclosed() {
            Some("the file ends inside a quoted field")
        } else if !self.input.unchanged()? {
            Some("the file changed while it was read")
        } else {
            None
        };
        let path = self.path;
        let as_of = self.date.end(self.ended).map_err(|reason| ReadError::Settings { path, reason })?;
        let mut warnings = self.layout.warnings;
        if self.input.is_disguised_utf8() {
            let read_as = self.input.encoding();
            warnings
                .push(format!("the file is UTF-8 and is read as {read_as}: expected `encoding` \"utf-8\""));
        }
        let (bytes, digest_sha256) = self.input.digest();
        Ok(ReadSummary {
            read: self.read,
            rejected: self.rejected,
            rejected_without_key: self.rejected_without_key,
            reported_total: None,
            sum: None,
            stated: self.trailed.map(|(_, stated)| stated),
            summed: self.summing.map(Summing::end),
            complete: incomplete_reason.is_none(),
            incomplete_reason: incomplete_reason.map(str::to_owned),
            digest_sha256,
            bytes,
            schema: self.layout.attributes.into_iter().map(|attribute| attribute.name).collect(),
            warnings,
            refused_values: Vec::new(),
            as_of,
            changes_only: false,
            cursor: None,
        })
    }
}

/// Brings the splitter to the end of the next record; false when there is none.
fn next_record(input: &mut Input, splitter: &mut Splitter) -> Result<bool, ReadError> {
    loop {
        let text = input.text();
        if !text.is_empty() {
            let (used, complete) = splitter.feed(text);
            input.consume(used);
            if complete {
                return Ok(true);
            }
            continue;
        }
        match input.advance()? {
            Step::Text => {}
            Step::Malformed => splitter.malformed(),
            Step::End => return Ok(splitter.end()),
        }
    }
}

/// `None` for a cell that is not readable.
fn flag_value(flag: &Flag, record: &RawRecord) -> Option<bool> {
    let cell = record.field(flag.column)?.trim();
    let is = |text: &&str| cell.eq_ignore_ascii_case(text);
    if let Some(values) = &flag.rule.values {
        return Some(values.iter().any(|value| cell.eq_ignore_ascii_case(value.trim())));
    }
    if ["true", "yes", "1"].iter().any(is) {
        Some(true)
    } else if ["false", "no", "0", ""].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

fn fault_text(fault: Fault, place: &str, encoding: &str) -> String {
    match fault.kind {
        FaultKind::Malformed => format!("{place} is not valid {encoding}"),
        FaultKind::TextAfterQuote => {
            format!("{place} has text after its closing quote: expected the delimiter or the line's end")
        }
        FaultKind::UnclosedQuote => {
            format!("{place} begins with a quote that is not closed before the end of the file")
        }
        FaultKind::FieldTooLong => format!("{place} is too long: expected at most {MAX_FIELD_BYTES} bytes"),
        FaultKind::RecordTooLong => {
            format!("the record is too long: expected at most {MAX_RECORD_BYTES} bytes")
        }
    }
}
