//! The progress of a run's parts, kept on disk, so that a long run can be interrupted and resumed.
//!
//! A part is a list of units. Each unit begins from the same state and leaves nothing to the next. When a unit has ended, a
//! line with its outcome is added to the part's file. A resumed part skips units that have a line; a unit that was
//! interrupted has no line and is done again. Several units may run at the same time, each in a lane. A lane is a number
//! that keeps the folders of units apart.

use crate::failure::{Context, Failure, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// What a unit did, or several units together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitOutcome {
    counts: BTreeMap<String, u64>,
    /// Times that were measured, in milliseconds.
    pub times_ms: Vec<u64>,
    /// What was wrong.
    pub faults: Vec<String>,
}

impl UnitOutcome {
    /// Counts `number` more of these.
    pub fn add(&mut self, what: &str, number: u64) {
        *self.counts.entry(what.to_owned()).or_default() += number;
    }

    /// How many of these there were.
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Adds what another unit did.
    pub fn merge(&mut self, other: Self) {
        for (what, number) in other.counts {
            self.add(&what, number);
        }
        self.times_ms.extend(other.times_ms);
        self.faults.extend(other.faults);
    }

    fn read(line: &Value) -> Self {
        let counts = line["counts"].as_object().into_iter().flatten();
        let list = |name: &str| line[name].as_array().cloned().unwrap_or_default();
        Self {
            counts: counts.map(|(what, n)| (what.clone(), n.as_u64().unwrap_or_default())).collect(),
            times_ms: list("times_ms").iter().filter_map(Value::as_u64).collect(),
            faults: list("faults").iter().filter_map(|fault| fault.as_str().map(str::to_owned)).collect(),
        }
    }
}

/// How a part is run.
#[derive(Debug, Clone)]
pub struct PartPlan<'a> {
    /// Folder of the parts' files.
    pub folder: &'a Path,
    /// The part's name.
    pub part: &'a str,
    /// The options of the run. A run can only be resumed with the same ones.
    pub run: Value,
    /// Whether units that have a line are skipped.
    pub resume: bool,
    /// How many units run at the same time.
    pub lanes: usize,
    /// When no further unit begins, if ever.
    pub until: Option<Instant>,
}

/// What has been done of a part.
#[derive(Debug)]
pub struct PartOutcome {
    /// All units together.
    pub all: UnitOutcome,
    /// How many units were done.
    pub units: usize,
    /// How many units there are.
    pub of: usize,
    /// How many seconds they took, in all runs of the part together.
    pub took_s: u64,
}

/// A part's file, and what it contains.
struct ProgressFile {
    file: Mutex<File>,
    begun: Instant,
    /// The number of this run of the part: 1 if it is not resumed.
    time: u64,
    done: Mutex<BTreeMap<String, UnitOutcome>>,
    took_s: u64,
}

impl ProgressFile {
    fn open(plan: &PartPlan<'_>) -> Result<Self> {
        std::fs::create_dir_all(plan.folder)
            .context(|| format!("{} cannot be made", plan.folder.display()))?;
        let path = plan.folder.join(format!("{}.jsonl", plan.part));
        let what = || path.display().to_string();
        let (mut done, mut took, mut time) = (BTreeMap::new(), BTreeMap::<u64, u64>::new(), 1);
        let noted =
            if plan.resume { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        for (number, line) in noted.lines().enumerate() {
            // The last line may be incomplete.
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            if number == 0 && line["run"] != plan.run {
                return Err(Failure::new(format!("{} is of another run: {}", what(), line["run"])));
            }
            let Some(name) = line["unit"].as_str() else { continue };
            done.insert(name.to_owned(), UnitOutcome::read(&line));
            let (at, of_time) =
                (line["at_s"].as_u64().unwrap_or_default(), line["time"].as_u64().unwrap_or(1));
            let last = took.entry(of_time).or_default();
            *last = (*last).max(at);
            time = time.max(of_time + 1);
        }
        let resumed = !noted.is_empty();
        let file = File::options().create(true).append(resumed).write(true).truncate(!resumed).open(&path);
        let mut file = file.context(what)?;
        if !resumed {
            writeln!(file, "{}", json!({"run": plan.run})).context(what)?;
        } else if !noted.ends_with('\n') {
            writeln!(file).context(what)?;
        }
        let took_s = took.values().sum();
        Ok(Self { file: Mutex::new(file), begun: Instant::now(), time, done: Mutex::new(done), took_s })
    }

    fn keep(&self, unit: &str, outcome: &UnitOutcome) -> Result<()> {
        let line = json!({
            "unit": unit, "counts": outcome.counts, "times_ms": outcome.times_ms, "faults": outcome.faults,
            "time": self.time, "at_s": self.begun.elapsed().as_secs(),
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").context(|| "an outcome cannot be written".into())
    }
}

/// Runs the units of these names that have not been done; `work` gets a unit's index in the list and its lane.
///
/// # Errors
/// When the file cannot be read or written, or belongs to a run with other options. A failure of a unit is one of its
/// faults.
pub fn run_units(
    plan: &PartPlan<'_>,
    names: &[String],
    work: impl Fn(usize, usize) -> Result<UnitOutcome> + Sync,
) -> Result<PartOutcome> {
    let record = ProgressFile::open(plan)?;
    let next = AtomicUsize::new(0);
    let lane = |lane: usize| -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            let Some(name) = names.get(index) else { return Ok(()) };
            let done = || record.done.lock().unwrap_or_else(PoisonError::into_inner);
            if done().contains_key(name) {
                continue;
            }
            if plan.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
            let mut outcome = work(index, lane).unwrap_or_else(|failure| UnitOutcome {
                faults: vec![failure.to_string()],
                ..UnitOutcome::default()
            });
            for fault in &mut outcome.faults {
                *fault = format!("{name}: {fault}");
                println!("FAIL  {}: {fault}", plan.part);
            }
            record.keep(name, &outcome)?;
            let mut done = done();
            println!(
                "{}: {name} done ({} of {}): {}",
                plan.part,
                done.len() + 1,
                names.len(),
                shown(&outcome.counts)
            );
            done.insert(name.clone(), outcome);
        }
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..plan.lanes.max(1)).map(|number| scope.spawn(move || lane(number))).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().expect("a lane does not panic"))
    })?;
    let done = record.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut all = UnitOutcome::default();
    let units = names.iter().filter(|name| done.contains_key(*name)).count();
    done.into_values().for_each(|outcome| all.merge(outcome));
    Ok(PartOutcome { all, units, of: names.len(), took_s: record.took_s + record.begun.elapsed().as_secs() })
}

