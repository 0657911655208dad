//! A data directory with the demo organisation in it, and the service's process on it.

use crate::api::{self, Api, Credentials, Report};
use crate::command;
use crate::failure::{Context, Failure, Result};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The demo organisation's directory, whose id the published examples name.
pub const DIRECTORY_ID: &str = "2c9180897e7742b2017e781782f705b9";
const DIRECTORY_NAME: &str = "Active Directory";
/// The tenant that a service belongs to unless told otherwise.
pub const TENANT: &str = "default";
/// A tenant that no service here belongs to.
pub const OTHER_TENANT: &str = "other";
/// How long a server may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause between looks at something that is about to happen.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A data directory with data, credentials and a snapshot.
#[derive(Debug, Clone)]
pub struct House {
    /// The service's binary.
    pub binary: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// Where the service's log is added.
    pub log: PathBuf,
    /// `MUSTER__...` variables of every command on it.
    pub settings: Vec<(String, String)>,
    /// A user with every right.
    pub user: Credentials,
    /// An application with every scope.
    pub application: Credentials,
    /// A user of another tenant with every right there.
    pub stranger: Credentials,
    /// An authoritative source.
    pub authoritative_source: String,
}

impl House {
    /// Fills `data`, an empty folder, with the demo organisation, by the demo's own command.
    pub fn with_demo(binary: &Path, data: &Path, identities: u64) -> Result<Self> {
        Self::with_demo_and(binary, data, identities, Vec::new())
    }

    /// The same with settings that say where things are kept.
    pub fn with_demo_and(
        binary: &Path,
        data: &Path,
        identities: u64,
        settings: Vec<(String, String)>,
    ) -> Result<Self> {
        command::run(
            muster(binary, data)
                .envs(settings.iter().cloned())
                .args(["demo", "--once", "--listen", "127.0.0.1:0", "--identities"])
                .arg(identities.to_string())
                .stdout(Stdio::null()),
        )?;
        Self::on_with(binary, data, settings)
    }

    /// Adds credentials to a data directory that has sources and a snapshot.
    fn on_with(binary: &Path, data: &Path, settings: Vec<(String, String)>) -> Result<Self> {
        let muster = || {
            let mut command = muster(binary, data);
            command.envs(settings.iter().cloned());
            command
        };
        let user = ["--kind", "user", "--name", "checks", "--level", "ORG_ADMIN"];
        let application = ["--kind", "application", "--name", "checks"];
        let listed = json_of(muster().args(["source", "list", "--output", "json"]))?;
        let authoritative =
            listed.as_array().into_iter().flatten().find(|s| s["authoritative"] == json!(true));
        let id = authoritative.and_then(|source| source["id"].as_str());
        Ok(Self {
            binary: binary.into(),
            data: data.into(),
            log: data.with_extension("serve.log"),
            user: create_client(&mut muster(), &user)?,
            application: create_client(&mut muster(), &application)?,
            stranger: create_client(muster().env("MUSTER__TENANT__ID", OTHER_TENANT), &user)?,
            settings: settings.clone(),
            authoritative_source: id.ok_or_else(|| Failure::new("no source is authoritative"))?.to_owned(),
        })
    }

    /// The six fixed reports with the arguments that this organisation takes.
    pub fn reports(&self) -> Vec<Report> {
        let report = |kind, arguments| Report { kind, arguments };
        vec![
            report("ACCOUNTS", json!({"application": DIRECTORY_ID, "sourceName": DIRECTORY_NAME})),
            report("IDENTITIES", json!({"correlatedOnly": false})),
            report("IDENTITIES_DETAILS", json!({"correlatedOnly": false})),
            report(
                "IDENTITY_PROFILE_IDENTITY_ERROR",
                json!({"authoritativeSource": self.authoritative_source}),
            ),
            report("ORPHAN_IDENTITIES", json!({})),
            report("UNCORRELATED_ACCOUNTS", json!({})),
        ]
    }

