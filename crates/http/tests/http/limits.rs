//! The rate limit.

use crate::world::{World, user_as};
use chrono::TimeDelta;
use muster_testkit::build;

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