fn shown(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(what, number)| format!("{number} {what}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(folder: &Path, run: u64, resume: bool) -> PartPlan<'_> {
        PartPlan { folder, part: "part", run: json!(run), resume, lanes: 2, until: None }
    }

    /// A folder of this test alone, removed at its end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("muster-record-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder can be made");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn names() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).into()
    }

    fn one(index: usize) -> UnitOutcome {
        let mut outcome = UnitOutcome { times_ms: vec![index as u64], ..UnitOutcome::default() };
        outcome.add("kills", 10);
        outcome
    }

    #[test]
    fn what_was_done_is_not_done_again() {
        let folder = Folder::new("resume");
        let all = run_units(&plan(&folder.0, 1, false), &names(), |index, _| match index {
            1 => Err(Failure::new("broken")),
            index => Ok(one(index)),
        });
        let all = all.expect("the file can be written");
        assert_eq!((all.units, all.of, all.all.count("kills")), (3, 3, 20));
        assert_eq!(all.all.faults, ["b: broken"]);

        // As if the run had been killed while it wrote the last line.
        let path = folder.0.join("part.jsonl");
        let text = std::fs::read_to_string(&path).expect("it was written");
        let cut = text.trim_end().rfind('\n').expect("it has lines") + 10;
        let lost =
            serde_json::from_str::<Value>(text.lines().last().expect("it has lines")).expect("it is JSON");
        std::fs::write(&path, &text[..cut]).expect("it can be written");
        let again = Mutex::new(Vec::new());
        let resumed = run_units(&plan(&folder.0, 1, true), &names(), |index, _| {
            again.lock().expect("nobody panics").push(names()[index].clone());
            Ok(one(index))
        });
        let resumed = resumed.expect("it is the same run");
        assert_eq!(
            *again.lock().expect("nobody panics"),
            [lost["unit"].as_str().expect("it names its unit")]
        );
        assert_eq!(resumed.units, 3);
        let third = run_units(&plan(&folder.0, 1, true), &names(), |_, _| Err(Failure::new("not called")));
        assert_eq!(third.expect("it is the same run").units, 3);
    }

    #[test]
    fn another_run_is_not_gone_on_with() {
        let folder = Folder::new("other");
        run_units(&plan(&folder.0, 1, false), &names(), |index, _| Ok(one(index)))
            .expect("it can be written");
        assert!(run_units(&plan(&folder.0, 2, true), &names(), |index, _| Ok(one(index))).is_err());
        assert!(run_units(&plan(&folder.0, 2, false), &names(), |index, _| Ok(one(index))).is_ok());
    }

    #[test]
    fn nothing_begins_when_the_time_is_over() {
        let folder = Folder::new("until");
        let over = PartPlan { until: Some(Instant::now()), ..plan(&folder.0, 1, false) };
        let done =
            run_units(&over, &names(), |_, _| Err(Failure::new("not called"))).expect("nothing is done");
        assert_eq!((done.units, done.of, done.all), (0, 3, UnitOutcome::default()));
    }
}
