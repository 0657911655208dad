//! The metrics for the collector: the same records as those for Prometheus.
//!
//! Why a second recorder, and not a translation of Prometheus's text: the library that sends metrics takes them from its
//! own instruments only. Both recorders are given each record by one call ([`Both`]), so they cannot differ.
//!
//! Counters and gauges are cells that the instruments read when metrics are collected. So a gauge may be added to, which
//! the library's own cannot.

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use muster_reports::metric::{ALL, Metric, MetricKind};
use opentelemetry::KeyValue;
use opentelemetry::metrics as otlp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The cells of one metric by their labels.
#[derive(Default)]
struct Cells(RwLock<HashMap<Key, Arc<AtomicU64>>>);

impl Cells {
    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        if let Some(cell) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Arc::clone(cell);
        }
        let mut cells = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(key.clone()).or_default())
    }

    fn each(&self, mut tell: impl FnMut(u64, &[KeyValue])) {
        for (key, cell) in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            tell(cell.load(Ordering::Acquire), &labels(key));
        }
    }
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels().map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned())).collect()
}

/// The instruments of all metrics of the service.
pub struct Instruments {
    counters: HashMap<&'static str, Arc<Cells>>,
    gauges: HashMap<&'static str, Arc<Cells>>,
    histograms: HashMap<&'static str, otlp::Histogram<f64>>,
}

impl Instruments {
    /// Makes them with `meter`. `bounds` are the upper bounds of durations, in seconds.
    pub(crate) fn new(meter: &otlp::Meter, bounds: &[f64]) -> Self {
        let of = |kind: MetricKind| ALL.iter().filter(move |metric| metric.kind == kind);
        let counters = of(MetricKind::Counter).map(|metric| (metric.name, counter(meter, metric))).collect();
        let gauges = of(MetricKind::Gauge).map(|metric| (metric.name, gauge(meter, metric))).collect();
        let histograms = of(MetricKind::Histogram)
            .map(|metric| {
                let made = meter.f64_histogram(metric.name).with_description(metric.meaning);
                (metric.name, made.with_boundaries(bounds.to_vec()).build())
            })
            .collect();
        Self { counters, gauges, histograms }
    }
}

fn counter(meter: &otlp::Meter, metric: &Metric) -> Arc<Cells> {
    let cells = Arc::new(Cells::default());
    let read = Arc::clone(&cells);
    let made = meter.u64_observable_counter(metric.name).with_description(metric.meaning);
    made.with_callback(move |observer| read.each(|value, labels| observer.observe(value, labels))).build();
    cells
}

fn gauge(meter: &otlp::Meter, metric: &Metric) -> Arc<Cells> {
    let cells = Arc::new(Cells::default());
    let read = Arc::clone(&cells);
    let made = meter.f64_observable_gauge(metric.name).with_description(metric.meaning);
    made.with_callback(move |observer| {
        read.each(|bits, labels| observer.observe(f64::from_bits(bits), labels))
    })
    .build();
    cells
}

/// A recorder that gives each record to another one and to the instruments.
pub struct Both<R> {
    first: R,
    second: Instruments,
}

impl<R> Both<R> {
    /// Records with both.
    pub fn new(first: R, second: Instruments) -> Self {
        Self { first, second }
    }
}

struct BothCounters(Counter, Arc<AtomicU64>);

impl CounterFn for BothCounters {
    fn increment(&self, value: u64) {
        self.0.increment(value);
        CounterFn::increment(&*self.1, value);
    }

    fn absolute(&self, value: u64) {
        self.0.absolute(value);
        CounterFn::absolute(&*self.1, value);
    }
}

struct BothGauges(Gauge, Arc<AtomicU64>);

impl GaugeFn for BothGauges {
    fn increment(&self, value: f64) {
        self.0.increment(value);
        GaugeFn::increment(&*self.1, value);
    }

    fn decrement(&self, value: f64) {
        self.0.decrement(value);
        GaugeFn::decrement(&*self.1, value);
    }

    fn set(&self, value: f64) {
        self.0.set(value);
        GaugeFn::set(&*self.1, value);
    }
}

struct BothHistograms(Histogram, otlp::Histogram<f64>, Vec<KeyValue>);

impl HistogramFn for BothHistograms {
    fn record(&self, value: f64) {
        self.0.record(value);
        self.1.record(value, &self.2);
    }
}

impl<R: Recorder> Recorder for Both<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.first.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.first.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.first.describe_histogram(key, unit, description);
    }

    // A metric that the list does not have goes to the first recorder only.

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let first = self.first.register_counter(key, metadata);
        match self.second.counters.get(key.name()) {
            Some(cells) => Counter::from_arc(Arc::new(BothCounters(first, cells.of(key)))),
            None => first,
        }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let first = self.first.register_gauge(key, metadata);
        match self.second.gauges.get(key.name()) {
            Some(cells) => Gauge::from_arc(Arc::new(BothGauges(first, cells.of(key)))),
            None => first,
        }
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let first = self.first.register_histogram(key, metadata);
        match self.second.histograms.get(key.name()) {
            Some(second) => Histogram::from_arc(Arc::new(BothHistograms(first, second.clone(), labels(key)))),
            None => first,
        }
    }
}
