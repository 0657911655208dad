//! Copies of a prepared installation, over either database.

use crate::command;
use crate::failure::{Context, Result};
use crate::installation::{Installation, over_postgres};
use crate::postgres::Postgres;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies an installation that no process uses to `folder`, in place of an earlier copy. Over PostgreSQL the copy gets a
/// database of this name.
///
/// # Errors
/// When a file or the database cannot be copied.
pub fn copy_installation(
    installation: &Installation,
    folder: &Path,
    postgres: Option<&Postgres>,
    name: &str,
) -> Result<Installation> {
    std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
    let mut copied = Installation {
        data: copy_folder(&installation.data, &folder.join("data"))?,
        log: folder.join("serve.log"),
        ..installation.clone()
    };
    if copied.log.exists() {
        std::fs::remove_file(&copied.log)
            .context(|| format!("{} cannot be removed", copied.log.display()))?;
    }
    if let (Some(postgres), Some((url, shared))) = (postgres, installation.postgres()) {
        let shared = copy_folder(shared, &folder.join("shared"))?;
        let template = url.rsplit('/').next().unwrap_or_default();
        copied.settings = over_postgres(&postgres.fresh_database(name, Some(template))?, &shared);
    }
    Ok(copied)
}

/// Copies a folder, in place of what `to` contained.
///
/// # Errors
/// When a file cannot be copied.
pub fn copy_folder(from: &Path, to: &Path) -> Result<PathBuf> {
    if to.exists() {
        std::fs::remove_dir_all(to).context(|| format!("{} cannot be emptied", to.display()))?;
    }
    command::output(Command::new("cp").arg("-a").arg(from).arg(to))?;
    Ok(to.to_path_buf())
}
