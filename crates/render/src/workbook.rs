//! Reads the cells of a spreadsheet (Office Open XML) as texts.
//!
//! What is read was saved by programs of others, and may be sent by anybody. So every size has a bound, document types are
//! refused, and formulas are not followed: a cell that has one gives its last value.
//!
//! A number gives its digits as the file has them, a boolean `TRUE` or `FALSE`, an error its text. Dates are numbers.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "XML has many events, and spreadsheets few that matter here"
)]

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;

/// Bytes of all parts that are read, unpacked.
const UNPACKED_MAX: u64 = 256 << 20;
/// Rows of a sheet.
const ROWS_MAX: usize = 200_000;
/// Columns of a sheet.
const COLUMNS_MAX: usize = 1_024;
/// Cells of a sheet that have a text.
const CELLS_MAX: usize = 5_000_000;

/// Whether these bytes begin as a zip archive does, and so as a spreadsheet does.
#[must_use]
pub fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The rows of the sheet of this name, or else of the first sheet: the number of each with its cells. A row without any text
/// is left out; missing cells are empty texts.
///
/// # Errors
/// Says what is wrong with the file.
pub fn read_workbook(bytes: &[u8], sheet: &str) -> Result<Vec<(u64, Vec<String>)>, String> {
    let archive = ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|error| format!("the file is not a spreadsheet: {error}"))?;
    let mut room = UNPACKED_MAX;
    let workbook = part(&mut archive, "xl/workbook.xml", &mut room)?
        .ok_or("the file is a zip archive without xl/workbook.xml: expected a spreadsheet")?;
    let relations = part(&mut archive, "xl/_rels/workbook.xml.rels", &mut room)?.unwrap_or_default();
    let path = path_of(&workbook, &relations, sheet)?;
    let texts = match part(&mut archive, "xl/sharedStrings.xml", &mut room)? {
        Some(content) => shared_texts(&content)?,
        None => Vec::new(),
    };
    let content = part(&mut archive, &path, &mut room)?
        .ok_or_else(|| format!("the spreadsheet has no part {path:?}, which it names"))?;
    rows(&content, &texts)
}

/// A part of the file; `None` if it is not there.
fn part(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    room: &mut u64,
) -> Result<Option<Vec<u8>>, String> {
    let Ok(member) = archive.by_name(name) else { return Ok(None) };
    let mut content = Vec::new();
    let read = member.take(*room + 1).read_to_end(&mut content);
    read.map_err(|error| format!("{name} cannot be unpacked: {error}"))?;
    *room = room.checked_sub(content.len() as u64).ok_or_else(|| {
        format!("the spreadsheet is too large: expected at most {UNPACKED_MAX} bytes, unpacked")
    })?;
    Ok(Some(content))
}

type Xml<'a> = Reader<BufReader<&'a [u8]>>;

fn xml(content: &[u8]) -> Xml<'_> {
    Reader::from_reader(BufReader::new(content))
}

fn next<'b, R: BufRead>(reader: &mut Reader<R>, buffer: &'b mut Vec<u8>) -> Result<Event<'b>, String> {
    buffer.clear();
    match reader.read_event_into(buffer) {
        Ok(Event::DocType(_)) => Err("the spreadsheet has a document type: expected none".into()),
        Ok(event) => Ok(event),
        Err(error) => Err(format!("the spreadsheet has invalid XML: {error}")),
    }
}

/// The value of an attribute, by its name without a prefix.
fn attribute(element: &BytesStart<'_>, name: &[u8]) -> Option<String> {
    let found = element.attributes().flatten().find(|found| found.key.local_name().as_ref() == name)?;
    found.unescape_value().ok().map(Cow::into_owned)
}

/// The character or characters that a reference in a text stands for.
fn referred(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|error| error.to_string())?;
    let text = match &*name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        other => return Err(format!("the spreadsheet refers to {other:?}: expected plain XML")),
    };
    Ok(text.to_owned())
}

