//! `muster restore`: a data directory from a backup.
//!
//! The database comes last, and until the audit trail says that it was restored, the data directory has a mark with which no
//! command opens it. So a restore that is killed never looks like an installation.

use super::shared::{backup_place, blocking, shown};
use crate::cli::RestoreArgs;
use crate::commands::audit;
use crate::config::Settings;
use crate::data_dir::{DataDir, EmptyDirs, KEYS, MARK, Opening, RESTORED, RESTORING, make_private, place};
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, json, print};
use muster_reports::audit::{AuditHead, AuditOperation};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ports::AuditTrail;
use muster_runs::backup::{BackupFile, BackupFolder, BackupList, DATABASE};
use muster_store::{Place, PostgresUrl, check_target, restore_dump};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Does what `muster restore` says.
pub async fn restore(args: &RestoreArgs, settings: &Settings, output: Output) -> Result {
    let noted = args.noted.as_deref().map(audit::head).transpose()?;
    let place = backup_place(&args.folder)?;
    let (backups, name, list) = blocking(|| {
        let backups = BackupFolder::open(&place)?;
        let name = backups.find(args.backup.as_deref())?;
        let list = backups.list(&name)?;
        Ok((backups, name, list))
    })?;
    let database = list.files.iter().find(|file| file.path == list.database());
    let database =
        database.ok_or_else(|| Failure::new(format!("backup {name} has no {}", list.database())))?;
    let postgres = postgres(&list, settings).await?;
    if !list.with_keys && args.keys.is_none() {
        return Err(Failure::usage(
            "the backup has no keys: expected --keys FOLDER with the copy of keys/ that was kept in another place",
        ));
    }
    DataDir::check_named_keys(settings)?;
    let dirs = DataDir::own_empty(settings)?;
    let marks = dirs.marks(RESTORING);
    for mark in &marks {
        std::fs::write(mark, "").context(|| format!("{} cannot be written", mark.display()))?;
    }
    reached(Failpoint::RestoreBegun);
    let copied = blocking(|| {
        for file in list.files.iter().filter(|file| file.path != database.path) {
            backups.copy_out(file, &folder_of(&dirs, file).join(&file.path))?;
            reached(Failpoint::RestoreFileCopied);
        }
        if let Some(keys) = args.keys.as_deref().filter(|_| !list.with_keys) {
            copy_keys(keys, &dirs.shared.join(KEYS))?;
        }
        let restored = dirs.shared.join(RESTORED);
        std::fs::write(&restored, format!("{name}\n"))
            .context(|| format!("{} cannot be written", restored.display()))?;
        // Under another name first: the database appears as a whole.
        let copied = dirs.dir.join(format!("{}.restoring", database.path));
        backups.copy_out(database, &copied)?;
        Ok(copied)
    })?;
    reached(Failpoint::RestoreDatabaseCopied);
    match &postgres {
        None => std::fs::rename(&copied, dirs.dir.join(DATABASE))
            .context(|| format!("{DATABASE} cannot be named"))?,
        Some((url, schema)) => {
            restore_dump(url, schema, &copied).await?;
            std::fs::remove_file(&copied).context(|| format!("{} cannot be removed", copied.display()))?;
        }
    }
    reached(Failpoint::RestoreDatabaseNamed);
    // The trail says what was done before anything else can be done with it.
    let data = DataDir::open_as(settings, Opening { restoring: true, ..Opening::default() }).await?;
    let head = data.store.audit_end(&data.tenant).await?;
    let lost = lost(&head, noted.as_ref());
    let details = format!("from backup {name}, taken {}; {lost}", list.taken.to_rfc3339());
    data.store.record(&data.event(AuditOperation::Restored, "backup", details)).await?;
    reached(Failpoint::RestoreRecorded);
    for mark in &marks {
        std::fs::remove_file(mark).context(|| format!("{} cannot be removed", mark.display()))?;
    }
    let known = noted.into_iter().filter(|noted| noted.sequence <= head.sequence).collect();
    let findings = data.store.verify_audit(&data.tenant, known).await?.findings;
    data.store.close().await;
    match output {
        Output::Json => json(&json!({
            "backup": name, "data": dirs.dir, "taken": list.taken, "auditHead": shown(&head), "lost": lost,
            "findings": findings.told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?,
        Output::Table => {
            print(&format!(
                "restored {} from backup {name}, taken {}",
                dirs.dir.display(),
                list.taken.to_rfc3339()
            ))?;
            print(&format!("the audit trail ends at {}; {lost}", shown(&head)))?;
            for finding in &findings.told {
                print(&format!("failed {finding}"))?;
            }
        }
    }
    match findings.count() {
        0 => Ok(()),
        count => Err(Failure::new(format!("the audit trail is not what was recorded (findings: {count})"))),
    }
}

/// The database that a dump is restored to, and the schema of its tables; `None` where the database is a file. Settings
/// must name the kind of database that the backup has.
async fn postgres(list: &BackupList, settings: &Settings) -> Result<Option<(PostgresUrl, String)>> {
    match (&list.schema, place(settings, &settings.data.dir)?) {
        (None, Place::Sqlite(_)) => Ok(None),
        (Some(schema), Place::Postgres(url)) => {
            check_target(&url, schema).await?;
            Ok(Some((url, schema.clone())))
        }
        (None, Place::Postgres(_)) => Err(Failure::usage(
            "store.url names a PostgreSQL database, and the backup has the database of a data directory: expected no \
             store.url",
        )),
        (Some(_), Place::Sqlite(_)) => Err(Failure::usage(
            "the backup has a PostgreSQL database: expected store.url with the URL of an empty one (MUSTER__STORE__URL, or \
             --config FILE)",
        )),
    }
}

/// The folder that a file is restored to: what processes share is in a folder of its own, if settings name one.
fn folder_of<'a>(dirs: &'a EmptyDirs, file: &BackupFile) -> &'a Path {
    let is_shared = file.path == MARK
        || ["keys/", "tables/", "results/"].iter().any(|folder| file.path.starts_with(folder));
    if is_shared { &dirs.shared } else { &dirs.dir }
}

/// What the restored trail lacks, in words.
fn lost(head: &AuditHead, noted: Option<&AuditHead>) -> String {
    match noted {
        None => "no noted head was given, so it is not known how many events were recorded after the backup"
            .into(),
        Some(noted) if noted.sequence > head.sequence => {
            format!("lost: events {} to {} at least", head.sequence + 1, noted.sequence)
        }
        Some(noted) => format!("it reaches the noted event {}", noted.sequence),
    }
}

fn copy_keys(from: &Path, to: &Path) -> Result {
    make_private(to)?;
    let mut copied = 0;
    let unreadable = || format!("folder {} cannot be listed", from.display());
    for entry in std::fs::read_dir(from).context(unreadable)? {
        let path: PathBuf = entry.context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            let name = path.file_name().unwrap_or_default();
            std::fs::copy(&path, to.join(name)).context(|| format!("{} cannot be copied", path.display()))?;
            copied += 1;
        }
    }
    if copied == 0 {
        return Err(Failure::usage(format!(
            "{} has no file that ends in .key: expected the keys",
            from.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said_as_far_as_it_is_known() {
        let head = |sequence| AuditHead { sequence, hash: String::new() };
        assert!(lost(&head(7), None).starts_with("no noted head was given"));
        assert_eq!(lost(&head(7), Some(&head(9))), "lost: events 8 to 9 at least");
        assert_eq!(lost(&head(7), Some(&head(7))), "it reaches the noted event 7");
    }
}
