//! Runs of one direction, script and font, and their shaping.

use std::ops::Range;

use rustybuzz::ttf_parser::Tag;
use rustybuzz::{BufferClusterLevel, Direction, ShapePlan};
use unicode_bidi::{BidiInfo, Level};
use unicode_script::{Script, UnicodeScript};

use super::faces::{Faces, REGULAR, Weight};
use super::glyphs::{Glyph, Line, to_u32};
use super::line_breaks::Unit;

/// A piece of a paragraph that is shaped at once.
#[derive(Debug, Clone)]
pub(super) struct Item {
    bytes: Range<usize>,
    level: Level,
    script: Script,
    /// `None` where no font has the characters.
    face: Option<u8>,
}

/// The items of a paragraph in the order of the text.
pub(super) fn items(faces: &mut Faces, text: &str, levels: &[Level], weight: Weight) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut script = first_script(text);
    for (at, character) in text.char_indices() {
        let own = character.script();
        let depends = matches!(own, Script::Common | Script::Inherited | Script::Unknown);
        if !depends {
            script = own;
        }
        let level = levels[at];
        let last = items.last().and_then(|item| item.face);
        let has = |face: &u8| faces.loaded[usize::from(*face)].glyph(character).is_some();
        let face = match last {
            // Joiners and variation selectors belong to the letter before them; marks, digits and spaces too, where
            // its font has them.
            Some(face) if is_ignorable(character) || depends && has(&face) => Some(face),
            Some(_) | None => {
                if is_ignorable(character) {
                    Some(last.unwrap_or(weight.face()))
                } else {
                    faces.face_for(character, weight)
                }
            }
        };
        let end = at + character.len_utf8();
        match items.last_mut() {
            Some(item)
                if item.level == level && item.face == face && item.script == script && face.is_some() =>
            {
                item.bytes.end = end;
            }
            Some(_) | None => items.push(Item { bytes: at..end, level, script, face }),
        }
    }
    items
}

/// The script of the first letter that has one.
fn first_script(text: &str) -> Script {
    text.chars()
        .map(|character| character.script())
        .find(|script| !matches!(script, Script::Common | Script::Inherited | Script::Unknown))
        .unwrap_or(Script::Latin)
}

fn is_indic(script: Script) -> bool {
    [
        Script::Devanagari,
        Script::Bengali,
        Script::Gurmukhi,
        Script::Gujarati,
        Script::Oriya,
        Script::Tamil,
        Script::Telugu,
        Script::Kannada,
        Script::Malayalam,
        Script::Sinhala,
    ]
    .contains(&script)
}

/// Characters without a form of their own: joiners, directional marks, variation selectors.
fn is_ignorable(character: char) -> bool {
    matches!(u32::from(character),
        0x34f | 0x61c | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f
        | 0xfeff | 0xe0000..=0xe0fff)
}

/// The pieces that line breaks leave whole, in the order of the text.
pub(super) fn units(faces: &mut Faces, text: &str, items: &[Item], units: &mut Vec<Unit>) {
    for item in items {
        let mut glyphs = Vec::new();
        shape(faces, text, item, item.bytes.clone(), &mut glyphs);
        glyphs.sort_by_key(|glyph| glyph.start);
        let mut rest = glyphs.as_slice();
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|glyph| glyph.start == first.start).count();
            let advance: f32 = rest[..count].iter().map(|glyph| glyph.advance).sum();
            rest = &rest[count..];
            let (start, end) = (first.start as usize, first.end as usize);
            let character = text[start..].chars().next().unwrap_or(' ');
            let joined = is_mark(character) || is_ignorable(character);
            match units.last_mut() {
                Some(unit) if joined && !unit.is_space() => {
                    unit.end = end;
                    unit.advance += advance;
                }
                Some(_) | None => units.push(Unit::new(character, start, end, advance)),
            }
        }
    }
}

/// Combining marks and the vowels and signs that follow their letter, for the scripts whose marks do not form a cluster.
fn is_mark(character: char) -> bool {
    character.script() == Script::Inherited
        || matches!(u32::from(character),
            0x483..=0x489 | 0x591..=0x5bd | 0x5bf..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f | 0x670 | 0x6d6..=0x6ed
            | 0x900..=0x903 | 0x93a..=0x94f | 0x951..=0x957 | 0x962..=0x963 | 0xe31..=0xe3a | 0xe47..=0xe4e)
}

