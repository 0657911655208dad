//! `muster source`: registered sources, and links that people make.

use crate::cli::SourceCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, table, text};
use muster_reports::Category;
use muster_reports::audit::AuditOperation;
use muster_reports::ids::SourceId;
use muster_reports::ports::{RegisteredSource, Registry};
use muster_sources::{SourceCheck, SourceDefinition, check_source, unmapped_identity_attributes};
use serde::Serialize;
use std::path::{Path, PathBuf};

mod link;
mod mirror;

/// Does what `command` says.
pub async fn run(command: &SourceCommand, settings: &Settings, output: Output) -> Result {
    match command {
        SourceCommand::Add { file } => add(file, &DataDir::open_or_make(settings).await?).await,
        SourceCommand::Remove { source, links } => {
            remove(source, *links, &DataDir::open(settings).await?).await
        }
        SourceCommand::List => list(&DataDir::open(settings).await?, output).await,
        SourceCommand::Check { file, rejected } => print_check(&check(file, *rejected)?, output),
        SourceCommand::Mirror(args) => mirror::run(args, settings, output).await,
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
    data.store.register_source(&data.tenant, &source, Some(&event)).await?;
    print(&format!("source {:?} {done}, id {}", definition.name, definition.id))
}

async fn remove(named: &str, links: bool, data: &DataDir) -> Result {
    let sources = data.store.sources(&data.tenant).await?;
    let source = sources.iter().find(|source| source.id.as_str() == named || source.name == named);
    let source = source.ok_or_else(|| {
        Failure::new(format!("no source is named {named:?} or has that id: `muster source list` shows them"))
    })?;
    let details = format!("source {} removed", source.id);
    let event = data.event(AuditOperation::ConfigurationChanged, &source.name, details);
    let removed = data.store.remove_source(&data.tenant, &source.id, links, Some(&event)).await;
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

fn check(file: &Path, rejected_max: usize) -> Result<SourceCheck> {
    let (definition, base_dir) = definition(file)?;
    let environment = |name: &str| std::env::var(name).ok();
    check_source(&definition, &base_dir, &environment, rejected_max)
        .context(|| format!("source {:?} cannot be read", definition.name))
}

/// Prints it; what a refresh would not take as it is is a failure.
fn print_check(check: &SourceCheck, output: Output) -> Result {
    match output {
        Output::Json => json(check)?,
        Output::Table => print_text(check)?,
    }
    if check.rejected > 0 {
        let (rejected, read) = (count(check.rejected), count(check.read));
        return Err(Failure::new(format!("a refresh would refuse {rejected} of {read} records")));
    }
    if let Some(reason) = &check.incomplete_reason {
        return Err(Failure::new(format!("the read is incomplete: {reason}")));
    }
    if check.accepted == 0 {
        return Err(Failure::new("the source has no record"));
    }
    Ok(())
}

fn print_text(check: &SourceCheck) -> Result {
    let columns =
        [text("source"), text("id"), number("read"), number("accepted"), number("rejected"), number("bytes")];
    let row = vec![
        check.name.clone(),
        check.id.clone(),
        count(check.read),
        count(check.accepted),
        count(check.rejected),
        count(check.bytes),
    ];
    print(&table(&columns, std::iter::once(row)))?;
    if !check.attributes.is_empty() {
        print(&format!("attributes: {}", check.attributes.join(", ")))?;
    }
    for (index, documents) in &check.documents {
        print(&format!("{index}: {}", count(*documents as u64)))?;
    }
    for warning in &check.warnings {
        print(&format!("warning: {warning}"))?;
    }
    if let Some(reason) = &check.incomplete_reason {
        print(&format!("incomplete: {reason}"))?;
    }
    for record in &check.rejections {
        let who = record.native_identity.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
        print(&format!("{}{who}: {}", place(check.kind, record.line), record.reason))?;
    }
    let listed = check.rejections.len() as u64;
    if listed < check.rejected {
        print(&format!("{} more rejected records", count(check.rejected - listed)))?;
    }
    Ok(())
}

/// Where a record is, in the words of the kind of source.
fn place(kind: &str, line: u64) -> String {
    match kind {
        "delimited" | "documents" | "ndjson" => format!("line {line}"),
        _ if line == 0 => "a record".to_owned(),
        "delta" | "parquet" | "sql" => format!("row {line}"),
        _ => format!("record {line}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_check_finds_what_a_refresh_would_refuse() {
        let dir = tempfile::tempdir().unwrap();
        let checked = |content: &str, more: &str| {
            std::fs::write(dir.path().join("people.csv"), content).unwrap();
            let file = dir.path().join("people.toml");
            let table = "[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n";
            std::fs::write(&file, format!("name = \"People\"\nkind = \"delimited\"\n{table}{more}")).unwrap();
            check(&file, 10)
        };
        let ends = |checked: &SourceCheck| {
            print_check(checked, Output::Json).err().map(|failure| failure.to_string())
        };
        // Lines 2 and 4 are of one account and differ; line 5 repeats line 3.
        let twice = "id,group\n1,a\n2,b\n1,c\n2,b\n";
        let found = checked(twice, "").unwrap();
        assert_eq!((found.read, found.accepted, found.rejected), (4, 2, 2));
        assert_eq!(
            (found.rejections[0].line, found.rejections[0].native_identity.as_deref()),
            (4, Some("1"))
        );
        assert_eq!(ends(&found).as_deref(), Some("a refresh would refuse 2 of 4 records"));
        let united = checked(twice, "merge_rows = true\n").unwrap();
        assert_eq!((united.accepted, ends(&united)), (4, None));
        assert_eq!(united.warnings, ["the source has 4 records that can be used: is it whole?"]);
        assert_eq!(ends(&checked("id\n", "").unwrap()).as_deref(), Some("the source has no record"));
        let wrong = checked("id;group\n1;a\n", "").unwrap_err();
        let text = muster_reports::error::error_chain(&wrong);
        assert!(
            text.contains("\"id;group\" (the header is one column: is the `delimiter` \";\"?)"),
            "{text}"
        );
    }

    #[test]
    fn a_definition_that_is_wrong_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.toml");
        std::fs::write(&file, "name = \"People\"\nkind = \"fax\"\n").unwrap();
        let error = check(&file, 1).unwrap_err().to_string();
        assert!(error.contains("people.toml") && error.contains("kind"), "{error}");
        let error = check(&dir.path().join("other.toml"), 1).unwrap_err().to_string();
        assert!(error.ends_with("other.toml cannot be read"), "{error}");
    }
}
