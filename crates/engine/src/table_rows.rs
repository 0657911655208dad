//! Reads the rows of one table of a snapshot, for evidence packages.

use crate::error::{EngineError, Result};
use crate::scope;
use crate::session::Engine;
use datafusion::arrow::array::RecordBatch;
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use muster_reports::caller::DataScope;
use std::sync::Arc;

impl Engine {
    /// The rows of a table that `scope` shows, sorted by the columns of `order`, at most `rows_max`. All of them are
    /// held in memory.
    ///
    /// # Errors
    /// When the table cannot be read, or the engine has stopped.
    pub fn table_rows<'a>(
        self: &'a Arc<Self>,
        manifest: &'a SnapshotManifest,
        table: &'static str,
        scope: &'a DataScope,
        order: &'a str,
        rows_max: usize,
    ) -> BoxFuture<'a, Result<Vec<RecordBatch>>> {
        Box::pin(async move {
            let (engine, manifest, scope) = (Arc::clone(self), manifest.clone(), scope.clone());
            let sql = format!("SELECT * FROM {table} ORDER BY {order} LIMIT {rows_max}");
            self.run(async move {
                let context = engine.session();
                scope::register(&engine, &context, &manifest, &scope, &[table]).await?;
                let failed = |e| EngineError::plan(table, e);
                context.sql(&sql).await.map_err(failed)?.collect().await.map_err(failed)
            })
            .await
        })
    }
}
