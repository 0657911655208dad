//! `muster snapshot`: published snapshots.

use crate::cli::SnapshotCommand;
use crate::config::Settings;
use crate::failure::Result;
use crate::house::House;
use crate::output::{Output, count, number, text};
use serde::Serialize;

#[derive(Serialize)]
struct Listed {
    id: String,
    created: String,
    sources: usize,
    identities: u64,
    accounts: u64,
    complete: bool,
}

/// Does what `command` says.
pub async fn run(command: &SnapshotCommand, settings: &Settings, output: Output) -> Result {
    match command {
        SnapshotCommand::List => list(&House::open(settings).await?, output).await,
    }
}

async fn list(house: &House, output: Output) -> Result {
    let snapshots = house.store.snapshots(&house.tenant).await?;
    let listed: Vec<_> = snapshots
        .iter()
        .map(|snapshot| {
            let rows = |table: &str| snapshot.rows.get(table).copied().unwrap_or(0);
            Listed {
                id: snapshot.id.to_string(),
                created: snapshot.created.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                sources: snapshot.sources.len(),
                identities: rows("identities"),
                accounts: rows("accounts"),
                complete: snapshot.sources.iter().all(|source| source.complete),
            }
        })
        .collect();
    let columns = [
        text("id"),
        text("created"),
        number("sources"),
        number("identities"),
        number("accounts"),
        text("complete"),
    ];
    output.list(&listed, &columns, |snapshot| {
        vec![
            snapshot.id.clone(),
            snapshot.created.clone(),
            count(snapshot.sources as u64),
            count(snapshot.identities),
            count(snapshot.accounts),
            if snapshot.complete { "yes" } else { "no" }.into(),
        ]
    })
}
