//! A running service: its process, as the system shows it, and the address at which it answers.

use crate::api::{self, Api, Credentials};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::port::ReservedPort;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause between two checks of whether something has happened.
const CHECK_AGAIN: Duration = Duration::from_millis(5);

/// A running service. It is killed when this value is dropped.
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
    /// The service whose process has just been started, and which is to listen on this port.
    pub(crate) fn new(child: Child, port: ReservedPort) -> Self {
        let base = format!("http://127.0.0.1:{}", port.number());
        Self { child, base, spawned: Instant::now(), _port: port }
    }

    /// Waits until the service says that it is ready.
    ///
    /// # Errors
    /// When the process ends before that, or takes too long.
    pub fn wait_ready(&mut self) -> Result<()> {
        while !api::is_ready(&self.base) {
            if let Some(status) = self.child.try_wait().context(|| "the server's process is lost".into())? {
                return Err(Failure::new(format!("the server ended before it was ready: {status}")));
            }
            if self.spawned.elapsed() > PATIENCE {
                return Err(Failure::new(format!("the server is not ready after {PATIENCE:?}")));
            }
            sleep(CHECK_AGAIN);
        }
        Ok(())
    }

    /// A client of the service, with a token.
    ///
    /// # Errors
    /// When the service gives no token.
    pub fn connect(&self, credentials: &Credentials) -> Result<Api> {
        Ok(Api::connect(&self.base, credentials)?)
    }

    /// Whether the process ends by itself within this time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > time {
                return false;
            }
            sleep(CHECK_AGAIN);
        }
        true
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context(|| "the server cannot be killed".into())?;
        self.child.wait().context(|| "the server cannot be waited for".into())?;
        Ok(())
    }

    /// Asks the service to stop (SIGTERM) and waits until it has stopped without an error.
    ///
    /// # Errors
    /// When its status is not 0, or it takes too long.
    pub fn stop(self) -> Result<()> {
        match self.end()? {
            status if status.success() => Ok(()),
            status => Err(Failure::new(format!("the server stopped with {status}"))),
        }
    }

    /// Asks the service to stop (SIGTERM) and waits until it has; its status, whatever it is.
    ///
    /// # Errors
    /// When it takes too long.
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
                None => sleep(CHECK_AGAIN),
            }
        }
    }

    /// Processor time that the process has used, in ticks of a hundredth of a second.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn busy_ticks(&self) -> Result<u64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path).context(|| path.clone())?;
        // The name in parentheses may contain anything; user and system time are the 12th and 13th fields after it.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        ticks.sum::<std::result::Result<u64, _>>().context(|| path)
    }

    /// Whether a thread of the process runs or waits for a processor.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn is_at_work(&self) -> Result<bool> {
        let path = format!("/proc/{}/task", self.child.id());
        let threads = std::fs::read_dir(&path).context(|| path.clone())?;
        for thread in threads {
            let stat = thread.context(|| path.clone())?.path().join("stat");
            // A thread that has ended since the listing does not work.
            let stat = std::fs::read_to_string(stat).unwrap_or_default();
            // The state follows the name in parentheses, which may contain anything.
            if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('R')) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Files without a name that the process has open and whose path begins with `begin`: each once, with its size in
    /// bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn nameless_files(&self, begin: &Path) -> Result<BTreeMap<PathBuf, u64>> {
        let path = format!("/proc/{}/fd", self.child.id());
        let mut found = BTreeMap::new();
        for file in std::fs::read_dir(&path).context(|| path.clone())? {
            let file = file.context(|| path.clone())?.path();
            // It may have been closed since the listing.
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

    /// The most memory that the process has held so far, in KiB: Linux's `VmHWM`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        peak_memory_kib(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it is gone already, there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory that a process has held so far, in KiB: Linux's `VmHWM`.
///
/// # Errors
/// When the process is gone.
pub fn peak_memory_kib(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.ok_or_else(|| Failure::new(format!("{path} has no VmHWM")))
}
