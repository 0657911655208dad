//! `muster backup` and `muster restore`: copies of everything that the service keeps.

use crate::cli::{BackupCommand, RestoreArgs};
use crate::clock::SystemClock;
use crate::commands::audit;
use crate::config::Settings;
use crate::data_dir::{DataDir, KEYS, MARK, RESTORED, SETTINGS, seal_key_in};
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, text};
use muster_reports::audit::{AuditHead, AuditOperation};
use muster_reports::ids::TenantId;
use muster_reports::ports::{AuditTrail, Clock, SnapshotCatalogue};
use muster_runs::backup::{BackupFolder, BackupList, BackupParts, DATABASE, Taken, Writing};
use muster_store::{Place, SealKey, Store};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How often a backup begins again because files went away while it was made.
const TRIES: u32 = 5;

/// Does what `command` says.
pub async fn run(command: &BackupCommand, settings: &Settings, output: Output) -> Result {
    match command {
        BackupCommand::Take { folder, keys } => Box::pin(take(folder, *keys, settings, output)).await,
        BackupCommand::List { folder } => list(folder, output),
        BackupCommand::Verify { folder, backup, keys, noted } => {
            let noted = noted.iter().map(|text| audit::head(text)).collect::<Result<_>>()?;
            let keys = keys.as_deref();
            let findings = verify(folder, backup.as_deref(), keys, noted, &tenant(settings)).await?;
            tell(&findings, output)
        }
    }
}

fn tenant(settings: &Settings) -> TenantId {
    TenantId::new(&settings.tenant.id)
}

