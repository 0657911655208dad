//! The ids of the documents that a search of a policy finds, as a part of other plans.

use super::column_of;
use super::fields::DocumentFields;
use super::filter;
use super::narrow::{NarrowedTable, Uses};
use super::warnings::{SearchedFields, Warnings};
use crate::cancellation::CancelSignal;
use crate::declared::Table;
use crate::error::{EngineError, Result};
use crate::scope;
use crate::session::Engine;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{Expr, ident};
use muster_querystring::matching::Lowering;
use muster_reports::caller::DataScope;
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::sod::PolicySearch;
use muster_sources::DocumentType;
use muster_sources::documents::schema;

impl Engine {
    /// The ids of what `search` finds in the part of the snapshot that `scope` shows, as two plans of one column, `id`. The
    /// comparisons of the first let a scan skip parts of files; the second tests every document with the whole query. They end
    /// with `signal`.
    pub(crate) async fn found_ids(
        &self,
        manifest: &SnapshotManifest,
        scope: &DataScope,
        search: &PolicySearch,
        signal: &CancelSignal,
    ) -> Result<[DataFrame; 2]> {
        let refused =
            |what: String| EngineError::Invalid(format!("the query {:?} of a policy: {what}", search.query));
        let document_type =
            if search.finds_people { DocumentType::Identities } else { DocumentType::Entitlements };
        let query = muster_querystring::parse(&search.query).map_err(|error| refused(error.to_string()))?;
        let table = Table::of_documents(document_type).name;
        let context = self.session_until(signal.clone());
        scope::register(self, &context, manifest, scope, &[table]).await?;
        let fields = DocumentFields::new(&schema(document_type));
        let predicate = Lowering::new(&query, manifest.created).predicate(&fields).map_err(|error| {
            refused(format!("column {}: {error}", column_of(&search.query, error.span.start)))
        })?;
        let mut warnings = Warnings::default();
        let searched = [(document_type, fields)];
        let known = SearchedFields::new(&searched, Some(manifest));
        known.of_query(&search.query, &query, manifest.created, &mut warnings);
        if let Some(warning) = warnings.texts().into_iter().next() {
            return Err(refused(warning));
        }
        let compiler = || filter::Compiler::new(schema(document_type), signal.clone());
        let (filter, asked) = (compiler().compile(&predicate), compiler().asked(&predicate));
        let mut uses = Uses::of(&predicate);
        uses.add("id");
        let failed = |error| EngineError::plan(document_type.index_name(), error);
        let provider = context.table_provider(table).await.map_err(failed)?;
        let ids = |filter: Expr| {
            let documents = context.read_table(NarrowedTable::over(provider.clone(), &uses))?;
            documents.filter(filter)?.select(vec![ident("id")])
        };
        Ok([ids(filter).map_err(failed)?, ids(asked).map_err(failed)?])
    }
}
