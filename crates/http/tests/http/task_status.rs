//! The list of tasks.

use crate::world::{ACCOUNTS, Answer, World};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_reports::ids::{ClientId, SnapshotId, TaskId, TenantId, WorkerId};
use muster_reports::message::Message;
use muster_reports::ports::{Clock, RefreshLog, TaskStore};
use muster_reports::refreshes::Refresh;
use muster_reports::task::{NewTask, Progress};
use muster_testkit::{acts, build};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const PREFIXES: [&str; 6] = [
    "/beta/task-status",
    "/v3/task-status",
    "/v2024/task-status",
    "/v2025/task-status",
    "/v2026/task-status",
    "/task-status/v1",
];

/// The published example.
const PUBLISHED_PATCH: &str = r#"[{"op":"replace","path":"/completionStatus","value":"Error"},
    {"op":"replace","path":"/completed","value":"2024-05-17 19:33:16.470000+00:00"}]"#;
const TERMINATE: &str = r#"[{"op":"replace","path":"/completionStatus","value":"TERMINATED"}]"#;

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tasks = answer.json();
    tasks.as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

/// The numbers of tasks of [`build::task_id`].
fn numbers(answer: &Answer) -> Vec<u64> {
    ids(answer).iter().map(|id| u64::from_str_radix(id, 16).unwrap()).collect()
}

fn filtered(filters: &str) -> String {
    format!(
        "GET /v2025/task-status?sorters=created&filters={}",
        utf8_percent_encode(filters, NON_ALPHANUMERIC)
    )
}

