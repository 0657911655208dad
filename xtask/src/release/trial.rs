//! A release looked at by the programs of those who get it.

use super::parts::digests;
use super::what::{DIGESTS, Release};
use crate::built_in::SECTION;
use crate::setup;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// From the licences of librdkafka, zlib, jemalloc, zstd and the fonts.
const NOTICES: [&str; 5] = [
    "librdkafka - Apache Kafka C driver library",
    "Jean-loup Gailly",
    "Jason Evans",
    "Copyright (c) Meta Platforms",
    "SIL OPEN FONT LICENSE",
];

/// A key without a password, for this trial only; the public one is beside it.
pub fn key(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.fresh_folder("release-key")?;
    let key = folder.join("secret");
    let mut make = Command::new(setup::debian_program("minisign", "minisign")?);
    command::run(make.args(["-G", "-W", "-f", "-s"]).arg(&key).arg("-p").arg(folder.join("public")))?;
    Ok(key)
}

/// Refuses two releases that differ.
pub fn compare(one: &Path, two: &Path) -> Result<()> {
    let mut differ = Command::new("diff");
    command::run(differ.args(["--recursive", "--brief"]).arg(one).arg(two))
        .context(|| "two releases of one program differ".into())
}

/// Looks at every part.
pub fn look(release: &Release, folder: &Path) -> Result<()> {
    signature(release, folder)?;
    archive(release, folder)?;
    lists(release, folder)?;
    packages(release, &one(folder, ".deb")?, &one(folder, ".rpm")?)
}

/// The one file with this ending.
fn one(folder: &Path, ending: &str) -> Result<PathBuf> {
    let files = crate::package::files_in(folder)?;
    let mut found = files.into_iter().filter(|file| file.to_string_lossy().ends_with(ending));
    match (found.next(), found.next()) {
        (Some(file), None) => Ok(file),
        _ => Err(Failure::new(format!("{} has not one file that ends in {ending}", folder.display()))),
    }
}

/// The digests hold, the signature holds, and it holds for nothing else.
fn signature(release: &Release, folder: &Path) -> Result<()> {
    let sums = |folder: &Path| {
        let mut check = Command::new("sha256sum");
        command::output(check.current_dir(folder).args(["--check", "--strict", "--quiet", DIGESTS]))
    };
    sums(folder)?;
    let minisign = setup::debian_program("minisign", "minisign")?;
    let public = release.workspace.cache()?.join("release-key").join("public");
    let verify = |file: &Path| {
        let mut verify = Command::new(&minisign);
        command::output(verify.arg("-V").arg("-p").arg(&public).arg("-m").arg(file))
    };
    let said = verify(&folder.join(DIGESTS))?;
    let comment = format!("muster {}", release.version);
    if !said.contains(&comment) {
        return Err(Failure::new(format!("the signature says {said:?}: expected {comment:?} in it")));
    }
    // A changed list must not verify.
    let forged = release.workspace.fresh_folder("release-forged")?;
    let copy = |name: &str| {
        std::fs::copy(folder.join(name), forged.join(name)).context(|| format!("{name} cannot be copied"))
    };
    copy(&format!("{DIGESTS}.minisig"))?;
    let text = std::fs::read_to_string(folder.join(DIGESTS)).context(|| DIGESTS.into())?;
    let changed: String = text
        .chars()
        .enumerate()
        .map(|(at, c)| if at == 0 { if c == '0' { '1' } else { '0' } } else { c })
        .collect();
    std::fs::write(forged.join(DIGESTS), changed).context(|| DIGESTS.into())?;
    match verify(&forged.join(DIGESTS)) {
        Ok(_) => Err(Failure::new("a changed list of digests verifies")),
        Err(_) => Ok(()),
    }
}

/// The archive unpacks, its digests hold, and its program runs.
fn archive(release: &Release, folder: &Path) -> Result<()> {
    let unpacked = release.workspace.fresh_folder("release-unpacked")?;
    let mut unpack = Command::new("tar");
    command::output(
        unpack.arg("--extract").arg("--file").arg(one(folder, ".tar.gz")?).arg("-C").arg(&unpacked),
    )?;
    let top = unpacked.join(format!("muster-{}-{}-linux", release.version, release.arch));
    let mut check = Command::new("sha256sum");
    command::output(check.current_dir(&top).args(["--check", "--strict", "--quiet", DIGESTS]))?;
    let said = command::output(Command::new(top.join("bin/muster")).arg("--version"))?;
    let expected = format!("muster {}", release.version);
    if said.trim() != expected {
        return Err(Failure::new(format!("the program of the archive says {said:?}: expected {expected:?}")));
    }
    for wanted in ["man/muster.1", "completions/_muster", "muster.toml", "LICENSE-MIT", "LICENSE-APACHE"] {
        if !top.join(wanted).is_file() {
            return Err(Failure::new(format!("the archive has no {wanted}")));
        }
    }
    Ok(())
}

