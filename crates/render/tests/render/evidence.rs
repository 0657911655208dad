//! Evidence packages: other programs accept them, and whatever is changed in one is found and named.

mod layout;

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::LazyLock;

use muster_render::evidence::{
    self, BagInfo, EvidenceWriter, PublicKey, SigningKey, TimeStampDue, TimeStampError, TimeStampResponse,
    Verification, audit_line, time_stamp_request, verify_bag, verify_file,
};
use muster_render::{RenderError, Written, ZipFiles, cover};
use muster_reports::audit::AuditRecord;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tools;

const CSV: &[u8] = b"id,name\r\n1,a\r\n2,\"b\r\nc\"\r\n";
const NDJSON: &[u8] = b"{\"id\":1}\n{\"id\":2}\n";
const OTHER: &[u8] = b"PK-like bytes";

fn key() -> SigningKey {
    SigningKey::from_secret(&[42; 32])
}

fn info() -> BagInfo {
    BagInfo {
        organisation: "acme".to_owned(),
        task: "task-1".to_owned(),
        description: "Identities Report\nof the day".to_owned(),
        bagging_date: "2026-01-31".to_owned(),
        software: "muster 0.1.0".to_owned(),
        time_stamp: TimeStampDue::Asked,
    }
}

/// Two events of one task, with those of others between them.
fn events() -> Vec<AuditRecord> {
    let event = |sequence, previous: &str, details: &str| {
        let mut event = AuditRecord {
            sequence,
            previous: previous.to_owned(),
            hash: String::new(),
            id: format!("event-{sequence}"),
            at_micros: 1_772_442_000_000_123,
            operation: "download".to_owned(),
            tenant: "acme".to_owned(),
            caller: r#"{"tenant":"acme","client":"ä"}"#.to_owned(),
            task: "task-1".to_owned(),
            report: "Identities Report".to_owned(),
            details: details.to_owned(),
        };
        event.hash = event.content_hash();
        event
    };
    vec![event(7, &"0".repeat(64), "CSV sha-256 00"), event(9, &"1".repeat(64), "naïve \"quotes\"\n")]
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sample_cover() -> Value {
    let file = |name: &str, format: &str, bytes: &[u8]| json!({"name": name, "format": format, "bytes": bytes.len(), "rows": 2, "sha256": hex(bytes)});
    json!({
        "files": [file("report.csv", "CSV", CSV), file("report.ndjson", "NDJSON", NDJSON), file("report.xlsx", "XLSX", OTHER)],
        "reconciliation": {
            "population": 5,
            "excluded": [{"label": "system accounts", "rows": 3}],
            "expected": 2,
            "reported": 2,
            "subtotals": [{"by": "status", "parts": [{"label": "ACTIVE", "rows": 1}, {"label": "DISABLED", "rows": 1}]}],
        },
    })
}

fn write(cover: &Value, key: &SigningKey, time_stamp: impl FnOnce([u8; 32]) -> Option<Vec<u8>>) -> Vec<u8> {
    write_due(cover, key, TimeStampDue::Asked, time_stamp)
}

fn write_due(
    cover: &Value,
    key: &SigningKey,
    due: TimeStampDue,
    time_stamp: impl FnOnce([u8; 32]) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let mut sink = Vec::new();
    let mut bag = EvidenceWriter::new(&mut sink, "evidence-1").unwrap();
    bag.add_file("report.csv", &mut &CSV[..], Some(&hex(CSV))).unwrap();
    bag.add_file("report.ndjson", &mut &NDJSON[..], Some(&hex(NDJSON))).unwrap();
    bag.add_file("report.xlsx", &mut &OTHER[..], Some(&hex(OTHER))).unwrap();
    bag.add_file(evidence::COVER, &mut &cover::to_json(cover)[..], None).unwrap();
    bag.add_file(evidence::QUERY, &mut &b"SELECT 1"[..], None).unwrap();
    let events: String = events().iter().map(audit_line).collect();
    bag.add_file(evidence::AUDIT_EVENTS, &mut events.as_bytes(), None).unwrap();
    let sealed = bag.seal(&BagInfo { time_stamp: due, ..info() }, key).unwrap();
    let response = time_stamp(sealed.tag_manifest_sha256());
    let written = sealed.finish(response.as_deref()).unwrap();
    assert_eq!((written.bytes, written.sha256), (sink.len() as u64, hex(&sink)));
    sink
}

fn sample() -> Vec<u8> {
    write(&sample_cover(), &key(), |_| None)
}

fn verify(bag: &[u8]) -> Verification {
    verify_bag(Cursor::new(bag), &key().public())
}

fn failures(bag: &[u8]) -> Vec<String> {
    verify(bag).failures().map(str::to_owned).collect()
}

type Members = Vec<(String, Vec<u8>)>;

fn unpack(bag: &[u8]) -> Members {
    let mut archive = zip::ZipArchive::new(Cursor::new(bag)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let content = |name: String| {
        let mut content = Vec::new();
        archive.by_name(&name).unwrap().read_to_end(&mut content).unwrap();
        (name, content)
    };
    names.into_iter().map(content).collect()
}

fn pack(members: &Members) -> Vec<u8> {
    let mut sink = Vec::new();
    let mut zip = ZipFiles::new(&mut sink);
    for (name, content) in members {
        let mut member = zip.start_member(name).unwrap();
        member.write_all(content).unwrap();
        member.finish(&Written::default()).unwrap();
    }
    zip.finish().unwrap();
    sink
}

/// The package with one member's content changed.
fn changed(bag: &[u8], path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut members = unpack(bag);
    let member = members.iter_mut().find(|(name, _)| name == &format!("evidence-1/{path}"));
    change(&mut member.unwrap().1);
    pack(&members)
}

#[test]
fn a_whole_package_holds() {
    let bag = sample();
    let verification = verify(&bag);
    assert!(verification.holds(), "{verification}");
    let fingerprint = key().public().fingerprint();
    let bytes = unpack(&bag)
        .iter()
        .filter(|(name, _)| name.contains("/data/"))
        .map(|(_, bytes)| bytes.len())
        .sum::<usize>();
    let expected = format!(
        "holds      the archive is whole, and its directory names every member once\n\
         holds      every path leads into the package's one folder\n\
         holds      it is a bag of RFC 8493\n\
         holds      all 7 files of manifest-sha256.txt are there and as they were packed\n\
         holds      all 4 files of tagmanifest-sha256.txt are there and as they were packed\n\
         holds      data/ has the {bytes} bytes in 7 files that bag-info.txt says\n\
         holds      signature.ed25519: it is signed with the key {fingerprint}\n\
         unchecked  there is no time stamp: the service asks an authority and packs without its answer where none comes\n\
         holds      report.csv: it is the file of the cover: 24 bytes, 2 rows counted\n\
         holds      report.ndjson: it is the file of the cover: 18 bytes, 2 rows counted\n\
         unchecked  report.xlsx: rows are not counted in a file of format XLSX\n\
         holds      report.xlsx: it is the file of the cover: 13 bytes\n\
         holds      the rows add up: the population less what was left out is what was expected and what was reported\n\
         holds      data/audit-events.ndjson: the chain of 2 events holds\n"
    );
    assert_eq!(verification.to_string(), expected);
    assert_eq!(bag, sample());
    // Packed again by another program, it is the same package.
    assert!(verify(&pack(&unpack(&bag))).holds());
}

#[test]
fn only_what_was_published_is_packed() {
    let mut bag = EvidenceWriter::new(Vec::new(), "e").unwrap();
    let error = bag.add_file("report.csv", &mut &b"other"[..], Some(&hex(CSV))).unwrap_err();
    assert!(matches!(error, RenderError::OtherContent { .. }), "{error}");
    assert!(matches!(bag.add_file("../a", &mut &b""[..], None), Err(RenderError::MemberName { .. })));
    assert!(matches!(bag.add_file("a%0A", &mut &b""[..], None), Err(RenderError::MemberName { .. })));
    assert!(matches!(bag.seal(&info(), &key()), Err(RenderError::MemberName { .. })));
    assert!(EvidenceWriter::new(Vec::new(), "a/b").is_err());
}

#[test]
fn a_changed_byte_of_any_member_is_found_and_named() {
    let bag = sample();
    for (name, content) in unpack(&bag) {
        let path = name.strip_prefix("evidence-1/").unwrap();
        for place in [0, content.len() / 2, content.len() - 1] {
            let failures = failures(&changed(&bag, path, |content| content[place] ^= 1));
            assert!(failures.iter().any(|text| text.contains(path)), "{path} {place}: {failures:?}");
        }
        let failures = failures(&changed(&bag, path, |content| content.push(b'\n')));
        assert!(failures.iter().any(|text| text.contains(path)), "{path}: {failures:?}");
    }
}

/// A byte of the archive itself, where a member's compressed content is: a bad disk, a bad line.
#[test]
fn a_changed_byte_of_the_archive_is_found_and_named() {
    let bag = sample();
    let mut archive = zip::ZipArchive::new(Cursor::new(&bag)).unwrap();
    for index in 0..archive.len() {
        let (name, place) = {
            let member = archive.by_index(index).unwrap();
            (member.name().unwrap().into_owned(), member.data_start().unwrap() + member.compressed_size() / 2)
        };
        let mut bag = bag.clone();
        bag[usize::try_from(place).unwrap()] ^= 0x10;
        let path = name.strip_prefix("evidence-1/").unwrap();
        let failures = failures(&bag);
        assert!(failures.iter().any(|text| text.contains(path)), "{path}: {failures:?}");
    }
    for cut in [1, 30, bag.len() / 2, bag.len()] {
        assert!(!verify(&bag[..bag.len() - cut]).holds());
    }
    let before = [&b"something"[..], &bag].concat();
    assert!(!verify(&before).holds());
}

#[test]
fn a_missing_an_added_and_a_renamed_member_are_named() {
    let bag = sample();
    let members = unpack(&bag);
    for place in 0..members.len() {
        let path = members[place].0.strip_prefix("evidence-1/").unwrap();
        let mut less = members.clone();
        less.remove(place);
        let found = failures(&pack(&less));
        assert!(found.iter().any(|text| text.contains(path)), "{path}: {found:?}");

        let mut renamed = members.clone();
        renamed[place].0 += ".old";
        let found = failures(&pack(&renamed));
        // Without the tag manifest nothing tells what else belongs there.
        let named = found.iter().any(|text| text.contains(&format!("{path}.old")));
        assert!(named || path == "tagmanifest-sha256.txt", "{path}: {found:?}");
        assert!(found.iter().any(|text| !text.contains(".old") && text.contains(path)), "{path}: {found:?}");
    }
    let added = |name: &str| {
        let mut more = members.clone();
        more.push((name.to_owned(), b"more".to_vec()));
        failures(&pack(&more))
    };
    assert_eq!(
        added("evidence-1/data/more.csv"),
        ["data/more.csv: it is there, but manifest-sha256.txt does not name it",]
    );
    assert_eq!(added("evidence-1/more"), ["more: it is there, but tagmanifest-sha256.txt does not name it"]);
    assert_eq!(added("other/more"), ["other/more: it is outside the package's one folder"]);
}

#[test]
fn paths_that_lead_elsewhere_and_double_names_are_found() {
    let put = |name: &str, instead: &str| {
        assert_eq!(name.len(), instead.len());
        let mut members = unpack(&sample());
        members.push((name.to_owned(), b"text".to_vec()));
        let mut bag = pack(&members);
        for place in 0..bag.len() - name.len() {
            if &bag[place..place + name.len()] == name.as_bytes() {
                bag[place..place + name.len()].copy_from_slice(instead.as_bytes());
            }
        }
        failures(&bag)
    };
    let found = put("evidence-1/data/aa/b", "evidence-1/data/../b");
    assert!(found.iter().any(|text| text.contains("leads elsewhere")), "{found:?}");
    let found = put("evidence-1/data", "/etc/shadow.txt");
    assert!(found.iter().any(|text| text.contains("it is absolute")), "{found:?}");
    let found = put("evidence-1/data/Report.csv", "evidence-1/data/report.csv");
    assert!(found.iter().any(|text| text.contains("its name is there twice")), "{found:?}");
    // One file for a system that does not tell letters by their case.
    let mut members = unpack(&sample());
    members.push(("evidence-1/DATA/report.csv".to_owned(), b"text".to_vec()));
    let found = failures(&pack(&members));
    assert!(found.iter().any(|text| text.contains("its name is there twice")), "{found:?}");
}

/// Somebody who may write anything but has not the key.
#[test]
fn a_forger_without_the_key_is_found() {
    let bag = sample();
    let other = SigningKey::from_secret(&[43; 32]);

    // Changes a file and its line in the manifest.
    let edited = changed(&bag, "data/report.csv", |content| content[10] = b'9');
    let digest = unpack(&edited)
        .iter()
        .find(|(name, _)| name.ends_with("report.csv"))
        .map(|(_, bytes)| hex(bytes))
        .unwrap();
    let edited = changed(&edited, "manifest-sha256.txt", |content| {
        *content = String::from_utf8(content.clone()).unwrap().replace(&hex(CSV), &digest).into_bytes();
    });
    let found = failures(&edited);
    assert!(
        found.iter().any(|text| text.starts_with("manifest-sha256.txt: it is not the file")),
        "{found:?}"
    );
    assert!(found.iter().any(|text| text.starts_with("report.csv: it has SHA-256")), "{found:?}");

    // Makes a whole package with a key of his own.
    let forged = write(&sample_cover(), &other, |_| None);
    let expected = format!(
        "signature.ed25519: it is signed with the key {}, not with the key {}",
        other.public().fingerprint(),
        key().public().fingerprint()
    );
    assert_eq!(failures(&forged), [expected]);
    assert!(verify_bag(Cursor::new(&forged), &other.public()).holds());

    // Swaps the signature for one over something else.
    let mut cover = sample_cover();
    cover["note"] = json!("another result of the same service");
    let another = unpack(&write(&cover, &key(), |_| None));
    let signature = another.iter().find(|(name, _)| name.ends_with("signature.ed25519")).unwrap().1.clone();
    let found = failures(&changed(&bag, "signature.ed25519", |content| *content = signature));
    let expected = format!(
        "signature.ed25519: it is not the signature of tagmanifest-sha256.txt with the key {}",
        key().public().fingerprint()
    );
    assert_eq!(found, [expected]);
}

/// What the service itself got wrong, signed or not.
#[test]
fn a_cover_that_is_not_that_of_its_files_is_found() {
    let with = |pointer: &str, value: Value| {
        let mut cover = sample_cover();
        *cover.pointer_mut(pointer).unwrap() = value;
        failures(&write(&cover, &key(), |_| None))
    };
    assert_eq!(
        with("/files/0/rows", json!(3)),
        [
            "report.csv: it has rows 2, but the cover says 3",
            "report.csv: the cover says 3 rows, but 2 were reported",
        ]
    );
    assert_eq!(with("/files/1/bytes", json!(1)), ["report.ndjson: it has bytes 18, but the cover says 1"]);
    assert_eq!(
        with("/files/1/name", json!("a.ndjson")),
        ["a.ndjson: the cover names it, but it is not there"]
    );
    assert_eq!(
        with("/reconciliation/population", json!(6)),
        ["the rows do not add up: a population of 6 less 3 left out is not the expected 2"]
    );
}

#[test]
fn one_file_is_checked_against_its_cover() {
    let cover = cover::to_json(&sample_cover());
    assert!(verify_file("report.csv", CSV, &cover).holds());
    assert!(verify_file("Identities Report.csv", CSV, &cover).holds());
    let text = |name: &str, content: &[u8]| {
        verify_file(name, content, &cover).failures().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        text("other.csv", b"x"),
        [
            "other.csv: neither its name nor its SHA-256 is in the cover (report.csv, report.ndjson, report.xlsx)"
        ]
    );
    let shorter = text("report.csv", b"id,name\r\n1,a\r\n");
    assert!(
        shorter.iter().any(|text| text == "report.csv: it has rows 1, but the cover says 2"),
        "{shorter:?}"
    );
    assert!(
        shorter.iter().any(|text| text == "report.csv: it has bytes 14, but the cover says 24"),
        "{shorter:?}"
    );
    assert!(verify_file("report.csv", CSV, b"{}").failures().next().is_some());
}

fn openssl(folder: &Path, arguments: &[&str]) -> Option<String> {
    tools::run(folder, "openssl", arguments).map(|output| tools::text(&output))
}

/// A time-stamping authority of our own: answers the request in `request.tsq`.
fn answer(folder: &Path, request: &[u8]) -> Option<Vec<u8>> {
    fs::write(folder.join("request.tsq"), request).unwrap();
    fs::write(folder.join("serial"), "01\n").unwrap();
    let settings = "[tsa]\ndefault_tsa = ours\n[ours]\nserial = serial\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n\
                    signer_digest = sha256\naccuracy = secs:1\nordering = yes\ntsa_name = yes\ness_cert_id_alg = sha256\n";
    fs::write(folder.join("tsa.cnf"), settings).unwrap();
    let subject = ["-subj", "/CN=A time-stamping authority", "-days", "2"];
    let made =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa-root.pem"];
    let usage = ["-addext", "extendedKeyUsage=critical,timeStamping"];
    openssl(folder, &[&made[..], &subject, &usage].concat())?;
    let reply = ["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "response.tsr"];
    openssl(folder, &[&reply[..], &["-signer", "tsa-root.pem", "-inkey", "tsa.key"]].concat())?;
    Some(fs::read(folder.join("response.tsr")).unwrap())
}

/// Commands in the blocks of VERIFY.md.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn other_programs_check_it_as_the_instructions_say() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bag = write(&sample_cover(), &key(), |digest| {
        let response = answer(folder, &time_stamp_request(&digest, u64::MAX))?;
        let read = TimeStampResponse::read(&response).unwrap();
        assert_eq!(read.check(&digest, Some(u64::MAX)), Ok(()));
        assert_eq!(read.check(&digest, Some(1)), Err(TimeStampError::OtherNonce));
        assert_eq!(read.check(&[0; 32], None), Err(TimeStampError::OtherDigest));
        assert!(read.time.ends_with('Z') && read.time.starts_with("20"));
        Some(response)
    });
    let stamped = unpack(&bag).iter().any(|(name, _)| name.ends_with(".tsr"));
    let verification = verify(&bag);
    assert!(verification.holds(), "{verification}");
    if stamped {
        // Who signed it is not known here, so it does not hold either.
        let stamp = "tagmanifest-sha256.txt.tsr: it says that tagmanifest-sha256.txt was there at 20";
        assert!(verification.to_string().contains(&format!("unchecked  {stamp}")), "{verification}");
    }

    fs::write(folder.join("bag.zip"), &bag).unwrap();
    let Some(output) = tools::run(folder, "unzip", ["-q", "bag.zip"]) else { return };
    tools::text(&output);
    let unpacked = folder.join("evidence-1");
    let text = fs::read_to_string(unpacked.join("data/VERIFY.md")).unwrap();
    let commands = commands(&text);
    assert_eq!(commands.len(), 6);
    if !stamped {
        return;
    }
    fs::copy(folder.join("tsa-root.pem"), unpacked.join("tsa-root.pem")).unwrap();
    let run = |command: &str| tools::run(&unpacked, "sh", ["-c", command]).unwrap();
    let printed: Vec<String> = commands.iter().map(|command| tools::text(&run(command))).collect();
    assert_eq!((printed[0].as_str(), printed[1].as_str()), ("", ""));
    assert_eq!(printed[2], "Signature Verified Successfully\n");
    assert_eq!(printed[3], format!("{}  -\n", key().public().fingerprint()));
    assert!(commands[4].starts_with("openssl ts -verify"));
    assert!(printed[5].contains("Time stamp:"), "{}", printed[5]);
    check_audit_events(&unpacked, &text);

    // Each of the first three, and the time stamp, can fail.
    let refuses = |file: &str, command: &str| {
        let path = unpacked.join(file);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[20] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(!run(command).status.success(), "{command}");
        fs::write(&path, whole).unwrap();
        assert!(run(command).status.success(), "{command}");
    };
    refuses("data/report.csv", &commands[0]);
    refuses("bag-info.txt", &commands[1]);
    refuses("signature.ed25519", &commands[2]);
    refuses("tagmanifest-sha256.txt", &commands[4]);

    // A response for another package.
    let other = failures(&changed(&bag, "tagmanifest-sha256.txt.tsr", |response| {
        let imprint = response.windows(2).position(|two| two == [0x04, 0x20]).unwrap();
        response[imprint + 2] ^= 1;
    }));
    // What it says is not what was signed.
    assert_eq!(
        other,
        [
            "tagmanifest-sha256.txt.tsr: the time stamp's signature is for another content: expected its SHA-256, SHA-384 or \
             SHA-512 in it"
        ]
    );
    let unsigned =
        failures(&changed(&bag, "tagmanifest-sha256.txt.tsr", |response| *response = unsigned(response)));
    assert_eq!(
        unsigned,
        ["tagmanifest-sha256.txt.tsr: the time stamp is not signed: expected one signer with a signature"]
    );
    fs::remove_file(unpacked.join("tsa-root.pem")).unwrap();
    let program = "import bagit\nbag = bagit.Bag('evidence-1')\nbag.validate()\nprint(bag.info['External-Description'])";
    if let Some(read) = tools::python(folder, "bagit", program, &[]) {
        assert_eq!(read, "Identities Report of the day\n");
    }
}

