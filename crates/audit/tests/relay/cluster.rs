//! The mock cluster of librdkafka: three brokers that speak the protocol and fail when they are told to.

use crate::consumer::{Seen, by_librdkafka, by_python, python};
use crate::outages::Breakable;
use crate::process::RelayProcess;
use crate::trail::Trail;
use crate::{PARTITIONS, Properties, TOPIC, until};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::time::Duration;

const BROKERS: i32 = 3;
/// What a producer asks for, all of which is refused during an outage.
const REFUSED: [RDKafkaApiKey; 3] =
    [RDKafkaApiKey::Produce, RDKafkaApiKey::Metadata, RDKafkaApiKey::InitProducerId];
/// More requests of a kind than an outage of a second sees.
const REQUESTS_REFUSED: usize = 10_000;

pub struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    pub fn new() -> Self {
        let cluster = MockCluster::new(BROKERS).unwrap();
        cluster.create_topic(TOPIC, PARTITIONS, BROKERS).unwrap();
        Self(cluster)
    }
}

impl Breakable for Cluster {
    fn properties(&self) -> Properties {
        Properties::from([
            ("bootstrap.servers".to_owned(), self.0.bootstrap_servers()),
            ("retry.backoff.ms".to_owned(), "10".to_owned()),
            ("reconnect.backoff.max.ms".to_owned(), "100".to_owned()),
        ])
    }

    fn disturb(&self) {
        use RDKafkaRespErr as E;
        let errors = [
            E::RD_KAFKA_RESP_ERR__TRANSPORT,
            E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            E::RD_KAFKA_RESP_ERR__TRANSPORT,
        ];
        self.0.request_errors(RDKafkaApiKey::Produce, &errors);
    }

    /// The brokers close each connection that asks for something. The mock's own way, `broker_down`, gives its port up and
    /// ends the process if it does not get it back: a child that another test starts at that moment still has it.
    fn down(&self) {
        let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; REQUESTS_REFUSED];
        REFUSED.into_iter().for_each(|request| self.0.request_errors(request, &errors));
    }

    fn up(&self) {
        REFUSED.into_iter().for_each(|request| self.0.clear_request_errors(request));
    }
}

/// Another client's view: the Python package `confluent-kafka`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_consumer_reads_the_same() {
    let Some(python) = python() else { return };
    let (trail, cluster, logs) = (Trail::on_sqlite().await, Cluster::new(), tempfile::tempdir().unwrap());
    trail.record(300).join_all().await;
    let relay = RelayProcess::spawn("one", &trail.place, &cluster.properties(), logs.path());
    until("the relay", Duration::from_secs(60), async || trail.waiting().await == 0).await;
    relay.stop();
    let seen = by_python(&python, &cluster.properties());
    let of = |all: &[Seen], tenant: &str| -> Vec<Seen> {
        all.iter().filter(|message| message.key == tenant).cloned().collect()
    };
    let others = by_librdkafka(&cluster.properties());
    assert_eq!((seen.len(), others.len()), (300, 300));
    for (tenant, events) in trail.events().await {
        let seen = of(&seen, &tenant);
        assert_eq!(seen, of(&others, &tenant));
        let expected: Vec<_> = events.iter().map(|event| event.event.id.as_str()).collect();
        assert_eq!(seen.iter().map(Seen::id).collect::<Vec<_>>(), expected, "in their order");
        assert!(seen.iter().all(|message| message.document["action"] == "REPORT_EXPORT_PASSED"));
    }
}
