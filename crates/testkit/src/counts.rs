//! A recorder of metrics that keeps what is counted.

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What counters have counted, by the value of the last label. To be used with `metrics::with_local_recorder`, or with
/// `metrics::set_default_local_recorder` in a test with one thread.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counts {
    /// All of them.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct One(Counts, String);

impl CounterFn for One {
    fn increment(&self, value: u64) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.increment(value);
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let label = key.labels().last().map_or_else(String::new, |label| label.value().to_owned());
        Counter::from_arc(Arc::new(One(self.clone(), label)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
