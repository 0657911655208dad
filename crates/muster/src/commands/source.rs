//! `muster source`: registered sources, and links that people make.

use crate::cli::SourceCommand;
use crate::config::Settings;
use crate::failure::{Context, Failure, Result};
use crate::house::House;
use crate::output::{Output, count, json, number, print, table, text};
use crate::refresh::RejectedRecord;
use muster_reports::Category;
use muster_reports::audit::AuditOperation;
use muster_reports::ids::SourceId;
use muster_reports::ports::{RegisteredSource, Registry};
use muster_sources::{Duplicates, Rejection, SourceDefinition, unmapped_identity_attributes};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod link;
mod links;
mod mirror;

/// Does what `command` says.
pub async fn run(command: &SourceCommand, settings: &Settings, output: Output) -> Result {
    match command {
        SourceCommand::Add { file } => add(file, &House::open_or_make(settings).await?).await,
        SourceCommand::Remove { source, links } => {
            remove(source, *links, &House::open(settings).await?).await
        }
        SourceCommand::List => list(&House::open(settings).await?, output).await,
        SourceCommand::Check { file, rejected } => check(file, *rejected)?.print(output),
        SourceCommand::Mirror(args) => mirror::run(args, settings, output).await,
        SourceCommand::Links { to } => links::run(to, &House::open(settings).await?).await,
        SourceCommand::Link { file } => link::run(file, &House::open(settings).await?, output).await,
    }
}

async fn add(file: &Path, house: &House) -> Result {
    let (definition, base_dir) = definition(file)?;
    let others = house.store.sources(&house.tenant).await?;
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
    let event = house.event(AuditOperation::ConfigurationChanged, &definition.name, details);
    house.store.put_sources(std::slice::from_ref(&source), &event).await?;
    print(&format!("source {:?} {done}, id {}", definition.name, definition.id))
}

