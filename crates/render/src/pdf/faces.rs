//! The fonts that are ready to be drawn with, and which of them draws a character.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rustybuzz::{ShapePlan, UnicodeBuffer};

use super::fonts::{FontData, FontSet, bundled, unpacked};
use super::usage::Usage;

/// Place of the regular font among the faces.
pub(super) const REGULAR: u8 = 0;
/// Place of the bold font.
pub(super) const BOLD: u8 = 1;

/// Which of the two main fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

impl Weight {
    pub(super) fn face(self) -> u8 {
        match self {
            Self::Regular => REGULAR,
            Self::Bold => BOLD,
        }
    }
}

/// The fonts in the program but the packed one, parsed once for the process.
static BUNDLED: LazyLock<Vec<Font>> = LazyLock::new(|| bundled().map(of_program).collect());

/// The packed font, unpacked and parsed once for the process, when somebody first asks it for a character.
static PACKED: LazyLock<Font> = LazyLock::new(|| of_program(unpacked()));

fn of_program(data: FontData) -> Font {
    Font::new(data).expect("the fonts in the program are fonts")
}

/// A parsed font.
#[derive(Clone)]
struct Font {
    data: FontData,
    face: Arc<rustybuzz::Face<'static>>,
    /// Thousandths of an em for each unit of the font.
    scale: f32,
}

/// A font that is ready to be shaped with.
pub(super) struct LoadedFace {
    /// `None` for the packed one, which is unpacked when it is needed.
    font: Option<Font>,
    /// Shared with the threads that draw pages.
    pub(super) usage: Arc<Usage>,
}

impl LoadedFace {
    fn new(font: Option<Font>) -> Self {
        Self { font, usage: Arc::default() }
    }

    fn font(&self) -> &Font {
        self.font.as_ref().unwrap_or_else(|| &PACKED)
    }

    pub(super) fn data(&self) -> FontData {
        self.font().data
    }

    pub(super) fn face(&self) -> &rustybuzz::Face<'static> {
        &self.font().face
    }

    /// Thousandths of an em for each unit of the font.
    pub(super) fn scale(&self) -> f32 {
        self.font().scale
    }

    pub(super) fn glyph(&self, character: char) -> Option<u16> {
        self.face().glyph_index(character).map(|id| id.0).filter(|id| *id != 0)
    }

    pub(super) fn natural(&self, id: u16) -> f32 {
        let units = self.face().glyph_hor_advance(rustybuzz::ttf_parser::GlyphId(id)).unwrap_or(0);
        f32::from(units) * self.scale()
    }
}

/// The faces by their numbers: those of the program, then those of fonts found in folders.
pub(super) struct Faces {
    fonts: FontSet,
    pub(super) loaded: Vec<LoadedFace>,
    /// Faces of fonts found in folders, by their number there.
    found: BTreeMap<usize, u8>,
    /// The regular font's glyph for a character that no font has.
    pub(super) replacement: u16,
    pub(super) buffer: Option<UnicodeBuffer>,
    /// How to shape with a face, from right to left or not, in a script: making a plan takes longer than using it.
    pub(super) plans: BTreeMap<(u8, bool, u32), ShapePlan>,
    /// Set where a character has no face, or its face no glyph for it.
    pub(super) lacks_characters: bool,
}

impl Faces {
    pub(super) fn new(fonts: FontSet) -> Self {
        let parsed = BUNDLED.iter().map(|font| LoadedFace::new(Some(font.clone())));
        let loaded: Vec<LoadedFace> = parsed.chain([LoadedFace::new(None)]).collect();
        let replacement = loaded[usize::from(REGULAR)].glyph('\u{fffd}').expect("Noto Sans has U+FFFD");
        Self {
            fonts,
            loaded,
            found: BTreeMap::new(),
            replacement,
            buffer: Some(UnicodeBuffer::new()),
            plans: BTreeMap::new(),
            lacks_characters: false,
        }
    }

    /// The face that draws a character, and `None` where no font has it.
    pub(super) fn face_for(&mut self, character: char, weight: Weight) -> Option<u8> {
        let main = weight.face();
        if self.loaded[usize::from(main)].glyph(character).is_some() {
            return Some(main);
        }
        let other =
            |face: &usize| *face != usize::from(BOLD) && self.loaded[*face].glyph(character).is_some();
        // The packed font is the last of them.
        if let Some(face) = (0..=BUNDLED.len()).find(other) {
            return u8::try_from(face).ok();
        }
        if let Some((place, data)) = self.fonts.search(character) {
            if let Some(face) = self.found.get(&place) {
                return Some(*face);
            }
            let face = u8::try_from(self.loaded.len()).ok()?;
            if let Some(loaded) = Font::new(data).map(|font| LoadedFace::new(Some(font)))
                && loaded.glyph(character).is_some()
            {
                self.loaded.push(loaded);
                self.found.insert(place, face);
                return Some(face);
            }
        }
        None
    }
}

impl Font {
    /// `None` where the bytes are no font.
    fn new(data: FontData) -> Option<Self> {
        let face = data.face()?;
        #[expect(clippy::cast_precision_loss, reason = "a font has at most 16,384 units")]
        let scale = 1000.0 / face.units_per_em() as f32;
        Some(Self { data, face: Arc::new(face), scale })
    }
}
