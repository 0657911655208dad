//! A package on a Debian of its own, which boots: systemd with its units, users and restrictions, and not an imitation.
//!
//! The package for Fedora is installed there too, by rpm. What it needs is there under Debian's names, so rpm is told not to
//! look for it: its files, scripts and unit are tried, and whether Fedora has what it names is not.

use crate::setup;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::Workspace;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is done in the Debian after its start.
const STORY: &str = include_str!("story.sh");
/// What the Debian has in addition to the essential packages: systemd, what the package depends on, because the Debian is
/// not connected to a network, and what the story uses.
const INCLUDED: &str = "systemd,systemd-sysv,dbus,adduser,libstdc++6,ca-certificates,curl,jq,openssl,rpm";
/// The Debian.
const SUITE: &str = "bookworm";
/// The unit that tells the story and ends the Debian with its status.
const UNIT: &str = "\
[Unit]
After=basic.target
SuccessAction=exit-force
FailureAction=exit-force
SuccessActionExitStatus=0
FailureActionExitStatus=1

[Service]
Type=oneshot
ExecStart=/bin/sh /trial/story.sh
StandardOutput=file:/trial/log
StandardError=inherit
TimeoutStartSec=900
";

/// What kind of package is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Debian's.
    Deb,
    /// Fedora's.
    Rpm,
}

impl Kind {
    /// The ending of its files, by which the story knows it.
    const fn ending(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }
}

/// Boots a Debian and does with the package what its users do; `next` is an upgrade of it.
pub fn run(workspace: &Workspace, kind: Kind, package: &Path, next: &Path) -> Result<()> {
    let make = setup::debian_program("mmdebstrap", "mmdebstrap")?;
    let boot = setup::debian_program("systemd-nspawn", "systemd-container")?;
    let root = workspace.fresh_folder("package-debian")?.join("root");
    let mut made = Command::new(make);
    command::run(
        made.args(["--variant=apt", "--quiet", "--include", INCLUDED, SUITE]).arg(&root).stdin(Stdio::null()),
    )?;
    let write = |name: &str, text: &str| {
        let file = root.join(name);
        std::fs::write(&file, text).context(|| format!("{} cannot be written", file.display()))
    };
    let copy = |from: &Path, name: &str| {
        std::fs::copy(from, root.join(name)).context(|| format!("{} cannot be copied", from.display()))
    };
    std::fs::create_dir(root.join("trial")).context(|| format!("{} cannot be changed", root.display()))?;
    copy(package, &format!("trial/muster.{}", kind.ending()))?;
    copy(next, &format!("trial/next.{}", kind.ending()))?;
    write("trial/kind", kind.ending())?;
    write("trial/story.sh", STORY)?;
    write("etc/systemd/system/trial.service", UNIT)?;
    write(
        "etc/systemd/system/trial.target",
        "[Unit]\nRequires=multi-user.target trial.service\nAllowIsolate=yes\n",
    )?;
    let mut booted = Command::new(boot);
    booted
        .args([
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--console=read-only",
        ])
        .arg("--directory")
        .arg(&root)
        .arg("systemd.unit=trial.target")
        .stdin(Stdio::null());
    command::output(&mut booted).map(drop).map_err(|failure| {
        let log = std::fs::read_to_string(root.join("trial/log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(LINES_SHOWN).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Failure::new(format!(
            "the package does not behave in {}: {failure}\n{}",
            root.display(),
            last.join("\n")
        ))
    })
}

/// Lines of the story that are shown if it fails.
const LINES_SHOWN: usize = 40;
