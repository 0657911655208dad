//! `muster`: a self-hosted Reports Data Extraction service for identity data, in one binary.
//!
//! This crate joins the others: settings, wiring, and commands that print. It has no business rule of its own
//! (`muster-runs` has them), and it alone reads the environment, the clock and randomness.

mod api;
mod bucket;
mod cli;
mod clock;
mod commands;
mod config;
mod crash;
mod data_dir;
mod demo;
#[cfg(test)]
mod documents;
mod environments;
mod failure;
mod ids;
mod installation_facts;
mod issuers;
mod metrics;
mod output;
mod part_file;
mod person;
mod progress_bar;
mod prompt;
mod secret_command;
mod serve;
mod systemd;
mod telemetry;
mod wiring;

use cli::{Cli, Command, DemoArgs, ServeArgs};
use config::{Effective, Given, Log, LogFormat, Settings};
use failure::{Context, Failure, Result};
use muster_http::connections::open_files;
use muster_reports::trace::{PLAN_TARGET, TARGET};
use muster_telemetry::{Telemetry, spans_of_ours};
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Clap prints usage errors itself and ends with status 2.
    match run(cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context(|| "the runtime cannot be started".into())?;
    runtime.block_on(dispatch(cli))
}

async fn dispatch(cli: Cli) -> Result {
    let output = output::present(cli.output, cli.json.clone(), cli.wide);
    let effective = effective(&cli)?;
    let settings = &effective.settings;
    let is_service = matches!(cli.command, Command::Serve(_));
    let telemetry = if is_service { telemetry::begin(settings)? } else { None };
    start_log(settings, &cli.command, telemetry.as_ref())?;
    open_files::raise();
    crash::arm(std::env::var_os(crash::VARIABLE))?;
    let outcome = match &cli.command {
        Command::Serve(args) => Box::pin(serve::run(args, settings, telemetry.as_ref())).await,
        Command::Demo(args) => Box::pin(demo::run(args, settings, output)).await,
        Command::Client(command) => Box::pin(commands::client::run(command, settings, output)).await,
        Command::Source(command) => Box::pin(commands::source::run(command, settings, output)).await,
        Command::Refresh(args) => commands::refresh::run(args, settings, output).await,
        Command::Report(command) => Box::pin(commands::report::run(command, settings, output)).await,
        Command::Review(command) => Box::pin(commands::review::run(command, output)).await,
        Command::Definition(command) => Box::pin(commands::definition::run(command, settings, output)).await,
        Command::Env(command) => commands::env::run(command, output),
        Command::Login(args) => Box::pin(commands::env::login(args)).await,
        Command::Mcp(args) => Box::pin(commands::mcp::run(&args.service)).await,
        Command::Schedule(command) => Box::pin(commands::schedule::run(command, settings, output)).await,
        Command::Notification(command) => commands::notification::run(command, settings, output).await,
        Command::Search(command) => commands::search::run(command, output),
        Command::Keys(command) => commands::keys::run(command, settings, output).await,
        Command::Evidence(command) => commands::evidence::run(command, settings, output).await,
        Command::Audit(command) => Box::pin(commands::audit::run(command, settings, output)).await,
        Command::Verify(args) => commands::verify::run(args, output),
        Command::Status => Box::pin(commands::status::run(settings, output)).await,
        Command::Doctor(args) => Box::pin(commands::doctor::run(args, &effective, output)).await,
        Command::Check => Box::pin(commands::check::run(settings, output)).await,
        Command::Upgrade(args) => Box::pin(commands::upgrade::run(args, settings, output)).await,
        Command::Backup(command) => Box::pin(commands::backup::run(command, settings, output)).await,
        Command::Restore(args) => Box::pin(commands::backup::restore(args, settings, output)).await,
        Command::Snapshot(command) => commands::snapshot::run(command, settings, output).await,
        Command::Correlate(command) => commands::correlate::run(command, settings, output).await,
        Command::Completion { shell } => commands::manual::completion(*shell),
        Command::Manual { folder } => commands::manual::pages(folder),
        Command::Config(command) => commands::config::run(command, &effective, output),
    };
    if let Some(telemetry) = telemetry
        && !telemetry.end(telemetry::FLUSH_MOST)
    {
        tracing::warn!("the collector has not taken all traces and metrics: the rest is lost");
    }
    outcome
}

fn effective(cli: &Cli) -> Result<Effective> {
    let mut given = Given { config: cli.config.clone(), ..Given::default() };
    given.flag("--data", "data.dir", cli.data.as_ref().map(|dir| dir.display()));
    if let (Command::Demo(_), None) = (&cli.command, &cli.data) {
        given.flag("muster demo", "data.dir", Some(demo::fresh_dir().display()));
    }
    if let Command::Serve(ServeArgs { listen, .. }) | Command::Demo(DemoArgs { listen, .. }) = &cli.command {
        given.flag("--listen", "server.listen", *listen);
    }
    // A variable that is not UTF-8 cannot be a setting.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Effective::load(&given, environment)?)
}

/// Log lines go to standard error. Unless a filter is set, commands that end by themselves log only what is wrong.
///
/// Spans of requests and runs are made whatever the filter says, so that each line has their ids. Spans of the operators of
/// plans are made only for a collector: there are many. Those of libraries are never made: they may have what a client sent.
fn start_log(settings: &Settings, command: &Command, telemetry: Option<&Telemetry>) -> Result {
    let is_default = settings.log.filter == Log::default().filter;
    let quiet = is_default && !matches!(command, Command::Serve(_));
    let filter = if quiet { "warn" } else { settings.log.filter.as_str() };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("log.filter is {filter:?}: {error}")))?;
    let spans = |target: &str| {
        let made = format!("{target}=info").parse::<Directive>();
        made.context(|| format!("spans of {target:?} cannot be made"))
    };
    let mut filter = filter.add_directive(spans(TARGET)?);
    if telemetry.is_some() {
        filter = filter.add_directive(spans(PLAN_TARGET)?);
    }
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        // Otherwise what cannot be written is reported on standard error by a macro that panics: a log on a full
        // disk would end the service.
        .log_internal_errors(false)
        .with_ansi(
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        );
    let lines = match settings.log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // The filters are of all layers. A filter of one layer would lose a line or a span after each question whether a level
    // is logged that is not followed by a line, and libraries ask that.
    let layers = registry().with(telemetry.map(Telemetry::layer)).with(filter).with(spans_of_ours());
    let started = layers.with(lines).try_init();
    started.map_err(|error| Failure::with("the log cannot be started", error))
}
