//! The operators that show glyphs.
//!
//! Where a glyph is drawn for another text than the first one (a letter in another composition, several glyphs for one
//! letter), that text is added as `ActualText`.

use super::faces::{LoadedFace, REGULAR};
use super::glyphs::Glyph;
use super::operators::{push_number, push_text_string};
use super::typeset::{Numbering, Typesetter};

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
            let replaced = first.face == REGULAR && first.id == self.faces.replacement;
            if replaced && source != "\u{fffd}" {
                self.replaces = true;
                self.replaced.extend(source.chars());
            }
            let face = &mut self.faces.loaded[usize::from(first.face)];
            let numbering = &mut self.numbering;
            let own = if replaced { "\u{fffd}" } else { source };
            if let [glyph] = group {
                if glyph.rtl && !replaced && pen.ligature(face, numbering, glyph, own) {
                    continue;
                }
                let (number, same) = numbering.number(face, glyph.id, own);
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
                let (number, _) = numbering.number(face, glyph.id, letter.encode_utf8(&mut [0; 4]));
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
    fn ligature(
        &mut self,
        face: &mut LoadedFace,
        numbering: &mut Numbering,
        glyph: &Glyph,
        text: &str,
    ) -> bool {
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
        let (number, _) = numbering.number(face, glyph.id, last.encode_utf8(&mut [0; 4]));
        self.glyph(face, glyph, number);
        let part = glyph.advance / letters.len() as f32;
        self.adjust(part * others.len() as f32);
        self.close();
        self.out.extend_from_slice(b"3 Tr\n");
        for (id, letter) in hidden {
            let (number, _) = numbering.number(face, id, letter.encode_utf8(&mut [0; 4]));
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
