//! Aggregations over what a search finds: what is asked, and what comes of it.
//!
//! An aggregation works on *objects*: the documents, or below a nested aggregation the elements of a list in them.
//!
//! ```text
//! nested access                 the elements of the list, of all documents
//! └─ filter type = ENTITLEMENT  those of them with this value
//!    └─ buckets by name         a bucket for each name
//!       └─ metric               a number over the elements of each bucket
//! ```

use crate::error::{Error, Result, shown};

/// Buckets where the request says nothing, as Elasticsearch has it.
pub const BUCKETS_DEFAULT: u32 = 10;
/// Most buckets of one aggregation in the answer.
pub const BUCKETS_MAX: u32 = 10_000;
/// Most aggregations of a request.
pub const AGGREGATIONS_MAX: usize = 32;
/// Most aggregations inside of each other.
pub const DEPTH_MAX: usize = 8;
/// Most characters of the name of an aggregation or a field.
const NAME_CHARACTERS_MAX: usize = 200;

/// One aggregation, and those that are inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregation {
    /// Its name in the answer.
    pub name: String,
    /// What it does.
    pub kind: AggregationKind,
    /// Aggregations over its objects; over those of each bucket, if it has buckets. A metric has none.
    pub inner: Vec<Aggregation>,
}

/// What an aggregation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AggregationKind {
    /// Goes on with the elements of a list.
    Nested {
        /// The list, from the document on.
        path: String,
    },
    /// Goes on with the objects of which a value of the field is this one, compared whole and with case.
    Filter {
        /// The field, from the document on.
        field: String,
        /// The value.
        value: String,
    },
    /// Puts the objects into buckets, one for each value of the field. An object with several values is in several.
    Buckets {
        /// The field, from the document on.
        field: String,
        /// Most buckets of the answer.
        size: u32,
        /// Fewest objects of a bucket of the answer.
        objects_min: u64,
    },
    /// Computes a number.
    Metric {
        /// Which.
        metric: Metric,
        /// The field, from the document on.
        field: String,
    },
}

/// A number over the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// How many values there are.
    Count,
    /// How many different values there are.
    UniqueCount,
    /// The average.
    Average,
    /// The sum.
    Sum,
    /// The median: with an even number of values, the middle between the two in the middle.
    Median,
    /// The smallest.
    Minimum,
    /// The greatest.
    Maximum,
}

/// What came of an aggregation.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregated {
    /// Of a nested one and a filter: the number of its objects, and what came of the aggregations over them.
    Objects {
        /// How many objects there are.
        objects: u64,
        /// By name, in the order of the request.
        inner: Vec<(String, Aggregated)>,
    },
    /// The buckets with the most objects first; those with the same number by value.
    Buckets {
        /// The buckets.
        buckets: Vec<Bucket>,
        /// How many objects are in buckets that are not in the answer.
        other_objects: u64,
    },
    /// A number that counts.
    Count(u64),
    /// A number of values; `None` where there are no values.
    Number(Option<f64>),
    /// A moment, in milliseconds since 1970; `None` where there are no values.
    Moment(Option<f64>),
}

/// The objects that share a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The value.
    pub key: BucketKey,
    /// How many objects there are.
    pub objects: u64,
    /// By name, in the order of the request.
    pub inner: Vec<(String, Aggregated)>,
}

/// The value of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BucketKey {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A boolean.
    Flag(bool),
    /// A moment, in milliseconds since 1970.
    Moment(i64),
}

/// A search for the values of a field that begin as somebody types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeAhead {
    /// The text so far: words, of which the last one may be incomplete.
    pub text: String,
    /// The field, from the document on.
    pub field: String,
    /// The list whose elements are counted; documents if there is none.
    pub nested: Option<String>,
    /// Most values of the answer.
    pub size: u32,
    /// Whether values are sorted by themselves, and not by the number of objects that have them.
    pub by_value: bool,
    /// Whether the smallest is first.
    pub ascending: bool,
}

