//! The parts of a release, each made so that two runs give the same bytes.

use super::what::{DIGESTS, Release};
use crate::package::{self, MADE};
use muster_harness::command;
use muster_harness::failure::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package for Debian and its relatives.
pub fn deb(release: &Release, folder: &Path) -> Result<PathBuf> {
    let made = package::make(release.workspace, package::FIRST, folder, Some(&release.epoch))?;
    let named = folder.join(format!(
        "muster_{}-{}_{}.deb",
        release.version,
        package::FIRST,
        debian_arch(release.arch)
    ));
    std::fs::rename(&made, &named).context(|| format!("{} cannot be named", named.display()))?;
    Ok(named)
}

/// The architecture as Debian calls it.
fn debian_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The package for Fedora and its relatives.
pub fn rpm(release: &Release, folder: &Path) -> Result<PathBuf> {
    let Release { workspace, version, epoch, arch: _ } = release;
    package::make_rpm(workspace, (version, package::FIRST), folder, epoch)
}

/// The archive: the program with all that belongs to it, and the digest of each file.
pub fn archive(release: &Release, folder: &Path, lists: &[PathBuf]) -> Result<PathBuf> {
    let (root, made) = (&release.workspace.root, release.workspace.root.join(MADE));
    let name = format!("muster-{}-{}-linux", release.version, release.arch);
    let inside = release.workspace.fresh_folder("release-archive")?;
    let top = inside.join(&name);
    let put = |from: &Path, to: &str| {
        let to = top.join(to);
        let folder = to.parent().unwrap_or(&top);
        std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
        std::fs::copy(from, &to).map(drop).context(|| format!("{} cannot be copied", from.display()))
    };
    put(&made.join("muster"), "bin/muster")?;
    for (from, to) in [
        (made.join("completions"), "completions"),
        (made.join("man"), "man"),
        (root.join("monitoring"), "monitoring"),
    ] {
        for file in package::files_in(&from)? {
            let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            put(&file, &format!("{to}/{file_name}"))?;
        }
    }
    put(&root.join("packaging/muster.toml"), "muster.toml")?;
    put(&root.join("packaging/muster.service"), "systemd/muster.service")?;
    put(&root.join("packaging/muster.sysusers"), "systemd/muster.sysusers")?;
    put(&root.join("packaging/muster.tmpfiles"), "systemd/muster.tmpfiles")?;
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        put(&root.join(file), file)?;
    }
    for list in lists {
        put(list, &list.file_name().unwrap_or_default().to_string_lossy())?;
    }
    let listed = top.join(DIGESTS);
    std::fs::write(&listed, digests(&top)?).context(|| format!("{} cannot be written", listed.display()))?;

    let packed = folder.join(format!("{name}.tar.gz"));
    let mut pack = Command::new("tar");
    pack.current_dir(&inside)
        .args(["--create", "--sort=name", "--format=ustar", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u+rwX,go+rX,go-w", &format!("--mtime=@{}", release.epoch)])
        // Without the name and the time of what is packed.
        .args(["--use-compress-program", "gzip -n -9", "--file"])
        .arg(&packed)
        .arg(&name);
    command::run(&mut pack)?;
    Ok(packed)
}

/// The SHA-256 of each file below a folder, by name, as `sha256sum --check` reads it.
pub fn digests(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    below(folder, folder, &mut files)?;
    files.retain(|file| !file.starts_with(DIGESTS));
    files.sort();
    let mut sum = Command::new("sha256sum");
    command::output(sum.current_dir(folder).arg("--").args(files))
}

fn below(folder: &Path, top: &Path, found: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).context(|| format!("{} cannot be listed", folder.display()))?;
    for entry in entries {
        let path = entry.context(|| format!("{} cannot be listed", folder.display()))?.path();
        if path.is_dir() {
            below(&path, top, found)?;
        } else {
            found.push(path.strip_prefix(top).unwrap_or(&path).to_string_lossy().into_owned());
        }
    }
    Ok(())
}
