//! A refresh after a disk has lost or changed files of the last snapshot.
//!
//! Tables that can be computed from sources and the audit trail are computed again, as if the last snapshot did not
//! have them. Some facts exist only in the tables: dates, removed accounts and people, and counts. They cannot be
//! computed again, so they are left out only on request.

use crate::declared::{ACCOUNTS, IDENTITIES, TABLES, Table};
use crate::error::{EngineError, Result};
use crate::session::Engine;
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use std::sync::Arc;

/// The last snapshot without its damaged tables, so that they are computed again, and messages about them.
type WithoutDamage = (Arc<SnapshotManifest>, Vec<String>);

impl Engine {
    /// The last snapshot without its damaged tables, so that a refresh can continue from it. With `rebuild`, tables
    /// that cannot be computed again are left out, too.
    ///
    /// # Errors
    /// [`EngineError::Unrecoverable`] when a table cannot be computed again. The text says what to do.
    pub fn without_damage(
        self: &Arc<Self>,
        last: Arc<SnapshotManifest>,
        rebuild: bool,
    ) -> BoxFuture<'_, Result<WithoutDamage>> {
        Box::pin(async move {
            let engine = Arc::clone(self);
            self.run(async move {
                let mut damaged = Vec::new();
                for table in TABLES {
                    // Every processor hashes files of the table.
                    let damage = engine.damage_of(&last, table).await?;
                    damaged.extend(damage.map(|damage| (table, damage.fault)));
                }
                leave_out(last, &damaged, rebuild)
            })
            .await
        })
    }
}

fn leave_out(
    last: Arc<SnapshotManifest>,
    damaged: &[(&'static str, String)],
    rebuild: bool,
) -> Result<WithoutDamage> {
    if damaged.is_empty() {
        return Ok((last, Vec::new()));
    }
    let lost = |table: &str| Table::of(table).only_here;
    if let Some((table, fault, what)) =
        damaged.iter().find_map(|(table, fault)| Some((table, fault, lost(table)?)))
        && !rebuild
    {
        return Err(EngineError::Unrecoverable(format!(
            "table {table:?} of the last snapshot is damaged ({fault}) and the sources do not have its data: put the file \
             back from a backup, or run `muster refresh --rebuild`, which starts without the table and loses {what}"
        )));
    }
    let mut manifest = (*last).clone();
    let mut notes = Vec::new();
    for (table, fault) in damaged {
        // Accounts and identities refer to each other.
        let together = [ACCOUNTS, IDENTITIES];
        let gone = if together.contains(table) { &together[..] } else { std::slice::from_ref(table) };
        for table in gone {
            manifest.versions.remove(*table);
            manifest.files.remove(*table);
        }
        let loses = lost(table).map_or_else(String::new, |what| format!(", without {what}"));
        notes.push(format!(
            "table {table:?} of the last snapshot is damaged ({fault}): the table was written again{loses}"
        ));
    }
    Ok((Arc::new(manifest), notes))
}
