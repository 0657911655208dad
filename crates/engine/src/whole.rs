//! A table of a snapshot as it is: what reports rest on, for those who must see it.

use crate::error::{EngineError, Result};
use crate::order::{Ordered, SortKey};
use crate::rows::{ReportRows, Shape};
use crate::scope;
use crate::session::Engine;
use datafusion::prelude::ident;
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
        let keys: Vec<_> = order.split(',').map(|name| SortKey::column(name.trim())).collect();
        let rows = self
            .run(async move {
                let context = engine.session();
                scope::register(&engine, &context, &manifest, &scope, &[table]).await?;
                let failed = |e| EngineError::plan(table, e);
                let frame = context.table(table).await.map_err(failed)?;
                let fields = frame.schema().fields().iter();
                let columns = fields.map(|field| (field.name().clone(), ident(field.name()))).collect();
                let rows = Ordered::new(frame, columns, keys).map_err(failed)?;
                let first = rows.frame().clone().limit(0, Some(rows_max)).map_err(failed)?;
                Ok(rows.with_frame(first))
            })
            .await?;
        let shape: Shape = Box::new(|batch| Ok(vec![batch]));
        ReportRows::start(self, table, rows.schema(), vec![(rows, shape)])
    }
}
