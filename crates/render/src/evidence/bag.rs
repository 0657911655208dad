//! Writes a package as a stream.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::manifest::{Digests, to_text};
use super::{
    COVER, DATA, DECLARATION, DECLARATION_NAME, INFO, INSTRUCTIONS, MANIFEST, PUBLIC_KEY, SIGNATURE,
    SigningKey, TAG_MANIFEST, TIME_STAMP, instructions,
};
use crate::file::{RenderError, Written};
use crate::path::check_name;
use crate::zip::ZipFiles;

/// What `bag-info.txt` says, in the words of RFC 8493, section 2.2.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagInfo {
    /// `Source-Organization`: the tenant.
    pub organisation: String,
    /// `External-Identifier`: the task's id.
    pub task: String,
    /// `External-Description`: the report's name.
    pub description: String,
    /// `Bagging-Date`: the day, as `YYYY-MM-DD`.
    pub bagging_date: String,
    /// `Bag-Software-Agent`: the product and its version.
    pub software: String,
    /// `Time-Stamp`: whether one was due, in a line of our own.
    pub time_stamp: TimeStampDue,
}

/// Whether a package was to have a time stamp. The package says so, because a package whose stamp was removed must not
/// look like one that never had a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeStampDue {
    /// The service names no authority.
    None,
    /// An authority is asked; without its answer the package is made all the same.
    Asked,
    /// Without a time stamp no package is made.
    Required,
}

impl TimeStampDue {
    pub(super) const LABEL: &str = "Time-Stamp:";

    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asked => "asked for",
            Self::Required => "required",
        }
    }

    /// What a package says; `None` for words that none says.
    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::None, Self::Asked, Self::Required].into_iter().find(|due| due.as_str() == text)
    }
}

/// Writes a package to a sink: first the files, then [`EvidenceWriter::seal`], then [`SealedEvidence::finish`].
pub struct EvidenceWriter<W: Write> {
    zip: ZipFiles<W>,
    folder: String,
    payload: Digests,
    tags: Digests,
    bytes: u64,
}

/// A package whose files and signature are written; what is left is a time stamp, if there is to be one.
pub struct SealedEvidence<W: Write> {
    zip: ZipFiles<W>,
    folder: String,
    tag_manifest_sha256: [u8; 32],
}

impl<W: Write> EvidenceWriter<W> {
    /// Begins a package whose one folder has this name.
    ///
    /// # Errors
    /// [`RenderError::MemberName`] for a name that is not one plain part of a path; [`RenderError::Sink`].
    pub fn new(sink: W, folder: &str) -> Result<Self, RenderError> {
        if let Some(reason) = check_name(folder).err().or(folder.contains('/').then_some("it has a slash")) {
            return Err(RenderError::MemberName { name: folder.to_owned(), reason: reason.to_owned() });
        }
        let (folder, zip) = (format!("{folder}/"), ZipFiles::new(sink));
        let mut writer = Self { zip, folder, payload: Digests::new(), tags: Digests::new(), bytes: 0 };
        writer.tag(DECLARATION_NAME, DECLARATION.as_bytes())?;
        Ok(writer)
    }

    /// Copies a file into `data/`.
    ///
    /// `sha256` is what the file must have, in lower-case hex, where that is known: a published file is packed only
    /// as it was published.
    ///
    /// # Errors
    /// [`RenderError::MemberName`], [`RenderError::OtherContent`] where the digest differs, [`RenderError::Sink`]
    /// also where the content cannot be read; there is no package then.
    pub fn add_file(
        &mut self,
        name: &str,
        content: &mut dyn Read,
        sha256: Option<&str>,
    ) -> Result<Written, RenderError> {
        if name.contains('%') {
            let reason = "it has a percent sign, which manifests escape".to_owned();
            return Err(RenderError::MemberName { name: name.to_owned(), reason });
        }
        let path = format!("{DATA}{name}");
        let written = copy(&mut self.zip, &format!("{}{path}", self.folder), content)?;
        if let Some(expected) = sha256
            && expected != written.sha256
        {
            let (name, expected, found) = (name.to_owned(), expected.to_owned(), written.sha256);
            return Err(RenderError::OtherContent { name, expected, found });
        }
        self.payload.insert(path, written.sha256.clone());
        self.bytes += written.bytes;
        Ok(written)
    }

    /// Writes the instructions, the manifests and the signature.
    ///
    /// # Errors
    /// [`RenderError::MemberName`] when no [`COVER`] was added; [`RenderError::Unsigned`]; [`RenderError::Sink`].
    pub fn seal(mut self, info: &BagInfo, key: &SigningKey) -> Result<SealedEvidence<W>, RenderError> {
        if !self.payload.contains_key(&format!("{DATA}{COVER}")) {
            let reason = "the package would have none".to_owned();
            return Err(RenderError::MemberName { name: COVER.to_owned(), reason });
        }
        self.add_file(INSTRUCTIONS, &mut instructions().as_bytes(), None)?;
        let info = info_text(info, self.bytes, self.payload.len());
        self.tag(INFO, info.as_bytes())?;
        self.tag(MANIFEST, to_text(&self.payload).as_bytes())?;
        self.tag(PUBLIC_KEY, key.public().to_pem().as_bytes())?;
        let tag_manifest = to_text(&self.tags);
        self.tag(TAG_MANIFEST, tag_manifest.as_bytes())?;
        self.tag(SIGNATURE, &key.sign(tag_manifest.as_bytes())?)?;
        let tag_manifest_sha256 = Sha256::digest(tag_manifest).into();
        Ok(SealedEvidence { zip: self.zip, folder: self.folder, tag_manifest_sha256 })
    }

    fn tag(&mut self, path: &str, mut content: &[u8]) -> Result<(), RenderError> {
        let written = copy(&mut self.zip, &format!("{}{path}", self.folder), &mut content)?;
        self.tags.insert(path.to_owned(), written.sha256);
        Ok(())
    }
}

impl<W: Write> SealedEvidence<W> {
    /// What a time-stamping authority is to stamp: the SHA-256 of the tag manifest.
    #[must_use]
    pub fn tag_manifest_sha256(&self) -> [u8; 32] {
        self.tag_manifest_sha256
    }

    /// Adds the response of a time-stamping authority, in DER and already checked, and ends the package.
    ///
    /// # Errors
    /// [`RenderError::Sink`]; there is no package then.
    pub fn finish(mut self, time_stamp: Option<&[u8]>) -> Result<Written, RenderError> {
        if let Some(mut response) = time_stamp {
            copy(&mut self.zip, &format!("{}{TIME_STAMP}", self.folder), &mut response)?;
        }
        self.zip.finish()
    }
}

fn copy<W: Write>(zip: &mut ZipFiles<W>, path: &str, content: &mut dyn Read) -> Result<Written, RenderError> {
    let mut member = zip.start_member(path)?;
    std::io::copy(content, &mut member)?;
    member.finish(&Written::default())
}

fn info_text(info: &BagInfo, bytes: u64, files: usize) -> String {
    let one_line = |text: &str| text.split(char::is_control).collect::<Vec<_>>().join(" ");
    format!(
        "Source-Organization: {}\nExternal-Identifier: {}\nExternal-Description: {}\nBagging-Date: {}\n\
         Payload-Oxum: {bytes}.{files}\nBag-Software-Agent: {}\n{} {}\n",
        one_line(&info.organisation),
        one_line(&info.task),
        one_line(&info.description),
        one_line(&info.bagging_date),
        one_line(&info.software),
        TimeStampDue::LABEL,
        info.time_stamp.as_str(),
    )
}