/// The response without the last set in it, which is that of its signers.
fn unsigned(response: &[u8]) -> Vec<u8> {
    /// Places of a value's content in DER.
    fn content(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
        let length = usize::from(bytes[at + 1]);
        let (head, length) = match length {
            0..=0x7f => (2, length),
            _ => {
                let bytes = &bytes[at + 2..at + 2 + (length & 0x7f)];
                (2 + bytes.len(), bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
            }
        };
        at + head..at + head + length
    }
    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84][..], &length, content].concat()
    }
    let outer = content(response, 0);
    let status = content(response, outer.start);
    let token = content(response, status.end);
    let kind = content(response, token.start);
    let signed = content(response, content(response, kind.end).start);
    let mut last = signed.start;
    while content(response, last).end < signed.end {
        last = content(response, last).end;
    }
    assert_eq!(response[last], 0x31);
    let signed = value(0x30, &[&response[signed.start..last], &[0x31, 0]].concat());
    let token = value(0x30, &[&response[token.start..kind.end], &value(0xa0, &signed)].concat());
    value(0x30, &[&response[outer.start..status.end], &token].concat())
}

/// The Python program of VERIFY.md tells a changed event and nothing else.
fn check_audit_events(unpacked: &Path, text: &str) {
    let program = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let Some(printed) = tools::python(unpacked, "hashlib", program, &[]) else { return };
    assert_eq!(printed, "");
    let path = unpacked.join("data/audit-events.ndjson");
    let whole = fs::read_to_string(&path).unwrap();
    let changed = whole.replacen("naïve", "naive", 1);
    assert_ne!(changed, whole);
    fs::write(&path, changed).unwrap();
    assert_eq!(tools::python(unpacked, "hashlib", program, &[]).as_deref(), Some("event 9 was changed\n"));
    fs::write(&path, whole).unwrap();
}

