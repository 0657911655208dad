//! Checks byte by byte that the archive contains its members and nothing else.
//!
//! Readers of zip archives tolerate faults, and each tolerates other ones: what one reader ignores, another unpacks. So
//! this reads the archive from its first byte to its last before a member is unpacked.
//!
//! Invariants:
//! - every byte belongs to a member's header, its content, what may follow the content, or the directory at the end;
//! - no two members share a byte, so the unpacked size is proportional to that of the archive;
//! - the time is proportional to the size of the archive, whatever is in it.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Members that a package may have.
const MEMBERS_MAX: u64 = 10_000;
/// Bytes of the directory at the end.
const DIRECTORY_BYTES_MAX: u64 = 16 << 20;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const END_SIZE: u64 = 22;
const END_64_SIZE: u64 = 56;
const LOCATOR_64_SIZE: u64 = 20;
const LOCAL_SIZE: u64 = 30;

/// Flag: sizes and checksum follow the content.
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// Flags that change nothing for a reader: level of compression, descriptor, names in UTF-8.
const FLAGS: u16 = 0b110 | HAS_DESCRIPTOR | 1 << 11;
/// Ways to compress: none and deflate.
const METHODS: [u16; 2] = [0, 8];
/// What a header's extra field may hold: 64-bit sizes, times (three kinds), owners (two kinds). None of it changes
/// a name or holds content.
const EXTRA: [u16; 6] = [0x0001, 0x000a, 0x5455, 0x5855, 0x7855, 0x7875];
/// Systems whose attributes have a file's kind and rights in the upper half.
const UNIX: [u8; 2] = [3, 19];

/// Why an archive is refused, in words.
type Checked<T> = Result<T, String>;

/// Checks an archive.
///
/// # Errors The first fault.
pub(super) fn check(archive: &mut (impl Read + Seek)) -> Checked<()> {
    let directory = find_directory(archive)?;
    let mut members = read_directory(archive, &directory)?;
    members.sort_by_key(|member| member.header);
    let mut at = 0;
    for member in &members {
        if member.header != at {
            return Err(member.fault("other bytes precede it, or it shares bytes with another member"));
        }
        at = member.walk(archive)?;
    }
    if at != directory.start {
        return Err("there are other bytes between the last member and the directory".to_owned());
    }
    Ok(())
}

/// Where the directory is, and how many members it says it has.
struct Directory {
    start: u64,
    bytes: u64,
    members: u64,
}

fn find_directory(archive: &mut (impl Read + Seek)) -> Checked<Directory> {
    let length = archive.seek(SeekFrom::End(0)).map_err(unread)?;
    let end = length.checked_sub(END_SIZE).ok_or("it is shorter than an archive's end")?;
    let mut fields = fields(archive, end, END_SIZE)?;
    if fields.four() != END {
        return Err(
            "it does not end with the archive's directory: a comment or other bytes follow".to_owned()
        );
    }
    let (disk, directory_disk, here) = (fields.two(), fields.two(), fields.two());
    let (members, bytes, start) = (fields.two(), fields.four(), fields.four());
    if fields.two() != 0 {
        return Err("the archive has a comment".to_owned());
    }
    if disk != 0 || directory_disk != 0 || here != members {
        return Err("the archive is one of several parts".to_owned());
    }
    let large = members == u16::MAX || bytes == u32::MAX || start == u32::MAX;
    let (directory, end) = if large {
        find_directory_64(archive, end)?
    } else {
        (Directory { start: start.into(), bytes: bytes.into(), members: members.into() }, end)
    };
    if directory.start.checked_add(directory.bytes) != Some(end) {
        return Err("there are other bytes before the archive or after its directory".to_owned());
    }
    if directory.bytes > DIRECTORY_BYTES_MAX || directory.members > MEMBERS_MAX {
        return Err(format!(
            "it has {} members: expected at most {MEMBERS_MAX}, in a directory of at most {DIRECTORY_BYTES_MAX} bytes",
            directory.members
        ));
    }
    Ok(directory)
}