async fn take(folder: &Path, with_keys: bool, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let writing = BackupFolder::to_write(folder)?;
    // Recorded first, so that the trail of the backup has it.
    let details = format!("to {}, {} keys", folder.display(), if with_keys { "with" } else { "without" });
    data.store.record(&data.event(AuditOperation::BackupTaken, "backup", details)).await?;
    let mut gone = String::new();
    for _ in 0..TRIES {
        let parts = parts(&data, &writing, with_keys).await?;
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

/// Runs what reads and writes files for long without holding up the runtime.
fn blocking<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(work)
}

/// A copy of the database, and what it names.
async fn parts(data: &DataDir, writing: &Writing, with_keys: bool) -> Result<BackupParts> {
    let database = writing.draft(DATABASE)?;
    let taken = SystemClock.now();
    data.store.copy_to(&database).await?;
    // What the copy names counts, not what the service names by now.
    let copy = open_copy(&database, None).await?;
    let audit_head = copy.audit_end(&data.tenant).await?;
    let snapshots = copy.kept().await?;
    let results = copy.published_files().await?;
    copy.close().await;
    Ok(BackupParts {
        database,
        snapshots,
        results,
        data: data.dir().to_owned(),
        others: others(data, with_keys)?,
        taken,
        made_by: format!("muster {}", env!("CARGO_PKG_VERSION")),
        with_keys,
        audit_head: shown(&audit_head),
    })
}

fn shown(head: &AuditHead) -> String {
    format!("{}:{}", head.sequence, head.hash)
}

async fn open_copy(path: &Path, seal_key: Option<SealKey>) -> Result<Store> {
    let settings = muster_store::Settings { seal_key, ..muster_store::Settings::default() };
    Ok(Store::open(&Place::Sqlite(path.to_owned()), settings).await?)
}

/// Files beside the database, tables and results: the mark, definitions of reports, and the keys and settings if they are
/// wanted.
fn others(data: &DataDir, with_keys: bool) -> Result<Vec<String>> {
    let mut others = vec![MARK.to_owned()];
    let definitions = data.settings.reports.definitions.as_deref();
    let keys = with_keys.then_some(Path::new(KEYS));
    for folder in definitions.filter(|folder| folder.is_relative()).into_iter().chain(keys) {
        others.extend(files_of(data.dir(), folder)?);
    }
    if with_keys && data.dir().join(SETTINGS).is_file() {
        others.push(SETTINGS.to_owned());
    }
    Ok(others)
}

/// The files of a folder in the data directory, by their places there.
fn files_of(dir: &Path, folder: &Path) -> Result<Vec<String>> {
    let unreadable = || format!("folder {} cannot be listed", dir.join(folder).display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir.join(folder)).context(unreadable)? {
        let entry = entry.context(unreadable)?;
        if entry.path().is_file() {
            let path = folder.join(entry.file_name());
            let text =
                path.to_str().ok_or_else(|| Failure::new(format!("{} is not UTF-8", path.display())))?;
            files.push(text.to_owned());
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
    let folder = BackupFolder::open(folder)?;
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

/// What a check of a part of a backup showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    Failed,
    Inconclusive,
}

#[derive(Serialize)]
struct Finding {
    outcome: Outcome,
    text: String,
}

impl Finding {
    fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { outcome, text: text.into() }
    }
}

fn tell(findings: &[Finding], output: Output) -> Result {
    let has = |outcome| findings.iter().any(|finding| finding.outcome == outcome);
    let verdict = match (has(Outcome::Failed), has(Outcome::Inconclusive)) {
        (true, _) => Outcome::Failed,
        (false, true) => Outcome::Inconclusive,
        (false, false) => Outcome::Ok,
    };
    match output {
        Output::Json => json(&json!({ "verdict": verdict, "findings": findings }))?,
        Output::Table => {
            for finding in findings {
                let word = match finding.outcome {
                    Outcome::Ok => "ok",
                    Outcome::Failed => "failed",
                    Outcome::Inconclusive => "inconclusive",
                };
                print(&format!("{word:<12} {}", finding.text))?;
            }
        }
    }
    match verdict {
        Outcome::Failed => {
            Err(Failure::new("the backup is not what was copied, or what was copied was damaged"))
        }
        Outcome::Ok | Outcome::Inconclusive => Ok(()),
    }
}

/// Checks a backup as a restore would use it, in a folder that is removed afterwards.
async fn verify(
    folder: &Path,
    backup: Option<&str>,
    keys: Option<&Path>,
    noted: Vec<AuditHead>,
    tenant: &TenantId,
) -> Result<Vec<Finding>> {
    let backups = BackupFolder::open(folder)?;
    let name = backups.find(backup)?;
    let list = match backups.list(&name) {
        Ok(list) => list,
        Err(error) => {
            let text = format!("list {name}: {}", muster_reports::error::error_chain(&error));
            return Ok(vec![Finding::new(Outcome::Failed, text)]);
        }
    };
    let mut findings =
        vec![Finding::new(Outcome::Ok, format!("list {name}: it has the SHA-256 in its name"))];
    let faults = blocking(|| {
        let faults = list.files.iter().map(|file| backups.fault(file));
        Ok(faults.collect::<muster_reports::Result<Vec<_>>>()?.into_iter().flatten().collect::<Vec<_>>())
    })?;
    if faults.is_empty() {
        let text =
            format!("{} files, {} bytes: as copied", count(list.files.len() as u64), count(list.bytes()));
        findings.push(Finding::new(Outcome::Ok, text));
    }
    findings.extend(faults.into_iter().map(|fault| Finding::new(Outcome::Failed, fault)));

    let scratch = tempfile::tempdir().context(|| "no folder can be made for the check".into())?;
    let opened = open_restored(&backups, &list, scratch.path(), keys).await;
    match opened {
        Err(failure) => {
            let text = format!("the database cannot be opened: {failure}");
            findings.push(Finding::new(Outcome::Failed, text));
        }
        Ok((store, has_key)) => {
            check_database(&store, &list, has_key, noted, tenant, &mut findings).await?;
            store.close().await;
        }
    }
    Ok(findings)
}

/// The database of a backup, copied to `scratch`, with the key of the trail's seal if there is one.
async fn open_restored(
    backups: &BackupFolder,
    list: &BackupList,
    scratch: &Path,
    keys: Option<&Path>,
) -> Result<(Store, bool)> {
    let place = scratch.join(DATABASE);
    let mut keys = keys.map(Path::to_owned);
    for file in &list.files {
        if file.path == DATABASE {
            blocking(|| Ok(backups.copy_out(file, &place)?))?;
        } else if keys.is_none() && file.path.starts_with("keys/") {
            backups.copy_out(file, &scratch.join(&file.path))?;
        }
    }
    if keys.is_none() && list.with_keys {
        keys = Some(scratch.join(KEYS));
    }
    let seal_key = keys.as_deref().map(seal_key_in).transpose()?;
    let has_key = seal_key.is_some();
    Ok((open_copy(&place, seal_key).await?, has_key))
}

async fn check_database(
    store: &Store,
    list: &BackupList,
    has_key: bool,
    noted: Vec<AuditHead>,
    tenant: &TenantId,
    findings: &mut Vec<Finding>,
) -> Result {
    let faults = store.file_faults().await?;
    if faults.is_empty() {
        findings.push(Finding::new(Outcome::Ok, "the database: SQLite finds no fault in it"));
    }
    findings.extend(
        faults.into_iter().map(|fault| Finding::new(Outcome::Failed, format!("the database: {fault}"))),
    );

    let verification = store.verify_audit(tenant, noted).await?;
    for finding in &verification.findings.told {
        findings.push(Finding::new(Outcome::Failed, format!("the audit trail: {finding}")));
    }
    if verification.is_sound() {
        let text = format!(
            "the audit trail: {} events, none changed, none missing, none moved; head {}",
            count(verification.events),
            shown(&verification.head)
        );
        findings.push(Finding::new(Outcome::Ok, text));
    }
    if let Some(resealed) = &verification.resealed {
        let text = format!("the audit trail was resealed at event {}", resealed.record.sequence);
        findings.push(Finding::new(Outcome::Inconclusive, text));
    }
    if !has_key {
        let text =
            "the seal of the audit trail's head: the backup has no keys; --keys names a folder that has them";
        findings.push(Finding::new(Outcome::Inconclusive, text));
    }

    // By the database of the backup and not by its list: what is missing in both would not be missed.
    let listed: BTreeMap<&str, &str> =
        list.files.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
    let mut needed = 0u64;
    let mut need = |path: String, sha256: &str, findings: &mut Vec<Finding>| {
        needed += 1;
        if listed.get(path.as_str()) != Some(&sha256) {
            findings.push(Finding::new(
                Outcome::Failed,
                format!(
                    "{path}: the database names it with the SHA-256 {sha256}, and the backup does not have it"
                ),
            ));
        }
    };
    for snapshot in store.kept().await? {
        for (table, files) in &snapshot.files {
            for (name, file) in files {
                need(format!("tables/{table}/{name}"), &file.sha256, findings);
            }
        }
    }
    for file in store.published_files().await? {
        need(format!("results/{}", file.stored_name), &file.sha256, findings);
    }
    if !findings.iter().any(|finding| finding.text.contains("the database names it")) {
        let text = format!("files that the database names: {}, all in the backup", count(needed));
        findings.push(Finding::new(Outcome::Ok, text));
    }
    Ok(())
}

/// Makes a data directory from a backup. The database comes last: a data directory without it is refused.
pub async fn restore(args: &RestoreArgs, settings: &Settings, output: Output) -> Result {
    let noted = args.noted.as_deref().map(audit::head).transpose()?;
    let backups = BackupFolder::open(&args.folder)?;
    let name = backups.find(args.backup.as_deref())?;
    let list = backups.list(&name)?;
    if settings.store.url.is_some() {
        return Err(Failure::usage(
            "store.url names a PostgreSQL database: expected no store.url; a backup has the database of a data directory",
        ));
    }
    if !list.with_keys && args.keys.is_none() {
        return Err(Failure::usage(
            "the backup has no keys: expected --keys FOLDER with the copy of keys/ that was kept in another place",
        ));
    }
    let dir = DataDir::own_empty(settings)?;
    blocking(|| {
        let mut database = None;
        for file in &list.files {
            if file.path == DATABASE {
                database = Some(file);
            } else {
                backups.copy_out(file, &dir.join(&file.path))?;
            }
        }
        if let Some(keys) = args.keys.as_deref().filter(|_| !list.with_keys) {
            copy_keys(keys, &dir.join(KEYS))?;
        }
        let text = format!("{name}\n");
        std::fs::write(dir.join(RESTORED), text)
            .context(|| "the mark of a restore cannot be written".into())?;
        let database = database.ok_or_else(|| Failure::new(format!("backup {name} has no {DATABASE}")))?;
        // Under another name first: the database appears as a whole.
        let draft = dir.join(format!("{DATABASE}.restoring"));
        backups.copy_out(database, &draft)?;
        std::fs::rename(&draft, dir.join(DATABASE)).context(|| format!("{DATABASE} cannot be named"))
    })?;
    let data = DataDir::open(settings).await?;
    let head = data.store.audit_end(&data.tenant).await?;
    let lost = lost(&head, noted.as_ref());
    let details = format!("from backup {name}, taken {}; {lost}", list.taken.to_rfc3339());
    data.store.record(&data.event(AuditOperation::Restored, "backup", details)).await?;
    let known = noted.into_iter().filter(|noted| noted.sequence <= head.sequence).collect();
    let findings = data.store.verify_audit(&data.tenant, known).await?.findings;
    data.store.close().await;
    match output {
        Output::Json => json(&json!({
            "backup": name, "data": dir, "taken": list.taken, "auditHead": shown(&head), "lost": lost,
            "findings": findings.told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?,
        Output::Table => {
            print(&format!(
                "restored {} from backup {name}, taken {}",
                dir.display(),
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
    crate::data_dir::make_private(to)?;
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
