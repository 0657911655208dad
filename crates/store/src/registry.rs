//! What administrators registered: sources and manual links.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::sqlite::SqliteStore;
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::ids::TenantId;
use muster_reports::ports::{ManualLink, RegisteredSource, Registry};
use sqlx::{QueryBuilder, Sqlite};
use std::collections::BTreeMap;

const NAME_MAX: usize = 1_024;
const PATH_MAX: usize = 4_096;
const DEFINITION_MAX: usize = 1_024 * 1_024;
/// Sources of one tenant.
const SOURCES_MAX: i64 = 10_000;
/// Links of one call.
const LINKS_MAX: usize = 1_000_000;
/// Links of one statement; four values each, and SQLite takes 32,766.
const LINKS_PER_STATEMENT: usize = 500;

#[async_trait]
impl Registry for SqliteStore {
    async fn put_source(&self, tenant: &TenantId, source: &RegisteredSource) -> Result<()> {
        rows::bounded("the id of a source", source.id.as_str(), NAME_MAX)?;
        rows::bounded("the name of a source", &source.name, NAME_MAX)?;
        rows::bounded("the folder of a source", &source.base_dir, PATH_MAX)?;
        rows::bounded("the definition of a source", &source.definition, DEFINITION_MAX)?;
        let (tenant, source) = (tenant.clone(), source.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let put = sqlx::query(
                        "INSERT INTO sources (tenant, id, name, definition, base_dir)
                         SELECT ?1, ?2, ?3, ?4, ?5
                         WHERE EXISTS (SELECT 1 FROM sources WHERE tenant = ?1 AND id = ?2)
                            OR (SELECT count(*) FROM sources WHERE tenant = ?1) < ?6
                         ON CONFLICT (tenant, id) DO UPDATE SET
                         name = excluded.name, definition = excluded.definition, base_dir = excluded.base_dir",
                    )
                    .bind(tenant.as_str())
                    .bind(source.id.as_str())
                    .bind(&source.name)
                    .bind(&source.definition)
                    .bind(&source.base_dir)
                    .bind(SOURCES_MAX)
                    .execute(connection)
                    .await;
                    match put {
                        Ok(done) if done.rows_affected() == 0 => Err(Error::invalid(format!(
                            "there are {SOURCES_MAX} sources already: expected no more"
                        ))),
                        Ok(_) => Ok(()),
                        Err(error) if is_taken(&error) => {
                            Err(Error::invalid(format!("another source is named {:?}", source.name)))
                        }
                        Err(error) => Err(failed("register a source", error)),
                    }
                })
            })
            .await
    }

    async fn sources(&self, tenant: &TenantId) -> Result<Vec<RegisteredSource>> {
        let found = sqlx::query("SELECT * FROM sources WHERE tenant = ? ORDER BY name")
            .bind(tenant.as_str())
            .fetch_all(&self.readers)
            .await;
        found
            .and_then(|found| found.iter().map(rows::source).collect())
            .map_err(|error| failed("read the sources", error))
    }

    async fn put_links(&self, tenant: &TenantId, links: &[ManualLink]) -> Result<()> {
        if links.len() > LINKS_MAX {
            return Err(Error::invalid(format!(
                "there are {} links: expected at most {LINKS_MAX} at once",
                links.len()
            )));
        }
        // The last link of an account stands, as if they had been put one by one.
        let mut by_account = BTreeMap::new();
        for link in links {
            rows::bounded("the native identity of a link", &link.native_identity, PATH_MAX)?;
            rows::bounded("the identity name of a link", &link.identity_name, NAME_MAX)?;
            by_account
                .insert((link.source.clone(), link.native_identity.clone()), link.identity_name.clone());
        }
        let links: Vec<_> = by_account.into_iter().collect();
        let tenant = tenant.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    for part in links.chunks(LINKS_PER_STATEMENT) {
                        let mut statement = QueryBuilder::<Sqlite>::new(
                            "INSERT INTO links (tenant, source, native_identity, identity_name) ",
                        );
                        statement.push_values(part, |mut row, ((source, native_identity), identity_name)| {
                            row.push_bind(tenant.as_str())
                                .push_bind(source.as_str())
                                .push_bind(native_identity)
                                .push_bind(identity_name);
                        });
                        statement.push(
                            " ON CONFLICT (tenant, source, native_identity)
                             DO UPDATE SET identity_name = excluded.identity_name",
                        );
                        statement
                            .build()
                            .execute(&mut *connection)
                            .await
                            .map_err(|error| failed("keep manual links", error))?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn links(&self, tenant: &TenantId) -> Result<Vec<ManualLink>> {
        let found = sqlx::query("SELECT * FROM links WHERE tenant = ? ORDER BY source, native_identity")
            .bind(tenant.as_str())
            .fetch_all(&self.readers)
            .await;
        found
            .and_then(|found| found.iter().map(rows::link).collect())
            .map_err(|error| failed("read the manual links", error))
    }
}
