//! Counts batches of documents.

use super::nodes::{Node, NodeKind};
use super::tally::{ENTRY_BYTES, Room, Tally, bytes_of};
use super::values::{Read, STEP, Values, has_words, text_of};
use crate::error::{EngineError, Result};
use crate::search::flatten::{PathValues, index, values};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StructArray};
use muster_reports::aggregation::BucketKey;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Of so many values of one object, repeated ones are found by comparing each with each.
const COMPARED_MAX: usize = 16;

/// Where the values of an aggregation are in a batch.
struct Found {
    kind: FoundKind,
    inner: Vec<Found>,
}

enum FoundKind {
    /// The elements of each object, for a nested aggregation.
    Elements(Vec<i32>),
    /// The values of each object.
    Values(Read),
    /// The type of document has no such field.
    Nothing,
}

/// Finds the values of all aggregations, each once, however many buckets they are counted in.
fn find(nodes: &[Node], objects: &ArrayRef) -> Result<Vec<Found>> {
    let one = |node: &Node| match &node.kind {
        NodeKind::Nested(Some(path)) => {
            let PathValues { offsets, values } =
                values(objects, path).map_err(|e| EngineError::plan(STEP, e))?;
            Ok(Found { kind: FoundKind::Elements(offsets.to_vec()), inner: find(&node.inner, &values)? })
        }
        NodeKind::Filter { path: Some(path), .. }
        | NodeKind::Buckets { path: Some(path), .. }
        | NodeKind::Metric { path: Some(path), .. } => {
            let kind = FoundKind::Values(Read::of(objects, path)?);
            Ok(Found { kind, inner: find(&node.inner, objects)? })
        }
        NodeKind::Nested(None)
        | NodeKind::Filter { path: None, .. }
        | NodeKind::Buckets { path: None, .. }
        | NodeKind::Metric { path: None, .. } => Ok(Found { kind: FoundKind::Nothing, inner: Vec::new() }),
    };
    nodes.iter().map(one).collect()
}

/// Counts a batch of documents.
pub(super) fn count(
    batch: &RecordBatch,
    nodes: &[Node],
    tallies: &mut [Tally],
    room: &mut Room,
) -> Result<()> {
    let rows: Vec<_> = (0..batch.num_rows()).collect();
    let documents: ArrayRef = Arc::new(StructArray::from(batch.clone()));
    count_objects(&rows, nodes, &find(nodes, &documents)?, tallies, room)
}

/// Counts some of the objects in which the values were found.
fn count_objects(
    rows: &[usize],
    nodes: &[Node],
    found: &[Found],
    tallies: &mut [Tally],
    room: &mut Room,
) -> Result<()> {
    for ((node, found), tally) in nodes.iter().zip(found).zip(tallies) {
        match (&node.kind, &found.kind, tally) {
            (
                NodeKind::Nested(_),
                FoundKind::Elements(offsets),
                Tally::Objects { objects: counted, inner },
            ) => {
                let elements = rows.iter().flat_map(|row| index(offsets[*row])..index(offsets[*row + 1]));
                let elements: Vec<_> = elements.collect();
                *counted += elements.len() as u64;
                count_objects(&elements, &node.inner, &found.inner, inner, room)?;
            }
            (
                NodeKind::Filter { value, .. },
                FoundKind::Values(read),
                Tally::Objects { objects: counted, inner },
            ) => {
                let typed = read.typed()?;
                let passes = |row: &usize| {
                    read.of_row(*row).any(|at| match &typed {
                        Values::Texts(texts) => texts.value(at) == value,
                        Values::Numbers(_) | Values::Flags(_) | Values::Moments(_) => {
                            text_of(&typed.key(at)) == *value
                        }
                    })
                };
                let passing: Vec<_> = rows.iter().copied().filter(|row| passes(row)).collect();
                *counted += passing.len() as u64;
                count_objects(&passing, &node.inner, &found.inner, inner, room)?;
            }
            (NodeKind::Buckets { repeats, words, .. }, FoundKind::Values(read), Tally::Buckets(buckets)) => {
                for (key, rows) in in_buckets(read, rows, *repeats, words.as_deref())? {
                    if !buckets.contains_key(&key) {
                        room.take(bytes_of(&key) + node.inner.len() * ENTRY_BYTES)?;
                        buckets.insert(key.clone(), (0, node.inner.iter().map(Node::tally).collect()));
                    }
                    let Some((objects, inner)) = buckets.get_mut(&key) else { continue };
                    *objects += rows.len() as u64;
                    count_objects(&rows, &node.inner, &found.inner, inner, room)?;
                }
            }
            (NodeKind::Metric { .. }, FoundKind::Values(read), Tally::Metric(metric)) => {
                let typed = read.typed()?;
                for at in rows.iter().flat_map(|row| read.of_row(*row)) {
                    metric.add(&typed, at, room)?;
                }
            }
            // There is nothing to count.
            (
                NodeKind::Nested(_)
                | NodeKind::Filter { .. }
                | NodeKind::Buckets { .. }
                | NodeKind::Metric { .. },
                FoundKind::Nothing | FoundKind::Elements(_) | FoundKind::Values(_),
                Tally::Objects { .. } | Tally::Buckets(_) | Tally::Metric(_),
            ) => {}
        }
    }
    Ok(())
}

/// The rows by the values that they have.
fn in_buckets(
    read: &Read,
    rows: &[usize],
    repeats: bool,
    words: Option<&[String]>,
) -> Result<HashMap<BucketKey, Vec<usize>>> {
    let typed = read.typed()?;
    let mut found: HashMap<BucketKey, Vec<usize>> = HashMap::new();
    for row in rows {
        let own = read.of_row(*row);
        let many = own.len() > COMPARED_MAX;
        let mut seen = HashSet::new();
        let mut before = Vec::new();
        for at in own {
            let key = typed.key(at);
            let is_new = repeats
                || match many {
                    true => seen.insert(key.clone()),
                    false => !before.contains(&key),
                };
            if !is_new || !words.is_none_or(|words| has_words(&text_of(&key), words)) {
                continue;
            }
            if !many && !repeats {
                before.push(key.clone());
            }
            found.entry(key).or_default().push(*row);
        }
    }
    Ok(found)
}
