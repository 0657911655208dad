//! What was measured: the samples of one figure of one program, and what is needed to judge them.

use muster_harness::failure::{Context, Failure, Result};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a sample is a number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds of the clock.
    Seconds,
    /// Thousandths of them.
    Milliseconds,
    /// Requests or rows in a second.
    PerSecond,
    /// Units of 1,048,576 bytes.
    Mebibytes,
}

impl Unit {
    const ALL: [Self; 4] = [Self::Seconds, Self::Milliseconds, Self::PerSecond, Self::Mebibytes];

    /// Its sign.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::PerSecond => "/s",
            Self::Mebibytes => "MiB",
        }
    }
}

/// One run of one program.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The figure, in the unit of its entry.
    pub figure: f64,
    /// The program's name and version, where it says so.
    pub who: Option<String>,
    /// The figure with a sync of the file, where it is measured apart.
    pub synced: Option<f64>,
    /// Seconds of processor.
    pub processor: Option<f64>,
    /// Peak memory of the process tree, in KiB.
    pub peak_kib: Option<u64>,
    /// Rows that came out.
    pub rows: Option<u64>,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What was done; a row may have several figures.
    pub what: String,
    /// The program. Ours is [`OURS`].
    pub who: String,
    /// What the samples are numbers of.
    pub unit: Unit,
    /// The figure of each run.
    pub samples: Vec<f64>,
    /// Seconds of processor of each run.
    pub processor: Vec<f64>,
    /// Highest peak memory of the runs, in KiB.
    pub peak_kib: Option<u64>,
    /// Rows that came out.
    pub rows: Option<u64>,
    /// What else a reader must know.
    pub note: String,
    /// Why there is no figure, or why it does not count.
    pub failed: Option<String>,
}

/// Our own program in the table.
pub const OURS: &str = "Muster";

impl Entry {
    /// An entry without samples.
    pub fn new(what: impl Into<String>, who: impl Into<String>, unit: Unit) -> Self {
        Self {
            what: what.into(),
            who: who.into(),
            unit,
            samples: Vec::new(),
            processor: Vec::new(),
            peak_kib: None,
            rows: None,
            note: String::new(),
            failed: None,
        }
    }

    /// The entry of a row that could not be measured.
    pub fn failed(why: impl Into<String>) -> Self {
        let mut entry = Self::new("", OURS, Unit::Seconds);
        entry.failed = Some(why.into());
        entry
    }

    /// Adds a run.
    pub fn add(&mut self, sample: &Sample) {
        self.samples.push(sample.figure);
        self.processor.extend(sample.processor);
        self.peak_kib = self.peak_kib.max(sample.peak_kib);
        self.rows = sample.rows.or(self.rows);
        if let Some(who) = &sample.who {
            self.who.clone_from(who);
        }
    }

    /// Adds a word of what else a reader must know.
    pub fn remark(&mut self, words: &str) {
        if !self.note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(words);
    }

    /// The median, if there is a sample.
    pub fn median(&self) -> Option<f64> {
        median(&self.samples)
    }

    /// As it is kept between runs of the benchmark.
    pub fn to_json(&self) -> Value {
        json!({
            "what": self.what, "who": self.who, "unit": self.unit.sign(), "samples": self.samples,
            "processor": self.processor, "peak_kib": self.peak_kib, "rows": self.rows, "note": self.note,
            "failed": self.failed,
        })
    }

    /// Reads what [`Entry::to_json`] wrote.
    pub fn from_json(value: &Value) -> Result<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let numbers =
            |key: &str| value[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let unit = Unit::ALL.into_iter().find(|unit| value["unit"] == json!(unit.sign()));
        let wrong = || Failure::new(format!("this is not a kept measurement: {value}"));
        Ok(Self {
            what: text("what").ok_or_else(wrong)?,
            who: text("who").ok_or_else(wrong)?,
            unit: unit.ok_or_else(wrong)?,
            samples: numbers("samples"),
            processor: numbers("processor"),
            peak_kib: value["peak_kib"].as_u64(),
            rows: value["rows"].as_u64(),
            note: text("note").unwrap_or_default(),
            failed: text("failed"),
        })
    }
}

/// The one in the middle, or the mean of the two.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// The smallest sample that at least so many percent do not exceed.
pub fn percentile(samples: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

/// A program that is run again and again, in turn with others.
pub struct Contender<'a> {
    /// Where its samples go.
    pub entry: Entry,
    /// Runs it once.
    pub once: Box<dyn FnMut() -> Result<Sample> + 'a>,
    /// Runs that suffice.
    runs_max: u32,
}

