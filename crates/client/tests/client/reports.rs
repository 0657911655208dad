//! Reports: typed arguments, waiting, progress, cancelling, files.

use super::told::{Answer, Asked, Service, answer, bytes, status};
use futures_util::TryStreamExt;
use muster_client::wire::{
    AccountsArguments, FileFormat, IdentitiesArguments, NotifyDetails, OrphanIdentitiesArguments,
    ResultStatus, SearchExportArguments,
};
use muster_client::{DownloadOptions, Error, RunningReport, succeeded};
use serde_json::{Map, json};
use std::time::Duration;

const ID: &str = "a248c16fe22222b2bd49615481311111";
const LONG: Duration = Duration::from_secs(300);

fn task() -> Answer {
    answer(json!({"type": "QUARTZ", "id": ID, "completionStatus": null, "attributes": {}}))
}

#[tokio::test]
async fn the_type_of_the_arguments_says_which_report() {
    let service = Service::start(|_, _| task()).await;
    let reports = service.client().reports();
    let accounts = AccountsArguments { application: "2c91".into(), source_name: "Active Directory".into() };
    let running = reports.run(&accounts).start().await.unwrap();
    assert_eq!(running.id(), ID);
    let asked = service.asked(0);
    assert_eq!(asked.line, "POST /reports/v1/run");
    assert_eq!(asked.header("authorization"), Some("Bearer granted"));
    assert_eq!(
        asked.body,
        json!({"reportType": "ACCOUNTS", "arguments": {"application": "2c91", "sourceName": "Active Directory"}})
    );
    reports.run(&OrphanIdentitiesArguments::default()).start().await.unwrap();
    assert_eq!(service.asked(1).body, json!({"reportType": "ORPHAN_IDENTITIES", "arguments": {}}));
}

/// What the published operation does not have is asked of Muster's own.
#[tokio::test]
async fn a_past_snapshot_formats_and_recipients_are_asked_of_muster() {
    let service = Service::start(|_, _| task()).await;
    let reports = service.client().reports();
    let search = SearchExportArguments { query: "name:a*".into(), ..SearchExportArguments::default() };
    let told = NotifyDetails { email: Some("ada@example.com".into()), ..NotifyDetails::default() };
    let run =
        reports.run(&search).as_of("2026-03-31").with_format("xlsx").with_format("PARQUET").notify(told);
    run.start().await.unwrap();
    let asked = service.asked(0);
    assert_eq!(asked.line, "POST /muster/v1/reports/SEARCH_EXPORT/run");
    assert_eq!(
        asked.body,
        json!({
            "arguments": {"query": "name:a*", "extraFormats": ["XLSX", "PARQUET"]},
            "asOf": "2026-03-31",
            "notify": [{"email": "ada@example.com"}],
        })
    );
    reports.run_definition("leavers", Map::new()).start().await.unwrap();
    assert_eq!(service.asked(1).line, "POST /muster/v1/reports/leavers/run");
}

/// Answers the state of a report that ends with the third question.
fn third_time(asked: &Asked, number: usize) -> Answer {
    match asked.line.as_str() {
        line if line == format!("GET /reports/v1/{ID}/result?completed=false") => match number {
            0..4 => answer(json!({"id": ID})),
            _ => answer(json!({"id": ID, "status": "WARNING", "rows": 2000, "availableFormats": ["CSV"]})),
        },
        line if line == format!("GET /muster/v1/reports/{ID}/result") => {
            let progress = if number < 2 { "Initializing..." } else { "500 of 2000 rows written" };
            answer(json!({"id": ID, "attributes": {}, "progress": progress}))
        }
        line => panic!("nobody asks {line}"),
    }
}

#[tokio::test]
async fn a_wait_says_how_far_the_report_is() {
    let service = Service::start(third_time).await;
    let mut running = RunningReport::attach(&service.client().reports(), ID);
    let mut seen = Vec::new();
    let result =
        running.watch(LONG, |progress| seen.push((progress.rows, progress.rows_expected))).await.unwrap();
    assert_eq!(seen, [(None, None), (Some(500), Some(2_000))]);
    assert_eq!((&result.status, result.rows), (&Some(ResultStatus::Warning), Some(2_000)));
    assert!(succeeded(result).is_ok());
}

/// Another service of this contract does not say how far a report is.
#[tokio::test]
async fn a_service_without_progress_is_asked_once() {
    let service = Service::start(|asked, number| match (asked.line.starts_with("GET /muster/"), number) {
        (true, _) => status(404),
        (false, 0..3) => answer(json!({"id": ID})),
        (false, _) => answer(json!({
            "id": ID, "status": "FAILURE",
            "messages": [{"type": "ERROR", "error": true, "key": "k", "localizedText": "the disk is full"}],
        })),
    })
    .await;
    let mut running = RunningReport::attach(&service.client().reports(), ID);
    let result = running.watch(LONG, |progress| panic!("{progress:?}")).await.unwrap();
    assert_eq!(service.lines().iter().filter(|line| line.contains("/muster/")).count(), 1);
    let error = succeeded(result).unwrap_err();
    assert_eq!(error.to_string(), format!("report {ID} did not succeed: FAILURE: the disk is full"));
}

