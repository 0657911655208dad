//! The whole service: the real binary, with Kafka in its settings, records downloads while it and the broker are killed. At
//! the end, the messages of the topic are compared with the audit trail, and their headers with the traces that clients
//! named.

use super::RelayPrograms;
use crate::api::{Api, Trouble};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::installation::{Installation, OTHER_TENANT, SETTINGS, TENANT, muster};
use crate::port::ReservedPort;
use crate::random::Random;
use crate::tally::Tally;
use crate::workspace::Workspace;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const TOPIC: &str = "cloud-audit-report";
/// People in the organisation: few, so that the report ends at once.
const IDENTITIES: u64 = 50;
/// How long the broker may take until it listens, and the last events until they arrive.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest life of a service that is to be killed, in milliseconds.
const LIFE_MAX_MS: u64 = 3_000;
/// Clients that download at the same time.
const CLIENTS: u64 = 4;
/// The span that clients name. No message may name it.
const SPAN: &str = "00f067aa0ba902b7";
/// Most events that one listing of the trail gives.
const PAGE: u64 = 1_000;

/// The bucket in which the broker keeps its messages.
const BUCKET: &str = "tansu";
/// Credentials for the object store, which accepts any.
const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_REGION", "us-east-1")];

/// A process that is killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // If it is gone already, there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker over an object store; both are killed when dropped.
struct Broker<'a> {
    programs: &'a RelayPrograms,
    folder: PathBuf,
    admin: PathBuf,
    port: ReservedPort,
    store_port: ReservedPort,
    _store: Killed,
    process: Option<Killed>,
}

impl<'a> Broker<'a> {
    /// Starts both and makes the topic.
    fn start(workspace: &Workspace, programs: &'a RelayPrograms, folder: &Path) -> Result<Self> {
        let store_port = ReservedPort::new()?;
        let mut store = Command::new(&programs.python);
        store.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &store_port.number().to_string()]);
        let mut broker = Self {
            programs,
            folder: folder.into(),
            admin: workspace.root.join("crates/audit/tests/relay/admin.py"),
            port: ReservedPort::new()?,
            store_port,
            _store: spawn(&mut store, folder, "store.log")?,
            process: None,
        };
        let store_port = broker.store_port.number();
        wait_for(store_port)?;
        broker.administer(&["bucket", &format!("http://127.0.0.1:{store_port}"), BUCKET])?;
        broker.up()?;
        let properties = json!({ "bootstrap.servers": broker.servers() }).to_string();
        broker.administer(&["topic", &properties, TOPIC, "4"])?;
        Ok(broker)
    }

    fn servers(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    fn administer(&self, arguments: &[&str]) -> Result<()> {
        let mut admin = Command::new(&self.programs.python);
        command::output(admin.arg(&self.admin).args(arguments).envs(KEYS)).map(drop)
    }

    fn up(&mut self) -> Result<()> {
        let url = format!("tcp://{}", self.servers());
        let mut broker = Command::new(&self.programs.broker);
        broker
            .arg("broker")
            .args(["--listener-url", &url, "--advertised-listener-url", &url])
            .args(["--storage-engine", &format!("s3://{BUCKET}/")])
            .envs(KEYS)
            .env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.store_port.number()))
            .env("AWS_ALLOW_HTTP", "true");
        self.process = Some(spawn(&mut broker, &self.folder, "broker.log")?);
        wait_for(self.port.number())
    }

    fn down(&mut self) {
        self.process = None;
    }
}

fn spawn(program: &mut Command, folder: &Path, log: &str) -> Result<Killed> {
    let path = folder.join(log);
    let open = || {
        let file = File::options().create(true).append(true).open(&path);
        file.context(|| format!("{} cannot be written", path.display()))
    };
    program.current_dir(folder).stdin(Stdio::null()).stdout(open()?).stderr(open()?);
    let name = program.get_program().to_string_lossy().into_owned();
    program.spawn().map(Killed).context(|| format!("{name} cannot be run"))
}

