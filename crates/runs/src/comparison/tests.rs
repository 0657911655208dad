//! Comparisons of files that lie in a folder of results, with covers as runs leave them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use muster_reports::FileFormat;
use muster_reports::error::Category;
use muster_reports::ids::{ReportId, WorkerId, hex};
use muster_reports::ports::{Clock, TaskStore};
use muster_reports::task::{AttemptEnd, NewTask, PublishedFile, TaskResult};
use muster_testkit::build::{new_task, tenant};
use muster_testkit::{CountingIds, MemoryStore, TestClock};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::time::Duration;
use tempfile::TempDir;

struct Shelf {
    dir: TempDir,
    store: MemoryStore,
    clock: TestClock,
    comparisons: Comparisons,
}

impl Shelf {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = ResultFiles::open(dir.path().join("results")).unwrap();
        let ids = Arc::new(CountingIds::default());
        let comparisons =
            Comparisons::new(files, Catalogue::built_in(), dir.path().to_owned(), ids, Arc::default());
        Self { dir, store: MemoryStore::default(), clock: TestClock::default(), comparisons }
    }

    /// A finished run of this report with this file.
    async fn run(&self, number: u64, report: &str, csv: &str, guarded: bool) -> Download {
        let report = ReportId::new(report);
        let new = NewTask { report, ..new_task(number, self.clock.now()) };
        self.store.start(new).await.unwrap();
        let minute = Duration::from_secs(60);
        let claim = self.store.claim(&WorkerId::new("w"), self.clock.now(), minute).await.unwrap().unwrap();
        let mut pending =
            self.comparisons.files.create(&claim.task.id, claim.lease.epoch, "report.csv").unwrap();
        pending.write_all(csv.as_bytes()).unwrap();
        let file = PublishedFile {
            format: FileFormat::Csv,
            stored_name: pending.publish().unwrap(),
            media_type: "application/csv".into(),
            extension: "csv".into(),
            bytes: csv.len() as u64,
            rows: csv.lines().count() as u64 - 1,
            sha256: hex(Sha256::digest(csv)),
        };
        let result =
            TaskResult { rows: file.rows, files: vec![file.clone()], cover: cover(guarded).to_string() };
        let end = AttemptEnd::Done { result, messages: Vec::new() };
        assert!(self.store.end_attempt(&claim.lease, end, self.clock.now()).await.unwrap());
        let task = self.store.task(&tenant(), &claim.task.id).await.unwrap().unwrap();
        Download { task, file }
    }
}

fn client() -> ClientId {
    ClientId::new("c")
}

fn cover(guarded: bool) -> serde_json::Value {
    let time = "2026-03-02T09:00:00Z";
    json!({
        "coverVersion": 1, "taskId": "t", "tenant": "acme",
        "report": { "id": "IDENTITIES", "name": "Identities", "version": 1, "digest": "0", "builtIn": true },
        "requester": {
            "name": "ada", "identityId": null, "credential": "user", "clientId": "c", "dataScope": "everything",
        },
        "submitted": time, "started": time, "completed": time, "productVersion": "0", "arguments": {},
        "effectiveQuery": "SELECT", "messages": [], "files": [], "howToVerify": "",
        "snapshot": { "id": "snapshot-1", "created": time, "ageSeconds": 0, "sources": [] },
        "reconciliation": { "population": 0, "excluded": [], "expected": 0, "reported": 0, "subtotals": [] },
        "columns": [{ "name": "id", "label": "Identity Id", "meaning": "", "origin": "definition" }],
        "csvFormulaGuard": guarded,
    })
}

fn text(made: Option<MadeFile>) -> String {
    let MadeFile { file, bytes, sha256, held } = made.unwrap();
    assert!(held.is_some(), "what is sent takes room");
    let (mut file, mut text) = (&*file, String::new());
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((bytes, sha256.len()), (text.len() as u64, 64));
    text
}

const OLD: &str = "id,name\r\n1,'=a\r\n2,b\r\n";

