//! Sending a batch and knowing what became of each event.

use crate::document;
use crate::settings::{PropertyError, RelaySettings};
use muster_reports::audit::{AuditEvent, ChainedEvent};
use muster_reports::ids::TenantId;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Behind a reason where no broker gave one and connections are in clear: a listener of TLS waits for a handshake, and the
/// client for an answer.
const IN_CLEAR: &str =
    "; no broker says why: security.protocol has no TLS, which a listener may be waiting for";

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// Every in-sync replica has it.
    Acknowledged,
    /// It may be there or not; it is to be sent again.
    NotNow(String),
    /// It can never be there.
    Never(String),
}

impl DeliveryOutcome {
    fn of(error: &KafkaError) -> Self {
        // Only faults of the event itself: an administrator can mend a topic that is missing or refused to us.
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessage
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidRecord,
            ) => Self::Never(error.to_string()),
            Some(_) | None => Self::NotNow(error.to_string()),
        }
    }
}

/// A message's way back: its place in the batch, and where to say what became of it.
type Ticket = (usize, mpsc::UnboundedSender<(usize, DeliveryOutcome)>);

#[derive(Default)]
struct Deliveries {
    /// What was wrong with a broker last; empty once an event has been acknowledged.
    trouble: Mutex<String>,
}

impl Deliveries {
    fn trouble(&self) -> MutexGuard<'_, String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, message, "librdkafka")
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Most have a log line too; a connection that the other side closed has none.
        tracing::debug!(%error, reason, "librdkafka");
        // "All brokers are down" follows the reason why one is down, and would replace that reason.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            reason.clone_into(&mut self.trouble());
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let (place, reply) = *ticket;
        let outcome = match result {
            Ok(_) => {
                self.trouble().clear();
                DeliveryOutcome::Acknowledged
            }
            Err((error, _)) => DeliveryOutcome::of(error),
        };
        // The batch may have been given up.
        let _ = reply.send((place, outcome));
    }
}

/// A producer of librdkafka.
pub(crate) struct Producer {
    kafka: ThreadedProducer<Deliveries>,
    topic: String,
    org: String,
    pod: String,
    delivery: std::time::Duration,
    /// Whether the connections have no TLS.
    clear: bool,
}

impl Producer {
    pub(crate) fn new(settings: &RelaySettings) -> Result<Self, PropertyError> {
        Ok(Self {
            kafka: kafka(settings)?,
            topic: settings.topic.clone(),
            org: settings.org.clone(),
            pod: settings.pod.clone(),
            delivery: settings.delivery,
            clear: settings.properties.in_clear(),
        })
    }

    /// Sends the events in their order and waits until it is known of each what became of it, until the time for a
    /// delivery has passed, or `stop` is cancelled. The answer has their order.
    pub(crate) async fn send(
        &self,
        tenant: &TenantId,
        events: &[ChainedEvent],
        stop: &CancellationToken,
    ) -> Vec<DeliveryOutcome> {
        // As many as there are events.
        let (reply, mut replies) = mpsc::unbounded_channel();
        let mut outcomes =
            vec![DeliveryOutcome::NotNow("it was not acknowledged in time".into()); events.len()];
        for (place, ChainedEvent { event, .. }) in events.iter().enumerate() {
            let payload = document::of(event, &self.org, &self.pod).to_string();
            let record = BaseRecord::with_opaque_to(&self.topic, Box::new((place, reply.clone())))
                .key(tenant.as_str())
                .payload(&payload)
                .timestamp(event.at.timestamp_millis())
                .headers(headers(event));
            if let Err((error, _)) = self.kafka.send(record) {
                outcomes[place] = DeliveryOutcome::of(&error);
                if matches!(outcomes[place], DeliveryOutcome::NotNow(_)) {
                    break;
                }
            }
        }
        drop(reply);
        let end = Instant::now() + self.delivery + self.delivery / 2;
        let gather = async {
            while let Some((place, outcome)) = replies.recv().await {
                outcomes[place] = outcome;
            }
        };
        tokio::select! {
            _ = timeout_at(end, gather) => {}
            () = stop.cancelled() => {}
        }
        let trouble = self.kafka.client().context().trouble().clone();
        for outcome in &mut outcomes {
            let DeliveryOutcome::NotNow(reason) = outcome else { continue };
            if !trouble.is_empty() {
                reason.push_str("; the last error of a broker: ");
                reason.push_str(&trouble);
            } else if self.clear {
                reason.push_str(IN_CLEAR);
            }
        }
        outcomes
    }

    /// A producer that has met a fatal error sends nothing more; another takes its place.
    pub(crate) async fn renew_if_broken(&mut self, settings: &RelaySettings) {
        let Some((code, reason)) = self.kafka.client().fatal_error() else { return };
        tracing::warn!(%code, reason, "the producer is made again");
        match kafka(settings) {
            Ok(fresh) => {
                let broken = std::mem::replace(&mut self.kafka, fresh);
                let _ = tokio::task::spawn_blocking(move || drop(broken)).await;
            }
            Err(error) => tracing::error!(%error, "the producer cannot be made again"),
        }
    }
}

/// The event's id, and the trace of the request that it comes from: `traceparent` and `tracestate` as W3C's Trace Context
/// has them for HTTP.
fn headers(event: &AuditEvent) -> OwnedHeaders {
    let text = |headers: OwnedHeaders, key, value: &str| headers.insert(Header { key, value: Some(value) });
    let mut headers = text(OwnedHeaders::new_with_capacity(3), "event_id", &event.id);
    if let Some(trace) = &event.caller.trace {
        headers = text(headers, "traceparent", &trace.parent_header());
        if let Some(state) = trace.state_header() {
            headers = text(headers, "tracestate", state);
        }
    }
    headers
}

fn kafka(settings: &RelaySettings) -> Result<ThreadedProducer<Deliveries>, PropertyError> {
    let mut config = ClientConfig::new();
    config.set("client.id", "muster").set("compression.type", "lz4").set("linger.ms", "5");
    for (name, value) in settings.properties.entries() {
        config.set(name, value);
    }
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", settings.delivery.as_millis().to_string())
        .set_log_level(RDKafkaLogLevel::Notice);
    config.create_with_context(Deliveries::default()).map_err(|error| {
        // Its other fields hold the value, which may be a password.
        let KafkaError::ClientConfig(_, reason, name, _) = error else {
            return PropertyError::new(error.to_string());
        };
        PropertyError::new(format!("{name}: {reason}"))
    })
}
