//! `muster backup`: copies of everything that the service keeps.

mod restore;
mod shared;
mod verify;

pub use restore::restore;

use crate::cli::BackupCommand;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::{DataDir, KEYS, MARK, SETTINGS, place};
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, text};
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditOperation;
use muster_reports::ids::TenantId;
use muster_reports::ports::{AuditTrail, Clock, SnapshotCatalogue};
use muster_runs::backup::{BackupFolder, BackupParts, DATABASE, DUMP, Taken, Writing};
use muster_store::{PinnedStore, Place, Store};
use serde::Serialize;
use shared::{backup_place, blocking, open_copy, shown};
use std::path::{Path, PathBuf};

/// How often a backup begins again because files went away while it was made.
const TRIES: u32 = 5;

/// Does what `command` says.
pub async fn run(command: &BackupCommand, settings: &Settings, output: Output) -> Result {
    match command {
        BackupCommand::Take { folder, keys } => Box::pin(take(folder, *keys, settings, output)).await,
        BackupCommand::List { folder } => blocking(|| list(folder, output)),
        BackupCommand::Verify(args) => {
            Box::pin(verify::run(args, &TenantId::new(&settings.tenant.id), output)).await
        }
    }
}

async fn take(folder: &Path, with_keys: bool, settings: &Settings, output: Output) -> Result {
    let place = backup_place(folder)?;
    let data = DataDir::open(settings).await?;
    let drafts = tempfile::tempdir().context(|| "no folder can be made for the backup".into())?;
    let writing = blocking(|| Ok(BackupFolder::to_write(&place, drafts.path())?))?;
    // Recorded first, so that the trail of the backup has it.
    let details = format!("to {}, {} keys", folder.display(), if with_keys { "with" } else { "without" });
    data.store.record(&data.event(AuditOperation::BackupTaken, "backup", details)).await?;
    let mut gone = String::new();
    for _ in 0..TRIES {
        let parts = Box::pin(parts(&data, &writing, with_keys)).await?;
        match blocking(|| Ok(writing.take(&parts)?))? {
            Taken::Whole(summary) => {
                data.store.close().await;
                return match output {
                    Output::Json => json(&summary),
                    Output::Table => print(&format!(
                        "backup {}: {} files, {} bytes; copied now: {} files, {} bytes",
                        summary.name,
                        count(summary.files),
                        count(summary.bytes),
                        count(summary.copied_files),
                        count(summary.copied_bytes)
                    )),
                };
            }
            Taken::Gone(path) => gone = path,
        }
    }
    Err(Failure::new(format!(
        "no backup was made: files expired faster than they could be copied, {TRIES} times; the last was {gone}. \
         `muster check` says whether files are missing; otherwise pin the newest snapshot, take the backup, and unpin it"
    )))
}

/// A copy of the database, and what it names.
async fn parts(data: &DataDir, writing: &Writing, with_keys: bool) -> Result<BackupParts> {
    match place(&data.settings, data.dir())? {
        Place::Sqlite(_) => {
            let database = writing.draft(DATABASE)?;
            let taken = SystemClock.now();
            data.store.copy_to(&database).await?;
            // What the copy names counts, not what the service names by now.
            let copy = open_copy(&database, None).await?;
            let parts = named_by(&copy, data, (database, None), taken, with_keys).await;
            copy.close().await;
            parts
        }
        Place::Postgres(url) => {
            let database = writing.draft(DUMP)?;
            let taken = SystemClock.now();
            let pinned = PinnedStore::open(&url).await?;
            let schema = Some(pinned.schema.clone());
            let parts = named_by(&pinned, data, (database.clone(), schema), taken, with_keys).await;
            let dumped = pinned.dump_to(&database).await;
            pinned.close().await;
            dumped?;
            parts
        }
    }
}

/// What this database names, and what else belongs to a backup.
async fn named_by(
    store: &Store,
    data: &DataDir,
    (database, schema): (PathBuf, Option<String>),
    taken: DateTime<Utc>,
    with_keys: bool,
) -> Result<BackupParts> {
    Ok(BackupParts {
        database,
        schema,
        snapshots: store.kept().await?,
        results: store.published_files().await?,
        files: data.files()?,
        data: data.shared_dir().to_owned(),
        others: others(data, with_keys)?,
        taken,
        made_by: format!("muster {}", env!("CARGO_PKG_VERSION")),
        with_keys,
        audit_head: shown(&store.audit_end(&data.tenant).await?),
    })
}

/// Files beside the database, tables and results: the mark, definitions of reports, and the keys and settings if they are
/// wanted. Each with its place in the data directory, and where it is.
fn others(data: &DataDir, with_keys: bool) -> Result<Vec<(String, PathBuf)>> {
    let mut others = vec![(MARK.to_owned(), data.shared_dir().join(MARK))];
    let definitions = data.settings.reports.definitions.as_deref();
    if let Some(folder) = definitions.filter(|folder| folder.is_relative()) {
        others.extend(files_of(data.dir(), folder)?);
    }
    if with_keys {
        others.extend(files_of(data.shared_dir(), Path::new(KEYS))?);
        let settings = data.dir().join(SETTINGS);
        if settings.is_file() {
            others.push((SETTINGS.to_owned(), settings));
        }
    }
    Ok(others)
}

/// The files of a folder in `dir`: their places there, and where they are.
fn files_of(dir: &Path, folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let unreadable = || format!("folder {} cannot be listed", dir.join(folder).display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir.join(folder)).context(unreadable)? {
        let entry = entry.context(unreadable)?;
        if entry.path().is_file() {
            let path = folder.join(entry.file_name());
            let text =
                path.to_str().ok_or_else(|| Failure::new(format!("{} is not UTF-8", path.display())))?;
            files.push((text.to_owned(), entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    taken: String,
    files: usize,
    bytes: u64,
    keys: bool,
    audit_head: String,
    newest_snapshot: Option<String>,
}

fn list(folder: &Path, output: Output) -> Result {
    let folder = BackupFolder::open(&backup_place(folder)?)?;
    let mut listed = Vec::new();
    for name in folder.names()? {
        let list = folder.list(&name)?;
        listed.push(Listed {
            name,
            taken: list.taken.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            files: list.files.len(),
            bytes: list.bytes(),
            keys: list.with_keys,
            audit_head: list.audit_head,
            newest_snapshot: list.newest_snapshot,
        });
    }
    let columns =
        [text("backup"), text("taken"), number("files"), number("bytes"), text("keys"), text("events")];
    output.list(&listed, &columns, |backup| {
        let events = backup.audit_head.split_once(':').map_or("", |(events, _)| events);
        vec![
            // The time and the beginning of the digest are enough to name it.
            backup.name.chars().take(28).collect(),
            backup.taken.clone(),
            count(backup.files as u64),
            count(backup.bytes),
            if backup.keys { "yes" } else { "no" }.into(),
            events.into(),
        ]
    })
}
