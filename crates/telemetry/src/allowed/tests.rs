#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::place::ChosenIds;
use crate::place::{begin, follow};
use crate::sending::{layer, spans_of_ours};
use muster_reports::trace::{TARGET, Trace};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanExporter};
use std::sync::{Arc, Mutex};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

/// Keeps what would be sent.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch.into_iter().map(reduced));
        Ok(())
    }
}

/// The spans that `work` makes, as they would be sent, in the order of their ends.
fn sent(sampler: Sampler, work: impl FnOnce()) -> Vec<SpanData> {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .with_id_generator(ChosenIds::default())
        .with_sampler(sampler)
        .build();
    let subscriber =
        tracing_subscriber::registry().with(layer(provider.tracer("test"))).with(spans_of_ours());
    tracing::subscriber::with_default(subscriber, work);
    kept.0.lock().unwrap().clone()
}

fn pairs(span: &SpanData) -> Vec<(String, String)> {
    let mut pairs: Vec<_> =
        span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect();
    pairs.sort();
    pairs
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

const REQUEST: &str = "00112233445566778899aabbccddeeff";
const GIVEN: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn only_what_is_listed_is_sent() {
    let sent = sent(Sampler::AlwaysOn, || {
        let request = tracing::info_span!(
            target: TARGET, "request", tracking_id = REQUEST, method = "ALICE", route = "/v2024/reports/run",
            status = 200_u16, client = "alice", otel.status_description = "Alice is unknown"
        );
        request.in_scope(|| {
            tracing::info!(name = "Alice", "Alice downloads");
            tracing::error!("Alice fails");
            // The target of another crate.
            let _other = tracing::info_span!("plan", name = "Alice").entered();
            let _unknown = tracing::info_span!(target: TARGET, "search for Alice", query = "Alice").entered();
        });
        drop(request);
        let _long =
            tracing::info_span!(target: TARGET, "start", report = "a".repeat(129), task = "\u{e9}").entered();
    });
    let [unknown, request, long] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((&*unknown.name, unknown.attributes.len()), ("span", 0));
    assert_eq!(request.name, "_OTHER /v2024/reports/run");
    assert_eq!(
        pairs(request),
        [
            pair("http.request.method", "_OTHER"),
            pair("http.response.status_code", "200"),
            pair("http.route", "/v2024/reports/run"),
            pair("muster.tracking_id", REQUEST),
        ]
    );
    assert_eq!((request.span_kind.clone(), request.status.clone()), (SpanKind::Server, Status::error("")));
    assert_eq!((&*long.name, long.attributes.len()), ("start", 0), "texts of another form");
    assert!(!format!("{sent:?}").to_lowercase().contains("alice"), "{sent:?}");
}

/// Libraries ask whether a line would be logged, and log none. The answer is about the line, and not about the span that
/// is made next.
#[test]
fn a_question_about_a_line_loses_no_span() {
    let sent = sent(Sampler::AlwaysOn, || {
        for _ in 0..3 {
            let _ = tracing::enabled!(target: "a_library", tracing::Level::INFO);
            drop(tracing::info_span!(target: TARGET, "plan").entered());
        }
    });
    assert_eq!(sent.len(), 3, "{sent:?}");
}

#[test]
fn an_operator_has_its_type_and_figures_only() {
    let operator = |name: &str, rows: &str, time: &str| {
        let span = tracing::info_span!(
            target: PLAN_TARGET, "operator", otel.name = Empty, datafusion.node = Empty,
            datafusion.metrics.output_rows = Empty, datafusion.metrics.elapsed_compute = Empty,
            datafusion.metrics.other = Empty
        );
        span.record("otel.name", name);
        span.record("datafusion.node", "FilterExec: name = 'Alice'");
        span.record("datafusion.metrics.output_rows", rows);
        span.record("datafusion.metrics.elapsed_compute", time);
        span.record("datafusion.metrics.other", "7");
        let _in = span.entered();
    };
    let sent = sent(Sampler::AlwaysOn, || {
        operator("FilterExec", "50", "1.25ms");
        operator("FilterExec: name = 'Alice'", "Alice", "NOT RECORDED");
        operator("SortExec", "1.20 K", "12.0 Alices");
    });
    let [filter, odd, sort] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(filter.name, "FilterExec");
    assert_eq!(
        pairs(filter),
        [pair("muster.plan.elapsed_compute", "1.25ms"), pair("muster.plan.output_rows", "50")]
    );
    assert_eq!((&*odd.name, odd.attributes.len()), ("operator", 0));
    assert_eq!(pairs(sort), [pair("muster.plan.output_rows", "1.20 K")]);
    assert!(!format!("{sent:?}").contains("Alice"), "{sent:?}");
}

#[test]
fn a_request_has_the_ids_of_its_trace_and_a_run_elsewhere_continues_it() {
    let trace = Trace::brought([GIVEN], [b"vendor=alice".as_slice()], REQUEST);
    let sent = sent(Sampler::AlwaysOff, || assert_eq!(begin(&tracing::Span::none(), &trace, None), None));
    assert!(sent.is_empty());
    let caller = Trace::caller_span([GIVEN]);
    let sent = self::sent(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)), || {
        let request = tracing::info_span!(target: TARGET, parent: None, "request");
        assert_eq!(begin(&request, &trace, caller.as_deref()), Some(true));
        request.in_scope(|| drop(tracing::info_span!(target: TARGET, "start").entered()));
        drop(request);
        let run = tracing::info_span!(target: TARGET, parent: None, "run");
        follow(&run, &trace);
        run.in_scope(|| {
            // A span of the log only is between them.
            let _log = tracing::info_span!("log only").entered();
            drop(tracing::info_span!(target: TARGET, "rows").entered());
        });
        drop(run);
        // A trace that begins here is not sampled by this sampler.
        let other = tracing::info_span!(target: TARGET, parent: None, "request");
        assert_eq!(begin(&other, &Trace::begin(REQUEST), None), Some(false));
    });
    let [start, request, rows, run] = &sent[..] else { panic!("{sent:?}") };
    for span in &sent {
        assert_eq!(span.span_context.trace_id().to_string(), trace.id(), "{span:?}");
        assert_eq!(*span.span_context.trace_state(), TraceState::NONE);
    }
    assert_eq!(request.span_context.span_id().to_string(), "8899aabbccddeeff", "the id that the trail has");
    assert_eq!(request.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(start.parent_span_id, request.span_context.span_id());
    assert_eq!(run.parent_span_id, request.span_context.span_id());
    assert_ne!(run.span_context.span_id(), request.span_context.span_id());
    assert_eq!(rows.parent_span_id, run.span_context.span_id());
}

#[test]
fn a_trace_that_begins_here_has_the_id_of_its_request() {
    let sent = sent(Sampler::AlwaysOn, || {
        let request = tracing::info_span!(target: TARGET, parent: None, "request");
        assert_eq!(begin(&request, &Trace::begin(REQUEST), None), Some(true));
    });
    let [request] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(request.span_context.trace_id().to_string(), REQUEST);
    assert_eq!(request.parent_span_id, opentelemetry::trace::SpanId::INVALID);
}
