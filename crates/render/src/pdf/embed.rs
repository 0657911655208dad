//! The glyphs that were drawn, and the fonts cut down to them.
//!
//! A glyph gets its number in the file when it is first drawn, so pages can be written at once and the fonts at the end.
//! A number means one text in the file's `ToUnicode` table: the first that it was drawn for. Where it is drawn for
//! another text (a letter in another composition, several glyphs for one letter), that text is added as `ActualText`.

use std::io::{self, Write};

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Rect, Ref, Str};
use rustybuzz::ttf_parser::{RawFace, Tag, name_id};
use sha2::{Digest, Sha256};
use subsetter::GlyphRemapper;

use super::PdfError;
use super::objects::{Objects, to_i32};
use super::page::push_number;
use super::typeset::{Glyph, LoadedFace, REGULAR, Typesetter};

/// The glyphs of one font that were drawn.
pub(super) struct Usage {
    remapper: GlyphRemapper,
    /// The text of each glyph by its number in the file; 0 is `.notdef`.
    texts: Vec<Box<str>>,
    /// By a glyph's number in the font: its number in the file and its letter, if it has one, so that the many
    /// glyphs of a table are found without a hash.
    letters: Vec<(u16, char)>,
}

impl Default for Usage {
    fn default() -> Self {
        Self { remapper: GlyphRemapper::new(), texts: vec!["".into()], letters: Vec::new() }
    }
}

impl Usage {
    fn is_empty(&self) -> bool {
        self.texts.len() == 1
    }

    /// Whether a glyph has this text, or none yet.
    fn fits(&self, id: u16, text: &str) -> bool {
        self.remapper.get(id).is_none_or(|number| *self.texts[usize::from(number)] == *text)
    }

    /// The glyph's number in the file, and whether its text there is just this one.
    fn take(&mut self, id: u16, text: &str) -> (u16, bool) {
        let mut letters = text.chars();
        let letter = letters.next().filter(|_| letters.next().is_none());
        let known = self.letters.get(usize::from(id)).copied().unwrap_or((0, '\0'));
        if known.0 != 0 && letter == Some(known.1) {
            return (known.0, true);
        }
        let number = self.remapper.remap(id);
        match self.texts.get(usize::from(number)) {
            Some(known) => (number, **known == *text),
            None => {
                self.texts.push(text.into());
                if let Some(letter) = letter {
                    let end = self.letters.len().max(usize::from(id) + 1);
                    self.letters.resize(end, (0, '\0'));
                    self.letters[usize::from(id)] = (number, letter);
                }
                (number, true)
            }
        }
    }
}

/// The font and size that a content stream has set.
pub(super) type CurrentFont = Option<(u8, f32)>;

impl Typesetter {
    /// Writes the operators that show glyphs from the current text position on.
    pub(super) fn show(
        &mut self,
        out: &mut Vec<u8>,
        text: &str,
        glyphs: &[Glyph],
        size: f32,
        font: &mut CurrentFont,
    ) {
        let mut pen = Pen { out, open: false, size, rise: 0.0 };
        let mut rest = glyphs;
        while let Some(first) = rest.first() {
            let together = |glyph: &&Glyph| glyph.start == first.start && glyph.face == first.face;
            let count = rest.iter().take_while(together).count();
            let (group, others) = rest.split_at(count);
            rest = others;
            if *font != Some((first.face, size)) {
                pen.close();
                pen.out.extend_from_slice(b"/F");
                push_number(pen.out, f32::from(first.face));
                pen.out.push(b' ');
                push_number(pen.out, size);
                pen.out.extend_from_slice(b" Tf\n");
                *font = Some((first.face, size));
            }
            let source = &text[first.start as usize..first.end as usize];
            let replaced = first.face == REGULAR && first.id == self.replacement;
            if replaced && source != "\u{fffd}" {
                self.replaces = true;
                self.replaced.extend(source.chars());
            }
            let face = &mut self.faces[usize::from(first.face)];
            let own = if replaced { "\u{fffd}" } else { source };
            if let [glyph] = group {
                if glyph.rtl && !replaced && pen.ligature(face, glyph, own) {
                    continue;
                }
                let (number, same) = face.usage.take(glyph.id, own);
                if same && own == source {
                    pen.glyph(face, glyph, number);
                    continue;
                }
            }
            pen.close();
            pen.out.extend_from_slice(b"/Span<</ActualText");
            push_text_string(pen.out, source);
            pen.out.extend_from_slice(b">>BDC\n");
            // Each glyph must have a text (PDF/A-2, 6.2.11.7); readers take `ActualText` instead of it.
            let mut letters = own.chars();
            for glyph in &rightmost_last(face, group) {
                let letter = letters.next().or(own.chars().next()).unwrap_or(' ');
                let (number, _) = face.usage.take(glyph.id, letter.encode_utf8(&mut [0; 4]));
                pen.glyph(face, glyph, number);
            }
            pen.close();
            pen.out.extend_from_slice(b"EMC\n");
        }
        pen.close();
        if pen.rise != 0.0 {
            pen.out.extend_from_slice(b"0 Ts\n");
        }
    }
}

