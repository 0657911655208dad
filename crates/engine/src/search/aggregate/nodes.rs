//! What is asked of each type of document: where in it the values of each aggregation are.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use super::tally::{MetricTally, Tally};
use crate::error::{EngineError, Result};
use crate::search::fields::DocumentFields;
use crate::search::flatten::Target;
use datafusion::arrow::datatypes::DataType;
use muster_reports::aggregation::{Aggregation, AggregationKind, Metric};
use std::collections::{BTreeSet, HashMap};

/// An aggregation as it is computed.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) kind: AskedKind,
    pub(super) inner: Vec<Asked<'a>>,
}

pub(super) enum AskedKind {
    Nested(String),
    Filter { field: String, value: String },
    Buckets { field: String, words: Option<Vec<String>> },
    Metric { metric: Metric, field: String },
}

impl<'a> Asked<'a> {
    pub(super) fn of(aggregation: &'a Aggregation) -> Self {
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
pub(super) struct Missing(BTreeSet<(String, String)>);

impl Missing {
    pub(super) fn of(asked: &[Asked<'_>]) -> Self {
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

    pub(super) fn first(&self) -> Option<&(String, String)> {
        self.0.first()
    }
}

/// The parts of a document that are read, by their whole paths.
#[derive(Default)]
pub(super) struct Used {
    pub(super) values: BTreeSet<String>,
    pub(super) lists: BTreeSet<String>,
}

/// An aggregation in one type of document. Paths begin at the object that it works on; `None` where the type does not
/// have the field.
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) inner: Vec<Node>,
}

pub(super) enum NodeKind {
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
    pub(super) fn tally(&self) -> Tally {
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
pub(super) fn nodes(
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
