//! PostgreSQL, initialised for one test, on TLS and with a password.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use muster_sources::{AccountSettings, SqlSettings};

use super::{ReservedPort, Server, certificates};

/// The password of the role `reader`; no error and no log may show it.
pub const PASSWORD: &str = "s3cret-of-the-reader";

/// A running server with a database `hr`.
pub struct Postgres {
    pub folder: tempfile::TempDir,
    pub port: u16,
    programs: PathBuf,
    _server: Server,
    _port: ReservedPort,
}

impl Postgres {
    /// Starts a server and runs `script` as its administrator; the role `reader` may read everything.
    pub fn start(script: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            println!("SKIPPED: PostgreSQL is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        certificates::make(path, "127.0.0.1");
        std::fs::write(path.join("password"), format!("{PASSWORD}\n")).unwrap();
        std::fs::write(path.join("log"), "").unwrap();
        let own = Command::new("chown").args(["-R", "postgres"]).arg(path).output().unwrap();
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
        run(as_postgres(&programs.join("initdb"))
            .args(["-A", "trust", "-N", "-E", "UTF8", "-D"])
            .arg(path.join("data")));
        let access = "local all all trust\nhostssl all reader 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(path.join("data/pg_hba.conf"), access).unwrap();
        let reserved = ReservedPort::new();
        let port = reserved.number();
        let options = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{0}'\nfsync = off\n\
             ssl = on\nssl_cert_file = '{0}/server.pem'\nssl_key_file = '{0}/server.key'\n",
            path.display()
        );
        std::fs::write(path.join("data/postgresql.auto.conf"), options).unwrap();
        let log = std::fs::File::create(path.join("log")).unwrap();
        let child = as_postgres(&programs.join("postgres"))
            .arg("-D")
            .arg(path.join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server(child);
        server.await_port(port, &path.join("log"));
        let server = Self { folder, port, programs, _server: server, _port: reserved };
        server.run_script("postgres", "CREATE DATABASE hr");
        server.run_script(
            "hr",
            &format!("{script}; CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT ALL ON ALL TABLES IN SCHEMA public TO reader"),
        );
        Some(server)
    }

    /// Runs statements as the administrator.
    pub fn run_script(&self, database: &str, script: &str) {
        for _ in 0..1_200 {
            let mut command = as_postgres(&self.programs.join("psql"));
            command.args(["-q", "-v", "ON_ERROR_STOP=1", "-h"]).arg(self.folder.path());
            let output =
                command.args(["-p", &self.port.to_string(), "-d", database, "-c", script]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            if output.status.success() {
                return;
            }
            assert!(text.contains("starting up"), "{text}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the server does not start up");
    }

    /// Settings that run `query` as `reader` over TLS.
    pub fn settings(&self, query: &str, account: AccountSettings) -> SqlSettings {
        SqlSettings {
            ca_file: Some("ca.pem".to_owned()),
            password_file: Some("password".to_owned()),
            ..SqlSettings::new(format!("postgres://reader@127.0.0.1:{}/hr", self.port), query, account)
        }
    }
}

/// The newest version's programs, where Debian puts them.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let found =
        versions.map(|version| version.path().join("bin")).filter(|path| path.join("initdb").is_file());
    found.max()
}

/// The server refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
