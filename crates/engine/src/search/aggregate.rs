//! Aggregations over the documents that a search finds.
//!
//! Every document is read once, with the columns that the aggregations name. A [`Node`] says where the values of an
//! aggregation are in one type of document; a [`Tally`] has what was counted so far, over all types.
//!
//! Invariants: counts are exact; what is counted takes at most [`TALLY_BYTES_MAX`] bytes; an unknown field is refused and
//! never counted as nothing.

use super::fields::DocumentFields;
use super::flatten::{PathValues, Target, index, split, values};
use super::narrow::Uses;
use super::{SearchPart, SearchPlan};
use crate::error::{EngineError, Result};
use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::prelude::ident;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use muster_querystring::matching::tokens_lower_case;
use muster_reports::aggregation::{
    Aggregated, Aggregation, AggregationKind, Bucket, BucketKey, Metric, TypeAhead,
};
use muster_reports::nearest::hint;
use muster_sources::documents::schema;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Name of the plans of this module.
const STEP: &str = "search aggregation";
/// What is counted takes at most so many bytes, about.
const TALLY_BYTES_MAX: usize = 128 << 20;
/// What a bucket or a value takes, besides its text.
const ENTRY_BYTES: usize = 80;
/// Of so many values of one object, repeated ones are found by comparing each with each.
const COMPARED_MAX: usize = 16;

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
        let mut room = Room(TALLY_BYTES_MAX);
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
        let found = self.documents(&uses)?.filter(self.filter.clone()).map_err(failed)?;
        let found = found.select(columns.into_iter().map(ident).collect::<Vec<_>>()).map_err(failed)?;
        let mut batches = found.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.next().await {
            count(&batch.map_err(failed)?, nodes, tallies, room)?;
        }
        Ok(())
    }
}

/// An aggregation as it is computed.
struct Asked<'a> {
    name: &'a str,
    kind: AskedKind,
    inner: Vec<Asked<'a>>,
}

enum AskedKind {
    Nested(String),
    Filter { field: String, value: String },
    Buckets { field: String, words: Option<Vec<String>> },
    Metric { metric: Metric, field: String },
}

impl<'a> Asked<'a> {
    fn of(aggregation: &'a Aggregation) -> Self {
        let kind = match &aggregation.kind {
            AggregationKind::Nested { path } => AskedKind::Nested(path.clone()),
            AggregationKind::Filter { field, value } => {
                AskedKind::Filter { field: field.clone(), value: value.clone() }
            }
            AggregationKind::Buckets { field, .. } => {
                AskedKind::Buckets { field: field.clone(), words: None }
            }
            AggregationKind::Metric { metric, field } => {
                AskedKind::Metric { metric: *metric, field: field.clone() }
            }
        };
        Self { name: &aggregation.name, kind, inner: aggregation.inner.iter().map(Self::of).collect() }
    }

    fn field(&self) -> &str {
        match &self.kind {
            AskedKind::Nested(field)
            | AskedKind::Filter { field, .. }
            | AskedKind::Buckets { field, .. }
            | AskedKind::Metric { field, .. } => field,
        }
    }
}

/// Fields that no type of document was found to have so far, with the aggregation that names them.
struct Missing(BTreeSet<(String, String)>);

