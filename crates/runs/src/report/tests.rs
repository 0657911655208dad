//! Results of fixed rows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::plan::{Part, Rows};
use super::*;
use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use futures_util::{StreamExt, stream};
use muster_reports::arguments::RawValue;
use muster_reports::cover::{Breakdown, Count, Cover, CoverColumn};
use muster_reports::definition::COMMON_ARGUMENTS;
use muster_reports::ids::{ReportId, WorkerId};
use muster_reports::ports::TaskStore;
use muster_reports::task::NewTask;
use muster_reports::{Catalogue, ReportKind};
use muster_testkit::build::{manifest, new_task, task_id};
use muster_testkit::{MemoryStore, TestClock};
use std::time::Duration;
use tokio::sync::Notify;

/// Parts with two batches of two rows each, and counts that may differ.
#[derive(Clone)]
struct Fixed {
    parts: usize,
    expected: u64,
    /// Rows of the parts of a breakdown, if there is one.
    subtotals: Option<[u64; 2]>,
    /// After the first batch: tells that it was taken, then waits for ever.
    hangs: Option<Arc<Notify>>,
}

fn batch(ids: [&str; 2], numbers: [i64; 2]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("accountCount", DataType::Int64, false),
    ]);
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(StringArray::from(ids.to_vec())), Arc::new(Int64Array::from(numbers.to_vec()))];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

impl Fixed {
    fn prepared(&self) -> Prepared {
        let part = || Box::new(self.clone()) as Box<dyn Part>;
        Prepared {
            parts: std::iter::repeat_with(part).take(self.parts).collect(),
            effective_query: "SELECT everything".into(),
            messages: vec![Message::warn("planned", "a remark of the plan")],
        }
    }
}

#[async_trait]
impl Part for Fixed {
    fn name(&self) -> &str {
        "things"
    }

    fn columns(&self) -> Vec<CoverColumn> {
        ["id", "accountCount"]
            .map(|name| CoverColumn {
                name: name.into(),
                label: name.to_uppercase(),
                meaning: String::new(),
                origin: "definition".into(),
            })
            .to_vec()
    }

