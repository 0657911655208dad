//! The archive: other programs unpack it, and nothing takes half of one for a whole.

use std::fs::File;
use std::io::{BufWriter, Read, Write};

use muster_render::{CsvWriter, FileWriter, RenderError, Written, ZipFiles};

use crate::{batch, formats, texts, tools};

/// An archive with a CSV member, an empty one, and a text.
fn sample(sink: impl Write) -> (Written, Written) {
    let rows =
        batch(vec![("name", texts(&[Some("Zoë"), None])), ("note", texts(&[Some("a,b"), Some("=1")]))]);
    let mut zip = ZipFiles::new(sink);
    let mut member = zip.start_member("identities.csv").unwrap();
    let mut csv: Box<dyn FileWriter + '_> = Box::new(CsvWriter::new(&mut member, formats(&rows)));
    csv.write(&rows).unwrap();
    let content = csv.finish().unwrap();
    let identities = member.finish(&content).unwrap();
    assert_eq!(identities, content);
    let member = zip.start_member("empty").unwrap();
    assert_eq!(member.finish(&Written::default()).unwrap().bytes, 0);
    let mut member = zip.start_member("daten/ä.txt").unwrap();
    member.write_all(b"text\n").unwrap();
    member.finish(&Written { warnings: vec!["short".to_owned()], ..Written::default() }).unwrap();
    (identities, zip.finish().unwrap())
}

#[test]
fn other_programs_unpack_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("a.zip")).unwrap();
    let (identities, archive) = sample(&file);
    assert_eq!(archive.rows, 2);
    assert_eq!(archive.warnings, ["daten/ä.txt: short"]);
    assert_eq!(archive.bytes, file.metadata().unwrap().len());
    if let Some(output) = tools::run(folder.path(), "sha256sum", ["a.zip"]) {
        assert_eq!(tools::text(&output), format!("{}  a.zip\n", archive.sha256));
    }
    if let Some(output) = tools::run(folder.path(), "unzip", ["-t", "a.zip"]) {
        assert!(tools::text(&output).contains("No errors detected"));
    }
    if let Some(output) = tools::run(folder.path(), "unzip", ["-p", "a.zip", "identities.csv"]) {
        let expected = "name,note\r\nZoë,\"a,b\"\r\n,'=1\r\n";
        assert_eq!(tools::text(&output), expected);
        assert_eq!(identities.bytes, expected.len() as u64);
    }
    let program = "import zipfile\n\
                   with zipfile.ZipFile('a.zip') as z:\n  \
                     assert z.testzip() is None\n  \
                     for i in z.infolist(): print(i.filename, i.date_time, oct(i.external_attr >> 16), i.file_size)";
    if let Some(read) = tools::python(folder.path(), "zipfile", program, &[]) {
        let expected = "identities.csv (1980, 1, 1, 0, 0, 0) 0o100644 29\n\
                        empty (1980, 1, 1, 0, 0, 0) 0o100644 0\n\
                        daten/ä.txt (1980, 1, 1, 0, 0, 0) 0o100644 5\n";
        assert_eq!(read, expected);
    }
}

#[test]
fn the_same_members_are_the_same_bytes() {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    assert_eq!(sample(&mut one), sample(&mut two));
    assert_eq!(one, two);
}

/// What has no directory at its end is not an archive to any reader.
#[test]
fn an_archive_given_up_has_no_end() {
    let end = |bytes: &[u8]| bytes.windows(4).any(|four| four == b"PK\x05\x06");
    let mut whole = Vec::new();
    sample(&mut whole);
    assert!(end(&whole));

    let mut dropped = Vec::new();
    let mut zip = ZipFiles::new(&mut dropped);
    let mut member = zip.start_member("a").unwrap();
    member.write_all(b"text").unwrap();
    member.finish(&Written::default()).unwrap();
    drop(zip);
    assert!(!end(&dropped));

    let mut dropped = Vec::new();
    let mut zip = ZipFiles::new(&mut dropped);
    drop(zip.start_member("a").unwrap());
    assert!(matches!(zip.start_member("b"), Err(RenderError::Broken)));
    assert!(matches!(zip.finish(), Err(RenderError::Broken)));
    assert!(!end(&dropped));
}

#[test]
fn names_are_checked() {
    let mut zip = ZipFiles::new(Vec::new());
    zip.start_member("a").unwrap().finish(&Written::default()).unwrap();
    let error = |name: &str, zip: &mut ZipFiles<Vec<u8>>| zip.start_member(name).err().unwrap().to_string();
    assert_eq!(error("a", &mut zip), "an archive cannot have a member named \"a\": it is there already");
    assert_eq!(
        error("../a", &mut zip),
        "an archive cannot have a member named \"../a\": it has a part that leads elsewhere"
    );
    zip.start_member("b").unwrap().finish(&Written::default()).unwrap();
    zip.finish().unwrap();
}

/// Past 4 GiB on both sides: what cannot be compressed, then what can.
#[test]
#[ignore = "writes more than 4 GiB and takes minutes"]
fn members_past_four_gibibytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = ZipFiles::new(BufWriter::new(File::create(folder.path().join("a.zip")).unwrap()));
    // A generator of Marsaglia's (xorshift64): nothing that deflate finds a pattern in.
    let mut state = 88_172_645_463_325_252_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    // The same again is far out of deflate's sight, which is 32 KiB.
    let block: Vec<u8> = noise.take(1 << 17).flatten().collect();
    let mut member = zip.start_member("noise").unwrap();
    for _ in 0..4_200 {
        member.write_all(&block).unwrap();
    }
    assert_eq!(member.finish(&Written::default()).unwrap().bytes, 4_200 << 20);
    let mut member = zip.start_member("zeros").unwrap();
    std::io::copy(&mut std::io::repeat(0).take(4_200 << 20), &mut member).unwrap();
    assert_eq!(member.finish(&Written::default()).unwrap().bytes, 4_200 << 20);
    let archive = zip.finish().unwrap();
    assert!(archive.bytes > 4_200 << 20);
    if let Some(output) = tools::run(folder.path(), "unzip", ["-t", "a.zip"]) {
        assert!(tools::text(&output).contains("No errors detected"));
    }
    let program = "import zipfile\n\
                   with zipfile.ZipFile('a.zip') as z:\n  \
                     assert z.testzip() is None\n  \
                     print([i.file_size >> 20 for i in z.infolist()])";
    if let Some(read) = tools::python(folder.path(), "zipfile", program, &[]) {
        assert_eq!(read, "[4200, 4200]\n");
    }
}
