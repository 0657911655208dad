//! The runner over a planner of fixed rows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use muster_reports::ReportKind;
use muster_reports::cover::Count;
use muster_reports::ids::{ReportId, WorkerId};
use muster_reports::ports::TaskStore;
use muster_reports::task::NewTask;
use muster_testkit::build::{manifest, new_task, task_id, tenant};
use muster_testkit::{MemoryStore, TestClock};
use std::time::Duration;
use tokio::sync::Notify;

/// Two batches of two rows each, and counts that may differ.
#[derive(Clone)]
struct Fixed {
    expected: u64,
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

#[async_trait]
impl Planner for Fixed {
    async fn prepare(
        &self,
        _manifest: &SnapshotManifest,
        _definition: &ReportDefinition,
        _arguments: &Arguments,
    ) -> Result<Box<dyn Plan>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Plan for Fixed {
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

    fn effective_query(&self) -> String {
        "SELECT everything".into()
    }

    fn start(&self) -> Result<Box<dyn Rows>> {
        let batches = vec![batch(["c", "d"], [3, 4]), batch(["a", "b"], [1, 2])];
        Ok(Box::new(FixedRows { batches, hangs: self.hangs.clone() }))
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(Reconciliation {
            population: self.expected + 1,
            excluded: vec![Count { label: "left".into(), rows: 1 }],
            expected: self.expected,
            ..Reconciliation::default()
        })
    }
}

struct FixedRows {
    batches: Vec<RecordBatch>,
    hangs: Option<Arc<Notify>>,
}

#[async_trait]
impl Rows for FixedRows {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let (1, Some(hangs)) = (self.batches.len(), &self.hangs) {
            hangs.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(self.batches.pop())
    }
}

struct House {
    runner: Runner,
    claim: Claim,
    dir: tempfile::TempDir,
}

async fn house(fixed: Fixed) -> House {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let dir = tempfile::tempdir().unwrap();
    store.publish(&tenant(), &manifest("snapshot-1", clock.now())).await.unwrap();
    let report = ReportId::new(ReportKind::Identities.as_str());
    let new = NewTask { report, arguments: Arguments::default(), ..new_task(1, clock.now()) };
    store.start(new).await.unwrap();
    let claim =
        store.claim(&WorkerId::new("w"), clock.now(), Duration::from_secs(30)).await.unwrap().unwrap();
    let runner = Runner {
        planner: Arc::new(fixed),
        catalogue: Catalogue::built_in(),
        snapshots: store,
        files: ResultFiles::open(dir.path()).unwrap(),
        header: Header::Names,
        clock,
    };
    House { runner, claim, dir }
}

fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn rows_become_a_file_with_its_digest_and_a_cover() {
    let house = house(Fixed { expected: 4, hangs: None }).await;
    let progress = ProgressCell::default();
    let outcome = house.runner.run(&house.claim, &progress).await.unwrap();
    assert_eq!(progress.get().text(), "4 of 4 rows written");
    let file = &outcome.result.files[0];
    assert_eq!(file.stored_name, format!("{}.1.report.csv", task_id(1)));
    let text = std::fs::read_to_string(house.dir.path().join(&file.stored_name)).unwrap();
    assert_eq!(text, "id,accountCount\r\na,1\r\nb,2\r\nc,3\r\nd,4\r\n");
    // printf 'id,accountCount\r\na,1\r\nb,2\r\nc,3\r\nd,4\r\n' | sha256sum
    assert_eq!(file.sha256, "b8e4dea3c7ffe9ba50c6d47fc9bd53178fbbc278f0221e0fb8982ce472cfbae4");
    assert_eq!((file.rows, file.bytes), (4, 37));
    let cover: Cover = serde_json::from_str(&outcome.result.cover).unwrap();
    assert_eq!(cover.files[0].sha256, file.sha256);
    assert_eq!((cover.reconciliation.population, cover.reconciliation.reported), (5, 4));
    assert_eq!(cover.requester.name, "ada.lovelace");
    assert_eq!(cover.snapshot.sources.len(), 2);
    assert!(outcome.messages.is_empty());
}

#[tokio::test]
async fn rows_that_do_not_add_up_leave_nothing() {
    let house = house(Fixed { expected: 5, hangs: None }).await;
    let error = house.runner.run(&house.claim, &ProgressCell::default()).await.unwrap_err();
    assert_eq!(error.message, "the report has 4 rows, but 5 were counted: nothing is published");
    assert!(names(&house.dir).is_empty());
}

#[test]
fn a_run_that_is_dropped_leaves_no_file() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = runtime.block_on(async {
        let hangs = Arc::new(Notify::new());
        let house = house(Fixed { expected: 4, hangs: Some(hangs.clone()) }).await;
        let progress = ProgressCell::default();
        tokio::select! {
            _ = house.runner.run(&house.claim, &progress) => unreachable!("the rows never end"),
            () = hangs.notified() => {}
        }
        house.dir
    });
    // Waits for the writing thread, which ends when it finds its sender gone.
    drop(runtime);
    assert!(names(&dir).is_empty());
}

#[tokio::test]
async fn a_format_that_cannot_be_written_is_refused_or_warned_about() {
    let mut definition =
        ReportDefinition::clone(Catalogue::built_in().get(&ReportId::new("IDENTITIES")).unwrap());
    assert_eq!(check_formats(&definition, &Arguments::default()).unwrap(), []);
    definition.formats.push(FileFormat::Pdf);
    let warnings = check_formats(&definition, &Arguments::default()).unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].key, "format_left_out");
    definition.formats.remove(0);
    assert!(check_formats(&definition, &Arguments::default()).is_err());
}
