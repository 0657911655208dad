#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use muster_testkit::Counts;
use opentelemetry::trace::{Span as _, Tracer};
use std::collections::BTreeMap;
use std::time::Instant;

/// Counts spans.
#[derive(Debug, Clone, Default)]
struct Taken(Arc<AtomicUsize>);

impl opentelemetry_sdk::trace::SpanExporter for Taken {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.fetch_add(batch.len(), Ordering::SeqCst);
        Ok(())
    }
}

fn settings(endpoint: &str) -> Settings {
    Settings {
        endpoint: Some(endpoint.into()),
        headers: HashMap::new(),
        trusted_pem: None,
        timeout: Duration::from_secs(60),
        sampled: None,
        service_name: None,
        version: "1",
        instance: "i".into(),
    }
}

#[test]
fn spans_that_do_not_fit_are_dropped_and_counted() {
    let (taken, counts) = (Taken::default(), Counts::default());
    let provider = SdkTracerProvider::builder().with_span_processor(Queue::new(taken.clone(), 3)).build();
    let tracer = provider.tracer("test");
    metrics::with_local_recorder(&counts, || {
        for _ in 0..10 {
            tracer.start("span").end();
        }
    });
    provider.force_flush().unwrap();
    assert_eq!(taken.0.load(Ordering::SeqCst), 3);
    assert_eq!(counts.all(), BTreeMap::from([("dropped".into(), 7)]));
    // There is room again.
    metrics::with_local_recorder(&counts, || tracer.start("span").end());
    provider.force_flush().unwrap();
    assert_eq!(taken.0.load(Ordering::SeqCst), 4);
    assert_eq!(counts.all()["dropped"], 7);
}

/// The collector takes the connection and does not answer, and its time limit is longer than that of the end.
#[test]
fn the_end_does_not_wait_longer_than_it_may() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let telemetry = Telemetry::begin(&settings(&address)).unwrap();
    telemetry.traces.tracer("test").start("request").end();
    let begun = Instant::now();
    assert!(!telemetry.end(Duration::from_millis(300)), "not all was taken");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let refused = |settings: &Settings| Telemetry::begin(settings).err().unwrap().to_string();
    let pem = Settings { trusted_pem: Some(b"no certificate".to_vec()), ..settings("http://127.0.0.1:9") };
    assert!(refused(&pem).contains("expected PEM"));
    assert!(refused(&settings("http://[")).contains("endpoint"));
}