/// Both packages have the same files with the same content and mode, each at the places of its systems, and rpmlint finds no
/// error.
fn packages(release: &Release, deb: &Path, rpm: &Path) -> Result<()> {
    let rpm_program = setup::debian_program("rpm", "rpm")?;
    let ask = |arguments: &[&str]| {
        let mut ask = Command::new(&rpm_program);
        command::output(ask.args(arguments).arg(rpm))
    };
    let of_rpm: BTreeMap<String, String> = ask(&[
        "--query",
        "--package",
        "--queryformat",
        "[%{FILENAMES} %{FILEDIGESTS} %{FILEMODES:octal}\n]",
    ])?
    .lines()
    .filter_map(|line| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.to_owned())))
    .collect();
    let root = deb.with_extension("unpacked");
    let mut unpack = Command::new("dpkg-deb");
    command::output(unpack.arg("--extract").arg(deb).arg(&root))?;
    let digests = digests(&root)?;
    let compared = compare_packages(&of_rpm, &digests);
    std::fs::remove_dir_all(&root).context(|| format!("{} cannot be removed", root.display()))?;
    compared?;

    // What is done at an installation and a removal: the same acts of the service's manager.
    let scripts = ask(&["--query", "--package", "--scripts"])?;
    let script = |name| command::output(Command::new("dpkg-deb").arg("--info").arg(deb).arg(name));
    let of_deb = [script("postinst")?, script("prerm")?, script("postrm")?].concat();
    for act in [
        "systemd-sysusers muster.conf",
        "systemd-tmpfiles --create muster.conf",
        "chown root:muster /etc/muster/muster.toml",
        "chmod 0640 /etc/muster/muster.toml",
        "systemctl daemon-reload",
        "systemctl try-restart muster.service",
        "systemctl disable --now muster.service",
    ] {
        for (package, text) in [("for Debian", &of_deb), ("for Fedora", &scripts)] {
            if !text.contains(act) {
                return Err(Failure::new(format!("the scripts of the package {package} lack: {act}")));
            }
        }
    }
    let configured = ask(&["--query", "--package", "--configfiles"])?;
    if configured.trim() != "/etc/muster/muster.toml" {
        return Err(Failure::new(format!("settings of the package are {configured:?}")));
    }
    // Its status is not 0 if it finds an error.
    let settings = release.workspace.root.join("packaging/rpm/rpmlint.toml");
    let lint = setup::debian_program("rpmlint", "rpmlint")?;
    command::run(Command::new(lint).arg("--config").arg(settings).arg(rpm))
}

/// Where Debian keeps a file that the other package has.
fn place_in_debian(place: &str) -> String {
    place.replace("/usr/share/zsh/site-functions/", "/usr/share/zsh/vendor-completions/")
}

fn compare_packages(of_rpm: &BTreeMap<String, String>, digests: &str) -> Result<()> {
    let of_deb: BTreeMap<String, &str> = digests
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (format!("/{name}"), sum))
        .collect();
    let mut same = 0;
    for (place, rest) in of_rpm {
        // Debian packs manual pages and long documents with gzip, and its licence is one file of its own form.
        let there = place_in_debian(place);
        let Some(sum) = of_deb.get(&there) else {
            let packed = of_deb.contains_key(&format!("{there}.gz"));
            let is_licence = place.starts_with("/usr/share/licenses/");
            // Folders have no digest.
            if packed || is_licence || rest.starts_with(' ') {
                continue;
            }
            return Err(Failure::new(format!("the package for Debian has no {there}")));
        };
        if !rest.starts_with(*sum) {
            return Err(Failure::new(format!("{place} differs between the packages")));
        }
        same += 1;
    }
    let known: BTreeSet<String> = of_rpm.keys().map(|place| place_in_debian(place)).collect();
    for place in of_deb.keys() {
        let plain = place.trim_end_matches(".gz");
        if !known.contains(plain) && !plain.starts_with("/usr/share/doc/muster/") {
            return Err(Failure::new(format!("the package for Fedora has no {place}")));
        }
    }
    if same < 8 {
        return Err(Failure::new(format!("{same} files are the same in both packages: expected 8 at least")));
    }
    Ok(())
}