    /// Starts `muster serve` without waiting; `settings` are `MUSTER__...` variables.
    pub fn spawn(&self, settings: &[(&str, &str)]) -> Result<Server> {
        self.spawn_under(&[], settings)
    }

    /// Starts `muster serve` under another program that becomes it, as `strace -D` does; `under` is that
    /// program with its arguments.
    pub fn spawn_under(&self, under: &[String], settings: &[(&str, &str)]) -> Result<Server> {
        let port = ReservedPort::new()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .context(|| format!("{} cannot be opened", self.log.display()))?;
        let child = muster_under(under, &self.binary, &self.data)
            .args(["serve", "--init", "--listen", &format!("127.0.0.1:{}", port.number())])
            .envs(self.settings.iter().cloned())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context(|| "the log cannot be opened twice".into())?)
            .stderr(log)
            .spawn()
            .context(|| format!("{} cannot be run", self.binary.display()))?;
        let base = format!("http://127.0.0.1:{}", port.number());
        Ok(Server { child, base, spawned: Instant::now(), _port: port })
    }

    /// Starts `muster serve` and waits until it is ready.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Result<Server> {
        let mut server = self.spawn(settings)?;
        server.wait_ready()?;
        Ok(server)
    }
}

/// A running service. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Base URL.
    pub base: String,
    /// When its process was started.
    pub spawned: Instant,
    _port: ReservedPort,
}

impl Server {
    /// Waits until it says that it is ready.
    pub fn wait_ready(&mut self) -> Result<()> {
        while !api::is_ready(&self.base) {
            if let Some(status) = self.child.try_wait().context(|| "the server's process is lost".into())? {
                return Err(Failure::new(format!("the server ended before it was ready: {status}")));
            }
            if self.spawned.elapsed() > PATIENCE {
                return Err(Failure::new(format!("the server is not ready after {PATIENCE:?}")));
            }
            sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// A client of it.
    pub fn connect(&self, credentials: &Credentials) -> Result<Api> {
        Ok(Api::connect(&self.base, credentials)?)
    }

    /// Whether its process ends by itself within this time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > time {
                return false;
            }
            sleep(LOOK_AGAIN);
        }
        true
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context(|| "the server cannot be killed".into())?;
        self.child.wait().context(|| "the server cannot be waited for".into())?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits until it has, in order.
    pub fn stop(self) -> Result<()> {
        match self.end()? {
            status if status.success() => Ok(()),
            status => Err(Failure::new(format!("the server stopped with {status}"))),
        }
    }

    /// The same, however it ends.
    pub fn end(mut self) -> Result<ExitStatus> {
        let id = self.child.id().to_string();
        command::output(Command::new("kill").args(["-TERM", &id]))?;
        let asked = Instant::now();
        loop {
            match self.child.try_wait().context(|| "the server cannot be waited for".into())? {
                Some(status) => return Ok(status),
                None if asked.elapsed() > PATIENCE => {
                    return Err(Failure::new(format!("the server does not stop within {PATIENCE:?}")));
                }
                None => sleep(LOOK_AGAIN),
            }
        }
    }

    /// Processor time that the process has had, in ticks of a hundredth of a second.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn busy_ticks(&self) -> Result<u64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path).context(|| path.clone())?;
        // The name in parentheses may hold anything; user and system time are the 12th and 13th after it.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        ticks.sum::<std::result::Result<u64, _>>().context(|| path)
    }

    /// Whether a thread of it runs or waits for a processor.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn is_at_work(&self) -> Result<bool> {
        let path = format!("/proc/{}/task", self.child.id());
        let threads = std::fs::read_dir(&path).context(|| path.clone())?;
        for thread in threads {
            let stat = thread.context(|| path.clone())?.path().join("stat");
            // A thread that has ended meanwhile is not at work.
            let stat = std::fs::read_to_string(stat).unwrap_or_default();
            // The state stands after the name in parentheses, which may hold anything.
            if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('R')) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Files without a name that it has open and whose path begins so: each once, with its bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn nameless_files(&self, begin: &Path) -> Result<BTreeMap<PathBuf, u64>> {
        let path = format!("/proc/{}/fd", self.child.id());
        let mut found = BTreeMap::new();
        for file in std::fs::read_dir(&path).context(|| path.clone())? {
            let file = file.context(|| path.clone())?.path();
            // It may be closed by now.
            let (Ok(target), Ok(metadata)) = (std::fs::read_link(&file), std::fs::metadata(&file)) else {
                continue;
            };
            let name = target.to_string_lossy();
            if name.starts_with(&*begin.to_string_lossy()) && name.ends_with(" (deleted)") {
                found.insert(target, metadata.len());
            }
        }
        Ok(found)
    }

    /// The most memory that it held so far, in KiB: `VmHWM` as Linux tells it.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        peak_memory_kib(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `VmHWM` of a process.
