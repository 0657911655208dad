//! The rate limit, and bodies that do not come.

use crate::world::{World, user_as};
use axum::body::{Body, Bytes};
use chrono::TimeDelta;
use futures_util::stream;
use muster_reports::Caller;
use muster_reports::ids::TenantId;
use muster_testkit::build;
use std::io;
use std::time::Duration;

#[tokio::test]
async fn a_hundred_requests_in_any_ten_seconds_per_client_and_version() {
    let world = World::new().await;
    world.credential(user_as("another"), true).await;
    let (ada, another) = (world.bearer(&build::user()), world.bearer(&user_as("another")));
    let ask = async |prefix: &str, bearer: &str| {
        world.ask(&format!("GET {prefix}/x/result"), &[("authorization", bearer)], "").await
    };
    for number in 0..100 {
        assert_eq!(ask("/v3/reports", &ada).await.status, 200, "request {number}");
    }
    world.clock.advance(TimeDelta::milliseconds(3_500));
    let refused = ask("/v3/reports", &ada).await;
    assert_eq!(
        (refused.status.as_u16(), refused.text().as_str()),
        (429, r#"{"message":" Rate Limit Exceeded "}"#)
    );
    assert_eq!((refused.header("retry-after"), refused.header("content-type")), ("7", "application/json"));
    for (prefix, bearer, status) in [
        ("//v3/reports", &ada, 429),
        ("/v2024/reports", &ada, 200),
        ("/reports/v1", &ada, 200),
        ("/v3/reports", &another, 200),
    ] {
        assert_eq!(ask(prefix, bearer).await.status, status, "{prefix}");
    }
    world.clock.advance(TimeDelta::milliseconds(6_499));
    let refused = ask("/v3/reports", &ada).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
    world.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(ask("/v3/reports", &ada).await.status, 200, "refused requests were not counted");
}

#[tokio::test]
async fn a_request_without_a_right_counts_and_one_without_a_token_does_not() {
    let world = World::with(|settings| settings.rate_limit.requests = 2).await;
    let bearer = world.bearer(&build::application());
    let line = "POST /v3/reports/x/cancel";
    for status in [403, 403, 429] {
        world.ask(line, &[], "").await;
        assert_eq!(world.ask(line, &[("authorization", &bearer)], "").await.status, status);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::with(|settings| settings.body_timeout = Duration::from_millis(5)).await;
    let bearer = world.bearer(&build::user());
    let never = Body::from_stream(stream::pending::<io::Result<Bytes>>());
    let answer = world.ask("POST /v3/reports/run", &[("authorization", &bearer)], never).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["detailCode"].as_str()),
        (408, Some("408 Request Timeout"))
    );
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_given_up() {
    let world = World::with(|settings| settings.request_timeout = Duration::from_millis(5)).await;
    let bearer = world.bearer(&build::user());
    let never = Body::from_stream(stream::pending::<io::Result<Bytes>>());
    let answer = world.ask("POST /v3/reports/run", &[("authorization", &bearer)], never).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "5"));
}

/// However many clients a tenant has, together they stay below its ceiling; another tenant's are not in it.
#[tokio::test]
async fn a_tenant_has_a_ceiling() {
    let world = World::with(|settings| settings.tenant_rate_limit.requests = 3).await;
    world.credential(user_as("another"), true).await;
    let stranger = Caller { tenant: TenantId::new("umbrella"), ..user_as("stranger") };
    world.credential(stranger.clone(), true).await;
    let (ada, another, stranger) =
        (world.bearer(&build::user()), world.bearer(&user_as("another")), world.bearer(&stranger));
    for (bearer, prefix, status) in [
        (&ada, "/v3/reports", 200),
        (&another, "/v3/reports", 200),
        (&ada, "/v2024/reports", 200),
        (&another, "/reports/v1", 429),
        (&stranger, "/v3/reports", 200),
    ] {
        let answer = world.ask(&format!("GET {prefix}/x/result"), &[("authorization", bearer)], "").await;
        assert_eq!(answer.status, status, "{prefix}");
        assert_eq!(answer.header("retry-after"), if status == 429 { "10" } else { "" });
    }
}
