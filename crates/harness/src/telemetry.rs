//! The second part of `cargo xtask monitoring`: traces and metrics that a running service sends over OTLP, read by the
//! classes that OpenTelemetry publishes for Python.
//!
//! Why: what leaves the service for a collector must be complete enough to find out where a report's time went, and must
//! have nothing of the people whose data the service has. The collector keeps every byte; every name of the organisation
//! is looked for in them, and words that a hostile client wrote wherever it may write something.

mod collector;
mod figures;
mod nodes;
mod world;

use crate::api::{Api, Report};
use crate::failure::{Context, Failure, Result};
use crate::installation::Installation;
use crate::port::ReservedPort;
use crate::server::Server;
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use collector::{Collector, Span};
use nodes::Nodes;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use world::{CALLER, PATIENCE, World, expect};

/// People in the organisation.
const IDENTITIES: u64 = 200;
/// How long a service with a collector that does not answer may take to stop: five seconds for the rest of the spans, and
/// what every stop takes.
const STOP_MAX: Duration = Duration::from_secs(15);
/// The trace that a client names, from W3C's specification.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Another trace, of the report whose process is killed.
const KILLED_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// What a hostile client writes. It is nowhere else.
const PLANTED: &str = "Zebedee";
/// Requests that make more spans than may wait.
const FLOOD: usize = 4_500;

/// Runs it: one passed or failed for each check.
///
/// # Errors
/// When the service does not start.
pub fn sent(workspace: &Workspace, binary: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let folder = workspace.fresh_folder("telemetry")?;
    let collector = match Collector::start(workspace, &folder) {
        Ok(collector) => collector,
        Err(failure) => {
            tally.cannot_run("the collector", &failure, must_run_everything());
            return Ok(tally);
        }
    };
    let installation = Installation::with_demo(binary, &folder.join("data"), IDENTITIES)?;
    let mut note = |what: &str, outcome: Result<()>| match outcome {
        Ok(()) => tally.passed += 1,
        Err(failure) => {
            tally.failed += 1;
            println!("FAIL  telemetry: {what}: {failure}");
        }
    };
    let world = World { installation: &installation, collector: &collector };
    let names = world.watched(&mut note)?;
    note("a report goes on in its trace after its process was killed", world.killed());
    note("a collector that is down or silent delays nothing", world.silent());
    Nodes::new(binary, &folder)?.traced(&collector, &mut note)?;
    note("nothing of a person was sent or logged", world.nothing_of(&names));
    Ok(tally)
}

