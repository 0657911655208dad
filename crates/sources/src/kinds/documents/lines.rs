//! A file's lines, each within bounds: what is kept of a line does not grow with it.

use crate::documents::MAX_DOCUMENT_BYTES;
use crate::input::{Input, Step};
use crate::reader::ReadError;

/// A line that is not blank.
pub(super) struct Line {
    /// Number of the line, counted from 1.
    pub(super) number: u64,
    /// Its text, or why it cannot be read.
    pub(super) text: Result<Vec<u8>, String>,
    /// It ends with a line feed, not with the file.
    pub(super) ended: bool,
}

/// A file being read line by line. A line ends with a line feed; a carriage return before it is JSON's white
/// space.
pub(super) struct Lines {
    input: Input,
    /// Lines ended so far.
    lines: u64,
}

impl Lines {
    pub(super) fn new(input: Input) -> Self {
        Self { input, lines: 0 }
    }

    pub(super) fn into_input(self) -> Input {
        self.input
    }

    /// The next line; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            let line = self.any()?;
            let blank = line.text.as_ref().is_ok_and(|text| text.trim_ascii().is_empty());
            if !blank {
                return Ok(Some(line));
            }
            if !line.ended {
                return Ok(None);
            }
        }
    }

    /// The next line, blank or not; after the last line feed there is one more, which may be empty.
    fn any(&mut self) -> Result<Line, ReadError> {
        let mut text = Ok(Vec::new());
        let ended = loop {
            let input = self.input.text();
            if !input.is_empty() {
                let end = input.iter().position(|&byte| byte == b'\n');
                keep(&mut text, &input[..end.unwrap_or(input.len())]);
                let used = end.map_or(input.len(), |end| end + 1);
                self.input.consume(used);
                if end.is_some() {
                    break true;
                }
                continue;
            }
            match self.input.advance()? {
                Step::Text => {}
                Step::Malformed if text.is_ok() => {
                    text = Err(format!("is not valid {}", self.input.encoding()));
                }
                Step::Malformed => {}
                Step::End => break false,
            }
        };
        self.lines += 1;
        Ok(Line { number: self.lines, text, ended })
    }
}

fn keep(text: &mut Result<Vec<u8>, String>, piece: &[u8]) {
    if let Ok(kept) = text {
        if kept.len() + piece.len() <= MAX_DOCUMENT_BYTES {
            kept.extend_from_slice(piece);
        } else {
            *text = Err(format!("is too long: expected at most {MAX_DOCUMENT_BYTES} bytes"));
        }
    }
}
