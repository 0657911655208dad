//! Sends traces and metrics to a collector that takes OTLP over HTTP.
//!
//! Why a crate: it alone names the libraries of OpenTelemetry. The other crates make spans with `tracing` and record
//! metrics with `metrics`. Those that take a trace over from a request or from a task ask a port
//! ([`muster_reports::trace::Traces`]), which [`Places`] implements.
//!
//! Invariants:
//! - Only spans of the target [`muster_reports::trace::TARGET`] are made for the collector, and only what the list in
//!   `allowed` names of them is sent. Log lines are never sent.
//! - A collector that is slow or down delays nothing but the sending. The queue of spans is bounded; what does not fit is
//!   dropped and counted.

mod allowed;
mod place;
mod recorder;
mod sending;

pub use place::Places;
pub use recorder::{Both, Instruments};
pub use sending::{Meters, Settings, Telemetry, TelemetryError, spans_of_ours};
