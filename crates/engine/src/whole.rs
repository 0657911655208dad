//! A table of a snapshot as it is: what reports rest on, for those who must see it.

use crate::error::{EngineError, Result};
use crate::rows::{ReportRows, Shape};
use crate::session::Engine;
use crate::{schemas, scope};
use muster_reports::SnapshotManifest;
use muster_reports::caller::DataScope;
use std::sync::Arc;

impl Engine {
    /// The rows of a table that `scope` shows, by the columns of `order`, at most `rows_max`.
    ///
    /// # Errors
    /// When the table cannot be opened, or the engine has stopped.
    pub async fn rows_of(
        self: &Arc<Self>,
        manifest: &SnapshotManifest,
        table: &'static str,
        scope: &DataScope,
        order: &str,
        rows_max: usize,
    ) -> Result<ReportRows> {
        let (engine, manifest, scope) = (Arc::clone(self), manifest.clone(), scope.clone());
        let sql = format!("SELECT * FROM {table} ORDER BY {order} LIMIT {rows_max}");
        let frame = self
            .run(async move {
                let context = engine.session();
                scope::register(&engine, &context, &manifest, &scope, &[table]).await?;
                context.sql(&sql).await.map_err(|e| EngineError::plan(table, e))
            })
            .await?;
        let shape: Shape = Box::new(|batch| Ok(vec![batch]));
        ReportRows::start(self, table, schemas::of(table), vec![(frame, shape)])
    }
}
