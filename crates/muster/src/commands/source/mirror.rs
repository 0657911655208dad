//! `muster source mirror`: all sources of an Identity Security Cloud tenant, registered in one step.
//!
//! Everything is read before anything is kept, and all definitions are kept in one transaction with one event, so that
//! a failure leaves the registry as it was.

use super::{kept, registered};
use crate::cli::MirrorArgs;
use crate::config::Settings;
use crate::failure::{Context, Failure, Result};
use crate::house::House;
use crate::output::{Output, count, json, print, table, text};
use muster_reports::audit::AuditOperation;
use muster_reports::ports::Registry;
use muster_sources::{
    DocumentType, LeftOut, MirrorRequest, ReaderSettings, SourceDefinition, TenantMirror, TenantSettings,
    mirror_tenant,
};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// Mirrors what `args` say.
pub async fn run(args: &MirrorArgs, settings: &Settings, output: Output) -> Result {
    let house = House::open_or_make(settings).await?;
    let before = house.store.sources(&house.tenant).await?;
    let before = before.iter().map(kept).collect::<Result<Vec<_>>>()?;
    let reached = reached(args)?;
    let documents = if args.no_documents { &[] } else { &args.documents[..] };
    let request = MirrorRequest { settings: &reached, name: &args.name, documents, registered: &before };
    let environment = |name: &str| std::env::var(name).ok();
    // Paths are absolute.
    let mirror = mirror_tenant(request, Path::new("/"), &environment)
        .context(|| format!("the tenant {:?} cannot be mirrored", args.name))?;
    let sources = compared(&mirror.definitions, &before)?;
    let changed = sources.iter().filter(|source| source.state != State::Unchanged).count();
    if changed > 0 && !args.dry_run {
        let put = mirror.definitions.iter().map(|definition| registered(definition, house.dir()));
        let put = put.collect::<Result<Vec<_>>>()?;
        let details =
            format!("tenant {} mirrored: {changed} of {} sources added or replaced", args.tenant, put.len());
        let event = house.event(AuditOperation::ConfigurationChanged, &args.name, details);
        house.store.put_sources(&put, &event).await?;
    }
    Mirrored::of(mirror, sources, args.dry_run).print(output)
}

/// How the tenant is reached. Files are named by their whole paths, for a refresh may run anywhere.
fn reached(args: &MirrorArgs) -> Result<TenantSettings> {
    let whole = |path: &Path| -> Result<String> {
        let whole = path.canonicalize().context(|| format!("{} cannot be found", path.display()))?;
        whole
            .into_os_string()
            .into_string()
            .map_err(|_| Failure::new(format!("{} has a name that is not UTF-8", path.display())))
    };
    Ok(TenantSettings {
        allow_plaintext: args.allow_plaintext,
        ca_file: args.ca_file.as_deref().map(whole).transpose()?,
        client_secret_file: args.secret_file.as_deref().map(whole).transpose()?,
        client_secret_env: args.secret_env.clone(),
        ..TenantSettings::new(args.tenant.trim_end_matches('/'), &args.client_id, "")
    })
}

/// What mirroring does to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Added,
    Changed,
    Unchanged,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    id: String,
    name: String,
    /// `accounts`, or the index of the documents.
    reads: &'static str,
    authoritative: bool,
    state: State,
    /// The keys of the definition that are other ones now.
    changed: Vec<String>,
}

fn compared(definitions: &[SourceDefinition], before: &[SourceDefinition]) -> Result<Vec<Source>> {
    let value = |definition: &SourceDefinition| -> Result<Value> {
        serde_json::to_value(definition).context(|| "a definition cannot be compared".into())
    };
    let compare = |definition: &SourceDefinition| {
        let mut changed = Vec::new();
        let state = match before.iter().find(|before| before.id == definition.id) {
            None => State::Added,
            Some(before) => {
                differences("", &value(before)?, &value(definition)?, &mut changed);
                if changed.is_empty() { State::Unchanged } else { State::Changed }
            }
        };
        let index =
            if let ReaderSettings::Tenant(settings) = &definition.reader { settings.index } else { None };
        Ok(Source {
            id: definition.id.clone(),
            name: definition.name.clone(),
            reads: index.map_or("accounts", DocumentType::index_name),
            authoritative: definition.is_authoritative(),
            state,
            changed,
        })
    };
    definitions.iter().map(compare).collect()
}

/// The keys, such as `profile.priority`, under which two definitions differ. Lists are compared whole.
fn differences(key: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
            for name in names {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                let part =
                    |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                differences(&key, &part(before), &part(now), found);
            }
        }
        (before, now) if before == now => {}
        _ => found.push(key.to_owned()),
    }
}

/// What mirroring came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mirrored {
    dry_run: bool,
    sources: Vec<Source>,
    left_out: Vec<LeftOut>,
    /// Names of registered sources that the tenant does not have.
    gone: Vec<String>,
    identities: Option<u64>,
    identities_correlated: Option<u64>,
}

impl Mirrored {
    fn of(mirror: TenantMirror, sources: Vec<Source>, dry_run: bool) -> Self {
        Self {
            dry_run,
            sources,
            left_out: mirror.left_out,
            gone: mirror.gone.into_iter().map(|definition| definition.name).collect(),
            identities: mirror.identities,
            identities_correlated: mirror.identities_correlated,
        }
    }

    fn print(&self, output: Output) -> Result {
        if output == Output::Json {
            return json(self);
        }
        let columns =
            [text("id"), text("name"), text("reads"), text("authoritative"), text("state"), text("changed")];
        let rows = self.sources.iter().map(|source| {
            let state = match source.state {
                State::Added => "added",
                State::Changed => "changed",
                State::Unchanged => "unchanged",
            };
            let authoritative = if source.authoritative { "yes" } else { "no" };
            let texts =
                [&source.id, &source.name, source.reads, authoritative, state, &source.changed.join(", ")];
            texts.map(str::to_owned).to_vec()
        });
        print(&table(&columns, rows))?;
        for LeftOut { source, what, reason } in &self.left_out {
            print(&format!("not taken over: {source}: {what}: {reason}"))?;
        }
        for name in &self.gone {
            print(&format!(
                "gone: {name}: the tenant does not have it any more, and it is still registered"
            ))?;
        }
        if let (Some(all), Some(correlated)) = (self.identities, self.identities_correlated) {
            let others = count(all.saturating_sub(correlated));
            let all = count(all);
            print(&format!(
                "the tenant has {all} identities; {others} have no account on an authoritative source, and are not made here"
            ))?;
        }
        if self.dry_run {
            print("nothing was registered")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_their_keys() {
        let before = json!({"name": "HR", "profile": {"priority": 1, "attributes": [1, 2]}, "lifecycle": null, "old": 1});
        let now =
            json!({"name": "HR", "profile": {"priority": 2, "attributes": [2, 1]}, "lifecycle": {"a": 1}});
        let mut found = Vec::new();
        differences("", &before, &now, &mut found);
        found.sort();
        assert_eq!(found, ["lifecycle", "old", "profile.attributes", "profile.priority"]);
        found.clear();
        differences("", &before, &before, &mut found);
        assert!(found.is_empty());
    }
}
