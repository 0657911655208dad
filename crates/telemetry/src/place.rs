//! The place of a span in a trace that another process, or an earlier part of this one, began.
//!
//! A request's trace has ids that the service chooses ([`muster_reports::trace::Trace`]): the audit trail, Kafka and
//! webhooks are given them whether spans are sent or not. So the span of the request must have exactly these ids.
//! The library asks its generator for them, on the thread that starts the span.

use chrono::{DateTime, Utc};
use muster_reports::trace::{Trace, Traces};
use opentelemetry::Context;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::SystemTime;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

thread_local! {
    /// The ids of the span that this thread is about to start.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// What makes spans that no span of `tracing` can be: those that began in the past.
pub(crate) static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Ids that were chosen before, and random ones otherwise.
#[derive(Debug, Default)]
pub(crate) struct ChosenIds(RandomIdGenerator);

impl IdGenerator for ChosenIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

/// Places the spans that are sent. Where none are, it does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Places;

impl Traces for Places {
    fn begin(&self, trace: &Trace, caller: Option<&str>) -> Option<bool> {
        begin(&Span::current(), trace, caller)
    }

    fn follow(&self, trace: &Trace) {
        follow(&Span::current(), trace);
    }

    fn waited(&self, name: &'static str, trace: &Trace, from: DateTime<Utc>, until: DateTime<Utc>) {
        waited(name, trace, from, until);
    }
}

/// Makes `span` the one that `trace` names.
pub(crate) fn begin(span: &Span, trace: &Trace, caller: Option<&str>) -> Option<bool> {
    let ids = (TraceId::from_hex(trace.id()).ok()?, SpanId::from_hex(trace.span()).ok()?);
    let parent = match caller {
        Some(caller) => remote(trace, caller)?,
        None => Context::new(),
    };
    span.set_parent(parent).ok()?;
    NEXT.set(Some(ids));
    let context = span.context();
    NEXT.set(None);
    let place = context.span().span_context().clone();
    place.is_valid().then(|| place.is_sampled())
}

/// Makes `span` a child of the one that `trace` names.
pub(crate) fn follow(span: &Span, trace: &Trace) {
    if let Some(parent) = remote(trace, trace.span()) {
        // It fails where no spans are sent.
        let _ = span.set_parent(parent);
    }
}

fn waited(name: &'static str, trace: &Trace, from: DateTime<Utc>, until: DateTime<Utc>) {
    let (Some(tracer), Some(parent)) = (TRACER.get(), remote(trace, trace.span())) else { return };
    let mut span =
        tracer.span_builder(name).with_start_time(SystemTime::from(from)).start_with_context(tracer, &parent);
    span.end_with_timestamp(SystemTime::from(until));
}

/// A context whose span is the one with this id. The trace state is left out: who calls chooses its text.
fn remote(trace: &Trace, span: &str) -> Option<Context> {
    let flags = if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let place = SpanContext::new(
        TraceId::from_hex(trace.id()).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
        true,
        TraceState::NONE,
    );
    place.is_valid().then(|| Context::new().with_remote_span_context(place))
}
