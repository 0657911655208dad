//! `cargo xtask monitoring`: Debian's Prometheus reads the alerts and scrapes a running service.
//!
//! Why: an alert over a metric that the service does not have never fires, and nobody notices. So every metric that an
//! alert or a panel of the dashboard names must have a series, and every expression must be one that Prometheus evaluates.

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::install;
use crate::installation::{Installation, SETTINGS};
use crate::port::ReservedPort;
use crate::tally::Tally;
use crate::telemetry;
use crate::workspace::{Workspace, must_run_everything};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `cargo xtask monitoring`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
}

/// People in the organisation that is reported on.
const IDENTITIES: u64 = 50;
/// How long a series may take to appear: the service is scraped each second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it and prints totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = everything(workspace, &binary)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// The series for Prometheus, and what is sent to a collector.
///
/// # Errors
/// When a server does not start.
pub fn everything(workspace: &Workspace, binary: &Path) -> Result<Tally> {
    let mut tally = series(workspace, binary)?;
    tally += telemetry::sent(workspace, binary)?;
    Ok(tally)
}

/// Looks for the series of every metric that is named: one passed or failed for each expression.
///
/// # Errors
/// When Prometheus or the service does not start.
fn series(workspace: &Workspace, binary: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    if let Err(failure) = prometheus_is_there() {
        tally.cannot_run("the monitoring", &failure, must_run_everything());
        return Ok(tally);
    }
    let monitoring = workspace.root.join("monitoring");
    let alerts = monitoring.join("alerts.yaml");
    command::output(Command::new("promtool").args(["check", "rules"]).arg(&alerts))?;

    let folder = workspace.fresh_folder("monitoring")?;
    let installation = Installation::with_demo(binary, &folder.join("data"), IDENTITIES)?;
    let (scraped, asked) = (ReservedPort::new()?, ReservedPort::new()?);
    let address = format!("127.0.0.1:{}", scraped.number());
    // Nobody listens at the broker's address, so the backlog is not empty.
    let settings = [
        ("MUSTER__METRICS__LISTEN", address.as_str()),
        ("MUSTER__AUDIT__KAFKA", r#"{"bootstrap.servers" = "127.0.0.1:9"}"#),
    ];
    let server = installation.serve(&[&SETTINGS[..], &settings].concat())?;
    let api = server.connect(&installation.user)?;
    let report = installation.reports().remove(0);
    let id = api.start(&report)?;
    api.ended(&id, PATIENCE)?;

    let prometheus = Prometheus::start(&folder, &address, &alerts, asked.number())?;
    let mut expressions = prometheus.alerts()?;
    let dashboard = std::fs::read_to_string(monitoring.join("dashboard.json"))
        .context(|| "the dashboard cannot be read".into())?;
    let dashboard: Value = serde_json::from_str(&dashboard).context(|| "the dashboard is not JSON".into())?;
    expressions.extend(of_dashboard(&dashboard));
    for expression in &expressions {
        match prometheus.explain(expression) {
            Ok(()) => tally.passed += 1,
            Err(failure) => {
                tally.failed += 1;
                println!("FAIL  monitoring: {expression}: {failure}");
            }
        }
    }
    drop(prometheus);
    server.stop()?;
    Ok(tally)
}

fn prometheus_is_there() -> Result<()> {
    if command::is_there("prometheus") && command::is_there("promtool") {
        return Ok(());
    }
    install::debian_packages(&["prometheus"])
}

/// The expressions of a dashboard.
fn of_dashboard(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.filter_map(|target| target["expr"].as_str()).map(str::to_owned).collect()
}

/// The metrics of ours that an expression names.
fn metrics_of(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("muster_") || word.starts_with("process_")).collect()
}

/// A running Prometheus; ended when dropped.
struct Prometheus {
    process: Child,
    base: String,
}

impl Prometheus {
    fn start(folder: &Path, target: &str, alerts: &Path, port: u16) -> Result<Self> {
        let settings = folder.join("prometheus.yaml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{:?}]\nscrape_configs:\n  \
             - job_name: muster\n    static_configs: [{{targets: [{target:?}]}}]\n",
            alerts.display().to_string()
        );
        std::fs::write(&settings, text).context(|| format!("{} cannot be written", settings.display()))?;
        let log = folder.join("prometheus.log");
        let log = File::create(&log).context(|| format!("{} cannot be made", log.display()))?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("series").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context(|| "prometheus cannot be started".into())?;
        let this = Self { process, base: format!("http://127.0.0.1:{port}/api/v1") };
        let begun = Instant::now();
        while this.ask("rules", None).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new("prometheus does not answer; prometheus.log says why"));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(this)
    }

    /// The expressions of the alerts, as Prometheus read them.
    fn alerts(&self) -> Result<Vec<String>> {
        let answer = self.ask("rules", None)?;
        let groups = answer["data"]["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let found: Vec<_> = rules.filter_map(|rule| rule["query"].as_str()).map(str::to_owned).collect();
        if found.is_empty() { Err(Failure::new("prometheus has read no alert")) } else { Ok(found) }
    }

    /// Evaluates an expression, and waits for a series of each metric that it names.
    fn explain(&self, expression: &str) -> Result<()> {
        self.ask("query", Some(expression))?;
        let named = metrics_of(expression);
        if named.is_empty() {
            return Err(Failure::new("it names no metric of this service"));
        }
        for metric in named {
            let begun = Instant::now();
            while self.ask("query", Some(metric))?["data"]["result"].as_array().is_none_or(Vec::is_empty) {
                if begun.elapsed() > PATIENCE {
                    return Err(Failure::new(format!("{metric} has no series")));
                }
                sleep(Duration::from_millis(200));
            }
        }
        Ok(())
    }

    fn ask(&self, path: &str, query: Option<&str>) -> Result<Value> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let mut request = agent.get(format!("{}/{path}", self.base));
        if let Some(query) = query {
            request = request.query("query", query);
        }
        let answer = request.call().and_then(|mut answer| answer.body_mut().read_json::<Value>());
        let answer = answer.context(|| "prometheus does not answer".into())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer),
            _ => Err(Failure::new(format!("prometheus refuses it: {}", answer["error"]))),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_in_expressions() {
        let expression =
            "histogram_quantile(0.95, sum by (le) (rate(muster_report_seconds_bucket{end=\"done\"}[30m])))";
        assert_eq!(metrics_of(expression), BTreeSet::from(["muster_report_seconds_bucket"]));
        let both = "muster_plan_memory_bytes > 0.95 * muster_plan_memory_limit_bytes";
        assert_eq!(metrics_of(both).len(), 2);
        assert!(metrics_of("time() > 3").is_empty());
    }
}
