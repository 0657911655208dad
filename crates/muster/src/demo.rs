//! `muster demo`: a sample organisation, every report over HTTP, and a service to try things on.
//!
//! It goes the way that a user goes: definitions and files, registration, refresh, credentials, the
//! HTTP API through the Rust SDK. Nothing here reaches round that way.

mod access;
mod reports;

use crate::cli::DemoArgs;
use crate::commands::client::{Created, NewClient, create};
use crate::commands::refresh::shown::text_of;
use crate::commands::source::{definition, registered};
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::output::{Output, count, print};
use crate::serve::{Face, Service, Signals};
use muster_console::OneTimeSignIn;
use muster_engine::Engine;
use muster_reports::Catalogue;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::ports::{Ids, Registry, ReportRunner};
use muster_runs::{RefreshOptions, Refreshes, Swept};
use muster_sources::SourceDefinition;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder of its own for a demo that was not given one.
pub fn fresh_dir() -> PathBuf {
    std::env::temp_dir().join(format!("muster-demo-{}", &SystemIds.fresh()[..8]))
}

/// What a demo came to, for `--output json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    data: &'a Path,
    base_url: &'a str,
    identities: u64,
    accounts: u64,
    reports: &'a [reports::Ran],
    user: &'a Created,
    application: &'a Created,
}

/// Runs the demo.
pub async fn run(args: &DemoArgs, settings: &Settings, output: Output) -> Result {
    let runner = |data: &DataDir, engine, catalogue| -> Result<Arc<dyn ReportRunner>> {
        Ok(Arc::new(data.report_runs(engine, catalogue)?))
    };
    Box::pin(run_with(args, settings, output, runner)).await
}

/// Runs the demo with what `runner` opens, so that a test can have reports fail.
async fn run_with(
    args: &DemoArgs,
    settings: &Settings,
    output: Output,
    runner: impl FnOnce(&DataDir, Arc<Engine>, Catalogue) -> Result<Arc<dyn ReportRunner>>,
) -> Result {
    if settings.data.dir.join("muster.db").exists() {
        return Err(Failure::new(format!(
            "{} is a data directory already: expected a new or empty folder; `muster serve` serves it",
            settings.data.dir.display()
        )));
    }
    let face = Face::listen(settings)?;
    let data = DataDir::open_or_make(settings).await?;
    let lock = data.lock_service()?;
    let catalogue = data.catalogue().await?;
    let engine = data.engine()?;
    let runner = runner(&data, engine.clone(), catalogue.clone())?;
    let say = Say(output);
    let sources = make_organisation(args, &data, &data.refreshes(engine.clone())?, say).await?;
    if args.no_reports {
        data.store.close().await;
        return Ok(());
    }
    let user = create(&data, demo_user()).await?;
    let application = create(&data, demo_application()).await?;

    let mut signals = Signals::listen()?;
    let code = SystemIds.fresh();
    let sign_in =
        OneTimeSignIn { code: code.clone(), client_id: user.id.clone(), client_secret: user.secret.clone() };
    let face = face.offering(sign_in);
    let service = Service::start(&data, lock, catalogue, engine, runner, face, Swept::Few).await?;
    let base_url = base_url(service.address());
    let console = settings.console.enabled.then(|| format!("{base_url}/ui/sign-in/once/{code}"));
    let folder = data.dir().join("reports");
    let ran = tokio::select! {
        ran = reports::run_all(&base_url, &user, &sources, &folder) => ran,
        () = signals.next() => Err(Failure::new("interrupted")),
    };
    let ended = match ran {
        Ok(ran) => {
            match output {
                Output::Table => {
                    print(&reports::table(&ran, data.dir()))?;
                    if !args.once {
                        print(&access::text(&base_url, console.as_deref(), &user, &application, data.dir()))?;
                    }
                }
                Output::Json => summarise(&data, &base_url, &ran, &user, &application).await?,
            }
            if !args.once {
                signals.next().await;
            }
            reports::verdict(&ran)
        }
        Err(failure) => Err(failure),
    };
    service.stop(&mut signals).await;
    data.store.close().await;
    say.line(&format!("The data stays in {}; remove the folder when you are done.", data.dir().display()))?;
    ended
}

