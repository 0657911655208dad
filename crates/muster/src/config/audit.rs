//! `[audit]`: what is recorded, and where the trail is passed on to.

use super::Audit;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Which downloads are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditedDownloads {
    /// Those with `auditable=true`.
    Asked,
    /// Every one.
    Always,
}

impl Audit {
    /// What is wrong with it: the key and the reason.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        if !self.kafka.0.is_empty()
            && let Err(error) = muster_audit::Properties::new(self.kafka.0.clone())
        {
            return Some(("audit.kafka", error.to_string()));
        }
        if self.kafka_password_file.is_some() {
            let wrong = if self.kafka.0.is_empty() {
                Some("set without audit.kafka: expected it only with properties of Kafka")
            } else if self.kafka.0.contains_key(KAFKA_PASSWORD) {
                Some("set beside the property sasl.password: expected one of the two")
            } else {
                None
            };
            if let Some(reason) = wrong {
                return Some(("audit.kafka_password_file", reason.into()));
            }
        }
        // Names that Kafka takes.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let topic = &self.kafka_topic;
        if topic.is_empty() || topic.len() > 249 || !topic.chars().all(plain) {
            let reason =
                format!("{topic:?}: expected 1 to 249 letters, digits, dots, underscores or hyphens");
            return Some(("audit.kafka_topic", reason));
        }
        if !(1_000..=600_000).contains(&self.kafka_delivery_ms) {
            let reason = format!("{}: expected 1000 to 600000", self.kafka_delivery_ms);
            return Some(("audit.kafka_delivery_ms", reason));
        }
        (self.relay_backlog_max == 0).then(|| ("audit.relay_backlog_max", "0: expected at least 1".into()))
    }
}

/// Properties of librdkafka by their names; shown without what may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties(pub BTreeMap<String, String>);

/// The property with the password that Kafka asks for.
pub const KAFKA_PASSWORD: &str = "sasl.password";

/// Parts of the names of properties that hold secrets.
const SECRET: [&str; 5] = ["password", "secret", "key.pem", "jaas", "oauthbearer.config"];

impl KafkaProperties {
    fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| {
            let secret = SECRET.iter().any(|part| name.contains(part));
            (name.as_str(), if secret { "(hidden)" } else { value.as_str() })
        })
    }
}

impl std::fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

impl Serialize for KafkaProperties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown())
    }
}

impl<'de> Deserialize<'de> for KafkaProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Plain {
            Flag(bool),
            Number(i64),
            Text(String),
        }
        let properties = BTreeMap::<String, Plain>::deserialize(deserializer)?;
        let text = |plain| match plain {
            Plain::Flag(flag) => flag.to_string(),
            Plain::Number(number) => number.to_string(),
            Plain::Text(text) => text,
        };
        Ok(Self(properties.into_iter().map(|(name, value)| (name, text(value))).collect()))
    }
}
