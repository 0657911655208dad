//! `muster backup verify`: a backup is checked as a restore would use it, in a folder and, for PostgreSQL, a database that are
//! removed afterwards.

use super::shared::{backup_place, blocking, open_copy, shown};
use crate::cli::VerifyBackupArgs;
use crate::commands::audit;
use crate::data_dir::{KEYS, seal_key_in};
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::output::{Output, count, json, print};
use muster_reports::audit::AuditHead;
use muster_reports::error::error_chain;
use muster_reports::ids::TenantId;
use muster_reports::ports::{Ids, SnapshotCatalogue};
use muster_runs::backup::{BackupFile, BackupFolder, BackupList};
use muster_store::{
    Place, PostgresUrl, ScratchDatabase, SealKey, Settings, Store, can_read_dumps, read_dump, restore_dump,
};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Does what `muster backup verify` says.
pub async fn run(args: &VerifyBackupArgs, tenant: &TenantId, output: Output) -> Result {
    let noted = args.noted.iter().map(|text| audit::head(text)).collect::<Result<_>>()?;
    // Not by the parser of the command line: its errors quote what was typed, which may have a password.
    let server: Option<PostgresUrl> = match &args.server {
        Some(url) => {
            let url = url.parse::<PostgresUrl>();
            Some(url.map_err(|error| Failure::usage(format!("--server: {error}")))?)
        }
        None => None,
    };
    let findings = Box::pin(verify(args, noted, server.as_ref(), tenant)).await?;
    tell(&findings, output)
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

/// Checks a backup as a restore would use it.
async fn verify(
    args: &VerifyBackupArgs,
    noted: Vec<AuditHead>,
    server: Option<&PostgresUrl>,
    tenant: &TenantId,
) -> Result<Vec<Finding>> {
    let place = backup_place(&args.folder)?;
    let (backups, name) = blocking(|| {
        let backups = BackupFolder::open(&place)?;
        let name = backups.find(args.backup.as_deref())?;
        Ok((backups, name))
    })?;
    let list = match blocking(|| Ok(backups.list(&name)?)) {
        Ok(list) => list,
        Err(error) => {
            let text = format!("list {name}: {}", error_chain(&error));
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
    let taken_out = take_out(&backups, &list, scratch.path(), args.keys.as_deref());
    let (database, seal_key) = match taken_out {
        Ok(taken_out) => taken_out,
        Err(failure) => {
            let text = format!("the database cannot be opened: {}", error_chain(&failure));
            findings.push(Finding::new(Outcome::Failed, text));
            return Ok(findings);
        }
    };
    let checks = DatabaseChecks { list: &list, has_key: seal_key.is_some(), noted, tenant };
    match &list.schema {
        None => match open_copy(&database, seal_key).await {
            Err(failure) => {
                let text = format!("the database cannot be opened: {failure}");
                findings.push(Finding::new(Outcome::Failed, text));
            }
            Ok(store) => {
                check_file(&store, &mut findings).await?;
                checks.make(&store, &mut findings).await?;
                store.close().await;
            }
        },
        Some(schema) => {
            if check_dump(&database, &mut findings).await {
                match server {
                    Some(server) => {
                        Box::pin(check_restored(server, schema, &database, seal_key, checks, &mut findings)).await?;
                    }
                    None => findings.push(Finding::new(
                        Outcome::Inconclusive,
                        "what is in the database, and the audit trail: --server names a PostgreSQL server, on which a \
                         database is made for the check and removed",
                    )),
                }
            }
        }
    }
    Ok(findings)
}

/// Copies the database of a backup to `scratch`; its place, and the key of the trail's seal if there is one.
fn take_out(
    backups: &BackupFolder,
    list: &BackupList,
    scratch: &Path,
    keys: Option<&Path>,
) -> Result<(PathBuf, Option<SealKey>)> {
    let place = scratch.join(list.database());
    let mut keys = keys.map(Path::to_owned);
    let is_wanted = |file: &&BackupFile| {
        file.path == list.database() || (keys.is_none() && file.path.starts_with("keys/"))
    };
    for file in list.files.iter().filter(is_wanted) {
        blocking(|| Ok(backups.copy_out(file, &scratch.join(&file.path))?))?;
    }
    if keys.is_none() && list.with_keys {
        keys = Some(scratch.join(KEYS));
    }
    Ok((place, keys.as_deref().map(seal_key_in).transpose()?))
}

/// What SQLite says of the file.
async fn check_file(store: &Store, findings: &mut Vec<Finding>) -> Result {
    let faults = store.file_faults().await?;
    if faults.is_empty() {
        findings.push(Finding::new(Outcome::Ok, "the database: SQLite finds no fault in it"));
    }
    findings.extend(
        faults.into_iter().map(|fault| Finding::new(Outcome::Failed, format!("the database: {fault}"))),
    );
    Ok(())
}

/// Whether a dump can be read to its end.
async fn check_dump(dump: &Path, findings: &mut Vec<Finding>) -> bool {
    if !can_read_dumps() {
        findings.push(Finding::new(
            Outcome::Inconclusive,
            "the database: there is no pg_restore on the path to read the dump with (on Debian the package \
             postgresql-client)",
        ));
        return false;
    }
    match read_dump(dump).await {
        Ok(()) => {
            findings.push(Finding::new(Outcome::Ok, "the database: pg_restore reads the dump to its end"));
            true
        }
        Err(error) => {
            let text = format!("the database: {}", error_chain(&error));
            findings.push(Finding::new(Outcome::Failed, text));
            false
        }
    }
}

/// Restores a dump to a database that is made for it, and looks at what is there.
async fn check_restored(
    server: &PostgresUrl,
    schema: &str,
    dump: &Path,
    seal_key: Option<SealKey>,
    checks: DatabaseChecks<'_>,
    findings: &mut Vec<Finding>,
) -> Result {
    let name = format!("muster_verify_{}", SystemIds.fresh());
    let scratch = ScratchDatabase::make(server, &name, schema).await?;
    let checked = async {
        if let Err(error) = restore_dump(&scratch.url, schema, dump).await {
            let text = format!("the database cannot be restored: {}", error_chain(&error));
            findings.push(Finding::new(Outcome::Failed, text));
            return Ok(());
        }
        findings.push(Finding::new(Outcome::Ok, "the database: PostgreSQL takes it"));
        let settings = Settings { seal_key, ..Settings::default() };
        let store = Store::open(&Place::Postgres(scratch.url.clone()), settings).await?;
        let made = checks.make(&store, findings).await;
        store.close().await;
        made
    }
    .await;
    scratch.remove().await?;
    checked
}

/// What a database must hold for the backup to be whole.
struct DatabaseChecks<'a> {
    list: &'a BackupList,
    has_key: bool,
    noted: Vec<AuditHead>,
    tenant: &'a TenantId,
}

impl DatabaseChecks<'_> {
    async fn make(self, store: &Store, findings: &mut Vec<Finding>) -> Result {
        let Self { list, has_key, noted, tenant } = self;
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
            let text = "the seal of the audit trail's head: the backup has no keys; --keys names a folder that has them";
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
}
