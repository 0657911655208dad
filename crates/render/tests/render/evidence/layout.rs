//! Packages that other readers would unpack otherwise, that cost more than their size, or that lack a time stamp.

use super::*;

/// The places of a record's signature.
fn records(bag: &[u8], signature: &[u8; 4]) -> Vec<usize> {
    (0..bag.len() - 3).filter(|at| &bag[*at..at + 4] == signature).collect()
}

/// A package that ends in a directory without its 64-bit records, as most programs write it.
fn plain() -> Vec<u8> {
    let mut bag = pack(&unpack(&sample()));
    let end = records(&bag, b"PK\x05\x06")[0];
    if let [large] = records(&bag, b"PK\x06\x06")[..] {
        bag.drain(large..end);
    }
    assert!(verify(&bag).holds(), "{}", verify(&bag));
    bag
}

/// What one reader passes over, another unpacks.
#[test]
fn an_archive_holds_its_members_and_nothing_else() {
    let bag = plain();
    let (end, central) = (records(&bag, b"PK\x05\x06")[0], records(&bag, b"PK\x01\x02"));
    let refused = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bag = bag.clone();
        change(&mut bag);
        let found = failures(&bag);
        assert!(found.iter().any(|text| text.contains(what)), "{what}: {found:?}");
    };
    refused("it does not end with the archive's directory", &|bag| bag.extend(b"more"));
    refused("it does not end with the archive's directory", &|bag| {
        bag[end + 20] = 4;
        bag.extend(b"more");
    });
    refused("there are other bytes before the archive", &|bag| drop(bag.splice(0..0, *b"more")));
    let shift = |bag: &mut Vec<u8>, at: usize, bytes: u8| bag[at] += bytes;
    // Between the last member and the directory, which says where it begins.
    refused("there are other bytes between the last member and the directory", &|bag| {
        let start = u32::from_le_bytes(bag[end + 16..end + 20].try_into().unwrap());
        bag[end + 16..end + 20].copy_from_slice(&(start + 4).to_le_bytes());
        bag.splice(central[0]..central[0], *b"more");
    });
    refused("it has a comment", &|bag| {
        shift(bag, central[0] + 32, 4);
        let bytes = u32::from_le_bytes(bag[end + 12..end + 16].try_into().unwrap());
        bag[end + 12..end + 16].copy_from_slice(&(bytes + 4).to_le_bytes());
        bag.splice(central[1]..central[1], *b"more");
    });
    // S_IFLNK and S_IFCHR; the rights stay.
    for kind in [0o120_000_u32, 0o020_000] {
        refused("a link or a device", &|bag| {
            let mode = (kind | 0o644) << 16;
            bag[central[2] + 38..central[2] + 42].copy_from_slice(&mode.to_le_bytes());
        });
    }
    refused("it is encrypted", &|bag| bag[central[0] + 8] |= 1);
    // One member's header is that of another.
    refused("it shares bytes with another member", &|bag| {
        let other: [u8; 4] = bag[central[1] + 42..central[1] + 46].try_into().unwrap();
        bag[central[2] + 42..central[2] + 46].copy_from_slice(&other);
    });
    // The kind of an extra field by which some programs take another name: 0x7075.
    refused("which packages do not have", &|bag| {
        let name = usize::from(u16::from_le_bytes([bag[26], bag[27]]));
        bag[30 + name..30 + name + 2].copy_from_slice(&[0x75, 0x70]);
    });
}

