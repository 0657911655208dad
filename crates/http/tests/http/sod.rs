//! Policies for separation of duties, and reports of their violations, over HTTP.

use crate::saved_searches::person;
use crate::world::{Answer, World};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, UserLevel};
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, TaskStore};
use muster_testkit::build;
use serde_json::{Value, json};

const VERSIONS: [(&str, &str); 5] = [
    ("/v3/sod-policies", "/v3/sod-violation-report"),
    ("/v2024/sod-policies", "/v2024/sod-violation-report"),
    ("/v2025/sod-policies", "/v2025/sod-violation-report"),
    ("/v2026/sod-policies", "/v2026/sod-violation-report"),
    ("/sod-policies/v1", "/sod-violation-report/v1"),
];

async fn ask(world: &World, caller: &Caller, line: &str, body: &Value) -> Answer {
    let bearer = world.bearer(caller);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.ask(line, &[("authorization", bearer.as_str()), ("content-type", "application/json")], body).await
}

/// The published example of a policy of two lists.
fn lists(name: &str) -> Value {
    json!({
        "name": name, "description": "This policy ensures compliance of xyz",
        "ownerRef": {"type": "IDENTITY", "id": "2c91808568c529c60168cca6f90c1313", "name": "Owner Name"},
        "externalPolicyReference": "XYZ policy",
        "compensatingControls": "Have a manager review the transaction decisions.",
        "correctionAdvice": "Remove access that is not required.", "state": "ENFORCED", "tags": ["string"],
        "creatorId": "0f11f2a4-7c94-4bf3-a2bd-742580fe3bde", "modifierId": "0f11f2a4-7c94-4bf3-a2bd-742580fe3bde",
        "violationOwnerAssignmentConfig": {
            "assignmentRule": "MANAGER",
            "ownerRef": {"type": "IDENTITY", "id": "2c91808568c529c60168cca6f90c1313", "name": "Violation Owner Name"},
        },
        "scheduled": true, "type": "CONFLICTING_ACCESS_BASED",
        "conflictingAccessCriteria": {
            "leftCriteria": {"name": "money-in", "criteriaList": [
                {"type": "ENTITLEMENT", "id": "2c9180866166b5b0016167c32ef31a66"},
                {"type": "ENTITLEMENT", "id": "2c9180866166b5b0016167c32ef31a67"},
            ]},
            "rightCriteria": {"name": "money-out", "criteriaList": [
                {"type": "ENTITLEMENT", "id": "2c9180866166b5b0016167c32ef31a68"},
                {"type": "ENTITLEMENT", "id": "2c9180866166b5b0016167c32ef31a69"},
            ]},
        },
    })
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn now(world: &World) -> String {
    world.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The user of a caller.
fn user_id(caller: &Caller) -> String {
    caller.user.as_ref().unwrap().id.clone()
}

#[tokio::test]
async fn a_policy_is_kept_read_changed_and_removed_in_every_version() {
    let world = World::new().await;
    let ada = build::user();
    for (prefix, _) in VERSIONS {
        let made = ask(&world, &ada, &format!("POST {prefix}"), &lists("Pay")).await;
        let path = format!("{prefix}/{}", id_of(&made));
        let mut expected = lists("Pay");
        let object = expected.as_object_mut().unwrap();
        object.remove("modifierId");
        object.extend(
            json!({
                "id": made.json()["id"], "created": now(&world), "modified": now(&world), "creatorId": user_id(&ada),
                "scheduled": false, "level": "HIGH",
                // As in the published example.
                "policyQuery": "@access(id:2c9180866166b5b0016167c32ef31a66 OR id:2c9180866166b5b0016167c32ef31a67) AND \
                    @access(id:2c9180866166b5b0016167c32ef31a68 OR id:2c9180866166b5b0016167c32ef31a69)",
            })
            .as_object()
            .unwrap()
            .clone(),
        );
        assert_eq!(made.json(), expected, "{prefix}");
        assert_eq!(ask(&world, &ada, &format!("GET {path}"), &Value::Null).await.json(), expected);

        // A client sends back what it got, changed.
        world.clock.advance(TimeDelta::minutes(1));
        let mut changed = expected.clone();
        changed["name"] = json!("Pay and ship");
        changed["level"] = json!("CRITICAL");
        let put = ask(&world, &ada, &format!("PUT {path}"), &changed).await;
        assert_eq!(put.status, 200, "{}", put.text());
        changed["modified"] = json!(now(&world));
        changed["modifierId"] = json!(user_id(&ada));
        assert_eq!(put.json(), changed);

        let patch = json!([
            {"op": "replace", "path": "/state", "value": "NOT_ENFORCED"},
            {"op": "add", "path": "/tags/-", "value": "second"},
            {"op": "remove", "path": "/conflictingAccessCriteria/leftCriteria/criteriaList/1"},
        ]);
        let patched = ask(&world, &ada, &format!("PATCH {path}"), &patch).await;
        assert_eq!(patched.status, 200, "{}", patched.text());
        let now = patched.json();
        assert_eq!((&now["state"], &now["tags"]), (&json!("NOT_ENFORCED"), &json!(["string", "second"])));
        let query = now["policyQuery"].as_str().unwrap();
        assert!(query.starts_with("@access(id:2c9180866166b5b0016167c32ef31a66) AND "), "{query}");
        for member in ["id", "created", "creatorId", "policyQuery", "type"] {
            let patch = json!([{"op": "replace", "path": format!("/{member}"), "value": "x"}]);
            let refused = ask(&world, &ada, &format!("PATCH {path}"), &patch).await;
            assert_eq!(refused.status, 400, "{member}");
            assert!(
                refused.cause().starts_with(&format!("the patch has the path \"/{member}\"")),
                "{}",
                refused.cause()
            );
        }

        assert_eq!(ask(&world, &ada, &format!("DELETE {path}?logical=true"), &Value::Null).await.status, 204);
        for method in ["GET", "DELETE"] {
            assert_eq!(ask(&world, &ada, &format!("{method} {path}"), &Value::Null).await.status, 404);
        }
    }
    let told = world.store.recorded(AuditOperation::ConfigurationChanged);
    let told: Vec<_> = told.iter().take(4).map(|event| event.details.split(':').next().unwrap()).collect();
    let done = |what: &str| format!("policy for separation of duties {what}");
    assert_eq!(told, [done("added"), done("changed"), done("changed"), done("removed")]);
}

#[tokio::test]
async fn a_policy_by_query_is_kept_and_not_patched() {
    let world = World::new().await;
    let ada = build::user();
    let body = json!({
        "description": "Description", "ownerRef": {"type": "IDENTITY", "id": "2c918087682f9a86016839c05e8f1aff", "name": "Owner Name"},
        "externalPolicyReference": "New policy", "policyQuery": "department:Finance", "tags": [], "state": "ENFORCED",
        "scheduled": false, "modifierId": null, "violationOwnerAssignmentConfig": null, "name": "General-Policy-Name",
        "type": "GENERAL", "conflictingAccessCriteria": null,
    });
    let made = ask(&world, &ada, "POST /v2024/sod-policies", &body).await;
    let path = format!("/v2024/sod-policies/{}", id_of(&made));
    assert_eq!(
        (&made.json()["type"], &made.json()["policyQuery"]),
        (&json!("GENERAL"), &json!("department:Finance"))
    );
    assert_eq!((made.json().get("level"), made.json().get("conflictingAccessCriteria")), (None, None));
    let patch = json!([{"op": "replace", "path": "/name", "value": "x"}]);
    let refused = ask(&world, &ada, &format!("PATCH {path}"), &patch).await;
    assert_eq!(refused.status, 400);
    assert!(refused.cause().starts_with("a policy by query cannot be patched"), "{}", refused.cause());
}

#[tokio::test]
async fn what_cannot_be_kept_is_named() {
    let world = World::new().await;
    let ada = build::user();
    id_of(&ask(&world, &ada, "POST /v3/sod-policies", &lists("Pay")).await);
    for (change, expected) in [
        (json!({"name": null}), "name is missing: expected the name of the policy"),
        (json!({"name": 1}), "name: invalid type: integer `1`, expected a string"),
        (json!({"name": "Pay"}), "there is a policy with this name already"),
        (json!({"nam": "x"}), "the body has the unknown member \"nam\": the nearest name is \"name\""),
        (
            json!({"level": "SEVERE"}),
            "policy \"Ship\": its level is \"SEVERE\": expected one of CRITICAL, HIGH, MEDIUM, LOW",
        ),
        (
            json!({"conflictingAccessCriteria": {"leftCriteria": {"criteriaList": []}, "rightCriteria": {"criteriaList": [{"id": "x"}]}}}),
            "policy \"Ship\": its left list has 0 entitlements: expected 1 to 50",
        ),
        (
            json!({"conflictingAccessCriteria": {"leftCriteria": {"criteriaList": [{"id": "x", "kind": 1}]}}}),
            "conflictingAccessCriteria: unknown field `kind`",
        ),
        (json!({"tags": "x"}), "tags: invalid type: string"),
    ] {
        let mut body = lists("Ship");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = ask(&world, &ada, "POST /v3/sod-policies", &body).await;
        assert_eq!(refused.status, 400, "{change}: {}", refused.text());
        assert!(refused.cause().starts_with(expected), "{change}: {}", refused.cause());
    }
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_counted() {
    let world = World::new().await;
    let ada = build::user();
    for (name, level) in [("Pay", "LOW"), ("Ship", "HIGH"), ("Payroll", "LOW")] {
        let mut body = lists(name);
        body["level"] = json!(level);
        id_of(&ask(&world, &ada, "POST /v3/sod-policies", &body).await);
        world.clock.advance(TimeDelta::minutes(1));
    }
    let list = async |query: &str| {
        let answer =
            ask(&world, &ada, &format!("GET /v3/sod-policies?count=true{query}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let names: Vec<_> = answer
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        format!("{} of {}", names.join(" "), answer.header("x-total-count"))
    };
    assert_eq!(list("").await, "Pay Ship Payroll of 3");
    assert_eq!(list("&filters=name%20sw%20%22Pay%22&sorters=-name").await, "Payroll Pay of 2");
    assert_eq!(list("&filters=level%20eq%20%22LOW%22%20and%20name%20co%20%22roll%22").await, "Payroll of 1");
    assert_eq!(list("&sorters=-created&limit=1&offset=1").await, "Ship of 3");
    assert_eq!(list("&filters=type%20eq%20%22GENERAL%22").await, " of 0");
    let refused = ask(&world, &ada, "GET /v3/sod-policies?sorters=level", &Value::Null).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.cause().starts_with("sorters has \"level\": expected some of id, name"),
        "{}",
        refused.cause()
    );
}

/// The arguments of the task with this id.
async fn arguments(world: &World, id: &str) -> (Value, Option<Value>) {
    let task = world.store.task(&build::tenant(), &TaskId::new(id)).await.unwrap().unwrap();
    assert_eq!(task.report.as_str(), "SOD_VIOLATIONS");
    let read = |name: &str| task.arguments.text(name).map(|text| serde_json::from_str(text).unwrap());
    (read("policies").unwrap(), read("exceptions"))
}

#[tokio::test]
async fn a_violation_report_runs_with_the_kept_policy_and_its_exceptions_in_every_version() {
    let world = World::new().await;
    let ada = build::user();
    for (policies, report) in VERSIONS {
        let path = format!(
            "{policies}/{}",
            id_of(&ask(&world, &ada, &format!("POST {policies}"), &lists("Pay")).await)
        );
        let id = path.rsplit('/').next().unwrap().to_owned();
        let exceptions =
            json!([{"identity": "grace", "owner": "ada", "reason": "small branch", "ends": "2026-12-31"}]);
        let accepted = format!("/muster/v1/sod-policies/{id}/exceptions");
        let put = ask(&world, &ada, &format!("PUT {accepted}"), &exceptions).await;
        assert_eq!((put.status.as_u16(), put.json()), (200, exceptions.clone()), "{}", put.text());
        assert_eq!(ask(&world, &ada, &format!("GET {accepted}"), &Value::Null).await.json(), exceptions);
        // An update of the policy leaves its exceptions.
        assert_eq!(ask(&world, &ada, &format!("PUT {path}"), &lists("Pay")).await.status, 200);

        assert_eq!(
            ask(&world, &ada, &format!("GET {path}/violation-report"), &Value::Null).await.status,
            404
        );
        let run = ask(&world, &ada, &format!("POST {path}/violation-report/run"), &Value::Null).await;
        assert_eq!(run.status, 200, "{}", run.text());
        let task = run.json()["id"].as_str().unwrap().to_owned();
        let pending = json!({"type": "REPORT_RESULT", "id": task, "name": "Pay", "status": "PENDING"});
        assert_eq!(run.json(), pending);
        let (asked, excepted) = arguments(&world, &task).await;
        assert_eq!(
            (&asked[0]["id"], &asked[0]["name"], asked.as_array().unwrap().len()),
            (&json!(id), &json!("Pay"), 1)
        );
        assert_eq!(asked[0]["left"]["entitlements"][1]["id"], "2c9180866166b5b0016167c32ef31a67");
        let excepted = excepted.unwrap();
        assert_eq!((&excepted[0]["policy"], &excepted[0]["identity"]), (&json!(id), &json!("grace")));
        // An equal report that is live is the same one.
        assert_eq!(ask(&world, &ada, &format!("POST {path}/evaluate"), &Value::Null).await.json(), pending);

        let absent = ask(&world, &ada, &format!("GET {report}/{task}/download"), &Value::Null).await;
        assert_eq!(absent.status, 404, "it has not ended");
        world.finish(b"a,b\r\n", Vec::new()).await;
        let ended = json!({"type": "REPORT_RESULT", "id": task, "name": "Pay", "status": "SUCCESS"});
        for line in [
            format!("GET {path}/violation-report"),
            format!("GET {policies}/{task}/violation-report"),
            format!("GET {policies}/sod-violation-report-status/{task}"),
        ] {
            assert_eq!(ask(&world, &ada, &line, &Value::Null).await.json(), ended, "{line}");
        }
        for (address, name) in [("download", "PolicyReport"), ("download/My%20report", "My report")] {
            let file = ask(&world, &ada, &format!("GET {report}/{task}/{address}"), &Value::Null).await;
            assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "application/zip"));
            assert_eq!(file.header("content-disposition"), format!("attachment;filename=\"{name}.zip\""));
            assert_eq!(file.text(), format!("{name}.csv of {task}.csv\n"));
        }

        // Of several: all, and those that are named.
        let other = id_of(&ask(&world, &ada, &format!("POST {policies}"), &lists("Ship")).await);
        let all = ask(&world, &ada, &format!("POST {report}/run"), &Value::Null).await.json();
        assert_eq!((&all["name"], &all["status"]), (&json!("Multi Query Report"), &json!("PENDING")));
        let (asked, _) = arguments(&world, all["id"].as_str().unwrap()).await;
        assert_eq!(asked.as_array().unwrap().len(), 2);
        let named = json!({"filteredPolicyList": [other]});
        let some = ask(&world, &ada, &format!("POST {report}/run"), &named).await.json();
        let (asked, excepted) = arguments(&world, some["id"].as_str().unwrap()).await;
        assert_eq!((&asked[0]["name"], asked.as_array().unwrap().len(), excepted), (&json!("Ship"), 1, None));
        let last = ask(&world, &ada, &format!("GET {report}"), &Value::Null).await;
        assert_eq!(last.json(), some);
        let unknown = json!({"filteredPolicyList": ["x"]});
        let refused = ask(&world, &ada, &format!("POST {report}/run"), &unknown).await;
        assert_eq!(refused.status, 400);
        assert!(refused.cause().contains("there is no policy \"x\""), "{}", refused.cause());
        world.finish(b"a\r\n", Vec::new()).await;
        world.finish(b"a\r\n", Vec::new()).await;
        for id in [id, other] {
            assert_eq!(ask(&world, &ada, &format!("DELETE {policies}/{id}"), &Value::Null).await.status, 204);
        }
    }
}

/// A result of another report is none of these, whatever the caller may see of it elsewhere.
#[tokio::test]
async fn other_reports_are_no_violation_reports() {
    let world = World::new().await;
    let ada = build::user();
    let id = world.finished(b"x").await;
    for line in [
        format!("GET /v3/sod-policies/sod-violation-report-status/{id}"),
        format!("GET /v3/sod-policies/{id}/violation-report"),
        format!("GET /v3/sod-violation-report/{id}/download"),
    ] {
        assert_eq!(ask(&world, &ada, &line, &Value::Null).await.status, 404, "{line}");
    }
}

#[tokio::test]
async fn an_administrator_of_policies_manages_them_and_one_of_some_sources_does_not() {
    let world = World::new().await;
    let policies = person("pia", UserLevel::SodPolicyAdmin);
    let limited = Caller {
        data_scope: DataScope::of_sources([build::SOURCE]).unwrap(),
        ..person("lise", UserLevel::SodPolicyAdmin)
    };
    for caller in [&policies, &limited] {
        world.credential(caller.clone(), true).await;
    }
    let id = id_of(&ask(&world, &policies, "POST /v3/sod-policies", &lists("Pay")).await);
    assert_eq!(ask(&world, &limited, &format!("GET /v3/sod-policies/{id}"), &Value::Null).await.status, 200);
    for (line, body) in [
        ("POST /v3/sod-policies".to_owned(), lists("Ship")),
        (format!("PUT /v3/sod-policies/{id}"), lists("Pay")),
        (format!("PATCH /v3/sod-policies/{id}"), json!([])),
        (format!("DELETE /v3/sod-policies/{id}"), Value::Null),
        (format!("PUT /muster/v1/sod-policies/{id}/exceptions"), json!([])),
    ] {
        let refused = ask(&world, &limited, &line, &body).await;
        assert_eq!(refused.status, 403, "{line}");
    }
    // Its reports have the rows of its sources, so a caller who sees all gets another report.
    let run = format!("POST /v3/sod-policies/{id}/violation-report/run");
    let of_limited =
        ask(&world, &limited, &run, &Value::Null).await.json()["id"].as_str().unwrap().to_owned();
    let of_all = ask(&world, &policies, &run, &Value::Null).await.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(of_limited, of_all);
    let status = |id: &str| format!("GET /v3/sod-policies/sod-violation-report-status/{id}");
    assert_eq!(ask(&world, &limited, &status(&of_all), &Value::Null).await.status, 404);
    assert_eq!(ask(&world, &policies, &status(&of_limited), &Value::Null).await.status, 200);
}

/// The report by its own route has the kept policies too: all of them, or those that are named.
#[tokio::test]
async fn the_report_takes_kept_policies_by_name() {
    let world = World::new().await;
    let ada = build::user();
    let run = "POST /muster/v1/reports/SOD_VIOLATIONS/run";
    let refused = ask(&world, &ada, run, &json!({})).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.cause().starts_with("argument \"policies\" is missing, and no policy is kept"),
        "{}",
        refused.cause()
    );
    for name in ["Pay", "Ship"] {
        id_of(&ask(&world, &ada, "POST /v3/sod-policies", &lists(name)).await);
    }
    for (given, expected) in [
        (json!({}), vec!["Pay", "Ship"]),
        (json!({"policies": ["Ship"]}), vec!["Ship"]),
        (json!({"policies": "[\"Ship\"]"}), vec!["Ship"]),
        (json!({"policies": [{"name": "Own", "policyQuery": "*"}]}), vec!["Own"]),
    ] {
        let started = ask(&world, &ada, run, &json!({"arguments": given})).await;
        assert_eq!(started.status, 200, "{}", started.text());
        let (asked, _) = arguments(&world, started.json()["id"].as_str().unwrap()).await;
        let names: Vec<_> =
            asked.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected);
    }
}

