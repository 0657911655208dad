//! The shell of a page's reader: a folder, commands one after another, and at most one command that keeps running.
//!
//! Each command is a process of its own, so that its output and its status are known. What it exports, the next ones
//! have, as in one terminal.

use super::expectation::{Meanings, compare};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::installation::clean;
use crate::port::ReservedPort;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a command may take, and how long one that keeps running may take to print what is expected, or to stop.
const PATIENCE: Duration = Duration::from_secs(180);
/// Pause between two checks of whether something has happened.
const CHECK_AGAIN: Duration = Duration::from_millis(10);
/// Where a service listens that is not told otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";
const LOOPBACK: &str = "127.0.0.1:";

/// The shell of a page.
pub struct Shell {
    /// The reader's folder.
    pub folder: PathBuf,
    /// What the words of the page mean.
    meanings: Meanings,
    /// The ports of the page, each with the one that is used instead.
    ports: BTreeMap<String, ReservedPort>,
    path: OsString,
    exported: PathBuf,
    log: PathBuf,
    server: Option<Child>,
}

/// What a command did.
pub struct Done {
    /// Lines that it printed, to standard output and standard error.
    pub lines: Vec<String>,
    /// Whether its exit status is 0.
    pub succeeded: bool,
}

impl Shell {
    /// A shell in a folder of `place`, an empty folder, in which `muster` is `binary`. `page` is the text of the page, whose
    /// ports are exchanged for free ones.
    pub fn new(place: &Path, binary: &Path, page: &str) -> Result<Self> {
        let (folder, programs) = (place.join("folder"), place.join("programs"));
        for folder in [&folder, &programs] {
            std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
        }
        std::os::unix::fs::symlink(binary, programs.join("muster"))
            .context(|| "muster cannot be linked".into())?;
        let exported = place.join("exported");
        std::fs::write(&exported, "").context(|| format!("{} cannot be written", exported.display()))?;
        let mut path = programs.into_os_string();
        if let Some(system) = std::env::var_os("PATH") {
            path.push(":");
            path.push(system);
        }
        let mut ports = BTreeMap::new();
        for address in std::iter::once(DEFAULT_ADDRESS).chain(addresses(page)) {
            if !ports.contains_key(address) {
                ports.insert(address.to_owned(), ReservedPort::new()?);
            }
        }
        let log = place.join("server.log");
        Ok(Self { folder, meanings: Meanings::new(), ports, path, exported, log, server: None })
    }

    /// Writes a file of the page.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
        std::fs::write(&path, self.meant(text)).context(|| format!("{} cannot be written", path.display()))
    }

    /// Runs a command to its end.
    pub fn run(&self, text: &str) -> Result<Done> {
        let output = self.exported.with_file_name("output");
        let script = r#"source "$1"; eval "$2"; status=$?; export -p > "$1"; exit $status"#;
        let mut child = self.spawn(script, text, &output)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().context(|| "the command is lost".into())? {
                return Ok(Done { lines: read(&output)?, succeeded: status.success() });
            }
            if begun.elapsed() > PATIENCE {
                child.kill().context(|| "the command cannot be ended".into())?;
                child.wait().context(|| "the command cannot be waited for".into())?;
                return Err(Failure::new(format!("it has not ended after {PATIENCE:?}")));
            }
            sleep(CHECK_AGAIN);
        }
    }

    /// Starts a command that keeps running, after the one before has stopped, and waits until it has printed `expected`.
    pub fn serve(&mut self, text: &str, expected: &[String]) -> Result<()> {
        self.stop()?;
        let child = self.spawn(r#"source "$1"; eval "exec $2""#, text, &self.log)?;
        self.server = Some(child);
        let expected: Vec<_> = expected.iter().cloned().chain(["...".to_owned()]).collect();
        let begun = Instant::now();
        loop {
            let ended = match &mut self.server {
                Some(server) => server.try_wait().context(|| "the command is lost".into())?,
                None => None,
            };
            let lines = read(&self.log)?;
            if self.expects(&expected, &lines).is_ok() {
                return Ok(());
            }
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let why =
                    ended.map_or_else(|| format!("{PATIENCE:?} have passed"), |status| status.to_string());
                return Err(Failure::new(format!("{why}, and this was printed:\n{}", lines.join("\n"))));
            }
            sleep(CHECK_AGAIN);
        }
    }

    /// Compares what a page shows with what was printed, and learns what the page's ids mean; the number of the first
    /// expected line that differs otherwise.
    pub fn expects(&mut self, expected: &[String], printed: &[String]) -> std::result::Result<(), usize> {
        let expected: Vec<_> = expected.iter().map(|line| with_ports(line, &self.ports)).collect();
        compare(&expected, printed, &mut self.meanings)
    }

    /// Stops the command that keeps running, and waits for its end. Not as Ctrl-C would: what a script starts in the
    /// background does not hear that.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        command::output(Command::new("kill").args(["-TERM", &server.id().to_string()]))?;
        let begun = Instant::now();
        while server.try_wait().context(|| "the server is lost".into())?.is_none() {
            if begun.elapsed() > PATIENCE {
                self.server = Some(server);
                return Err(Failure::new(format!("the server does not stop within {PATIENCE:?}")));
            }
            sleep(CHECK_AGAIN);
        }
        Ok(())
    }

    fn spawn(&self, script: &str, text: &str, output: &Path) -> Result<Child> {
        let file = File::create(output).context(|| format!("{} cannot be made", output.display()))?;
        let again = file.try_clone().context(|| "the output cannot be opened twice".into())?;
        let address = with_ports(DEFAULT_ADDRESS, &self.ports);
        clean(Path::new("bash"))
            .args(["--norc", "-c", script, "bash"])
            .arg(&self.exported)
            .arg(self.meant(text))
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("HOME", &self.folder)
            .env("USER", "ada")
            .env("LC_ALL", "C.UTF-8")
            .env("MUSTER__SERVER__LISTEN", &address)
            .env("MUSTER_BASE_URL", format!("http://{address}"))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            .spawn()
            .context(|| "bash cannot be run".into())
    }

    /// A text of the page with the ids and ports of this run.
    fn meant(&self, text: &str) -> String {
        let text = with_ports(text, &self.ports);
        self.meanings.iter().fold(text, |text, (page, printed)| text.replace(page, printed))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // If it is gone already, there is nothing to do.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn read(output: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(output).context(|| format!("{} cannot be read", output.display()))?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

/// Every address of this machine that a text names, with its port.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(LOOPBACK).filter_map(|(at, _)| {
        let rest = &text[at + LOOPBACK.len()..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        (digits > 0).then(|| &text[at..at + LOOPBACK.len() + digits])
    })
}

fn with_ports(text: &str, ports: &BTreeMap<String, ReservedPort>) -> String {
    let mut found = text.to_owned();
    for (address, port) in ports {
        found = found.replace(address, &format!("{LOOPBACK}{}", port.number()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_with_their_ports() {
        let text = "http://127.0.0.1:8080/a, 127.0.0.1:9464 and 127.0.0.1: alone";
        assert_eq!(addresses(text).collect::<Vec<_>>(), ["127.0.0.1:8080", "127.0.0.1:9464"]);
    }
}
