//! The Rust SDK against the service over TCP, and against a service that misbehaves.

use crate::world::{KEY_PEM, SECRET, World, comparison_of, package_of};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use muster_client::wire::{AccountsArguments, CompletionStatus, FileFormat, ReportType, ResultStatus};
use muster_client::{
    ComparisonFile, Configuration, Credentials, DownloadOptions, Error, ReportsDataExtractionApi, Resume,
};
use muster_reports::audit::AuditOperation;
use muster_reports::made::ComparisonForm;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

const POLL: Duration = Duration::from_millis(1);

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn api(base_url: &str, credentials: Credentials) -> ReportsDataExtractionApi {
    ReportsDataExtractionApi::new(Configuration {
        retry_wait_max: Duration::from_millis(1),
        ..Configuration::new(base_url, credentials)
    })
    .unwrap()
}

async fn served() -> (World, ReportsDataExtractionApi) {
    let world = World::new().await;
    let url = serve(world.router.clone()).await;
    let api = api(&format!("{url}/"), Credentials::client("client-of-ada", SECRET));
    (world, api)
}

fn accounts() -> AccountsArguments {
    AccountsArguments {
        application: "2c9180897e7742b2017e781782f705b9".into(),
        source_name: "Active Directory".into(),
    }
}

#[tokio::test]
async fn a_report_is_started_waited_for_and_downloaded() {
    let (world, api) = served().await;
    let task = api.start(ReportType::Accounts, &accounts()).await.unwrap();
    let id = task.id.unwrap();
    let error = api.wait(&id, POLL, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error}");
    world.finish(b"0123456789", Vec::new()).await;
    let result = api.wait(&id, POLL, Duration::from_secs(300)).await.unwrap();
    assert_eq!((result.status, result.rows), (Some(ResultStatus::Success), Some(37)));

    let mut file = Vec::new();
    let options = DownloadOptions { name: Some("Q3 2024".into()), auditable: true, resume: None };
    let download = api.get_report(&id, &FileFormat::Csv, &options, &mut file).await.unwrap();
    assert_eq!((file.as_slice(), download.bytes, download.verified), (&b"0123456789"[..], 10, true));
    assert_eq!(download.file_name.as_deref(), Some("Q3 2024.csv"));
    assert_eq!(world.store.recorded(AuditOperation::Download).len(), 1);

    let resume = Resume { bytes: 4, etag: download.etag.unwrap() };
    let options = DownloadOptions { resume: Some(resume), ..DownloadOptions::default() };
    let mut rest = Vec::new();
    let download = api.get_report(&id, &FileFormat::Csv, &options, &mut rest).await.unwrap();
    assert_eq!((rest.as_slice(), download.bytes, download.verified), (&b"456789"[..], 10, false));

    let resume = Resume { bytes: 4, etag: "\"another\"".into() };
    let options = DownloadOptions { resume: Some(resume), ..DownloadOptions::default() };
    let error = api.get_report(&id, &FileFormat::Csv, &options, &mut rest).await.unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");
}

/// By its name, or by its id twice, it is the same report; the published operation knows ids only.
#[tokio::test]
async fn a_source_may_be_named_where_its_id_is_expected() {
    let (_world, api) = served().await;
    let (id, name) = ("2c9180897e7742b2017e781782f705b9", "Active Directory");
    let mut tasks = Vec::new();
    for (application, source_name) in [(id, name), (name, name), (id, id)] {
        let arguments = serde_json::json!({ "application": application, "sourceName": source_name });
        let task = api.start_definition("ACCOUNTS", &arguments, None, &[]).await.unwrap();
        assert!(task.messages.iter().all(|m| m.key.as_deref() != Some("source_name_differs")), "{task:?}");
        tasks.push(task.id);
    }
    assert!(tasks.iter().all(|task| *task == tasks[0]), "{tasks:?}");
    let arguments = |application: &str| serde_json::json!({ "application": application, "sourceName": name });
    let refused = api.start(ReportType::Accounts, &arguments(name)).await.unwrap_err();
    let words = "argument \"application\" is \"Active Directory\", which is not the id of a source: the nearest name is";
    let refusal = refused.refusal().unwrap();
    assert!(refusal.status == 400 && refusal.text.starts_with(words), "{refused}");
    let refused =
        api.start_definition("ACCOUNTS", &arguments("Active Directry"), None, &[]).await.unwrap_err();
    let words = "argument \"application\": no source is named \"Active Directry\" or has that id: the nearest name is";
    let refusal = refused.refusal().unwrap();
    assert!(refusal.status == 404 && refusal.text.starts_with(words), "{refused}");
}

