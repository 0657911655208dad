//! Who may do what, over HTTP.

use crate::world::{World, user_as};
use chrono::TimeDelta;
use muster_http::{Access, route_table};
use muster_reports::Operation;
use muster_reports::caller::{Scope, UserLevel};
use muster_testkit::build;

/// Routes for anybody: this list is the review of them.
const OPEN: [&str; 4] = ["GET /health/live", "GET /health/ready", "GET /openapi.json", "POST /oauth/token"];

#[tokio::test]
async fn every_route_but_the_open_ones_asks_for_a_token() {
    let world = World::new().await;
    let mut open = Vec::new();
    for route in route_table() {
        let line = format!("{} {}", route.method, route.path);
        match route.access {
            Access::Open => open.push(line),
            Access::Needs(_) => {
                let answer = world.ask(&line.replace("{id}", "x"), &[], "").await;
                assert_eq!(answer.status, 401, "{line}");
                assert_eq!(answer.text(), r#"{"error":"JWT validation failed: JWT is missing"}"#);
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                assert_eq!(answer.header("content-type"), "application/json");
            }
        }
    }
    open.sort();
    assert_eq!(open, OPEN);
}

/// operation × scope × level × kind of credential, as the published document has it.
#[tokio::test]
async fn rights_are_the_published_ones() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let lines = [
        (Operation::Start, "POST /v3/reports/run".to_owned()),
        (Operation::ReadResult, format!("GET /v3/reports/{id}/result")),
        (Operation::ReadResult, format!("GET /v3/reports/{id}/cover")),
        (Operation::Download, format!("GET /v3/reports/{id}?fileFormat=csv")),
        (Operation::Cancel, "POST /v3/reports/unknown/cancel".to_owned()),
    ];
    let mut asked = 0;
    for (operation, line) in &lines {
        for scope in Scope::ALL {
            let scope_fits = scope != Scope::ReportRead
                || matches!(operation, Operation::ReadResult | Operation::Download);
            let levels = UserLevel::ALL.map(Some).into_iter().chain([None]);
            for level in levels {
                let (caller, fits) = match level {
                    Some(level) => {
                        let starts = *operation != Operation::Start || level != UserLevel::User;
                        (build::user_with(scope, level), scope_fits && starts)
                    }
                    None => {
                        let mut caller = build::application();
                        caller.scopes = vec![scope];
                        (caller, scope_fits && *operation != Operation::Cancel)
                    }
                };
                world.clock.advance(TimeDelta::seconds(1));
                let bearer = world.bearer(&caller);
                let answer = world.ask(line, &[("authorization", &bearer)], "").await;
                // A start without a body is a 400 and an unknown cancel a 404: both are past the right.
                let expected = match (fits, operation) {
                    (false, _) => 403,
                    (true, Operation::Start) => 400,
                    (true, Operation::Cancel) => 404,
                    (true, Operation::ReadResult | Operation::Download) => 200,
                };
                assert_eq!(answer.status, expected, "{line} {scope:?} {level:?}");
                if !fits {
                    assert_eq!(answer.json()["detailCode"], "403 Forbidden");
                    assert!(!answer.cause().is_empty());
                }
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 5 * 3 * 9);
}

#[tokio::test]
async fn bad_tokens_are_refused_without_a_hint() {
    let world = World::new().await;
    let good = world.bearer(&build::user());
    let of_nobody = world.bearer(&user_as("never-made"));
    world.credential(user_as("disabled"), false).await;
    let of_disabled = world.bearer(&user_as("disabled"));
    let (missing, invalid, expired) = ("JWT is missing", "JWT is not valid", "JWT is expired");
    let lower = good.replacen("Bearer", "bearer", 1);
    let cases: [(&str, u16, &str); 9] = [
        (&good, 200, ""),
        (&lower, 200, ""),
        ("Bearer", 401, invalid),
        ("Bearer x.y.z", 401, invalid),
        ("Basic YTpi", 401, invalid),
        (&good[7..], 401, invalid),
        (&format!("{good}x"), 401, invalid),
        (&of_nobody, 401, invalid),
        (&of_disabled, 401, invalid),
    ];
    let line = "GET /v3/reports/x/result";
    for (header, status, reason) in cases {
        let answer = world.ask(line, &[("authorization", header)], "").await;
        assert_eq!(answer.status, status, "{header}");
        if status == 401 {
            assert_eq!(answer.text(), format!(r#"{{"error":"JWT validation failed: {reason}"}}"#));
        }
    }
    let answer = world.ask(line, &[], "").await;
    assert_eq!(answer.text(), format!(r#"{{"error":"JWT validation failed: {missing}"}}"#));
    world.clock.advance(TimeDelta::hours(1));
    let answer = world.ask(line, &[("authorization", &good)], "").await;
    assert_eq!(answer.text(), format!(r#"{{"error":"JWT validation failed: {expired}"}}"#));
}
