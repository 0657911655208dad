//! A real broker, `tansu`. It keeps its messages in an object store, that of the Python package `moto`, so that it has after
//! a kill what it had acknowledged before.

use crate::consumer::{by_python, python};
use crate::outages::{Breakable, run};
use crate::trail::Trail;
use crate::{PARTITIONS, Properties, TOPIC};
use muster_testkit::postgres::{Durability, PostgresServer};
use muster_testkit::servers::ReservedPort;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Names the broker's program.
const PROGRAM: &str = "MUSTER_TANSU";
/// The bucket that keeps the messages.
const BUCKET: &str = "tansu";
/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a broker is made of.
pub struct Tools {
    tansu: String,
    /// A Python with the packages `confluent-kafka` and `moto`.
    pub python: String,
}

impl Tools {
    /// `None`, and a line that says so, where the broker's program is not named.
    pub fn named() -> Option<Self> {
        let Ok(tansu) = std::env::var(PROGRAM) else {
            eprintln!("skipped: {PROGRAM} names no broker; `cargo xtask relay` builds one");
            return None;
        };
        Some(Self { tansu, python: python()? })
    }

    /// Runs `admin.py`.
    fn admin(&self, arguments: &[&str]) {
        let script = "tests/relay/admin.py";
        let output = Command::new(&self.python).arg(script).args(arguments).envs(KEYS).output().unwrap();
        assert!(output.status.success(), "{}: {}", arguments[0], String::from_utf8_lossy(&output.stderr));
    }
}

/// The object store takes any.
const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_REGION", "us-east-1")];

/// A process that is killed when dropped.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program whose output goes to a file of its name in `folder`, where it runs.
pub fn start(mut program: Command, name: &str, folder: &Path) -> Killed {
    let log = std::fs::File::create(folder.join(format!("{name}.log"))).unwrap();
    program.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Killed(program.spawn().unwrap())
}

/// Waits until somebody listens.
pub fn wait_for(port: u16) {
    let begun = Instant::now();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nobody listens at {address}");
        sleep(Duration::from_millis(20));
    }
}

/// A broker and its object store.
pub struct Broker {
    pub tools: Tools,
    /// Where it listens.
    pub port: u16,
    /// Where it tells clients to go.
    advertised: u16,
    options: Vec<String>,
    store_port: u16,
    _store: Killed,
    _ports: [ReservedPort; 2],
    process: Mutex<Option<Killed>>,
    folder: TempDir,
}

impl Broker {
    /// A broker without topics, whose files and those that `options` name are in `folder`. `advertised` is the port that
    /// clients are told, its own if there is none.
    pub fn start(tools: Tools, folder: TempDir, options: &[&str], advertised: Option<u16>) -> Self {
        let ports = [ReservedPort::new(), ReservedPort::new()];
        let [port, store_port] = [ports[0].number(), ports[1].number()];
        let mut store = Command::new(&tools.python);
        store.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &store_port.to_string()]);
        let store = start(store, "store", folder.path());
        wait_for(store_port);
        tools.admin(&["bucket", &format!("http://127.0.0.1:{store_port}"), BUCKET]);
        let broker = Self {
            tools,
            port,
            advertised: advertised.unwrap_or(port),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            store_port,
            _store: store,
            _ports: ports,
            process: Mutex::new(None),
            folder,
        };
        broker.up();
        broker
    }

    /// A broker in clear, with the topic. `None`, and a line that says so, where there is no broker.
    pub fn in_clear() -> Option<Self> {
        let broker = Self::start(Tools::named()?, tempfile::tempdir().unwrap(), &[], None);
        broker.make_topic(&broker.properties());
        Some(broker)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn make_topic(&self, properties: &Properties) {
        let properties = serde_json::to_string(properties).unwrap();
        self.tools.admin(&["topic", &properties, TOPIC, &PARTITIONS.to_string()]);
    }
}

impl Breakable for Broker {
    fn properties(&self) -> Properties {
        Properties::from([
            ("bootstrap.servers".to_owned(), format!("127.0.0.1:{}", self.advertised)),
            ("reconnect.backoff.max.ms".to_owned(), "100".to_owned()),
        ])
    }

    fn disturb(&self) {
        self.down();
        self.up();
    }

    fn down(&self) {
        drop(self.process.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn up(&self) {
        let mut tansu = Command::new(&self.tools.tansu);
        tansu
            .arg("broker")
            .args(["--listener-url", &format!("tcp://127.0.0.1:{}", self.port)])
            .args(["--advertised-listener-url", &format!("tcp://127.0.0.1:{}", self.advertised)])
            .args(["--storage-engine", &format!("s3://{BUCKET}/")])
            .args(&self.options)
            .envs(KEYS)
            .envs([
                ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.store_port)),
                ("AWS_ALLOW_HTTP", "true".to_owned()),
            ]);
        let process = start(tansu, "broker", self.folder.path());
        wait_for(self.port);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_loses_nothing_from_sqlite() {
    let Some(broker) = Broker::in_clear() else { return };
    let trail = Trail::on_sqlite().await;
    run("SQLite to a broker", &trail, &broker, |properties| by_python(&broker.tools.python, properties))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_loses_nothing_from_postgresql() {
    let Some(broker) = Broker::in_clear() else { return };
    let Some(server) = PostgresServer::start(Durability::Synced) else { return };
    let trail = Trail::on_postgres(&server).await;
    run("PostgreSQL to a broker", &trail, &broker, |properties| by_python(&broker.tools.python, properties))
        .await;
}
