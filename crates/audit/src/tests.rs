//! The relay against the mock cluster of librdkafka, over the store in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use chrono::TimeDelta;
use muster_reports::audit::AuditEvent;
use muster_reports::trace::Trace;
use muster_testkit::servers::ReservedPort;
use muster_testkit::{MemoryStore, TestClock, build};
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

type Cluster = MockCluster<'static, DefaultProducerContext>;

const TOPIC: &str = "cloud-audit-report";
const PATIENCE: Duration = Duration::from_secs(300);

fn cluster() -> Cluster {
    let cluster = MockCluster::new(3).unwrap();
    cluster.create_topic(TOPIC, 4, 3).unwrap();
    cluster
}

/// An installation whose relays pass on the events of one store.
struct Installation {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
}

impl Installation {
    fn new() -> Self {
        Self { store: Arc::default(), clock: Arc::default() }
    }

    fn relay(&self, cluster: &Cluster, name: &str) -> Relay {
        // Longer than any busy machine takes: what is sent again arrives twice.
        self.relay_to(cluster.bootstrap_servers(), name, PATIENCE)
    }

    fn relay_to(&self, servers: String, name: &str, delivery: Duration) -> Relay {
        let properties = BTreeMap::from([
            ("bootstrap.servers".to_owned(), servers),
            ("retry.backoff.ms".to_owned(), "10".to_owned()),
            ("reconnect.backoff.max.ms".to_owned(), "100".to_owned()),
        ]);
        let settings = RelaySettings {
            properties: Properties::new(properties).unwrap(),
            topic: TOPIC.into(),
            org: "muster".into(),
            pod: "local".into(),
            batch_max: 100,
            poll: Duration::from_millis(5),
            pause_most: Duration::from_millis(50),
            delivery,
        };
        let (trail, log) = (self.store.clone(), self.store.clone());
        Relay::new(WorkerId::new(name), trail, log, self.clock.clone(), settings).unwrap()
    }

    async fn record(&self, ids: impl IntoIterator<Item = u64>, tenant: &str) {
        for number in ids {
            let mut event = build::audit_event(&format!("{tenant}-{number}"), build::start_of_time());
            event.caller.tenant = TenantId::new(tenant);
            self.store.record(&event).await.unwrap();
        }
    }

    /// Runs a relay until nothing waits.
    async fn drain(&self, cluster: &Cluster, name: &str) {
        let stop = CancellationToken::new();
        let running = tokio::spawn(self.relay(cluster, name).run(stop.clone()));
        until(async || self.store.backlogs().await.unwrap().is_empty()).await;
        stop.cancel();
        running.await.unwrap();
    }
}

/// Asks until it is so; fails after a time that no machine needs.
async fn until(so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "it took too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A message as a consumer sees it: key, headers in their order, document.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    key: String,
    headers: Vec<(String, String)>,
    document: Value,
}

impl Seen {
    /// The event id.
    fn id(&self) -> &str {
        let (name, value) = &self.headers[0];
        assert_eq!(name, "event_id");
        value
    }
}