/// A line of the paragraph: its glyphs from left to right.
pub(super) fn line(
    faces: &mut Faces,
    text: &str,
    bidi: &BidiInfo<'_>,
    items: &[Item],
    bytes: Range<usize>,
) -> Line {
    let mut glyphs = Vec::new();
    let paragraph = &bidi.paragraphs[0];
    let (levels, runs) = bidi.visual_runs(paragraph, bytes);
    for run in runs {
        let inside = |item: &&Item| item.bytes.start < run.end && run.start < item.bytes.end;
        let mut pieces: Vec<&Item> = items.iter().filter(inside).collect();
        let level = levels[run.start];
        if level.is_rtl() {
            pieces.reverse();
        }
        for item in pieces {
            let cut = item.bytes.start.max(run.start)..item.bytes.end.min(run.end);
            // Spaces at the end of a line take the paragraph's direction there.
            let item = Item { level, ..item.clone() };
            shape(faces, text, &item, cut, &mut glyphs);
        }
    }
    Line { glyphs, width: 0.0, end: 0, rtl: paragraph.level.is_rtl() }
}

/// The sign that is drawn where no font has what these bytes of an item need.
fn replacement(faces: &Faces, item: &Item, bytes: Range<u32>) -> Glyph {
    let id = faces.replacement;
    Glyph {
        face: REGULAR,
        id,
        advance: faces.loaded[usize::from(REGULAR)].natural(id),
        dx: 0.0,
        dy: 0.0,
        plain: true,
        rtl: item.level.is_rtl(),
        start: bytes.start,
        end: bytes.end,
    }
}

/// Shapes some bytes of an item; glyphs come from left to right.
fn shape(faces: &mut Faces, text: &str, item: &Item, bytes: Range<usize>, out: &mut Vec<Glyph>) {
    let Some(face_number) = item.face else {
        faces.lacks_characters = true;
        out.push(replacement(faces, item, to_u32(bytes.start)..to_u32(bytes.end)));
        return;
    };
    let mut buffer = faces.buffer.take().unwrap_or_default();
    buffer.push_str(&text[bytes.clone()]);
    // Marks of their own are found by readers where they are drawn; those of Indic letters are part of one shape.
    buffer.set_cluster_level(if is_indic(item.script) {
        BufferClusterLevel::MonotoneGraphemes
    } else {
        BufferClusterLevel::MonotoneCharacters
    });
    buffer.set_direction(if item.level.is_rtl() { Direction::RightToLeft } else { Direction::LeftToRight });
    let tag = Tag(item.script.as_iso15924_tag());
    if let Some(script) = rustybuzz::Script::from_iso15924_tag(tag) {
        buffer.set_script(script);
    }
    buffer.guess_segment_properties();
    let loaded = &faces.loaded[usize::from(face_number)];
    let (direction, script) = (buffer.direction(), buffer.script());
    let key = (face_number, direction == Direction::RightToLeft, script.tag().0);
    let plan = faces
        .plans
        .entry(key)
        .or_insert_with(|| ShapePlan::new(loaded.face(), direction, Some(script), None, &[]));
    let shaped = rustybuzz::shape_with_plan(loaded.face(), plan, buffer);
    let infos = shaped.glyph_infos();
    let mut starts: Vec<u32> = infos.iter().map(|info| info.cluster).collect();
    starts.sort_unstable();
    starts.dedup();
    let (mut lacks, scale) = (false, loaded.scale());
    for (info, position) in infos.iter().zip(shaped.glyph_positions()) {
        let next = starts.partition_point(|start| *start <= info.cluster);
        let end = starts.get(next).copied().unwrap_or(to_u32(bytes.len()));
        #[expect(clippy::cast_precision_loss, reason = "positions are within a few thousand units")]
        let units = |value: i32| value as f32 * scale;
        if info.glyph_id == 0 {
            // The font has the letter but not what shaping makes of it.
            lacks = true;
            let start = to_u32(bytes.start);
            out.push(replacement(faces, item, start + info.cluster..start + end));
            continue;
        }
        out.push(Glyph {
            face: face_number,
            id: u16::try_from(info.glyph_id).expect("a font has at most 65,536 glyphs"),
            advance: units(position.x_advance),
            dx: units(position.x_offset),
            dy: units(position.y_offset),
            plain: false,
            rtl: item.level.is_rtl(),
            start: to_u32(bytes.start) + info.cluster,
            end: to_u32(bytes.start) + end,
        });
    }
    faces.buffer = Some(shaped.clear());
    faces.lacks_characters |= lacks;
}