/// Progress for people; silent where a program reads.
#[derive(Clone, Copy)]
struct Say(Output);

impl Say {
    fn line(self, text: &str) -> Result {
        match self.0 {
            Output::Table => print(text),
            Output::Json => Ok(()),
        }
    }
}

/// Writes the files of two generations, registers the sources, and refreshes after each, so that some
/// identities lose their authoritative account.
async fn make_organisation(
    args: &DemoArgs,
    data: &DataDir,
    refreshes: &Refreshes,
    say: Say,
) -> Result<Vec<SourceDefinition>> {
    let folder = data.dir().join("sources");
    std::fs::create_dir_all(&folder).context(|| format!("folder {} cannot be made", folder.display()))?;
    let options = |generation| muster_sample::Options {
        identities: u64::from(args.identities),
        seed: args.seed,
        generation,
        ..muster_sample::Options::default()
    };
    let generate = |generation| {
        muster_sample::generate(&folder, options(generation))
            .context(|| format!("the sample organisation cannot be written to {}", folder.display()))
    };
    let summary = generate(0)?;
    let documents = summary.documents.access_profiles + summary.documents.roles;
    let records = summary.sources.iter().map(|source| source.rows).sum::<u64>() + documents;
    say.line(&format!(
        "A sample organisation: {} people, {} sources, {} records",
        count(summary.identities),
        summary.sources.len() + 1,
        count(records)
    ))?;
    let mut sources = Vec::new();
    let definitions = summary.sources.iter().map(|source| &source.definition);
    for file in definitions.chain([&summary.documents.definition]) {
        let (definition, base_dir) = definition(&folder.join(file))?;
        let event = data.event(AuditOperation::ConfigurationChanged, &definition.name, "source added".into());
        let source = registered(&definition, &base_dir)?;
        data.store.put_sources(std::slice::from_ref(&source), &event).await?;
        sources.push(definition);
    }
    refresh_and_say(refreshes, say, "First refresh").await?;
    let later = generate(1)?;
    say.line(&format!("{} people leave", count(later.removed)))?;
    refresh_and_say(refreshes, say, "Second refresh").await?;
    Ok(sources)
}

async fn refresh_and_say(refreshes: &Refreshes, say: Say, what: &str) -> Result {
    let began = Instant::now();
    let report = refreshes.refresh(&RefreshOptions::default()).await?;
    let Some(snapshot) = &report.outcome.manifest else {
        say.line(&text_of(&report, false))?;
        return Ok(report.verdict()?);
    };
    let rows = |table: &str| count(snapshot.rows.get(table).copied().unwrap_or(0));
    let rejected = report.outcome.sources.iter().map(|source| source.run.rejected).sum();
    say.line(&format!(
        "{what}: {} identities, {} accounts, {} records rejected, in {}",
        rows("identities"),
        rows("accounts"),
        count(rejected),
        seconds(began.elapsed())
    ))
}

/// `1.24 s`
fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn demo_user() -> NewClient {
    NewClient {
        user: Some(UserIdentity {
            id: SystemIds.fresh(),
            name: "demo.admin".into(),
            levels: vec![UserLevel::OrgAdmin],
            audit: None,
        }),
        scopes: vec![Scope::All],
        data_scope: DataScope::Everything,
        description: "made by muster demo".into(),
        token_lifetime_s: None,
    }
}

fn demo_application() -> NewClient {
    NewClient {
        user: None,
        scopes: vec![Scope::ReportManage],
        data_scope: DataScope::Everything,
        description: "made by muster demo".into(),
        token_lifetime_s: None,
    }
}

/// A URL under which this machine reaches what listens on `address`.
fn base_url(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

async fn summarise(
    data: &DataDir,
    base_url: &str,
    ran: &[reports::Ran],
    user: &Created,
    application: &Created,
) -> Result {
    use muster_reports::ports::SnapshotCatalogue;
    let snapshot = data.store.newest(&data.tenant).await?;
    let rows = |table: &str| snapshot.as_ref().and_then(|s| s.rows.get(table).copied()).unwrap_or(0);
    crate::output::json(&Summary {
        data: data.dir(),
        base_url,
        identities: rows("identities"),
        accounts: rows("accounts"),
        reports: ran,
        user,
        application,
    })
}

#[cfg(test)]
mod tests;
