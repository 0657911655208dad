//! `muster source check`: reads a source to its end, keeps nothing, and says what a refresh would make of it.

use super::definition;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::{Output, count, json, number, print, table, text};
use muster_reports::error::error_chain;
use muster_reports::ports::{Clock, SnapshotCatalogue};
use muster_reports::snapshot::SourceRun;
use muster_runs::CheckedSource;
use muster_sources::{SourceCheck, SourceDefinition};
use std::path::Path;

/// Checks the source. The command fails if a refresh would not accept the source as it is.
pub async fn run(file: &Path, rejected_max: usize, settings: &Settings, output: Output) -> Result {
    let (definition, base_dir) = definition(file)?;
    let environment = |name: &str| std::env::var(name).ok();
    let mut checked = CheckedSource::read(&definition, &base_dir, &environment, rejected_max)?;
    match last_run(settings, &checked.source.id).await {
        Ok(last) => checked.compare(last.as_ref()),
        Err(failure) => {
            let why = error_chain(&failure);
            checked.source.warnings.push(format!("it cannot be compared with the last snapshot: {why}"));
        }
    }
    match output {
        Output::Json => json(&checked)?,
        Output::Table => print_text(&checked.source, &definition)?,
    }
    Ok(checked.verdict(SystemClock.now())?)
}

/// What the last snapshot has of a source, if it has the source.
async fn last_run(settings: &Settings, id: &str) -> Result<Option<SourceRun>> {
    let Some(data) = DataDir::open_if_there(settings).await? else { return Ok(None) };
    let newest = data.store.newest(&data.tenant).await?;
    Ok(newest.and_then(|snapshot| snapshot.source(id).cloned()))
}

fn print_text(source: &SourceCheck, definition: &SourceDefinition) -> Result {
    let columns =
        [text("source"), text("id"), number("read"), number("accepted"), number("rejected"), number("bytes")];
    let row = vec![
        source.name.clone(),
        source.id.clone(),
        count(source.read),
        count(source.accepted),
        count(source.rejected),
        count(source.bytes),
    ];
    print(&table(&columns, std::iter::once(row)))?;
    if !source.attributes.is_empty() {
        print(&format!("attributes: {}", source.attributes.join(", ")))?;
    }
    if let Some(date) = source.as_of {
        print(&format!("as of: {}", date.to_rfc3339()))?;
    }
    for (index, documents) in &source.documents {
        print(&format!("{index}: {}", count(*documents as u64)))?;
    }
    for warning in &source.warnings {
        print(&format!("warning: {warning}"))?;
    }
    if let Some(reason) = &source.incomplete_reason {
        print(&format!("incomplete: {reason}"))?;
    }
    for record in &source.rejections {
        let who = record.native_identity.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
        print(&format!("{}{who}: {}", definition.reader.place(record.line), record.reason))?;
    }
    let listed = source.rejections.len() as u64;
    if listed < source.rejected {
        print(&format!("{} more rejected records", count(source.rejected - listed)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_definition_that_is_wrong_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.toml");
        std::fs::write(&file, "name = \"People\"\nkind = \"fax\"\n").unwrap();
        let error = definition(&file).unwrap_err().to_string();
        assert!(error.contains("people.toml") && error.contains("kind"), "{error}");
        let error = definition(&dir.path().join("other.toml")).unwrap_err().to_string();
        assert!(error.ends_with("other.toml cannot be read"), "{error}");
    }
}
