//! Checks of a package, member by member.
//!
//! The time of a check is proportional to the size of the package, and its memory is bounded, whoever made the package.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek};

use ::zip::ZipArchive;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::layout;
use crate::evidence::audit;
use crate::evidence::bag::TimeStampDue;
use crate::evidence::cover::{self, Described};
use crate::evidence::finding::Finding;
use crate::evidence::manifest::{self, Digests};
use crate::evidence::measure::{Measured, measure};
use crate::evidence::time_stamp::{RESPONSE_BYTES_MAX, TimeStampResponse};
use crate::evidence::{
    AUDIT_EVENTS, COVER, DATA, DECLARATION, DECLARATION_NAME, INFO, MANIFEST, PUBLIC_KEY, PublicKey,
    SIGNATURE, TAG_MANIFEST, TIME_STAMP,
};
use crate::path::check_name;

/// Longest text that is held in memory, such as a cover or a manifest. Audit events have a limit of their own.
const TEXT_BYTES_MAX: u64 = 16 << 20;
/// Longest text of audit events.
const EVENTS_BYTES_MAX: u64 = 256 << 20;
/// Most faults that are listed. One more says that there are others.
const FAULTS_MAX: usize = 1_000;

/// Checks a package, as far as it is one.
pub(super) fn check(mut bag: impl Read + Seek, key: &PublicKey, findings: &mut Vec<Finding>) {
    // An archive with another layout than a package is not unpacked.
    if let Err(fault) = layout::check(&mut bag) {
        findings.push(Finding::fails(format!(
            "the package is not a zip archive of members and nothing else: {fault}"
        )));
        return;
    }
    match ZipArchive::new(bag) {
        Err(error) => findings.push(Finding::fails(format!("the package is not a zip archive: {error}"))),
        Ok(mut archive) => {
            check_archive(&mut archive, findings);
            if let Some(members) = members(&archive, findings) {
                Bag { archive, members, findings, said: HashSet::new(), faults: 0 }.check(key);
            }
        }
    }
}

fn check_archive<R: Read + Seek>(archive: &mut ZipArchive<R>, findings: &mut Vec<Finding>) {
    match archive.validate_header_consistency() {
        Ok(()) => {
            findings.push(Finding::holds("the archive is whole, and its directory names every member once"));
        }
        Err(error) => findings
            .push(Finding::fails(format!("the archive's directory is not that of its members: {error}"))),
    }
}

/// Places of the members by their paths in the one folder; `None` where there is not just one folder.
fn members<R: Read + Seek>(
    archive: &ZipArchive<R>,
    findings: &mut Vec<Finding>,
) -> Option<BTreeMap<String, usize>> {
    let (mut members, mut folder, before) = (BTreeMap::new(), None, findings.len());
    for (index, name) in archive.file_names_raw().enumerate() {
        let Ok(name) = std::str::from_utf8(name) else {
            findings.push(Finding::fails(format!("a member's name is not UTF-8: {:?}", name.escape_ascii())));
            continue;
        };
        // Programs that pack a package again may list folders too.
        let is_folder = name.ends_with('/');
        if let Err(reason) = check_name(name.strip_suffix('/').unwrap_or(name)) {
            findings.push(Finding::fails(format!("a member's path {name:?} is refused: {reason}")));
            continue;
        }
        let (first, rest) = name.split_once('/').unwrap_or(("", name));
        if *folder.get_or_insert(first) != first {
            findings.push(Finding::fails(format!("{name}: it is outside the package's one folder")));
        } else if !is_folder {
            members.insert(rest.to_owned(), index);
        }
    }
    if findings.len() == before {
        findings.push(Finding::holds("every path leads into the package's one folder"));
    }
    (!members.is_empty()).then_some(members)
}

struct Bag<'a, R> {
    archive: ZipArchive<R>,
    members: BTreeMap<String, usize>,
    findings: &'a mut Vec<Finding>,
    /// The faults among them.
    said: HashSet<String>,
    /// How many faults there were, listed or not.
    faults: usize,
}

