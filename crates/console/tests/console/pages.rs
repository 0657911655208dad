//! Pages, from what the API answers.

use crate::browser::Browser;
use crate::stub::{Canned, counted, ok, refused, task};
use serde_json::json;

/// A name that would be markup and script.
const HOSTILE: &str = r#"<script>alert("1")</script>"#;
const HOSTILE_AS_TEXT: &str = "&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;";

#[tokio::test]
async fn the_api_is_as_it_was() {
    let browser = Browser::new();
    for line in ["GET /muster/v1/nothing", "POST /", "GET /uix", "GET //", "DELETE /reports/v1/x"] {
        let (method, address) = line.split_once(' ').unwrap();
        let answer = browser.ask(method, address, &[], String::new()).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"), "{line}");
        assert_eq!(answer.header("content-security-policy"), "", "{line}");
        assert_eq!(browser.stub.lines(), [line]);
    }
    let answer = browser.get("/").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/runs"));
}

#[tokio::test]
async fn every_answer_of_the_console_has_a_strict_policy() {
    let browser = Browser::signed_in().await;
    let strict = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
        form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for page in ["/ui/new", "/ui/nothing", "/ui/sign-in"] {
        let answer = browser.get(page).await;
        assert_eq!(answer.header("content-security-policy"), strict, "{page}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.lacks("<style").lacks(" style=").lacks(" onclick").lacks("javascript:");
        assert_eq!(
            answer.body.matches("<script").count(),
            answer.body.matches("<script src=\"/ui/assets/").count()
        );
    }
}

#[tokio::test]
async fn assets_are_kept_by_browsers_under_the_digest_of_their_content() {
    let browser = Browser::new();
    let page = browser.get("/ui/sign-in").await;
    let mut found = 0;
    for part in page.body.split('"').filter(|part| part.starts_with("/ui/assets/")) {
        let asset = browser.get(part).await;
        assert_eq!(
            (asset.status, asset.header("cache-control")),
            (200, "public, max-age=31536000, immutable")
        );
        let (_, name) = part.rsplit_once('/').unwrap();
        assert_eq!(browser.get(&format!("/ui/assets/0000000000000000/{name}")).await.status, 404);
        found += 1;
    }
    assert_eq!(found, 4);
    assert!(browser.stub.lines().is_empty());
}

#[tokio::test]
async fn runs_are_listed_with_their_counts() {
    let browser = Browser::signed_in().await;
    browser.stub.says(
        "GET /task-status/v1",
        counted(&json!([task("r1", HOSTILE, Some("WARNING")), task("r2", "B", None)]), 120),
    );
    let counts =
        json!({"pending": 1, "running": 2, "success": 500, "warning": 7, "error": 120, "terminated": 0});
    browser.stub.says("GET /muster/v1/task-counts", ok(&counts));
    let page = browser.get("/ui/runs?state=failed&launcher=a%22b&page=2").await;
    page.has(HOSTILE_AS_TEXT).lacks(HOSTILE).has("With warnings").has("Running").has("href=\"/ui/runs/r1\"");
    // 2.5 s from its begin to its end; 500 rows.
    page.has("2.5 s").has(">500<").has("500 of 2000 rows written").has(r#"<progress value="25" max="100""#);
    page.has("2026-03-02 09:00:00 UTC").has(r#"<time datetime="2026-03-02T09:00:00Z">"#);
    page.has(r#"href="/ui/runs?state=failed&#38;launcher=a%22b&#38;page=3""#);
    let failed = "filters=completionStatus%20eq%20%22ERROR%22%20and%20launcher%20eq%20%22a%5C%22b%22";
    let lines = browser.stub.lines();
    let expected = [
        "GET /muster/v1/reports".to_owned(),
        format!("GET /task-status/v1?limit=50&offset=50&count=true&{failed}"),
        "GET /muster/v1/task-counts?filters=launcher%20eq%20%22a%5C%22b%22".to_owned(),
    ];
    assert_eq!(lines, expected);
    page.has("All <span class=\"count\">630</span>").has("Waiting or running <span class=\"count\">3</span>");
}

#[tokio::test]
async fn who_may_not_read_the_list_of_tasks_sees_the_last_results() {
    let results = json!([{"id": "r1", "taskDefName": "Account Export", "status": "FAILURE", "created": "2026-03-02T09:00:00.000Z"}]);
    // An application without the scope is not refused: the list is not asked for.
    let browser = Browser::signed_in_as("app").await;
    browser.stub.says("GET /muster/v1/results", ok(&results));
    browser.get("/ui/runs").await.has("Account Export").has("Failed").has("You see the last 100 runs");
    assert_eq!(browser.stub.lines(), ["GET /muster/v1/reports", "GET /muster/v1/results"]);
    // A user whose level may not is.
    let browser = Browser::signed_in().await;
    browser.stub.says("GET /task-status/v1", refused(403, "no level"));
    browser.stub.says("GET /muster/v1/results", ok(&results));
    browser.get("/ui/runs").await.has("Account Export").has("You see the last 100 runs");
}

#[tokio::test]
async fn the_menu_offers_what_the_scopes_permit() {
    let browser = Browser::signed_in().await;
    browser.get("/ui/nothing").await.has(r#"href="/ui/searches""#).has(r#"href="/ui/identities""#);
    // It has sp:report:manage and is nobody's.
    let browser = Browser::signed_in_as("app").await;
    let page = browser.get("/ui/nothing").await;
    page.has(r#"href="/ui/new""#).has(r#"href="/ui/schedules""#);
    page.lacks(r#"href="/ui/searches""#).lacks(r#"href="/ui/identities""#);
}

#[tokio::test]
async fn a_run_shows_its_cover_and_its_files() {
    let browser = Browser::signed_in().await;
    let details = json!({
        "id": "r1", "reportType": "ACCOUNTS", "taskDefName": "Account Export", "launcher": HOSTILE,
        "created": "2026-03-02T09:00:00.000Z", "launched": "2026-03-02T09:00:01.000Z",
        "completed": "2026-03-02T09:01:05.000Z", "completionStatus": "WARNING", "progress": "37 of 37 rows written",
        "messages": [{"type": "WARN", "warning": true, "error": false, "key": "source_stale", "localizedText": "old data"}],
        "attributes": {},
    });
    let cover = json!({
        "arguments": {"application": "s1", "sourceName": "HR"}, "snapshot": {"id": "snap", "created": "2026-03-01T00:00:00Z", "sources": []},
        "reconciliation": {"population": 40, "excluded": [{"label": "gone", "rows": 3}], "expected": 37, "reported": 37, "subtotals": []},
        "files": [{"name": "a.csv", "format": "CSV", "bytes": 2500, "rows": 37, "sha256": "abcd"}],
        "effectiveQuery": "SELECT 1", "howToVerify": "Compute the digest.",
    });
    browser.stub.says("GET /muster/v1/reports/r1/result", ok(&details));
    browser.stub.says("GET /reports/v1/r1/cover", ok(&cover));
    browser.stub.says(
        "GET /muster/v1/results",
        ok(&json!([
            {"id": "r2", "taskDefName": "Account Export", "availableFormats": ["CSV"]},
            {"id": "r1", "taskDefName": "Account Export", "availableFormats": ["CSV"]},
            {"id": "r0", "taskDefName": "Account Export", "availableFormats": ["CSV"], "rows": 36},
            {"id": "q0", "taskDefName": "Identities", "availableFormats": ["CSV"]},
        ])),
    );
    let page = browser.get("/ui/runs/r1").await;
    page.has(HOSTILE_AS_TEXT).lacks(HOSTILE).has("old data").has("source_stale");
    page.has("1 min 4 s").has("The two counts agree").has(">40<").has(">37<").has("2.5 KB").has("abcd");
    page.has(r#"href="/ui/runs/r1/files/csv""#).has(r#"href="/ui/runs/r1/evidence""#);
    page.has(r#"href="/ui/new/ACCOUNTS?application=s1&#38;sourceName=HR""#);
    // Earlier runs of the same report only.
    page.has(r#"<option value="r0">"#).lacks(r#"value="r2""#).lacks(r#"value="q0""#);
    // It has ended.
    page.lacks("/ui/runs/r1/cancel").lacks("data-live=");
}

#[tokio::test]
async fn a_run_in_progress_can_be_cancelled_after_a_question() {
    let browser = Browser::signed_in().await;
    let details = json!({
        "id": "r1", "reportType": "ACCOUNTS", "taskDefName": "Account Export", "created": "2026-03-02T08:59:00.000Z",
        "launched": "2026-03-02T08:59:50.000Z", "completed": null, "progress": "500 of 2000 rows written", "attributes": {},
    });
    browser.stub.says("GET /muster/v1/reports/r1/result", ok(&details));
    let page = browser.get("/ui/runs/r1").await;
    // 500 rows in 10 s, 1,500 to go.
    page.has("about 30.0 s left")
        .has(r#"<progress value="500" max="2000""#)
        .has(r#"data-live="/ui/live?of=run&#38;id=r1""#);
    page.has("The files are published when the run has ended.");
    browser.get("/ui/runs/r1/cancel").await.has("Cancel the run of Account Export?");
    browser
        .stub
        .says("POST /reports/v1/r1/cancel", Canned { status: 204, headers: Vec::new(), body: String::new() });
    let answer = browser.send("/ui/runs/r1/cancel", "/ui/runs/r1/cancel", "").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/runs/r1?done=cancelled"));
    assert_eq!(browser.stub.lines(), ["POST /reports/v1/r1/cancel"]);
    browser.get("/ui/runs/r1?done=cancelled").await.has("The run is cancelled.");
    // An application may not cancel.
    let browser = Browser::signed_in_as("app").await;
    browser.stub.says("GET /muster/v1/reports/r1/result", ok(&details));
    browser.get("/ui/runs/r1").await.lacks("/cancel");
}

#[tokio::test]
async fn a_file_is_passed_through_and_recorded() {
    let browser = Browser::signed_in().await;
    let headers = vec![
        ("content-type", "application/csv".to_owned()),
        ("content-disposition", "attachment; filename=a.csv".to_owned()),
        ("etag", "\"e\"".to_owned()),
        ("set-cookie", "x=y".to_owned()),
        ("server-timing", "x".to_owned()),
    ];
    browser
        .stub
        .says("GET /muster/v1/reports/r1/files/csv", Canned { status: 206, headers, body: "a,b".into() });
    let answer = browser.ask("GET", "/ui/runs/r1/files/csv", &[("range", "bytes=0-2")], String::new()).await;
    assert_eq!((answer.status, answer.body.as_str()), (206, "a,b"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=a.csv");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!((answer.header("etag"), answer.header("server-timing")), ("\"e\"", ""));
    assert_eq!(browser.stub.lines(), ["GET /muster/v1/reports/r1/files/csv?auditable=true"]);
    browser.stub.says("GET /muster/v1/reports/r1/files/pdf", refused(404, "the result has no PDF"));
    let answer = browser.get("/ui/runs/r1/files/pdf").await;
    assert_eq!(answer.status, 404);
    answer.has("the result has no PDF");
}

#[tokio::test]
async fn ids_cannot_lead_to_other_routes() {
    let browser = Browser::signed_in().await;
    assert_eq!(browser.get("/ui/runs/..%2F..%2Fsources/files/csv").await.status, 404);
    assert_eq!(browser.stub.lines(), ["GET /muster/v1/reports/..%2F..%2Fsources/files/csv?auditable=true"]);
    assert_eq!(browser.get("/ui/schedules/%2e%2e").await.status, 404);
    assert!(browser.stub.lines().iter().all(|line| line == "GET /muster/v1/schedules/%2E%2E"));
}

#[tokio::test]
async fn refusals_are_pages_in_words() {
    let browser = Browser::signed_in().await;
    let limited = Canned {
        status: 429,
        headers: vec![("retry-after", "7".into())],
        body: r#"{"message":" Rate Limit Exceeded "}"#.into(),
    };
    for (canned, words) in [
        (refused(404, "nothing here"), "The service does not have this."),
        (refused(403, "the token lacks the scope x"), "Your account may not do this."),
        (limited, "Try again in 7 s."),
        (refused(500, "An internal fault occurred."), "The service has failed to answer."),
        (refused(503, "busy"), "The service cannot answer this now."),
    ] {
        let status = canned.status;
        browser.stub.says("GET /muster/v1/snapshots", canned);
        let answer = browser.get("/ui/snapshots").await;
        assert_eq!(answer.status, status);
        answer.has(words).has("Go to Runs");
    }
    browser.stub.says("GET /muster/v1/snapshots", refused(500, HOSTILE));
    browser
        .get("/ui/snapshots")
        .await
        .has(HOSTILE_AS_TEXT)
        .has("Tracking id: <code>0123</code>")
        .lacks(HOSTILE);
    browser.stub.says("GET /muster/v1/snapshots", Canned { body: "<html>".into(), ..ok(&json!([])) });
    assert_eq!(browser.get("/ui/snapshots").await.status, 502);
    let answer = browser.get("/ui/nothing").await;
    assert_eq!(answer.status, 404);
    answer.has("There is no page at this address.");
    assert_eq!(browser.ask("DELETE", "/ui/runs", &[], String::new()).await.status, 405);
}

#[tokio::test]
async fn sources_and_snapshots_are_shown() {
    let browser = Browser::signed_in().await;
    browser.stub.says("GET /muster/v1/sources", ok(&json!([{
        "id": "s1", "name": HOSTILE, "kind": "delimited", "authoritative": true, "ended": "2026-02-28T09:00:00Z",
        "complete": false, "remark": "it broke off", "warnings": [], "reportedTotal": 1200, "read": 1100, "rejected": 4,
    }])));
    let page = browser.get("/ui/sources").await;
    page.has(r#"href="/ui/sources/s1#refused""#);
    page.has(HOSTILE_AS_TEXT).has("Incomplete").has("it broke off").has("2 days ago");
    page.has("The source reported 1,200 records, 1,100 were read.");
    browser.stub.says("GET /muster/v1/snapshots", ok(&json!([
        {"id": "b", "created": "2026-03-01T00:00:00Z", "rows": {"accounts": 110, "identities": 50}, "bytes": 2000, "pin": {"by": "ada", "reason": "audit"}},
        {"id": "a", "created": "2026-02-01T00:00:00Z", "rows": {"accounts": 100, "identities": 50}, "expired": "2026-02-20T00:00:00Z"},
    ])));
    browser
        .get("/ui/snapshots")
        .await
        .has("+10")
        .has("Pinned")
        .has("ada: audit")
        .has("Expired")
        .has("2.0 KB");
}

#[tokio::test]
async fn a_source_shows_the_records_that_were_refused() {
    let browser = Browser::signed_in().await;
    let source = json!({
        "id": "s/1", "name": HOSTILE, "kind": "delimited", "authoritative": false, "ended": "2026-02-28T09:00:00Z",
        "complete": true, "warnings": [], "reportedTotal": 1100, "read": 1100, "loaded": 1096, "rejected": 4,
    });
    browser.stub.says("GET /muster/v1/sources", ok(&json!([source])));
    let records = json!([
        {"line": 7, "nativeIdentity": HOSTILE, "reason": "the date is \"soon\""},
        {"line": 0, "reason": "the record has no name"},
    ]);
    browser.stub.says("GET /muster/v1/sources/s%2F1/refused-records", counted(&records, 4));
    let page = browser.get("/ui/sources/s%2F1").await;
    page.lacks(HOSTILE).has("<td class=\"number\">7</td>").has(&format!("<code>{HOSTILE_AS_TEXT}</code>"));
    page.has("the date is &#34;soon&#34;").has("The first 2 of 4.").has("1,096");
    page.has(r#"href="/ui/new/REFUSED_RECORDS?source=s%2F1""#);
    assert_eq!(browser.get("/ui/sources/nothing").await.status, 404);
    // Who may not search is not asked for: the audit trail would record a refusal of what nobody asked for.
    let browser = Browser::signed_in_as("app").await;
    browser.stub.says("GET /muster/v1/sources", ok(&json!([source])));
    browser.get("/ui/sources/s%2F1").await.has("your client may not search").lacks("soon");
    assert_eq!(browser.stub.lines(), ["GET /muster/v1/sources"]);
}

#[tokio::test]
async fn a_run_shows_who_downloaded_it() {
    let browser = Browser::signed_in().await;
    let details = json!({
        "id": "r1", "reportType": "ACCOUNTS", "taskDefName": "Account Export", "launcher": "ann",
        "created": "2026-03-02T09:00:00.000Z", "launched": "2026-03-02T09:00:01.000Z",
        "completed": "2026-03-02T09:00:05.000Z", "completionStatus": "SUCCESS", "messages": [], "attributes": {},
    });
    let cover = json!({"completed": "2026-03-02T09:00:04.000Z", "reconciliation": {"reported": 37}, "snapshot": {}, "files": []});
    browser.stub.says("GET /muster/v1/reports/r1/result", ok(&details));
    browser.stub.says("GET /reports/v1/r1/cover", ok(&cover));
    browser.stub.says("GET /muster/v1/results", ok(&json!([])));
    let event = |sequence: u64, operation: &str| {
        json!({
            "sequence": sequence, "at": format!("2026-03-02T10:00:{sequence:02}.000Z"), "operation": operation, "who": HOSTILE,
            "client": "c", "task": "r1", "about": "Account Export", "details": "", "hash": "h",
        })
    };
    let mut events: Vec<_> = (3..10).rev().map(|sequence| event(sequence, "download")).collect();
    events.push(event(2, "ended"));
    browser.stub.says("GET /muster/v1/audit-events", ok(&json!({"last": 9, "backlog": 0, "events": events})));
    let page = browser.get("/ui/runs/r1").await;
    page.has("<b>Written and counted</b>").has("37 rows").has("<b>Published</b>").lacks(HOSTILE);
    // Seven downloads, of which the last five are shown in their order.
    page.has(&format!("by {HOSTILE_AS_TEXT}; 2 times before"));
    assert_eq!(page.body.matches("<b>Downloaded</b>").count(), 5);
    let place = |text: &str| page.body.find(text).expect(text);
    assert!(place("10:00:05 UTC") < place("10:00:09 UTC"));
    page.lacks("10:00:04 UTC");
    assert!(browser.stub.lines().contains(&"GET /muster/v1/audit-events?task=r1&limit=250".to_owned()));
}

#[tokio::test]
async fn an_identity_shows_its_accounts_and_what_changed() {
    let browser = Browser::signed_in().await;
    browser.stub.says("GET /search/v1/identities/i1", ok(&json!({
        "id": "i1", "displayName": HOSTILE, "email": "a@example.com", "attributes": {"city": "Rome"},
        "accounts": [{"source": {"name": "AD"}, "accountId": "CN=a", "disabled": true}],
        "access": [{"id": "e1", "type": "ENTITLEMENT", "name": "Admins", "source": {"name": "AD"}, "attribute": "memberOf", "value": "CN=Admins"}],
    })));
    browser.stub.says("GET /historical-identities/v1/i1/events", ok(&json!([
        {"eventType": "AccessItemRemoved", "accessItemType": "role", "dateTime": "2026-03-01T00:00:00.000Z", "accessItem": {"displayName": "Auditor"}},
    ])));
    browser.stub.says("GET /historical-identities/v1/i1/start-date", ok(&json!("2026-01-01T00:00:00.000Z")));
    let page = browser.get("/ui/identities/i1").await;
    page.has(HOSTILE_AS_TEXT)
        .lacks(HOSTILE)
        .has("Rome")
        .has("CN=a")
        .has("Disabled")
        .has("memberOf = CN=Admins");
    // The stub answers both questions about events alike; there is no gain of e1 in it.
    page.has("the first kept snapshot, or before")
        .has("Lost")
        .has("role Auditor")
        .has("2026-01-01 00:00:00 UTC");
    browser.stub.says("GET /historical-identities/v1/i1/events", refused(403, "the token lacks the scope y"));
    browser
        .get("/ui/identities/i1")
        .await
        .has("The history is not shown: the token lacks the scope y")
        .has("CN=a");
}

#[tokio::test]
async fn two_runs_are_compared() {
    let browser = Browser::signed_in().await;
    browser.stub.says(
        "GET /muster/v1/reports/a/compare/b.json",
        ok(&json!({
            "old": "a", "new": "b", "keys": ["id"], "added": 1234, "removed": 2, "changed": 3, "unchanged": 4,
            "columnsAdded": ["x"], "columnsRemoved": [],
        })),
    );
    for id in ["a", "b"] {
        let run = json!({"id": id, "taskDefName": "Identities", "created": "2026-03-01T00:00:00.000Z", "launcher": "ann"});
        browser.stub.says(&format!("GET /muster/v1/reports/{id}/result"), ok(&run));
    }
    let page = browser.get("/ui/compare?old=a&new=b").await;
    page.has("1,234").has("Columns that only the later run has: x.").has(r#"href="/ui/compare/a/b/html""#);
    let headers = vec![
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("content-security-policy", "default-src 'none'".to_owned()),
    ];
    browser.stub.says(
        "GET /muster/v1/reports/a/compare/b.html",
        Canned { status: 200, headers, body: "<p>made".into() },
    );
    let made = browser.get("/ui/compare/a/b/html").await;
    // The API's page keeps its own policy.
    assert_eq!(
        (made.body.as_str(), made.header("content-security-policy")),
        ("<p>made", "default-src 'none'")
    );
    assert_eq!(browser.get("/ui/compare/a/b/exe").await.status, 404);
}

#[tokio::test]
async fn a_stream_says_that_something_changed_and_ends_with_the_run() {
    let browser = Browser::signed_in().await;
    let ended = json!({"id": "r1", "completed": "2026-03-02T09:00:00.000Z"});
    browser.stub.says("GET /muster/v1/reports/r1/result", ok(&ended));
    let stream = browser.get("/ui/live?of=run&id=r1").await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(stream.body, "event: last\ndata: 1\n\n");
    assert_eq!(browser.get("/ui/live?of=other").await.status, 404);
    // A service that stops holds no stream open.
    browser.stopping.cancel();
    assert_eq!(browser.get("/ui/live?of=runs").await.body, "");
}