/// The lists name every package that is built in: those that cargo resolves, by their names and versions.
fn lists(release: &Release, folder: &Path) -> Result<()> {
    let wanted = built_in(release)?;
    let bill = one(folder, ".cdx.json")?;
    let text = std::fs::read_to_string(&bill).context(|| bill.display().to_string())?;
    let bill: serde_json::Value = serde_json::from_str(&text).context(|| bill.display().to_string())?;
    let name = |part: &serde_json::Value| {
        format!(
            "{} {}",
            part["name"].as_str().unwrap_or_default(),
            part["version"].as_str().unwrap_or_default()
        )
    };
    let listed: BTreeSet<String> = bill["components"].as_array().into_iter().flatten().map(name).collect();
    let licences = one(folder, ".licences.txt")?;
    let licences = std::fs::read_to_string(&licences).context(|| licences.display().to_string())?;
    for package in &wanted {
        if !listed.contains(package) {
            return Err(Failure::new(format!("the bill of materials lacks {package}")));
        }
        if !licences.lines().any(|line| line.trim() == package) {
            return Err(Failure::new(format!("the list of licences lacks {package}")));
        }
    }
    // Libraries of others that are compiled in, and fonts: their authors ask that these lines go with the program.
    for notice in NOTICES {
        if !licences.contains(notice) {
            return Err(Failure::new(format!("the list of licences lacks {notice:?}")));
        }
    }
    let inside = in_program(release, folder)?;
    let program = format!("muster {}", release.version);
    if let Some(package) = wanted.iter().chain([&program]).find(|package| !inside.contains(*package)) {
        return Err(Failure::new(format!("the list in the program lacks {package}")));
    }
    println!(
        "built in: {} packages, all in the bill of materials, in the list of licences and in the program",
        wanted.len()
    );
    Ok(())
}

/// The names and versions in the list that is in the program of the archive, as it was unpacked.
fn in_program(release: &Release, folder: &Path) -> Result<BTreeSet<String>> {
    let unpacked = release.workspace.cache()?.join("release-unpacked");
    let program = unpacked.join(format!("muster-{}-{}-linux/bin/muster", release.version, release.arch));
    let section = folder.with_extension("section");
    let copy = folder.with_extension("copy");
    let mut dump = Command::new(setup::debian_program("objcopy", "binutils")?);
    dump.arg(format!("--dump-section={SECTION}={}", section.display()));
    command::run(dump.arg(&program).arg(&copy))?;
    let compressed =
        std::fs::File::open(&section).context(|| format!("{} cannot be read", section.display()))?;
    let mut unpack = Command::new(setup::debian_program("zlib-flate", "qpdf")?);
    let list = command::output(unpack.arg("-uncompress").stdin(compressed))?;
    for file in [section, copy] {
        std::fs::remove_file(&file).context(|| format!("{} cannot be removed", file.display()))?;
    }
    let list: serde_json::Value =
        serde_json::from_str(&list).context(|| "the list in the program cannot be read".into())?;
    let name = |package: &serde_json::Value| {
        Some(format!("{} {}", package["name"].as_str()?, package["version"].as_str()?))
    };
    Ok(list["packages"].as_array().into_iter().flatten().filter_map(name).collect())
}

/// The names and versions of what the program is built from on this machine's kind, as `cargo tree` says.
fn built_in(release: &Release) -> Result<BTreeSet<String>> {
    let target = format!("{}-unknown-linux-gnu", release.arch);
    let mut ask = muster_harness::workspace::cargo();
    ask.current_dir(&release.workspace.root)
        .args(["tree", "--locked", "--package", "muster", "--edges", "normal", "--target", &target])
        .args(["--prefix", "depth", "--format", " {p}"]);
    let said = command::output(&mut ask)?;
    let mut found = BTreeSet::new();
    for line in said.lines() {
        let mut words = line.split_whitespace().skip(1);
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            found.insert(format!("{name} {}", version.trim_start_matches('v')));
        }
    }
    // The program itself is what the lists are of.
    found.remove(&format!("muster {}", release.version));
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// Nine files that both packages have.
    fn rpm() -> BTreeMap<String, String> {
        (0..9).map(|number| (format!("/usr/lib/{number}"), format!("{DIGEST} 100644"))).collect()
    }

    fn deb(names: &[&str]) -> String {
        let own = (0..9).map(|number| format!("usr/lib/{number}"));
        let all = own.chain(names.iter().map(|name| (*name).to_owned()));
        all.map(|name| format!("{DIGEST}  {name}\n")).collect()
    }

    #[test]
    fn packages_are_compared_by_content_and_place() {
        compare_packages(&rpm(), &deb(&[])).unwrap();
        let with = |place: &str, digest: &str| {
            let mut files = rpm();
            files.insert(place.to_owned(), format!("{digest} 100644"));
            files
        };
        // The same at the place of each.
        let zsh = with("/usr/share/zsh/site-functions/_muster", DIGEST);
        compare_packages(&zsh, &deb(&["usr/share/zsh/vendor-completions/_muster"])).unwrap();
        let page = with("/usr/share/man/man1/muster.1", DIGEST);
        compare_packages(&page, &deb(&["usr/share/man/man1/muster.1.gz"])).unwrap();
        let refused = |files: &BTreeMap<String, String>, names: &[&str]| {
            compare_packages(files, &deb(names)).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&zsh, &[]),
            "the package for Debian has no /usr/share/zsh/vendor-completions/_muster"
        );
        assert_eq!(refused(&rpm(), &["usr/bin/other"]), "the package for Fedora has no /usr/bin/other");
        let other = with("/usr/bin/muster", &DIGEST.replace('e', "f"));
        assert_eq!(refused(&other, &["usr/bin/muster"]), "/usr/bin/muster differs between the packages");
    }
}
