//! A service that sends to a collector.

use super::collector::Collector;
use crate::failure::{Failure, Result};
use crate::installation::{Installation, SETTINGS};
use crate::server::Server;
use std::time::Duration;

/// How long something may take to arrive.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The span that a client names, from W3C's specification.
pub(super) const CALLER: &str = "00f067aa0ba902b7";

/// A collector, and the installation that sends to it.
pub(super) struct World<'a> {
    pub(super) installation: &'a Installation,
    pub(super) collector: &'a Collector,
}

impl World<'_> {
    /// A service that sends to the collector.
    pub(super) fn serve(&self, more: &[(&str, &str)]) -> Result<Server> {
        self.spawn(more).and_then(|mut server| server.wait_ready().map(|()| server))
    }

    fn spawn(&self, more: &[(&str, &str)]) -> Result<Server> {
        let headers = self.collector.headers_file.display().to_string();
        let endpoint = self.collector.address();
        let sending = [
            ("MUSTER__TELEMETRY__ENDPOINT", endpoint.as_str()),
            ("MUSTER__TELEMETRY__HEADERS_FILE", headers.as_str()),
            ("MUSTER__TELEMETRY__INTERVAL_S", "1"),
            ("MUSTER__LOG__FORMAT", "json"),
            // A variable that OpenTelemetry has: spans are sent at once.
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=checks"),
        ];
        self.installation.spawn(&[&SETTINGS[..], &sending, more].concat())
    }
}

/// Refuses anything else.
pub(super) fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Failure::new(format!("{what} is {found:?}: expected {expected:?}")))
}
