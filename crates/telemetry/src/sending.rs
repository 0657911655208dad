//! How spans and metrics are sent: the client, the queue, the intervals and the end.
//!
//! The libraries of OpenTelemetry queue and send on threads of their own. What they lack is here: spans that do not fit
//! into the queue are counted, what is sent is reduced to what may leave, and an outage is one line in the log.

use crate::allowed::reduced;
use crate::place::{ChosenIds, TRACER};
use crate::recorder::Instruments;
use muster_reports::metric;
use muster_reports::trace::{PLAN_TARGET, TARGET};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::registry::LookupSpan;

/// Spans that may wait to be sent. Further ones are dropped.
const SPANS_WAITING_MAX: usize = 4_096;
/// Spans that are sent in one request at most.
const SPANS_SENT_MAX: usize = 512;
/// Longest error of a collector that is logged.
const ERROR_CHARACTERS_MAX: usize = 300;
/// Metrics are sent when [`Meters::send`] is called, and not by the clock of the library.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Where and how to send. What is absent is taken from the `OTEL_` variables of the environment, as the libraries do.
#[derive(Clone)]
pub struct Settings {
    /// The collector's address, without `/v1/traces` and `/v1/metrics`.
    pub endpoint: Option<String>,
    /// Headers of each request. They may be secret.
    pub headers: HashMap<String, String>,
    /// Certificates to trust in place of the system's, as PEM.
    pub trusted_pem: Option<Vec<u8>>,
    /// How long the collector may take for a request.
    pub timeout: Duration,
    /// The part of the traces that begin here to send, from 0 to 1.
    pub sampled: Option<f64>,
    /// The name of the service.
    pub service_name: Option<String>,
    /// The version of the program.
    pub version: &'static str,
    /// What tells this process from others of the service.
    pub instance: String,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TelemetryError(String);

/// What sends. [`Telemetry::end`] sends the rest.
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// What sends metrics.
#[derive(Clone)]
pub struct Meters(SdkMeterProvider);

impl Telemetry {
    /// Makes the threads that send. Nothing is sent yet, and the collector need not be there.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn begin(settings: &Settings) -> Result<Self, TelemetryError> {
        let client = client(settings)?;
        let wrong = |error: opentelemetry_otlp::ExporterBuildError| TelemetryError(error.to_string());
        let address = |path: &str| {
            settings.endpoint.as_ref().map(|base| format!("{}{path}", base.trim_end_matches('/')))
        };
        let mut spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_timeout(settings.timeout)
            .with_headers(settings.headers.clone());
        if let Some(address) = address("/v1/traces") {
            spans = spans.with_endpoint(address);
        }
        let mut figures = MetricExporter::builder()
            .with_http()
            .with_temporality(Temporality::Cumulative)
            .with_http_client(client)
            .with_timeout(settings.timeout)
            .with_headers(settings.headers.clone());
        if let Some(address) = address("/v1/metrics") {
            figures = figures.with_endpoint(address);
        }
        let resource = resource(settings);
        let queue = Queue::new(spans.build().map_err(wrong)?, SPANS_WAITING_MAX);
        let mut traces = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_id_generator(ChosenIds::default())
            .with_max_events_per_span(0)
            .with_resource(resource.clone());
        if let Some(part) = settings.sampled {
            traces = traces.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(part))));
        }
        let figures = Counted { inner: figures.build().map_err(wrong)?, state: State::new("metrics") };
        let reader = PeriodicReader::builder(figures).with_interval(NEVER).build();
        Ok(Self {
            traces: traces.build(),
            metrics: SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build(),
        })
    }

    /// The layer that makes spans for the collector of all spans; [`spans_of_ours`] must be over all layers.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer = self.traces.tracer("muster");
        // In tests, there may be one already: the first stays.
        let _ = TRACER.set(tracer.clone());
        layer(tracer)
    }

    /// What sends metrics.
    pub fn meters(&self) -> Meters {
        Meters(self.metrics.clone())
    }

    /// Sends what waits, for at most `most`. Returns whether all that waited was offered to the collector in this time.
    pub fn end(self, most: Duration) -> bool {
        let (ended, end) = mpsc::sync_channel(1);
        // The libraries wait for the collector, and have limits of their own that may be longer.
        let waiting = std::thread::Builder::new().name("muster-telemetry".into()).spawn(move || {
            let traces = self.traces.shutdown_with_timeout(most);
            let metrics = self.metrics.shutdown_with_timeout(most);
            let _ = ended.send(traces.is_ok() && metrics.is_ok());
        });
        waiting.is_ok() && end.recv_timeout(most).unwrap_or(false)
    }
}

/// The filter of all layers that lets spans pass only if a collector may get them; lines of the log pass.
///
/// Why not a filter of the one layer: such a filter keeps its answer until the next span or line. Where a library asks
/// whether a line would be logged, and then logs none, the next span would get that answer, and be lost.
pub fn spans_of_ours() -> FilterFn {
    filter_fn(|metadata| !metadata.is_span() || [TARGET, PLAN_TARGET].contains(&metadata.target()))
}

