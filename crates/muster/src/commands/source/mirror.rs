//! `muster source mirror`: all sources of an Identity Security Cloud tenant, registered in one step.
//!
//! Everything is read before anything is kept, and all definitions are kept in one transaction with one event, so that
//! a failure leaves the registry as it was.

use super::{kept, registered};
use crate::cli::MirrorArgs;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, print, table, text};
use muster_reports::audit::AuditOperation;
use muster_reports::ports::Registry;
use muster_sources::{
    LeftOut, MirrorRequest, SourceChange, SourceChangeKind, TenantMirror, TenantSettings, mirror_changes,
    mirror_tenant,
};
use serde::Serialize;
use std::path::Path;

/// Mirrors the tenant that `args` name.
pub async fn run(args: &MirrorArgs, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open_or_make(settings).await?;
    let before = data.store.sources(&data.tenant).await?;
    let before = before.iter().map(kept).collect::<Result<Vec<_>>>()?;
    let reached = reached(args)?;
    let documents = if args.no_documents { &[] } else { &args.documents[..] };
    let request = MirrorRequest { settings: &reached, name: &args.name, documents, registered: &before };
    let environment = |name: &str| std::env::var(name).ok();
    // Paths are absolute.
    let mirror = mirror_tenant(request, Path::new("/"), &environment)
        .context(|| format!("the tenant {:?} cannot be mirrored", args.name))?;
    let sources =
        mirror_changes(&mirror.definitions, &before).context(|| "a definition cannot be compared".into())?;
    let changed = sources.iter().filter(|source| source.state != SourceChangeKind::Unchanged).count();
    if changed > 0 && !args.dry_run {
        let put = mirror.definitions.iter().map(|definition| registered(definition, data.dir()));
        let put = put.collect::<Result<Vec<_>>>()?;
        let details =
            format!("tenant {} mirrored: {changed} of {} sources added or replaced", args.tenant, put.len());
        let event = data.event(AuditOperation::ConfigurationChanged, &args.name, details);
        data.store.put_sources(&put, &event).await?;
    }
    Mirrored::of(mirror, sources, args.dry_run).print(output)
}

/// How the tenant is reached. Files have absolute paths, because a refresh may run in any folder.
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

/// The result of mirroring.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mirrored {
    dry_run: bool,
    sources: Vec<SourceChange>,
    left_out: Vec<LeftOut>,
    /// Names of registered sources that the tenant does not have.
    gone: Vec<String>,
    identities: Option<u64>,
    identities_correlated: Option<u64>,
}

impl Mirrored {
    fn of(mirror: TenantMirror, sources: Vec<SourceChange>, dry_run: bool) -> Self {
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
                SourceChangeKind::Added => "added",
                SourceChangeKind::Changed => "changed",
                SourceChangeKind::Unchanged => "unchanged",
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