#[tokio::test]
async fn an_evidence_package_and_its_key_are_fetched() {
    let (world, api) = served().await;
    let id = world.finished(b"0123456789").await;
    let mut package = Vec::new();
    let download = api.get_evidence(&id, &mut package).await.unwrap();
    assert_eq!(String::from_utf8(package).unwrap(), package_of(&id));
    assert_eq!((download.verified, download.etag), (true, None));
    assert_eq!(download.file_name, Some(format!("evidence-{id}.zip")));
    assert_eq!(api.evidence_key().await.unwrap(), KEY_PEM);
    let error = api.get_evidence("nothing", &mut Vec::new()).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().text, "there is no report result \"nothing\"");
}

#[tokio::test]
async fn files_of_any_format_are_fetched() {
    let (world, api) = served().await;
    let id = world.finished(b"0123456789").await;
    let mut file = Vec::new();
    let options = DownloadOptions { name: Some("Q3".into()), auditable: true, resume: None };
    let download = api.get_file(&id, "CSV", &options, &mut file).await.unwrap();
    assert_eq!((file.as_slice(), download.bytes, download.verified), (&b"0123456789"[..], 10, true));
    assert_eq!(download.file_name.as_deref(), Some("Q3.csv"));
    assert_eq!(world.store.recorded(AuditOperation::Download).len(), 1);
    for (format, status, text) in [
        ("xlsx", 404, format!("report result {id} has no XLSX file: it has CSV")),
        ("doc", 400, "fileFormat is \"doc\": expected one of csv, pdf, xlsx, ndjson, parquet".to_owned()),
    ] {
        let error = api.get_file(&id, format, &options, &mut Vec::new()).await.unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.status, refusal.text.as_str()), (status, text.as_str()));
    }
}

#[tokio::test]
async fn two_runs_are_compared() {
    let (world, api) = served().await;
    let (old, new) = (world.finished(b"x").await, world.finished(b"y").await);
    let keys = ["a b".to_owned(), "c".to_owned()];
    let counts = api.compare(&old, &new, &keys).await.unwrap();
    assert_eq!((&counts.old, &counts.new, &counts.keys[..], counts.added), (&old, &new, &keys[..], 7));
    for (file, form, name) in [
        (ComparisonFile::Csv, ComparisonForm::Csv, Some(format!("comparison-{old}-{new}.csv"))),
        (ComparisonFile::Html, ComparisonForm::Page, None),
    ] {
        let mut bytes = Vec::new();
        let download = api.get_comparison(&old, &new, &keys, file, &mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), comparison_of(&old, &new, &keys, form));
        assert_eq!((download.verified, download.file_name), (true, name));
    }
}

/// An id that is not known is told at once, and nobody waits for ever: the published answer is `{}`.
#[tokio::test]
async fn a_wrong_id_ends_the_wait() {
    let (_world, api) = served().await;
    for id in ["nothing", &"f".repeat(32)] {
        let error = api.wait(id, Duration::from_secs(60), Duration::from_secs(600)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("there is no report {id:?}"));
    }
}