#[tokio::test]
async fn a_report_that_nobody_waits_for_any_more_is_cancelled() {
    let mut service = Service::start(|asked, _| match asked.line.as_str() {
        "POST /reports/v1/run" => task(),
        line if line.ends_with("/cancel") => status(204),
        _ => answer(json!({"id": ID})),
    })
    .await;
    let reports = service.client().reports();
    let arguments = IdentitiesArguments::default();
    let mut running = reports.run(&arguments).start().await.unwrap().cancel_on_drop();
    let error = running.wait(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error}");
    // The future that has the report is dropped, as when a caller gives up.
    let waiting = tokio::spawn(async move { running.wait(LONG).await });
    waiting.abort();
    loop {
        let asked = service.next().await;
        if asked.line == format!("POST /reports/v1/{ID}/cancel") {
            break;
        }
    }
    // Without the guard, and after an end, nothing is cancelled: the last request is the one after them.
    drop(reports.run(&arguments).start().await.unwrap());
    reports.run(&arguments).start().await.unwrap().cancel().await.unwrap();
    let cancels = service.lines().iter().filter(|line| line.ends_with("/cancel")).count();
    assert_eq!(cancels, 2);
}

#[tokio::test]
async fn an_ended_report_is_not_cancelled() {
    let service = Service::start(|asked, _| match asked.line.as_str() {
        "POST /reports/v1/run" => task(),
        line if line.ends_with("/cancel") => panic!("it has ended"),
        _ => answer(json!({"id": ID, "status": "SUCCESS"})),
    })
    .await;
    let reports = service.client().reports();
    let mut running = reports.run(&IdentitiesArguments::default()).start().await.unwrap().cancel_on_drop();
    running.wait(LONG).await.unwrap();
    drop(running);
    // A request that would follow a cancel.
    assert!(reports.get_report_result(ID, false).await.is_ok());
    assert!(service.lines().iter().all(|line| !line.ends_with("/cancel")));
}

/// Ten bytes; the first answer breaks after four.
#[tokio::test]
async fn a_file_in_pieces_goes_on_where_it_broke() {
    let service = Service::start(|asked, number| {
        let whole = bytes("0123456789").with("etag", "\"e\"");
        // SHA-256 of the ten bytes, by sha256sum and base64.
        let whole = whole.with("repr-digest", "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:");
        match (number, asked.header("range")) {
            (0, None) => whole.cut_after(4),
            (1, Some("bytes=4-")) => bytes("456789")
                .with_status(206)
                .with("etag", "\"e\"")
                .with("repr-digest", "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:")
                .with("content-range", "bytes 4-9/10")
                .with("content-disposition", "attachment; filename=\"Identities.csv\""),
            (2, None) => whole,
            (_, range) => panic!("{range:?}"),
        }
    })
    .await;
    let reports = service.client().reports();
    let options = DownloadOptions::default();
    let mut file = reports.open_report(ID, &FileFormat::Csv, &options).await.unwrap();
    assert_eq!((file.bytes(), file.bytes_expected()), (0, Some(10)));
    let mut content = Vec::new();
    while let Some(chunk) = file.chunk().await.unwrap() {
        content.extend_from_slice(&chunk);
        assert_eq!(file.bytes(), content.len() as u64);
    }
    let download = file.download().unwrap();
    assert_eq!((content.as_slice(), download.bytes, download.verified), (&b"0123456789"[..], 10, true));
    assert_eq!(download.file_name.as_deref(), Some("Identities.csv"));
    assert_eq!(service.asked(1).header("if-range"), Some("\"e\""));

    let file = reports.open_report(ID, &FileFormat::Csv, &options).await.unwrap();
    let pieces: Vec<_> = file.into_stream().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"0123456789");
}

#[tokio::test]
async fn a_stream_of_a_damaged_file_ends_with_an_error() {
    let service = Service::start(|_, _| bytes("x").with("repr-digest", "sha-256=:AAAA:")).await;
    let reports = service.client().reports();
    let file = reports.open_report(ID, &FileFormat::Csv, &DownloadOptions::default()).await.unwrap();
    let pieces: Result<Vec<_>, _> = file.into_stream().try_collect().await;
    assert!(matches!(pieces, Err(Error::Damaged(_))), "{pieces:?}");
}
