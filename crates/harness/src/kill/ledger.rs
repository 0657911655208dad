//! What clients were promised, and whether it was kept.

use crate::api::{Answer, Report, TaskOutcome};
use crate::failure::{Failure, Result};
use crate::history::{Reply, hex};
use crate::progress::UnitOutcome;
use crate::random::Random;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Starts that were answered.
pub const STARTS: &str = "starts answered";
/// Different tasks among these.
pub const ACCEPTED: &str = "tasks accepted";
/// Tasks whose cancel was confirmed.
pub const CANCELLED: &str = "cancelled";
/// Clients whose last answer was not complete.
pub const CUT_OFF: &str = "clients cut off";
/// Files that were compared with those of an undisturbed run.
pub const COMPARED: &str = "files compared";

/// A report and its result in an undisturbed run.
#[derive(Debug, Clone)]
pub struct ExpectedResult {
    /// The report.
    pub report: Report,
    outcome: TaskOutcome,
    sha256: [u8; 32],
}

impl ExpectedResult {
    /// Keeps the outcome and the file's digest.
    ///
    /// # Errors
    /// When the file has another number of rows than the outcome says.
    pub fn new(report: Report, outcome: TaskOutcome, file: &[u8]) -> Result<Self> {
        let records = csv_records(file);
        if records != outcome.rows + 1 {
            let TaskOutcome { rows, status } = &outcome;
            return Err(Failure::new(format!(
                "{}: {status} with {rows} rows, but its file has {records} records with the header",
                report.kind
            )));
        }
        Ok(Self { report, outcome, sha256: Sha256::digest(file).into() })
    }
}

/// The number of line ends outside quotes.
fn csv_records(file: &[u8]) -> u64 {
    let mut quoted = false;
    let mut records = 0;
    for byte in file {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => records += 1,
            _ => {}
        }
    }
    records
}

/// One task whose id a client got in a complete answer.
#[derive(Debug)]
struct AcceptedTask {
    /// The index of its report.
    report: usize,
    cancel_asked: bool,
    cancel_confirmed: bool,
    settled: bool,
}

#[derive(Debug, Default)]
struct LedgerState {
    tasks: BTreeMap<String, AcceptedTask>,
    faults: Vec<String>,
    starts: u64,
    files_compared: u64,
    cut_off: u64,
}

/// The promises that all clients got.
#[derive(Debug)]
pub struct Ledger {
    expected: Vec<ExpectedResult>,
    state: Mutex<LedgerState>,
}

impl Ledger {
    /// A ledger without promises.
    pub fn new(expected: Vec<ExpectedResult>) -> Self {
        Self { expected, state: Mutex::default() }
    }

    /// The reports that may be started.
    pub fn reports(&self) -> &[ExpectedResult] {
        &self.expected
    }

    fn state(&self) -> MutexGuard<'_, LedgerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that must not happen.
    pub fn note(&self, fault: String) {
        self.state().faults.push(fault);
    }

    /// The faults that were noted since the last call.
    pub fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.state().faults)
    }

    /// Notes that a client ended because its answer was not complete.
    pub fn count_cut_off(&self) {
        self.state().cut_off += 1;
    }

    /// Notes that a start was answered with this id.
    pub fn accept(&self, id: &str, report: usize) {
        let mut state = self.state();
        state.starts += 1;
        let fresh = AcceptedTask { report, cancel_asked: false, cancel_confirmed: false, settled: false };
        let known = state.tasks.entry(id.to_owned()).or_insert(fresh);
        if known.report != report {
            state.faults.push(format!("task {id} was given for two different reports"));
        }
    }

    /// Notes that a cancel will be sent.
    pub fn ask_cancel(&self, id: &str) {
        self.change(id, |task| task.cancel_asked = true);
    }

    /// Notes that a cancel was answered with 204.
    pub fn confirm_cancel(&self, id: &str) {
        self.change(id, |task| task.cancel_confirmed = true);
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut AcceptedTask)) {
        change(self.state().tasks.get_mut(id).expect("only accepted tasks are changed"));
    }

    /// Any accepted task that has not been compared with what was promised.
    pub fn any_task(&self, random: &mut Random) -> Option<String> {
        let open = self.open_tasks();
        let index = random.below(open.len().max(1) as u64);
        open.get(usize::try_from(index).ok()?).cloned()
    }

    /// Accepted tasks that have not been compared with what was promised.
    pub fn open_tasks(&self) -> Vec<String> {
        self.state().tasks.iter().filter(|(_, task)| !task.settled).map(|(id, _)| id.clone()).collect()
    }

    /// Lets all tasks be compared again.
    pub fn reopen(&self) {
        self.state().tasks.values_mut().for_each(|task| task.settled = false);
    }

    /// Checks a download of a task in any state: it gave the right file, or there is no file.
    pub fn check_download(&self, id: &str, reply: &Reply) {
        let mut state = self.state();
        let task = state.tasks.get(id).expect("only accepted tasks are fetched");
        let expected = &self.expected[task.report];
        let kind = expected.report.kind;
        let served = matches!(reply, Reply::File(_));
        let fault = if let Reply::File(sha256) = reply {
            if task.cancel_confirmed {
                Some(format!("task {id} was cancelled and has a file"))
            } else {
                (*sha256 != hex(&expected.sha256))
                    .then(|| format!("the file of {kind} {id} is another one than in an undisturbed run"))
            }
        } else {
            (*reply != Reply::NoFile).then(|| format!("fetching {kind} {id} gave {reply:?}"))
        };
        state.files_compared += u64::from(served);
        state.faults.extend(fault);
    }

    /// Compares the end of a task with what was promised.
    pub fn settle(&self, id: &str, outcome: &TaskOutcome, file: &Answer) {
        let mut state = self.state();
        let task = state.tasks.get_mut(id).expect("only accepted tasks are settled");
        task.settled = true;
        let expected = &self.expected[task.report];
        let kind = expected.report.kind;
        let fault = if outcome.status == "TERMINATED" {
            match (task.cancel_asked, file.status) {
                (false, _) => Some(format!("{kind} {id} is TERMINATED, and nobody cancelled it")),
                (true, 404) => None,
                (true, status) => Some(format!("{kind} {id} was cancelled, and fetching it gave {status}")),
            }
        } else if task.cancel_confirmed {
            Some(format!("{kind} {id} was cancelled with a 204 and ended as {}", outcome.status))
        } else if *outcome != expected.outcome {
            Some(format!("{kind} {id} ended as {outcome:?} instead of {:?}", expected.outcome))
        } else if file.status != 200 {
            Some(format!("{kind} {id} succeeded, and fetching it gave {}", file.status))
        } else {
            wrong_file(id, expected, &file.body)
        };
        state.files_compared += u64::from(file.status == 200);
        state.faults.extend(fault);
    }

    /// Adds the counts of what happened.
    pub fn count(&self, counted: &mut UnitOutcome) {
        let state = self.state();
        let cancelled = state.tasks.values().filter(|task| task.cancel_confirmed).count();
        counted.add(STARTS, state.starts);
        counted.add(ACCEPTED, state.tasks.len() as u64);
        counted.add(CANCELLED, cancelled as u64);
        counted.add(CUT_OFF, state.cut_off);
        counted.add(COMPARED, state.files_compared);
    }
}

