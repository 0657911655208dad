//! Runs a report, says how far it is, and fetches its file:
//!
//! ```sh
//! SAIL_BASE_URL=http://127.0.0.1:8080 SAIL_CLIENT_ID=… SAIL_CLIENT_SECRET=… cargo run --example run_report -- identities.csv
//! ```

use muster_client::wire::{FileFormat, IdentitiesArguments};
use muster_client::{Client, Configuration, Download, DownloadOptions, Error, succeeded};
use std::path::Path;
use std::time::Duration;

/// The longest time that the report may take.
const LONGEST: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "identities.csv".to_owned());
    let client = Client::new(Configuration::from_env()?)?;
    let download = fetch_identities(&client, Path::new(&file)).await?;
    println!("{file}: {} bytes", download.bytes);
    Ok(())
}

/// Writes all identities to a file, as CSV.
pub async fn fetch_identities(client: &Client, to: &Path) -> Result<Download, Error> {
    let reports = client.reports();
    // If this future is dropped while it waits, the service stops the report, too.
    let mut running =
        reports.run(&IdentitiesArguments { correlated_only: None }).start().await?.cancel_on_drop();
    let result = running
        .watch(LONGEST, |progress| {
            if let Some(text) = &progress.text {
                eprintln!("{text}");
            }
        })
        .await?;
    // A report that failed or was cancelled has no file.
    let rows = succeeded(result)?.rows;
    eprintln!("rows: {rows:?}");

    let mut file = tokio::fs::File::create(to).await.map_err(Error::Write)?;
    // The download is recorded in the service's audit trail.
    let options = DownloadOptions { auditable: true, ..DownloadOptions::default() };
    reports.get_report(running.id(), &FileFormat::Csv, &options, &mut file).await
}