pub fn peak_memory_kib(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.ok_or_else(|| Failure::new(format!("{path} has no VmHWM")))
}

/// The binary on a data directory, without the caller's own settings and proxies.
pub fn muster(binary: &Path, data: &Path) -> Command {
    let mut command = clean(binary);
    command.arg("--data").arg(data);
    command
}

/// The same under another program with its arguments, if there is one.
pub fn muster_under(under: &[String], binary: &Path, data: &Path) -> Command {
    match under {
        [] => muster(binary, data),
        [program, arguments @ ..] => {
            let mut under = clean(Path::new(program));
            under.args(arguments).arg(binary).arg("--data").arg(data);
            under
        }
    }
}

fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("MUSTER_") || text.ends_with("_PROXY") {
            command.env_remove(&name);
        }
    }
    command
}

fn create_client(muster: &mut Command, who: &[&str]) -> Result<Credentials> {
    let made = json_of(muster.args(["client", "create", "--scope", "sp:scopes:all"]).args(who))?;
    let text = |key: &str| {
        made[key]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("client create gave no {key}")))
    };
    Ok(Credentials { id: text("id")?, secret: text("secret")? })
}

fn json_of(command: &mut Command) -> Result<Value> {
    serde_json::from_str(&command::output(command)?).context(|| "the command's output is no JSON".into())
}

/// A port of 127.0.0.1 that the system gives to nobody else while this is held. Nobody listens on it but a server that is
/// told to: servers set SO_REUSEADDR, as this does, and may bind a port that is bound and not listened on.
#[derive(Debug)]
pub struct ReservedPort {
    socket: Socket,
    number: u16,
}

impl ReservedPort {
    /// One of those that the system gives to no client by itself, each process of ours from another place on, so that of
    /// two servers that are started at once neither is reached in place of the other.
    pub fn new() -> Result<Self> {
        const FIRST: u32 = 12_000;
        const PORTS: u32 = 20_000;
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let begin = std::process::id().wrapping_mul(7_919);
        for _ in 0..PORTS {
            let place = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
            let number = u16::try_from(FIRST + place % PORTS).expect("the last port is below 32,768");
            let reserved = Self { socket: socket()?, number };
            if reserved.is_ours() {
                return Ok(reserved);
            }
        }
        Err(Failure::new("no port on 127.0.0.1 can be had"))
    }

    /// Takes the port; not if anybody has it, be it only reserved.
    fn is_ours(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.number));
        self.socket.bind(&address.into()).and_then(|()| self.socket.set_reuse_address(true)).is_ok()
    }

    /// The port.
    pub fn number(&self) -> u16 {
        self.number
    }
}

fn socket() -> Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None).context(|| "no socket can be made".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_reserved_port_is_given_to_one_and_listened_on_by_a_server() {
        let port = ReservedPort::new().expect("there are ports");
        let again = ReservedPort { socket: socket().expect("a socket can be made"), number: port.number };
        assert!(!again.is_ours(), "it is taken");
        // The standard library's listeners set SO_REUSEADDR, as servers do.
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number()));
        assert!(listening.is_ok(), "{listening:?}");
    }
}