/// An archive of stored members as a program would write that knows nothing of packages.
fn stored(members: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let (mut bag, mut directory) = (Vec::new(), Vec::new());
    for (name, content, mode) in members {
        let mut checksum = flate2::Crc::new();
        checksum.update(content);
        let size = (content.len() as u32).to_le_bytes();
        let mut common = [20_u16, 0, 0, 0, 0x21].map(u16::to_le_bytes).concat();
        common.extend(checksum.sum().to_le_bytes());
        common.extend([size, size].concat());
        common.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        directory
            .extend([&b"PK\x01\x02\x14\x03"[..], &common, &[0; 6], &(mode << 16).to_le_bytes()].concat());
        directory.extend((bag.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        bag.extend([&b"PK\x03\x04"[..], &common[..], name.as_bytes(), content].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let places = [directory.len() as u32, bag.len() as u32].map(u32::to_le_bytes).concat();
    bag.extend(directory);
    bag.extend([&b"PK\x05\x06"[..], &[0; 4], &count, &count, &places, &[0; 2]].concat());
    bag
}

#[test]
fn a_repacked_package_holds_and_its_folders_are_empty() {
    let members = unpack(&sample());
    let mut all: Vec<(&str, &[u8], u32)> = vec![("evidence-1/data/", b"", 0o040_755)];
    all.extend(members.iter().map(|(name, content)| (name.as_str(), &content[..], 0o100_644)));
    assert!(verify(&stored(&all)).holds(), "{}", verify(&stored(&all)));
    all[0].1 = b"hidden";
    assert_eq!(
        failures(&stored(&all)),
        [
            "the package is not a zip archive of members and nothing else: evidence-1/data/: it is a folder with content"
        ]
    );
}

/// Half a megabyte, made so that each check has much to say: it is said once, in bounds, and at once.
#[test]
fn a_made_up_package_costs_no_more_than_its_size() {
    let many: Vec<String> = (0..5_000).map(|number| format!("evidence-1/data/{number:05}")).collect();
    let members: Vec<(&str, &[u8], u32)> = many.iter().map(|name| (name.as_str(), &b""[..], 0)).collect();
    let unnamed = stored(&members);
    let lines = |line: &str, bytes: usize| line.repeat(bytes / line.len()).into_bytes();
    let cover = |text: &str| {
        let body = lines(text, 14 << 20);
        [&b"{\"files\":["[..], &body[..body.len() - 1], b"]}"].concat()
    };
    let bag = sample();
    let file = r#"{"name":"a","format":"CSV","bytes":1,"rows":1,"sha256":"0"},"#;
    let packages = [
        ("no line for 5,000 members", unnamed),
        (
            "a manifest of bad lines",
            changed(&bag, "manifest-sha256.txt", |text| *text = lines("x\n", 14 << 20)),
        ),
        ("a cover of many files", changed(&bag, "data/cover.json", |text| *text = cover(file))),
        ("a record without an end", changed(&bag, "data/report.csv", |text| *text = lines("\"", 80 << 20))),
    ];
    for (what, package) in packages {
        assert!(package.len() < 1 << 20, "{what}: {} bytes", package.len());
        let verification = verify(&package);
        assert!(!verification.holds(), "{what}");
        assert!(verification.findings.len() <= 1_100, "{what}: {} findings", verification.findings.len());
    }
}

/// A package says whether a time stamp was due, so that none can be taken out unseen; packages of old say nothing.
#[test]
fn a_time_stamp_that_was_due_is_missed() {
    let said = |due| verify(&write_due(&sample_cover(), &key(), due, |_| None));
    assert_eq!(
        said(TimeStampDue::Required).failures().collect::<Vec<_>>(),
        ["tagmanifest-sha256.txt.tsr: it is not there, but bag-info.txt says that it is required"]
    );
    let none = said(TimeStampDue::None);
    assert!(none.holds());
    assert!(none.to_string().contains("there is no time stamp: the service names no authority\n"), "{none}");
}

/// More faults than are told: what comes behind them is wrong all the same, and nothing of it is said to hold.
#[test]
fn what_is_not_told_any_more_is_still_a_fault() {
    let bag = changed(&sample(), "manifest-sha256.txt", |text| {
        text.extend_from_slice("x\n".repeat(1_500).as_bytes())
    });
    let verification = verify(&bag);
    assert!(!verification.holds());
    let told = verification.to_string();
    assert!(told.contains("FAILS      there are more faults than are listed\n"), "{told}");
    // The manifest has other bytes than the tag manifest's digest is of, and both are beyond what is told.
    for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        assert!(!told.contains(&format!("files of {manifest} are there")), "{told}");
    }
    assert_eq!(verification.failures().count(), 1_000);
}

#[test]
fn a_payload_of_another_size_is_told_in_words() {
    let bag = sample();
    let members = unpack(&bag);
    let payload = members.iter().filter(|(name, _)| name.starts_with("evidence-1/data/"));
    let bytes: usize = payload.map(|(_, content)| content.len()).sum();
    let said = format!("Payload-Oxum: {bytes}.7");
    let other = failures(&changed(&bag, "bag-info.txt", |content| {
        let text = String::from_utf8(std::mem::take(content)).unwrap();
        *content = text.replace(&said, "Payload-Oxum: 12.7").into_bytes();
    }));
    let expected =
        format!("bag-info.txt: it says \"12.7\" (Payload-Oxum), but data/ has {bytes} bytes in 7 files");
    assert!(other.contains(&expected), "{other:?}");
}
