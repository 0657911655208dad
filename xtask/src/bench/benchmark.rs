//! What all rows share: their form, the numbers of the run, the data, the peers, and a folder to work in.

use super::data::Data;
use super::entry::{Entry, Sample, last_line};
use super::process::{self, Took};
use crate::setup;
use muster_harness::api::{Api, Report};
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::Installation;
use muster_harness::server::Server;
use muster_harness::workspace::{Workspace, cargo};
use serde_json::Value;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// No single run takes longer: a refresh of the largest organisation on a small machine takes hours.
pub const PATIENCE: Duration = Duration::from_secs(6 * 3_600);
/// People of an organisation whose reports are small.
pub const SMALL: u64 = 200;

/// One row of the table.
pub struct Row {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// Whether it is measured only when it is asked for.
    pub is_extra: bool,
    /// Measures it: an entry for each figure of each program.
    pub measure: fn(&Benchmark<'_>, &Row) -> Result<Vec<Entry>>,
}

impl Row {
    /// A row that every run measures.
    pub const fn new(
        name: &'static str,
        what: &'static str,
        measure: fn(&Benchmark<'_>, &Self) -> Result<Vec<Entry>>,
    ) -> Self {
        Self { name, what, is_extra: false, measure }
    }
}

/// The numbers of a run; each is at least 1.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    /// People in the organisation.
    pub identities: u64,
    /// Runs of each program.
    pub runs: u32,
    /// Starts of a small report.
    pub starts: u32,
    /// Cancels of each kind.
    pub cancels: u32,
    /// Rows of the PDF file.
    pub pdf_rows: u32,
}

/// The benchmark that rows are part of.
pub struct Benchmark<'a> {
    /// The repository.
    pub workspace: &'a Workspace,
    /// The service's binary.
    pub binary: PathBuf,
    /// The numbers of the run.
    pub numbers: Numbers,
    /// Where the examples of our crates are.
    examples: PathBuf,
    data: OnceCell<std::result::Result<Data, String>>,
    python: OnceCell<std::result::Result<PathBuf, String>>,
}

impl<'a> Benchmark<'a> {
    /// Takes the binary and the examples next to it, or builds both. Nothing else is made or installed before a row needs it.
    pub fn new(workspace: &'a Workspace, binary: Option<&Path>, numbers: Numbers) -> Result<Self> {
        let is_given = binary.is_some();
        let binary = workspace.binary(binary)?;
        if !is_given {
            build_examples(workspace)?;
        }
        let examples = binary.with_file_name("examples");
        Ok(Self { workspace, binary, numbers, examples, data: OnceCell::new(), python: OnceCell::new() })
    }

    /// The organisation; it is made when it is first needed, and kept.
    pub fn data(&self) -> Result<&Data> {
        let made = || self.kept(self.numbers.identities).map_err(|failure| failure.to_string());
        self.data.get_or_init(made).as_ref().map_err(|why| Failure::new(why.clone()))
    }

    /// The organisation, if a row has needed it and it could be made.
    pub fn data_if_made(&self) -> Option<&Data> {
        self.data.get()?.as_ref().ok()
    }

    /// The organisation of so many people.
    pub fn kept(&self, identities: u64) -> Result<Data> {
        let counter = |data: &Path| self.count(data);
        Data::kept(self.workspace, &self.binary, identities, &counter)
    }

