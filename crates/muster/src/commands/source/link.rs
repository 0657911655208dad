//! `muster source link`, `unlink` and `links`: manual links are read from a file, removed, and written to a file.

use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, table};
use crate::part_file::PartFile;
use muster_reports::audit::AuditOperation;
use muster_reports::ports::{Registry, SnapshotCatalogue};
use muster_runs::{read_links, written_links};
use std::io::Write;
use std::path::Path;

/// Imports the links of `file`. Refused rows do not prevent the others.
pub async fn import(file: &Path, data: &DataDir, output: Output) -> Result {
    let bytes = std::fs::read(file).context(|| format!("{} cannot be read", file.display()))?;
    let sources = data.store.sources(&data.tenant).await?;
    let mut links = read_links(&bytes, &sources)
        .map_err(|reason| Failure::new(format!("{}: {reason}", file.display())))?;
    // Before the first snapshot, no identities are known.
    if let Some(newest) = data.store.newest(&data.tenant).await? {
        links.refuse_by(&data.engine()?, newest).await?;
    }
    let details = format!("{} accounts linked by hand", links.links.len());
    let event = data.event(AuditOperation::ConfigurationChanged, "links", details);
    data.store.put_links(&links.links, &event).await?;
    match output {
        Output::Json => json(&serde_json::json!({
            "linked": links.links.len(), "withoutUserName": links.open, "refused": links.refused,
        }))?,
        Output::Table => {
            let row = [links.links.len() as u64, links.open, links.refused.len() as u64].map(count);
            let columns = [number("linked"), number("without userName"), number("refused")];
            print(&table(&columns, std::iter::once(row.to_vec())))?;
            for refused in &links.refused {
                print(&format!("line {}: {}", refused.line, refused.reason))?;
            }
        }
    }
    match links.refused.len() {
        0 => Ok(()),
        rows => Err(Failure::new(format!("{rows} rows of {} were refused", file.display()))),
    }
}

/// Removes links of a source: those of these accounts, or all.
pub async fn remove(named: &str, accounts: Option<&[String]>, data: &DataDir) -> Result {
    let source = super::found(named, data).await?;
    let details = match accounts {
        Some(accounts) => format!("links of {} accounts removed", accounts.len()),
        None => "all links removed".to_owned(),
    };
    let event = data.event(AuditOperation::ConfigurationChanged, &source.name, details);
    let removed = data.store.remove_links(&source.id, accounts, &event).await?;
    print(&format!("links of source {:?} that were removed: {}", source.name, count(removed)))?;
    let missing = accounts.map_or(0, |accounts| accounts.len() as u64).saturating_sub(removed);
    match (missing, accounts) {
        (0, _) | (_, None) => Ok(()),
        (missing, Some(_)) => Err(Failure::not_found(format!(
            "{} accounts have no link that was made by hand; `muster source links` lists them",
            count(missing)
        ))),
    }
}

/// Writes every link of the tenant to `to`, by source and account; `-` is standard output.
pub async fn export(to: &Path, data: &DataDir) -> Result {
    let sources = data.store.sources(&data.tenant).await?;
    let text = written_links(&data.store.links(&data.tenant).await?, &sources)?;
    if to.as_os_str() == "-" {
        return print(text.trim_end());
    }
    let (part, mut file) = PartFile::create(to)?;
    file.write_all(text.as_bytes()).context(|| format!("{} cannot be written", to.display()))?;
    part.finish(to)
}
