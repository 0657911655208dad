//! The demo with reports that a fake runs; everything around them is real, HTTP and refreshes included.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use muster_reports::ReportKind;
use muster_testkit::{FakeRun, FakeRunner};

/// Runs the demo with reports that a fake runs like this.
async fn run_fake(args: &DemoArgs, settings: &Settings, output: Output, run: FakeRun) -> Result {
    let runner = |data: &DataDir, _, _| -> Result<Arc<dyn ReportRunner>> {
        // The folder is made when the files are opened.
        data.files()?;
        Ok(Arc::new(FakeRunner::new(data.results_dir(), run)))
    };
    Box::pin(run_with(args, settings, output, runner)).await
}

fn demo(dir: &Path) -> (DemoArgs, Settings) {
    let mut settings = Settings::default();
    settings.data.dir = dir.to_path_buf();
    settings.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    (DemoArgs { once: true, no_reports: false, listen: None, identities: 50, seed: 1 }, settings)
}

#[tokio::test]
async fn every_kind_runs_over_http_and_its_file_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (args, settings) = demo(dir.path());
    let run = FakeRun::Rows(3, Vec::new());
    run_fake(&args, &settings, Output::Json, run).await.unwrap();
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
    let run = FakeRun::Broken("no rows today".into());
    let failure = run_fake(&args, &settings, Output::Json, run).await.unwrap_err().to_string();
    assert!(failure.starts_with("these reports did not succeed: ACCOUNTS, IDENTITIES, "), "{failure}");
}

#[tokio::test]
async fn a_folder_that_is_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (args, settings) = demo(dir.path());
    drop(DataDir::open_or_make(&settings).await.unwrap());
    let run = FakeRun::Rows(1, Vec::new());
    let failure = run_fake(&args, &settings, Output::Json, run).await.unwrap_err().to_string();
    assert!(failure.contains("is a data directory already"), "{failure}");
}

/// Making the organisation takes long; a port that is in use is told before.
#[tokio::test]
async fn a_port_that_is_in_use_is_told_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (args, mut settings) = demo(&dir.path().join("data"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    settings.server.listen = taken.local_addr().unwrap();
    let run = FakeRun::Rows(1, Vec::new());
    let failure = run_fake(&args, &settings, Output::Json, run).await.unwrap_err().to_string();
    assert!(failure.starts_with("cannot listen on 127.0.0.1:"), "{failure}");
    assert!(!settings.data.dir.exists());
}

/// Serves the demo until Ctrl-C, for people who want to look at it with reports of one column.
#[tokio::test]
#[ignore = "serves until it is interrupted"]
async fn look() {
    let (mut args, settings) = demo(&fresh_dir());
    args.once = false;
    let run = FakeRun::Rows(1_234, Vec::new());
    run_fake(&args, &settings, Output::Table, run).await.unwrap();
}
