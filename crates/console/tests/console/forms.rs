//! Forms: what they send to the API, and what they say when it refuses.

use crate::browser::Browser;
use crate::stub::{Canned, counted, ok, refused};
use serde_json::{Value, json};

fn body(browser: &Browser, line: &str) -> Value {
    let asked = browser.stub.asked();
    let found = asked
        .iter()
        .find(|asked| asked.line.starts_with(line))
        .unwrap_or_else(|| panic!("{line} in {asked:?}"));
    serde_json::from_str(&found.body).unwrap()
}

#[tokio::test]
async fn a_report_has_a_form_made_from_its_definition() {
    let browser = Browser::signed_in().await;
    let page = browser.get("/ui/new/ACCOUNTS?application=s2").await;
    page.has(r#"<option value="s2" selected>Active Directory</option>"#)
        .has(r#"<option value="s1">HR</option>"#);
    // The name follows from the choice.
    page.lacks(r#"name="sourceName""#);
    assert_eq!(browser.get("/ui/new/NOTHING").await.status, 404);
}

#[tokio::test]
async fn a_form_starts_a_run() {
    let browser = Browser::signed_in().await;
    browser.stub.says("POST /muster/v1/reports/ACCOUNTS/run", ok(&json!({"id": "r9"})));
    let form = "do=run&application=s2&asOf=2026-03-01";
    let answer = browser.send("/ui/new/ACCOUNTS", "/ui/new/ACCOUNTS", form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/runs/r9?done=started"));
    let expected =
        json!({"arguments": {"application": "s2", "sourceName": "Active Directory"}, "asOf": "2026-03-01"});
    assert_eq!(body(&browser, "POST /muster/v1/reports/ACCOUNTS/run"), expected);
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_written() {
    let browser = Browser::signed_in().await;
    let refusal = refused(400, r#"argument "application" is "s2": expected <b>another</b>"#);
    browser.stub.says("POST /muster/v1/reports/ACCOUNTS/run", refusal);
    let answer =
        browser.send("/ui/new/ACCOUNTS", "/ui/new/ACCOUNTS", "do=run&application=s2&asOf=soon").await;
    assert_eq!(answer.status, 400);
    answer.has("The run was not started").has("&#60;b&#62;another").lacks("<b>another");
    answer.has(r#"<option value="s2" selected>"#).has(r#"value="soon""#).has(r#"aria-invalid="true""#);
    browser.stub.says("POST /muster/v1/reports/ACCOUNTS/run", refused(403, "no right"));
    let answer = browser.send("/ui/new/ACCOUNTS", "/ui/new/ACCOUNTS", "do=run&application=s2").await;
    assert_eq!(answer.status, 403);
    answer.has("no right");
}

#[tokio::test]
async fn a_search_is_previewed_and_its_mistake_is_marked() {
    let browser = Browser::signed_in().await;
    let found = json!([{"_type": "identity", "id": "i1", "name": "<i>ann"}]);
    browser.stub.says("POST /search/v1", counted(&found, 1234));
    let page = "/ui/new/SEARCH_EXPORT";
    let answer = browser.send(page, page, "do=preview&query=name%3Aann").await;
    assert_eq!(answer.status, 200);
    answer.has("<b>1,234</b> documents").has("&#60;i&#62;ann").has(">name:ann</textarea>");
    assert_eq!(
        body(&browser, "POST /search/v1?limit=20&count=true"),
        json!({"query": {"query": "name:ann"}, "indices": ["*"]})
    );
    browser.stub.says("POST /search/v1", refused(400, "query, column 6: expected a term"));
    // A script sends the form without the name of a button.
    let answer = browser.send(page, page, "query=name%3A%28").await;
    answer.has("query, column 6: expected a term").has("name:(\n     ^</pre>");
    browser.stub.says("POST /search/v1", refused(403, "the token lacks the scope sp:search:read"));
    let answer = browser.send(page, page, "query=a").await;
    assert_eq!(answer.status, 200);
    answer.has("Your client may not search, so there is no preview");
}

#[tokio::test]
async fn a_schedule_is_made_paused_and_removed() {
    let browser = Browser::signed_in().await;
    let schedule = json!({
        "id": "c1", "name": "<u>daily", "owner": "ann.user", "clientId": "ann", "reportId": "ACCOUNTS", "arguments": {"application": "s1"},
        "refresh": false, "schedule": {"cron": "0 6 * * *", "timeZoneId": "UTC"}, "notify": [], "paused": false,
        "created": "2026-03-01T00:00:00.000Z", "nextRun": "2026-03-03T06:00:00.000Z",
        "runs": [{"due": "2026-03-02T06:00:00.000Z", "state": "succeeded", "attempts": 1, "taskResultId": "r1"}],
    });
    browser.stub.says("GET /muster/v1/schedules", ok(&json!([schedule])));
    browser.stub.says("GET /muster/v1/schedules/c1", ok(&schedule));
    browser.stub.says("POST /muster/v1/schedules", Canned { status: 201, ..ok(&schedule) });
    browser
        .get("/ui/schedules")
        .await
        .has("&#60;u&#62;daily")
        .has("0 6 * * * (UTC)")
        .has(r#"href="/ui/schedules/c1""#);
    browser.get("/ui/schedules/c1").await.has(r#"href="/ui/runs/r1""#).has("2026-03-03 06:00:00 UTC");
    let form = "schedule-name=daily&schedule-cron=0+6+*+*+*&schedule-zone=&application=s1";
    let page = "/ui/schedules/new/ACCOUNTS";
    let answer = browser.send(page, page, form).await;
    assert_eq!(answer.header("location"), "/ui/schedules/c1?done=saved");
    let expected = json!({
        "name": "daily", "reportId": "ACCOUNTS", "arguments": {"application": "s1", "sourceName": "HR"}, "schedule": {"cron": "0 6 * * *"},
    });
    assert_eq!(body(&browser, "POST /muster/v1/schedules"), expected);
    browser.stub.says("PATCH /muster/v1/schedules/c1", ok(&schedule));
    let answer = browser.send("/ui/schedules/c1", "/ui/schedules/c1/pause", "paused=true").await;
    assert_eq!(answer.header("location"), "/ui/schedules/c1?done=paused");
    assert_eq!(body(&browser, "PATCH /muster/v1/schedules/c1"), json!({"paused": true}));
    browser.stub.says(
        "DELETE /muster/v1/schedules/c1",
        Canned { status: 204, headers: Vec::new(), body: String::new() },
    );
    browser.get("/ui/schedules/c1/remove").await.has("Remove the schedule &#60;u&#62;daily?");
    let answer = browser.send("/ui/schedules/c1/remove", "/ui/schedules/c1/remove", "").await;
    assert_eq!(answer.header("location"), "/ui/schedules?done=removed");
    assert_eq!(browser.stub.lines(), ["DELETE /muster/v1/schedules/c1"]);
}

#[tokio::test]
async fn a_search_is_kept_and_executed() {
    let browser = Browser::signed_in().await;
    let search = json!({
        "id": "q1", "name": "<u>leavers", "query": "a:b", "indices": ["identities"], "owner": {"type": "IDENTITY", "id": "i9"},
        "columns": {"identity": [{"field": "email"}]},
    });
    browser.stub.says("GET /saved-searches/v1", counted(&json!([search]), 1));
    browser.stub.says("GET /saved-searches/v1/q1", ok(&search));
    browser.stub.says("POST /search/v1", counted(&json!([]), 0));
    browser.stub.says("POST /saved-searches/v1", Canned { status: 201, ..ok(&search) });
    browser.get("/ui/searches").await.has("&#60;u&#62;leavers").has(r#"href="/ui/searches/q1""#);
    let page = browser.get("/ui/searches/q1").await;
    page.has("<b>0</b> documents").has(r#"href="/ui/new/SEARCH_EXPORT?"#).has("Columns of identity");
    let form = "do=keep&name=leavers&query=a%3Ab&indices=identities&indices=roles";
    let answer = browser.send("/ui/searches/new", "/ui/searches/new", form).await;
    assert_eq!(answer.header("location"), "/ui/searches/q1?done=saved");
    let expected = json!({"name": "leavers", "query": "a:b", "indices": ["identities", "roles"]});
    assert_eq!(body(&browser, "POST /saved-searches/v1"), expected);
    browser.stub.says(
        "POST /saved-searches/v1/q1/execute",
        Canned { status: 202, headers: Vec::new(), body: String::new() },
    );
    let answer = browser.send("/ui/searches/q1", "/ui/searches/q1/run", "").await;
    assert_eq!(answer.header("location"), "/ui/runs?done=executed");
    assert_eq!(
        body(&browser, "POST /saved-searches/v1/q1/execute"),
        json!({"owner": {"type": "IDENTITY", "id": "i9"}})
    );
}

#[tokio::test]
async fn forms_have_a_size_and_an_encoding() {
    let browser = Browser::signed_in().await;
    let token = browser.get("/ui/new").await.form_token();
    let large = format!("form-token={token}&query={}", "a".repeat(256 * 1024));
    let answer = browser.post("/ui/new/SEARCH_EXPORT", &large).await;
    assert_eq!(answer.status, 400);
    answer.has("larger than 256 KiB");
    let kind = [("content-type", "application/json")];
    assert_eq!(browser.ask("POST", "/ui/new/SEARCH_EXPORT", &kind, "{}".into()).await.status, 400);
}

/// What is wrong has the line and what the line says. Keeping leads to the versions.
#[tokio::test]
async fn a_definition_is_checked_before_it_is_kept() {
    let browser = Browser::signed_in().await;
    let page = "/ui/definitions";
    browser.get("/ui/reports").await.has(r#"href="/ui/definitions""#);
    browser.get(page).await.has("id = &#34;MY_REPORT&#34;").lacks("@ID@");
    let route = "POST /muster/v1/report-definitions";
    let fault = json!({"faults": [{"key": "row", "line": 2, "reason": "<b>is empty"}]});
    browser.stub.says(route, ok(&fault));
    let text = "id+%3D+%22A%22%0D%0A++row+%3D+%22%22%0D%0A";
    let answer = browser.send(page, page, &format!("do=check&text={text}")).await;
    answer
        .has("What is wrong")
        .has("&#60;b&#62;is empty")
        .has("<code class=\"quiet\">row = &#34;&#34;</code>");
    assert_eq!(body(&browser, route), json!({"text": "id = \"A\"\n  row = \"\"\n", "checkOnly": true}));
    browser.stub.says(route, ok(&json!({"faults": []})));
    browser.send(page, page, "do=check&text=x").await.has("Nothing is wrong with it. It is not kept yet.");
    let kept = json!({"id": "A B", "version": 2, "added": "2026-03-01T00:00:00.000Z", "addedBy": "ann", "sha256": "s", "text": "<i>"});
    browser.stub.says(route, Canned { status: 201, ..ok(&kept) });
    let answer = browser.send(page, page, "do=keep&text=x").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/definitions/A%20B?done=kept"));
    browser.stub.says(route, refused(400, "version is 2: expected more than 2"));
    let answer = browser.send(page, page, "do=keep&text=x").await;
    assert_eq!(answer.status, 400);
    answer.has("The definition was not kept: version is 2: expected more than 2").has(">\nx</textarea>");
    browser.stub.says("GET /muster/v1/report-definitions/A%20B", ok(&json!([kept])));
    let versions = browser.get("/ui/definitions/A%20B?done=kept").await;
    versions.has("The definition is kept.").has("Version 2").has("&#60;i&#62;").lacks("<i>");
    versions.has(r#"href="/ui/definitions?of=A%20B""#);
    browser.get("/ui/definitions?of=A%20B").await.has("&#60;i&#62;</textarea>");
    browser.get("/ui/definitions/A%20B/remove").await.has("Remove the report A B?");
    // An application defines no reports.
    let browser = Browser::signed_in_as("app").await;
    browser.get("/ui/reports").await.lacks(r#"href="/ui/definitions""#);
}

#[tokio::test]
async fn fields_are_offered_for_a_query() {
    let browser = Browser::signed_in().await;
    let fields = json!([{"index": "identities", "fields": ["attributes.<b>", "name"]}]);
    browser.stub.says("GET /muster/v1/search-fields", ok(&fields));
    for page in ["/ui/new/SEARCH_EXPORT", "/ui/searches/new"] {
        browser.get(page).await.has("<code>attributes.&#60;b&#62;</code>").has("data-suggested");
    }
    browser.get("/ui/new/ACCOUNTS").await.lacks("data-suggested");
    browser.stub.says("GET /muster/v1/search-fields", refused(404, "there is no snapshot"));
    browser.get("/ui/searches/new").await.lacks("data-suggested").has("New saved search");
}
