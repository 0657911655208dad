//! What administrators registered: sources and manual links.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::session::{Session, Value, values};
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{SourceId, TenantId};
use muster_reports::ports::{ManualLink, RegisteredSource, Registry};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Longest id or name of a source, and longest identity name of a link, in bytes.
const NAME_MAX: usize = 1_024;
/// Longest folder of a source, and longest native identity of a link, in bytes.
const PATH_MAX: usize = 4_096;
/// Longest definition of a source, in bytes.
const DEFINITION_MAX: usize = 1_024 * 1_024;
/// Sources of one tenant.
const SOURCES_MAX: i64 = 10_000;
/// Links of one call.
const LINKS_MAX: usize = 1_000_000;
/// Links of one statement; three values each, and SQLite takes 32,766.
const LINKS_PER_STATEMENT: usize = 500;

const PUT_SOURCE: &str = "INSERT INTO sources (tenant, id, name, definition, base_dir)
     SELECT $1, $2, $3, $4, $5
     WHERE EXISTS (SELECT 1 FROM sources WHERE tenant = $1 AND id = $2)
        OR (SELECT count(*) FROM sources WHERE tenant = $1) < $6
     ON CONFLICT (tenant, id) DO UPDATE SET
     name = excluded.name, definition = excluded.definition, base_dir = excluded.base_dir";

/// A name that a source has only within a transaction, so that names can be exchanged. Names that people give do not
/// have this character.
fn interim_name(source: &RegisteredSource) -> String {
    format!("\u{1}{}", source.id.as_str())
}

#[async_trait]
impl Registry for Store {
    async fn put_sources(&self, sources: &[RegisteredSource], event: &AuditEvent) -> Result<()> {
        for source in sources {
            rows::bounded("the id of a source", source.id.as_str(), NAME_MAX)?;
            rows::bounded("the name of a source", &source.name, NAME_MAX)?;
            rows::bounded("the folder of a source", &source.base_dir, PATH_MAX)?;
            rows::bounded("the definition of a source", &source.definition, DEFINITION_MAX)?;
        }
        let kept = Arc::new((event.caller.tenant.clone(), sources.to_vec()));
        self.write_recorded(
            event,
            |()| true,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move { put_sources(&mut session, &kept.0, &kept.1).await })
            },
        )
        .await
    }

    async fn sources(&self, tenant: &TenantId) -> Result<Vec<RegisteredSource>> {
        let found = self
            .read("SELECT * FROM sources WHERE tenant = $1 ORDER BY name", values![tenant.as_str()])
            .await;
        found
            .and_then(|found| found.iter().map(rows::source).collect())
            .map_err(|error| failed("read the sources", error))
    }

    async fn remove_source(&self, source: &SourceId, links: bool, event: &AuditEvent) -> Result<u64> {
        let kept = Arc::new((event.caller.tenant.clone(), source.clone()));
        self.write_recorded(
            event,
            |_| true,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move { remove_source(&mut session, &kept.0, &kept.1, links).await })
            },
        )
        .await
    }

    async fn put_links(&self, links: &[ManualLink], event: &AuditEvent) -> Result<()> {
        if links.len() > LINKS_MAX {
            return Err(Error::invalid(format!(
                "there are {} links: expected at most {LINKS_MAX} at once",
                links.len()
            )));
        }
        // The last link of an account counts, as if the links had been put one by one.
        let mut by_account = BTreeMap::new();
        for link in links {
            rows::bounded("the native identity of a link", &link.native_identity, PATH_MAX)?;
            rows::bounded("the identity name of a link", &link.identity_name, NAME_MAX)?;
            by_account
                .insert((link.source.clone(), link.native_identity.clone()), link.identity_name.clone());
        }
        let kept = Arc::new((event.caller.tenant.clone(), by_account.into_iter().collect::<Vec<_>>()));
        self.write_recorded(
            event,
            |()| true,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, links) = &*kept;
                    for part in links.chunks(LINKS_PER_STATEMENT) {
                        let mut values = vec![Value::Text(tenant.as_str())];
                        for ((source, native_identity), identity_name) in part {
                            values.extend(values![source.as_str(), native_identity, identity_name]);
                        }
                        session
                            .change_built(put_links(part.len()), &values)
                            .await
                            .map_err(|error| failed("keep manual links", error))?;
                    }
                    Ok(())
                })
            },
        )
        .await
    }

    async fn remove_links(
        &self,
        source: &SourceId,
        native_identities: Option<&[String]>,
        event: &AuditEvent,
    ) -> Result<u64> {
        if let Some(wanted) = native_identities.filter(|wanted| wanted.len() > LINKS_MAX) {
            return Err(Error::invalid(format!(
                "there are {} native identities: expected at most {LINKS_MAX} at once",
                wanted.len()
            )));
        }
        let wanted = native_identities.map(<[String]>::to_vec);
        let kept = Arc::new((event.caller.tenant.clone(), source.clone(), wanted));
        self.write_recorded(
            event,
            |removed| *removed > 0,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, source, wanted) = &*kept;
                    remove_links(&mut session, tenant, source, wanted.as_deref()).await
                })
            },
        )
        .await
    }

    async fn links(&self, tenant: &TenantId) -> Result<Vec<ManualLink>> {
        let found = self
            .read(
                "SELECT * FROM links WHERE tenant = $1 ORDER BY source, native_identity",
                values![tenant.as_str()],
            )
            .await;
        found
            .and_then(|found| found.iter().map(rows::link).collect())
            .map_err(|error| failed("read the manual links", error))
    }
}