impl Missing {
    fn of(asked: &[Asked<'_>]) -> Self {
        let mut all = BTreeSet::new();
        let mut left: Vec<&Asked<'_>> = asked.iter().collect();
        while let Some(asked) = left.pop() {
            all.insert((asked.name.to_owned(), asked.field().to_owned()));
            left.extend(&asked.inner);
        }
        Self(all)
    }

    fn found(&mut self, asked: &Asked<'_>) {
        self.0.remove(&(asked.name.to_owned(), asked.field().to_owned()));
    }

    fn first(&self) -> Option<&(String, String)> {
        self.0.first()
    }
}

/// The parts of a document that are read, by their whole paths.
#[derive(Default)]
struct Used {
    values: BTreeSet<String>,
    lists: BTreeSet<String>,
}

/// An aggregation in one type of document. Paths begin at the object that it works on; `None` where the type does not
/// have the field.
struct Node {
    kind: NodeKind,
    inner: Vec<Node>,
}

enum NodeKind {
    Nested(Option<String>),
    Filter {
        path: Option<String>,
        value: String,
    },
    Buckets {
        path: Option<String>,
        /// Whether each value counts, also where an object has it several times.
        repeats: bool,
        /// The words that a value must have.
        words: Option<Vec<String>>,
    },
    Metric {
        path: Option<String>,
        metric: Metric,
    },
}

impl Node {
    /// What it has counted at first.
    fn tally(&self) -> Tally {
        match &self.kind {
            NodeKind::Nested(_) | NodeKind::Filter { .. } => {
                Tally::Objects { objects: 0, inner: self.inner.iter().map(Self::tally).collect() }
            }
            NodeKind::Buckets { .. } => Tally::Buckets(HashMap::new()),
            NodeKind::Metric { metric, .. } => Tally::Metric(MetricTally::of(*metric)),
        }
    }
}

/// The aggregations in one type of document, within the elements of `list` if there is one.
fn nodes(
    asked: &[Asked<'_>],
    fields: &DocumentFields,
    list: Option<&str>,
    used: &mut Used,
    missing: &mut Missing,
) -> Result<Vec<Node>> {
    asked.iter().map(|asked| node(asked, fields, list, used, missing)).collect()
}

fn node(
    asked: &Asked<'_>,
    fields: &DocumentFields,
    list: Option<&str>,
    used: &mut Used,
    missing: &mut Missing,
) -> Result<Node> {
    let named = asked.field();
    let (mentions_elements, named) = named.strip_prefix('@').map_or((false, named), |rest| (true, rest));
    let mut inner_list = list.map(str::to_owned);
    let kind = match &asked.kind {
        AskedKind::Nested(_) => {
            let path = fields.elements(named).and_then(|_| below(list, named));
            if path.is_some() {
                missing.found(asked);
                used.lists.insert(named.to_owned());
            }
            inner_list = Some(named.to_owned());
            NodeKind::Nested(path)
        }
        AskedKind::Filter { value, .. } => {
            let path = value_at(fields, list, named).map(|(path, _)| path);
            NodeKind::Filter { path, value: value.clone() }
        }
        AskedKind::Buckets { words, .. } => {
            let path = value_at(fields, list, named).map(|(path, _)| path);
            NodeKind::Buckets { path, repeats: mentions_elements, words: words.clone() }
        }
        AskedKind::Metric { metric, .. } => {
            let found = value_at(fields, list, named);
            if let Some((_, target)) = &found {
                check_metric(asked.name, *metric, named, target)?;
            }
            NodeKind::Metric { path: found.map(|(path, _)| path), metric: *metric }
        }
    };
    let path = match &kind {
        NodeKind::Nested(_) => None,
        NodeKind::Filter { path, .. } | NodeKind::Buckets { path, .. } | NodeKind::Metric { path, .. } => {
            path.as_deref()
        }
    };
    if let Some(path) = path {
        missing.found(asked);
        used.values.insert(match list {
            Some(list) => format!("{list}.{path}"),
            None => path.to_owned(),
        });
    }
    let inner = nodes(&asked.inner, fields, inner_list.as_deref(), used, missing)?;
    Ok(Node { kind, inner })
}

/// The rest of a path below a list.
fn below(list: Option<&str>, path: &str) -> Option<String> {
    match list {
        None => Some(path.to_owned()),
        Some(list) => path.strip_prefix(list)?.strip_prefix('.').map(str::to_owned),
    }
}

/// The path of a field with values, from the elements of `list` on, and what it leads to. `name.exact` is the field
/// `name`.
fn value_at(fields: &DocumentFields, list: Option<&str>, name: &str) -> Option<(String, Target)> {
    let has_values = |name: &str| {
        let found = fields.target(name)?;
        let is_value = !matches!(found.leaf, DataType::Struct(_) | DataType::Map(_, _));
        is_value.then_some((below(list, name)?, found))
    };
    name.strip_suffix(".exact").and_then(has_values).or_else(|| has_values(name))
}

/// Numbers are computed from numbers and moments, and in free maps from texts that are numbers.
fn check_metric(name: &str, metric: Metric, field: &str, target: &Target) -> Result<()> {
    let is_counted = match metric {
        Metric::Count | Metric::UniqueCount => true,
        Metric::Average | Metric::Sum | Metric::Median | Metric::Minimum | Metric::Maximum => false,
    };
    let fits = match target.leaf {
        _ if is_counted => true,
        DataType::Int64 => true,
        DataType::Timestamp(_, _) => metric != Metric::Sum,
        DataType::Utf8 => target.free,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(EngineError::Invalid(format!(
        "aggregation {name:?}: field {field:?} has values that this cannot be computed from: expected a field with numbers, \
         or with dates unless it is a sum"
    )))
}

/// What was counted.
enum Tally {
    Objects { objects: u64, inner: Vec<Tally> },
    Buckets(HashMap<BucketKey, (u64, Vec<Tally>)>),
    Metric(MetricTally),
}

enum MetricTally {
    Count(u64),
    Different(HashSet<BucketKey>),
    Numbers(Numbers),
}

/// Numbers, and what is needed of them.
struct Numbers {
    metric: Metric,
    count: u64,
    sum: f64,
    least: Option<f64>,
    greatest: Option<f64>,
    /// All of them, for a median.
    all: Vec<f64>,
    are_moments: bool,
}

impl MetricTally {
    fn of(metric: Metric) -> Self {
        match metric {
            Metric::Count => Self::Count(0),
            Metric::UniqueCount => Self::Different(HashSet::new()),
            Metric::Average | Metric::Sum | Metric::Median | Metric::Minimum | Metric::Maximum => {
                Self::Numbers(Numbers {
                    metric,
                    count: 0,
                    sum: 0.0,
                    least: None,
                    greatest: None,
                    all: Vec::new(),
                    are_moments: false,
                })
            }
        }
    }

    fn add(&mut self, values: &Values<'_>, at: usize, room: &mut Room) -> Result<()> {
        match self {
            Self::Count(count) => *count += 1,
            Self::Different(different) => {
                let key = values.key(at);
                if !different.contains(&key) {
                    room.take(bytes_of(&key))?;
                    different.insert(key);
                }
            }
            Self::Numbers(numbers) => {
                let Some(number) = values.number(at) else { return Ok(()) };
                if numbers.metric == Metric::Median {
                    room.take(size_of::<f64>())?;
                    numbers.all.push(number);
                }
                numbers.count += 1;
                numbers.sum += number;
                numbers.least = Some(numbers.least.map_or(number, |least| least.min(number)));
                numbers.greatest = Some(numbers.greatest.map_or(number, |greatest| greatest.max(number)));
                numbers.are_moments |= matches!(values, Values::Moments(_));
            }
        }
        Ok(())
    }

    fn result(self) -> Aggregated {
        match self {
            Self::Count(count) => Aggregated::Count(count),
            Self::Different(different) => Aggregated::Count(different.len() as u64),
            Self::Numbers(numbers) => {
                let are_moments = numbers.are_moments;
                let value = numbers.value();
                if are_moments { Aggregated::Moment(value) } else { Aggregated::Number(value) }
            }
        }
    }
}

impl Numbers {
    #[expect(clippy::cast_precision_loss, reason = "an average is not exact")]
    fn value(mut self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        match self.metric {
            Metric::Sum => Some(self.sum),
            Metric::Minimum => self.least,
            Metric::Maximum => self.greatest,
            Metric::Median => {
                self.all.sort_by(f64::total_cmp);
                let middle = self.all.len() / 2;
                let upper = self.all.get(middle).copied()?;
                match self.all.len() % 2 {
                    1 => Some(upper),
                    _ => Some(f64::midpoint(self.all.get(middle.checked_sub(1)?).copied()?, upper)),
                }
            }
            Metric::Average | Metric::Count | Metric::UniqueCount => Some(self.sum / self.count as f64),
        }
    }
}

/// How many bytes may still be taken.
struct Room(usize);

impl Room {
    fn take(&mut self, bytes: usize) -> Result<()> {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(EngineError::Invalid(format!(
                "the aggregations have more different values than {} MiB hold: expected a field with fewer, or a query that \
                 finds fewer documents",
                TALLY_BYTES_MAX >> 20
            ))),
        }
    }
}

fn bytes_of(key: &BucketKey) -> usize {
    ENTRY_BYTES
        + match key {
            BucketKey::Text(text) => text.len(),
            BucketKey::Whole(_) | BucketKey::Flag(_) | BucketKey::Moment(_) => 0,
        }
}

/// Values of a path, by type.
enum Values<'a> {
    Texts(&'a StringArray),
    Numbers(&'a [i64]),
    Flags(&'a BooleanArray),
    /// In microseconds.
    Moments(&'a [i64]),
}

impl Values<'_> {
    fn key(&self, at: usize) -> BucketKey {
        match self {
            Self::Texts(texts) => BucketKey::Text(texts.value(at).to_owned()),
            Self::Numbers(numbers) => BucketKey::Whole(numbers[at]),
            Self::Flags(flags) => BucketKey::Flag(flags.value(at)),
            Self::Moments(moments) => BucketKey::Moment(moments[at].div_euclid(1_000)),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "aggregations compute with floating numbers, as published"
    )]
    fn number(&self, at: usize) -> Option<f64> {
        match self {
            Self::Texts(texts) => {
                texts.value(at).trim().parse::<f64>().ok().filter(|number| number.is_finite())
            }
            Self::Numbers(numbers) => Some(numbers[at] as f64),
            Self::Flags(_) => None,
            Self::Moments(moments) => Some(moments[at].div_euclid(1_000) as f64),
        }
    }
}

/// The values at a path, with texts in one type.
struct Read {
    offsets: Vec<i32>,
    values: ArrayRef,
}

impl Read {
    fn of(object: &ArrayRef, path: &str) -> Result<Self> {
        let PathValues { offsets, values } = values(object, path).map_err(|e| EngineError::plan(STEP, e))?;
        let values = match values.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => {
                cast(&values, &DataType::Utf8).map_err(|e| EngineError::data("reading values to count", e))?
            }
            _ => values,
        };
        Ok(Self { offsets: offsets.to_vec(), values })
    }

    fn typed(&self) -> Result<Values<'_>> {
        let values = &self.values;
        let found = match values.data_type() {
            DataType::Utf8 => values.as_string_opt::<i32>().map(Values::Texts),
            DataType::Int64 => {
                values.as_primitive_opt::<Int64Type>().map(|numbers| Values::Numbers(numbers.values()))
            }
            DataType::Boolean => values.as_boolean_opt().map(Values::Flags),
            DataType::Timestamp(_, _) => values
                .as_primitive_opt::<TimestampMicrosecondType>()
                .map(|moments| Values::Moments(moments.values())),
            _ => None,
        };
        found.ok_or_else(|| {
            let problem = format!("there are values of {}", values.data_type());
            EngineError::data("reading values to count", problem)
        })
    }

    fn of_row(&self, row: usize) -> Range<usize> {
        index(self.offsets[row])..index(self.offsets[row + 1])
    }
}

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
fn count(batch: &RecordBatch, nodes: &[Node], tallies: &mut [Tally], room: &mut Room) -> Result<()> {
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

/// Whether the words follow each other in a text, the last one as the beginning of a word.
fn has_words(text: &str, words: &[String]) -> bool {
    let Some((last, whole)) = words.split_last() else { return false };
    let tokens = tokens_lower_case(text);
    tokens.windows(words.len()).any(|part| {
        part.split_last().is_some_and(|(end, before)| before == whole && end.starts_with(last.as_str()))
    })
}

/// A value as its document's JSON has it.
fn text_of(key: &BucketKey) -> String {
    match key {
        BucketKey::Text(text) => text.clone(),
        BucketKey::Whole(number) => number.to_string(),
        BucketKey::Flag(flag) => flag.to_string(),
        BucketKey::Moment(millis) => DateTime::from_timestamp_millis(*millis)
            .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
            .unwrap_or_default(),
    }
}

fn results(aggregations: &[Aggregation], tallies: Vec<Tally>) -> Vec<(String, Aggregated)> {
    let named = aggregations.iter().zip(tallies);
    named.map(|(aggregation, tally)| (aggregation.name.clone(), result(aggregation, tally))).collect()
}

fn result(aggregation: &Aggregation, tally: Tally) -> Aggregated {
    match tally {
        Tally::Objects { objects, inner } => {
            Aggregated::Objects { objects, inner: results(&aggregation.inner, inner) }
        }
        Tally::Metric(metric) => metric.result(),
        Tally::Buckets(found) => {
            let (size, objects_min) = match &aggregation.kind {
                AggregationKind::Buckets { size, objects_min, .. } => (*size, *objects_min),
                AggregationKind::Nested { .. }
                | AggregationKind::Filter { .. }
                | AggregationKind::Metric { .. } => (0, 0),
            };
            let all: u64 = found.values().map(|(objects, _)| objects).sum();
            let mut found: Vec<_> =
                found.into_iter().filter(|(_, (objects, _))| *objects >= objects_min).collect();
            found.sort_by(|(key, (objects, _)), (other, (others, _))| {
                others.cmp(objects).then_with(|| key.cmp(other))
            });
            found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            let shown: u64 = found.iter().map(|(_, (objects, _))| objects).sum();
            let bucket =
                |(key, (objects, inner))| Bucket { key, objects, inner: results(&aggregation.inner, inner) };
            Aggregated::Buckets {
                buckets: found.into_iter().map(bucket).collect(),
                other_objects: all.saturating_sub(shown),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_words_follow_each_other_and_the_last_may_be_incomplete() {
        for (typed, text, expected) in [
            ("Jo", "Ethan Johnson", true),
            ("jo", "Joan.Wells", true),
            ("jo", "Major", false),
            ("ethan jo", "Ethan Johnson", true),
            ("ethan jo", "Ethan M. Johnson", false),
            ("eth jo", "Ethan Johnson", false),
            ("work", "Workday; HR", true),
            ("", "Ethan", false),
            ("...", "Ethan", false),
        ] {
            assert_eq!(has_words(text, &tokens_lower_case(typed)), expected, "{typed} {text}");
        }
    }

    #[test]
    fn numbers_of_no_values_are_none() {
        let mut all = Vec::new();
        for numbers in [&[][..], &[4.0], &[4.0, -1.0], &[4.0, -1.0, 9.0]] {
            let of = |metric| {
                let MetricTally::Numbers(mut tally) = MetricTally::of(metric) else {
                    unreachable!("a number")
                };
                for number in numbers {
                    tally.count += 1;
                    tally.sum += number;
                    tally.all.push(*number);
                }
                tally.value()
            };
            all.push((of(Metric::Average), of(Metric::Sum), of(Metric::Median)));
        }
        let expected = [
            (None, None, None),
            (Some(4.0), Some(4.0), Some(4.0)),
            (Some(1.5), Some(3.0), Some(1.5)),
            (Some(4.0), Some(12.0), Some(4.0)),
        ];
        assert_eq!(all, expected);
    }
}
