//! Aggregations over the documents that a search finds.
//!
//! Every document is read once, with the columns that the aggregations name. A [`Node`] says where the values of an
//! aggregation are in one type of document; a [`Tally`] has what was counted so far, over all types.
//!
//! Invariants: counts are exact; what is counted takes at most [`tally::TALLY_BYTES_MAX`] bytes; an unknown field is refused and
//! never counted as nothing.

mod counting;
mod nodes;
mod tally;
mod values;

use super::fields::DocumentFields;
use super::flatten::split;
use super::narrow::Uses;
use super::{SearchPart, SearchPlan};
use crate::error::{EngineError, Result};
use counting::count;
use datafusion::prelude::ident;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use muster_querystring::matching::tokens_lower_case;
use muster_reports::aggregation::{Aggregated, Aggregation, TypeAhead};
use muster_reports::nearest::hint;
use muster_sources::documents::schema;
use nodes::{Asked, AskedKind, Missing, Node, Used, nodes};
use std::collections::BTreeSet;
use tally::{Room, Tally, results};
use values::{STEP, text_of};

impl SearchPlan {
    /// What comes of aggregations over all documents that the search finds, by name in their order.
    ///
    /// # Errors
    /// `Invalid` for a field that no searched type of document has or that cannot be computed with, and where there are
    /// too many different values; otherwise when a plan fails.
    pub fn aggregate<'a>(
        &'a self,
        aggregations: &'a [Aggregation],
    ) -> BoxFuture<'a, Result<Vec<(String, Aggregated)>>> {
        Box::pin(async move {
            let asked: Vec<_> = aggregations.iter().map(Asked::of).collect();
            let tallies = self.tally(&asked).await?;
            Ok(results(aggregations, tallies))
        })
    }

    /// The values of a field in which the words of a text follow each other, the last one as the beginning of a word.
    ///
    /// # Errors
    /// As [`SearchPlan::aggregate`].
    pub fn values_ahead<'a>(&'a self, ahead: &'a TypeAhead) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let words = tokens_lower_case(&ahead.text);
            let buckets = |field: String| Asked {
                name: "typeAheadQuery",
                kind: AskedKind::Buckets { field, words: Some(words.clone()) },
                inner: Vec::new(),
            };
            let asked = match &ahead.nested {
                None => buckets(ahead.field.clone()),
                Some(list) => Asked {
                    name: "typeAheadQuery",
                    kind: AskedKind::Nested(list.clone()),
                    inner: vec![buckets(format!("{list}.{}", ahead.field))],
                },
            };
            let mut tallies = self.tally(&[asked]).await?;
            let mut tally = tallies.pop();
            if let Some(Tally::Objects { mut inner, .. }) = tally {
                tally = inner.pop();
            }
            let Some(Tally::Buckets(found)) = tally else { return Ok(Vec::new()) };
            let mut found: Vec<_> = found.into_iter().map(|(key, (objects, _))| (key, objects)).collect();
            found.sort_by(|a, b| {
                let order = if ahead.by_value { a.0.cmp(&b.0) } else { a.1.cmp(&b.1) };
                let order = if ahead.ascending { order } else { order.reverse() };
                order.then_with(|| a.0.cmp(&b.0))
            });
            let size = usize::try_from(ahead.size).unwrap_or(usize::MAX);
            Ok(found.into_iter().take(size).map(|(key, _)| text_of(&key)).collect())
        })
    }

    /// Counts over all types of document.
    async fn tally(&self, asked: &[Asked<'_>]) -> Result<Vec<Tally>> {
        let mut missing = Missing::of(asked);
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let fields = DocumentFields::new(&schema(part.document_type));
            let mut uses = Used::default();
            let nodes = nodes(asked, &fields, None, &mut uses, &mut missing)?;
            parts.push((part, nodes, uses));
        }
        if let Some((name, field)) = missing.first() {
            let known: Vec<_> = self.parts.iter().flat_map(|part| part.fields().names()).collect();
            return Err(EngineError::Invalid(format!(
                "aggregation {name:?}: the searched documents have no field {field:?} there that has values{}",
                hint(field, known.iter().map(String::as_str))
            )));
        }
        let first = parts.first().map_or(&[][..], |(_, nodes, _)| nodes.as_slice());
        let mut tallies: Vec<_> = first.iter().map(Node::tally).collect();
        let mut room = Room::default();
        for (part, nodes, uses) in parts {
            part.count_into(&nodes, &uses, &mut tallies, &mut room).await?;
        }
        Ok(tallies)
    }
}

impl SearchPart {
    async fn count_into(
        &self,
        nodes: &[Node],
        used: &Used,
        tallies: &mut [Tally],
        room: &mut Room,
    ) -> Result<()> {
        let failed = |e| EngineError::plan(STEP, e);
        let mut uses = Uses::of(&self.predicate);
        used.values.iter().for_each(|path| uses.add(path));
        for list in &used.lists {
            match list.contains('.') {
                true => uses.add(list),
                false => uses.add_lengths(list),
            }
        }
        // The id, so that a batch has rows where no value is used.
        let columns = used.values.iter().chain(&used.lists).map(|path| split(path).0).chain(["id"]);
        let columns: BTreeSet<_> = columns.collect();
        uses.add("id");
        let found = self.documents(&uses)?.filter((*self.filter).clone()).map_err(failed)?;
        let found = found.select(columns.into_iter().map(ident).collect::<Vec<_>>()).map_err(failed)?;
        let mut batches = found.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.next().await {
            count(&batch.map_err(failed)?, nodes, tallies, room)?;
        }
        Ok(())
    }
}
