//! Who may do what, over HTTP.

use crate::world::{World, line_of, user_as};
use chrono::TimeDelta;
use muster_http::{Access, route_table};
use muster_testkit::build;

/// Routes for anybody: this list is the review of them.
const OPEN: [&str; 6] = [
    "GET /health/live",
    "GET /health/ready",
    "GET /livez",
    "GET /openapi.json",
    "GET /readyz",
    "POST /oauth/token",
];

#[tokio::test]
async fn every_route_but_the_open_ones_asks_for_a_token() {
    let world = World::new().await;
    let mut open = Vec::new();
    for route in route_table() {
        let line = format!("{} {}", route.method, route.path);
        match route.access {
            Access::Open => open.push(line),
            Access::Needs(_) => {
                let answer = world.ask(&line_of(&route, "x"), &[], "").await;
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

/// The store is asked again after three seconds, so a change of a credential is seen soon.
#[tokio::test]
async fn what_is_known_of_a_credential_is_soon_asked_again() {
    let world = World::new().await;
    let bearer = world.bearer(&user_as("late"));
    let line = "GET /v3/reports/x/result";
    assert_eq!(world.ask(line, &[("authorization", &bearer)], "").await.status, 401);
    world.credential(user_as("late"), true).await;
    for (milliseconds, status) in [(2_999, 401), (1, 200)] {
        world.clock.advance(TimeDelta::milliseconds(milliseconds));
        assert_eq!(world.ask(line, &[("authorization", &bearer)], "").await.status, status);
    }
}