/// Everything in the topic, in the order of its partitions.
fn consume(cluster: &Cluster) -> Vec<Seen> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut partitions = rdkafka::TopicPartitionList::new();
    for partition in 0..4 {
        partitions.add_partition_offset(TOPIC, partition, rdkafka::Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let (mut seen, mut ended) = (Vec::new(), 0);
    while ended < 4 {
        match consumer.poll(PATIENCE).expect("the cluster answers") {
            Ok(message) => {
                let headers = message.headers().unwrap().iter();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                seen.push(Seen {
                    key: text(message.key().unwrap()),
                    headers: headers
                        .map(|header| (header.key.to_owned(), text(header.value.unwrap())))
                        .collect(),
                    document: serde_json::from_slice(message.payload().unwrap()).unwrap(),
                });
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

/// The ids of a tenant's messages in their order, without repetitions.
fn ids(seen: &[Seen], tenant: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for message in seen.iter().filter(|message| message.key == tenant) {
        if !ids.iter().any(|id| id == message.id()) {
            ids.push(message.id().to_owned());
        }
    }
    ids
}

fn expected(tenant: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{tenant}-{number}")).collect()
}

/// What was removed stops the relay; a reseal says that it is missing, and the relay goes on with it.
#[test]
fn the_relay_passes_over_a_gap_only_where_the_trail_was_resealed() {
    let (download, reseal) = (AuditOperation::Download, AuditOperation::Resealed);
    let event = |(sequence, operation): &(u64, AuditOperation)| ChainedEvent {
        sequence: *sequence,
        hash: String::new(),
        event: AuditEvent { operation: *operation, ..build::audit_event("e", build::start_of_time()) },
    };
    for (numbers, passed) in [
        (&[(4, download), (5, download), (7, download)][..], 2),
        (&[(4, download), (9, reseal), (10, download), (12, download)], 3),
        (&[(5, download)], 0),
        (&[(3, reseal), (4, download)], 0),
        (&[], 0),
    ] {
        let events = numbers.iter().map(event).collect();
        assert_eq!(contiguous(&build::tenant(), 3, events).len(), passed, "{numbers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_arrives_as_the_published_document() {
    let (installation, cluster) = (Installation::new(), cluster());
    installation.record([1], "acme").await;
    installation.drain(&cluster, "one").await;
    let seen = consume(&cluster);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].key.as_str(), seen[0].id()), ("acme", "acme-1"));
    assert_eq!(seen[0].headers.len(), 1, "an event from before there were traces has none");
    // Written by hand from the published schema and what the event says.
    let expected: Value = serde_json::from_str(
        r#"{"id": "acme-1", "name": "Export Report Passed", "action": "REPORT_EXPORT_PASSED",
            "technicalName": "REPORT_EXPORT_PASSED", "type": "REPORTS", "operation": "EXPORT", "status": "PASSED",
            "created": "2026-03-02T09:00:00.000000Z", "synced": "2026-03-02T09:00:00.000000Z",
            "actor": {"name": "ada.lovelace"}, "target": {"name": "Account Report"}, "stack": "muster",
            "trackingNumber": "00000000000000000000000000000001", "details": "CSV sha-256 00",
            "attributes": {"org": "muster", "pod": "local", "clientId": "client-of-ada"},
            "objects": ["REPORTS"], "_type": "event", "_version": "v2"}"#,
    )
    .unwrap();
    assert_eq!(seen[0].document, expected);
}

/// As the specification has the headers for HTTP: a trace id that goes on, a span of ours, and the state as it was brought.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_arrives_in_the_headers() {
    let (installation, cluster) = (Installation::new(), cluster());
    for (id, trace) in [
        ("brought", build::trace(Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"))),
        ("begun", Trace::begin("00112233445566778899aabbccddeeff")),
    ] {
        let mut event = build::audit_event(id, build::start_of_time());
        event.caller.trace = Some(trace);
        installation.store.record(&event).await.unwrap();
    }
    installation.drain(&cluster, "one").await;
    let headers: Vec<_> = consume(&cluster).into_iter().map(|message| message.headers).collect();
    let expected = |headers: &[(&str, &str)]| -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(
        headers,
        [
            expected(&[
                ("event_id", "brought"),
                ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ff-01"),
                ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            ]),
            expected(&[
                ("event_id", "begun"),
                ("traceparent", "00-00112233445566778899aabbccddeeff-8899aabbccddeeff-00"),
            ]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_lose_nothing() {
    let (installation, cluster) = (Installation::new(), cluster());
    installation.record(1..=450, "acme").await;
    installation.record(1..=250, "globex").await;
    use RDKafkaRespErr as E;
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[
            E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            E::RD_KAFKA_RESP_ERR__TRANSPORT,
            E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            E::RD_KAFKA_RESP_ERR__TRANSPORT,
        ],
    );
    installation.drain(&cluster, "one").await;
    let seen = consume(&cluster);
    assert_eq!(ids(&seen, "acme"), expected("acme", 1..=450), "in their order");
    assert_eq!(ids(&seen, "globex"), expected("globex", 1..=250));
}

/// A refusal because of a missing right ends the delivery at once; the event is not given up.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_can_mend_is_waited_for() {
    let (installation, cluster) = (Installation::new(), cluster());
    installation.record(1..=3, "acme").await;
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 2];
    cluster.request_errors(RDKafkaApiKey::Produce, &refusals);
    installation.drain(&cluster, "one").await;
    assert!(installation.store.parked(&build::tenant()).await.unwrap().is_empty());
    assert_eq!(ids(&consume(&cluster), "acme"), expected("acme", 1..=3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_what_is_wrong_with_the_broker() {
    let installation = Installation::new();
    installation.record([1], "acme").await;
    let nobody = ReservedPort::new();
    let relay =
        installation.relay_to(format!("127.0.0.1:{}", nobody.number()), "one", Duration::from_secs(2));
    let events = installation.store.events(&build::tenant(), 0, 10).await.unwrap();
    let outcomes = relay.producer.send(&build::tenant(), &events, &CancellationToken::new()).await;
    let DeliveryOutcome::NotNow(reason) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert!(reason.contains("the last error of a broker") && reason.contains("refused"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_parked_and_the_next_goes_on() {
    let (installation, cluster) = (Installation::new(), cluster());
    installation.record([1], "acme").await;
    let large =
        AuditEvent { details: "x".repeat(2_000_000), ..build::audit_event("large", build::start_of_time()) };
    installation.store.record(&large).await.unwrap();
    installation.record([3], "acme").await;
    installation.drain(&cluster, "one").await;
    assert_eq!(ids(&consume(&cluster), "acme"), expected("acme", [1, 3]));
    let parked = installation.store.parked(&build::tenant()).await.unwrap();
    assert_eq!((parked.len(), parked[0].sequence, parked[0].id.as_str()), (1, 2, "large"));
    assert!(parked[0].reason.contains("too large"), "{}", parked[0].reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_relay_waits_until_the_lead_is_free() {
    let (installation, cluster) = (Installation::new(), cluster());
    installation.record(1..=3, "acme").await;
    let two = WorkerId::new("two");
    assert!(installation.store.lead(&two, installation.clock.now(), Duration::from_secs(60)).await.unwrap());
    let mut one = installation.relay(&cluster, "one");
    assert_eq!(one.look(&CancellationToken::new()).await.unwrap(), Look::Idle);
    installation.clock.advance(TimeDelta::seconds(60));
    assert_eq!(one.look(&CancellationToken::new()).await.unwrap(), Look::Busy);
    assert_eq!(ids(&consume(&cluster), "acme"), expected("acme", 1..=3));
}

#[test]
fn properties_that_would_break_the_promise_are_refused_without_their_values() {
    let with = |name: &str, value: &str| {
        BTreeMap::from([
            ("bootstrap.servers".to_owned(), "localhost:1".to_owned()),
            (name.to_owned(), value.to_owned()),
        ])
    };
    for fixed in ["acks", "enable.idempotence", "message.timeout.ms", "request.required.acks"] {
        let error = Properties::new(with(fixed, "s3cret")).unwrap_err().to_string();
        assert!(error.contains(fixed) && !error.contains("s3cret"), "{error}");
    }
    let error = Properties::new(BTreeMap::new()).unwrap_err().to_string();
    assert!(error.contains("bootstrap.servers"), "{error}");
    let properties = Properties::new(with("sasl.password", "s3cret")).unwrap();
    assert!(!format!("{properties:?}").contains("s3cret"));
}
