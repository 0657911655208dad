//! The fonts a PDF may use: those in the program, and further files from folders.
//!
//! Why here: a report must look the same on every machine, so fonts for the common scripts are part of the program
//! (`assets/fonts`, SIL Open Font License). The largest is compressed in it, and unpacked when a character needs it. What
//! they lack is looked for in folders, and only when a character needs it.
//!
//! Invariant: which font draws a character depends on the bundled fonts and on the names and contents of the files
//! in the folders, never on the order in which a folder is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use rustybuzz::ttf_parser::{self, Permissions};
use unicode_script::UnicodeScript;

/// The fonts in the program but the packed one, in the order in which they are asked. The first two are the regular and the
/// bold one.
static BUNDLED: [&[u8]; 8] = [
    include_bytes!("../../assets/fonts/NotoSans-Regular.ttf"),
    include_bytes!("../../assets/fonts/NotoSans-Bold.ttf"),
    include_bytes!("../../assets/fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../../assets/fonts/NotoSansHebrew-Regular.ttf"),
    include_bytes!("../../assets/fonts/NotoSansThai-Regular.ttf"),
    include_bytes!("../../assets/fonts/NotoSansDevanagari-Regular.ttf"),
    include_bytes!("../../assets/fonts/NotoSansArmenian-Regular.ttf"),
    include_bytes!("../../assets/fonts/NotoSansGeorgian-Regular.ttf"),
];
/// The font of China, Japan and Korea, compressed. It is asked after the others.
static PACKED: &[u8] = include_bytes!("../../assets/fonts/NotoSansCJKsc-Regular.ttf.zst");
/// Bytes of the font of China, Japan and Korea, which is packed in the program, when it is unpacked.
const PACKED_BYTES: usize = 8_870_932;

/// How many levels below a configured folder are searched for fonts.
const DEPTH_MAX: usize = 6;
/// Most font files that are read.
const FILES_MAX: usize = 10_000;
/// Most bytes of one font file.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A font: the bytes of its file, and which of the file's fonts it is.
#[derive(Clone, Copy)]
pub(crate) struct FontData {
    pub(crate) bytes: &'static [u8],
    pub(crate) index: u32,
}

impl FontData {
    /// The font as the shaper wants it; `None` where the bytes are none.
    pub(crate) fn face(self) -> Option<rustybuzz::Face<'static>> {
        rustybuzz::Face::from_slice(self.bytes, self.index)
    }
}

/// The bundled fonts but the packed one, whose place is after them. Their places are numbers of faces everywhere in this
/// module.
pub(crate) fn bundled() -> impl Iterator<Item = FontData> {
    BUNDLED.iter().map(|bytes| FontData { bytes, index: 0 })
}

/// The packed font. It is unpacked by the first call, and kept for the life of the process.
pub(crate) fn unpacked() -> FontData {
    static UNPACKED: LazyLock<Vec<u8>> = LazyLock::new(|| {
        // The frame has a checksum, so these are the bytes that were packed.
        zstd::bulk::decompress(PACKED, PACKED_BYTES).expect("the font in the program can be unpacked")
    });
    FontData { bytes: &UNPACKED, index: 0 }
}

/// The fonts that files may be drawn with. One for the process, shared by all writers.
///
/// A font file that is needed is read once and kept for the life of the process.
#[derive(Debug, Clone, Default)]
pub struct FontSet {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    folders: Vec<PathBuf>,
    found: OnceLock<Vec<FoundFont>>,
    read: Mutex<BTreeMap<usize, Option<FontData>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("folders", &self.folders).finish_non_exhaustive()
    }
}

/// A font in a file, not kept in memory.
#[derive(Debug)]
struct FoundFont {
    path: PathBuf,
    index: u32,
    /// Upright, of usual width and weight, without serifs as far as the name tells: less is better.
    plainness: u32,
    /// The characters it has, as inclusive ranges in order.
    ranges: Vec<(u32, u32)>,
    /// Characters by script.
    scripts: BTreeMap<&'static str, u32>,
}

impl FoundFont {
    fn has(&self, character: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= character);
        after > 0 && self.ranges[after - 1].1 >= character
    }
}

impl FontSet {
    /// The fonts in the program: Latin, Greek, Cyrillic, Arabic, Hebrew, Thai, Devanagari, Armenian, Georgian, and the
    /// characters of the national standards of China, Japan, Korea and Taiwan, with those of names.
    #[must_use]
    pub fn bundled() -> Self {
        Self::default()
    }

