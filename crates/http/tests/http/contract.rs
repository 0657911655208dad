//! The four operations, word for word.

use crate::world::{ACCOUNTS, Header, World};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::ids::TenantId;
use muster_reports::message::Message;
use muster_testkit::build;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const PREFIXES: [&str; 5] =
    ["/v3/reports", "/v2024/reports", "/v2025/reports", "/v2026/reports", "/reports/v1"];

#[tokio::test]
async fn the_answer_of_a_start_has_every_published_field() {
    let world = World::new().await;
    let answer = world.ask_as_user("POST /v2024/reports/run", ACCOUNTS).await;
    assert_eq!(answer.status, 200);
    let mut body = answer.json();
    let definition = body["attributes"]["taskDefinitionId"].take();
    assert_eq!(definition.as_str().map(str::len), Some(32));
    assert_eq!(
        body,
        json!({
            "type": "QUARTZ",
            "id": "00000000000000000000000000000001",
            "reportType": "ACCOUNTS",
            "taskDefName": "Account Export",
            "description": "Accounts of one source with their owners.",
            "parentName": null,
            "launcher": "ada.lovelace",
            "created": "2026-03-02T09:00:00.000Z",
            "launched": null,
            "completed": null,
            "messages": [],
            "returns": [],
            "attributes": {"org": "acme-org", "taskDefinitionId": null},
            "progress": "Initializing...",
        })
    );
}

#[tokio::test]
async fn a_report_is_started_polled_and_downloaded_under_every_prefix() {
    for prefix in PREFIXES {
        for slash in ["", "/"] {
            let world = World::new().await;
            let started = world.ask_as_user(&format!("POST {slash}{prefix}/run"), ACCOUNTS).await;
            let id = started.json()["id"].as_str().unwrap().to_owned();
            let running = world.ask_as_user(&format!("GET {slash}{prefix}/{id}/result"), "").await;
            assert_eq!(
                running.json(),
                json!({
                    "reportType": "ACCOUNTS",
                    "taskDefName": "Account Export",
                    "id": id,
                    "created": "2026-03-02T09:00:00.000Z",
                })
            );
            world.finish(b"id\r\n1\r\n", Vec::new()).await;
            let ended =
                world.ask_as_user(&format!("GET {slash}{prefix}/{id}/result?completed=True"), "").await;
            assert_eq!(
                ended.json(),
                json!({
                    "reportType": "ACCOUNTS",
                    "taskDefName": "Account Export",
                    "id": id,
                    "created": "2026-03-02T09:00:00.000Z",
                    "status": "SUCCESS",
                    "duration": 342,
                    "rows": 37,
                    "availableFormats": ["CSV"],
                })
            );
            let file = world.ask_as_user(&format!("GET {slash}{prefix}/{id}?fileFormat=csv"), "").await;
            assert_eq!((file.status.as_u16(), file.text().as_str()), (200, "id\r\n1\r\n"));
            assert_eq!(file.header("content-type"), "application/csv");
            assert_eq!(file.header("content-disposition"), "attachment;filename=\"Account Export.csv\"");
            let cover = world.ask_as_user(&format!("GET {slash}{prefix}/{id}/cover"), "").await;
            assert_eq!(cover.json(), json!({"taskId": id}));
        }
    }
}

