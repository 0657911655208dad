//! The package for Fedora and its relatives, by their own program. cargo-generate-rpm would do, and is built for a quarter of an
//! hour because it can sign with PGP.

use crate::setup;
use muster_harness::command;
use muster_harness::failure::Result;
use muster_harness::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes the package of this version and revision from what was gathered, and returns its place. Its files are dated with
/// `epoch`.
pub fn make(
    workspace: &Workspace,
    (version, revision): (&str, u32),
    folder: &Path,
    epoch: &str,
) -> Result<PathBuf> {
    let root = &workspace.root;
    let name = format!("muster-{version}-{revision}.{}.rpm", std::env::consts::ARCH);
    let work = workspace.fresh_folder("package-rpm")?;
    let mut date = Command::new("date");
    date.env("LC_ALL", "C").args(["--utc", "--date", &format!("@{epoch}"), "+%a %b %d %Y"]);
    let date = command::output(&mut date)?.trim().to_owned();
    let mut pack = Command::new(setup::debian_program("rpmbuild", "rpm")?);
    pack.env("SOURCE_DATE_EPOCH", epoch).args(["-bb", "--quiet"]);
    for (macro_name, value) in [
        ("_topdir", work.display().to_string()),
        ("_rpmdir", folder.display().to_string()),
        ("_rpmfilename", name.clone()),
        ("muster_root", root.display().to_string()),
        ("muster_version", version.to_owned()),
        ("muster_revision", revision.to_string()),
        ("muster_date", date),
    ] {
        pack.arg("--define").arg(format!("{macro_name} {value}"));
    }
    pack.arg(root.join("packaging/rpm/muster.spec"));
    command::run(&mut pack)?;
    Ok(folder.join(name))
}
