//! A refresh after a disk lost or changed files of the last snapshot.
//!
//! What is made from sources and from the audit trail is made again, as if the last snapshot had never had it. What
//! only the tables know (since when, who is gone, how many there were) cannot be, and is left out only when that is
//! asked for.

use crate::declared::{ACCOUNTS, IDENTITIES, TABLES, Table};
use crate::error::{EngineError, Result};
use crate::session::Engine;
use muster_reports::SnapshotManifest;
use std::sync::Arc;

/// The last snapshot without its damaged tables, so that they are made again, and what to tell people of it.
type WithoutDamage = (Arc<SnapshotManifest>, Vec<String>);

impl Engine {
    /// The last snapshot as a refresh can go on from it: without the tables that are damaged. With `rebuild` also those
    /// are left out that cannot be made again.
    ///
    /// # Errors
    /// [`EngineError::Unrecoverable`] where a table cannot be made again; the text says what to do.
    pub async fn without_damage(
        self: &Arc<Self>,
        last: Arc<SnapshotManifest>,
        rebuild: bool,
    ) -> Result<WithoutDamage> {
        let engine = Arc::clone(self);
        self.run(async move {
            // Side by side: hashing keeps one processor each.
            let looked = TABLES.map(|table| engine.damage_of(&last, table));
            let looked = futures_util::future::try_join_all(looked).await?;
            let found = TABLES.into_iter().zip(looked);
            let damaged: Vec<_> = found.filter_map(|(table, damage)| Some((table, damage?.fault))).collect();
            leave_out(last, &damaged, rebuild)
        })
        .await
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
            "table {table:?} of the last snapshot is damaged ({fault}) and sources do not have what is in it: put the file \
             back from a backup, or run `muster refresh --rebuild`, which begins without it and loses {what}"
        )));
    }
    let mut manifest = (*last).clone();
    let mut notes = Vec::new();
    for (table, fault) in damaged {
        // People and accounts know each other.
        let together = [ACCOUNTS, IDENTITIES];
        let gone = if together.contains(table) { &together[..] } else { std::slice::from_ref(table) };
        for table in gone {
            manifest.versions.remove(*table);
            manifest.files.remove(*table);
        }
        let loses = lost(table).map_or_else(String::new, |what| format!(", without {what}"));
        notes.push(format!(
            "table {table:?} of the last snapshot is damaged ({fault}): it was made again{loses}"
        ));
    }
    Ok((Arc::new(manifest), notes))
}
