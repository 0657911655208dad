//! The demo over a fake engine: everything around it is real, HTTP included.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::clock::SystemClock;
use crate::engine_wiring::{Checked, CorrelationExplanation, Damage, Removal, Removed};
use crate::refresh::{RefreshRequest, Refresher, SourceOutcome};
use crate::report_run::Rows;
use crate::snapshots::SnapshotTables;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_reports::error::Error;
use muster_reports::ids::SnapshotId;
use muster_reports::ports::{AuditEvent, Clock, ManualLink, SnapshotCatalogue};
use muster_reports::{ReportKind, SnapshotManifest};
use muster_store::Store;
use muster_testkit::build::{manifest, source_run};
use muster_testkit::{FakeRun, FakeRunner};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Publishes a snapshot that names every source, as if it had read them.
struct FakeRefresher(Arc<Store>);

#[async_trait]
impl Refresher for FakeRefresher {
    async fn refresh(&self, request: RefreshRequest) -> muster_reports::Result<RefreshReport> {
        let now = SystemClock.now();
        let mut snapshot = SnapshotManifest {
            id: SnapshotId::new(SystemIds.fresh()),
            sources: Vec::new(),
            ..manifest("unused", now)
        };
        let mut outcomes = Vec::new();
        for source in &request.sources {
            let definition: SourceDefinition = serde_json::from_str(&source.definition).unwrap();
            let authoritative = definition.is_authoritative();
            snapshot.sources.push(source_run(source.id.as_str(), &source.name, authoritative, now));
            outcomes.push(SourceOutcome { name: source.name.clone(), complete: true, ..Default::default() });
        }
        let event = AuditEvent { report: snapshot.id.to_string(), ..request.published };
        self.0.publish_recorded(&event, &snapshot).await?;
        Ok(RefreshReport {
            sources: outcomes,
            snapshot: Some(snapshot),
            tables: Vec::new(),
            totals: Vec::new(),
            notes: Vec::new(),
        })
    }
}

struct NoTables;

#[async_trait]
impl SnapshotTables for NoTables {
    async fn remove_unkept(
        &self,
        _: &[SnapshotManifest],
        _: Option<&Removal>,
    ) -> muster_reports::Result<Removed> {
        Ok(Removed::default())
    }

    async fn rows_of(
        &self,
        _: &SnapshotManifest,
        _: &'static str,
        _: &DataScope,
        _: &'static str,
        _: usize,
    ) -> muster_reports::Result<Vec<RecordBatch>> {
        Err(Error::unavailable("there are no tables"))
    }

    async fn check(&self, _: &[SnapshotManifest]) -> muster_reports::Result<Checked> {
        Err(Error::unavailable("there are no tables"))
    }

    async fn apparent_damage(&self, _: &Arc<SnapshotManifest>) -> muster_reports::Result<Option<Damage>> {
        Ok(None)
    }

    async fn compare(
        &self,
        _: &SnapshotManifest,
        _: &SnapshotManifest,
    ) -> muster_reports::Result<Box<dyn Rows>> {
        Err(Error::unavailable("there are no tables"))
    }

    async fn explain(
        &self,
        _: Arc<SnapshotManifest>,
        _: &str,
        _: &str,
    ) -> muster_reports::Result<CorrelationExplanation> {
        Err(Error::unavailable("there are no tables"))
    }

    async fn refused_links(
        &self,
        _: Arc<SnapshotManifest>,
        _: &[ManualLink],
    ) -> muster_reports::Result<BTreeMap<usize, String>> {
        Ok(BTreeMap::new())
    }
}

fn fake_engine(data: &DataDir, run: FakeRun) -> EnginePorts {
    let results = data.dir().join("results");
    std::fs::create_dir_all(&results).unwrap();
    EnginePorts {
        runner: Arc::new(FakeRunner::new(results, run)),
        refresher: Arc::new(FakeRefresher(data.store.clone())),
        tables: Arc::new(NoTables),
    }
}

fn demo(dir: &Path) -> (DemoArgs, Settings) {
    let mut settings = Settings::default();
    settings.data.dir = dir.to_path_buf();
    settings.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    (DemoArgs { once: true, listen: None, identities: 500, seed: 1 }, settings)
}

#[tokio::test]
async fn every_kind_runs_over_http_and_its_file_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (args, settings) = demo(dir.path());
    let engine = |data: &DataDir, _| Ok(fake_engine(data, FakeRun::Rows(3, Vec::new())));
    Box::pin(run_with(&args, &settings, Output::Json, engine)).await.unwrap();
    for kind in ReportKind::ALL {
        let extension = if kind == ReportKind::SearchExport { "zip" } else { "csv" };
        let file = dir.path().join(format!("reports/{kind}.{extension}"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "id\n1\n2\n3\n", "{kind}");
    }
}

#[tokio::test]
async fn a_report_that_does_not_succeed_makes_the_demo_fail() {
    let dir = tempfile::tempdir().unwrap();
    let (args, settings) = demo(dir.path());
    let engine = |data: &DataDir, _| Ok(fake_engine(data, FakeRun::Broken("no rows today".into())));
    let failure = Box::pin(run_with(&args, &settings, Output::Json, engine)).await.unwrap_err().to_string();
    assert!(failure.starts_with("these reports did not succeed: ACCOUNTS, IDENTITIES, "), "{failure}");
}

#[tokio::test]
async fn a_folder_that_is_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (args, settings) = demo(dir.path());
    drop(DataDir::open_or_make(&settings).await.unwrap());
    let engine = |data: &DataDir, _| Ok(fake_engine(data, FakeRun::Rows(1, Vec::new())));
    let failure = Box::pin(run_with(&args, &settings, Output::Json, engine)).await.unwrap_err().to_string();
    assert!(failure.contains("is a data directory already"), "{failure}");
}

/// Making the organisation takes long; a port that is in use is told before.
#[tokio::test]
async fn a_port_that_is_in_use_is_told_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (args, mut settings) = demo(&dir.path().join("data"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    settings.server.listen = taken.local_addr().unwrap();
    let engine = |data: &DataDir, _| Ok(fake_engine(data, FakeRun::Rows(1, Vec::new())));
    let failure = Box::pin(run_with(&args, &settings, Output::Json, engine)).await.unwrap_err().to_string();
    assert!(failure.starts_with("cannot listen on 127.0.0.1:"), "{failure}");
    assert!(!settings.data.dir.exists());
}

/// Serves the demo until Ctrl-C, for people who want to look at it without the engine.
#[tokio::test]
#[ignore = "serves until it is interrupted"]
async fn look() {
    let (mut args, settings) = demo(&fresh_dir());
    args.once = false;
    let engine = |data: &DataDir, _| Ok(fake_engine(data, FakeRun::Rows(1_234, Vec::new())));
    Box::pin(run_with(&args, &settings, Output::Table, engine)).await.unwrap();
}
