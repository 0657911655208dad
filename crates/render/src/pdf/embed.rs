//! The fonts of a file, each cut down to the glyphs that were drawn.

use std::io::Write;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Rect, Ref, Str};
use rustybuzz::ttf_parser::{RawFace, Tag, name_id};
use sha2::{Digest, Sha256};

use super::error::PdfError;
use super::faces::LoadedFace;
use super::objects::{Objects, to_i32};

/// Writes the fonts that were used; the numbers of the faces and of their font dictionaries.
pub(super) fn write_fonts<W: Write>(
    objects: &mut Objects<W>,
    faces: &[LoadedFace],
) -> Result<Vec<(usize, Ref)>, PdfError> {
    let mut written = Vec::new();
    for (number, face) in faces.iter().enumerate() {
        if !face.usage.is_empty() {
            written.push((number, write_font(objects, face)?));
        }
    }
    Ok(written)
}

fn write_font<W: Write>(objects: &mut Objects<W>, face: &LoadedFace) -> Result<Ref, PdfError> {
    let name = postscript_name(face);
    let subset = subsetter::subset(face.data().bytes, face.data().index, &face.usage.remapper)
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
    let scaled = |units: i16| f32::from(units) * face.scale();
    let bounds = face.face().global_bounding_box();
    dict.name(base).flags(FontFlags::SYMBOLIC);
    dict.bbox(Rect::new(
        scaled(bounds.x_min),
        scaled(bounds.y_min),
        scaled(bounds.x_max),
        scaled(bounds.y_max),
    ));
    dict.italic_angle(face.face().italic_angle());
    dict.ascent(scaled(face.face().ascender()));
    dict.descent(scaled(face.face().descender()));
    dict.cap_height(scaled(face.face().capital_height().unwrap_or(face.face().ascender())));
    // No font states its stem; this grows with the weight as those of usual fonts do.
    dict.stem_v(10.0 + 0.18 * f32::from(face.face().weight().to_number()));
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
    let names = face.face().names().into_iter();
    let name =
        names.filter(|name| name.name_id == name_id::POST_SCRIPT_NAME).find_map(|name| name.to_string());
    let name: String =
        name.unwrap_or_default().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "Font".to_owned() } else { name }
}
