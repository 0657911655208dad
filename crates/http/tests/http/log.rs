//! What the log has and what it must never have.

use crate::world::{ACCOUNTS, SECRET, World};
use muster_testkit::build;
use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of this thread from now on, for as long as the second part is kept.
fn log() -> (Captured, impl Sized) {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    // Where there is one subscriber alone, a place in the code that another test's thread meets first is asked of that
    // thread, which has none, and stays silent for good.
    let silent = tracing_subscriber::fmt().with_writer(io::sink).finish();
    let another = tracing::Dispatch::new(silent);
    (captured, (tracing::subscriber::set_default(subscriber), another))
}

/// A refusal because there is too much to do is not a fault: it gives one line that warns, with the reason.
#[tokio::test]
async fn a_refusal_for_now_warns_and_a_fault_is_an_error() {
    let (captured, _kept) = log();
    let world = World::new().await;
    let id = world.finished(b"x").await;
    let path = format!("GET /muster/v1/reports/{id}/evidence");
    world.maker.refuses.store(true, Ordering::SeqCst);
    let busy = world.ask_as_user(&path, "").await.json();
    world.store.refuse_audit(true);
    world.maker.refuses.store(false, Ordering::SeqCst);
    let broken = world.ask_as_user(&path, "").await.json();
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    for (answer, level, words) in [
        (busy, "WARN", "request refused status=503 reason=\"the time-stamping authority does not answer\""),
        (broken, "ERROR", "request failed status=500 error="),
    ] {
        let id = answer["trackingId"].as_str().unwrap();
        let told = |line: &&str| line.contains(id) && (line.contains("WARN") || line.contains("ERROR"));
        let lines: Vec<_> = log.lines().filter(told).collect();
        assert!(lines.len() == 1 && lines[0].contains(level) && lines[0].contains(words), "{words}: {log}");
    }
}

#[tokio::test]
async fn the_log_has_the_tracking_id_and_no_secret_or_person() {
    let (captured, _kept) = log();
    let world = World::new().await;
    let id = world.finished(b"x").await;
    world.store.refuse_audit(true);
    let line = format!("GET /v3/reports/{id}?fileFormat=csv&auditable=true&name=Jane+Doe");
    let broken = world.ask_as_user(&line, "").await.json();
    let person = ACCOUNTS.replace("2c9180897e7742b2017e781782f705b9", "jane.doe@example.org");
    let refused = world.ask_as_user("POST /v3/reports/run", &person).await.json();
    world.ask_as_user("GET /v3/reports/jane.doe/result", "").await;
    world.ask("GET /people/jane.doe", &[], "").await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("grant_type=client_credentials&client_id=client-of-ada&client_secret={SECRET}");
    let token = world.ask("POST /oauth/token", &[form], body.clone()).await.json();
    world.ask(&format!("POST /oauth/token?{body}"), &[], "").await;
    let jane = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIn0.";
    world.ask("GET /v3/reports/x/result", &[("authorization", jane)], "").await;

    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    world.ask("GET /health/live", &[trace, ("tracestate", "jane=Jane")], "").await;

    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    let line_of = |id: &serde_json::Value, what: &str| {
        let id = id.as_str().unwrap();
        assert!(log.lines().any(|line| line.contains(id) && line.contains(what)), "{id} {what}: {log}");
    };
    line_of(&broken["trackingId"], "the audit event could not be recorded: told to refuse");
    line_of(&broken["trackingId"], "status=500");
    line_of(&broken["trackingId"], "took_ms=");
    line_of(&broken["trackingId"], "route=\"/v3/reports/{taskResultId}\"");
    line_of(&refused["trackingId"], "client=\"client-of-ada\"");
    assert!(
        log.lines()
            // {"status":"live"}
            .any(|line| line.contains("4bf92f3577b34da6a3ce929d0e0e4736")
                && line.contains("status=200 bytes=17 took_ms="))
    );
    assert!(log.contains("token refused reason=\"the token is not a valid token of this service\""), "{log}");
    let bearer = world.bearer(&build::user());
    for never in [
        SECRET,
        &jane[7..],
        token["access_token"].as_str().unwrap(),
        &bearer[7..],
        "Jane",
        "jane",
        "ada.lovelace",
    ] {
        assert!(!log.contains(never), "{never} is in the log: {log}");
    }
}
