//! A PostgreSQL server of Debian's package for one run: in a temporary folder, on loopback, on its own port.
//!
//! PostgreSQL refuses to run as root; then it runs as the package's user. It is ended by its own process id.

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::server::free_port;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where Debian keeps versions of the server.
const VERSIONS: &str = "/usr/lib/postgresql";
/// How long it may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    process: Child,
    /// URL of its database.
    pub url: String,
}

impl Postgres {
    /// Makes a database and serves it.
    pub fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = std::env::temp_dir().join(format!("muster-faults-{}", std::process::id()));
        std::fs::create_dir(&folder).context(|| format!("{} cannot be made", folder.display()))?;
        let as_root = command::output(Command::new("id").arg("-u"))?.trim() == "0";
        if as_root {
            command::output(Command::new("chown").arg("postgres:postgres").arg(&folder))?;
        }
        let program = |name: &str| {
            let path = programs.join(name);
            if !as_root {
                return Command::new(path);
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        };
        let data = folder.join("data");
        let options = ["--username=muster", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"];
        command::output(program("initdb").args(options).arg(&data).current_dir(&folder))?;
        let port = free_port()?;
        let process = program("postgres")
            .args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string(), "-D"])
            .arg(&data)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(|| "postgres cannot be run".into())?;
        let url = format!("postgres://muster@127.0.0.1:{port}/postgres");
        let server = Self { folder, process, url };
        let begun = Instant::now();
        while ask(&server.url, "SELECT 1").is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(format!("postgres is not ready after {PATIENCE:?}")));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The URL of a database of this name: an empty one, or a copy of another that nobody uses. What was there goes.
    pub fn fresh_database(&self, name: &str, template: Option<&str>) -> Result<String> {
        ask(&self.url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
        ask(&self.url, &format!("CREATE DATABASE {name}{template}"))?;
        let (server, _) = self.url.rsplit_once('/').unwrap_or((&self.url, ""));
        Ok(format!("{server}/{name}"))
    }
}

/// The text of the one value that a query gives.
pub fn ask(url: &str, query: &str) -> Result<String> {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", query, url]);
    Ok(command::output(&mut psql)?.trim().to_owned())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: a fast shutdown, its children included. If it is gone already, that is what is wanted.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).context(|| format!("{VERSIONS} cannot be listed"))?;
    let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
    found.retain(|folder| folder.join("postgres").is_file());
    found.sort();
    found.pop().ok_or_else(|| Failure::new(format!("no PostgreSQL below {VERSIONS}")))
}
