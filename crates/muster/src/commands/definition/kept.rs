//! Definitions that the database keeps.

use super::{read, sound};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::{self, DataDir};
use crate::failure::{Failure, Result};
use crate::output::{Output, json, print, text};
use muster_reports::ReportDefinition;
use muster_reports::audit::AuditOperation;
use muster_reports::ids::{ReportId, sha256_hex};
use muster_reports::kept_definition::{Addition, KeptDefinition};
use muster_reports::ports::{Clock, DefinitionStore};
use muster_reports::service::added;
use serde::Serialize;
use std::path::Path;

/// A version as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    version: u32,
    name: String,
    added: String,
    added_by: String,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<String>,
}

impl From<&KeptDefinition> for Listed {
    fn from(kept: &KeptDefinition) -> Self {
        let read = ReportDefinition::with_faults(&kept.text);
        Self {
            id: kept.id.to_string(),
            version: kept.version,
            name: read.map(|(definition, _)| definition.name).unwrap_or_default(),
            added: kept.added.to_rfc3339(),
            added_by: kept.added_by.clone(),
            sha256: sha256_hex([kept.text.as_str()]),
            removed: kept.removed.map(|at| at.to_rfc3339()),
        }
    }
}

/// Keeps the definition of a file.
pub async fn add(file: &Path, settings: &Settings, output: Output) -> Result {
    let definition = sound(file).await?;
    let data = DataDir::open(settings).await?;
    if data_dir::catalogue(settings)?.is_fixed(&definition.id) {
        return Err(Failure::new(format!(
            "report {} is in the folder reports.definitions: expected it in one place",
            definition.id
        )));
    }
    let event = data.event(AuditOperation::ConfigurationChanged, definition.id.as_str(), added(&definition));
    let kept = KeptDefinition {
        id: definition.id.clone(),
        version: definition.version,
        text: read(file)?,
        added: SystemClock.now(),
        added_by: event.caller.launcher().to_owned(),
        removed: None,
    };
    let addition = data.store.add_definition(&kept, &event).await?;
    data.store.close().await;
    if output == Output::Json {
        return json(&Listed::from(&kept));
    }
    let (id, version) = (&kept.id, kept.version);
    print(&match addition {
        Addition::New => format!("report {id} version {version} added"),
        Addition::Restored => format!("report {id} version {version} is there again"),
        Addition::Unchanged => format!("report {id} version {version} is there already"),
    })
}

/// Lists the newest versions.
pub async fn list(settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let kept = data.store.definitions(&data.tenant).await?;
    data.store.close().await;
    listed(&kept, output)
}

fn listed(kept: &[KeptDefinition], output: Output) -> Result {
    let listed: Vec<_> = kept.iter().map(Listed::from).collect();
    let columns = ["report", "version", "name", "added", "by", "removed"].map(text);
    output.list(&listed, &columns, |one| {
        vec![
            one.id.clone(),
            one.version.to_string(),
            one.name.clone(),
            one.added.clone(),
            one.added_by.clone(),
            one.removed.clone().unwrap_or_default(),
        ]
    })
}

fn unknown(id: &str) -> Failure {
    Failure::not_found(format!(
        "no definition of a report {id:?} is kept; `muster definition list` lists them"
    ))
}

/// Prints the text of a version, or lists the versions.
pub async fn show(
    id: &str,
    version: Option<u32>,
    versions: bool,
    settings: &Settings,
    output: Output,
) -> Result {
    let data = DataDir::open(settings).await?;
    let kept = data.store.definition_versions(&data.tenant, &ReportId::new(id)).await?;
    data.store.close().await;
    if kept.is_empty() {
        return Err(unknown(id));
    }
    if versions {
        return listed(&kept, output);
    }
    let wanted = |kept: &&KeptDefinition| version.is_none_or(|version| kept.version == version);
    let found = kept.iter().find(wanted).ok_or_else(|| {
        let known: Vec<_> = kept.iter().map(|kept| kept.version.to_string()).collect();
        Failure::not_found(format!("report {id} has no such version: expected one of {}", known.join(", ")))
    })?;
    match output {
        Output::Json => {
            let mut shown = serde_json::to_value(Listed::from(found)).unwrap_or_default();
            shown["text"] = found.text.clone().into();
            json(&shown)
        }
        Output::Table => print(found.text.trim_end()),
    }
}

/// Removes a report.
pub async fn remove(id: &str, settings: &Settings) -> Result {
    let data = DataDir::open(settings).await?;
    let event = data.event(AuditOperation::ConfigurationChanged, id, "definition removed".to_owned());
    let there = data.store.remove_definition(&ReportId::new(id), SystemClock.now(), &event).await?;
    data.store.close().await;
    match there {
        true => print(&format!("report {id} removed; its versions and results stay")),
        false => Err(unknown(id)),
    }
}
