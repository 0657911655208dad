//! `muster source show`: a registered source, its links, and how it was read last.

use super::{found, kept};
use crate::data_dir::DataDir;
use crate::failure::{Context, Result};
use crate::output::{Output, count, json, print};
use chrono::SecondsFormat;
use muster_reports::ports::{Registry, SnapshotCatalogue};
use muster_reports::snapshot::SourceRun;
use muster_sources::SourceDefinition;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    name: &'a str,
    kind: &'static str,
    authoritative: bool,
    base_dir: &'a str,
    /// Links of its accounts that were made by hand.
    links: usize,
    /// How the newest snapshot read it.
    last_read: Option<&'a SourceRun>,
    definition: &'a SourceDefinition,
}

/// Shows the source of a name or an id.
pub async fn run(named: &str, data: &DataDir, output: Output) -> Result {
    let source = found(named, data).await?;
    let definition = kept(&source)?;
    let links = data.store.links(&data.tenant).await?.iter().filter(|link| link.source == source.id).count();
    let newest = data.store.newest(&data.tenant).await?;
    let shown = Shown {
        id: source.id.as_str(),
        name: &source.name,
        kind: definition.reader.kind(),
        authoritative: definition.is_authoritative(),
        base_dir: &source.base_dir,
        links,
        last_read: newest.as_ref().and_then(|snapshot| snapshot.source(source.id.as_str())),
        definition: &definition,
    };
    match output {
        Output::Json => json(&shown),
        Output::Table => print(&text(&shown)?),
    }
}

fn text(shown: &Shown<'_>) -> Result<String> {
    let read = shown.last_read.map_or_else(
        || "never; the next `muster refresh` reads it".to_owned(),
        |run| {
            let complete = if run.complete { "" } else { ", incomplete" };
            format!(
                "{}: {} accounts, {} records refused{complete}",
                run.ended.to_rfc3339_opts(SecondsFormat::Secs, true),
                count(run.loaded),
                count(run.rejected)
            )
        },
    );
    let authoritative = if shown.authoritative { ", authoritative" } else { "" };
    let definition =
        serde_json::to_string_pretty(shown.definition).context(|| "the definition cannot be shown".into())?;
    Ok(format!(
        "{}: {}{authoritative}, id {}\nfolder: {}\nread last: {read}\nlinks made by hand: {}\n\n{definition}",
        shown.name,
        shown.kind,
        shown.id,
        shown.base_dir,
        count(shown.links as u64)
    ))
}