async fn status(world: &World, id: &str) -> Value {
    let answer = world.ask_as_user(&format!("GET /task-status/v1/{id}"), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_task_has_every_published_field_under_every_prefix() {
    let world = World::new().await;
    let started = world.ask_as_user("POST /v3/reports/run", ACCOUNTS).await.json();
    let (id, definition) = (&started["id"], &started["attributes"]["taskDefinitionId"]);
    let expected = json!({
        "id": id,
        "type": "QUARTZ",
        "uniqueName": "Account Export",
        "description": "Accounts of one source with their owners.",
        "parentName": null,
        "launcher": "ada.lovelace",
        "target": {"id": build::SOURCE, "type": "APPLICATION", "name": "Active Directory"},
        "created": "2026-03-02T09:00:00.000Z",
        "modified": "2026-03-02T09:00:00.000Z",
        "launched": null,
        "completed": null,
        "completionStatus": null,
        "messages": [],
        "returns": [],
        "attributes": {"org": "acme-org", "taskDefinitionId": definition},
        "progress": "Initializing...",
        "percentComplete": 0,
        "taskDefinitionSummary": {
            "id": definition,
            "uniqueName": "Account Export",
            "description": "Accounts of one source with their owners.",
            "parentName": "Account Export",
            "executor": null,
            "arguments": {"application": "source_id", "sourceName": "source_name"},
        },
    });
    for prefix in PREFIXES {
        for list in [prefix.to_owned(), format!("{prefix}/"), format!("{prefix}/pending-tasks")] {
            let answer = world.ask_as_user(&format!("GET {list}"), "").await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!([expected])), "{list}");
            assert_eq!(answer.header("x-total-count"), "", "nobody asked for it");
            let head = world.ask_as_user(&format!("HEAD {list}?count=true"), "").await;
            assert_eq!(
                (head.status.as_u16(), head.header("x-total-count"), &*head.body),
                (200, "1", &b""[..])
            );
        }
        let one = world.ask_as_user(&format!("GET {prefix}/{}", id.as_str().unwrap()), "").await;
        assert_eq!((one.status.as_u16(), one.json()), (200, expected.clone()), "{prefix}");
        let none = world.ask_as_user(&format!("GET {prefix}/{}", definition.as_str().unwrap()), "").await;
        assert_eq!(none.status, 404, "a definition is not a task");
        assert_eq!(none.cause(), format!("there is no task {definition}"));
    }
    world.finish(b"x", vec![Message::warn("format_left_out", "PDF was left out")]).await;
    let ended = status(&world, id.as_str().unwrap()).await;
    let changed = json!({
        "completionStatus": "WARNING",
        "launched": "2026-03-02T09:00:00.000Z",
        "modified": "2026-03-02T09:00:00.342Z",
        "completed": "2026-03-02T09:00:00.342Z",
        "progress": "37 of 37 rows written",
        "percentComplete": 100,
        "messages": [{
            "type": "WARN",
            "localizedText": {"locale": "en-US", "message": "PDF was left out"},
            "key": "format_left_out",
            "parameters": [],
        }],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(ended[name], *changed.get(name).unwrap_or(value), "{name}");
    }
    assert_eq!(ids(&world.ask_as_user("GET /v2024/task-status/pending-tasks", "").await).len(), 0);
}

#[tokio::test]
async fn the_percentage_is_rows_written_of_rows_expected() {
    let world = World::new().await;
    let id = world.start().await;
    let now = world.clock.now();
    let claim = world.store.claim(&WorkerId::new("w"), now, Duration::from_secs(60)).await.unwrap().unwrap();
    for (rows, rows_expected, percent, progress) in [
        (0, None, 0, "Initializing..."),
        (500, None, 0, "Initializing..."),
        (0, Some(0), 0, "0 of 0 rows written"),
        (500, Some(2_000), 25, "500 of 2000 rows written"),
        (1_999, Some(2_000), 99, "1999 of 2000 rows written"),
        // Nothing is published yet.
        (2_000, Some(2_000), 99, "2000 of 2000 rows written"),
        (3_000, Some(2_000), 99, "3000 of 2000 rows written"),
        (u64::MAX / 2, Some(u64::MAX / 2 - 1), 99, "9223372036854775807 of 9223372036854775806 rows written"),
    ] {
        let progress_now = Progress { rows, rows_expected };
        world.store.heartbeat(&claim.lease, progress_now, now, Duration::from_secs(60)).await.unwrap();
        let task = status(&world, &id).await;
        assert_eq!((&task["percentComplete"], &task["progress"]), (&json!(percent), &json!(progress)));
        assert_eq!((&task["completionStatus"], &task["completed"]), (&Value::Null, &Value::Null));
    }
    acts::cancel(&*world.store, &build::tenant(), &TaskId::new(&id), now).await.unwrap();
    let task = status(&world, &id).await;
    assert_eq!((&task["percentComplete"], &task["completionStatus"]), (&json!(99), &json!("TERMINATED")));
    let id = world.finished(b"x").await;
    assert_eq!(status(&world, &id).await["percentComplete"], 100);
}

/// Five tasks: 1 succeeded, 2 failed, 3 terminated, 4 runs, 5 waits. 4 and 5 are of an application, 5 is about no source.
async fn five_tasks() -> World {
    let world = World::new().await;
    let now = world.clock.now();
    let start = async |number, requester: Caller| {
        let new = NewTask { requester, ..build::new_task(number, now) };
        world.store.start(new).await.unwrap();
    };
    start(1, build::user()).await;
    world.finish(b"x", Vec::new()).await;
    start(2, build::user()).await;
    world.fail().await;
    start(3, build::user()).await;
    acts::cancel(&*world.store, &build::tenant(), &build::task_id(3), world.clock.now()).await.unwrap();
    start(4, build::application()).await;
    world
        .store
        .claim(&WorkerId::new("w"), world.clock.now(), Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    let arguments = build::arguments(&[]);
    let fifth = NewTask { requester: build::application(), arguments, ..build::new_task(5, now) };
    world.store.start(fifth).await.unwrap();
    world
}

#[tokio::test]
async fn every_published_filter_is_there() {
    let world = five_tasks().await;
    let (one, four) = (build::task_id(1), build::task_id(4));
    let cases: [(&str, &[u64]); 24] = [
        ("type eq \"QUARTZ\"", &[1, 2, 3, 4, 5]),
        ("type in (\"QPOC\", \"QUARTZ\")", &[1, 2, 3, 4, 5]),
        ("type eq \"CLOUD_ACCOUNT_AGGREGATION\"", &[]),
        ("type eq \"CLOUD_ACCOUNT_AGGREGATION\" and completionStatus isnull", &[]),
        ("completionStatus isnull and type eq \"QPOC\"", &[]),
        ("type eq \"QUARTZ\" and completionStatus isnull", &[4, 5]),
        ("completionStatus eq \"SUCCESS\"", &[1]),
        ("completionStatus eq \"WARNING\"", &[]),
        ("completionStatus eq \"ERROR\"", &[2]),
        ("completionStatus eq \"TERMINATED\"", &[3]),
        ("completionStatus eq \"TEMPERROR\"", &[]),
        ("completionStatus in (\"SUCCESS\",\"ERROR\")", &[1, 2]),
        (
            "completionStatus in (\"SUCCESS\",\"ERROR\") and completionStatus in (\"ERROR\",\"TERMINATED\")",
            &[2],
        ),
        ("completionStatus eq \"ERROR\" and completionStatus isnull", &[]),
        (&format!("id eq \"{one}\""), &[1]),
        (&format!("id in (\"{four}\", \"unknown\", \"{one}\")"), &[1, 4]),
        (&format!("id eq \"{one}\" and id eq \"{four}\""), &[]),
        ("id eq \"\"", &[]),
        ("launcher eq \"ada.lovelace\"", &[1, 2, 3]),
        ("launcher in (\"client-of-a-job\",\"x\")", &[4, 5]),
        ("launcher eq \"ada\"", &[]),
        ("sourceId eq \"2c9180897e7742b2017e781782f705b9\"", &[1, 2, 3, 4]),
        ("sourceId in (\"x\") and completionStatus isnull", &[]),
        ("launcher eq \"client-of-a-job\" and sourceId eq \"2c9180897e7742b2017e781782f705b9\"", &[4]),
    ];
    for (filters, expected) in cases {
        let answer = world.ask_as_user(&filtered(filters), "").await;
        assert_eq!(numbers(&answer), expected, "{filters}");
        let counted = world.ask_as_user(&format!("{}&count=true&limit=1", filtered(filters)), "").await;
        assert_eq!(counted.header("x-total-count"), expected.len().to_string(), "{filters}");
    }
    let pending = world.ask_as_user("GET /v2024/task-status/pending-tasks?count=true", "").await;
    assert_eq!((numbers(&pending), pending.header("x-total-count")), (vec![5, 4], "2"));
}

#[tokio::test]
async fn what_the_document_does_not_have_is_refused_in_words() {
    let world = World::new().await;
    let statuses = "expected one of SUCCESS, WARNING, ERROR, TERMINATED, TEMPERROR";
    for (filters, cause) in [
        ("created gt \"2020\"", "filters, column 1: there is no field \"created\"; expected one of id, sourceId, completionStatus, type, launcher".to_owned()),
        ("launchr eq \"a\"", "filters, column 1: there is no field \"launchr\": the nearest name is \"launcher\"; expected one of id, sourceId, completionStatus, type, launcher".to_owned()),
        ("id isnull", "filters, column 4: expected an operator of id, one of eq, in".to_owned()),
        ("launcher sw \"a\"", "filters, column 10: expected an operator of launcher, one of eq, in".to_owned()),
        ("completionStatus ne \"ERROR\"", "filters, column 18: expected an operator of completionStatus, one of eq, in, isnull".to_owned()),
        ("completionStatus eq \"Error\"", format!("filters: completionStatus is \"Error\": {statuses}")),
        ("type eq QUARTZ", "filters, column 9: expected a text in double quotes".to_owned()),
        ("id eq \"a\" or id eq \"b\"", "filters, column 11: expected and, or the end: conditions are joined by and only".to_owned()),
    ] {
        let answer = world.ask_as_user(&filtered(filters), "").await;
        assert_eq!((answer.status.as_u16(), answer.cause()), (400, cause), "{filters}");
        assert_eq!(answer.json()["detailCode"], "400.1 Bad Request Content");
    }
    let number = |name: &str, text: &str, most: u32| {
        format!("{name} is {text:?}: expected a whole number from 0 to {most}")
    };
    for (query, cause) in [
        ("sorters=id", "sorters is \"id\": expected created or -created".to_owned()),
        (
            "sorters=created,-created",
            "sorters is \"created,-created\": expected created or -created".to_owned(),
        ),
        ("limit=251", number("limit", "251", 250)),
        ("limit=-1", number("limit", "-1", 250)),
        ("limit=%2B1", number("limit", "+1", 250)),
        ("limit=ten", number("limit", "ten", 250)),
        ("offset=2147483648", number("offset", "2147483648", 2_147_483_647)),
        ("offset=1.5", number("offset", "1.5", 2_147_483_647)),
        ("count=yes", "count is \"yes\": expected true or false".to_owned()),
    ] {
        let answer = world.ask_as_user(&format!("GET /v3/task-status?{query}"), "").await;
        assert_eq!((answer.status.as_u16(), answer.cause()), (400, cause), "{query}");
    }
}

/// 600 tasks, two of each second.
#[tokio::test]
async fn pages_of_six_hundred_tasks_join() {
    let world = World::new().await;
    world.clock.advance(TimeDelta::hours(1));
    let first = world.clock.now();
    for number in 1..=600_u32 {
        let created = first + TimeDelta::seconds(i64::from(number.div_ceil(2)));
        world.store.start(build::new_task(number.into(), created)).await.unwrap();
    }
    let forwards: Vec<u64> = (1..=600).collect();
    let backwards: Vec<u64> = (1..=600).rev().collect();
    for (sorters, whole) in [("created", &forwards), ("-created", &backwards), ("", &backwards)] {
        let page = async |offset: u32, limit: &str| {
            let line =
                format!("GET /v2026/task-status?count=True&sorters={sorters}&offset={offset}&limit={limit}");
            let answer = world.ask_as_user(&line, "").await;
            assert_eq!(answer.header("x-total-count"), "600");
            numbers(&answer)
        };
        // 250 by default and at most; a page of an odd size ends between two tasks of one second.
        let joined = [page(0, "").await, page(250, "250").await, page(500, "250").await];
        assert_eq!(joined.iter().map(Vec::len).collect::<Vec<_>>(), [250, 250, 100]);
        assert_eq!(joined.concat(), *whole, "{sorters:?}");
        assert_eq!([page(98, "3").await, page(101, "3").await].concat(), whole[98..104], "{sorters:?}");
        assert_eq!((page(600, "250").await, page(5, "0").await), (vec![], vec![]));
    }
}

#[tokio::test]
async fn tasks_of_other_rows_other_tenants_and_long_ago_are_not_there() {
    let world = World::new().await;
    let ours = world.start().await;
    let narrow = Caller {
        client: ClientId::new("narrow"),
        data_scope: DataScope::of_sources([build::SOURCE]).unwrap(),
        ..build::user_with(Scope::TaskManagementRead, UserLevel::Helpdesk)
    };
    let nothing =
        Caller { client: ClientId::new("nothing"), ..build::user_with(Scope::All, UserLevel::SourceAdmin) };
    let stranger =
        Caller { tenant: TenantId::new("umbrella"), client: ClientId::new("stranger"), ..build::user() };
    for caller in [&narrow, &nothing, &stranger] {
        world.credential(caller.clone(), true).await;
    }
    let requester = Caller { data_scope: narrow.data_scope.clone(), ..build::user() };
    let of_source = NewTask { requester, ..build::new_task(0xabc, world.clock.now()) };
    world.store.start(of_source).await.unwrap();
    let of_source = build::task_id(0xabc);
    let everything = build::user();
    for (caller, seen) in [
        (&everything, vec![of_source.as_str(), &ours]),
        (&narrow, vec![of_source.as_str()]),
        (&nothing, vec![]),
        (&stranger, vec![]),
    ] {
        let bearer = world.bearer(caller);
        let headers = [("authorization", bearer.as_str())];
        let list = world.ask("GET /v3/task-status?count=true", &headers, "").await;
        assert_eq!(
            (ids(&list), list.header("x-total-count")),
            (seen.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), &*seen.len().to_string())
        );
        for id in [of_source.as_str(), &ours] {
            let one = world.ask(&format!("GET /v3/task-status/{id}"), &headers, "").await;
            assert_eq!(one.status, if seen.contains(&id) { 200 } else { 404 }, "{} {id}", caller.client);
        }
    }
    world.clock.advance(TimeDelta::days(90));
    let list = async || ids(&world.ask_as_user("GET /v3/task-status", "").await).len();
    assert_eq!(list().await, 2, "90 days and no more");
    world.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(list().await, 0);
    assert_eq!(world.ask_as_user(&format!("GET /v3/task-status/{ours}"), "").await.status, 404);
}

#[tokio::test]
async fn a_patch_ends_a_task() {
    for (patch, completion, result_status, state) in [
        (PUBLISHED_PATCH, "ERROR", "FAILURE", "failed"),
        (TERMINATE, "TERMINATED", "TERMINATED", "terminated"),
    ] {
        for runs in [false, true] {
            let world = World::new().await;
            let id = world.start().await;
            if runs {
                let now = world.clock.now();
                world.store.claim(&WorkerId::new("w"), now, Duration::from_secs(60)).await.unwrap().unwrap();
            }
            world.clock.advance(TimeDelta::seconds(5));
            let line = format!("PATCH /v2024/task-status/{id}");
            let bearer = world.bearer(&build::user());
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json-patch+json")];
            // A client repeats a request that broke.
            for _ in 0..2 {
                let answer = world.ask(&line, &headers, patch).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let task = answer.json();
                assert_eq!(
                    (task["id"].as_str(), task["completionStatus"].as_str()),
                    (Some(&*id), Some(completion))
                );
                assert_eq!(task["completed"], "2026-03-02T09:00:05.000Z", "the service's time");
                assert_eq!(task, status(&world, &id).await);
            }
            let result = world.ask_as_user(&format!("GET /v3/reports/{id}/result"), "").await.json();
            assert_eq!(result["status"], result_status);
            let events = world.store.audit_events();
            let events: Vec<_> =
                events.iter().map(|event| (event.operation, &*event.details)).skip(1).collect();
            let told = format!("task-status: {state}");
            let mut expected = vec![(AuditOperation::Cancel, &*told)];
            if completion == "ERROR" {
                expected.push((AuditOperation::EndedFailed, "task_cleared"));
                let message = &result["messages"][0];
                assert_eq!(message["key"], "task_cleared");
                assert_eq!(message["localizedText"], "ada.lovelace ended the report through task-status");
            }
            assert_eq!(events, expected, "what changed nothing is not recorded");
        }
    }
}

#[tokio::test]
async fn a_task_that_has_ended_keeps_its_end() {
    let world = World::new().await;
    let finished = world.finished(b"x").await;
    let cancelled = world.start().await;
    world.ask_as_user(&format!("POST /v3/reports/{cancelled}/cancel"), "").await;
    for (id, patch, ended) in [
        (&finished, TERMINATE, "succeeded"),
        (&finished, PUBLISHED_PATCH, "succeeded"),
        (&cancelled, PUBLISHED_PATCH, "terminated"),
    ] {
        let before = status(&world, id).await;
        let answer = world.ask_as_user(&format!("PATCH /task-status/v1/{id}"), patch).await;
        let cause = format!("task {id} cannot be changed: it has ended already ({ended})");
        assert_eq!((answer.status.as_u16(), answer.cause()), (400, cause));
        assert_eq!(status(&world, id).await, before);
    }
    let unknown = world.ask_as_user("PATCH /task-status/v1/nothing", TERMINATE).await;
    assert_eq!((unknown.status.as_u16(), unknown.cause()), (404, "there is no task \"nothing\"".to_owned()));
}

#[tokio::test]
async fn other_patches_are_refused_in_words_and_change_nothing() {
    let world = World::new().await;
    let id = world.start().await;
    let line = format!("PATCH /v2025/task-status/{id}");
    let mut causes = BTreeSet::new();
    let operation = |text: &str| format!("operation 1 of the patch: {text}");
    for (patch, cause) in [
        ("", "the body is empty: expected a list of JSON patch operations".to_owned()),
        ("{}", "the body is an object: expected a list of JSON patch operations".to_owned()),
        ("[", "the body is not JSON, line 1, column 1: expected a list of JSON patch operations".to_owned()),
        ("[]", "the patch does not replace /completionStatus: expected ERROR or TERMINATED".to_owned()),
        (
            r#"[{"op":"replace","path":"/completed","value":"2024-05-17T19:33:16Z"}]"#,
            "the patch does not replace /completionStatus: expected ERROR or TERMINATED".to_owned(),
        ),
        ("[1]", operation("it is a number: expected an object")),
        (r#"[{"path":"/completionStatus","value":"ERROR"}]"#, operation("op is missing: expected a text")),
        (
            r#"[{"op":"remove","path":"/completionStatus"}]"#,
            operation("op is \"remove\": expected replace or add"),
        ),
        (
            r#"[{"op":"replace","path":"/messages","value":[]}]"#,
            operation("path is \"/messages\": expected /completionStatus or /completed"),
        ),
        (r#"[{"op":"add","path":"/completionStatus"}]"#, operation("value is missing: expected a text")),
        (
            r#"[{"op":"add","path":"/completionStatus","value":null}]"#,
            operation("value is null: expected a text"),
        ),
        (
            r#"[{"op":"add","path":"/completionStatus","value":"SUCCESS"}]"#,
            operation("completionStatus is \"SUCCESS\": expected ERROR or TERMINATED"),
        ),
        (
            r#"[{"op":"replace","path":"/completionStatus","value":"ERROR"},{"op":"add","path":"/completed","value":"now"}]"#,
            "operation 2 of the patch: completed is \"now\": expected a time, 2024-05-17T19:33:16.470Z"
                .to_owned(),
        ),
    ] {
        let answer = world.ask_as_user(&line, patch).await;
        assert_eq!((answer.status.as_u16(), answer.cause()), (400, cause.clone()), "{patch}");
        causes.insert(cause);
    }
    assert_eq!(causes.len(), 12);
    let bearer = world.bearer(&build::user());
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    assert_eq!(world.ask(&line, &headers, TERMINATE).await.status, 415);
    let application = world.bearer(&build::application());
    let refused = world.ask(&line, &[("authorization", application.as_str())], TERMINATE).await;
    assert_eq!(
        (refused.status.as_u16(), refused.cause()),
        (403, "an application token may not do this: expected a personal access token".to_owned())
    );
    assert_eq!(status(&world, &id).await["completionStatus"], Value::Null);
}

#[tokio::test]
async fn refreshes_are_tasks_of_the_list() {
    let world = World::new().await;
    let early = world.clock.now();
    let report = world.start().await;
    let begun = |id: &str, at| Refresh::begun(TaskId::new(id), build::user(), SnapshotId::new(id), at);
    for (id, seconds) in [("r1", -10), ("r2", 10)] {
        let refresh = begun(id, early + TimeDelta::seconds(seconds));
        let event = acts::event(AuditOperation::RefreshStarted, &build::tenant(), refresh.created);
        let lease = Duration::from_secs(60);
        world.store.begin_refresh(&refresh, &event, lease).await.unwrap();
        let progress = Progress { rows: 3, rows_expected: Some(12) };
        let told = world
            .store
            .refresh_goes_on(&build::tenant(), &refresh.id, progress, refresh.created, lease)
            .await;
        told.unwrap();
    }
    let list = async |query: &str| {
        let answer = world.ask_as_user(&format!("GET /task-status/v1?{query}"), "").await;
        (ids(&answer), answer.header("x-total-count").to_owned())
    };
    let expected = |ids: &[&str]| (ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), "3".to_owned());
    assert_eq!(list("count=true").await, expected(&["r2", &report, "r1"]));
    assert_eq!(list("count=true&sorters=created").await, expected(&["r1", &report, "r2"]));
    assert_eq!(list("count=true&limit=1&offset=1").await, expected(&[&report]));
    assert_eq!(list("count=true&limit=2&offset=1").await, expected(&[&report, "r1"]));
    assert_eq!(list("count=true&limit=1&offset=3").await, expected(&[]));
    let of_source = filtered(&format!("sourceId eq \"{}\"", build::SOURCE));
    assert_eq!(ids(&world.ask_as_user(&of_source, "").await), [report.as_str()]);

    // The report waits, one refresh runs, the other has ended.
    let counts = world.ask_as_user("GET /muster/v1/task-counts", "").await.json();
    let mut states = [&counts["success"], &counts["warning"]].map(|number| number.as_u64().unwrap());
    states.sort_unstable();
    assert_eq!((&counts["pending"], &counts["running"], states), (&json!(1), &json!(1), [0, 1]));
    let of_nobody = "GET /muster/v1/task-counts?filters=launcher%20eq%20%22nobody%22";
    let none = world.ask_as_user(of_nobody, "").await.json();
    assert!(none.as_object().unwrap().values().all(|number| number == 0), "{none}");

    let shown = status(&world, "r2").await;
    assert_eq!((&shown["percentComplete"], &shown["progress"]), (&json!(25), &json!("3 of 12 parts done")));
    assert_eq!((&shown["uniqueName"], &shown["launcher"]), (&json!("Refresh"), &json!("ada.lovelace")));
    assert_eq!((&shown["completionStatus"], &shown["target"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["attributes"]["reportId"], "identity.refresh");
    let ended = world.ask_as_user("PATCH /task-status/v1/r2", TERMINATE).await;
    let cause = "task r2 is a refresh: expected the run of a report";
    assert_eq!((ended.status.as_u16(), ended.cause().as_str()), (400, cause));
    // Its process is not heard of any more.
    world.clock.advance(TimeDelta::seconds(75));
    let lost = status(&world, "r2").await;
    assert_eq!(
        (&lost["completionStatus"], &lost["messages"][0]["key"]),
        (&json!("ERROR"), &json!("refresh_interrupted"))
    );
    // Who does not see everything sees no refresh.
    let limited = Caller { data_scope: DataScope::of_sources([build::SOURCE]).unwrap(), ..build::user() };
    let bearer = world.bearer(&limited);
    for (line, status) in [("GET /task-status/v1/r2", 404), ("GET /task-status/v1", 200)] {
        let answer = world.ask(line, &[("authorization", bearer.as_str())], "").await;
        assert_eq!(answer.status, status, "{line}");
        assert!(!answer.text().contains("\"r1\""), "{}", answer.text());
    }
    let result = world.ask_as_user("GET /v3/reports/r2/result", "").await;
    assert_eq!(result.text(), "{}", "a refresh is no report");
}
