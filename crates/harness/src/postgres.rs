//! A PostgreSQL server of Debian's package for one run: in a temporary folder, on loopback, at a port of its own.
//!
//! PostgreSQL refuses to run as root, so if we are root it runs as the package's user. It is ended by its own process id.

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::port::ReservedPort;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where Debian keeps versions of the server.
const VERSIONS: &str = "/usr/lib/postgresql";
/// How long it may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    programs: PostgresPrograms,
    port: ReservedPort,
    process: Child,
    /// URL of its database.
    pub url: String,
}

/// How the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Connections are ended, and everything is written.
    Fast,
    /// All processes end at once, as in a crash.
    Immediate,
}

impl Postgres {
    /// Makes a database and serves it. No other server of this process may have the same `name`.
    ///
    /// # Errors
    /// When the package is not installed, or the server does not start.
    pub fn start(name: &str) -> Result<Self> {
        let programs = PostgresPrograms::find()?;
        let folder = std::env::temp_dir().join(format!("muster-faults-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).context(|| format!("{} cannot be made", folder.display()))?;
        if programs.as_root {
            command::output(Command::new("chown").arg("postgres:postgres").arg(&folder))?;
        }
        let options = ["--username=muster", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"];
        command::output(programs.command("initdb", &folder).args(options).arg(folder.join("data")))?;
        let port = ReservedPort::new()?;
        let process = programs.serve(&folder, port.number())?;
        let url = format!("postgres://muster@127.0.0.1:{}/postgres", port.number());
        let server = Self { folder, programs, port, process, url };
        server.wait_ready()?;
        Ok(server)
    }

    fn wait_ready(&self) -> Result<()> {
        let begun = Instant::now();
        while ask(&self.url, "SELECT 1").is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(format!("postgres is not ready after {PATIENCE:?}")));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Stops it and waits until it is gone.
    pub fn stop(&mut self, how: Shutdown) -> Result<()> {
        let signal = match how {
            Shutdown::Fast => "-INT",
            Shutdown::Immediate => "-QUIT",
        };
        signal_to(signal, &[self.process.id()])?;
        self.process.wait().map(drop).context(|| "postgres cannot be waited for".into())
    }

    /// Serves the same database again at the same port, after a stop.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = self.programs.serve(&self.folder, self.port.number())?;
        self.wait_ready()
    }

    /// Halts all its processes until the returned value is dropped.
    pub fn halt(&self) -> Result<Halted> {
        let main = self.process.id();
        // The main process first, because it starts the others.
        signal_to("-STOP", &[main])?;
        let mut halted = Halted(vec![main]);
        halted.0.extend(children(main)?);
        signal_to("-STOP", &halted.0)?;
        Ok(halted)
    }

    /// The URL of a new database of this name, in place of an earlier one: it is empty, or a copy of another database that
    /// nobody uses.
    pub fn fresh_database(&self, name: &str, template: Option<&str>) -> Result<String> {
        ask(&self.url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
        ask(&self.url, &format!("CREATE DATABASE {name}{template}"))?;
        let (server, _) = self.url.rsplit_once('/').unwrap_or((&self.url, ""));
        Ok(format!("{server}/{name}"))
    }
}

/// The one value that a query gives, as text.
pub fn ask(url: &str, query: &str) -> Result<String> {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", query, url]);
    Ok(command::output(&mut psql)?.trim().to_owned())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // If the process has ended, another process may have its number by now.
        if matches!(self.process.try_wait(), Ok(None)) {
            // A fast shutdown, which includes its children. If it is gone already, there is nothing to do.
            let _ = signal_to("-INT", &[self.process.id()]);
            let _ = self.process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Halted processes, which continue when this value is dropped.
#[derive(Debug)]
pub struct Halted(Vec<u32>);

impl Drop for Halted {
    fn drop(&mut self) {
        // One signal for each process: some may be gone, which must not keep the others halted.
        for process in &self.0 {
            let _ = signal_to("-CONT", &[*process]);
        }
    }
}

fn signal_to(signal: &str, processes: &[u32]) -> Result<()> {
    let numbers = processes.iter().map(u32::to_string);
    command::output(Command::new("kill").arg(signal).args(numbers)).map(drop)
}

/// The child processes of a process.
fn children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context(|| "/proc cannot be listed".into())?.flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse() else { continue };
        // The process may have ended since the listing. The name in parentheses may contain anything; state and parent
        // follow it.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let mut rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(1);
        if rest.next() == Some(&parent.to_string()) {
            found.push(process);
        }
    }
    Ok(found)
}

/// The package's programs.
#[derive(Debug)]
struct PostgresPrograms {
    folder: PathBuf,
    /// Whether they are run as the package's user.
    as_root: bool,
}

impl PostgresPrograms {
    fn find() -> Result<Self> {
        let versions = std::fs::read_dir(VERSIONS).context(|| format!("{VERSIONS} cannot be listed"))?;
        let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
        found.retain(|folder| folder.join("postgres").is_file());
        found.sort();
        let folder = found.pop().ok_or_else(|| Failure::new(format!("no PostgreSQL below {VERSIONS}")))?;
        let as_root = command::output(Command::new("id").arg("-u"))?.trim() == "0";
        Ok(Self { folder, as_root })
    }

    fn command(&self, name: &str, within: &Path) -> Command {
        let path = self.folder.join(name);
        let mut command = if self.as_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(within);
        command
    }

    fn serve(&self, folder: &Path, port: u16) -> Result<Child> {
        self.command("postgres", folder)
            .args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string(), "-D"])
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(|| "postgres cannot be run".into())
    }
}