/// The glyphs of one cluster in such an order that the one that reaches furthest is the last: readers take its end for the
/// end of their text, and a gap after that for a space.
fn rightmost_last(face: &LoadedFace, group: &[Glyph]) -> Vec<Glyph> {
    let mut pen = 0.0;
    let mut placed: Vec<(f32, f32, Glyph)> = Vec::with_capacity(group.len());
    for glyph in group {
        let left = pen + glyph.dx;
        placed.push((left, left + face.natural(glyph.id), *glyph));
        pen += glyph.advance;
    }
    let whole = pen;
    placed.sort_by(|one, two| one.1.total_cmp(&two.1));
    let last = placed.len() - 1;
    let mut pen = 0.0;
    let mut ordered = Vec::with_capacity(placed.len());
    for (place, (left, right, glyph)) in placed.into_iter().enumerate() {
        let next = if place == last { whole } else { right };
        ordered.push(Glyph { dx: left - pen, advance: next - pen, plain: false, ..glyph });
        pen = next;
    }
    ordered
}

/// Writes strings of glyphs with their adjustments.
struct Pen<'a> {
    out: &'a mut Vec<u8>,
    /// Whether an array with a string at its end is begun.
    open: bool,
    size: f32,
    rise: f32,
}

impl Pen<'_> {
    fn glyph(&mut self, face: &LoadedFace, glyph: &Glyph, number: u16) {
        let rise = glyph.dy * self.size / 1000.0;
        if (rise - self.rise).abs() > 0.001 {
            self.close();
            push_number(self.out, rise);
            self.out.extend_from_slice(b" Ts\n");
            self.rise = rise;
        }
        if !self.open {
            self.out.extend_from_slice(b"[(");
            self.open = true;
        }
        if glyph.dx != 0.0 {
            self.adjust(-glyph.dx);
        }
        // Half as long as digits, and so in half the time compressed.
        for byte in number.to_be_bytes() {
            match byte {
                b'(' | b')' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                _ => self.out.push(byte),
            }
        }
        let natural = if glyph.plain { glyph.advance } else { face.natural(glyph.id) };
        let back = glyph.dx + natural - glyph.advance;
        if back != 0.0 {
            self.adjust(back);
        }
    }

    /// Shows one glyph for several letters of right-to-left text.
    ///
    /// Readers reverse such text letter by letter, so a glyph for two letters would be read as these two in the wrong
    /// order. The glyph gets the last letter, which is the leftmost, and the other letters are shown on top of it
    /// without ink. Returns `false`, and shows nothing, where that cannot be done.
    #[expect(clippy::cast_precision_loss, reason = "two or three letters")]
    fn ligature(&mut self, face: &mut LoadedFace, glyph: &Glyph, text: &str) -> bool {
        let letters: Vec<char> = text.chars().rev().collect();
        let [last, others @ ..] = letters.as_slice() else { return false };
        if others.is_empty() || !face.usage.fits(glyph.id, last.encode_utf8(&mut [0; 4])) {
            return false;
        }
        let mut hidden = Vec::new();
        for letter in others {
            match face.glyph(*letter) {
                Some(id) if id != glyph.id && face.usage.fits(id, letter.encode_utf8(&mut [0; 4])) => {
                    hidden.push((id, *letter));
                }
                Some(_) | None => return false,
            }
        }
        let (number, _) = face.usage.take(glyph.id, last.encode_utf8(&mut [0; 4]));
        self.glyph(face, glyph, number);
        let part = glyph.advance / letters.len() as f32;
        self.adjust(part * others.len() as f32);
        self.close();
        self.out.extend_from_slice(b"3 Tr\n");
        for (id, letter) in hidden {
            let (number, _) = face.usage.take(id, letter.encode_utf8(&mut [0; 4]));
            // No wider than its part, or it would cover the space next to the word.
            let advance = face.natural(id);
            push_number(self.out, if advance > 0.0 { 100.0 * part / advance } else { 100.0 });
            self.out.extend_from_slice(b" Tz\n");
            self.glyph(face, &Glyph { id, advance, dx: 0.0, dy: 0.0, plain: true, ..*glyph }, number);
            self.close();
        }
        self.out.extend_from_slice(b"100 Tz 0 Tr\n");
        true
    }

    fn adjust(&mut self, back: f32) {
        self.out.push(b')');
        push_number(self.out, back);
        self.out.push(b'(');
    }

    fn close(&mut self) {
        if self.open {
            self.out.extend_from_slice(b")]TJ\n");
            self.open = false;
        }
    }
}

/// A text string in UTF-16, in hex.
pub(super) fn push_text_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"<FEFF");
    for unit in text.encode_utf16() {
        write!(out, "{unit:04X}").expect("a vector takes every write");
    }
    out.push(b'>');
}