fn wait_for(port: u16) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!("nobody listens at port {port}")));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Kills service and broker `rounds` times: one passed, or the faults.
pub fn run(workspace: &Workspace, binary: &Path, programs: &RelayPrograms, rounds: u64) -> Result<Tally> {
    let folder = workspace.fresh_folder("relay")?;
    let mut broker = Broker::start(workspace, programs, &folder)?;
    let installation = Installation::with_demo(binary, &folder.join("data"), IDENTITIES)?;
    let servers = broker.servers();
    let kafka = format!("{{\"bootstrap.servers\"=\"{servers}\"}}");
    let mut settings = SETTINGS.to_vec();
    settings.extend([("MUSTER__AUDIT__KAFKA", kafka.as_str()), ("MUSTER__AUDIT__KAFKA_DELIVERY_MS", "2000")]);
    let mut given = BTreeSet::new();
    let mut random = Random::new(1);
    for round in 1..=rounds {
        let server = installation.serve(&settings)?;
        let api = server.connect(&installation.user)?;
        let task = started(&api, &installation)?;
        let life = Duration::from_millis(random.below(LIFE_MAX_MS));
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (api, task) = (api.clone(), task.clone());
                    scope.spawn(move || downloads(&api, &task, round * CLIENTS + client))
                })
                .collect();
            sleep(life / 2);
            if round % 2 == 0 {
                broker.down();
            }
            sleep(life / 2);
            let killed = server.kill();
            for client in clients {
                given.extend(client.join().map_err(|_| Failure::new("a client panicked"))??);
            }
            killed
        })?;
        if round % 2 == 0 {
            broker.up()?;
        }
    }
    // The last service has the time that it needs.
    let server = installation.serve(&settings)?;
    let trail = recorded(&installation)?;
    let read = || consumed(workspace, &programs.python, &servers);
    let begun = Instant::now();
    let mut messages = read()?;
    while missing(&trail, &messages) > 0 && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(500));
        messages = read()?;
    }
    server.stop()?;
    let faults = faults(&trail, &messages, &given);
    let ids: BTreeSet<_> = messages.iter().map(id).collect();
    println!(
        "the service: {} events, {} messages, {} doubles, {} lost, {} traces given; {rounds} services and {} brokers killed",
        trail.len(),
        messages.len(),
        messages.len() - ids.len(),
        missing(&trail, &messages),
        given.len(),
        rounds / 2,
    );
    for fault in &faults {
        println!("FAIL  relay: {fault}");
    }
    Ok(Tally { passed: u64::from(faults.is_empty()), failed: faults.len() as u64, skipped: 0 })
}

/// A report that has ended.
fn started(api: &Api, installation: &Installation) -> Result<String> {
    let report = installation.reports().into_iter().find(|report| report.kind == "IDENTITIES");
    let task = api.start(&report.ok_or_else(|| Failure::new("there is no report IDENTITIES"))?)?;
    api.ended(&task, PATIENCE)?;
    Ok(task)
}

/// Downloads until the service is gone; the trace ids of the downloads that were answered, and so must be recorded.
fn downloads(api: &Api, task: &str, client: u64) -> Result<Vec<String>> {
    let mut answered = Vec::new();
    for number in 1_u64.. {
        let trace = format!("{client:016x}{number:016x}");
        let parent = format!("00-{trace}-{SPAN}-01");
        match api.audited_csv_within(task, &parent) {
            Ok(answer) if answer.status == 200 => answered.push(trace),
            Ok(answer) => {
                return Err(Failure::new(format!("a download was answered with {}", answer.status)));
            }
            Err(Trouble::Broken(_)) => break,
            Err(wrong) => return Err(wrong.into()),
        }
    }
    Ok(answered)
}

/// All events of both tenants' trails, by id.
fn recorded(installation: &Installation) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for tenant in [TENANT, OTHER_TENANT] {
        let mut after = 0;
        while let Some(last) = page(installation, tenant, after, &mut all)? {
            after = last;
        }
    }
    Ok(all)
}