/// The layer over a tracer. Its spans have no line numbers, threads and times of inactivity: nothing of that is sent.
/// Lines within them are not sent: they do not change the state of a span, and the provider keeps none
/// ([`Telemetry::begin`]).
pub(crate) fn layer<S>(tracer: opentelemetry_sdk::trace::SdkTracer) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_target(true)
        .with_error_fields_to_exceptions(false)
        .with_error_events_to_exceptions(false)
        .with_error_records_to_exceptions(false)
        .with_error_events_to_status(false)
}

impl Meters {
    /// The instruments of all metrics; `bounds` are the upper bounds of durations, in seconds.
    pub fn instruments(&self, bounds: &[f64]) -> Instruments {
        Instruments::new(&self.0.meter("muster"), bounds)
    }

    /// Sends all metrics as they are now. Blocks until the collector has answered, or the time limit is over.
    pub fn send(&self) {
        // The exporter has counted a failure, and logged it.
        let _ = self.0.force_flush();
    }
}

/// The client of both. It follows no redirect: the headers may be secret.
fn client(settings: &Settings) -> Result<reqwest::blocking::Client, TelemetryError> {
    let wrong =
        |error: &dyn std::fmt::Display| TelemetryError(format!("an HTTP client cannot be made: {error}"));
    let mut client = reqwest::blocking::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(settings.timeout)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = &settings.trusted_pem {
        let trusted = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
        if trusted.is_empty() {
            return Err(TelemetryError("the file of certificates has none: expected PEM".into()));
        }
        client = client.tls_certs_only(trusted);
    }
    // A blocking client must not be made on a thread of the runtime.
    let made = std::thread::spawn(move || client.build()).join();
    made.map_err(|_| wrong(&"its thread ended"))?.map_err(|error| wrong(&error))
}

fn resource(settings: &Settings) -> Resource {
    let mut resource = Resource::builder().with_attributes([
        KeyValue::new("service.version", settings.version),
        KeyValue::new("service.instance.id", settings.instance.clone()),
    ]);
    let named = |variable: &str, start: &str| {
        std::env::var(variable).is_ok_and(|text| text.split(',').any(|part| part.trim().starts_with(start)))
    };
    let is_named = named("OTEL_SERVICE_NAME", "") || named("OTEL_RESOURCE_ATTRIBUTES", "service.name=");
    match &settings.service_name {
        Some(name) => resource = resource.with_service_name(name.clone()),
        None if is_named => {}
        None => resource = resource.with_service_name("muster"),
    }
    resource.build()
}

/// Whether the collector takes what it is sent: logged when it changes.
#[derive(Debug)]
struct State {
    what: &'static str,
    is_taking: AtomicBool,
}

impl State {
    fn new(what: &'static str) -> Self {
        Self { what, is_taking: AtomicBool::new(true) }
    }

    fn note(&self, outcome: &OTelSdkResult) {
        let was_taking = self.is_taking.swap(outcome.is_ok(), Ordering::Relaxed);
        match outcome {
            Ok(()) if !was_taking => {
                tracing::info!(what = self.what, "the collector takes what it is sent again")
            }
            Err(error) if was_taking => {
                let error: String = error.to_string().chars().take(ERROR_CHARACTERS_MAX).collect();
                tracing::warn!(
                    what = self.what,
                    error,
                    "the collector does not take what it is sent; it is lost"
                );
            }
            Ok(()) | Err(_) => {}
        }
    }
}

fn count_spans(end: &'static str, spans: usize) {
    metrics::counter!(metric::TELEMETRY_SPANS.name, "end" => end).increment(spans as u64);
}

/// A bounded queue of spans. It counts those that do not fit.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl Queue {
    pub(crate) fn new<E: opentelemetry_sdk::trace::SpanExporter + 'static>(exporter: E, most: usize) -> Self {
        let waiting = Arc::new(AtomicUsize::new(0));
        let exporter = Reduced { inner: exporter, waiting: Arc::clone(&waiting), state: State::new("spans") };
        let config = BatchConfigBuilder::default()
            // Never full: what does not fit is dropped before it.
            .with_max_queue_size(most.saturating_add(SPANS_SENT_MAX))
            .with_max_export_batch_size(SPANS_SENT_MAX)
            .build();
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        Self { inner, waiting, most }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.most {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            count_spans("dropped", 1);
            return;
        }
        self.inner.on_end(reduced(span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// An exporter of spans that counts.
#[derive(Debug)]
struct Reduced<E> {
    inner: E,
    waiting: Arc<AtomicUsize>,
    state: State,
}

impl<E: opentelemetry_sdk::trace::SpanExporter> opentelemetry_sdk::trace::SpanExporter for Reduced<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.inner.export(batch).await;
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        count_spans(if outcome.is_ok() { "sent" } else { "failed" }, spans);
        self.state.note(&outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// An exporter of metrics that counts.
struct Counted<E> {
    inner: E,
    state: State,
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, figures: &ResourceMetrics) -> OTelSdkResult {
        let outcome = self.inner.export(figures).await;
        let end = if outcome.is_ok() { "sent" } else { "failed" };
        metrics::counter!(metric::TELEMETRY_METRICS.name, "end" => end).increment(1);
        self.state.note(&outcome);
        outcome
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

#[cfg(test)]
mod tests;