#[tokio::test]
async fn messages_carry_booleans_and_make_a_warning() {
    let world = World::new().await;
    world.clock.advance(TimeDelta::days(30));
    let started = world.ask_as_user("POST /v3/reports/run", ACCOUNTS).await.json();
    assert_eq!(
        started["messages"],
        json!([{
            "type": "WARN",
            "error": false,
            "warning": true,
            "key": "source_stale",
            "localizedText": "source \"Active Directory\" was last read at 2026-03-02T09:00:00+00:00",
        }])
    );
    world.finish(b"", vec![Message::warn("format_left_out", "PDF was left out")]).await;
    let id = started["id"].as_str().unwrap();
    let ended = world.ask_as_user(&format!("GET /v3/reports/{id}/result"), "").await.json();
    assert_eq!(ended["status"], "WARNING");
    let keys = ["source_stale", "format_left_out"];
    let of =
        |messages: &Value| messages.as_array().unwrap().iter().map(|m| m["key"].clone()).collect::<Vec<_>>();
    assert_eq!(of(&ended["messages"]), keys, "in addition to the published members");
    assert_eq!(ended["messages"][0], started["messages"][0]);
    let task = world.ask_as_user(&format!("GET /muster/v1/reports/{id}/result"), "").await.json();
    assert_eq!((&task["id"], &task["completionStatus"]), (&started["id"], &json!("WARNING")));
    assert_eq!(of(&task["messages"]), keys);
    let unknown = world.ask_as_user("GET /muster/v1/reports/nothing/result", "").await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.cause().as_str()),
        (404, "there is no report result \"nothing\"")
    );
}

#[tokio::test]
async fn a_second_start_gets_the_running_task_and_a_later_one_a_new_one() {
    let world = World::new().await;
    let first = world.start().await;
    // Foreign and historical keys, spelling and order make no other task.
    let same = r#"{"arguments":{"sourceName":"Active Directory","defaultS3Bucket":true,"s3Bucket":null,
        "filters":[],"includeNested":1.5,"application":"2c9180897e7742b2017e781782f705b9"},
        "reportType":"ACCOUNTS","foreign":{}}"#;
    let second = world.ask_as_user("POST /reports/v1/run", same).await.json();
    assert_eq!(second["id"], first);
    // Who joins a running task learns of its own names too.
    assert_eq!(
        second["messages"][0]["localizedText"],
        "argument \"includeNested\" does not exist and was left out"
    );
    world.finish(b"", Vec::new()).await;
    let third = world.ask_as_user("POST /reports/v1/run", ACCOUNTS).await.json();
    assert_ne!(third["id"], first);
    assert_eq!(third["attributes"], second["attributes"], "one definition, two runs");
}

#[tokio::test]
async fn results_of_a_definition_come_in_the_asked_order() {
    let world = World::new().await;
    let first = world.start().await;
    world.finish(b"", Vec::new()).await;
    world.clock.advance(TimeDelta::seconds(1));
    let second = world.ask_as_user("POST /v3/reports/run", ACCOUNTS).await.json();
    let definition = second["attributes"]["taskDefinitionId"].as_str().unwrap();
    for (completed, expected) in [
        ("", second["id"].as_str().unwrap()),
        ("?completed=false", second["id"].as_str().unwrap()),
        ("?completed=true", &first),
    ] {
        let line = format!("GET /v3/reports/{definition}/result{completed}");
        assert_eq!(world.ask_as_user(&line, "").await.json()["id"], expected, "{completed}");
    }
}

#[tokio::test]
async fn an_unknown_id_gives_an_empty_object_never_an_empty_body() {
    let world = World::new().await;
    let answer = world.ask_as_user("GET /v3/reports/ffffffffffffffffffffffffffffffff/result", "").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "{}"));
}

#[tokio::test]
async fn failed_and_cancelled_reports_say_so() {
    let world = World::new().await;
    let id = world.start().await;
    world.fail().await;
    let result = world.ask_as_user(&format!("GET /v3/reports/{id}/result"), "").await.json();
    assert_eq!((&result["status"], &result["availableFormats"]), (&json!("FAILURE"), &json!([])));
    assert_eq!(
        (&result["messages"][0]["error"], &result["messages"][0]["localizedText"]),
        (&json!(true), &json!("it broke"))
    );
    let file = world.ask_as_user(&format!("GET /v3/reports/{id}?fileFormat=csv"), "").await;
    assert_eq!(file.cause(), format!("report result {id} failed (it broke): it has no file"));
    let id = world.start().await;
    for _ in 0..2 {
        let answer = world.ask_as_user(&format!("POST /v3/reports/{id}/cancel"), "").await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (204, ""));
        assert_eq!(answer.header("content-type"), "");
    }
    let result = world.ask_as_user(&format!("GET /v3/reports/{id}/result"), "").await.json();
    assert_eq!(result["status"], "TERMINATED");
}