impl<R: Read + Seek> Bag<'_, R> {
    fn check(mut self, key: &PublicKey) {
        self.check_declaration();
        let cover = self.check_cover();
        let measured = self.measure_all(cover.as_ref().map_or(&[], |(_, files)| files));
        let payload = self.check_manifest(MANIFEST, &measured, |path| path.starts_with(DATA));
        let untold = [TAG_MANIFEST, SIGNATURE, TIME_STAMP];
        self.check_manifest(TAG_MANIFEST, &measured, |path| {
            !path.starts_with(DATA) && !untold.contains(&path)
        });
        if payload {
            self.check_size(&measured);
        }
        self.check_signature(key);
        self.check_time_stamp();
        if let Some((cover, files)) = &cover {
            for file in files {
                match measured.get(&format!("{DATA}{}", file.name)) {
                    Some(measured) => cover::compare(file, measured, self.findings),
                    None => self.fails(format!("{}: the cover names it, but it is not there", file.name)),
                }
            }
            cover::reconcile(cover, self.findings);
        }
        let task = cover.as_ref().and_then(|(cover, _)| cover.get("taskId")?.as_str());
        self.check_audit_events(task);
    }

    /// Lists the fault, but only once.
    fn fails(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.faults += 1;
        match self.said.len() {
            FAULTS_MAX => {}
            _ if !self.said.insert(text.clone()) => {}
            faults if faults + 1 == FAULTS_MAX => {
                self.findings.push(Finding::fails("there are more faults than are listed"));
            }
            _ => self.findings.push(Finding::fails(text)),
        }
    }

    fn holds(&mut self, text: impl Into<String>) {
        self.findings.push(Finding::holds(text));
    }

    /// A member's content. `None`, with a finding, if it is missing, too long, or cannot be unpacked.
    fn read(&mut self, path: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let Some(index) = self.members.get(path) else {
            self.fails(format!("{path}: it is not there"));
            return None;
        };
        let mut content = Vec::new();
        let read = self.archive.by_index(*index).map_err(std::io::Error::from);
        match read.and_then(|member| member.take(bytes_max + 1).read_to_end(&mut content)) {
            Err(error) => self.fails(format!("{path}: it cannot be unpacked: {error}")),
            Ok(_) if content.len() as u64 > bytes_max => {
                self.fails(format!("{path}: it is longer than {bytes_max} bytes"));
            }
            Ok(_) => return Some(content),
        }
        None
    }

    fn read_text(&mut self, path: &str, bytes_max: u64) -> Option<String> {
        let text = String::from_utf8(self.read(path, bytes_max)?);
        if text.is_err() {
            self.fails(format!("{path}: it is not UTF-8"));
        }
        text.ok()
    }

    fn check_declaration(&mut self) {
        match self.read_text(DECLARATION_NAME, TEXT_BYTES_MAX).map(|text| text.replace("\r\n", "\n")) {
            Some(text) if text == DECLARATION => self.holds("it is a bag of RFC 8493"),
            Some(_) => self.fails(format!("{DECLARATION_NAME}: it does not declare version 1.0 and UTF-8")),
            None => {}
        }
    }

    fn check_cover(&mut self) -> Option<(Value, Vec<Described>)> {
        let path = format!("{DATA}{COVER}");
        let content = self.read(&path, TEXT_BYTES_MAX)?;
        let cover = match serde_json::from_slice::<Value>(&content) {
            Ok(cover) => cover,
            Err(error) => {
                self.fails(format!("{path}: it is not JSON: {error}"));
                return None;
            }
        };
        match cover::files(&cover) {
            Ok(files) => Some((cover, files)),
            Err(fault) => {
                self.fails(format!("{path}: {fault}"));
                None
            }
        }
    }

    /// Every member that can be unpacked.
    fn measure_all(&mut self, files: &[Described]) -> BTreeMap<String, Measured> {
        let mut all = BTreeMap::new();
        let described: HashMap<_, _> = files.iter().map(|file| (file.name.as_str(), file)).collect();
        for (path, index) in self.members.clone() {
            let described = path.strip_prefix(DATA).and_then(|name| described.get(name).copied());
            let member = self.archive.by_index(index).map_err(std::io::Error::from);
            let measured =
                member.and_then(|member| measure(member, described.map_or("", Described::measured_as)));
            match measured {
                Ok(measured) => drop(all.insert(path, measured)),
                Err(error) => self.fails(format!("{path}: it cannot be unpacked: {error}")),
            }
        }
        all
    }

    /// Whether a manifest and what it must cover are the same.
    fn check_manifest(
        &mut self,
        name: &str,
        measured: &BTreeMap<String, Measured>,
        covers: impl Fn(&str) -> bool,
    ) -> bool {
        let before = self.faults;
        let Some(text) = self.read_text(name, TEXT_BYTES_MAX) else { return false };
        let (digests, faults): (Digests, _) = manifest::from_text(&text);
        for fault in faults {
            self.fails(format!("{name}: {fault}"));
        }
        for (path, digest) in &digests {
            match measured.get(path) {
                _ if !covers(path) => self.fails(format!("{name}: it names {path}, which it must not")),
                Some(file) if &file.sha256 != digest => {
                    self.fails(format!(
                        "{path}: it is not the file that was packed: {name} has another SHA-256"
                    ));
                }
                Some(_) => {}
                None if self.members.contains_key(path) => {}
                None => self.fails(format!("{path}: {name} names it, but it is not there")),
            }
        }
        let unnamed = self.members.keys().filter(|path| covers(path) && !digests.contains_key(*path));
        for path in unnamed.cloned().collect::<Vec<_>>() {
            self.fails(format!("{path}: it is there, but {name} does not name it"));
        }
        let whole = self.faults == before;
        if whole {
            self.holds(format!("all {} files of {name} are there and as they were packed", digests.len()));
        }
        whole
    }

    fn check_size(&mut self, measured: &BTreeMap<String, Measured>) {
        let Some(text) = self.read_text(INFO, TEXT_BYTES_MAX) else { return };
        let payload = measured.iter().filter(|(path, _)| path.starts_with(DATA));
        let (bytes, files) =
            payload.fold((0, 0), |(bytes, files), (_, file)| (bytes + file.bytes, files + 1));
        let told = text.lines().find_map(|line| line.strip_prefix("Payload-Oxum:"));
        if told.map(str::trim) == Some(&format!("{bytes}.{files}")) {
            self.holds(format!("data/ has the {bytes} bytes in {files} files that {INFO} says"));
        } else {
            let told = told.map_or_else(|| "nothing".to_owned(), |told| format!("{:?}", told.trim()));
            self.fails(format!(
                "{INFO}: it says {told} (Payload-Oxum), but data/ has {bytes} bytes in {files} files"
            ));
        }
    }

    fn check_signature(&mut self, key: &PublicKey) {
        let own = self.read_text(PUBLIC_KEY, TEXT_BYTES_MAX).map(|text| PublicKey::from_pem(&text));
        let Some(signature) = self.read(SIGNATURE, 1 << 10) else { return };
        let Some(signed) = self.read(TAG_MANIFEST, TEXT_BYTES_MAX) else { return };
        let Ok(signature) = <[u8; 64]>::try_from(signature) else {
            self.fails(format!("{SIGNATURE}: it is not 64 bytes long"));
            return;
        };
        let (fingerprint, own) = (key.fingerprint(), own.and_then(Result::ok));
        let other = own.filter(|own| own != key);
        if key.verifies(&signed, &signature) {
            self.holds(format!("{SIGNATURE}: it is signed with the key {fingerprint}"));
        } else if let Some(own) = other.filter(|own| own.verifies(&signed, &signature)) {
            let own = own.fingerprint();
            self.fails(format!(
                "{SIGNATURE}: it is signed with the key {own}, not with the key {fingerprint}"
            ));
            return;
        } else {
            self.fails(format!(
                "{SIGNATURE}: it is not the signature of {TAG_MANIFEST} with the key {fingerprint}"
            ));
        }
        if own != Some(*key) {
            self.fails(format!("{PUBLIC_KEY}: it is not the key {fingerprint}"));
        }
    }

    fn check_time_stamp(&mut self) {
        if !self.members.contains_key(TIME_STAMP) {
            self.check_absent_time_stamp();
            return;
        }
        let (Some(response), Some(stamped)) =
            (self.read(TIME_STAMP, RESPONSE_BYTES_MAX), self.read(TAG_MANIFEST, TEXT_BYTES_MAX))
        else {
            return;
        };
        let read = TimeStampResponse::read(&response)
            .and_then(|response| response.check(&Sha256::digest(stamped).into(), None).map(|()| response));
        match read {
            // Anybody can sign a time. Its value depends on the signer.
            Ok(response) => self.findings.push(Finding::unchecked(format!(
                "{TIME_STAMP}: it says that {TAG_MANIFEST} was there at {}; whether an authority signed that is for \
                 openssl ts -verify, with the authority's certificate",
                response.time
            ))),
            Err(error) => self.fails(format!("{TIME_STAMP}: {error}")),
        }
    }

    /// Whether a time stamp was due. Packages of earlier versions do not say.
    fn check_absent_time_stamp(&mut self) {
        let info = self.read_text(INFO, TEXT_BYTES_MAX).unwrap_or_default();
        let told = info.lines().find_map(|line| line.strip_prefix(TimeStampDue::LABEL)).map(str::trim);
        let without = |text: &str| Finding::unchecked(format!("there is no time stamp{text}"));
        let finding = match told.map(TimeStampDue::read) {
            Some(Some(TimeStampDue::Required)) => {
                return self
                    .fails(format!("{TIME_STAMP}: it is not there, but {INFO} says that it is required"));
            }
            Some(None) => return self.fails(format!("{INFO}: it does not say whether a time stamp was due")),
            Some(Some(TimeStampDue::Asked)) => {
                without(": the service asks an authority and packs without its answer where none comes")
            }
            Some(Some(TimeStampDue::None)) => without(": the service names no authority"),
            None => without(""),
        };
        self.findings.push(finding);
    }

    fn check_audit_events(&mut self, task: Option<&str>) {
        let path = format!("{DATA}{AUDIT_EVENTS}");
        if !self.members.contains_key(&path) {
            self.findings.push(Finding::unchecked("there are no audit events"));
            return;
        }
        let Some(text) = self.read_text(&path, EVENTS_BYTES_MAX) else { return };
        let finding = match audit::check(&text, task) {
            Ok(0) => Finding::holds(format!("{path}: there was no event yet")),
            Ok(events) => Finding::holds(format!("{path}: the chain of {events} events holds")),
            Err(fault) => Finding::fails(format!("{path}: the chain is broken: {fault}")),
        };
        self.findings.push(finding);
    }
}
