//! What a relay is told: how Kafka is reached, where events go, and rhythms.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What the relay itself decides, because its promise rests on it.
const FIXED: [&str; 4] = ["acks", "request.required.acks", "enable.idempotence", "message.timeout.ms"];

/// Where events go, and rhythms.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// How Kafka is reached.
    pub properties: Properties,
    /// The topic.
    pub topic: String,
    /// `attributes.org` and `attributes.pod` of the documents.
    pub org: String,
    /// See `org`.
    pub pod: String,
    /// Events sent at a time.
    pub batch_max: u32,
    /// How long a relay that has nothing to do, or does not lead, waits before it looks again.
    pub poll: Duration,
    /// Longest wait after failures; the first is `poll`, doubled for each one after it.
    pub pause_most: Duration,
    /// How long a batch may take before what is not acknowledged counts as failed. A lease outlasts it.
    pub delivery: Duration,
}

/// How Kafka is reached: properties of librdkafka, by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be passwords.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Properties that cannot be used. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyError(String);

impl PropertyError {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PropertyError {}

impl Properties {
    /// Checks what can be checked without Kafka.
    ///
    /// # Errors
    /// When no broker is named, or a property is one that the relay decides itself.
    pub fn new(properties: BTreeMap<String, String>) -> Result<Self, PropertyError> {
        if !properties.contains_key("bootstrap.servers") {
            return Err(PropertyError("bootstrap.servers is missing: expected host:port of brokers".into()));
        }
        match FIXED.into_iter().find(|fixed| properties.contains_key(*fixed)) {
            Some(fixed) => {
                Err(PropertyError(format!("the relay sets {fixed} itself: expected it to be left out")))
            }
            None => Ok(Self(properties)),
        }
    }

    /// Whether connections have no TLS; librdkafka does not ask for it where nothing is said.
    pub(crate) fn in_clear(&self) -> bool {
        !self
            .0
            .get("security.protocol")
            .is_some_and(|protocol| protocol.to_ascii_lowercase().ends_with("ssl"))
    }

    /// Names and values.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}