fn wrong_file(id: &str, expected: &ExpectedResult, file: &[u8]) -> Option<String> {
    let digest: [u8; 32] = Sha256::digest(file).into();
    (digest != expected.sha256).then(|| {
        format!(
            "the file of {} {id} is another one than in an undisturbed run: {} bytes, {} records",
            expected.report.kind,
            file.len(),
            csv_records(file)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FILE: &[u8] = b"id,name\r\n1,\"a\nb\"\r\n";

    fn ledger() -> Ledger {
        let report = Report { kind: "IDENTITIES", arguments: json!({}) };
        let outcome = TaskOutcome { status: "SUCCESS".into(), rows: 1 };
        Ledger::new(vec![ExpectedResult::new(report, outcome, FILE).expect("one row")])
    }

    fn answer(status: u16, body: &[u8]) -> Answer {
        Answer { status, body: body.into() }
    }

    #[test]
    fn a_file_with_another_number_of_rows_is_no_reference() {
        let report = Report { kind: "IDENTITIES", arguments: json!({}) };
        let outcome = TaskOutcome { status: "SUCCESS".into(), rows: 2 };
        assert!(ExpectedResult::new(report, outcome, FILE).is_err());
    }

    #[test]
    fn broken_promises_are_noted() {
        let success = TaskOutcome { status: "SUCCESS".into(), rows: 1 };
        let failure = TaskOutcome { status: "FAILURE".into(), rows: 0 };
        let terminated = TaskOutcome { status: "TERMINATED".into(), rows: 0 };
        let half = &FILE[..10];
        // Outcome, file, cancel asked, cancel confirmed, whether that is in order.
        let cases = [
            (&success, answer(200, FILE), false, false, true),
            (&success, answer(200, FILE), true, false, true),
            (&success, answer(200, half), false, false, false),
            (&success, answer(404, b""), false, false, false),
            (&failure, answer(404, b""), false, false, false),
            (&terminated, answer(404, b""), false, false, false),
            (&terminated, answer(404, b""), true, false, true),
            (&terminated, answer(200, FILE), true, true, false),
            (&success, answer(200, FILE), true, true, false),
        ];
        for (number, (outcome, file, asked, confirmed, in_order)) in cases.into_iter().enumerate() {
            let ledger = ledger();
            ledger.accept("a", 0);
            ledger.change("a", |task| {
                task.cancel_asked = asked;
                task.cancel_confirmed = confirmed;
            });
            ledger.settle("a", outcome, &file);
            assert_eq!(ledger.take_faults().is_empty(), in_order, "case {number}");
        }
    }

    #[test]
    fn a_half_file_is_noted_whenever_it_is_served() {
        let ledger = ledger();
        ledger.accept("a", 0);
        let served = |file: &[u8]| Reply::File(hex(&Sha256::digest(file)));
        ledger.check_download("a", &Reply::NoFile);
        ledger.check_download("a", &served(FILE));
        assert_eq!(ledger.take_faults(), Vec::<String>::new());
        ledger.check_download("a", &served(&FILE[..9]));
        assert_eq!(ledger.take_faults().len(), 1);
    }
}
