//! Which installation a database belongs to. Its folder of files has the same mark. So neither is used with the other
//! half of another installation, where files that no record names would look left over.

use crate::failure::failed;
use crate::session::{Read, values};
use crate::store::Store;
use muster_reports::error::Result;

/// What a database says of the installation that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its mark; `None` before it gets one.
    pub id: Option<String>,
    /// Whether nothing has ever been kept in it.
    pub is_empty: bool,
}

impl Store {
    /// The installation of this database.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn installation(&self) -> Result<Installation> {
        let found = self
            .read_first(
                "SELECT (SELECT max(id) FROM installation) AS id,
                     (SELECT count(*) FROM (SELECT 1 FROM tasks LIMIT 1) AS found)
                     + (SELECT count(*) FROM (SELECT 1 FROM snapshots LIMIT 1) AS found)
                     + (SELECT count(*) FROM (SELECT 1 FROM credentials LIMIT 1) AS found)
                     + (SELECT count(*) FROM (SELECT 1 FROM sources LIMIT 1) AS found)
                     + (SELECT count(*) FROM (SELECT 1 FROM audit_events LIMIT 1) AS found) AS kept",
                &[],
            )
            .await;
        found
            .and_then(|row| {
                let row = row.ok_or(sqlx::Error::RowNotFound)?;
                Ok(Installation { id: row.optional_text("id")?, is_empty: row.integer("kept")? == 0 })
            })
            .map_err(|error: sqlx::Error| failed("say which installation it belongs to", error))
    }

    /// Gives the database this mark, unless it has one. Returns the mark that it has afterwards. With `replace`, it
    /// gets this mark in any case.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn mark_installation(&self, id: &str, replace: bool) -> Result<String> {
        let id = id.to_owned();
        self.write(move |mut session| {
            let id = id.clone();
            Box::pin(async move {
                let marked: Read<String> = async {
                    session
                        .change(
                            "UPDATE installation SET id = $1 WHERE id IS NULL OR $2",
                            values![&id, replace],
                        )
                        .await?;
                    let row = session.first("SELECT id FROM installation", &[]).await?;
                    row.ok_or(sqlx::Error::RowNotFound)?.text("id")
                }
                .await;
                marked.map_err(|error| failed("mark the installation", error))
            })
        })
        .await
    }
}
