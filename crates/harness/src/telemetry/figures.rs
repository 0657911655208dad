//! The metrics of a service over both ways: those that Prometheus asks for, and those that are sent.

use super::collector::Collector;
use crate::failure::{Context, Failure, Result};
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long both may take until they are the same: they are sent each second.
const PATIENCE: Duration = Duration::from_secs(60);
/// What changes between two looks, or because somebody looks.
const MOVING: [&str; 6] = [
    "process_",
    "muster_disk_free_bytes",
    "muster_plan_memory_bytes",
    "muster_telemetry_",
    "muster_http_connections",
    "muster_notifications_oldest_timestamp_seconds",
];

/// Waits until both have the same series, and the same values in all that does not move.
pub(super) fn agree(collector: &Collector, listen: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let asked = scraped(listen)?;
        let sent = collector.figures()?;
        let difference = match &sent {
            None => "nothing was sent".to_owned(),
            Some(sent) => {
                if sent.series.len() > 100 && difference(&asked, &sent.series).is_none() {
                    return kinds(&sent.kinds);
                }
                difference(&asked, &sent.series).unwrap_or_else(|| "there are few".into())
            }
        };
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(difference));
        }
        sleep(Duration::from_millis(300));
    }
}

/// Counters are sums that only grow, and durations histograms.
fn kinds(kinds: &BTreeMap<String, String>) -> Result<()> {
    for (name, kind) in kinds {
        let expected = match name {
            name if name.ends_with("_total") => "counter",
            name if name.ends_with("_seconds") && !name.contains("timestamp") => "histogram",
            _ => "gauge",
        };
        if kind != expected {
            return Err(Failure::new(format!("{name} is sent as {kind}: expected {expected}")));
        }
    }
    Ok(())
}

/// The first series in which they differ.
fn difference(asked: &BTreeMap<String, f64>, sent: &BTreeMap<String, f64>) -> Option<String> {
    if let Some(lone) = asked.keys().find(|key| !sent.contains_key(*key)) {
        return Some(format!("{lone} is asked for, and not sent"));
    }
    if let Some(lone) = sent.keys().find(|key| !asked.contains_key(*key)) {
        return Some(format!("{lone} is sent, and not asked for"));
    }
    asked.iter().find_map(|(key, asked)| {
        let sent = sent[key];
        let is_close = (asked - sent).abs() <= 1e-9 * asked.abs();
        let moves = MOVING.iter().any(|moving| key.starts_with(moving));
        (!is_close && !moves).then(|| format!("{key} is {asked} when asked for, and sent as {sent}"))
    })
}

/// The series that Prometheus would get, with their labels in order.
pub(super) fn scraped(listen: &str) -> Result<BTreeMap<String, f64>> {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let answer = agent.get(format!("http://{listen}/metrics")).call();
    let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
    let text = text.context(|| "the metrics are not answered".into())?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let wrong = || format!("{line:?} is no metric");
            let (key, value) = line.rsplit_once(' ').ok_or_else(|| Failure::new(wrong()))?;
            Ok((in_order(key), value.parse().context(wrong)?))
        })
        .collect()
}

/// The key with its labels sorted. No label has a comma in it.
fn in_order(key: &str) -> String {
    let Some((name, labels)) = key.strip_suffix('}').and_then(|key| key.split_once('{')) else {
        return key.to_owned();
    };
    let mut labels: Vec<&str> = labels.split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_one_lacks_or_a_value_that_differs_is_found() {
        let of =
            |pairs: &[(&str, f64)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let asked: BTreeMap<String, f64> = of(&[("a{x=\"1\"}", 1.0), ("process_open_fds", 7.0)]);
        assert_eq!(difference(&asked, &of(&[("a{x=\"1\"}", 1.0), ("process_open_fds", 8.0)])), None);
        for wrong in [
            of(&[("a{x=\"1\"}", 2.0), ("process_open_fds", 7.0)]),
            of(&[("a{x=\"1\"}", 1.0)]),
            of(&[("a{x=\"1\"}", 1.0), ("process_open_fds", 7.0), ("b", 1.0)]),
        ] {
            assert!(difference(&asked, &wrong).is_some(), "{wrong:?}");
        }
        assert_eq!(in_order("a{y=\"2\",x=\"1\"}"), "a{x=\"1\",y=\"2\"}");
    }
}
