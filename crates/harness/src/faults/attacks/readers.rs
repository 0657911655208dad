//! A client requests many evidence packages and stops reading. What the service keeps on the disk for it is bounded, others
//! get their reports and their evidence, and everything is freed when the client disconnects.

use super::PATIENCE;
use crate::api::{Api, Report};
use crate::failure::{Context, Failure, Result};
use crate::installation::{Installation, SETTINGS};
use crate::server::Server;
use serde_json::json;
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Requests of one client for evidence.
const READERS: usize = 90;
/// The results whose evidence they request.
const RESULTS: usize = 15;
/// Packages that one client may hold (`COPIES_OF_CLIENT_MAX` in docs/limits.md), and one that another client fetches.
const HELD_MAX: usize = 4 + 1;
/// What the system may accept for a reader before the reader reads, in bytes.
const BUFFER: usize = 4_096;
/// The smallest package, in bytes, that the service cannot send at once: the system accepts 128 KiB from the service too.
const PACKAGE_MIN: usize = 512 << 10;
/// Pause between two counts of the files.
const COUNT_AGAIN: Duration = Duration::from_millis(20);

/// Runs the attack.
pub fn slow(installation: &Installation) -> Result<()> {
    let server = installation.serve(&SETTINGS)?;
    let (slow, other) = (server.connect(&installation.user)?, server.connect(&installation.application)?);
    let ids = results(&slow)?;
    let package = evidence(&other, &ids[0])?;
    if package < PACKAGE_MIN {
        return Err(Failure::new(format!("a package of {package} bytes is sent at once: nothing is shown")));
    }
    let readers: Vec<_> =
        ids.iter().cycle().take(READERS).map(|id| asked(&server, &slow, id)).collect::<Result<_>>()?;
    let work = installation.data.join("work");
    let done = AtomicBool::new(false);
    let (most, statuses) = thread::scope(|scope| {
        let looking = scope.spawn(|| most_held(&server, &work, &done));
        let attacked = || {
            for report in installation.reports() {
                evidence(&other, &ended_well(&other, &report)?)?;
            }
            readers.iter().map(status).collect::<Result<Vec<_>>>()
        };
        let statuses = attacked();
        done.store(true, Ordering::Relaxed);
        Ok::<_, Failure>((looking.join().expect("it only looks")?, statuses?))
    })?;
    let bytes_max = (HELD_MAX * (package + PACKAGE_MIN)) as u64;
    if most.0 > HELD_MAX || most.1 > bytes_max {
        return Err(Failure::new(format!(
            "{} packages of {} bytes were on the disk at a time: expected at most {HELD_MAX}, of {bytes_max} bytes",
            most.0, most.1
        )));
    }
    // 200 for readers that hold a package; the others found no room in time and are told to try again.
    let refused = statuses.iter().filter(|status| ["503", "504"].contains(&status.as_str())).count();
    let served = statuses.iter().filter(|status| status.as_str() == "200").count();
    if refused == 0 || refused + served < READERS {
        return Err(Failure::new(format!("{READERS} requests for evidence are answered with {statuses:?}")));
    }
    drop(readers);
    freed(&server, &work)?;
    evidence(&slow, &ids[1])?;
    server.kill()
}

/// Results with large packages.
fn results(api: &Api) -> Result<Vec<String>> {
    let formats = ["XLSX", "NDJSON", "PARQUET"];
    let report = Report {
        kind: "IDENTITIES_DETAILS",
        arguments: json!({"correlatedOnly": false, "extraFormats": formats}),
    };
    (0..RESULTS).map(|_| ended_well(api, &report)).collect()
}

/// Runs a report, which must end with a file; its task result id.
fn ended_well(api: &Api, report: &Report) -> Result<String> {
    let id = api.start(report)?;
    match api.ended(&id, PATIENCE)? {
        outcome if outcome.has_file() => Ok(id),
        outcome => Err(Failure::new(format!("{} ended with {}", report.kind, outcome.status))),
    }
}

/// Fetches a whole package; its bytes.
fn evidence(api: &Api, id: &str) -> Result<usize> {
    match api.evidence(id)? {
        answer if answer.status == 200 => Ok(answer.body.len()),
        answer => Err(Failure::new(format!("the evidence of {id} is answered with {}", answer.status))),
    }
}

/// A connection that has requested a package and reads almost nothing.
fn asked(server: &Server, api: &Api, id: &str) -> Result<Socket> {
    let address = server.base.trim_start_matches("http://");
    let send = || -> std::io::Result<Socket> {
        let target: SocketAddr = address.parse().map_err(std::io::Error::other)?;
        let mut socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(&SockAddr::from(target))?;
        write!(
            socket,
            "GET /muster/v1/reports/{id}/evidence HTTP/1.1\r\nHost: {address}\r\nAuthorization: {}\r\n\r\n",
            api.bearer()
        )?;
        Ok(socket)
    };
    send().context(|| "a reader cannot ask".into())
}

/// The status of a reader's answer. The reader reads nothing else.
fn status(mut reader: &Socket) -> Result<String> {
    let mut begin = [0; "HTTP/1.1 200".len()];
    reader.read_exact(&mut begin).context(|| "a reader is not answered".into())?;
    Ok(String::from_utf8_lossy(&begin["HTTP/1.1 ".len()..]).into_owned())
}

fn held(server: &Server, work: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    server.nameless_files(&work.join("unnamed-"))
}

/// The most packages, and the most bytes of packages, that were on the disk at a time.
fn most_held(server: &Server, work: &Path, done: &AtomicBool) -> Result<(usize, u64)> {
    let mut most = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let held = held(server, work)?;
        most = (most.0.max(held.len()), most.1.max(held.values().sum()));
        thread::sleep(COUNT_AGAIN);
    }
    Ok(most)
}

/// Waits until nothing is held any more.
fn freed(server: &Server, work: &Path) -> Result<()> {
    let begun = Instant::now();
    while !held(server, work)?.is_empty() {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new("packages of clients that have disconnected are still on the disk"));
        }
        thread::sleep(COUNT_AGAIN);
    }
    Ok(())
}
