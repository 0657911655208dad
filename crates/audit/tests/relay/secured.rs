//! Kafka with TLS and SASL: what the settings say is what happens, a refusal is reported clearly, and no secret is in the
//! log.
//!
//! `stunnel` runs in front of the broker and ends TLS, because the broker's own options for a certificate and its key
//! exclude each other. SASL is the broker's.

use crate::broker::{Broker, Killed, Tools, start, wait_for};
use crate::consumer::by_python;
use crate::outages::Breakable;
use crate::process::RelayProcess;
use crate::trail::Trail;
use crate::{Properties, until};
use muster_reports::ids::TenantId;
use muster_reports::ports::RelayLog;
use muster_testkit::servers::ReservedPort;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What no log may hold.
const PASSWORD: &str = "not-to-be-seen";
const PATIENCE: Duration = Duration::from_secs(60);

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, `NAME.pem` and `NAME.key`.
fn authority(folder: &Path, name: &str) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let (pem, private) = (format!("{name}.pem"), format!("{name}.key"));
    let made =
        ["req", "-x509", "-subj", "/CN=Test authority", "-days", "2", "-keyout", &private, "-out", &pem];
    openssl(folder, &[&made[..], &key].concat());
}

/// A certificate of the authority `by`, `NAME.pem` and `NAME.key`; the key is encrypted with [`PASSWORD`] where `locked` says so.
fn certificate(folder: &Path, by: &str, name: &str, locked: bool) {
    let (pem, private, subject) = (format!("{name}.pem"), format!("{name}.key"), format!("/CN={name}"));
    let (ca, ca_key, password) = (format!("{by}.pem"), format!("{by}.key"), format!("pass:{PASSWORD}"));
    let made = ["req", "-x509", "-CA", &ca, "-CAkey", &ca_key, "-subj", &subject, "-days", "2"];
    let files = ["-keyout", &private, "-out", &pem, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    let lock = if locked { vec!["-passout", &password] } else { vec!["-nodes"] };
    openssl(folder, &[&made[..], &files, &names, &lock].concat());
}

/// Properties on top of those by which a broker is reached.
fn with(base: &Properties, more: &[(&str, &str)]) -> Properties {
    let mut properties = base.clone();
    properties.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    properties
}

/// A trail whose events one relay after the other tries to pass on.
struct Attempts {
    trail: Trail,
    python: String,
    logs: tempfile::TempDir,
}

/// Events of each trail.
const EVENTS: u64 = 30;

impl Attempts {
    async fn new(broker: &Broker) -> Self {
        let (trail, logs) = (Trail::on_sqlite().await, tempfile::tempdir().unwrap());
        trail.record(EVENTS).join_all().await;
        Self { trail, python: broker.tools.python.clone(), logs }
    }

    /// The broker refuses: the events wait, none is given up, and the log has `reason`.
    async fn refused(&self, what: &str, properties: &Properties, reason: &str) {
        let relay = RelayProcess::spawn(what, &self.trail.place, properties, self.logs.path());
        let told = async || {
            let log = relay.log();
            log.contains(reason) && log.contains("audit events wait for Kafka")
        };
        let deadline = tokio::time::timeout(PATIENCE, until(what, PATIENCE * 2, told)).await;
        assert!(deadline.is_ok(), "{what}: {reason:?} is not in the log: {}", relay.log());
        assert_eq!(self.trail.waiting().await, EVENTS, "{what}");
        assert!(self.trail.store.parked(&TenantId::new("acme")).await.unwrap().is_empty(), "{what}");
        self.end(what, relay);
    }

    /// The broker takes them, and the other client reads them the same way.
    async fn taken(&self, what: &str, properties: &Properties) {
        let relay = RelayProcess::spawn(what, &self.trail.place, properties, self.logs.path());
        let gone = async || self.trail.waiting().await == 0;
        let deadline = tokio::time::timeout(PATIENCE, until(what, PATIENCE * 2, gone)).await;
        assert!(deadline.is_ok(), "{what}: {}", relay.log());
        self.end(what, relay);
        assert_eq!(by_python(&self.python, properties).len() as u64, EVENTS, "{what}");
    }

    fn end(&self, what: &str, relay: RelayProcess) {
        let log = relay.log();
        println!(
            "{what}: {}",
            log.lines().filter(|line| line.contains("WARN")).take(2).collect::<Vec<_>>().join("\n")
        );
        assert!(!log.contains(PASSWORD), "{what}: {log}");
        relay.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_holds_against_the_wrong_authority() {
    let Some(tools) = Tools::named() else { return };
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "ca");
    authority(folder.path(), "other");
    certificate(folder.path(), "ca", "server", false);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (ca, other) = (path("ca.pem"), path("other.pem"));
    let reserved = ReservedPort::new();
    let accept = reserved.number();
    let broker = Broker::start(tools, folder, &[], Some(accept));
    let _tunnel = tunnel(broker.folder(), accept, broker.port, "");
    let clear = broker.properties();
    let tls = with(&clear, &[("security.protocol", "ssl"), ("ssl.ca.location", &ca)]);
    broker.make_topic(&tls);
    let attempts = Attempts::new(&broker).await;
    let untrusted = with(&tls, &[("ssl.ca.location", &other)]);
    attempts.refused("another-authority", &untrusted, "certificate verify failed").await;
    let named = with(&tls, &[("bootstrap.servers", &format!("localhost:{accept}"))]);
    attempts.refused("another-name", &named, "certificate verify failed").await;
    // Neither side says what is wrong: the listener waits for a handshake, and the client for an answer.
    attempts.refused("in-clear", &clear, "security.protocol has no TLS").await;
    attempts.taken("tls", &tls).await;
}

/// `stunnel` in front of a broker, with `more` settings.
fn tunnel(folder: &Path, accept: u16, connect: u16, more: &str) -> Killed {
    let text = format!(
        "foreground = yes\npid =\n[kafka]\naccept = 127.0.0.1:{accept}\nconnect = 127.0.0.1:{connect}\n\
         cert = server.pem\nkey = server.key\n{more}"
    );
    std::fs::write(folder.join("tunnel.conf"), text).unwrap();
    let mut stunnel = Command::new("stunnel");
    stunnel.arg("tunnel.conf");
    let tunnel = start(stunnel, "tunnel", folder);
    wait_for(accept);
    tunnel
}

/// Clients need a certificate of the authority.
const MUTUAL: &str = "CAfile = ca.pem\nverifyChain = yes\nrequireCert = yes\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_opens_a_mutual_listener() {
    let Some(tools) = Tools::named() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    authority(&path, "ca");
    authority(&path, "other");
    certificate(&path, "ca", "server", false);
    certificate(&path, "ca", "client", true);
    certificate(&path, "other", "stranger", true);
    let reserved = ReservedPort::new();
    let accept = reserved.number();
    let broker = Broker::start(tools, folder, &[], Some(accept));
    let _tunnel = tunnel(&path, accept, broker.port, MUTUAL);
    let file = |name: &str| path.join(name).to_str().unwrap().to_owned();
    let tls =
        with(&broker.properties(), &[("security.protocol", "ssl"), ("ssl.ca.location", &file("ca.pem"))]);
    let as_client = |name: &str| {
        let (pem, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
        with(
            &tls,
            &[("ssl.certificate.location", &pem), ("ssl.key.location", &key), ("ssl.key.password", PASSWORD)],
        )
    };
    broker.make_topic(&as_client("client"));
    let attempts = Attempts::new(&broker).await;
    attempts.refused("no-certificate", &tls, "alert").await;
    attempts.refused("a-stranger's-certificate", &as_client("stranger"), "alert").await;
    attempts.taken("mutual", &as_client("client")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_refused_is_never_told() {
    let Some(tools) = Tools::named() else { return };
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "ca");
    certificate(folder.path(), "ca", "server", false);
    let ca = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    let reserved = ReservedPort::new();
    let accept = reserved.number();
    let broker = Broker::start(tools, folder, &["--authentication"], Some(accept));
    let _tunnel = tunnel(broker.folder(), accept, broker.port, "");
    let tls = with(&broker.properties(), &[("security.protocol", "sasl_ssl"), ("ssl.ca.location", &ca)]);
    let sasl = |mechanism: &str, password: &str| {
        with(&tls, &[("sasl.mechanism", mechanism), ("sasl.username", "muster"), ("sasl.password", password)])
    };
    let attempts = Attempts::new(&broker).await;
    attempts.refused("no-sasl", &with(&tls, &[("security.protocol", "ssl")]), "Disconnected").await;
    // This broker has no users over an object store, and knows no mechanism PLAIN.
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        attempts.refused(mechanism, &sasl(mechanism, PASSWORD), "SASL SCRAM authentication failed").await;
    }
    attempts.refused("PLAIN", &sasl("PLAIN", PASSWORD), "SASL PLAIN mechanism handshake failed").await;
}
