//! `muster source link` and `muster source links`: read manual links from a file, and write them to one.

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