    /// A script of `tests/bench`, in the Python that has the peers.
    pub fn script(&self, name: &str) -> Result<Command> {
        let installed = || setup::python_with_peers(self.workspace).map_err(|failure| failure.to_string());
        let python = self.python.get_or_init(installed).as_ref().map_err(|why| Failure::new(why.clone()))?;
        let mut command = Command::new(python);
        command.arg(self.workspace.root.join("tests/bench").join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    }

    /// An empty folder of a row.
    pub fn folder(&self, row: &Row) -> Result<PathBuf> {
        self.workspace.fresh_folder(&format!("bench-row-{}", row.name))
    }

    /// Runs a script to its end: its line of JSON, and what it took.
    pub fn ask(&self, command: &mut Command, folder: &Path) -> Result<(Value, Took)> {
        let took = process::run(command, folder, PATIENCE)?.or_fail("the script")?;
        Ok((last_line(&took.printed)?, took))
    }

    /// Runs a peer's script once. The figure is what the script says: its start is left out.
    pub fn peer(&self, command: &mut Command, folder: &Path) -> Result<(Value, Sample)> {
        let (said, took) = self.ask(command, folder)?;
        let seconds = said["seconds"].as_f64();
        let sample = Sample {
            figure: seconds.ok_or_else(|| Failure::new(format!("the peer told no seconds: {said}")))?,
            who: said["peer"].as_str().map(str::to_owned),
            synced: said["synced_seconds"].as_f64(),
            processor: said["processor_seconds"].as_f64(),
            peak_kib: Some(took.peak_kib),
            rows: said["rows"].as_u64(),
        };
        Ok((said, sample))
    }

    /// The rows of the tables of a data directory.
    pub fn count(&self, data: &Path) -> Result<Value> {
        let folder = self.workspace.fresh_folder("bench-count")?;
        Ok(self.ask(self.script("refresh_duckdb.py")?.arg("count").arg(data), &folder)?.0)
    }

    /// A small organisation in this folder.
    pub fn small(&self, folder: &Path) -> Result<Installation> {
        Installation::with_demo_and(&self.binary, &folder.join("small"), SMALL, super::data::settings())
    }

    /// An example of one of our crates.
    pub fn example(&self, name: &str) -> Result<PathBuf> {
        let program = self.examples.join(name);
        if program.is_file() {
            return Ok(program);
        }
        Err(Failure::new(format!(
            "{} is not there: build it with `cargo {}`",
            program.display(),
            EXAMPLES.join(" ")
        )))
    }
}

/// Builds everything with the features that everything is built with, so that no dependency is built a second time.
const EXAMPLES: [&str; 7] =
    ["build", "--release", "--workspace", "--exclude", "muster-worker", "--tests", "--examples"];

fn build_examples(workspace: &Workspace) -> Result<()> {
    muster_harness::command::run(cargo().current_dir(&workspace.root).args(EXAMPLES))
}

/// Starts a report and waits for its success: the id and the rows.
pub fn run_report(api: &Api, report: &Report) -> Result<(String, u64)> {
    let id = api.start(report)?;
    let rows = wait(api, &id)?;
    Ok((id, rows))
}

/// Rows of a task once it succeeded.
pub fn wait(api: &Api, id: &str) -> Result<u64> {
    let begun = Instant::now();
    loop {
        match api.outcome(id)? {
            Some(outcome) if outcome.has_file() => return Ok(outcome.rows),
            Some(outcome) => {
                let task = api.task(id)?;
                return Err(Failure::new(format!(
                    "task {id} ended as {}: {}",
                    outcome.status, task["messages"]
                )));
            }
            None if begun.elapsed() > PATIENCE => {
                return Err(Failure::new(format!("task {id} has not ended within {PATIENCE:?}")));
            }
            None => sleep(Duration::from_micros(500)),
        }
    }
}

/// Runs a report on a server and says what it took: time from the start to the success that a client sees, processor time
/// meanwhile, and the most that the server ever held.
pub fn sample_report(server: &Server, api: &Api, report: &Report) -> Result<(String, Sample)> {
    let (begun, before) = (Instant::now(), server.busy_ticks()?);
    let (id, rows) = run_report(api, report)?;
    let sample = Sample {
        figure: begun.elapsed().as_secs_f64(),
        processor: Some((server.busy_ticks()? - before) as f64 / process::TICKS_PER_SECOND),
        peak_kib: Some(server.peak_memory_kib()?),
        rows: Some(rows),
        ..Sample::default()
    };
    Ok((id, sample))
}

/// Fetches the file of a task with curl: a file may be larger than memory.
pub fn fetch(server: &Server, api: &Api, id: &str, file: &Path) -> Result<()> {
    let curl = setup::debian_program("curl", "curl")?;
    let url = format!("{}/v2024/reports/{id}?fileFormat=csv", server.base);
    let mut command = Command::new(curl);
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--header"]);
    command.arg(format!("Authorization: {}", api.bearer())).arg("--output").arg(file).arg(url);
    muster_harness::command::output(&mut command).map(|_| ())
}

/// The first line of a text file.
pub fn first_line(file: &Path) -> Result<String> {
    use std::io::BufRead;
    let open = std::fs::File::open(file).context(|| format!("{} cannot be opened", file.display()))?;
    let mut line = String::new();
    std::io::BufReader::new(open)
        .read_line(&mut line)
        .context(|| format!("{} cannot be read", file.display()))?;
    Ok(line)
}
