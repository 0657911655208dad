//! `muster refresh`: reads every source, correlates, publishes.

pub mod shown;

use crate::cli::RefreshArgs;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::Output;
use muster_runs::RefreshOptions;

/// Does what `args` say.
pub async fn run(args: &RefreshArgs, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let options = RefreshOptions {
        full: args.full,
        rebuild: args.rebuild,
        accept_missing: args.accept_missing.clone(),
        as_of: args.as_of,
        snapshot: None,
    };
    let report = data.refreshes(data.engine()?)?.refresh(&options).await?;
    shown::print_report(&report, args.rejected, output, args.verbose)?;
    data.store.close().await;
    Ok(report.verdict()?)
}
