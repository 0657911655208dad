//! Evidence packages over HTTP: who gets one, what is recorded, and what goes wrong.

use crate::world::{KEY_PEM, World, package_of};
use muster_reports::audit::AuditOperation;
use muster_testkit::build;
use sha2::{Digest, Sha256};
use std::sync::atomic::Ordering;

fn line(id: &str) -> String {
    format!("GET /muster/v1/reports/{id}/evidence")
}

#[tokio::test]
async fn a_package_is_sent_whole_and_recorded_with_its_digest() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let answer = world.ask_as_user(&line(&id), "").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, package_of(&id)));
    let bytes = package_of(&id).len().to_string();
    for (name, value) in [
        ("content-type", "application/zip"),
        ("content-length", bytes.as_str()),
        ("content-disposition", &format!("attachment;filename=\"evidence-{id}.zip\"")),
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
        // A second answer would be another package, so there is nothing to go on with.
        ("etag", ""),
        ("accept-ranges", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("repr-digest").starts_with("sha-256=:"));
    let digest: String = Sha256::digest(package_of(&id)).iter().map(|byte| format!("{byte:02x}")).collect();
    let events = world.store.recorded(AuditOperation::Download);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].details, format!("evidence package sha-256 {digest}"));
    let caller = muster_reports::Caller { trace: None, ..events[0].caller.clone() };
    assert_eq!((events[0].task.as_str(), caller), (id.as_str(), build::user()));
}

#[tokio::test]
async fn asking_for_the_head_makes_nothing_and_records_nothing() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let answer = world.ask_as_user(&line(&id).replace("GET", "HEAD"), "").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
    assert_eq!((answer.header("content-type"), answer.header("content-length")), ("application/zip", ""));
    assert_eq!(
        (world.maker.made.load(Ordering::SeqCst), world.store.recorded(AuditOperation::Download).len()),
        (0, 0)
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    world.store.refuse_audit(true);
    let answer = world.ask_as_user(&line(&id), "").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("the package of"));
}

#[tokio::test]
async fn a_package_that_is_not_as_its_maker_says_is_never_begun() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    world.maker.bytes_more.store(1, Ordering::SeqCst);
    assert_eq!(world.ask_as_user(&line(&id), "").await.status, 500);
    assert!(world.store.recorded(AuditOperation::Download).is_empty(), "nothing was sent");
    world.maker.refuses.store(true, Ordering::SeqCst);
    let answer = world.ask_as_user(&line(&id), "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.cause().as_str()),
        (503, "the time-stamping authority does not answer")
    );
}

#[tokio::test]
async fn what_has_no_package_says_why() {
    let world = World::new().await;
    let unknown = "f".repeat(32);
    let (running, cause) = (world.start().await, |id: &str, why: &str| format!("report result {id} {why}"));
    for (id, expected) in [
        (&unknown, format!("there is no report result \"{unknown}\"")),
        (&running, cause(&running, "has not ended yet")),
    ] {
        let answer = world.ask_as_user(&line(id), "").await;
        assert_eq!((answer.status.as_u16(), answer.cause()), (404, expected));
    }
    world.fail().await;
    let answer = world.ask_as_user(&line(&running), "").await;
    assert_eq!(answer.cause(), cause(&running, "failed (it broke): it has no evidence package"));
    let cancelled = world.start().await;
    let answer = world.ask_as_user(&format!("POST /v3/reports/{cancelled}/cancel"), "").await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    let answer = world.ask_as_user(&line(&cancelled), "").await;
    assert_eq!(answer.cause(), cause(&cancelled, "was cancelled: it has no evidence package"));
    assert_eq!(world.maker.made.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_key_is_given_as_it_is() {
    let world = World::new().await;
    let answer = world.ask_as_user("GET /muster/v1/evidence-key", "").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, KEY_PEM));
    assert_eq!(answer.header("content-type"), "application/x-pem-file");
}
