//! `muster source`: registered sources, and links that people make.

use crate::cli::SourceCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, print, text};
use muster_reports::Category;
use muster_reports::audit::AuditOperation;
use muster_reports::ids::SourceId;
use muster_reports::nearest;
use muster_reports::ports::{RegisteredSource, Registry};
use muster_sources::{SourceDefinition, unmapped_identity_attributes};
use serde::Serialize;
use std::path::{Path, PathBuf};

mod check;
mod init;
mod link;
mod mirror;
mod show;

/// Does what `command` says.
pub async fn run(command: &SourceCommand, settings: &Settings, output: Output) -> Result {
    match command {
        SourceCommand::Add { file } => add(file, &DataDir::open_or_make(settings).await?).await,
        SourceCommand::Remove { source, links } => {
            remove(source, *links, &DataDir::open(settings).await?).await
        }
        SourceCommand::Show { source } => show::run(source, &DataDir::open(settings).await?, output).await,
        SourceCommand::Init(args) => init::run(args),
        SourceCommand::List => list(&DataDir::open(settings).await?, output).await,
        SourceCommand::Check { file, rejected } => check::run(file, *rejected, settings, output).await,
        SourceCommand::Mirror(args) => mirror::run(args, settings, output).await,
        SourceCommand::Unlink { source, accounts, all } => {
            let wanted = (!all).then_some(accounts.as_slice());
            link::remove(source, wanted, &DataDir::open(settings).await?).await
        }
        SourceCommand::Links { to } => link::export(to, &DataDir::open(settings).await?).await,
        SourceCommand::Link { file } => link::import(file, &DataDir::open(settings).await?, output).await,
    }
}

async fn add(file: &Path, data: &DataDir) -> Result {
    let (definition, base_dir) = definition(file)?;
    let others = data.store.sources(&data.tenant).await?;
    let replaced = others.iter().any(|source| source.id.as_str() == definition.id);
    let others = others.iter().filter(|source| source.id.as_str() != definition.id);
    let mut all: Vec<_> = others.filter_map(|source| kept(source).ok()).collect();
    all.push(definition.clone());
    for warning in unmapped_identity_attributes(&definition, &all) {
        print(&format!("warning: {warning}"))?;
    }
    let source = registered(&definition, &base_dir)?;
    let done = if replaced { "replaced" } else { "added" };
    let details = format!("source {} {done}", definition.id);
    let event = data.event(AuditOperation::ConfigurationChanged, &definition.name, details);
    data.store.put_sources(std::slice::from_ref(&source), &event).await?;
    print(&format!("source {:?} {done}, id {}", definition.name, definition.id))
}

async fn remove(named: &str, links: bool, data: &DataDir) -> Result {
    let source = &found(named, data).await?;
    let details = format!("source {} removed", source.id);
    let event = data.event(AuditOperation::ConfigurationChanged, &source.name, details);
    let removed = data.store.remove_source(&source.id, links, &event).await;
    let unlinked = removed.map_err(|refused| {
        if links || refused.category != Category::Invalid {
            return refused.into();
        }
        let hint = "`muster source links` writes its links to a file, --links removes them too";
        Failure::with(format!("source {:?} stays ({hint})", source.name), refused)
    })?;
    let with_links = if unlinked > 0 { format!(", links {}", count(unlinked)) } else { String::new() };
    print(&format!("source {:?} removed, id {}{with_links}", source.name, source.id))
}

/// The registered source of a name or an id.
async fn found(named: &str, data: &DataDir) -> Result<RegisteredSource> {
    let sources = data.store.sources(&data.tenant).await?;
    nearest::source(named, &sources, RegisteredSource::id_and_name).cloned().map_err(Failure::not_found)
}

/// A source as the registry keeps it.
pub fn registered(definition: &SourceDefinition, base_dir: &Path) -> Result<RegisteredSource> {
    let base_dir = base_dir
        .to_str()
        .ok_or_else(|| Failure::new(format!("folder {} has a name that is not UTF-8", base_dir.display())))?;
    Ok(RegisteredSource {
        id: SourceId::new(&definition.id),
        name: definition.name.clone(),
        definition: serde_json::to_string(definition).context(|| "the definition cannot be kept".into())?,
        base_dir: base_dir.into(),
    })
}

/// The definition of a registered source.
fn kept(source: &RegisteredSource) -> Result<SourceDefinition> {
    serde_json::from_str(&source.definition)
        .context(|| format!("the definition of source {:?} cannot be read", source.name))
}

/// A definition file, and the folder that its relative paths start from.
pub fn definition(file: &Path) -> Result<(SourceDefinition, PathBuf)> {
    let text = std::fs::read_to_string(file).context(|| format!("{} cannot be read", file.display()))?;
    let definition =
        SourceDefinition::from_toml(&text, file).map_err(|error| Failure::new(error.to_string()))?;
    let path = file.canonicalize().context(|| format!("{} cannot be found", file.display()))?;
    let base_dir = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    Ok((definition, base_dir))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    name: String,
    kind: &'static str,
    authoritative: bool,
    base_dir: String,
}

async fn list(data: &DataDir, output: Output) -> Result {
    let mut listed = Vec::new();
    for source in data.store.sources(&data.tenant).await? {
        let definition = kept(&source)?;
        listed.push(Listed {
            id: definition.id.clone(),
            kind: definition.reader.kind(),
            authoritative: definition.is_authoritative(),
            name: source.name,
            base_dir: source.base_dir,
        });
    }
    let columns = [text("id"), text("name"), text("kind"), text("authoritative"), text("folder")];
    output.list(&listed, &columns, |source| {
        let authoritative = if source.authoritative { "yes" } else { "no" };
        vec![
            source.id.clone(),
            source.name.clone(),
            source.kind.into(),
            authoritative.into(),
            source.base_dir.clone(),
        ]
    })
}
