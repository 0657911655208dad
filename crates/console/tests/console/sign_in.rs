//! Signing in and out, and what ends a session.

use crate::browser::Browser;
use crate::stub::{Canned, counted, ok, refused};
use serde_json::json;

const SESSION: &str = "__Host-muster-session";

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let browser = Browser::new();
    for page in [
        "/ui/runs",
        "/ui/runs/r1",
        "/ui/runs/r1/files/csv",
        "/ui/runs/r1/evidence",
        "/ui/compare?old=a&new=b",
        "/ui/new",
        "/ui/new/ACCOUNTS",
        "/ui/searches",
        "/ui/schedules",
        "/ui/identities",
        "/ui/sources",
        "/ui/snapshots",
        "/ui/administration",
        "/ui/reports",
        "/ui/reports/ACCOUNTS",
        "/ui/verify",
        "/ui/live?of=runs",
    ] {
        let answer = browser.get(page).await;
        assert_eq!(answer.status, 303, "{page}");
        assert!(answer.header("location").starts_with("/ui/sign-in?next=%2Fui%2F"), "{page}");
    }
    // A POST is not repeated after signing in.
    let answer = browser.post("/ui/runs/r1/cancel", "form-token=x").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/sign-in"));
    assert!(browser.stub.lines().is_empty());
}