/// The directory by the 64-bit records before the archive's end, and where they begin.
fn find_directory_64(archive: &mut (impl Read + Seek), end: u64) -> Checked<(Directory, u64)> {
    let malformed = || "the 64-bit end of the archive is malformed".to_owned();
    let locator = end.checked_sub(LOCATOR_64_SIZE).ok_or_else(malformed)?;
    let record = locator.checked_sub(END_64_SIZE).ok_or_else(malformed)?;
    let mut fields_of_locator = fields(archive, locator, LOCATOR_64_SIZE)?;
    let found = (fields_of_locator.four(), fields_of_locator.four());
    let (place, disks) = (fields_of_locator.eight(), fields_of_locator.four());
    if found != (LOCATOR_64, 0) || place != record || disks > 1 {
        return Err(malformed());
    }
    let mut fields = fields(archive, record, END_64_SIZE)?;
    if fields.four() != END_64 || fields.eight() != END_64_SIZE - 12 {
        return Err(malformed());
    }
    let (_versions, disks) = (fields.four(), fields.eight());
    let (here, members) = (fields.eight(), fields.eight());
    if disks != 0 || here != members {
        return Err(malformed());
    }
    Ok((Directory { bytes: fields.eight(), start: fields.eight(), members }, record))
}

/// A member as the directory has it.
struct DirectoryMember {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u64,
    unpacked: u64,
    header: u64,
}

fn read_directory(archive: &mut (impl Read + Seek), directory: &Directory) -> Checked<Vec<DirectoryMember>> {
    archive.seek(SeekFrom::Start(directory.start)).map_err(unread)?;
    let mut bytes = BufReader::new(archive.take(directory.bytes));
    let (mut members, mut names) = (Vec::new(), BTreeSet::new());
    for _ in 0..directory.members {
        let member = read_member(&mut bytes)?;
        // Names that differ in their case alone are one file for some systems.
        if !names.insert(String::from_utf8_lossy(&member.name).to_lowercase()) {
            return Err(member.fault("its name is there twice"));
        }
        members.push(member);
    }
    if bytes.read(&mut [0]).map_err(unread)? != 0 {
        return Err("there are other bytes after the directory's members".to_owned());
    }
    Ok(members)
}

fn read_member(bytes: &mut impl Read) -> Checked<DirectoryMember> {
    let mut fields = Fields::read(bytes, 46)?;
    if fields.four() != CENTRAL {
        return Err("the archive's directory is malformed".to_owned());
    }
    let (_version, system, _needed) = (fields.one(), fields.one(), fields.two());
    let (flags, method, _time) = (fields.two(), fields.two(), fields.four());
    let (checksum, packed, unpacked) = (fields.four(), fields.four(), fields.four());
    let (name, extra, comment) = (fields.two(), fields.two(), fields.two());
    let (disk, _inner, attributes, header) = (fields.two(), fields.two(), fields.four(), fields.four());
    let name = Fields::read(bytes, name.into())?.bytes;
    let extra = Fields::read(bytes, extra.into())?;
    let mut member = DirectoryMember {
        name,
        flags,
        method,
        checksum,
        packed: packed.into(),
        unpacked: unpacked.into(),
        header: header.into(),
    };
    if comment != 0 {
        return Err(member.fault("it has a comment"));
    }
    if disk != 0 || flags & !FLAGS != 0 || !METHODS.contains(&method) {
        return Err(
            member.fault("it is encrypted, in several parts, or packed in a way that packages are not")
        );
    }
    member.extra(extra)?;
    let folder = member.name.ends_with(b"/");
    if folder && (member.packed, member.unpacked, checksum) != (0, 0, 0) {
        return Err(member.fault("it is a folder with content"));
    }
    // S_IFMT, S_IFREG and S_IFDIR of POSIX; some programs leave the kind out.
    let kind = if UNIX.contains(&system) { attributes >> 16 & 0o170_000 } else { 0 };
    if kind != 0 && kind != if folder { 0o040_000 } else { 0o100_000 } {
        return Err(member.fault("it is neither a file nor a folder: a link or a device"));
    }
    Ok(member)
}

impl DirectoryMember {
    fn fault(&self, text: &str) -> String {
        format!("{}: {text}", self.name.escape_ascii())
    }