/// The path of a sheet's part.
fn path_of(workbook: &[u8], relations: &[u8], sheet: &str) -> Result<String, String> {
    let mut sheets: Vec<(String, String)> = Vec::new();
    let (mut reader, mut buffer) = (xml(workbook), Vec::new());
    loop {
        match next(&mut reader, &mut buffer)? {
            Event::Start(element) | Event::Empty(element) if element.local_name().as_ref() == b"sheet" => {
                sheets.extend(attribute(&element, b"name").zip(attribute(&element, b"id")));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let named = sheets.iter().find(|(name, _)| name == sheet).or(sheets.first());
    let (_, id) = named.ok_or("the spreadsheet has no sheet: expected one")?;
    let (mut reader, mut buffer) = (xml(relations), Vec::new());
    loop {
        match next(&mut reader, &mut buffer)? {
            Event::Start(element) | Event::Empty(element)
                if element.local_name().as_ref() == b"Relationship"
                    && attribute(&element, b"Id").as_ref() == Some(id) =>
            {
                let target = attribute(&element, b"Target").unwrap_or_default();
                // A target is relative to the folder of the workbook, or to the root.
                return Ok(match target.strip_prefix('/') {
                    Some(from_root) => from_root.to_owned(),
                    None => format!("xl/{target}"),
                });
            }
            Event::Eof => return Err("the spreadsheet does not say where its sheet is".into()),
            _ => {}
        }
    }
}

/// The texts that cells refer to by number.
fn shared_texts(content: &[u8]) -> Result<Vec<String>, String> {
    let (mut reader, mut buffer) = (xml(content), Vec::new());
    let mut texts: Vec<String> = Vec::new();
    let mut collected = Collected::default();
    loop {
        match next(&mut reader, &mut buffer)? {
            Event::Start(element) => match element.local_name().as_ref() {
                b"si" => texts.push(String::new()),
                name => collected.begin(name),
            },
            Event::Empty(element) if element.local_name().as_ref() == b"si" => texts.push(String::new()),
            Event::End(element) => collected.end(element.local_name().as_ref()),
            Event::Eof => return Ok(texts.iter().map(|text| without_escapes(text)).collect()),
            event => {
                if let (Some(more), Some(text)) = (collected.text(&event)?, texts.last_mut()) {
                    text.push_str(&more);
                }
            }
        }
    }
}

/// Which texts are content: those in `t` and `v`, and not the readings of letters (`rPh`).
#[derive(Default)]
struct Collected {
    inside: bool,
    reading: bool,
}

impl Collected {
    fn begin(&mut self, name: &[u8]) {
        match name {
            b"t" | b"v" => self.inside = true,
            b"rPh" => self.reading = true,
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        match name {
            b"t" | b"v" => self.inside = false,
            b"rPh" => self.reading = false,
            _ => {}
        }
    }

    fn text(&self, event: &Event<'_>) -> Result<Option<String>, String> {
        if !self.inside || self.reading {
            return Ok(None);
        }
        let wrong = |error: quick_xml::encoding::EncodingError| error.to_string();
        match event {
            Event::Text(text) => Ok(Some(text.xml10_content().map_err(wrong)?.into_owned())),
            Event::CData(text) => Ok(Some(text.decode().map_err(wrong)?.into_owned())),
            Event::GeneralRef(reference) => Ok(Some(referred(reference)?)),
            _ => Ok(None),
        }
    }
}

/// The rows of a sheet.
fn rows(content: &[u8], texts: &[String]) -> Result<Vec<(u64, Vec<String>)>, String> {
    let (mut reader, mut buffer) = (xml(content), Vec::new());
    let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
    let mut collected = Collected::default();
    let (mut row, mut cells): (u64, Vec<String>) = (0, Vec::new());
    let (mut column, mut kind, mut value) = (0, String::new(), String::new());
    let mut count = 0;
    loop {
        match next(&mut reader, &mut buffer)? {
            Event::Start(element) => match element.local_name().as_ref() {
                b"row" => {
                    let number = attribute(&element, b"r").and_then(|text| text.parse().ok());
                    (row, column) = (number.unwrap_or(row + 1), 0);
                }
                b"c" => {
                    let place = attribute(&element, b"r");
                    column = place.as_deref().map_or(Ok(column + 1), column_of)?;
                    kind = attribute(&element, b"t").unwrap_or_default();
                    value.clear();
                }
                name => collected.begin(name),
            },
            Event::Empty(element) => match element.local_name().as_ref() {
                b"row" => row += 1,
                b"c" => {
                    let place = attribute(&element, b"r");
                    column = place.as_deref().map_or(Ok(column + 1), column_of)?;
                }
                _ => {}
            },
            Event::End(element) => match element.local_name().as_ref() {
                b"row" => {
                    if cells.iter().any(|cell| !cell.trim().is_empty()) {
                        rows.push((row, std::mem::take(&mut cells)));
                    }
                    cells.clear();
                    if rows.len() > ROWS_MAX {
                        return Err(format!("the sheet has more than {ROWS_MAX} rows"));
                    }
                }
                b"c" => {
                    count += 1;
                    if count > CELLS_MAX {
                        return Err(format!("the sheet has more than {CELLS_MAX} cells"));
                    }
                    let text = cell(&kind, &value, texts)
                        .map_err(|reason| format!("row {row}, column {column}: {reason}"))?;
                    if !text.is_empty() {
                        cells.resize(cells.len().max(column), String::new());
                        cells[column - 1] = text;
                    }
                }
                name => collected.end(name),
            },
            Event::Eof => return Ok(rows),
            event => {
                if let Some(more) = collected.text(&event)? {
                    value.push_str(&more);
                }
            }
        }
    }
}

/// The text of a cell.
fn cell(kind: &str, value: &str, texts: &[String]) -> Result<String, String> {
    match kind {
        "s" => {
            let text = value.trim().parse().ok().and_then(|number: usize| texts.get(number));
            text.cloned().ok_or_else(|| format!("the cell refers to text {value:?}, which is not there"))
        }
        "b" => Ok(if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned()),
        "inlineStr" | "str" => Ok(without_escapes(value)),
        _ => Ok(value.trim().to_owned()),
    }
}

/// The number of a column, from 1, by the place of a cell such as `AB12`.
fn column_of(place: &str) -> Result<usize, String> {
    let mut column = 0_usize;
    for letter in place.bytes().take_while(u8::is_ascii_alphabetic) {
        column = column * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
        if column > COLUMNS_MAX {
            return Err(format!("cell {place:?}: expected at most {COLUMNS_MAX} columns"));
        }
    }
    if column == 0 {
        Err(format!("a cell is at {place:?}: expected letters and a number"))
    } else {
        Ok(column)
    }
}

/// `_x000D_` in a text is the character of that number.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let escape = rest.get(at + 2..at + 6).filter(|_| rest.as_bytes().get(at + 6) == Some(&b'_'));
        let character =
            escape.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        plain.push_str(&rest[..at]);
        if let Some(character) = character {
            plain.push(character);
            rest = &rest[at + 7..];
        } else {
            plain.push_str("_x");
            rest = &rest[at + 2..];
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    const WORKBOOK: &str = r#"<workbook xmlns:r="x"><sheets><sheet name="Notes" r:id="rId7"/><sheet name="Rows" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
    const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId7" Target="/xl/worksheets/sheet2.xml"/></Relationships>"#;

    fn book(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let all = [("xl/workbook.xml", WORKBOOK), ("xl/_rels/workbook.xml.rels", RELATIONS)];
        for (name, content) in all.iter().chain(parts) {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// As spreadsheet programs write it: shared texts in runs with readings, inline texts, numbers, gaps.
    #[test]
    fn cells_of_every_kind_are_texts() {
        let shared = "<sst><si><t>item</t></si><si><r><t xml:space=\"preserve\">a &amp; </t></r><r><t>b&#x21;</t></r>\
            <rPh><t>reading</t></rPh></si></sst>";
        let sheet = r#"<worksheet><sheetData>
            <row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>_x000D_x_xZZZZ_</t></is></c></row>
            <row r="2"><c r="A2"/></row>
            <row r="4"><c r="A4"><v>7</v></c><c r="B4" t="s"><v>1</v></c><c r="C4" t="b"><v>1</v></c>
              <c r="D4" t="str"><f>1+1</f><v>2</v></c><c r="AA4"><v>1.5E3</v></c></row>
            </sheetData></worksheet>"#;
        let bytes = book(&[("xl/sharedStrings.xml", shared), ("xl/worksheets/sheet1.xml", sheet)]);
        assert!(is_workbook(&bytes));
        let read = read_workbook(&bytes, "Rows").unwrap();
        assert_eq!(read[0], (1, vec!["item".into(), String::new(), "\rx_xZZZZ_".into()]));
        assert_eq!((read.len(), read[1].0, read[1].1.len()), (2, 4, 27));
        assert_eq!(read[1].1[..4], ["7", "a & b!", "TRUE", "2"]);
        assert_eq!(read[1].1[26], "1.5E3");
        // Without a sheet of that name, the first is taken.
        let second = book(&[("xl/worksheets/sheet2.xml", r#"<w><row><c t="str"><v>x</v></c></row></w>"#)]);
        assert_eq!(read_workbook(&second, "Other").unwrap(), [(1, vec!["x".to_owned()])]);
    }

    #[test]
    fn hostile_files_are_refused() {
        let sheet = |text: &str| book(&[("xl/worksheets/sheet1.xml", text)]);
        for (bytes, reason) in [
            (b"PK\x03\x04".to_vec(), "not a spreadsheet"),
            (book(&[]), "no part \"xl/worksheets/sheet1.xml\""),
            (sheet("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"), "document type"),
            (sheet("<row><c r='A1' t='str'><v>&b;</v></c></row>"), "refers to \"b\""),
            (sheet("<row><c r='ZZZZ1'><v>1</v></c></row>"), "at most 1024 columns"),
            (sheet("<row><c r='1'><v>1</v></c></row>"), "expected letters"),
            (
                sheet("<row><c r='A1' t='s'><v>9</v></c></row>"),
                "row 1, column 1: the cell refers to text \"9\"",
            ),
            (sheet("<row></c>"), "invalid XML"),
        ] {
            let refused = read_workbook(&bytes, "Rows").unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        // A part that unpacks to more than there is room for.
        let bytes = book(&[("xl/big.xml", &" ".repeat(2_000))]);
        let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
        let mut room = 1_999;
        assert!(part(&mut archive, "xl/big.xml", &mut room).unwrap_err().contains("too large"));
        let mut room = 2_000;
        assert_eq!(part(&mut archive, "xl/big.xml", &mut room).unwrap().map(|part| part.len()), Some(2_000));
        assert_eq!(room, 0);
    }
}