/// Writes the fonts that were used; the numbers of the faces and of their font dictionaries.
pub(super) fn write_fonts<W: Write>(
    objects: &mut Objects<W>,
    setter: &Typesetter,
) -> Result<Vec<(usize, Ref)>, PdfError> {
    let mut written = Vec::new();
    for (number, face) in setter.faces.iter().enumerate() {
        if !face.usage.is_empty() {
            written.push((number, write_font(objects, face)?));
        }
    }
    Ok(written)
}

fn write_font<W: Write>(objects: &mut Objects<W>, face: &LoadedFace) -> Result<Ref, PdfError> {
    let name = postscript_name(face);
    let subset = subsetter::subset(face.data.bytes, face.data.index, &face.usage.remapper)
        .map_err(|source| PdfError::Font { name: name.clone(), source })?;
    let outlines = RawFace::parse(&subset, 0).ok().and_then(|raw| raw.table(Tag::from_bytes(b"CFF ")));
    let base = format!("{}+{name}", tag(&subset));
    let base = Name(base.as_bytes());
    let [font, cid_font, descriptor, program, to_unicode] = [(); 5].map(|()| objects.allocate());
    let info = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    match outlines {
        Some(outlines) => objects.stream(program, outlines, |stream| {
            stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
        })?,
        None => objects.stream(program, &subset, |stream| {
            stream.pair(Name(b"Length1"), to_i32(subset.len()));
        })?,
    }
    objects.object(|chunk| {
        let mut dict = chunk.type0_font(font);
        dict.base_font(base).encoding_predefined(Name(b"Identity-H"));
        dict.descendant_font(cid_font).to_unicode(to_unicode);
    })?;
    objects.object(|chunk| {
        let mut dict = chunk.cid_font(cid_font);
        dict.subtype(if outlines.is_some() { CidFontType::Type0 } else { CidFontType::Type2 });
        dict.base_font(base).system_info(info).font_descriptor(descriptor).default_width(0.0);
        if outlines.is_none() {
            dict.cid_to_gid_map_predefined(Name(b"Identity"));
        }
        let ids = face.usage.remapper.remapped_gids();
        let widths = ids.take(face.usage.texts.len()).map(|id| face.natural(id));
        dict.widths().consecutive(0, widths);
    })?;
    objects.object(|chunk| {
        describe(chunk.font_descriptor(descriptor), face, base, program, outlines.is_some())
    })?;
    let mut cmap = UnicodeCmap::<u16>::new(Name(b"Custom"), info);
    for (number, text) in face.usage.texts.iter().enumerate().skip(1) {
        let number = u16::try_from(number).expect("a font has at most 65,536 glyphs");
        cmap.pair_with_multiple(number, text.chars());
    }
    objects.stream(to_unicode, &cmap.finish(), |_| {})?;
    Ok(font)
}

fn describe(
    mut dict: pdf_writer::writers::FontDescriptor<'_>,
    face: &LoadedFace,
    base: Name<'_>,
    program: Ref,
    compact: bool,
) {
    let scaled = |units: i16| f32::from(units) * face.scale;
    let bounds = face.face.global_bounding_box();
    dict.name(base).flags(FontFlags::SYMBOLIC);
    dict.bbox(Rect::new(
        scaled(bounds.x_min),
        scaled(bounds.y_min),
        scaled(bounds.x_max),
        scaled(bounds.y_max),
    ));
    dict.italic_angle(face.face.italic_angle());
    dict.ascent(scaled(face.face.ascender()));
    dict.descent(scaled(face.face.descender()));
    dict.cap_height(scaled(face.face.capital_height().unwrap_or(face.face.ascender())));
    // No font states its stem; this grows with the weight as those of usual fonts do.
    dict.stem_v(10.0 + 0.18 * f32::from(face.face.weight().to_number()));
    if compact {
        dict.font_file3(program);
    } else {
        dict.font_file2(program);
    }
    dict.finish();
}

/// Six letters that tell one subset from another, from its content.
fn tag(subset: &[u8]) -> String {
    Sha256::digest(subset)[..6].iter().map(|byte| char::from(b'A' + byte % 26)).collect()
}

fn postscript_name(face: &LoadedFace) -> String {
    let names = face.face.names().into_iter();
    let name =
        names.filter(|name| name.name_id == name_id::POST_SCRIPT_NAME).find_map(|name| name.to_string());
    let name: String =
        name.unwrap_or_default().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "Font".to_owned() } else { name }
}

/// How much room shown glyphs take, in thousandths of the font size.
pub(super) fn advance(glyphs: &[Glyph]) -> f32 {
    glyphs.iter().map(|glyph| glyph.advance).sum()
}

impl From<io::Error> for PdfError {
    fn from(error: io::Error) -> Self {
        Self::Render(error.into())
    }
}