async fn remove(named: &str, links: bool, house: &House) -> Result {
    let sources = house.store.sources(&house.tenant).await?;
    let source = sources.iter().find(|source| source.id.as_str() == named || source.name == named);
    let source = source.ok_or_else(|| {
        Failure::new(format!("no source is named {named:?} or has that id: `muster source list` shows them"))
    })?;
    let details = format!("source {} removed", source.id);
    let event = house.event(AuditOperation::ConfigurationChanged, &source.name, details);
    let removed = house.store.remove_source(&source.id, links, &event).await;
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

async fn list(house: &House, output: Output) -> Result {
    let mut listed = Vec::new();
    for source in house.store.sources(&house.tenant).await? {
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

/// What reading a source to its end came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    name: String,
    id: String,
    kind: &'static str,
    authoritative: bool,
    read: u64,
    accepted: u64,
    /// Records that a refresh refuses: those that cannot be read, and those of one account that differ.
    rejected: u64,
    rejections: Vec<RejectedRecord>,
    complete: bool,
    incomplete_reason: Option<String>,
    bytes: u64,
    sha256: String,
    attributes: Vec<String>,
    /// Accepted documents by the index that they belong to; none for a source of accounts.
    documents: BTreeMap<&'static str, usize>,
    warnings: Vec<String>,
}

/// Accepted records below which a file may have been cut or filtered by mistake.
const FEW_RECORDS: u64 = 10;

fn check(file: &Path, rejected_max: usize) -> Result<Checked> {
    let (definition, base_dir) = definition(file)?;
    let failed = || format!("source {:?} cannot be read", definition.name);
    let (mut rejections, mut documents) = (Vec::new(), BTreeMap::new());
    let mut keep = |rejected: Vec<Rejection>| {
        let room = rejected_max.saturating_sub(rejections.len());
        rejections.extend(rejected.into_iter().take(room).map(|rejection| RejectedRecord {
            line: rejection.line,
            native_identity: rejection.native_identity,
            reason: rejection.reason,
        }));
    };
    let mut duplicates = Duplicates::default();
    let environment = |name: &str| std::env::var(name).ok();
    let opened = muster_sources::open_documents(&definition, &base_dir, &environment);
    let summary = match opened.context(failed)? {
        Some(mut reader) => {
            while let Some(batch) = reader.next_batch().context(failed)? {
                for typed in &batch.documents {
                    *documents.entry(typed.document_type.index_name()).or_insert(0) += typed.lines.len();
                }
                keep(batch.rejections);
            }
            reader.finish().context(failed)?
        }
        None => {
            let mut reader =
                muster_sources::open_source(&definition, &base_dir, &environment).context(failed)?;
            while let Some(batch) = reader.next_batch().context(failed)? {
                keep(batch.rejections);
                if !definition.reader.merge_rows() {
                    keep(duplicates.note(&batch.records));
                }
            }
            reader.finish().context(failed)?
        }
    };
    let rejected = summary.rejected + duplicates.refused();
    let accepted = summary.read.saturating_sub(rejected);
    let mut warnings = summary.warnings;
    if accepted < FEW_RECORDS {
        let records =
            if accepted == 1 { "1 record".to_owned() } else { format!("{} records", count(accepted)) };
        warnings.push(format!("the source has {records} that can be used: is it whole?"));
    }
    if duplicates.is_partial() {
        warnings.push("there are more accounts than could be searched for records of one account".to_owned());
    }
    Ok(Checked {
        name: definition.name.clone(),
        id: definition.id.clone(),
        kind: definition.reader.kind(),
        authoritative: definition.is_authoritative(),
        read: summary.read,
        accepted,
        rejected,
        rejections,
        complete: summary.complete,
        incomplete_reason: summary.incomplete_reason,
        bytes: summary.bytes,
        sha256: summary.digest_sha256,
        attributes: summary.schema,
        documents,
        warnings,
    })
}

impl Checked {
    /// Prints it; what a refresh would not take as it is is a failure.
    fn print(&self, output: Output) -> Result {
        match output {
            Output::Json => json(self)?,
            Output::Table => self.print_text()?,
        }
        if self.rejected > 0 {
            let (rejected, read) = (count(self.rejected), count(self.read));
            return Err(Failure::new(format!("a refresh would refuse {rejected} of {read} records")));
        }
        if let Some(reason) = &self.incomplete_reason {
            return Err(Failure::new(format!("the read is incomplete: {reason}")));
        }
        if self.accepted == 0 {
            return Err(Failure::new("the source has no record"));
        }
        Ok(())
    }

    fn print_text(&self) -> Result {
        let columns = [
            text("source"),
            text("id"),
            number("read"),
            number("accepted"),
            number("rejected"),
            number("bytes"),
        ];
        let row = vec![
            self.name.clone(),
            self.id.clone(),
            count(self.read),
            count(self.accepted),
            count(self.rejected),
            count(self.bytes),
        ];
        print(&table(&columns, std::iter::once(row)))?;
        if !self.attributes.is_empty() {
            print(&format!("attributes: {}", self.attributes.join(", ")))?;
        }
        for (index, documents) in &self.documents {
            print(&format!("{index}: {}", count(*documents as u64)))?;
        }
        for warning in &self.warnings {
            print(&format!("warning: {warning}"))?;
        }
        if let Some(reason) = &self.incomplete_reason {
            print(&format!("incomplete: {reason}"))?;
        }
        for record in &self.rejections {
            let who = record.native_identity.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
            print(&format!("{}{who}: {}", self.place(record.line), record.reason))?;
        }
        let listed = self.rejections.len() as u64;
        if listed < self.rejected {
            print(&format!("{} more rejected records", count(self.rejected - listed)))?;
        }
        Ok(())
    }

    /// Where a record is, in the words of the kind of source.
    fn place(&self, line: u64) -> String {
        match self.kind {
            "delimited" | "documents" | "ndjson" => format!("line {line}"),
            _ if line == 0 => "a record".to_owned(),
            "delta" | "parquet" | "sql" => format!("row {line}"),
            _ => format!("record {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_check_counts_every_record_and_lists_refused_ones() {
        let dir = tempfile::tempdir().unwrap();
        // Line 3 has a field too many, line 4 no native identity.
        std::fs::write(dir.path().join("people.csv"), "id,name\n1,Ada\n2,Bob,x\n,Cy\n4,Dee\n").unwrap();
        let file = dir.path().join("people.toml");
        std::fs::write(
            &file,
            "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n",
        )
        .unwrap();
        let checked = check(&file, 1).unwrap();
        assert_eq!((checked.read, checked.accepted, checked.rejected), (4, 2, 2));
        assert!(checked.complete);
        assert_eq!(checked.rejections.len(), 1, "as many as were asked for");
        assert_eq!(checked.rejections[0].line, 3);
    }

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
        let ends = |checked: &Checked| checked.print(Output::Json).err().map(|failure| failure.to_string());
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
    fn a_check_counts_documents_by_their_kind() {
        let dir = tempfile::tempdir().unwrap();
        let lines = "{\"_type\":\"role\",\"id\":\"1\"}\n{\"_type\":\"event\",\"id\":\"2\"}\n{}\n{\"_type\":\"role\",\"id\":\"3\"}\n";
        std::fs::write(dir.path().join("model.ndjson"), lines).unwrap();
        let file = dir.path().join("model.toml");
        let text = "name = \"Model\"\nkind = \"documents\"\n[documents]\npath = \"model.ndjson\"\n";
        std::fs::write(&file, text).unwrap();
        let checked = check(&file, 1).unwrap();
        assert_eq!((checked.read, checked.accepted, checked.rejected), (4, 3, 1));
        assert_eq!(checked.documents, BTreeMap::from([("events", 1), ("roles", 2)]));
        assert_eq!(checked.rejections[0].line, 3);
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
