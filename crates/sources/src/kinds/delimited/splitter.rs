//! Characters to records: quotes, line ends, line numbers and bounds.
//!
//! The rules are RFC 4180's, with what real files need: a line ends with LF, CR LF or CR alone; a line without
//! any character is not a record; a quote inside an unquoted field is itself. Text after a closing quote is a
//! fault, because every way to read it is a guess.
//!
//! Input comes in pieces of any size; a record may lie in many of them.

use super::{MAX_COLUMNS, MAX_FIELD_BYTES, MAX_RECORD_BYTES};

/// What is wrong with a record's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Bytes that the encoding does not have.
    Malformed,
    /// Text between a closing quote and the next delimiter.
    TextAfterQuote,
    /// The file ends inside a quoted field.
    UnclosedQuote,
    /// A field of more than [`MAX_FIELD_BYTES`].
    FieldTooLong,
    /// A record of more than [`MAX_RECORD_BYTES`].
    RecordTooLong,
}

/// The first fault of a record and the field, counted from 0, in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) field: usize,
}

/// A record's fields, as far as they are within bounds.
#[derive(Default)]
pub(super) struct RawRecord {
    /// Physical line on which it begins, counted from 1.
    pub(super) line: u64,
    pub(super) fault: Option<Fault>,
    /// How many fields the record has; more than are kept when it has too many.
    pub(super) field_count: usize,
    text: Vec<u8>,
    ends: Vec<usize>,
    length: usize,
    full: bool,
}

impl RawRecord {
    /// The text of a field, with its quoting undone; `None` for a field that there is not or that was not kept.
    pub(super) fn field(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |previous| self.ends[previous]);
        // The pieces fed are whole characters and are cut at ASCII characters only.
        std::str::from_utf8(&self.text[start..end]).ok()
    }

    /// Bytes of text kept.
    pub(super) fn kept_bytes(&self) -> usize {
        self.text.len()
    }

    fn clear(&mut self) {
        self.fault = None;
        self.field_count = 0;
        self.text.clear();
        self.ends.clear();
        self.length = 0;
        self.full = false;
    }

    fn set_fault(&mut self, kind: FaultKind) {
        let field = self.field_count;
        self.fault.get_or_insert(Fault { kind, field });
    }

    fn push(&mut self, text: &[u8]) {
        self.lengthen(text.len());
        if self.full {
            return;
        }
        let field_start = self.ends.last().copied().unwrap_or(0);
        if self.text.len() - field_start + text.len() > MAX_FIELD_BYTES {
            self.set_fault(FaultKind::FieldTooLong);
            self.full = true;
            return;
        }
        self.text.extend_from_slice(text);
    }

    fn lengthen(&mut self, bytes: usize) {
        self.length = self.length.saturating_add(bytes);
        if self.length > MAX_RECORD_BYTES && !self.full {
            self.set_fault(FaultKind::RecordTooLong);
            self.full = true;
        }
    }

    fn end_field(&mut self) {
        if self.ends.len() < MAX_COLUMNS {
            self.ends.push(self.text.len());
        } else {
            self.full = true;
        }
        self.field_count += 1;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a line that is not read.
    Skipped,
    /// Between records.
    Start,
    /// Behind a delimiter.
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quote inside a quoted field: it closes the field, or the next one makes it a doubled one.
    QuoteInQuoted,
}

/// The machine; [`Splitter::record`] is what it last completed.
pub(super) struct Splitter {
    delimiter: u8,
    state: State,
    line: u64,
    after_cr: bool,
    complete: bool,
    unclosed: bool,
    /// Line ends up to the first line that is read.
    skip_lines: u32,
    /// What lines begin with that are not read.
    comments: Vec<String>,
    pub(super) record: RawRecord,
}

impl Splitter {
    /// `delimiter` is ASCII, neither a quote nor a line end; the texts of `comments` have none of these. `skip_lines` is
    /// how many lines at the beginning are not read.
    pub(super) fn new(delimiter: u8, skip_lines: u32, comments: &[String]) -> Self {
        Self {
            delimiter,
            state: if skip_lines > 0 { State::Skipped } else { State::Start },
            line: 1,
            after_cr: false,
            complete: false,
            unclosed: false,
            skip_lines,
            comments: comments.to_vec(),
            record: RawRecord::default(),
        }
    }

    /// The physical line that the next character is on.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the input ended inside a quoted field.
    pub(super) fn unclosed(&self) -> bool {
        self.unclosed
    }

