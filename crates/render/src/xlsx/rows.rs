//! The XML of a sheet's rows (Office Open XML, ECMA-376 part 1, 18.3.1).
//!
//! A text is inside its cell, so that no table of texts is kept. Control characters and non-characters, which XML cannot
//! have, are written as spreadsheets do: `_x0001_`. A text that has such a sequence already gets `_x005F` before it.

use std::ops::Range;

use super::cells::{self, Cell, SheetColumn, display_width};
use crate::scalar::{push_formatted, push_integer, push_unsigned};

/// Approximate bytes of the markup of a cell.
const CELL_BYTES: usize = 48;
/// Length of `_x0001_`.
const ESCAPE_BYTES: usize = 7;
/// Below this, a whole number is written digit by digit as it would be by the standard library.
const WHOLE_MAX: f64 = 1e15;

/// The style of the header's cells.
const HEADER_STYLE: u32 = 1;

/// What cells need that is the same in all rows.
#[derive(Clone, Debug)]
pub(super) struct SheetForm {
    /// The letters of each column.
    pub(super) letters: Vec<String>,
    /// The numbers of the styles of times and of dates.
    pub(super) time_style: u32,
    pub(super) date_style: u32,
}

/// Rows as XML, and what they add to their sheet.
#[derive(Debug, Default)]
pub(super) struct SheetRows {
    pub(super) xml: Vec<u8>,
    pub(super) count: u32,
    /// Bytes of content, about.
    pub(super) bytes: usize,
    /// The last row that has a cell.
    pub(super) last: Option<u32>,
    /// Texts that are cut, for each column.
    pub(super) cut: Vec<u64>,
    /// Characters that each column needs.
    pub(super) widths: Vec<usize>,
}

impl SheetRows {
    pub(super) fn new(columns: usize) -> Self {
        Self { cut: vec![0; columns], widths: vec![0; columns], ..Self::default() }
    }

    /// Takes everything back; the room that was made stays.
    pub(super) fn clear(&mut self) {
        self.xml.clear();
        (self.count, self.bytes, self.last) = (0, 0, None);
        self.cut.fill(0);
        self.widths.fill(0);
    }

    /// Adds the header, as the first row of a sheet.
    pub(super) fn push_header<'a>(&mut self, form: &SheetForm, titles: impl Iterator<Item = &'a str>) {
        let mut row = Row::new(&mut self.xml, 0);
        for (title, letters) in titles.zip(&form.letters) {
            let title = cells::fit(title).0;
            row.cell(letters, HEADER_STYLE);
            if title.is_empty() {
                row.out.extend_from_slice(b"/>");
            } else {
                row.text(&title);
            }
            self.last = Some(0);
        }
        row.end();
    }

    /// Adds rows of a batch, the first of them in row `place` of the sheet, counted from 0. The first `samples` of them
    /// decide the widths of columns of texts and numbers.
    pub(super) fn push(
        &mut self,
        form: &SheetForm,
        columns: &[SheetColumn<'_>],
        rows: Range<usize>,
        place: u32,
        samples: usize,
    ) {
        for (index, row) in rows.enumerate() {
            self.push_row(form, columns, row, place + self.count, index < samples);
            self.count += 1;
        }
    }

    fn push_row(
        &mut self,
        form: &SheetForm,
        columns: &[SheetColumn<'_>],
        row: usize,
        place: u32,
        sample: bool,
    ) {
        let mut out = Row::new(&mut self.xml, place);
        for (index, (column, letters)) in columns.iter().zip(&form.letters).enumerate() {
            let mut width = 0;
            match column.cell(row) {
                Cell::Empty => continue,
                Cell::Text(text) => {
                    let (text, cut) = cells::fit(&text);
                    self.cut[index] += u64::from(cut);
                    self.bytes += text.len();
                    if sample {
                        width = display_width(&text);
                    }
                    out.cell(letters, 0);
                    out.text(&text);
                }
                Cell::Number(number) => {
                    out.cell(letters, 0);
                    let digits = out.number(number);
                    if sample {
                        width = digits;
                    }
                }
                Cell::Boolean(value) => {
                    out.cell(letters, 0);
                    let markup: &[u8] =
                        if value { b" t=\"b\"><v>1</v></c>" } else { b" t=\"b\"><v>0</v></c>" };
                    out.out.extend_from_slice(markup);
                }
                Cell::Time(days) => {
                    width = "2000-01-01 00:00:00".len();
                    out.cell(letters, form.time_style);
                    out.number(days);
                }
                Cell::Date(days) => {
                    width = "2000-01-01".len();
                    out.cell(letters, form.date_style);
                    out.number(days);
                }
            }
            self.bytes += CELL_BYTES;
            self.widths[index] = self.widths[index].max(width + 1);
        }
        if out.end() {
            self.last = Some(place);
        }
    }
}

/// One row. It is not written where it has no cell.
struct Row<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// The digits of its number, counted from 1.
    number: Vec<u8>,
    begun: bool,
}

impl<'a> Row<'a> {
    fn new(out: &'a mut Vec<u8>, place: u32) -> Self {
        let mut number = Vec::with_capacity(10);
        push_unsigned(&mut number, u64::from(place) + 1);
        Self { start: out.len(), out, number, begun: false }
    }