    /// The fonts in the program, and what they lack from font files in these folders and the folders in them. A
    /// folder that is not there counts as empty.
    #[must_use]
    pub fn with_folders(folders: Vec<PathBuf>) -> Self {
        Self { shared: Arc::new(Shared { folders, ..Shared::default() }) }
    }

    /// The folders where operating systems keep fonts for everybody.
    #[must_use]
    pub fn usual_folders() -> Vec<PathBuf> {
        ["/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts"]
            .into_iter()
            .map(PathBuf::from)
            .collect()
    }

    /// The best font of the folders for a character: of those that have it, the one that has most of its script.
    /// The number is the same whenever the folders are the same.
    pub(crate) fn search(&self, character: char) -> Option<(usize, FontData)> {
        if self.shared.folders.is_empty() {
            return None;
        }
        let found = self.shared.found.get_or_init(|| scan(&self.shared.folders));
        let script = character.script().short_name();
        let code = u32::from(character);
        let best = found
            .iter()
            .enumerate()
            .filter(|(_, font)| font.has(code))
            .min_by_key(|(place, font)| {
                (std::cmp::Reverse(font.scripts.get(script).copied().unwrap_or(0)), font.plainness, *place)
            })
            .map(|(place, _)| place)?;
        let mut read = self.shared.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let data = *read.entry(best).or_insert_with(|| {
            let bytes = std::fs::read(&found[best].path).ok()?;
            // Fonts are used until the process ends; the shaper borrows them.
            Some(FontData { bytes: Box::leak(bytes.into_boxed_slice()), index: found[best].index })
        });
        data.map(|data| (best, data))
    }
}

/// The usable fonts below the folders, in the order of the folders and of the paths in them.
fn scan(folders: &[PathBuf]) -> Vec<FoundFont> {
    let mut files = Vec::new();
    for folder in folders {
        list(folder, DEPTH_MAX, &mut files);
    }
    let mut found = Vec::new();
    for path in files {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for index in 0..ttf_parser::fonts_in_collection(&bytes).unwrap_or(1) {
            if let Ok(face) = ttf_parser::Face::parse(&bytes, index)
                && let Some(font) = describe(&path, index, &face)
            {
                found.push(font);
            }
        }
    }
    found
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if files.len() >= FILES_MAX {
            return;
        }
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            if depth > 0 {
                list(&path, depth - 1, files);
            }
            continue;
        }
        let extension =
            path.extension().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
        if ["ttf", "otf", "ttc", "otc"].contains(&extension.as_str()) && metadata.len() <= FILE_BYTES_MAX {
            files.push(path);
        }
    }
}

/// `None` for a font that a PDF of ours cannot hold: no outlines, variable CFF outlines, or a licence bit that
/// forbids embedding or subsets.
fn describe(path: &Path, index: u32, face: &ttf_parser::Face<'_>) -> Option<FoundFont> {
    let tables = face.tables();
    let outlines = tables.glyf.is_some() || tables.cff.is_some();
    let permitted = match face.permissions() {
        None | Some(Permissions::Installable | Permissions::Editable | Permissions::PreviewAndPrint) => true,
        Some(Permissions::Restricted) => false,
    };
    if !outlines || !permitted || !face.is_subsetting_allowed() || !face.is_outline_embedding_allowed() {
        return None;
    }
    let mut codes = Vec::new();
    for table in tables.cmap?.subtables {
        if table.is_unicode() {
            table.codepoints(|code| codes.push(code));
        }
    }
    codes.sort_unstable();
    codes.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut scripts = BTreeMap::new();
    for code in codes {
        let Some(character) = char::from_u32(code) else { continue };
        if face.glyph_index(character).is_none() {
            continue;
        }
        *scripts.entry(character.script().short_name()).or_default() += 1;
        match ranges.last_mut() {
            Some(range) if range.1 + 1 == code => range.1 = code,
            Some(_) | None => ranges.push((code, code)),
        }
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plainness = u32::from(face.weight().to_number().abs_diff(400))
        + 100 * u32::from(face.width().to_number().abs_diff(5))
        + 1000 * u32::from(face.is_italic() || face.is_oblique())
        + 500 * u32::from(!name.contains("Sans"))
        + 500 * u32::from(face.is_monospaced());
    Some(FoundFont { path: path.to_owned(), index, plainness, ranges, scripts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// The digest is that of the font before it was packed, by `sha256sum`.
    #[test]
    fn the_packed_font_is_the_one_that_was_packed() {
        let FontData { bytes, index } = unpacked();
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "4f10a2c5b16ce28858549a66e116d2d7b4de6fe2d023a6478dee7edd091d0d1c";
        assert_eq!((digest.as_str(), bytes.len(), index), (expected, PACKED_BYTES, 0));
    }
}