    /// Takes characters up to the end of a record; how many, and whether [`Splitter::record`] is complete.
    pub(super) fn feed(&mut self, input: &[u8]) -> (usize, bool) {
        self.begin_next();
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            let run = self.plain_run(&input[at..]);
            if run > 0 {
                if self.state != State::Skipped {
                    self.record.push(&input[at..at + run]);
                }
                self.after_cr = false;
                at += run;
                continue;
            }
            at += 1;
            if self.take(byte) {
                return (at, true);
            }
        }
        (at, false)
    }

    /// Bytes that the encoding does not have stood here.
    pub(super) fn malformed(&mut self) {
        self.begin_next();
        self.after_cr = false;
        if self.state == State::Start {
            self.record.line = self.line;
        }
        if self.state == State::Skipped {
            return;
        }
        if self.state != State::Quoted {
            self.state = State::Unquoted;
        }
        self.record.set_fault(FaultKind::Malformed);
    }

    /// The input has ended; whether that completed a record.
    pub(super) fn end(&mut self) -> bool {
        self.begin_next();
        match self.state {
            State::Start | State::Skipped => return false,
            State::Quoted => {
                self.record.set_fault(FaultKind::UnclosedQuote);
                self.unclosed = true;
            }
            State::FieldStart | State::Unquoted | State::QuoteInQuoted => {}
        }
        self.end_record();
        true
    }

    fn begin_next(&mut self) {
        if self.complete {
            self.complete = false;
            self.record.clear();
        }
    }

    /// How many bytes at the beginning of `input` are plain text of the current field.
    fn plain_run(&self, input: &[u8]) -> usize {
        let delimiter = self.delimiter;
        let special = match self.state {
            State::Skipped => input.iter().position(|&byte| byte == b'\n' || byte == b'\r'),
            // Where a line may turn out to be a comment, its characters are taken one by one.
            State::Unquoted if self.may_be_comment() => Some(0),
            State::Unquoted => {
                input.iter().position(|&byte| byte == delimiter || byte == b'\n' || byte == b'\r')
            }
            State::Quoted => input.iter().position(|&byte| byte == b'"' || byte == b'\n' || byte == b'\r'),
            State::Start | State::FieldStart | State::QuoteInQuoted => Some(0),
        };
        special.unwrap_or(input.len())
    }

    /// One character that may mean something; whether it completed the record.
    fn take(&mut self, byte: u8) -> bool {
        let line_end = byte == b'\n' || byte == b'\r';
        let second_half = byte == b'\n' && self.after_cr;
        if line_end && !second_half {
            self.line += 1;
        }
        self.after_cr = byte == b'\r';

        if self.state == State::Skipped {
            if line_end && !second_half {
                self.skip_lines = self.skip_lines.saturating_sub(1);
                if self.skip_lines == 0 {
                    self.state = State::Start;
                }
            }
            return false;
        }
        if self.state == State::Quoted {
            if byte == b'"' {
                self.record.lengthen(1);
                self.state = State::QuoteInQuoted;
            } else {
                self.record.push(&[byte]);
            }
            return false;
        }
        if line_end {
            // Of a line end's two characters the first has ended the record.
            if self.state == State::Start {
                return false;
            }
            self.end_record();
            return true;
        }
        if self.state == State::Start {
            self.record.line = self.line;
            self.state = State::FieldStart;
        }
        if byte == self.delimiter {
            self.record.lengthen(1);
            self.record.end_field();
            self.state = State::FieldStart;
        } else if byte == b'"' && self.state == State::FieldStart {
            self.record.lengthen(1);
            self.state = State::Quoted;
        } else if byte == b'"' && self.state == State::QuoteInQuoted {
            self.record.push(b"\"");
            self.state = State::Quoted;
        } else {
            if self.state == State::QuoteInQuoted {
                self.record.set_fault(FaultKind::TextAfterQuote);
            }
            self.record.push(&[byte]);
            self.state = State::Unquoted;
            if self.is_comment() {
                self.record.clear();
                self.state = State::Skipped;
            }
        }
        false
    }

    /// Whether what was read of a line begins one of the comments' beginnings.
    fn may_be_comment(&self) -> bool {
        let text = &self.record.text;
        self.record.field_count == 0 && self.comments.iter().any(|start| start.as_bytes().starts_with(text))
    }

    /// Whether a line has turned out to be a comment.
    fn is_comment(&self) -> bool {
        let text = self.record.text.as_slice();
        self.record.field_count == 0 && self.comments.iter().any(|start| start.as_bytes() == text)
    }

    fn end_record(&mut self) {
        self.record.end_field();
        self.state = State::Start;
        self.complete = true;
    }
}