    /// Begins a cell, up to the attribute of its type. Style 0 is that of cells without one.
    #[inline]
    fn cell(&mut self, letters: &str, style: u32) {
        if !self.begun {
            self.begun = true;
            self.out.extend_from_slice(b"<row r=\"");
            self.out.extend_from_slice(&self.number);
            self.out.extend_from_slice(b"\">");
        }
        self.out.extend_from_slice(b"<c r=\"");
        self.out.extend_from_slice(letters.as_bytes());
        self.out.extend_from_slice(&self.number);
        self.out.push(b'"');
        if style > 0 {
            self.out.extend_from_slice(b" s=\"");
            push_unsigned(self.out, style.into());
            self.out.push(b'"');
        }
    }

    /// The value of a cell that is a number; how many characters that took.
    #[inline]
    fn number(&mut self, number: f64) -> usize {
        self.out.extend_from_slice(b"><v>");
        let start = self.out.len();
        // Whole and far below 2^63, so it is the same as an integer; minus zero has a sign.
        if number.fract() == 0.0 && number.abs() < WHOLE_MAX && (number != 0.0 || number.is_sign_positive()) {
            push_integer(self.out, number as i64);
        } else {
            push_formatted(self.out, format_args!("{number}"));
        }
        let digits = self.out.len() - start;
        self.out.extend_from_slice(b"</v></c>");
        digits
    }

    /// The value of a cell that is a text.
    #[inline]
    fn text(&mut self, text: &str) {
        let edge = |letter: Option<&u8>| matches!(letter, Some(b'\t' | b'\n' | b' '));
        let bytes = text.as_bytes();
        let spaced = edge(bytes.first()) || edge(bytes.last());
        let open: &[u8] = if spaced {
            b" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
        } else {
            b" t=\"inlineStr\"><is><t>"
        };
        self.out.extend_from_slice(open);
        // No early end: the loop over the whole text is turned into vector instructions.
        let special = |byte: u8| {
            (byte < 0x20) | (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == b'_') | (byte == 0xef)
        };
        if bytes.iter().fold(false, |found, &byte| found | special(byte)) {
            push_escaped(self.out, text);
        } else {
            self.out.extend_from_slice(bytes);
        }
        self.out.extend_from_slice(b"</t></is></c>");
    }

    /// Whether there was a cell.
    fn end(self) -> bool {
        if self.begun {
            self.out.extend_from_slice(b"</row>");
        } else {
            self.out.truncate(self.start);
        }
        self.begun
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    for (at, letter) in text.char_indices() {
        match letter {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '_' if is_escape(&text.as_bytes()[at..]) => out.extend_from_slice(b"_x005F_"),
            '\t' | '\n' => out.push(letter as u8),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                push_formatted(out, format_args!("_x{:04X}_", u32::from(letter)));
            }
            _ => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Whether a text begins with a sequence like `_x0001_`.
fn is_escape(text: &[u8]) -> bool {
    text.len() >= ESCAPE_BYTES
        && text.starts_with(b"_x")
        && text[2..ESCAPE_BYTES - 1].iter().all(u8::is_ascii_hexdigit)
        && text[ESCAPE_BYTES - 1] == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(write: impl FnOnce(&mut Row<'_>)) -> String {
        let mut out = Vec::new();
        let mut row = Row::new(&mut out, 6);
        write(&mut row);
        row.end();
        String::from_utf8(out).expect("XML is text")
    }

    #[test]
    fn texts_are_escaped_as_spreadsheets_do() {
        // From the library's own table of cases, and by hand.
        let cases = [
            ("a", "<t>a"),
            (" a", "<t xml:space=\"preserve\"> a"),
            ("a\n", "<t xml:space=\"preserve\">a\n"),
            ("a&b<c>\"d\"", "<t>a&amp;b&lt;c&gt;\"d\""),
            ("\u{1}\r\t.", "<t>_x0001__x000D_\t."),
            ("_x0000_", "<t>_x005F_x0000_"),
            ("_x00g0_ _x0000", "<t>_x00g0_ _x0000"),
            ("__xABCD_x0001_", "<t>__x005F_xABCD_x005F_x0001_"),
            ("\u{ffff}\u{fb01}", "<t>_xFFFF_\u{fb01}"),
        ];
        for (text, expected) in cases {
            let written = row(|row| {
                row.cell("AB", 0);
                row.text(text);
            });
            let expected =
                format!("<row r=\"7\"><c r=\"AB7\" t=\"inlineStr\"><is>{expected}</t></is></c></row>");
            assert_eq!(written, expected, "{text:?}");
        }
        assert_eq!(row(|_| ()), "");
    }

    #[test]
    fn numbers_are_the_standard_librarys() {
        for number in [0.0, -0.0, 1.0, -7.0, 999_999_999_999_999.0, 1e15, -1e15, 1e300, 0.1, 45_569.5, 1e-7] {
            let written = row(|row| {
                row.cell("A", 2);
                row.number(number);
            });
            assert_eq!(written, format!("<row r=\"7\"><c r=\"A7\" s=\"2\"><v>{number}</v></c></row>"));
        }
    }
}
