//! One client does, within the default limits, what could hold up all others: many starts, long checks, idle connections.
//! The others must not be affected.
//!
//! The checks compare the order of events where that is possible, and not times, so that a busy machine causes no faults.

use super::PATIENCE;
use crate::api::{self, Api, Report};
use crate::failure::{Failure, Result};
use crate::installation::{Installation, SETTINGS};
use serde_json::json;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Starts of one client while another waits for one report.
const STARTS: u32 = 450;
/// Clients that have a query checked at once.
const CHECKERS: usize = 40;
/// Connections that are open and idle.
const IDLE: usize = 640;
/// The limit of files that the service may have open.
const FILES: &str = "--nofile=700:700";
/// How long health may take while queries are checked. It once took up to 75 s; on an idle machine it takes milliseconds.
const HEALTH_MAX: Duration = Duration::from_secs(5);

fn search(query: String) -> Report {
    Report { kind: "SEARCH_EXPORT", arguments: json!({"query": query, "indices": ["identities"]}) }
}

/// A client starts hundreds of reports, and another client starts one. That one runs after the first of the hundreds, not
/// after the last.
pub fn many_starts(installation: &Installation) -> Result<()> {
    let none = [&SETTINGS[..], &[("MUSTER__WORKER__COUNT", "0")]].concat();
    let server = installation.serve(&none)?;
    let (many, one) = (server.connect(&installation.user)?, server.connect(&installation.application)?);
    let mut ids = Vec::new();
    for number in 0..STARTS {
        ids.push(many.start(&search(format!("name:a{number}")))?);
    }
    let other = one.start(&search("name:z".into()))?;
    server.stop()?;
    let single = [&SETTINGS[..], &[("MUSTER__WORKER__COUNT", "1")]].concat();
    let server = installation.serve(&single)?;
    let api = server.connect(&installation.user)?;
    let (other, third) = (completed(&api, &other)?, completed(&api, &ids[2])?);
    // Times in the same form can be compared as texts.
    if other > third {
        return Err(Failure::new(format!(
            "another's one report ended at {other}, the third of many at {third}"
        )));
    }
    server.kill()
}

/// Waits until a task has completed; when that was.
fn completed(api: &Api, id: &str) -> Result<String> {
    api.ended(id, PATIENCE)?;
    let time = api.task(id)?["completed"].as_str().map(str::to_owned);
    time.ok_or_else(|| Failure::new(format!("task {id} has ended and says not when")))
}

/// Clients send queries that take long to check; health must answer meanwhile.
pub fn long_checks(installation: &Installation) -> Result<()> {
    let server = installation.serve(&SETTINGS)?;
    let api = server.connect(&installation.user)?;
    // 16 KB of fuzzy terms and patterns, no two alike.
    let terms = (0..220).map(|number| {
        format!("attributes.a{number}:abcdefghijklmnopqrstuvwxyz{number}~2 name:/(a|b{number})*c.{{1,40}}/")
    });
    let query = terms.collect::<Vec<_>>().join(" ");
    let done = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        let health = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let asked = Instant::now();
                if !api::is_ready(&server.base) {
                    return Err(Failure::new("the service is not ready"));
                }
                longest = longest.max(asked.elapsed());
            }
            Ok(longest)
        });
        let checkers: Vec<_> = (0..CHECKERS)
            .map(|number| {
                let (api, query) = (api.clone(), format!("{query} name:x{number}"));
                // The answer does not matter: accepted, refused, or told to try again.
                scope.spawn(move || api.run(&search(query)).map(drop))
            })
            .collect();
        let answered: Vec<_> =
            checkers.into_iter().map(|one| one.join().expect("a client only calls")).collect();
        done.store(true, Ordering::Relaxed);
        let longest = health.join().expect("a client only calls")?;
        answered.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
        Ok::<_, Failure>(longest)
    })?;
    if longest > HEALTH_MAX {
        return Err(Failure::new(format!("health took {longest:?} while queries were checked")));
    }
    server.kill()
}

/// A client keeps hundreds of idle connections; the reports of a client that is connected continue.
pub fn idle_connections(installation: &Installation) -> Result<()> {
    let mut server = installation.spawn_under(&["prlimit".to_owned(), FILES.to_owned()], &SETTINGS)?;
    server.wait_ready()?;
    let api = server.connect(&installation.user)?;
    // Its connection stays open, so it need not wait among new ones.
    api.result("none")?;
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for number in 0..IDLE {
        // A connection that the service does not accept waits in the system's queue, which is finite.
        let connection = TcpStream::connect(&address);
        idle.push(connection.map_err(|error| Failure::new(format!("connection {number}: {error}")))?);
    }
    for report in installation.reports() {
        let id = api.start(&report)?;
        let outcome = api.ended(&id, PATIENCE)?;
        if !outcome.has_file() {
            return Err(Failure::new(format!(
                "{} ended with {} while {IDLE} connections were idle",
                report.kind, outcome.status
            )));
        }
    }
    drop(idle);
    server.kill()
}
