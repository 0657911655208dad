//! MariaDB, initialised for one test, on TLS and with a password.

use std::process::{Command, Stdio};

use muster_sources::{AccountSettings, SqlSettings};

use super::{ReservedPort, Server, certificates, program};

/// The password of the user `reader`; no error and no log may show it.
pub const PASSWORD: &str = "s3cret-of-the-reader";

/// A running server with a database `hr`.
pub struct MariaDb {
    pub folder: tempfile::TempDir,
    port: ReservedPort,
    _server: Server,
}

impl MariaDb {
    /// Starts a server and runs `script` in `hr` as its administrator; the user `reader` may do everything there.
    pub fn start(script: &str) -> Option<Self> {
        let mariadbd = program(&["/usr/sbin/mariadbd"])?;
        let install = program(&["/usr/bin/mariadb-install-db"])?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let tls = certificates::make(path, "127.0.0.1");
        std::fs::write(path.join("password"), format!("{PASSWORD}\n")).unwrap();
        run(Command::new("chown").args(["-R", "mysql"]).arg(path));
        let data = format!("--datadir={}", path.join("data").display());
        run(Command::new(install).args([
            "--no-defaults",
            "--user=mysql",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
            &data,
        ]));
        let port = ReservedPort::new();
        let socket = path.join("socket");
        let log = std::fs::File::create(path.join("log")).unwrap();
        let child = Command::new(mariadbd)
            .args(["--no-defaults", "--user=mysql", "--bind-address=127.0.0.1", &data])
            .args([format!("--port={}", port.number()), format!("--socket={}", socket.display())])
            .args([
                format!("--ssl-ca={}", tls.ca.display()),
                format!("--ssl-cert={}", tls.certificate.display()),
                format!("--ssl-key={}", tls.key.display()),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server(child);
        server.await_port(port.number(), &path.join("log"));
        let whole = format!(
            "CREATE DATABASE hr CHARACTER SET utf8mb4; USE hr; {script}; \
             CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL; \
             GRANT ALL ON hr.* TO reader@'127.0.0.1'"
        );
        run(Command::new("mariadb")
            .args(["--no-defaults", "--default-character-set=utf8mb4", "-u", "root"])
            .arg(format!("--socket={}", socket.display()))
            .args(["-e", &whole]));
        Some(Self { folder, port, _server: server })
    }

    /// Settings that run `query` as `reader` over TLS.
    pub fn settings(&self, query: &str, account: AccountSettings) -> SqlSettings {
        SqlSettings {
            ca_file: Some("ca.pem".to_owned()),
            password_file: Some("password".to_owned()),
            ..SqlSettings::new(format!("mysql://reader@127.0.0.1:{}/hr", self.port.number()), query, account)
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