#[tokio::test]
async fn definitions_and_messages_are_read() {
    let (world, api) = served().await;
    let definitions = api.definitions().await.unwrap();
    let search = definitions.iter().find(|report| report.id == "SEARCH_EXPORT").unwrap();
    let kinds: Vec<_> = search.arguments.iter().map(|a| (a.name.as_str(), a.kind.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("query", "query"),
            ("indices", "texts"),
            ("columns", "names"),
            ("sort", "texts"),
            ("fields", "texts"),
            ("selectedFormats", "texts"),
            ("formulaGuard", "text"),
            ("csvBom", "text"),
        ]
    );
    let formats = |id: &str| {
        let report = definitions.iter().find(|report| report.id == id).unwrap();
        let argument = report.arguments.iter().find(|argument| argument.name == "selectedFormats").unwrap();
        argument.allowed.clone().unwrap()
    };
    assert_eq!(
        (formats("SEARCH_EXPORT"), formats("ACCOUNTS")),
        (vec!["CSV".into()], vec!["CSV".into(), "PDF".into()])
    );
    let id = api.start(ReportType::Accounts, &accounts()).await.unwrap().id.unwrap();
    world.fail().await;
    let result = api.wait(&id, POLL, Duration::from_secs(300)).await.unwrap();
    assert_eq!(result.messages[0].localized_text.as_deref(), Some("it broke"));
    let task = api.task_result(&id).await.unwrap();
    assert_eq!((task.completion_status, task.messages), (Some(CompletionStatus::Error), result.messages));
}

#[tokio::test]
async fn a_report_is_cancelled() {
    let (_world, api) = served().await;
    let id = api.start(ReportType::Accounts, &accounts()).await.unwrap().id.unwrap();
    api.cancel_report(&id).await.unwrap();
    let result = api.wait(&id, POLL, Duration::from_secs(300)).await.unwrap();
    assert_eq!(result.status, Some(ResultStatus::Terminated));
}

#[tokio::test]
async fn refusals_carry_what_the_service_said() {
    let (_world, api) = served().await;
    let error = api.start(ReportType::Accounts, &serde_json::json!({})).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.detail_code.as_deref(), Some("400.1 Bad Request Content"));
    assert_eq!(refusal.tracking_id.as_deref().map(str::len), Some(32));
    assert_eq!(refusal.text, "argument \"application\" is missing: expected the id of a source, as a text");
    let error = api.wait("nothing", POLL, Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_gives_no_token() {
    let world = World::new().await;
    let url = serve(world.router.clone()).await;
    let error =
        api(&url, Credentials::client("client-of-ada", "wrong")).cancel_report("x").await.unwrap_err();
    assert!(matches!(&error, Error::NoToken(refusal) if refusal.status == 401), "{error}");
    assert!(!error.to_string().contains("wrong,"), "{error}");
}

/// The service's clock runs ahead of the client's, so only the 401 tells that the token has expired.
#[tokio::test]
async fn an_expired_token_is_renewed_once() {
    let (world, api) = served().await;
    assert!(api.get_report_result("x", false).await.is_ok());
    world.clock.advance(TimeDelta::hours(2));
    assert!(api.get_report_result("x", false).await.is_ok());
    let foreign = api_with_token(&world).await;
    world.clock.advance(TimeDelta::hours(2));
    let error = foreign.get_report_result("x", false).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().text, "JWT validation failed: JWT is expired");
}

async fn api_with_token(world: &World) -> ReportsDataExtractionApi {
    let bearer = world.bearer(&muster_testkit::build::user());
    let url = serve(world.router.clone()).await;
    api(&url, Credentials::Token(bearer.trim_start_matches("Bearer ").to_owned()))
}

/// A service of one route that answers the `number`th request, counted from 0, as told.
async fn scripted(
    answer: impl Fn(usize, &Request) -> Response + Clone + Send + Sync + 'static,
) -> (ReportsDataExtractionApi, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(move |request: Request| {
        let response = answer(count.fetch_add(1, Ordering::SeqCst), &request);
        async move { response }
    });
    (api(&serve(router).await, Credentials::Token("t".into())), asked)
}