impl TypeAhead {
    /// Checks the texts and numbers.
    ///
    /// # Errors
    /// `Invalid`, naming the member.
    pub fn check(&self) -> Result<()> {
        check_name("typeAheadQuery.field", &self.field)?;
        check_name("typeAheadQuery.query", &self.text)?;
        if !(1..=BUCKETS_MAX).contains(&self.size) {
            return Err(Error::invalid(format!(
                "typeAheadQuery.size is {}: expected a number from 1 to {BUCKETS_MAX}",
                self.size
            )));
        }
        Ok(())
    }
}

/// Checks numbers, names, and that no two aggregations beside each other share a name.
///
/// # Errors
/// `Invalid`, naming the aggregation.
pub fn check_aggregations(aggregations: &[Aggregation]) -> Result<()> {
    let mut count = 0;
    check_level(aggregations, 1, &mut count)
}

fn check_level(aggregations: &[Aggregation], depth: usize, count: &mut usize) -> Result<()> {
    if depth > DEPTH_MAX && !aggregations.is_empty() {
        return Err(Error::invalid(format!(
            "the aggregations are nested more than {DEPTH_MAX} deep: expected fewer"
        )));
    }
    for (at, aggregation) in aggregations.iter().enumerate() {
        *count += 1;
        if *count > AGGREGATIONS_MAX {
            return Err(Error::invalid(format!(
                "there are more than {AGGREGATIONS_MAX} aggregations: expected fewer"
            )));
        }
        let name = &aggregation.name;
        check_name("the name of an aggregation", name)?;
        if aggregations[..at].iter().any(|other| other.name == *name) {
            return Err(Error::invalid(format!("two aggregations have the name {}", shown(name))));
        }
        let field = match &aggregation.kind {
            AggregationKind::Nested { path: field }
            | AggregationKind::Filter { field, .. }
            | AggregationKind::Metric { field, .. } => field,
            AggregationKind::Buckets { field, size, .. } => {
                if !(1..=BUCKETS_MAX).contains(size) {
                    return Err(Error::invalid(format!(
                        "aggregation {}: size is {size}: expected a number from 1 to {BUCKETS_MAX}",
                        shown(name)
                    )));
                }
                field
            }
        };
        check_name(&format!("aggregation {}: the field", shown(name)), field)?;
        check_level(&aggregation.inner, depth + 1, count)?;
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(Error::invalid(format!(
            "{what} is {}: expected 1 to {NAME_CHARACTERS_MAX} characters",
            shown(name)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn buckets(name: &str, size: u32, inner: Vec<Aggregation>) -> Aggregation {
        let kind = AggregationKind::Buckets { field: "name".into(), size, objects_min: 1 };
        Aggregation { name: name.into(), kind, inner }
    }

    #[test]
    fn aggregations_have_bounds() {
        let refused = |aggregations: &[Aggregation]| check_aggregations(aggregations).unwrap_err().message;
        assert!(check_aggregations(&[buckets("a", 10_000, vec![buckets("a", 1, Vec::new())])]).is_ok());
        assert!(refused(&[buckets("a", 0, Vec::new())]).contains("size is 0"));
        assert!(refused(&[buckets("a", 10_001, Vec::new())]).contains("size is 10001"));
        assert!(refused(&[buckets(" ", 1, Vec::new())]).starts_with("the name of an aggregation is \" \""));
        let twice = [buckets("a", 1, Vec::new()), buckets("a", 1, Vec::new())];
        assert_eq!(refused(&twice), "two aggregations have the name \"a\"");
        let deep = (0..DEPTH_MAX).fold(buckets("z", 1, Vec::new()), |inner, _| buckets("a", 1, vec![inner]));
        assert!(refused(&[deep]).contains("more than 8 deep"));
        let many: Vec<_> = (0..33).map(|at| buckets(&at.to_string(), 1, Vec::new())).collect();
        assert!(refused(&many).contains("more than 32 aggregations"));
    }
}
