//! Saved searches.

use crate::failure::failed;
use crate::rows;
use crate::session::{Read, Row, Session, Sql, values};
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{SavedSearchId, TenantId};
use muster_reports::ports::SavedSearchStore;
use muster_reports::saved_search::{SAVED_SEARCHES_MAX, SavedSearch, SavedSearchPage, SavedSearchQuery};
use std::sync::Arc;

/// Longest owner of a saved search, in bytes.
const OWNER_MAX: usize = 1_024;
/// Longest content of a saved search, in bytes of its JSON.
const CONTENT_MAX: usize = 1_024 * 1_024;

/// $1 tenant, $2 owner or null.
macro_rules! listed {
    ($columns:literal, $order:literal) => {
        Sql {
            sqlite: concat!(
                "SELECT ",
                $columns,
                " FROM saved_searches WHERE tenant = $1 AND ($2 IS NULL OR owner = $2)",
                $order
            ),
            postgres: concat!(
                "SELECT ",
                $columns,
                " FROM saved_searches WHERE tenant = $1 AND ($2::text IS NULL OR owner = $2)",
                $order
            ),
        }
    };
}

const PAGE: Sql = listed!("*", " ORDER BY created, id LIMIT $3 OFFSET $4");
const COUNT: Sql = listed!("count(*) AS total", "");

#[async_trait]
impl SavedSearchStore for Store {
    async fn add_saved_search(&self, search: &SavedSearch, event: &AuditEvent) -> Result<()> {
        rows::bounded("the owner of a saved search", &search.owner, OWNER_MAX)?;
        let content = rows::to_json("the content of a saved search", &search.content, CONTENT_MAX)?;
        let kept = Arc::new((event.caller.tenant.clone(), search.clone(), content));
        self.write_recorded(
            event,
            |()| true,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { insert(session, &kept.0, &kept.1, &kept.2).await })
            },
        )
        .await
    }

    async fn saved_search(&self, tenant: &TenantId, id: &SavedSearchId) -> Result<Option<SavedSearch>> {
        let found = self
            .read_first(
                "SELECT * FROM saved_searches WHERE tenant = $1 AND id = $2",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        found
            .and_then(|row| row.as_ref().map(saved_search).transpose())
            .map_err(|error| failed("read a saved search", error))
    }

    async fn saved_searches(&self, tenant: &TenantId, wanted: &SavedSearchQuery) -> Result<SavedSearchPage> {
        let SavedSearchQuery { owner, offset, limit, counted } = wanted;
        let owner = owner.as_deref();
        let wrong = |error| failed("list the saved searches", error);
        let page =
            self.read(PAGE, values![tenant.as_str(), owner, i64::from(*limit), i64::from(*offset)]).await;
        let searches = page.and_then(|rows| rows.iter().map(saved_search).collect()).map_err(wrong)?;
        let total = match counted {
            false => None,
            true => {
                let row = self.read_first(COUNT, values![tenant.as_str(), owner]).await.map_err(wrong)?;
                let total = row.map_or(Ok(0), |row| row.integer("total")).map_err(wrong)?;
                Some(u64::try_from(total).unwrap_or_default())
            }
        };
        Ok(SavedSearchPage { searches, total })
    }

    async fn replace_saved_search(&self, search: &SavedSearch, event: &AuditEvent) -> Result<bool> {
        let content = rows::to_json("the content of a saved search", &search.content, CONTENT_MAX)?;
        let modified = rows::micros(search.modified);
        let kept = Arc::new((event.caller.tenant.clone(), search.id.clone(), content));
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, id, content) = &*kept;
                    session
                        .change(
                            "UPDATE saved_searches SET content = $1, modified = $2 WHERE tenant = $3 AND id = $4",
                            values![content, modified, tenant.as_str(), id.as_str()],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("change a saved search", error))
                })
            },
        )
        .await
    }

    async fn remove_saved_search(&self, id: &SavedSearchId, event: &AuditEvent) -> Result<bool> {
        let kept = Arc::new((event.caller.tenant.clone(), id.clone()));
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    session
                        .change(
                            "DELETE FROM saved_searches WHERE tenant = $1 AND id = $2",
                            values![kept.0.as_str(), kept.1.as_str()],
                        )
                        .await
                        .map(|removed| removed > 0)
                        .map_err(|error| failed("remove a saved search", error))
                })
            },
        )
        .await
    }
}

fn saved_search(row: &Row) -> Read<SavedSearch> {
    Ok(SavedSearch {
        id: SavedSearchId::new(row.text("id")?),
        owner: row.text("owner")?,
        content: rows::json(row, "content")?,
        created: rows::as_time("created", row.integer("created")?)?,
        modified: rows::as_time("modified", row.integer("modified")?)?,
    })
}

async fn insert(
    mut session: Session<'_>,
    tenant: &TenantId,
    search: &SavedSearch,
    content: &str,
) -> Result<()> {
    let wrong = |error| failed("keep a saved search", error);
    session.alone_in("saved searches").await.map_err(wrong)?;
    let counted = session
        .first("SELECT count(*) AS total FROM saved_searches WHERE tenant = $1", values![tenant.as_str()])
        .await
        .and_then(|row| row.map_or(Ok(0), |row| row.integer("total")))
        .map_err(wrong)?;
    if usize::try_from(counted).unwrap_or(usize::MAX) >= SAVED_SEARCHES_MAX {
        return Err(Error::invalid(format!(
            "there are {SAVED_SEARCHES_MAX} saved searches already: expected fewer"
        )));
    }
    session
        .change(
            "INSERT INTO saved_searches (tenant, id, owner, content, created, modified)
             VALUES ($1, $2, $3, $4, $5, $6)",
            values![
                tenant.as_str(),
                search.id.as_str(),
                &search.owner,
                content,
                rows::micros(search.created),
                rows::micros(search.modified),
            ],
        )
        .await
        .map(drop)
        .map_err(wrong)
}