impl World<'_> {
    /// A service that is watched: its traces, and its metrics over both ways. The names of its people.
    fn watched(&self, note: &mut impl FnMut(&str, Result<()>)) -> Result<BTreeSet<String>> {
        let port = ReservedPort::new()?;
        let listen = format!("127.0.0.1:{}", port.number());
        let server = self.serve(&[("MUSTER__METRICS__LISTEN", &listen)])?;
        let api = server.connect(&self.installation.user)?;
        let identities = self.installation.reports().remove(1);
        let started = api.start_within(&identities, &format!("00-{TRACE}-{CALLER}-01"))?;
        let outcome = api.ended(&started, PATIENCE)?;
        let downloaded = api.audited_csv_within(&started, &format!("00-{TRACE}-{CALLER}-01"))?;
        let (people, lines) = people(&downloaded.body)?;
        note("the traces of a report", self.trace_of(&started, outcome.rows, lines));
        note("the audit trail has the span of the request", self.in_trail());
        self.hostile(&server, &api)?;
        note("both ways have the same metrics", figures::agree(self.collector, &listen));
        note("each line of a run has its task", self.lines());
        server.stop()?;
        note("what waited was sent at the end", self.sent_at_the_end());
        Ok(people)
    }

    /// The spans of a report that was started in a trace: the request, the start, the wait, the run with its steps, and the
    /// operators of its plans.
    fn trace_of(&self, task: &str, rows: u64, lines: usize) -> Result<()> {
        if rows != lines as u64 {
            return Err(Failure::new(format!("{rows} rows, and {lines} lines in the file")));
        }
        let spans = self.collector.wait("the run", |spans| {
            let of_trace: Vec<_> = spans.iter().filter(|span| span.trace == TRACE).cloned().collect();
            let is_whole = of_trace.iter().any(|span| span.name == "run")
                && of_trace.iter().any(|span| span.name.starts_with("GET "));
            is_whole.then_some(of_trace)
        })?;
        let one = |name: &str| {
            let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
            match found[..] {
                [span] => Ok(span),
                _ => Err(Failure::new(format!("{} spans {name:?}: expected one", found.len()))),
            }
        };
        let request = one("POST /v2024/reports/run")?;
        expect("the parent of the request", &request.parent, &CALLER.to_owned())?;
        expect("the kind of the request", &request.kind, &2)?;
        expect("its status", &request.attributes["http.response.status_code"], &json!(200))?;
        // The audit trail and the headers of Kafka have this id: it is a part of the tracking id.
        let tracking = request.attributes["muster.tracking_id"].as_str().unwrap_or_default();
        expect("its id", &Some(request.span.as_str()), &tracking.get(16..))?;
        for (child, parent) in [("start", request), ("queued", request), ("run", request)] {
            expect(&format!("the parent of {child}"), &one(child)?.parent, &parent.span)?;
        }
        expect("the task that was started", &one("start")?.attributes["muster.task"], &json!(task))?;
        let run = one("run")?;
        for (name, value) in [
            ("muster.task", json!(task)),
            ("muster.report", json!("IDENTITIES")),
            ("muster.attempt", json!(1)),
            ("muster.end", json!("done")),
            ("muster.rows", json!(rows)),
        ] {
            expect(&format!("{name} of the run"), &run.attributes[name], &value)?;
        }
        for step in ["plan", "rows", "count", "charts", "files", "publish"] {
            let step = one(step)?;
            expect(&format!("the parent of {}", step.name), &step.parent, &run.span)?;
            if step.start < run.start || step.end > run.end {
                return Err(Failure::new(format!("{} is not within the run", step.name)));
            }
        }
        for step in ["rows", "count"] {
            expect(&format!("the rows of {step}"), &one(step)?.attributes["muster.rows"], &json!(rows))?;
        }
        let download = spans.iter().find(|span| span.name.starts_with("GET /v2024/reports/"));
        let download = download.ok_or_else(|| Failure::new("the download has no span"))?;
        expect("the parent of the download", &download.parent, &CALLER.to_owned())?;
        self.operators(&spans, one("rows")?, rows)?;
        let resource = &run.resource;
        expect("the service's name", &resource["service.name"], &json!("muster"))?;
        expect("what a variable says of it", &resource["deployment.environment.name"], &json!("checks"))
    }

    /// The operators of the plan that gave the rows: one of them reads, all belong to the step, and one passed all rows on.
    fn operators(&self, spans: &[Span], rows_step: &Span, rows: u64) -> Result<()> {
        let below = |span: &Span| {
            let mut at = span;
            while let Some(parent) = spans.iter().find(|other| other.span == at.parent) {
                if parent.span == rows_step.span {
                    return true;
                }
                at = parent;
            }
            false
        };
        let operators: Vec<&Span> =
            spans.iter().filter(|span| span.span != rows_step.span && below(span)).collect();
        let reads = operators.iter().any(|span| span.name == "DataSourceExec");
        let all = operators.iter().any(|span| span.attributes["muster.plan.output_rows"] == json!(rows));
        if !reads || !all {
            let names: BTreeSet<_> = operators.iter().map(|span| span.name.as_str()).collect();
            return Err(Failure::new(format!("the operators of the rows are {names:?}")));
        }
        Ok(())
    }

    /// The event of the audited download names the span of its request; Kafka's headers are made from it.
    fn in_trail(&self) -> Result<()> {
        let mut ask = self.installation.command();
        ask.args(["audit", "list", "--output", "json", "--limit", "1000"]);
        let listed: Value = serde_json::from_str(&crate::command::output(&mut ask)?)
            .context(|| "the audit trail is not JSON".into())?;
        let events = listed.as_array().or_else(|| listed["events"].as_array());
        let parents: BTreeSet<String> = events
            .into_iter()
            .flatten()
            .filter_map(|event| event["trace"].as_str())
            .filter(|parent| parent.contains(TRACE))
            .map(str::to_owned)
            .collect();
        let spans = self.collector.spans()?;
        let requests = spans.iter().filter(|span| span.trace == TRACE && span.kind == 2);
        let known: BTreeSet<String> = requests.map(|span| format!("00-{TRACE}-{}-01", span.span)).collect();
        if parents.is_empty() || !parents.is_subset(&known) {
            return Err(Failure::new(format!("the trail has {parents:?}, and the requests are {known:?}")));
        }
        Ok(())
    }

    /// Writes the planted word wherever a client may write.
    fn hostile(&self, server: &Server, api: &Api) -> Result<()> {
        let search = json!({"indices": ["identities"], "query": {"query": format!("name:{PLANTED}")}});
        api.search(&search, 10)?;
        let query = json!({"indices": ["identities"], "query": format!("attributes.city:\"{PLANTED}\"")});
        let exported = api.run(&Report { kind: "SEARCH_EXPORT", arguments: query })?;
        if exported.status != 200 {
            return Err(Failure::new(format!("a search was not exported: {}", exported.status)));
        }
        let host = server.base.trim_start_matches("http://");
        let run = "/v2024/reports/run".to_owned();
        for (method, path, body) in [
            (PLANTED.to_ascii_uppercase().as_str(), run.clone(), String::new()),
            ("GET", format!("/v2024/{PLANTED}?{PLANTED}={PLANTED}"), String::new()),
            ("POST", format!("/muster/v1/reports/{PLANTED}/run"), "{}".to_owned()),
            ("POST", run.clone(), json!({"reportType": PLANTED}).to_string()),
            (
                "POST",
                run,
                json!({"reportType": "ORPHAN_IDENTITIES", "arguments": {PLANTED: PLANTED}}).to_string(),
            ),
            ("POST", "/v2024/search".to_owned(), json!({"indices": [PLANTED]}).to_string()),
            (
                "POST",
                "/v2024/search".to_owned(),
                json!({"indices": ["identities"], "query": {"query": format!("({PLANTED}")}}).to_string(),
            ),
            ("GET", format!("/v2024/reports/{PLANTED}/result"), String::new()),
        ] {
            let mut connection = TcpStream::connect(host).context(|| "the service is not there".into())?;
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {PLANTED}\r\nauthorization: {}\r\n\
                 tracestate: {}={PLANTED}\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\nbaggage: user={PLANTED}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                api.bearer(),
                PLANTED.to_ascii_lowercase(),
                body.len()
            );
            let wrong = || "a hostile request was not answered".to_owned();
            connection.write_all(request.as_bytes()).context(wrong)?;
            connection.read_to_end(&mut Vec::new()).context(wrong)?;
        }
        Ok(())
    }

    /// Each line about a run has its task's id, in one of the spans that the line is within.
    fn lines(&self) -> Result<()> {
        let log = std::fs::read_to_string(&self.installation.log).context(|| "there is no log".into())?;
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of_runs: Vec<&Value> = lines
            .iter()
            .filter(|line| {
                let target = line["target"].as_str().unwrap_or_default();
                ["muster_worker", "muster_runs", "muster_engine"].contains(&target)
            })
            .collect();
        let with_task = |line: &&&Value| {
            let spans = line["spans"].as_array().into_iter().flatten();
            spans.filter_map(|span| span["task"].as_str()).count() == 1
        };
        let count = of_runs.iter().filter(with_task).count();
        // A run says when it begins and when it ends.
        if count < 2 || count != of_runs.len() {
            return Err(Failure::new(format!("{count} of {} lines have a task", of_runs.len())));
        }
        Ok(())
    }

    /// The last request before the stop is at the collector.
    fn sent_at_the_end(&self) -> Result<()> {
        let spans = self.collector.spans()?;
        let found = spans.iter().any(|span| span.name == "GET /v2024/reports/{taskResultId}/result");
        if found { Ok(()) } else { Err(Failure::new("the request of the planted task has no span")) }
    }

    /// A process is killed in the middle of a run; the next one continues the trace.
    fn killed(&self) -> Result<()> {
        let mut server = self.serve(&[("MUSTER_CRASH_AT", "result-renamed")])?;
        let api = server.connect(&self.installation.user)?;
        let orphans = self.installation.reports().remove(4);
        let task = api.start_within(&orphans, &format!("00-{KILLED_TRACE}-{CALLER}-01"))?;
        if !server.ends_within(PATIENCE) {
            return Err(Failure::new("the process was not killed"));
        }
        drop(server);
        let server = self.serve(&[])?;
        let api = server.connect(&self.installation.user)?;
        api.ended(&task, PATIENCE)?;
        let run = self.collector.wait("the second run", |spans| {
            spans.iter().find(|span| span.trace == KILLED_TRACE && span.name == "run").cloned()
        })?;
        server.stop()?;
        expect("the task", &run.attributes["muster.task"], &json!(task))?;
        expect("the attempt", &run.attributes["muster.attempt"], &json!(2))?;
        let spans = self.collector.spans()?;
        // The first process may have died before it sent the request's span; its id is in the trail in any case.
        let requests: Vec<_> = spans
            .iter()
            .filter(|span| span.trace == KILLED_TRACE && span.name == "POST /v2024/reports/run")
            .collect();
        match requests[..] {
            [] => Ok(()),
            [request] => expect("the parent of the run", &run.parent, &request.span),
            _ => Err(Failure::new("the request has several spans")),
        }
    }

    /// A collector that takes connections and never answers, and one that is not there.
    fn silent(&self) -> Result<()> {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").context(|| "no port is free".into())?;
        let silent_at = silent.local_addr().context(|| "no address".into())?;
        let nowhere = ReservedPort::new()?;
        for (name, address, end) in [
            ("silent", format!("http://{silent_at}"), "dropped"),
            ("absent", format!("http://127.0.0.1:{}", nowhere.number()), "failed"),
        ] {
            let port = ReservedPort::new()?;
            let listen = format!("127.0.0.1:{}", port.number());
            let server = self.serve(&[
                ("MUSTER__TELEMETRY__ENDPOINT", &address),
                ("MUSTER__METRICS__LISTEN", &listen),
                // Longer than the flood takes on a slow machine: a batch that is given up would make room.
                ("MUSTER__TELEMETRY__TIMEOUT_MS", "600000"),
            ])?;
            let api = server.connect(&self.installation.user)?;
            let begun = Instant::now();
            let requests = if name == "silent" { FLOOD } else { 10 };
            for _ in 0..requests {
                api.result("00000000000000000000000000000000")?;
            }
            let report = self.installation.reports().remove(1);
            let outcome = api.ended(&api.start(&report)?, PATIENCE)?;
            if !outcome.has_file() {
                return Err(Failure::new(format!("{name}: the report ended as {}", outcome.status)));
            }
            println!("{name} collector: {requests} requests and a report in {:?}", begun.elapsed());
            let counter = format!("muster_telemetry_spans_total{{end=\"{end}\"}}");
            let counted = || Ok::<_, Failure>(figures::scraped(&listen)?.get(&counter).copied());
            let waiting = Instant::now();
            while counted()?.is_none_or(|count| count < 1.0) {
                if waiting.elapsed() > PATIENCE {
                    return Err(Failure::new(format!("{name}: {counter} stays 0")));
                }
                sleep(Duration::from_millis(100));
            }
            let stopping = Instant::now();
            server.stop()?;
            if stopping.elapsed() > STOP_MAX {
                return Err(Failure::new(format!("{name}: the stop took {:?}", stopping.elapsed())));
            }
        }
        Ok(())
    }

    /// No name of the organisation, no planted word and no secret is in what was sent or logged.
    fn nothing_of(&self, people: &BTreeSet<String>) -> Result<()> {
        let log = std::fs::read(&self.installation.log).context(|| "there is no log".into())?;
        let Installation { user, application, .. } = self.installation;
        let secrets = [user.secret.as_str(), application.secret.as_str(), collector::TOKEN, PLANTED];
        for (place, bytes) in [("what was sent", self.collector.bytes()?), ("the log", log)] {
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            if text.len() < 1_000 {
                return Err(Failure::new(format!("{place} is nearly empty")));
            }
            for word in people.iter().map(String::as_str).chain(secrets) {
                if text.contains(&word.to_lowercase()) {
                    return Err(Failure::new(format!("{word:?} is in {place}")));
                }
            }
        }
        Ok(())
    }
}

/// What the file of the report of identities says of people: their names and e-mail addresses, and how many rows it has.
fn people(csv: &[u8]) -> Result<(BTreeSet<String>, usize)> {
    let text = String::from_utf8_lossy(csv);
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut said = BTreeSet::new();
    for column in ["displayName", "email"] {
        let place = head.iter().position(|name| *name == column);
        let place = place.ok_or_else(|| Failure::new(format!("the file has no {column}: {head:?}")))?;
        let cells = text.lines().skip(1).filter_map(|line| line.split(',').nth(place));
        said.extend(cells.map(|cell| cell.trim_matches('"').to_owned()).filter(|cell| !cell.is_empty()));
    }
    let addresses = said.iter().filter(|said| said.contains('@')).count();
    let names = said.iter().filter(|said| said.contains(' ')).count();
    if addresses < 100 || names < 100 {
        return Err(Failure::new(format!("the file has {addresses} addresses and {names} names")));
    }
    Ok((said, lines.count()))
}