/// The published example of a schedule, for a policy that has none yet.
#[tokio::test]
async fn a_policy_has_one_schedule_in_every_version() {
    let world = World::new().await;
    let ada = build::user();
    let body = json!({
        "name": "SCH-1584312283015", "description": "Schedule for policy xyz",
        "schedule": {"type": "WEEKLY", "days": {"type": "LIST", "values": ["MON"]}, "hours": {"type": "LIST", "values": ["6"]}},
        "recipients": [{"type": "IDENTITY", "id": "i1", "name": "Michael Michaels"}],
        "emailEmptyResults": true,
        "created": "2020-01-01T00:00:00.000000Z", "modified": "2020-01-01T00:00:00.000000Z", "creatorId": "x", "modifierId": "y",
    });
    for (prefix, _) in VERSIONS {
        let id = id_of(&ask(&world, &ada, &format!("POST {prefix}"), &lists("Pay")).await);
        let path = format!("{prefix}/{id}");
        let schedule = format!("{path}/schedule");
        let none = ask(&world, &ada, &format!("GET {schedule}"), &Value::Null).await;
        assert_eq!(
            (none.status.as_u16(), none.cause().as_str()),
            (404, "the policy \"Pay\" has no schedule")
        );
        let made = ask(&world, &ada, &format!("PUT {schedule}"), &body).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let mut expected = json!({
            "name": "SCH-1584312283015", "description": "Schedule for policy xyz", "emailEmptyResults": true,
            "schedule": {
                "type": "WEEKLY", "days": {"type": "LIST", "values": ["MON"]},
                "hours": {"type": "LIST", "values": ["6"]}, "timeZoneId": "Europe/Berlin",
            },
            "recipients": [{"type": "IDENTITY", "id": "i1"}],
            "created": now(&world), "modified": now(&world), "creatorId": user_id(&ada),
        });
        assert_eq!(made.json(), expected, "{prefix}");
        assert_eq!(ask(&world, &ada, &format!("GET {schedule}"), &Value::Null).await.json(), expected);
        let policy = ask(&world, &ada, &format!("GET {path}"), &Value::Null).await.json();
        assert_eq!(policy["scheduled"], true);
        let kept = ask(&world, &ada, "GET /muster/v1/schedules", &Value::Null).await.json();
        assert_eq!(
            (&kept[0]["name"], &kept[0]["reportId"], &kept[0]["notify"][0]["email"]),
            (&json!("SCH-1584312283015"), &json!("SOD_VIOLATIONS"), &json!("ann@example.com"))
        );
        // Again, it is changed, and stays the only one.
        world.clock.advance(TimeDelta::minutes(1));
        let again = ask(&world, &ada, &format!("PUT {schedule}"), &made.json()).await.json();
        expected["modified"] = json!(now(&world));
        expected["modifierId"] = json!(user_id(&ada));
        assert_eq!(again, expected);
        let kept = ask(&world, &ada, "GET /muster/v1/schedules", &Value::Null).await.json();
        assert_eq!(kept.as_array().unwrap().len(), 1);
        for (member, value, cause) in [
            ("schedule", Value::Null, "schedule is missing: expected an object with type and hours"),
            ("recipients", json!([{"type": "IDENTITY", "id": "nobody"}]), "recipient \"nobody\""),
            ("emailEmptyResults", json!("yes"), "emailEmptyResults is a text: expected true or false"),
            ("enabled", json!(true), "the body has the unknown member \"enabled\""),
        ] {
            let mut wrong = body.clone();
            wrong[member] = value;
            let refused = ask(&world, &ada, &format!("PUT {schedule}"), &wrong).await;
            assert_eq!(refused.status, 400, "{member}");
            assert!(refused.cause().starts_with(cause), "{}", refused.cause());
        }
        if prefix == "/v3/sod-policies" {
            assert_eq!(ask(&world, &ada, &format!("DELETE {schedule}"), &Value::Null).await.status, 204);
            assert_eq!(ask(&world, &ada, &format!("DELETE {schedule}"), &Value::Null).await.status, 404);
        }
        // With the policy, its schedule goes.
        assert_eq!(ask(&world, &ada, &format!("DELETE {path}"), &Value::Null).await.status, 204);
        let kept = ask(&world, &ada, "GET /muster/v1/schedules", &Value::Null).await.json();
        assert_eq!(kept, json!([]));
    }
}

