//! A relay in a process of its own: this test program once more, told by a variable what it is.

use crate::trail::{MachineClock, open};
use crate::{Properties, TOPIC};
use muster_audit::{Relay, RelaySettings};
use muster_reports::ids::WorkerId;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Says to this program that it is a relay, and which one.
const TOLD: &str = "MUSTER_RELAY_PROCESS";

/// How long a batch may take here; twice that a lease.
const DELIVERY: Duration = Duration::from_secs(2);

/// A running relay; killed when dropped.
pub struct RelayProcess {
    child: Child,
    log: PathBuf,
}

impl RelayProcess {
    /// Starts the relay `name` over the store at `place`; its log goes to a file in `folder`.
    pub fn spawn(name: &str, place: &str, properties: &Properties, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let told = json!({ "name": name, "place": place, "properties": properties });
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::a_relay_in_a_process_of_its_own", "--nocapture"])
            .env(TOLD, told.to_string())
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Ends it as by SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{}", self.log());
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does nothing unless a test has started it as a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_in_a_process_of_its_own() {
    let Ok(told) = std::env::var(TOLD) else { return };
    tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::INFO).init();
    let told: Value = serde_json::from_str(&told).unwrap();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let properties: Properties = serde_json::from_value(told["properties"].clone()).unwrap();
    let store = Arc::new(open(&text("place")).await);
    let settings = RelaySettings {
        properties: muster_audit::Properties::new(properties).unwrap(),
        topic: TOPIC.into(),
        org: "muster".into(),
        pod: "local".into(),
        batch_max: 500,
        poll: Duration::from_millis(20),
        pause_most: Duration::from_millis(200),
        delivery: DELIVERY,
    };
    let name = WorkerId::new(text("name"));
    let relay = Relay::new(name, store.clone(), store.clone(), Arc::new(MachineClock), settings).unwrap();
    let stop = CancellationToken::new();
    // The end of its input is the word to stop, and comes too when the test's process dies.
    let told_to_stop = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told_to_stop.cancel();
    });
    relay.run(stop).await;
    store.close().await;
}