/// Adds the events of a tenant after a number; the number of the last one, if there are any.
fn page(
    installation: &Installation,
    tenant: &str,
    after: u64,
    all: &mut BTreeMap<String, Value>,
) -> Result<Option<u64>> {
    let mut list = muster(&installation.binary, &installation.data);
    list.env("MUSTER__TENANT__ID", tenant).args(["audit", "list", "--output", "json"]);
    list.args(["--after", &after.to_string(), "--limit", &PAGE.to_string()]);
    let page: Value = serde_json::from_str(&command::output(&mut list)?)
        .context(|| "the listed events are not JSON".into())?;
    let mut last = None;
    for event in page.as_array().into_iter().flatten() {
        let (Some(id), Some(number)) = (event["id"].as_str(), event["number"].as_u64()) else {
            return Err(Failure::new(format!("an event has no id or number: {event}")));
        };
        all.insert(id.to_owned(), event.clone());
        last = Some(number);
    }
    Ok(last)
}

/// All messages of the topic, read by the Python client.
fn consumed(workspace: &Workspace, python: &Path, servers: &str) -> Result<Vec<Value>> {
    let script = workspace.root.join("crates/audit/tests/relay/consume.py");
    let properties = json!({ "bootstrap.servers": servers }).to_string();
    let lines = command::output(Command::new(python).arg(script).args([&properties, TOPIC]))?;
    let read = |line| serde_json::from_str(line).context(|| "a message's line is not JSON".into());
    lines.lines().map(read).collect()
}

fn id(message: &Value) -> &str {
    message["headers"]["event_id"].as_str().unwrap_or_default()
}

fn missing(trail: &BTreeMap<String, Value>, messages: &[Value]) -> usize {
    let ids: BTreeSet<_> = messages.iter().map(id).collect();
    trail.keys().filter(|event| !ids.contains(event.as_str())).count()
}

/// Where the topic differs from the trail, or from what the clients named.
fn faults(trail: &BTreeMap<String, Value>, messages: &[Value], given: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let lost = missing(trail, messages);
    if lost > 0 {
        faults.push(format!("{lost} recorded events are not in the topic"));
    }
    let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut traces = BTreeSet::new();
    for message in messages {
        let id = id(message);
        let Some(event) = trail.get(id) else {
            faults.push(format!("message {id:?} was never recorded"));
            continue;
        };
        if *first.entry(id).or_insert(message) != message {
            faults.push(format!("two messages of the id {id} differ"));
        }
        let parent = message["headers"]["traceparent"].as_str().unwrap_or_default();
        match parent.split('-').collect::<Vec<_>>()[..] {
            ["00", trace, span, _] if span != SPAN && event["trace"] == parent => {
                traces.insert(trace.to_owned());
            }
            _ => faults
                .push(format!("message {id} has traceparent {parent:?}, the trail has {}", event["trace"])),
        }
    }
    let without = given.difference(&traces).count();
    if without > 0 {
        faults.push(format!("{without} downloads that were answered are not in the topic under their trace"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_fault_is_found() {
        let parent = |trace: &str| format!("00-{trace}-8899aabbccddeeff-01");
        let message =
            |id: &str, trace: &str| json!({"headers": {"event_id": id, "traceparent": parent(trace)}});
        let trail = BTreeMap::from([
            ("a".to_owned(), json!({"trace": parent("t1")})),
            ("b".to_owned(), json!({"trace": parent("t2")})),
        ]);
        let given = BTreeSet::from(["t1".to_owned()]);
        let whole = [message("a", "t1"), message("b", "t2"), message("a", "t1")];
        assert_eq!(faults(&trail, &whole, &given), Vec::<String>::new());
        let told = |messages: &[Value], expected: &str| {
            let faults = faults(&trail, messages, &given).join("; ");
            assert!(faults.contains(expected), "{faults}");
        };
        told(&whole[..1], "1 recorded events are not in the topic");
        told(&[&whole[..], &[message("c", "t3")]].concat(), "message \"c\" was never recorded");
        told(&[&whole[..], &[message("b", "t3")]].concat(), "two messages of the id b differ");
        told(&[message("a", "t3"), message("b", "t2")], "message a has traceparent");
        told(&[message("b", "t2")], "1 downloads that were answered");
        let theirs = json!({"headers": {"event_id": "b", "traceparent": format!("00-t2-{SPAN}-01")}});
        told(&[message("a", "t1"), theirs], "message b has traceparent");
    }
}