async fn put_sources(
    session: &mut Session<'_>,
    tenant: &TenantId,
    sources: &[RegisteredSource],
) -> Result<()> {
    // A single source cannot exchange its name with another.
    let exchanging = if sources.len() > 1 { sources } else { &[] };
    for source in exchanging {
        session
            .change(
                "UPDATE sources SET name = $3 WHERE tenant = $1 AND id = $2",
                values![tenant.as_str(), source.id.as_str(), &interim_name(source)],
            )
            .await
            .map_err(|error| failed("rename a source", error))?;
    }
    for source in sources {
        let put = session
            .change(
                PUT_SOURCE,
                values![
                    tenant.as_str(),
                    source.id.as_str(),
                    &source.name,
                    &source.definition,
                    &source.base_dir,
                    SOURCES_MAX,
                ],
            )
            .await;
        match put {
            Ok(0) => {
                return Err(Error::invalid(format!(
                    "there are {SOURCES_MAX} sources already: expected no more"
                )));
            }
            Ok(_) => {}
            Err(error) if is_taken(&error) => {
                return Err(Error::invalid(format!("another source is named {:?}", source.name)));
            }
            Err(error) => return Err(failed("register a source", error)),
        }
    }
    Ok(())
}

async fn remove_source(
    session: &mut Session<'_>,
    tenant: &TenantId,
    source: &SourceId,
    links: bool,
) -> Result<u64> {
    let of_source = values![tenant.as_str(), source.as_str()];
    let wrong = |error| failed("remove a source", error);
    let removed = session
        .change("DELETE FROM sources WHERE tenant = $1 AND id = $2", of_source)
        .await
        .map_err(wrong)?;
    if removed == 0 {
        return Err(Error::invalid(format!("no source with id {source} is registered")));
    }
    let unlinked = session
        .change("DELETE FROM links WHERE tenant = $1 AND source = $2", of_source)
        .await
        .map_err(wrong)?;
    if unlinked > 0 && !links {
        return Err(Error::invalid(format!(
            "{unlinked} accounts of the source are linked by hand: expected none, or that their links are removed too"
        )));
    }
    Ok(unlinked)
}

async fn remove_links(
    session: &mut Session<'_>,
    tenant: &TenantId,
    source: &SourceId,
    native_identities: Option<&[String]>,
) -> Result<u64> {
    let wrong = |error| failed("remove manual links", error);
    let Some(wanted) = native_identities else {
        let of_source = values![tenant.as_str(), source.as_str()];
        let statement = "DELETE FROM links WHERE tenant = $1 AND source = $2";
        return session.change(statement, of_source).await.map_err(wrong);
    };
    let mut removed = 0;
    for native_identity in wanted {
        let of_account = values![tenant.as_str(), source.as_str(), native_identity];
        let statement = "DELETE FROM links WHERE tenant = $1 AND source = $2 AND native_identity = $3";
        removed += session.change(statement, of_account).await.map_err(wrong)?;
    }
    Ok(removed)
}

/// The statement that keeps so many links of one tenant: `$1` is the tenant, then three values a link.
fn put_links(count: usize) -> String {
    let mut statement =
        String::from("INSERT INTO links (tenant, source, native_identity, identity_name) VALUES ");
    for at in 0..count {
        let comma = if at == 0 { "" } else { ", " };
        let first = 3 * at + 2;
        write!(statement, "{comma}($1, ${first}, ${}, ${})", first + 1, first + 2)
            .expect("a string takes every text");
    }
    statement.push_str(
        " ON CONFLICT (tenant, source, native_identity) DO UPDATE SET identity_name = excluded.identity_name",
    );
    statement
}
