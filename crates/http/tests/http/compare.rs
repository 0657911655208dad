//! Two runs compared over HTTP: which answers there are, who gets them, what is recorded, what is refused.

use crate::world::{PAGE_POLICY, World, comparison_of};
use muster_reports::audit::AuditOperation;
use muster_reports::made::ComparisonForm;
use sha2::{Digest, Sha256};
use std::sync::atomic::Ordering;

fn line(old: &str, rest: &str) -> String {
    format!("GET /muster/v1/reports/{old}/compare/{rest}")
}

async fn two_runs() -> (World, String, String) {
    let world = World::new().await;
    let (old, new) = (world.finished(b"x").await, world.finished(b"y").await);
    assert_ne!(old, new);
    (world, old, new)
}

#[tokio::test]
async fn a_comparison_is_sent_whole_and_recorded_for_both_runs() {
    let (world, old, new) = two_runs().await;
    for rest in [format!("{new}?key=a&key=b%20c"), format!("{new}.csv?key=a&key=b+c")] {
        let answer = world.ask_as_user(&line(&old, &rest), "").await;
        let keys = ["a".to_owned(), "b c".to_owned()];
        let expected = comparison_of(&old, &new, &keys, ComparisonForm::Csv);
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, expected.as_str()));
        for (name, value) in [
            ("content-type", "application/csv"),
            ("content-length", expected.len().to_string().as_str()),
            ("content-disposition", &format!("attachment;filename=\"comparison-{old}-{new}.csv\"")),
            ("cache-control", "private, no-store"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("repr-digest").starts_with("sha-256=:"));
        let digest: String = Sha256::digest(expected).iter().map(|byte| format!("{byte:02x}")).collect();
        let events = world.store.recorded(AuditOperation::Download);
        let [.., first, second] = &events[..] else { panic!("{events:?}") };
        assert_eq!(first.task.as_str(), old);
        assert_eq!(first.details, format!("comparison with the later {new}: sha-256 {digest}"));
        assert_eq!(second.task.as_str(), new);
        assert_eq!(second.details, format!("comparison with the earlier {old}: sha-256 {digest}"));
    }
    assert_eq!(world.store.recorded(AuditOperation::Download).len(), 4);
}

#[tokio::test]
async fn a_page_may_do_nothing_in_a_browser() {
    let (world, old, new) = two_runs().await;
    let answer = world.ask_as_user(&line(&old, &format!("{new}.html")), "").await;
    assert_eq!(answer.text(), comparison_of(&old, &new, &[], ComparisonForm::Page));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", PAGE_POLICY),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-store"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn counts_alone_are_json_and_recorded_too() {
    let (world, old, new) = two_runs().await;
    let answer = world.ask_as_user(&line(&old, &format!("{new}.json")), "").await;
    assert_eq!(answer.json()["added"], 7);
    assert_eq!((&answer.json()["old"], &answer.json()["new"]), (&old.as_str().into(), &new.as_str().into()));
    let events = world.store.recorded(AuditOperation::Download);
    assert_eq!(
        (events.len(), events[0].details.clone()),
        (2, format!("comparison with the later {new}: counts"))
    );
}

#[tokio::test]
async fn asking_for_the_head_compares_nothing() {
    let (world, old, new) = two_runs().await;
    let answer = world.ask_as_user(&line(&old, &new).replace("GET", "HEAD"), "").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/csv"));
    assert_eq!(
        (world.maker.made.load(Ordering::SeqCst), world.store.recorded(AuditOperation::Download).len()),
        (0, 0)
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent() {
    let (world, old, new) = two_runs().await;
    world.store.refuse_audit(true);
    for form in ["csv", "html", "json"] {
        let answer = world.ask_as_user(&line(&old, &format!("{new}.{form}")), "").await;
        assert_eq!(answer.status, 500, "{form}");
    }
    world.store.refuse_audit(false);
    world.maker.bytes_more.store(1, Ordering::SeqCst);
    assert_eq!(world.ask_as_user(&line(&old, &new), "").await.status, 500);
    assert!(world.store.recorded(AuditOperation::Download).is_empty(), "nothing was sent");
}

#[tokio::test]
async fn what_cannot_be_compared_says_why() {
    let (world, old, new) = two_runs().await;
    let unknown = "f".repeat(32);
    for (from, to) in [(&old, &unknown), (&unknown, &old)] {
        let answer = world.ask_as_user(&line(from, to), "").await;
        let expected = format!("there is no report result \"{unknown}\"");
        assert_eq!((answer.status.as_u16(), answer.cause()), (404, expected));
    }
    let refused = async |old: &str, rest: &str| {
        let answer = world.ask_as_user(&line(old, rest), "").await;
        assert_eq!(answer.status, 400, "{rest}");
        answer.cause()
    };
    assert_eq!(
        refused(&old, &format!("{new}.exe")).await,
        "the format of the comparison is \"exe\": expected csv, html or json"
    );
    let keys = "&key=x".repeat(17);
    assert_eq!(
        refused(&old, &format!("{new}?{}", &keys[1..])).await,
        "the request names 17 keys: expected at most 16"
    );

    let line = "POST /muster/v1/reports/leavers/run";
    let other = world.ask_as_user(line, r#"{"arguments":{"since":"2026"}}"#).await.json();
    let other = other["id"].as_str().unwrap();
    world.finish(b"z", Vec::new()).await;
    assert_eq!(
        refused(&old, other).await,
        format!(
            "report result {old} is of ACCOUNTS, report result {other} is of leavers: expected two runs of one report"
        )
    );
    let archive = world.start().await;
    world.finish_as(b"PK", Vec::new(), "zip").await;
    let cause = refused(&old, &archive).await;
    assert!(cause.starts_with(&format!("report result {archive} is an archive of CSV files")), "{cause}");
    world.maker.refuses.store(true, Ordering::SeqCst);
    assert_eq!(refused(&old, &new).await, "too many rows");
    assert!(world.store.recorded(AuditOperation::Download).is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_run_of_another_tenant_is_not_there() {
    let (world, old, new) = two_runs().await;
    let mut stranger = crate::world::user_as("stranger");
    stranger.tenant = muster_reports::ids::TenantId::new("umbrella");
    world.credential(stranger.clone(), true).await;
    let bearer = world.bearer(&stranger);
    let answer = world.ask(&line(&old, &new), &[("authorization", &bearer)], "").await;
    assert_eq!(answer.status, 404);
}
