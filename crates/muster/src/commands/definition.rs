//! `muster definition`: reports of one's own.

mod kept;

use crate::cli::{DefinitionCommand, TrialArgs};
use crate::config::Settings;
use crate::data_dir::{self, DataDir};
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::output::{Output, count, json, print, say};
use muster_client::wire::NewDefinitionDetails;
use muster_engine::{Engine, EngineSettings};
use muster_reports::arguments::{ArgumentKind, RawArguments, RawValue};
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{Caller, DataScope};
use muster_reports::definition::SELECTED_FORMATS;
use muster_reports::definition_fault::DefinitionFault;
use muster_reports::ids::TaskId;
use muster_reports::nearest::hint;
use muster_reports::ports::Ids;
use muster_reports::{Catalogue, FileFormat, ReportDefinition};
use muster_runs::{ResultFiles, Trial, check_definition, run_once};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Memory that the plans of a check may use; they read nothing.
const CHECK_MEMORY: usize = 256 << 20;

/// Does what `command` says.
pub async fn run(command: &DefinitionCommand, settings: &Settings, output: Output) -> Result {
    match command {
        DefinitionCommand::New { id, to, force } => new(id, to.as_deref(), *force),
        DefinitionCommand::Check { file } => check(file, output).await,
        DefinitionCommand::Run(args) => run_file(args, settings).await,
        DefinitionCommand::Add { file } => kept::add(file, settings, output).await,
        DefinitionCommand::List => kept::list(settings, output).await,
        DefinitionCommand::Show { id, version, versions } => {
            kept::show(id, *version, *versions, settings, output).await
        }
        DefinitionCommand::Remove { id } => kept::remove(id, settings).await,
    }
}

fn new(id: &str, to: Option<&Path>, force: bool) -> Result {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        return Err(Failure::usage(format!("the id is {id:?}: expected letters, digits, _ and -")));
    }
    let to = to.map_or_else(|| PathBuf::from(format!("{id}.toml")), Path::to_owned);
    if to.exists() && !force {
        return Err(Failure::new(format!(
            "{} is there already and stays as it is: expected --to FILE, or --force to replace it",
            to.display()
        )));
    }
    std::fs::write(&to, NewDefinitionDetails::template(id))
        .context(|| format!("{} cannot be written", to.display()))?;
    print(&format!(
        "{to}: a report of identities without a manager; change it, then `muster definition check {to}` and `muster \
         definition run {to}`",
        to = to.display()
    ))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).context(|| format!("{} cannot be read", file.display()))
}

async fn check(file: &Path, output: Output) -> Result {
    let text = read(file)?;
    let (definition, faults) = checked(&text).await?;
    match output {
        Output::Json => json(&serde_json::json!({
            "id": definition.as_ref().map(|definition| definition.id.as_str()),
            "version": definition.as_ref().map(|definition| definition.version),
            "faults": faults,
        }))?,
        Output::Table => {
            for fault in &faults {
                print(&format!("{}: {fault}", file.display()))?;
            }
        }
    }
    match definition.filter(|_| faults.is_empty()) {
        Some(definition) if output == Output::Table => print(&format!(
            "{}: report {} version {} can be run",
            file.display(),
            definition.id,
            definition.version
        )),
        Some(_) => Ok(()),
        None => Err(Failure::new(format!("{} has {} faults", file.display(), count(faults.len() as u64)))),
    }
}

/// What [`check_definition`] says, with an engine of its own: a check needs no data directory.
async fn checked(text: &str) -> Result<(Option<ReportDefinition>, Vec<DefinitionFault>)> {
    let folder = scratch()?;
    let place = |name: &str| folder.0.join(name);
    let settings = EngineSettings {
        tables_dir: place("tables"),
        work_dir: place("work"),
        memory_limit_bytes: CHECK_MEMORY,
        threads: 1,
    };
    let engine = Arc::new(Engine::open(settings).map_err(muster_reports::Error::from)?);
    Ok(check_definition(&engine, text, &Catalogue::built_in()).await?)
}

/// A folder that goes with what uses it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a folder could not be removed");
        }
    }
}

fn scratch() -> Result<Scratch> {
    let folder = std::env::temp_dir().join(format!("muster-definition-{}", SystemIds.fresh()));
    std::fs::create_dir(&folder).context(|| format!("folder {} cannot be made", folder.display()))?;
    Ok(Scratch(folder))
}

