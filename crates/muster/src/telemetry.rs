//! Traces and metrics for a collector, as the settings and the environment want them.

use crate::config::Settings;
use crate::data_dir::SecretFile;
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use muster_reports::ports::Ids;
use muster_telemetry::Telemetry;
use std::collections::HashMap;
use std::time::Duration;

/// Variables that name a collector, as OpenTelemetry has them.
const ENDPOINTS: [&str; 3] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
];
/// The variable with which OpenTelemetry is switched off.
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// How long a stop waits for the collector to take the rest.
pub const FLUSH_MOST: Duration = Duration::from_secs(5);

/// What sends; `None` if no collector is named.
///
/// # Errors
/// When a setting cannot be used.
pub fn begin(settings: &Settings) -> Result<Option<Telemetry>> {
    let given = &settings.telemetry;
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_disabled = std::env::var_os(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_disabled || (given.endpoint.is_none() && !ENDPOINTS.into_iter().any(is_set)) {
        return Ok(None);
    }
    let dir = &settings.data.dir;
    let headers = match &given.headers_file {
        Some(file) => headers(&SecretFile::find(HEADERS, file, dir)?)?,
        None => HashMap::new(),
    };
    let trusted = given.ca_file.as_ref().map(|file| {
        let path = dir.join(file);
        std::fs::read(&path).context(|| format!("telemetry.ca_file: {} cannot be read", path.display()))
    });
    let telemetry = Telemetry::begin(&muster_telemetry::Settings {
        endpoint: given.endpoint.clone(),
        headers,
        trusted_pem: trusted.transpose()?,
        timeout: Duration::from_millis(given.timeout_ms),
        sampled: given.sampled.map(crate::config::Ratio::as_f64),
        service_name: given.service_name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        instance: SystemIds.fresh(),
    });
    telemetry.map(Some).map_err(|error| Failure::usage(format!("telemetry: {error}")))
}

/// The setting with the file of headers.
const HEADERS: &str = "telemetry.headers_file";

/// The headers of a file.
fn headers(file: &SecretFile) -> Result<HashMap<String, String>> {
    parse(&file.text(HEADERS)?).map_err(|line| {
        Failure::usage(format!("{HEADERS}: line {line} of {}: expected `Name: value`", file.path.display()))
    })
}

/// The headers, or the number of the first line that is none. The error has nothing of the line: it may be secret.
fn parse(text: &str) -> std::result::Result<HashMap<String, String>, usize> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let is_value = |value: &str| !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let (name, value) = line.split_once(':').ok_or(index + 1)?;
            let (name, value) = (name.trim(), value.trim());
            (is_name(name) && is_value(value)).then(|| (name.to_owned(), value.to_owned())).ok_or(index + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_a_wrong_line_is_named_without_its_text() {
        let read = parse("Authorization: Bearer a:b\n\nx-team:  7 \r\n").expect("they are headers");
        assert_eq!(read["Authorization"], "Bearer a:b");
        assert_eq!((read["x-team"].as_str(), read.len()), ("7", 2));
        for wrong in ["a: b\nsecret", "a: b\n: c", "a: b\nx y: z", "a: b\nx:", "a: b\nx: \u{e9}"] {
            assert_eq!(parse(wrong), Err(2), "{wrong}");
        }
    }
}
