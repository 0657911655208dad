//! A program that is run to its end, with what it took: time, processor time and memory of its whole process tree.
//!
//! Memory is the sum of `VmHWM` over the processes of the tree: the most that each of them ever held. For one process
//! that is exact. For several it is an upper bound, because they need not hold it at the same time, and pages that they
//! share count more than once. The last look is at most one pause old when the program ends; both figures only grow.

use muster_harness::failure::{Context, Failure, Result};
use muster_harness::server;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Pause between two looks at a process tree.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Pause between two looks at whether a program has ended.
const WAIT_AGAIN: Duration = Duration::from_millis(1);
/// Ticks of processor time in a second, on every Linux.
pub const TICKS_PER_SECOND: f64 = 100.0;

/// What a program took.
#[derive(Debug)]
pub struct Took {
    /// Seconds of the clock.
    pub seconds: f64,
    /// Seconds of processor.
    pub processor: f64,
    /// Peak memory of the process tree, in KiB.
    pub peak_kib: u64,
    /// Whether the status was 0.
    pub succeeded: bool,
    /// What it printed.
    pub printed: String,
    /// What it printed as errors.
    pub said: String,
}

impl Took {
    /// Itself if the status was 0, else a failure with the end of what it said.
    pub fn or_fail(self, what: &str) -> Result<Self> {
        if self.succeeded {
            return Ok(self);
        }
        let mut last: Vec<&str> =
            self.said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        last.reverse();
        Err(Failure::new(format!("{what} failed: {}", last.join(" / "))))
    }
}

/// Runs a command to its end, at most so long; what it prints goes through files in `folder`.
pub fn run(command: &mut Command, folder: &Path, limit: Duration) -> Result<Took> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let [out, err] = ["printed", "said"].map(|name| folder.join(format!("{name}.txt")));
    let create = |path: &Path| File::create(path).context(|| format!("{} cannot be made", path.display()));
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(create(&out)?)
        .stderr(create(&err)?)
        .spawn()
        .context(|| format!("{shown} cannot be run"))?;
    let mut seen = Seen::default();
    let mut looked: Option<Instant> = None;
    let succeeded = loop {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK_AGAIN) {
            seen.look(child.id());
            looked = Some(Instant::now());
        }
        match child.try_wait().context(|| format!("{shown} cannot be waited for"))? {
            Some(status) => break status.success(),
            None if begun.elapsed() > limit => {
                stop(&mut child)?;
                return Err(Failure::new(format!("{shown} has not ended within {limit:?}")));
            }
            None => sleep(WAIT_AGAIN),
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let read = |path: &Path| -> Result<String> {
        let bytes = std::fs::read(path).context(|| format!("{} cannot be read", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Took {
        seconds,
        processor: seen.ticks.values().sum::<u64>() as f64 / TICKS_PER_SECOND,
        peak_kib: seen.peaks.values().sum(),
        succeeded,
        printed: read(&out)?,
        said: read(&err)?,
    })
}

/// The highest figures of each process of a tree.
#[derive(Debug, Default)]
struct Seen {
    peaks: BTreeMap<u32, u64>,
    ticks: BTreeMap<u32, u64>,
}

impl Seen {
    fn look(&mut self, process: u32) {
        // One that has ended meanwhile keeps the figures of the look before.
        if let Ok(peak) = server::peak_memory_kib(process) {
            self.peaks.insert(process, peak);
        }
        if let Ok(ticks) = busy_ticks(process) {
            self.ticks.insert(process, ticks);
        }
        for child in children(process) {
            self.look(child);
        }
    }
}

/// The processes that a process started itself.
fn children(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Processor time that a process has had, in ticks.
pub fn busy_ticks(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).context(|| path.clone())?;
    // The name in parentheses may hold anything; user and system time are the 12th and 13th after it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    ticks.sum::<std::result::Result<u64, _>>().context(|| path)
}

/// Memory that a process holds now, in KiB: `VmRSS`.
pub fn held_kib(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.ok_or_else(|| Failure::new(format!("{path} has no VmRSS")))
}

/// A program that runs during a measurement. It is killed when dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts it, without output.
    pub fn start(command: &mut Command) -> Result<Self> {
        let shown = command.get_program().to_string_lossy().into_owned();
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(quiet.spawn().context(|| format!("{shown} cannot be run"))?))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// A failure if it has ended.
    pub fn check(&mut self, what: &str) -> Result<()> {
        match self.0.try_wait().context(|| format!("{what} is lost"))? {
            Some(status) => Err(Failure::new(format!("{what} ended by itself: {status}"))),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = stop(&mut self.0);
    }
}

fn stop(child: &mut Child) -> Result<()> {
    child.kill().context(|| "a program cannot be ended".into())?;
    child.wait().context(|| "a program cannot be waited for".into())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shell starts another process that takes the time.
    #[test]
    fn children_count_too() {
        let folder = std::env::temp_dir().join(format!("muster-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let script = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo said >&2; echo done";
        let took = run(Command::new("sh").args(["-c", script]), &folder, Duration::from_secs(60));
        let took = took.expect("it runs");
        std::fs::remove_dir_all(&folder).expect("the folder is there");
        assert!(took.succeeded && took.printed == "done\n" && took.said == "said\n", "{took:?}");
        assert!(took.processor > 0.0 && took.processor < took.seconds * 2.0, "{took:?}");
        assert!(took.peak_kib > 500, "{took:?}");
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let folder = std::env::temp_dir().join(format!("muster-bench-late-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let took = run(Command::new("sleep").arg("60"), &folder, Duration::from_millis(50));
        std::fs::remove_dir_all(&folder).expect("the folder is there");
        assert!(took.is_err(), "{took:?}");
    }
}
