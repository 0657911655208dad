//! One client does, within the default limits, what would hold up everybody else: many starts, long checks, idle
//! connections. Nobody may suffer for it.
//!
//! Where it can be said by the order of things it is, and not by a time, so that a busy machine makes no fault.

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
/// Connections that are kept open and say nothing, and files that the service may have open.
const IDLE: usize = 640;
const FILES: &str = "--nofile=700:700";
/// What health may take while queries are checked: the answer took up to 75 s, and takes milliseconds where the machine
/// has time.
const HEALTH_MAX: Duration = Duration::from_secs(5);

fn search(query: String) -> Report {
    Report { kind: "SEARCH_EXPORT", arguments: json!({"query": query, "indices": ["identities"]}) }
}

/// A client starts hundreds of reports; another starts one. It comes after the first of those, not after the last.
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
    // Times of one form compare as texts.
    if other > third {
        return Err(Failure::new(format!(
            "another's one report ended at {other}, the third of many at {third}"
        )));
    }
    server.kill()
}

/// When a task completed, once it has.
fn completed(api: &Api, id: &str) -> Result<String> {
    api.ended(id, PATIENCE)?;
    let time = api.task(id)?["completed"].as_str().map(str::to_owned);
    time.ok_or_else(|| Failure::new(format!("task {id} has ended and says not when")))
}

/// Clients have queries checked that take long; health goes on answering.
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
                // What it is answered does not matter: taken, refused, or told to come again.
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

/// A client keeps hundreds of connections open and says nothing; reports of those who are there go on.
pub fn idle_connections(installation: &Installation) -> Result<()> {
    let mut server = installation.spawn_under(&["prlimit".to_owned(), FILES.to_owned()], &SETTINGS)?;
    server.wait_ready()?;
    let api = server.connect(&installation.user)?;
    // Its connection is kept, so it waits in no queue of new ones.
    api.result("none")?;
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for number in 0..IDLE {
        // What the service does not take waits in the system's queue, which is finite.
        let connection = TcpStream::connect(&address);
        idle.push(connection.map_err(|error| Failure::new(format!("connection {number}: {error}")))?);
    }
    for report in installation.reports() {
        let id = api.start(&report)?;
        let outcome = api.ended(&id, PATIENCE)?;
        if !outcome.has_file() {
            return Err(Failure::new(format!(
                "{} ended with {} beside {IDLE} connections",
                report.kind, outcome.status
            )));
        }
    }
    drop(idle);
    server.kill()
}