#[tokio::test]
async fn runs_are_compared_by_the_key_of_their_report() {
    let shelf = Shelf::new();
    let old = shelf.run(1, "IDENTITIES", OLD, true).await;
    // Without a guard the first name is the same one.
    let new = shelf.run(2, "IDENTITIES", "id,name\r\n1,=a\r\n3,<b>\r\n", false).await;
    let compare =
        async |form| shelf.comparisons.compare(&client(), &old, &new, Vec::new(), form).await.unwrap();
    let compared = compare(ComparisonForm::Csv).await;
    let counts = &compared.counts;
    assert_eq!((counts.added, counts.removed, counts.changed, counts.unchanged), (1, 1, 0, 1));
    assert_eq!(counts.keys, ["id"]);
    assert_eq!(text(compared.file), "change,id,column,old,new\r\nADDED,3,,,\r\nREMOVED,2,,,\r\n");
    let page = text(compare(ComparisonForm::Page).await.file);
    assert!(page.contains(new.task.id.as_str()) && page.contains("2026-03-02 09:00:00 UTC"), "{page}");
    let compared = compare(ComparisonForm::Counts).await;
    assert_eq!((compared.counts.added, compared.file.is_none()), (1, true));
    let left = std::fs::read_dir(shelf.dir.path()).unwrap().count();
    assert_eq!(left, 1, "nothing is left but the folder of results");
}

#[tokio::test]
async fn a_key_is_found_under_its_label() {
    let shelf = Shelf::new();
    let old = shelf.run(1, "IDENTITIES", "Identity Id,Name\r\n1,a\r\n", true).await;
    let new = shelf.run(2, "IDENTITIES", "Identity Id,Name\r\n1,b\r\n", true).await;
    let compared =
        shelf.comparisons.compare(&client(), &old, &new, Vec::new(), ComparisonForm::Csv).await.unwrap();
    assert_eq!(text(compared.file), "change,Identity Id,column,old,new\r\nCHANGED,1,Name,a,b\r\n");
}

#[tokio::test]
async fn what_a_request_can_change_is_told() {
    let shelf = Shelf::new();
    let old = shelf.run(1, "IDENTITIES", OLD, true).await;
    let mut many = old.clone();
    many.file.rows = ROWS_MAX + 1;
    let custom = shelf.run(2, "custom", OLD, true).await;
    for (old, keys, expected) in [
        (&many, vec![], "5000001 rows: expected at most 5000000 in the earlier of two runs"),
        (&custom, vec![], "report \"custom\" does not say which columns tell its rows apart"),
        (&old, vec!["x".to_owned()], "the old file has no column \"x\""),
    ] {
        let error =
            shelf.comparisons.compare(&client(), old, old, keys, ComparisonForm::Counts).await.unwrap_err();
        assert_eq!(error.category, Category::Invalid);
        assert!(error.message.contains(expected), "{}", error.message);
    }
    let mut bounded = Bounded { sink: Vec::new(), left: 3 };
    bounded.write_all(b"abc").unwrap();
    let error = bounded.write_all(b"d").unwrap_err();
    assert_eq!(refused(CompareError::Write(error.into())).category, Category::Invalid);
    // A flipped bit that leaves a table as it was but for one value.
    let stored = shelf.dir.path().join("results").join(&old.file.stored_name);
    std::fs::write(stored, OLD.replace("2,b", "2,c")).unwrap();
    let error = shelf
        .comparisons
        .compare(&client(), &old, &old, Vec::new(), ComparisonForm::Counts)
        .await
        .unwrap_err();
    assert_eq!(
        (error.category, error.message.as_str()),
        (Category::Internal, "a result file is not what was published")
    );
    std::fs::remove_dir_all(shelf.dir.path().join("results")).unwrap();
    let error = shelf
        .comparisons
        .compare(&client(), &old, &old, Vec::new(), ComparisonForm::Counts)
        .await
        .unwrap_err();
    assert_eq!(error.category, Category::Internal);
}