#[tokio::test]
async fn a_client_signs_in_and_the_browser_gets_no_token() {
    let browser = Browser::new();
    let form = browser.get("/ui/sign-in?next=%2Fui%2Fsources").await;
    form.has(r#"name="next" value="/ui/sources""#);
    let token = form.form_token();
    let body = format!("form-token={token}&client-id=ann&client-secret=right&next=%2Fui%2Fsources");
    let answer = browser.post("/ui/sign-in", &body).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/sources"));
    assert_eq!(browser.stub.lines(), ["POST /oauth/token", "GET /muster/v1/caller"]);
    let session = browser.cookie(SESSION).unwrap();
    assert_eq!(session.len(), 64);
    let page = browser.get("/ui/sources").await;
    assert_eq!(page.status, 200);
    page.has("ann.user").lacks("t-ann").lacks("right").lacks(&session);
    assert_eq!(browser.stub.asked()[0].authorization, "Bearer t-ann");
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_the_id_is_kept() {
    let browser = Browser::new();
    let token = browser.get("/ui/sign-in").await.form_token();
    let answer =
        browser.post("/ui/sign-in", &format!("form-token={token}&client-id=ann&client-secret=wrong")).await;
    assert_eq!(answer.status, 401);
    answer.has("The client id or the secret is wrong.").has(r#"value="ann""#).lacks("wrong\"");
    assert_eq!(browser.cookie(SESSION), None);
}

#[tokio::test]
async fn an_auditor_whose_access_has_ended_is_told_so() {
    let browser = Browser::new();
    let token = browser.get("/ui/sign-in").await.form_token();
    let form = format!("form-token={token}&client-id=gone&client-secret=right");
    let answer = browser.post("/ui/sign-in", &form).await;
    assert_eq!(answer.status, 400);
    answer.has("access has ended at 2026-01-31");
}

#[tokio::test]
async fn an_auditor_is_offered_what_he_may_see() {
    let browser = Browser::signed_in_as("kim").await;
    let page = browser.get("/ui/new").await;
    page.has("kim.audit").has(r#"href="/ui/snapshots""#);
    page.lacks(r#"href="/ui/schedules""#).lacks(r#"href="/ui/searches""#).lacks(r#"href="/ui/identities""#);
}

#[tokio::test]
async fn only_pages_of_the_console_are_led_to() {
    for next in ["https://evil.example", "%2F%2Fevil.example", "%2Fui%2F%2Fevil", "%2Freports%2Fv1"] {
        let browser = Browser::new();
        let token = browser.get("/ui/sign-in").await.form_token();
        let body = format!("form-token={token}&client-id=ann&client-secret=right&next={next}");
        assert_eq!(browser.post("/ui/sign-in", &body).await.header("location"), "/ui/runs", "{next}");
    }
}

#[tokio::test]
async fn the_form_of_another_site_signs_nobody_in() {
    let browser = Browser::new();
    let token = browser.get("/ui/sign-in").await.form_token();
    let body = format!("form-token={token}&client-id=ann&client-secret=right");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let cross = [kind, ("sec-fetch-site", "cross-site")];
    assert_eq!(browser.ask("POST", "/ui/sign-in", &cross, body.clone()).await.status, 403);
    assert_eq!(browser.post("/ui/sign-in", "client-id=ann&client-secret=right").await.status, 403);
    // Another browser has another cookie.
    let other = Browser::new();
    assert_eq!(other.post("/ui/sign-in", &body).await.status, 403);
    assert!(browser.stub.lines().is_empty() && other.stub.lines().is_empty());
}

#[tokio::test]
async fn signing_out_ends_the_session_for_every_copy_of_the_cookie() {
    let browser = Browser::signed_in().await;
    let session = browser.cookie(SESSION).unwrap();
    let answer = browser.send("/ui/new", "/ui/sign-out", "").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/sign-in"));
    assert_eq!(browser.cookie(SESSION), None);
    browser.set_cookie(SESSION, &session);
    assert_eq!(browser.get("/ui/new").await.status, 303);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_after_eight_hours() {
    let browser = Browser::signed_in().await;
    browser.wait(29 * 60);
    assert_eq!(browser.get("/ui/new").await.status, 200);
    browser.wait(29 * 60);
    assert_eq!(browser.get("/ui/new").await.status, 200);
    browser.wait(30 * 60);
    assert_eq!(browser.get("/ui/new").await.status, 303);
    let browser = Browser::signed_in().await;
    for _ in 0..24 {
        browser.wait(1_199);
        assert_eq!(browser.get("/ui/new").await.status, 200);
    }
    browser.wait(24);
    assert_eq!(browser.get("/ui/new").await.status, 303);
}

#[tokio::test]
async fn live_updates_do_not_keep_a_session_open() {
    let browser = Browser::signed_in().await;
    browser.stub.says("GET /task-status/v1", counted(&json!([]), 0));
    let none = json!({"pending": 0, "running": 0, "success": 0, "warning": 0, "error": 0, "terminated": 0});
    browser.stub.says("GET /muster/v1/task-counts", ok(&none));
    browser.wait(20 * 60);
    assert_eq!(browser.ask("GET", "/ui/runs", &[("hx-request", "true")], String::new()).await.status, 200);
    browser.wait(10 * 60);
    // A script is led to the sign-in page, without the address of a part.
    let answer = browser.ask("GET", "/ui/runs", &[("hx-request", "true")], String::new()).await;
    assert_eq!((answer.status, answer.header("hx-redirect")), (204, "/ui/sign-in"));
}

#[tokio::test]
async fn a_token_that_the_api_refuses_ends_the_session() {
    let browser = Browser::signed_in().await;
    browser
        .stub
        .says("GET /muster/v1/sources", Canned { status: 401, ..ok(&json!({"error": "JWT is expired"})) });
    let answer = browser.get("/ui/sources").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/sign-in?ended=1&next=%2Fui%2Fsources"));
    browser.get("/ui/sign-in?ended=1").await.has("Your session has ended");
    assert_eq!(browser.get("/ui/new").await.header("location"), "/ui/sign-in?next=%2Fui%2Fnew");
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let browser = Browser::new();
    assert_eq!(browser.get("/ui/sign-in/once/other").await.status, 404);
    let answer = browser.get("/ui/sign-in/once/c0de").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/runs"));
    assert!(browser.cookie(SESSION).is_some());
    let again = browser.get("/ui/sign-in/once/c0de").await;
    assert_eq!(again.status, 404);
    again.has("The link has been used already");
}

#[tokio::test]
async fn every_form_asks_for_the_token_of_its_session() {
    let browser = Browser::signed_in().await;
    browser.stub.says("POST /reports/v1/r1/cancel", refused(500, "must not be asked"));
    for (address, form) in [
        ("/ui/runs/r1/cancel", ""),
        ("/ui/runs/r1/cancel", "form-token="),
        ("/ui/runs/r1/cancel", "form-token=00000000000000000000000000000abc"),
        ("/ui/new/ACCOUNTS", "do=run&application=s1"),
        ("/ui/searches/new", "do=keep&name=a&query=b"),
        ("/ui/searches/x/run", ""),
        ("/ui/searches/x/remove", ""),
        ("/ui/schedules/new/ACCOUNTS", "schedule-name=a"),
        ("/ui/schedules/x/run", ""),
        ("/ui/schedules/x/pause", "paused=true"),
        ("/ui/schedules/x/remove", ""),
        ("/ui/administration/notifications/x/again", ""),
        ("/ui/sign-out", ""),
    ] {
        let answer = browser.post(address, form).await;
        assert_eq!(answer.status, 403, "{address} {form}");
        answer.has("Nothing was changed");
    }
    assert!(browser.stub.lines().is_empty());
    assert_eq!(browser.get("/ui/new").await.status, 200);
}