    /// Reads the sizes from the extra field of the directory.
    fn extra(&mut self, mut extra: Fields) -> Checked<()> {
        while let Some((kind, mut content)) = extra.record(&self.name)? {
            if kind == EXTRA[0] {
                for field in [&mut self.unpacked, &mut self.packed, &mut self.header] {
                    if *field == u64::from(u32::MAX) {
                        *field = content.eight();
                    }
                }
                if content.short {
                    return Err(self.fault("its 64-bit sizes are malformed"));
                }
            }
        }
        Ok(())
    }

    /// Skips the member in the archive. Returns where it ends.
    fn walk(&self, archive: &mut (impl Read + Seek)) -> Checked<u64> {
        let mut local = fields(archive, self.header, LOCAL_SIZE)?;
        if local.four() != LOCAL {
            return Err(self.fault("its header is not where the directory says"));
        }
        let (_needed, flags, method, _time) = (local.two(), local.two(), local.two(), local.four());
        let (checksum, _packed, _unpacked) = (local.four(), local.four(), local.four());
        let (name_bytes, extra_bytes) = (local.two(), local.two());
        let name = Fields::read(archive, name_bytes.into())?.bytes;
        let mut extra = Fields::read(archive, extra_bytes.into())?;
        while extra.record(&self.name)?.is_some() {}
        let descriptor = self.flags & HAS_DESCRIPTOR != 0;
        if name != self.name
            || (flags, method) != (self.flags, self.method)
            || !(checksum == self.checksum || descriptor && checksum == 0)
        {
            return Err(self.fault("its header and the directory differ"));
        }
        let content = self.header + LOCAL_SIZE + u64::from(name_bytes) + u64::from(extra_bytes);
        let end = content.checked_add(self.packed).ok_or_else(|| self.fault("its size is impossible"))?;
        if descriptor { self.descriptor(archive, end) } else { Ok(end) }
    }

    /// Skips the sizes that follow the content: 32 or 64 bits, with or without a signature.
    fn descriptor(&self, archive: &mut (impl Read + Seek), at: u64) -> Checked<u64> {
        archive.seek(SeekFrom::Start(at)).map_err(unread)?;
        let mut found = Vec::new();
        archive.take(24).read_to_end(&mut found).map_err(unread)?;
        for large in [true, false] {
            for signature in [&DESCRIPTOR.to_le_bytes()[..], &[]] {
                let mut expected = signature.to_vec();
                expected.extend(self.checksum.to_le_bytes());
                for size in [self.packed, self.unpacked] {
                    let width = if large { 8 } else { 4 };
                    expected.extend_from_slice(&size.to_le_bytes()[..width]);
                }
                if found.starts_with(&expected) {
                    return Ok(at + expected.len() as u64);
                }
            }
        }
        Err(self.fault("its content is not followed by its size and checksum"))
    }
}

/// Numbers one after another, lowest byte first. Missing bytes are read as 0 and set `short`.
struct Fields {
    bytes: Vec<u8>,
    at: usize,
    short: bool,
}

impl Fields {
    fn read(bytes: &mut impl Read, count: u64) -> Checked<Self> {
        let mut read = Vec::new();
        bytes.take(count).read_to_end(&mut read).map_err(unread)?;
        if read.len() as u64 != count {
            return Err("it ends in the middle of a header".to_owned());
        }
        Ok(Self { bytes: read, at: 0, short: false })
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        self.short |= taken.is_none();
        self.at += N;
        taken.copied().unwrap_or([0; N])
    }

    fn one(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    fn two(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn four(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn eight(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// The next record of an extra field; `None` at its end.
    fn record(&mut self, name: &[u8]) -> Checked<Option<(u16, Self)>> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let (kind, length) = (self.two(), usize::from(self.two()));
        let content = self.bytes.get(self.at..self.at.saturating_add(length));
        self.at = self.at.saturating_add(length);
        match content {
            Some(content) if EXTRA.contains(&kind) => {
                Ok(Some((kind, Self { bytes: content.to_vec(), at: 0, short: false })))
            }
            Some(_) | None => Err(format!(
                "{}: it has an extra field of kind {kind:#06x}, which packages do not have",
                name.escape_ascii()
            )),
        }
    }
}

fn fields(archive: &mut (impl Read + Seek), at: u64, count: u64) -> Checked<Fields> {
    archive.seek(SeekFrom::Start(at)).map_err(unread)?;
    Fields::read(archive, count)
}

fn unread(error: io::Error) -> String {
    format!("it cannot be read: {error}")
}