    fn start(&self) -> Result<Rows> {
        let first = stream::once(std::future::ready(Ok(batch(["a", "b"], [1, 2]))));
        let hangs = self.hangs.clone();
        let second = stream::once(async move {
            if let Some(hangs) = hangs {
                hangs.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(batch(["c", "d"], [3, 4]))
        });
        Ok(first.chain(second).boxed())
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(Reconciliation {
            population: self.expected + 1,
            excluded: vec![Count { label: "left".into(), rows: 1 }],
            expected: self.expected,
            subtotals: self
                .subtotals
                .iter()
                .map(|parts| Breakdown {
                    by: "status".into(),
                    parts: parts.map(|rows| Count { label: "some".into(), rows }).to_vec(),
                })
                .collect(),
            ..Reconciliation::default()
        })
    }
}

struct Case {
    writing: ResultWriting,
    claim: Claim,
    manifest: SnapshotManifest,
    fixed: Fixed,
    dir: tempfile::TempDir,
}

async fn case(fixed: Fixed) -> Case {
    case_of(ReportKind::Identities, fixed).await
}

async fn case_of(kind: ReportKind, fixed: Fixed) -> Case {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let dir = tempfile::tempdir().unwrap();
    let report = ReportId::new(kind.as_str());
    let new = NewTask { report, arguments: Arguments::default(), ..new_task(1, clock.now()) };
    store.start(new).await.unwrap();
    let claim =
        store.claim(&WorkerId::new("w"), clock.now(), Duration::from_secs(30)).await.unwrap().unwrap();
    let manifest = manifest("snapshot-1", clock.now());
    let writing = ResultWriting {
        files: ResultFiles::open(dir.path()).unwrap(),
        pdf: PdfSettings::new(""),
        csv: CsvOptions::default(),
        work_dir: dir.path().to_owned(),
        threads: 2,
        clock,
    };
    Case { writing, claim, manifest, fixed, dir }
}

impl Case {
    async fn run(&self, progress: &ProgressCell) -> Result<RunOutcome> {
        let catalogue = Catalogue::built_in();
        let definition = catalogue.get(&self.claim.task.report).unwrap();
        let started = self.writing.clock.now();
        let run = ReportRun {
            claim: &self.claim,
            definition: &definition,
            manifest: &self.manifest,
            series: &Series::default(),
            started,
        };
        self.writing.publish(&run, self.fixed.prepared(), progress).await
    }
}

fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn rows_become_a_file_with_its_digest_and_a_cover() {
    let case = case(Fixed { parts: 1, expected: 4, subtotals: None, hangs: None }).await;
    let progress = ProgressCell::default();
    let outcome = case.run(&progress).await.unwrap();
    assert_eq!(progress.get().text(), "4 of 4 rows written");
    let file = &outcome.result.files[0];
    assert_eq!(outcome.result.files.len(), 2, "CSV and PDF");
    assert_eq!(file.stored_name, format!("{}.1.report.csv", task_id(1)));
    let text = std::fs::read_to_string(case.dir.path().join(&file.stored_name)).unwrap();
    assert_eq!(text, "id,accountCount\r\na,1\r\nb,2\r\nc,3\r\nd,4\r\n");
    // printf 'id,accountCount\r\na,1\r\nb,2\r\nc,3\r\nd,4\r\n' | sha256sum
    assert_eq!(file.sha256, "b8e4dea3c7ffe9ba50c6d47fc9bd53178fbbc278f0221e0fb8982ce472cfbae4");
    assert_eq!((file.rows, file.bytes), (4, 37));
    let cover: Cover = serde_json::from_str(&outcome.result.cover).unwrap();
    assert_eq!(cover.files[0].sha256, file.sha256);
    assert_eq!((cover.reconciliation.population, cover.reconciliation.reported), (5, 4));
    assert_eq!(cover.requester.name, "ada.lovelace");
    assert_eq!(cover.snapshot.sources.len(), 2);
    assert_eq!(outcome.messages, [Message::warn("planned", "a remark of the plan")]);
}

#[tokio::test]
async fn a_search_becomes_an_archive_with_a_cover() {
    let case =
        case_of(ReportKind::SearchExport, Fixed { parts: 1, expected: 4, subtotals: None, hangs: None })
            .await;
    let outcome = case.run(&ProgressCell::default()).await.unwrap();
    let [file] = &outcome.result.files[..] else { panic!("one file") };
    assert_eq!(
        (file.format, &*file.media_type, &*file.extension),
        (FileFormat::Csv, "application/zip", "zip")
    );
    assert_eq!(file.rows, 4);
    let path = case.dir.path().join(&file.stored_name);
    let listed = std::process::Command::new("python3")
        .args(["-c", "import sys, zipfile, json; z = zipfile.ZipFile(sys.argv[1]); c = json.loads(z.read('cover.json')); \
               print(z.namelist(), z.testzip(), z.read('things.csv'), c['parts'][0]['reconciliation']['reported'], c['files'][0]['rows'])"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&listed.stdout).trim(),
        "['things.csv', 'cover.json'] None b'id,accountCount\\r\\na,1\\r\\nb,2\\r\\nc,3\\r\\nd,4\\r\\n' 4 4",
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let cover: Cover = serde_json::from_str(&outcome.result.cover).unwrap();
    assert_eq!((cover.parts.len(), cover.columns.len()), (1, 0));
    assert_eq!(cover.files[0].sha256, file.sha256);
}

#[tokio::test]
async fn rows_that_do_not_add_up_leave_nothing() {
    let case = case(Fixed { parts: 1, expected: 5, subtotals: None, hangs: None }).await;
    let error = case.run(&ProgressCell::default()).await.unwrap_err();
    assert_eq!(error.message, "the report has 4 rows, but 5 were counted: nothing is published");
    assert!(names(&case.dir).is_empty());
    let case =
        case_of(ReportKind::SearchExport, Fixed { parts: 1, expected: 3, subtotals: None, hangs: None })
            .await;
    case.run(&ProgressCell::default()).await.unwrap_err();
    assert!(names(&case.dir).is_empty());
}

#[tokio::test]
async fn subtotals_that_do_not_add_up_leave_nothing() {
    let run = async |subtotals| {
        let case = case(Fixed { parts: 1, expected: 4, subtotals: Some(subtotals), hangs: None }).await;
        let outcome = case.run(&ProgressCell::default()).await;
        (outcome.map_err(|error| error.message), names(&case.dir).len())
    };
    assert_eq!(run([1, 3]).await.1, 2, "CSV and PDF");
    for (subtotals, sum) in [([1, 2], "3"), ([4, 1], "5"), ([u64::MAX, 1], "more than can be counted")] {
        let (outcome, files) = run(subtotals).await;
        let expected = format!(
            "the subtotals by status add up to {sum}, but the report has 4 rows: nothing is published"
        );
        assert_eq!((outcome.err(), files), (Some(expected), 0));
    }
}

#[test]
fn a_run_that_is_dropped_leaves_no_file() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = runtime.block_on(async {
        let hangs = Arc::new(Notify::new());
        let case = case(Fixed { parts: 1, expected: 4, subtotals: None, hangs: Some(hangs.clone()) }).await;
        let progress = ProgressCell::default();
        tokio::select! {
            _ = case.run(&progress) => unreachable!("the rows never end"),
            () = hangs.notified() => {}
        }
        case.dir
    });
    // Waits for the writing thread, which ends when it finds its sender gone.
    drop(runtime);
    assert!(names(&dir).is_empty());
}

#[tokio::test]
async fn further_formats_are_written_in_addition_to_the_published_ones() {
    let mut case = case(Fixed { parts: 1, expected: 4, subtotals: None, hangs: None }).await;
    let extra = RawValue::List(vec![
        RawValue::Text("NDJSON".into()),
        RawValue::Text("PARQUET".into()),
        RawValue::Text("XLSX".into()),
    ]);
    let raw = std::collections::BTreeMap::from([("extraFormats".to_owned(), extra)]);
    case.claim.task.arguments = Arguments::check(COMMON_ARGUMENTS.iter(), &raw).unwrap();
    let outcome = case.run(&ProgressCell::default()).await.unwrap();
    let formats: Vec<_> = outcome.result.files.iter().map(|file| (file.format, file.rows)).collect();
    assert_eq!(
        formats,
        [
            (FileFormat::Csv, 4),
            (FileFormat::Pdf, 4),
            (FileFormat::Xlsx, 4),
            (FileFormat::Ndjson, 4),
            (FileFormat::Parquet, 4)
        ]
    );
    let ndjson = &outcome.result.files[3];
    let text = std::fs::read_to_string(case.dir.path().join(&ndjson.stored_name)).unwrap();
    assert!(text.starts_with("{\"id\":\"a\",\"accountCount\":1}\n"), "{text}");
    let cover: Cover = serde_json::from_str(&outcome.result.cover).unwrap();
    assert_eq!(cover.files.len(), 5);
}

/// Rows whose charts cannot be made.
struct Undrawable(Fixed);

#[async_trait]
impl Part for Undrawable {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn columns(&self) -> Vec<CoverColumn> {
        self.0.columns()
    }