#[tokio::test]
async fn later_is_honoured_and_bounded() {
    for (failures, succeeds) in [(0, true), (3, true), (4, false)] {
        for status in [429, 502, 503, 504] {
            let (api, asked) = scripted(move |number, _| match number < failures {
                true => (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")]).into_response(),
                false => StatusCode::NO_CONTENT.into_response(),
            })
            .await;
            let outcome = api.cancel_report("x").await;
            assert_eq!(outcome.is_ok(), succeeds, "{failures} times {status}");
            assert_eq!(asked.load(Ordering::SeqCst), (failures + 1).min(4));
            if let Err(error) = outcome {
                let refusal = error.refusal().unwrap();
                assert_eq!((refusal.status, refusal.retry_after), (status, Some(Duration::ZERO)));
            }
        }
    }
    let (api, asked) = scripted(|_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    assert!(api.cancel_report("x").await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a fault is not repeated");
    let body = r#"{"causes":[{"text":"the audit trail is broken"}]}"#;
    let (api, asked) = scripted(move |_, _| (StatusCode::SERVICE_UNAVAILABLE, body).into_response()).await;
    let error = api.cancel_report("x").await.unwrap_err();
    assert_eq!(error.refusal().unwrap().text, "the audit trail is broken");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "where waiting does not help, the reason is told at once");
    let (api, asked) = scripted(|number, _| {
        let body = format!(r#"{{"causes":[{{"text":"answer {number}"}}]}}"#);
        (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], body).into_response()
    })
    .await;
    let error = api.cancel_report("x").await.unwrap_err();
    assert_eq!(
        (error.refusal().unwrap().text.as_str(), asked.load(Ordering::SeqCst)),
        ("answer 3", 4),
        "the last reason"
    );
}

/// Ten bytes announced; the first answer breaks after four, once the client has them.
#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let arrived = Arc::new(Notify::new());
    let break_now = arrived.clone();
    let (api, asked) = scripted(move |number, request| {
        let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
        match (number, range.as_deref()) {
            (0, None) => {
                let break_now = break_now.clone();
                let broken = stream::once(async move {
                    break_now.notified().await;
                    Err(io::Error::other("told to break"))
                });
                let body = stream::iter([Ok(Bytes::from_static(b"0123"))]).chain(broken);
                ([("content-length", "10"), ("etag", "\"e\"")], Body::from_stream(body)).into_response()
            }
            (1, Some("bytes=4-")) => {
                assert_eq!(request.headers()["if-range"], "\"e\"");
                let part = [("content-range", "bytes 4-9/10"), ("etag", "\"e\"")];
                (StatusCode::PARTIAL_CONTENT, part, "456789").into_response()
            }
            (_, other) => panic!("request {number} asks for {other:?}"),
        }
    })
    .await;
    let (mut into, mut file) = tokio::io::duplex(64);
    let options = DownloadOptions::default();
    let download = async {
        let download = api.get_report("x", &FileFormat::Csv, &options, &mut into).await.unwrap();
        drop(into);
        download
    };
    let read = async {
        let mut content = vec![0; 4];
        file.read_exact(&mut content).await.unwrap();
        arrived.notify_one();
        file.read_to_end(&mut content).await.unwrap();
        content
    };
    let (download, content) = tokio::join!(download, read);
    assert_eq!((content.as_slice(), download.bytes), (&b"0123456789"[..], 10));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_download_with_another_digest_is_damaged() {
    let (api, _) = scripted(|_, _| ([("repr-digest", "sha-256=:AAAA:")], "x").into_response()).await;
    let error = api
        .get_report("x", &FileFormat::Csv, &DownloadOptions::default(), &mut Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_that_start_the_same_report_at_once_get_one_id() {
    let world = World::with(|settings| settings.rate_limit.requests = 1_000).await;
    let url = serve(world.router.clone()).await;
    let gate = Arc::new(tokio::sync::Barrier::new(200));
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (gate, api) = (gate.clone(), api(&url, Credentials::client("client-of-ada", SECRET)));
        starts.spawn(async move {
            gate.wait().await;
            api.start(ReportType::Accounts, &accounts()).await.unwrap().id.unwrap()
        });
    }
    let ids: std::collections::BTreeSet<_> = starts.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}
