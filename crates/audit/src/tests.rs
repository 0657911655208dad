//! The relay against the mock cluster of librdkafka, over the store in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use chrono::TimeDelta;
use muster_reports::ports::AuditEvent;
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

type Cluster = MockCluster<'static, DefaultProducerContext>;

const TOPIC: &str = "cloud-audit-report";

fn cluster() -> Cluster {
    let cluster = MockCluster::new(3).unwrap();
    cluster.create_topic(TOPIC, 4, 3).unwrap();
    cluster
}

/// Relays of one store.
struct House {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
}

impl House {
    fn new() -> Self {
        Self { store: Arc::default(), clock: Arc::default() }
    }

    fn relay(&self, cluster: &Cluster, name: &str) -> Relay {
        let properties = BTreeMap::from([
            ("bootstrap.servers".to_owned(), cluster.bootstrap_servers()),
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
            delivery: Duration::from_secs(2),
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

/// Asks until it is so; fails after a minute.
async fn until(so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "it took too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A message as a consumer sees it: key, event id of the header, document.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    key: String,
    id: String,
    document: Value,
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
        match consumer.poll(Duration::from_secs(30)).expect("the cluster answers") {
            Ok(message) => {
                let header = message.headers().unwrap().get(0);
                assert_eq!(header.key, "event_id");
                seen.push(Seen {
                    key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
                    id: String::from_utf8(header.value.unwrap().to_vec()).unwrap(),
                    document: serde_json::from_slice(message.payload().unwrap()).unwrap(),
                });
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

/// The ids of a tenant's messages in their order, without those that came before.
fn ids(seen: &[Seen], tenant: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for message in seen.iter().filter(|message| message.key == tenant) {
        if !ids.contains(&message.id) {
            ids.push(message.id.clone());
        }
    }
    ids
}

fn expected(tenant: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{tenant}-{number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_arrives_as_the_published_document() {
    let (house, cluster) = (House::new(), cluster());
    house.record([1], "acme").await;
    house.drain(&cluster, "one").await;
    let seen = consume(&cluster);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].key.as_str(), seen[0].id.as_str()), ("acme", "acme-1"));
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

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_lose_nothing() {
    let (house, cluster) = (House::new(), cluster());
    house.record(1..=450, "acme").await;
    house.record(1..=250, "globex").await;
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
    house.drain(&cluster, "one").await;
    let seen = consume(&cluster);
    assert_eq!(ids(&seen, "acme"), expected("acme", 1..=450), "in their order");
    assert_eq!(ids(&seen, "globex"), expected("globex", 1..=250));
}

/// A refusal for want of a right ends the delivery at once: it is no reason to give the event up.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_can_mend_is_waited_for() {
    let (house, cluster) = (House::new(), cluster());
    house.record(1..=3, "acme").await;
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 2];
    cluster.request_errors(RDKafkaApiKey::Produce, &refusals);
    house.drain(&cluster, "one").await;
    assert!(house.store.parked(&build::tenant()).await.unwrap().is_empty());
    assert_eq!(ids(&consume(&cluster), "acme"), expected("acme", 1..=3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_parked_and_the_next_goes_on() {
    let (house, cluster) = (House::new(), cluster());
    house.record([1], "acme").await;
    let large =
        AuditEvent { details: "x".repeat(2_000_000), ..build::audit_event("large", build::start_of_time()) };
    house.store.record(&large).await.unwrap();
    house.record([3], "acme").await;
    house.drain(&cluster, "one").await;
    assert_eq!(ids(&consume(&cluster), "acme"), expected("acme", [1, 3]));
    let parked = house.store.parked(&build::tenant()).await.unwrap();
    assert_eq!((parked.len(), parked[0].sequence, parked[0].id.as_str()), (1, 2, "large"));
    assert!(parked[0].reason.contains("too large"), "{}", parked[0].reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_relay_waits_until_the_lead_is_free() {
    let (house, cluster) = (House::new(), cluster());
    house.record(1..=3, "acme").await;
    let two = WorkerId::new("two");
    assert!(house.store.lead(&two, house.clock.now(), Duration::from_secs(60)).await.unwrap());
    let mut one = house.relay(&cluster, "one");
    assert_eq!(one.look(&CancellationToken::new()).await.unwrap(), Look::Idle);
    house.clock.advance(TimeDelta::seconds(60));
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

/// Events through outages and relays that are cut off: none lost, none invented, doubles under the same id only.
/// `MUSTER_RELAY_EVENTS` says how many; the figures are printed.
#[tokio::test(flavor = "multi_thread")]
async fn outages_and_restarts_lose_nothing() {
    let wanted = std::env::var("MUSTER_RELAY_EVENTS").ok().and_then(|text| text.parse().ok());
    let events: u64 = wanted.unwrap_or(2_000);
    let (house, cluster) = (House::new(), cluster());
    let tenants = ["acme", "globex", "initech"];
    let rounds = 20;
    let (mut cut_off, mut outages) = (0, 0);
    for round in 0..rounds {
        let (first, last) = (events * round / rounds + 1, events * (round + 1) / rounds);
        for number in first..=last {
            house.record([number], tenants[(number % 3) as usize]).await;
        }
        // Brokers go down and come back, and requests fail, while relays are cut off in the middle.
        let stop = CancellationToken::new();
        let name = format!("relay-{round}");
        house.clock.advance(TimeDelta::seconds(60));
        let running = tokio::spawn(house.relay(&cluster, &name).run(stop.clone()));
        if round % 3 == 1 {
            outages += 1;
            for broker in 1..=3 {
                cluster.broker_down(broker).unwrap();
            }
        }
        let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; 3];
        cluster.request_errors(RDKafkaApiKey::Produce, &errors);
        let before = waiting(&house).await;
        let moved = async || waiting(&house).await < before;
        // Until something has moved, or for as long as a delivery takes.
        let _ = tokio::time::timeout(Duration::from_secs(3), until(moved)).await;
        if round % 2 == 0 {
            cut_off += 1;
            running.abort();
        } else {
            stop.cancel();
        }
        let _ = running.await;
        for broker in 1..=3 {
            cluster.broker_up(broker).unwrap();
        }
    }
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    house.clock.advance(TimeDelta::seconds(60));
    house.drain(&cluster, "last").await;
    let seen = consume(&cluster);
    let mut by_id: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    seen.iter().for_each(|message| by_id.entry(&message.id).or_default().push(message));
    let recorded = house.store.audit_events();
    let lost = recorded.iter().filter(|event| !by_id.contains_key(event.id.as_str())).count();
    let known: std::collections::BTreeSet<_> = recorded.iter().map(|event| event.id.as_str()).collect();
    let invented = by_id.keys().filter(|id| !known.contains(*id)).count();
    let differ = by_id.values().filter(|same| same.iter().any(|message| *message != same[0])).count();
    println!(
        "{} events, {} messages, {} doubles, {lost} lost, {invented} invented, {outages} outages, {cut_off} relays cut off",
        recorded.len(),
        seen.len(),
        seen.len() - by_id.len(),
    );
    assert_eq!((recorded.len() as u64, lost, invented, differ), (events, 0, 0, 0));
}

async fn waiting(house: &House) -> u64 {
    let backlogs = house.store.backlogs().await.unwrap();
    backlogs.iter().map(|backlog| backlog.recorded - backlog.relayed).sum()
}

/// What another client makes of it: the Python package `confluent-kafka`, of a Python that `MUSTER_KAFKA_PYTHON` names.
#[tokio::test(flavor = "multi_thread")]
async fn a_python_consumer_reads_the_same() {
    let python = std::env::var("MUSTER_KAFKA_PYTHON").unwrap_or_else(|_| "python3".into());
    let imports = std::process::Command::new(&python).args(["-c", "import confluent_kafka"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("MUSTER_REQUIRE_TOOLS").is_none(), "{python} has no confluent_kafka");
        println!("skipped: {python} has no confluent_kafka");
        return;
    }
    let (house, cluster) = (House::new(), cluster());
    house.record(1..=300, "acme").await;
    house.record(1..=20, "globex").await;
    house.drain(&cluster, "one").await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consume.py");
    let servers = cluster.bootstrap_servers();
    let read = std::process::Command::new(&python).args([script, &servers, TOPIC]).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let messages: Vec<Value> = read
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    for (tenant, count) in [("acme", 300), ("globex", 20)] {
        let of = messages.iter().filter(|message| message["key"] == tenant);
        let ids: Vec<_> =
            of.clone().map(|message| message["headers"]["event_id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected(tenant, 1..=count));
        assert!(of.clone().all(|message| message["document"]["action"] == "REPORT_EXPORT_PASSED"));
        assert!(of.clone().all(|message| message["document"]["id"] == message["headers"]["event_id"]));
    }
}