/// The definition of a file without faults.
async fn sound(file: &Path) -> Result<ReportDefinition> {
    let (definition, faults) = checked(&read(file)?).await?;
    match (definition, faults.as_slice()) {
        (Some(definition), []) => Ok(definition),
        (_, [fault]) => Err(Failure::new(format!("{}: {fault}", file.display()))),
        (_, [fault, others @ ..]) => Err(Failure::new(format!(
            "{}: {fault}; `muster definition check` lists {} more",
            file.display(),
            count(others.len() as u64)
        ))),
        (None, []) => Err(Failure::new(format!("{} is no definition", file.display()))),
    }
}

async fn run_file(args: &TrialArgs, settings: &Settings) -> Result {
    let definition = sound(&args.file).await?;
    let data = DataDir::open(settings).await?;
    let manifest = data.snapshot(&args.as_of).await?.readable()?;
    let mut arguments = arguments(&definition, &args.arguments)?;
    if args.to.is_none() {
        if !definition.formats.contains(&FileFormat::Csv) {
            return Err(Failure::usage(format!("{} has no CSV: expected --to DIR", definition.id)));
        }
        let csv = RawValue::List(vec![RawValue::Text(FileFormat::Csv.as_str().to_owned())]);
        arguments.entry(SELECTED_FORMATS.to_owned()).or_insert(csv);
    }
    let mut catalogue = data_dir::catalogue(settings)?;
    // A definition that the service has already is run as the file has it.
    catalogue.replace(definition.clone())?;
    let folder = scratch()?;
    let mut runs = data.report_runs(data.engine()?, catalogue)?;
    runs.writing.files = ResultFiles::open(&folder.0)?;
    let caller = data.event(AuditOperation::Start, definition.id.as_str(), String::new()).caller;
    let data_scope = match args.data_scope.is_empty() {
        true => DataScope::Everything,
        false => DataScope::of_sources(args.data_scope.iter().map(String::as_str))?,
    };
    let trial = Trial {
        definition: &definition,
        arguments: &arguments,
        manifest: &manifest,
        requester: Caller { data_scope, ..caller },
        id: TaskId::new(SystemIds.fresh()),
    };
    let outcome = run_once(&runs, trial).await?;
    data.store.close().await;
    for message in &outcome.messages {
        say(&format!("{}: {}", message.key, message.text));
    }
    for file in &outcome.result.files {
        let from = folder.0.join(&file.stored_name);
        match &args.to {
            None => {
                let mut text = std::fs::File::open(&from).context(|| "the file cannot be read".to_owned())?;
                std::io::copy(&mut text, &mut std::io::stdout()).context(|| "standard output".to_owned())?;
            }
            Some(dir) => {
                let to = dir.join(format!("{}.{}", definition.id, file.extension));
                if to.exists() && !args.force {
                    return Err(Failure::new(format!(
                        "{} is there already: expected --force to replace it",
                        to.display()
                    )));
                }
                std::fs::copy(&from, &to).context(|| format!("{} cannot be written", to.display()))?;
                print(&format!("{}: {} rows", to.display(), count(file.rows)))?;
            }
        }
    }
    Ok(())
}

/// `NAME=VALUE` as the definition expects it.
fn arguments(definition: &ReportDefinition, given: &[String]) -> Result<RawArguments> {
    let mut arguments = RawArguments::new();
    for text in given {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Failure::usage(format!("--argument is {text:?}: expected NAME=VALUE")))?;
        let spec = definition.all_arguments().find(|spec| spec.name == name).ok_or_else(|| {
            let names: Vec<_> = definition.all_arguments().map(|spec| spec.name.as_str()).collect();
            Failure::usage(format!(
                "{} has no argument {name:?}{}",
                definition.id,
                hint(name, names.into_iter())
            ))
        })?;
        let value = match (&spec.kind, value) {
            (ArgumentKind::Boolean, "true" | "false") => RawValue::Boolean(value == "true"),
            (ArgumentKind::Texts { .. }, list) => {
                let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
                RawValue::List(items.map(|item| RawValue::Text(item.to_owned())).collect())
            }
            (_, text) => RawValue::Text(text.to_owned()),
        };
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("--argument {name} is given twice: expected it once")));
        }
    }
    Ok(arguments)
}
