//! The console in front of the true API: rights, data scopes and the audit trail hold for pages.

use crate::world::{Answer, SECRET, World};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use http_body_util::BodyExt;
use muster_console::{ConsoleSettings, NoIssuers, is_page, with_console};
use muster_http::route_table;
use muster_reports::Caller;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_reports::ids::ClientId;
use muster_reports::ports::{AuditTrail, Clock};
use muster_testkit::build;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tower::ServiceExt;

const HR: &str = "2c9180897e7742b2017e781782f70500";

fn console(world: &World) -> Router {
    let (clock, made) = (world.clock.clone(), AtomicU64::new(0));
    let settings = ConsoleSettings {
        now: Arc::new(move || clock.now()),
        fresh: Arc::new(move || format!("{:032x}", made.fetch_add(1, Ordering::SeqCst) + 1)),
        idle: TimeDelta::minutes(30),
        longest: TimeDelta::hours(8),
        page_timeout: Duration::from_secs(30),
        stopping: tokio_util::sync::CancellationToken::new(),
        issuers: Arc::new(NoIssuers),
        one_time: None,
    };
    with_console(world.router.clone(), settings)
}

async fn ask(router: &Router, line: &str, cookies: &str, form: &str) -> Answer {
    let (method, address) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(address).header("host", "localhost");
    let request =
        request.header("cookie", cookies).header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(Body::from(form.to_owned())).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The token of a page's forms.
fn form_token(page: &Answer) -> String {
    let text = page.text();
    text.split(r#"name="form-token" value=""#).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Signs in, and gives back the cookie of the session.
async fn sign_in(router: &Router, client: &str) -> String {
    let token = form_token(&ask(router, "GET /ui/sign-in", "", "").await);
    let form = format!("form-token={token}&client-id={client}&client-secret={SECRET}");
    let answer = ask(router, "POST /ui/sign-in", &format!("__Host-muster-sign-in={token}"), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[test]
fn no_route_of_the_api_is_a_page() {
    for route in route_table() {
        assert!(!is_page(&route.path), "{}", route.path);
    }
}

#[tokio::test]
async fn unknown_paths_are_answered_as_without_a_console() {
    let world = World::new().await;
    let router = console(&world);
    for line in ["GET /uix", "GET /reports", "POST /", "GET /muster/v1/nothing"] {
        let answer = ask(&router, line, "", "").await;
        assert_eq!(answer.status, 404, "{line}");
        assert_eq!(answer.json()["detailCode"], "404 Not found", "{line}");
    }
}

#[tokio::test]
async fn a_report_is_started_read_and_downloaded_on_record() {
    let world = World::new().await;
    let router = console(&world);
    let cookie = sign_in(&router, build::user().client.as_str()).await;
    let form = ask(&router, "GET /ui/new/ACCOUNTS", &cookie, "").await;
    assert!(form.text().contains(&format!(r#"<option value="{HR}">HR</option>"#)), "{}", form.text());
    let sent = format!("form-token={}&do=run&application={HR}", form_token(&form));
    let started = ask(&router, "POST /ui/new/ACCOUNTS", &cookie, &sent).await;
    assert_eq!(started.status, 303, "{}", started.text());
    let run = started.header("location").split('?').next().unwrap().to_owned();
    assert!(ask(&router, &format!("GET {run}"), &cookie, "").await.text().contains("Waiting"));
    world.finish(b"a,b\r\n1,2\r\n", Vec::new()).await;
    let page = ask(&router, &format!("GET {run}"), &cookie, "").await;
    assert!(page.text().contains("Succeeded"), "{}", page.text());
    let runs = ask(&router, "GET /ui/runs", &cookie, "").await;
    assert!(runs.text().contains("Succeeded") && runs.text().contains(&run), "{}", runs.text());
    let before = world.store.events(&build::tenant(), 0, 100).await.unwrap().len();
    let file = ask(&router, &format!("GET {run}/files/csv"), &cookie, "").await;
    assert_eq!((file.status.as_u16(), file.text().as_str()), (200, "a,b\r\n1,2\r\n"));
    assert_eq!(world.store.events(&build::tenant(), 0, 100).await.unwrap().len(), before + 1);
}

#[tokio::test]
async fn rights_and_data_scopes_hold_for_pages() {
    let world = World::new().await;
    let people = Caller {
        client: ClientId::new("of-people"),
        data_scope: DataScope::of_sources([HR]).unwrap(),
        ..build::user_with(Scope::All, UserLevel::SourceAdmin)
    };
    let reader =
        Caller { client: ClientId::new("reader"), ..build::user_with(Scope::ReportRead, UserLevel::User) };
    for caller in [&people, &reader] {
        world.credential((*caller).clone(), true).await;
    }
    let router = console(&world);
    let cookie = sign_in(&router, "of-people").await;
    let sources = ask(&router, "GET /ui/sources", &cookie, "").await.text();
    assert!(sources.contains("HR") && !sources.contains("Active Directory"), "{sources}");
    let cookie = sign_in(&router, "reader").await;
    assert!(ask(&router, "GET /ui/runs", &cookie, "").await.text().contains("You see the last 100 runs"));
    let token = form_token(&ask(&router, "GET /ui/new/IDENTITIES", &cookie, "").await);
    let refused =
        ask(&router, "POST /ui/new/IDENTITIES", &cookie, &format!("form-token={token}&do=run")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("the token lacks the scope sp:report:manage"), "{}", refused.text());
    // When the access token is refused, the session ends.
    world.clock.advance(TimeDelta::hours(12));
    let answer = ask(&router, "GET /ui/runs", &cookie, "").await;
    assert_eq!(answer.header("location"), "/ui/sign-in?next=%2Fui%2Fruns");
}
