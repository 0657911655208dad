//! What is in the topic, as other programs read it.

use crate::{PARTITIONS, Properties, TOPIC};
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A message: its key, headers and document.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub key: String,
    pub headers: BTreeMap<String, String>,
    pub document: Value,
}

impl Seen {
    pub fn id(&self) -> &str {
        self.headers.get("event_id").map_or("", String::as_str)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Everything in the topic in the order of its partitions, read by librdkafka.
pub fn by_librdkafka(properties: &Properties) -> Vec<Seen> {
    let mut config = ClientConfig::new();
    config.set("group.id", "test").set("enable.partition.eof", "true");
    config.extend(properties.clone());
    let consumer: BaseConsumer = config.create().unwrap();
    let mut partitions = rdkafka::TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(TOPIC, partition, rdkafka::Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let (mut seen, mut ended) = (Vec::new(), 0);
    while ended < PARTITIONS {
        match consumer.poll(Duration::from_secs(30)).expect("the cluster answers") {
            Ok(message) => seen.push(Seen {
                key: text(message.key().unwrap()),
                headers: message
                    .headers()
                    .unwrap()
                    .iter()
                    .map(|header| (header.key.to_owned(), text(header.value.unwrap())))
                    .collect(),
                document: serde_json::from_slice(message.payload().unwrap()).unwrap(),
            }),
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

/// A Python that has the package `confluent-kafka`: the one that `MUSTER_KAFKA_PYTHON` names. `None`, and a line that
/// says so, where there is none.
///
/// # Panics
/// When it is named and does not have the package.
pub fn python() -> Option<String> {
    let named = std::env::var("MUSTER_KAFKA_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let imports = Command::new(&python).args(["-c", "import confluent_kafka"]).stderr(Stdio::null()).status();
    if imports.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(named.is_none(), "{python}, which MUSTER_KAFKA_PYTHON names, has no confluent_kafka");
    eprintln!(
        "skipped: {python} has no confluent_kafka; MUSTER_KAFKA_PYTHON names a Python that must have it"
    );
    None
}

/// The same, read by the Python package.
pub fn by_python(python: &str, properties: &Properties) -> Vec<Seen> {
    let script = "tests/relay/consume.py";
    let properties = serde_json::to_string(properties).unwrap();
    let read = Command::new(python).args([script, &properties, TOPIC]).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let lines = read.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line: Value = serde_json::from_slice(line).unwrap();
            Seen {
                key: line["key"].as_str().unwrap().to_owned(),
                headers: serde_json::from_value(line["headers"].clone()).unwrap(),
                document: line["document"].clone(),
            }
        })
        .collect()
}
