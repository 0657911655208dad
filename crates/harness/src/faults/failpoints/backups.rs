//! Backups and restores that are interrupted: a backup without its list is none, and a data directory is opened by nobody until
//! its restore has ended.

use super::{CrashRun, command};
use crate::command::output;
use crate::failure::{Context, Failure, Result};
use crate::installation::{Installation, muster};
use serde_json::Value;
use std::path::PathBuf;

impl CrashRun<'_> {
    /// Takes a backup, which ends at the failpoint. What there is then is whole, and so is the next one.
    pub(super) fn backup(&self, installation: &Installation) -> Result<()> {
        let backups = self.beside(installation, "backups")?;
        let folder = backups.display().to_string();
        let take = ["backup", "take", &folder, "--keys"];
        command(installation, &take, Some(&self.at))?;
        let listed = whole(installation, &folder)?;
        let is_listed = self.at.starts_with("backup-listed");
        if listed != usize::from(is_listed) {
            return Err(Failure::new(format!("{}: there are {listed} backups", self.at)));
        }
        self.must(installation, &take)?;
        match whole(installation, &folder)? {
            whole if whole == listed + 1 => Ok(()),
            whole => {
                Err(Failure::new(format!("after another backup there are {whole}: expected {}", listed + 1)))
            }
        }
    }

    /// Restores a backup, which ends at the failpoint, and again.
    pub(super) fn restore(&self, installation: &Installation) -> Result<()> {
        let backups = self.beside(installation, "backups")?;
        let folder = backups.display().to_string();
        self.must(installation, &["backup", "take", &folder, "--keys"])?;
        let data = self.beside(installation, "restored")?;
        let restored = Installation { data: data.clone(), ..installation.clone() };
        let restore = ["restore", folder.as_str()];
        command(&restored, &restore, Some(&self.at))?;
        for arguments in [&["audit", "verify"][..], &["refresh"], &["serve", "--init"]] {
            let asked = muster(&installation.binary, &data).args(arguments).output();
            let asked = asked.context(|| "muster cannot be run".into())?;
            let said = String::from_utf8_lossy(&asked.stderr).into_owned();
            if asked.status.success() || !said.contains("has not ended") {
                return Err(Failure::new(format!(
                    "muster {} opened half a restore: {said}",
                    arguments.join(" ")
                )));
            }
        }
        std::fs::remove_dir_all(&data).context(|| format!("{} cannot be removed", data.display()))?;
        self.must(&restored, &restore)?;
        self.must(&restored, &["audit", "verify"])?;
        self.must(&restored, &["check"])
    }

    /// A folder of this name beside the data directory; nothing is there.
    fn beside(&self, installation: &Installation, name: &str) -> Result<PathBuf> {
        let folder = installation.data.with_extension(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
        }
        Ok(folder)
    }
}

/// How many backups a folder has. Each is verified.
fn whole(installation: &Installation, folder: &str) -> Result<usize> {
    if !std::path::Path::new(folder).exists() {
        return Ok(0);
    }
    let mut list = installation.command();
    let listed = output(list.args(["backup", "list", folder, "--output", "json"]))?;
    let listed: Value =
        serde_json::from_str(&listed).context(|| format!("the list of backups is {listed:?}"))?;
    let names: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    for name in &names {
        let mut verify = installation.command();
        let found = output(verify.args(["backup", "verify", folder, "--backup", name, "--output", "json"]))?;
        let found: Value =
            serde_json::from_str(&found).context(|| format!("the check of a backup is {found:?}"))?;
        if found["verdict"] != "ok" {
            return Err(Failure::new(format!("backup {name} is not whole: {found}")));
        }
    }
    Ok(names.len())
}
