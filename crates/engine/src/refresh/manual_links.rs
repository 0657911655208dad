//! Checks new manual links against a snapshot. Without this check, a link to an unknown account or identity would wait
//! for ever without a message.

use super::work::{self, texts};
use crate::error::{EngineError, Result};
use crate::query::{Value, Values};
use crate::session::Engine;
use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use muster_reports::nearest::hint;
use muster_reports::ports::ManualLink;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Name of these queries in errors.
const STEP: &str = "links";
/// Most unknown names for which the nearest name is searched.
const HINTS_MAX: usize = 20;
/// Most names that are compared with an unknown name.
const COMPARED_MAX: usize = 2_000;

impl Engine {
    /// The reasons why links cannot take effect, by their index in `links`.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn refused_links(
        self: &Arc<Self>,
        manifest: Arc<SnapshotManifest>,
        links: Vec<ManualLink>,
    ) -> BoxFuture<'_, Result<BTreeMap<usize, String>>> {
        Box::pin(async move {
            let engine = Arc::clone(self);
            self.run(async move { refused(&engine, &manifest, &links).await }).await
        })
    }
}

async fn refused(
    engine: &Engine,
    manifest: &SnapshotManifest,
    links: &[ManualLink],
) -> Result<BTreeMap<usize, String>> {
    let context = engine.session();
    work::register_tables(engine, &context, manifest, &["accounts", "identities"]).await?;
    context.register_batch("wanted", wanted(links)?).map_err(|e| EngineError::plan("wanted links", e))?;
    let mut reasons = BTreeMap::new();
    let identities = "SELECT w.place, count(i.id) FROM wanted w \
        LEFT JOIN (SELECT id, name FROM identities) i ON i.name = w.identity_name \
        GROUP BY w.place HAVING count(i.id) <> 1 ORDER BY w.place";
    let found = work::rows_of(&context, STEP, identities, &[]).await?;
    let places = work::counts("identities of links", &found, 0)?;
    for (place, n) in places.into_iter().zip(work::counts("identities of links", &found, 1)?) {
        let Some((at, link)) = at(links, place) else { continue };
        let name = &link.identity_name;
        let reason = if n > 0 {
            format!("userName is {name:?}, which is the name of {n} identities: expected that of one")
        } else {
            let near = near(&context, &reasons, "SELECT name FROM identities", &[], name).await?;
            format!("userName is {name:?}: expected the name of an identity{near}")
        };
        reasons.insert(at, reason);
    }
    let accounts = "SELECT w.place FROM wanted w \
        LEFT ANTI JOIN (SELECT source_id, native_identity FROM accounts WHERE dead_since IS NULL) a \
          ON a.source_id = w.source_id AND a.native_identity = w.native_identity ORDER BY w.place";
    for place in work::counts("accounts of links", &work::rows_of(&context, STEP, accounts, &[]).await?, 0)? {
        let Some((at, link)) = at(links, place) else { continue };
        let names =
            "SELECT native_identity AS name FROM accounts WHERE source_id = $source AND dead_since IS NULL";
        let source = [("source", Value::text(link.source.as_str()))];
        let near = near(&context, &reasons, names, &source, &link.native_identity).await?;
        let reason = format!(
            "account is {:?}: expected the native identity of an account of the source{near}",
            link.native_identity
        );
        reasons.insert(at, reason);
    }
    Ok(reasons)
}

fn at(links: &[ManualLink], place: u64) -> Option<(usize, &ManualLink)> {
    let at = usize::try_from(place).ok()?;
    Some((at, links.get(at)?))
}

fn wanted(links: &[ManualLink]) -> Result<RecordBatch> {
    let text = |f: fn(&ManualLink) -> &str| Arc::new(StringArray::from_iter_values(links.iter().map(f))) as _;
    RecordBatch::try_from_iter([
        ("place", Arc::new((0i64..).take(links.len()).map(Some).collect::<Int64Array>()) as _),
        ("source_id", text(|link| link.source.as_str())),
        ("native_identity", text(|link| &link.native_identity)),
        ("identity_name", text(|link| &link.identity_name)),
    ])
    .map_err(|e| EngineError::data("listing links", e))
}

/// The nearest names for the first unknown names, among the names that `names` selects and that begin alike.
async fn near(
    context: &SessionContext,
    reasons: &BTreeMap<usize, String>,
    names: &str,
    values: Values<'_>,
    given: &str,
) -> Result<String> {
    if reasons.len() >= HINTS_MAX {
        return Ok(String::new());
    }
    let begins: String = given.trim().chars().take(2).flat_map(char::to_lowercase).collect();
    let sql = format!(
        "SELECT name FROM ({names}) WHERE starts_with(lower(trim(name)), $begins) ORDER BY name LIMIT {COMPARED_MAX}"
    );
    let values = [&[("begins", Value::Text(begins))], values].concat();
    let found: Vec<String> = texts(&work::rows_of(context, STEP, &sql, &values).await?, 0).collect();
    Ok(hint(given, found.iter().map(String::as_str)))
}
