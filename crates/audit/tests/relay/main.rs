//! The relay over the real stores, in processes of its own that are killed: against the mock cluster of librdkafka,
//! which breaks on demand, and against a real broker, in clear, under TLS and with SASL.
//!
//! The broker is `tansu`, which takes half an hour to build: `cargo xtask relay` does and names it in `MUSTER_TANSU`;
//! without it those tests are skipped with a word.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod cluster;
mod consumer;
mod outages;
mod process;
mod secured;
mod trail;

use std::time::Duration;

/// The topic of all tests.
pub const TOPIC: &str = "cloud-audit-report";
/// Its partitions.
pub const PARTITIONS: i32 = 4;

/// Properties of librdkafka.
pub type Properties = std::collections::BTreeMap<String, String>;

/// Asks until it is so; fails with `what` after `patience`.
pub async fn until(what: &str, patience: Duration, so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + patience;
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "{what}: it took too long");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
