//! The values of a path, as aggregations count them.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use crate::error::{EngineError, Result};
use crate::search::flatten::{PathValues, index, values};
use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use muster_querystring::matching::tokens_lower_case;
use muster_reports::aggregation::BucketKey;
use std::ops::Range;

/// Name of the plans of aggregations.
pub(super) const STEP: &str = "search aggregation";

/// Values of a path, by type.
pub(super) enum Values<'a> {
    Texts(&'a StringArray),
    Numbers(&'a [i64]),
    Flags(&'a BooleanArray),
    /// In microseconds.
    Moments(&'a [i64]),
}

impl Values<'_> {
    pub(super) fn key(&self, at: usize) -> BucketKey {
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
    pub(super) fn number(&self, at: usize) -> Option<f64> {
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
pub(super) struct Read {
    offsets: Vec<i32>,
    values: ArrayRef,
}

impl Read {
    pub(super) fn of(object: &ArrayRef, path: &str) -> Result<Self> {
        let PathValues { offsets, values } = values(object, path).map_err(|e| EngineError::plan(STEP, e))?;
        let values = match values.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => {
                cast(&values, &DataType::Utf8).map_err(|e| EngineError::data("reading values to count", e))?
            }
            _ => values,
        };
        Ok(Self { offsets: offsets.to_vec(), values })
    }

    pub(super) fn typed(&self) -> Result<Values<'_>> {
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

    pub(super) fn of_row(&self, row: usize) -> Range<usize> {
        index(self.offsets[row])..index(self.offsets[row + 1])
    }
}

/// Whether the words follow each other in a text, the last one as the beginning of a word.
pub(super) fn has_words(text: &str, words: &[String]) -> bool {
    let Some((last, whole)) = words.split_last() else { return false };
    let tokens = tokens_lower_case(text);
    tokens.windows(words.len()).any(|part| {
        part.split_last().is_some_and(|(end, before)| before == whole && end.starts_with(last.as_str()))
    })
}

/// A value as its document's JSON has it.
pub(super) fn text_of(key: &BucketKey) -> String {
    match key {
        BucketKey::Text(text) => text.clone(),
        BucketKey::Whole(number) => number.to_string(),
        BucketKey::Flag(flag) => flag.to_string(),
        BucketKey::Moment(millis) => DateTime::from_timestamp_millis(*millis)
            .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
            .unwrap_or_default(),
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
}
