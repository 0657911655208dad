//! What aggregations have counted, and how much room that may take.

use super::values::Values;
use crate::error::{EngineError, Result};
use muster_reports::aggregation::{Aggregated, Aggregation, AggregationKind, Bucket, BucketKey, Metric};
use std::collections::{HashMap, HashSet};

/// What is counted takes at most so many bytes, about.
pub(super) const TALLY_BYTES_MAX: usize = 128 << 20;
/// What a bucket or a value takes, besides its text.
pub(super) const ENTRY_BYTES: usize = 80;

/// What was counted.
pub(super) enum Tally {
    Objects { objects: u64, inner: Vec<Tally> },
    Buckets(HashMap<BucketKey, (u64, Vec<Tally>)>),
    Metric(MetricTally),
}

pub(super) enum MetricTally {
    Count(u64),
    Different(HashSet<BucketKey>),
    Numbers(Numbers),
}

/// Numbers, and what is needed of them.
pub(super) struct Numbers {
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
    pub(super) fn of(metric: Metric) -> Self {
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

    pub(super) fn add(&mut self, values: &Values<'_>, at: usize, room: &mut Room) -> Result<()> {
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
pub(super) struct Room(usize);

impl Default for Room {
    /// All of it.
    fn default() -> Self {
        Self(TALLY_BYTES_MAX)
    }
}

impl Room {
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
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

pub(super) fn bytes_of(key: &BucketKey) -> usize {
    ENTRY_BYTES
        + match key {
            BucketKey::Text(text) => text.len(),
            BucketKey::Whole(_) | BucketKey::Flag(_) | BucketKey::Moment(_) => 0,
        }
}

pub(super) fn results(aggregations: &[Aggregation], tallies: Vec<Tally>) -> Vec<(String, Aggregated)> {
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
