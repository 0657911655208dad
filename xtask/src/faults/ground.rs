//! Copies of a prepared house, over either database, and looks at them.

use super::database;
use super::history::{History, Kept, When};
use super::postgres::Postgres;
use crate::command;
use crate::failure::{Context, Result};
use crate::server::House;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a sweep moves result files that no record names, next to the others.
pub const TRASH: &str = "trash";
/// The setting of the database's URL.
pub const URL: &str = "MUSTER__STORE__URL";
/// The setting of the folder that processes share.
pub const SHARED: &str = "MUSTER__DATA__SHARED";

/// Settings of a house over a PostgreSQL database.
pub fn settings(url: &str, shared: &Path) -> Vec<(String, String)> {
    vec![(URL.to_owned(), url.to_owned()), (SHARED.to_owned(), shared.display().to_string())]
}

fn setting<'a>(house: &'a House, name: &str) -> Option<&'a str> {
    house.settings.iter().find(|(setting, _)| setting == name).map(|(_, value)| value.as_str())
}

/// The URL of a house's PostgreSQL database, if it has one.
pub fn url(house: &House) -> Option<&str> {
    setting(house, URL)
}

/// The folder of a house's result files.
pub fn results(house: &House) -> PathBuf {
    setting(house, SHARED).map_or_else(|| house.data.clone(), PathBuf::from).join("results")
}

/// Looks at tasks behind the number `after` and adds what was seen; gives the number of the last task.
///
/// # Errors
/// When the database cannot be read, or is damaged.
pub fn look(history: &History, house: &House, when: When, after: u64) -> Result<u64> {
    match (setting(house, URL), setting(house, SHARED)) {
        (Some(url), Some(shared)) => database::look_postgres(history, url, Path::new(shared), when, after),
        _ => database::look(history, &house.data, when, after),
    }
}

/// Files of the folder of results that no record names.
pub fn unnamed(results: &Path, kept: &Kept, after: u64) -> Result<Vec<String>> {
    if after > 0 && kept.looks.is_empty() {
        return Ok(Vec::new());
    }
    let last = kept.looks.last().into_iter().flat_map(|look| &look.rows);
    let named: BTreeSet<&str> = last.flat_map(|row| &row.files).map(|file| file.name.as_str()).collect();
    // Tasks of the demo lie before the history.
    let earlier =
        |name: &str| !kept.looks.iter().flat_map(|look| &look.rows).any(|row| name.starts_with(&row.task));
    let unreadable = || format!("{} cannot be listed", results.display());
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(results).context(unreadable)? {
        let name = entry.context(unreadable)?.file_name().to_string_lossy().into_owned();
        if name == TRASH {
            continue;
        }
        if name.ends_with(".tmp") || (!named.contains(name.as_str()) && !earlier(&name)) {
            faults.push(format!("file {name} is left, and no record names it"));
        }
    }
    Ok(faults)
}

/// A copy of a house that no process uses, in `folder`; over PostgreSQL its database is `name`. What was there of an
/// earlier copy goes.
pub fn copied(house: &House, folder: &Path, postgres: Option<&Postgres>, name: &str) -> Result<House> {
    std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
    let mut copied = House {
        data: copy(&house.data, &folder.join("data"))?,
        log: folder.join("serve.log"),
        ..house.clone()
    };
    if copied.log.exists() {
        std::fs::remove_file(&copied.log)
            .context(|| format!("{} cannot be removed", copied.log.display()))?;
    }
    if let (Some(postgres), Some(url), Some(shared)) = (postgres, setting(house, URL), setting(house, SHARED))
    {
        let shared = copy(Path::new(shared), &folder.join("shared"))?;
        let template = url.rsplit('/').next().unwrap_or_default();
        copied.settings = settings(&postgres.fresh_database(name, Some(template))?, &shared);
    }
    Ok(copied)
}

/// A copy of a folder, in place of what is there.
pub fn copy(from: &Path, to: &Path) -> Result<PathBuf> {
    if to.exists() {
        std::fs::remove_dir_all(to).context(|| format!("{} cannot be emptied", to.display()))?;
    }
    command::output(Command::new("cp").arg("-a").arg(from).arg(to))?;
    Ok(to.to_path_buf())
}