/// What is predicted is tested with real snapshots, by the published clients and in `crates/muster`.
#[tokio::test]
async fn a_prediction_wants_an_identity_and_entitlements() {
    let world = World::new().await;
    let ada = build::user();
    let one = json!([{"type": "ENTITLEMENT", "id": "e1", "name": "x"}]);
    for route in ["POST /v3/sod-violations/predict", "POST /sod-violations/v1/check"] {
        for (body, status, cause) in [
            (json!({"accessRefs": one}), 400, "identityId is missing: expected the id of an identity"),
            (json!({"identityId": "i1"}), 400, "accessRefs is missing: expected a list of entitlements"),
            (
                json!({"identityId": "i1", "accessRefs": [{"type": "ROLE", "id": "r"}]}),
                400,
                "accessRefs, item 0: type is \"ROLE\"",
            ),
            (
                json!({"identityId": "i1", "accessRefs": [{"type": "ENTITLEMENT"}]}),
                400,
                "accessRefs, item 0: id is missing",
            ),
            (json!({"identityId": "nobody", "accessRefs": one}), 404, "there is no identity \"nobody\""),
            (json!({"identityId": "i1", "accessRefs": one}), 404, "there is no entitlement \"e1\""),
            (
                json!({"identityId": "i1", "accessRefs": one, "more": 1}),
                400,
                "the body has the unknown member",
            ),
        ] {
            let refused = ask(&world, &ada, route, &body).await;
            assert_eq!(refused.status.as_u16(), status, "{body}");
            assert!(refused.cause().starts_with(cause), "{}", refused.cause());
        }
    }
    // Nothing more is asked for, and nothing is violated.
    let none =
        json!({"identityId": "i1", "accessRefs": [], "sourceIdAndNativeIdToEntitlementIdsMappings": []});
    let answer = ask(&world, &ada, "POST /v2024/sod-violations/predict", &none).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"violationContexts": []})));
    let check = json!({"identityId": "i1", "accessRefs": [], "clientMetadata": {"request": "17"}});
    let answer = ask(&world, &ada, "POST /v2025/sod-violations/check", &check).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let told = world.store.recorded(AuditOperation::ViolationsChecked);
    assert_eq!(answer.json(), json!({"requestId": told[0].task.as_str(), "created": now(&world)}));
    let expected = "check of identity i1 with 0 more entitlements: no policy would be violated; metadata of the client: \
                    {\"request\":\"17\"}";
    assert_eq!(told[0].details, expected);
    let wrong = json!({"identityId": "i1", "accessRefs": [], "clientMetadata": {"request": 17}});
    let refused = ask(&world, &ada, "POST /v2025/sod-violations/check", &wrong).await;
    assert!(refused.cause().starts_with("clientMetadata: \"request\" is a number"), "{}", refused.cause());
}