    fn start(&self) -> Result<Rows> {
        self.0.start()
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        self.0.reconcile().await
    }

    async fn charts(&self) -> Result<Vec<Chart>> {
        Err(Error::invalid("no charts"))
    }
}

#[tokio::test]
async fn charts_are_made_for_documents_that_show_them() {
    let mut case = case(Fixed { parts: 1, expected: 4, subtotals: None, hangs: None }).await;
    for (arguments, error) in [
        (r#"{"selectedFormats":["CSV"]}"#, None),
        ("{}", Some("no charts")),
        (r#"{"selectedFormats":["PDF"]}"#, Some("no charts")),
    ] {
        case.claim.task.arguments = Arguments::from_canonical(arguments).unwrap();
        let catalogue = Catalogue::built_in();
        let definition = catalogue.get(&case.claim.task.report).unwrap();
        let started = case.writing.clock.now();
        let run = ReportRun {
            claim: &case.claim,
            definition: &definition,
            manifest: &case.manifest,
            series: &Series::default(),
            started,
        };
        let mut prepared = case.fixed.prepared();
        prepared.parts = vec![Box::new(Undrawable(case.fixed.clone()))];
        let outcome = case.writing.publish(&run, prepared, &ProgressCell::default()).await;
        assert_eq!(outcome.err().map(|error| error.message).as_deref(), error, "{arguments}");
        case.claim.lease.epoch += 1;
    }
}

#[test]
fn a_request_may_turn_the_formula_guard_off() {
    let guard = |json: &str| {
        csv_options(CsvOptions::default(), &Arguments::from_canonical(json).unwrap()).formula_guard
    };
    assert_eq!(guard("{}"), FormulaGuard::On);
    assert_eq!(guard(r#"{"formulaGuard":"off"}"#), FormulaGuard::Off);
}

#[test]
fn a_request_may_have_a_byte_order_mark_or_not() {
    let bom = |configured: bool, json: &str| {
        let configured = CsvOptions { bom: configured, ..CsvOptions::default() };
        csv_options(configured, &Arguments::from_canonical(json).unwrap()).bom
    };
    assert!(!bom(false, "{}") && bom(true, "{}"));
    assert!(bom(false, r#"{"csvBom":"on"}"#) && !bom(true, r#"{"csvBom":"off"}"#));
}

/// A warning for a name that the request has chosen, and none for those of the definition.
#[tokio::test]
async fn a_column_that_the_report_does_not_have_is_told() {
    let mut case = case(Fixed { parts: 1, expected: 4, subtotals: None, hangs: None }).await;
    case.claim.task.arguments = Arguments::from_canonical(r#"{"pdfColumns":"accountCount,colour"}"#).unwrap();
    let outcome = case.run(&ProgressCell::default()).await.unwrap();
    let text = "the report has no column colour: the PDF does not show it";
    assert!(outcome.messages.contains(&Message::warn("pdf_column_unknown", text)), "{:?}", outcome.messages);
}