/// Requests that a real client sends and a strict server would refuse.
#[tokio::test]
async fn noise_is_tolerated() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let bearer = world.bearer(&build::user());
    let marked = format!("\u{feff}{ACCOUNTS}");
    let cases: [(&str, &[Header], &str, u16); 18] = [
        ("GET /v3/reports/{id}?fileFormat=CSV", &[("accept", "application/json")], "", 200),
        ("GET /v3/reports/{id}?fileFormat=Csv", &[("accept", "image/png")], "", 200),
        ("GET /v3/reports/{id}?fileFormat=csv", &[("content-type", "application/json")], "", 200),
        ("GET /v3/reports/{id}?fileFormat=csv&auditable=False&name=a+b", &[], "", 200),
        ("GET /v3/reports/{id}?fileFormat=csv&unknown=1", &[], "", 200),
        ("GET /v3/reports/{id}/result?completed=True", &[("content-type", "text/plain")], "x", 200),
        ("GET /v3/reports/{id}/result?completed=TRUE", &[], "", 200),
        ("POST /v3/reports/{id}/cancel", &[("content-type", "application/json")], "{}", 400),
        ("POST /v3/reports/{id}/cancel", &[("content-type", "application/octet-stream")], "", 400),
        ("POST /v3/reports/run", &[("content-type", "application/json;charset=UTF-8")], ACCOUNTS, 200),
        ("POST /v3/reports/run", &[("content-type", "application/vnd.x+json")], ACCOUNTS, 200),
        ("POST /v3/reports/run", &[], ACCOUNTS, 200),
        ("POST /v3/reports/run", &[], &marked, 200),
        ("POST /v3/reports/run/", &[], ACCOUNTS, 200),
        ("POST /v3/reports/run", &[("content-encoding", "identity")], ACCOUNTS, 200),
        ("POST /v3/reports/run", &[("content-encoding", "gzip")], ACCOUNTS, 415),
        ("GET /v3/reports/{id}/result/?completed=", &[("content-encoding", "gzip")], "", 200),
        ("GET /v3/reports/{id}/?fileFormat=csv&auditable=&name=", &[], "", 200),
    ];
    for (line, headers, body, status) in cases {
        let mut headers = headers.to_vec();
        headers.push(("authorization", bearer.as_str()));
        let answer = world.ask(&line.replace("{id}", &id), &headers, body.to_owned()).await;
        assert_eq!(answer.status, status, "{line} {}", answer.text());
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let world = World::new().await;
    let asked = async |version, hosts: &[&str]| {
        let mut request = axum::http::Request::builder().uri("/health/live").version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        world.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    use axum::http::Version;
    for (version, hosts, status) in [
        (Version::HTTP_11, &["a"][..], 200),
        (Version::HTTP_11, &[], 400),
        (Version::HTTP_11, &["a", "a"], 400),
        (Version::HTTP_11, &["a", "b"], 400),
        (Version::HTTP_10, &[], 200),
        (Version::HTTP_2, &[], 200),
        (Version::HTTP_2, &["a", "b"], 400),
    ] {
        let answer = asked(version, hosts).await;
        assert_eq!(answer.status, status, "{version:?} {hosts:?}");
        if status == 400 {
            let count = hosts.len();
            assert_eq!(answer.cause(), format!("the request has {count} Host headers: expected one"));
        }
    }
}

/// Not a 5xx, which clients repeat: waiting brings no snapshot.
#[tokio::test]
async fn a_start_before_the_first_snapshot_says_so_at_once() {
    let world = World::new().await;
    let newcomer = Caller { tenant: TenantId::new("new"), ..crate::world::user_as("client-of-new") };
    world.credential(newcomer.clone(), true).await;
    let bearer = world.bearer(&newcomer);
    let body = r#"{"reportType":"IDENTITIES"}"#;
    let answer = world.ask("POST /v3/reports/run", &[("authorization", &bearer)], body).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (404, ""));
    assert!(answer.cause().starts_with("there is no snapshot to report on yet"), "{}", answer.text());
}