impl<'a> Contender<'a> {
    /// A program that has not run yet.
    pub fn new(entry: Entry, once: impl FnMut() -> Result<Sample> + 'a) -> Self {
        Self { entry, once: Box::new(once), runs_max: u32::MAX }
    }

    /// It is run once, however often the others are.
    pub fn once_only(self) -> Self {
        Self { runs_max: 1, ..self }
    }
}

/// Another program that has run for so long is not run again, so that all rows can be measured within an hour.
const LONG: Duration = Duration::from_secs(150);

/// Runs each once, then each once more, and so on. One that fails is not run again, and its entry says why. Each that
/// gives figures with a sync of the file has a second entry.
pub fn in_turn(runs: u32, mut contenders: Vec<Contender<'_>>) -> Vec<Entry> {
    let mut synced: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    let mut spent = vec![Duration::ZERO; contenders.len()];
    for run in 0..runs {
        for ((contender, synced), spent) in contenders.iter_mut().zip(&mut synced).zip(&mut spent) {
            let is_long = contender.entry.who != OURS && *spent > LONG;
            if contender.entry.failed.is_some() || run >= contender.runs_max || is_long {
                continue;
            }
            let begun = Instant::now();
            match (contender.once)() {
                Ok(sample) => {
                    contender.entry.add(&sample);
                    synced.extend(sample.synced);
                }
                Err(failure) => contender.entry.failed = Some(failure.to_string()),
            }
            *spent += begun.elapsed();
        }
    }
    for Contender { entry, .. } in &mut contenders {
        let fewer = entry.samples.len();
        if entry.failed.is_none() && fewer < runs as usize {
            entry.remark(&if fewer == 1 { "one run".to_owned() } else { format!("{fewer} runs") });
        }
    }
    let mut entries = Vec::new();
    for (contender, synced) in contenders.into_iter().zip(synced) {
        let entry = contender.entry;
        let again = (!synced.is_empty()).then(|| {
            let mut again = Entry::new(&entry.what, format!("{}, with sync", entry.who), entry.unit);
            again.samples = synced;
            again
        });
        entries.push(entry);
        entries.extend(again);
    }
    entries
}

/// The last line of what a script printed, as JSON.
pub fn last_line(printed: &str) -> Result<Value> {
    let line = printed.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).context(|| format!("a line of JSON was expected in {printed:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_those_of_the_sorted_samples() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 8.0]), Some(3.0));
        assert_eq!(median(&[]), None);
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (Some(50.0), Some(99.0)));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn a_program_that_fails_is_not_run_again_and_says_why() {
        let order = std::cell::RefCell::new(Vec::new());
        let good = Contender::new(Entry::new("a", OURS, Unit::Seconds), || {
            order.borrow_mut().push("good");
            Ok(Sample { figure: 1.0, synced: Some(1.5), ..Sample::default() })
        });
        let bad = Contender::new(Entry::new("a", "peer", Unit::Seconds), || {
            order.borrow_mut().push("bad");
            Err(Failure::new("no memory"))
        });
        let entries = in_turn(2, vec![good, bad]);
        assert_eq!(*order.borrow(), ["good", "bad", "good"]);
        let [ours, synced, peer] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((ours.samples.as_slice(), ours.failed.as_deref()), ([1.0, 1.0].as_slice(), None));
        assert_eq!((synced.who.as_str(), synced.samples.len()), ("Muster, with sync", 2));
        assert_eq!(peer.failed.as_deref(), Some("no memory"));
    }

    #[test]
    fn fewer_runs_than_others_have_are_told() {
        let once = || Contender::new(Entry::new("a", "peer", Unit::Seconds), || Ok(Sample::default()));
        let entries = in_turn(3, vec![once(), once().once_only()]);
        let told: Vec<_> = entries.iter().map(|entry| (entry.samples.len(), entry.note.as_str())).collect();
        assert_eq!(told, [(3, ""), (1, "one run")]);
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let mut entry = Entry::new("refresh", "DuckDB", Unit::PerSecond);
        entry.add(&Sample {
            figure: 2.5,
            processor: Some(4.0),
            peak_kib: Some(7),
            rows: Some(9),
            ..Sample::default()
        });
        entry.remark("x");
        assert_eq!(Entry::from_json(&entry.to_json()).expect("it was written"), entry);
        assert!(Entry::from_json(&json!({})).is_err());
    }
}