/// The signature is right, and still the events are not those of the cover's task.
#[test]
fn events_that_are_not_the_tasks_are_found() {
    let mut cover = sample_cover();
    cover["taskId"] = json!("task-1");
    assert!(verify(&write(&cover, &key(), |_| None)).holds());
    cover["taskId"] = json!("task-2");
    assert_eq!(
        failures(&write(&cover, &key(), |_| None)),
        ["data/audit-events.ndjson: the chain is broken: line 1: it is about another task"]
    );
}

/// A package is sealed on one thread, stamped over the network, and ended on another.
#[test]
fn a_sealed_package_may_go_to_another_thread() {
    fn sent<T: Send + 'static>() {}
    sent::<evidence::SealedEvidence<fs::File>>();
    sent::<EvidenceWriter<fs::File>>();
    sent::<SigningKey>();
}

#[test]
fn the_key_is_that_of_openssl() {
    let folder = tempfile::tempdir().unwrap();
    if openssl(folder.path(), &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]).is_none() {
        return;
    }
    let public = openssl(folder.path(), &["pkey", "-in", "key.pem", "-pubout"]).unwrap();
    assert_eq!(PublicKey::from_pem(&public).unwrap().to_pem(), public);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What it finds depends on the place; that it ends without a panic does not.
    #[test]
    fn rubbish_is_read_without_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        response in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(sample);
        let mut bag = WHOLE.clone();
        for (place, byte) in &changes {
            let place = place.index(bag.len());
            bag[place] = *byte;
        }
        let _ = verify(&bag);
        let _ = TimeStampResponse::read(&response);
        let stamped = [&[0x30, 0x3e, 0x30, 0x03, 0x02, 0x01, 0x00][..], &response].concat();
        prop_assert!(TimeStampResponse::read(&stamped).is_err());
    }
}