/// Names that do not exist change no population in silence.
#[tokio::test]
async fn unknown_arguments_are_told_or_refused() {
    let world = World::new().await;
    let body = r#"{"reportType":"IDENTITIES","arguments":{"correlatedonly":true}}"#;
    let started = world.ask_as_user("POST /v3/reports/run", body).await.json();
    let near = "does not exist and was left out: the nearest name is \"correlatedOnly\"";
    assert_eq!(started["messages"][0]["localizedText"], format!("argument \"correlatedonly\" {near}"));
    assert_eq!(
        (&started["messages"][0]["type"], &started["messages"][0]["warning"]),
        (&json!("WARN"), &json!(true))
    );
    let ours = world.ask_as_user("POST /muster/v1/reports/IDENTITIES/run", body).await;
    assert_eq!(
        (ours.status.as_u16(), ours.cause().as_str()),
        (400, "the body has the unknown member \"reportType\"; expected arguments, asOf, notify")
    );
    for (body, cause) in [
        (
            r#"{"arguments":{"correlatedonly":true}}"#,
            "argument \"correlatedonly\" does not exist: the nearest name is \"correlatedOnly\"; expected some of \
             correlatedOnly, csvBom, extraFormats, formulaGuard, pdfColumns, selectedFormats",
        ),
        (
            r#"{"argument":{"correlatedOnly":true}}"#,
            "the body has the unknown member \"argument\": the nearest name is \"arguments\"; expected arguments, asOf, notify",
        ),
    ] {
        let refused = world.ask_as_user("POST /muster/v1/reports/IDENTITIES/run", body).await;
        assert_eq!((refused.status.as_u16(), refused.cause().as_str()), (400, cause));
    }
    for query in [
        r#"{"query":"a:b","fields":["name"]}"#,
        r#"{"query":"a:b","innerHit":{"type":"access","query":"x"}}"#,
        r#"{"query":"a:b","timeZone":"America/Chicago"}"#,
    ] {
        let body = format!(r#"{{"reportType":"SEARCH_EXPORT","arguments":{{"query":{query}}}}}"#);
        let refused = world.ask_as_user("POST /reports/v1/run", &body).await;
        assert!(
            refused.status == 400 && refused.cause().contains("would change which rows"),
            "{}",
            refused.text()
        );
    }
    let filters = r#"{"reportType":"IDENTITIES","arguments":{"filters":{"department":"IT"}}}"#;
    assert_eq!(world.ask_as_user("POST /v2024/reports/run", filters).await.status, 400);
    let near = world.ask_as_user("POST /muster/v1/reports/LEAVERS/run", "").await;
    assert_eq!(near.cause(), "there is no report definition \"LEAVERS\": the nearest name is \"leavers\"");
}

/// What `ReportDetails.from_json` of the published Python SDK makes of four report types.
#[tokio::test]
async fn the_arguments_that_a_published_sdk_mangles_start_what_they_can() {
    let world = World::new().await;
    for (kind, status, cause) in [
        ("ORPHAN_IDENTITIES", 200, ""),
        ("UNCORRELATED_ACCOUNTS", 200, ""),
        (
            "IDENTITY_PROFILE_IDENTITY_ERROR",
            400,
            "argument \"authoritativeSource\" is missing: expected the id of an authoritative source, as a text",
        ),
    ] {
        let body = format!(r#"{{"reportType":"{kind}","arguments":{{"correlatedOnly":false}}}}"#);
        let answer = world.ask_as_user("POST /reports/v1/run", &body).await;
        assert_eq!(answer.status, status, "{kind}");
        if status == 400 {
            assert_eq!(answer.cause(), cause);
        }
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_is_told_the_place_and_what_was_expected() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let kinds = "expected one of ACCOUNTS, IDENTITIES_DETAILS, IDENTITIES, IDENTITY_PROFILE_IDENTITY_ERROR, \
                 ORPHAN_IDENTITIES, SEARCH_EXPORT, UNCORRELATED_ACCOUNTS";
    let run = "POST /v3/reports/run";
    let cases: [(&str, &str, &str); 15] = [
        (run, "", "the body is empty: expected an object with reportType"),
        (run, "[]", "the body is a list: expected an object"),
        (run, "{\n \"a\":", "the body is not JSON, line 2, column 5: expected an object"),
        (run, "{}", &format!("reportType is missing: {kinds}")),
        (run, r#"{"reportType":null}"#, &format!("reportType is missing: {kinds}")),
        (run, r#"{"reportType":7}"#, "reportType is a number: expected a text"),
        (run, r#"{"reportType":"accounts"}"#, &format!("reportType is \"accounts\": {kinds}")),
        (run, r#"{"reportType":"IDENTITIES","arguments":[]}"#, "arguments is a list: expected an object"),
        (
            run,
            r#"{"reportType":"ACCOUNTS"}"#,
            "argument \"application\" is missing: expected the id of a source, as a text",
        ),
        (
            run,
            r#"{"reportType":"IDENTITIES","arguments":{"correlatedOnly":1}}"#,
            "argument \"correlatedOnly\" is a number: expected true or false",
        ),
        ("GET /v3/reports/{id}", "", "fileFormat is missing: expected csv or pdf"),
        ("GET /v3/reports/{id}?fileFormat=xls", "", "fileFormat is \"xls\": expected csv or pdf"),
        (
            "GET /v3/reports/{id}?fileFormat=csv&auditable=yes",
            "",
            "auditable is \"yes\": expected true or false",
        ),
        ("GET /v3/reports/{id}/result?completed=1", "", "completed is \"1\": expected true or false"),
        (
            "POST /v3/reports/{id}/cancel",
            "",
            "report {id} cannot be cancelled: it has ended already (succeeded)",
        ),
    ];
    for (line, body, cause) in cases {
        let answer = world.ask_as_user(&line.replace("{id}", &id), body).await;
        assert_eq!(answer.status, 400, "{line} {body}");
        let dto = answer.json();
        assert_eq!(dto["detailCode"], "400.1 Bad Request Content");
        assert_eq!(dto["trackingId"].as_str().map(str::len), Some(32));
        assert_eq!(
            dto["messages"],
            json!([text("The request was syntactically correct but its content is semantically invalid.")])
        );
        assert_eq!(dto["causes"], json!([text(&cause.replace("{id}", &id))]));
    }
}

fn text(text: &str) -> Value {
    json!({"locale": "en-US", "localeOrigin": "DEFAULT", "text": text})
}

#[tokio::test]
async fn other_refusals_have_their_published_codes() {
    let world = World::new().await;
    let big = format!(r#"{{"reportType":"IDENTITIES","x":"{}"}}"#, "x".repeat(1024 * 1024));
    let bearer = world.bearer(&build::user());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json = ("content-type", "application/json");
    let cases: [(&str, Header, &str, u16, &str); 6] = [
        ("GET /nowhere", json, "", 404, "404 Not found"),
        ("GET /v3/reports/x?fileFormat=csv", json, "", 404, "404 Not found"),
        ("POST /v3/reports/x/cancel", json, "", 404, "404 Not found"),
        ("DELETE /v3/reports/x", json, "", 405, "405 Method Not Allowed"),
        ("POST /v3/reports/run", json, &big, 413, "413 Payload Too Large"),
        ("POST /v3/reports/run", form, "reportType=IDENTITIES", 415, "415 Unsupported Media Type"),
    ];
    for (line, content_type, body, status, code) in cases {
        let headers = [("authorization", bearer.as_str()), content_type];
        let answer = world.ask(line, &headers, body.to_owned()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["detailCode"]), (status, &json!(code)), "{line}");
        assert_eq!(answer.header("allow"), if status == 405 { "GET,HEAD" } else { "" });
    }
}

#[tokio::test]
async fn faults_of_ours_give_nothing_away() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    world.store.refuse_audit(true);
    let audited = world.ask_as_user(&format!("GET /v3/reports/{id}?fileFormat=csv&auditable=true"), "").await;
    world.mood.panics.store(true, Ordering::SeqCst);
    let panicked = world.ask("GET /health/ready", &[], "").await;
    for answer in [audited, panicked] {
        assert_eq!(answer.status, 500);
        let dto = answer.json();
        assert_eq!(dto["detailCode"], "500.0 Internal Fault");
        assert_eq!(dto["messages"], json!([text("An internal fault occurred.")]));
        assert_eq!(dto["causes"], json!([]));
    }
}

#[tokio::test]
async fn an_audited_download_is_recorded() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    for (flag, events) in [("", 0), ("&auditable=false", 0), ("&auditable=True", 1)] {
        let answer = world.ask_as_user(&format!("GET /v3/reports/{id}?fileFormat=csv{flag}"), "").await;
        assert_eq!(
            (answer.status.as_u16(), world.store.recorded(AuditOperation::Download).len()),
            (200, events),
            "{flag}"
        );
    }
}

#[tokio::test]
async fn what_has_no_file_or_cover_says_why() {
    let world = World::new().await;
    let running = world.start().await;
    let unknown = "f".repeat(32);
    let cases = [
        (unknown.as_str(), format!("there is no report result \"{unknown}\"")),
        (running.as_str(), format!("report result {running} has not ended yet")),
    ];
    for (id, cause) in &cases {
        for path in [format!("{id}?fileFormat=csv"), format!("{id}/cover")] {
            let answer = world.ask_as_user(&format!("GET /v3/reports/{path}"), "").await;
            assert_eq!((answer.status.as_u16(), &answer.cause()), (404, cause));
        }
    }
    world.finish(b"x", Vec::new()).await;
    let answer = world.ask_as_user(&format!("GET /v3/reports/{running}?fileFormat=pdf"), "").await;
    assert_eq!(answer.cause(), format!("report result {running} has no PDF file: it has CSV"));
    let failed = world.start().await;
    world.fail().await;
    let answer = world.ask_as_user(&format!("GET /v3/reports/{failed}/cover"), "").await;
    assert_eq!(answer.cause(), format!("report result {failed} failed (it broke): it has no cover"));
}

#[tokio::test]
async fn nothing_of_another_tenant_is_visible() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let stranger = Caller { tenant: TenantId::new("other"), ..crate::world::user_as("client-of-other") };
    world.credential(stranger.clone(), true).await;
    let bearer = world.bearer(&stranger);
    for (line, status) in [
        (format!("GET /v3/reports/{id}/result"), 200),
        (format!("GET /v3/reports/{id}?fileFormat=csv"), 404),
        (format!("GET /v3/reports/{id}/cover"), 404),
        (format!("POST /v3/reports/{id}/cancel"), 404),
    ] {
        let answer = world.ask(&line, &[("authorization", &bearer)], "").await;
        assert_eq!(answer.status, status, "{line}");
        if status == 200 {
            assert_eq!(answer.text(), "{}");
        }
    }
}

#[tokio::test]
async fn custom_reports_are_listed_and_started_by_their_id() {
    let world = World::new().await;
    let list = world.ask_as_user("GET /muster/v1/reports", "").await.json();
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|report| report["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "ACCESS",
            "ACCESS_CHANGES",
            "ACCESS_IN_PERIOD",
            "ACCOUNTS",
            "ATTRIBUTE_MAPPINGS",
            "DORMANT_ACCOUNTS",
            "ENTITLEMENTS",
            "IDENTITIES",
            "IDENTITIES_DETAILS",
            "IDENTITY_CHANGES",
            "IDENTITY_PROFILE_IDENTITY_ERROR",
            "LEAVERS_WITH_ACCESS",
            "MACHINE_ACCOUNTS",
            "MANAGER_REVIEW",
            "ORPHAN_IDENTITIES",
            "PASSWORD_AGE",
            "PRIVILEGED_ACCESS",
            "REFUSED_RECORDS",
            "REVIEW_DECISIONS",
            "REVIEW_REVOKES",
            "SEARCH_EXPORT",
            "SOD_VIOLATIONS",
            "SOURCE_FRESHNESS",
            "UNCORRELATED_ACCOUNTS",
            "leavers"
        ]
    );
    let of = |id: &str| &list[ids.iter().position(|listed| *listed == id).unwrap()];
    let leavers = of("leavers");
    assert_eq!(
        (&leavers["builtIn"], &leavers["arguments"][0]["name"], &leavers["columns"][0]["label"]),
        (&json!(false), &json!("since"), &json!("Id"))
    );
    assert_eq!(
        (&of("IDENTITIES")["arguments"][0]["type"], &of("SEARCH_EXPORT")["arguments"][0]["type"]),
        (&json!("boolean"), &json!("query"))
    );
    // One of ours: built in, of no published kind, with a number that has a default.
    let dormant = of("DORMANT_ACCOUNTS");
    assert_eq!(
        (
            &dormant["builtIn"],
            &dormant["norms"][0],
            &dormant["arguments"][0]["type"],
            &dormant["arguments"][0]["default"]
        ),
        (&json!(true), &json!("PCI DSS 8.2.6"), &json!("integer"), &json!(90))
    );
    let started = world.ask_as_user("POST /muster/v1/reports/DORMANT_ACCOUNTS/run", "").await.json();
    assert_eq!(started["attributes"]["reportId"], "DORMANT_ACCOUNTS");
    assert!(started.get("reportType").is_none(), "the published enumeration gains no value");
    let published = r#"{"reportType":"DORMANT_ACCOUNTS","arguments":{}}"#;
    assert_eq!(world.ask_as_user("POST /v2024/reports/run", published).await.status, 400);
    let wrong = r#"{"arguments":{"days":0}}"#;
    let refused = world.ask_as_user("POST /muster/v1/reports/DORMANT_ACCOUNTS/run", wrong).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("a whole number from 1 to 36500"), "{}", refused.text());
    let body = r#"{"arguments":{"since":"2024"}}"#;
    let started = world.ask_as_user("POST /muster/v1/reports/leavers/run", body).await.json();
    assert_eq!(
        (&started["taskDefName"], &started["attributes"]["reportId"]),
        (&json!("Leavers"), &json!("leavers"))
    );
    assert!(started.get("reportType").is_none(), "the published enumeration gains no value");
    let refused = world.ask_as_user("POST /muster/v1/reports/leavers/run", "").await;
    assert_eq!(refused.cause(), "argument \"since\" is missing: expected a text");
    let unknown = world.ask_as_user("POST /muster/v1/reports/nothing/run", "").await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.cause().as_str()),
        (404, "there is no report definition \"nothing\"")
    );
    let built_in = world.ask_as_user("POST /muster/v1/reports/IDENTITIES/run", "").await.json();
    assert_eq!(built_in["reportType"], "IDENTITIES");
}

#[tokio::test]
async fn health_tells_live_from_ready() {
    let world = World::new().await;
    for (line, status) in [("GET /health/live", 200), ("GET /health/ready", 200), ("HEAD /health/live", 200)]
    {
        assert_eq!(world.ask(line, &[], "").await.status, status, "{line}");
    }
    world.mood.drains.store(true, Ordering::SeqCst);
    let answer = world.ask("GET /health/ready", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.cause().as_str()), (503, "the service is draining"));
    assert_eq!(world.ask("GET /health/live", &[], "").await.status, 200);
}
