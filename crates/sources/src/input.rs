//! A file's bytes: read in pieces, hashed as they are, and decoded to UTF-8 without losing an invalid one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use sha2::{Digest, Sha256};

use crate::files::open_file;
use crate::reader::{ReadError, hex};

/// Bytes of the buffer for input.
const RAW_BYTES: usize = 128 << 10;
/// Bytes of the buffer for decoded text.
const TEXT_BYTES: usize = 256 << 10;
/// The longest byte order mark.
const BOM_BYTES: usize = 3;

/// What [`Input::advance`] met.
pub(crate) enum Step {
    /// There is more text.
    Text,
    /// Bytes that the encoding does not have stood here; they gave no text.
    Malformed,
    /// The file has ended.
    End,
}

/// A file being read.
pub(crate) struct Input {
    path: String,
    file: File,
    length: u64,
    modified: Option<SystemTime>,
    hash: Sha256,
    bytes: u64,
    raw: Vec<u8>,
    raw_range: (usize, usize),
    raw_ended: bool,
    decoder: Decoder,
    text: Vec<u8>,
    text_range: (usize, usize),
    malformed: bool,
    ended: bool,
    watch: Utf8Watch,
}

/// Whether bytes are UTF-8 with letters beyond ASCII, which hardly happens by chance.
struct Utf8Watch {
    /// The beginning of a letter whose end has not come.
    begun: Vec<u8>,
    is_utf8: bool,
    beyond_ascii: bool,
}

impl Utf8Watch {
    fn see(&mut self, bytes: &[u8]) {
        if !self.is_utf8 {
            return;
        }
        self.begun.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(fault) if fault.error_len().is_none() => fault.valid_up_to(),
            Err(_) => {
                (self.is_utf8, self.begun) = (false, Vec::new());
                return;
            }
        };
        self.beyond_ascii |= !self.begun[..whole].is_ascii();
        self.begun.drain(..whole);
    }
}

impl Input {
    /// Opens `path`; `declared` is its encoding unless it begins with a byte order mark.
    pub(crate) fn open(path: &Path, declared: &'static Encoding) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let failed = |action| {
            let path = name.clone();
            move |source| ReadError::Io { action, path, source }
        };
        let file = open_file(path)?;
        let (length, modified) = length_and_time(&file).map_err(failed("examine"))?;
        let mut input = Self {
            path: name.clone(),
            file,
            length,
            modified,
            hash: Sha256::new(),
            bytes: 0,
            raw: vec![0; RAW_BYTES],
            raw_range: (0, 0),
            raw_ended: false,
            decoder: declared.new_decoder_without_bom_handling(),
            text: vec![0; TEXT_BYTES],
            text_range: (0, 0),
            malformed: false,
            ended: false,
            watch: Utf8Watch { begun: Vec::new(), is_utf8: declared != UTF_8, beyond_ascii: false },
        };
        while input.raw_range.1 < 2 * BOM_BYTES && !input.raw_ended {
            input.fill()?;
        }
        // A program that adds a mark to a file that has one leaves two.
        let mut marks = 0;
        while let Some((encoding, length)) = Encoding::for_bom(input.raw()).filter(|_| marks < 2) {
            input.decoder = encoding.new_decoder_without_bom_handling();
            input.raw_range.0 += length;
            marks += 1;
            input.watch.is_utf8 = false;
        }
        Ok(input)
    }

    /// Name of the encoding in use.
    pub(crate) fn encoding(&self) -> &'static str {
        self.decoder.encoding().name()
    }

    /// Whether what was read so far is UTF-8 with letters beyond ASCII, and is decoded as another encoding.
    pub(crate) fn is_disguised_utf8(&self) -> bool {
        self.watch.is_utf8 && self.watch.beyond_ascii
    }

    /// Decoded text that was not consumed yet; always whole characters.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text[self.text_range.0..self.text_range.1]
    }

    pub(crate) fn consume(&mut self, length: usize) {
        self.text_range.0 += length;
    }

    /// Goes on once [`Input::text`] is used up.
    pub(crate) fn advance(&mut self) -> Result<Step, ReadError> {
        loop {
            if std::mem::take(&mut self.malformed) {
                return Ok(Step::Malformed);
            }
            if self.ended {
                return Ok(Step::End);
            }
            if self.raw().is_empty() && !self.raw_ended {
                self.raw_range = (0, 0);
                self.fill()?;
            }
            let raw = &self.raw[self.raw_range.0..self.raw_range.1];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, self.raw_ended);
            self.raw_range.0 += read;
            self.text_range = (0, written);
            match result {
                DecoderResult::InputEmpty => self.ended = self.raw_ended,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.malformed = true,
            }
            if written > 0 {
                return Ok(Step::Text);
            }
        }
    }

    /// Whether the file is as it was when it was opened, and every byte of it was read.
    pub(crate) fn unchanged(&self) -> Result<bool, ReadError> {
        let (length, modified) = length_and_time(&self.file).map_err(|source| ReadError::Io {
            action: "examine",
            path: self.path.clone(),
            source,
        })?;
        Ok(length == self.length && modified == self.modified && self.bytes == length)
    }

    /// Bytes read and their SHA-256 in hex.
    pub(crate) fn digest(self) -> (u64, String) {
        (self.bytes, hex(self.hash.finalize()))
    }

    fn raw(&self) -> &[u8] {
        &self.raw[self.raw_range.0..self.raw_range.1]
    }

    /// Reads once behind what is there.
    fn fill(&mut self) -> Result<(), ReadError> {
        let free = &mut self.raw[self.raw_range.1..];
        let read = loop {
            match self.file.read(free) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ReadError::Io { action: "read", path: self.path.clone(), source });
                }
            }
        };
        self.hash.update(&free[..read]);
        self.bytes += read as u64;
        self.watch.see(&free[..read]);
        self.raw_range.1 += read;
        self.raw_ended = read == 0;
        Ok(())
    }
}

/// Some file systems know no time of modification; then the length alone must do.
fn length_and_time(file: &File) -> io::Result<(u64, Option<SystemTime>)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}
